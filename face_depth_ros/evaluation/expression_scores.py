# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What one row of the tables on expressions reaches, from its answers and the truth."""

from __future__ import annotations

from dataclasses import dataclass, field

from face_depth_ros.core.expression_labels import (
    ACTION_UNITS,
    EXPRESSIONS,
    NEUTRAL,
    VALENCE_AROUSAL,
)
from face_depth_ros.core.expression_metrics import (
    accuracy,
    best_of_seven,
    best_of_six,
    calibration_error,
    concordance,
    confusion_matrix,
    correlation,
    reliability,
)
from face_depth_ros.evaluation.expression_faces import CONDITIONS
import numpy as np

STRONG = 3
"""Expressions of this level or more count, as in the papers."""
POSED, SPEECH, POSE = (CONDITIONS.index(name) for name in ('posed', 'speech', 'pose'))
MAIN, ALL_LEVELS = 'levels 3-4', 'levels 1-4'
YAW_BINS = ((0, 15), (15, 30), (30, 45))
"""Degrees to either side; the last one takes its end in."""


@dataclass
class NeutralScores:
    """
    What a network makes of neutral faces, and of others as such; shares 0 to 1.

    :param seven: right ones of all seven, of strong expressions and neutral faces from the front
    :param mean: of the classes, each alike
    :param false_alarms: neutral faces that are called an expression
    :param speaking: the same of those that speak, None where there are none
    :param missed: expressions called neutral, by level
    :param confusion: (7, 7) faces of `seven`
    """

    seven: float
    mean: float
    false_alarms: float
    speaking: float | None
    missed: dict[int, float]
    confusion: np.ndarray


@dataclass
class AffectScores:
    """
    Valence and arousal against the truth, of faces from the front.

    :param concordance, mean_error: of each
    """

    concordance: dict[str, float]
    mean_error: dict[str, float]


@dataclass
class UnitScores:
    """
    Intensities of action units, 0 to 1, against the truth, of all faces; (17,) each.

    :param mean_error: mean absolute error
    :param of_the_mean: what it would be if the mean intensity were said of every face
    """

    mean_error: np.ndarray
    of_the_mean: np.ndarray
    correlation: np.ndarray


@dataclass
class RowScores:
    """
    What a row reaches; shares 0 to 1.

    :param six: right ones of the six basic expressions, by column
    :param mean: of the six classes, of the first column; by_class: (6,)
    :param by_level, by_yaw: of the six
    :param right: by column, which faces are right; persons: whose they are
    :param confusion: (6, 6) faces of the first column
    :param calibration: expected calibration error: 'six' of the first column, 'seven' of all
        faces from the front
    :param curve: confidence, share of right ones, faces; of the last one there is
    """

    six: dict[str, float] = field(default_factory=dict)
    mean: float = 0.0
    by_class: np.ndarray = field(default_factory=lambda: np.zeros(NEUTRAL))
    by_level: dict[int, float] = field(default_factory=dict)
    by_yaw: dict[str, float] = field(default_factory=dict)
    right: dict[str, np.ndarray] = field(default_factory=dict)
    persons: dict[str, np.ndarray] = field(default_factory=dict)
    confusion: np.ndarray = field(default_factory=lambda: np.zeros((NEUTRAL, NEUTRAL), np.int64))
    calibration: dict[str, float] = field(default_factory=dict)
    curve: list[tuple[float, float, int]] = field(default_factory=list)
    neutral: NeutralScores | None = None
    affect: AffectScores | None = None
    units: UnitScores | None = None


def main_faces(truth: np.ndarray) -> np.ndarray:
    """Return which faces the papers' protocol counts, (N,) bool: strong, from the front."""
    found: np.ndarray = (truth['condition'] == POSED) & (truth['level'] >= STRONG)
    return found


def column_faces(truth: np.ndarray) -> dict[str, np.ndarray]:
    """
    Return which faces of an expression are in each column, (N,) bool; none is empty.

    Where all are of the first column there is no other: weaker ones were not looked at.
    """
    basic, main = truth['label'] != NEUTRAL, main_faces(truth)
    if main.all():
        return {MAIN: main}
    columns = {MAIN: main, ALL_LEVELS: basic & (truth['condition'] == POSED)}
    columns |= {name: basic & (truth['condition'] == i) for i, name in enumerate(CONDITIONS)
                if i != POSED}
    return {name: inside for name, inside in columns.items() if inside.any()}


