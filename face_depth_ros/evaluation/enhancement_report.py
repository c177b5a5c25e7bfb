# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Plots and pictures of `evaluate enhancement`."""

from __future__ import annotations

from face_depth_ros.core.depth import DepthRange
from face_depth_ros.core.depth_view import DepthScale, error_picture, shaded_depth
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.enhancement_protocol import EnhancementScores, NONE, OURS
from face_depth_ros.evaluation.evaluation_result import Rows
from face_depth_ros.evaluation.overlay import resized
from face_depth_ros.evaluation.report import cards, figure, number, paragraph, picture_grid, table
import numpy as np

_SLAB = DepthRange(0.6)
_BOX_M = 0.22
_ERROR_LIMIT = 0.08
_PICTURE = 190


def enhancement_blocks(scores: EnhancementScores, rows: Rows, unit: str) -> list[str]:
    """
    Return the HTML of the main table: key figures, bars, spread, table and examples.

    :param unit: of the RMSE
    """
    best = scores.best_filter()
    ours = rows[OURS]
    items = [(f'{scores.ratio():.2f} x', 'mean RMSE of the best filter over ours',
              f'{best} {number(rows[best]["rmse_mean"])}, ours {number(ours["rmse_mean"])}'),
             (number(ours['rmse_mean']), f'mean RMSE of ours, {unit}',
              f'unenhanced {number(rows[NONE]["rmse_mean"])}'),
             (f'{ours["ms"]:.1f} ms', 'per face', f'{ours["macs"] / 1e9:.2f} GMAC, '
              f'{ours["parameters"] / 1e6:.2f} M parameters')]
    if np.isfinite(ours['support_iou']):
        items.insert(2, (number(ours['support_iou']), 'support IoU with the true face', ''))
    means = {name: row['rmse_mean'] for name, row in rows.items()}
    deviations = {name: row['rmse_std'] for name, row in rows.items()}
    samples = {name: s.rmse for name, s in scores.methods.items()}
    return [
        cards(items),
        figure(plots.method_bars(means, deviations, f'RMSE, {unit}', OURS),
               'Mean RMSE over the true face area, with the standard deviation over images.'),
        figure(plots.box_plot(samples, f'RMSE, {unit}', OURS),
               'Spread over images: quartiles, whiskers at 5 and 95 %.'),
        table(rows, 'method', OURS),
        paragraph('rmse: over the true face area; full: over the whole image; support IoU: where '
                  'the method claims surface against the true face; ms: median of one image on '
                  'this machine.', 'note'),
        '<h3>Examples</h3>', _examples(scores, best)]


def _examples(scores: EnhancementScores, best: str) -> str:
    headings = ['truth', 'input', best, 'ours', f'{best}, error', 'ours, error']
    known = scores.pictures[0][0].face is None
    rows = []
    for i, (pair, results) in enumerate(scores.pictures):
        truth = np.where(pair.area, pair.truth, np.float32(1.0))
        images = [pair.truth if known else truth, pair.degraded, results[best], results[OURS]]
        metres = [_SLAB.denormalise(d) for d in images]
        near = DepthScale.around(np.concatenate([m[np.isfinite(m)] for m in metres[:1]]))
        focal = images[0].shape[0] * _SLAB.nearest / _BOX_M
        pictures = [shaded_depth(m, near, focal) for m in metres]
        pictures += [error_picture(np.where(pair.area, results[name] - pair.truth, np.nan),
                                   _ERROR_LIMIT) for name in (best, OURS)]
        rows.append((f'{i + 1}', [resized(p, _PICTURE, _PICTURE) for p in pictures]))
    return picture_grid(headings, rows) + paragraph(
        f'Errors from blue ({-_ERROR_LIMIT * 250:g} mm, too near) over white to red '
        f'(+{_ERROR_LIMIT * 250:g} mm, too far).', 'note')
