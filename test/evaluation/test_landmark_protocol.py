# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The landmark check on depth written down by hand, and which images each table counts."""

from __future__ import annotations

from collections.abc import Callable
import re

from face_depth_ros.core.depth import DepthRange
from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.evaluation.enhanced_faces import EnhancedFace
from face_depth_ros.evaluation.enhancer_rows import Enhanced
from face_depth_ros.evaluation.landmark_protocol import (
    FEW_HOLES,
    HOLES_68,
    landmark_depths,
    landmark_holes,
    LandmarkScores,
    PAD_ERROR,
    pad_error,
)
from face_depth_ros.evaluation.real_faces import ATTACK, FaceSample
import numpy as np
import pytest

POINTS = np.stack([10.5 + 3 * np.arange(68), np.full(68, 40.5)], axis=1).astype(np.float32)


def image(depths: np.ndarray) -> np.ndarray:
    """Return an image whose landmarks have these depths, nothing elsewhere."""
    d = np.ones((256, 256), np.float32)
    d[40, 10 + 3 * np.arange(68)] = depths
    return d


def face_depths() -> np.ndarray:
    """Return the depths of a face without a fault: nose nearest, jaw receding from the chin."""
    depths = np.full(68, 0.4)
    depths[:17] = 0.5 + 0.02 * np.abs(np.arange(17) - 8)
    depths[30] = 0.2
    return depths


def changed(change: Callable[[np.ndarray], None]) -> float:
    depths = face_depths()
    change(depths)
    return 68 * pad_error(image(depths), POINTS)


def put(index: int | slice, value: float) -> Callable[[np.ndarray], None]:
    def change(depths: np.ndarray) -> None:
        depths[index] = value
    return change


@pytest.mark.parametrize('index, value, invalid', [
    (45, 0.4, 0),
    (45, 1.0, 1),  # a hole
    (45, 0.19, 1),  # nearer than the nose tip
    (45, 0.2, 0),  # as near as the nose tip
    (30, 1.0, 68),  # no nose tip: everything is nearer, and it is a hole itself
    (0, 0.63, 1),  # the end of the jaw, nearer than its neighbour: 0.64
    (16, 0.63, 1),
    (6, 0.51, 1),  # paper's 7, nearer than its 8
    (6, 0.54, 0),
    (6, 0.57, 1),  # then its neighbour away from the chin (0.56) is the one that is too near
    (8, 0.53, 2),  # the chin behind both of its neighbours (0.52), itself without a rule
    (4, 1.0, 2),  # a hole counts as the farthest: its neighbour at the ear's side fails, too
    (8, 1.0, 3)])
def test_each_rule_of_the_paper(index: int, value: float, invalid: int) -> None:
    assert changed(put(index, value)) == pytest.approx(invalid)


def test_flat_depth_passes_no_more_than_it_must() -> None:
    assert pad_error(image(np.full(68, 0.3)), POINTS) == 0.0  # equal depths break no rule
    slope = image(np.linspace(0.1, 0.5, 68))
    # Landmarks 0 to 29 are nearer than 30; of the jaw, 9 to 16 recede from the chin.
    assert 68 * pad_error(slope, POINTS) == pytest.approx(30)


def test_landmarks_outside_the_image_are_holes() -> None:
    d = np.full((4, 5), 0.5, np.float32)
    points = np.array([[0.0, 0.0], [4.99, 3.99], [5.0, 1.0], [-0.1, 1.0], [np.nan, 1.0]])
    assert landmark_depths(d, points).tolist() == [0.5, 0.5, 1.0, 1.0, 1.0]
    assert landmark_holes(d, points) == pytest.approx(0.6)


def test_wrong_shapes_are_errors() -> None:
    with pytest.raises(InvalidImageError, match='needs 68 landmarks'):
        pad_error(np.zeros((4, 4)), np.zeros((5, 2)))
    with pytest.raises(InvalidImageError, match=re.escape('(N, 2) points, got (4, 4) and (2,)')):
        landmark_depths(np.zeros((4, 4)), np.zeros(2))


def face(depths: np.ndarray, repaired: np.ndarray, variant: str = 'neutral', *,
         few: np.ndarray | None = None, with_68: bool = True) -> EnhancedFace:
    d = image(depths)
    slab = DepthRange(0.5)
    sample = FaceSample('a', variant, slab.denormalise(d), d < 1, POINTS if with_68 else None, few)
    outputs = {'None': Enhanced(d, d < 1), 'Ours': Enhanced(image(repaired), d < 1)}
    return EnhancedFace(sample, slab, d, outputs)


def test_only_images_with_a_hole_count() -> None:
    whole, broken = face_depths(), face_depths()
    broken[[20, 21]] = 1.0
    scores = LandmarkScores(['None', 'Ours', 'DL-Beta'])
    scores.add(face(whole, whole))
    scores.add(face(broken, whole))
    rows = scores.rows(HOLES_68)
    assert rows['None']['images'] == 1 and np.isnan(rows['None']['std'])
    assert [rows['None'][key] for key in ('mean', 'min', 'max')] == [pytest.approx(2 / 68)] * 3
    assert rows['Ours']['mean'] == 0.0
    pad = scores.rows(PAD_ERROR)
    assert pad['None']['mean'] == pytest.approx(2 / 68)
    assert pad['None']['all_images_mean'] == pytest.approx(1 / 68)
    assert set(pad['DL-Beta'].values()) == {None}
    assert scores.images(FEW_HOLES) == 0
    assert list(scores.tables('x')) == [HOLES_68, PAD_ERROR]
    assert 'enhancer' in ''.join(scores.blocks())


def test_covered_faces_count_for_few_landmarks_only() -> None:
    broken = face_depths()
    broken[20] = 1.0
    few = POINTS[[20, 30, 40, 50, 60]]
    scores = LandmarkScores(['None', 'Ours'])
    scores.add(face(broken, face_depths(), 'mouth', few=few))
    assert list(scores.tables('x')) == [FEW_HOLES]
    assert scores.rows(FEW_HOLES)['None']['mean'] == pytest.approx(0.2)
    assert scores.rows(FEW_HOLES)['Ours']['max'] == 0.0


def test_an_attack_that_becomes_a_face_shows() -> None:
    scores = LandmarkScores(['None', 'Ours'])
    flat = np.linspace(0.1, 0.5, 68)
    scores.add(face(flat, face_depths(), f'{ATTACK}flat print'))
    rows = scores.attack_rows()
    assert rows['None']['flat print'] == pytest.approx(30 / 68)
    assert rows['Ours']['flat print'] == 0.0
    assert rows['Ours']['worst_fall'] == pytest.approx(30 / 68)
    assert rows['None']['worst_fall'] == 0.0
    assert list(scores.tables('x')) == ['attacks']
    assert 'helps the attacker' in ''.join(scores.blocks())


def test_without_landmarks_the_report_says_so() -> None:
    scores = LandmarkScores(['None', 'Ours'])
    scores.add(face(face_depths(), face_depths(), with_68=False))
    scores.add(face(face_depths(), face_depths(), f'{ATTACK}box', with_68=False))
    assert scores.tables('x') == {}
    assert 'No sample had landmarks' in ''.join(scores.blocks())
