# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The node face_recognizer: colour, depth and detections in; who is there out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
import threading
from typing import Any, Protocol

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError, ModelFileError, ModelSpecError
from face_depth_ros.core.frames import Detection, EnhancedDepth, EstimatedDepth, Identity
from face_depth_ros.core.live_identities import NOT_LIVE, NOT_LIVE_REFUSAL, only_live
from face_depth_ros.nodes.absent_recognizer import AbsentRecognizer
from face_depth_ros.nodes.camera_info_messages import CameraInfoFrame
from face_depth_ros.nodes.color_join import LOOK_S
from face_depth_ros.nodes.diagnostics import PERIOD_S, Problem
from face_depth_ros.nodes.engine_report import engine_values
from face_depth_ros.nodes.enroll_topics import EnrollTopics
from face_depth_ros.nodes.estimator_checks import usable_intrinsics
from face_depth_ros.nodes.face_recognizer_settings import FaceRecognizerSettings
from face_depth_ros.nodes.identity_messages import IDENTITIES, IdentityFrame, LIVENESS
from face_depth_ros.nodes.image_messages import ImageFrame
from face_depth_ros.nodes.inside_topics import ESTIMATES, ESTIMATES_TOPIC, InsideInput
from face_depth_ros.nodes.outcome import Outcome, Substitute
from face_depth_ros.nodes.process import run_node
from face_depth_ros.nodes.recognition_checks import usable_enhanced
from face_depth_ros.nodes.recognition_join import RecognitionJoin, RecognitionSet
from face_depth_ros.nodes.topic_adapters import CAMERA_INFO, COLOR, DETECTIONS, IMAGE
from face_depth_ros.nodes.topic_input import Arrival, TopicInput
from face_depth_ros.nodes.worker_node import STEADY_CLOCK, WorkerNode
from face_depth_ros.predictors.enroller import Enroller
from face_depth_ros.predictors.face_embedder import find_recognizer
from face_depth_ros.predictors.face_recognizer import FaceRecognizer
from face_depth_ros.predictors.known_people import GalleryAccess, KnownPeople
import numpy as np

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

    def begin_enrollment(self, name: str, *, seconds: float, templates: int) -> None:
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


