# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The face shape predictor on a small exported network: values, mesh, depth, bad input."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from face_depth_ros.core.errors import EngineError, InvalidImageError, ModelSpecError
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.networks.face_shape import (
    build_face_shape,
    FaceShapeConfig,
    FaceShapeNetwork,
    SIZE,
)
from face_depth_ros.predictors.face_shape import FaceShape, HEAD_POINT_M, shape_relief
from face_depth_ros.synthesis.morphable_head import HEAD_POINT_CM
from face_depth_ros.training.export_face_shape import export_checkpoint
from face_depth_ros.training.train_face_shape import Settings
import numpy as np
import pytest
import torch

VERTICES, TRIANGLES = 70, 30


def small_network(**sizes: int) -> FaceShapeNetwork:
    torch.manual_seed(0)
    network = build_face_shape(FaceShapeConfig(
        VERTICES, TRIANGLES, widths=(4, 8, 8, 16), units=(1, 1, 1, 1), last=4, **sizes)).eval()
    network.set_mesh(torch.randn(VERTICES, 3) * 5.0,
                     torch.arange(3 * TRIANGLES).view(TRIANGLES, 3) % VERTICES)
    for decoder in (network.identity, network.residual):
        if decoder is not None:
            torch.nn.init.normal_(decoder.weight, std=0.1)
    torch.nn.init.normal_(network.encoder.codes.weight, std=3.0)
    return network


def exported(folder: Path, network: FaceShapeNetwork, disentangle: int = 1) -> Path:
    """Export a checkpoint with float16 weights, as it comes from another machine."""
    state = {name: value.half() if value.is_floating_point() else value
             for name, value in network.state_dict().items()}
    torch.save({
        'average': state, 'config': asdict(network.config), 'commit': 'abc', 'metrics': {},
        'settings': asdict(Settings(disentangle=disentangle, identification=disentangle)),
        'times': {'I': 1.0, 'II': 1.0, 'III': 2.0}, 'people': 3, 'photos': 9,
        'hardware': 'CPU, test', 'state': {'samples': 9}}, folder / 'a.pt')
    return export_checkpoint(folder / 'a.pt', folder).path


@pytest.fixture(scope='module')
def network() -> FaceShapeNetwork:
    return small_network()


@pytest.fixture(scope='module')
def spec(network: FaceShapeNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp('models'), network)


@pytest.fixture(scope='module')
def predictor(spec: Path) -> FaceShape:
    return FaceShape(str(spec), backend='openvino', precision='fp32')


def crops(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    mask = np.zeros((count, SIZE, SIZE), np.uint8)
    mask[:, 20:90, 30:80] = rng.integers(1, 7, (count, 70, 50))
    return rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8), mask


def test_shapes_are_those_of_the_network_in_metres(network: FaceShapeNetwork,
                                                   predictor: FaceShape) -> None:
    color, mask = crops(35)  # more than one inference takes
    told = predictor.reconstruct(color, mask)
    with torch.no_grad():
        c_id, c_res, shapes = network(torch.from_numpy(color).permute(0, 3, 1, 2).float(),
                                      torch.from_numpy(mask)[:, None].float())
    assert float(c_id.std()) > 0.1
    np.testing.assert_allclose(told.c_id, c_id.numpy(), atol=5e-2)
    np.testing.assert_allclose(told.c_res, c_res.numpy(), atol=5e-2)
    np.testing.assert_allclose(told.vertices, shapes.vertices.numpy() / 100.0, atol=1e-3)
    np.testing.assert_allclose(told.identity_vertices, shapes.identity_vertices.numpy() / 100.0,
                               atol=1e-3)
    np.testing.assert_array_equal(predictor.triangles, network.triangles.numpy())
    np.testing.assert_allclose(np.linalg.norm(told.embeddings(), axis=1), 1.0, atol=1e-6)


