# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The time line of one face: its expressions, what is shown of them, and whether it lives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.core.live_identities import LIVE, LIVENESS_LABELS, SPOOF
from face_depth_ros.evaluation.face_labels import LIVENESS_MARKS, LIVENESS_RGB
from face_depth_ros.evaluation.output_messages import (
    NOT_SEEN,
    OutputExpression,
    OutputLiveness,
)
from face_depth_ros.evaluation.plots import new_plot
from matplotlib.axes import Axes
from matplotlib.patches import Patch
import numpy as np

EXPRESSION_COLORS = dict(zip(EXPRESSIONS, (
    '#cc6677', '#117733', '#aa4499', '#ddcc77', '#332288', '#88ccee', '#d5d9e0'), strict=True))
"""Of Paul Tol's muted palette, whose colours all kinds of colour vision tell apart."""
_PALE_INK = {LIVE, 'sadness', 'disgust', 'fear'}
_SHOWN, _LIVENESS = (1.05, 0.15), (1.25, 0.15)
"""Bottom and height of the bands above the probabilities."""
_LETTER = 0.011
"""Share of the width that a letter takes."""


@dataclass(frozen=True)
class FaceState:
    """
    One frame of a face.

    :param begin, end: seconds since the first frame
    """

    begin: float
    end: float
    expression: OutputExpression | None
    liveness: OutputLiveness | None


def face_timeline(states: Sequence[FaceState], span: tuple[float, float]) -> str:
    """
    Return a plot as SVG: probabilities stacked to 1, above them what is shown, and liveness.

    :param states: of one face, in order, where it was seen
    :param span: of the axis, seconds
    """
    with new_plot(12.4, 2.3) as plot:
        axes = plot.axes
        for seen in _without_gaps(states):
            _stack(axes, seen)
        width = span[1] - span[0]
        _band(axes, [(s, s.expression.shown, EXPRESSION_COLORS.get(s.expression.shown, '#ffffff'),
                      '') for s in states if s.expression is not None], _SHOWN, width)
        _band(axes, [(s, s.liveness.label, _hex(s.liveness.label), '///' * (
            s.liveness.label == SPOOF)) for s in states if s.liveness is not None],
            _LIVENESS, width)
        axes.set_xlim(*span)
        axes.set_ylim(0.0, _LIVENESS[0] + _LIVENESS[1] + 0.04)
        told = {'shown': (_SHOWN, any(s.expression is not None for s in states)),
                'liveness': (_LIVENESS, any(s.liveness is not None for s in states))}
        bands = {name: bottom + height / 2 for name, ((bottom, height), there) in told.items()
                 if there}
        axes.set_yticks([0.0, 0.5, 1.0, *bands.values()], ['0', '0.5', '1', *bands])
        axes.grid(axis='y', visible=False)
        axes.set_xlabel('seconds since the first frame')
        axes.legend(handles=_legend(states), loc='center left', bbox_to_anchor=(1.0, 0.5),
                    fontsize=9)
        return plot.svg()


def _without_gaps(states: Sequence[FaceState]) -> Iterator[list[FaceState]]:
    """Give the parts in which the face's expression was seen from frame to frame."""
    part: list[FaceState] = []
    for state in states:
        seen = state.expression is not None and state.expression.shown != NOT_SEEN
        if part and (not seen or state.begin > part[-1].end + 1e-6):
            yield part
            part = []
        if seen:
            part.append(state)
    if part:
        yield part


def _stack(axes: Axes, states: Sequence[FaceState]) -> None:
    """Draw probabilities that hold from frame to frame."""
    edges = [s.begin for s in states] + [states[-1].end]
    rows = np.array([[s.expression.probabilities[e] for e in EXPRESSIONS]
                     for s in states if s.expression is not None])
    tops = np.cumsum(np.vstack([rows, rows[-1:]]), axis=1)
    below = np.zeros(len(tops))
    for name, top in zip(EXPRESSIONS, tops.T, strict=True):
        axes.fill_between(edges, below, top, step='post', color=EXPRESSION_COLORS[name],
                          linewidth=0)
        below = top


def _band(axes: Axes, entries: Sequence[tuple[FaceState, str, str, str]],
          place: tuple[float, float], width: float) -> None:
    """Draw a band of labels, with their names where there is room."""
    for (label, color, hatch), run in groupby(entries, key=lambda e: e[1:]):
        states = [state for state, *_ in run]
        spans = [(s.begin, s.end - s.begin) for s in states]
        axes.broken_barh(spans, place, facecolors=color, edgecolor='white' if hatch else 'none',
                         hatch=hatch, linewidth=0)
        begin, end = states[0].begin, states[-1].end
        if end - begin > len(label) * _LETTER * width:
            axes.annotate(label, ((begin + end) / 2, place[0] + place[1] / 2), ha='center',
                          va='center', fontsize=9, fontweight='bold' if hatch else 'normal',
                          color='white' if label in _PALE_INK else '#12202f',
                          bbox={'facecolor': color, 'edgecolor': 'none', 'pad': 1.0})


def _legend(states: Sequence[FaceState]) -> list[Patch]:
    """Return what the colours mean, as far as these stages ran."""
    entries = []
    if any(s.expression is not None for s in states):
        entries += [Patch(facecolor=color, label=name)
                    for name, color in EXPRESSION_COLORS.items()]
    if any(s.liveness is not None for s in states):
        entries += [Patch(facecolor=_hex(name), label=f'{LIVENESS_MARKS[name]} {name}',
                          hatch='///' if name == SPOOF else '', edgecolor='white', linewidth=0)
                    for name in LIVENESS_LABELS]
    return entries


def _hex(label: str) -> str:
    return '#{:02x}{:02x}{:02x}'.format(*LIVENESS_RGB.get(label, (176, 182, 192)))
