# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Samples that are stored and read, their masks, and the fixture through the shipped models."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.evaluation.enhanced_faces import enhanced_faces
from face_depth_ros.evaluation.enhancer_rows import EnhancerRows, NONE, OURS
from face_depth_ros.evaluation.falsification_protocol import FalsificationScores
from face_depth_ros.evaluation.landmark_protocol import LandmarkScores, PAD_ERROR
from face_depth_ros.evaluation.real_faces import (
    ATTACK,
    canonical_ellipse,
    FaceSample,
    landmark_hull,
    store_faces,
    stored_faces,
    VARIANTS,
)
from face_depth_ros.evaluation.roughness_protocol import RoughnessScores
import numpy as np
import pytest

FIXTURE = Path(__file__).resolve().parents[1] / 'data' / 'face_samples.npz'


def sample(**changes: object) -> FaceSample:
    depth = np.full((256, 256), 0.6, np.float32)
    depth[:10] = np.nan
    values = {'name': 'a', 'variant': 'neutral', 'depth': depth, 'mask': canonical_ellipse()}
    return FaceSample(**values | changes)  # type: ignore[arg-type]


def test_samples_come_back_as_stored(tmp_path: Path) -> None:
    points = np.arange(136, dtype=np.float32).reshape(68, 2)
    first = sample(landmarks_68=points, landmarks_few=points[:5])
    second = sample(name='b', variant='paper', truth=first.depth + np.float32(0.01))
    store_faces(tmp_path / 'faces.npz', [first, second])
    a, b = stored_faces(tmp_path / 'faces.npz')
    np.testing.assert_allclose(a.depth, first.depth, atol=0.0001)
    np.testing.assert_array_equal(a.mask, first.mask)
    np.testing.assert_array_equal(a.landmarks_68, points)
    np.testing.assert_array_equal(a.landmarks_few, points[:5])
    assert a.truth is None and b.landmarks_68 is None and b.landmarks_few is None
    assert (b.name, b.variant) == ('b', 'paper')
    assert b.truth is not None and second.truth is not None
    np.testing.assert_allclose(b.truth, second.truth, atol=0.0001)
    assert len(list(stored_faces(tmp_path / 'faces.npz', 1))) == 1


def test_a_wrong_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'faces.npz'
    with pytest.raises(DatasetError, match='cannot read the faces in .*faces.npz'):
        next(stored_faces(path))
    np.savez(path, names=np.array(['a']))
    with pytest.raises(DatasetError, match='expected an .npz with names, variants'):
        next(stored_faces(path))
    store_faces(path, [sample()])
    with np.load(path) as data:
        arrays = dict(data)
    np.savez(path, **arrays | {'mask': arrays['mask'][:0]})
    with pytest.raises(DatasetError, match='mask have not the 1 entries of names'):
        next(stored_faces(path))


def test_a_sample_of_another_size_is_an_error() -> None:
    with pytest.raises(DatasetError, match=r'a \(neutral\) does not fit: depth is \(8, 8\)'):
        sample(depth=np.zeros((8, 8), np.float32))
    with pytest.raises(DatasetError, match=r'landmarks_68 is \(5, 2\); expected'):
        sample(landmarks_68=np.zeros((5, 2), np.float32))


def test_masks() -> None:
    hull = landmark_hull(np.array([[10.0, 20.0], [30.0, 20.0], [30.0, 60.0], [10.0, 60.0]]))
    assert hull[40, 20] and not hull[40, 35] and not hull[15, 20]
    assert hull.sum() == pytest.approx(20 * 40, rel=0.1)
    ellipse = canonical_ellipse()
    assert ellipse[136, 128] and ellipse[98, 88] and ellipse[184, 159]  # nose, eye, mouth corner
    assert not ellipse[40, 128]


def test_samples_without_depth_in_the_face_are_left_out() -> None:
    with EnhancerRows(rows=(NONE,)) as rows:
        empty = sample(depth=np.full((256, 256), np.nan, np.float32))
        faces = list(enhanced_faces([empty, sample()], rows))
    assert len(faces) == 1
    np.testing.assert_array_equal(faces[0].d < 1, np.isfinite(sample().depth))


def test_the_fixture_through_the_shipped_models() -> None:
    """Every variant is there, and ours holds its promises on them."""
    variants = Counter(s.variant for s in stored_faces(FIXTURE))
    assert set(variants) == {*VARIANTS, f'{ATTACK}flat print', f'{ATTACK}bent print'}
    with EnhancerRows(rows=(NONE, 'De-M8', 'Hf-NFA', OURS)) as rows:
        assert rows.absent == {}
        rough, false = RoughnessScores(rows.rows), FalsificationScores(rows.rows)
        marks = LandmarkScores(rows.rows)
        for face in enhanced_faces(stored_faces(FIXTURE), rows):
            rough.add(face)
            false.add(face)
            marks.add(face)
    table = rough.rows()
    assert table[OURS]['open_holes_mean'] < 0.2 * table[NONE]['open_holes_mean']
    assert table[OURS]['images'] == sum(variants[v] for v in VARIANTS)
    moved = false.rows()[OURS]
    assert all(moved[f'{v}_mean'] < 1.5 for v in VARIANTS)  # percent of 25 cm
    errors = marks.rows(PAD_ERROR)
    assert errors[OURS]['mean'] < 0.5 * errors[NONE]['mean']
    attacks = marks.attack_rows()[OURS]
    assert attacks['worst_fall'] < 0.1
    assert attacks['worst_relief_gain_mm'] < 0.1
