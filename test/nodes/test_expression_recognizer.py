# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The running node expression_recognizer with a small network, over DDS."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus
from expression_graph import write_expression_model
from face_depth_ros.core.errors import BackendUnavailableError, ModelSpecError
from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.nodes.expression_recognizer import ExpressionRecognizerNode
from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.headers import header_of, stamp_of
from face_depth_ros.nodes.image_messages import image_to_message, ImageFrame
from face_depth_ros.predictors.expression_recognizer import ExpressionRecognizer
from face_depth_ros.predictors.matched_estimates import EstimateSource
from fake_predictors import info_message
from judge_graph import FRAME, JudgeRobot, MEASURED, NEEDED, SceneEstimator, STEP
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import numpy as np
import pytest
from recognizer_graph import Scene
from ros_graph import wait_until
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

pytestmark = pytest.mark.ros

ANGRY, HAPPY, SURPRISED = (230, 20, 20), (20, 230, 20), (20, 20, 230)


def painted(*colors, **options):
    """A scene whose faces have the colours of what they say."""
    scene = Scene(*range(1, len(colors) + 1), **options)
    for detection, color in zip(scene.detections, colors, strict=True):
        box = detection.box
        x, y, h = round(box.center_x), round(box.center_y), round(box.side / 2)
        scene.color[y - h:y + h, x - h:x + h] = color
    return scene


class Onlooker(JudgeRobot):
    """The node with a network that tells what a face says by its colour."""

    def __init__(self, graph, folder):
        super().__init__(graph, ExpressionRecognizerNode, 'expressions')
        self.model = write_expression_model(folder)

    def open_recognizer(self, *, estimator, **settings):
        recognizer = ExpressionRecognizer.open(**settings)
        recognizer._estimates = EstimateSource(SceneEstimator())
        return recognizer

    def start(self, inputs=NEEDED, *, options=None, **overrides):
        options = {'open_recognizer': self.open_recognizer, **(options or {})}
        return super().start(inputs, options=options, **{
            'model': str(self.model), 'smoothing_s': 0.0, **overrides})


@pytest.fixture
def onlooker(graph, tmp_path):
    return Onlooker(graph, tmp_path)


def test_all_seven_come_for_each_face_the_shown_one_first(onlooker):
    message = onlooker.start().show(painted(ANGRY, HAPPY))
    assert message.header == header_of(onlooker.stamp, FRAME)
    assert [(d.id, d.bbox.size_x) for d in message.detections] == [
        ('f00001', 100.0), ('f00002', 100.0)]
    for detection, label in zip(message.detections, ('anger', 'happiness'), strict=True):
        names = [r.hypothesis.class_id for r in detection.results]
        scores = [r.hypothesis.score for r in detection.results]
        assert names[0] == label and sorted(names) == sorted(EXPRESSIONS)
        assert scores == sorted(scores, reverse=True) and sum(scores) == pytest.approx(1, abs=1e-5)
        assert scores[0] > 0.9
    assert onlooker.show(Scene()).detections == [], 'nobody is there'
    values = onlooker.status(lambda s, v: v['frames.processed'] == '2'
                             and s.level == DiagnosticStatus.OK)
    assert values['model'] == str(onlooker.model) and values['engine.backend'] == 'openvino'
    assert values['depth.none'] == '2' and 'express_ms.p50' in values


def test_all_faces_of_a_frame_are_one_call(onlooker):
    onlooker.start()
    calls = []
    run = onlooker.predictor.network.say
    onlooker.predictor.network.say = lambda views: calls.append(len(views)) or run(views)
    onlooker.show(painted(ANGRY, HAPPY))
    assert calls == [2]


