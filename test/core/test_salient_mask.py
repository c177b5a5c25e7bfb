# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Salient regions: neighbourhoods of landmarks, else of labels, else the face; never beside it."""

from __future__ import annotations

from face_depth_ros.core.errors import InvalidImageError
from face_depth_ros.core.face_photo import BOX_SIDE_M, MASK_LABELS
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M
from face_depth_ros.core.salient_mask import NEIGHBOURHOOD, salient_mask, shrunk
import numpy as np
import pytest

SIZE = 96
POINTS = (MEAN_LANDMARKS_M[:, :2] / BOX_SIDE_M + 0.5) * SIZE
FACE = np.ones((SIZE, SIZE), np.uint8)


def at(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.floor(points).astype(int)
    return pixels[:, 1], pixels[:, 0]


def test_brows_eyes_nose_and_mouth_are_salient_forehead_cheeks_and_chin_are_not() -> None:
    mask = salient_mask(FACE, POINTS)
    assert mask[at(POINTS[17:])].all(), 'all inner landmarks'
    assert not mask[at(POINTS[:17])].any(), 'the line of the jaw'
    between = (POINTS[8] + POINTS[57]) / 2  # chin
    cheek = (POINTS[3] + POINTS[31]) / 2
    brow = POINTS[19] - (0.0, 0.12 * SIZE)
    assert not mask[at(np.stack([between, cheek, brow]))].any()
    assert 0.1 < mask.mean() < 0.4


def test_the_neighbourhood_reaches_as_far_as_it_says() -> None:
    mask = salient_mask(FACE, POINTS)
    reach = round(NEIGHBOURHOOD * SIZE)
    lowest = POINTS[48:68][:, 1].argmax() + 48
    row, column = (int(v[0]) for v in at(POINTS[lowest:lowest + 1]))
    assert mask[row + reach, column] and not mask[row + reach + 1, column]


def test_what_hides_the_face_is_not_salient() -> None:
    labels = FACE.copy()
    labels[:, :SIZE // 2] = 0
    mask = salient_mask(labels, POINTS)
    assert not mask[:, :SIZE // 2].any() and mask[:, SIZE // 2:].any()


def test_labels_stand_for_landmarks_that_are_missing_or_outside() -> None:
    labels = FACE.copy()
    labels[60:64, 40:56] = MASK_LABELS.index('mouth')
    labels[30:32, 30:34] = MASK_LABELS.index('eyes')
    by_labels = salient_mask(labels, None)
    assert by_labels[62, 48] and by_labels[31, 32] and not by_labels[80, 10]
    outside = np.full((68, 2), -5.0)
    assert np.array_equal(salient_mask(labels, outside), by_labels)
    assert np.array_equal(salient_mask(labels, np.full((68, 2), np.nan)), by_labels)
    no_mouth = POINTS.copy()
    no_mouth[48:] = SIZE + 3.0
    mixed = salient_mask(labels, no_mouth)
    assert mixed[62, 48] and mixed[at(POINTS[27:36])].all()


def test_without_any_region_the_face_is_what_is_salient_and_without_a_face_the_landmarks() -> None:
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[20:70, 20:70] = MASK_LABELS.index('skin')
    assert np.array_equal(salient_mask(labels, None), labels > 0)
    empty = np.zeros((SIZE, SIZE), np.uint8)
    assert salient_mask(empty, POINTS)[at(POINTS[48:68])].all()
    assert not salient_mask(empty, None).any()
    far = POINTS * 0.1  # all regions beside the face
    assert np.array_equal(salient_mask(labels, far), labels > 0)


def test_a_cell_is_salient_if_half_of_it_is() -> None:
    mask = np.zeros((8, 8), bool)
    mask[:4, :2] = True
    mask[4:, 4:6] = True
    mask[4, 4] = False
    assert np.array_equal(shrunk(mask, 4), np.array([[1, 0], [0, 0]], np.float32))
    assert shrunk(mask, 4).dtype == np.float32


@pytest.mark.parametrize(('labels', 'points', 'message'), [
    (np.zeros((4, 5), np.uint8), None, 'expected square uint8'),
    (np.zeros((4, 4)), None, 'expected square uint8'),
    (np.full((4, 4), 7, np.uint8), None, 'labels 0 to 6'),
    (FACE, np.zeros((5, 2)), r'expected \(68, 2\)')])
def test_other_masks_and_landmarks_are_refused(labels, points, message) -> None:
    with pytest.raises(InvalidImageError, match=message):
        salient_mask(labels, points)


def test_a_side_that_cannot_be_shrunk_is_refused() -> None:
    with pytest.raises(InvalidImageError, match='multiple of 4'):
        shrunk(np.zeros((6, 6), bool), 4)
