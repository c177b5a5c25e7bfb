# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The SQLite file of a gallery: made whole or not at all, 0600, one writer, many readers.

Knows nothing of people or keys. What SQLite reports becomes a `GalleryError` that says what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import sqlite3
from typing import Any

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.places import (
    owned_privately,
    partial_path,
    publish,
    remove_stale_partials,
)

APPLICATION_ID = 0x46445247
"""'FDRG', in the head of the file."""

SCHEMA = 1
TABLES = (
    'CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL)',
    'CREATE TABLE people (id INTEGER PRIMARY KEY, tag BLOB NOT NULL UNIQUE, record BLOB NOT NULL)',
    'CREATE TABLE templates (id INTEGER PRIMARY KEY, person INTEGER NOT NULL, '
    'model BLOB NOT NULL, record BLOB NOT NULL)',
    'CREATE INDEX templates_of_person ON templates (person)',
)
LARGEST_VACUUM = 256 << 20
"""
Bytes of a file up to which it is written anew after something was removed from it.

Deleted rows are overwritten with zeros in any case; writing anew, in memory, only makes the file
shorter, and would take the memory of the whole of a very large one.
"""

COMPANIONS = ('-wal', '-shm', '-journal')
"""What SQLite keeps beside a file, by the ends of their names."""

_MEANINGS = (
    # What SQLite says; cause; what it means and what to do.
    ('database is locked', 'gallery_locked',
     'another writer holds it ({writer}); try again when that has finished'),
    ('database or disk is full', 'gallery_full', 'the disk is full; free space and try again'),
    ('disk I/O error', 'gallery_full',
     'it cannot be read or written (disk I/O error); the disk is full, a limit on the size of '
     'files is reached, or the disk is failing'),
    ('readonly', 'gallery_read_only',
     'it can only be read; check the permissions of the file and of its folder'),
    ('unable to open', 'gallery_read_only',
     'it cannot be opened; check the permissions of the file and of its folder'),
    ('not a database', 'gallery_damaged',
     'it is no SQLite file, or its head is damaged; take the last export (`gallery import`)'),
    ('malformed', 'gallery_damaged',
     'the file is damaged; take the last export (`gallery import`) into a new gallery'),
    ('no such table', 'gallery_damaged', 'a table is missing; take the last export'),
)


