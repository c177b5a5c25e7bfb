# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Introduces the one person in view: the best views of some seconds become templates.

Whatever is in doubt is refused with a reason: two faces, no good view, another face in between, a
name that somebody else has, a face that is known by another name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from face_depth_ros.core.errors import FaceDepthError, GalleryError, SettingsError
from face_depth_ros.core.identity_calibration import Calibration
from face_depth_ros.core.joined_vectors import JoinedVectors
from face_depth_ros.gallery.gallery import Existing
from face_depth_ros.gallery.people import checked_name, keep_best, Template, UNKNOWN
from face_depth_ros.predictors.face_embedder import Embedding
from face_depth_ros.predictors.identity_tracker import Evidence, IdentityTracker, STRANGER_RATE
from face_depth_ros.predictors.known_people import KnownPeople

LEAST_QUALITY = 0.35
MOST_VIEWS = 2000
"""An enrolment ends with so many, whatever their stamps say."""
_REASONS = {
    'too_small': 'the face is too small; come nearer',
    'blurred': 'the face is too blurred; hold still, in more light',
    'profile': 'the face is only seen from the side; look at the camera',
    'covered': 'the face is covered',
    'dark': 'the face is too dark; turn on a light',
    'bright': 'the face is too bright; turn away from the light',
    'no_face': 'no face is under the detection',
    '': 'the views of the face are too poor'}


@dataclass(frozen=True)
class EnrollmentView:
    """
    One view of a face that may become a template.

    :param embedding: None where nothing could be made of it
    :param quality: 0 to 1
    :param cause: what is wrong with it, a key of core.face_quality, '' if nothing much
    """

    embedding: Embedding | None
    quality: float
    cause: str = ''


class Enroller:
    """
    Collects the views of one enrolment.

    :param name: of the person
    :param tracker: whose thresholds say who is alike
    :param people: where the templates go
    :param calibrations: by set of modalities
    :param layout: of joined vectors
    :param seconds: how long views are collected, > 0
    :param templates: at most so many are kept, >= 1
    :param least_views: fewer good ones are refused, >= 1
    :param source: of the templates, as `Template.source`
    :param model_name: of the templates
    :param existing: of a person of this name: refuse unless the face is seen to be theirs, add to
        the templates, or replace them
    :param retention_s: as of `Gallery.enroll`
    :raises GalleryError: a name that cannot be one
    :raises SettingsError: a setting out of its range
    """

    def __init__(self, name: str, tracker: IdentityTracker, people: KnownPeople,
                 calibrations: dict[str, Calibration], layout: JoinedVectors, *,
                 seconds: float = 3.0, templates: int = 5, least_views: int = 3,
                 source: str = 'live', model_name: str = '', existing: Existing = 'refuse',
                 retention_s: float | None = None) -> None:
        if not (seconds > 0 and templates >= 1 and least_views >= 1):
            raise SettingsError(f'got seconds = {seconds}, templates = {templates} and '
                                f'least_views = {least_views}, expected all above 0')
        self.name = checked_name(name)
        self._tracker, self._people = tracker, people
        self._calibrations = calibrations
        self._seconds, self._limit, self._least = seconds, templates, least_views
        self._source, self._model_name = source, model_name
        self._existing, self._retention_s = existing, retention_s
        self._elapsed_ns = 0
        self._last_ns: int | None = None
        self._good: list[Template] = []
        self._evidence = Evidence(layout)
        self._poor: Counter[str] = Counter()
        self.refused = ''
        """Why it is over without success, '' while it is not."""

    @property
    def over(self) -> bool:
        """Whether there is nothing more to collect: it failed, or its time is up."""
        return bool(self.refused) or self._elapsed_ns >= self._seconds * 1e9 or (
            len(self._good) + sum(self._poor.values()) >= MOST_VIEWS)

    def look(self, stamp_ns: int, faces: Sequence[EnrollmentView]) -> None:
        """
        Take in what one frame shows: all of its faces.

        :param stamp_ns: may run back, as where a bag starts over: time goes on from there
        """
        if self.over:
            return
        if self._last_ns is not None:
            self._elapsed_ns += max(0, stamp_ns - self._last_ns)
        self._last_ns = stamp_ns
        if len(faces) > 1:
            self.refused = (f'{len(faces)} faces are in view; only the person to be enrolled may '
                            'be seen')
        elif faces:
            self._take(faces[0])

    def finish(self) -> str:
        """
        Choose templates and write them into the gallery.

        :returns: 'ok NAME', or why nobody was enrolled
        """
        reason = self.refused or self._shortage()
        if reason:
            return _one_line(reason)
        try:
            add = self._compare()
            best = keep_best(self._good, self._limit)
            self._people.enroll(self.name, [self._good[i] for i in best], add=add,
                                existing=self._existing, retention_s=self._retention_s)
        except FaceDepthError as error:
            return _one_line(str(error))
        return f'ok {self.name}'

    def _take(self, view: EnrollmentView) -> None:
        good = view.embedding is not None and view.quality >= LEAST_QUALITY and not view.cause
        template = self._template(view) if good else None
        if view.embedding is None or template is None:
            self._poor[view.cause] += 1
            return
        alike = self._evidence.likeness(view.embedding)
        if alike is not None and alike[1] in self._calibrations and (
                alike[0] < self._calibrations[alike[1]].threshold(STRANGER_RATE)):
            self.refused = 'another face came into view, or the same one hardly alike; try again'
            return
        self._evidence.add(view.embedding, view.quality)
        self._good.append(template)

    def _template(self, view: EnrollmentView) -> Template | None:
        """Make a template of a view, None where it holds nothing that could be compared."""
        if view.embedding is None or not view.embedding.modalities:
            return None
        try:
            return Template(view.embedding.vector, view.quality, view.embedding.model_hash,
                            self._model_name, self._source)
        except GalleryError:
            return None

    def _shortage(self) -> str:
        """Return why there are too few good views, '' if there are enough."""
        if len(self._good) >= self._least:
            return ''
        if not self._good and not self._poor:
            return 'nobody is in view'
        if self._poor:
            return _REASONS.get(self._poor.most_common(1)[0][0], _REASONS[''])
        return (f'the face was seen well in {len(self._good)} frame(s) only, expected at least '
                f'{self._least}; stay in view longer')

    def _compare(self) -> bool:
        """
        Compare the face with everybody known.

        :returns: whether it is the person who has the name already
        :raises FaceDepthError: the name is another person's, or the face has another name
        """
        self._people.refresh()
        problem = self._people.problem
        if problem is not None and problem[0] != 'gallery_missing':
            raise FaceDepthError(problem[1], cause=problem[0])
        snapshot = self._people.snapshot
        found = self._people.search(self._evidence.vector(), self._evidence.modalities,
                                    snapshot=snapshot)
        alike = [c for c in found if c.modalities in self._calibrations and (
            c.cosine >= self._tracker.threshold(snapshot, c.modalities))]
        other = next((c for c in alike if c.name != self.name), None)
        if other is not None:
            raise FaceDepthError(f'this face is known as {other.name} already; forget or rename '
                                 f'{other.name} first', cause='face_known')
        if self.name not in snapshot.names:
            return False  # a person with templates of other models alone is refused on writing
        if self._tracker.decide(found, snapshot, self.name).person == UNKNOWN:
            raise FaceDepthError(f'{self.name} is the name of somebody else, who does not look '
                                 'like this face; choose another name', cause='name_taken')
        return True


def _one_line(text: str) -> str:
    return ' '.join(text.split())
