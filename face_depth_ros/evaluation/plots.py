# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Plots of reports, as SVG text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
import io
from typing import Any

from face_depth_ros.core.depth_view import DepthScale
from face_depth_ros.evaluation.overlay import track_color
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
import numpy as np

RAW_COLOR = '#9aa5b4'
OURS_COLOR = '#0b7285'
_FEW = 10
_SERIES = ('#0b7285', '#f08c00', '#7048e8', '#2f9e44', '#e03131', '#495057')
_STYLE: dict[Any, Any] = {
    'font.size': 10.5, 'axes.spines.top': False, 'axes.spines.right': False,
    'axes.edgecolor': '#8a94a3', 'axes.labelcolor': '#3c4655', 'xtick.color': '#5d6878',
    'ytick.color': '#5d6878', 'axes.grid': True, 'grid.color': '#e6eaf0', 'grid.linewidth': 0.8,
    'axes.axisbelow': True, 'legend.frameon': False, 'svg.fonttype': 'path',
    # The same plot is the same text, so that equal runs give equal reports.
    'svg.hashsalt': 'face_depth_ros',
}


class Plot:
    """A figure that becomes SVG text; `axes` (or each of `all_axes`) is what to draw on."""

    def __init__(self, width: float, height: float, columns: int = 1) -> None:
        self.figure = Figure(figsize=(width, height), layout='constrained')
        FigureCanvasSVG(self.figure)
        self.all_axes: list[Axes] = list(self.figure.subplots(1, columns, squeeze=False)[0])
        self.axes = self.all_axes[0]

    def svg(self) -> str:
        """Return the <svg> element."""
        buffer = io.StringIO()
        self.figure.savefig(buffer, format='svg', transparent=True,
                             metadata={'Date': None, 'Creator': None})
        text = buffer.getvalue()
        return text[text.index('<svg'):]


@contextmanager
def new_plot(width: float = 6.4, height: float = 2.9, columns: int = 1) -> Iterator[Plot]:
    """Give an empty plot in the style of the reports; sizes in inches."""
    with mpl.rc_context(_STYLE):
        yield Plot(width, height, columns)


def method_colors(methods: Iterable[str], highlight: str = 'Ours') -> dict[str, str]:
    """Return a colour for each of a few methods; the highlighted one has its own everywhere."""
    others = iter((RAW_COLOR, '#f08c00', '#7048e8', '#2f9e44', '#e03131', '#495057'))
    return {m: OURS_COLOR if m == highlight else next(others) for m in methods}


def lines(x: Sequence[float], series: Mapping[str, Sequence[float]], x_label: str,
          y_label: str, *, zero: bool = True) -> str:
    """
    Several values over one axis; NaN leaves a gap.

    :param zero: let the y axis begin at 0
    """
    with new_plot() as plot:
        colors = (RAW_COLOR, OURS_COLOR) if len(series) == 2 else _SERIES
        for (name, values), color in zip(series.items(), colors, strict=False):
            plot.axes.plot(x, values, color=color, linewidth=1.7, label=name,
                           marker='o', markersize=2.6)
        _finish(plot.axes, x_label, y_label, zero=zero, legend=len(series) > 1)
        return plot.svg()


