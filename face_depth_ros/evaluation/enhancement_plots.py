# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Plots of the enhancers: error against cost, error by region, and maps of the error."""

from __future__ import annotations

from collections.abc import Mapping

from face_depth_ros.evaluation.plots import method_colors, new_plot
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
import numpy as np

_SOFT, _INK = '#5d6878', '#1b2330'
_LABEL_HEIGHT = 0.052
"""Of the height of the axes: labels nearer than this are pushed apart."""


def error_against_cost(panels: Mapping[str, Mapping[str, tuple[float, float]]], y_label: str,
                       kinds: Mapping[str, str], highlight: str) -> str:
    """
    Methods as points, cheap at the left, accurate below; the best place is the lower left corner.

    :param panels: label of the (logarithmic) x axis -> method -> cost, error
    :param kinds: method -> its kind, which gives the colour
    :param highlight: the method to emphasise
    """
    colors = method_colors(dict.fromkeys(kinds.values()), kinds.get(highlight, ''))
    errors = [y for points in panels.values() for _, y in points.values()]
    with new_plot(12.2, 4.6, columns=len(panels)) as plot:
        for axes, (x_label, points) in zip(plot.all_axes, panels.items(), strict=True):
            for kind, color in colors.items():
                shown = {m: p for m, p in points.items() if kinds[m] == kind}
                axes.scatter([x for x, _ in shown.values()], [y for _, y in shown.values()],
                             s=[120 if m == highlight else 54 for m in shown], color=color,
                             label=kind if shown else None, zorder=3, edgecolor='white',
                             linewidth=0.8)
            axes.set_xscale('log')
            axes.set_xlabel(x_label)
            axes.set_yscale('log')
            axes.set_ylim(0.75 * min(errors), 1.3 * max(errors))
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:.3g}'))
            axes.margins(x=0.2)
            _label_points(axes, points, highlight)
        plot.all_axes[0].set_ylabel(y_label)
        plot.all_axes[0].legend(loc='upper right', fontsize=9.5)
        return plot.svg()


def region_bars(values: Mapping[str, Mapping[str, float]], y_label: str) -> str:
    """
    Groups of bars, one group for each region, one bar for each method.

    :param values: method -> region -> value
    """
    regions = list(dict.fromkeys(r for v in values.values() for r in v))
    with new_plot(6.6, 3.5) as plot:
        width = 0.8 / max(len(values), 1)
        for i, (name, color) in enumerate(method_colors(values).items()):
            left = np.arange(len(regions)) + (i - (len(values) - 1) / 2) * width
            heights = [float(np.nan_to_num(values[name][r])) for r in regions]
            plot.axes.bar(left, heights, width * 0.94, color=color, label=name)
        plot.axes.set_xticks(range(len(regions)), [r.replace(' ', '\n') for r in regions])
        plot.axes.grid(axis='x', visible=False)
        plot.axes.set_ylabel(y_label)
        plot.axes.legend(loc='upper left', fontsize=9.5)
        return plot.svg()


def error_maps(maps: Mapping[str, np.ndarray], difference: tuple[str, np.ndarray] | None,
               unit: str) -> str:
    """
    Error by place in the canonical crop, on one scale, and where two methods differ.

    :param maps: title -> (H, W), NaN where unknown
    :param difference: title and (H, W) of a signed difference; None = not drawn
    """
    highest = max(float(np.nanpercentile(m, 99)) for m in maps.values())
    with new_plot(12.2, 3.1, columns=len(maps) + (difference is not None)) as plot:
        for axes, (title, values) in zip(plot.all_axes, maps.items(), strict=False):
            shown = axes.imshow(values, cmap='magma', vmin=0.0, vmax=highest,
                                interpolation='nearest')
            _bare(axes, title)
        bar = plot.figure.colorbar(shown, ax=plot.all_axes[:len(maps)], fraction=0.03, pad=0.01)
        bar.set_label(f'RMSE, {unit}')
        bar.outline.set_visible(False)
        if difference is not None:
            title, values = difference
            limit = max(float(np.nanpercentile(np.abs(values), 98)), 1e-9)
            axes = plot.all_axes[-1]
            shown = axes.imshow(values, cmap='RdBu_r', vmin=-limit, vmax=limit,
                                interpolation='nearest')
            _bare(axes, title)
            bar = plot.figure.colorbar(shown, ax=axes, fraction=0.05, pad=0.02)
            bar.set_label('blue: better')
            bar.outline.set_visible(False)
        return plot.svg()


def _bare(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=11, color=_INK)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_facecolor('#e9ecf1')


def _label_points(axes: Axes, points: Mapping[str, tuple[float, float]], highlight: str) -> None:
    """Write names beside points; where they would overlap, one above the other."""
    if not points:
        return
    low, high = np.log(axes.get_ylim())
    order = sorted(points, key=lambda m: points[m][1])
    heights: list[float] = []
    for name in order:
        wanted = (np.log(points[name][1]) - low) / (high - low)
        # Only labels over neighbouring costs can overlap.
        beside = [h for other, h in zip(order, heights, strict=False)
                  if 0.2 < points[other][0] / points[name][0] < 5.0]
        heights.append(max([wanted, *(h + _LABEL_HEIGHT for h in beside
                                      if abs(h - wanted) < _LABEL_HEIGHT or h > wanted)]))
    for name, height in zip(order, heights, strict=True):
        x, y = points[name]
        place = float(np.exp(height * (high - low) + low))
        if place > 1.02 * y:
            axes.plot((x, 1.06 * x), (y, place), color='#b6bfca', linewidth=0.7, zorder=2)
        axes.annotate(name, (x, place), xytext=(8, 0), textcoords='offset points', va='center',
                      fontsize=11 if name == highlight else 9.5,
                      color=_INK if name == highlight else _SOFT,
                      fontweight='bold' if name == highlight else 'normal',
                      bbox={'pad': 0, 'alpha': 0})
