# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The running node face_recognizer with a small network, over DDS."""

from __future__ import annotations

from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from face_depth_ros.core.errors import GalleryError, ModelSpecError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, Liveness
from face_depth_ros.gallery.people import Template
from face_depth_ros.nodes import enroll_topics
from face_depth_ros.nodes.face_recognizer import FaceRecognizerNode
from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.headers import header_of, stamp_of
from face_depth_ros.nodes.image_messages import image_to_message, ImageFrame
from face_depth_ros.nodes.liveness_messages import liveness_to_message, LivenessFrame
from face_depth_ros.predictors.face_recognizer import FaceRecognizer
from face_depth_ros.predictors.matched_estimates import EstimateSource
from judge_graph import FRAME, JudgeRobot, MEASURED, NEEDED, SceneEstimator, STEP
import numpy as np
import pytest
from rclpy.parameter import Parameter
from recognizer_graph import plain_gallery, Scene, write_recognizer
from ros_graph import wait_until
from sensor_msgs.msg import Image
from std_msgs.msg import String
from vision_msgs.msg import Detection2DArray

pytestmark = pytest.mark.ros

NAME = 'face_recognizer'


class Robot(JudgeRobot):
    """The node, and a camera before it; the gallery lies under /tmp and has no key."""

    def __init__(self, graph: Any, folder: Any) -> None:
        super().__init__(graph, FaceRecognizerNode, 'identities')
        self.folder = folder
        self.model = write_recognizer(folder)
        self.access = plain_gallery(folder)

    def open_recognizer(self, *, access, estimator, **settings):
        recognizer = FaceRecognizer.open(access=self.access, **settings)
        recognizer._estimates = EstimateSource(SceneEstimator())
        return recognizer

    def start(self, inputs=NEEDED, *, options=None, **overrides):
        self.graph.probe.publisher(String, self.graph.topic('enroll'))
        self.graph.subscribe(String, 'enroll/status')
        options = {'open_recognizer': self.open_recognizer, **(options or {})}
        return super().start(inputs, options=options, **{'model': str(self.model), **overrides})

    def enroll_directly(self, **people):
        recognizer = FaceRecognizer.open(str(self.model), access=self.access, watch=False)
        for name, scene in people.items():
            recognizer.begin_enrollment(name, seconds=9.0)
            for i in range(4):
                recognizer.recognize(i * STEP, scene.color, scene.detections, scene.estimated)
            assert recognizer.take_enrollment(at_once=True).finish() == f'ok {name}'
            recognizer.reset()
        recognizer.close()

    def enroll(self, name, *scenes):
        """Ask by topic, show the scenes until the answer comes, return it."""
        topic = self.graph.topic('enroll/status')
        before = len(self.graph.probe.received[topic])
        self.graph.probe.publish(self.graph.topic('enroll'), String(data=name))
        wait_until(lambda: len(self.graph.probe.received[topic]) > before
                   or self.node._slot.present.enrolling, 'beginning')
        for scene in scenes:
            self.show(scene)
        wait_until(lambda: len(self.graph.probe.received[topic]) > before, 'status')
        return self.graph.probe.received[topic][-1].data


@pytest.fixture
def robot(graph, tmp_path, monkeypatch):
    # Frames may come seconds apart on a busy machine; an enrolment is not to end between them.
    monkeypatch.setattr(enroll_topics, 'PATIENCE_S', 60.0)
    return Robot(graph, tmp_path)


def test_known_people_come_by_name_with_id_box_and_stamp(robot):
    robot.enroll_directly(Ada=Scene(1), Bo=Scene(2))
    robot.start()
    for _ in range(2):
        message = robot.show(Scene(2, 3))
    assert message.header.frame_id == FRAME and stamp_of(message.header) == robot.stamp
    known, stranger = message.detections
    assert known.results[0].hypothesis.class_id == 'Bo'
    assert known.results[0].hypothesis.score > 0.99
    assert (known.id, known.bbox.size_x, known.bbox.center.position.x) == ('f00001', 100.0, 70.0)
    assert stranger.results[0].hypothesis.class_id == 'unknown'
    values = robot.status(lambda s, v: v['frames.processed'] == '2'
                          and s.level == DiagnosticStatus.OK)
    assert values['gallery.people'] == '2' and values['gallery.stale_templates'] == '0'
    assert values['depth.estimated'] == '4' and values['engine.backend'] == 'openvino'
    assert values['count.unknown_below_threshold'] == '2'
    assert robot.show(Scene()).detections == []


