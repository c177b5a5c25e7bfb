# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What a node's work on one frame gives, and what works where its predictor cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from face_depth_ros.nodes.diagnostics import Problem
from face_depth_ros.nodes.topic_output import Output

P = TypeVar('P')
S = TypeVar('S')
Values = Sequence[tuple[Output, Any]]
"""Pairs (output, value), published together or not at all."""


@dataclass(frozen=True)
class Outcome:
    """
    What one frame gave.

    :param values: of the outputs
    :param warnings: pairs (cause, message) of what was left out
    :param extra: makes further values once `values` are out, so that nobody waits for them; None
        where nobody wants any
    """

    values: Values
    warnings: Sequence[Problem] = ()
    extra: Callable[[], Values] | None = None


@dataclass(frozen=True)
class Substitute(Generic[P, S]):
    """
    A predictor in place of one that cannot be opened.

    :param settings: those that it has
    :param effect: what that means for the outputs, for people
    """

    predictor: P
    settings: S
    effect: str
