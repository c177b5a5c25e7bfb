# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The expression recogniser with a small network: frames in, what faces say out."""

from __future__ import annotations

from dataclasses import replace

from expression_graph import write_expression_model, write_small_afnet
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import InvalidImageError, ModelSpecError, SettingsError
from face_depth_ros.core.expression_labels import ACTION_UNITS, EXPRESSIONS, VALENCE_AROUSAL
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, EnhancedDepth, EstimatedDepth, SkippedFace
from face_depth_ros.predictors import expression_network
from face_depth_ros.predictors.expression_recognizer import ExpressionRecognizer
import numpy as np
import pytest
from recognizer_graph import Scene
import yaml

CAMERA = CameraIntrinsics(320, 240, 300.0, 300.0, 160.0, 120.0)
RED, GREEN, BLUE = (230, 20, 20), (20, 230, 20), (20, 20, 230)
NOTHING = np.zeros((240, 320), np.uint8)


@pytest.fixture
def open_recognizer(tmp_path):
    opened = []

    def make(model=None, **options):
        model = model or str(write_expression_model(tmp_path))
        opened.append(ExpressionRecognizer.open(model, **options))
        return opened[-1]

    yield make
    for recognizer in opened:
        recognizer.close()


def painted(*colors, **options):
    """A scene whose faces have these colours."""
    scene = Scene(*range(1, len(colors) + 1), **options)
    for detection, color in zip(scene.detections, colors, strict=True):
        box = detection.box
        x, y, h = round(box.center_x), round(box.center_y), round(box.side / 2)
        scene.color[max(y - h, 0):y + h, max(x - h, 0):x + h] = color
    return scene


def measured(scene, provenance=1):
    return EnhancedDepth(scene.depth, NOTHING, np.full((240, 320), provenance, np.uint8))


def test_all_faces_of_a_frame_are_judged_largest_first(open_recognizer):
    scene = painted(RED, GREEN)
    smaller = replace(scene.detections[0], box=FaceBox(70.0, 120.0, 90.0))
    estimates = tuple(replace(f, detection=d) for f, d in zip(
        scene.estimated.faces, (smaller, scene.detections[1]), strict=True))
    said = open_recognizer().look(scene.color, [smaller, scene.detections[1]],
                                  replace(scene.estimated, faces=estimates))
    assert [e.label for e in said] == ['happiness', 'anger']
    assert said[1].detection is smaller
    for e in said:
        assert e.probabilities.shape == (7,)
        assert e.probabilities.sum() == pytest.approx(1.0, abs=1e-4)
        assert e.action_units.shape == (len(ACTION_UNITS),) and 0.3 < e.action_units[0] <= 1.0
        assert (e.depth, e.cause, e.valence, e.arousal) == ('', '', 0.0, 0.0)


def test_measured_depth_is_looked_at_and_else_texture_alone(open_recognizer):
    scene, recognizer = painted(RED), open_recognizer()

    def look(enhanced, which=recognizer):
        return which.look(scene.color, scene.detections, scene.estimated, enhanced,
                          intrinsics=CAMERA)[0]

    seen = look(measured(scene))
    assert seen.depth == 'enhanced' and seen.arousal > 0.3, 'depth reaches the network'
    for enhanced in (None, measured(scene, 0), measured(scene, 3)):
        said = look(enhanced)
        assert (said.depth, said.arousal, said.label) == ('', 0.0, 'anger')
    assert look(measured(scene), open_recognizer(use_depth=False)).depth == ''


def test_tracks_are_smoothed_and_forgotten_when_the_stamp_jumps(open_recognizer):
    recognizer = open_recognizer(smoothing_s=1.0, hysteresis=0.05)

    def show(stamp_s, color):
        scene = painted(color)
        return recognizer.recognize(round(stamp_s * 1e9), scene.color, scene.detections,
                                    scene.estimated)[0]

    assert show(0.0, RED).label == 'anger'
    after = show(0.1, GREEN)
    assert after.label == 'anger' and 0.0 < after.probabilities[3] < 0.2
    assert after.probabilities.sum() == pytest.approx(1.0, abs=1e-4)
    assert show(2.0, GREEN).label == 'happiness'
    recognizer.reset()
    assert show(2.1, BLUE).label == 'surprise'
    recognizer.tune(0.0, 0.0, 4)
    assert show(2.2, RED).label == 'anger'


@pytest.mark.parametrize(('change', 'cause'), [
    ({'box': FaceBox(70.0, 120.0, 30.0)}, 'too_small'),
    ({'box': FaceBox(2.0, 120.0, 100.0)}, 'cut'),
    ({'box': FaceBox(900.0, 120.0, 100.0)}, 'cut'),
    ({'mask': np.zeros((256, 256), np.uint8)}, 'empty_mask'),
])
def test_faces_that_show_nothing_are_told_with_the_cause(open_recognizer, change, cause):
    scene = painted(RED)
    face = scene.estimated.faces[0]
    detection = replace(face.detection, box=change.get('box', face.detection.box))
    face = replace(face, detection=detection, mask=change.get('mask', face.mask))
    said, = open_recognizer().recognize(1, scene.color, [detection],
                                        replace(scene.estimated, faces=(face,)))
    assert (said.cause, said.label, said.action_units) == (cause, 'neutral', None)
    assert said.probabilities == pytest.approx(np.full(7, 1 / 7))


