# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Pairs are fixed, balanced and right; scores agree with what is known of made-up comparers."""

from __future__ import annotations

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.evaluation import verification_protocol as protocol
from face_depth_ros.evaluation.verification_protocol import (
    draw_pairs,
    MAIN,
    PhotoPairs,
    score_pairs,
    SUBSETS,
    TRUE_DEPTH,
    verification_tables,
)
import numpy as np
import pytest

PEOPLE, PHOTOS = 40, 4
IDENTITIES = np.repeat(np.arange(PEOPLE) + 1, PHOTOS)
EVERYBODY = np.ones(len(IDENTITIES), bool)


def image_of(value: float) -> np.ndarray:
    """An image in which a comparer below reads who it is."""
    return np.full((96, 96), value, np.float32)


TRUTH = [image_of(person) for person in IDENTITIES]


def by_value(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Knows everybody."""
    return np.where(first[:, 0, 0] == second[:, 0, 0], 0.9, 0.1).astype(np.float32)


def angles_of(frontal: np.ndarray) -> np.ndarray:
    angles = np.zeros((len(frontal), 3), np.float32)
    angles[frontal] = (9.9, -9.9, 0.0)
    angles[~frontal, np.arange(int((~frontal).sum())) % 3] = -11.0
    return angles


def test_pairs_are_balanced_distinct_and_right() -> None:
    pairs = draw_pairs(IDENTITIES, EVERYBODY, 100)
    assert pairs.same.sum() == (~pairs.same).sum() == 50
    assert np.array_equal(IDENTITIES[pairs.first] == IDENTITIES[pairs.second], pairs.same)
    unordered = {frozenset(p) for p in zip(pairs.first.tolist(), pairs.second.tolist(),
                                           strict=True)}
    assert len(unordered) == 100 and all(len(p) == 2 for p in unordered)


def test_pairs_are_the_same_each_time_and_spread_over_all_people() -> None:
    pairs, again = (draw_pairs(IDENTITIES, EVERYBODY, 400) for _ in range(2))
    assert np.array_equal(pairs.first, again.first) and np.array_equal(pairs.second, again.second)
    different = IDENTITIES[np.concatenate([pairs.first[~pairs.same], pairs.second[~pairs.same]])]
    assert len(np.unique(different)) == PEOPLE
    assert len(np.unique(IDENTITIES[pairs.first[pairs.same]])) > 0.9 * PEOPLE


def test_pairs_stay_within_their_subset_and_end_where_it_does() -> None:
    members = np.zeros(len(IDENTITIES), bool)
    members[:12] = True  # three people
    pairs = draw_pairs(IDENTITIES, members, 1000)
    assert set(pairs.first) | set(pairs.second) <= set(range(12))
    assert pairs.same.sum() == (~pairs.same).sum() == 18
    assert len(draw_pairs(IDENTITIES, ~EVERYBODY, 10).same) == 0
    assert len(draw_pairs(np.arange(30), np.ones(30, bool), 10).same) == 0
    assert len(draw_pairs(np.zeros(30, int), np.ones(30, bool), 10).same) == 0


def test_places_in_the_list_of_all_pairs() -> None:
    count = 7
    wanted = np.stack(np.triu_indices(count, 1), axis=1)
    assert np.array_equal(protocol._pair_of(np.arange(len(wanted)), count), wanted)


def test_a_comparer_that_knows_everybody_is_always_right() -> None:
    scores = score_pairs(TRUTH, IDENTITIES, draw_pairs(IDENTITIES, EVERYBODY, 200), by_value)
    assert (scores.accuracy, scores.low, scores.high, scores.auc) == (1.0, 1.0, 1.0, 1.0)


def test_a_comparer_that_always_says_yes_is_right_half_the_time() -> None:
    pairs = draw_pairs(IDENTITIES, EVERYBODY, 200)
    scores = score_pairs(TRUTH, IDENTITIES, pairs, lambda a, b: np.full(len(a), 0.7, np.float32))
    assert (scores.same_accepted, scores.different_rejected) == (1.0, 0.0)
    assert (scores.accuracy, scores.auc) == (0.5, 0.5)


def test_the_auc_does_not_depend_on_the_threshold() -> None:
    pairs = draw_pairs(IDENTITIES, EVERYBODY, 200)
    scores = score_pairs(TRUTH, IDENTITIES, pairs, lambda a, b: 0.1 * by_value(a, b))
    assert (scores.accuracy, scores.auc) == (0.5, 1.0)


def test_intervals_hold_the_accuracy_and_widen_with_fewer_people() -> None:
    """Every second person is not recognised: the interval comes from the people, not the pairs."""
    def knows_half(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return by_value(first, second) * (first[:, 0, 0] % 2)

    few = np.arange(len(IDENTITIES)) < 10 * PHOTOS
    wide, narrow = (score_pairs(TRUTH, IDENTITIES[members] if members is few else IDENTITIES,
                                draw_pairs(IDENTITIES, members, 120), knows_half)
                    for members in (few, EVERYBODY))
    for scores in (wide, narrow):
        assert scores.low < scores.accuracy < scores.high
        assert scores.accuracy == pytest.approx(0.75, abs=0.1)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
    # Four photos of a person that fail together: wider than of as many independent pairs.
    independent = 2 * 1.96 * (0.25 / 60) ** 0.5 / 2
    assert wide.high - wide.low > 1.2 * independent


def test_interval_by_hand_for_two_people() -> None:
    """One recognised, one not: drawing two people gives 0, 1/2 or 1 of the pairs of the same."""
    identities = np.array([0, 0, 1, 1])
    pairs = PhotoPairs(np.array([0, 2, 0, 1]), np.array([1, 3, 2, 3]),
                       np.array([True, True, False, False]))
    right = np.array([True, False, True, True])
    assert protocol._interval(right, identities, pairs) == (0.75, 0.75)


def test_tables_have_the_truth_first_and_every_row() -> None:
    rng = np.random.default_rng(0)
    blurred = [image_of(v) for v in rng.integers(1, 5, len(IDENTITIES))]
    frontal = np.arange(len(IDENTITIES)) % 2 == 0
    tables = verification_tables(TRUTH, {'Ours': TRUTH, 'Blurred': blurred}, IDENTITIES,
                                 angles_of(frontal), similarity=by_value)
    assert list(tables) == [MAIN, SUBSETS]
    main = tables[MAIN].rows
    assert list(main) == [TRUE_DEPTH, 'Ours', 'Blurred']
    assert main['Ours'] == main[TRUE_DEPTH] and main['Ours']['accuracy'] == 1.0
    assert main['Ours']['pairs'] == 2 * PEOPLE * 6
    assert main['Blurred']['accuracy'] == pytest.approx(0.5, abs=0.08)
    assert main['Blurred']['low'] < 0.5 < main['Blurred']['high']
    subsets = tables[SUBSETS].rows
    assert list(subsets) == ['A1', 'A2', 'A1 and A2']
    assert subsets['A1']['pairs'] == subsets['A2']['pairs'] == 2 * PEOPLE
    assert subsets['A1 and A2']['Blurred'] == main['Blurred']['accuracy']
    assert subsets['A2']['Ours'] == 1.0 and subsets['A2']['Ours low'] == 1.0


def test_angles_decide_who_is_frontal() -> None:
    """Each image says whether it is frontal; a comparer that knows only these is perfect in A1."""
    frontal = np.arange(len(IDENTITIES)) % 4 < 2
    images = [image_of(person if front else 250.0)
              for person, front in zip(IDENTITIES, frontal, strict=True)]
    rows = verification_tables(images, {}, IDENTITIES, angles_of(frontal),
                               similarity=by_value)[SUBSETS].rows
    assert rows['A1'][TRUE_DEPTH] == 1.0
    assert rows['A2'][TRUE_DEPTH] == 0.5


def test_cover_splits_further_and_small_subsets_stay_empty() -> None:
    frontal = np.arange(len(IDENTITIES)) % 2 == 0
    covered = np.arange(len(IDENTITIES)) < 10
    rows = verification_tables(TRUTH, {}, IDENTITIES, angles_of(frontal), covered=covered,
                               similarity=by_value)[SUBSETS].rows
    assert list(rows)[:3] == ['A1, open', 'A2, open', 'A1 and A2, open']
    assert len(rows) == 9
    assert rows['A1, covered'][TRUE_DEPTH] is None and rows['A1, covered']['pairs'] < 40
    assert rows['A1 and A2, open'][TRUE_DEPTH] == 1.0


def test_people_seen_once_cannot_be_verified() -> None:
    count = len(IDENTITIES)
    with pytest.raises(SettingsError, match='needs 20 pairs.*160 photos hold 0') as caught:
        verification_tables(TRUTH, {}, np.arange(count), angles_of(EVERYBODY),
                            similarity=by_value)
    assert caught.value.cause == 'few_pairs'


def test_lengths_and_names_must_fit() -> None:
    angles = angles_of(EVERYBODY)
    with pytest.raises(SettingsError, match="'Ours': 159"):
        verification_tables(TRUTH, {'Ours': TRUTH[1:]}, IDENTITIES, angles, similarity=by_value)
    with pytest.raises(SettingsError, match=r'angles of shape \(160, 2\)'):
        verification_tables(TRUTH, {}, IDENTITIES, angles[:, :2], similarity=by_value)
    with pytest.raises(SettingsError, match=r'covered of \(3,\)'):
        verification_tables(TRUTH, {}, IDENTITIES, angles, covered=np.zeros(3, bool),
                            similarity=by_value)
    with pytest.raises(SettingsError, match="named 'True depth'"):
        verification_tables(TRUTH, {TRUE_DEPTH: TRUTH}, IDENTITIES, angles, similarity=by_value)
