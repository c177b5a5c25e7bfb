# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Estimates of known error on the sample bag's faces, and on drawn ones."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path
import shutil

import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.crop_alignment import CropCamera
from face_depth_ros.core.errors import BagError, InvalidImageError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.face_photo import CROP_PX
from face_depth_ros.core.face_placement import place_by_box
from face_depth_ros.core.frames import Detection, EstimatedDepth, FaceEstimate, Frame, Placement
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.estimation_bag import estimation_of_bag, FLAT
from face_depth_ros.evaluation.estimation_distance import distance_rows, WITH, WITHOUT
from face_depth_ros.evaluation.estimation_faces import (
    HeadPiece,
    intrinsics_of,
    real_faces,
    RealFace,
)
from face_depth_ros.evaluation.estimation_real import (
    aligned_depth_error,
    GOAL_MM,
    rays_of,
    RealScores,
    score_faces,
    shape_errors,
    ShapeError,
    verdict,
)
from face_depth_ros.evaluation.estimator_rows import EstimatedFace, MEAN_FACE, OURS
from face_depth_ros.evaluation.real_faces import canonical_ellipse
from face_depth_ros.evaluation.reference_depth import ReferenceDepth
import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[1] / 'data'
BAG = DATA / 'sample_bag'
CAMERA = CameraIntrinsics(320, 240, 300.0, 300.0, 160.0, 120.0)
BOX = FaceBox(150.0, 110.0, 110.0, 0.1)


def drawn_face(yaw: float | None = 0.0, index: int = 7) -> RealFace:
    """Return a bulge of 6 cm before a camera, with a nose."""
    y, x = (np.mgrid[:CROP_PX, :CROP_PX] + 0.5) / CROP_PX - 0.5
    bulge = 0.06 * np.sqrt(np.clip(1.0 - (x / 0.35) ** 2 - (y / 0.4) ** 2, 0.0, None))
    nose = 0.02 * np.exp(-((x - 0.05) / 0.05) ** 2 - (y / 0.09) ** 2)
    area = bulge > 0.02
    depth = (0.6 - bulge - nose).astype(np.float32)
    frame = Frame(1, 'camera', np.zeros((240, 320, 3), np.uint8),
                  np.full((240, 320), 0.6, np.float32), intrinsics=CAMERA)
    return RealFace(index, yaw, np.full((CROP_PX, CROP_PX, 3), 120, np.uint8), depth, None, area,
                    CropCamera.of(BOX, CROP_PX, CAMERA), Detection(BOX, 0.9), frame)


def said(relief: np.ndarray, landmarks: np.ndarray | None = None) -> EstimatedFace:
    return EstimatedFace(relief, relief, np.isfinite(relief).astype(np.uint8), landmarks)


def relief_of(face: RealFace, depth: np.ndarray) -> np.ndarray:
    """Return how far behind the head point depth lies, along the ray to it."""
    distance = place_by_box(face.detection.box, intrinsics_of(face)).distance_m
    return (depth * rays_of(face) - distance).astype(np.float32)


def exact(face: RealFace) -> EstimatedFace:
    return said(relief_of(face, face.sensor))


def of(face: RealFace, view: EstimatedFace) -> ShapeError:
    return shape_errors(face, {OURS: view})[OURS]


@pytest.fixture(scope='module')
def sample_faces() -> list[RealFace]:
    return real_faces(BAG, limit=10).faces


def test_the_sensors_own_depth_has_no_error(sample_faces: list[RealFace]) -> None:
    assert len(sample_faces) > 5
    for face in sample_faces:
        error = of(face, exact(face))
        assert error.coverage == 1.0
        for value in (error.rmse, error.common, error.offset, error.offset_scale, error.distance,
                      error.depth_alone):
            assert value == pytest.approx(0.0, abs=1e-3)


