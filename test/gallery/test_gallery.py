# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""People in and out of a gallery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import sqlite3
import threading
import time

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.gallery import Gallery
from face_depth_ros.gallery.people import LONGEST_RETENTION_S, Template
from face_depth_ros.gallery.store import Store
from gallery_files import MODEL, open_gallery, OTHER_MODEL, template
import numpy as np
import pytest


@pytest.fixture(params=['encrypted', 'plain'])
def gallery(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gallery]:
    options = {'key': None} if request.param == 'plain' else {}
    with open_gallery(tmp_path / 'gallery.db', **options) as opened:
        yield opened


def test_what_was_enrolled_comes_back(gallery: Gallery) -> None:
    before = time.time_ns()
    first = template(1, quality=0.7, model_name='face_recognizer', source='bag:kitchen')
    person = gallery.enroll('Zoë', [first, template(2)])
    assert person.name == 'Zoë' and person.models == {MODEL: 2}
    assert before <= person.enrolled_ns <= time.time_ns() and person.expires_ns is None
    assert gallery.person('Zoë') == person and gallery.people() == [person]
    back = gallery.templates_of('Zoë')[0]
    assert (back.quality, back.model_name, back.source, back.created_ns) == (
        0.7, 'face_recognizer', 'bag:kitchen', first.created_ns)
    np.testing.assert_array_equal(back.vector, first.vector)


def test_everything_is_there_after_opening_again(tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'g.db') as gallery:
        gallery.enroll('Anna', [template(1)])
        gallery.enroll('Ben', [template(2)])
        people, revision = gallery.people(), gallery.revision
    with open_gallery(tmp_path / 'g.db', create=False) as gallery:
        assert gallery.people() == people and gallery.revision == revision == 2
        assert gallery.verify().templates == 2


def test_two_people_with_one_name(gallery: Gallery) -> None:
    gallery.enroll('Anna', [template(1)])
    with pytest.raises(GalleryError, match="a person named 'Anna' already; choose another") as e:
        gallery.enroll('  Anna ', [template(2)])
    assert e.value.cause == 'gallery_name_taken'
    # Composed and decomposed are one name.
    gallery.enroll('Zo\u00eb', [template(3)])
    with pytest.raises(GalleryError, match='already'):
        gallery.enroll('Zoe\u0308', [template(4)])
    assert [len(gallery.templates_of(n)) for n in ('Anna', 'Zoë')] == [1, 1]


def test_adding_and_replacing(gallery: Gallery) -> None:
    gallery.enroll('Anna', [template(1)], retention_s=100)
    added = gallery.enroll('Anna', [template(2), template(1)], existing='add')
    assert added.templates == 2, 'the same vector is not kept twice'
    assert added.expires_ns is not None and added.changed_ns > added.enrolled_ns
    replaced = gallery.enroll('Anna', [template(3, model=OTHER_MODEL)], existing='replace')
    assert replaced.models == {OTHER_MODEL: 1}
    with pytest.raises(GalleryError, match="existing = 'maybe', expected refuse"):
        gallery.enroll('Anna', [template(4)], existing='maybe')  # type: ignore[arg-type]
    gallery.verify()


def test_only_good_templates_that_differ_are_kept(tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'g.db', max_templates=4) as gallery:
        alike = template(1, quality=0.9)
        near = [alike.vector + 0.01 * template(i).vector for i in range(10, 16)]
        gallery.enroll('Anna', [alike, *(
            Template(v / np.linalg.norm(v), 0.8, MODEL) for v in near)])
        others = [template(i, quality=0.6) for i in (2, 3, 4)]
        gallery.enroll('Anna', others, existing='add')
        gallery.enroll('Anna', [template(5, quality=0.01)], existing='add')
        kept = {t.vector.tobytes() for t in gallery.templates_of('Anna')}
        assert kept == {t.vector.tobytes() for t in (alike, *others)}
        gallery.enroll('Anna', [template(6, model=OTHER_MODEL)], existing='add')
        assert gallery.person('Anna').models == {MODEL: 4, OTHER_MODEL: 1}
        gallery.verify()


