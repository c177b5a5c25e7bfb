# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How well expressions are told: the six basic ones as in the papers, and neutral faces apart.

Protocol: Sui et al., "AFNet-M: Adaptive Fusion Network with Masks for 2D+3D Facial Expression
Recognition", III.A: each person shows six expressions, of which levels 3 and 4 count, and the
likeliest of the six is taken. A robot meets neutral faces too, so that networks that know them
are also judged by all seven. Nobody here was trained on, so that there are no folds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
import time

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.expression_labels import ACTION_UNITS, NEUTRAL
from face_depth_ros.core.expression_metrics import best_of_six
from face_depth_ros.core.frames import Expression
from face_depth_ros.engines.openvino_graph_cost import GraphCost
from face_depth_ros.evaluation.compared_rows import RowModel
from face_depth_ros.evaluation.expression_rows import (
    ExpressionRows,
    is_wide,
    look_at,
    STUDENT,
)
from face_depth_ros.evaluation.expression_scores import judge_row, main_faces, RowScores
from face_depth_ros.evaluation.expression_views import blank_face, FaceViewer
import numpy as np

_TRUTH = ('person', 'condition', 'label', 'level', 'strength', 'action_units', 'yaw')
_EXAMPLES = 6
"""Faces of each expression, right ones and wrong ones each, that are kept to be shown."""


@dataclass
class Answers:
    """
    What a row of the tables says of faces, one after the other.

    :param photo: number of the photo
    :param seen: whether the face was found at all
    :param measured: whether measured depth was looked at
    """

    photo: list[int] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)
    measured: list[bool] = field(default_factory=list)
    probabilities: list[np.ndarray] = field(default_factory=list)
    affect: list[tuple[float, float]] = field(default_factory=list)
    units: list[np.ndarray | None] = field(default_factory=list)

    def add(self, photo: int, said: Expression) -> None:
        """Note what was said of a photo."""
        self.photo.append(photo)
        self.seen.append(not said.cause)
        self.measured.append(bool(said.depth))
        self.probabilities.append(said.probabilities)
        self.affect.append((said.valence, said.arousal))
        self.units.append(said.action_units)

    def all_units(self) -> np.ndarray | None:
        """Return action units, (N, 17), NaN where nothing was said; None if never."""
        if all(units is None for units in self.units):
            return None
        nothing = np.full(len(ACTION_UNITS), np.nan, np.float32)
        return np.stack([nothing if units is None else units for units in self.units])


@dataclass(frozen=True)
class Example:
    """
    A face, and what was said of it.

    :param color: (S, S, 3) uint8 RGB
    :param label, said: of EXPRESSIONS
    :param probability: of `said` among the six
    """

    color: np.ndarray
    label: int
    said: int
    probability: float

    @property
    def right(self) -> bool:
        """Whether it was right."""
        return self.label == self.said


@dataclass
class Collected:
    """
    All faces, and what all rows say of them.

    :param truth: (N,) records of all fields but the images
    :param answers: by row of the tables
    :param six_only: rows that know no neutral faces
    """

    truth: np.ndarray
    answers: dict[str, Answers]
    network_of: dict[str, str]
    six_only: set[str]
    examples: list[Example]


@dataclass
class ExpressionScores:
    """
    All rows of the tables.

    :param rows: by row; network_of: row -> the network it is of
    :param columns: faces of each column; neutral: neutral faces of the first condition
    :param unseen: faces in which no row sees one, by row
    :param by_texture: faces too little measured, so that depth was not looked at, by row
    :param trained: by network, how many faces it was trained on, where its spec tells
    :param ms: of one face, median, by row; ratio: to the student's, face by face
    """

    rows: dict[str, RowScores] = field(default_factory=dict)
    network_of: dict[str, str] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    people: int = 0
    photos: int = 0
    neutral: int = 0
    unseen: dict[str, int] = field(default_factory=dict)
    by_texture: dict[str, int] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    trained: dict[str, int] = field(default_factory=dict)
    ms: dict[str, float] = field(default_factory=dict)
    ratio: dict[str, float] = field(default_factory=dict)
    costs: dict[str, GraphCost | None] = field(default_factory=dict)
    models: dict[str, RowModel] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)


