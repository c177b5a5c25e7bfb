# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Nothing that is no face comes out as one, whatever learned method runs on the robot.

Measured by facial relief: the RMS distance to the best smooth surface (core/depth_guard.py), of
which a face has 3.4 mm and more. Enhancement may not add to that of an attack. Our network answers
for what it fills too; the paper's networks claim every pixel, so that the guard can only hold what
was measured.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
from face_depth_ros.core.depth_guard import surface_shape
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, EnhancedDepth, Provenance
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer, NETWORK
from face_depth_ros.synthesis import degradation
from face_depth_ros.synthesis.presentation_attacks import ATTACKS, inside_out, render_attack
import numpy as np
import pytest
import torch

SIZE = 256
FACE = (Detection(FaceBox(SIZE / 2, SIZE / 2, SIZE), 1.0, None, 'f00001'),)
GAIN_M = {NETWORK: 0.0005, 'DL-Delta-1': 0.0015}
"""No attack may gain more facial relief; a face's own begins at 3.4 mm."""
COUNT = 12
METHODS = tuple(GAIN_M)


@pytest.fixture(scope='module')
def enhancer() -> Iterator[DepthEnhancer]:
    """The shipped networks."""
    predictor = DepthEnhancer(backend='openvino', precision='fp32')
    predictor.prepare('DL-Delta-1')
    yield predictor
    predictor.close()


def damaged(depth: torch.Tensor, seed: int = 0) -> np.ndarray:
    """Return depth with the paper's holes, noise and blur."""
    return degradation.degrade(depth, torch.Generator().manual_seed(seed)).numpy()


def relief(depth: np.ndarray, where: np.ndarray | None = None) -> float:
    """Return the facial relief within a part, metres."""
    return surface_shape(depth if where is None else np.where(where, depth, np.float32(np.nan)),
                         0.25).relief


def assert_no_gain(before: np.ndarray, result: EnhancedDepth, method: str,
                   where: np.ndarray | None = None) -> None:
    """Compare the relief of what was measured with that of what is published."""
    where = np.ones(before.shape, bool) if where is None else where
    answered = where if method == NETWORK else where & np.isfinite(before)
    gained = relief(result.depth, answered) - relief(before, where)
    assert np.isnan(gained) or gained < GAIN_M[method]


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('kind', ATTACKS)
def test_prints_boxes_and_balls_gain_no_relief(enhancer: DepthEnhancer, kind: str,
                                               method: str) -> None:
    """Flat, bent, wavy, in any place and size, under the paper's damage."""
    depth = render_attack(kind, COUNT, SIZE, torch.Generator().manual_seed(11))
    for image in damaged(depth):
        assert_no_gain(image, enhancer.enhance(image, FACE, method), method)


@pytest.mark.parametrize('method', METHODS)
def test_the_inside_of_a_mask_is_left_alone(enhancer: DepthEnhancer, method: str) -> None:
    """People see a hollow face as a face; the enhancer may not."""
    for image in damaged(inside_out(head(4))):
        result = enhancer.enhance(image, FACE, method)
        np.testing.assert_array_equal(result.depth, image)
        assert result.skipped[0].cause == 'no_face_relief'


@pytest.mark.parametrize('method', METHODS)
def test_an_empty_scene_stays_empty(enhancer: DepthEnhancer, method: str) -> None:
    """Walls and nothing, with a false detection on them."""
    chance = np.random.default_rng(0)
    wall = (0.9 + 0.002 * chance.standard_normal((SIZE, SIZE))).astype(np.float32)
    for image in (wall, np.full_like(wall, np.nan)):
        result = enhancer.enhance(image, FACE, method)
        np.testing.assert_array_equal(result.depth, image)
        assert not result.provenance.any()


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('side', ['paper over one side', 'paper over the mouth'])
def test_paper_before_a_face_gains_no_relief(enhancer: DepthEnhancer, side: str,
                                             method: str) -> None:
    """A sheet 4 cm before a part of the face stays a sheet; the rest is enhanced."""
    depth = head(4)
    covered = torch.zeros_like(depth, dtype=torch.bool)
    part = np.s_[:, 20:236, 136:] if side == 'paper over one side' else np.s_[:, 150:240, 60:200]
    covered[part] = True
    near = depth.nan_to_num(nan=9.0).flatten(1).amin(1)[:, None, None]
    tilt = 0.03 * torch.linspace(-1.0, 1.0, SIZE)
    scene = torch.where(covered, near - 0.04 + tilt, depth)
    holes, filled = 0, 0
    for image, where in zip(damaged(scene), covered.numpy(), strict=True):
        result = enhancer.enhance(image, FACE, method)
        moved = np.abs(result.depth - image)[where & np.isfinite(image)]
        assert np.sqrt(np.mean(moved ** 2)) < 0.006
        # A hole across the edge of the sheet may be filled from the face beside it.
        inner = cv2.erode(where.astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
        assert_no_gain(image, result, method, inner)
        if method == NETWORK:
            holes += int((inner & np.isnan(image)).sum())
            filled += int((inner & (result.provenance == Provenance.FILLED)).sum())
    assert filled <= 0.1 * holes


def test_a_face_is_still_enhanced(enhancer: DepthEnhancer) -> None:
    """The guard that stops attacks lets faces through: this test guards the others."""
    for image in damaged(head(4)):
        result = enhancer.enhance(image, FACE, NETWORK)
        assert not result.skipped
        assert (result.provenance == Provenance.CORRECTED).mean() > 0.05
        assert (result.provenance == Provenance.FILLED).mean() > 0.005


def head(count: int) -> torch.Tensor:
    """Return analytic heads with a nose and eye sockets, metres, (B, 256, 256)."""
    axis = 0.22 * ((torch.arange(SIZE) + 0.5) / SIZE - 0.5)
    x = axis + 0.004 * torch.arange(count)[:, None, None]
    y = axis[:, None]
    inside = (x / 0.08) ** 2 + (y / 0.1) ** 2
    depth = 0.68 - 0.07 * (1.0 - inside).clamp_min(0.0).sqrt()
    depth = depth - 0.022 * torch.exp(-(x / 0.013) ** 2 - ((y - 0.005) / 0.022) ** 2)
    for side in (-0.03, 0.03):
        depth = depth + 0.012 * torch.exp(-((x - side) / 0.014) ** 2 - ((y + 0.03) / 0.012) ** 2)
    return torch.where(inside < 1.0, depth, torch.nan)
