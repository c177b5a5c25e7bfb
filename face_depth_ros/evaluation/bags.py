# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
RGB-D bags (rosbag2: sqlite3 or MCAP, zstd or plain) as frames joined by equal stamps.

Reading streams: a bag of any length needs the memory of a few frames.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
import hashlib
import logging
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth import depth_to_metres
from face_depth_ros.core.errors import BagError, FaceDepthError, InvalidDepthError
from face_depth_ros.core.frames import Frame
from face_depth_ros.core.image_decoding import (
    as_rgb,
    decode_color,
    decode_compressed,
    decode_image,
)
from face_depth_ros.core.stamp_join import StampJoin
from face_depth_ros.evaluation.bag_types import COMPRESSED_IMAGE, message_types
from face_depth_ros.evaluation.camera_topics import CameraTopics, find_camera_topics
import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection

_LOG = logging.getLogger(__name__)
STORAGE_SUFFIXES = ('.mcap', '.db3', '.zstd')
_JOIN_CAPACITY = 120
"""Stamps that wait for their partner: 4 s at 30 Hz, more than recorders delay a stream."""


@dataclass(frozen=True)
class BagMessage:
    """
    One message as it stands in the bag.

    :param log_ns: when it was recorded, nanoseconds
    :param cdr: the serialised message
    :param message: the same, deserialised by rosbags
    """

    topic: str
    msgtype: str
    log_ns: int
    cdr: bytes
    message: Any

    @property
    def stamp_ns(self) -> int:
        """Return the stamp of the header, nanoseconds."""
        return stamp_of(self.message)


@dataclass(frozen=True)
class FrameMessages:
    """
    The messages of one camera frame: colour and depth of equal stamp, and their camera_info.

    :param index: number of the frame in the bag, from 0
    :param color_info: of equal stamp when the bag has it, else the one before, else the first
    """

    index: int
    stamp_ns: int
    color: BagMessage
    depth: BagMessage
    color_info: BagMessage | None = None
    depth_info: BagMessage | None = None

    def decode(self) -> Frame:
        """
        Return the frame as predictors take it.

        :raises InvalidImageError: an image is not what its fields say
        :raises InvalidCameraInfoError: camera_info without usable intrinsics
        """
        color = decode_color_message(self.color)
        depth, encoding = decode_depth_message(self.depth)
        if depth.shape != color.shape[:2]:
            raise InvalidDepthError(
                f'depth is {depth.shape[1]} x {depth.shape[0]} and colour {color.shape[1]} x '
                f'{color.shape[0]}, expected the same size: use the depth aligned to colour',
                cause='size_mismatch')
        return Frame(self.stamp_ns, self.color.message.header.frame_id, color, depth, encoding,
                     _intrinsics(self.color_info))


class Bag:
    """
    A bag opened for reading; use it in a `with` statement.

    :param path: folder of a rosbag2, or one of its storage files
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._reader: AnyReader | None = None
        self.files = storage_files(self.path)
        self.join_drops: Counter[str] = Counter()  # of the latest run through `frames`

    def __enter__(self) -> Bag:
        reader = AnyReader([self.path], default_typestore=message_types())
        try:
            reader.open()
        except Exception as error:  # rosbags passes struct, zstd and assertion errors on
            raise BagError(
                f'cannot open {self.path}: {_reason(error)}; no frame was read. The recording was '
                'cut off or the file is damaged: recover it with `mcap recover` (MCAP) or `ros2 '
                'bag reindex` and try again', cause='bag_truncated') from error
        self._reader = reader
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @property
    def reader(self) -> AnyReader:
        """Return the open reader."""
        if self._reader is None:
            raise BagError(f'{self.path} is not open; use `with Bag(path) as bag:`')
        return self._reader

    def types(self) -> dict[str, str]:
        """Return the message type of each topic."""
        return {c.topic: c.msgtype for c in self.reader.connections}

    def counts(self) -> dict[str, int]:
        """Return the number of messages of each topic, as the bag's index has it."""
        counts: dict[str, int] = {}
        for connection in self.reader.connections:
            counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
        return counts

    def camera_topics(self, *, color: str | None = None,
                      depth: str | None = None) -> CameraTopics:
        """Return the camera's topics (see `find_camera_topics`)."""
        return find_camera_topics(self.types(), color=color, depth=depth)

    def sha256(self) -> str:
        """Return the hash of the storage files' bytes in order; of one file: its sha256sum."""
        digest = hashlib.sha256()
        for path in self.files:
            with path.open('rb') as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def messages(self, topics: set[str] | None = None) -> Iterator[BagMessage]:
        """
        Messages in the order of recording.

        :param topics: only these; None = all
        :raises BagError: the storage is damaged; says how many messages were read
        """
        connections = [c for c in self.reader.connections if topics is None or c.topic in topics]
        if not connections:
            return
        read = 0
        source = self.reader.messages(connections)
        while True:
            try:
                item = next(source, None)
                message = None if item is None else self._message(*item)
            except Exception as error:  # as in __enter__
                raise BagError(
                    f'{self.path} is damaged after {read} messages: {_reason(error)}; recover it '
                    'with `mcap recover` (MCAP) or `ros2 bag reindex` and try again',
                    cause='bag_truncated') from error
            if message is None:
                return
            read += 1
            yield message

    def _message(self, connection: Connection, log_ns: int, cdr: bytes) -> BagMessage:
        return BagMessage(connection.topic, connection.msgtype, log_ns, bytes(cdr),
                          self.reader.deserialize(cdr, connection.msgtype))

    def frames(self, topics: CameraTopics, limit: int | None = None) -> Iterator[FrameMessages]:
        """
        Frames whose colour and depth have equal stamps, in the order of recording.

        :param limit: at most so many
        """
        join = StampJoin(('color', 'depth'), required=('color', 'depth'),
                         capacity=_JOIN_CAPACITY)
        keys = {topic: key for key, topic in topics.by_key().items()}
        infos = _Infos(self, topics)
        self.join_drops = join.drops
        index = images = 0
        for message in self.messages(set(keys)):
            key = keys[message.topic]
            if key.endswith('_info'):
                infos.add(key, message)
                continue
            images += 1
            for joined in join.add(key, message.stamp_ns, message):
                if limit is not None and index >= limit:
                    return
                stamp = joined['color'].stamp_ns
                yield FrameMessages(index, stamp, joined['color'], joined['depth'],
                                    infos.at('color_info', stamp), infos.at('depth_info', stamp))
                index += 1
        if waiting := images - 2 * index - sum(join.drops.values()):
            join.drops['incomplete'] += waiting  # for a partner that the bag has not

    def decoded(self, topics: CameraTopics,
                limit: int | None = None) -> Iterator[tuple[FrameMessages, Frame]]:
        """
        Frames as `frames`, with what predictors take; one that cannot be decoded is left out.

        :raises BagError: there are frames, but none can be decoded; says what is wrong
        """
        wrong, count, left_out = '', 0, Counter[str]()
        for source in self.frames(topics, limit):
            try:
                frame = source.decode()
            except FaceDepthError as error:
                wrong = wrong or f'frame {source.index}: {error}'
                left_out[error.cause] += 1
                continue
            count += 1
            yield source, frame
        if wrong and not count:
            raise BagError(f'no frame of {self.path} can be used; {wrong}',
                           cause=next(iter(left_out)))
        if wrong:
            _LOG.warning('%d frames of %s are left out (%s); %s', sum(left_out.values()),
                         self.path, ', '.join(left_out), wrong)


