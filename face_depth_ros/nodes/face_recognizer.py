# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The node face_recognizer: colour, depth and detections in; who is there out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.frames import Detection, EnhancedDepth, EstimatedDepth, Identity
from face_depth_ros.core.live_identities import NOT_LIVE, NOT_LIVE_REFUSAL, only_live
from face_depth_ros.nodes.absent_recognizer import AbsentRecognizer
from face_depth_ros.nodes.diagnostics import Problem
from face_depth_ros.nodes.enroll_topics import EnrollTopics
from face_depth_ros.nodes.face_join import FaceSet
from face_depth_ros.nodes.face_judge_node import FaceJudgeNode
from face_depth_ros.nodes.face_recognizer_settings import FaceRecognizerSettings
from face_depth_ros.nodes.identity_messages import IDENTITIES, IdentityFrame
from face_depth_ros.nodes.liveness_messages import LIVENESS
from face_depth_ros.nodes.outcome import Outcome
from face_depth_ros.nodes.process import run_node
from face_depth_ros.predictors.enroller import Enroller
from face_depth_ros.predictors.face_embedder import find_recognizer
from face_depth_ros.predictors.face_recognizer import FaceRecognizer
from face_depth_ros.predictors.known_people import GalleryAccess, KnownPeople
import numpy as np

_DAY_S = 86400.0
_REOPENING = ('model', 'gallery', 'key_file', 'plain', 'estimator_model')


class Recognizer(Protocol):
    """What recognises: predictors.face_recognizer.FaceRecognizer, or what stands in for it."""

    @property
    def enrolling(self) -> str:
        """Whose enrolment goes on."""

    @property
    def people(self) -> KnownPeople | None:
        """Who is known."""

    def recognize(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
                  estimated: EstimatedDepth | None = None,
                  enhanced: EnhancedDepth | None = None, *,
                  intrinsics: CameraIntrinsics | None = None) -> tuple[Identity, ...]:
        """Say who the faces of a frame are."""

    def begin_enrollment(self, name: str, *, seconds: float, templates: int,
                         retention_s: float | None) -> None:
        """Collect views of the one face."""

    def refuse_enrollment(self, reason: str) -> None:
        """Let an enrolment end without success."""

    def take_enrollment(self, *, at_once: bool = False) -> Enroller | None:
        """Return the enrolment that is to be finished."""

    def tune(self, false_accept_rate: float, min_quality: float, max_faces: int) -> None:
        """Follow settings."""

    def reset(self) -> None:
        """Forget all tracks."""

    def close(self) -> None:
        """Release what is held."""


