# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Writing of MCAP bags that are complete or not there at all."""

from __future__ import annotations

import os
from pathlib import Path
import tempfile
from types import TracebackType
from typing import Any, Final

from face_depth_ros.core.errors import BagError
from face_depth_ros.evaluation.bag_types import message_types
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer, WriterError
from rosbags.typesys import TypesysError

_METADATA_VERSION: Final = 8
"""The newest that Jazzy's rosbag2 writes."""
_NO_LIMIT: Final = QosTime(sec=2 ** 31 - 1, nsec=10 ** 9 - 1)
_LATCHED: Final = Qos(
    history=QosHistory.KEEP_LAST, depth=1, reliability=QosReliability.RELIABLE,
    durability=QosDurability.TRANSIENT_LOCAL, deadline=_NO_LIMIT, lifespan=_NO_LIMIT,
    liveliness=QosLiveliness.AUTOMATIC, liveliness_lease_duration=_NO_LIMIT,
    avoid_ros_namespace_conventions=False)


class BagWriter:
    """
    A bag under construction; it appears at `path` when the `with` block ends well.

    :param path: folder of the bag; must not be there yet
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._aside: tempfile.TemporaryDirectory[str] | None = None
        self._writer: Writer | None = None
        self._connections: dict[str, Connection] = {}
        self.counts: dict[str, int] = {}

    def __enter__(self) -> BagWriter:
        if self.path.exists():
            raise BagError(f'{self.path} exists already, a bag is never overwritten; choose '
                           'another path or remove it', cause='bag_exists')
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._aside = tempfile.TemporaryDirectory(prefix=f'.{self.path.name}.',
                                                      dir=self.path.parent)
        except OSError as error:
            raise self._unwritable(error) from error
        # The storage file is named as its folder, so the folder has its name from the start.
        self._writer = Writer(Path(self._aside.name) / self.path.name, version=_METADATA_VERSION,
                              storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        writer, self._writer = self._writer, None
        aside, self._aside = self._aside, None
        if writer is None or aside is None:
            return
        with aside:
            if kind is not None:
                writer.abort()
                return
            try:
                writer.close()
                (Path(aside.name) / self.path.name).rename(self.path)
            except OSError as failure:
                raise self._unwritable(failure) from failure

    def write(self, topic: str, msgtype: str, log_ns: int, cdr: bytes) -> None:
        """
        Add a serialised message.

        :param log_ns: time of recording, nanoseconds
        :raises BagError: the writer is closed, the topic came with another type before, or the
            file cannot be written
        """
        try:
            self._open().write(self.announce(topic, msgtype), log_ns, cdr)
        except OSError as error:
            raise self._unwritable(error) from error
        self.counts[topic] += 1

    def write_message(self, topic: str, msgtype: str, log_ns: int, message: Any) -> None:
        """Add a message of `message_types()`."""
        self.write(topic, msgtype, log_ns, bytes(message_types().serialize_cdr(message, msgtype)))

    def announce(self, topic: str, msgtype: str, *, latched: bool = False) -> Connection:
        """
        Make a topic known, so that it stands in the bag even without messages.

        :param latched: players are to keep its last message for whoever comes later
        """
        known = self._connections.get(topic)
        if known is None:
            try:
                known = self._open().add_connection(
                    topic, msgtype, typestore=message_types(),
                    offered_qos_profiles=(_LATCHED,) if latched else ())
            except (WriterError, TypesysError) as error:
                raise BagError(f'cannot record {topic} as {msgtype}: {error}') from error
            self._connections[topic] = known
            self.counts[topic] = 0
        elif known.msgtype != msgtype:
            raise BagError(f'{topic} was recorded as {known.msgtype}, now it is {msgtype}; one '
                           'topic has one type')
        return known

    def types(self) -> dict[str, str]:
        """Return the type of each topic written or announced."""
        return {topic: c.msgtype for topic, c in self._connections.items()}

    def _open(self) -> Writer:
        if self._writer is None:
            raise BagError(f'the bag {self.path} is not open for writing; use `with BagWriter(...)'
                           ' as bag:`')
        return self._writer

    def _unwritable(self, error: OSError) -> BagError:
        return BagError(f'cannot write a bag at {self.path}: {error.strerror or error}; make '
                        'room, or choose another path', cause='bag_unwritable')
