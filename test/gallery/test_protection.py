# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What lies on the disk: unreadable, unchangeable, and gone when it was forgotten."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import shutil
import sqlite3

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.gallery import Gallery
from face_depth_ros.gallery.store import APPLICATION_ID
from gallery_files import KEY, MODEL, open_gallery, OTHER_KEY, template
import numpy as np
import pytest


def raw(folder: Path) -> bytes:
    """All bytes of all files of a folder."""
    return b''.join(file.read_bytes() for file in sorted(folder.iterdir()))


def change(path: Path, *statements: str) -> None:
    """Change a gallery behind its back."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed gallery of three people with two templates each."""
    with open_gallery(tmp_path / 'gallery.db') as gallery:
        for i, name in enumerate(('Anna', 'Ben', 'Cleo')):
            gallery.enroll(name, [template(2 * i, source='image:door'), template(2 * i + 1)])
    return tmp_path / 'gallery.db'


def test_nothing_of_a_person_is_readable(tmp_path: Path) -> None:
    person = template(1, source='image:front door', model_name='face_recognizer')
    vector = person.vector.tobytes()
    for name, key, found in (('e', KEY, False), ('p', None, True)):
        folder = tmp_path / name
        folder.mkdir()
        with open_gallery(folder / 'g.db', key) as gallery:
            gallery.enroll('Annabelle', [person])
            while_open = raw(folder)
        for content in (while_open, raw(folder)):
            for secret in (b'Annabelle', vector, vector[:16], b'front door', b'recognizer'):
                assert (secret in content) is found, secret


def test_equal_templates_are_not_equal_on_the_disk(tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'g.db') as gallery:
        gallery.enroll('Anna', [template(1)])
        gallery.enroll('Ben', [template(1)])
    records = [row[0] for row in sqlite3.connect(tmp_path / 'g.db').execute(
        'SELECT record FROM templates')]
    assert len(set(records)) == 2 and len({record[:12] for record in records}) == 2


@pytest.mark.parametrize('umask', [0o000, 0o022, 0o277])
def test_all_files_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with open_gallery(tmp_path / 'g.db') as gallery:
            gallery.enroll('Anna', [template(1)])
            gallery.export(tmp_path / 'people')
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(('g.db', 'g.db-wal', 'g.db-shm', 'people'), 0o600)


@pytest.mark.parametrize('vacuum', [True, False])
@pytest.mark.parametrize('key', [KEY, None], ids=['encrypted', 'plain'])
@pytest.mark.parametrize('how', ['forget', 'expired', 'replace', 'evict', 'rename'])
def test_what_is_removed_is_really_gone(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: bytes | None, vacuum: bool,
        how: str) -> None:
    if not vacuum:
        monkeypatch.setattr('face_depth_ros.gallery.store.LARGEST_VACUUM', 0)
    path = tmp_path / 'gallery.db'
    with open_gallery(path, key, max_templates=2) as gallery:
        # Enough people for several levels of pages, and rows of several sizes.
        for i in range(60):
            gallery.enroll(f'person number {i:03}', [
                template(10 * i + j, 512, quality=0.2 + j / 10) for j in range(1 + i % 2)],
                retention_s=1000 if i % 5 == 0 else None)
        victims = [f'person number {i:03}' for i in range(0, 60, 5)]
        connection = sqlite3.connect(path)
        rows = connection.execute('SELECT people.id, tag, people.record, templates.record FROM '
                                  'people JOIN templates ON person = people.id').fetchall()
        connection.close()
        secrets = [record for i, _, _, record in rows if (i - 1) % 5 == 0]
        if how in ('forget', 'expired'):
            secrets += [part for i, tag, record, _ in rows if (i - 1) % 5 == 0
                        for part in (tag, record)]
        if key is None:
            secrets += [t.vector.tobytes() for name in victims for t in gallery.templates_of(name)]
        if how == 'rename':
            secrets = [part for i, tag, record, _ in rows if (i - 1) % 5 == 0
                       for part in (tag, record)]
        assert all(secret in raw(tmp_path) for secret in secrets), 'the search works'
        if how == 'forget':
            for name in victims:
                gallery.forget(name)
        elif how == 'expired':
            assert gallery.forget_expired(2**62) == victims
        else:
            for i, name in enumerate(victims):
                if how == 'rename':
                    gallery.rename(name, f'another {i}')
                else:
                    gallery.enroll(name, [
                        template(90000 + 2 * i + j, 512, quality=0.9) for j in range(2)],
                        existing='replace' if how == 'replace' else 'add')
        while_open = raw(tmp_path)
        gallery.export(tmp_path / 'export', key=KEY)
        gallery.verify()
    for content in (while_open, raw(tmp_path)):
        # The middle of each: rows are never stored in part.
        assert not any(secret in content or secret[-64:] in content for secret in secrets)
        if key is None and how in ('forget', 'expired'):
            assert not any(name.encode() + b'"' in content for name in victims)
    with open_gallery(path, key) as gallery:
        assert gallery.verify().people == (48 if how in ('forget', 'expired') else 60)
    connection = sqlite3.connect(path)
    if vacuum and how in ('forget', 'expired'):
        assert connection.execute('PRAGMA freelist_count').fetchone() == (0,)


