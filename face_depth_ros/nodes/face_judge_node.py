# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What the nodes share that say something about faces: who it is, what it shows, if it lives."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError, ModelFileError, ModelSpecError
from face_depth_ros.core.frames import Detection, EnhancedDepth, EstimatedDepth
from face_depth_ros.nodes.diagnostics import Problem
from face_depth_ros.nodes.enhanced_checks import usable_enhanced
from face_depth_ros.nodes.estimator_checks import usable_intrinsics
from face_depth_ros.nodes.face_join import FaceSet
from face_depth_ros.nodes.face_set_node import FaceSetNode
from face_depth_ros.nodes.inside_topics import ESTIMATES, ESTIMATES_TOPIC, InsideInput
from face_depth_ros.nodes.outcome import Substitute
from face_depth_ros.nodes.topic_adapters import IMAGE
import numpy as np


class JudgeSettings(Protocol):
    """The parameters that these nodes have in common."""

    @property
    def autostart(self) -> bool:
        """Whether the node starts by itself."""

    @property
    def silence_timeout(self) -> float:
        """Seconds after which a topic is silent."""

    @property
    def model(self) -> str:
        """The network's ModelSpec."""

    @property
    def color_transport(self) -> str:
        """Whether colour comes raw or compressed."""

    @property
    def wait_s(self) -> float:
        """How long enhanced depth, estimates and the like are waited for."""


class Judge(Protocol):
    """What a predictor of such a node has in any case."""

    def reset(self) -> None:
        """Forget all tracks."""

    def close(self) -> None:
        """Release what is held."""


JudgeSettingsT = TypeVar('JudgeSettingsT', bound=Any)
JudgeT = TypeVar('JudgeT', bound=Judge)


@dataclass(frozen=True)
class SeenFrame:
    """
    One frame as a predictor gets it; its fields are those of `core.frames.Frame` and the stages.

    :param problems: what of it could not be used, or has not come
    """

    color: np.ndarray
    faces: tuple[Detection, ...]
    intrinsics: CameraIntrinsics | None
    estimated: EstimatedDepth | None
    enhanced: EnhancedDepth | None
    problems: tuple[Problem, ...]


class FaceJudgeNode(FaceSetNode[JudgeSettingsT, JudgeT]):
    """
    A node that judges faces by colour, enhanced depth and the estimates of depth_estimator.

    :param use_depth: whether enhanced depth is subscribed
    :param optional: keys of further inputs that a subclass adds
    :param kwargs: of `FaceSetNode`
    """

    without_model: str
    """What it means for the outputs that the model cannot run."""
    without_depth: str
    """What it means for the faces of a frame that it has no enhanced depth."""
    without_calibration = 'faces are taken to stand in the middle of the image'
    """Likewise, that nothing is known of the camera."""

    def __init__(self, node_name: str, settings_type: type[JudgeSettingsT], *,
                 optional: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(node_name, settings_type,
                         optional=('enhanced', 'provenance', 'estimate', *optional), **kwargs)
        self._depths: Counter[str] = Counter()

    @property
    def wait_s(self) -> float:
        """How long what can be done without is waited for, seconds."""
        return float(self.settings.wait_s)

    def add_sources(self, use_depth: bool) -> None:
        """Declare the inputs; `use_depth` says whether enhanced depth is one of them."""
        self.add_faces(self.settings.color_transport)
        if use_depth:
            self.add_optional('enhanced', 'depth_enhanced/image_raw', IMAGE)
            self.add_optional('provenance', 'depth_enhanced/provenance', IMAGE)
        self.add_optional('estimate', ESTIMATES_TOPIC, ESTIMATES, make=InsideInput)

    @abstractmethod
    def find_model(self, model: str) -> object:
        """
        Find a ModelSpec by name or path, without opening it.

        :raises ModelSpecError: there is none
        """

    @abstractmethod
    def absent(self) -> JudgeT:
        """Return what stands in for a predictor whose model is not there."""

    def open_substitute(self, settings: JudgeSettingsT, error: FaceDepthError) -> (
            Substitute[JudgeT, JudgeSettingsT]):
        """Work without a model where its files are missing or do not fit."""
        if not isinstance(error, (ModelSpecError, ModelFileError)):
            raise error
        return Substitute(self.absent(), replace(settings, model=''), (
            f'model {settings.model} cannot run, {self.without_model}'))

    def refusal(self, wanted: JudgeSettingsT, names: Collection[str]) -> str:
        """Refuse models that are not there, before anything is opened."""
        if 'model' not in names or wanted.model == self._running.model:
            return ''
        try:
            self.find_model(wanted.model)
        except ModelSpecError as error:
            self.health.count(error.cause, f'model stays as it was: {error}')
            return str(error)
        return ''

    def reset(self) -> None:
        """Forget tracks, and what waits to be joined."""
        super().reset()
        if self._slot.present is not None:
            self._slot.present.reset()

    def see(self, job: FaceSet) -> SeenFrame:
        """
        Decode what there is of one frame.

        :raises FaceDepthError: colour or detections cannot be used
        """
        with self.health.stage('decode'):
            color = job.color.decode().array
            faces = job.detections.decode().detections
            camera = usable_intrinsics(job.info, color.shape, self.without_calibration)
            enhanced = usable_enhanced(job.enhanced, job.provenance, color.shape,
                                       self.without_depth)
            estimated = None if job.estimate is None else job.estimate.decode().estimated
        problems = (*camera.problems, *enhanced.problems, *self._missing(job))
        return SeenFrame(color, faces, camera.value, estimated, enhanced.value, problems)

    def count_depths(self, depths: Iterable[str]) -> None:
        """Count for each face what depth it was judged by, '' = none."""
        self._depths.update(depth or 'none' for depth in depths)

    def report_values(self, predictor: JudgeT | None) -> dict[str, object]:
        """Return model and engine, what depth was looked at, and what could not be joined."""
        model = self._running.model if predictor is not None else ''
        return {'model': model or 'none',
                **{f'depth.{kind}': n for kind, n in sorted(self._depths.items())},
                'waits_for': ' '.join(sorted(self._join.awaited)), **self.join_values(),
                **self.engine_report.values(model, predictor)}

    def _missing(self, job: FaceSet) -> list[Problem]:
        """Return what to warn of when a frame has not all that comes otherwise."""
        problems: list[Problem] = []
        if self.awaits('enhanced') and (job.enhanced is None or job.provenance is None):
            problems.append(('enhanced_missing', (
                'no enhanced depth of the stamp of a frame has come in time; '
                f'{self.without_depth}')))
        if self.awaits('estimate') and job.estimate is None:
            problems.append(('estimate_missing', (
                'no estimate of the stamp of a frame has come in time; its faces were estimated '
                'here')))
        return problems