def collect(parts: Iterable[np.ndarray], viewer: FaceViewer, rows: ExpressionRows, *,
            everything: bool = False) -> Collected:
    """
    Let every network look at the faces, one part in memory at a time.

    :param parts: records of `expression_faces`
    :param everything: networks that are not wide look at all photos too
    :raises DatasetError: there are no faces
    """
    lines = {name: rows.lines(name) for name in rows.methods}
    network_of = {line: name for name, own in lines.items() for line in own}
    answers = {line: Answers() for line in network_of}
    six_only = {line for name, own in lines.items() if len(own) == 1 for line in own}
    truths, examples = [], _Examples(STUDENT if STUDENT in answers else next(iter(answers), ''))
    count = 0
    for photos in parts:
        truth = photos[list(_TRUTH)].copy()
        truths.append(truth)
        main = main_faces(truth)
        for i, photo in enumerate(photos):
            face = viewer.look(photo['color'], photo['relief'])
            for line, name in network_of.items():
                if main[i] or everything or is_wide(name):
                    said = look_at(rows.methods[name], face, depth=lines[name][line])
                    answers[line].add(count + i, said)
                    if main[i]:
                        examples.offer(line, photo, said)
        count += len(photos)
    if not count:
        raise DatasetError('there are no faces whose expression could be told')
    return Collected(np.concatenate(truths), answers, network_of, six_only, examples.kept)


def judge(faces: Collected, rows: ExpressionRows, *, affect_known: bool = True,
          ) -> ExpressionScores:
    """
    Make all rows.

    :param affect_known: whether valence, arousal and action units of the faces are known
    :raises DatasetError: no face shows an expression at levels 3 or 4 from the front
    """
    truth = faces.truth
    if not main_faces(truth).any():
        raise DatasetError(f'none of {len(truth)} faces shows an expression at level 3 or 4 from '
                           'the front, which is what counts')
    scores = ExpressionScores(
        network_of=faces.network_of, people=len(np.unique(truth['person'])), photos=len(truth),
        neutral=int(((truth['label'] == NEUTRAL) & (truth['condition'] == 0)).sum()),
        absent=dict(rows.absent), trained=rows.trained(), costs=dict(rows.costs),
        models=dict(rows.models), examples=faces.examples)
    for line, said in faces.answers.items():
        own = truth[said.photo]
        scores.rows[line] = judge_row(
            own, np.stack(said.probabilities), np.array(said.seen),
            np.array(said.affect) if affect_known else None,
            said.all_units() if affect_known else None,
            neutral_known=line not in faces.six_only)
        scores.unseen[line] = int((~np.array(said.seen)).sum())
        scores.by_texture[line] = int((~np.array(said.measured)).sum())
        for column, right in scores.rows[line].right.items():
            scores.columns[column] = max(scores.columns.get(column, 0), len(right))
    return scores


def time_networks(rows: ExpressionRows, runs: int) -> tuple[dict[str, float], dict[str, float]]:
    """
    Time all rows on one face whose estimate is there, in turn, so that a busy machine meets all.

    :returns: median milliseconds of each; and the median of its ratio to the student's time of the
        same turn, where there is a student
    """
    face = blank_face()
    lines = {line: (method, depth) for name, method in rows.methods.items()
             for line, depth in rows.lines(name).items()}
    times: dict[str, list[float]] = {line: [] for line in lines}
    for _ in range(runs):
        for line, (method, depth) in lines.items():
            started = time.perf_counter()
            look_at(method, face, depth=depth)
            times[line].append(1e3 * (time.perf_counter() - started))
    ms = {line: float(np.median(values)) for line, values in times.items()}
    if STUDENT not in times:
        return ms, {}
    own = np.array(times[STUDENT])
    return ms, {line: float(np.median(np.array(v) / own)) for line, v in times.items()}


class _Examples:
    """Keeps a few faces of each expression of which one row is right, and as many others."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._counts: dict[tuple[int, bool], int] = {}
        self.kept: list[Example] = []

    def offer(self, line: str, photo: np.void, said: Expression) -> None:
        """Keep a face if there are too few of its kind."""
        if line != self._line or said.cause:
            return
        best = int(best_of_six(said.probabilities[None])[0])
        label = int(photo['label'])
        key = (label, best == label)
        count = self._counts.get(key, 0)
        if count < _EXAMPLES:
            self._counts[key] = count + 1
            six = said.probabilities[:NEUTRAL]
            self.kept.append(Example(photo['color'].copy(), label, best,
                                     float(six[best] / max(float(six.sum()), 1e-9))))
