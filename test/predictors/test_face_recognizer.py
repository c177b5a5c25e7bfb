# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The whole recogniser with a small network: frames in, names out, people introduced."""

from __future__ import annotations

from dataclasses import replace

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError, InvalidImageError, SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, EnhancedDepth, EstimatedDepth, SkippedFace
from face_depth_ros.predictors.enroller import EnrollmentView, MOST_VIEWS
from face_depth_ros.predictors.face_embedder import Embedding
from face_depth_ros.predictors.face_recognizer import FaceRecognizer
from face_depth_ros.predictors.recognition_views import measured_relief, seen_face
import numpy as np
import pytest
from recognizer_graph import CALIBRATION, plain_gallery, Scene, write_brought, write_recognizer

STEP = 10**8
CAMERA = CameraIntrinsics(320, 240, 300.0, 300.0, 160.0, 120.0)


@pytest.fixture
def open_recognizer(tmp_path):
    opened = []

    def make(model=None, **options):
        model = model or str(write_recognizer(tmp_path))
        opened.append(FaceRecognizer.open(
            model, access=plain_gallery(tmp_path), watch=False, **options))
        return opened[-1]

    yield make
    for recognizer in opened:
        recognizer.close()


class Camera:
    """Shows scenes to a recogniser, one after the other."""

    def __init__(self, recognizer):
        self.recognizer, self.stamp = recognizer, 0

    def show(self, scene, frames=1, **options):
        for _ in range(frames):
            self.stamp += STEP
            result = self.recognizer.recognize(
                self.stamp, scene.color, scene.detections,
                options.pop('estimated', scene.estimated), **options)
        return result

    def pause(self):
        """Let so much time pass that nothing is remembered."""
        self.stamp += 10**10

    def enroll(self, name, *scenes, frames=5, **options):
        self.pause()
        self.recognizer.begin_enrollment(name, **{'seconds': 10.0, **options})
        for scene in scenes:
            self.show(scene, frames)
        return self.recognizer.take_enrollment(at_once=True).finish()


@pytest.fixture
def camera(open_recognizer):
    return Camera(open_recognizer())


def names(identities):
    return [i.person for i in identities]


def test_introduced_people_are_recognised_and_strangers_are_not(camera):
    assert camera.enroll('Ada', Scene(1)) == 'ok Ada'
    assert camera.enroll('Bo', Scene(2)) == 'ok Bo'
    camera.pause()
    found = camera.show(Scene(1, 3), 3)
    assert names(found) == ['Ada', 'unknown']
    assert found[0].probability > 0.99 and found[0].depth == 'estimated'
    assert found[1].cause == 'below_threshold' and found[1].quality > 0.5
    camera.pause()
    assert names(camera.show(Scene(2))) == ['Bo'], 'in its first good frame'


def test_enhanced_depth_is_taken_where_enough_was_measured(camera):
    scene = Scene(1)
    camera.enroll('Ada', scene)
    nothing = np.zeros((240, 320), np.uint8)
    for share, expected in ((1.0, 'enhanced'), (0.7, 'enhanced'), (0.5, 'estimated')):
        origin = np.where(np.random.default_rng(0).random((240, 320)) < share, 2, 3)
        found, = camera.show(scene, enhanced=EnhancedDepth(
            scene.depth, nothing, origin.astype(np.uint8)), intrinsics=CAMERA)
        assert (found.person, found.depth) == ('Ada', expected)
    left_alone = EnhancedDepth(scene.depth, nothing, nothing)
    assert camera.show(scene, enhanced=left_alone)[0].depth == 'estimated'


def test_measured_relief_is_that_of_the_face_along_its_ray():
    scene = Scene(1)
    face = scene.estimated.faces[0]
    enhanced = EnhancedDepth(scene.depth, scene.depth.astype(np.uint8),
                             np.ones((240, 320), np.uint8))
    flat = measured_relief(enhanced, face.detection.box, face.mask, None)
    truth = face.relief - np.nanmedian(face.relief)
    inner = np.isfinite(flat) & np.isfinite(truth)
    assert inner.sum() > 0.9 * (face.mask > 0).sum()
    assert np.median(np.abs(flat - np.nanmedian(flat) - truth)[inner]) < 1e-3
    along = measured_relief(enhanced, face.detection.box, face.mask, CAMERA)
    assert np.nanmax(np.abs(along - flat)) > 0.01, 'the face stands beside the axis'
    holes = replace(enhanced, depth=np.full((240, 320), np.nan, np.float32))
    assert measured_relief(holes, face.detection.box, face.mask, None) is None


def test_without_depth_colour_alone_is_compared(camera):
    scene = Scene(1)
    camera.enroll('Ada', scene)
    camera.recognizer.use_depth = False
    camera.pause()
    found, = camera.show(scene)
    assert (found.person, found.depth) == ('Ada', '')


