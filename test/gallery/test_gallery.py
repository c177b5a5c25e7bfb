# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""People in and out of a gallery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import threading
import time

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.gallery import Gallery
from face_depth_ros.gallery.people import Template
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
    for wrong in (0, -1, float('nan')):
        with pytest.raises(GalleryError, match='retention of'):
            gallery.enroll('Dora', [template(4)], retention_s=wrong)
    with pytest.raises(GalleryError, match='got expires_ns = -1'):
        gallery.set_expiry('Ben', -1)


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