def test_another_distance_is_a_similarity_and_no_error_of_the_shape() -> None:
    """Depth from one image is known up to a scale about the camera."""
    face = drawn_face()
    farther = said(relief_of(face, 1.2 * face.sensor))
    error = of(face, farther)
    assert error.rmse == pytest.approx(0.0, abs=1e-3)
    assert error.similarity is not None
    assert error.similarity.scale == pytest.approx(1 / 1.2, rel=1e-4)
    assert error.distance == pytest.approx(0.2e3 * np.median(face.sensor[face.area]), rel=1e-3)
    assert error.offset > 2.0


def test_a_tilt_is_turned_back() -> None:
    face = drawn_face()
    slope = np.tan(np.radians(3.0))
    across = face.camera.points(face.sensor)[0]
    tilted = said(exact(face).relief + np.float32(slope) * across)
    error = of(face, tilted)
    assert error.offset > 1.4  # 3 degrees over a face of 12 cm
    assert error.rmse < 0.5 * error.offset
    assert error.similarity is not None
    assert np.degrees(error.similarity.turn) == pytest.approx(3.0, abs=0.8)


def test_noise_stays() -> None:
    face = drawn_face()
    noise = np.random.default_rng(1).normal(size=face.sensor.shape).astype(np.float32) * 0.004
    error = of(face, said(exact(face).relief + noise))
    assert error.rmse == pytest.approx(4.0, rel=0.05)
    assert error.depth_alone == pytest.approx(error.rmse, rel=0.05)
    assert error.offset == pytest.approx(4.0, rel=0.05)


def test_a_small_area_is_said_and_does_not_win() -> None:
    face = drawn_face()
    noise = np.random.default_rng(1).normal(size=face.sensor.shape).astype(np.float32) * 0.003
    relief = exact(face).relief
    few = np.where(np.arange(CROP_PX) < 90, relief, np.float32(np.nan))
    errors = score_faces([face], {OURS: lambda _: said(relief + noise),
                                  'few': lambda _: said(few)})
    assert errors.values('few')[0] == pytest.approx(0.0, abs=1e-3)
    row = errors.rows()['few']
    assert row['coverage'] < 0.4 and row['within_6_mm'] == 0.0
    assert errors.rows()[OURS]['within_6_mm'] == 1.0
    common = errors.values(OURS, 'common')[0]
    assert np.isfinite(common) and common != errors.values(OURS)[0]


def test_what_says_nothing_has_no_error_and_no_coverage() -> None:
    face = drawn_face()
    nothing = said(np.full((CROP_PX, CROP_PX), np.nan, np.float32))
    errors = shape_errors(face, {OURS: exact(face), 'nothing': nothing})
    assert errors['nothing'].coverage == 0.0 and np.isnan(errors['nothing'].rmse)
    assert errors[OURS].common == pytest.approx(0.0, abs=1e-3)  # those that see a face count
    assert np.isnan(aligned_depth_error(face, nothing.relief)).all()


def test_a_flat_estimate_is_judged_too() -> None:
    face = drawn_face()
    error = of(face, said(relief_of(face, np.full_like(face.sensor, 0.6))))
    assert error.rmse > 5.0
    assert error.offset_scale == error.offset


def test_the_error_picture_shows_the_error() -> None:
    face = drawn_face()
    bump = np.zeros((CROP_PX, CROP_PX), np.float32)
    bump[120:130, 150:160] = 0.01
    error = aligned_depth_error(face, exact(face).relief + bump)
    assert error[125, 155] == pytest.approx(10.0, abs=0.5)
    assert abs(error[180, 110]) < 0.5


def test_yaw_falls_into_its_bin_on_either_side() -> None:
    faces = [drawn_face(yaw, i) for i, yaw in enumerate((-60.0, 60.0, -15.0, 14.9, 30.0))]
    rows = score_faces(faces, {OURS: lambda _: exact(faces[0])}).yaw_rows()
    assert rows['frames'] == {'0 to 15\N{DEGREE SIGN}': 1, '15 to 30\N{DEGREE SIGN}': 1,
                              '30 to 45\N{DEGREE SIGN}': 1, '45 to 60\N{DEGREE SIGN}': 2}
    unknown = score_faces([drawn_face(None)], {OURS: lambda _: exact(faces[0])})
    assert unknown.yaw_rows() == {}