def test_faces_without_an_estimate_are_estimated_here(open_recognizer):
    scene = Scene(1)

    class Estimator:
        closed = False

        def estimate(self, color, detections, *, intrinsics=None, depth=None):
            self.asked = list(detections)
            return scene.estimated

        def close(self):
            self.closed = True

    camera = Camera(open_recognizer())
    camera.enroll('Ada', scene)
    own = camera.recognizer._estimates._estimator = Estimator()
    assert names(camera.show(scene, estimated=None)) == ['Ada']
    assert own.asked == scene.detections and camera.recognizer.own_estimates == 1
    nobody = replace(scene.estimated, faces=(), skipped=(
        SkippedFace('f00001', 'no_face', 'probability 0.1'),))
    camera.pause()
    found, = camera.show(scene, estimated=nobody)
    assert (found.person, found.cause) == ('unknown', 'no_face')
    assert camera.recognizer.own_estimates == 1, 'what was looked at is not looked at again'
    camera.recognizer.close()
    assert own.closed


def test_faces_that_cannot_be_cut_are_unknown(camera):
    scene = Scene(1)
    assert camera.show(scene, estimated=None)[0].cause == 'gallery'
    camera.enroll('Ada', scene)
    camera.pause()
    assert camera.show(scene, estimated=None)[0].cause == 'no_estimate'
    outside = Detection(FaceBox(-500.0, 0.0, 50.0), 0.9, track_id='f00009')
    away = replace(scene.estimated.faces[0], detection=outside)
    found, = camera.recognizer.recognize(
        camera.stamp, scene.color, [outside], replace(scene.estimated, faces=(away,)))
    assert (found.person, found.cause) == ('unknown', 'face_box_outside')


def test_only_the_largest_faces_are_worked_on(open_recognizer):
    camera = Camera(open_recognizer(max_faces=1))
    camera.recognizer.people.enroll('Ada', enrolled_templates(camera, Scene(1)))
    scene = Scene(1, 2)
    large = replace(scene.detections[1].box, side=101.0)
    scene.detections[1] = replace(scene.detections[1], box=large)
    found = camera.show(scene)
    assert [i.detection.track_id for i in found] == ['f00002', 'f00001']
    assert found[1].cause == 'max_faces'


def enrolled_templates(camera, scene):
    camera.recognizer.begin_enrollment('x', seconds=10.0)
    camera.show(scene, 4)
    return camera.recognizer.take_enrollment(at_once=True)._good


def test_brought_networks_recognise_too(tmp_path, open_recognizer):
    for crop in ('box', 'five_points'):
        model = str(write_brought(tmp_path, crop, normalisation={'crop': crop},
                                  limits={'calibration': {'color': {
                                      **CALIBRATION, 'false_accept': {'0.1': 0.9, '1e-06': 0.97},
                                      'slope': 60, 'offset': -56}}}))
        camera = Camera(open_recognizer(model))
        assert camera.enroll(f'Ada {crop}', Scene(1)) == f'ok Ada {crop}'
        camera.pause()
        found = camera.show(Scene(1, 3))
        assert names(found) == [f'Ada {crop}', 'unknown'] and found[0].depth == ''
        assert camera.recognizer.people.snapshot.stale == (0 if crop == 'box' else 1)


def test_five_points_need_landmarks():
    scene = Scene(1)
    face = replace(scene.estimated.faces[0], landmarks=None)
    with pytest.raises(FaceDepthError, match='gives no landmarks') as error:
        seen_face(scene.color, face, None, None, five_points=True)
    assert error.value.cause == 'no_landmarks'
    five = np.array([[50, 110], [90, 110], [70, 125], [55, 140], [85, 140]], np.float32)
    detected = replace(face, detection=replace(face.detection, landmarks=five))
    assert seen_face(scene.color, detected, None, None, five_points=True).view.aligned is not None


@pytest.mark.parametrize(('scenes', 'reason'), [
    ([Scene()], 'nobody is in view'),
    ([Scene(1), Scene(1, 2)], '2 faces are in view'),
    ([Scene(1, blur=True)], 'too blurred'),
    ([Scene(1, yaw=65)], 'only seen from the side'),
    ([Scene(1, side=20.0)], 'too small'),
    ([Scene(1, light=0.03)], 'too dark'),
    ([Scene(1), Scene(3)], 'another face came into view')])
def test_enrolment_refuses_what_is_in_doubt(camera, scenes, reason):
    assert reason in camera.enroll('Ada', *scenes)
    assert camera.recognizer.people.snapshot.templates == 0
    assert camera.recognizer.enrolling == ''


def test_a_face_seen_once_is_not_enough_unless_asked_for(camera):
    assert 'seen well in 1 frame(s) only' in camera.enroll('Ada', Scene(1), frames=1)
    assert camera.enroll('Ada', Scene(1), frames=1, least_views=1) == 'ok Ada'


def test_names_and_faces_belong_together(camera):
    assert camera.enroll('Ada', Scene(1)) == 'ok Ada'
    assert 'choose another name' in camera.enroll('Ada', Scene(2))
    assert 'known as Ada already' in camera.enroll('Augusta', Scene(1))
    assert camera.enroll('Ada', Scene(1, yaw=20)) == 'ok Ada', 'more views of the same person'
    assert camera.recognizer.people.snapshot.names == {'Ada'}
    assert camera.enroll('Bo', Scene(2)) == 'ok Bo'


