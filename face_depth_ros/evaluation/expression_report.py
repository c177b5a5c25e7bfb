# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The result of `evaluate expression`: key figures, verdict, confusion, bars, faces, tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from html import escape
import os
from typing import Any

from face_depth_ros.evaluation.enhancement_report import absent_note
from face_depth_ros.evaluation.evaluation_result import Evaluation, Table
from face_depth_ros.evaluation.expression_plots import (
    confusion_plot,
    example_strip,
    position_plot,
    reliability_plot,
)
from face_depth_ros.evaluation.expression_protocol import Example, ExpressionScores
from face_depth_ros.evaluation.expression_rows import FULL, STUDENT
from face_depth_ros.evaluation.expression_scores import MAIN
from face_depth_ros.evaluation.expression_tables import (
    complete_rows,
    expression_tables,
    highlighted,
    percent,
    POSITIONS,
)
from face_depth_ros.evaluation.expression_verdict import (
    differences,
    expression_verdict,
    GOAL,
    MOST_ALARMS,
)
from face_depth_ros.evaluation.grouped_bars import grouped_bars
from face_depth_ros.evaluation.report import (
    cards,
    columns,
    figure,
    folded,
    image,
    number,
    paragraph,
    table,
)

_HEADINGS = {'expression_fusion': 'fusion', 'expression_mask_attention': 'images',
             'expression_positions': 'fused at', 'expression_units': 'action unit'}
_LEAST_OF_BIN = 10
_SHOWN_COLUMNS = (MAIN, 'pose', 'occlusion')
_NOTES = {
    'expression': 'The likeliest of the six basic expressions is taken, as in the papers; a face '
                  'that is not found counts as wrong. Texture alone: the same network without '
                  'depth. Networks of ablations see the first column alone.',
    'expression_neutral': 'Networks of the papers know no neutral faces and have no row here.',
    'expression_fusion': 'Without mask attention. The paper: mean of ten folds on 60 people of '
                         'BU-3DFE, another dataset than here; only the order of rows can be '
                         'compared.',
    'expression_parameters': 'Networks that somebody exports from training have batch '
                             'normalisation folded away; where the spec says what was trained, '
                             'that is counted.',
    'expression_affect': 'Truth: valence and arousal of the full expression times its strength. '
                         'Networks of six expressions: the mean of these, weighed by probability.',
}


def expression_result(scores: ExpressionScores, dataset: str, about: str) -> Evaluation:
    """
    Put everything together.

    :param dataset: what it was measured on, for the tables
    :param about: how, for the report
    """
    tables = expression_tables(scores, dataset)
    verdict = expression_verdict(scores)
    result = Evaluation('expression', about, tables, details=expression_details(scores),
                        lead=' '.join(verdict[:3]))
    result.blocks = expression_blocks(scores, tables, verdict)
    return result


def expression_details(scores: ExpressionScores) -> dict[str, Any]:
    """Return the further entries of the JSON."""
    return {
        'people': scores.people, 'photos': scores.photos, 'faces_of': scores.columns,
        'neutral_faces': scores.neutral, 'faces_not_found': scores.unseen,
        'faces_without_depth': scores.by_texture, 'load_average': os.getloadavg()[0],
        'verdict': expression_verdict(scores), 'absent': scores.absent,
        'differences': {claim: {column: asdict(found) for column, found in by_column.items()}
                        for claim, by_column in differences(scores).items()},
        'confusion': {name: row.confusion.tolist() for name, row in scores.rows.items()},
        'confusion_of_seven': {name: row.neutral.confusion.tolist()
                               for name, row in scores.rows.items() if row.neutral is not None},
        'reliability': {name: row.curve for name, row in scores.rows.items()},
        'models': {name: asdict(model) for name, model in scores.models.items()}}


def expression_blocks(scores: ExpressionScores, tables: Mapping[str, Table],
                      verdict: list[str]) -> list[str]:
    """
    Return the HTML of the section.

    :param tables: as in the JSON, the main one first
    """
    first, ours = next(iter(tables)), highlighted(scores)
    blocks = [cards(_cards(scores)), table(tables[first].rows, 'recogniser', ours),
              paragraph(tables[first].unit, 'note'), _note(first), absent_note(scores.absent)]
    blocks += [_bars(scores, ours), _confusions(scores), _faces(scores)]
    if len(verdict) > 3:
        blocks.append(folded('Do two modalities, masks and weights help? Claim by claim',
                             *(paragraph(sentence) for sentence in verdict[3:])))
    for key, item in tables.items():
        if key != first:
            blocks += [f'<h3>{escape(item.title)}</h3>',
                       table(item.rows, _HEADINGS.get(key, 'recogniser'), ours),
                       paragraph(f'{item.dataset}; {item.unit}', 'note'), _note(key)]
        if key == 'expression_positions':
            blocks.append(_positions(tables[key]))
        if key == 'expression_calibration':
            blocks.append(_reliability(scores, ours))
    return [block for block in blocks if block]


