# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Evidence over tracks and the open-set decision, with vectors chosen by hand."""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.identity_calibration import read_calibrations
from face_depth_ros.core.joined_vectors import JoinedVectors
from face_depth_ros.gallery.people import Template
from face_depth_ros.predictors.face_embedder import Embedding
from face_depth_ros.predictors.identity_tracker import Evidence, IdentityTracker, MOST_EVIDENCE
from face_depth_ros.predictors.known_people import KnownPeople
import numpy as np
import pytest
from recognizer_graph import CALIBRATION, plain_gallery

LAYOUT = JoinedVectors({'color': 8, 'depth': 8})
HASH = 'a' * 64
SECOND = 10**9
CALIBRATIONS = read_calibrations('x', dict.fromkeys(('color+depth', 'color', 'depth'),
                                                    CALIBRATION))


def unit(axis, tilt=0.0, towards=7):
    """Return a unit vector of 8 near an axis, whose cosine with it is cos(tilt)."""
    vector = np.zeros(8, np.float32)
    vector[axis], vector[towards] = np.cos(tilt), np.sin(tilt)
    return vector


def joined(color=None, depth=None):
    halves = [np.zeros(8, np.float32) if h is None else h for h in (color, depth)]
    held = {m for m, h in (('color', color), ('depth', depth)) if h is not None}
    return Embedding(np.concatenate(halves) / np.float32(np.sqrt(2)), frozenset(held), HASH)


def both(axis, tilt=0.0):
    return joined(unit(axis, tilt), unit(axis, tilt))


def enroll(access, **people):
    with access.open(create=True, read_only=False) as gallery:
        for name, embedding in people.items():
            gallery.enroll(name, [Template(embedding.vector, 1.0, HASH)], existing='replace')


@pytest.fixture
def access(tmp_path):
    return plain_gallery(tmp_path)


@pytest.fixture
def people(access):
    enroll(access, Ada=both(0), Bo=both(1))
    known = KnownPeople(access.open, HASH, LAYOUT, watch=False)
    yield known
    known.close()


@pytest.fixture
def tracker(people):
    return IdentityTracker(people, LAYOUT, CALIBRATIONS, 0.02)


