# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Small predictors for tests of the nodes' mechanics, and messages to feed them."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from face_depth_ros.core.errors import ModelFileError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    FaceEstimate,
    Placement,
    SkippedFace,
)
from face_depth_ros.nodes.headers import header_of
from face_depth_ros.nodes.image_messages import image_to_message, ImageFrame
import numpy as np
from sensor_msgs.msg import CameraInfo

WIDTH, HEIGHT = 64, 48
FRAME_ID = 'camera_color_optical_frame'


class FakeDetector:
    """Finds one face, whose box says the mean red and blue of the image."""

    engine = SimpleNamespace(backend='fake', precision='fp32', device='none', choice='')

    def __init__(self, **settings):
        self.settings = settings
        self.confidence_threshold, self.max_faces = 0.25, 16
        self.closed = False
        self.gate = threading.Event()
        self.gate.set()

    def detect(self, color):
        assert color.dtype == np.uint8 and color.shape[2] == 3 and not self.closed
        self.gate.wait(30.0)
        if color.max() == 0:
            return ()
        box = FaceBox(float(color[..., 0].mean()) / 8, float(color[..., 2].mean()) / 8, 16.0, 0.25)
        return (Detection(box, 0.9, np.zeros((5, 2), np.float32)),)

    def close(self):
        self.closed = True


class FakeEnhancer:
    """Adds one millimetre per detected face; provenance names the method."""

    engine = None

    def __init__(self, **settings):
        self.settings = settings
        self.method, self.temporal = settings['method'], settings['temporal']
        self.closed = False

    def prepare(self, method):
        assert not self.closed

    def reset(self):
        assert not self.closed

    def enhance(self, depth, detections, method=None, *, stamp_ns, intrinsics):
        assert depth.dtype == np.float32 and not self.closed
        assert intrinsics.width == depth.shape[1] and stamp_ns >= 0
        code = 1 if (method or self.method) == 'network' else 2
        return EnhancedDepth(depth + np.float32(0.001 * len(detections)),
                             np.full(depth.shape, 255 * bool(detections), np.uint8),
                             np.full(depth.shape, code, np.uint8))

    def close(self):
        self.closed = True


class FakeEstimator:
    """
    Paints boxes: 0.5 m by intrinsics, else the sensor's mean depth, else none; 1 cm unsure.

    The mask names the model. A face whose score is 0 is none.
    """

    engine = None

    def __init__(self, **settings):
        self.settings = settings
        self.confidence_threshold, self.crop = settings['confidence_threshold'], settings['crop']
        self.closed = False
        self.calls = []

    def estimate(self, color, detections, *, intrinsics=None, depth=None):
        assert color.dtype == np.uint8 and color.shape[2] == 3 and not self.closed
        self.calls.append((color, detections, intrinsics, depth))
        shape = color.shape[:2]
        result = EstimatedDepth(np.full(shape, np.nan, np.float32),
                                np.full(shape, np.nan, np.float32), np.zeros(shape, np.uint8))
        faces, skipped = [], []
        for face in sorted(detections, key=lambda d: d.box.side):
            if face.score <= 0:
                skipped.append(SkippedFace(face.track_id, 'no_face', 'probability 0.00'))
                continue
            faces.append(self._paint(result, face, intrinsics, depth))
        return EstimatedDepth(result.depth, result.uncertainty, result.mask, tuple(faces),
                              tuple(skipped))

    def close(self):
        self.closed = True

    def _paint(self, result, face, intrinsics, depth):
        distance, placement = float('nan'), Placement.NONE
        if depth is not None:
            distance, placement = float(np.nanmean(depth)), Placement.SENSOR
        elif intrinsics is not None:
            distance, placement = 0.5, Placement.HEAD_SIZE
        b = face.box
        x0, y0 = (max(0, round(c - b.side / 2)) for c in (b.center_x, b.center_y))
        area = np.s_[y0:round(b.center_y + b.side / 2), x0:round(b.center_x + b.side / 2)]
        result.depth[area] = distance
        result.uncertainty[area] = 0.01 if placement else np.nan
        result.mask[area] = 1 if self.settings['model'] == 'ours' else 2
        angle = np.arange(68) * (2 * np.pi / 68)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) * b.side / 2
        crop = np.zeros((4, 4), np.float32)
        return FaceEstimate(face, 0.9, crop, crop.astype(np.uint8),
                            (circle + (b.center_x, b.center_y)).astype(np.float32),
                            np.linspace(0, 1, 68, dtype=np.float32), placement, distance, 0.01)


class BrokenPredictor:
    """Cannot be opened until it is repaired."""

    broken = True

    def __new__(cls, **settings):
        if BrokenPredictor.broken:
            raise ModelFileError('model x: cannot read x.onnx (No such file or directory)',
                                 cause='model_missing')
        return FakeDetector(**settings)


def color_message(stamp_ns, red=160, blue=80, width=WIDTH, height=HEIGHT):
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 2] = red, blue
    return image_to_message(ImageFrame(stamp_ns, FRAME_ID, 'rgb8', image))


def depth_message(stamp_ns, millimetres=700, encoding='16UC1', width=WIDTH, height=HEIGHT):
    if encoding == '16UC1':
        image = np.full((height, width), millimetres, np.uint16)
    else:
        image = np.full((height, width), millimetres / 1000.0, np.float32)
    return image_to_message(ImageFrame(stamp_ns, FRAME_ID, encoding, image))


def info_message(stamp_ns, width=WIDTH, height=HEIGHT, focal=60.0):
    info = CameraInfo(header=header_of(stamp_ns, FRAME_ID), width=width, height=height,
                      distortion_model='plumb_bob')
    info.k = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0 if focal else 0.0]
    return info