def test_two_faces_of_one_track_stand_for_themselves(camera):
    """Nobody gets the name of a face that is called as it is."""
    camera.enroll('Ada', Scene(1))
    camera.pause()
    both = Scene(1, 2)
    second = replace(both.detections[1], track_id=both.detections[0].track_id)
    both.detections[1] = second
    faces = list(both.estimated.faces)
    faces[1] = replace(faces[1], detection=second)
    both.estimated = replace(both.estimated, faces=tuple(faces))
    assert names(camera.show(both, 3)) == ['Ada', 'unknown']
    both.color[:, 120:] = 90
    found = camera.show(both, 3)
    assert names(found) == ['Ada', 'unknown'] and found[1].quality < 0.1, 'too poor to compare'


@pytest.mark.parametrize('depth', [True, False])
def test_weights_of_a_model_hinder_no_enrolment(tmp_path, open_recognizer, depth):
    """Colour alone, of a small weight: its templates are short."""
    model = write_recognizer(tmp_path, normalisation={'weights': {'color': 1.0, 'depth': 24.0}})
    camera = Camera(open_recognizer(model=str(model), use_depth=depth))
    assert camera.enroll('Ada', Scene(1)) == 'ok Ada'
    camera.pause()
    assert names(camera.show(Scene(1, 3), 3)) == ['Ada', 'unknown']


def test_views_that_are_no_numbers_are_poor_ones(camera):
    recognizer = camera.recognizer
    recognizer.begin_enrollment('Ada', seconds=10.0)
    nan = Embedding(np.full(recognizer.embedder.layout.dimensions, np.nan, np.float32),
                    frozenset(('color',)), 'a' * 64)
    enroller = recognizer.take_enrollment(at_once=True)
    for i in range(5):
        enroller.look(i, [EnrollmentView(nan, 0.9)])
    assert 'the views of the face are too poor' in enroller.finish()


def test_an_enrolment_over_a_bag_that_starts_over_ends(camera):
    recognizer = camera.recognizer
    recognizer.begin_enrollment('Ada', seconds=2.5)
    enroller = recognizer.take_enrollment(at_once=True)
    for _ in range(3):
        for i in range(11):
            enroller.look(i * STEP, [])
    assert enroller.over, 'one second three times'
    recognizer.begin_enrollment('Bo', seconds=2.5)
    enroller = recognizer.take_enrollment(at_once=True)
    for _ in range(MOST_VIEWS + 1):
        enroller.look(7, [EnrollmentView(None, 0.0, 'blurred')])
    assert enroller.over and 'too blurred' in enroller.finish(), 'stamps that stand still'


@pytest.mark.parametrize('name', ['', 'unknown', ' Unknown ', 'a\nb', 'x' * 101])
def test_names_that_are_none(camera, name):
    with pytest.raises(FaceDepthError, match='cannot be a name'):
        camera.recognizer.begin_enrollment(name)


def test_one_enrolment_at_a_time_and_it_ends_by_itself(camera):
    recognizer = camera.recognizer
    recognizer.begin_enrollment('Ada', seconds=0.25)
    assert recognizer.enrolling == 'Ada'
    with pytest.raises(FaceDepthError, match='Ada is being enrolled'):
        recognizer.begin_enrollment('Bo')
    assert recognizer.take_enrollment() is None
    camera.show(Scene(1), 3)
    assert recognizer.take_enrollment() is None
    camera.show(Scene(1))
    assert recognizer.take_enrollment().finish() == 'ok Ada'
    assert recognizer.take_enrollment(at_once=True) is None


def test_a_gallery_that_cannot_be_written_is_the_reason(camera, monkeypatch):
    def refuse(*_, **__):
        raise FaceDepthError('the disk is\nfull')

    monkeypatch.setattr(camera.recognizer.people, 'enroll', refuse)
    assert camera.enroll('Ada', Scene(1)) == 'the disk is full'


def test_settings_out_of_range(camera, tmp_path):
    recognizer = camera.recognizer
    for change in ({'min_quality': 1.5}, {'max_faces': 0}):
        with pytest.raises(SettingsError, match='expected 0 to 1 and at least 1'):
            recognizer.tune(**{'false_accept_rate': 0.1, 'min_quality': 0.1, 'max_faces': 1,
                               **change})
    with pytest.raises(SettingsError, match='expected all above 0'):
        recognizer.begin_enrollment('Ada', seconds=0.0)


def test_images_of_another_form(camera):
    scene = Scene(1)
    with pytest.raises(InvalidImageError, match='uint8 RGB images'):
        camera.recognizer.recognize(0, scene.depth, scene.detections)
    small = np.zeros((10, 10), np.float32)
    with pytest.raises(InvalidImageError, match='aligned to colour'):
        camera.recognizer.recognize(0, scene.color, scene.detections, scene.estimated,
                                    EnhancedDepth(small, small, small))


def test_an_empty_frame(camera):
    assert camera.show(Scene()) == ()
    assert camera.recognizer.recognize(
        1, Scene().color, [], EstimatedDepth(*[np.zeros((240, 320), np.float32)] * 3)) == ()