@pytest.mark.parametrize(('ours', 'coverage', 'mean_face', 'parts'), [
    (4.0, 1.0, 8.0, ('4.0 mm RMSE', 'goal of 6 mm is met', 'errs by 50 % less than the mean face',
                     'goal of 25 % is met', 'None of the 1 other rows is closer')),
    (7.0, 1.0, 8.0, ('goal of 6 mm is missed', '12 % less', 'goal of 25 % is missed')),
    (9.0, 1.0, 8.0, ('goal of 6 mm is missed', '12 % more', 'Closer are Mean face')),
    (4.0, 0.5, 8.0, ('on 50 % of the face area', 'goal of 6 mm is missed')),
    (float('nan'), 0.0, 8.0, ('says nothing of any face',)),
])
def test_the_verdict_says_what_was_measured(ours: float, coverage: float, mean_face: float,
                                            parts: tuple[str, ...]) -> None:
    text = ' '.join(verdict(RealScores({OURS: [ShapeError(ours, coverage=coverage)],
                                        MEAN_FACE: [ShapeError(mean_face, coverage=1.0)]}, [0.0])))
    for part in parts:
        assert part in text


def test_no_verdict_without_ours() -> None:
    assert verdict(RealScores({MEAN_FACE: [ShapeError(3.0, coverage=1.0)]}, [0.0])) == []


def test_lost_frames_count_against_every_row() -> None:
    face = drawn_face()
    scores = score_faces([face], {OURS: lambda _: exact(face)}, lost=3)
    assert scores.rows()[OURS]['within_6_mm'] == 0.25


def test_a_face_without_colour_is_refused() -> None:
    face = drawn_face()
    blind = replace(face, frame=replace(face.frame, color=None))
    with pytest.raises(InvalidImageError, match='frame 7, yaw .* has no colour'):
        distance_rows([blind], {'fake': lambda: FakeEstimator([])})


class FakeEstimator:
    """Publishes the frame's depth, farther away without the sensor."""

    def __init__(self, faces: list[RealFace]) -> None:
        self.depths = {id(face.frame.color): face.frame.depth for face in faces}
        self.closed = False

    def estimate(self, color: np.ndarray, detections: tuple[Detection, ...], *,
                 intrinsics: CameraIntrinsics | None = None,
                 depth: np.ndarray | None = None) -> EstimatedDepth:
        assert intrinsics is not None
        known = self.depths[id(color)]
        assert known is not None
        published = known + np.float32(0.03 if depth is None else 0.001)
        face = FaceEstimate(detections[0], 1.0, known, known, None, None, Placement.SENSOR, 0.5,
                            0.02 if depth is None else 0.0001)
        return EstimatedDepth(published, published, np.zeros(known.shape, np.uint8), (face,))

    def close(self) -> None:
        self.closed = True


def test_distances_are_those_published(sample_faces: list[RealFace]) -> None:
    fake = FakeEstimator(sample_faces)
    seen: list[int] = []
    rows = distance_rows(sample_faces, {'fake': lambda: fake},
                         lambda name, face, result: seen.append(face.index))
    assert fake.closed and seen == [f.index for f in sample_faces]
    without, measured = rows[f'fake, {WITHOUT}'], rows[f'fake, {WITH}']
    for row, offset in ((without, 30.0), (measured, 1.0)):
        assert row['offset_median'] == pytest.approx(offset, abs=0.01)
        assert row['bias'] == pytest.approx(offset, abs=0.01)
        assert row['rmse'] == pytest.approx(offset, abs=0.01)
        assert row['estimated'] == 1.0
    assert without['within_2_sigma'] == 1.0 and measured['within_2_sigma'] == 0.0


