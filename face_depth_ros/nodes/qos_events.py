# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Middleware events of publishers and subscriptions, as far as the ROS release knows them."""

from __future__ import annotations

from collections.abc import Callable
import importlib
import importlib.util
import inspect
from typing import Any

from rclpy.qos import qos_policy_name_from_kind

# Humble has them in rclpy.qos_event, without `matched`; Iron and later in rclpy.event_handler.
_NEW = 'rclpy.event_handler'
_EVENTS: Any = importlib.import_module(
    _NEW if importlib.util.find_spec(_NEW) else 'rclpy.qos_event')

INCOMPATIBLE_QOS = 'incompatible_qos'
"""The cause by which it is counted that two ends of a topic do not match."""
MATCHED_EVENTS = 'matched' in inspect.signature(_EVENTS.PublisherEventCallbacks).parameters
"""Whether this release tells a publisher that a subscriber came or went; else it is polled."""


def publisher_events(on_match: Callable[[], None] | None,
                     on_incompatible: Callable[[str], None]) -> Any:
    """
    Return the event callbacks of a publisher.

    :param on_match: a subscriber came or went; None where demand is polled
    :param on_incompatible: gets the QoS policy on which a subscriber was refused
    """
    return _EVENTS.PublisherEventCallbacks(**_callbacks(on_match, on_incompatible))


def subscription_events(on_match: Callable[[], None] | None,
                        on_incompatible: Callable[[str], None]) -> Any:
    """Return the event callbacks of a subscription; parameters as `publisher_events`."""
    return _EVENTS.SubscriptionEventCallbacks(**_callbacks(on_match, on_incompatible))


def _callbacks(on_match: Callable[[], None] | None,
               on_incompatible: Callable[[str], None]) -> dict[str, Any]:
    callbacks: dict[str, Any] = {
        'incompatible_qos': lambda event: on_incompatible(_policy_name(event.last_policy_kind))}
    if on_match is not None and MATCHED_EVENTS:
        callbacks['matched'] = lambda _event: on_match()
    return callbacks


def _policy_name(kind: int) -> str:
    return str(qos_policy_name_from_kind(kind)).lower().replace('_qos_policy', '')