class _Infos:
    """The camera_info that belongs to a stamp; recorders write it before or after its image."""

    def __init__(self, bag: Bag, topics: CameraTopics) -> None:
        self._latest: dict[str, BagMessage] = {}
        for key in ('color_info', 'depth_info'):
            topic = topics.by_key().get(key)
            first = next(bag.messages({topic}), None) if topic is not None else None
            if first is not None:
                self._latest[key] = first
        self._by_stamp: dict[tuple[str, int], BagMessage] = {}

    def add(self, key: str, message: BagMessage) -> None:
        self._latest[key] = message
        self._by_stamp[key, message.stamp_ns] = message
        while len(self._by_stamp) > 4 * _JOIN_CAPACITY:
            self._by_stamp.pop(next(iter(self._by_stamp)))

    def at(self, key: str, stamp_ns: int) -> BagMessage | None:
        found = self._by_stamp.pop((key, stamp_ns), None) or self._latest.get(key)
        return found if found is None or found.stamp_ns == stamp_ns else _restamped(
            found, stamp_ns)


def _restamped(info: BagMessage, stamp_ns: int) -> BagMessage:
    types = message_types()
    message: Any = types.deserialize_cdr(info.cdr, info.msgtype)
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10 ** 9)
    return replace(info, message=message,
                   cdr=bytes(types.serialize_cdr(message, info.msgtype)))


def storage_files(path: Path) -> list[Path]:
    """
    Return the storage files of a bag.

    :raises BagError: nothing there, no metadata, or another kind of file
    """
    if not path.exists():
        raise BagError(f'there is no bag at {path}', cause='bag_missing')
    if path.is_file():
        if path.suffix not in STORAGE_SUFFIXES:
            raise BagError(f'{path} is not a rosbag2 storage file, expected a bag folder or a '
                           'file ending in .mcap or .db3', cause='bag_missing')
        return [path]
    files = sorted(p for p in path.iterdir() if p.suffix in STORAGE_SUFFIXES)
    if not (path / 'metadata.yaml').is_file():
        hint = (f'pass {files[0]} itself' if len(files) == 1 else 'record it again')
        raise BagError(
            f'{path} has no metadata.yaml, so it is not a complete bag (a recorder that was '
            f'killed leaves none); run `ros2 bag reindex {path}`, or {hint}',
            cause='bag_missing')
    return files


def stamp_of(message: Any) -> int:
    """Return the header's stamp, nanoseconds."""
    stamp = message.header.stamp
    return int(stamp.sec) * 10 ** 9 + int(stamp.nanosec)


def decode_color_message(item: BagMessage) -> np.ndarray:
    """Return the colour image of an Image or CompressedImage, (H, W, 3) uint8 RGB."""
    m = item.message
    if item.msgtype == COMPRESSED_IMAGE:
        return as_rgb(decode_compressed(m.data, m.format))
    return decode_color(m.data, m.encoding, m.width, m.height, m.step, bool(m.is_bigendian))


def decode_depth_message(item: BagMessage) -> tuple[np.ndarray, str]:
    """Return metres, (H, W) float32, NaN where invalid, and the encoding on the wire."""
    m = item.message
    if item.msgtype == COMPRESSED_IMAGE:
        image = decode_compressed(m.data, m.format)
        encoding = '16UC1' if image.dtype == np.uint16 else '32FC1'
    else:
        image = decode_image(m.data, m.encoding, m.width, m.height, m.step,
                             bool(m.is_bigendian))
        encoding = '16UC1' if m.encoding == 'mono16' else m.encoding
    return depth_to_metres(image, encoding), encoding


def _intrinsics(info: BagMessage | None) -> CameraIntrinsics | None:
    if info is None:
        return None
    return CameraIntrinsics.from_k(info.message.k, info.message.width, info.message.height)


def _reason(error: Exception) -> str:
    return f'{type(error).__name__}: {error}' if str(error) else type(error).__name__
