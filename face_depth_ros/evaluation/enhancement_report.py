# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The main table of `evaluate enhancement` as a reader sees it: verdict, plots, tables, panels."""

from __future__ import annotations

from collections.abc import Mapping

from face_depth_ros.core.depth_view import error_picture
from face_depth_ros.evaluation import enhancement_plots, plots
from face_depth_ros.evaluation.enhancement_panels import d_scale, depth_tile, panel
from face_depth_ros.evaluation.enhancement_protocol import (
    COLUMNS,
    EnhancementScores,
    PAPER_RMSE,
)
from face_depth_ros.evaluation.enhancer_rows import NONE, OURS, PAPER_ROWS, ROWS
from face_depth_ros.evaluation.error_regions import REGION_MEANINGS, REGION_NAMES
from face_depth_ros.evaluation.evaluation_result import Rows
from face_depth_ros.evaluation.overlay import resized
from face_depth_ros.evaluation.report import (
    cards,
    columns,
    figure,
    folded,
    image,
    key_values,
    number,
    paragraph,
    picture_grid,
    table,
)
import numpy as np

_HEADINGS = dict(zip(COLUMNS, ('RMSE', 'std', 'skewness', 'kurtosis', 'whole image', 'support',
                               'time', 'MAC', 'parameters'), strict=True))
_ERROR_LIMIT = 0.08
_PICTURE = 190
_KIND = {NONE: 'no enhancement', **dict.fromkeys(PAPER_ROWS, "the paper's networks"), OURS: 'ours'}


def enhancement_blocks(scores: EnhancementScores, rows: Rows, unit: str,
                       surrounded: Rows | None = None) -> list[str]:
    """
    Return the HTML of the main table.

    :param unit: of the RMSE
    :param surrounded: the same table with all in view that surrounds a head; None = not made
    """
    samples = {name: s.rmse for name, s in scores.methods.items()}
    there = {name: rows[name] for name in scores.methods}
    blocks = [cards(_cards(scores, rows)), _cost_figure(scores, unit),
              _main_table(rows, surrounded), absent_note(scores.absent),
              figure(plots.method_bars({n: r['rmse_mean'] for n, r in there.items()},
                                       {n: r['rmse_std'] for n, r in there.items()},
                                       f'RMSE, {unit}', OURS),
                     'Mean over images, with the standard deviation (Fig. 8 of the paper).'),
              figure(plots.box_plot(samples, f'RMSE, {unit}', OURS),
                     'Spread over images: quartiles, whiskers at 5 and 95 %.'),
              '<h3>What each costs</h3>', _cost_table(scores)]
    if scores.regions.squared:
        blocks += _region_blocks(scores)
    return [*blocks, *_panel_blocks(scores)]


def absent_note(absent: Mapping[str, str]) -> str:
    """Return why rows of a table are empty, '' when none is."""
    if not absent:
        return ''
    reasons: dict[str, list[str]] = {}
    for name, reason in absent.items():
        reasons.setdefault(reason, []).append(name)
    return folded(f'Empty rows: {", ".join(absent)}. Why?', key_values(
        {', '.join(names): reason for reason, names in reasons.items()}))


def compared_rows(scores: EnhancementScores) -> list[str]:
    """Return the few rows to compare closely: the best filter, DL-Delta-1 or its like, ours."""
    paper = 'DL-Delta-1' if 'DL-Delta-1' in scores.methods else scores.best_of_paper()
    names = [scores.best_filter(), paper, OURS if OURS in scores.methods else None]
    return [name for name in names if name] or list(scores.methods)


def _cards(scores: EnhancementScores, rows: Rows) -> list[tuple[str, str, str]]:
    if OURS not in scores.methods:
        return []
    ours, items = rows[OURS], []
    for method, what in ((scores.best_filter(), 'the best filter'),
                         (scores.best_of_paper(), "the paper's best network")):
        if method is not None and (ratio := scores.ratio(method)) is not None:
            items.append((f'{ratio:.2f} x', f'error of {what} over ours',
                          f'{method} {number(scores.mean(method))}, ours '
                          f'{number(ours["rmse_mean"])}'))
    if np.isfinite(ours['full_rmse_mean']):
        items.append((number(ours['full_rmse_mean']), 'RMSE of ours over the whole image',
                      f'support IoU {number(ours["support_iou"])}'))
    return [*items, (f'{ours["ms"]:.1f} ms', 'a face, ours',
                     f'{number(ours["macs"])} MAC, {number(ours["parameters"])} parameters')]


