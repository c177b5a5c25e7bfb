# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Replay without ROS: the bag's messages through the pipeline in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
import logging
import time

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.frames import EstimatedDepth
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.engines import Engine
from face_depth_ros.evaluation.bags import FrameMessages
from face_depth_ros.evaluation.output_messages import label_info_message, result_messages
from face_depth_ros.evaluation.replay_settings import (
    EngineReport,
    EnrollResult,
    EnrollWindow,
    EstimateNote,
    OFF,
    PlayedFrame,
    ReplaySettings,
)
from face_depth_ros.predictors.pipeline import Pipeline

_LOG = logging.getLogger(__name__)


class DirectPlayer:
    """
    Plays frames through a pipeline of its own.

    :raises FaceDepthError: a model or backend is missing
    """

    def __init__(self, settings: ReplaySettings, pipeline: Pipeline | None = None) -> None:
        self._pipeline = pipeline or Pipeline.open(
            method=settings.method, backend=settings.backend, precision=settings.precision,
            temporal=settings.temporal,
            estimator='' if settings.estimator == OFF else settings.estimator,
            recognizer=settings.recognizer_model if settings.recognizes else '',
            access=settings.access, expressions=settings.expression_model,
            liveness=settings.liveness_model, require_live=settings.require_live)
        self._windows = list(settings.enroll)
        self._open: EnrollWindow | None = None
        self._enrolled: list[EnrollResult] = []
        self._first_ns: int | None = None
        self._warned: set[str] = set()
        self._refusals: Counter[str] = Counter()
        self._labels_told = settings.estimator == OFF
        # Now, while the files are those that were loaded.
        self._engines = tuple(engine_report(s.engine) for s in self._pipeline.stages
                              if s.engine is not None)

    def play(self, frames: Iterable[FrameMessages]) -> Iterator[PlayedFrame]:
        """Run each frame; one that is refused is reported with its cause."""
        for source in frames:
            self._begin_enrollment(source.stamp_ns)
            played = self._play_one(source)
            self._end_enrollment(source.stamp_ns)
            yield played
        self._end_enrollment(None)

    def _play_one(self, source: FrameMessages) -> PlayedFrame:
        log_ns = source.color.log_ns
        started = time.perf_counter()
        try:
            frame = source.decode()
            decoded = time.perf_counter()
            result = self._pipeline.process(frame)
            processed = time.perf_counter()
            outputs = result_messages(source, frame, result)
        except FaceDepthError as error:
            if error.cause not in self._warned:
                self._warned.add(error.cause)
                _LOG.warning('frame %d is dropped (%s): %s', source.index, error.cause, error)
            return PlayedFrame(source.index, source.stamp_ns, log_ns, cause=error.cause)
        ended = time.perf_counter()
        stages = {'decode': (decoded - started) * 1e3, **result.stage_ms,
                  'encode': (ended - processed) * 1e3}
        if not self._labels_told:
            outputs.append(label_info_message(source))
            self._labels_told = True
        notes = () if result.estimated is None else _notes(result.estimated)
        self._refusals.update(note.cause for note in notes if note.cause)
        return PlayedFrame(source.index, source.stamp_ns, log_ns, (ended - started) * 1e3, '',
                           stages, tuple(outputs), result.detections, notes)

    def stages(self) -> dict[str, dict[str, float]]:
        """Return nothing: every frame carries its own."""
        return {}

    def engines(self) -> tuple[EngineReport, ...]:
        """Return the networks of the pipeline."""
        return self._engines

    def refusals(self) -> dict[str, int]:
        """Return how many faces the estimator left out or doubted, by cause."""
        return dict(self._refusals)

    def enrollments(self) -> tuple[EnrollResult, ...]:
        """Return what became of the people to be introduced."""
        return tuple(self._enrolled)

    def _begin_enrollment(self, stamp_ns: int) -> None:
        """Begin to introduce somebody whose time has come."""
        recognizer = self._pipeline.recognizer if self._windows else None
        self._first_ns = stamp_ns if self._first_ns is None else self._first_ns
        due = [w for w in self._windows if w.start_s <= (stamp_ns - self._first_ns) * 1e-9]
        if recognizer is None or not due or self._open is not None:
            return
        self._windows.remove(due[0])
        try:
            recognizer.begin_enrollment(due[0].name, seconds=due[0].end_s - due[0].start_s)
            self._open = due[0]
        except FaceDepthError as error:
            self._enrolled.append(EnrollResult(due[0], str(error)))

    def _end_enrollment(self, stamp_ns: int | None) -> None:
        """Finish an enrolment whose time is up; None = the bag is over."""
        recognizer = self._pipeline.recognizer if self._open is not None else None
        if recognizer is None or self._open is None or self._first_ns is None:
            return
        over = stamp_ns is None or (stamp_ns - self._first_ns) * 1e-9 >= self._open.end_s
        enroller = recognizer.take_enrollment(at_once=over)
        if enroller is not None:
            self._enrolled.append(EnrollResult(self._open, enroller.finish()))
            self._open = None

    def close(self) -> None:
        """Release the engines."""
        self._pipeline.close()


def engine_report(engine: Engine) -> EngineReport:
    """Return what an engine is, with the hash of its model."""
    return EngineReport(engine.name, engine.backend, engine.precision, engine.device,
                        find_model(engine.name).sha256)


def _notes(estimated: EstimatedDepth) -> tuple[EstimateNote, ...]:
    return tuple(
        [EstimateNote(f.detection.track_id, f.confidence, f.placement.name.lower(), f.note)
         for f in estimated.faces]
        + [EstimateNote(s.track_id, cause=s.cause) for s in estimated.skipped])