def test_models_are_never_mixed(gallery: Gallery) -> None:
    gallery.enroll('Anna', [template(1), template(2, model=OTHER_MODEL)])
    gallery.enroll('Ben', [template(3, model=OTHER_MODEL)])
    found = gallery.templates(MODEL)
    assert found.names == ('Anna',)
    np.testing.assert_array_equal(found.vectors, template(1).vector[None])
    assert found.revision == gallery.revision
    assert gallery.stale(MODEL) == ['Ben'] and gallery.stale(OTHER_MODEL) == []
    assert gallery.stale('c' * 64) == ['Anna', 'Ben']
    assert gallery.templates('c' * 64).vectors.shape == (0, 0)
    with pytest.raises(GalleryError, match='32 dimensions, but model aaaaaaaaaaaa... has 64'):
        gallery.enroll('Cleo', [template(4, 32)])
    assert [p.name for p in gallery.people()] == ['Anna', 'Ben'], 'all or nothing'


def test_rename(gallery: Gallery) -> None:
    gallery.enroll('Anna', [template(1)])
    gallery.enroll('Ben', [template(2)])
    gallery.rename('Anna', 'Hannah')
    gallery.rename('Hannah', 'Hannah')
    assert [p.name for p in gallery.people()] == ['Ben', 'Hannah']
    assert gallery.templates(MODEL).names == ('Hannah', 'Ben')
    with pytest.raises(GalleryError, match="cannot be renamed: there is a person named 'Ben'"):
        gallery.rename('Hannah', 'Ben')
    with pytest.raises(GalleryError, match="no person named 'Anna'"):
        gallery.rename('Anna', 'Cleo')
    gallery.verify()


def test_forgetting_is_all_or_nothing(gallery: Gallery) -> None:
    for i, name in enumerate(('Anna', 'Ben', 'Cleo')):
        gallery.enroll(name, [template(i)])
    with pytest.raises(GalleryError, match="no person named 'Dora'") as caught:
        gallery.forget('Anna', 'Dora')
    assert caught.value.cause == 'gallery_unknown_person'
    assert len(gallery.people()) == 3
    gallery.forget('Anna', 'Cleo')
    assert [p.name for p in gallery.people()] == ['Ben']
    gallery.forget('Ben')
    assert gallery.verify().templates == 0 and gallery.templates(MODEL).names == ()
    gallery.enroll('Ben', [template(9, 32)])  # No other of this model: any dimensions.


def test_retention(gallery: Gallery) -> None:
    gallery.enroll('Anna', [template(1)], retention_s=3600)
    gallery.enroll('Ben', [template(2)])
    gallery.enroll('Cleo', [template(3)], retention_s=7200)
    expires = gallery.person('Anna').expires_ns
    assert expires is not None
    assert gallery.templates(MODEL).names == ('Anna', 'Ben', 'Cleo')
    assert gallery.templates(MODEL).next_expiry_ns == expires
    # Expired people are no more recognised, though nobody has removed them yet.
    assert gallery.templates(MODEL, expires).names == ('Ben', 'Cleo')
    assert gallery.forget_expired() == []
    assert gallery.forget_expired(expires) == ['Anna']
    gallery.set_expiry('Cleo', None)
    assert gallery.forget_expired(2**62) == []
    assert gallery.templates(MODEL).next_expiry_ns is None
    for wrong in (0, -1, float('nan'), LONGEST_RETENTION_S + 1, 9e9):
        with pytest.raises(GalleryError, match='retention of'):
            gallery.enroll('Dora', [template(4)], retention_s=wrong)
    for expiry in (-1, 2**63, 1.5):
        with pytest.raises(GalleryError, match=f'got expires_ns = {expiry}'):
            gallery.set_expiry('Ben', expiry)  # type: ignore[arg-type]
    latest = gallery.enroll('Dora', [template(4)], retention_s=LONGEST_RETENTION_S).expires_ns
    assert latest is not None and latest > time.time_ns() + 99 * 365 * 86400 * 10**9