def test_people_are_introduced_by_topic_and_forgotten_at_once(robot):
    robot.start(enroll_seconds=0.4)
    assert robot.names(Scene(1)) == ['unknown']
    robot.status(lambda s, v: s.level == DiagnosticStatus.ERROR
                 and 'gallery_missing' in s.message)
    assert robot.enroll('Ada', *[Scene(1)] * 6) == 'ok Ada'
    assert robot.names(Scene(1)) == ['Ada']
    robot.status(lambda s, v: s.level == DiagnosticStatus.OK and v['gallery.people'] == '1')
    with robot.access.open(create=False, read_only=False) as gallery:
        gallery.forget('Ada')
    wait_until(lambda: not robot.node._slot.present.people.snapshot.names, 'forgetting')
    assert robot.names(Scene(1)) == ['unknown']


def test_guests_are_introduced_for_some_days(robot):
    robot.start(enroll_seconds=0.4, enroll_keep_days=2.0)
    assert robot.enroll('Ada', *[Scene(1)] * 6) == 'ok Ada'
    with robot.access.open(create=False, read_only=True) as gallery:
        person = gallery.person('Ada')
    assert person.expires_ns - person.changed_ns == pytest.approx(2 * 86400e9, rel=1e-6)


@pytest.mark.parametrize(('scenes', 'reason'), [
    ([Scene(1), Scene(1, 2)], '2 faces are in view'),
    ([Scene(1, blur=True)] * 6, 'too blurred'),
    ([Scene()] * 6, 'nobody is in view')])
def test_why_nobody_was_introduced(robot, scenes, reason):
    robot.start(enroll_seconds=0.4)
    assert reason in robot.enroll('Ada', *scenes)
    assert robot.node._enrollment.demand == 0


def test_an_enrolment_without_frames_ends(robot, monkeypatch):
    monkeypatch.setattr(enroll_topics, 'PATIENCE_S', 0.1)
    robot.start(enroll_seconds=0.2)
    assert 'nobody is in view' in robot.enroll('Ada')
    assert 'cannot be a name' in robot.enroll('unknown')


def test_an_enrolment_ends_with_the_model_that_it_was_for(robot, monkeypatch):
    """Frames go on: it is not for want of them that nothing would come of it."""
    monkeypatch.setattr(enroll_topics, 'PATIENCE_S', 0.5)
    robot.start(enroll_seconds=0.5)
    robot.graph.probe.publish(robot.graph.topic('enroll'), String(data='Ada'))
    wait_until(lambda: robot.node._slot.present.enrolling, 'beginning')
    first = robot.node._slot.present
    other = write_recognizer(robot.folder, 'other')
    assert robot.set('model', str(other)).successful
    wait_until(lambda: robot.node._slot.present is not first, 'another model')
    told = robot.graph.probe.received[robot.graph.topic('enroll/status')]

    def look():
        robot.show(Scene(1))
        return told

    wait_until(look, 'an answer')
    assert 'was changed meanwhile; try again' in told[-1].data
    assert robot.node._enrollment.demand == 0
    assert robot.enroll('Ada', *[Scene(1)] * 8) == 'ok Ada'


def test_while_somebody_is_introduced_frames_are_wanted(robot):
    robot.node = robot.graph.add(
        FaceRecognizerNode, open_recognizer=robot.open_recognizer,
        parameter_overrides=[Parameter('model', value=str(robot.model))])
    robot.graph.probe.publisher(String, robot.graph.topic('enroll'))
    robot.graph.subscribe(String, 'enroll/status')
    robot.status(lambda _s, v: v['state'] == 'active' and v['wanted'] == 'false')
    wait_until(robot.graph.probe.publishers[robot.graph.topic('enroll')].get_subscription_count,
               'subscriber')
    robot.graph.probe.publish(robot.graph.topic('enroll'), String(data='Ada'))
    robot.status(lambda _s, v: v['wanted'] == 'true' and v['enrolling'] == 'Ada')


