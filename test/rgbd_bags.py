# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Small RGB-D bags written straight with rosbags, and a pipeline that knows their answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
import struct
from typing import Any

import cv2
from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    Expression,
    FaceEstimate,
    Frame,
    FrameResult,
    Identity,
    Liveness,
    Placement,
    Provenance,
    SkippedFace,
)
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import get_typestore, Stores

COLOR = '/camera/camera/color'
DEPTH = '/camera/camera/aligned_depth_to_color'
IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
INFO = 'sensor_msgs/msg/CameraInfo'
WIDTH, HEIGHT = 64, 48
FIRST_STAMP_NS, STEP_NS = 1_700_000_000_000_000_000, 100_000_000
FACE_MM = 600
STORE = get_typestore(Stores.ROS2_JAZZY)
T = STORE.types


@dataclass(frozen=True)
class Entry:
    """One message to write."""

    topic: str
    msgtype: str
    stamp_ns: int
    message: Any


def stamp(index: int) -> int:
    """Return the stamp of a frame."""
    return FIRST_STAMP_NS + index * STEP_NS


def header(stamp_ns: int) -> Any:
    """Return a header."""
    sec, nanosec = divmod(stamp_ns, 10 ** 9)
    return T['std_msgs/msg/Header'](T['builtin_interfaces/msg/Time'](sec, nanosec), 'camera')


def color_array(index: int) -> np.ndarray:
    """Return a grey frame with a red square, which is the face, wandering to the right."""
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    image[12:36, 10 + index:34 + index] = (220, 40, 40)
    return image


def depth_array(index: int) -> np.ndarray:
    """Return 16UC1 depth: a wall, the face before it with a hole in its middle."""
    image = np.full((HEIGHT, WIDTH), 2000, np.uint16)
    image[12:36, 10 + index:34 + index] = FACE_MM
    image[20:26, 20 + index:26 + index] = 0
    return image


def image_entry(topic: str, stamp_ns: int, array: np.ndarray, encoding: str) -> Entry:
    """Return a raw image."""
    height, width = array.shape[:2]
    return Entry(topic, IMAGE, stamp_ns, T[IMAGE](
        header(stamp_ns), height, width, encoding, 0, array.nbytes // height,
        np.frombuffer(array.tobytes(), np.uint8)))


def compressed_entry(topic: str, stamp_ns: int, data: bytes, form: str) -> Entry:
    """Return a compressed image."""
    return Entry(topic, COMPRESSED, stamp_ns,
                 T[COMPRESSED](header(stamp_ns), form, np.frombuffer(data, np.uint8)))


def info_entry(topic: str, stamp_ns: int) -> Entry:
    """Return a camera_info with a focal length of 60 px."""
    k = np.array([60.0, 0, 31.5, 0, 60.0, 23.5, 0, 0, 1])
    p = np.array([60.0, 0, 31.5, 0, 0, 60.0, 23.5, 0, 0, 0, 1, 0])
    roi = T['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    return Entry(topic, INFO, stamp_ns, T[INFO](
        header(stamp_ns), HEIGHT, WIDTH, 'plumb_bob', np.zeros(5), k, np.eye(3).reshape(-1), p,
        0, 0, roi))


def frame_entries(index: int) -> list[Entry]:
    """Return the four messages of one frame."""
    s = stamp(index)
    return [image_entry(f'{COLOR}/image_raw', s, color_array(index), 'rgb8'),
            image_entry(f'{DEPTH}/image_raw', s, depth_array(index), '16UC1'),
            info_entry(f'{COLOR}/camera_info', s), info_entry(f'{DEPTH}/camera_info', s)]


def compressed_frame_entries(index: int) -> list[Entry]:
    """Return the same frame as PNG and compressedDepth."""
    s = stamp(index)
    png = cv2.imencode('.png', color_array(index)[..., ::-1])[1].tobytes()
    depth = struct.pack('<iff', 0, 0.0, 0.0) + cv2.imencode('.png', depth_array(index))[
        1].tobytes()
    return [compressed_entry(f'{COLOR}/image_raw/compressed', s, png, 'rgb8; png compressed'),
            compressed_entry(f'{DEPTH}/image_raw/compressedDepth', s, depth,
                             '16UC1; compressedDepth png'),
            info_entry(f'{COLOR}/camera_info', s)]


def write_bag(path: Path, entries: Iterable[Entry], *,
              storage: StoragePlugin = StoragePlugin.MCAP,
              compression: CompressionMode = CompressionMode.NONE) -> Path:
    """Write messages, each recorded at its stamp."""
    writer = Writer(path, version=8, storage_plugin=storage)
    if compression is not CompressionMode.NONE:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with writer:
        for entry in entries:
            if entry.topic not in connections:
                connections[entry.topic] = writer.add_connection(
                    entry.topic, entry.msgtype, typestore=STORE)
            writer.write(connections[entry.topic], entry.stamp_ns,
                         STORE.serialize_cdr(entry.message, entry.msgtype))
    return path