def test_nothing_is_written_where_nobody_is_to_be_forgotten(gallery: Gallery) -> None:
    gallery.enroll('Anna', [template(1)], retention_s=3600)
    before = gallery.revision
    assert gallery.forget_expired() == [] and gallery.revision == before


def test_a_name_whose_time_is_over_is_refused_with_the_command_that_removes_it(
        gallery: Gallery) -> None:
    gallery.enroll('Anna', [template(1)])
    gallery.enroll('Ben', [template(2)])
    with pytest.raises(GalleryError, match='`gallery enroll --existing add` or `replace`') as e:
        gallery.enroll('Anna', [template(3)])
    assert 'over' not in str(e.value)
    gallery.set_expiry('Anna', 1)
    for use in (lambda: gallery.enroll('Anna', [template(3)]),
                lambda: gallery.rename('Ben', 'Anna')):
        with pytest.raises(GalleryError, match='whose time is over: `gallery forget-expired`'):
            use()


@pytest.mark.parametrize('existing', ['add', 'replace'])
def test_somebody_whose_time_is_over_is_introduced_anew(gallery: Gallery, existing: str) -> None:
    first = gallery.enroll('Anna', [template(1)], retention_s=3600)
    gallery.set_expiry('Anna', 1)
    person = gallery.enroll('Anna', [template(2)], existing=existing)  # type: ignore[arg-type]
    assert person.expires_ns is None and person.enrolled_ns > first.enrolled_ns
    np.testing.assert_array_equal(gallery.templates(MODEL).vectors, template(2).vector[None])
    gallery.set_expiry('Anna', 1)
    person = gallery.enroll('Anna', [template(3)], existing=existing,  # type: ignore[arg-type]
                            retention_s=60)
    assert not person.is_expired(time.time_ns()) and person.expires_ns is not None


@pytest.mark.parametrize('mark', ['\u200d', '\u034f', '\ufe0f'])
def test_names_that_look_the_same_are_one(gallery: Gallery, mark: str) -> None:
    gallery.enroll('Ada', [template(1)])
    gallery.enroll(f'B{mark}o', [template(2)])
    for name in (f'Ada{mark}', f'A{mark}da', 'Bo'):
        with pytest.raises(GalleryError, match='there is a person named .* already'):
            gallery.enroll(name, [template(3)])
        with pytest.raises(GalleryError, match='already'):
            gallery.rename('Bo' if name[0] == 'A' else 'Ada', name)
    assert gallery.person('Bo').name == f'B{mark}o', 'the name is kept as it was given'
    assert gallery.enroll('Bo', [template(4)], existing='add').name == f'B{mark}o'
    gallery.rename('Bo', 'Bo')
    assert [p.name for p in gallery.people()] == ['Ada', 'Bo']
    gallery.verify()


