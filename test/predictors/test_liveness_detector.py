# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The liveness detector with a small network: frames in, whether faces live out."""

from __future__ import annotations

from dataclasses import replace
import math

from drawn_liveness import BENT, draw_face, FLAT
from face_depth_ros.core.errors import InvalidImageError, ModelSpecError, SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    FaceEstimate,
    Placement,
    Provenance,
    SkippedFace,
)
from face_depth_ros.predictors.liveness_detector import LivenessDetector
from liveness_graph import KINDS, write_liveness_model
import numpy as np
import pytest
import yaml

SECOND = 1_000_000_000


class View:
    """One frame of a drawn face as it reaches the detector."""

    def __init__(self, species='live', track='f00001', provenance=Provenance.MEASURED, **changes):
        face = draw_face(species)
        shape = face.depth.shape
        self.color = np.zeros((*shape, 3), np.uint8)
        self.detection = Detection(changes.get('box', face.box), 1.0, track_id=track)
        nothing = np.full(shape, np.nan, np.float32)
        estimate = FaceEstimate(
            self.detection, 1.0, np.zeros(face.mask.shape, np.float32),
            changes.get('mask', face.mask), changes.get('landmarks', face.landmarks),
            np.ones(68, np.float32), Placement.NONE, math.nan, math.nan)
        self.estimated = EstimatedDepth(nothing, nothing, np.zeros(shape, np.uint8), (estimate,))
        depth = changes.get('depth', face.depth)
        known = np.isfinite(depth)
        self.enhanced = EnhancedDepth(
            depth, np.where(known, 255, 0).astype(np.uint8),
            np.where(known, provenance, Provenance.LEFT_ALONE).astype(np.uint8))
        self.intrinsics = changes.get('intrinsics', face.intrinsics)

    def look(self, detector):
        said, = detector.look(self.color, [self.detection], self.estimated, self.enhanced,
                              intrinsics=self.intrinsics)
        return said

    def detect(self, detector, stamp_ns):
        said, = detector.detect(stamp_ns, self.color, [self.detection], self.estimated,
                                self.enhanced, intrinsics=self.intrinsics)
        return said


@pytest.fixture
def open_detector(tmp_path):
    opened = []

    def make(model=None, **options):
        model = model or str(write_liveness_model(tmp_path))
        opened.append(LivenessDetector.open(model, **options))
        return opened[-1]

    yield make
    for detector in opened:
        detector.close()


def test_a_head_lives_and_a_sheet_does_not(open_detector):
    detector = open_detector()
    live, flat, bent = (View(species).look(detector) for species in ('live', FLAT, BENT))
    assert (live.label, live.reason) == ('live', '') and live.probability > 0.7
    assert live.score == live.probability and 0.0 <= live.pad_error < 0.6
    assert (flat.label, flat.reason) == ('spoof', 'flat') and flat.probability < 0.3
    assert bent.label == 'spoof' and bent.score == 1.0 - bent.probability
    assert flat.pad_error > live.pad_error


def test_what_is_not_measured_never_lives_but_may_be_an_attack(open_detector):
    detector = open_detector()
    for provenance in (Provenance.FILLED, Provenance.LEFT_ALONE):
        said = View('live', provenance=provenance).look(detector)
        assert (said.label, said.reason) == ('unsure', 'no_depth')
        assert View(FLAT, provenance=provenance).look(detector).label == 'spoof'
    assert View('live', provenance=Provenance.CORRECTED).look(detector).label == 'live'
    gone = View('live')
    gone.enhanced = None
    assert gone.look(detector).reason == 'no_depth'
    holes = View('live', depth=np.full_like(draw_face().depth, np.nan)).look(detector)
    assert (holes.label, holes.reason, holes.probability) == ('unsure', 'no_depth', 0.5)
    assert math.isnan(holes.pad_error)


