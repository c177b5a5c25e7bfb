# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The sealed rows of a gallery, and the manifest that vouches for all of them together.

The manifest is one sealed record that holds the revision, the numbers of rows and a keyed sum over
them. It changes in the same transaction as the rows, in constant time. Whoever reads all rows
adds them up and compares. Row numbers are never given twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
import json
import os
import time
from typing import Any

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.people import skeleton, Template
from face_depth_ros.gallery.records import (
    pack_person,
    pack_template,
    unpack_person,
    unpack_template,
)
from face_depth_ros.gallery.sealing import KeySeal, PlainSeal, Seal, SealBrokenError, SUM_MODULUS
from face_depth_ros.gallery.store import APPLICATION_ID, SCHEMA, Store

ENCRYPTED, PLAIN = b'encrypted', b'plain'
_FIXED = ('application', 'schema', 'id', 'storage', 'created_ns', 'check')
"""Rows of `meta` that never change; the manifest is bound to them."""


@dataclass
class Manifest:
    """
    What is known of all rows together.

    :param revision: grows by 1 with every change
    :param total: sum of all rows' leaves, modulo `SUM_MODULUS`
    :param models: by model hash: [number of templates, their dimensions]
    """

    revision: int = 0
    next_person: int = 1
    next_template: int = 1
    people: int = 0
    templates: int = 0
    total: int = 0
    models: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class PersonRow:
    """A person with the number of its row."""

    row: int
    name: str
    enrolled_ns: int
    changed_ns: int
    expires_ns: int | None

    def is_expired(self, now_ns: int) -> bool:
        return self.expires_ns is not None and self.expires_ns <= now_ns


