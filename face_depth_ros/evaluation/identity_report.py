# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The tables of `evaluate identity` as a reader sees them: key figures, verdict, bars, tables."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import islice

from face_depth_ros.evaluation.enhancement_report import absent_note
from face_depth_ros.evaluation.evaluation_result import Table
from face_depth_ros.evaluation.grouped_bars import grouped_bars
from face_depth_ros.evaluation.identity_protocol import IdentityScores
from face_depth_ros.evaluation.identity_rows import STUDENT
from face_depth_ros.evaluation.identity_tables import AVERAGE, highlighted, MAIN, MAIN_RATE
from face_depth_ros.evaluation.identity_verdict import (
    columns_of,
    GOAL_ACCEPT,
    GOALS,
    identity_verdict,
)
from face_depth_ros.evaluation.identity_views import ESTIMATED
from face_depth_ros.evaluation.plots import new_plot
from face_depth_ros.evaluation.report import (
    cards,
    figure,
    folded,
    key_values,
    number,
    paragraph,
    table,
)

MISSED = ' probes'
_SHOWN_LEFT_OUT = 200
_NOTES = {
    MAIN: 'Average: over all probes. Where scores tie, the stranger counts as the better one. '
          'A network by itself: the mean of the cosines of all that it tells, weighed as its spec '
          'says (the paper: two cosines alike). RGB only and depth only use one half of the same '
          'network, guided by the mask; its time is that of the whole. Shape only and joint only '
          'have seen colour and depth too, where the network tells evidence.',
    'identity_verification': 'All pairs of a gallery face and a probe. TAR: share of pairs of '
                             'one person that pass at the lowest threshold which at most so many '
                             'pairs of two people reach; a dash where there are too few of them.',
}


def identity_blocks(scores: IdentityScores, tables: Mapping[str, Table]) -> list[str]:
    """
    Return the HTML of the section.

    :param tables: as in the JSON, the main one first
    """
    first, ours = next(iter(tables)), highlighted(scores)
    blocks = [cards(_cards(scores)), table(tables[first].rows, 'recogniser', ours),
              paragraph(f'{tables[first].dataset}; {tables[first].unit}', 'note'), _note(first),
              absent_note(scores.absent)]
    missed = {name: {f'all{MISSED}': 100.0 - columns[AVERAGE],
                     **({f'pose{MISSED}': 100.0 - columns['pose']} if 'pose' in columns else {})}
              for name, row in scores.rows.get(ESTIMATED, {}).items()
              if (columns := columns_of(row))}
    if missed:
        blocks.append(figure(
            grouped_bars(missed, tuple(next(iter(missed.values()))), 'not first, %', ours),
            'Probes whose person does not come first; depth and mask estimated from colour.'))
        blocks.append(figure(_curves(scores, ours), 'Verification with depth and mask estimated '
                             'from colour: how many pairs of one person pass.'))
    sentences = identity_verdict(scores)
    if sentences:
        blocks.append(folded('Does fusion beat each single modality? Table by table',
                             *(paragraph(sentence) for sentence in sentences)))
    for key, item in tables.items():
        if key != first:
            blocks += [f'<h3>{escape(item.title)}</h3>', table(item.rows, 'recogniser', ours),
                       paragraph(f'{item.dataset}; {item.unit}', 'note'), _note(key)]
    return [block for block in blocks if block]


def _curves(scores: IdentityScores, ours: str) -> str:
    """Draw the curves of all rows (ROC)."""
    with new_plot(9.6, 3.3) as plot:
        for name, row in scores.rows[ESTIMATED].items():
            rates, accepted = zip(*row.curve, strict=True)
            plot.axes.plot(rates, [100.0 * a for a in accepted], label=name,
                           linewidth=2.4 if name == ours else 1.2)
        plot.axes.set_xscale('log')
        plot.axes.set_xlabel('false-accept rate')
        plot.axes.set_ylabel('true accepts, %')
        plot.axes.legend(loc='lower right')
        return plot.svg()


def _cards(scores: IdentityScores) -> list[tuple[str, str, str]]:
    shown = [(f'{scores.people}', 'people', f'{scores.probes} probes')]
    row = scores.rows.get(ESTIMATED, {}).get(STUDENT)
    if row is None:
        return shown
    for column, value in columns_of(row).items():
        if column in GOALS:
            shown.append((f'{number(value)} %', f'rank-1 of the student, {column}',
                          f'goal {GOALS[column]:g}'))
    accepted = row.true_accept.get(MAIN_RATE)
    if accepted is not None:
        shown.append((f'{number(100.0 * accepted)} %', f'TAR at FAR {MAIN_RATE:g}',
                      f'goal {GOAL_ACCEPT:g}'))
    for depth, times in scores.ms.items():
        if STUDENT in times:
            shown.append((f'{number(times[STUDENT])} ms', f'the student, one face, depth {depth}',
                          'on this machine'))
    return shown


def left_out_block(left_out: Mapping[str, str]) -> str:
    """
    Return the HTML of which faces are left out, '' for none.

    :param left_out: name of a recording -> why
    """
    if not left_out:
        return ''
    shown = dict(islice(left_out.items(), _SHOWN_LEFT_OUT))
    rest = [paragraph(f'{len(left_out) - len(shown)} more stand in identity.json.', 'note')
            ] if len(shown) < len(left_out) else []
    return folded(f'Faces left out: {len(left_out)}. Which, and why?', key_values(shown), *rest)


def _note(key: str) -> str:
    return paragraph(_NOTES[key], 'note') if key in _NOTES else ''