def test_faces_without_an_estimate_and_too_many_are_told(open_recognizer):
    scene = painted(RED, GREEN)
    nobody = np.full((240, 320), np.nan, np.float32)
    none = EstimatedDepth(nobody, nobody, NOTHING, (), (
        SkippedFace('f00001', 'no_face', 'probability 0.1'),))
    recognizer = open_recognizer(max_faces=1)
    said = recognizer.look(scene.color, scene.detections, none)
    assert [e.cause for e in said] == ['no_face', 'max_faces']
    assert recognizer.look(scene.color, scene.detections[:1])[0].cause == 'no_estimate'
    assert recognizer.look(scene.color, []) == ()


def test_landmarks_outside_and_odd_depth_do_no_harm(open_recognizer):
    scene = painted(RED)
    face = scene.estimated.faces[0]
    far = replace(face, landmarks=np.full((68, 2), 1e6, np.float32))
    holes = replace(measured(scene), depth=np.full((240, 320), np.nan, np.float32))
    said, = open_recognizer().look(scene.color, scene.detections,
                                   replace(scene.estimated, faces=(far,)), holes)
    assert (said.label, said.depth) == ('anger', '')


def test_bad_input_is_refused(open_recognizer):
    scene, recognizer = painted(RED), open_recognizer()
    with pytest.raises(InvalidImageError, match='expression recogniser'):
        recognizer.look(scene.color[..., 0], scene.detections)
    small = EnhancedDepth(np.ones((20, 20), np.float32), NOTHING[:20, :20], NOTHING[:20, :20])
    with pytest.raises(InvalidImageError, match='aligned to colour'):
        recognizer.look(scene.color, scene.detections, scene.estimated, small)
    with pytest.raises(SettingsError, match='max_faces'):
        recognizer.tune(0.4, 0.1, 0)


def test_an_afnet_takes_the_place_of_ours(open_recognizer, tmp_path):
    recognizer = open_recognizer(str(write_small_afnet(tmp_path)))
    scene = painted(GREEN)
    said, = recognizer.look(scene.color, scene.detections, scene.estimated, measured(scene))
    assert (said.label, said.action_units) == ('happiness', None)
    assert said.probabilities[6] == 0.0, 'it knows no neutral face'
    happy = VALENCE_AROUSAL[EXPRESSIONS.index('happiness')]
    assert (said.valence, said.arousal) == pytest.approx(happy, abs=0.1)


def test_models_that_are_missing_or_none_are_refused(open_recognizer, tmp_path, monkeypatch):
    def missing(model):
        raise ModelSpecError('not here', cause='model_missing')

    monkeypatch.setattr(expression_network, 'find_model', missing)
    for model in ('expression_recognizer', 'afnet_m'):
        with pytest.raises(ModelSpecError, match=f'training.train_{model}'):
            open_recognizer(model)
    with pytest.raises(ModelSpecError, match='^not here$'):
        open_recognizer('another')
    monkeypatch.undo()
    spec = write_expression_model(tmp_path, 'odd')
    content = yaml.safe_load(spec.read_text())
    content['inputs'][0]['shape'] = [-1, 3, 64, 64]
    spec.write_text(yaml.safe_dump(content))
    with pytest.raises(ModelSpecError, match='does not tell expressions'):
        open_recognizer(str(spec))


def test_detection_without_track_is_judged_by_itself(open_recognizer):
    recognizer = open_recognizer(smoothing_s=5.0)
    for stamp, color, label in ((1, RED, 'anger'), (2, GREEN, 'happiness')):
        scene = painted(color)
        loose = Detection(scene.detections[0].box, 0.9)
        face = replace(scene.estimated.faces[0], detection=loose)
        said, = recognizer.recognize(stamp, scene.color, [loose],
                                     replace(scene.estimated, faces=(face,)))
        assert said.label == label


def test_faces_of_one_track_id_are_not_smoothed_together(open_recognizer):
    recognizer = open_recognizer(smoothing_s=5.0)
    scene = painted(RED, GREEN)
    same = [replace(d, track_id='f00001') for d in scene.detections]
    estimated = replace(scene.estimated, faces=tuple(
        replace(f, detection=d) for f, d in zip(scene.estimated.faces, same, strict=True)))
    for stamp in (1, 2):
        said = recognizer.recognize(stamp, scene.color, same, estimated)
        assert {e.detection.box: e.label for e in said} == {
            same[0].box: 'anger', same[1].box: 'happiness'}


@pytest.mark.parametrize('part', ['probabilities', 'affect', 'units'])
def test_an_answer_that_is_no_number_says_nothing_and_spoils_no_track(open_recognizer,
                                                                      monkeypatch, part):
    recognizer, scene = open_recognizer(smoothing_s=5.0), painted(RED)
    told = recognizer.network.say
    monkeypatch.setattr(recognizer.network, 'say', lambda views: [
        replace(said, **{part: getattr(said, part) * np.float32(np.nan)})
        for said in told(views)])
    said, = recognizer.recognize(1, scene.color, scene.detections, scene.estimated)
    assert (said.cause, said.label, said.action_units) == ('not_finite', 'neutral', None)
    assert said.probabilities == pytest.approx(np.full(7, 1 / 7))
    monkeypatch.undo()
    said, = recognizer.recognize(2, scene.color, scene.detections, scene.estimated)
    assert (said.cause, said.label) == ('', 'anger')
