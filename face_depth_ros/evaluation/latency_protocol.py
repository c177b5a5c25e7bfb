# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""How long the networks take: engine alone and with all that surrounds it, per precision."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
import time
from typing import Any

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import BackendUnavailableError
from face_depth_ros.core.expression_input import part_box
from face_depth_ros.core.expression_input import SIZE as EXPRESSION_PX
from face_depth_ros.core.face_box import crop_color, FaceBox, transform_points
from face_depth_ros.core.face_frame import frame_of, framed_input, within_crop
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.core.face_surface import face_surface, FaceSurface
from face_depth_ros.core.frames import Detection
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M
from face_depth_ros.core.metrics import percentiles
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.core.recognition_input import recognition_input
from face_depth_ros.core.recognition_input import SIZE as RECOGNITION_PX
from face_depth_ros.engines import Engine
from face_depth_ros.engines.openvino_graph_cost import graph_cost
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.depth_pairs import DepthPair, SIZE
from face_depth_ros.evaluation.evaluation_result import Evaluation, Rows, Table
from face_depth_ros.evaluation.report import cards, figure, table
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.expression_network import ExpressionNetwork, ExpressionView, Said
from face_depth_ros.predictors.face_detector import FaceDetector
from face_depth_ros.predictors.face_embedder import Embedding, FaceEmbedder, FaceView
import numpy as np

DETECTOR_WIDTH, DETECTOR_HEIGHT = 320, 240
_WARM_UP = 8
_NEAREST_M, _SPAN_M = 0.6, 0.25
_MANY_FACES = 4
_ESTIMATED_PX, _OVAL, _DOME_M, _DOME_AWAY_M = 192, 0.8, 0.05, 0.7
_FOCAL_PX = 290.0
"""Of a usual camera at the width of the detector's image."""


@dataclass(frozen=True)
class _Subject:
    """
    One network in one precision, ready to run.

    :param name: of the network, and of its batch where that is more than one
    :param label: precision
    :param whole: the predictor: image in, result out
    :param faces: in one inference
    """

    name: str
    label: str
    engine: Engine
    whole: Callable[[], Any]
    faces: int = 1

    @property
    def row(self) -> str:
        """Return the name of its row."""
        return f'{self.name}, {self.label}'


def evaluate_latency(runs: int, pair: DepthPair, color: np.ndarray, *,
                     backend: str = 'auto') -> Evaluation:
    """
    Time detector, enhancer, estimator and recognisers, the best precision and fp32 in turn.

    :param pair: a face for the enhancer
    :param color: (240, 320, 3) uint8 RGB for detector, estimator and recognisers
    """
    with ExitStack() as stack:
        subjects = _open(stack, pair, color, backend)
        times = {s.row: _Times([], []) for s in subjects}
        for run in range(_WARM_UP + runs):
            for subject in subjects:  # in turn, so that a busy machine meets all alike
                engine_ms = _time_engine(subject.engine, subject.faces)
                whole_ms = _time(subject.whole)
                if run >= _WARM_UP:
                    times[subject.row].engine.append(engine_ms)
                    times[subject.row].whole.append(whole_ms)
        rows = {s.row: _row(s, times) for s in subjects}
    return _evaluation(rows, times, runs)


@dataclass(frozen=True)
class _Times:
    engine: list[float]
    whole: list[float]


def _open(stack: ExitStack, pair: DepthPair, color: np.ndarray,
          backend: str) -> list[_Subject]:
    depth = np.where(pair.degraded < 1.0, pair.degraded * np.float32(_SPAN_M)
                     + np.float32(_NEAREST_M), np.float32(np.nan)).astype(np.float32)
    face = (Detection(FaceBox(SIZE / 2, SIZE / 2, SIZE), 1.0),)
    camera = CameraIntrinsics(DETECTOR_WIDTH, DETECTOR_HEIGHT, _FOCAL_PX, _FOCAL_PX,
                              DETECTOR_WIDTH / 2, DETECTOR_HEIGHT / 2)
    subjects: list[_Subject] = []
    for precision in ('auto', 'fp32'):
        try:
            detector = FaceDetector(backend=backend, precision=precision)
            stack.callback(detector.close)
            enhancer = DepthEnhancer(backend=backend, precision=precision)
            stack.callback(enhancer.close)
            estimator = DepthEstimator(backend=backend, precision=precision,
                                       confidence_threshold=0.0)
            stack.callback(estimator.close)
            embedder = FaceEmbedder(backend=backend, precision=precision)
            stack.callback(embedder.close)
            expressions = ExpressionNetwork(backend=backend, precision=precision)
            stack.callback(expressions.close)
        except BackendUnavailableError:
            if precision == 'auto':
                raise
            continue  # an engine without fp32: there is nothing to compare with
        seen = max(detector.detect(color), key=lambda d: d.box.side, default=Detection(
            FaceBox(DETECTOR_WIDTH / 2, DETECTOR_HEIGHT / 2, DETECTOR_HEIGHT / 2), 1.0))
        runs: list[tuple[Engine | None, Callable[[], Any], int]] = [
            (detector.engine, partial(detector.detect, color), 1),
            (enhancer.engine, partial(enhancer.enhance, depth, face), 1)]
        runs += [(estimator.engine, partial(estimator.estimate, color, (seen,) * faces,
                                            intrinsics=camera), faces)
                 for faces in (1, _MANY_FACES)]
        runs += [(embedder.engine, partial(_recognise, embedder, color, seen.box, faces), faces)
                 for faces in (1, _MANY_FACES)]
        runs += [(expressions.engine, partial(_read, expressions, color, seen.box, faces), faces)
                 for faces in (1, _MANY_FACES)]
        for engine, whole, faces in runs:
            if engine is not None:
                label = 'fp32' if precision == 'fp32' else f'best ({engine.precision})'
                name = engine.name + (f' {faces} faces' if faces > 1 else '')
                subjects.append(_Subject(name, label, engine, whole, faces))
    return subjects