class FaceRecognizerNode(WorkerNode[FaceRecognizerSettings, Recognizer, RecognitionSet]):
    """
    Tells who the detected faces are, and introduces people.

    :param open_recognizer: makes the predictor; takes FaceRecognizer.open's keyword arguments
    :param kwargs: of `WorkerNode`
    """

    default_name = 'face_recognizer'
    settings_type = FaceRecognizerSettings

    def __init__(self, *, open_recognizer: Callable[..., Recognizer] = FaceRecognizer.open,
                 **kwargs: Any) -> None:
        super().__init__(self.default_name, self.settings_type, **kwargs)
        s = self.settings
        self._open_recognizer = open_recognizer
        self._intake = threading.Lock()
        self._join = RecognitionJoin(self.health.count)
        self._looking = False
        self._depths: Counter[str] = Counter()
        self.add_input('color/image_raw', COLOR[s.color_transport], self._on_color)
        self.add_input('detections', DETECTIONS, self._adder('detections'))
        self._info_input = self.add_input('color/camera_info', CAMERA_INFO, self._on_info,
                                          required=False)
        self._optional: dict[str, TopicInput[Any]] = {}
        if s.use_depth:
            for key, topic in (('enhanced', 'depth_enhanced/image_raw'),
                               ('provenance', 'depth_enhanced/provenance')):
                self._optional[key] = self.add_input(topic, IMAGE, self._adder(key),
                                                     required=False)
        if s.require_live:
            self._optional['liveness'] = self.add_input(
                'liveness', LIVENESS, self._adder('liveness'), required=False)
        self._optional['estimate'] = self.add_input(
            ESTIMATES_TOPIC, ESTIMATES, self._adder('estimate'), required=False,
            make=InsideInput)
        self._identities = self.add_output('identities', IDENTITIES)
        self._enrollment = EnrollTopics(self, self._on_enroll)
        self.outputs.append(self._enrollment)
        self._overdue = self.create_timer(LOOK_S, self._on_overdue, clock=STEADY_CLOCK)
        self._overdue.cancel()
        self.create_timer(PERIOD_S, self._on_look, clock=STEADY_CLOCK)
        self.start()

    def open_predictor(self, settings: FaceRecognizerSettings) -> Recognizer:
        """Open the models and the gallery."""
        s = settings
        return self._open_recognizer(
            model=s.model, backend=s.backend, precision=s.precision,
            access=GalleryAccess(s.gallery, s.key_file, s.plain), estimator=s.estimator_model,
            false_accept_rate=s.false_accept_rate, min_quality=s.min_quality,
            max_faces=s.max_faces, use_depth=s.use_depth)

    def open_substitute(self, settings: FaceRecognizerSettings, error: FaceDepthError) -> (
            Substitute[Recognizer, FaceRecognizerSettings]):
        """Call everybody unknown where the files of a model are missing or do not fit."""
        if not isinstance(error, (ModelSpecError, ModelFileError)):
            raise error
        return Substitute(AbsentRecognizer(), settings, (
            f'model {settings.model} cannot run, everybody is unknown'))

    def refusal(self, wanted: FaceRecognizerSettings, names: Collection[str]) -> str:
        """Refuse models that are not there, before anything is opened."""
        if 'model' not in names or wanted.model == self._running.model:
            return ''
        try:
            find_recognizer(wanted.model)
        except ModelSpecError as error:
            self.health.count(error.cause, f'model stays as it was: {error}')
            return str(error)
        return ''

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

    def reset(self) -> None:
        """Forget tracks, and what waits to be joined."""
        with self._intake:
            self._join.clear()
            self._join.expect([k for k, i in self._optional.items() if self._comes(i)],
                              info=True)
        if self._slot.present is not None:
            self._slot.present.reset()

    def stop_work(self) -> None:
        """Give up an enrolment too."""
        super().stop_work()
        self._end_enrollment('the node was deactivated', at_once=True)

    def process(self, predictor: Recognizer, job: RecognitionSet) -> Outcome:
        """Recognise the faces of one frame."""
        with self.health.stage('decode'):
            color = job.color.decode().array
            faces = job.detections.decode().detections
            camera = usable_intrinsics(job.info, color.shape,
                                       'faces are taken to stand in the middle of the image')
            enhanced = usable_enhanced(job.enhanced, job.provenance, color.shape)
            estimated = None if job.estimate is None else job.estimate.decode().estimated
        problems: list[Problem] = [*camera.problems, *enhanced.problems]
        problems += self._missing(job)
        with self.health.stage('recognize'):
            identities = predictor.recognize(
                job.color.stamp_ns, color, faces, estimated, enhanced.value,
                intrinsics=camera.value)
        if self.settings.require_live:
            identities = only_live(identities, None if job.liveness is None
                                   else job.liveness.decode().labels)
            if any(i.cause == NOT_LIVE for i in identities):
                predictor.refuse_enrollment(NOT_LIVE_REFUSAL)
        enroller = predictor.take_enrollment()
        if enroller is not None:
            self.in_background(lambda: self._finish(enroller))
        self._depths.update(i.depth or 'none' for i in identities)
        problems += self._stale(predictor)
        for identity in identities:
            if identity.cause:
                self.health.count(f'unknown_{identity.cause}', (
                    f'face {identity.detection.track_id} is unknown: {identity.cause}, quality '
                    f'{identity.quality:.2f}'), problem=False, published=True)
        frame = IdentityFrame(job.color.stamp_ns, job.color.frame_id, identities)
        return Outcome([(self._identities, frame)], problems)

    def report_values(self, predictor: Recognizer | None) -> dict[str, object]:
        """Return model and gallery, what depth was looked at, and what could not be joined."""
        values: dict[str, object] = {'model': self._running.model if predictor else 'none'}
        people = None if predictor is None else predictor.people
        if people is not None:
            snapshot = people.snapshot
            values |= {'gallery.people': len(snapshot.names),
                       'gallery.templates': snapshot.templates,
                       'gallery.stale_templates': snapshot.stale,
                       'gallery.revision': snapshot.revision}
        if predictor is not None and predictor.enrolling:
            values['enrolling'] = predictor.enrolling
        values |= {f'depth.{kind}': n for kind, n in sorted(self._depths.items())}
        values['waits_for'] = ' '.join(sorted(self._join.awaited))
        values |= {f'join.{cause}': n for cause, n in sorted(self._join.drops.items())}
        return {**values, **engine_values(self._running.model, predictor)}

    def _missing(self, job: RecognitionSet) -> list[Problem]:
        """Return what to warn of when a frame has not all that comes otherwise."""
        problems: list[Problem] = []
        awaited = {k for k in self._join.awaited if self._optional[k].count}  # came before
        if 'enhanced' in awaited and (job.enhanced is None or job.provenance is None):
            problems.append(('enhanced_missing', (
                'no enhanced depth of the stamp of a frame has come in time; its faces were '
                'recognised by estimated depth')))
        if 'estimate' in awaited and job.estimate is None:
            problems.append(('estimate_missing', (
                'no estimate of the stamp of a frame has come in time; its faces were estimated '
                'here')))
        if self.settings.require_live and job.liveness is None:
            problems.append(('liveness_missing', (
                'no liveness of the stamp of a frame has come; all of its faces are unknown, for '
                'require_live is true')))
        return problems

    def _stale(self, predictor: Recognizer) -> list[Problem]:
        stale = 0 if predictor.people is None else predictor.people.snapshot.stale
        if not stale:
            return []
        return [('stale_templates', (
            f'{stale} templates in the gallery are of other models and are not compared; enrol '
            'these people again, or go back to the model'))]

    def _adder(self, key: str) -> Callable[[Arrival[Any]], None]:
        def add(arrival: Arrival[Any]) -> None:
            with self._intake:
                self._submit(self._join.add(key, arrival))
        return add

    def _on_color(self, arrival: Arrival[ImageFrame]) -> None:
        with self._intake:
            if self.in_order(arrival.stamp_ns):
                self._submit(self._join.add('color', arrival))

    def _on_info(self, arrival: Arrival[CameraInfoFrame]) -> None:
        with self._intake:
            self._submit(self._join.add_info(arrival.decode()))

    def _on_overdue(self) -> None:
        """Let go on what has waited; the timer runs only while something waits."""
        with self._intake:
            self._submit(self._join.take_overdue())
            if not self._join.waits:
                self._looking = False
                self._overdue.cancel()

    def _on_look(self) -> None:
        """Look whether optional inputs come at all, and whether an enrolment gets frames."""
        if self._enrollment.overdue:
            self._end_enrollment('', at_once=True)
        if self._active:
            with self._intake:
                self._join.expect([k for k, i in self._optional.items() if self._comes(i)],
                                  info=self._comes(self._info_input))

    def _comes(self, source: TopicInput[Any]) -> bool:
        if not source.is_open:  # of those outside nobody knows until it is
            return not isinstance(source, InsideInput) or self._estimates_offered()
        return source.publishers > 0 and source.silent_for < self.settings.silence_timeout

    def _estimates_offered(self) -> bool:
        """Whether a depth_estimator is in the same container."""
        return self._exchange is not None and self._exchange.offers(
            (self.resolve_topic_name(ESTIMATES_TOPIC), ESTIMATES.type_name))

    def _submit(self, sets: list[RecognitionSet]) -> None:
        for joined in sets:
            self.submit(joined, joined.color.arrived)
        if self._join.waits and not self._looking:
            self._looking = True
            self.on_executor(self._overdue.reset)

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
                                           templates=s.enroll_templates)
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
                if reason:
                    enroller.refused = reason
                self._finish(enroller)

        if self._enrollment.demand:
            self.between_frames(end)

    def _finish(self, enroller: Enroller) -> None:
        """Write templates; on the transitions' thread, for the disk may be slow."""
        line = enroller.finish()
        self.get_logger().info(f'enroll {enroller.name}: {line}')

        def tell() -> None:
            self._enrollment.tell(line, over=True)
            self._reconcile_soon()

        self.on_executor(tell)


def main() -> int:
    """Run the node alone in its process."""
    return run_node(FaceRecognizerNode)
