# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The detectors of attacks that the tables compare: the landmark test, the network, both, over time.

Each is asked about a presentation, frame after frame; those without a memory answer to every
frame, the one over time once, when its frames are over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import time
from typing import Protocol

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.frames import Liveness
from face_depth_ros.core.landmark_liveness import HOLE, landmark_test
from face_depth_ros.core.live_identities import LIVE, SPOOF, UNSURE
from face_depth_ros.core.liveness_input import liveness_input, LivenessInput
from face_depth_ros.core.liveness_metrics import NO_SCORE
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.engines import Engine
from face_depth_ros.evaluation.compared_rows import ComparedRows
from face_depth_ros.evaluation.liveness_views import LivenessView
from face_depth_ros.predictors.liveness_detector import LivenessDetector, UNCLEAR
from face_depth_ros.predictors.liveness_network import LivenessNetwork, SHIPPED
import numpy as np

RAW_LANDMARKS, LANDMARKS = 'Landmark test, raw depth', 'Landmark test'
NETWORK, BOTH, TEMPORAL = 'Network', 'Network and test', 'Over time'
ROWS = (RAW_LANDMARKS, LANDMARKS, NETWORK, BOTH, TEMPORAL)
MOST_ERROR = 0.25
"""Share of the landmarks that may fail in a living face; the paper gives no limit."""


@dataclass(frozen=True)
class Answer:
    """
    What a row says.

    :param score: how live it looks; NO_SCORE where nothing could be looked at
    :param label: 'live', 'spoof' or 'unsure'
    :param reason: a key, '' for live
    :param ms: that it took
    """

    score: float
    label: str
    reason: str
    ms: float


class Row(Protocol):
    """A detector, opened; `over_time`: it remembers a presentation, and its last answer counts."""

    over_time: bool

    def look(self, view: LivenessView) -> Answer:
        """Judge a frame."""
        ...

    def reset(self) -> None:
        """Forget: another presentation begins."""
        ...


def answers_to(row: Row, views: Sequence[LivenessView]) -> list[Answer]:
    """Return what a row says of a presentation: of each frame, or at the end of all."""
    row.reset()
    said = [row.look(view) for view in views]
    return said[-1:] if row.over_time else said


class LivenessRows(ComparedRows[Row]):
    """
    The detectors, opened; close it, or use it with `with`.

    :param rows: which, names of `ROWS`; they are kept in the order of `ROWS`
    :param model: of the network, name or path of its ModelSpec
    :raises SettingsError: a name that is not a row
    """

    def __init__(self, backend: str = 'auto', precision: str = 'auto',
                 rows: Sequence[str] = ROWS, *, model: str = SHIPPED) -> None:
        self._backend, self._precision, self._model = backend, precision, model
        super().__init__(ROWS, rows)

    def _open(self, name: str) -> Row:
        if name in (RAW_LANDMARKS, LANDMARKS):
            return LandmarkRow(raw=name == RAW_LANDMARKS)
        if name == NETWORK:
            network = LivenessNetwork(self._model, self._backend, self._precision)
            self._stack.callback(network.close)
            self._note(name, network.engine)
            return NetworkRow(network)
        detector = LivenessDetector.open(self._model, self._backend, self._precision)
        self._stack.callback(detector.close)
        self._note(name, detector.engine)
        return DetectorRow(detector, over_time=name == TEMPORAL)

    def _note(self, name: str, engine: Engine) -> None:
        engine.warm_up()
        self._describe(name, find_model(self._model), engine)


class LandmarkRow:
    """
    The test of section IV.G alone, on the landmarks of the estimate.

    :param raw: look at depth as measured, else after the enhancer
    """

    over_time = False

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw

    def look(self, view: LivenessView) -> Answer:
        """Judge a frame."""
        started = time.perf_counter()
        error = self._error(view)
        ms = 1e3 * (time.perf_counter() - started)
        if not np.isfinite(error):
            return Answer(NO_SCORE, UNSURE, 'no_depth', ms)
        live = error <= MOST_ERROR
        return Answer(1.0 - error, LIVE if live else SPOOF, '' if live else 'landmarks', ms)

    def reset(self) -> None:
        """Forget nothing: frames stand for themselves."""

    def _error(self, view: LivenessView) -> float:
        estimate = view.estimate
        if estimate is None or estimate.landmarks is None:
            return float('nan')
        depth = (view.raw if self._raw else view.enhanced).depth
        test = landmark_test(depth, estimate.landmarks)
        return test.error if test.count(HOLE) < len(test.failures) else float('nan')


class NetworkRow:
    """The network alone, of one frame: without the landmark test and what else the node asks."""

    over_time = False

    def __init__(self, network: LivenessNetwork) -> None:
        self._network = network

    def look(self, view: LivenessView) -> Answer:
        """Judge a frame."""
        started = time.perf_counter()
        seen = _seen(view)
        if isinstance(seen, str):
            return Answer(NO_SCORE, UNSURE, seen, 1e3 * (time.perf_counter() - started))
        (said,) = self._network.say([seen])
        ms = 1e3 * (time.perf_counter() - started)
        probability = float(1.0 / (1.0 + np.exp(-np.clip(said.log_odds, -30.0, 30.0))))
        if probability >= self._network.live_threshold:
            return Answer(probability, LIVE, '', ms)
        spoof = probability < self._network.spoof_threshold
        return Answer(probability, SPOOF if spoof else UNSURE, said.reason if spoof else UNCLEAR,
                      ms)

    def reset(self) -> None:
        """Forget nothing: frames stand for themselves."""


class DetectorRow:
    """
    The detector that ships: the network and the landmark test.

    :param over_time: let it decide over the frames of a presentation, as on a robot
    """

    def __init__(self, detector: LivenessDetector, *, over_time: bool) -> None:
        self._detector, self.over_time = detector, over_time

    def look(self, view: LivenessView) -> Answer:
        """Judge a frame."""
        started = time.perf_counter()
        if self.over_time:
            said = self._detector.detect(view.stamp_ns, view.color, (view.detection,),
                                         view.estimated, view.enhanced,
                                         intrinsics=view.intrinsics)
        else:
            said = self._detector.look(view.color, (view.detection,), view.estimated,
                                       view.enhanced, intrinsics=view.intrinsics)
        return _answer(said[0], 1e3 * (time.perf_counter() - started))

    def reset(self) -> None:
        """Forget the last presentation."""
        self._detector.reset()


def _seen(view: LivenessView) -> LivenessInput | str:
    """Return what the network sees, or the cause why there is nothing."""
    estimate = view.estimate
    if estimate is None or estimate.landmarks is None:
        return 'no_landmarks'
    try:
        return liveness_input(view.enhanced, view.detection.box, estimate.mask,
                              estimate.landmarks, view.intrinsics)
    except FaceDepthError as error:
        return error.cause


def _answer(said: Liveness, ms: float) -> Answer:
    """Return an answer; where the detector is unsure because it saw too little, without score."""
    unseen = said.label == UNSURE and said.reason != UNCLEAR
    return Answer(NO_SCORE if unseen else said.probability, said.label, said.reason, ms)
