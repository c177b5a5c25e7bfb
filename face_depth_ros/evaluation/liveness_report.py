# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The section of `evaluate liveness` as a reader sees it: figures, tables, attacks, a capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from face_depth_ros.core.face_box import crop_depth
from face_depth_ros.core.live_identities import LIVE
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.enhancement_report import absent_note
from face_depth_ros.evaluation.enhancer_rows import NONE, OURS
from face_depth_ros.evaluation.evaluation_result import Rows, Table
from face_depth_ros.evaluation.liveness_capture import Capture, capture_sentences
from face_depth_ros.evaluation.liveness_faces import LivenessFace
from face_depth_ros.evaluation.liveness_pad import PadErrors
from face_depth_ros.evaluation.liveness_pictures import (
    answer_text,
    capture_rows,
    depth_rows,
    det_plot,
    frames_plot,
)
from face_depth_ros.evaluation.liveness_protocol import LivenessScores
from face_depth_ros.evaluation.liveness_rows import Answer, BOTH, TEMPORAL
from face_depth_ros.evaluation.liveness_views import LivenessView
from face_depth_ros.evaluation.report import cards, figure, folded, paragraph, table
import numpy as np

_SHOWN_AT_M = 0.7
_CROP_PX = 256
_NOTES = {
    'liveness': 'One threshold for each detector: the highest at which at most 1 % of the living '
                'faces are turned away; a dash where they are too few to tell. ACER: the mean of '
                'BPCER and the APCER of the worst species. What cannot be looked at has no score '
                'and is never accepted. Over time: one answer to a presentation, when its frames '
                'are over.',
    'liveness_decisions': 'Unsure is no acceptance: an attack that is called unsure is no error, '
                          'a living face that is called so is one.',
    'liveness_intervals': "Wilson's score interval. Frames of one person are not independent, so "
                          'the true intervals are wider.'}
_PAD_NOTE = (
    'A landmark fails when it has no depth, is nearer than the nose tip, or, on the jawline, '
    'nearer than its neighbour towards the chin. holes: share of landmarks without depth. worst '
    'fall: how much the error of one attack falls at most; more than a little helps the attacker.')


