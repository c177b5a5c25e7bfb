# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.image_messages import ImageFrame
import numpy as np
import pytest

IMAGE = 'sensor_msgs.msg.Image'


def nothing(*_):
    pass


def test_a_value_reaches_every_subscriber_by_reference():
    exchange, got = Exchange(), []
    publication = exchange.advertise('/a', IMAGE, nothing)
    for _ in range(2):
        exchange.subscribe('/a', IMAGE, got.append, nothing)
    frame = ImageFrame(1, 'f', 'mono8', np.zeros((2, 3), np.uint8))
    assert publication.deliver(frame) == 2
    assert got[0] is frame and got[1] is frame


def test_only_equal_topics_of_equal_types_meet():
    exchange, got = Exchange(), []
    publication = exchange.advertise('/a', IMAGE, nothing)
    exchange.subscribe('/b', IMAGE, got.append, nothing)
    other = exchange.subscribe('/a', 'sensor_msgs.msg.CompressedImage', got.append, nothing)
    assert publication.deliver(1) == 0 and not got
    assert publication.subscriptions == 0 and not other.offered


def test_both_ends_are_told_of_the_other():
    exchange, told = Exchange(), []
    publication = exchange.advertise('/a', IMAGE, lambda: told.append('publisher'))
    subscription = exchange.subscribe('/a', IMAGE, nothing, lambda: told.append('subscriber'))
    assert told == ['publisher'] and subscription.offered and publication.subscriptions == 1
    subscription.close()
    assert told == ['publisher'] * 2 and publication.subscriptions == 0
    exchange.subscribe('/a', IMAGE, nothing, lambda: told.append('subscriber'))
    publication.close()
    assert told[-1] == 'subscriber' and not exchange.offers(('/a', IMAGE))


def test_closing_twice_is_nothing_and_leaves_nothing():
    exchange, told = Exchange(), []
    publication = exchange.advertise('/a', IMAGE, nothing)
    subscription = exchange.subscribe('/a', IMAGE, nothing, lambda: told.append(1))
    publication.close()
    publication.close()
    assert told == [1]
    subscription.close()
    subscription.close()
    assert exchange.empty


def test_two_publishers_of_one_topic_are_both_known():
    exchange = Exchange()
    first = exchange.advertise('/a', IMAGE, nothing)
    exchange.advertise('/a', IMAGE, nothing)
    assert exchange.publications(('/a', IMAGE)) == 2
    first.close()
    assert exchange.offers(('/a', IMAGE))


def test_what_is_handed_on_cannot_be_written():
    frame = ImageFrame(1, 'f', 'mono8', np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match='read-only'):
        frame.array[0, 0] = 1
