# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
How much of a person is left in estimated depth: faces compared by a network that knows true depth.

Protocol: Pini et al., "Learning to Generate Facial Depth Maps", section 4.3, the last line of
Table 1 and Table 2. Fixed pairs of photos, half of them of the same person; a Siamese network that
was trained on true depth alone compares the estimated depth of the one with that of the other;
similarity above 0.5 counts as the same person. Table 2 asks for frontal faces (A1: yaw, pitch and
roll within 10 degrees) and others (A2). Its sequences are those of a recorded dataset; for
rendered faces the like distinction is whether something hides part of the face.

Intervals are of 95 %, from drawing the people anew: pairs share photos and people, and are not
independent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.evaluation.evaluation_result import Rows, Table
from face_depth_ros.predictors.depth_verifier import DepthVerifier
import numpy as np

TRUE_DEPTH = 'True depth'
"""The row of the truth itself: what could be reached."""
MAIN, SUBSETS = 'face_verification', 'face_verification_subsets'
PAIRS, SUBSET_PAIRS = 2000, 600
FEWEST_PAIRS = 20
"""Of each kind; below that a number would say nothing."""
FRONTAL_DEG = 10.0
THRESHOLD = 0.5
_SEED = 20181
_DRAWS = 1000
_INTERVAL = (2.5, 97.5)
Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(B, 96, 96) float32 grey depth twice -> (B,), 0 to 1."""


@dataclass(frozen=True)
class PhotoPairs:
    """
    A fixed choice of pairs, as many of the same person as of different people.

    :param first: (P,) indices of photos, and so `second`
    :param same: (P,) bool
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray


@dataclass(frozen=True)
class PairScores:
    """
    How the pairs were told.

    :param accuracy: which part was told right, 0 to 1
    :param low, high: 95 % interval of the accuracy
    :param same_accepted: of the pairs of the same person
    :param different_rejected: of the pairs of different people
    :param auc: chance that a pair of the same person looks more alike than one of different
        people; does not depend on the threshold
    """

    accuracy: float
    low: float
    high: float
    same_accepted: float
    different_rejected: float
    auc: float


def verification_tables(truth: Sequence[np.ndarray],
                        predictions: Mapping[str, Sequence[np.ndarray]], identities: np.ndarray,
                        angles: np.ndarray, *, covered: np.ndarray | None = None,
                        dataset: str = 'synthetic test faces',
                        similarity: Similarity | None = None) -> dict[str, Table]:
    """
    Return the last line of Table 1, and Table 2.

    :param truth: N grey depth images, (96, 96) float32, 0 to 255, 0 = no face
    :param predictions: row -> the same images from an estimator
    :param identities: (N,) int, who is on them
    :param angles: (N, 3) degrees, yaw, pitch and roll
    :param covered: (N,) bool, whether something hides part of the face; None = not known
    :param dataset: where the photos come from
    :param similarity: what compares faces; None = the model `face_verifier` in float32
    :raises SettingsError: lengths differ, a row is named `TRUE_DEPTH`, or too few people are seen
        twice (cause few_pairs)
    :raises ModelSpecError: the model is missing (cause model_missing)
    """
    images = {TRUE_DEPTH: truth, **predictions}
    _check(images, len(predictions) + 1, identities, angles, covered)
    subsets = _subsets(angles, covered)
    chosen = {name: draw_pairs(identities, members, PAIRS if members.all() else SUBSET_PAIRS)
              for name, members in subsets.items()}
    whole = next(reversed(chosen))
    if not _enough(chosen[whole]):
        raise SettingsError(
            f'face verification needs {FEWEST_PAIRS} pairs of photos of the same person, and as '
            f'many of different people; the {len(identities)} photos hold '
            f'{int(chosen[whole].same.sum())}: render each person several times',
            cause='few_pairs')
    scores: dict[str, dict[str, PairScores]] = {}
    with _opened(similarity) as compare:
        for row, greys in images.items():
            scores[row] = {name: score_pairs(greys, identities, pairs, compare)
                           for name, pairs in chosen.items() if _enough(pairs)}
    return {MAIN: _main_table(scores, whole, chosen[whole], dataset),
            SUBSETS: _subset_table(scores, chosen, covered is not None, dataset)}


