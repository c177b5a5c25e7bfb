# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Which frames a replay's report shows."""

from __future__ import annotations

from face_depth_ros.core.depth_view import DepthScale
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.evaluation.output_messages import OutputFrame
from face_depth_ros.evaluation.replay_analysis import CameraImages, ViewedFrame
from face_depth_ros.evaluation.replay_report import CANDIDATES, PICTURES, ReplayReport
from face_depth_ros.evaluation.replay_settings import PlayedFrame
import numpy as np
import pytest

DEPTH = np.full((4, 4), 0.6, np.float32)
IMAGES = CameraImages(np.zeros((4, 4, 3), np.uint8), DEPTH, None)
FACE = (Detection(FaceBox(2.0, 2.0, 2.0), 0.9, None, 'f00001'),)


@pytest.mark.parametrize(('first', 'last'), [(0, 999), (500, 503), (501, 501), (300, 420)])
def test_pictures_are_of_faces_wherever_in_the_bag_they_are(first: int, last: int) -> None:
    report = ReplayReport(DepthScale(0.5, 0.7), None)
    for i in range(1000):
        report.look_at(ViewedFrame(PlayedFrame(i, i, i), IMAGES, OutputFrame(
            i, FACE if first <= i <= last else (), DEPTH)))
    found = [face.index for face in report.kept]
    assert min(CANDIDATES // 2, last - first + 1) <= len(found) <= CANDIDATES
    assert found[0] == first
    assert len(set(np.diff([*found, found[-1] + report.stride]))) == 1
    assert len(report._chosen()) == min(PICTURES, len(found))