def test_the_shown_expression_stays_first_though_another_is_as_probable(onlooker):
    onlooker.start(hysteresis=0.9)
    assert onlooker.names(painted(ANGRY)) == ['anger']
    message = onlooker.show(painted((100, 110, 20)))
    scores = {r.hypothesis.class_id: r.hypothesis.score for r in message.detections[0].results}
    assert message.detections[0].results[0].hypothesis.class_id == 'anger'
    assert scores['happiness'] > scores['anger']
    assert onlooker.set('hysteresis', 0.0).successful
    wait_until(lambda: onlooker.predictor.tracker.hysteresis == 0.0, 'hysteresis')
    assert onlooker.names(painted((100, 110, 20))) == ['happiness']


def test_enhanced_depth_of_the_stamp_is_looked_at_and_no_other(onlooker):
    onlooker.start(MEASURED)
    scene = painted(HAPPY)
    assert onlooker.names(scene, **onlooker.enhanced(scene)) == ['happiness']
    onlooker.names(scene, **onlooker.enhanced(scene, measured=3))
    values = onlooker.status(lambda _, v: v['frames.processed'] == '2')
    assert (values['depth.enhanced'], values['depth.none']) == ('1', '1')
    assert onlooker.names(scene, **onlooker.enhanced(scene, late=1000)) == ['happiness']
    values = onlooker.status(lambda s, v: v.get('count.enhanced_missing') == '1'
                             and s.level == DiagnosticStatus.WARN)
    assert values['depth.none'] == '2' and 'by texture alone' in values['last.enhanced_missing']


def test_depth_that_does_not_fit_is_done_without(onlooker):
    onlooker.start(MEASURED)
    scene = painted(HAPPY)
    wrong = {**onlooker.enhanced(scene), 'enhanced': image_to_message(ImageFrame(
        STEP, FRAME, '32FC1', np.ones((10, 10), np.float32)))}
    assert onlooker.names(scene, **wrong) == ['happiness']
    values = onlooker.status(lambda _, v: 'count.sizes_differ' in v)
    assert 'by texture alone' in values['last.sizes_differ'] and values['depth.none'] == '1'


def test_without_depth_by_choice_nothing_of_it_is_subscribed(onlooker):
    onlooker.start(use_depth=False)
    topics = {i.topic for i in onlooker.node.inputs}
    assert onlooker.graph.topic('depth_enhanced/image_raw') not in topics
    assert onlooker.names(painted(SURPRISED)) == ['surprise']


def test_without_calibration_faces_are_judged_all_the_same(onlooker):
    onlooker.start(('color', 'detections'))
    assert onlooker.names(painted(HAPPY), info=None) == ['happiness']
    assert onlooker.names(painted(HAPPY), info=info_message(2 * STEP, 8, 8)) == ['happiness']
    onlooker.status(lambda s, v: 'count.no_intrinsics' in v and s.level == DiagnosticStatus.WARN)


def test_of_whom_nothing_can_be_seen_all_are_equally_probable(onlooker):
    onlooker.start(max_faces=1)
    scene = painted(HAPPY, ANGRY)
    second = onlooker.show(scene).detections[1]
    assert second.results[0].hypothesis.class_id == 'neutral'
    assert {round(r.hypothesis.score, 4) for r in second.results} == {0.1429}
    values = onlooker.status(lambda _, v: 'count.unseen_max_faces' in v)
    assert 'face f00002' in values['last.unseen_max_faces'] and onlooker.set(
        'max_faces', 2).successful
    wait_until(lambda: onlooker.predictor.max_faces == 2, 'max_faces')
    assert onlooker.names(scene) == ['happiness', 'anger']


def test_without_its_model_the_node_is_up_and_everybody_neutral(onlooker):
    def open_recognizer(**settings):
        if settings['model'] == 'gone':
            raise ModelSpecError('model gone is not there', cause='model_missing')
        return onlooker.open_recognizer(**settings)

    onlooker.start(options={'open_recognizer': open_recognizer}, model='gone')
    assert onlooker.names(painted(HAPPY)) == ['neutral']
    values = onlooker.status(lambda s, v: s.level == DiagnosticStatus.ERROR
                             and 'cannot run, everybody is called neutral' in s.message
                             and 'count.unseen_no_model' in v)
    assert (values['model'], values['state']) == ('none', 'active')
    refused = onlooker.set('model', 'no_such_model')
    assert not refused.successful and 'no model named' in refused.reason
    assert onlooker.set('model', str(onlooker.model)).successful
    wait_until(lambda: onlooker.predictor.engine is not None, 'the model')
    assert onlooker.names(painted(HAPPY)) == ['happiness']
    onlooker.status(lambda s, v: s.level == DiagnosticStatus.OK)


