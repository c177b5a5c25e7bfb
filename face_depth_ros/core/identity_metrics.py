# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Numbers by which recognition of faces is judged: identification, verification, templates.

A score says how alike two faces are; higher is more alike. Where scores tie, the stranger counts
as the better one, so that a network that says the same of everybody recognises nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from face_depth_ros.core.errors import ScoreError
import numpy as np

FALSE_ACCEPT_RATES = (1e-1, 1e-2, 1e-3, 1e-4)
"""Of the papers' tables of verification."""
CALIBRATED_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
LEAST_GENUINE, LEAST_IMPOSTOR = 10, 100
"""Pairs that a calibration needs."""
LEAST_BEYOND = 10
"""So many impostor pairs must reach a threshold that is read from them; else the tail tells it."""
_TAIL_SHARE, _TAIL_LEAST = 0.001, 30
_STEPS, _SETTLED = 100, 1e-10


@dataclass(frozen=True)
class Spread:
    """
    Values of several folds or splits.

    :param std: sample standard deviation (n - 1), 0 of a single one
    """

    mean: float
    std: float
    count: int

    @staticmethod
    def of(values: Iterable[float]) -> Spread:
        """
        Return mean and standard deviation.

        :raises ScoreError: no values, or one that is not finite
        """
        x = _scores('values of splits', list(values), least=1)
        return Spread(float(x.mean()), float(x.std(ddof=1)) if x.size > 1 else 0.0, x.size)


@dataclass(frozen=True)
class Roc:
    """
    Receiver operating characteristic; a pair passes that scores at least the threshold.

    :param thresholds: ascending, all that differ, and one that nothing reaches
    :param false_accept: (N,) share of impostor pairs that pass
    :param true_accept: (N,) share of genuine pairs that pass
    """

    thresholds: np.ndarray
    false_accept: np.ndarray
    true_accept: np.ndarray


def cosine_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """
    Return the cosines of all pairs.

    :param first: (N, D), of any length but 0
    :param second: (M, D)
    :returns: (N, M) float64, -1 to 1
    :raises ScoreError: other shapes, or a vector that is 0 or not finite
    """
    a, b = (_unit(np.asarray(x, np.float64)) for x in (first, second))
    if a.shape[1] != b.shape[1]:
        raise ScoreError(f'vectors of {a.shape[1]} and of {b.shape[1]} dimensions cannot be '
                         'compared, expected those of one network')
    return np.clip(a @ b.T, -1.0, 1.0)


def mate_ranks(scores: np.ndarray, gallery: Sequence[object] | np.ndarray,
               probes: Sequence[object] | np.ndarray) -> np.ndarray:
    """
    Return at which place of the sorted gallery each probe finds its person.

    :param scores: (G, P)
    :param gallery: persons of the gallery, G; one person may come several times
    :param probes: persons of the probes, P
    :returns: (P,) int64 from 1; 0 where the person is not in the gallery; strangers with the same
        score count as before
    :raises ScoreError: sizes do not fit, or a score is not finite
    """
    scores, same = _same(scores, gallery, probes)
    best = np.where(same, scores, -np.inf).max(axis=0, initial=-np.inf)
    # Several templates of one stranger are one place in the list.
    persons, index = np.unique(np.asarray(gallery), return_inverse=True)
    ahead = np.zeros(scores.shape[1], np.int64)
    if len(persons) == len(index):
        ahead += ((scores >= best) & ~same).sum(axis=0)
    else:
        for number in range(len(persons)):
            rows = index.reshape(-1) == number
            ahead += ((scores[rows] >= best) & ~same[rows]).any(axis=0)
    return np.where(np.isfinite(best), ahead + 1, 0)


def rank_one(scores: np.ndarray, gallery: Sequence[object] | np.ndarray,
             probes: Sequence[object] | np.ndarray) -> float:
    """
    Return the share of probes whose person comes first, 0 to 1; see `mate_ranks`.

    :raises ScoreError: also where no probe has its person in the gallery
    """
    return float(cumulative_matches(scores, gallery, probes, 1)[0])


