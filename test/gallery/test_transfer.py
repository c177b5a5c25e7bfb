# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""People that move from one gallery to another."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.gallery import Gallery
from face_depth_ros.gallery.people import Person
from face_depth_ros.gallery.transfer import read_export, write_export
from gallery_files import KEY, MODEL, open_gallery, OTHER_KEY, OTHER_MODEL, template
import numpy as np
import pytest


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Gallery]:
    with open_gallery(tmp_path / 'source.db') as gallery:
        gallery.enroll('Anna', [template(1, source='bag:a', quality=0.3), template(2)])
        gallery.enroll('Ben', [template(3, model=OTHER_MODEL)], retention_s=1000)
        gallery.enroll('Cleo', [template(4)])
        yield gallery


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Gallery]:
    with open_gallery(tmp_path / 'target.db', OTHER_KEY) as gallery:
        yield gallery


@pytest.mark.parametrize('options', [{'key': KEY}, {'plain': True}, {'key': OTHER_KEY}])
def test_everything_arrives(source: Gallery, target: Gallery, tmp_path: Path,
                            options: dict) -> None:
    file = tmp_path / 'people'
    assert source.export(file, **options) == 3
    assert (b'Anna' in file.read_bytes()) is ('plain' in options)
    assert target.import_(file, **options) == {
        'added': 3, 'changed': 0, 'skipped': 0, 'expired': 0}
    for name in ('Anna', 'Ben', 'Cleo'):
        assert target.person(name).expires_ns == source.person(name).expires_ns
        assert target.person(name).enrolled_ns == source.person(name).enrolled_ns
        for got, sent in zip(target.templates_of(name), source.templates_of(name), strict=True):
            np.testing.assert_array_equal(got.vector, sent.vector)
            assert (got.source, got.quality, got.model_hash, got.created_ns) == (
                sent.source, sent.quality, sent.model_hash, sent.created_ns)
    assert target.revision == 1
    target.verify()


def test_the_keys_of_the_galleries_are_the_default(source: Gallery, tmp_path: Path) -> None:
    source.export(tmp_path / 'people')
    with open_gallery(tmp_path / 'copy.db') as copy:
        copy.import_(tmp_path / 'people')
        assert copy.people() and copy.templates(MODEL).names == source.templates(MODEL).names


@pytest.mark.parametrize(('conflict', 'counts', 'templates'), [
    ('skip', {'added': 2, 'changed': 0, 'skipped': 1}, 1),
    ('add', {'added': 2, 'changed': 1, 'skipped': 0}, 3),
    ('replace', {'added': 2, 'changed': 1, 'skipped': 0}, 2),
])
def test_people_who_are_there_already(source: Gallery, target: Gallery, tmp_path: Path,
                                      conflict: str, counts: dict, templates: int) -> None:
    target.enroll('Anna', [template(9)])
    source.export(tmp_path / 'people')
    with pytest.raises(GalleryError, match="nobody was imported: .* named 'Anna' already"):
        target.import_(tmp_path / 'people', key=KEY)
    assert [p.name for p in target.people()] == ['Anna']
    assert target.import_(tmp_path / 'people', key=KEY, conflict=conflict) == {
        'expired': 0, **counts}
    assert target.person('Anna').templates == templates
    with pytest.raises(GalleryError, match="conflict = 'maybe', expected refuse, skip"):
        target.import_(tmp_path / 'people', conflict='maybe')


def test_the_expired_stay_out(source: Gallery, target: Gallery, tmp_path: Path) -> None:
    source.set_expiry('Ben', 1)
    source.export(tmp_path / 'people')
    assert target.import_(tmp_path / 'people', key=KEY)['expired'] == 1
    assert [p.name for p in target.people()] == ['Anna', 'Cleo']


def test_forgotten_people_are_in_no_later_export(source: Gallery, tmp_path: Path) -> None:
    vector = source.templates_of('Anna')[0].vector.tobytes()
    source.export(tmp_path / 'before', plain=True)
    source.forget('Anna')
    source.export(tmp_path / 'after', plain=True)
    assert vector in (tmp_path / 'before').read_bytes()
    assert vector not in (tmp_path / 'after').read_bytes()


def test_any_changed_byte_is_seen_and_nobody_imported(
        source: Gallery, target: Gallery, tmp_path: Path) -> None:
    file = tmp_path / 'people'
    source.export(file)
    content = file.read_bytes()
    for at in [*range(0, 80), *range(80, len(content), 61)]:
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1:])
        with pytest.raises(GalleryError):
            target.import_(file, key=KEY)
    for end in [0, 10, 57, 58, *range(60, len(content), 97), len(content) - 1]:
        file.write_bytes(content[:end])
        with pytest.raises(GalleryError, match='is cut off|no export'):
            target.import_(file, key=KEY)
    file.write_bytes(content + b'x')
    with pytest.raises(GalleryError, match='something follows its end') as caught:
        target.import_(file, key=KEY)
    assert caught.value.cause == 'gallery_tampered'
    assert target.people() == [] and target.revision == 0
    file.write_bytes(content)
    assert target.import_(file, key=KEY)['added'] == 3


