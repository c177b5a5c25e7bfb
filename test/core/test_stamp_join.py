# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Exact-stamp join: order, optional topics, looping bags, and a model of what may come out."""

from __future__ import annotations

from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.stamp_join import DROP_CAUSES, StampJoin
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def feed(join: StampJoin, *messages: tuple[str, int]) -> list[dict[str, Any]]:
    """Add messages whose values are (key, stamp), return all sets."""
    return [s for key, stamp in messages for s in join.add(key, stamp, (key, stamp))]


def stamps(sets: list[dict[str, Any]]) -> list[int]:
    """Return the one stamp of each set."""
    for joined in sets:
        assert len({stamp for _, stamp in joined.values()}) == 1
        assert all(key == k for key, (k, _) in joined.items())
    return [next(iter(joined.values()))[1] for joined in sets]


def test_joins_equal_stamps_in_any_order_of_topics() -> None:
    join = StampJoin(['color', 'depth'])
    sets = feed(join, ('color', 1), ('depth', 1), ('depth', 2), ('color', 2), ('color', 3))
    assert stamps(sets) == [1, 2] and set(sets[0]) == {'color', 'depth'}
    assert not join.drops


def test_a_whole_set_ends_the_wait_of_older_ones() -> None:
    join = StampJoin(['color', 'depth'])
    assert stamps(feed(join, ('color', 1), ('color', 2), ('depth', 2))) == [2]
    assert join.drops == {'incomplete': 1}
    assert feed(join, ('depth', 3)) == []
    assert stamps(feed(join, ('color', 3))) == [3]


def test_late_and_repeated_stamps_are_dropped_and_counted() -> None:
    join = StampJoin(['color', 'depth', 'info'])
    assert stamps(feed(join, ('color', 5), ('depth', 5), ('info', 5))) == [5]
    assert feed(join, ('info', 5)) == []
    assert join.drops == {'repeated': 1}
    late = StampJoin(['color', 'depth'])
    feed(late, ('depth', 1), ('color', 4), ('depth', 4))
    assert feed(late, ('color', 4), ('depth', 4)) == []
    assert late.drops == {'incomplete': 1, 'repeated': 2}
    # Its own topic's first message, yet older than what already went on.
    assert feed(StampJoin(['a']), ('a', 1)) == [{'a': ('a', 1)}]
    slow = StampJoin(['color', 'depth', 'mask'], required=['color', 'depth'])
    feed(slow, ('color', 1), ('depth', 1), ('color', 2), ('depth', 2))
    assert stamps(feed(slow, ('mask', 2))) == [1, 2]
    assert feed(slow, ('mask', 1)) == [] and slow.jumps == 1


def test_only_what_is_awaited_is_waited_for() -> None:
    join = StampJoin(['color', 'mask', 'info'], required=['color'])
    assert not join.waits
    join.awaited = frozenset({'mask'})
    assert feed(join, ('color', 1)) == [] and join.waits
    assert feed(join, ('mask', 1)) == [{'color': ('color', 1), 'mask': ('mask', 1)}]
    assert not join.waits
    join.awaited = frozenset()
    assert feed(join, ('mask', 2)) == [] and not join.waits
    assert feed(join, ('color', 2)) == [{'color': ('color', 2), 'mask': ('mask', 2)}]
    assert feed(join, ('color', 3)) == [{'color': ('color', 3)}]
    assert feed(join, ('mask', 3)) == [] and join.drops == {'late': 1}


def test_optional_topic_is_waited_for_until_overdue() -> None:
    clock = Clock()
    join = StampJoin(['color', 'mask'], required=['color'], clock=clock)
    assert feed(join, ('color', 1)) == []
    clock.now += 0.09
    assert feed(join, ('color', 2)) == [] and join.take_overdue(0.1) == []
    clock.now += 0.02
    overdue = join.take_overdue(0.1)
    assert overdue == [{'color': ('color', 1)}]
    assert stamps(feed(join, ('mask', 2))) == [2]
    assert feed(join, ('mask', 1)) == []
    assert join.take_overdue(0.0) == []


def test_some_optional_topics_are_waited_for_longer_while_they_are_awaited() -> None:
    clock = Clock()
    join = StampJoin(['color', 'depth', 'late'], required=['color'], clock=clock)
    feed(join, ('color', 1), ('color', 2), ('late', 2))
    clock.now += 0.15
    assert stamps(join.take_overdue(0.1, {'late': 0.3})) == [1, 2], 'the second lacks only depth'
    feed(join, ('color', 3), ('depth', 3))
    clock.now += 0.25
    assert join.take_overdue(0.1, {'late': 0.3}) == []
    clock.now += 0.1
    assert stamps(join.take_overdue(0.1, {'late': 0.3})) == [3]
    join.awaited = frozenset(['color', 'depth'])
    feed(join, ('color', 4))
    clock.now += 0.15
    assert stamps(join.take_overdue(0.1, {'late': 0.3})) == [4]


