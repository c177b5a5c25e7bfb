# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How well attacks are told from living faces: ISO/IEC 30107-3 on people and attacks held out.

Every row answers about every presentation; one threshold per row, at which 1 % of the living faces
are turned away, then gives the error of each species. Beside it stand the errors of the decisions
as a robot takes them, by the thresholds that ship.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from face_depth_ros.core.errors import DatasetError, ScoreError
from face_depth_ros.core.live_identities import LIVE
from face_depth_ros.core.liveness_metrics import (
    det_curve,
    DetCurve,
    equal_error,
    MAIN_BPCER,
    PadRates,
    rates_at,
    rates_of_labels,
    threshold_at_bpcer,
)
from face_depth_ros.evaluation.compared_rows import RowModel
from face_depth_ros.evaluation.liveness_faces import LivenessFace, presentations
from face_depth_ros.evaluation.liveness_rows import Answer, answers_to, LivenessRows
from face_depth_ros.evaluation.liveness_views import LivenessView, view_of
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
import numpy as np

DISTANCES_M = (0.0, 0.6, 0.9, 1.2, 1.6, 10.0)
"""Edges of the bins of distance."""


@dataclass
class RowAnswers:
    """What a row said, and what about: one entry for each answer."""

    answers: list[Answer] = field(default_factory=list)
    species: list[str] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)

    def scores(self, chosen: np.ndarray | None = None) -> tuple[dict[str, np.ndarray],
                                                                np.ndarray]:
        """
        Return the scores of attacks by species, and of living faces.

        :param chosen: (N,) bool, those that count; None = all
        """
        values = np.array([a.score for a in self.answers], np.float64)
        kinds = np.array(self.species)
        use = np.ones(len(kinds), bool) if chosen is None else chosen
        attacks = {k: values[use & (kinds == k)] for k in dict.fromkeys(self.species)
                   if k != LIVE and (use & (kinds == k)).any()}
        return attacks, values[use & (kinds == LIVE)]

    def labels(self) -> tuple[dict[str, list[str]], list[str]]:
        """Return what was said of attacks by species, and of living faces."""
        attacks: dict[str, list[str]] = {}
        living: list[str] = []
        for answer, kind in zip(self.answers, self.species, strict=True):
            (living if kind == LIVE else attacks.setdefault(kind, [])).append(answer.label)
        return attacks, living


@dataclass(frozen=True)
class RowScores:
    """
    What a row reaches; rates are 0 to 1.

    :param threshold: at which 1 % of the living faces are turned away, None where too few tell
    :param at_threshold: the errors there, None likewise
    :param as_decided: the errors of its decisions
    :param equal_error: over all attacks; by_species: of each against all living faces
    :param curves: DET of all attacks ('') and of each species
    :param by_distance: bin -> errors at the threshold, None where a kind is lacking
    :param ms: median of one frame
    :param reasons: why attacks were not accepted, how often each
    """

    threshold: float | None
    at_threshold: PadRates | None
    as_decided: PadRates
    equal_error: float
    by_species: dict[str, float]
    curves: dict[str, DetCurve]
    by_distance: dict[str, PadRates | None]
    ms: float
    reasons: dict[str, int]


@dataclass
class LivenessScores:
    """
    All rows.

    :param faces: frames by species; people: how many
    """

    rows: dict[str, RowScores] = field(default_factory=dict)
    faces: dict[str, int] = field(default_factory=dict)
    presentations: dict[str, int] = field(default_factory=dict)
    people: int = 0
    absent: dict[str, str] = field(default_factory=dict)
    models: dict[str, RowModel] = field(default_factory=dict)


See = Callable[[LivenessFace, LivenessView, Mapping[str, Answer]], None]


def collect(faces: Iterable[Sequence[LivenessFace]], rows: LivenessRows, enhancer: DepthEnhancer,
            see: See | None = None) -> tuple[dict[str, RowAnswers], LivenessScores]:
    """
    Let every row judge every presentation, one part in memory at a time.

    :param faces: parts, each with whole presentations
    :param see: gets the last frame of each presentation with the last answers
    :returns: answers by row, and scores that hold the counts only
    :raises DatasetError: there are no living faces, or no attacks
    """
    answers = {name: RowAnswers() for name in rows.methods}
    counted = LivenessScores(absent=dict(rows.absent), models=dict(rows.models))
    people = set()
    for part in faces:
        for run in presentations(part):
            first = run[0]
            people.add(first.person)
            counted.faces[first.species] = counted.faces.get(first.species, 0) + len(run)
            counted.presentations[first.species] = counted.presentations.get(
                first.species, 0) + 1
            views = [view_of(face, enhancer) for face in run]
            last = {}
            for name, method in rows.methods.items():
                said, own = answers_to(method, views), answers[name]
                last[name] = said[-1]
                own.answers += said
                own.species += [first.species] * len(said)
                own.distances += [first.distance_m] * len(said)
            if see is not None:
                see(run[-1], views[-1], last)
    counted.people = len(people)
    if LIVE not in counted.faces or len(counted.faces) < 2:
        raise DatasetError(f'the faces are {counted.faces or "none"}; the errors need living '
                           f'faces (species {LIVE!r}) and attacks')
    return answers, counted


def judge(answers: Mapping[str, RowAnswers], counted: LivenessScores,
          rate: float = MAIN_BPCER) -> LivenessScores:
    """
    Make the numbers of all rows.

    :param counted: what `collect` counted; its rows are filled
    """
    for name, said in answers.items():
        counted.rows[name] = _judge_row(said, rate)
    return counted


def distance_bins(distances: Sequence[float]) -> dict[str, np.ndarray]:
    """Return which answers lie in each bin of distance, only bins that have some."""
    x = np.asarray(distances, np.float64)
    found = {}
    for low, high in zip(DISTANCES_M, DISTANCES_M[1:], strict=False):
        inside = (x >= low) & (x < high)
        if inside.any():
            label = (f'below {high:g} m' if low == DISTANCES_M[0] else f'from {low:g} m'
                     if high == DISTANCES_M[-1] else f'{low:g} to {high:g} m')
            found[label] = inside
    return found


def _judge_row(said: RowAnswers, rate: float) -> RowScores:
    attacks, living = said.scores()
    threshold = threshold_at_bpcer(living, rate)
    labels, of_living = said.labels()
    curves = {'': _curve(np.concatenate(list(attacks.values())), living),
              **{kind: _curve(scores, living) for kind, scores in attacks.items()}}
    known = {kind: curve for kind, curve in curves.items() if curve is not None}
    reasons: dict[str, int] = {}
    for answer, kind in zip(said.answers, said.species, strict=True):
        if kind != LIVE and answer.label != LIVE:
            reasons[answer.reason or answer.label] = reasons.get(
                answer.reason or answer.label, 0) + 1
    by_distance = {}
    if threshold is not None:
        for label, inside in distance_bins(said.distances).items():
            some, real = said.scores(inside)
            by_distance[label] = rates_at(some, real, threshold) if some and len(
                real) else None
    return RowScores(
        threshold, None if threshold is None else rates_at(attacks, living, threshold),
        rates_of_labels(labels, of_living),
        equal_error(known['']) if '' in known else 0.5,
        {kind: equal_error(known[kind]) for kind in attacks if kind in known}, known,
        by_distance, float(np.median([a.ms for a in said.answers])), reasons)


def _curve(attacks: np.ndarray, living: np.ndarray) -> DetCurve | None:
    """Return the curve, None where nothing has a score."""
    try:
        return det_curve(attacks, living)
    except ScoreError:
        return None