def test_keys_and_files_that_do_not_fit(source: Gallery, target: Gallery, tmp_path: Path) -> None:
    source.export(tmp_path / 'people')
    source.export(tmp_path / 'plain', plain=True)
    with pytest.raises(GalleryError, match='the key does not open the export'):
        target.import_(tmp_path / 'people')
    with pytest.raises(GalleryError, match='the export .* is encrypted; give its key'):
        target.import_(tmp_path / 'people', plain=True)
    with pytest.raises(GalleryError, match='is plain, expected an encrypted one') as caught:
        target.import_(tmp_path / 'plain')
    assert caught.value.cause == 'gallery_storage'
    with pytest.raises(GalleryError, match='got a key and were asked for a plain export'):
        source.export(tmp_path / 'more', key=KEY, plain=True)
    with pytest.raises(GalleryError, match=r'cannot be read \(No such file'):
        target.import_(tmp_path / 'none')
    (tmp_path / 'text').write_text('no export at all, but some text that is long enough ' * 9)
    with pytest.raises(GalleryError, match='is no export of a gallery, or one of a later'):
        target.import_(tmp_path / 'text')


def test_exports_are_never_overwritten_nor_lie_in_tmp(source: Gallery, tmp_path: Path) -> None:
    source.export(tmp_path / 'people')
    with pytest.raises(GalleryError, match='exists already and is not overwritten') as caught:
        source.export(tmp_path / 'people')
    assert caught.value.cause == 'gallery_transfer'
    source._allow_temporary = False
    with pytest.raises(GalleryError, match='an export belongs into a folder of your own'):
        source.export(tmp_path / 'other')


def test_a_plain_gallery_needs_a_key_for_its_export(tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'g.db', None) as gallery:
        gallery.enroll('Anna', [template(1)])
        with pytest.raises(GalleryError, match='has no key for an export; give one'):
            gallery.export(tmp_path / 'people')
        assert gallery.export(tmp_path / 'people', key=KEY) == 1


def written(file: Path, *people: tuple[str, int]) -> Path:
    """Write an export as no gallery would: names, and numbers of templates."""
    write_export(file, KEY, ((Person(name, 1, 1, None, {}), [template(i) for i in range(count)])
                             for name, count in people))
    return file


@pytest.mark.parametrize(('sent', 'kept'), [('Ada ', 'Ada'), ('Zoe\u0308', 'Zoë')])
def test_names_are_taken_in_as_they_are_kept(
        target: Gallery, tmp_path: Path, sent: str, kept: str) -> None:
    file = written(tmp_path / 'people', (sent, 1))
    assert target.import_(file, key=KEY)['added'] == 1
    assert target.person(sent).name == target.person(kept).name == kept
    assert target.import_(file, key=KEY, conflict='add')['changed'] == 1
    target.rename(kept, 'Eve')
    target.forget('Eve')
    assert target.people() == []


@pytest.mark.parametrize(('people', 'reason', 'cause'), [
    ([('Ada', 1), ('Ada ', 1)], "'Ada' stands in it twice", 'gallery_transfer'),
    ([('Ada', 1), ('Ada\u200d', 1)], 'stands in it twice', 'gallery_transfer'),
    ([('Ada', 0)], "'Ada' has no template in it", 'gallery_transfer'),
    ([('Ada', 1), ('unknown', 1)], 'everybody else is called', 'gallery_name'),
    ([('\x1b[2J', 1)], r'invisible character U\+001B', 'gallery_name'),
])
@pytest.mark.parametrize('conflict', ['refuse', 'replace'])
def test_people_who_cannot_be_are_not_imported(
        target: Gallery, tmp_path: Path, people: list, reason: str, cause: str,
        conflict: str) -> None:
    target.enroll('Ben' if conflict == 'refuse' else 'Ada', [template(9)])
    before = target.people()
    with pytest.raises(GalleryError, match=f'nobody was imported.*{reason}') as caught:
        target.import_(written(tmp_path / 'people', *people), key=KEY, conflict=conflict)
    assert caught.value.cause == cause
    assert target.people() == before and target.revision == 1


def test_an_export_is_read_before_writers_have_to_wait(
        source: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source.export(tmp_path / 'people')
    with open_gallery(tmp_path / 'new.db') as gallery, \
            open_gallery(tmp_path / 'new.db', busy_s=0.0) as other:

        def read_slowly(*arguments: Any) -> list:
            other.enroll('Dora', [template(7)])
            return read_export(*arguments)

        monkeypatch.setattr('face_depth_ros.gallery.gallery.read_export', read_slowly)
        gallery.import_(tmp_path / 'people')
        assert [p.name for p in gallery.people()] == ['Anna', 'Ben', 'Cleo', 'Dora']


def test_pipes_and_folders_are_no_exports(target: Gallery, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe')
    for file in (tmp_path / 'pipe', tmp_path):
        with pytest.raises(GalleryError, match='is no plain file; give one written by'):
            target.import_(file)
    with pytest.raises(GalleryError, match='has no home folder'):
        target.import_('~nosuchuser/people')


def test_what_a_killed_export_left_is_removed_and_blocks_none(
        source: Gallery, tmp_path: Path) -> None:
    old, new = tmp_path / '.people[1].new-1', tmp_path / f'.people[1].new-{os.getpid()}'
    for left in (old, new):
        left.write_bytes(b'Anna')
    os.utime(old, (0, 0))
    source.export(tmp_path / 'people[1]')
    assert not old.exists() and new.exists(), 'another process may be writing the new one'
