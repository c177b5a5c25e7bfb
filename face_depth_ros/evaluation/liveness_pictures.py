# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Plots and pictures of `evaluate liveness`: DET curves, depth of each species, a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

from face_depth_ros.core.depth import DepthRange, nearest_surface
from face_depth_ros.core.live_identities import LIVE, SPOOF, UNSURE
from face_depth_ros.core.liveness_metrics import DetCurve
from face_depth_ros.evaluation.enhancement_panels import d_scale, depth_tile
from face_depth_ros.evaluation.liveness_capture import CaptureFrame
from face_depth_ros.evaluation.liveness_rows import Answer
from face_depth_ros.evaluation.overlay import resized
from face_depth_ros.evaluation.plots import new_plot, OURS_COLOR
from face_depth_ros.evaluation.report import picture_grid
from matplotlib.axes import Axes
import numpy as np

_TICKS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)
_LEAST = 5e-4
_TILE = 150
_ACROSS = 6
_LABEL_COLORS = {LIVE: '#2f9e44', SPOOF: '#e03131', UNSURE: '#adb5bd'}


def det_plot(curves: Mapping[str, Mapping[str, DetCurve]], highlight: str) -> str:
    """
    Draw DET curves on axes of normal deviates.

    :param curves: by detector, then by species; '' = all attacks
    :param highlight: the detector whose species are drawn, at the right
    """
    with new_plot(11.0, 4.4, columns=2) as plot:
        left, right = plot.all_axes
        for name, own in curves.items():
            if '' in own:
                _draw(left, own[''], name, OURS_COLOR if name == highlight else None)
        for kind, curve in curves.get(highlight, {}).items():
            if kind:
                _draw(right, curve, kind)
        for axes, title in ((left, 'all attacks'), (right, f'{highlight}, each species')):
            _finish(axes, title)
        return plot.svg()


def frames_plot(frames: Sequence[CaptureFrame]) -> str:
    """Draw what every detector says of every frame, and the score, over the recording."""
    names = list(frames[0].answers)
    with new_plot(11.0, 1.1 + 0.5 * len(names)) as plot:
        for place, name in enumerate(names):
            for label, color in _LABEL_COLORS.items():
                runs = [(f.index - 0.5, 1.0) for f in frames if f.answers[name].label == label]
                plot.axes.broken_barh(runs, (place - 0.38, 0.76), facecolors=color, alpha=0.55)
            known = [f for f in frames if np.isfinite(f.answers[name].score)]
            plot.axes.plot([f.index for f in known],
                           [place + 0.38 - 0.76 * f.answers[name].score for f in known],
                           color='#12202f', linewidth=1.1)
        for label, color in _LABEL_COLORS.items():
            plot.axes.broken_barh([], (0, 0), facecolors=color, alpha=0.55, label=label)
        plot.axes.set_yticks(range(len(names)), names)
        plot.axes.set_ylim(len(names) - 0.5, -0.5)
        plot.axes.set_xlim(frames[0].index - 1, frames[-1].index + 1)
        plot.axes.grid(axis='y', visible=False)
        plot.axes.set_xlabel('frame; the line is the score, 0 below, 1 above')
        plot.axes.legend(loc='upper center', bbox_to_anchor=(0.5, 1.28), ncols=3)
        return plot.svg()


def depth_rows(columns: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> list[str]:
    """
    Return tables of pictures: above as measured, below after the enhancer.

    :param columns: by heading, raw and enhanced crop, metres, (S, S) float32, NaN where invalid
    """
    blocks = []
    names = list(columns)
    empty = np.full((_TILE, _TILE, 3), 255, np.uint8)
    for start in range(0, len(names), _ACROSS):
        some = names[start:start + _ACROSS]
        pairs = [_tiles(*columns[name]) for name in some]
        # The last line is filled up, so that its pictures are as large as the others.
        lacking = 0 if len(names) <= _ACROSS else _ACROSS - len(some)
        pairs += [(empty, empty)] * lacking
        blocks.append(picture_grid(
            [*some, *[''] * lacking],
            [('measured', [p[0] for p in pairs]), ('enhanced', [p[1] for p in pairs])]))
    return blocks


def capture_rows(frames: Sequence[CaptureFrame], row: str) -> str:
    """
    Return the pictures of a recording: colour, depth as measured, depth enhanced.

    :param row: the detector whose answer stands above each
    """
    shown = [(f, f.color, *_tiles(f.raw, f.enhanced)) for f in frames
             if f.color is not None and f.raw is not None and f.enhanced is not None]
    headings = [f'{frame.index}: {answer_text(frame.answers[row])}' if row in frame.answers
                else str(frame.index) for frame, *_ in shown]
    return picture_grid(headings, [
        ('colour', [resized(color, _TILE, _TILE) for _, color, _, _ in shown]),
        ('measured', [raw for _, _, raw, _ in shown]),
        ('enhanced', [enhanced for *_, enhanced in shown])])


def answer_text(answer: Answer) -> str:
    """Return an answer in a few characters."""
    score = f' {answer.score:.2f}' if np.isfinite(answer.score) else ''
    return f'{answer.label}{score}'


def _tiles(raw: np.ndarray | None, enhanced: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Draw both in the colours of the first."""
    if raw is None or enhanced is None or not np.isfinite(raw).any():
        blank = np.full((_TILE, _TILE, 3), 24, np.uint8)
        return blank, blank
    slab = DepthRange(nearest_surface(raw))
    first, second = slab.normalise(raw), slab.normalise(enhanced)
    scale = d_scale(first)
    tiles = [resized(depth_tile(d, scale), _TILE, _TILE) for d in (first, second)]
    return tiles[0], tiles[1]


def _draw(axes: Axes, curve: DetCurve, label: str, color: str | None = None) -> None:
    axes.plot(_deviates(curve.apcer), _deviates(curve.bpcer), label=label, color=color,
              linewidth=2.6 if color else 1.5)


def _finish(axes: Axes, title: str) -> None:
    places = _deviates(np.array(_TICKS))
    texts = [f'{100 * t:g}' for t in _TICKS]
    axes.set_xticks(places, texts)
    axes.set_yticks(places, texts)
    limits = _deviates(np.array([_LEAST, 0.7]))
    limits[0] -= 0.06  # a curve without errors runs along the edge
    axes.set_xlim(*limits)
    axes.set_ylim(*limits)
    axes.plot(limits, limits, color='#ced4da', linewidth=0.8, zorder=0)
    axes.axhline(_deviates(np.array([0.01]))[0], color='#adb5bd', linewidth=0.9, linestyle='--')
    axes.set_title(title, fontsize=10.5)
    axes.set_xlabel('APCER, %')
    axes.set_ylabel('BPCER, %')
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc='upper right', fontsize=8.5)


def _deviates(rates: np.ndarray) -> list[float]:
    """Return normal deviates; what lies beyond the axes is brought to their ends."""
    normal = NormalDist()
    return [normal.inv_cdf(float(r)) for r in np.clip(rates, _LEAST, 1.0 - _LEAST)]
