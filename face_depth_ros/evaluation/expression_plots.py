# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Plots and pictures of the section on expressions: confusion, calibration, faces with calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.evaluation.expression_protocol import Example
from face_depth_ros.evaluation.overlay import font
from face_depth_ros.evaluation.plots import new_plot, OURS_COLOR, RAW_COLOR
import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw

_TILE, _GAP, _LABEL = 132, 8, 40
_PAPER, _SOFT = (255, 255, 255), (93, 104, 120)
_RIGHT, _WRONG = (43, 138, 62), (201, 42, 42)
_DARK = 0.55


def confusion_plot(confusion: np.ndarray, title: str) -> str:
    """
    Draw a confusion matrix as SVG: a row for each true class, in percent of its faces.

    :param confusion: (C, C) faces, C = 6 or 7 of EXPRESSIONS
    """
    names = EXPRESSIONS[:len(confusion)]
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    with new_plot(4.9, 4.3) as plot:
        axes = plot.axes
        axes.imshow(share, cmap=mpl.colors.LinearSegmentedColormap.from_list(
            'own', ['#ffffff', OURS_COLOR]), vmin=0.0, vmax=1.0)
        for i, row in enumerate(share):
            for j, value in enumerate(row):
                if value > 0:
                    axes.text(j, i, f'{100 * value:.1f}', ha='center', va='center', fontsize=9,
                              color='#ffffff' if value > _DARK else '#1b2330')
        axes.set_xticks(range(len(names)), names, rotation=32, ha='right')
        axes.set_yticks(range(len(names)), names)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xlabel('said')
        axes.set_ylabel('shown')
        axes.set_title(title, fontsize=11)
        return plot.svg()


def reliability_plot(curves: Mapping[str, Sequence[tuple[float, float, int]]],
                     highlight: str) -> str:
    """
    Draw how often rows are right over how sure they are, as SVG.

    :param curves: by row: confidence, share of right ones, faces
    """
    with new_plot(5.4, 3.6) as plot:
        plot.axes.plot([0, 100], [0, 100], color='#c5ccd6', linestyle='--', linewidth=1.0)
        colors = iter((RAW_COLOR, '#f08c00', '#7048e8', '#2f9e44', '#e03131', '#495057'))
        for name, curve in curves.items():
            sure, right, _ = np.array(curve).T
            plot.axes.plot(100 * sure, 100 * right, marker='o', markersize=3.2, label=name,
                           color=OURS_COLOR if name == highlight else next(colors, RAW_COLOR),
                           linewidth=2.2 if name == highlight else 1.3)
        plot.axes.set_xlabel('probability of what is said, %')
        plot.axes.set_ylabel('right, %')
        plot.axes.legend(loc='upper left', fontsize=9.5)
        return plot.svg()


def position_plot(values: Mapping[str, float]) -> str:
    """Draw accuracy by where both modalities are fused, percent, as SVG (Fig. 5)."""
    with new_plot(5.4, 2.9) as plot:
        names, best = list(values), max(values.values())
        plot.axes.bar(names, list(values.values()), width=0.6,
                      color=[OURS_COLOR if v == best else RAW_COLOR for v in values.values()])
        for i, value in enumerate(values.values()):
            plot.axes.annotate(f'{value:.2f}', (i, value), xytext=(0, 3), ha='center',
                               textcoords='offset points', fontsize=9.5, color='#3c4655')
        span = max(best - min(values.values()), 1.0)
        plot.axes.set_ylim(min(values.values()) - span, best + 0.5 * span)
        plot.axes.grid(axis='x', visible=False)
        plot.axes.set_ylabel('right, %')
        return plot.svg()


def example_strip(examples: Sequence[Example]) -> np.ndarray:
    """
    Draw faces side by side with what was said of them, green where right, else red.

    :returns: (h, w, 3) uint8 RGB on white paper
    """
    width = len(examples) * (_TILE + _GAP) - _GAP
    canvas = Image.new('RGB', (width, _TILE + _LABEL), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for i, example in enumerate(examples):
        left = i * (_TILE + _GAP)
        face = Image.fromarray(example.color).resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        canvas.paste(face, (left, 0))
        middle = left + _TILE // 2
        draw.text((middle, _TILE + 11),
                  f'{EXPRESSIONS[example.said]} {100 * example.probability:.0f} %',
                  _RIGHT if example.right else _WRONG, font(13), anchor='mm')
        if not example.right:
            draw.text((middle, _TILE + 28), f'is {EXPRESSIONS[example.label]}', _SOFT, font(12),
                      anchor='mm')
    return np.asarray(canvas)