def test_a_purge_that_was_interrupted_is_made_up_for(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt
    path = tmp_path / 'g.db'
    with open_gallery(path, None) as gallery:
        gallery.enroll('Anna', [template(1)])
        with monkeypatch.context() as patched:
            patched.setattr('face_depth_ros.gallery.store.Store.purge', killed)
            with pytest.raises(KeyboardInterrupt):
                gallery.forget('Anna')
        assert template(1).vector.tobytes() in raw(tmp_path)
        with open_gallery(path, None) as second:
            assert template(1).vector.tobytes() not in raw(tmp_path)
            assert second.people() == []


def test_a_wrong_key(path: Path) -> None:
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(GalleryError, match='the key does not open the gallery') as caught:
            open_gallery(path, OTHER_KEY, read_only=read_only)
        assert caught.value.cause == 'gallery_key'
    assert path.read_bytes() == before


def test_storage_of_the_other_kind(path: Path, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match='is encrypted; give its key') as caught:
        open_gallery(path, None)
    assert caught.value.cause == 'gallery_storage'
    open_gallery(tmp_path / 'plain.db', None).close()
    with pytest.raises(GalleryError, match='is stored plainly, expected it encrypted') as caught:
        open_gallery(tmp_path / 'plain.db', KEY)
    assert caught.value.cause == 'gallery_storage'


def test_neither_or_both_of_key_and_plain(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match='the gallery has no key; make one by `gallery key'):
        Gallery.open(tmp_path / 'g.db', allow_temporary=True)
    with pytest.raises(GalleryError, match='got a key and were asked for plain storage'):
        Gallery.open(tmp_path / 'g.db', key=KEY, plain=True, allow_temporary=True)
    assert list(tmp_path.iterdir()) == []


_SWAPPED = ('CREATE TEMP TABLE t AS SELECT * FROM templates', 'UPDATE templates SET record = '
            '(SELECT record FROM t WHERE t.id = 7 - templates.id)')
_TAMPERING: dict[str, tuple[str, ...]] = {
    'a vector changed': ("UPDATE templates SET record = CAST(substr(record, 1, 40) || x'00' || "
                         'substr(record, 42) AS BLOB) WHERE id = 2',),
    'bytes that are no text': ("UPDATE templates SET record = CAST(x'ff00' AS TEXT) WHERE id = 2",
                               ),
    'vectors swapped between people': _SWAPPED,
    'a template given to another': ('UPDATE templates SET person = 1 WHERE id = 5',),
    'a template of another model': (f"UPDATE templates SET model = x'{'bb' * 32}' WHERE id = 1",),
    'names swapped': (
        'CREATE TEMP TABLE t AS SELECT * FROM people', 'DELETE FROM people',
        'INSERT INTO people SELECT id, (SELECT tag FROM t AS o WHERE o.id = 4 - t.id), record '
        'FROM t'),
    'records of people swapped': ('UPDATE people SET id = id + 10', 'UPDATE people SET id = 1 '
                                  'WHERE id = 12', 'UPDATE people SET id = 2 WHERE id = 11'),
    'a template deleted': ('DELETE FROM templates WHERE id = 3',),
    'a person deleted': ('DELETE FROM people WHERE id = 2',),
    'a person and all templates deleted': ('DELETE FROM people WHERE id = 2',
                                           'DELETE FROM templates WHERE person = 2'),
    'a template doubled': ('INSERT INTO templates SELECT 77, person, model, record FROM templates '
                           'WHERE id = 1',),
    'everybody deleted': ('DELETE FROM people', 'DELETE FROM templates'),
    'text for bytes': ("UPDATE templates SET record = 'abc' WHERE id = 1",),
    'a number for a record': ('UPDATE templates SET record = 5 WHERE id = 1',),
    'text for a model': ("UPDATE templates SET model = 'abc' WHERE id = 1",),
    'a fraction for a person': ('UPDATE templates SET person = 1.5 WHERE id = 1',),
    'text for a person': ("UPDATE templates SET person = 'abc' WHERE id = 1",),
    'a short record': ("UPDATE people SET record = x'00' WHERE id = 1",),
    'an empty record': ("UPDATE people SET record = x'' WHERE id = 1",),
    'text for a tag': ("UPDATE people SET tag = 'abc' WHERE id = 1",),
}


@pytest.mark.parametrize('what', _TAMPERING)
def test_tampering_with_rows(path: Path, what: str) -> None:
    change(path, *_TAMPERING[what])
    with open_gallery(path) as gallery:
        for use in (gallery.people, lambda: gallery.templates(MODEL), gallery.verify,
                    lambda: list(gallery.template_blocks(MODEL)),
                    lambda: gallery.stale(MODEL),
                    lambda: gallery.export(path.parent / 'export')):
            with pytest.raises(GalleryError, match='damaged or tampered with: .*; nobody in it '
                                                   'can be trusted') as caught:
                use()
            assert caught.value.cause == 'gallery_tampered'
    assert not (path.parent / 'export').exists()


@pytest.mark.parametrize('what', _TAMPERING)
def test_tampering_is_not_healed_by_a_later_change(path: Path, what: str) -> None:
    change(path, *_TAMPERING[what])
    with open_gallery(path) as gallery:
        gallery.enroll('Dora', [template(9)])
        with pytest.raises(GalleryError, match='damaged or tampered with'):
            gallery.templates(MODEL)


def test_templates_of_nobody(path: Path) -> None:
    with open_gallery(path) as gallery:
        with gallery._change():  # With all seals and sums, as who has the key could write it.
            gallery._ledger.put_template(99, template(9))
        for use in (gallery.people, lambda: gallery.templates(MODEL), gallery.verify):
            with pytest.raises(GalleryError, match='1 of its templates belong to nobody') as e:
                use()
            assert e.value.cause == 'gallery_tampered'


@pytest.mark.parametrize('statement', [
    "UPDATE meta SET value = CAST(x'00' || value AS BLOB) WHERE key = 'manifest'",
    "DELETE FROM meta WHERE key = 'manifest'",
    "UPDATE meta SET value = x'37' WHERE key = 'revision'",
    "UPDATE meta SET value = x'78' WHERE key = 'revision'",
    "UPDATE meta SET value = 5 WHERE key = 'revision'",
    "UPDATE meta SET value = x'31' WHERE key = 'created_ns'",
    "UPDATE meta SET value = x'78' WHERE key = 'created_ns'",
    "UPDATE meta SET value = x'39' WHERE key = 'schema'",
    "UPDATE meta SET value = x'39' WHERE key = 'storage'",
    "DELETE FROM meta WHERE key = 'id'",
    'CREATE TRIGGER t AFTER INSERT ON people BEGIN DELETE FROM templates; END',
    'CREATE VIEW v AS SELECT * FROM people',
    'CREATE TABLE more (a)',
    'DROP INDEX templates_of_person',
])
def test_tampering_with_the_head(path: Path, statement: str) -> None:
    change(path, statement)
    with pytest.raises(GalleryError, match='tampered with') as caught:
        open_gallery(path)
    assert caught.value.cause == 'gallery_tampered'


def test_an_older_state_put_back(path: Path, tmp_path: Path) -> None:
    """A row or a whole file from before: seen by whoever has seen the newer one."""
    old = sqlite3.connect(path).execute('SELECT * FROM templates WHERE person = 2').fetchall()
    shutil.copy(path, tmp_path / 'old.db')
    with open_gallery(path) as gallery:
        gallery.forget('Ben')
        connection = sqlite3.connect(path)
        connection.executemany('INSERT INTO templates VALUES (?, ?, ?, ?)', old)
        connection.commit()
        with pytest.raises(GalleryError, match='it holds 2 people and 6 templates; what was '
                                               'written are 2 and 4'):
            gallery.templates(MODEL)
        meta = sqlite3.connect(tmp_path / 'old.db').execute('SELECT * FROM meta').fetchall()
        connection.executemany('INSERT OR REPLACE INTO meta VALUES (?, ?)', meta)
        connection.commit()
        connection.close()
        with pytest.raises(GalleryError, match='it is older than it was'):
            gallery.templates(MODEL)


def test_rows_of_another_gallery_of_the_same_key(path: Path, tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'other.db') as other:
        other.enroll('Mallory', [template(77)])
    change(path, f"ATTACH '{tmp_path / 'other.db'}' AS o", 'DELETE FROM people WHERE id = 1',
           'INSERT INTO people SELECT * FROM o.people')
    with open_gallery(path) as gallery, pytest.raises(GalleryError, match='foreign place'):
        gallery.people()


def test_a_newer_schema_is_not_touched(path: Path) -> None:
    change(path, 'PRAGMA user_version = 2')
    before = path.read_bytes()
    with pytest.raises(GalleryError, match='has schema 2, this program knows 1; it is not '
                                           'touched') as caught:
        open_gallery(path)
    assert caught.value.cause == 'gallery_schema'
    assert path.read_bytes() == before


def test_files_that_are_no_gallery(tmp_path: Path) -> None:
    other = tmp_path / 'g.db'
    other.write_bytes(b'')
    other.chmod(0o600)
    with pytest.raises(GalleryError, match='is empty, no gallery'):
        open_gallery(other)
    other.write_bytes(b'no database at all, but long enough to be looked at' * 100)
    with pytest.raises(GalleryError, match='is no SQLite file, or its head is damaged') as caught:
        open_gallery(other)
    assert caught.value.cause == 'gallery_damaged'
    other.unlink()
    sqlite3.connect(other).execute('CREATE TABLE t (a)').connection.close()
    other.chmod(0o600)
    with pytest.raises(GalleryError, match='SQLite file of another program') as caught:
        open_gallery(other)
    assert caught.value.cause == 'gallery_file'
    change(other, f'PRAGMA application_id = {APPLICATION_ID}', 'PRAGMA user_version = 1')
    with pytest.raises(GalleryError, match='other tables than it should'):
        open_gallery(other)


@pytest.mark.parametrize('damage', [
    lambda content: content[:len(content) // 2],
    lambda content: content[:-4096],
    lambda content: content[:4096] + bytes(4096) + content[8192:],
    lambda content: content[:-3 * 4096] + np.random.default_rng(1).bytes(3 * 4096),
])
def test_a_damaged_file(path: Path, damage: Callable[[bytes], bytes]) -> None:
    with open_gallery(path) as gallery:
        for i in range(20):
            gallery.enroll(f'person {i}', [template(i, 64)])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(GalleryError) as caught:
        with open_gallery(path) as gallery:
            gallery.verify()
    assert caught.value.cause in ('gallery_damaged', 'gallery_tampered')
    assert 'take the last export' in str(caught.value)


def test_damage_to_a_plain_gallery_is_seen(tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'g.db', None) as gallery:
        gallery.enroll('Anna', [template(1)])
        gallery.enroll('Ben', [template(2)])
    for what in ('a vector changed', 'a template deleted', 'records of people swapped'):
        shutil.copy(tmp_path / 'g.db', tmp_path / 'changed.db')
        change(tmp_path / 'changed.db', *(s.replace('id = 3', 'id = 1')
                                          for s in _TAMPERING[what]))
        with open_gallery(tmp_path / 'changed.db', None) as gallery, \
                pytest.raises(GalleryError, match='damaged or tampered with'):
            gallery.templates(MODEL)