def _recognise(embedder: FaceEmbedder, color: np.ndarray, box: FaceBox,
               faces: int) -> list[Embedding]:
    """Embed a face some times in one inference, from image, relief and mask."""
    relief, mask = _dome()
    if embedder.wants_frames:
        landmarks = 0.5 + MEAN_LANDMARKS_M[:, :2] / BOX_SIDE_M
        views = []
        for _ in range(faces):
            frame = frame_of(transform_points(box.image_from_crop(1), landmarks), box)
            seen = framed_input(color, frame, relief, mask, within_crop(frame, box, len(mask)))
            views.append(FaceView(seen, framed=seen, surface=_dome_surface(relief, mask)
                                  if embedder.wants_surfaces else None))
        return embedder.embed(views)
    return embedder.embed([FaceView(recognition_input(
        crop_color(color, box, RECOGNITION_PX), relief, mask)) for _ in range(faces)])


def _read(network: ExpressionNetwork, color: np.ndarray, box: FaceBox, faces: int) -> list[Said]:
    """Tell the expression of a face some times in one inference, from image, relief and mask."""
    relief, mask = _dome()
    return network.say([ExpressionView(crop_color(color, part_box(box), EXPRESSION_PX), relief,
                                       mask, None) for _ in range(faces)])


def _dome() -> tuple[np.ndarray, np.ndarray]:
    """Return relief and mask of a face that is a dome."""
    axis = np.linspace(-1.0, 1.0, _ESTIMATED_PX, dtype=np.float32)
    radius = axis[:, None] ** 2 + axis ** 2
    mask = (radius < _OVAL).astype(np.uint8)
    return np.where(mask > 0, np.float32(_DOME_M) * radius, np.float32(np.nan)), mask


def _dome_surface(relief: np.ndarray, mask: np.ndarray) -> FaceSurface:
    """Return the skin of a dome before a camera."""
    side = len(mask)
    focal = side * _DOME_AWAY_M / BOX_SIDE_M
    camera = np.array([[focal, 0.0, side / 2], [0.0, focal, side / 2]])
    return face_surface(relief + np.float32(_DOME_AWAY_M), mask, camera,
                        side * (0.5 + MEAN_LANDMARKS_M[:, :2] / BOX_SIDE_M))


def _row(subject: _Subject, times: dict[str, _Times]) -> dict[str, Any]:
    own = times[subject.row]
    cost = graph_cost(find_model(subject.engine.name))
    row: dict[str, Any] = {'faces': subject.faces}
    for part, values in (('engine', own.engine), ('predictor', own.whole)):
        row |= {f'{part}_{q}_ms': v for q, v in percentiles(values, (50, 95)).items()}
    row['predictor_p50_ms_per_face'] = row['predictor_p50_ms'] / subject.faces
    single = times.get(f'{subject.name}, fp32')
    row['ratio_to_fp32'] = None if single is None else float(
        np.median(own.whole) / np.median(single.whole))
    return row | {'precision': subject.engine.precision, 'backend': subject.engine.backend,
                  'macs': cost.macs * subject.faces, 'parameters': cost.parameters}


def _evaluation(rows: Rows, times: dict[str, _Times], runs: int) -> Evaluation:
    title = 'Latency of the networks'
    result = Evaluation(
        'latency',
        f'The detector on a {DETECTOR_WIDTH} x {DETECTOR_HEIGHT} image, the enhancer on one face, '
        f'estimator and recognisers on one and on {_MANY_FACES} faces of such an image in one '
        'inference (recognisers from image, relief and mask to embeddings or expressions); '
        f'{runs} runs of each after warm-up, in turn. "engine" is the network alone, "predictor" '
        'all from image to result.',
        {'latency': Table(title, f'one image, {runs} runs', 'ms', rows)})
    result.blocks = [
        cards([(f'{row["predictor_p50_ms"]:.1f} ms', name,
                f'95 %: {row["predictor_p95_ms"]:.1f} ms') for name, row in rows.items()]),
        table(rows, 'network'),
        figure(plots.stage_bars({name: percentiles(t.whole, (50, 95))
                                 for name, t in times.items()}), 'Image to result.')]
    return result


def _time_engine(engine: Engine, batch: int) -> float:
    inputs = {t.name: np.zeros([batch if i == 0 else max(s, 1) for i, s in enumerate(t.shape)],
                               t.dtype)
              for t in engine.inputs}
    return _time(lambda: engine(inputs))


def _time(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - started)