def views(tracker, embedding, count=3, quality=0.8, start=0, track='f00001'):
    return [tracker.update(start + i * SECOND // 10, track, embedding, quality)
            for i in range(count)][-1]


def test_known_people_by_name_strangers_unknown(tracker):
    assert views(tracker, both(0)).person == 'Ada'
    ada = views(tracker, both(1, 0.1), track='f00002')
    assert ada.person == 'Bo' and ada.probability > 0.99 and ada.cause == ''
    stranger = views(tracker, both(3), track='f00003')
    assert stranger.person == 'unknown' and stranger.cause == 'below_threshold'
    assert stranger.probability > 0.99, 'of being nobody who is known'


def test_the_threshold_follows_from_rate_and_number_of_templates(tracker, people, access):
    # 0.02 over two templates: the threshold of 0.01
    assert tracker.threshold(people.snapshot, 'color+depth') == pytest.approx(0.7)
    enroll(access, **{f'P{i}': joined(unit(2, 1.5, 3 + i % 4), unit(i % 7, 1.0))
                      for i in range(18)})
    people.refresh()
    assert tracker.threshold(people.snapshot, 'color+depth') == pytest.approx(0.8)
    tracker.false_accept_rate = 1e-9
    assert tracker.threshold(people.snapshot, 'color+depth') == pytest.approx(0.9)
    for rate in (0.0, 0.6, float('nan')):
        with pytest.raises(SettingsError, match='more than 0, at most 0.5'):
            tracker.false_accept_rate = rate


def test_just_below_the_threshold_is_unknown(tracker):
    at = np.arccos(0.7)
    assert views(tracker, both(0, at - 0.01)).person == 'Ada'
    assert views(tracker, both(0, at + 0.01), track='f2').person == 'unknown'


def test_twins_are_unknown(tracker, access, people):
    enroll(access, Twin=both(0, 0.2))
    people.refresh()
    verdict = views(tracker, both(0, 0.1))
    assert (verdict.person, verdict.cause) == ('unknown', 'too_alike')


def test_one_modality_is_compared_with_the_same_of_the_gallery(tracker, people):
    for embedding in (joined(color=unit(0, 0.3)), joined(depth=unit(0, 0.3))):
        found = people.search(embedding.vector, embedding.modalities)
        assert found[0].name == 'Ada'
        assert found[0].cosine == pytest.approx(np.cos(0.3), abs=1e-5)
        assert found[0].modalities == '+'.join(embedding.modalities)
        assert tracker.update(0, '', embedding, 1.0).person == 'Ada'


def test_templates_of_one_modality(access, people):
    enroll(access, Ada=joined(color=unit(0)), Bo=joined(depth=unit(1)))
    people.refresh()
    assert people.search(both(0).vector, both(0).modalities)[0].modalities == 'color'
    found = people.search(joined(color=unit(1)).vector, frozenset({'color'}))
    assert [c.name for c in found] == ['Ada'], 'Bo has no colour to compare'


def test_without_a_calibration_of_what_is_seen_nobody_is_named(people):
    tracker = IdentityTracker(people, LAYOUT, {'color+depth': CALIBRATIONS['color+depth']}, 0.02)
    assert views(tracker, joined(depth=unit(0))).cause == 'uncalibrated'
    assert views(tracker, both(0), track='f2').person == 'Ada'


def test_evidence_adds_up_by_quality(tracker):
    assert tracker.update(0, 'f1', both(0), 0.2).cause == 'low_quality'
    assert tracker.update(SECOND // 10, 'f1', both(0), 0.2).person == 'Ada'
    evidence = Evidence(LAYOUT)
    evidence.add(both(0), 0.9)
    evidence.add(both(1), 0.1)
    mean = evidence.vector()[:8] * np.sqrt(2)
    assert mean[0] / mean[1] == pytest.approx(9.0)
    assert np.linalg.norm(evidence.vector()) == pytest.approx(1.0)
    assert 1.0 < evidence.count < 1.3
    for _ in range(100):
        evidence.add(both(2), 0.5)
    assert evidence.weight == pytest.approx(MOST_EVIDENCE)
    assert evidence.likeness(both(2))[0] > 0.99, 'what is long ago fades'


def test_joined_views_say_more_than_each(tracker):
    """Noise that differs from view to view averages out."""
    verdicts = []
    for i in range(8):
        half = 0.66 * unit(0) + 0.53 * unit(6) + 0.533 * unit(2 + i % 4)
        view = joined(*[half / np.linalg.norm(half)] * 2)
        verdicts.append(tracker.update(i * SECOND // 10, 'f1', view, 0.8).person)
    assert verdicts[0] == 'unknown' and verdicts[-1] == 'Ada'


def test_a_name_does_not_flicker(tracker):
    start, low = both(0, np.arccos(0.75)), both(0, np.arccos(0.6))
    assert views(tracker, start).person == 'Ada'
    names = [tracker.update((3 + i) * SECOND // 10, 'f00001', low, 0.8).person for i in range(30)]
    assert set(names) == {'Ada'}, 'above the threshold of ten times the rate'
    assert views(tracker, low, track='f2').person == 'unknown', 'but nobody gets the name by it'


def test_a_name_that_is_kept_alone_is_given_back(tracker):
    """Somebody a little like Ada, who took over her track, has her name for seconds at most."""
    views(tracker, both(0))
    low = both(0, np.arccos(0.6))
    names = [tracker.update((3 + i) * SECOND // 10, 'f00001', low, 0.8).person for i in range(90)]
    assert names[:30] == ['Ada'] * 30 and names[-20:] == ['unknown'] * 20
    assert names == sorted(names), 'once given back it does not return'
    assert views(tracker, both(0), count=20, start=12 * SECOND).person == 'Ada'


def test_what_is_seen_no_more_soon_says_nothing(tracker):
    """A stranger with Ada's track, of whom one modality is seen, does not live on the other."""
    views(tracker, both(0), count=20)
    stranger = joined(color=unit(0, np.arccos(0.55)))
    assert views(tracker, stranger, track='f2', start=2 * SECOND).person == 'unknown'
    names = [tracker.update((23 + i) * SECOND // 10, 'f00001', stranger, 0.8).person
             for i in range(100)]
    assert tracker.changes == 0, 'alike enough to be no other person at once'
    assert tracker.evidence_of('f00001').modalities == {'color'}
    assert names[0] == 'Ada' and set(names[80:]) == {'unknown'}


def test_a_modality_that_is_rarely_seen_is_dropped():
    evidence = Evidence(LAYOUT)
    evidence.add(both(0), 0.8)
    for i in range(3):
        evidence.add(joined(color=unit(0)), 0.8)
        assert evidence.modalities == {'color', 'depth'}, i
    evidence.add(joined(color=unit(0)), 0.9)
    assert evidence.modalities == {'color'}
    evidence = Evidence(LAYOUT)
    evidence.add(both(0), 0.8, 0)
    evidence.add(joined(color=unit(0)), 0.8, SECOND)
    assert evidence.modalities == {'color', 'depth'}
    evidence.add(joined(color=unit(0)), 0.1, SECOND + 1)
    assert evidence.modalities == {'color'}, 'for a second at most'


def test_a_name_ends_when_too_little_speaks_for_it(tracker):
    assert views(tracker, both(0, np.arccos(0.75))).person == 'Ada'
    verdict = views(tracker, both(0, np.arccos(0.42)), count=60, start=SECOND)
    assert verdict.person == 'unknown'


def test_a_track_that_changes_person_begins_anew(tracker):
    assert views(tracker, both(0)).person == 'Ada'
    doubt = tracker.update(SECOND, 'f00001', both(1), 0.8)
    assert (doubt.person, doubt.cause) == ('unknown', 'person_changed')
    assert tracker.changes == 0
    assert tracker.update(SECOND + SECOND // 10, 'f00001', both(1), 0.8).person == 'Bo'
    assert tracker.changes == 1
    assert tracker.evidence_of('f00001').count == pytest.approx(2.0)


def test_one_odd_view_changes_nobody(tracker):
    views(tracker, both(0))
    assert tracker.update(SECOND, 'f00001', both(5), 0.8).person == 'unknown'
    assert tracker.update(SECOND + 1, 'f00001', both(0), 0.8).person == 'Ada'
    assert tracker.changes == 0


def test_bad_views_hold_a_name_for_a_moment_only(tracker):
    views(tracker, both(0))
    assert tracker.update(SECOND, 'f00001', None, 0.0).person == 'Ada'
    late = tracker.update(2 * SECOND, 'f00001', None, 0.0)
    assert (late.person, late.cause) == ('unknown', 'low_quality')
    assert tracker.update(2 * SECOND + 1, 'f00001', both(0), 0.8).person == 'Ada'


def test_forgotten_people_vanish_at_once(tracker, people, access):
    assert views(tracker, both(0)).person == 'Ada'
    with access.open(create=False, read_only=False) as gallery:
        gallery.forget('Ada')
    people.refresh()
    assert tracker.update(SECOND, 'f00001', None, 0.0).person == 'unknown'
    with access.open(create=False, read_only=False) as gallery:
        gallery.forget('Bo')
    people.refresh()
    assert tracker.update(SECOND, 'f00001', both(0), 0.8).cause == 'nobody_known'


def test_renamed_people_have_their_new_name(tracker, people, access):
    assert views(tracker, both(0)).person == 'Ada'
    with access.open(create=False, read_only=False) as gallery:
        gallery.rename('Ada', 'Augusta')
    people.refresh()
    assert tracker.update(SECOND, 'f00001', None, 0.0).person == 'Augusta'


def test_stamps_that_run_back_begin_anew(tracker):
    views(tracker, both(0), start=100 * SECOND)
    assert tracker.update(0, 'f00001', None, 0.0).cause == 'low_quality'
    assert tracker.update(10 * SECOND, 'f00002', both(0), 0.8).person == 'Ada'
    assert tracker.evidence_of('f00001') is None, 'gone for long'
    tracker.reset()
    assert tracker.evidence_of('f00002') is None


def test_views_of_no_track_stand_for_themselves(tracker):
    assert tracker.update(0, '', both(0), 0.8).person == 'Ada'
    assert tracker.update(1, '', both(1), 0.8).person == 'Bo'
    assert tracker.update(2, '', None, 0.8).person == 'unknown'


def test_a_gallery_that_breaks_names_nobody(tracker, people, access):
    views(tracker, both(0))
    file = Path(access.path)
    file.write_bytes(b'no gallery' + file.read_bytes()[10:])
    people.close()
    broken = KnownPeople(access.open, HASH, LAYOUT, watch=False)
    assert broken.problem is not None and broken.snapshot.templates == 0
    tracker = IdentityTracker(broken, LAYOUT, CALIBRATIONS)
    assert views(tracker, both(0)).cause == 'gallery'
