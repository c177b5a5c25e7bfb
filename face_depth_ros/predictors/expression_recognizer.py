# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Faces of a frame in, what they say out: expression, valence and arousal, action units."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError, SettingsError
from face_depth_ros.core.expression_input import part_box, SIZE
from face_depth_ros.core.expression_labels import EXPRESSIONS, NEUTRAL
from face_depth_ros.core.face_box import crop_color, transform_points
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    Expression,
    FaceEstimate,
    shared_tracks,
)
from face_depth_ros.engines import Engine
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.expression_network import (
    ExpressionNetwork,
    ExpressionView,
    Said,
    SHIPPED,
)
from face_depth_ros.predictors.expression_tracker import ExpressionTracker
from face_depth_ros.predictors.matched_estimates import check_frame, EstimateSource, Estimator
from face_depth_ros.predictors.recognition_views import ENHANCED, measured_relief, NO_DEPTH
import numpy as np

MOST_FACES = 16
LEAST_SIDE_PX = 36.0
"""A face box with a smaller side shows no expression: its mouth is 7 pixels wide."""
LEAST_INSIDE = 0.7
"""Of the part that is looked at, so much must lie in the image."""
LEAST_FACE = 0.06
"""Of the canonical crop, so much must be face."""


class ExpressionRecognizer:
    """
    Tells what faces say; one instance per camera, frames in order.

    :param network: the network
    :param estimator: for faces that come without an estimate, None = nothing is told of these
    :param smoothing_s, hysteresis: as of `ExpressionTracker`
    :param max_faces: at most so many a frame, the largest
    :param use_depth: whether depth is looked at
    """

    def __init__(self, network: ExpressionNetwork, estimator: Estimator | None = None, *,
                 smoothing_s: float = 0.4, hysteresis: float = 0.1, max_faces: int = MOST_FACES,
                 use_depth: bool = True) -> None:
        self.network, self.use_depth = network, use_depth
        self.tracker = ExpressionTracker(smoothing_s, hysteresis)
        self._estimates = EstimateSource(estimator)
        self.tune(smoothing_s, hysteresis, max_faces)

    @staticmethod
    def open(model: str = SHIPPED, backend: str = 'auto', precision: str = 'auto', *,
             estimator: str = '', smoothing_s: float = 0.4, hysteresis: float = 0.1,
             max_faces: int = MOST_FACES, use_depth: bool = True) -> ExpressionRecognizer:
        """
        Open the models.

        :param estimator: model for faces without an estimate, '' = none
        :raises FaceDepthError: a model or backend is missing
        """
        with ExitStack() as opened:
            network = ExpressionNetwork(model, backend, precision)
            opened.callback(network.close)
            own = DepthEstimator(estimator, backend, precision) if estimator else None
            if own is not None:
                opened.callback(own.close)
            recognizer = ExpressionRecognizer(
                network, own, smoothing_s=smoothing_s, hysteresis=hysteresis,
                max_faces=max_faces, use_depth=use_depth)
            opened.pop_all()
            return recognizer

    @property
    def engine(self) -> Engine:
        """Return the engine of the network."""
        return self.network.engine

    @property
    def own_estimates(self) -> int:
        """Return how many faces it had to estimate itself."""
        return self._estimates.own_estimates

    def recognize(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
                  estimated: EstimatedDepth | None = None,
                  enhanced: EnhancedDepth | None = None, *,
                  intrinsics: CameraIntrinsics | None = None) -> tuple[Expression, ...]:
        """
        Tell what the faces of a frame say, smoothed over their tracks; all in one inference.

        :param color: (H, W, 3) uint8 RGB; not changed
        :param detections: tracked
        :param estimated: of these detections, as far as there is any
        :param enhanced: of the same frame, None = none: by texture alone
        :param intrinsics: of the image, None = unknown
        :returns: of all detections, largest first
        :raises InvalidImageError: not such an image
        """
        self.tracker.forget(stamp_ns)
        shared = shared_tracks(detections)  # each of them stands for itself
        return tuple(
            face if face.cause or face.detection.track_id in shared
            else self._smoothed(stamp_ns, face)
            for face in self.look(color, detections, estimated, enhanced, intrinsics=intrinsics))

    def look(self, color: np.ndarray, detections: Sequence[Detection],
             estimated: EstimatedDepth | None = None, enhanced: EnhancedDepth | None = None, *,
             intrinsics: CameraIntrinsics | None = None) -> tuple[Expression, ...]:
        """Tell what the faces of one frame say by itself; parameters as of `recognize`."""
        check_frame('expression recogniser', color, enhanced)
        ordered = sorted(detections, key=lambda d: d.box.side, reverse=True)
        chosen = ordered[:self.max_faces]
        estimates = self._estimates.of(color, chosen, estimated, intrinsics)
        views: list[ExpressionView | str] = []
        for d, estimate in zip(chosen, estimates, strict=True):
            try:
                views.append(estimate if isinstance(estimate, str) else self._view(
                    color, d, estimate, enhanced, intrinsics))
            except FaceDepthError as error:
                views.append(error.cause)
        said = iter(self.network.say([v for v in views if isinstance(v, ExpressionView)]))
        seen = [_nothing(d, view) if isinstance(view, str) else _expression(d, view, next(said))
                for d, view in zip(chosen, views, strict=True)]
        return tuple(seen + [_nothing(d, 'max_faces') for d in ordered[len(chosen):]])

    def tune(self, smoothing_s: float, hysteresis: float, max_faces: int) -> None:
        """
        Follow settings between frames; parameters as of the class.

        :raises SettingsError: one out of its range
        """
        if max_faces < 1:
            raise SettingsError(f'got max_faces = {max_faces}, expected at least 1')
        self.tracker.tune(smoothing_s, hysteresis)
        self.max_faces = max_faces

    def reset(self) -> None:
        """Forget all tracks, as when a bag starts over."""
        self.tracker.reset()

    def close(self) -> None:
        """Release the engines; closing twice is allowed."""
        self.network.close()
        self._estimates.close()

    def _view(self, color: np.ndarray, detection: Detection, estimate: FaceEstimate,
              enhanced: EnhancedDepth | None,
              intrinsics: CameraIntrinsics | None) -> ExpressionView | str:
        """Cut a face out of a frame, or say why it cannot be judged."""
        box = estimate.detection.box
        if box.side < LEAST_SIDE_PX:
            return 'too_small'
        if (estimate.mask > 0).mean() < LEAST_FACE:
            return 'empty_mask'
        part = part_box(box)
        if _share_inside(part.image_from_crop(SIZE), color.shape) < LEAST_INSIDE:
            return 'cut'
        relief = None
        if enhanced is not None and self.use_depth and self.network.looks_at_depth:
            relief = measured_relief(enhanced, box, estimate.mask, intrinsics)
        points = estimate.landmarks
        if points is not None:
            points = transform_points(part.crop_from_image(SIZE), points).astype(np.float32)
        return ExpressionView(crop_color(color, part, SIZE), relief, estimate.mask, points)

    def _smoothed(self, stamp_ns: int, face: Expression) -> Expression:
        """Return what a face says with its track's past."""
        units = () if face.action_units is None else face.action_units
        values = np.concatenate([face.probabilities, (face.valence, face.arousal), units])
        mean, label = self.tracker.update(stamp_ns, face.detection.track_id,
                                          values.astype(np.float32))
        count = len(EXPRESSIONS)
        return Expression(
            face.detection, mean[:count], label, float(mean[count]), float(mean[count + 1]),
            None if face.action_units is None else mean[count + 2:], face.depth)


def _share_inside(image_from_crop: np.ndarray, shape: tuple[int, ...]) -> float:
    """Return which share of a crop lies in the image."""
    place = (np.arange(16) + 0.5) * (SIZE / 16)
    points = transform_points(image_from_crop, np.stack(np.meshgrid(place, place), axis=-1))
    inside = (points >= 0.0) & (points < (shape[1], shape[0]))
    return float(inside.all(axis=-1).mean())


def _expression(detection: Detection, view: ExpressionView, said: Said) -> Expression:
    told = (said.probabilities, said.affect, () if said.units is None else said.units)
    if not all(np.isfinite(values).all() for values in told):
        return _nothing(detection, 'not_finite')
    depth = NO_DEPTH if view.relief is None else ENHANCED
    return Expression(detection, said.probabilities,
                      EXPRESSIONS[int(np.argmax(said.probabilities))], float(said.affect[0]),
                      float(said.affect[1]), said.units, depth)


def _nothing(detection: Detection, cause: str) -> Expression:
    """Return what is said of a face that cannot be seen."""
    even = np.full(len(EXPRESSIONS), 1.0 / len(EXPRESSIONS), np.float32)
    return Expression(detection, even, EXPRESSIONS[NEUTRAL], cause=cause)
