# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Topics of which there is one for each face in view, closed once it has been away for a while.

Topics come and go only on the executor's thread; frames are published on the worker's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
import re
import threading
import time
from typing import Any, Generic, TypeVar

from face_depth_ros.nodes.health import Health
from face_depth_ros.nodes.topic_adapters import Stamped
from face_depth_ros.nodes.topic_output import TopicOutput
from rclpy.node import Node

V = TypeVar('V', bound=Stamped)
_TRACK_ID = re.compile(r'[A-Za-z][A-Za-z0-9_]{0,63}')
"""What may stand in the name of a topic."""


def usable_tracks(tracks: Iterable[str]) -> list[str]:
    """Return the track ids that can stand in the name of a topic, each once."""
    return [t for t in dict.fromkeys(tracks) if _TRACK_ID.fullmatch(t)]


@dataclass(frozen=True)
class FaceValues(Generic[V]):
    """
    What there is of all faces of one frame.

    :param faces: by track id, the most important first
    """

    stamp_ns: int
    frame_id: str
    faces: Mapping[str, V]


class FaceOutputs(Generic[V]):
    """
    Many outputs as one, whose value is a `FaceValues`.

    :param open_output: makes the output of a topic; on the executor's thread
    :param prefix: of the topics, before the track id
    :param suffix: after it, '' = the track id is the last part of the name
    :param on_executor: runs something on the executor's thread soon
    :param on_demand: called when somebody was seen to listen, or nobody any more
    :param limit: how many topics there may be now
    :param away_s: how long a face may be out of view now before its topic is closed
    :param clock: seconds, monotonic
    """

    def __init__(self, node: Node, open_output: Callable[[str], TopicOutput[V]], *,
                 prefix: str, suffix: str = '', health: Health,
                 on_executor: Callable[[Callable[[], None]], None],
                 on_demand: Callable[[], None], limit: Callable[[], int],
                 away_s: Callable[[], float],
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._name = f'{prefix}/{{}}{"/" if suffix else ""}{suffix}'
        self._before, self._after = node.resolve_topic_name(prefix) + '/', suffix
        self.topic = node.resolve_topic_name(prefix) + self._name[len(prefix):].format(
            '<track id>')
        self._node, self._open, self._health = node, open_output, health
        self._on_executor, self._on_demand = on_executor, on_demand
        self._limit, self._away_s, self._clock = limit, away_s, clock
        self._lock = threading.Lock()
        self._outputs: dict[str, TopicOutput[V]] = {}
        self._seen: dict[str, float] = {}
        self._listeners = 0
        self._wanted = False
        self._sent_before = 0
        self._closed = False

    @property
    def demand(self) -> int:
        """How many subscribers there are, also of faces that are not in view yet."""
        return self._listeners + sum(o.demand for o in self._present().values())

    @property
    def messages_sent(self) -> int:
        """ROS messages that were made and sent on all these topics."""
        return self._sent_before + sum(o.messages_sent for o in self._present().values())

    @property
    def tracks(self) -> tuple[str, ...]:
        """The faces that have a topic now."""
        return tuple(self._present())

    def announce(self, tracks: Iterable[str]) -> list[str]:
        """Note that faces are in view, whose topics open soon; returns those that can have one."""
        named = list(tracks)
        usable = usable_tracks(named)
        if len(usable) < len(named):
            self._health.count('track_id', (
                f'{len(named) - len(usable)} face(s) have no topic of their own: their track ids '
                'are empty, or twice there, or cannot stand in the name of a topic; expected '
                'letters, digits and _ as of face_detector'), problem=False)
        now = self._clock()
        with self._lock:
            known = set(self._outputs)
            for track in usable:
                self._seen[track] = now
        if not known.issuperset(usable):
            self._on_executor(self.update)
        return usable

    def encode(self, value: FaceValues[V]) -> dict[str, Any]:
        """Return the messages of those faces that somebody outside the process listens to."""
        usable = self.announce(value.faces)
        outputs = self._present()
        return {t: outputs[t].encode(value.faces[t]) for t in usable if t in outputs}

    def send(self, value: FaceValues[V], message: dict[str, Any]) -> None:
        """Hand the faces on, and send the messages that `encode` made."""
        outputs = self._present()
        for track, encoded in message.items():
            if track in outputs:
                outputs[track].send(value.faces[track], encoded)

    def update(self) -> None:
        """Open topics of faces that came and close those of faces long away; on the executor."""
        if self._closed:
            return
        now, limit, away_s = self._clock(), self._limit(), self._away_s()
        with self._lock:
            self._seen = {t: s for t, s in self._seen.items() if now - s <= away_s}
            kept = sorted(self._seen, key=self._seen.__getitem__, reverse=True)[:limit]
            gone = [self._outputs.pop(t) for t in list(self._outputs) if t not in kept]
            new = [t for t in kept if t not in self._outputs]
        for output in gone:
            self._sent_before += output.messages_sent
            output.close()
        for track in new:
            output = self._open(self._name.format(track))
            with self._lock:
                self._outputs[track] = output

    def look(self) -> None:
        """Close what is due, and look who listens to faces that have no topic; on the executor."""
        if self._closed:
            return
        self.update()
        own = {o.topic for o in self._present().values()}
        topics = [t for t, _ in self._node.get_topic_names_and_types()
                  if t.startswith(self._before) and t.endswith(self._after) and t not in own]
        self._listeners = sum(self._node.count_subscribers(t) for t in topics)
        before, self._wanted = self._wanted, self.demand > 0
        if before != self._wanted:
            self._on_demand()

    def clear(self) -> None:
        """Close all topics; on the executor."""
        with self._lock:
            self._seen.clear()
        self.update()

    def close(self) -> None:
        """Close all topics for good."""
        self.clear()
        self._closed = True

    def _present(self) -> dict[str, TopicOutput[V]]:
        with self._lock:
            return dict(self._outputs)
