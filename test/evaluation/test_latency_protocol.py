# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The table of latencies: a row for each network, precision and batch, fairly measured."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from face_depth_ros.core.errors import BackendUnavailableError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.engines import TensorInfo
from face_depth_ros.evaluation import latency_protocol
from face_depth_ros.evaluation.depth_pairs import DepthPair, SIZE
from face_depth_ros.evaluation.latency_protocol import evaluate_latency
from face_depth_ros.predictors.expression_network import ExpressionView
from face_depth_ros.predictors.face_embedder import FaceView
import numpy as np
import pytest

RUNS = 3
COLOR = np.zeros((240, 320, 3), np.uint8)
FACE = Detection(FaceBox(100.0, 90.0, 70.0), 0.9)


class FakeEngine:
    """Notes the batches that it is given."""

    backend = 'openvino'

    def __init__(self, name: str, precision: str, shape: tuple[int, ...]) -> None:
        self.name, self.precision = name, 'bf16' if precision == 'auto' else precision
        self.inputs = (TensorInfo('x', np.dtype(np.float32), shape),)
        self.batches: Counter[int] = Counter()

    def __call__(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert inputs['x'].shape[1:] == self.inputs[0].shape[1:]
        self.batches[len(inputs['x'])] += 1
        return {}


class FakePredictor:
    """Stands in for all five; notes what it was asked."""

    made: list[FakePredictor] = []
    refuses: tuple[str, ...] = ()
    wants_frames = wants_surfaces = True

    def __init__(self, name: str, precision: str, shape: tuple[int, ...]) -> None:
        if precision in self.refuses:
            raise BackendUnavailableError(f'no {precision}', cause='precision')
        self.engine = FakeEngine(name, precision, shape)
        self.asked: list[Any] = []
        self.closed = False
        self.made.append(self)

    def detect(self, color: np.ndarray) -> tuple[Detection, ...]:
        self.asked.append(color.shape)
        return (Detection(FaceBox(10.0, 10.0, 20.0), 0.9), FACE)

    def enhance(self, depth: np.ndarray, faces: tuple[Detection, ...]) -> None:
        self.asked.append((depth.shape, len(faces)))

    def estimate(self, color: np.ndarray, faces: tuple[Detection, ...], *,
                 intrinsics: Any) -> None:
        assert color.shape == (intrinsics.height, intrinsics.width, 3)
        self.asked.append(faces)

    def embed(self, faces: list[FaceView]) -> None:
        assert faces[0].inputs.color.shape == (3, 112, 112)
        assert faces[0].surface is not None and np.isfinite(faces[0].surface.depth).any()
        self.asked.append(len(faces))

    def say(self, faces: list[ExpressionView]) -> None:
        assert faces[0].color.shape == (128, 128, 3) and faces[0].relief is not None
        self.asked.append(len(faces))

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def predictors(monkeypatch: pytest.MonkeyPatch) -> type[FakePredictor]:
    monkeypatch.setattr(FakePredictor, 'made', [])
    monkeypatch.setattr(FakePredictor, 'refuses', ())
    shapes = {'FaceDetector': ('face_detector', (-1, 3, 24, 32)),
              'DepthEnhancer': ('depth_enhancer', (-1, 1, 8, 8)),
              'DepthEstimator': ('face_estimator', (-1, 3, 8, 8)),
              'FaceEmbedder': ('face_recognizer', (-1, 3, 8, 8)),
              'ExpressionNetwork': ('expression_recognizer', (-1, 3, 8, 8))}
    for attribute, (name, shape) in shapes.items():
        monkeypatch.setattr(
            latency_protocol, attribute,
            lambda precision, name=name, shape=shape, **_: FakePredictor(name, precision, shape))
    monkeypatch.setattr(latency_protocol, 'find_model', lambda name: name)
    monkeypatch.setattr(latency_protocol, 'graph_cost', lambda _: SimpleNamespace(
        macs=1000, parameters=10))
    return FakePredictor


def pair() -> DepthPair:
    depth = np.full((SIZE, SIZE), 0.5, np.float32)
    return DepthPair(depth, depth)


def rows(**options: Any) -> dict[str, dict[str, Any]]:
    result = evaluate_latency(RUNS, pair(), COLOR, **options)
    return dict(result.tables['latency'].rows)


def test_a_row_for_each_network_precision_and_batch() -> None:
    found = rows()
    assert list(found) == [
        'face_detector, best (bf16)', 'depth_enhancer, best (bf16)', 'face_estimator, best (bf16)',
        'face_estimator 4 faces, best (bf16)', 'face_recognizer, best (bf16)',
        'face_recognizer 4 faces, best (bf16)', 'expression_recognizer, best (bf16)',
        'expression_recognizer 4 faces, best (bf16)', 'face_detector, fp32',
        'depth_enhancer, fp32', 'face_estimator, fp32', 'face_estimator 4 faces, fp32',
        'face_recognizer, fp32', 'face_recognizer 4 faces, fp32', 'expression_recognizer, fp32',
        'expression_recognizer 4 faces, fp32']
    many = found['face_estimator 4 faces, best (bf16)']
    assert (many['faces'], many['macs'], many['parameters']) == (4, 4000, 10)
    assert many['predictor_p50_ms_per_face'] == pytest.approx(many['predictor_p50_ms'] / 4)
    for name, row in found.items():
        assert 0 < row['engine_p50_ms'] <= row['engine_p95_ms']
        assert (row['ratio_to_fp32'] == 1.0) if name.endswith('fp32') else row['ratio_to_fp32'] > 0


def test_four_faces_are_one_inference_and_everything_is_closed(
        predictors: type[FakePredictor]) -> None:
    rows()
    detector, enhancer, estimator, embedder, expressions = predictors.made[:5]
    runs = RUNS + latency_protocol._WARM_UP
    for predictor in (estimator, embedder, expressions):
        assert predictor.engine.batches == {1: runs, 4: runs}
    assert Counter(embedder.asked) == Counter(expressions.asked) == {1: runs, 4: runs}
    assert detector.engine.batches == enhancer.engine.batches == {1: runs}
    # The largest face that the detector found, alone and four times.
    assert Counter(len(faces) for faces in estimator.asked) == {1: runs, 4: runs}
    assert {face for faces in estimator.asked for face in faces} == {FACE}
    assert all(p.closed for p in predictors.made)


def test_without_fp32_there_is_no_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePredictor, 'refuses', ('fp32',))
    found = rows()
    assert len(found) == 8
    assert all(row['ratio_to_fp32'] is None for row in found.values())


def test_a_missing_backend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePredictor, 'refuses', ('auto',))
    with pytest.raises(BackendUnavailableError, match='no auto'):
        rows()