def test_photos_of_one_person_are_joined(predictor: FaceShape) -> None:
    """One person at rest and one c_Id; what each photo adds to the person stays its own."""
    told = predictor.reconstruct(*crops(3))
    joined = told.some(np.array([True, False, True])).of_one_person()
    both = told.some(np.array([0, 2]))
    mean = both.identity_vertices.mean(axis=0)
    np.testing.assert_allclose(joined.identity_vertices, [mean, mean], atol=1e-7)
    np.testing.assert_allclose(joined.vertices - mean, both.vertices - both.identity_vertices,
                               atol=1e-7)
    np.testing.assert_allclose(joined.c_id, [both.c_id.mean(axis=0)] * 2, atol=1e-5)
    np.testing.assert_array_equal(joined.c_res, both.c_res)
    with pytest.raises(ModelSpecError, match='use face_shape'):
        replace(told, c_res=None).of_one_person()


def test_the_background_does_not_matter(predictor: FaceShape) -> None:
    color, mask = crops(2)
    other = np.where(mask[..., None] > 0, color, 255 - color)
    np.testing.assert_allclose(predictor.reconstruct(color, mask).vertices,
                               predictor.reconstruct(other, mask).vertices, atol=1e-6)


def test_a_model_that_does_not_disentangle_has_one_code(tmp_path: Path) -> None:
    network = small_network(identity=157, residual=0)
    path = exported(tmp_path, network, disentangle=0)
    assert path.name == 'face_shape_no_disentangling.yaml'
    predictor = FaceShape(str(path), backend='openvino')
    told = predictor.reconstruct(*crops(2))
    assert told.c_res is None and told.c_id.shape == (2, 157)
    np.testing.assert_array_equal(told.vertices, told.identity_vertices)
    predictor.close()


def test_bad_crops_and_masks_are_refused(predictor: FaceShape) -> None:
    color, mask = crops(2)
    for bad in (color[:0], color[:, :100], color.astype(np.float32), color[..., 0]):
        with pytest.raises(InvalidImageError, match=r'\(B, 112, 112, 3\) uint8 RGB'):
            predictor.reconstruct(bad, mask[:len(bad)])
    for bad in (mask[:1], mask.astype(np.int64)):
        with pytest.raises(InvalidImageError, match='one for each crop'):
            predictor.reconstruct(color, bad)
    with pytest.raises(InvalidImageError, match='label 9, expected 0 to 6'):
        predictor.reconstruct(color, mask + np.uint8(3))


def test_another_model_is_refused() -> None:
    with pytest.raises(ModelSpecError, match='makes no face shapes'):
        FaceShape('face_verifier')


def test_a_closed_predictor_says_so(spec: Path) -> None:
    predictor = FaceShape(str(spec), backend='openvino')
    predictor.close()
    predictor.close()
    with pytest.raises(EngineError, match='is closed'):
        predictor.reconstruct(*crops(1))


def test_the_relief_of_a_shape_turns_with_the_head() -> None:
    """A spike at the nose: it points at the camera, then to the subject's left, then up."""
    np.testing.assert_allclose(np.array(HEAD_POINT_M) * 100.0, HEAD_POINT_CM)
    tip = np.array(HEAD_POINT_M) + (0.0, 0.0, 0.06)
    around = [(-0.03, -0.03, 0.0), (0.03, -0.03, 0.0), (0.03, 0.03, 0.0), (-0.03, 0.03, 0.0)]
    vertices = np.vstack([tip, np.array(HEAD_POINT_M) + around])
    triangles = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]])
    size = 220  # a pixel is a millimetre
    front = shape_relief(vertices, triangles, size=size)
    assert front.shape == (size, size)
    row, column = np.unravel_index(np.nanargmin(front), front.shape)
    assert abs(row - size / 2) < 2 and abs(column - size / 2) < 2
    assert np.nanmin(front) == pytest.approx(-0.06, abs=2e-3)
    assert np.isfinite(front).sum() == pytest.approx((0.06 / BOX_SIDE_M * size) ** 2, rel=0.05)
    left = shape_relief(vertices, triangles, yaw=30.0, size=size)
    row, column = np.unravel_index(np.nanargmin(left), left.shape)
    assert column - size / 2 == pytest.approx(30.0, abs=2)  # the subject's left is our right
    up = shape_relief(vertices, triangles, pitch=30.0, size=size)
    row, column = np.unravel_index(np.nanargmin(up), up.shape)
    assert row - size / 2 == pytest.approx(-30.0, abs=2)
