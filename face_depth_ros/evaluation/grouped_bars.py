# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Bars of several measures beside each other for every enhancer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from face_depth_ros.evaluation.plots import new_plot, OURS_COLOR, RAW_COLOR
import numpy as np

_LIGHTER = (1.0, 0.6, 0.35)
_WIDTH = 0.8


def grouped_bars(values: Mapping[str, Mapping[str, float | None]], measures: Sequence[str],
                 y_label: str, highlight: str) -> str:
    """
    Return a plot as SVG: a group for each enhancer, best first by the first measure.

    :param values: by enhancer, then by measure; None or NaN leaves a gap
    :param measures: at most three; the first is drawn darkest
    :param highlight: the enhancer to emphasise
    """
    order = sorted(values, key=lambda name: _height(values[name].get(measures[0]), np.inf))
    width = _WIDTH / len(measures)
    with new_plot(9.6, 3.3) as plot:
        for i, (measure, alpha) in enumerate(zip(measures, _LIGHTER, strict=False)):
            heights = [_height(values[name].get(measure), 0.0) for name in order]
            places = np.arange(len(order)) + (i - (len(measures) - 1) / 2) * width
            plot.axes.bar(places, heights, width=0.92 * width, alpha=alpha, label=measure,
                          color=[OURS_COLOR if n == highlight else RAW_COLOR for n in order])
            for x, name, height in zip(places, order, heights, strict=True):
                if np.isfinite(_height(values[name].get(measure), np.nan)):
                    plot.axes.annotate(f'{height:.2g}', (x, height), xytext=(0, 3),
                                       textcoords='offset points', ha='center', fontsize=7.5,
                                       rotation=90 if len(order) > 9 else 0, color='#3c4655')
        labels = [name.replace(', ', ',\n') for name in order]
        plot.axes.set_xticks(range(len(order)), labels,
                             rotation=30 if len(order) > 9 else 0,
                             ha='right' if len(order) > 9 else 'center')
        plot.axes.grid(axis='x', visible=False)
        plot.axes.margins(y=0.16)
        plot.axes.set_ylabel(y_label)
        if len(measures) > 1:
            plot.axes.legend(loc='upper left')
        return plot.svg()


def _height(value: float | None, otherwise: float) -> float:
    return float(value) if value is not None and np.isfinite(value) else otherwise
