# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Following a gallery: its changes, and everything that can be wrong with it."""

from __future__ import annotations

from dataclasses import replace
import os
from pathlib import Path
import secrets
import sqlite3
import time

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.core.joined_vectors import JoinedVectors
from face_depth_ros.gallery.people import Template
from face_depth_ros.predictors import known_people
from face_depth_ros.predictors.known_people import GalleryAccess, KnownPeople
import numpy as np
import pytest
from recognizer_graph import plain_gallery

LAYOUT = JoinedVectors({'color': 4, 'depth': 4})
HASH, OTHER = 'a' * 64, 'b' * 64


def template(seed=0, model=HASH, size=8):
    vector = np.random.default_rng(seed).normal(size=size)
    if size == LAYOUT.dimensions:
        return Template(LAYOUT.join({m: vector[part] for m, part in LAYOUT.parts.items()}), 0.9,
                        model)
    return Template(vector / np.linalg.norm(vector), 0.9, model)


def follow(access, **options):
    return KnownPeople(access.open, HASH, LAYOUT, **{'watch': False, **options})


@pytest.fixture
def access(tmp_path):
    made = plain_gallery(tmp_path)
    with made.open(create=True, read_only=False) as gallery:
        gallery.enroll('Ada', [template(1), template(2)])
    return made


def test_changes_are_followed(access):
    people = follow(access)
    assert people.snapshot.names == {'Ada'} and people.snapshot.templates == 2
    before = people.snapshot
    people.refresh()
    assert people.snapshot is before, 'nothing was read again'
    people.enroll('Bo', [template(3)])
    assert people.snapshot.names == {'Ada', 'Bo'}
    assert people.search(template(3).vector, frozenset(LAYOUT.parts))[0].name == 'Bo'
    people.close()
    assert people.snapshot.templates == 0


def test_a_thread_looks_for_changes(access, monkeypatch):
    monkeypatch.setattr(known_people, 'LOOK_S', 0.02)
    people = follow(access, watch=True)
    with access.open(create=False, read_only=False) as gallery:
        gallery.forget('Ada')
    deadline = time.monotonic() + 10
    while people.snapshot.names and time.monotonic() < deadline:
        time.sleep(0.01)
    assert people.snapshot.names == frozenset()
    people.close()
    people.close()


def test_expired_people_go_when_their_time_comes(access, monkeypatch):
    with access.open(create=False, read_only=False) as gallery:
        gallery.enroll('Guest', [template(5)], retention_s=3600.0)
    people = follow(access)
    assert 'Guest' in people.snapshot.names
    later = time.time_ns() + 2 * 3600 * 10**9
    monkeypatch.setattr(time, 'time_ns', lambda: later)
    people.refresh()
    assert people.snapshot.names == {'Ada'}
    people.close()


def test_templates_of_another_model_are_counted_and_not_compared(access):
    with access.open(create=False, read_only=False) as gallery:
        gallery.enroll('Old', [template(7, OTHER, 16)])
    people = follow(access)
    assert people.snapshot.stale == 1 and people.snapshot.names == {'Ada'}
    other = KnownPeople(access.open, 'c' * 64, LAYOUT, watch=False)
    assert other.snapshot.stale == 3 and not other.snapshot.indices
    assert other.search(template(1).vector, frozenset(LAYOUT.parts)) == []
    people.close()
    other.close()


def test_templates_of_another_size_are_refused(access):
    people = KnownPeople(access.open, HASH, JoinedVectors({'color': 6}), watch=False)
    assert people.problem[0] == 'gallery_template' and 'enrol these people again' in (
        people.problem[1])
    assert people.snapshot.templates == 0
    people.close()


def encrypted(tmp_path):
    key = tmp_path / 'key'
    key.write_text(secrets.token_hex(32))
    key.chmod(0o600)
    access = GalleryAccess(str(tmp_path / 'safe.db'), str(key), allow_temporary=True)
    with access.open(create=True, read_only=False) as gallery:
        gallery.enroll('Ada', [template(1)])
    return access, key


def problems(tmp_path):
    """Break a gallery in one way each; returns how it is opened then."""
    access, key = encrypted(tmp_path)
    path = Path(access.path)

    def other_key():
        key.write_text(secrets.token_hex(32))

    def newer_schema():
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE meta SET value = CAST('99' AS BLOB) WHERE key = 'schema'")
            connection.execute('PRAGMA user_version = 99')

    def tampered():
        with sqlite3.connect(path) as connection:
            connection.execute('DELETE FROM people')

    def cut():
        os.truncate(path, 5000)

    def gone():
        path.unlink()

    return access, {'other_key': other_key, 'newer_schema': newer_schema, 'tampered': tampered,
                    'cut': cut, 'gone': gone, 'readable': lambda: path.chmod(0o644),
                    'no_key': lambda: None}


