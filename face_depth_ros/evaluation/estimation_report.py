# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The tables of `evaluate estimation` as a reader sees them: verdict, bars, tables, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from face_depth_ros.core.estimation_metrics import GREY_ERRORS
from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.enhancement_report import absent_note
from face_depth_ros.evaluation.estimation_panels import estimation_panels
from face_depth_ros.evaluation.estimation_protocol import EstimationScores, mean_interval
from face_depth_ros.evaluation.estimation_verdict import GOAL_IOU, GOAL_MS, GOAL_NME, orders
from face_depth_ros.evaluation.estimator_rows import OURS
from face_depth_ros.evaluation.evaluation_result import Table
from face_depth_ros.evaluation.grouped_bars import grouped_bars
from face_depth_ros.evaluation.report import (
    cards,
    columns,
    figure,
    folded,
    number,
    paragraph,
    table,
)

_OWN_NOTES = {
    'estimation': 'rmse mm: relief in the face area that row and truth share; shape mm: the same '
                  'after the best offset; coverage: how much of the true face that is. mse common '
                  "and mse whole: DepthNet's Tables I and V. mean iou counts the classes of the "
                  'truth, the background among them; face iou only face or none. nme: 68 '
                  'landmarks, the visible ones and all. ms: median of one crop on this machine, '
                  'which shares its cores with whatever else runs (the JSON has the load).',
    'grey_depth': 'L1 norm, L2 norm and RMSE linear count all pixels of the image, the others '
                  'those of the true face, of all images alike; a prediction below 1 counts as 1. '
                  'L2 norm is the mean over images of the norm of the difference image; RMSE '
                  'scale-invariant the root of the mean over images of the variance of log p - '
                  'log t.',
    'depth_mse': 'Table I counts pixels where the truth and every row compared here have a face, '
                 'so it depends on which rows are there; Table V counts the whole image. Means '
                 'over faces; the intervals take the photos of one person as one.',
    'mask_iou': 'Rows without classes are compared by face or none alone.',
    'confidence': 'A network that does not say how sure it is counts as sure by how much of the '
                  'middle of the crop it paints as face.'}


def estimation_blocks(scores: EstimationScores, tables: Mapping[str, Table],
                      accuracy: Mapping[str, float] | None = None,
                      unverified: str = '') -> list[str]:
    """
    Return the HTML of the section.

    :param tables: as in the JSON, the main one first
    :param accuracy: of face verification, by row, if it was measured
    :param unverified: why it was not
    """
    main = next(iter(tables))
    blocks = [cards(_cards(scores, tables[main])), table(tables[main].rows, 'estimator', OURS),
              _note(main), absent_note(scores.absent), *_bars(scores),
              f'<h3>{escape(tables["grey_depth"].title)}</h3>',
              table(_with_arrows(tables['grey_depth']), 'estimator', OURS), _note('grey_depth')]
    sentences = orders(scores, accuracy)
    if sentences:
        blocks.append(folded('Is cGAN before AE and pix2pix? Measure by measure',
                             *(paragraph(sentence) for sentence in sentences)))
    for key, item in tables.items():
        if key not in (main, 'grey_depth'):
            blocks += [f'<h3>{escape(item.title)}</h3>', table(item.rows, 'estimator', OURS),
                       _note(key)]
    if unverified:
        blocks.append(paragraph(f'There is no face verification: {unverified}', 'note'))
    pictures = estimation_panels(scores.pictures)
    if pictures:
        blocks += ['<h3>Faces under every estimator</h3>', pictures,
                   paragraph('Surfaces are lit from the upper left, dark where a row sees no '
                             'face. Over the photo: the classes of the mask '
                             f'({", ".join(MASK_LABELS[1:])}) and the 68 landmarks, where a row '
                             'knows them.', 'note')]
    return blocks


def _cards(scores: EstimationScores, main: Table) -> list[tuple[str, str, str]]:
    shown = [(f'{scores.faces}', 'faces', f'{len(set(scores.identities))} people')]
    line = main.rows[OURS]
    if line['rmse_mm'] is None:
        return shown
    shown += [(f'{number(line["rmse_mm"])} mm', 'RMSE of our relief', 'in the face area'),
              (number(line['mean_iou']), 'mean IoU of our mask', f'goal {GOAL_IOU}'),
              (f'{number(line["nme_visible"])} %', 'our landmarks, of the box',
               f'goal {GOAL_NME} %')]
    if line['ms'] is not None:
        shown.append((f'{number(line["ms"])} ms', 'our network, one face',
                      f'goal {GOAL_MS:g} ms, two free cores'))
    return shown


def _bars(scores: EstimationScores) -> list[str]:
    """Draw the squared errors and the metric error, with 95 % intervals."""
    people = scores.identities
    relief = {name: mean_interval([e.rmse_mm for e in row.relief], people)
              for name, row in scores.rows.items()}
    whole = {name: mean_interval(row.whole, people) for name, row in scores.rows.items()}
    blocks = [columns(
        figure(_method_bars(relief, 'RMSE in the face area, mm'),
               'Metric relief, mean over faces with its 95 % interval.'),
        figure(_method_bars(whole, 'squared grey levels'),
               "DepthNet's Table V: squared error over the whole image, with 95 % intervals."))]
    iou = {name: {'mean of classes': row.confusion.mean_iou() if row.has_mask else None,
                  'face or none': row.confusion.face_iou()} for name, row in scores.rows.items()}
    return [*blocks, figure(grouped_bars(iou, ('face or none', 'mean of classes'), 'IoU', OURS),
                            'Masks, worst at the left.')]


def _method_bars(intervals: Mapping[str, tuple[float, float]], label: str) -> str:
    return plots.method_bars({name: mean for name, (mean, _) in intervals.items()},
                             {name: half for name, (_, half) in intervals.items()}, label, OURS)


def _with_arrows(item: Table) -> Mapping[str, Mapping[str, object]]:
    """Say in the headings whether less or more is better."""
    return {name: {f'{column} {_arrow(column)}': value for column, value in row.items()}
            for name, row in item.rows.items()}


def _arrow(column: str) -> str:
    return '\N{DOWNWARDS ARROW}' if column in GREY_ERRORS else '\N{UPWARDS ARROW}'


def _note(key: str) -> str:
    return paragraph(_OWN_NOTES[key], 'note') if key in _OWN_NOTES else ''