def test_late_optional_value_after_its_set_went_on() -> None:
    clock = Clock()
    join = StampJoin(['color', 'mask'], required=['color'], clock=clock)
    feed(join, ('color', 1))
    clock.now += 1.0
    assert stamps(join.take_overdue(0.1)) == [1]
    assert feed(join, ('mask', 1)) == [] and join.drops == {'late': 1}


def test_sets_leave_in_order_of_stamps() -> None:
    join = StampJoin(['color', 'mask'], required=['color'])
    sets = feed(join, ('color', 1), ('color', 2), ('color', 3), ('mask', 3))
    assert stamps(sets) == [1, 2, 3]
    assert [set(s) for s in sets] == [{'color'}, {'color'}, {'color', 'mask'}]


def test_capacity_drops_what_came_first() -> None:
    join = StampJoin(['color', 'depth'], capacity=3)
    feed(join, *(('color', s) for s in range(1, 6)))
    assert join.drops == {'overflow': 2}
    assert feed(join, ('depth', 1)) == []
    assert stamps(feed(join, ('depth', 4))) == [4]


@pytest.mark.parametrize('periods', [(1, 1), (1, 3), (3, 1)])
@pytest.mark.parametrize('capacity', [2, 10])
def test_looping_bag_gives_the_same_sets_in_every_loop(periods: tuple[int, int],
                                                       capacity: int) -> None:
    """message_filters stalls here: left-overs of the future push out every new message."""
    join = StampJoin(['color', 'depth'], capacity=capacity)
    common = max(periods)
    counts = []
    for _ in range(3):
        messages = sorted([(s, 'color') for s in range(0, 90, periods[0])]
                          + [(s, 'depth') for s in range(0, 90, periods[1])])
        counts.append(stamps(feed(join, *((key, stamp) for stamp, key in messages))))
    assert counts == [list(range(0, 90, common))] * 3
    assert join.jumps == 4


def test_stragglers_after_the_jump_do_not_disturb() -> None:
    join = StampJoin(['color', 'depth'])
    feed(join, ('color', 1), ('depth', 1), ('color', 8), ('depth', 8), ('color', 9))
    sets = feed(join, ('color', 1), ('depth', 9), ('depth', 1), ('color', 2), ('depth', 2))
    assert stamps(sets) == [1, 2]
    assert join.drops['jump_back'] == 2


def test_sets_that_wait_for_an_optional_topic_survive_the_jump() -> None:
    join = StampJoin(['color', 'mask'], required=['color'])
    feed(join, ('color', 8), ('color', 9))
    assert stamps(feed(join, ('color', 1))) == [8, 9]
    assert stamps(feed(join, ('mask', 1))) == [1]


def test_clear_forgets_stamps() -> None:
    join = StampJoin(['color', 'depth'])
    feed(join, ('color', 5), ('depth', 5), ('color', 6))
    join.clear()
    assert stamps(feed(join, ('color', 1), ('depth', 1))) == [1]
    assert join.jumps == 0


@given(st.lists(st.tuples(st.sampled_from('abc'), st.integers(0, 12)), max_size=120),
       st.integers(1, 4))
@settings(deadline=None, max_examples=400)
def test_any_sequence_keeps_the_promises(messages: list[tuple[str, int]], capacity: int) -> None:
    join = StampJoin('abc', required='ab', capacity=capacity)
    out: list[dict[str, Any]] = []
    jumps, position = 0, -1
    for index, (key, stamp) in enumerate(messages):
        before = join.jumps
        sets = join.add(key, stamp, (key, stamp, index))
        for joined in sets:
            assert {'a', 'b'} <= set(joined)
            assert len({s for _, s, _ in joined.values()}) == 1
            now = joined['a'][1]
            # Only a jump lets the output go back.
            assert now > position or join.jumps > jumps
            position, jumps = now, join.jumps
        if join.jumps > before:  # what came out may be the rest of before the jump
            position = -1 if join._last_out is None else join._last_out
            jumps = join.jumps
        out += sets
    used = [v for joined in out for v in joined.values()]
    assert len(used) == len(set(used))  # nothing is used twice
    left = sum(len(w.values) for w in join._waiting.values())
    assert len(used) + sum(join.drops.values()) + left == len(messages)  # nothing is lost
    assert set(join.drops) <= set(DROP_CAUSES) and len(join._waiting) <= capacity


@pytest.mark.parametrize('arguments', [
    {'keys': []}, {'keys': ['a'], 'required': []}, {'keys': ['a'], 'required': ['b']},
    {'keys': ['a'], 'capacity': 0}])
def test_bad_settings(arguments: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match='cannot join .* expected some of the keys'):
        StampJoin(**arguments)


def test_unknown_key() -> None:
    with pytest.raises(SettingsError, match="'infra' is not joined here, expected one of .*color"):
        StampJoin(['color']).add('infra', 1, None)