@pytest.mark.parametrize(('change', 'cause'), [
    ({'box': FaceBox(60.0, 60.0, 30.0)}, 'too_small'),
    ({'box': FaceBox(900.0, 60.0, 100.0)}, 'outside_image'),
    ({'mask': np.zeros((64, 64), np.uint8)}, 'empty_mask'),
    ({'landmarks': None}, 'no_landmarks'),
    ({'landmarks': np.full((68, 2), 1e6, np.float32)}, 'landmarks_outside'),
    ({'landmarks': np.full((68, 2), np.nan, np.float32)}, 'landmarks_outside'),
    ({'intrinsics': None}, 'no_intrinsics'),
])
def test_faces_that_cannot_be_judged_are_unsure_with_the_cause(open_detector, change, cause):
    detector = open_detector(least_frames=1)
    for said in (View('live', **change).look(detector),
                 View('live', **change).detect(detector, SECOND)):
        assert (said.label, said.reason, said.score) == ('unsure', cause, 0.0)


def test_a_track_lives_after_some_frames_and_not_once_its_depth_is_lost(open_detector):
    detector = open_detector(least_frames=3, window_s=1.0)
    view = View('live')
    labels = [view.detect(detector, SECOND + i * 100_000_000) for i in range(3)]
    assert [(s.label, s.reason) for s in labels] == [
        ('unsure', 'few_frames'), ('unsure', 'few_frames'), ('live', '')]
    lost = View('live')
    lost.enhanced = None
    said = lost.detect(detector, SECOND + 300_000_000)
    assert (said.label, said.reason) == ('unsure', 'no_depth')
    again = view.detect(detector, SECOND + 400_000_000)
    assert (again.label, again.reason) == ('unsure', 'few_frames'), 'it may be another face'
    filled = View('live', provenance=Provenance.FILLED).detect(detector, SECOND + 500_000_000)
    assert (filled.label, filled.reason) == ('unsure', 'no_depth')


def test_evidence_outlives_a_frame_but_not_the_window(open_detector):
    detector = open_detector(least_frames=1, window_s=1.0)
    for i in range(8):
        assert View('live').detect(detector, SECOND + i * 100_000_000).label == 'live'
    one = View(FLAT).detect(detector, SECOND + 800_000_000)
    assert one.label == 'live', 'a single frame does not decide'
    for i in range(12):
        said = View(FLAT).detect(detector, SECOND + (9 + i) * 100_000_000)
    assert (said.label, said.reason) == ('spoof', 'flat')
    detector.reset()
    assert View('live').detect(detector, 3 * SECOND).label == 'live'
    assert View('live', track='').detect(detector, 3 * SECOND).label == 'live'
    detector.tune(None, None, 1.0, 2, 4)
    assert View('live', track='').detect(detector, 3 * SECOND).reason == 'few_frames'


def test_faces_of_one_track_id_say_nothing_of_each_other(open_detector):
    detector = open_detector(least_frames=3)
    live, flat = View('live'), View(FLAT)
    for i in range(4):
        live.detect(detector, SECOND + i * 100_000_000)
    both = EstimatedDepth(live.estimated.depth, live.estimated.uncertainty, live.estimated.mask,
                          live.estimated.faces + flat.estimated.faces)
    for i in range(4, 8):
        said = detector.detect(SECOND + i * 100_000_000, live.color,
                               [live.detection, flat.detection], both, live.enhanced,
                               intrinsics=live.intrinsics)
        assert [s.reason for s in said] == ['few_frames', 'few_frames']
    alone = flat.detect(detector, SECOND + 800_000_000)
    assert alone.probability < 0.3, 'what lived before may have been the other face'


@pytest.mark.parametrize('odds', [math.nan, math.inf, -math.inf])
def test_odds_that_are_no_number_are_no_life(open_detector, monkeypatch, odds):
    detector = open_detector(least_frames=1)
    told = detector.network.say
    monkeypatch.setattr(detector.network, 'say', lambda looks: [
        replace(said, log_odds=odds) for said in told(looks)])
    for said in (View('live').look(detector), View('live').detect(detector, SECOND)):
        assert (said.label, said.reason, said.probability) == ('unsure', 'not_finite', 0.5)
    monkeypatch.undo()
    assert View('live').detect(detector, SECOND + 1).label == 'live', 'the track is not spoilt'