class KnowingPipeline:
    """Stands in for the pipeline: finds the red square and fills its hole with 0.6 m."""

    stages: tuple[Any, ...] = ()
    recognizer: Any = None

    def __init__(self) -> None:
        self.closed = False

    def process(self, frame: Frame) -> FrameResult:
        """Return the face where the frame is red."""
        rows, columns = np.nonzero(frame.color[..., 0] > 200)
        detections: tuple[Detection, ...] = ()
        depth = frame.depth.copy()
        provenance = np.zeros(depth.shape, np.uint8)
        if rows.size:
            box = FaceBox(columns.mean() + 0.5, rows.mean() + 0.5, 24.0)
            landmarks = np.full((5, 2), (box.center_x, box.center_y), np.float32)
            detections = (Detection(box, 0.9, landmarks, 'f00001'),)
            face = np.zeros(depth.shape, bool)
            face[rows, columns] = True
            provenance[face] = np.where(np.isfinite(depth[face]), Provenance.MEASURED,
                                        Provenance.FILLED)
            depth[face] = FACE_MM / 1000
        enhanced = EnhancedDepth(depth, np.where(provenance > 0, 200, 0).astype(np.uint8),
                                 provenance)
        return FrameResult(frame.stamp_ns, frame.frame_id, detections, enhanced,
                           stage_ms={'detect': 1.0, 'track': 0.1, 'enhance': 2.0})

    def close(self) -> None:
        """Note it."""
        self.closed = True


class EstimatingPipeline(KnowingPipeline):
    """
    Estimates the red square's depth as well: `OFFSET_MM` too far, a mask of skin with a nose.

    :param missed: indices of frames whose face is left out, cause no_face
    """

    OFFSET_MM = 8

    def __init__(self, missed: Iterable[int] = ()) -> None:
        super().__init__()
        self._missed = {stamp(i) for i in missed}

    def process(self, frame: Frame) -> FrameResult:
        """Return the face where the frame is red, and what is estimated of it."""
        result = super().process(frame)
        mask = np.zeros(frame.depth.shape, np.uint8)
        depth = np.full(frame.depth.shape, np.nan, np.float32)
        faces: tuple[FaceEstimate, ...] = ()
        skipped: tuple[SkippedFace, ...] = ()
        for detection in result.detections:
            if frame.stamp_ns in self._missed:
                skipped = (SkippedFace(detection.track_id, 'no_face', 'nothing there'),)
                continue
            box = detection.box
            mask[frame.color[..., 0] > 200] = 1
            mask[22:26, int(box.center_x) - 2:int(box.center_x) + 2] = 5
            placed = frame.intrinsics is not None
            if placed:
                depth[mask > 0] = (FACE_MM + self.OFFSET_MM) / 1000
            faces = (face_estimate(detection, placed),)
        estimated = EstimatedDepth(depth, np.where(np.isfinite(depth), np.float32(0.012), depth),
                                   mask, faces, skipped)
        return replace(result, estimated=estimated)


class TellingPipeline(KnowingPipeline):
    """
    Tells as well what the face says and whether it lives: what it was told to, frame by frame.

    :param said: name of an expression per frame, with probability 0.7; '' = nothing to be seen
    :param liveness: live, spoof or unsure per frame, with probability 0.9
    :param person: who it is taken for, '' = nobody is recognised
    :param missed: indices of frames in which neither is told of the face
    """

    def __init__(self, said: tuple[str, ...], liveness: tuple[str, ...], person: str = '',
                 missed: Iterable[int] = ()) -> None:
        super().__init__()
        self._said, self._liveness, self._person = said, liveness, person
        self._missed = set(missed)

    def process(self, frame: Frame) -> FrameResult:
        """Return the face where the frame is red, and what is told of it."""
        result = super().process(frame)
        index = (frame.stamp_ns - FIRST_STAMP_NS) // STEP_NS
        told = () if index in self._missed else result.detections
        chances = np.full(7, 1 / 7, np.float32)
        if self._said[index]:
            chances[:] = 0.05
            chances[EXPRESSIONS.index(self._said[index])] = 0.7
        life = self._liveness[index]
        probability = {'live': 0.9, 'spoof': 0.1}.get(life, 0.5)
        identities = tuple(Identity(d, self._person, 0.8) for d in result.detections)
        return replace(
            result, identities=identities if self._person else None,
            expressions=tuple(Expression(d, chances, self._said[index] or 'neutral')
                              for d in told),
            liveness=tuple(Liveness(d, life, probability) for d in told))


def face_estimate(detection: Detection, placed: bool) -> FaceEstimate:
    """Return an estimate whose 68 points lie on a circle, the first 17 of them hidden."""
    angle = np.linspace(0.0, 2 * np.pi, 68, endpoint=False)
    center = (detection.box.center_x, detection.box.center_y)
    points = center + 8.0 * np.column_stack([np.cos(angle), np.sin(angle)])
    visibility = np.where(np.arange(68) < 17, 0.1, 0.9).astype(np.float32)
    return FaceEstimate(
        detection, 0.97, np.zeros((8, 8), np.float32), np.ones((8, 8), np.uint8),
        points.astype(np.float32), visibility,
        Placement.SENSOR if placed else Placement.NONE, 0.6 if placed else float('nan'),
        0.01 if placed else float('nan'))
