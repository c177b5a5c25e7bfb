# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The guard's three rules on surfaces whose answer is known."""

from __future__ import annotations

from face_depth_ros.core.depth_guard import (
    bound_correction,
    drop_unfounded_fills,
    NoiseBound,
    surface_shape,
    WINDOW,
)
import numpy as np
import pytest

SIZE = 256
BOUND = NoiseBound()
AXIS = (np.arange(SIZE) + 0.5) / SIZE - 0.5
X, Y = np.meshgrid(0.22 * AXIS, 0.22 * AXIS)  # metres on the face


def face() -> np.ndarray:
    """Return an ellipsoid with a nose and eye sockets at 0.6 m."""
    inside = (X / 0.08) ** 2 + (Y / 0.1) ** 2
    depth = 0.68 - 0.08 * np.sqrt(np.maximum(1.0 - inside, 0.0))
    depth -= 0.02 * np.exp(-(X / 0.012) ** 2 - (Y / 0.02) ** 2)
    for side in (-0.03, 0.03):
        depth += 0.012 * np.exp(-((X - side) / 0.013) ** 2 - ((Y + 0.03) / 0.011) ** 2)
    return np.where(inside < 1.0, depth, np.nan).astype(np.float32)


def flat() -> np.ndarray:
    """Return a tilted sheet."""
    return (0.6 + 0.3 * X - 0.2 * Y).astype(np.float32)


def noise(seed: int, size: float = 0.003) -> np.ndarray:
    """Return what a sensor adds."""
    return np.random.default_rng(seed).normal(0.0, size, (SIZE, SIZE)).astype(np.float32)


def test_bound_grows_with_the_distance_up_to_its_limit() -> None:
    """Quadratic, as triangulation errs; NaN stays NaN."""
    bound = NoiseBound(base=0.002, per_m2=0.01, largest=0.02, mean=0.004)
    values = bound.at(np.array([0.5, 1.0, 3.0, np.nan], np.float32))
    np.testing.assert_allclose(values, [0.0045, 0.012, 0.02, np.nan], rtol=1e-6)


def test_within_the_bounds_nothing_changes() -> None:
    """Denoising is what the guard lets through."""
    measured = face() + noise(0).clip(-0.008, 0.008)
    enhanced = bound_correction(measured, face(), BOUND)
    np.testing.assert_allclose(enhanced, face(), atol=2e-6)


def test_no_measured_pixel_moves_beyond_its_bound() -> None:
    """Whatever the network says."""
    measured = face()
    wild = measured + np.random.default_rng(1).uniform(-0.2, 0.2, measured.shape).astype(
        np.float32)
    moved = np.abs(bound_correction(measured, wild, BOUND) - measured)
    known = np.isfinite(measured)
    assert (moved[known] <= BOUND.at(measured)[known] + 1e-6).all()
    assert np.nanmax(moved) > 0.008


@pytest.mark.parametrize('height', [0.008, 0.02])
def test_a_sheet_gains_no_nose(height: float) -> None:
    """A nose is wider than the window: its mean may rise by the mean bound alone."""
    measured = flat() + noise(2)
    nose = height * np.exp(-(X / 0.015) ** 2 - (Y / 0.025) ** 2).astype(np.float32)
    enhanced = bound_correction(measured, flat() - nose, BOUND)
    middle = np.s_[SIZE // 2 - WINDOW // 2:SIZE // 2 + WINDOW // 2 + 1,
                   SIZE // 2 - WINDOW // 2:SIZE // 2 + WINDOW // 2 + 1]
    gained = float((flat() - enhanced)[middle].mean())
    unguarded = float(nose[middle].mean())
    assert unguarded > 1.4 * BOUND.mean
    assert gained < 1.15 * BOUND.mean
    assert gained < 0.7 * unguarded


def test_holes_are_not_the_guards() -> None:
    """What was not measured passes, and what the network does not claim stays NaN."""
    measured, enhanced = face(), face()
    measured[100:120, 100:120] = np.nan
    enhanced[150:160, 100:120] = np.nan
    result = bound_correction(measured, enhanced, BOUND)
    np.testing.assert_array_equal(result[100:120, 100:120], enhanced[100:120, 100:120])
    assert np.isnan(result[150:160, 100:120]).all()
    assert result.dtype == np.float32


def test_holes_are_filled_from_the_face_around_them() -> None:
    """A hole in the face is filled; one in a sheet before it, or in nothing, is not."""
    measured = face()
    measured[90:200, 100:180] = 0.55  # a sheet
    known = np.isfinite(measured)
    claimed = known.copy()
    claimed[90:200, 100:180] = False
    holes = {'face': np.s_[60:70, 120:130], 'sheet': np.s_[140:150, 130:150],
             'nothing': np.s_[2:6, 2:6]}
    for hole in holes.values():
        measured[hole] = np.nan
        claimed[hole] = True
    enhanced = np.where(claimed, np.float32(0.62), np.float32(np.nan))
    result = drop_unfounded_fills(measured, enhanced, 0.9)
    assert np.isfinite(result[holes['face']]).all()
    assert np.isnan(result[holes['sheet']]).all()
    assert np.isnan(result[holes['nothing']]).all()
    untouched = np.isfinite(measured)
    np.testing.assert_array_equal(result[untouched], enhanced[untouched])


def test_background_is_no_part_of_a_rim() -> None:
    """A wall far behind the outline does not keep the outline from being filled."""
    measured = np.where(np.isfinite(face()), face(), np.float32(1.5))
    measured[100:140, 26:44] = np.nan  # the outline of the head
    enhanced = np.where(measured < 1.0, measured, np.float32(np.nan))
    enhanced[100:140, 32:44] = 0.67
    result = drop_unfounded_fills(measured, enhanced, 0.85)
    assert np.isfinite(result[100:140, 32:44]).all()


def test_nothing_filled_is_nothing_dropped() -> None:
    """A crop without holes comes back as it is."""
    measured = flat()
    np.testing.assert_array_equal(drop_unfounded_fills(measured, measured, 0.9), measured)


def test_relief_tells_faces_from_smooth_things() -> None:
    """The best quadric takes sheets, cylinders and balls away; a nose and eyes remain."""
    ball = 0.7 - np.sqrt(np.maximum(0.12 ** 2 - X ** 2 - Y ** 2, 0.0))
    cylinder = 0.7 - np.sqrt(0.13 ** 2 - X ** 2)
    for surface in (flat(), ball, cylinder):
        shape = surface_shape(surface.astype(np.float32) + noise(3), 0.1)
        assert shape.relief < 0.0022
    assert surface_shape(face() + noise(4), 0.1).relief > 0.0026


def test_bulge_has_a_sign() -> None:
    """A face bulges, the inside of a mask is hollow, a sheet is neither."""
    assert surface_shape(face(), 0.1).bulge > 0.01
    assert surface_shape(1.3 - face(), 0.1).bulge < -0.01
    assert abs(surface_shape(flat(), 0.1).bulge) < 1e-3


def test_a_surface_hardly_seen_has_no_shape() -> None:
    """NaN, so that no comparison refuses it for the wrong reason."""
    depth = np.full((SIZE, SIZE), np.nan, np.float32)
    depth[:20, :20] = 0.6
    shape = surface_shape(depth, 0.1)
    assert np.isnan(shape.relief)
    assert np.isnan(shape.bulge)
    assert shape.pixels == 0


def test_what_stands_before_the_face_is_measured_alone() -> None:
    """Only what lies within the span of the nearest surface counts."""
    depth = face()
    depth[:, :128] = 0.3
    assert surface_shape(depth, 0.1).relief < 1e-4