def _bars(scores: ExpressionScores, ours: str) -> str:
    shown = [c for c in _SHOWN_COLUMNS if c in scores.columns]
    wrong = {name: {column: None if column not in row.six else 100.0 - 100.0 * row.six[column]
                    for column in shown} for name, row in complete_rows(scores).items()}
    if not wrong or not shown:
        return ''
    return figure(grouped_bars(wrong, shown, 'wrong, %', ours),
                  'Expressions that are told wrongly, best network first: '
                  f'{", then ".join(shown)}.')


def _confusions(scores: ExpressionScores) -> str:
    plots = [figure(confusion_plot(scores.rows[name].confusion, f'{name}, six expressions'),
                    f'{name}: levels 3 and 4 from the front, percent of the faces that show it.')
             for name in (FULL, STUDENT) if name in scores.rows]
    student = scores.rows.get(STUDENT)
    if student is not None and student.neutral is not None:
        plots.append(figure(
            confusion_plot(student.neutral.confusion, f'{STUDENT}, all seven'),
            'The student by all seven: the same faces and neutral ones from the front.'))
    return columns(*plots) if plots else ''


def _faces(scores: ExpressionScores) -> str:
    strips = []
    for right, words in ((True, 'Right calls'), (False, 'Wrong calls')):
        brightest: dict[int, Example] = {}
        for example in sorted((e for e in scores.examples if e.right is right),
                              key=lambda e: float(e.color.mean())):
            brightest[example.label] = example
        if brightest:
            chosen = [brightest[label] for label in sorted(brightest)]
            strips.append(figure(image(example_strip(chosen), words),
                                 f'{words} at levels 3 and 4, by {highlighted(scores)}, with '
                                 'its probability among the six.'))
    return ''.join(strips)


def _positions(item: Table) -> str:
    values = {name: row['here'] for name, row in item.rows.items() if row['here'] is not None}
    ordered = {name: values[name] for name in POSITIONS.values() if name in values}
    if len(ordered) < 2:
        return ''
    return figure(position_plot(ordered), 'Layers at which depth is added to texture.')


def _reliability(scores: ExpressionScores, ours: str) -> str:
    curves = {name: [bin_ for bin_ in row.curve if bin_[2] >= _LEAST_OF_BIN]
              for name, row in scores.rows.items()
              if name in (ours, FULL) or scores.network_of[name] == ours}
    curves = {name: curve for name, curve in curves.items() if curve}
    if not curves:
        return ''
    return figure(reliability_plot(curves, ours), 'Above the dashed line a network is right more '
                  f'often than it says; bins of fewer than {_LEAST_OF_BIN} faces are left out.')


def _cards(scores: ExpressionScores) -> list[tuple[str, str, str]]:
    shown = [(f'{scores.people}', 'people', f'{scores.photos} photos')]
    row = scores.rows.get(STUDENT)
    if row is None:
        return shown
    shown.append((f'{number(percent(row.six[MAIN]))} %', 'six expressions, the student',
                  f'levels 3 and 4; goal {GOAL:g}'))
    if row.neutral is not None:
        shown.append((f'{number(percent(row.neutral.seven))} %', 'all seven, the student',
                      'levels 3 and 4, and neutral'))
        shown.append((f'{number(percent(row.neutral.false_alarms))} %', 'false alarms',
                      f'neutral faces; at most {MOST_ALARMS:g}'))
    if FULL in scores.rows:
        shown.append((f'{number(percent(scores.rows[FULL].six[MAIN]))} %',
                      'six expressions, AFNet-M', 'levels 3 and 4'))
    if STUDENT in scores.ms:
        shown.append((f'{number(scores.ms[STUDENT])} ms', 'the student, one face',
                      'on this machine'))
    return shown


def _note(key: str) -> str:
    return paragraph(_NOTES[key], 'note') if key in _NOTES else ''
