# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The running node liveness_detector over DDS, with a detector that says what depth it got."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus
from face_depth_ros.core.errors import ModelSpecError, SettingsError
from face_depth_ros.core.frames import Liveness
from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.headers import header_of
from face_depth_ros.nodes.image_messages import image_to_message, ImageFrame
from face_depth_ros.nodes.liveness_detector import LivenessDetectorNode
from face_depth_ros.predictors.liveness_detector import LivenessDetector
from fake_predictors import info_message
from judge_graph import FRAME, JudgeRobot, MEASURED, NEEDED, STEP
import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from recognizer_graph import Scene
from ros_graph import wait_until

pytestmark = pytest.mark.ros


class ReliefDetector:
    """Calls live whose depth is not flat; it believes in faces whose depth it does not see."""

    engine = None

    def __init__(self, **settings):
        self.settings, self.calls, self.resets = settings, [], 0
        self.tuned = None

    def detect(self, stamp_ns, color, detections, estimated=None, enhanced=None, *,
               intrinsics=None):
        self.calls.append((stamp_ns, estimated, enhanced, intrinsics))
        return tuple(self._judge(d, enhanced) for d in detections)

    def _judge(self, detection, enhanced):
        if enhanced is None:
            return Liveness(detection, 'live', 0.9)
        b = detection.box
        part = enhanced.depth[round(b.center_y) - 20:round(b.center_y) + 20,
                              round(b.center_x) - 20:round(b.center_x) + 20]
        if np.ptp(part) > 0.005:
            return Liveness(detection, 'live', 0.95)
        return Liveness(detection, 'spoof', 0.1, 'flat')

    def tune(self, live_threshold, spoof_threshold, window_s, least_frames, max_faces):
        if live_threshold is not None and live_threshold < 0.5:
            raise SettingsError('got live_threshold below that of spoof, expected more')
        self.tuned = (live_threshold, spoof_threshold, window_s, least_frames, max_faces)

    def reset(self):
        self.resets += 1

    def close(self):
        """Nothing is held."""


class Guard(JudgeRobot):
    def __init__(self, graph):
        super().__init__(graph, LivenessDetectorNode, 'liveness')

    def start(self, inputs=MEASURED, *, options=None, **overrides):
        return super().start(inputs, options={'open_detector': ReliefDetector, **(options or {})},
                             **overrides)


@pytest.fixture
def guard(graph):
    return Guard(graph)


def flat(*people):
    scene = Scene(*people)
    scene.depth[:] = 1.0
    return scene


def test_who_lives_comes_with_id_box_stamp_and_score(guard):
    guard.start()
    scene = Scene(1, 2)
    scene.depth[:, 122:] = 1.0
    message = guard.show(scene, **guard.enhanced(scene))
    assert message.header == header_of(guard.stamp, FRAME)
    said = [(d.id, d.results[0].hypothesis.class_id, round(d.results[0].hypothesis.score, 3))
            for d in message.detections]
    assert said == [('f00001', 'live', 0.95), ('f00002', 'spoof', 0.9)]
    assert [d.bbox.center.position.x for d in message.detections] == [70.0, 175.0]
    nobody = Scene()
    assert guard.show(nobody, **guard.enhanced(nobody)).detections == []
    values = guard.status(lambda s, v: v['frames.processed'] == '2'
                          and s.level == DiagnosticStatus.OK)
    assert values['count.spoof_flat'] == '1' and values['depth.enhanced'] == '2'
    assert 'liveness_ms.p50' in values
    assert guard.predictor.calls[0][3].fx == 300.0


