# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Settings of a replay, and what a transport reports of each frame it played."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
import re
from typing import Protocol

from face_depth_ros.core.errors import ModelSpecError, SettingsError
from face_depth_ros.core.frames import Detection
from face_depth_ros.core.model_spec import find_model, PRECISIONS
from face_depth_ros.evaluation.bags import FrameMessages
from face_depth_ros.evaluation.output_messages import output_types, OutputMessage
from face_depth_ros.predictors.depth_enhancer import METHODS
from face_depth_ros.predictors.face_embedder import SHIPPED
from face_depth_ros.predictors.known_people import GalleryAccess

TRANSPORTS = ('ros', 'direct')
BACKENDS = ('auto', 'openvino', 'tensorrt')
OFF = 'off'
ESTIMATORS = ('ours', 'depthnet', 'cgan', OFF)
RECOGNIZERS = ('auto', 'on', OFF)
EXPRESSION_MODEL = 'expression_recognizer'
LIVENESS_MODEL = 'liveness_detector'
_WINDOW = re.compile(r'(?P<name>.+)@(?P<start>[0-9.]+)-(?P<end>[0-9.]+)', re.DOTALL)


@dataclass(frozen=True)
class EnrollWindow:
    """
    A person to be introduced by a part of the bag, seconds from its first frame.

    :raises SettingsError: no time in between
    """

    name: str
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.start_s < self.end_s:
            raise SettingsError(f'{self.name!r} is to be enrolled from {self.start_s} to '
                                f'{self.end_s} s, expected 0 <= START < END')

    @staticmethod
    def parse(text: str) -> EnrollWindow:
        """
        Read NAME@START-END.

        :raises SettingsError: not of this form
        """
        found = _WINDOW.fullmatch(text)
        try:
            if found is None:
                raise ValueError(text)
            return EnrollWindow(found['name'], float(found['start']), float(found['end']))
        except ValueError as error:
            raise SettingsError(f'enroll is {text!r}, expected NAME@START-END with seconds from '
                                'the begin of the bag, for instance Ada@0-1.5') from error


@dataclass(frozen=True)
class ReplaySettings:
    """
    What to replay, how, and where to.

    :param transport: 'ros' = the nodes in their container over DDS; 'direct' = the same pipeline
        in this process
    :param realtime: keep the bag's own pace instead of waiting for each result; `ros` only
    :param temporal: join each face's depth with its last frames
    :param estimator: what estimates depth and mask from colour; 'off' = nothing does
    :param recognizer: 'on', 'off', or 'auto' = on if a gallery is given
    :param recognizer_model: what tells faces apart
    :param gallery: file with the people to recognise
    :param key_file: with its key; None = the key in the environment
    :param plain: the gallery has no key
    :param enroll: people to be introduced on the way, all for equally long
    :param expressions: model that reads expressions; 'off' = nobody does; None = the shipped one
        where it is there (see `with_models`)
    :param liveness: model that tells who lives, 'off' and None likewise
    :param require_live: whoever is not said to live is unknown
    :param limit: at most so many frames; None = all
    :param color_topic: None = found by name and type
    :param depth_topic: None = found by name and type
    :param reference: true depth per frame (see `ReferenceDepth`); None = the one beside the bag
    :param deadline_s: a frame without a result after so long is dropped; `ros` only
    """

    bag: Path
    out: Path
    transport: str = 'ros'
    realtime: bool = False
    method: str = 'network'
    backend: str = 'auto'
    precision: str = 'auto'
    temporal: bool = False
    estimator: str = 'ours'
    recognizer: str = 'auto'
    recognizer_model: str = SHIPPED
    gallery: Path | None = None
    key_file: Path | None = None
    plain: bool = False
    enroll: tuple[EnrollWindow, ...] = ()
    expressions: str | None = None
    liveness: str | None = None
    require_live: bool = False
    limit: int | None = None
    color_topic: str | None = None
    depth_topic: str | None = None
    reference: Path | None = None
    deadline_s: float = 5.0

    def __post_init__(self) -> None:
        problems = [
            f'{name} is {value!r}, expected one of {", ".join(allowed)}'
            for name, value, allowed in (
                ('transport', self.transport, TRANSPORTS), ('method', self.method, METHODS),
                ('estimator', self.estimator, ESTIMATORS),
                ('recognizer', self.recognizer, RECOGNIZERS), ('backend', self.backend, BACKENDS),
                ('precision', self.precision, ('auto', *PRECISIONS)))
            if value not in allowed]
        if self.limit is not None and self.limit < 1:
            problems.append(f'limit is {self.limit}, expected at least 1')
        if not self.deadline_s > 0:
            problems.append(f'deadline is {self.deadline_s} s, expected more than 0')
        if self.realtime and self.transport != 'ros':
            problems.append('realtime needs the transport ros: direct calls wait for each result')
        if self.recognizer == 'on' and self.gallery is None:
            problems.append('recognizer is on, but there is no gallery with people to recognise')
        if self.enroll and not self.recognizes:
            problems.append('somebody is to be enrolled, which needs a gallery and a recognizer')
        if self.require_live and (not self.recognizes or self.liveness == OFF):
            problems.append('only living faces are to be recognised, which needs liveness, a '
                            'gallery and a recognizer')
        problems += [f'{name} is empty, expected a model or {OFF}'
                     for name in ('expressions', 'liveness') if getattr(self, name) == '']
        if len({round(w.end_s - w.start_s, 3) for w in self.enroll}) > 1:
            problems.append('people are to be enrolled for differently long, expected END - START '
                            'to be the same of all')
        if problems:
            raise SettingsError('; '.join(problems))

    @property
    def recognizes(self) -> bool:
        """Whether people are recognised."""
        return self.recognizer != OFF and self.gallery is not None

    @property
    def expression_model(self) -> str:
        """The model that reads expressions, '' = none."""
        return '' if self.expressions in (None, OFF) else str(self.expressions)

    @property
    def liveness_model(self) -> str:
        """The model that tells who lives, '' = none."""
        return '' if self.liveness in (None, OFF) else str(self.liveness)

    @property
    def access(self) -> GalleryAccess:
        """How the gallery opens."""
        return GalleryAccess('' if self.gallery is None else str(self.gallery.absolute()),
                             '' if self.key_file is None else str(self.key_file.absolute()),
                             self.plain)