def _main_table(rows: Rows, surrounded: Rows | None) -> str:
    shown = {name: {_HEADINGS[key]: value for key, value in row.items()}
             | ({'all in view': surrounded[name]['rmse_mean']} if surrounded else {})
             | {'paper': PAPER_RMSE.get(name)} for name, row in rows.items()}
    units = {'RMSE': 'mean', 'whole image': 'mean RMSE', 'support': 'IoU', 'time': 'ms',
             'all in view': 'mean RMSE', 'paper': 'mean RMSE'}
    return table(shown, 'method', OURS, units) + paragraph(
        'RMSE: over the true face area, its mean, standard deviation, skewness and excess '
        'kurtosis over images; whole image: outside the face too, where there is nothing; '
        'support: where the method claims surface against the true face; time: median of one '
        'image on this machine; all in view: RMSE on images with hair, glasses, clothes, hands '
        'and walls, where the camera sees head or neck; paper: what its Table IV reports, on its '
        'own data and models.', 'note')


def _cost_figure(scores: EnhancementScores, unit: str) -> str:
    rows = scores.cost_rows()
    kinds = {name: _KIND.get(name, 'filters') for name in rows if name != NONE}
    panels = {
        'milliseconds a face on this machine': {
            n: (rows[n]['ms'], rows[n]['rmse_mean']) for n in kinds},
        'multiply-adds a face': {
            n: (float(rows[n]['macs']), rows[n]['rmse_mean']) for n in kinds if rows[n]['macs']}}
    shown = {label: points for label, points in panels.items() if points}
    if not shown:
        return ''
    return figure(enhancement_plots.error_against_cost(shown, f'RMSE, {unit}', kinds, OURS),
                  'Error against time and against arithmetic, all axes logarithmic; the lower '
                  'left corner is best. Filters have no multiply-adds to count.')


def _cost_table(scores: EnhancementScores) -> str:
    return table(scores.cost_rows(), 'method', OURS) + paragraph(
        'ms: median of one image on this machine, which shares its cores with whatever else runs '
        '(the JSON has the load). sha256: first digits of that of the ONNX file; all of them '
        'stand in the JSON.', 'note')


def _region_blocks(scores: EnhancementScores) -> list[str]:
    names, errors = compared_rows(scores), scores.regions
    by_region = [{name: {REGION_NAMES[r]: v for r, v in values(name).items()} for name in names}
                 for values in (errors.rmse, errors.contribution)]
    maps = {name: errors.rmse_map(name) for name in names}
    difference = None
    if OURS in maps and len(names) > 1:
        difference = (f'Ours - {names[-2]}', maps[OURS] - maps[names[-2]])
    return [
        '<h3>Where in the face the error is</h3>',
        columns(figure(enhancement_plots.region_bars(by_region[0], 'RMSE'),
                       'RMSE of all pixels of each region.'),
                figure(enhancement_plots.region_bars(by_region[1], 'share of the mean square'),
                       'What each region adds to the mean squared error of the face: its RMSE, '
                       'squared, times its share of the pixels.')),
        figure(enhancement_plots.error_maps(maps, difference, 'depth in [0, 1]'),
               'RMSE by place in the canonical crop, over all images with face there.'),
        '<h4>RMSE by region</h4>', table(errors.rmse_rows(), 'method', OURS),
        '<h4>Share of the squared error by region, %</h4>',
        table(errors.share_rows(), 'method', OURS),
        key_values({REGION_NAMES[r]: meaning for r, meaning in REGION_MEANINGS.items()})]


def _panel_blocks(scores: EnhancementScores) -> list[str]:
    blocks = ['<h3>Samples under every enhancer</h3>']
    for i, (pair, results) in enumerate(scores.pictures):
        truth = np.where(pair.area, pair.truth, np.float32(1.0))
        shown = {row: d for row, d in results.items() if row in ROWS}
        picture = panel(shown, {'truth': truth, 'degraded': pair.degraded}, pair.area)
        blocks.append(figure(image(picture, f'sample {i + 1} under every enhancer'),
                             f'Sample {i + 1}, masked to the true face area; dark: holes.'))
    return [*blocks, '<h3>Their errors</h3>', _errors(scores)]


def _errors(scores: EnhancementScores) -> str:
    names = compared_rows(scores)
    headings = ['truth', 'degraded', *names, *(f'{name}, error' for name in names)]
    rows = []
    for i, (pair, results) in enumerate(scores.pictures):
        scale = d_scale(pair.truth, pair.area)
        truth = np.where(pair.area, pair.truth, np.float32(1.0))
        pictures = [depth_tile(d, scale) for d in (truth, pair.degraded,
                                                   *(results[name] for name in names))]
        pictures += [error_picture(np.where(pair.area, results[name] - pair.truth, np.nan),
                                   _ERROR_LIMIT) for name in names]
        rows.append((f'{i + 1}', [resized(p, _PICTURE, _PICTURE) for p in pictures]))
    return picture_grid(headings, rows) + paragraph(
        f'Not masked. Errors from blue ({-_ERROR_LIMIT * 250:g} mm, too near) over white to red '
        f'(+{_ERROR_LIMIT * 250:g} mm, too far).', 'note')
