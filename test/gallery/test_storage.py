# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""A gallery on a disk that is locked, read-only, full, or whose writer is killed."""

from __future__ import annotations

from collections.abc import Iterator
import multiprocessing
from multiprocessing.context import SpawnContext
import os
from pathlib import Path
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.gallery import Gallery
from face_depth_ros.gallery.places import checked_place, default_gallery
import gallery_files
from gallery_files import (
    enrol_with_little_space,
    hold_the_lock,
    KEY,
    MODEL,
    open_gallery,
    template,
    use_as,
)
import pytest

NOBODY = 65534


@pytest.fixture
def processes() -> SpawnContext:
    return multiprocessing.get_context('spawn')


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.slow
def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """200 times: it opens, is sound, holds all that was acknowledged and nothing half-done."""
    path, choice = tmp_path / 'gallery.db', random.Random(1)
    expected: dict[str, bool | None] = {}  # None: it was killed between doing and saying so
    acknowledged = 0
    # It imports once and forks, so that each writer is at work within milliseconds.
    writers = subprocess.Popen([sys.executable, gallery_files.__file__], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for kill in range(200):
        writers.stdin.write(f'{path}|{1000 * kill}\n')
        writers.stdin.flush()
        said: list[str] = []
        while not said or said[-1][0] != '#':
            said.append(writers.stdout.readline().strip())
        time.sleep(choice.uniform(0.0, 0.2))
        os.kill(int(said.pop()[1:]), signal.SIGKILL)
        while not said or said[-1] != '.':
            said.append(writers.stdout.readline().strip())
        said.pop()
        acknowledged += len(said)
        for line in said:
            expected[line[1:]] = {'+': True, '-': False, '?': None}[line[0]]
        if not path.exists():
            continue  # Killed before it was made.
        with open_gallery(path) as gallery:
            gallery.verify()
            there = {person.name: person.templates for person in gallery.people()}
            # The last one may be done and not yet said; it is whole then.
            assert set(there.values()) <= {2}
            assert len(set(there) - set(expected)) <= 1
            expected |= dict.fromkeys(set(there) - set(expected), True)
            assert [n for n, kept in expected.items() if kept and n not in there] == []
            assert [n for n, kept in expected.items() if kept is False and n in there] == []
            expected = {n: n in there for n in expected}
            if kill % 20 == 19:  # Keeps it small, and fast to check.
                gallery.forget(*there)
                expected = {}
    writers.stdin.close()
    assert writers.wait(60) == 0
    assert acknowledged > 200
    assert {file.name for file in tmp_path.iterdir()} <= {
        'gallery.db', 'gallery.db-wal', 'gallery.db-shm',
        *(f.name for f in tmp_path.glob('.gallery.db.new-*'))}


def test_locked_by_another_writer(tmp_path: Path) -> None:
    path = tmp_path / 'g.db'
    with open_gallery(path, busy_s=0.2) as gallery:
        gallery.enroll('Anna', [template(1)])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute('BEGIN IMMEDIATE')
        start = time.monotonic()
        with pytest.raises(GalleryError, match='another writer holds it .*; try again') as caught:
            gallery.enroll('Ben', [template(2)])
        assert caught.value.cause == 'gallery_locked' and str(path) in str(caught.value)
        assert 0.1 < time.monotonic() - start < 5
        # Readers are not in the way of a writer, nor it in theirs.
        assert gallery.templates(MODEL).names == ('Anna',)
        with open_gallery(path, read_only=True) as reader:
            assert reader.people()[0].name == 'Anna'
        other.execute('ROLLBACK')
        other.close()
        gallery.enroll('Ben', [template(2)])
        assert gallery.verify().people == 2


def test_the_process_that_holds_the_lock_is_named(
        tmp_path: Path, processes: SpawnContext) -> None:
    path = tmp_path / 'g.db'
    with open_gallery(path, busy_s=0.2) as gallery:
        gallery.enroll('Anna', [template(1)])
        read, write = multiprocessing.Pipe()
        holder = processes.Process(target=hold_the_lock, args=(str(path), write))
        holder.start()
        read.recv()
        with pytest.raises(GalleryError, match=rf'holds it \(process {holder.pid}, '):
            gallery.enroll('Ben', [template(2)])
        holder.kill()
        holder.join()
        gallery.enroll('Ben', [template(2)])


@pytest.mark.parametrize('what', ['folder', 'file'])
def test_without_the_right_to_write(
        open_folder: Path, processes: SpawnContext, what: str) -> None:
    """As another user where the tests run as root, whom no permissions stop."""
    path = open_folder / 'g.db'
    with open_gallery(path) as gallery:
        gallery.enroll('Anna', [template(1)])
    user = os.geteuid() or NOBODY
    if not os.geteuid():
        os.chown(path, user, user)
        os.chown(open_folder, user, user)
    if what == 'folder':
        open_folder.chmod(0o555)
    else:
        path.chmod(0o400)
    answers = processes.SimpleQueue()
    for read_only in (True, False):
        process = processes.Process(target=use_as, args=(user, str(path), read_only, answers))
        process.start()
        process.join(60)
        said = [answers.get()]
        while not answers.empty():
            said.append(answers.get())
        if read_only:
            assert said[0] == '1 people' and said[1].startswith('gallery_read_only')
        else:
            assert said[-1].startswith('gallery_read_only'), said
            assert 'check the permissions of the file and of its folder' in said[-1]


def test_a_full_disk(tmp_path: Path) -> None:
    with open_gallery(tmp_path / 'g.db') as gallery:
        gallery.enroll('Anna', [template(1)])
        pages, = gallery._store.first('PRAGMA page_count')
        gallery._store.execute(f'PRAGMA max_page_count = {pages + 1}')
        done = ['Anna']
        with pytest.raises(GalleryError, match='the disk is full; free space') as caught:
            for i in range(100):
                gallery.enroll(f'person {i:03}', [template(i, 64)])
                done.append(f'person {i:03}')
        assert caught.value.cause == 'gallery_full'
        assert [p.name for p in gallery.people()] == done
        gallery.verify()
        gallery._store.execute('PRAGMA max_page_count = 100000')
        gallery.enroll('Zoë', [template(7)])
        assert gallery.verify().people == len(done) + 1


def test_a_file_that_may_not_grow(tmp_path: Path, processes: SpawnContext) -> None:
    path = tmp_path / 'g.db'
    answers = processes.SimpleQueue()
    process = processes.Process(target=enrol_with_little_space, args=(str(path), 200_000, answers))
    process.start()
    process.join(60)
    done, said = answers.get()
    assert done > 3
    assert said.startswith('gallery_full') and 'a limit on the size of files' in said
    with open_gallery(path) as gallery:
        gallery.verify()
        assert {p.name for p in gallery.people()} == {f'person {i}' for i in range(done)}


def test_two_make_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds the gallery of the first, and nothing is overwritten."""
    path = tmp_path / 'g.db'
    first = open_gallery(path)
    first.enroll('Anna', [template(1)])
    real = Path.exists
    monkeypatch.setattr(Path, 'exists', lambda self: self != path and real(self))
    with open_gallery(path) as second:
        assert [p.name for p in second.people()] == ['Anna']
    first.close()


def test_what_a_killed_maker_left_is_removed(tmp_path: Path) -> None:
    old, new = tmp_path / '.g.db.new-1-1', tmp_path / '.g.db.new-2-2'
    for left in (old, new):
        left.write_bytes(b'half')
    os.utime(old, (0, 0))
    open_gallery(tmp_path / 'g.db').close()
    assert not old.exists() and new.exists()


def test_places_for_temporary_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / 'link').symlink_to('/var/tmp')
    for place in ('/tmp/g.db', '/var/tmp/g.db', '/dev/shm/g.db', '/tmp/a/../g.db',
                  str(tmp_path / 'link' / 'g.db')):
        with pytest.raises(GalleryError, match='where files are open to others and vanish; a '
                                               'gallery belongs into') as caught:
            Gallery.open(place, key=KEY)
        assert caught.value.cause == 'gallery_place'
        assert not Path(place).exists()


def test_the_default_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv('FACE_DEPTH_GALLERY', raising=False)
    monkeypatch.delenv('XDG_DATA_HOME', raising=False)
    monkeypatch.setenv('HOME', '/home/robot')
    assert default_gallery() == Path('/home/robot/.local/share/face_depth_ros/gallery.db')
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'data'))
    assert default_gallery() == tmp_path / 'data' / 'face_depth_ros' / 'gallery.db'
    with Gallery.open(key=KEY, allow_temporary=True) as gallery:
        assert gallery.path == default_gallery()
        assert gallery.path.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv('FACE_DEPTH_GALLERY', '~/people.db')
    assert default_gallery() == Path('/home/robot/people.db')


def test_folders_that_others_can_write_to(tmp_path: Path) -> None:
    folder = tmp_path / 'open'
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(GalleryError, match=r'others may write to the folder .*0777.*chmod go-w'):
        open_gallery(folder / 'g.db')
    folder.chmod(0o755)
    (folder / 'file').write_text('')
    with pytest.raises(GalleryError, match='cannot be used|is no folder'):
        open_gallery(folder / 'file' / 'g.db')
    with pytest.raises(GalleryError, match='is a folder, expected the path of a file'):
        open_gallery(folder)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
        with pytest.raises(GalleryError, match='belongs to user 65534, who could exchange'):
            open_gallery(folder / 'g.db')


def test_files_that_others_can_read(tmp_path: Path) -> None:
    path = tmp_path / 'g.db'
    open_gallery(path).close()
    path.chmod(0o644)
    with pytest.raises(GalleryError, match=r'others may read .*0644\), expected 0600; run `chmod '
                                           '600') as caught:
        open_gallery(path)
    assert caught.value.cause == 'gallery_permissions'


def test_no_gallery_there(tmp_path: Path) -> None:
    for options in ({'create': False}, {'read_only': True}):
        with pytest.raises(GalleryError, match='there is no gallery at .*; enrol somebody') as c:
            open_gallery(tmp_path / 'g.db', **options)
        assert c.value.cause == 'gallery_missing'
    with pytest.raises(GalleryError, match='the folder .* cannot be used'):
        open_gallery(tmp_path / 'no' / 'g.db', create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_characters_that_urls_use(tmp_path: Path) -> None:
    path = tmp_path / 'a?mode=memory#b%20c d.db'
    with open_gallery(path) as gallery:
        gallery.enroll('Anna', [template(1)])
    assert path.stat().st_size > 4096
    assert checked_place(path, allow_temporary=True) == path


@pytest.mark.parametrize('suffix', ['-wal', '-shm', '-journal'])
def test_files_beside_a_gallery_that_others_can_read_are_not_written_into(
        tmp_path: Path, suffix: str) -> None:
    path = tmp_path / 'g.db'
    open_gallery(path).close()
    beside = tmp_path / f'g.db{suffix}'
    beside.write_bytes(b'')
    beside.chmod(0o666)
    for read_only in (False, True):
        with pytest.raises(GalleryError, match=rf'would get its content: others may .*{suffix} '
                                               r'\(mode 0666\)') as caught:
            open_gallery(path, read_only=read_only)
        assert caught.value.cause == 'gallery_permissions'
    assert beside.read_bytes() == b''
    beside.chmod(0o600)
    with open_gallery(path) as gallery:
        gallery.enroll('Anna', [template(1)])


def test_links_beside_a_gallery_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / 'g.db'
    open_gallery(path).close()
    (tmp_path / 'elsewhere').write_bytes(b'')
    (tmp_path / 'elsewhere').chmod(0o600)
    (tmp_path / 'g.db-wal').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(GalleryError, match='-wal is no plain file'):
        open_gallery(path)
    assert (tmp_path / 'elsewhere').read_bytes() == b''


def test_folders_where_everybody_may_make_files_are_refused(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /tmp: nobody can exchange a gallery there, but lay a -wal beside it."""
    folder = tmp_path / 'sticky'
    folder.mkdir()
    folder.chmod(0o1777)
    open_gallery(folder / 'g.db').close()
    monkeypatch.setattr('face_depth_ros.gallery.places.TEMPORARY_FOLDERS', ())
    for path in (folder / 'g.db', folder / 'new.db'):
        with pytest.raises(GalleryError, match='others may write to .*1777.* lies beside it'):
            Gallery.open(path, key=KEY)
    assert [file.name for file in folder.iterdir()] == ['g.db']


def test_a_home_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('FACE_DEPTH_GALLERY', 'XDG_DATA_HOME', 'HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('pwd.getpwuid', lambda _: {}['no entry'])
    with pytest.raises(GalleryError, match='has no home folder; give a path without ~, or set'):
        default_gallery()
    with pytest.raises(GalleryError, match='where files are open to others'):
        Gallery.open('/tmp/g.db', key=KEY)
    for place in ('~nosuchuser/g.db', 'a\0b'):
        with pytest.raises(GalleryError, match='has no home folder|holds a NUL') as caught:
            open_gallery(Path(place))
        assert caught.value.cause == 'gallery_place'


@pytest.mark.parametrize('length', [201, 250, 300])
def test_names_of_files_that_are_too_long(tmp_path: Path, length: int) -> None:
    with pytest.raises(GalleryError, match=f'has {length} bytes, expected at most 200'):
        open_gallery(tmp_path / ('x' * length))
    assert list(tmp_path.iterdir()) == []
    open_gallery(tmp_path / ('x' * 200)).close()


def test_a_folder_that_may_not_be_entered(
        open_folder: Path, processes: SpawnContext) -> None:
    folder = open_folder / 'closed'
    folder.mkdir()
    with open_gallery(folder / 'g.db') as gallery:
        gallery.enroll('Anna', [template(1)])
    user = os.geteuid() or NOBODY
    if not os.geteuid():
        os.chown(folder, user, user)
    folder.chmod(0o600)
    answers = processes.SimpleQueue()
    process = processes.Process(target=use_as, args=(user, str(folder / 'g.db'), True, answers))
    process.start()
    process.join(60)
    folder.chmod(0o700)
    assert 'gallery_place the folder' in (said := answers.get())
    assert 'cannot be used (Permission denied); check its permissions' in said


def test_a_folder_that_is_not_there_holds_no_gallery(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match='make it, or choose another') as caught:
        open_gallery(tmp_path / 'no' / 'g.db', create=False)
    assert caught.value.cause == 'gallery_missing'
