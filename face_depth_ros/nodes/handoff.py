# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
In-process hand-off: components of one container pass frames to each other by reference.

rclpy has no intra-process transport; every image would be serialised and copied about five times.
An `Exchange` knows who publishes and who subscribes to a topic inside one container. Nothing that
was handed on may be mutated; arrays are made read-only when they are wrapped.
"""

from __future__ import annotations

from collections.abc import Callable
import threading
from typing import Any

from face_depth_ros.nodes.shared_subscriptions import SharedSubscriptions

Key = tuple[str, str]
"""Resolved topic name and message type, so that only compatible ends meet."""


class Publication:
    """One publisher's end of a topic inside the process; made by `Exchange.advertise`."""

    def __init__(self, exchange: Exchange, key: Key, on_change: Callable[[], None]) -> None:
        self._exchange = exchange
        self.key = key
        self.on_change = on_change

    @property
    def subscriptions(self) -> int:
        """How many subscribers of this process take the topic now."""
        return len(self._exchange.subscriptions_of(self.key))

    def deliver(self, value: Any) -> int:
        """
        Give a value to every subscriber of this process, on the calling thread.

        :returns: the number of subscribers
        """
        subscriptions = self._exchange.subscriptions_of(self.key)
        for subscription in subscriptions:
            subscription.receive(value)
        return len(subscriptions)

    def close(self) -> None:
        """Leave the topic; subscribers are told."""
        self._exchange.leave(self)


class Subscription:
    """One subscriber's end of a topic inside the process; made by `Exchange.subscribe`."""

    def __init__(self, exchange: Exchange, key: Key, receive: Callable[[Any], None],
                 on_change: Callable[[], None]) -> None:
        self._exchange = exchange
        self.key = key
        self.receive = receive
        self.on_change = on_change

    @property
    def offered(self) -> bool:
        """Whether somebody in this process publishes the topic."""
        return self._exchange.offers(self.key)

    def close(self) -> None:
        """Stop receiving; publishers are told that demand fell."""
        self._exchange.leave(self)


class Exchange:
    """
    The meeting place of one container's publishers and subscribers.

    Both ends are told when the other side changes, through their `on_change`, which must return
    at once and may come on any thread.

    :param shared: of messages from outside; without it each component subscribes for itself
    """

    def __init__(self, shared: SharedSubscriptions | None = None) -> None:
        self.shared = shared
        self._lock = threading.Lock()
        self._publications: dict[Key, tuple[Publication, ...]] = {}
        self._subscriptions: dict[Key, tuple[Subscription, ...]] = {}

    def advertise(self, topic: str, type_name: str, on_change: Callable[[], None]) -> Publication:
        """
        Offer a topic.

        :param topic: resolved (absolute) name
        :param type_name: of the ROS message that the values stand for
        :param on_change: called when a subscriber comes or goes
        """
        publication = Publication(self, (topic, type_name), on_change)
        with self._lock:
            known = self._publications.get(publication.key, ())
            self._publications[publication.key] = (*known, publication)
        self._tell(self.subscriptions_of(publication.key))
        return publication

    def subscribe(self, topic: str, type_name: str, receive: Callable[[Any], None],
                  on_change: Callable[[], None]) -> Subscription:
        """
        Take a topic.

        :param receive: called with every value on the publisher's thread; must return at once
        :param on_change: called when a publisher comes or goes
        """
        subscription = Subscription(self, (topic, type_name), receive, on_change)
        with self._lock:
            known = self._subscriptions.get(subscription.key, ())
            self._subscriptions[subscription.key] = (*known, subscription)
        self._tell(self._publications_of(subscription.key))
        return subscription

    def leave(self, end: Publication | Subscription) -> None:
        """Take one end out; a second time does nothing."""
        table: dict[Key, Any] = (
            self._publications if isinstance(end, Publication) else self._subscriptions)
        with self._lock:
            known = table.get(end.key, ())
            if end not in known:
                return
            rest = tuple(e for e in known if e is not end)
            if rest:
                table[end.key] = rest
            else:
                del table[end.key]
        self._tell(self.subscriptions_of(end.key) if isinstance(end, Publication)
                   else self._publications_of(end.key))

    def offers(self, key: Key) -> bool:
        """Whether anybody in this process publishes the topic."""
        return bool(self._publications_of(key))

    def publications(self, key: Key) -> int:
        """How many components of this process publish the topic."""
        return len(self._publications_of(key))

    def subscriptions_of(self, key: Key) -> tuple[Subscription, ...]:
        """Return the subscribers of a topic."""
        with self._lock:
            return self._subscriptions.get(key, ())

    @property
    def empty(self) -> bool:
        """Whether nobody publishes or subscribes (after unloading everything)."""
        with self._lock:
            return not self._publications and not self._subscriptions

    def _publications_of(self, key: Key) -> tuple[Publication, ...]:
        with self._lock:
            return self._publications.get(key, ())

    @staticmethod
    def _tell(ends: tuple[Publication, ...] | tuple[Subscription, ...]) -> None:
        for end in ends:
            end.on_change()