def test_another_model_takes_over_at_run_time(onlooker, tmp_path):
    onlooker.start()
    first = onlooker.predictor
    other = write_expression_model(tmp_path, 'other')
    assert onlooker.set('model', str(other)).successful
    wait_until(lambda: onlooker.predictor is not first, 'other model')
    assert onlooker.predictor.network.spec.name == 'other'
    assert onlooker.names(painted(ANGRY)) == ['anger']
    (tmp_path / 'broken.yaml').write_text('name: broken\n', encoding='utf-8')
    assert not onlooker.set('model', str(tmp_path / 'broken.yaml')).successful


def test_a_backend_that_is_not_there_fails_the_configuration(onlooker):
    def open_recognizer(**_):
        raise BackendUnavailableError('no CUDA device')

    onlooker.start(options={'open_recognizer': open_recognizer}, ready=False)
    values = onlooker.status(lambda s, _: s.level == DiagnosticStatus.ERROR)
    assert values['state'] == 'unconfigured' and values['model'] == 'none'


def test_estimates_come_from_the_depth_estimator_of_the_same_container(onlooker):
    exchange = Exchange()
    estimator = onlooker.start_estimator(exchange)
    onlooker.start(options={'exchange': exchange})
    onlooker.wait_estimator(estimator)
    for _ in range(3):
        assert onlooker.names(painted(HAPPY)) == ['happiness']
    assert onlooker.predictor.own_estimates == 0
    values = onlooker.status(lambda _, v: v['frames.processed'] == '3')
    assert 'count.estimate_missing' not in values


def test_a_node_that_was_deactivated_says_nothing_until_it_is_active_again(onlooker):
    onlooker.start()
    onlooker.names(painted(HAPPY))

    def change(transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        assert onlooker.graph.probe.call(
            ChangeState, onlooker.graph.topic(f'{onlooker.name}/change_state'), request).success

    change(Transition.TRANSITION_DEACTIVATE)
    onlooker.status(lambda _, v: v['state'] == 'inactive')
    change(Transition.TRANSITION_CLEANUP)
    assert onlooker.predictor is None
    change(Transition.TRANSITION_CONFIGURE)
    change(Transition.TRANSITION_ACTIVATE)
    onlooker.graph.wait_ready(onlooker.name)
    onlooker.wait_heard(NEEDED)
    assert onlooker.names(painted(ANGRY)) == ['anger']


def test_messages_that_are_no_images_and_a_bag_that_starts_over(onlooker):
    onlooker.start()
    broken = Image(header=header_of(STEP, FRAME), width=320, height=240, encoding='rgb8', step=9)
    onlooker.graph.probe.publish(onlooker.graph.topic('color/image_raw'), broken)
    onlooker.graph.probe.publish(onlooker.graph.topic('detections'),
                                 Detection2DArray(header=header_of(STEP, FRAME)))
    onlooker.status(lambda _, v: 'count.image_step' in v)
    onlooker.stamp = 5 * STEP
    assert onlooker.names(painted(HAPPY)) == ['happiness']
    onlooker.stamp = STEP
    received = onlooker.graph.received('expressions')
    before = len(received)
    onlooker.send(painted(ANGRY))
    wait_until(lambda: len(received) > before, 'answer after the jump')
    assert stamp_of(received[-1].header) == 2 * STEP
    assert onlooker.status(lambda _, v: 'count.stamp_backward' in v)
