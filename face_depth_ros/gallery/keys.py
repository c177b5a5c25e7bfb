# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The key of a gallery: 32 bytes, from a file that only its owner reads or the environment."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
import secrets
import string

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.places import (
    checked_place,
    expanded,
    new_private_file,
    owned_privately,
)

KEY_BYTES = 32
KEY_VARIABLE = 'FACE_DEPTH_GALLERY_KEY'
_LONGEST_KEY_FILE = 1024


def find_key(file: str | os.PathLike[str] | None = None) -> bytes | None:
    """
    Return the key from a file, else from the environment.

    :param file: None = FACE_DEPTH_GALLERY_KEY, which holds the key itself in hex or base64
    :returns: 32 bytes, None where neither is given
    :raises GalleryError: the file cannot be read, others may read it, or it holds no key
    """
    if file is not None:
        return read_key_file(file)
    text = os.environ.get(KEY_VARIABLE, '')
    return parse_key(text, f'the environment variable {KEY_VARIABLE}') if text.strip() else None


def read_key_file(file: str | os.PathLike[str]) -> bytes:
    """
    Read a key in hex, base64 or as 32 raw bytes, which are never all characters of a text.

    :raises GalleryError: as `find_key`
    """
    path = expanded(file)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise GalleryError(f'the key file {path} cannot be read ({error.strerror}); give the '
                           'path of one made by `gallery key FILE`',
                           cause='gallery_key') from error
    try:
        # Of the open file, so that what is checked is what is read.
        owned_privately(os.fstat(descriptor), path, 'gallery_key')
        content = os.read(descriptor, _LONGEST_KEY_FILE)
    finally:
        os.close(descriptor)
    if len(content) == KEY_BYTES and not set(content) <= set(string.printable.encode()):
        return _not_trivial(content, f'the key file {path}')
    try:
        text = content.decode('ascii')
    except UnicodeDecodeError:
        text = ''
    return parse_key(text, f'the key file {path}')


def parse_key(text: str, where: str) -> bytes:
    """
    Read a key from text.

    :param text: 64 hex digits or the base64 of 32 bytes; white space around it does not count
    :param where: what the message calls the place that the text is from
    :raises GalleryError: no key
    """
    text = text.strip()
    try:
        if len(text) == 2 * KEY_BYTES:
            key = bytes.fromhex(text)
        else:
            key = base64.b64decode(text.replace('-', '+').replace('_', '/'), validate=True)
    except (ValueError, binascii.Error):
        key = b''
    if len(key) != KEY_BYTES:
        raise GalleryError(f'{where} holds no key: got {len(text)} characters, expected 64 hex '
                           'digits or 44 of base64 (32 bytes); make one by `gallery key FILE`',
                           cause='gallery_key')
    return _not_trivial(key, where)


def write_key_file(file: str | os.PathLike[str], *, allow_temporary: bool = False) -> Path:
    """
    Make a random key in a new file of mode 0600, as 64 hex digits.

    :param allow_temporary: also under /tmp and its like; for tests
    :returns: its path
    :raises GalleryError: the file exists, or the place is not fit for a secret
    """
    path = checked_place(file, allow_temporary=allow_temporary, what='a key')
    with new_private_file(path, 'gallery_key') as stream:
        stream.write(secrets.token_hex(KEY_BYTES).encode() + b'\n')
    return path


def _not_trivial(key: bytes, where: str) -> bytes:
    if len(set(key)) < 8:
        raise GalleryError(f'{where} holds a key that anyone would try first: {len(set(key))} '
                           'different bytes among 32; make one by `gallery key FILE`',
                           cause='gallery_key')
    return key