def draw_pairs(identities: np.ndarray, members: np.ndarray, count: int) -> PhotoPairs:
    """
    Choose pairs; the same photos give the same pairs.

    :param identities: (N,) int
    :param members: (N,) bool, which photos may be taken
    :param count: so many pairs at most, as many of either kind
    """
    generator = np.random.default_rng(_SEED)
    photos = np.flatnonzero(members)
    people = identities[photos]
    order = np.argsort(people, kind='stable')
    groups = np.split(order, np.flatnonzero(np.diff(people[order])) + 1) if len(order) else []
    same = np.concatenate([np.zeros((0, 2), np.int64)] + [
        group[np.stack(np.triu_indices(len(group), 1), axis=1)] for group in groups])
    possible = len(photos) * (len(photos) - 1) // 2
    wanted = min(count // 2, len(same), possible - len(same))
    # Enough draws to hold the wanted number even if every pair of the same person is among them.
    numbers = generator.choice(possible, wanted + len(same), replace=False) if wanted else same[:0]
    drawn = _pair_of(np.asarray(numbers, np.int64).reshape(-1), len(photos))
    different = drawn[people[drawn[:, 0]] != people[drawn[:, 1]]][:wanted]
    same = generator.permutation(same)[:wanted]
    pairs = photos[np.concatenate([same, different])]
    return PhotoPairs(pairs[:, 0], pairs[:, 1], np.arange(2 * wanted) < wanted)


def score_pairs(greys: Sequence[np.ndarray], identities: np.ndarray, pairs: PhotoPairs,
                similarity: Similarity) -> PairScores:
    """
    Compare the pairs and judge the answers.

    :param greys: N grey depth images
    """
    first, second = (np.stack([np.asarray(greys[i], np.float32) for i in indices])
                     for indices in (pairs.first, pairs.second))
    likeness = similarity(first, second)
    right = (likeness > THRESHOLD) == pairs.same
    low, high = _interval(right, identities, pairs)
    accepted, rejected = (float(right[kind].mean()) for kind in (pairs.same, ~pairs.same))
    return PairScores((accepted + rejected) / 2.0, low, high, accepted, rejected,
                      _auc(likeness[pairs.same], likeness[~pairs.same]))


def _interval(right: np.ndarray, identities: np.ndarray, pairs: PhotoPairs) -> tuple[float, float]:
    """Draw the people anew, with replacement; a pair counts as often as both are drawn."""
    people, index = np.unique(identities, return_inverse=True)
    generator = np.random.default_rng(_SEED)
    drawn = generator.multinomial(len(people), np.full(len(people), 1.0 / len(people)), _DRAWS)
    shares = []
    for kind, both in ((pairs.same, False), (~pairs.same, True)):
        weight = drawn[:, index[pairs.first[kind]]].astype(np.float64)  # (draws, pairs)
        if both:
            weight *= drawn[:, index[pairs.second[kind]]]
        total = weight.sum(axis=1)
        with np.errstate(invalid='ignore'):  # no pair left: NaN, not counted
            shares.append(weight @ right[kind] / total)
    accuracies = (shares[0] + shares[1]) / 2.0
    low, high = np.nanpercentile(accuracies, _INTERVAL)
    return float(low), float(high)


def _auc(same: np.ndarray, different: np.ndarray) -> float:
    """Area under the ROC curve; ties count half."""
    ordered = np.sort(different)
    below = np.searchsorted(ordered, same, 'left') + np.searchsorted(ordered, same, 'right')
    return float(below.mean() / (2.0 * len(different)))


def _pair_of(numbers: np.ndarray, count: int) -> np.ndarray:
    """Return the pairs (i, j), i < j < count, that stand at these places of their list, (P, 2)."""
    starts = np.cumsum(np.arange(count, 0, -1) - 1)  # past the last pair of each i
    i = np.searchsorted(starts, numbers, 'right')
    before = np.concatenate([[0], starts])[i]
    return np.stack([i, numbers - before + i + 1], axis=1)


def _subsets(angles: np.ndarray, covered: np.ndarray | None) -> dict[str, np.ndarray]:
    """Return the rows of Table 2, name -> (N,) bool; the last holds all photos."""
    frontal = (np.abs(angles) <= FRONTAL_DEG).all(axis=1)
    poses = {'A1': frontal, 'A2': ~frontal, 'A1 and A2': np.ones(len(angles), bool)}
    if covered is None:
        return poses
    return {f'{name}, {kind}': pose & photos for kind, photos in
            (('open', ~covered), ('covered', covered), ('all', np.ones(len(angles), bool)))
            for name, pose in poses.items()}


def _main_table(scores: Mapping[str, Mapping[str, PairScores]], whole: str, pairs: PhotoPairs,
                dataset: str) -> Table:
    rows: Rows = {row: {**vars(by_subset[whole]), 'pairs': len(pairs.same)}
                  for row, by_subset in scores.items()}
    return Table('Face verification on estimated depth', dataset,
                 'part of the pairs told right at a threshold of 0.5; chance is 0.5', rows)


def _subset_table(scores: Mapping[str, Mapping[str, PairScores]],
                  chosen: Mapping[str, PhotoPairs], by_cover: bool, dataset: str) -> Table:
    rows: Rows = {}
    for name, pairs in chosen.items():
        rows[name] = {}
        for row, by_subset in scores.items():
            score = by_subset.get(name)
            for column, key in (('', 'accuracy'), (' low', 'low'), (' high', 'high')):
                rows[name][f'{row}{column}'] = None if score is None else getattr(score, key)
        rows[name]['pairs'] = len(pairs.same)
    kinds = ('; open: nothing hides part of either face, covered: something does in both'
             if by_cover else '')
    return Table('Face verification by pose' + (' and cover' if by_cover else ''), dataset,
                 f'accuracy and its 95 % interval; A1: both faces within {FRONTAL_DEG:g} degrees '
                 f'of frontal, A2: neither{kinds}; empty below {FEWEST_PAIRS} pairs of a kind',
                 rows)


def _enough(pairs: PhotoPairs) -> bool:
    return int(pairs.same.sum()) >= FEWEST_PAIRS


@contextmanager
def _opened(similarity: Similarity | None) -> Iterator[Similarity]:
    """Open the shipped verifier where no other is given."""
    if similarity is not None:
        yield similarity
        return
    with closing(DepthVerifier(precision='fp32')) as verifier:
        yield verifier.similarity


def _check(images: Mapping[str, Sequence[np.ndarray]], rows: int, identities: np.ndarray,
           angles: np.ndarray, covered: np.ndarray | None) -> None:
    count = len(identities)
    lengths = {row: len(greys) for row, greys in images.items()}
    if len(images) != rows:
        raise SettingsError(f'a row of the predictions is named {TRUE_DEPTH!r}, which is the name '
                            'of the truth; name it otherwise')
    if set(lengths.values()) != {count} or angles.shape != (count, 3) or (
            covered is not None and covered.shape != (count,)):
        raise SettingsError(
            f'face verification got {count} identities, images {lengths}, angles of shape '
            f'{angles.shape} and covered of {None if covered is None else covered.shape}; '
            'expected one of each a photo')