class Examples:
    """Keeps a presentation of each species, of those the one nearest to 0.7 m."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, np.ndarray, np.ndarray, str]] = {}

    def see(self, face: LivenessFace, view: LivenessView, said: Mapping[str, Answer]) -> None:
        """Look at a presentation."""
        off = abs(face.distance_m - _SHOWN_AT_M)
        if face.species in self._kept and self._kept[face.species][0] <= off:
            return
        answer = said.get(BOTH) or next(iter(said.values()), None)
        self._kept[face.species] = (
            off, crop_depth(view.raw.depth, face.box, _CROP_PX),
            crop_depth(view.enhanced.depth, face.box, _CROP_PX),
            '' if answer is None else answer_text(answer))

    def blocks(self) -> list[str]:
        """Return the pictures, the living face first."""
        order = sorted(self._kept, key=lambda kind: kind != LIVE)
        said = '; '.join(f'{kind}: {self._kept[kind][3]}' for kind in order)
        return [*depth_rows({kind: (self._kept[kind][1], self._kept[kind][2])
                             for kind in order}),
                paragraph(f'A living face and each species of attack, as measured and after the '
                          'depth enhancer, which leaves alone what it takes for no face. What is '
                          f'said of them: {said}.', 'note')]


def liveness_blocks(scores: LivenessScores, pads: Sequence[PadErrors],
                    tables: Mapping[str, Table], examples: Examples,
                    absent: Mapping[str, str], verdict: Sequence[str]) -> list[str]:
    """
    Return the HTML of the section, without the recording.

    :param tables: as in the JSON
    :param absent: enhancers and detectors that are not there, with the reason
    :param verdict: sentences on every source and detector
    """
    ours = highlighted(scores)
    # Where the living are too few for a threshold the decisions come first.
    told = any(row.at_threshold for row in scores.rows.values())
    first = 'liveness' if told else 'liveness_decisions'
    blocks = [cards(_cards(scores, pads, ours)), *_table(tables[first], ours, first)]
    blocks.append(folded('Does enhancement help, and who gets through? One by one',
                         *map(paragraph, verdict)))
    curves = {name: row.curves for name, row in scores.rows.items() if row.curves}
    if curves:
        blocks.append(figure(det_plot(curves, ours), 'Detection error trade-off: how many attacks '
                             'pass and how many living faces are turned away, over all '
                             'thresholds. Dashed: BPCER 1 %.'))
    blocks += ['<h3>What the cameras see</h3>', *examples.blocks()]
    for key, item in tables.items():
        if key.startswith('liveness') and key != first and (told or key != 'liveness'):
            blocks += [f'<h3>{escape(item.title)}</h3>', *_table(item, ours, key)]
    for key, item in tables.items():
        if key.startswith('pad_'):
            blocks += [f'<h3>{escape(f"{item.title}: {item.dataset}")}</h3>',
                       *([_pad_bars(item.rows)] if key.startswith('pad_error') else []),
                       table(item.rows, 'enhancer', OURS), paragraph(item.unit, 'note')]
    if pads:
        blocks.append(paragraph(_PAD_NOTE, 'note'))
    return [*blocks, absent_note(absent)]


def capture_blocks(capture: Capture, rows: Rows, row: str) -> list[str]:
    """
    Return the HTML of the recording.

    :param row: the detector whose answers stand above the pictures
    """
    statement, *rest = capture_sentences(rows)
    return [f'<h3>{escape(f"A mannequin head, frame by frame: {capture.name}")}</h3>',
            paragraph(statement), *map(paragraph, rest), table(rows, 'detector', row),
            figure(frames_plot(capture.frames), 'What every detector says of every frame.'),
            figure(capture_rows(capture.frames, row),
                   f'Frames of the recording; above each: {row}.')]


def highlighted(scores: LivenessScores) -> str:
    """Return the row that ships, or the first there is."""
    return next((row for row in (BOTH, TEMPORAL, *reversed(scores.rows)) if row in scores.rows),
                '')


def _table(item: Table, ours: str, key: str) -> list[str]:
    note = [paragraph(_NOTES[key], 'note')] if key in _NOTES else []
    rows = {name: {column: f'{value:.2f}' if isinstance(value, float) else value
                   for column, value in row.items()} for name, row in item.rows.items()}
    return [table(rows, 'detector', ours), paragraph(f'{item.dataset}; {item.unit}', 'note'),
            *note]


def _pad_bars(rows: Rows) -> str:
    filled = {name: row for name, row in rows.items() if row['images']}
    return figure(plots.method_bars({n: r['mean'] for n, r in filled.items()},
                                    {n: r['std'] for n, r in filled.items()},
                                    'landmark error', OURS),
                  'Mean landmark error of faces, all images: lower is better.')


def _cards(scores: LivenessScores, pads: Sequence[PadErrors],
           ours: str) -> list[tuple[str, str, str]]:
    shown = [(f'{scores.people}', 'people, held out',
              f'{len(scores.faces) - 1} species of attack')]
    for name in dict.fromkeys((ours, TEMPORAL)):
        row = scores.rows.get(name)
        if row is None:
            continue
        if row.at_threshold is not None:
            shown.append((f'{100.0 * row.at_threshold.worst_apcer:.1f} %',
                          f'worst APCER at BPCER 1 %, {name.lower()}',
                          row.at_threshold.worst_species))
        else:
            shown.append((f'{100.0 * row.as_decided.worst_apcer:.1f} %',
                          f'worst APCER as decided, {name.lower()}',
                          row.as_decided.worst_species))
        shown.append((f'{100.0 * row.equal_error:.1f} %', f'equal error, {name.lower()}',
                      'all attacks'))
    for result in pads:
        raw, enhanced = result.mean(NONE), result.mean(OURS)
        if raw is not None and enhanced is not None:
            shown.append((f'{enhanced:.3f}', f'landmark error after ours, {raw:.3f} before',
                          result.dataset))
    return shown
