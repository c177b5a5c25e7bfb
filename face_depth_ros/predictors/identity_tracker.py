# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Who the tracked faces are: evidence of a track joined, then compared; any doubt is 'unknown'.

Each view of a face adds its vector, weighed by its quality. A name is given when the joined vector
passes the threshold for the stated false-accept rate and nobody else is nearly as alike; it stays
over moments in which a little less speaks for it. A face that suddenly looks like somebody else is
a mistake of the tracker: the evidence begins anew. Nor does a stranger who is a little alike, and
takes over a track, live on what was seen before: earlier views fade, a modality that is seen no
more is dropped, and a name that is not earned anew within seconds is given back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import math

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.identity_calibration import Calibration, modalities_key
from face_depth_ros.core.joined_vectors import JoinedVectors
from face_depth_ros.gallery.people import UNKNOWN
from face_depth_ros.predictors.face_embedder import Embedding
from face_depth_ros.predictors.known_people import Candidate, KnownPeople, Snapshot
import numpy as np

LEAST_EVIDENCE = 0.4
"""Sum of qualities before anybody is named."""
MOST_EVIDENCE = 12.0
"""Earlier views count less and less once the sum would pass this."""
CLEAR_ODDS = 10.0
"""How many times as likely the named person must be as the next one."""
KEEP_FACTOR = 10.0
"""Who has a name keeps it while the threshold of a rate so many times as high is passed."""
KEEP_S = 5.0
"""A name that was only kept for longer is given back."""
HOLD_S = 1.0
"""Without a usable view for longer, a name is given back: somebody else may stand there now. So
long a modality counts that is seen no more."""
FADED = 0.2
"""A modality with a smaller share of all qualities, faded likewise, counts no more."""
FORGET_S = 5.0
STRANGER_RATE = 0.1
"""A view whose likeness to its own track every tenth stranger has is not of the same person."""
_CHANGED_AFTER = 2
"""So many such views in a row begin a new person."""


@dataclass(frozen=True)
class Verdict:
    """
    Who a track is.

    :param person: name or 'unknown'
    :param probability: of that, 0 to 1; 0 where nothing was compared
    :param cause: '' or why the face is unknown: 'gallery', 'nobody_known', 'low_quality',
        'person_changed', 'too_alike', 'below_threshold', 'uncalibrated'
    """

    person: str = UNKNOWN
    probability: float = 0.0
    cause: str = ''


class Evidence:
    """
    What was seen of one person: a mean of vectors, weighed by quality, for each modality.

    :param layout: of joined vectors
    """

    def __init__(self, layout: JoinedVectors) -> None:
        self._layout = layout
        self._sums: dict[str, np.ndarray] = {}
        self._weights: dict[str, float] = {}
        self._seen_ns: dict[str, int] = {}
        self.weight = 0.0
        """Sum of the qualities."""
        self._squares = 0.0

    @property
    def count(self) -> float:
        """How many equally good views it is worth."""
        return self.weight ** 2 / self._squares if self._squares > 0 else 0.0

    @property
    def modalities(self) -> frozenset[str]:
        """What was seen lately."""
        return frozenset(self._sums)

    def add(self, embedding: Embedding, quality: float, stamp_ns: int = 0) -> None:
        """Add a view; what was not seen for `HOLD_S`, or in few views, is dropped."""
        fade = max(0.0, min(1.0, (MOST_EVIDENCE - quality) / self.weight)) if self.weight else 1.0
        self.weight = self.weight * fade + quality
        self._squares = self._squares * fade ** 2 + quality ** 2
        self._sums = {m: total * np.float32(fade) for m, total in self._sums.items()}
        self._weights = {m: weight * fade for m, weight in self._weights.items()}
        for modality in embedding.modalities:
            unit = self._layout.split(embedding.vector, modality)
            before = self._sums.get(modality)
            added = unit * np.float32(quality)
            self._sums[modality] = added if before is None else before + added
            self._weights[modality] = self._weights.get(modality, 0.0) + quality
            self._seen_ns[modality] = stamp_ns
        for modality in self.modalities - embedding.modalities:
            if (self._weights[modality] < FADED * self.weight
                    or stamp_ns - self._seen_ns[modality] > HOLD_S * 1e9):
                del self._sums[modality], self._weights[modality], self._seen_ns[modality]

    def vector(self) -> np.ndarray:
        """Return the joined vector of the means, (D,) float32."""
        return self._layout.join(self._sums)

    def likeness(self, embedding: Embedding) -> tuple[float, str] | None:
        """Return the cosine with a view, and over which modalities; None where none is shared."""
        shared = self.modalities & embedding.modalities
        if not shared:
            return None
        cosines = {m: float(_unit(self._sums[m]) @ self._layout.split(embedding.vector, m))
                   for m in shared}
        return self._layout.mean_cosine(cosines), modalities_key(shared)


@dataclass
class _Track:
    """
    A face that is followed.

    :param earned_ns: when the evidence last passed the threshold of the stated rate itself
    """

    evidence: Evidence
    seen_ns: int
    looked_ns: int = -1
    rival: Evidence | None = None
    strange: int = 0
    person: str = UNKNOWN
    earned_ns: int = 0
    asked: tuple[Snapshot, tuple[object, ...]] | None = None
    decided: Verdict = field(default_factory=Verdict)


