# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Faces of a frame in, who they are out; and how people are introduced."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import FaceDepthError, SettingsError
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    Identity,
    shared_tracks,
)
from face_depth_ros.engines import Engine
from face_depth_ros.gallery.gallery import Existing
from face_depth_ros.gallery.people import UNKNOWN
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.enroller import Enroller, EnrollmentView
from face_depth_ros.predictors.face_embedder import Embedding, FaceEmbedder, SHIPPED
from face_depth_ros.predictors.identity_tracker import IdentityTracker
from face_depth_ros.predictors.known_people import GalleryAccess, KnownPeople, OpenGallery
from face_depth_ros.predictors.matched_estimates import check_frame, EstimateSource, Estimator
from face_depth_ros.predictors.recognition_views import seen_face, SeenFace
import numpy as np

MOST_FACES = 16
LEAST_QUALITY = 0.1


@dataclass(frozen=True)
class _Looked:
    """A detection, and what was made of it."""

    detection: Detection
    seen: SeenFace | None
    embedding: Embedding | None
    cause: str = ''


class FaceRecognizer:
    """
    Recognises the people of a gallery; one instance per camera, frames in order.

    :param embedder: the network
    :param people: whom it knows
    :param estimator: for faces that come without an estimate, None = these stay unknown
    :param false_accept_rate: share of strangers that may be called a name
    :param min_quality: views below are no evidence, 0 to 1
    :param max_faces: at most so many a frame, the largest
    :param use_depth: whether depth is looked at
    """

    def __init__(self, embedder: FaceEmbedder, people: KnownPeople,
                 estimator: Estimator | None = None, *, false_accept_rate: float = 0.001,
                 min_quality: float = LEAST_QUALITY, max_faces: int = MOST_FACES,
                 use_depth: bool = True) -> None:
        self.embedder, self.people = embedder, people
        self._estimates = EstimateSource(estimator)
        self.use_depth = use_depth
        self.tracker = IdentityTracker(people, embedder.layout, embedder.calibrations,
                                       false_accept_rate)
        self.tune(false_accept_rate, min_quality, max_faces)
        self._enroller: Enroller | None = None

    @property
    def own_estimates(self) -> int:
        """Return how many faces it had to estimate itself."""
        return self._estimates.own_estimates

    @staticmethod
    def open(model: str = SHIPPED, backend: str = 'auto', precision: str = 'auto', *,
             access: GalleryAccess | None = None, open_gallery: OpenGallery | None = None,
             estimator: str = '', watch: bool = True, false_accept_rate: float = 0.001,
             min_quality: float = LEAST_QUALITY, max_faces: int = MOST_FACES,
             use_depth: bool = True) -> FaceRecognizer:
        """
        Open model and gallery; a gallery that cannot be read is no error, see `people.problem`.

        :param access: where the gallery is, None = the default place, the key in the environment
        :param open_gallery: instead of `access`
        :param estimator: model for faces without an estimate, '' = none
        :param watch: see `KnownPeople`
        :raises FaceDepthError: a model or backend is missing
        """
        with ExitStack() as opened:
            embedder = FaceEmbedder(model, backend, precision)
            opened.callback(embedder.close)
            own = DepthEstimator(estimator, backend, precision) if estimator else None
            if own is not None:
                opened.callback(own.close)
            people = KnownPeople(open_gallery or (access or GalleryAccess()).open,
                                 embedder.model_hash, embedder.layout, watch=watch)
            opened.callback(people.close)
            recognizer = FaceRecognizer(
                embedder, people, own, false_accept_rate=false_accept_rate,
                min_quality=min_quality, max_faces=max_faces, use_depth=use_depth)
            opened.pop_all()
            return recognizer

    @property
    def engine(self) -> Engine:
        """Return the engine of the network."""
        return self.embedder.engine

    @property
    def enrolling(self) -> str:
        """Whose enrolment goes on, '' = nobody's."""
        return '' if self._enroller is None else self._enroller.name

    def recognize(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
                  estimated: EstimatedDepth | None = None,
                  enhanced: EnhancedDepth | None = None, *,
                  intrinsics: CameraIntrinsics | None = None) -> tuple[Identity, ...]:
        """
        Say who the faces of a frame are; all in one inference.

        :param color: (H, W, 3) uint8 RGB; not changed
        :param detections: tracked
        :param estimated: of these detections, as far as there is any
        :param enhanced: of the same frame, None = none
        :param intrinsics: of the image, None = unknown
        :returns: of all detections, largest first
        :raises InvalidImageError: not such an image
        """
        check_frame('face recogniser', color, enhanced)
        ordered = sorted(detections, key=lambda d: d.box.side, reverse=True)
        chosen = ordered[:self.max_faces]
        looked = self._look(color, chosen, estimated, enhanced, intrinsics)
        if self._enroller is not None:
            self._enroller.look(stamp_ns, [
                EnrollmentView(f.embedding, f.seen.quality.score if f.seen else 0.0, f.cause or (
                    f.seen.quality.cause if f.seen else '')) for f in looked]
                + [EnrollmentView(None, 0.0)] * (len(ordered) - len(chosen)))
        shared = shared_tracks(detections)  # each of them stands for itself
        return tuple([self._identity(stamp_ns, f, '' if f.detection.track_id in shared else
                                     f.detection.track_id) for f in looked]
                     + [Identity(d, UNKNOWN, 0.0, cause='max_faces')
                        for d in ordered[len(chosen):]])

    def begin_enrollment(self, name: str, *, seconds: float = 3.0, templates: int = 5,
                         least_views: int = 3, source: str = 'live',
                         existing: Existing = 'refuse', retention_s: float | None = None) -> None:
        """
        Collect views of the one face in the frames that come now; parameters as of `Enroller`.

        :raises GalleryError: a name that cannot be one
        :raises SettingsError: a setting out of its range
        :raises FaceDepthError: another enrolment goes on
        """
        if self._enroller is not None:
            raise FaceDepthError(f'{self._enroller.name} is being enrolled; wait for the result',
                                 cause='enrollment_busy')
        self._enroller = Enroller(
            name, self.tracker, self.people, self.embedder.calibrations, self.embedder.layout,
            seconds=seconds, templates=templates, least_views=least_views, source=source,
            model_name=self.embedder.spec.name, existing=existing, retention_s=retention_s)

    def refuse_enrollment(self, reason: str) -> None:
        """Let the enrolment that goes on, if any, end without success."""
        if self._enroller is not None:
            self._enroller.refused = self._enroller.refused or reason

    def take_enrollment(self, *, at_once: bool = False) -> Enroller | None:
        """
        Return the enrolment if it is to be finished now; another may begin then.

        :param at_once: do not wait for its time to be up
        """
        enroller = self._enroller
        if enroller is None or not (at_once or enroller.over):
            return None
        self._enroller = None
        return enroller

    def tune(self, false_accept_rate: float, min_quality: float, max_faces: int) -> None:
        """
        Follow settings between frames; parameters as of the class.

        :raises SettingsError: one out of its range
        """
        if not 0.0 <= min_quality <= 1.0 or max_faces < 1:
            raise SettingsError(f'got min_quality = {min_quality} and max_faces = {max_faces}, '
                                'expected 0 to 1 and at least 1')
        self.tracker.false_accept_rate = false_accept_rate
        self.min_quality, self.max_faces = min_quality, max_faces

    def reset(self) -> None:
        """Forget all tracks, as when a bag starts over."""
        self.tracker.reset()

    def close(self) -> None:
        """Release engines and gallery; closing twice is allowed."""
        self.people.close()
        self.embedder.close()
        self._estimates.close()

    def _look(self, color: np.ndarray, detections: Sequence[Detection],
              estimated: EstimatedDepth | None, enhanced: EnhancedDepth | None,
              intrinsics: CameraIntrinsics | None) -> list[_Looked]:
        """Make a vector of each face that can be seen."""
        estimates = self._estimates.of(color, detections, estimated, intrinsics)
        looked: list[_Looked] = []
        for d, estimate in zip(detections, estimates, strict=True):
            if isinstance(estimate, str):
                looked.append(_Looked(d, None, None, estimate))
                continue
            try:
                seen = seen_face(color, estimate, enhanced, intrinsics,
                                 use_depth=self.use_depth and self.embedder.looks_at_depth,
                                 five_points=self.embedder.wants_five_points,
                                 framed=self.embedder.wants_frames,
                                 surfaces=self.embedder.wants_surfaces)
                looked.append(_Looked(d, seen, None))
            except FaceDepthError as error:
                looked.append(_Looked(d, None, None, error.cause))
        vectors = iter(self.embedder.embed([f.seen.view for f in looked if f.seen is not None]))
        return [f if f.seen is None else replace(f, embedding=next(vectors)) for f in looked]

    def _identity(self, stamp_ns: int, face: _Looked, track_id: str) -> Identity:
        """Say who one face is, of which a track is known or not ('')."""
        quality = face.seen.quality.score if face.seen is not None else 0.0
        depth = face.seen.depth if face.seen is not None else ''
        usable = face.embedding if quality >= self.min_quality else None
        verdict = self.tracker.update(stamp_ns, track_id, usable, quality)
        cause = verdict.cause
        if verdict.cause == 'low_quality':
            cause = face.cause or (face.seen.quality.cause if face.seen else '') or cause
        return Identity(face.detection, verdict.person, verdict.probability, quality, depth, cause)