class Store:
    """
    An open file. Not for several threads at once; `Gallery` sees to that.

    :param path: absolute, of an existing file
    :param busy_s: how long to wait for another writer
    :raises GalleryError: any reason why it cannot be used
    """

    def __init__(self, path: Path, *, read_only: bool, busy_s: float) -> None:
        self.path, self.read_only = path, read_only
        self._identity = _identity(path)
        try:
            owned_privately(path.stat(), path)
        except OSError as error:
            raise GalleryError(f'the gallery {path} cannot be used ({error.strerror})',
                               cause='gallery_missing') from error
        sizes = _checked_companions(path)
        mode = 'ro' if read_only else 'rw'
        if read_only and not os.access(path.parent, os.W_OK) and not sizes.get('-wal'):
            mode = 'ro&immutable=1'  # Nothing can be changed here, and SQLite makes no -shm.
        with self.translated():
            # As SQLite quotes it; a ? or # in a path is not part of the query.
            self._connection = sqlite3.connect(
                f'{path.as_uri()}?mode={mode}', uri=True, timeout=busy_s, isolation_level=None,
                check_same_thread=False)
        # What is no text shall be found by the checks, not by the decoder.
        self._connection.text_factory = lambda text: text.decode('utf-8', 'replace')
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    @staticmethod
    def create(path: Path, meta: dict[str, bytes]) -> None:
        """
        Make a gallery beside its place, then give it its name; another's file stays.

        :param meta: first rows of the table `meta`
        """
        partial = partial_path(path)
        try:
            remove_stale_partials(path)
            os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            partial.chmod(0o600)
            _write_new(partial, meta)
            publish(partial, path)
        except FileExistsError:
            return  # Another process was faster: its gallery is opened.
        except sqlite3.Error as error:
            raise _meaning(error, path, '') from error
        except OSError as error:
            cause = 'gallery_full' if error.errno in (28, 122) else 'gallery_read_only'
            raise GalleryError(f'the gallery {path} cannot be made ({error.strerror}); check the '
                               "folder's permissions and the space on the disk",
                               cause=cause) from error
        finally:
            for suffix in ('', *COMPANIONS):
                partial.with_name(partial.name + suffix).unlink(missing_ok=True)

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.translated():
            return self._connection.execute(statement, values).fetchall()

    def first(self, statement: str, *values: Any) -> tuple[Any, ...] | None:
        return next(iter(self.execute(statement, *values)), None)

    def rows(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Read row by row, not all at once."""
        with self.translated():
            yield from self._connection.execute(statement, values)

    def meta(self) -> dict[str, bytes]:
        return dict(self.execute('SELECT key, value FROM meta'))

    def set_meta(self, key: str, value: bytes) -> None:
        self.execute('INSERT OR REPLACE INTO meta VALUES (?, ?)', key, value)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Write all or nothing."""
        if self.read_only:
            raise GalleryError(f'the gallery {self.path} was opened to be read only; open it '
                               'for writing', cause='gallery_read_only')
        with self._between('BEGIN IMMEDIATE'):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state, whatever is written meanwhile."""
        with self._between('BEGIN'):
            yield

    def purge(self, *, vacuum: bool) -> None:
        """
        Take what was removed, overwritten by zeros already, out of the write-ahead log too.

        :param vacuum: write the file anew as well, so that it has no free pages
        :raises GalleryError: a reader still needs the old state (`gallery_purge`), or as ever
        """
        if vacuum and self.path.stat().st_size <= LARGEST_VACUUM:
            self.execute('VACUUM')
        (busy, *_), = self.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        if busy:
            raise GalleryError(
                f'what was removed from the gallery {self.path} still lies in its write-ahead '
                'log, because another process is reading an old state; it is taken out at the '
                'next change, or by `gallery purge`', cause='gallery_purge')

    def integrity(self) -> list[str]:
        """Return what SQLite finds wrong with the file, nothing if it is in order."""
        found = [row[0] for row in self.execute('PRAGMA integrity_check')]
        return [] if found == ['ok'] else found

    def is_same_file(self) -> bool:
        """Return whether the path still leads to the file that was opened."""
        return _identity(self.path) == self._identity

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what SQLite raises into a `GalleryError`."""
        try:
            yield
        except sqlite3.ProgrammingError as error:
            if 'closed' not in str(error):
                raise
            raise GalleryError(f'the gallery {self.path} is closed; open it again',
                               cause='gallery_closed') from error
        except sqlite3.DatabaseError as error:
            raise _meaning(error, self.path, _writer(self.path)) from error

    @contextmanager
    def _between(self, begin: str) -> Iterator[None]:
        self.execute(begin)
        try:
            yield
            self.execute('COMMIT')
        except BaseException:
            # A full disk has ended the transaction already.
            if self._connection.in_transaction:
                self._connection.execute('ROLLBACK')
            raise

    def _prepare(self) -> None:
        for pragma in ('trusted_schema=OFF', 'cell_size_check=ON', 'temp_store=MEMORY',
                       'secure_delete=ON', 'synchronous=FULL', 'foreign_keys=OFF',
                       *(['query_only=ON'] if self.read_only else [])):
            self.execute(f'PRAGMA {pragma}')
        if self.execute('PRAGMA page_count') == [(0,)]:
            raise GalleryError(f'{self.path} is empty, no gallery; remove it, and one is made '
                               'there', cause='gallery_file')
        self._check_head()
        if not self.read_only:
            self.execute('PRAGMA journal_mode=WAL')

    def _check_head(self) -> None:
        (application,), = self.execute('PRAGMA application_id')
        (version,), = self.execute('PRAGMA user_version')
        if application != APPLICATION_ID:
            raise GalleryError(f'{self.path} is a SQLite file of another program (application '
                               f'{application:#x}), expected a gallery; choose another path',
                               cause='gallery_file')
        if version != SCHEMA:
            raise GalleryError(f'the gallery {self.path} has schema {version}, this program knows '
                               f'{SCHEMA}; it is not touched: update this program',
                               cause='gallery_schema')
        # Triggers and views would change what is read and written.
        found = {row[0] for row in self.execute(
            'SELECT sql FROM sqlite_master WHERE sql IS NOT NULL')}
        if found != set(TABLES):
            raise GalleryError(f'the gallery {self.path} holds other tables than it should; it '
                               'was tampered with: take the last export', cause='gallery_tampered')


def _write_new(path: Path, meta: dict[str, bytes]) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for statement in ('PRAGMA temp_store=MEMORY', f'PRAGMA application_id={APPLICATION_ID}',
                          f'PRAGMA user_version={SCHEMA}', 'BEGIN', *TABLES):
            connection.execute(statement)
        connection.executemany('INSERT INTO meta VALUES (?, ?)', meta.items())
        connection.execute('COMMIT')
        connection.execute('PRAGMA journal_mode=WAL')
    finally:
        connection.close()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)



def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _checked_companions(path: Path) -> dict[str, int]:
    """
    Return the sizes of the files of SQLite's beside a gallery, by the ends of their names.

    It would write into those that it finds, whoever made them and whoever may read them.

    :raises GalleryError: one is no plain file, of another owner, or open to group or others
    """
    sizes = {}
    for suffix in COMPANIONS:
        companion = path.with_name(path.name + suffix)
        try:
            status = companion.lstat()
        except OSError:
            continue
        try:
            owned_privately(status, companion)
        except GalleryError as error:
            raise GalleryError(f'a file lies beside the gallery {path} that would get its '
                               f'content: {error}; remove it if it is not yours',
                               cause=error.cause) from error
        sizes[suffix] = status.st_size
    return sizes


def _meaning(error: sqlite3.Error, path: Path, writer: str) -> GalleryError:
    text = str(error)
    for said, cause, meaning in _MEANINGS:
        if said in text:
            return GalleryError(f'the gallery {path}: {meaning.format(writer=writer)}',
                                cause=cause)
    return GalleryError(f'the gallery {path}: SQLite says {text!r}; run `gallery verify`',
                        cause='gallery_damaged')


def _writer(path: Path) -> str:
    """
    Return who holds the lock for writing, by what the system says.

    The files must not be opened for that: closing them again would drop SQLite's own locks.
    """
    try:
        status = path.with_name(f'{path.name}-shm').stat()
        place = f'{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}'
        for line in Path('/proc/locks').read_text().splitlines():
            fields = line.split()
            # The 121st byte of the -shm file is the lock for writing.
            if fields[3] == 'WRITE' and fields[5:7] == [place, '120']:
                name = Path('/proc', fields[4], 'comm').read_text().strip()
                return f'process {fields[4]}, {name}'
    except (OSError, IndexError):
        return 'which process cannot be told'
    return 'which process cannot be told'