def test_landmarks_that_fail_decide_against_the_network(open_detector):
    depth = draw_face().depth.copy()
    points = draw_face().landmarks.copy()
    # The nose tip is taken to be where the head is farthest: everything is nearer.
    row, column = np.unravel_index(np.nanargmax(depth), depth.shape)
    middle = points[[0, 16]].mean(axis=0)
    depth[int(middle[1]), int(middle[0])] = depth[row, column] + 0.05
    points[30] = middle
    said = View('live', depth=depth, landmarks=points).look(open_detector())
    assert (said.label, said.reason) == ('spoof', 'landmarks')
    assert said.pad_error > 0.6
    points[30] = points[0]  # turned away: the test is for frontal faces
    assert View('live', depth=depth, landmarks=points).look(open_detector()).label == 'live'


def test_thresholds_are_those_of_the_model_or_ones_own(open_detector):
    detector = open_detector()
    assert (detector.live_threshold, detector.spoof_threshold) == (0.7, 0.3)
    probability = View('live').look(detector).probability
    detector.tune(min(1.0, probability + 0.001), None, 1.0, 3, 16)
    said = View('live').look(detector)
    assert (said.label, said.reason) == ('unsure', 'unclear')
    detector.tune(1.0, 1.0, 1.0, 3, 16)
    assert View('live').look(detector).label == 'spoof'
    detector.tune(0.1, None, 1.0, 3, 16)
    assert detector.spoof_threshold == 0.1, 'never above the other'
    for wrong in ((0.2, 0.5, 1.0, 3, 16), (1.5, 0.5, 1.0, 3, 16), (None, None, 1.0, 0, 16),
                  (None, None, 1.0, 3, 0), (None, None, -1.0, 3, 16)):
        with pytest.raises(SettingsError):
            detector.tune(*wrong)


def test_a_small_head_has_the_wrong_size_and_faces_come_largest_first(open_detector):
    detector = open_detector(max_faces=1)
    view = View(FLAT)
    near = replace(view.intrinsics, fx=600.0, fy=600.0)
    view.intrinsics = near
    assert view.look(detector).reason == 'wrong_size'
    small = Detection(FaceBox(20.0, 20.0, 40.0), 1.0, track_id='f00002')
    said = detector.look(view.color, [small, view.detection], view.estimated, view.enhanced,
                         intrinsics=near)
    assert [s.detection.track_id for s in said] == ['f00001', 'f00002']
    assert said[1].reason == 'max_faces'
    assert detector.look(view.color, [], None) == ()
    none = replace(view.estimated, faces=(), skipped=(
        SkippedFace('f00001', 'no_face', 'probability 0.1'),))
    said, = detector.look(view.color, [view.detection], none, view.enhanced, intrinsics=near)
    assert (said.label, said.reason) == ('unsure', 'no_face')
    said, = detector.look(view.color, [view.detection], None, view.enhanced, intrinsics=near)
    assert said.reason == 'no_estimate'


def test_colour_is_not_looked_at(open_detector):
    detector, view = open_detector(), View('live')
    before = view.look(detector)
    view.color[:] = np.random.default_rng(0).integers(0, 255, view.color.shape)
    assert view.look(detector).probability == before.probability


def test_bad_input_and_other_models_are_refused(open_detector, tmp_path):
    detector, view = open_detector(), View('live')
    with pytest.raises(InvalidImageError, match='liveness detector'):
        detector.look(view.color[..., 0], [view.detection])
    with pytest.raises(InvalidImageError, match='aligned to colour'):
        detector.look(view.color[:50], [view.detection], view.estimated, view.enhanced)
    with pytest.raises(ModelSpecError):
        open_detector('no_such_model')
    spec = write_liveness_model(tmp_path, 'odd')
    good = spec.read_text()
    content = yaml.safe_load(good)
    content['inputs'][0]['shape'] = [-1, 4, 64, 64]
    spec.write_text(yaml.safe_dump(content))
    with pytest.raises(ModelSpecError, match='does not tell who lives'):
        open_detector(str(spec))
    spec.write_text(good.replace(KINDS, 'live, flat print'))
    with pytest.raises(ModelSpecError, match='names 2 kinds'):
        open_detector(str(spec))
    content = yaml.safe_load(good)
    del content['limits']['least_measured']
    spec.write_text(yaml.safe_dump(content))
    with pytest.raises(ModelSpecError, match='least_measured'):
        open_detector(str(spec))
