# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What the liveness detector sees: relief, where it is from, landmarks in space, sizes."""

from __future__ import annotations

from dataclasses import replace

from drawn_liveness import draw_face
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError, InvalidImageError
from face_depth_ros.core.face_box import FaceBox, transform_points
from face_depth_ros.core.frames import EnhancedDepth, Provenance
from face_depth_ros.core.liveness_input import (
    liveness_input,
    LivenessInput,
    POINT_UNIT_M,
    RELIEF_UNIT_M,
    SIZE,
)
import numpy as np
import pytest

FACE = draw_face()


def frame(depth: np.ndarray, provenance: int | np.ndarray = Provenance.MEASURED) -> EnhancedDepth:
    known = np.isfinite(depth)
    return EnhancedDepth(depth, np.zeros(depth.shape, np.uint8),
                         np.where(known, provenance, 0).astype(np.uint8))


def see(depth: np.ndarray = FACE.depth, provenance: int | np.ndarray = Provenance.MEASURED,
        camera: CameraIntrinsics = FACE.intrinsics, mask: np.ndarray = FACE.mask) -> LivenessInput:
    return liveness_input(frame(depth, provenance), FACE.box, mask, FACE.landmarks, camera)


def test_a_face_in_its_units() -> None:
    seen = see()
    relief, known, trusted, face = seen.planes
    assert seen.planes.shape == (4, SIZE, SIZE) and seen.planes.dtype == np.float32
    assert abs(np.median(relief[known > 0])) < 0.01
    assert (known <= face).all() and (trusted <= known).all() and not relief[known == 0].any()
    assert trusted.sum() > 0.97 * known.sum(), 'but for the rim'
    nose = relief[int(0.575 * SIZE), SIZE // 2]
    assert nose > 0.025 / RELIEF_UNIT_M * 0.8, 'the nose stands out by 2.5 cm, nearer is positive'
    assert 0.95 < seen.known_share <= 1.0 and seen.measured_share > 0.93
    assert seen.size_m == pytest.approx(0.22, rel=0.05)
    size, distance, pixels = np.exp(seen.scalars)
    assert size * 0.22 == pytest.approx(seen.size_m, rel=1e-5)
    assert distance == pytest.approx(FACE.distance_m, rel=0.05)
    assert pixels == pytest.approx(FACE.box.side / 128.0, rel=1e-5)


def test_landmarks_lie_in_space() -> None:
    points = see().points
    x, y, nearer, known = points.T
    assert known[30] == 1.0 and nearer[30] * POINT_UNIT_M > 0.02
    across = (x[16] - x[0]) * POINT_UNIT_M
    assert across == pytest.approx(0.6 * 0.22, rel=0.05), 'metres at the distance of the face'
    assert y[8] > y[30]


def test_a_thing_of_half_the_size_at_half_the_distance_looks_alike_but_for_its_size() -> None:
    half = see((0.5 * FACE.depth).astype(np.float32))
    whole = see()
    assert half.size_m == pytest.approx(0.5 * whole.size_m, rel=1e-3)
    np.testing.assert_allclose(half.points[:, :2], 0.5 * whole.points[:, :2], atol=0.01)
    np.testing.assert_allclose(half.planes[0], 0.5 * whole.planes[0], atol=0.05)


def test_what_is_not_measured_is_known_but_not_trusted() -> None:
    for provenance, trusted in ((Provenance.CORRECTED, 1.0), (Provenance.FILLED, 0.0),
                                (Provenance.LEFT_ALONE, 0.0)):
        seen = see(provenance=provenance)
        assert seen.known_share > 0.95 and (seen.measured_share > 0.95) == (trusted == 1.0)
        assert seen.planes[2].max() == trusted
    upper = np.full(FACE.depth.shape, Provenance.FILLED)
    upper[int(FACE.box.center_y):] = Provenance.MEASURED
    seen = see(provenance=upper)
    assert 0.3 < seen.measured_share < 0.7
    assert not seen.planes[2, :SIZE // 2 - 1].any() and seen.planes[2, SIZE // 2 + 1:].any()


def test_holes_are_nothing_and_background_is_no_face() -> None:
    depth = FACE.depth.copy()
    depth[:int(FACE.box.center_y)] = np.nan
    seen = see(depth)
    assert 0.3 < seen.known_share < 0.7
    assert seen.points[30, 3] == 1.0 and not seen.points[[36, 45], 3].all()
    wall = np.where(np.isfinite(FACE.depth), FACE.depth, 3.0).astype(np.float32)
    off = np.abs(see(wall).planes[0] - see().planes[0])
    assert (off > 0.2).mean() < 0.02 and np.median(off) < 0.01, 'but for the rim'


def test_roll_does_not_matter() -> None:
    turned = np.rot90(FACE.depth, -1).copy()  # clockwise
    count = FACE.depth.shape[0]
    box = FaceBox(count / 2, count / 2, FACE.box.side, np.pi / 2)
    turn = np.array([[0.0, -1.0, count], [1.0, 0.0, 0.0]])
    seen = liveness_input(frame(turned), box, FACE.mask, transform_points(turn, FACE.landmarks),
                          FACE.intrinsics)
    np.testing.assert_allclose(seen.planes[0], see().planes[0], atol=0.25)
    np.testing.assert_allclose(seen.points, see().points, atol=0.1)


def test_faces_off_the_axis_are_seen_along_their_ray() -> None:
    aside = replace(FACE.intrinsics, cx=FACE.intrinsics.cx - 0.5 * FACE.intrinsics.fx)
    # A sheet that stands upright on the ray to the face, not on the optical axis.
    column = np.arange(FACE.depth.shape[1]) + 0.5
    slope = (column - aside.cx) / aside.fx
    middle = (FACE.box.center_x - aside.cx) / aside.fx
    depth = np.broadcast_to(0.6 * (1.0 + middle ** 2) / (1.0 + middle * slope),
                            FACE.depth.shape).astype(np.float32)
    assert np.ptp(see(depth, camera=aside).planes[0]) < 0.02
    assert np.ptp(see(depth).planes[0]) > 0.5


def test_what_cannot_be_seen_is_told() -> None:
    with pytest.raises(FaceDepthError) as error:
        see(mask=np.zeros_like(FACE.mask))
    assert error.value.cause == 'empty_mask'
    with pytest.raises(FaceDepthError) as error:
        see(np.full_like(FACE.depth, np.nan))
    assert error.value.cause == 'no_depth'
    with pytest.raises(FaceDepthError) as error:
        liveness_input(frame(FACE.depth), FaceBox(-500.0, 0.0, 50.0), FACE.mask, FACE.landmarks,
                       FACE.intrinsics)
    assert error.value.cause == 'face_box_outside'
    for mask, landmarks, match in (
            (FACE.mask.astype(int), FACE.landmarks, 'mask'),
            (FACE.mask[:9], FACE.landmarks, 'mask'),
            (FACE.mask + np.uint8(6), FACE.landmarks, 'labels'),
            (FACE.mask, FACE.landmarks[:5], 'landmarks'),
            (FACE.mask, np.full((68, 2), np.nan), 'finite')):
        with pytest.raises(InvalidImageError, match=match):
            liveness_input(frame(FACE.depth), FACE.box, mask, landmarks, FACE.intrinsics)