class FaceRecognizerNode(FaceJudgeNode[FaceRecognizerSettings, Recognizer]):
    """
    Tells who the detected faces are, and introduces people.

    :param open_recognizer: makes the predictor; takes FaceRecognizer.open's keyword arguments
    :param kwargs: of `WorkerNode`
    """

    default_name = 'face_recognizer'
    settings_type = FaceRecognizerSettings
    without_model = 'everybody is unknown'
    without_depth = 'its faces were recognised by estimated depth'

    def __init__(self, *, open_recognizer: Callable[..., Recognizer] = FaceRecognizer.open,
                 **kwargs: Any) -> None:
        super().__init__(self.default_name, self.settings_type, optional=('liveness',), **kwargs)
        self._open_recognizer = open_recognizer
        self.add_sources(self.settings.use_depth)
        if self.settings.require_live:
            self.add_optional('liveness', 'liveness', LIVENESS)
        self._identities = self.add_output('identities', IDENTITIES)
        self._enrollment = EnrollTopics(self, self._on_enroll)
        self._finishing = False
        self.outputs.append(self._enrollment)
        self.start()

    def open_predictor(self, settings: FaceRecognizerSettings) -> Recognizer:
        """Open the models and the gallery."""
        s = settings
        return self._open_recognizer(
            model=s.model, backend=s.backend, precision=s.precision,
            access=GalleryAccess(s.gallery, s.key_file, s.plain), estimator=s.estimator_model,
            false_accept_rate=s.false_accept_rate, min_quality=s.min_quality,
            max_faces=s.max_faces, use_depth=s.use_depth)

    def absent(self) -> Recognizer:
        """Return what calls everybody unknown."""
        return AbsentRecognizer()

    def find_model(self, model: str) -> object:
        """Find the recogniser."""
        return find_recognizer(model)

    def apply_settings(self, old: FaceRecognizerSettings, new: FaceRecognizerSettings) -> None:
        """Open another model or gallery in the background; the present one works until then."""
        self.exchange_predictor(_REOPENING)
        self.between_frames(lambda r: r.tune(new.false_accept_rate, new.min_quality,
                                             new.max_faces))

    def lasting_problem(self, predictor: Recognizer | None) -> str:
        """Say why nobody can be recognised."""
        people = None if predictor is None else predictor.people
        problem = None if people is None else people.problem
        return '' if problem is None else f'everybody is unknown, {problem[0]}: {problem[1]}'

    def stop_work(self) -> None:
        """Give up an enrolment too."""
        super().stop_work()
        self._end_enrollment('the node was deactivated', at_once=True)

    def process(self, predictor: Recognizer, job: FaceSet) -> Outcome:
        """Recognise the faces of one frame."""
        frame = self.see(job)
        problems: list[Problem] = list(frame.problems)
        with self.health.stage('recognize'):
            identities = predictor.recognize(
                job.color.stamp_ns, frame.color, frame.faces, frame.estimated, frame.enhanced,
                intrinsics=frame.intrinsics)
        if self.settings.require_live:
            identities = only_live(identities, self._labels(job, problems))
            if any(i.cause == NOT_LIVE for i in identities):
                predictor.refuse_enrollment(NOT_LIVE_REFUSAL)
        if predictor.enrolling:
            self._enrollment.note_frame()
        enroller = predictor.take_enrollment()
        if enroller is not None:
            self._finishing = True
            self.in_background(lambda: self._finish(enroller))
        problems += self._stale(predictor)
        self.count_depths(i.depth for i in identities)
        for identity in identities:
            if identity.cause:
                self.health.count(f'unknown_{identity.cause}', (
                    f'face {identity.detection.track_id} is unknown: {identity.cause}, quality '
                    f'{identity.quality:.2f}'), problem=False, published=True)
        values = IdentityFrame(job.color.stamp_ns, job.color.frame_id, identities)
        return Outcome([(self._identities, values)], problems)

    def report_values(self, predictor: Recognizer | None) -> dict[str, object]:
        """Return the gallery too, and who is being introduced."""
        values = super().report_values(predictor)
        people = None if predictor is None else predictor.people
        if people is not None:
            snapshot = people.snapshot
            values |= {'gallery.people': len(snapshot.names),
                       'gallery.templates': snapshot.templates,
                       'gallery.stale_templates': snapshot.stale,
                       'gallery.revision': snapshot.revision}
        if predictor is not None and predictor.enrolling:
            values['enrolling'] = predictor.enrolling
        return values

    def look_around(self) -> None:
        """Look whether an enrolment gets frames."""
        if self._enrollment.overdue:
            self._end_enrollment('', at_once=True)

    def _missing(self, job: FaceSet) -> list[Problem]:
        problems = super()._missing(job)
        if self.settings.require_live and job.liveness is None:
            problems.append(('liveness_missing', (
                'no liveness of the stamp of a frame has come; all of its faces are unknown, for '
                'require_live is true')))
        return problems

    def _labels(self, job: FaceSet, problems: list[Problem]) -> dict[str, str] | None:
        """Return what is said of who lives; a message that cannot be read says nothing."""
        try:
            return None if job.liveness is None else job.liveness.decode().labels
        except FaceDepthError as error:
            problems.append((error.cause, f'liveness: {error}; nobody in the frame is live'))
            return None

    def _stale(self, predictor: Recognizer) -> list[Problem]:
        stale = 0 if predictor.people is None else predictor.people.snapshot.stale
        if not stale:
            return []
        return [('stale_templates', (
            f'{stale} templates in the gallery are of other models and are not compared; enrol '
            'these people again, or go back to the model'))]

    def _on_enroll(self, name: str) -> None:
        """Begin to introduce somebody; the result comes on enroll/status."""
        if not self._active:
            self._enrollment.tell(f'{name!r} cannot be enrolled: the node is '
                                  f'{self.state_label}', over=False)
            return
        s = self.settings

        def begin(predictor: Recognizer) -> None:
            try:
                predictor.begin_enrollment(name, seconds=s.enroll_seconds,
                                           templates=s.enroll_templates,
                                           retention_s=s.enroll_keep_days * _DAY_S or None)
            except FaceDepthError as error:
                reason = str(error)
                self.on_executor(lambda: self._enrollment.tell(reason, over=False))
                return
            self._enrollment.expect(s.enroll_seconds)
            self._reconcile_soon()

        self.between_frames(begin)

    def _end_enrollment(self, reason: str, *, at_once: bool) -> None:
        """
        Finish an enrolment that gets no more frames.

        :param reason: to give it up; '' = with what is there
        """
        def end(predictor: Recognizer) -> None:
            enroller = predictor.take_enrollment(at_once=at_once)
            if enroller is not None:
                self._finishing = True
                if reason:
                    enroller.refused = reason
                self._finish(enroller)
            elif at_once and not self._finishing:
                self._give_up()

        if self._enrollment.demand:
            self.between_frames(end)

    def _give_up(self) -> None:
        """Tell of an enrolment that went with the predictor that had it."""
        def tell() -> None:
            if self._enrollment.demand:
                self._enrollment.tell('the model, the gallery or its key was changed meanwhile; '
                                      'try again', over=True)
                self._reconcile_soon()

        self.on_executor(tell)

    def _finish(self, enroller: Enroller) -> None:
        """Write templates; on the transitions' thread, for the disk may be slow."""
        line = enroller.finish()
        self.get_logger().info(f'enroll {enroller.name}: {line}')

        def tell() -> None:
            self._finishing = False
            self._enrollment.tell(line, over=True)
            self._reconcile_soon()

        self.on_executor(tell)


def main() -> int:
    """Run the node alone in its process."""
    return run_node(FaceRecognizerNode)