def test_enhanced_depth_of_the_stamp_is_looked_at(robot):
    robot.enroll_directly(Ada=Scene(1))
    robot.start(MEASURED)
    scene = Scene(1)
    assert robot.names(scene, **robot.enhanced(scene)) == ['Ada']
    robot.names(scene, **robot.enhanced(scene, measured=3))
    values = robot.status(lambda _, v: v['frames.processed'] == '2')
    assert (values['depth.enhanced'], values['depth.estimated']) == ('1', '1')
    assert robot.names(scene) == ['Ada'], 'after waiting in vain'
    values = robot.status(lambda _, v: 'count.enhanced_missing' in v)
    assert values['count.enhanced_missing'] == '1'
    wrong = {**robot.enhanced(scene), 'provenance': image_to_message(ImageFrame(
        4 * STEP, FRAME, 'mono8', np.zeros((10, 10), np.uint8)))}
    assert robot.names(scene, **wrong) == ['Ada']
    assert 'mono8 of the same frame' in robot.status(
        lambda _, v: 'count.provenance' in v)['last.provenance']
    small = {**robot.enhanced(scene), 'enhanced': image_to_message(ImageFrame(
        5 * STEP, FRAME, '32FC1', np.ones((10, 10), np.float32)))}
    assert robot.names(scene, **small) == ['Ada']
    robot.status(lambda _, v: 'count.sizes_differ' in v)


def test_whoever_is_not_live_is_unknown(robot):
    robot.enroll_directly(Ada=Scene(1), Bo=Scene(2))
    robot.start((*NEEDED, 'liveness'), require_live=True)

    def said(**labels):
        stamp = robot.stamp + STEP
        faces = tuple(Liveness(Detection(FaceBox(50.0, 60.0, 90.0), 1.0, track_id=track), label,
                               0.9) for track, label in labels.items())
        return {'liveness': liveness_to_message(LivenessFrame(stamp, FRAME, faces))}

    scene = Scene(1, 2)
    assert robot.names(scene, **said(f00001='live', f00002='live')) == ['Ada', 'Bo']
    assert robot.names(scene, **said(f00001='spoof', f00002='live')) == ['unknown', 'Bo']
    assert robot.names(scene, **said(f00001='unsure')) == ['unknown', 'unknown']
    assert robot.names(scene) == ['unknown', 'unknown'], 'no liveness of the stamp'
    values = robot.status(lambda _, v: 'count.liveness_missing' in v)
    assert values['count.unknown_not_live'] == '5'
    robot.graph.probe.publish(robot.graph.topic('enroll'), String(data='Print'))
    wait_until(lambda: robot.node._slot.present.enrolling, 'beginning')
    robot.show(Scene(5), **said(f00001='spoof'))
    answer = robot.graph.probe.wait_message(robot.graph.topic('enroll/status'))
    assert answer.data == 'the face is not said to be live'


def test_templates_of_another_model_are_said(robot):
    robot.enroll_directly(Ada=Scene(1))
    with robot.access.open(create=False, read_only=False) as gallery:
        vector = np.ones(16, np.float32) / 4
        gallery.enroll('Old', [Template(vector, 1.0, 'f' * 64)])
    robot.start()
    robot.names(Scene(1))
    values = robot.status(lambda s, v: 'count.stale_templates' in v
                          and s.level == DiagnosticStatus.WARN)
    assert 'enrol these people again' in values['last.stale_templates']
    other = write_recognizer(robot.folder, 'other', outputs='color')
    assert robot.set('model', str(other)).successful
    wait_until(lambda: robot.node._slot.present.embedder.spec.name == 'other', 'other model')
    assert robot.names(Scene(1)) == ['unknown'], 'nobody was introduced to this model'
    robot.status(lambda _, v: v['gallery.stale_templates'] == '2')
    refused = robot.set('model', 'no_such_model')
    assert not refused.successful and 'no model named' in refused.reason


def test_settings_follow_at_run_time(robot):
    robot.enroll_directly(Ada=Scene(1))
    robot.start()
    recognizer = robot.node._slot.present
    for name, value, found in (
            ('false_accept_rate', 0.01, lambda: recognizer.tracker.false_accept_rate),
            ('min_quality', 0.5, lambda: recognizer.min_quality),
            ('max_faces', 2, lambda: recognizer.max_faces)):
        assert robot.set(name, value).successful
        wait_until(lambda v=value, f=found: f() == v, name)
    assert robot.node._slot.present is recognizer
    assert not robot.set('false_accept_rate', 0.0).successful
    assert robot.set('gallery', 'elsewhere.db').successful
    wait_until(lambda: robot.node._slot.present is not recognizer, 'another gallery')