def cumulative_matches(scores: np.ndarray, gallery: Sequence[object] | np.ndarray,
                       probes: Sequence[object] | np.ndarray, ranks: int = 10) -> np.ndarray:
    """
    Return the curve of cumulative matches (CMC).

    Probes whose person is not in the gallery do not count.

    :returns: (ranks,) share of probes found among the first 1, 2, ... persons
    :raises ScoreError: see `mate_ranks`; no probe counts; or `ranks` below 1
    """
    if ranks < 1:
        raise ScoreError(f'ranks is {ranks}, expected 1 or more')
    places = mate_ranks(scores, gallery, probes)
    places = places[places > 0]
    if not places.size:
        raise ScoreError(f'none of {np.shape(scores)[1]} probes has its person in the gallery, so '
                         'nothing can be identified')
    return (places[:, None] <= np.arange(1, ranks + 1)).mean(axis=0)


def split_scores(scores: np.ndarray, gallery: Sequence[object] | np.ndarray,
                 probes: Sequence[object] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of one person's pairs and of two persons' pairs, all gallery x probe."""
    scores, same = _same(scores, gallery, probes)
    return scores[same], scores[~same]


def threshold_at(impostor: np.ndarray, rate: float) -> float | None:
    """
    Return the lowest threshold that at most a share of the impostor pairs reaches.

    Nothing is interpolated between scores, so the rate is never exceeded.

    :param impostor: (N,) scores of two persons
    :param rate: in (0, 1)
    :returns: None where fewer than 1 / rate pairs cannot tell
    :raises ScoreError: no pairs, a score that is not finite, or such a rate
    """
    x = _scores('impostor scores', impostor, least=1)
    _check_rate(rate)
    passing = int(np.floor(x.size * rate * (1.0 + 1e-12)))
    if passing < 1:
        return None
    blocked = np.partition(x, x.size - 1 - passing)[x.size - 1 - passing]
    return float(np.nextafter(blocked, np.inf))


def true_accept_rate(genuine: np.ndarray, impostor: np.ndarray, rate: float) -> float | None:
    """
    Return TAR at a FAR: how many pairs of one person pass where `threshold_at` lets through.

    :returns: 0 to 1, None where there are too few impostor pairs to tell
    """
    x = _scores('genuine scores', genuine, least=1)
    threshold = threshold_at(impostor, rate)
    return None if threshold is None else float(np.mean(x >= threshold))


def roc(genuine: np.ndarray, impostor: np.ndarray) -> Roc:
    """
    Return the whole curve.

    :raises ScoreError: no scores of a kind, or one that is not finite
    """
    g = np.sort(_scores('genuine scores', genuine, least=1))
    i = np.sort(_scores('impostor scores', impostor, least=1))
    thresholds = np.unique(np.concatenate([g, i]))
    thresholds = np.append(thresholds, np.nextafter(thresholds[-1], np.inf))
    return Roc(thresholds, 1.0 - np.searchsorted(i, thresholds, 'left') / i.size,
               1.0 - np.searchsorted(g, thresholds, 'left') / g.size)


def equal_error_rate(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """
    Return the rate at which as many strangers pass as mates are turned away, 0 to 1.

    The curve is taken as straight between its points.
    """
    curve = roc(genuine, impostor)
    rejected = 1.0 - curve.true_accept
    lead = curve.false_accept - rejected  # from 1 down to -1
    after = int(np.argmax(lead <= 0.0))
    if lead[after] == 0.0 or after == 0:
        return float(curve.false_accept[after])
    part = lead[after - 1] / (lead[after - 1] - lead[after])
    return float(rejected[after - 1] + part * (rejected[after] - rejected[after - 1]))


def area_under_curve(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """Return how often a mate scores above a stranger, ties counting half, 0 to 1."""
    g = _scores('genuine scores', genuine, least=1)
    i = np.sort(_scores('impostor scores', impostor, least=1))
    below = np.searchsorted(i, g, 'left') + np.searchsorted(i, g, 'right')
    return float(below.mean() / (2.0 * i.size))


def fold_accuracy(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> Spread:
    """
    Return the accuracy of LFW and YTF: each fold by the threshold that is best on the others.

    :param scores: (N,) of pairs
    :param same: (N,) bool, whether a pair shows one person
    :param folds: (N,) number of the fold of each
    :returns: over the folds, of the share of pairs told right
    :raises ScoreError: sizes differ, a score is not finite, or there is only one fold
    """
    x = _scores('scores of pairs', scores, least=1)
    same, folds = np.asarray(same), np.asarray(folds)
    if same.shape != x.shape or folds.shape != x.shape or same.dtype != np.bool_:
        raise ScoreError(f'{x.shape} scores, {same.shape} {same.dtype} and folds {folds.shape}, '
                         'expected as many bool values and folds as scores')
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise ScoreError(f'all {x.size} pairs are of one fold, expected two folds or more: a '
                         'threshold is chosen on the others')
    values = []
    for number in numbers:
        inside = folds == number
        threshold = best_threshold(x[~inside], same[~inside])
        values.append(float(np.mean((x[inside] >= threshold) == same[inside])))
    return Spread.of(values)


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """
    Return the threshold that tells most pairs right, midway between two scores.

    Of several that are as good it is the one in their middle.
    """
    order = np.argsort(scores, kind='stable')
    x, y = np.asarray(scores, np.float64)[order], np.asarray(same, bool)[order]
    # Cut k lets the pairs from k on pass.
    right = np.concatenate([[0], np.cumsum(~y)]) + np.concatenate([[0], np.cumsum(y)])[-1] \
        - np.concatenate([[0], np.cumsum(y)])
    edges = np.concatenate([[x[0] - 1.0], x, [x[-1] + 1.0]])
    possible = edges[1:] > edges[:-1]
    best = np.flatnonzero(possible & (right == right[possible].max()))
    cut = int(best[(len(best) - 1) // 2])
    return float((edges[cut] + edges[cut + 1]) / 2.0)


def pooled_templates(vectors: np.ndarray, templates: Sequence[object] | np.ndarray,
                     media: Sequence[object] | np.ndarray | None = None,
                     ) -> tuple[np.ndarray, np.ndarray]:
    """
    Make one vector of the several images of a template, as for IJB-A.

    The images of one medium (frames of a video) are averaged first, then the media; so a long
    video counts as much as a photo.

    :param vectors: (N, D), of any length but 0
    :param templates: (N,) the template of each
    :param media: (N,) the medium of each; None: every image is its own
    :returns: the templates, sorted, (T,); their vectors, (T, D) float64 of length 1
    :raises ScoreError: sizes differ, or a template's images cancel out
    """
    unit, names = _unit(np.asarray(vectors, np.float64)), np.asarray(templates)
    groups = np.arange(len(unit)) if media is None else np.asarray(media)
    if names.shape != (len(unit),) or groups.shape != names.shape:
        raise ScoreError(f'{len(unit)} vectors, {names.shape} templates and {groups.shape} media, '
                         'expected one of each for every vector')
    unique = np.unique(names)
    pooled = []
    for name in unique:
        rows = names == name
        parts = [unit[rows & (groups == group)].mean(axis=0) for group in np.unique(groups[rows])]
        pooled.append(np.mean(parts, axis=0))
    return unique, _unit(np.array(pooled))


def open_set_rate(scores: np.ndarray, gallery: Sequence[object] | np.ndarray,
                  probes: Sequence[object] | np.ndarray, rate: float) -> float | None:
    """
    Return TPIR at an FPIR: how many known people are found where few unknown ones are taken in.

    :param scores: (G, P)
    :param rate: share of the probes without a mate whose best score may reach the threshold
    :returns: share of the probes with a mate that come first and reach it; None where too few
        probes have no mate
    :raises ScoreError: see `mate_ranks`; no probe with a mate, or none without
    """
    places = mate_ranks(scores, gallery, probes)
    best = np.asarray(scores, np.float64).max(axis=0)
    known = places > 0
    if known.all() or not known.any():
        raise ScoreError(f'{known.sum()} of {known.size} probes are of known people, expected '
                         'both known and unknown ones')
    threshold = threshold_at(best[~known], rate)
    if threshold is None:
        return None
    return float(np.mean((places[known] == 1) & (best[known] >= threshold)))


def calibrate(genuine: np.ndarray, impostor: np.ndarray) -> dict[str, Any]:
    """
    Fit what a cosine says: the content of a spec's calibration, see core.identity_calibration.

    The probability is a logistic, for pairs of which half are of one person. Thresholds are those
    of the measured impostor pairs, and beyond them those of an exponential tail, from which the
    last 0.1 % is fitted. Cosines fall off faster, as a normal distribution does, so thresholds
    beyond the data are rather too strict than too lax.

    :param genuine: (N,) cosines of pairs of one person, at least 10
    :param impostor: (M,) cosines of pairs of two persons, at least 100
    :returns: slope and offset of the logit over the cosine; false_accept: rate as text -> the
        cosine that at most so many impostor pairs reach; extended: which of these are of the
        fitted tail and not of the data; genuine_pairs, impostor_pairs
    :raises ScoreError: too few, not finite, beyond -1 to 1, or pairs of one person are not more
        alike than others
    """
    g = _cosines('genuine', genuine, LEAST_GENUINE)
    i = _cosines('impostor', impostor, LEAST_IMPOSTOR)
    if not g.mean() > i.mean():
        raise ScoreError(f'pairs of one person have a mean cosine of {g.mean():.3f}, pairs of two '
                         f'{i.mean():.3f}; expected the first to be higher: this network does not '
                         'tell people apart, or the pairs are mixed up')
    slope, offset = logistic(g, i)
    thresholds, extended = tail_thresholds(i)
    return {'slope': slope, 'offset': offset, 'false_accept': thresholds, 'extended': extended,
            'genuine_pairs': int(g.size), 'impostor_pairs': int(i.size)}


def logistic(genuine: np.ndarray, impostor: np.ndarray) -> tuple[float, float]:
    """
    Fit a logistic by Newton's method, both kinds weighing the same.

    The targets are Platt's, (N + 1) / (N + 2) and 1 / (M + 2) instead of 1 and 0, so that kinds
    that do not overlap have a finite slope too.

    :returns: slope, > 0, and offset
    :raises ScoreError: it does not settle, or the slope is not positive
    """
    n, m = genuine.size, impostor.size
    x = np.concatenate([genuine, impostor]).astype(np.float64)
    target = np.concatenate([np.full(n, (n + 1.0) / (n + 2.0)), np.full(m, 1.0 / (m + 2.0))])
    weight = np.concatenate([np.full(n, 0.5 / n), np.full(m, 0.5 / m)])
    middle = 0.5 * (genuine.mean() + impostor.mean())
    scale = max(float(np.sqrt(weight @ (x - middle) ** 2)), 1e-9)
    z = np.stack([(x - middle) / scale, np.ones_like(x)])
    at = np.zeros(2)
    loss = _loss(at, z, target, weight)
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(at @ z, -500.0, 500.0)))
        gradient = z @ (weight * (p - target))
        curve = (z * (weight * p * (1.0 - p))) @ z.T + 1e-12 * np.eye(2)
        step = np.linalg.solve(curve, gradient)
        size = 1.0
        while (after := _loss(at - size * step, z, target, weight)) > loss and size > 1e-8:
            size *= 0.5
        at = at - size * step
        settled = abs(loss - after) < _SETTLED * max(loss, 1e-12) and (
            np.abs(gradient).max() < 1e-7)
        loss = min(after, loss)
        if settled:
            break
    else:
        raise ScoreError(f'the logistic did not settle in {_STEPS} steps; are the scores of '
                         f'{n} and {m} pairs cosines?')
    slope = float(at[0] / scale)
    if not slope > 0.0:
        raise ScoreError(f'the logistic has a slope of {slope:.3g}, expected more than 0: more '
                         'alike must mean more likely one person')
    return slope, float(at[1] - slope * middle)


def tail_thresholds(impostor: np.ndarray) -> tuple[dict[str, float], list[str]]:
    """
    Return the thresholds of all `CALIBRATED_RATES`.

    :returns: rate as text -> cosine, rising as the rates fall; and which are of the fitted tail.
        One above 1 means that no pair may pass
    """
    x = np.sort(np.asarray(impostor, np.float64))
    count = min(max(_TAIL_LEAST, round(_TAIL_SHARE * x.size)), x.size - 1)
    start = float(x[x.size - count - 1])
    width = float((x[x.size - count:] - start).mean())
    thresholds: dict[str, float] = {}
    extended: list[str] = []
    least = -np.inf
    for rate in CALIBRATED_RATES:
        measured = threshold_at(x, rate) if rate * x.size >= LEAST_BEYOND else None
        if measured is None:
            measured = start + width * float(np.log(count / (x.size * rate)))
            extended.append(str(rate))
        least = max(least, measured)
        thresholds[str(rate)] = float(least)
    return thresholds, extended


def _same(scores: np.ndarray, gallery: Sequence[object] | np.ndarray,
          probes: Sequence[object] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return checked scores and which pairs are of one person, both (G, P)."""
    rows, columns = np.asarray(gallery), np.asarray(probes)
    table = np.asarray(scores, np.float64)
    if table.shape != (rows.size, columns.size) or not table.size or rows.ndim != 1 or (
            columns.ndim != 1):
        raise ScoreError(f'scores are {table.shape} for a gallery of {rows.shape} and probes of '
                         f'{columns.shape}, expected (G, P) of G and P faces, at least 1')
    if not np.isfinite(table).all():
        raise ScoreError(f'{np.count_nonzero(~np.isfinite(table))} of {table.size} scores are not '
                         'finite')
    return table, rows[:, None] == columns[None, :]


def _scores(what: str, values: Sequence[float] | np.ndarray, least: int) -> np.ndarray:
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or x.size < least:
        raise ScoreError(f'{what} are {x.shape}, expected (N,) with N of at least {least}')
    if not np.isfinite(x).all():
        raise ScoreError(f'{what}: {np.count_nonzero(~np.isfinite(x))} of {x.size} are not finite')
    return x


def _unit(vectors: np.ndarray) -> np.ndarray:
    if vectors.ndim != 2 or not vectors.size:
        raise ScoreError(f'vectors are {vectors.shape}, expected (N, D) with N and D above 0')
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(length).all() or (length < 1e-9).any():
        raise ScoreError('a vector is 0 or not finite, so it has no direction; leave faces out '
                         'of which a network says nothing')
    return vectors / length


def _check_rate(rate: float) -> None:
    if not 0.0 < rate < 1.0:
        raise ScoreError(f'a false-accept rate is {rate}, expected 0 < rate < 1')


def _loss(at: np.ndarray, z: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    logit = at @ z
    return float(weight @ (np.logaddexp(0.0, logit) - target * logit))


def _cosines(kind: str, values: np.ndarray, least: int) -> np.ndarray:
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or x.size < least:
        raise ScoreError(f'{kind} cosines are {x.shape}, expected (N,) with N of at least {least}')
    if not np.isfinite(x).all() or np.abs(x).max() > 1.0 + 1e-4:
        raise ScoreError(f'{kind} cosines are {np.min(x):g} to {np.max(x):g}, expected finite '
                         'numbers from -1 to 1')
    return x
