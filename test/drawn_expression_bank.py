# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Banks of drawn faces that show something, so that networks are trained without rendering."""

from __future__ import annotations

from face_depth_ros.core.expression_input import SIZE
from face_depth_ros.core.expression_labels import ACTION_UNITS, EXPRESSIONS, NEUTRAL
from face_depth_ros.training.expression_bank import ExpressionBank
import torch


def drawn_expressions(count: int = 14, seed: int = 0) -> ExpressionBank:
    """
    Draw faces: what they show is a pattern of colour and of relief, the same on all.

    Labels go round; each seventh face is neutral.
    """
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.rand(len(EXPRESSIONS), 4, 8, 8, generator=torch.Generator().manual_seed(5))
    patterns = patterns.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    label = torch.arange(count) % len(EXPRESSIONS)
    level = torch.where(label == NEUTRAL, 0, 1 + torch.arange(count) % 4)
    shown = patterns[label] + 0.1 * torch.randn(count, 4, SIZE, SIZE, generator=generator)
    mask = torch.ones(count, SIZE, SIZE, dtype=torch.uint8)
    mask[:, :10] = 0
    mask[:, 40:50, 40:60] = 3
    depth = (shown[:, 3] - 0.5).masked_fill(mask == 0, torch.nan)
    depth[:, 100:110] = torch.nan
    units = torch.eye(len(ACTION_UNITS))[label]
    return ExpressionBank(
        (255.0 * shown[:, :3]).clamp(0.0, 255.0).to(torch.uint8), depth.half(), mask,
        SIZE * torch.rand(count, 68, 2, generator=generator), label, level, level / 4.0, units,
        torch.arange(count) // 7, 20.0 * torch.rand(count, generator=generator) - 10.0)
