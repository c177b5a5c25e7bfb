# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Rendered faces: the variants of one person, their landmarks, and attacks."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.evaluation.landmark_protocol import landmark_holes, pad_error
from face_depth_ros.evaluation.real_faces import ATTACK, FaceSample, VARIANTS
from face_depth_ros.evaluation.synthetic_faces import (
    ATTACK_KINDS,
    rendered_attacks,
    rendered_faces,
)
import numpy as np
import pytest

pytestmark = pytest.mark.assets


@pytest.fixture(scope='module')
def faces(assets_folder: Path) -> list[FaceSample]:
    return list(rendered_faces(3, str(assets_folder)))


def test_each_person_comes_open_and_covered(faces: list[FaceSample]) -> None:
    assert [s.variant for s in faces] == list(VARIANTS) * 3
    for first in range(0, len(faces), 3):
        group = faces[first:first + 3]
        assert len({s.name for s in group}) == 1
        open_face = group[0]
        assert open_face.truth is not None
        known = open_face.mask & np.isfinite(open_face.depth)
        assert known.sum() > 0.7 * open_face.mask.sum()
        assert np.nanmedian(np.abs(open_face.depth - open_face.truth)[known]) < 0.01
        for covered in group[1:]:
            both = known & np.isfinite(covered.depth)
            before = (covered.depth < open_face.depth - 0.01)[both].mean()
            assert 0.1 < before < 0.9


def test_landmarks_lie_on_the_visible_face(faces: list[FaceSample]) -> None:
    for sample in faces[::3]:
        points = sample.landmarks_68
        assert points is not None and sample.truth is not None
        # Only what hair or glasses cover is unknown.
        assert landmark_holes(np.where(np.isfinite(sample.truth), 0.5, 1.0), points) < 0.1
        # On true depth the check of the paper passes nearly every landmark.
        near = np.nanmin(sample.truth)
        d = np.nan_to_num((sample.truth - near) / 0.25, nan=1.0)
        assert pad_error(np.minimum(d, 1.0), points) < 0.2
        assert sample.landmarks_few is not None and sample.landmarks_few.shape == (5, 2)


def test_the_same_people_come_first_whatever_the_number(
        faces: list[FaceSample], assets_folder: Path) -> None:
    again = next(iter(rendered_faces(1, str(assets_folder))))
    np.testing.assert_array_equal(again.depth, faces[0].depth)


def test_every_kind_of_attack_comes_with_landmarks(assets_folder: Path) -> None:
    attacks = list(rendered_attacks(1, str(assets_folder)))
    assert [s.variant for s in attacks] == [ATTACK + kind for kind in ATTACK_KINDS]
    for sample in attacks:
        assert sample.is_attack and sample.landmarks_68 is not None
        assert np.isfinite(sample.depth).mean() > 0.1