def test_estimates_come_from_the_depth_estimator_of_the_same_container(robot):
    robot.enroll_directly(Ada=Scene(1))
    exchange = Exchange()
    estimator = robot.start_estimator(exchange)
    robot.start(options={'exchange': exchange})
    robot.wait_estimator(estimator)
    calls = SceneEstimator.calls
    for _ in range(3):
        assert robot.names(Scene(1)) == ['Ada']
    assert robot.node._slot.present.own_estimates == 0
    assert SceneEstimator.calls == calls + 3
    values = robot.status(lambda _, v: v['frames.processed'] == '3')
    assert 'count.estimate_missing' not in values
    assert values[f'input.{robot.graph.topic("depth_estimated/faces")}'] == (
        'hand-off, 1 publisher(s), 3 received')


@pytest.mark.parametrize(('error', 'cause'), [
    (GalleryError('others may read it', cause='gallery_permissions'), 'gallery_permissions'),
    (GalleryError('it was tampered with', cause='gallery_tampered'), 'gallery_tampered'),
    (GalleryError('another process writes', cause='gallery_locked'), 'gallery_locked')])
def test_a_gallery_in_doubt_keeps_the_node_up_and_everybody_unknown(robot, error, cause):
    robot.enroll_directly(Ada=Scene(1))

    def refuse(**_):
        raise error

    def open_recognizer(*, access, estimator, **settings):
        recognizer = FaceRecognizer.open(open_gallery=refuse, **settings)
        recognizer._estimates = EstimateSource(SceneEstimator())
        return recognizer

    robot.start(options={'open_recognizer': open_recognizer})
    assert robot.names(Scene(1)) == ['unknown']
    robot.status(lambda s, v: s.level == DiagnosticStatus.ERROR and cause in s.message
                 and str(error) in s.message and v['state'] == 'active')
    assert str(error) in robot.enroll('Bo', *[Scene(2)] * 40)


def test_without_its_model_the_node_is_up_and_everybody_unknown(robot):
    def open_recognizer(**_):
        raise ModelSpecError('model face_recognizer is not there', cause='model_missing')

    robot.start(options={'open_recognizer': open_recognizer})
    assert robot.names(Scene(1)) == ['unknown']
    robot.status(lambda s, v: s.level == DiagnosticStatus.ERROR
                 and 'cannot run, everybody is unknown' in s.message)
    assert 'model of the recogniser cannot run' in robot.enroll('Ada')


def test_a_node_that_is_not_active_introduces_nobody(robot, graph):
    node = graph.add(FaceRecognizerNode, open_recognizer=robot.open_recognizer,
                     parameter_overrides=[Parameter('autostart', value=False)])
    graph.subscribe(String, 'enroll/status')
    robot.node = node
    publisher = graph.probe.publisher(String, graph.topic('enroll'))
    wait_until(publisher.get_subscription_count, 'subscriber')
    wait_until(lambda: graph.spinner.call(
        node._enrollment._publisher.get_subscription_count), 'listener')
    publisher.publish(String(data='Ada'))
    answer = graph.probe.wait_message(graph.topic('enroll/status'))
    assert answer.data == "'Ada' cannot be enrolled: the node is unconfigured"


def test_a_looping_bag_goes_on(robot):
    robot.enroll_directly(Ada=Scene(1))
    robot.start()
    assert [robot.names(Scene(1))[0] for _ in range(3)] == ['Ada'] * 3
    robot.stamp = 0
    graph = robot.graph
    before = len(graph.received('identities'))
    robot.send(Scene(1))
    wait_until(lambda: len(graph.received('identities')) > before, 'answer')
    values = robot.status(lambda _, v: v['frames.processed'] == '4')
    assert values['count.stamp_backward'] == '1'


def test_messages_that_are_no_images(robot):
    robot.enroll_directly(Ada=Scene(1))
    robot.start()
    broken = Image(header=header_of(STEP, FRAME), width=320, height=240, encoding='rgb8', step=9)
    robot.graph.probe.publish(robot.graph.topic('color/image_raw'), broken)
    robot.graph.probe.publish(robot.graph.topic('detections'),
                              Detection2DArray(header=header_of(STEP, FRAME)))
    robot.status(lambda _, v: 'count.image_step' in v)
    robot.stamp = STEP
    assert robot.names(Scene(1)) == ['Ada']