def test_depth_of_another_stamp_is_never_used(guard):
    guard.start()
    scene = Scene(1)
    assert guard.names(scene, **guard.enhanced(scene)) == ['live']
    for late in (-1, 1, STEP // 2):
        assert guard.names(scene, **guard.enhanced(scene, late=late)) == ['unsure']
    assert [enhanced is None for _, _, enhanced, _ in guard.predictor.calls] == [
        False, True, True, True]
    values = guard.status(lambda s, v: v.get('count.enhanced_missing') == '3'
                          and s.level == DiagnosticStatus.WARN)
    assert 'nobody in it is known to live' in values['last.enhanced_missing']
    assert values['count.unsure_no_depth'] == '3'
    assert guard.names(scene, **guard.enhanced(scene)) == ['live']


def test_provenance_of_another_stamp_makes_depth_worthless(guard):
    guard.start()
    scene = Scene(1)
    old = guard.enhanced(scene, late=-1)
    assert guard.names(scene, **{**guard.enhanced(scene), 'provenance': old['provenance']}) == [
        'unsure']


def test_without_depth_nobody_lives_and_it_is_said_why(guard):
    guard.start(NEEDED)
    assert guard.names(Scene(1)) == ['unsure']
    values = guard.status(lambda s, v: s.level == DiagnosticStatus.WARN
                          and 'count.no_depth' in v)
    assert 'check that depth_enhancer runs' in values['last.no_depth']


@pytest.mark.parametrize(('changes', 'cause'), [
    ({'enhanced': np.ones((10, 10), np.float32)}, 'sizes_differ'),
    ({'provenance': np.zeros((10, 10), np.uint8)}, 'provenance')])
def test_depth_that_does_not_fit_is_no_evidence(guard, changes, cause):
    guard.start()
    scene = Scene(1)
    messages = guard.enhanced(scene)
    for key, array in changes.items():
        encoding = '32FC1' if key == 'enhanced' else 'mono8'
        messages[key] = image_to_message(ImageFrame(STEP, FRAME, encoding, array))
    assert guard.names(scene, **messages) == ['unsure']
    guard.status(lambda s, v: f'count.{cause}' in v and s.level == DiagnosticStatus.WARN)


def test_calibration_of_another_size_is_not_used(guard):
    guard.start()
    scene = Scene(1)
    assert guard.names(scene, info=info_message(STEP, 8, 8), **guard.enhanced(scene)) == ['live']
    assert guard.predictor.calls[0][3] is None
    guard.status(lambda _, v: 'count.camera_info_size' in v)


def test_without_its_model_the_node_is_up_and_unsure_of_everybody(guard):
    asked = []

    def open_detector(**settings):
        asked.append(settings['model'])
        if settings['model'] in ('liveness_detector', ''):
            raise ModelSpecError('model liveness_detector is not there', cause='model_missing')
        return ReliefDetector(**settings)

    guard.start(options={'open_detector': open_detector})
    scene = Scene(1)
    message = guard.show(scene, **guard.enhanced(scene))
    said = message.detections[0].results[0].hypothesis
    assert (said.class_id, said.score) == ('unsure', 0.0)
    values = guard.status(lambda s, v: s.level == DiagnosticStatus.ERROR
                          and 'cannot run, nobody is known to live' in s.message
                          and 'count.unsure_no_model' in v)
    assert values['model'] == 'none'
    assert not guard.set('model', 'no_such_model').successful
    assert guard.set('model', '').successful and guard.set('window_s', 2.0).successful
    wait_until(lambda: len(asked) >= 3, 'further attempts')
    guard.graph.probe.statuses.clear()
    guard.status(lambda s, v: s.level == DiagnosticStatus.ERROR)
    assert guard.set('model', 'face_detector').successful, 'a ModelSpec that there is'
    wait_until(lambda: isinstance(guard.predictor, ReliefDetector), 'the model')
    assert guard.names(scene, **guard.enhanced(scene)) == ['live']


def test_the_real_detector_without_its_files_is_such_a_case(guard, tmp_path):
    guard.start(options={'open_detector': LivenessDetector.open}, estimator_model='',
                model=str(tmp_path / 'gone.yaml'))
    scene = Scene(1)
    assert guard.names(scene, **guard.enhanced(scene)) == ['unsure']
    guard.status(lambda s, v: s.level == DiagnosticStatus.ERROR and 'gone.yaml' in s.message
                 and v['state'] == 'active')


def test_settings_follow_at_run_time_and_minus_one_is_the_models_threshold(guard):
    guard.start(live_threshold=0.8, max_faces=4)
    settings = guard.predictor.settings
    assert (settings['live_threshold'], settings['spoof_threshold']) == (0.8, None)
    assert (settings['max_faces'], settings['model']) == (4, 'liveness_detector')
    assert guard.set('window_s', 2.0).successful
    wait_until(lambda: guard.predictor.tuned == (0.8, None, 2.0, 3, 4), 'window')
    refused = guard.set('spoof_threshold', 0.9)
    assert not refused.successful and 'expected the first to be at least' in refused.reason
    assert guard.set('live_threshold', 0.3).successful, 'only the model knows that it is too low'
    wait_until(lambda: guard.node.settings.live_threshold == 0.8, 'going back')
    values = guard.status(lambda _, v: f'count.{SettingsError.cause}' in v)
    assert 'stay as they were: got live_threshold below' in values[f'last.{SettingsError.cause}']


def test_what_one_request_sets_is_judged_together(guard):
    guard.start(live_threshold=0.9, spoof_threshold=0.5)
    request = SetParameters.Request(parameters=[
        Parameter(n, value=v).to_parameter_msg()
        for n, v in (('spoof_threshold', 0.2), ('live_threshold', 0.3),
                     ('spoof_threshold', 0.4))])
    results = guard.graph.probe.call(
        SetParameters, guard.graph.topic(f'{guard.name}/set_parameters'), request).results
    assert [r.successful for r in results] == [True, True, False]


def test_what_waits_when_the_node_is_deactivated_never_comes(guard):
    guard.start(wait_s=1.0)
    scene = Scene(1)
    guard.show(scene, **guard.enhanced(scene))
    waiting = guard.send(scene)
    wait_until(lambda: guard.node._join.waits, 'a frame that waits for depth')
    assert guard.graph.spinner.call(guard.node.trigger_deactivate) == (
        TransitionCallbackReturn.SUCCESS)
    wait_until(lambda: not guard.node._join.waits, 'end of the wait')
    assert guard.node.work.mailbox.wait_idle(30.0)
    assert [call[0] for call in guard.predictor.calls] == [waiting - STEP]


def test_estimates_come_from_the_depth_estimator_of_the_same_container(guard):
    exchange = Exchange()
    estimator = guard.start_estimator(exchange)
    guard.start(options={'exchange': exchange})
    guard.wait_estimator(estimator)
    scene = Scene(1)
    assert guard.names(scene, **guard.enhanced(scene)) == ['live']
    assert guard.predictor.calls[0][1] is scene.estimated


def test_tracks_are_forgotten_when_the_node_starts(guard):
    guard.start()
    assert guard.predictor.resets == 1
