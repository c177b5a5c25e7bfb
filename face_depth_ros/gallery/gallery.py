# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The people a robot has been introduced to, in one file.

Any number of processes may read while one writes. Within a process a `Gallery` may be used from
several threads: calls wait for each other. It must not be carried over a fork; open it anew.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
import logging
import os
import threading
import time
from typing import Any, Literal

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.ledger import Ledger, Manifest, PersonRow
from face_depth_ros.gallery.people import (
    checked_name,
    keep_best,
    LONGEST_RETENTION_S,
    ModelTemplates,
    Person,
    Template,
)
from face_depth_ros.gallery.places import checked_place, default_gallery
from face_depth_ros.gallery.reading import (
    all_people,
    as_person,
    checked_report,
    GalleryReport,
    template_blocks,
)
from face_depth_ros.gallery.store import Store
from face_depth_ros.gallery.transfer import (
    Conflict,
    CONFLICTS,
    read_export,
    transfer_key,
    write_export,
)
import numpy as np

_LOG = logging.getLogger(__name__)

MOST_TEMPLATES = 16
"""Of one person and model."""

Existing = Literal['refuse', 'add', 'replace']
EXISTING: tuple[Existing, ...] = ('refuse', 'add', 'replace')


class Gallery:
    """
    An open gallery; made by `Gallery.open`, closed by `close` or a `with` block.

    Every method raises `GalleryError`; after one, the file holds what it held before, unless the
    cause is `gallery_purge`.
    """

    def __init__(self, store: Store, ledger: Ledger, *, max_templates: int, encrypted: bool,
                 key: bytes | None, allow_temporary: bool, busy_s: float) -> None:
        self.path = store.path
        self.max_templates = max_templates
        self.encrypted = encrypted
        self._store, self._ledger = store, ledger
        self._key, self._allow_temporary = key, allow_temporary
        self._busy_s = busy_s
        self._lock = threading.RLock()

    @staticmethod
    def open(path: str | os.PathLike[str] | None = None, *, key: bytes | None = None,
             plain: bool = False, create: bool = True, read_only: bool = False,
             max_templates: int = MOST_TEMPLATES, busy_s: float = 5.0,
             allow_temporary: bool = False) -> Gallery:
        """
        Open a gallery, making it where there is none.

        :param path: None = `default_gallery()`
        :param key: 32 bytes, from `keys.find_key`; None only together with `plain`
        :param plain: store names and vectors readable for all who get the file
        :param create: make it if it is not there; never done with `read_only`
        :param max_templates: kept of one person and model, >= 1
        :param busy_s: how long to wait for another writer
        :param allow_temporary: also under /tmp and its like; for tests
        :raises GalleryError: any doubt about place, permissions, key, schema or content
        """
        if (key is None) != plain:
            raise GalleryError(
                'got a key and were asked for plain storage; expected one of both' if plain else
                'the gallery has no key; make one by `gallery key FILE` and give that file, set '
                'FACE_DEPTH_GALLERY_KEY, or ask for plain storage', cause='gallery_key')
        if max_templates < 1:
            raise GalleryError(f'got max_templates = {max_templates}, expected at least 1')
        place = checked_place(default_gallery() if path is None else path,
                              allow_temporary=allow_temporary,
                              make_folder=create and not read_only)
        if not place.exists():
            if read_only or not create:
                raise GalleryError(f'there is no gallery at {place}; enrol somebody, or give '
                                   'another path', cause='gallery_missing')
            Store.create(place, Ledger.first_meta(key))
        store = Store(place, read_only=read_only, busy_s=busy_s)
        try:
            gallery = Gallery(store, Ledger(store, key), max_templates=max_templates,
                              encrypted=key is not None, key=key,
                              allow_temporary=allow_temporary, busy_s=busy_s)
            gallery._finish_purge()
        except BaseException:
            store.close()
            raise
        return gallery

    def __enter__(self) -> Gallery:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        with self._lock:
            self._store.close()

    @property
    def identity(self) -> bytes:
        """What tells this gallery from every other one, 16 bytes; copies of it have the same."""
        return self._ledger.identity

    @property
    def revision(self) -> int:
        """
        Number of changes so far, by any process: tens of microseconds.

        :raises GalleryError: also if another file stands in this one's place (`gallery_replaced`)
        """
        with self._lock:
            if not self._store.is_same_file():
                raise GalleryError(f'the gallery {self.path} was removed or exchanged for another '
                                   'file; open it again', cause='gallery_replaced')
            return self._ledger.revision()

    def enroll(self, name: str, templates: Sequence[Template], *, existing: Existing = 'refuse',
               retention_s: float | None = None) -> Person:
        """
        Introduce a person, or add to one. When this returns it is on the disk.

        Of more than `max_templates` of one model the good ones that differ are kept.

        :param templates: at least one
        :param existing: what to do if there is a person of this name: refuse; add to the
            templates; or replace all of them. Of one whose time is over nothing is kept
        :param retention_s: seconds until the person expires, at most `LONGEST_RETENTION_S`;
            None = never, or as it was where that is still to come
        """
        if not templates:
            raise GalleryError(f'{name!r} was to be enrolled without a template; give at least '
                               'one', cause='gallery_template')
        if existing not in EXISTING:
            raise GalleryError(f'got existing = {existing!r}, expected refuse, add or replace')
        if retention_s is not None and not 0 < retention_s <= LONGEST_RETENTION_S:
            raise GalleryError(f'got a retention of {retention_s} s, expected more than 0 and at '
                               f'most {LONGEST_RETENTION_S:.0f}')
        name = checked_name(name)
        now = time.time_ns()
        expires = None if retention_s is None else now + int(retention_s * 1e9)
        with self._change():
            person = self._ledger.find(name)
            if person is not None and existing == 'refuse':
                raise _taken(person, now, '', 'choose another name for another person, or ask to '
                             'add to this one or to replace it (`gallery enroll --existing add` '
                             'or `replace`)')
            self._put(name, person, templates, existing == 'replace', now, expires)
            enrolled = self._ledger.find(name)
            result = self._person(enrolled) if enrolled is not None else None
        self._finish_purge()
        if result is None:
            raise GalleryError(f'{name!r} is not there after being enrolled; run `gallery verify`',
                               cause='gallery_damaged')
        return result

    def people(self) -> list[Person]:
        """Return everybody, expired ones too, by name; all rows are checked."""
        with self._reading():
            return all_people(self._ledger)

    def person(self, name: str) -> Person:
        """Return one person."""
        with self._reading():
            return self._person(self._found(name))

    def templates_of(self, name: str) -> tuple[Template, ...]:
        """Return the templates of one person, of all models."""
        with self._reading():
            return tuple(t for _, t in self._ledger.templates_of(self._found(name).row))

    def rename(self, name: str, new_name: str) -> None:
        """Give a person another name that nobody has."""
        new_name = checked_name(new_name)
        with self._change():
            person = self._found(name)
            taken = self._ledger.find(new_name)
            if taken is not None and taken.row != person.row:
                raise _taken(taken, time.time_ns(), f'{name!r} cannot be renamed: ',
                             'choose another name')
            self._ledger.put_person(new_name, person.enrolled_ns, person.changed_ns,
                                    person.expires_ns, person.row)
            self._ledger.removed = True
        self._finish_purge()

    def set_expiry(self, name: str, expires_ns: int | None) -> None:
        """
        Set until when a person is kept.

        :param expires_ns: UTC, nanoseconds; None = for ever
        """
        if expires_ns is not None and not (
                isinstance(expires_ns, int) and 0 <= expires_ns < 2**63):
            raise GalleryError(f'got expires_ns = {expires_ns}, expected a whole number from 0 '
                               'to 2^63')
        with self._change():
            person = self._found(name)
            self._ledger.put_person(person.name, person.enrolled_ns, person.changed_ns,
                                    expires_ns, person.row)

    def forget(self, *names: str) -> None:
        """
        Remove people for good, from the file's free pages and its write-ahead log too.

        :raises GalleryError: one of them is not there, then nobody is removed; `gallery_purge`:
            they are removed, but bytes of them remain until another process ends its reading
        """
        with self._change():
            for name in names:
                self._ledger.remove_person(self._found(name).row)
        self._finish_purge(forgetting=True)

    def forget_expired(self, now_ns: int | None = None) -> list[str]:
        """
        Remove those whose time has come.

        :param now_ns: None = the clock
        :returns: their names
        """
        now = time.time_ns() if now_ns is None else now_ns
        with self._reading():
            if not any(p.is_expired(now) for p in self._ledger.people()):
                return []  # Nothing for readers to read again.
        with self._change():
            expired = [p for p in self._ledger.people() if p.is_expired(now)]
            for person in expired:
                self._ledger.remove_person(person.row)
        self._finish_purge(forgetting=True)
        return [person.name for person in expired]

    def templates(self, model_hash: str, now_ns: int | None = None) -> ModelTemplates:
        """
        Return the templates of one model, of people not expired; all rows of the file are checked.

        :param model_hash: sha256 of the ONNX file, hex
        """
        blocks, names = [], []
        rest: dict[str, Any] = {}
        with self._reading():
            for names_of_block, vectors in template_blocks(self._ledger, model_hash, now_ns, rest):
                names += names_of_block
                blocks.append(vectors)
        joined = np.concatenate(blocks) if blocks else np.empty((0, 0), np.float32)
        return ModelTemplates(tuple(names), joined, rest['revision'], rest['next_expiry_ns'])

    def template_blocks(self, model_hash: str, now_ns: int | None = None,
                        rest: dict[str, Any] | None = None
                        ) -> Generator[tuple[list[str], np.ndarray], None, None]:
        """
        As `templates`, in blocks, for galleries that fill the memory; over an own connection.

        Believe nothing before the last block came without an error.

        :param rest: gets `revision` and `next_expiry_ns` at the end
        :returns: names, and vectors (n, D) float32, n <= 65536
        """
        store = Store(self.path, read_only=True, busy_s=self._busy_s)
        try:
            ledger = Ledger(store, self._key)
            with store.snapshot():
                yield from template_blocks(ledger, model_hash, now_ns, rest)
        finally:
            store.close()

    def stale(self, model_hash: str) -> list[str]:
        """Return who has no template of a model and is to be enrolled again, by name."""
        return [person.name for person in self.people() if model_hash not in person.models]

    def verify(self) -> GalleryReport:
        """Read everything: SQLite's own check, every record, and all of them together."""
        with self._reading():
            return checked_report(self._store, self._ledger)

    def manifest(self) -> Manifest:
        """Return the numbers of people and templates without reading them."""
        with self._reading():
            return self._ledger.read_manifest()

    def export(self, path: str | os.PathLike[str], *, key: bytes | None = None,
               plain: bool = False) -> int:
        """
        Write everybody into a new file that can be imported elsewhere.

        What is forgotten later stays in it: keep it as short as the people are to be kept.

        :param key: 32 bytes; None = the gallery's own
        :param plain: not encrypted; only where asked for
        :returns: number of people
        """
        key = transfer_key(self._key, key, plain)
        place = checked_place(path, allow_temporary=self._allow_temporary, what='an export')
        with self._reading():
            for _ in self._ledger.checked_rows():
                pass  # What was tampered with is not handed on.
            people = ((as_person(row, {}), [t for _, t in self._ledger.templates_of(row.row)])
                      for row in self._ledger.people())
            return write_export(place, key, people)

    def import_(self, path: str | os.PathLike[str], *, conflict: Conflict = 'refuse',
                key: bytes | None = None, plain: bool = False) -> dict[str, int]:
        """
        Take in an export, all of it or nothing.

        :param conflict: for people who are here already: refuse all, skip them, add to them, or
            replace them
        :param key: as `export`
        :returns: numbers of people `added`, `changed`, `skipped` and `expired`, who stay out
        """
        if conflict not in CONFLICTS:
            raise GalleryError(f'got conflict = {conflict!r}, expected {", ".join(CONFLICTS)}')
        counts = {'added': 0, 'changed': 0, 'skipped': 0, 'expired': 0}
        now = time.time_ns()
        people = read_export(path, transfer_key(self._key, key, plain))
        with self._change():  # All is read by now: nobody waits for a slow disk.
            for person, templates in people:
                counts[self._take_in(person, templates, conflict, now)] += 1
        self._finish_purge()
        return counts

    def purge(self) -> None:
        """Take the last bytes of what was removed out of the file and its write-ahead log."""
        with self._change():
            self._ledger.removed = True
        self._finish_purge(forgetting=True)

    def _take_in(self, person: Person, templates: Sequence[Template], conflict: Conflict,
                 now: int) -> str:
        """Import one person; return which number it counts to."""
        if person.is_expired(now):
            return 'expired'
        there = self._ledger.find(person.name)
        if there is None:
            self._put(person.name, None, templates, False, person.enrolled_ns, person.expires_ns)
            return 'added'
        if conflict == 'refuse':
            raise _taken(there, now, 'nobody was imported: ', 'rename one, or ask to skip, add or '
                         'replace (`--conflict`)')
        if conflict == 'skip':
            return 'skipped'
        self._put(person.name, there, templates, conflict == 'replace', now, person.expires_ns)
        return 'changed'

    def _put(self, name: str, person: PersonRow | None, templates: Sequence[Template],
             replace: bool, now: int, expires: int | None) -> None:
        """Write a person and templates, choosing among old and new ones."""
        enrolled = now
        old: list[tuple[int, Template]] = []
        if person is not None:
            over = person.is_expired(now)
            if replace or over:
                for row, _ in self._ledger.templates_of(person.row):
                    self._ledger.remove_template(row)
            else:
                enrolled = person.enrolled_ns
                old = self._ledger.templates_of(person.row)
            expires = person.expires_ns if expires is None and not over else expires
            name = person.name
        row = self._ledger.put_person(name, enrolled, now, expires,
                                      None if person is None else person.row)
        known = {(t.model_hash, t.vector.tobytes()) for _, t in old}
        for model in dict.fromkeys(t.model_hash for t in templates):
            kept = [(place, t) for place, t in old if t.model_hash == model]
            new = {t.vector.tobytes(): t for t in templates if t.model_hash == model
                   and (model, t.vector.tobytes()) not in known}
            everything: list[tuple[int | None, Template]] = [
                *kept, *((None, t) for t in new.values())]
            chosen = keep_best([t for _, t in everything], self.max_templates)
            for i, (place, template) in enumerate(everything):
                if place is None and i in chosen:
                    self._ledger.put_template(row, template)
                elif place is not None and i not in chosen:
                    self._ledger.remove_template(place)

    def _found(self, name: str) -> PersonRow:
        # As it was given first: earlier versions let in names that are impossible now.
        person = self._ledger.find(name) or self._ledger.find(checked_name(name))
        if person is None:
            raise GalleryError(f'there is no person named {name!r} in the gallery {self.path}; '
                               '`gallery list` shows all', cause='gallery_unknown_person')
        return person

    def _person(self, row: PersonRow) -> Person:
        models: dict[str, int] = {}
        for _, template in self._ledger.templates_of(row.row):
            models[template.model_hash] = models.get(template.model_hash, 0) + 1
        return as_person(row, models)


    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._lock:
            if not self._store.is_same_file():
                raise GalleryError(f'the gallery {self.path} was removed or exchanged for another '
                                   'file; open it again', cause='gallery_replaced')
            with self._store.change():
                self._ledger.removed = False
                self._ledger.read_manifest()
                yield
                self._ledger.write_manifest()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, self._store.snapshot():
            yield

    def _finish_purge(self, forgetting: bool = False) -> None:
        """
        Take removed bytes out, if a change of this or of an interrupted process left any.

        :param forgetting: write the file anew; a reader that stands in the way is an error, else
            only logged
        """
        with self._lock:
            if self._store.read_only:
                return
            try:
                mark = self._store.meta().get('purge')
                if mark is None:
                    return
                self._store.purge(vacuum=forgetting)
            except GalleryError as error:
                if forgetting:
                    raise GalleryError(f'the change was made, but {error}',
                                       cause='gallery_purge') from error
                _LOG.warning('%s', error)
                return
            try:
                with self._store.change():
                    # Not where another process has removed something meanwhile.
                    self._store.execute("DELETE FROM meta WHERE key = 'purge' AND value = ?", mark)
            except GalleryError as error:
                _LOG.warning('all is done; the next change purges the gallery again: %s', error)


def _taken(person: PersonRow, now_ns: int, what: str, advice: str) -> GalleryError:
    """Return the error of a name that somebody has."""
    over = ' (whose time is over: `gallery forget-expired` removes such people)' \
        if person.is_expired(now_ns) else ''
    return GalleryError(f'{what}there is a person named {person.name!r} already{over}; {advice}',
                        cause='gallery_name_taken')

