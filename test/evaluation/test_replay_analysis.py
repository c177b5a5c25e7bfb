# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Measures of one frame: only claimed pixels count, and steps are not roughness."""

from __future__ import annotations

import math

from face_depth_ros.core.frames import Provenance
from face_depth_ros.evaluation.output_messages import OutputFrame
from face_depth_ros.evaluation.replay_analysis import CameraImages, score_frame, ViewedFrame
from face_depth_ros.evaluation.replay_settings import PlayedFrame
import numpy as np
import pytest

PLAYED = PlayedFrame(0, 7, 7, 1.0)


def view(raw: np.ndarray, enhanced: np.ndarray, claimed: np.ndarray) -> ViewedFrame:
    provenance = np.where(claimed, Provenance.CORRECTED, Provenance.LEFT_ALONE).astype(np.uint8)
    images = CameraImages(np.zeros((*raw.shape, 3), np.uint8), raw, None)
    return ViewedFrame(PLAYED, images, OutputFrame(7, (), enhanced, None, provenance))


def test_holes_and_roughness_of_the_claimed_pixels() -> None:
    y, x = np.mgrid[:40, :40]
    flat = np.full((40, 40), 0.5, np.float32)
    raw = (flat + np.where((x + y) % 2, 0.002, 0.0)).astype(np.float32)
    raw[20:22, 20:25] = np.nan
    raw[:, :5] = 3.0
    claimed = (x >= 5) & (x < 35)
    score = score_frame(view(raw, flat, claimed), None)
    assert score.holes_raw == pytest.approx(10 / 1200)
    assert score.holes_enhanced == 0.0
    # Four of eight neighbours of a chequered pixel differ by 2 mm; the step to 3 m is left out.
    assert score.roughness_raw_mm == pytest.approx(1.0, rel=1e-3)
    assert score.roughness_enhanced_mm == pytest.approx(0.0, abs=1e-6)
    assert score.reference is None


def test_nothing_claimed_or_nothing_there() -> None:
    depth = np.full((8, 8), 0.5, np.float32)
    score = score_frame(view(depth, depth, np.zeros((8, 8), bool)), None)
    assert math.isnan(score.holes_raw)
    assert math.isnan(score.roughness_raw_mm)
    assert score_frame(ViewedFrame(PLAYED, None, None), None).faces == ()
