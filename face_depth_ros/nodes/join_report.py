# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""How many images wait for their detections, and what is said when none of their stamp come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

IMAGES_KEPT = 16
"""Those of half a second of a camera of 30 Hz: so late may the detections of an image come."""


class JoinReport:
    """
    Counts frames that are left out since nothing of their stamps comes on another topic.

    Not where a topic is silent, nor those that a slow detector skips: only once all topics have
    come and as many frames are lost as are kept, without one that was joined between them.

    :param count: called with (cause, message)
    :param topics: what must have one stamp, by key, for people too
    """

    def __init__(self, count: Callable[[str, str], None], topics: Iterable[str]) -> None:
        self._count, self._topics = count, tuple(topics)
        self._come: set[str] = set()
        self._lost = self._lost_when_joined = 0

    def look(self, drops: Counter[str], joined: bool, key: str = '') -> None:
        """
        Look at the losses of a `StampJoin` after something was added to it, or taken.

        :param joined: whether frames went on by that
        :param key: of what was added
        """
        before, self._lost = self._lost, drops['overflow']
        self._come.add(key)
        if joined:
            self._lost_when_joined = self._lost
            self._come.clear()
        elif self._come.issuperset(self._topics) and self._lost > max(
                before, self._lost_when_joined + IMAGES_KEPT):
            self._count('stamps_unequal', (
                f'a frame was left out: no {" and ".join(self._topics)} of one stamp have come; '
                'check that they are of one camera, whose driver gives colour and depth of a '
                'frame one stamp, and that face_detector keeps up'))