def test_an_estimator_that_skips_every_face_has_an_empty_row() -> None:
    class Silent(FakeEstimator):
        def estimate(self, color: np.ndarray, detections: tuple[Detection, ...], *,
                     intrinsics: CameraIntrinsics | None = None,
                     depth: np.ndarray | None = None) -> EstimatedDepth:
            nothing = np.full(color.shape[:2], np.nan, np.float32)
            return EstimatedDepth(nothing, nothing, np.zeros(color.shape[:2], np.uint8))

    row = distance_rows([drawn_face()], {'silent': lambda: Silent([])})[f'silent, {WITH}']
    assert row['estimated'] == 0.0 and row['offset_median'] is None


def test_faces_of_the_bag_have_trusted_depth_in_their_area(sample_faces: list[RealFace]) -> None:
    for face in sample_faces:
        assert np.isfinite(face.sensor[face.area]).all()
        assert face.reference is not None and face.yaw_deg is None
        assert np.abs(face.sensor - face.reference)[face.area].max() <= 0.015 + 1e-6


def _with_poses(path: Path, angles: np.ndarray) -> Path:
    """Write a reference of the sample bag that pretends to know poses: heads that never move."""
    with np.load(DATA / 'reference' / 'true_depth.npz') as data:
        arrays = dict(data)
    count = len(arrays['stamp_ns'])
    np.savez(path, **arrays, yaw_deg=np.resize(angles, count).astype(np.float32),
             R_camera_to_model=np.tile(cv2.Rodrigues(np.array([0.1, 0.7, 0.2]))[0], (count, 1, 1)),
             t_camera_to_model=np.tile([0.3, -0.1, 0.2], (count, 1)))
    return path


def test_the_area_is_one_piece_of_the_head_where_poses_are_known(tmp_path: Path) -> None:
    path = _with_poses(tmp_path / 'true_depth.npz', np.array([0.0, 10.0, 80.0, -90.0]))
    found = real_faces(BAG, path, limit=8)
    assert 'one piece of the head' in found.area_note
    assert found.frames == 4 and {f.index for f in found.faces} <= {0, 1, 4, 5}
    assert all(f.yaw_deg in (0.0, 10.0) for f in found.faces)
    plain = {f.index: f for f in real_faces(BAG, limit=8).faces}
    frontal = found.faces[0]
    # In the frame that the piece was cut from, it is nearly what the ellipse shows of the head.
    both = (frontal.area & plain[frontal.index].area).sum()
    assert both > 0.9 * frontal.area.sum()


def test_the_piece_stays_on_the_head_however_that_moves() -> None:
    face = drawn_face()
    surface = np.where(canonical_ellipse(), face.sensor, np.float32(np.nan))
    first = np.column_stack([cv2.Rodrigues(np.array([0.1, 0.7, 0.2]))[0], [0.3, -0.1, 0.2]])
    second = np.column_stack([cv2.Rodrigues(np.array([-0.3, -0.4, 0.1]))[0], [0.0, 0.4, -0.3]])
    piece = HeadPiece.of(surface, face.camera, first)
    points = face.camera.points(face.sensor)
    area = piece.area(points, first)
    assert (area == canonical_ellipse()).mean() > 0.98
    on_head = first[:, :3] @ points.reshape(3, -1) + first[:, 3:]
    elsewhere = second[:, :3].T @ (on_head - second[:, 3:])
    np.testing.assert_array_equal(piece.area(elsewhere.reshape(points.shape), second), area)


def test_what_lies_behind_the_face_is_no_piece_of_it() -> None:
    face = drawn_face()
    still = np.eye(3, 4)
    piece = HeadPiece.of(np.where(canonical_ellipse(), face.sensor, np.float32(np.nan)),
                         face.camera, still)
    behind = face.camera.points(face.sensor + np.float32(0.09))
    assert not piece.area(behind, still)[100:150, 100:150].any()
    unknown = np.full((3, CROP_PX, CROP_PX), np.nan, np.float32)
    assert not piece.area(unknown, still).any()