def judge_row(truth: np.ndarray, probabilities: np.ndarray, seen: np.ndarray,
              affect: np.ndarray | None, units: np.ndarray | None, *,
              neutral_known: bool) -> RowScores:
    """
    Judge what was said of faces.

    :param truth: (N,) records, see `expression_faces.record_type`
    :param probabilities: (N, 7)
    :param seen: (N,) bool; of other faces nothing was said, so that it is wrong
    :param affect: (N, 2) valence and arousal, None = not told, or not known
    :param units: (N, 17), NaN where the face was not seen, None likewise
    :param neutral_known: whether the network tells neutral faces
    """
    label, row = truth['label'].astype(np.int64), RowScores()
    six = best_of_six(probabilities)
    right = seen & (six == label)
    for name, inside in column_faces(truth).items():
        row.right[name], row.persons[name] = right[inside], truth['person'][inside]
        row.six[name] = float(right[inside].mean())
    main = main_faces(truth)
    found = accuracy(label[main], right[main], NEUTRAL)
    row.mean, row.by_class = found.mean, found.by_class
    if (main & seen).any():
        row.confusion = confusion_matrix(label[main & seen], six[main & seen], NEUTRAL)
    posed = truth['condition'] == POSED
    row.by_level = {level: float(right[inside].mean()) for level in range(1, 5)
                    if (inside := posed & (truth['level'] == level)).any()}
    row.by_yaw = {name: float(right[inside].mean())
                  for name, inside in _yaw_bins(truth).items() if inside.any()}
    share = probabilities[:, :NEUTRAL] / np.maximum(
        probabilities[:, :NEUTRAL].sum(axis=1, keepdims=True), 1e-9)
    row.calibration['six'] = calibration_error(share[main].max(axis=1), right[main])
    row.curve = reliability(share[main].max(axis=1), right[main])
    if neutral_known:
        _judge_seven(row, truth, probabilities, seen)
    if affect is not None and (posed & seen).sum() > 1:
        row.affect = _affect_scores(truth[posed & seen], affect[posed & seen])
    if units is not None and seen.sum() > 1:
        row.units = _unit_scores(truth['action_units'][seen], units[seen])
    return row


def _judge_seven(row: RowScores, truth: np.ndarray, probabilities: np.ndarray,
                 seen: np.ndarray) -> None:
    """Judge by all seven classes, where there are neutral faces."""
    label, seven = truth['label'].astype(np.int64), best_of_seven(probabilities)
    right, posed = seen & (seven == label), truth['condition'] == POSED
    row.calibration['seven'] = calibration_error(probabilities[posed].max(axis=1), right[posed])
    row.curve = reliability(probabilities[posed].max(axis=1), right[posed])
    neutral = label == NEUTRAL
    if not (neutral & posed).any():
        return
    asked = main_faces(truth) | (neutral & posed)
    found = accuracy(label[asked], right[asked])
    speaking = neutral & (truth['condition'] == SPEECH)
    row.neutral = NeutralScores(
        found.overall, found.mean, float(1.0 - right[neutral & posed].mean()),
        float(1.0 - right[speaking].mean()) if speaking.any() else None,
        {level: float((seven[inside] == NEUTRAL).mean()) for level in range(1, 5)
         if (inside := posed & (truth['level'] == level)).any()},
        confusion_matrix(label[asked & seen], seven[asked & seen])
        if (asked & seen).any() else np.zeros((len(EXPRESSIONS),) * 2, np.int64))


def _affect_scores(truth: np.ndarray, affect: np.ndarray) -> AffectScores:
    actual = np.array(VALENCE_AROUSAL)[truth['label']] * truth['strength'][:, None]
    names = ('valence', 'arousal')
    return AffectScores(
        {name: concordance(actual[:, i], affect[:, i]) for i, name in enumerate(names)},
        {name: float(np.abs(actual[:, i] - affect[:, i]).mean()) for i, name in enumerate(names)})


def _unit_scores(actual: np.ndarray, units: np.ndarray) -> UnitScores:
    return UnitScores(
        np.abs(actual - units).mean(axis=0), np.abs(actual - actual.mean(axis=0)).mean(axis=0),
        np.array([correlation(actual[:, i], units[:, i]) for i in range(len(ACTION_UNITS))]))


def _yaw_bins(truth: np.ndarray) -> dict[str, np.ndarray]:
    """Return which strong expressions that nothing else disturbs lie in each bin."""
    yaw, last = np.abs(truth['yaw']), YAW_BINS[-1][1]
    free = (truth['level'] >= STRONG) & np.isin(truth['condition'], (POSED, POSE))
    return {f'{low} to {high}': free & (yaw >= low) & ((yaw < high) | (
        (high == last) & (yaw <= high))) for low, high in YAW_BINS}