@pytest.mark.parametrize('name', ['other_key', 'newer_schema', 'tampered', 'cut', 'gone',
                                  'readable', 'no_key'])
def test_any_doubt_about_the_gallery_lets_nobody_in(tmp_path, name, monkeypatch):
    monkeypatch.delenv('FACE_DEPTH_GALLERY_KEY', raising=False)
    access, breaks = problems(tmp_path)
    breaks[name]()
    people = follow(replace(access, key_file='') if name == 'no_key' else access)
    cause, message = people.problem
    assert cause.startswith('gallery_') and len(message) > 30
    assert people.snapshot.templates == 0
    assert people.search(template(1).vector, frozenset(LAYOUT.parts)) == []
    people.close()


@pytest.mark.parametrize('name', ['tampered', 'gone'])
def test_a_gallery_that_breaks_under_way_and_is_mended(tmp_path, name, monkeypatch):
    access, breaks = problems(tmp_path)
    with access.open(create=False, read_only=True) as gallery:
        gallery.export(tmp_path / 'export')
    people = follow(access)
    assert people.snapshot.names == {'Ada'}
    breaks[name]()
    with sqlite3.connect(access.path) as connection:
        if name == 'tampered':
            connection.execute("UPDATE meta SET value = CAST('7' AS BLOB) "
                               "WHERE key = 'revision'")
    people.refresh()
    assert people.problem is not None and not people.snapshot.names
    people.refresh()
    assert people.problem is not None, 'it is looked at again only after a while'
    for suffix in ('', '-wal', '-shm'):
        Path(access.path + suffix).unlink(missing_ok=True)
    with access.open(create=True, read_only=False) as gallery:
        gallery.import_(tmp_path / 'export')
    later = time.monotonic() + 60.0
    monkeypatch.setattr(time, 'monotonic', lambda: later)
    people.refresh()
    assert people.problem is None and people.snapshot.names == {'Ada'}
    people.close()


@pytest.mark.parametrize('length', [1.0, 0.3])
def test_templates_whose_parts_no_recogniser_made_are_refused(access, length):
    """One of colour alone and of length 1 would make every cosine of colour 1.4 times as large."""
    vector = np.zeros(LAYOUT.dimensions, np.float32)
    vector[0] = length
    with access.open(create=False, read_only=False) as gallery:
        gallery.enroll('Eve', [Template(vector, 0.9, HASH)])
    people = follow(access)
    assert people.problem[0] == 'gallery_template' and "of 'Eve' whose color" in people.problem[1]
    assert people.snapshot.templates == 0
    with access.open(create=False, read_only=False) as gallery:
        gallery.forget('Eve')
    people = follow(access)
    assert people.problem is None and people.snapshot.names == {'Ada'}
    people.close()


def test_an_old_copy_in_the_place_of_the_gallery_lets_nobody_in(access, monkeypatch):
    monkeypatch.setattr(known_people, 'RETRY_S', 0.0)
    path = Path(access.path)
    with access.open(create=False, read_only=False) as gallery:
        gallery.enroll('Bo', [template(3)])
    old = path.read_bytes()
    people = follow(access)
    with access.open(create=False, read_only=False) as gallery:
        gallery.forget('Bo')
    people.refresh()
    new = path.read_bytes()
    assert people.snapshot.names == {'Ada'}
    for _ in range(3):  # also once it was opened anew
        put_in_place(path, old)
        people.refresh()
        people.refresh()
        assert people.problem[0] == 'gallery_tampered' and 'an old copy' in people.problem[1]
        assert people.snapshot.templates == 0
    put_in_place(path, new)
    people.refresh()
    assert people.problem is None and people.snapshot.names == {'Ada'}
    people.close()


def put_in_place(path, content):
    other = path.with_name('other.db')
    other.write_bytes(content)
    other.chmod(0o600)
    other.replace(path)
    for end in ('-wal', '-shm'):  # of the other one
        path.with_name(path.name + end).unlink(missing_ok=True)


def test_a_key_and_plain_storage_exclude_each_other():
    with pytest.raises(GalleryError, match='choose one of both'):
        GalleryAccess('x', 'key', plain=True).open(create=False, read_only=True)


def test_errors_that_nobody_foresaw_let_nobody_in():
    def explode(**_):
        raise RuntimeError('boom')

    people = KnownPeople(explode, HASH, LAYOUT, watch=False)
    assert people.problem == ('gallery', "the gallery cannot be read: RuntimeError('boom')")
    people.close()


def test_enrolling_makes_the_gallery(tmp_path):
    people = follow(plain_gallery(tmp_path))
    assert people.problem[0] == 'gallery_missing'
    people.enroll('Ada', [template(1)])
    assert people.problem is None and people.snapshot.names == {'Ada'}
    with pytest.raises(GalleryError, match='a person named'):
        people.enroll('Ada', [template(1)])
    people.enroll('Ada', [template(9)], add=True)
    assert people.snapshot.templates == 2
    people.close()