def test_poses_are_read_where_they_are_known(tmp_path: Path) -> None:
    reference = ReferenceDepth(_with_poses(tmp_path / 'r.npz', np.array([5.0])))
    stamp = reference.stamps()[0]
    pose = reference.pose_at(stamp)
    assert pose is not None and pose.shape == (3, 4)
    np.testing.assert_allclose(pose[:, 3], [0.3, -0.1, 0.2])
    assert reference.pose_at(1) is None
    assert ReferenceDepth(DATA / 'reference' / 'true_depth.npz').pose_at(stamp) is None


def test_a_bag_without_a_reference_judges_the_ellipse(tmp_path: Path) -> None:
    shutil.copytree(BAG, tmp_path / 'bag')
    found = real_faces(tmp_path / 'bag', limit=8)
    assert 'canonical ellipse' in found.area_note and 'not known' in found.yaw_note
    assert all(face.reference is None for face in found.faces)


def test_a_bag_without_camera_info_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = Bag.frames
    monkeypatch.setattr(Bag, 'frames', lambda *a, **k: (
        replace(f, color_info=None) for f in frames(*a, **k)))
    with pytest.raises(BagError, match='no camera_info') as caught:
        real_faces(BAG, limit=8)
    assert caught.value.cause == 'camera_info'


def test_a_bag_without_faces_is_refused() -> None:
    with pytest.raises(BagError, match='no frame of .*sample_bag shows a face'):
        real_faces(BAG, limit=0)


def test_the_evaluation_is_written_whole(tmp_path: Path) -> None:
    result = estimation_of_bag(
        BAG, {MEAN_FACE: lambda _: said(np.zeros((CROP_PX, CROP_PX), np.float32)),
              OURS: lambda _: said(_bulge(), np.full((68, 2), 100.0, np.float32))},
        tmp_path, limit=8, estimators={OURS: WholeFrame}, absent={'DepthNet': 'not made'})
    assert set(result.tables['shape'].rows) == {FLAT, MEAN_FACE, OURS}
    shape = result.tables['shape'].rows
    assert shape[FLAT] == shape[MEAN_FACE]
    assert shape[OURS]['mean'] < shape[FLAT]['mean']
    assert f'goal of {GOAL_MM:.0f} mm' in result.lead
    written = json.loads(result.write(tmp_path, 'evaluate estimation').read_text())
    assert written['absent'] == {'DepthNet': 'not made'}
    assert len(written['frames_rmse_mm'][OURS]) == len(written['frames_index'])
    pictures = list((tmp_path / 'estimation_real').glob('frame_*.jpg'))
    assert 1 < len(pictures) <= 9
    assert all(p.stat().st_size <= 300_000 for p in pictures)
    page = (tmp_path / 'report.html').read_text()
    assert page.count('<img') == len(pictures)
    assert 'Metric depth as published' in str(written['tables']['distance'])
    assert 'estimated by ours from colour' in page and 'id="sv-new"' in page


class WholeFrame:
    """Publishes a wall at 0.9 m."""

    def estimate(self, color: np.ndarray, detections: tuple[Detection, ...], *,
                 intrinsics: CameraIntrinsics | None = None,
                 depth: np.ndarray | None = None) -> EstimatedDepth:
        wall = np.full(color.shape[:2], 0.9, np.float32)
        face = FaceEstimate(detections[0], 1.0, wall, wall, None, None, Placement.HEAD_SIZE, 0.9,
                            0.1)
        return EstimatedDepth(wall, wall, np.ones(wall.shape, np.uint8), (face,))

    def close(self) -> None:
        """Nothing to release."""


def _bulge() -> np.ndarray:
    y, x = (np.mgrid[:CROP_PX, :CROP_PX] + 0.5) / CROP_PX - 0.5
    return (-0.06 * np.sqrt(np.clip(1.0 - (x / 0.4) ** 2 - (y / 0.5) ** 2, 0.0, None))).astype(
        np.float32)
