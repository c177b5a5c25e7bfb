# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The file in which people move from one gallery to another.

A head (magic, kind, salt), then frames: length, sealed content. A frame holds one person and is
bound to its number and to whether it is the last, so frames can be neither cut off nor exchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
import os
from pathlib import Path
import stat
import struct
from typing import BinaryIO, Literal

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.people import checked_name, Person, skeleton, Template
from face_depth_ros.gallery.places import expanded, new_private_file
from face_depth_ros.gallery.records import (
    pack_person,
    pack_template,
    unpack_person,
    unpack_template,
)
from face_depth_ros.gallery.sealing import KeySeal, PlainSeal, Seal, SealBrokenError

Conflict = Literal['refuse', 'skip', 'add', 'replace']
CONFLICTS: tuple[Conflict, ...] = ('refuse', 'skip', 'add', 'replace')

_MAGIC = b'face_depth_ros people 1\n'
_SALT_BYTES = 16
_LENGTH = struct.Struct('<I')
_LARGEST_FRAME = 64 << 20


def write_export(path: Path, key: bytes | None,
                 people: Iterable[tuple[Person, Sequence[Template]]]) -> int:
    """
    Write an export; it appears whole or not at all.

    :param key: 32 bytes, None = plain
    :returns: number of people
    :raises GalleryError: the file is there already, or cannot be written
    """
    salt = os.urandom(_SALT_BYTES)
    seal: Seal = PlainSeal() if key is None else KeySeal(key, salt)
    head = _MAGIC + (b'P' if key is None else b'E') + salt + seal.check().ljust(16, b'\0')
    count = 0
    with new_private_file(path, 'gallery_transfer') as stream:
        stream.write(head)
        for person, templates in people:
            _write_frame(stream, seal.seal(_place(head, count, False),
                                           _pack(person, templates)))
            count += 1
        _write_frame(stream, seal.seal(_place(head, count, True), b''))
    return count


def transfer_key(gallery_key: bytes | None, key: bytes | None, plain: bool) -> bytes | None:
    """
    Return the key of an export, None for a plain one.

    :param gallery_key: of the gallery, None where it is plain
    :param key: that was given, None = the gallery's
    :param plain: that was asked for
    :raises GalleryError: a key and plain, or neither
    """
    if plain and key is not None:
        raise GalleryError('got a key and were asked for a plain export; expected one of both',
                           cause='gallery_key')
    if plain:
        return None
    if key is None and gallery_key is None:
        raise GalleryError('the gallery is plain and has no key for an export; give one, or ask '
                           'for a plain export', cause='gallery_key')
    return gallery_key if key is None else key


def read_export(file: str | os.PathLike[str], key: bytes | None
                ) -> list[tuple[Person, list[Template]]]:
    """
    Read a whole export.

    :returns: people with their names as they are kept, each with at least one template
    :raises GalleryError: not there, no export, another key, changed or cut off, or with people who
        cannot be: of an impossible name, of the same name, or without a template
    """
    path = expanded(file)
    people = []
    names: set[str] = set()
    for person, templates in _read_people(path, key):
        try:
            name = checked_name(person.name)
        except GalleryError as error:
            raise GalleryError(f'nobody was imported from {path}: {error}',
                               cause=error.cause) from error
        problem = ('stands in it twice' if skeleton(name) in names else
                   'has no template in it' if not templates else '')
        if problem:
            raise GalleryError(f'nobody was imported: {name!r} {problem}, in the export {path}; '
                               'take one written by `gallery export`', cause='gallery_transfer')
        names.add(skeleton(name))
        people.append((replace(person, name=name), templates))
    return people