class IdentityTracker:
    """
    Gives every track its verdict.

    :param people: who is known
    :param layout: of joined vectors
    :param calibrations: by set of modalities
    :param false_accept_rate: share of strangers, each as a track, that may be called a name
    :raises SettingsError: a rate out of (0, 0.5]
    """

    def __init__(self, people: KnownPeople, layout: JoinedVectors,
                 calibrations: Mapping[str, Calibration],
                 false_accept_rate: float = 0.001) -> None:
        self._people, self._layout, self._calibrations = people, layout, calibrations
        self.false_accept_rate = false_accept_rate
        self._tracks: dict[str, _Track] = {}
        self.changes = 0
        """How often a track went on with another person."""

    @property
    def false_accept_rate(self) -> float:
        """Of one identification; may be set between frames."""
        return self._rate

    @false_accept_rate.setter
    def false_accept_rate(self, value: float) -> None:
        if not 0.0 < value <= 0.5:
            raise SettingsError(f'false_accept_rate is {value}, expected more than 0, at most 0.5')
        self._rate = float(value)

    def reset(self) -> None:
        """Forget all tracks."""
        self._tracks.clear()

    def evidence_of(self, track_id: str) -> Evidence | None:
        """Return what is known of a track."""
        track = self._tracks.get(track_id)
        return None if track is None else track.evidence

    def update(self, stamp_ns: int, track_id: str, embedding: Embedding | None,
               quality: float) -> Verdict:
        """
        Add a view of a track and say who it is.

        :param track_id: '' = of no track: the view stands for itself
        :param embedding: None = the view is too poor, or has nothing to compare
        :param quality: of the view, 0 to 1
        """
        self._drop_old(stamp_ns)
        track = self._tracks.get(track_id)
        if track is None:
            track = _Track(Evidence(self._layout), stamp_ns)
            if track_id:
                self._tracks[track_id] = track
        track.seen_ns = stamp_ns
        if embedding is not None and embedding.modalities and quality > 0:
            self._look(track, stamp_ns, embedding, quality)
        verdict = self._verdict(track, stamp_ns)
        track.person = verdict.person
        return verdict

    def threshold(self, snapshot: Snapshot, modalities: str, factor: float = 1.0) -> float:
        """Return the cosine to pass: strangers are compared with every template."""
        pair_rate = min(1.0, factor * self._rate / max(1, snapshot.templates))
        return self._calibrations[modalities].threshold(pair_rate)

    def decide(self, found: Sequence[Candidate], snapshot: Snapshot, before: str = UNKNOWN) -> (
            Verdict):
        """
        Say who it is.

        :param found: most alike first
        :param before: who it was a moment ago
        """
        found = [c for c in found if c.modalities in self._calibrations]
        if not found:
            return Verdict(cause='uncalibrated' if snapshot.templates else 'nobody_known')
        best = max(found, key=self._logit)
        probability = self._calibrations[best.modalities].probability(best.cosine)
        factor = KEEP_FACTOR if best.name == before else 1.0
        cause = ''
        if best.cosine < self.threshold(snapshot, best.modalities, factor):
            cause = 'below_threshold'
        elif best.name != before and any(
                self._logit(best) - self._logit(c) < math.log(CLEAR_ODDS)
                for c in found if c.name != best.name):
            cause = 'too_alike'
        if cause:
            return Verdict(UNKNOWN, 1.0 - probability, cause)
        return Verdict(best.name, probability)

    def _look(self, track: _Track, stamp_ns: int, embedding: Embedding, quality: float) -> None:
        """Take in a view, unless it shows somebody else."""
        alike = track.evidence.likeness(embedding)
        if alike is not None and alike[1] in self._calibrations and (
                alike[0] < self._calibrations[alike[1]].threshold(STRANGER_RATE)):
            track.strange += 1
            if track.rival is None:
                track.rival = Evidence(self._layout)
            track.rival.add(embedding, quality, stamp_ns)
            if track.strange >= _CHANGED_AFTER:
                track.evidence, track.rival, track.strange = track.rival, None, 0
                track.person, track.looked_ns = UNKNOWN, stamp_ns
                self.changes += 1
            return
        track.rival, track.strange = None, 0
        track.evidence.add(embedding, quality, stamp_ns)
        track.looked_ns = stamp_ns

    def _verdict(self, track: _Track, stamp_ns: int) -> Verdict:
        snapshot = self._people.snapshot
        if self._people.problem is not None:
            return Verdict(cause='gallery')
        if not snapshot.templates:
            return Verdict(cause='nobody_known')
        if track.strange:
            return Verdict(cause='person_changed')
        if track.evidence.weight < LEAST_EVIDENCE or (
                stamp_ns - track.looked_ns > HOLD_S * 1e9):
            return Verdict(cause='low_quality')
        asked = (track.looked_ns, track.evidence.weight, self._rate)
        if track.asked is None or track.asked[0] is not snapshot or track.asked[1] != asked:
            found = self._people.search(track.evidence.vector(), track.evidence.modalities,
                                        snapshot=snapshot)
            track.asked = (snapshot, asked)
            track.decided = self.decide(found, snapshot)
            if track.decided.person != UNKNOWN:
                track.earned_ns = stamp_ns
            elif stamp_ns - track.earned_ns <= KEEP_S * 1e9:
                track.decided = self.decide(found, snapshot, track.person)
        return track.decided

    def _logit(self, candidate: Candidate) -> float:
        return self._calibrations[candidate.modalities].logit(candidate.cosine)

    def _drop_old(self, stamp_ns: int) -> None:
        """Forget tracks long gone, and all when stamps ran back."""
        if any(t.seen_ns > stamp_ns for t in self._tracks.values()):
            self._tracks.clear()
        self._tracks = {k: t for k, t in self._tracks.items()
                        if stamp_ns - t.seen_ns <= FORGET_S * 1e9}


def _unit(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length > 0 else vector