def test_names_that_earlier_versions_let_in_can_be_used(
        gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('face_depth_ros.gallery.ledger.skeleton', lambda name: name)
    for name in ('Ada ', 'Zoe\u0308', 'Bo\u200d', 'Eve\u3164'):
        with gallery._change():
            gallery._ledger.put_person(name, 1, 1, None)
    monkeypatch.undo()
    assert {p.name for p in gallery.people()} == {'Ada ', 'Zoe\u0308', 'Bo\u200d', 'Eve\u3164'}
    gallery.rename('Eve\u3164', 'Eve')
    gallery.set_expiry('Bo\u200d', 10**18)
    gallery.forget('Ada ', 'Zoe\u0308', 'Eve')
    assert [p.name for p in gallery.people()] == ['Bo\u200d']
    assert gallery.person('Bo').expires_ns == 10**18


def test_a_person_without_a_template(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="'Anna' was to be enrolled without a template"):
        gallery.enroll('Anna', [])
    assert gallery.people() == []


def test_readers_see_what_another_connection_writes(tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'g.db') as writer:
        writer.enroll('Anna', [template(1)])
        with open_gallery(tmp_path / 'g.db', read_only=True) as reader:
            before = reader.revision
            writer.enroll('Ben', [template(2)])
            assert reader.revision == before + 1
            assert reader.templates(MODEL).names == ('Anna', 'Ben')
            with pytest.raises(GalleryError, match='opened to be read only') as caught:
                reader.forget('Anna')
            assert caught.value.cause == 'gallery_read_only'


def test_blocks_hold_one_state_while_another_is_written(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('face_depth_ros.gallery.reading.BLOCK_ROWS', 2)
    with open_gallery(tmp_path / 'g.db', busy_s=0.1) as gallery:
        for i in range(5):
            gallery.enroll(f'person {i}', [template(i)])
        blocks = gallery.template_blocks(MODEL)
        names = list(next(blocks)[0])
        gallery.enroll('late', [template(9)])
        # The old state is still being read: forgotten, but not yet gone, and this is said.
        with pytest.raises(GalleryError, match='the change was made, but .* another process is '
                                               'reading') as caught:
            gallery.forget('person 4')
        assert caught.value.cause == 'gallery_purge'
        names += [name for block, _ in blocks for name in block]
        assert names == [f'person {i}' for i in range(5)]
        gallery.purge()
        assert gallery.templates(MODEL).names == (
            'person 0', 'person 1', 'person 2', 'person 3', 'late')


def test_a_change_that_was_made_is_no_error_when_another_writer_comes_next(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / 'g.db'
    with open_gallery(path, busy_s=0.05) as gallery:
        gallery.enroll('Anna', [template(1)])
        gallery.enroll('Ben', [template(2)])
        other = sqlite3.connect(path, isolation_level=None)
        purge = Store.purge

        def purge_and_be_late(store: Store, *, vacuum: bool) -> None:
            purge(store, vacuum=vacuum)
            other.execute('BEGIN IMMEDIATE')

        monkeypatch.setattr(Store, 'purge', purge_and_be_late)
        for change in (lambda: gallery.enroll('Anna', [template(3)], existing='replace'),
                       lambda: gallery.forget('Ben')):
            change()
            other.execute('ROLLBACK')
            assert 'the next change purges the gallery again' in caplog.text
            caplog.clear()
        monkeypatch.undo()
        other.close()
        assert [p.name for p in gallery.people()] == ['Anna']
        assert 'purge' in gallery._store.meta()
        gallery.purge()
        assert 'purge' not in gallery._store.meta()


def test_the_mark_of_what_another_process_removed_meanwhile_stays(
        gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery.enroll('Anna', [template(1)])
    purge = Store.purge

    def purge_before_another_removal(store: Store, *, vacuum: bool) -> None:
        purge(store, vacuum=vacuum)
        with store.change():
            store.set_meta('purge', b'later')

    monkeypatch.setattr(Store, 'purge', purge_before_another_removal)
    gallery.forget('Anna')
    assert gallery._store.meta()['purge'] == b'later'


def test_threads_may_share_a_gallery(gallery: Gallery) -> None:
    errors: list[Exception] = []

    def work(first: int) -> None:
        try:
            for i in range(first, first + 5):
                gallery.enroll(f'person {i}', [template(i)])
                assert f'person {i}' in gallery.templates(MODEL).names
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work, args=(10 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert gallery.verify().people == 20


def test_a_closed_gallery(gallery: Gallery) -> None:
    gallery.close()
    gallery.close()
    for use in (lambda: gallery.revision, gallery.people,
                lambda: gallery.enroll('Anna', [template(1)])):
        with pytest.raises(GalleryError, match='is closed; open it again') as caught:
            use()
        assert caught.value.cause == 'gallery_closed'


def test_a_gallery_exchanged_under_its_reader(tmp_path: Path) -> None:
    path = tmp_path / 'g.db'
    with open_gallery(path) as gallery:
        gallery.enroll('Anna', [template(1)])
        path.unlink()
        for use in (lambda: gallery.revision, lambda: gallery.forget('Anna')):
            with pytest.raises(GalleryError, match='removed or exchanged for another') as caught:
                use()
            assert caught.value.cause == 'gallery_replaced'


def test_impossible_limits(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match='max_templates = 0'):
        open_gallery(tmp_path / 'g.db', max_templates=0)