class Ledger:
    """
    The rows of an open file.

    :param key: 32 bytes, None = plain storage
    :raises GalleryError: the storage is of the other kind, the key is wrong, or the file was
        tampered with
    """

    def __init__(self, store: Store, key: bytes | None) -> None:
        self.store = store
        meta = store.meta()
        self._check_meta(meta, key)
        self.identity = meta['id']
        self.created_ns = int(meta['created_ns'])
        self._seal = seal_of(key, self.identity)
        if meta['check'] != self._seal.check():
            raise GalleryError(f'the key does not open the gallery {store.path}; give the one it '
                               'was made with', cause='gallery_key')
        self._place = b'|'.join(name.encode() + b'=' + meta[name] for name in _FIXED)
        self._newest = 0
        self.removed = False
        self.manifest = self.read_manifest()

    @staticmethod
    def first_meta(key: bytes | None) -> dict[str, bytes]:
        """Return the rows of `meta` of a new gallery."""
        identity = os.urandom(16)
        seal = seal_of(key, identity)
        meta = {'application': str(APPLICATION_ID).encode(), 'schema': str(SCHEMA).encode(),
                'id': identity, 'storage': PLAIN if key is None else ENCRYPTED,
                'created_ns': str(time.time_ns()).encode(), 'check': seal.check()}
        place = b'|'.join(name.encode() + b'=' + meta[name] for name in _FIXED)
        return meta | {'revision': b'0', 'manifest': seal.seal(place, _manifest_bytes(Manifest()))}

    def read_manifest(self) -> Manifest:
        """
        Read and check the manifest.

        :raises GalleryError: not what this gallery's key sealed, or older than one seen before
        """
        meta = self.store.meta()
        try:
            payload = self._seal.unseal(self._place, meta['manifest'])
            manifest = Manifest(**json.loads(payload))
            agrees = int(meta['revision']) == manifest.revision
        except (SealBrokenError, ValueError, TypeError, KeyError) as error:
            raise self._tampered('its manifest does not fit') from error
        if not agrees or manifest.revision < self._newest:
            raise self._tampered('it is older than it was')
        self._newest = manifest.revision
        self.manifest = manifest
        return manifest

    def write_manifest(self) -> None:
        """Count the change and seal the manifest, within the transaction of the change."""
        self.manifest.revision += 1
        self.store.set_meta('revision', str(self.manifest.revision).encode())
        self.store.set_meta('manifest', self._seal.seal(self._place,
                                                        _manifest_bytes(self.manifest)))
        if self.removed:
            # Another value each time: whoever takes it away knows which change it is of.
            self.store.set_meta('purge', str(self.manifest.revision).encode())

    def revision(self) -> int:
        """Return the number of changes so far: one look at one row."""
        row = self.store.first("SELECT value FROM meta WHERE key = 'revision'")
        try:
            return int(row[0] if row else b'')
        except (TypeError, ValueError) as error:
            raise self._tampered('it has no revision') from error

    def find(self, name: str) -> PersonRow | None:
        """Return the person of a name, or of one that looks the same, None if there is none."""
        for form in dict.fromkeys((name, skeleton(name))):
            found = self.store.first('SELECT id, tag, record FROM people WHERE tag = ?',
                                     self._seal.tag(form))
            if found is not None:
                return self._person(*found)
        return None

    def people(self) -> Iterator[PersonRow]:
        """All people, and no check that they are all; `checked_rows` does that."""
        for row in self.store.rows('SELECT id, tag, record FROM people ORDER BY id'):
            yield self._person(*row)

    def templates_of(self, person: int) -> list[tuple[int, Template]]:
        """Return the templates of one person, each with the number of its row."""
        rows = self.store.execute('SELECT id, person, model, record FROM templates '
                                  'WHERE person = ? ORDER BY id', person)
        return [(row[0], self._template(*row)) for row in rows]

    def checked_rows(self) -> Iterator[tuple[PersonRow | None, tuple[int, str, bytes] | None]]:
        """
        Read everything in one snapshot: first all people, then all templates.

        :returns: (person, None), or (None, (person's row, model hash, payload of the template))
        :raises GalleryError: at a record that does not fit, or, after the last, when rows were
            taken out, doubled or put back; until then believe nothing
        """
        manifest = self.read_manifest()
        total = people = templates = strays = 0
        rows: set[int] = set()
        for row, tag, record in self.store.rows('SELECT id, tag, record FROM people ORDER BY id'):
            person_row = self._person(row, tag, record)
            total += self._seal.leaf(self._person_place(row, tag), record)
            people += 1
            rows.add(row)
            yield person_row, None
        for row, person, model, record in self.store.rows(
                'SELECT id, person, model, record FROM templates ORDER BY id'):
            place = self._template_place(row, person, model)
            payload = self._unseal(place, record)
            total += self._seal.leaf(place, record)
            templates += 1
            strays += person not in rows
            yield None, (person, model.hex(), payload)
        if (people, templates, total % SUM_MODULUS) != (
                manifest.people, manifest.templates, manifest.total):
            raise self._tampered(
                f'it holds {people} people and {templates} templates; what was written are '
                f'{manifest.people} and {manifest.templates}, or others')
        if strays:
            raise self._tampered(f'{strays} of its templates belong to nobody')

    def put_person(self, name: str, enrolled_ns: int, changed_ns: int, expires_ns: int | None,
                   row: int | None = None) -> int:
        """
        Write a person.

        :param row: of the one to be written anew, None for a new one
        :returns: its row
        """
        if row is None:
            row, self.manifest.next_person = self.manifest.next_person, \
                self.manifest.next_person + 1
        else:
            self._drop_person(row)
        tag = self._seal.tag(skeleton(name))
        place = self._person_place(row, tag)
        record = self._seal.seal(place, pack_person(name, enrolled_ns, changed_ns, expires_ns))
        self.store.execute('INSERT INTO people VALUES (?, ?, ?)', row, tag, record)
        self.manifest.people += 1
        self._add(self._seal.leaf(place, record))
        return row

    def remove_person(self, row: int) -> None:
        """Remove a person with all templates."""
        for template, _ in self.templates_of(row):
            self.remove_template(template)
        self._drop_person(row)
        self.removed = True

    def put_template(self, person: int, template: Template) -> None:
        """
        Write a template.

        :raises GalleryError: others of the same model have other dimensions
        """
        count, dimensions = self.manifest.models.get(
            template.model_hash, [0, len(template.vector)])
        if dimensions != len(template.vector):
            raise GalleryError(
                f'a template of {len(template.vector)} dimensions, but model '
                f'{template.model_hash[:12]}... has {dimensions} in this gallery; take it from '
                'that model', cause='gallery_template')
        self.manifest.models[template.model_hash] = [count + 1, dimensions]
        row, self.manifest.next_template = self.manifest.next_template, \
            self.manifest.next_template + 1
        model = bytes.fromhex(template.model_hash)
        place = self._template_place(row, person, model)
        record = self._seal.seal(place, pack_template(template))
        self.store.execute('INSERT INTO templates VALUES (?, ?, ?, ?)', row, person, model, record)
        self.manifest.templates += 1
        self._add(self._seal.leaf(place, record))

    def remove_template(self, row: int) -> None:
        (person, model, record), = self.store.execute(
            'SELECT person, model, record FROM templates WHERE id = ?', row)
        self.store.execute('DELETE FROM templates WHERE id = ?', row)
        count, dimensions = self.manifest.models.get(model.hex(), [0, 0])
        if count > 1:
            self.manifest.models[model.hex()] = [count - 1, dimensions]
        else:
            self.manifest.models.pop(model.hex(), None)
        self.manifest.templates -= 1
        self._add(-self._seal.leaf(self._template_place(row, person, model), record))
        self.removed = True

    def _drop_person(self, row: int) -> None:
        (tag, record), = self.store.execute('SELECT tag, record FROM people WHERE id = ?', row)
        self.store.execute('DELETE FROM people WHERE id = ?', row)
        self.manifest.people -= 1
        self._add(-self._seal.leaf(self._person_place(row, tag), record))

    def _add(self, leaf: int) -> None:
        self.manifest.total = (self.manifest.total + leaf) % SUM_MODULUS

    def _person_place(self, row: int, tag: bytes) -> bytes:
        if not isinstance(tag, bytes):  # SQLite lets any column hold anything.
            raise self._tampered(f'person {row} is malformed')
        return b'people|%s|%d|%s' % (self.identity, row, tag)

    def _template_place(self, row: int, person: int, model: bytes) -> bytes:
        if not isinstance(person, int) or not isinstance(model, bytes):  # %d makes 1 of 1.5.
            raise self._tampered(f'template {row} is malformed')
        return b'templates|%s|%d|%d|%s' % (self.identity, row, person, model)

    def _person(self, row: int, tag: bytes, record: bytes) -> PersonRow:
        try:
            fields = unpack_person(self._unseal(self._person_place(row, tag), record))
        except ValueError as error:
            raise self._tampered(f'person {row} cannot be read') from error
        # By the name itself in galleries of earlier versions.
        if tag not in (self._seal.tag(skeleton(fields[0])), self._seal.tag(fields[0])):
            raise self._tampered(f'person {row} stands under another name')
        return PersonRow(row, *fields)

    def _template(self, row: int, person: int, model: bytes, record: bytes) -> Template:
        payload = self._unseal(self._template_place(row, person, model), record)
        try:
            return unpack_template(payload, model.hex())
        except ValueError as error:
            raise self._tampered(f'template {row} cannot be read') from error

    def _unseal(self, place: bytes, record: Any) -> bytes:
        try:
            return self._seal.unseal(place, record)
        except (SealBrokenError, TypeError) as error:
            raise self._tampered('a record was changed, or stands in a foreign place') from error

    def _check_meta(self, meta: dict[str, Any], key: bytes | None) -> None:
        path = self.store.path
        if not all(isinstance(meta.get(name), bytes) for name in (*_FIXED, 'revision',
                                                                   'manifest')):
            raise self._tampered('its head is incomplete')
        if meta['storage'] == PLAIN and key is not None:
            raise GalleryError(f'the gallery {path} is stored plainly, expected it encrypted: its '
                               'content cannot be trusted; ask for plain storage, without a key, '
                               'or import it into an encrypted one', cause='gallery_storage')
        if meta['storage'] == ENCRYPTED and key is None:
            raise GalleryError(f'the gallery {path} is encrypted; give its key by a key file or '
                               'the variable FACE_DEPTH_GALLERY_KEY', cause='gallery_storage')
        if meta['storage'] not in (PLAIN, ENCRYPTED) or meta['schema'] != str(SCHEMA).encode() \
                or not meta['created_ns'].isdigit():
            raise self._tampered('its head does not fit')

    def _tampered(self, what: str) -> GalleryError:
        return GalleryError(f'the gallery {self.store.path} was damaged or tampered with: {what}; '
                            'nobody in it can be trusted: take the last export into a new one',
                            cause='gallery_tampered')


def seal_of(key: bytes | None, salt: bytes) -> Seal:
    """Return the seal of a gallery or export, plain where there is no key."""
    return PlainSeal() if key is None else KeySeal(key, salt)


def _manifest_bytes(manifest: Manifest) -> bytes:
    return json.dumps(asdict(manifest)).encode()