def histogram(values: Sequence[float], marks: Mapping[str, float], x_label: str) -> str:
    """Distribution of values with marked positions (percentiles)."""
    with new_plot() as plot:
        finite = np.asarray([v for v in values if np.isfinite(v)])
        if finite.size:
            plot.axes.hist(finite, bins=min(40, max(8, finite.size // 3)), color=OURS_COLOR,
                           alpha=0.85)
        for (name, value), style in zip(marks.items(), ('-', '--', ':'), strict=False):
            if np.isfinite(value):
                plot.axes.axvline(value, color='#e8590c', linestyle=style, linewidth=1.6,
                                  label=f'{name}  {value:.1f}')
        _finish(plot.axes, x_label, 'frames', legend=bool(marks))
        return plot.svg()


def stage_bars(stages: Mapping[str, Mapping[str, float]]) -> str:
    """Median of each stage as a bar, its 95th percentile as a whisker, milliseconds."""
    with new_plot(6.4, 0.9 + 0.42 * max(len(stages), 1)) as plot:
        names = list(stages)
        medians = [stages[n]['p50'] for n in names]
        over = [max(stages[n]['p95'] - stages[n]['p50'], 0.0) for n in names]
        plot.axes.barh(names, medians, color=OURS_COLOR, height=0.6,
                       xerr=[[0.0] * len(names), over], ecolor='#e8590c',
                       error_kw={'elinewidth': 1.6, 'capsize': 3})
        for i, name in enumerate(names):
            plot.axes.annotate(f'{stages[name]["p50"]:.2f}', (stages[name]['p95'], i),
                               xytext=(6, 0), textcoords='offset points', va='center',
                               color='#3c4655', fontsize=9.5)
        plot.axes.invert_yaxis()
        plot.axes.grid(axis='y', visible=False)
        plot.axes.margins(x=0.14)
        _finish(plot.axes, 'milliseconds (bar: median, whisker: 95th percentile)', '')
        return plot.svg()


def faces_timeline(times_s: Sequence[float], faces: Sequence[Sequence[tuple[str, float]]],
                   dropped: Sequence[bool]) -> str:
    """
    Which track was seen when: one line per track, stronger where its score is higher.

    :param faces: per frame, track id and score of each face
    :param dropped: per frame
    """
    tracks = list(dict.fromkeys(t for f in faces for t, _ in f))
    with new_plot(12.4, 0.95 + 0.34 * max(len(tracks) + any(dropped), 1)) as plot:
        step = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.1
        # A frame lasts until the next one, unless a gap in the recording lies between.
        widths = [min(w, 3 * step) for w in (*np.diff(times_s), step)]
        for row, track in enumerate(tracks):
            color = np.array(track_color(track)) / 255.0
            spans = [(t, width, s) for t, width, f in zip(times_s, widths, faces, strict=True)
                     for name, s in f if name == track]
            plot.axes.broken_barh(
                [(left, width) for left, width, _ in spans], (row - 0.36, 0.72),
                facecolors=[(*(color * 0.82), 0.25 + 0.75 * score) for _, _, score in spans])
        names = list(tracks)
        if any(dropped):
            lost = [(t, width) for t, width, d in zip(times_s, widths, dropped, strict=True)
                    if d]
            plot.axes.broken_barh(lost, (len(tracks) - 0.36, 0.72), facecolors='#e03131')
            names.append('dropped')
        plot.axes.set_yticks(range(len(names)), names)
        plot.axes.set_ylim(max(len(names), 1) - 0.4, -0.6)
        plot.axes.grid(axis='y', visible=False)
        if len(times_s):
            plot.axes.set_xlim(times_s[0] - step, times_s[-1] + step)
        _finish(plot.axes, 'seconds since the first frame', '', zero=False)
        return plot.svg()


def method_bars(means: Mapping[str, float], deviations: Mapping[str, float], y_label: str,
                highlight: str) -> str:
    """One bar per method, best at the left, with its standard deviation."""
    order = sorted((m for m in means if np.isfinite(means[m])), key=lambda m: means[m])
    with new_plot(*_size(order)) as plot:
        plot.axes.bar(order, [means[m] for m in order], width=0.66,
                      color=[OURS_COLOR if m == highlight else RAW_COLOR for m in order],
                      yerr=[_known(deviations.get(m)) for m in order],
                      error_kw={'elinewidth': 1.3, 'capsize': 3, 'ecolor': '#3c4655'})
        for i, m in enumerate(order):
            plot.axes.annotate(f'{means[m]:.3g}', (i, means[m] + _known(deviations.get(m))),
                               xytext=(0, 4), textcoords='offset points', ha='center',
                               fontsize=9.5, color='#3c4655')
        plot.axes.grid(axis='x', visible=False)
        plot.axes.margins(y=0.12)
        plot.axes.set_xlim(-0.6, max(len(order), _FEW // 2) - 0.4)
        _turn_names(plot.axes, order)
        _finish(plot.axes, '', y_label)
        return plot.svg()


def box_plot(samples: Mapping[str, Sequence[float]], y_label: str, highlight: str) -> str:
    """Spread of the values of each method: quartiles, 5th and 95th percentile."""
    order = sorted(samples, key=lambda m: float(np.median(samples[m])))
    with new_plot(*_size(order)) as plot:
        drawn = plot.axes.boxplot([samples[m] for m in order], whis=(5, 95), showfliers=False,
                                  widths=0.6, patch_artist=True,
                                  medianprops={'color': '#12202f', 'linewidth': 1.5})
        for patch, method in zip(drawn['boxes'], order, strict=True):
            patch.set_facecolor(OURS_COLOR if method == highlight else '#ccd3dc')
            patch.set_edgecolor('#5d6878')
        plot.axes.set_xticks(range(1, len(order) + 1), order)
        _turn_names(plot.axes, order)
        plot.axes.grid(axis='x', visible=False)
        _finish(plot.axes, '', y_label)
        return plot.svg()


def depth_scale_bar(scale: DepthScale) -> str:
    """Horizontal colour bar of a depth scale."""
    with new_plot(6.4, 0.62) as plot:
        gradient = scale.colors(np.linspace(scale.near, scale.far, 400)[None, :])
        plot.axes.imshow(gradient, aspect='auto', extent=(scale.near, scale.far, 0, 1))
        plot.axes.set_yticks([])
        plot.axes.grid(visible=False)
        plot.axes.spines[:].set_visible(False)
        plot.axes.set_xlabel('distance, metres')
        return plot.svg()


def _size(names: Sequence[str]) -> tuple[float, float]:
    return (9.6, 3.3) if len(names) <= _FEW else (12.2, 3.6)


def _turn_names(axes: Axes, names: Sequence[str]) -> None:
    """Slant the names below many bars, where they would overlap."""
    if len(names) > _FEW:
        for label in axes.get_xticklabels():
            label.set(rotation=28, ha='right', rotation_mode='anchor')


def _finish(axes: Axes, x_label: str, y_label: str, *, zero: bool = True,
            legend: bool = False) -> None:
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if zero and y_label:
        axes.set_ylim(bottom=0)
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(loc='best', fontsize=9.5)


def _known(value: float | None) -> float:
    return 0.0 if value is None or not np.isfinite(value) else float(value)
