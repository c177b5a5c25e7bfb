# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Grouped bars: an enhancer without a value leaves a gap, and the best comes first."""

from __future__ import annotations

from collections.abc import Mapping

from face_depth_ros.evaluation.grouped_bars import grouped_bars


def test_a_plot_of_gaps_and_values() -> None:
    values: dict[str, Mapping[str, float | None]] = {
        'Ours': {'open': 0.25, 'covered': 0.5}, 'DL-Beta': {'open': None, 'covered': None}}
    plot = grouped_bars(values, ('open', 'covered'), '%', 'Ours')
    assert plot.startswith('<svg') and plot.rstrip().endswith('</svg>')
    # The same bars in another order of the rows are the same plot.
    again = grouped_bars(dict(reversed(values.items())), ('open', 'covered'), '%', 'Ours')
    assert again == plot
    changed = grouped_bars(values | {'DL-Beta': {'open': 0.1}}, ('open', 'covered'), '%', 'Ours')
    assert changed != plot


def test_many_enhancers_fit() -> None:
    values = {f'enhancer {i}': {'a': float(i)} for i in range(17)}
    assert grouped_bars(values, ('a',), '%', 'enhancer 3').startswith('<svg')
