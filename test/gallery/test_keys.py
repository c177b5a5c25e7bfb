# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Keys from files and from the environment."""

from __future__ import annotations

import base64
from pathlib import Path

from face_depth_ros.core.errors import GalleryError
from face_depth_ros.gallery.keys import find_key, KEY_VARIABLE, parse_key, write_key_file
from gallery_files import KEY
import pytest


def key_file(folder: Path, content: bytes) -> Path:
    path = folder / 'key'
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize('content', [
    KEY, KEY.hex().encode(), KEY.hex().upper().encode() + b'\n', base64.b64encode(KEY) + b'\n',
    base64.urlsafe_b64encode(KEY),
])
def test_forms_of_a_key(tmp_path: Path, content: bytes) -> None:
    assert find_key(key_file(tmp_path, content)) == KEY


def test_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert find_key() is None
    monkeypatch.setenv(KEY_VARIABLE, ' ')
    assert find_key() is None
    monkeypatch.setenv(KEY_VARIABLE, KEY.hex())
    assert find_key() == KEY
    other = bytes(reversed(KEY))
    assert find_key(key_file(tmp_path, other)) == other, 'the file goes first'
    monkeypatch.setenv(KEY_VARIABLE, 'no key')
    with pytest.raises(GalleryError, match=f'variable {KEY_VARIABLE} holds no key: got 6 char'):
        find_key()


@pytest.mark.parametrize('content', [b'', b'abc', KEY[:31], KEY.hex()[:62].encode(), b'\xff' * 90,
                                     b'g' * 64, b'!' * 44, b'correct horse battery staple ab\n',
                                     b'0123456789abcdef' * 2])
def test_files_that_hold_no_key(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(GalleryError, match='holds no key: .* expected 64 hex digits or 44') as c:
        find_key(key_file(tmp_path, content))
    assert c.value.cause == 'gallery_key'


def test_a_key_that_anyone_would_try(tmp_path: Path) -> None:
    for content in (bytes(32), b'00' * 32, b'ab' * 32):
        with pytest.raises(GalleryError, match='a key that anyone would try first'):
            find_key(key_file(tmp_path, content))


@pytest.mark.parametrize('mode', [0o640, 0o604, 0o644, 0o620])
def test_a_key_that_others_can_read(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, KEY)
    path.chmod(mode)
    with pytest.raises(GalleryError, match='others may read or write .* expected 0600') as caught:
        find_key(path)
    assert caught.value.cause == 'gallery_key'


def test_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match='cannot be read .No such file.*`gallery key FILE`'):
        find_key(tmp_path / 'none')
    with pytest.raises(GalleryError, match='is no plain file'):
        find_key(tmp_path)


def test_a_new_key(tmp_path: Path) -> None:
    path = write_key_file(tmp_path / 'key', allow_temporary=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert find_key(path) == parse_key(path.read_text(), 'the file')
    again = write_key_file(tmp_path / 'second', allow_temporary=True)
    assert find_key(path) != find_key(again)
    before = path.read_text()
    with pytest.raises(GalleryError, match='exists already and is not overwritten'):
        write_key_file(path, allow_temporary=True)
    assert path.read_text() == before
    with pytest.raises(GalleryError, match='a key belongs into a folder of your own'):
        write_key_file(tmp_path / 'third')
    assert {file.name for file in tmp_path.iterdir()} == {'key', 'second'}
