# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The protocol on BU-3DFE and Bosphorus: who is drawn, how they are dealt, what is seen."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_photo import FacePhoto
from face_depth_ros.core.frames import (
    EnhancedDepth,
    EstimatedDepth,
    FaceEstimate,
    Placement,
    Provenance,
)
from face_depth_ros.datasets import bosphorus, bu_3dfe
from face_depth_ros.datasets.expression_protocol import (
    BASIC,
    folds,
    protocol_recordings,
    ProtocolFaces,
    Shown,
)
from face_depth_ros.datasets.rgbd_faces import Recording
import numpy as np
import pytest
from scan_files import write_bosphorus, write_bu_3dfe


def bu_recordings(people: int) -> list[Recording]:
    return [Recording('bu_3dfe', f'F{i:04d}', '', f'F{i:04d}_{code}{level:02d}WH',
                      'neutral' if code == 'NE' else f'{word}_{level}', Path(f'{i}'))
            for i in range(people) for code, word in bu_3dfe.EXPRESSIONS.items()
            for level in ([0] if code == 'NE' else range(1, 5))]


def bosphorus_recordings(people: int, incomplete: int) -> list[Recording]:
    """List people, the first of whom lack an expression."""
    found = []
    for i in range(people):
        names = [f'bs{i:03d}_N_N_0', f'bs{i:03d}_LFAU_12_0']
        names += [f'bs{i:03d}_E_{code}_0' for code in bosphorus.EXPRESSIONS]
        if i < incomplete:
            names.pop()
        found += [bosphorus._recording(Path(f'{name}.bnt')) for name in names]
    return found


def test_bu_3dfe_gives_60_fixed_subjects_at_the_two_strongest_levels() -> None:
    shown = protocol_recordings(bu_recordings(100))
    assert len(shown) == 60 * 6 * 2 and {s.level for s in shown} == {3, 4}
    subjects = {s.recording.subject for s in shown}
    assert len(subjects) == 60
    again = protocol_recordings(list(reversed(bu_recordings(100))))
    assert {s.recording.subject for s in again} == subjects, 'whatever the order of the files'
    assert np.bincount([s.label for s in shown]).tolist() == [120] * 6
    for item in shown:
        assert item.recording.condition == f'{BASIC[item.label]}_{item.level}'


def test_bosphorus_gives_60_of_those_who_have_all_six() -> None:
    shown = protocol_recordings(bosphorus_recordings(105, 42))
    assert len(shown) == 60 * 6 and {s.level for s in shown} == {4}
    subjects = {s.recording.subject for s in shown}
    assert len(subjects) == 60 and min(subjects) >= 'bs042'
    assert [s.label for s in shown[:6]] == list(range(6))
    with pytest.raises(DatasetError, match='62 subjects have all six'):
        protocol_recordings(bosphorus_recordings(105, 43), 63)


def test_a_repeated_recording_counts_once_and_other_datasets_are_refused() -> None:
    recordings = bosphorus_recordings(3, 0)
    recordings.append(bosphorus._recording(Path('bs000_E_HAPPY_1.bnt')))
    shown = protocol_recordings(recordings, 3)
    assert len(shown) == 18 and all(s.recording.name.endswith('_0') for s in shown)
    with pytest.raises(DatasetError, match='has no such protocol'):
        protocol_recordings([Recording('lfw', 'a', '', 'a', 'neutral', Path('a'))])
    with pytest.raises(DatasetError, match='0 subjects'):
        protocol_recordings([])


def test_folds_share_no_subject_and_test_each_once() -> None:
    subjects = [f's{i}' for i in range(60)]
    dealt = folds(subjects, 0)
    assert [len(group) for group in dealt] == [6] * 10
    assert sorted(s for group in dealt for s in group) == sorted(subjects)
    assert folds(list(reversed(subjects)) * 2, 0) == dealt, 'fixed'
    assert folds(subjects, 1) != dealt, 'another order in each repetition'
    with pytest.raises(DatasetError, match='3 subjects and 10 folds'):
        folds(subjects[:3], 0)