def recorded_types(settings: ReplaySettings) -> dict[str, str]:
    """Return topics and types of all that a replay records of each frame."""
    return output_types(
        estimator=settings.estimator != OFF, recognizer=settings.recognizes,
        expressions=bool(settings.expression_model), liveness=bool(settings.liveness_model))


def with_models(settings: ReplaySettings) -> tuple[ReplaySettings, tuple[str, ...]]:
    """
    Decide the models that the settings leave open: the shipped ones, or off where one is missing.

    :returns: the settings, and a note for each stage that is off for want of its model
    :raises SettingsError: what is missing is required
    """
    chosen: dict[str, str] = {}
    notes = []
    for name, asked, shipped in (('expressions', settings.expressions, EXPRESSION_MODEL),
                                 ('liveness', settings.liveness, LIVENESS_MODEL)):
        chosen[name] = asked or shipped
        try:
            if asked is None:
                find_model(shipped)
        except ModelSpecError as error:
            if error.cause != 'model_missing':
                raise
            chosen[name] = OFF
            notes.append(f'{name} is off: there is no model {shipped}; make it '
                         f'(models/README.md), or name another with --{name} MODEL')
            if name == 'liveness' and settings.require_live:
                raise SettingsError(f'only living faces are to be recognised, but {notes[-1]}'
                                    ) from error
    settings = replace(settings, expressions=chosen['expressions'], liveness=chosen['liveness'])
    return settings, tuple(notes)


@dataclass(frozen=True)
class EstimateNote:
    """
    What an estimator says of one face besides its images.

    :param confidence: probability that there is a face, 0 to 1; NaN where it was left out
    :param placement: what its distance rests on, name of a `Placement`; '' where it was left out
    :param cause: why it was left out or is doubtful, '' when it is neither
    """

    track_id: str
    confidence: float = float('nan')
    placement: str = ''
    cause: str = ''


@dataclass(frozen=True)
class EnrollResult:
    """What became of an enrolment: 'ok NAME', or why nobody was introduced."""

    window: EnrollWindow
    status: str


@dataclass(frozen=True)
class PlayedFrame:
    """
    What became of one frame.

    :param latency_ms: from handing the bag's messages over to having the result; None when
        there was none
    :param cause: why there was no result, '' when there was one
    :param stage_ms: milliseconds per stage
    :param outputs: what was published for it
    :param detections: as the detector found them, where the transport tells (with landmarks)
    :param estimates: of each face that an estimator saw, where the transport tells
    """

    index: int
    stamp_ns: int
    log_ns: int
    latency_ms: float | None = None
    cause: str = ''
    stage_ms: dict[str, float] = field(default_factory=dict)
    outputs: tuple[OutputMessage, ...] = ()
    detections: tuple[Detection, ...] = ()
    estimates: tuple[EstimateNote, ...] = ()


@dataclass(frozen=True)
class EngineReport:
    """
    One network of a replay.

    :param sha256: of its ONNX file
    """

    name: str
    backend: str
    precision: str
    device: str
    sha256: str


class Player(Protocol):
    """A transport: frames in, what became of them out."""

    def play(self, frames: Iterable[FrameMessages]) -> Iterator[PlayedFrame]:
        """Play frames and report each once, in order."""

    def stages(self) -> dict[str, dict[str, float]]:
        """Return {stage: {p50, p95}} in ms where frames do not carry their own, else {}."""

    def engines(self) -> tuple[EngineReport, ...]:
        """Return the networks that ran."""

    def refusals(self) -> dict[str, int]:
        """Return the counts of what the estimator left out or doubted, by cause."""

    def enrollments(self) -> tuple[EnrollResult, ...]:
        """Return what became of the people to be introduced."""

    def close(self) -> None:
        """Stop."""


OpenPlayer = Callable[[ReplaySettings], Player]