def _read_people(path: Path, key: bytes | None) -> Iterator[tuple[Person, list[Template]]]:
    """Read person by person; believe nothing before the end came without an error."""
    try:
        # A pipe with nobody at its other end would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise GalleryError(f'the export {path} cannot be read ({error.strerror})',
                           cause='gallery_transfer') from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise GalleryError(f'{path} is no plain file; give one written by `gallery export`',
                           cause='gallery_transfer')
    with os.fdopen(descriptor, 'rb') as stream:
        head = stream.read(len(_MAGIC) + 1 + _SALT_BYTES + 16)
        seal = _seal_of(path, head, key)
        count = 0
        while True:
            record = _read_frame(path, stream)
            try:
                payload = seal.unseal(_place(head, count, False), record)
            except SealBrokenError:
                break
            try:
                yield _unpack(payload)
            except ValueError as error:
                raise _broken(path, f'person {count + 1} cannot be read') from error
            count += 1
        try:
            seal.unseal(_place(head, count, True), record)
        except SealBrokenError as error:
            raise _broken(path, f'person {count + 1} was changed') from error
        if stream.read(1):
            raise _broken(path, 'something follows its end')


def _seal_of(path: Path, head: bytes, key: bytes | None) -> Seal:
    kind, rest = head[len(_MAGIC):len(_MAGIC) + 1], head[len(_MAGIC) + 1:]
    if not head.startswith(_MAGIC) or kind not in (b'P', b'E') or len(rest) != _SALT_BYTES + 16:
        raise GalleryError(f'{path} is no export of a gallery, or one of a later version; give a '
                           'file written by `gallery export`', cause='gallery_transfer')
    if kind == b'P':
        if key is not None:
            raise GalleryError(f'the export {path} is plain, expected an encrypted one: its '
                               'content cannot be trusted; ask for a plain import if it can',
                               cause='gallery_storage')
        return PlainSeal()
    if key is None:
        raise GalleryError(f'the export {path} is encrypted; give its key',
                           cause='gallery_storage')
    seal = KeySeal(key, rest[:_SALT_BYTES])
    if rest[_SALT_BYTES:] != seal.check():
        raise GalleryError(f'the key does not open the export {path}; give the one it was written '
                           'with', cause='gallery_key')
    return seal


def _pack(person: Person, templates: Sequence[Template]) -> bytes:
    parts = [pack_person(person.name, person.enrolled_ns, person.changed_ns, person.expires_ns)]
    parts += [bytes.fromhex(t.model_hash) + pack_template(t) for t in templates]
    return b''.join(_LENGTH.pack(len(part)) + part for part in parts)


def _unpack(payload: bytes) -> tuple[Person, list[Template]]:
    parts, at = [], 0
    while at < len(payload):
        if at + _LENGTH.size > len(payload):
            raise ValueError('a length is cut off')
        size, = _LENGTH.unpack_from(payload, at)
        at += _LENGTH.size
        parts.append(payload[at:at + size])
        at += size
    if at != len(payload) or not parts:
        raise ValueError('a part is cut off')
    templates = [unpack_template(part[32:], part[:32].hex()) for part in parts[1:]]
    name, enrolled, changed, expires = unpack_person(parts[0])
    models: dict[str, int] = {}
    for template in templates:
        models[template.model_hash] = models.get(template.model_hash, 0) + 1
    return Person(name, enrolled, changed, expires, models), templates


def _write_frame(stream: BinaryIO, record: bytes) -> None:
    stream.write(_LENGTH.pack(len(record)) + record)


def _read_frame(path: Path, stream: BinaryIO) -> bytes:
    head = stream.read(_LENGTH.size)
    size = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else _LARGEST_FRAME + 1
    record = stream.read(size) if size <= _LARGEST_FRAME else b''
    if len(record) != size:
        raise _broken(path, 'it is cut off')
    return record


def _place(head: bytes, number: int, last: bool) -> bytes:
    return b'%s|%d|%d' % (head, number, last)


def _broken(path: Path, what: str) -> GalleryError:
    return GalleryError(f'the export {path} was damaged or tampered with: {what}; nobody was '
                        'imported: take another one', cause='gallery_tampered')
