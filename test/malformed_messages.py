# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Malformed messages from a seeded generator: every field of every input, wrong in many ways."""

from __future__ import annotations

from array import array

import cv2
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.nodes.detection_messages import DetectionFrame, detections_to_message
from fake_predictors import color_message, depth_message, HEIGHT, info_message, WIDTH
import numpy as np
from sensor_msgs.msg import CompressedImage

ENCODINGS = ('', 'rgb8', 'bgr8', 'bgra8', 'mono8', 'mono16', '16UC1', '32FC1', '64FC1', '8UC4',
             'bayer_rggb8', 'yuv422', 'compressed', '16uc1', 'ünïcode', 'x' * 300)
FORMATS = ('', 'jpeg', 'png', 'rgb8; jpeg compressed bgr8', '16UC1; compressedDepth png',
           '32FC1; compressedDepth png', '16UC1; compressedDepth rvl', '; compressedDepth', 'ü')
FLOATS = (0.0, -1.0, float('nan'), float('inf'), float('-inf'), 1e-30, 1e30, 1e9, -0.5)


class MalformedMessages:
    """
    Makes them.

    :param seed: the same seed makes the same messages
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.stamp = 1_000_000_000

    def next_stamp(self) -> int:
        """Go on, repeat, run back, or leap; all inputs of a round share it."""
        kind = self.rng.integers(10)
        if kind == 0:
            self.stamp = int(self.rng.integers(0, self.stamp + 1))
        elif kind == 1:
            self.stamp += int(self.rng.integers(10**9, 10**15))
        elif kind != 2:
            self.stamp += 33_000_000
        if self.stamp > 2_000_000_000 * 10**9:
            self.stamp = 1_000_000_000
        return self.stamp

    def color(self, stamp):
        return self._image(color_message(stamp, *self.rng.integers(0, 256, 2)))

    def depth(self, stamp):
        kind = self.rng.integers(4)
        if kind == 0:
            value = self._pick((0, 1, 65535, 65534, 100))
            return depth_message(stamp, value)
        if kind == 1:
            message = depth_message(stamp, encoding='32FC1')
            values = np.array(FLOATS, np.float32)[self.rng.integers(0, len(FLOATS),
                                                                    WIDTH * HEIGHT)]
            message.data = array('B', values.tobytes())
            return message
        return self._image(depth_message(stamp, encoding=self._pick(('16UC1', '32FC1'))))

    def info(self, stamp):
        message = info_message(stamp)
        kind = self.rng.integers(5)
        if kind == 0:
            message.k = [0.0] * 9
        elif kind == 1:
            message.k = [self._pick(FLOATS) for _ in range(9)]
        elif kind == 2:
            message.width, message.height = (int(v) for v in self.rng.integers(0, 2**32, 2))
        elif kind == 3:
            message.width = 0
        else:
            message.d = [self._pick(FLOATS) for _ in range(self.rng.integers(0, 20))]
            message.distortion_model = self._text()
        return message

    def detections(self, stamp):
        count = int(self._pick((0, 1, 1, 2, 30)))
        faces = tuple(Detection(FaceBox(*self.rng.uniform(-100, 200, 2), self.rng.uniform(1, 90),
                                        self.rng.uniform(-3, 3)), 0.5, track_id=self._text())
                      for _ in range(count))
        message = detections_to_message(DetectionFrame(stamp, self._text(), faces))
        for face in message.detections:
            kind = self.rng.integers(6)
            if kind == 0:
                face.bbox.center.position.x = self._pick(FLOATS)
            elif kind == 1:
                face.bbox.size_x = face.bbox.size_y = self._pick(FLOATS)
            elif kind == 2:
                face.bbox.size_x = self._pick(FLOATS)
            elif kind == 3:
                face.bbox.center.theta = self._pick(FLOATS)
            elif kind == 4:
                face.results = []
        return message

    def compressed(self, stamp, depth):
        header = color_message(stamp).header
        image = (np.full((HEIGHT, WIDTH), 700, np.uint16) if depth
                 else np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
        data = cv2.imencode(self._pick(('.png', '.jpg')) if not depth else '.png', image)[1]
        data = bytearray(bytes(12 if depth else 0) + data.tobytes())
        kind = self.rng.integers(4)
        if kind == 0:
            data = data[:self.rng.integers(0, len(data))]
        elif kind == 1:
            data = bytearray(self.rng.integers(0, 256, self.rng.integers(0, 200),
                                               np.uint8).tobytes())
        elif kind == 2:
            for place in self.rng.integers(0, len(data), 8):
                data[place] = int(self.rng.integers(0, 256))
        return CompressedImage(header=header, format=self._pick(FORMATS), data=array('B', data))

    def _image(self, message):
        kind = self.rng.integers(9)
        if kind == 0:
            message.width = 0
        elif kind == 1:
            message.width = message.height = message.step = 0
            message.data = array('B')
        elif kind == 2:
            message.step = int(self.rng.integers(0, 2**32))
        elif kind == 3:
            message.data = message.data[:self.rng.integers(0, len(message.data))]
        elif kind == 4:
            message.data = message.data + array('B', bytes(self.rng.integers(1, 100)))
        elif kind == 5:
            message.encoding = self._pick(ENCODINGS)
        elif kind == 6:
            message.width, message.height = (int(v) for v in self.rng.integers(0, 2**32, 2))
        elif kind == 7:
            noise = self.rng.integers(0, 256, len(message.data), np.uint8)
            message.data = array('B', noise.tobytes())
        message.header.frame_id = self._text()
        message.is_bigendian = int(self.rng.integers(0, 256))
        return message

    def _pick(self, values):
        return values[self.rng.integers(0, len(values))]

    def _text(self):
        return self._pick(('', 'camera', 'ü/ñ', '\x01\x02', 'y' * 500, 'f00001'))