class DrawnEnhancer:
    """Fills holes with the median, and takes 2 cm from all."""

    def enhance(self, depth: np.ndarray, detections: object) -> EnhancedDepth:
        filled = np.where(np.isnan(depth), np.nanmedian(depth), depth) - 0.02
        kind = np.where(np.isnan(depth), Provenance.FILLED, Provenance.CORRECTED)
        return EnhancedDepth(filled.astype(np.float32), np.full(depth.shape, 255, np.uint8),
                             kind.astype(np.uint8))


class DrawnEstimator:
    """Says that the left half is the face, all landmarks in the middle of it."""

    def estimate(self, color: np.ndarray, detections: tuple) -> EstimatedDepth:
        mask = np.zeros((128, 128), np.uint8)
        mask[:, :64] = 1
        flat = np.zeros(color.shape[:2], np.float32)
        points = np.full((68, 2), (60.0, 128.0), np.float32)
        points[48:] += np.array([[-9, -9], [9, -9], [9, 9], [-9, 9]] * 5, np.float32)
        return EstimatedDepth(flat, flat, flat.astype(np.uint8), (FaceEstimate(
            detections[0], 1.0, flat, mask, points, np.ones(68, np.float32), Placement.NONE,
            float('nan'), float('nan')),))


def photo() -> FacePhoto:
    relief = np.zeros((256, 256), np.float32)
    relief[:, 128:] = 0.03
    relief[100:120, 60:80] = np.nan
    return FacePhoto(np.full((256, 256, 3), 90, np.uint8), relief, np.ones((256, 256), np.uint8),
                     np.full((68, 2), np.nan, np.float32), np.zeros(68, bool))


def test_the_enhancer_works_on_the_surface_and_the_estimator_tells_mask_and_landmarks() -> None:
    scanned = ProtocolFaces(None, None, 64).of_photo(photo())
    assert (scanned.depth == 0).any() and scanned.salient.all(), 'a hole; no region is known'
    enhanced = ProtocolFaces(DrawnEnhancer(), None, 64).of_photo(photo())
    assert (enhanced.depth > 0).all(), 'the hole is filled'
    np.testing.assert_allclose(enhanced.depth[40:, 40:], scanned.depth[40:, 40:], atol=1e-6)
    half = ProtocolFaces(None, DrawnEstimator(), 64).of_photo(photo())
    assert not half.depth[:, 36:].any() and half.depth[40:, :28].all()
    assert 0 < half.salient.mean() < 0.3 and not half.salient[:, 36:].any()
    row, column = (float(v.mean()) for v in half.salient.nonzero())
    scale = 64 / (0.82 * 256)
    assert column == pytest.approx((60 - 256 * 0.09) * scale, abs=2.0)
    assert row == pytest.approx((128 - 256 * 0.13) * scale, abs=2.0)


def test_faces_of_both_datasets_are_read_and_bad_ones_left_out(tmp_path: Path) -> None:
    write_bu_3dfe(tmp_path / 'bu', 'F0001_HA03WH')
    write_bosphorus(tmp_path / 'bo', 'bs000_E_HAPPY_0')
    for dataset, level in ((bu_3dfe.Bu3dfe(tmp_path / 'bu'), 3),
                           (bosphorus.Bosphorus(tmp_path / 'bo'), 4)):
        (recording,) = dataset.recordings
        module = bu_3dfe if level == 3 else bosphorus
        assert module.expression_of(recording) == ('happiness', level)
        faces = ProtocolFaces(None, None, 64)
        ((item, planes),) = faces.planes(dataset, [Shown(recording, 3, level)])
        assert item.label == 3 and planes.texture.shape == (64, 64, 3)
        assert planes.depth[32, 32] > planes.depth[32, 4:12].max(), 'the nose is nearest'
        assert faces.left_out == {}
        recording.path.unlink()
        with pytest.raises(DatasetError, match='missing'):
            list(faces.planes(dataset, [Shown(recording, 3, level)]))


def test_neutral_and_action_unit_scans_show_no_basic_expression() -> None:
    assert bu_3dfe.expression_of(bu_recordings(1)[16]) is None
    assert [bosphorus.expression_of(r) for r in bosphorus_recordings(1, 0)[:3]] == [
        None, None, ('anger', 4)]
