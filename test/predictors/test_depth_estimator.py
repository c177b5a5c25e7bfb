# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The depth estimator around its network: crops in, faces placed on the frame, doubt said."""

from __future__ import annotations

from dataclasses import replace
import math
from types import SimpleNamespace

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import InvalidDepthError, InvalidImageError, SettingsError
from face_depth_ros.core.face_box import FaceBox, transform_points
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.core.frames import Detection, Placement
from face_depth_ros.predictors import depth_estimator
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.estimator_methods import CropEstimates
import numpy as np
import pytest

SIZE = 64
CAMERA = CameraIntrinsics(320, 240, 300.0, 300.0, 160.0, 120.0)
NAMES = ('', 'f00001', 'f00002')


class DiscNetwork:
    """
    Answers every crop with the same disc: a tilted dome of skin, a nose in its middle.

    Crops whose middle is black hold no face.
    """

    size = SIZE

    def __init__(self) -> None:
        self.engine = SimpleNamespace(name='disc')
        self.batches: list[int] = []
        self.closed = False
        y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5 + 0.5 / SIZE
        self.surface = (0.05 * (x ** 2 + y ** 2) * 4 + 0.1 * x - 0.06).astype(np.float32)
        self.mask = np.where(np.hypot(x, y) < 0.4, 1, 0).astype(np.uint8)
        self.mask[np.hypot(x, y) < 0.1] = 5

    def estimate(self, crops: np.ndarray) -> CropEstimates:
        self.batches.append(len(crops))
        count = len(crops)
        scores = np.eye(7, dtype=np.float32)[self.mask].transpose(2, 0, 1)
        relief = np.where(self.mask > 0, self.surface, np.float32(np.nan))
        landmarks = np.tile(np.linspace(0.3, 0.7, 68, dtype=np.float32)[:, None], (1, 2))
        middle = crops[:, SIZE // 2, SIZE // 2].max(axis=1)

        def repeated(values: np.ndarray) -> np.ndarray:
            return np.repeat(values[None], count, axis=0)

        return CropEstimates(
            repeated(relief), repeated(self.surface), repeated(np.full_like(relief, 0.004)),
            repeated(self.mask), repeated(scores), repeated(landmarks),
            np.ones((count, 68), np.float32), np.where(middle > 0, 0.9, 0.1).astype(np.float32),
            True)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(name='network')
def disc_network(monkeypatch):
    network = DiscNetwork()
    monkeypatch.setattr(depth_estimator, 'open_estimator', lambda *_: network)
    return network


def face(x: float, y: float, side: float, roll: float = 0.0, track: str = 'f00001') -> Detection:
    return Detection(FaceBox(x, y, side, roll), 0.9, None, track)


def grey_image() -> np.ndarray:
    return np.full((240, 320, 3), 128, np.uint8)


def test_all_faces_of_a_frame_in_one_inference(network):
    found = DepthEstimator().estimate(grey_image(), [face(80, 100, 60), face(220, 100, 90)],
                                      intrinsics=CAMERA)
    assert network.batches == [2]
    assert [estimate.detection.box.side for estimate in found.faces] == [60, 90]


def test_without_a_sensor_the_head_size_places_and_says_how_sure_it_is(network):
    side = 100.0
    found = DepthEstimator().estimate(grey_image(), [face(160, 120, side)], intrinsics=CAMERA)
    estimate, = found.faces
    assert estimate.placement == Placement.HEAD_SIZE
    assert estimate.distance_m == pytest.approx(300.0 * BOX_SIDE_M / side, rel=0.4)
    covered = found.mask > 0
    assert np.isfinite(found.depth[covered]).all() and np.isnan(found.depth[~covered]).all()
    assert (found.uncertainty[covered] >= 0.04 * estimate.distance_m).all()
    assert np.isnan(found.uncertainty[~covered]).all()


def test_the_sensor_places_the_relief_within_a_millimetre(network):
    distance, side = 0.7, 300.0 * BOX_SIDE_M / 0.7
    detection = face(160, 120, side, roll=0.5)
    affine = detection.box.image_from_crop(SIZE)
    affine[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    truth = distance + cv2.warpAffine(network.surface, affine, (320, 240))
    found = DepthEstimator().estimate(grey_image(), [detection], intrinsics=CAMERA,
                                      depth=truth.astype(np.float32))
    estimate, = found.faces
    assert (estimate.placement, estimate.note) == (Placement.SENSOR, '')
    covered = found.mask > 0
    np.testing.assert_allclose(found.depth[covered], truth[covered], atol=1.5e-3)
    assert (found.uncertainty[covered] < 0.01).all()


def test_sensor_depth_places_faces_without_intrinsics_too(network):
    flat = np.full((240, 320), 0.9, np.float32)
    found = DepthEstimator().estimate(grey_image(), [face(160, 120, 100)], depth=flat)
    assert found.faces[0].placement == Placement.SENSOR
    assert found.faces[0].note == 'relief_contradicts_sensor'


def test_no_intrinsics_and_no_sensor_mean_relief_only_and_it_is_said(network):
    found = DepthEstimator().estimate(grey_image(), [face(160, 120, 100)])
    estimate, = found.faces
    assert (estimate.placement, estimate.note) == (Placement.NONE, 'no_intrinsics')
    assert math.isnan(estimate.distance_m)
    assert np.isnan(found.depth).all() and np.isnan(found.uncertainty).all()
    assert (found.mask > 0).any()
    assert np.isfinite(estimate.relief).any()


@pytest.mark.parametrize('roll', [0.0, 1.2, math.pi, -2.5])
def test_rolled_faces_come_back_where_they_are(network, roll):
    detection = face(160, 120, 100, roll)
    found = DepthEstimator().estimate(grey_image(), [detection], intrinsics=CAMERA)
    nose = np.argwhere(found.mask == 5).mean(axis=0)
    np.testing.assert_allclose(nose, (119.5, 159.5), atol=0.6)
    ends = transform_points(detection.box.image_from_crop(1), np.array([[0.3, 0.3], [0.7, 0.7]]))
    np.testing.assert_allclose(found.faces[0].landmarks[[0, -1]], ends, atol=1e-3)


def test_the_larger_of_overlapping_faces_wins(network):
    small, large = face(140, 120, 80, track='f00001'), face(170, 120, 100, track='f00002')
    found = DepthEstimator().estimate(grey_image(), [large, small], intrinsics=CAMERA)
    alone = DepthEstimator().estimate(grey_image(), [large], intrinsics=CAMERA)
    covered = alone.mask > 0
    np.testing.assert_array_equal(found.mask[covered], alone.mask[covered])
    np.testing.assert_array_equal(found.depth[covered], alone.depth[covered])
    assert (found.mask > 0).sum() > covered.sum()


def test_a_face_cut_by_the_border_keeps_what_is_in_the_image(network):
    found = DepthEstimator().estimate(grey_image(), [face(10, 120, 100)], intrinsics=CAMERA)
    assert (found.mask[:, :40] > 0).any() and not found.mask[:, 60:].any()


def test_no_face_under_a_detection_publishes_nothing(network):
    image = grey_image()
    image[80:160, 120:200] = 0
    found = DepthEstimator().estimate(image, [face(160, 120, 60)], intrinsics=CAMERA)
    assert found.faces == () and not found.mask.any() and np.isnan(found.depth).all()
    assert found.skipped[0].cause == 'no_face'
    assert 'probability 0.10' in found.skipped[0].reason
    low = DepthEstimator(confidence_threshold=0.05)
    assert len(low.estimate(image, [face(160, 120, 60)], intrinsics=CAMERA).faces) == 1


def test_a_box_outside_the_image_is_skipped_and_the_others_stay(network):
    found = DepthEstimator().estimate(grey_image(), [face(900, 120, 60), face(160, 120, 60)])
    assert [skip.cause for skip in found.skipped] == ['face_box_outside']
    assert len(found.faces) == 1


def test_nobody_there_is_an_empty_answer_without_an_inference(network):
    found = DepthEstimator().estimate(grey_image(), [], intrinsics=CAMERA)
    assert found.faces == () and network.batches == [] and np.isnan(found.depth).all()


def test_the_dynamic_crop_takes_its_size_from_the_sensor(network):
    estimator = DepthEstimator(crop='dynamic')

    def estimated(detection: Detection, depth: float | None):
        image = None if depth is None else np.full((240, 320), depth, np.float32)
        return estimator.estimate(grey_image(), [detection], intrinsics=CAMERA,
                                  depth=image).faces[0]

    found = estimated(face(160, 120, 110), 0.5)
    assert found.detection.box.side == pytest.approx(300.0 * BOX_SIDE_M / 0.5)
    assert found.note == 'relief_contradicts_sensor'  # the depth is flat
    for depth in (None, 0.2, 3.0):  # none, a hand before the face, the wall behind it
        found = estimated(face(160, 120, 110), depth)
        assert found.detection.box.side == 110
        assert found.note in ('dynamic_crop', 'relief_contradicts_sensor')
    assert estimated(face(160, 120, 110), None).note == 'dynamic_crop'


def test_bad_arguments_are_refused_by_name(network):
    estimator = DepthEstimator()
    with pytest.raises(InvalidImageError, match=r'\(H, W, 3\) uint8 RGB images'):
        estimator.estimate(np.zeros((240, 320), np.uint8), [])
    with pytest.raises(InvalidDepthError, match='align depth to colour'):
        estimator.estimate(grey_image(), [], depth=np.zeros((120, 160), np.float32))
    with pytest.raises(SettingsError, match='confidence_threshold is 2'):
        DepthEstimator(confidence_threshold=2.0)
    with pytest.raises(SettingsError, match='crop is'):
        DepthEstimator(crop='round')
    estimator.close()
    assert network.closed


def test_no_depth_lies_behind_the_camera(network):
    estimated = DepthEstimator().estimate(grey_image(), [face(160, 120, 1200.0)],
                                          intrinsics=CAMERA)
    assert estimated.faces[0].placement == Placement.HEAD_SIZE
    known = np.isfinite(estimated.depth)
    assert known.any() and (estimated.depth[known] > 0.0).all()
    assert (~known & (estimated.mask > 0)).any()
    np.testing.assert_array_equal(known, np.isfinite(estimated.uncertainty))


def test_a_confidence_that_is_no_number_is_no_face(network, monkeypatch):
    told = network.estimate
    monkeypatch.setattr(network, 'estimate', lambda crops: replace(
        told(crops), confidence=np.full(len(crops), np.nan, np.float32)))
    estimated = DepthEstimator().estimate(grey_image(), [face(160, 120, 100.0)])
    assert estimated.faces == () and [s.cause for s in estimated.skipped] == ['no_face']
