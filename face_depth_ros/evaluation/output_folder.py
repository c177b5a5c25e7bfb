# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Outputs that appear complete or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import os
from pathlib import Path
import shutil
import tempfile

from face_depth_ros.core.errors import SettingsError


@contextmanager
def complete_folder(path: str | os.PathLike[str], marker: str) -> Iterator[Path]:
    """
    Give a temporary folder beside `path` that takes its place when the block ends well.

    :param path: the folder to make; one that is there already is replaced only when it holds
        `marker`, which shows that the same command made it; what else lies in it stays there
    :param marker: name of a file that the block must write
    :raises SettingsError: `path` is there and not ours, or its parent cannot be written
    """
    path = Path(path).absolute()
    check_replaceable(path, marker)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f'.{path.name}.', dir=path.parent))
    except OSError as error:
        raise SettingsError(
            f'cannot write beside {path}: {error.strerror}; choose another --out') from error
    try:
        yield temporary
        if not (temporary / marker).is_file():
            raise SettingsError(f'the outputs for {path} lack {marker}; nothing was written')
        temporary.chmod(0o755)
        _swap(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_replaceable(path: Path, marker: str) -> None:
    """Raise SettingsError when `path` is there, not empty, and not made by the same command."""
    if not path.exists():
        return
    if not path.is_dir():
        raise SettingsError(f'{path} is a file, expected a folder to write; choose another --out')
    if any(path.iterdir()) and not (path / marker).is_file():
        raise SettingsError(
            f'{path} is not empty and holds no {marker}, so it was not made by this command and '
            'is not replaced; choose another --out or remove it')


def check_writable(folder: Path) -> None:
    """
    Try whether files can be written into a folder, which need not be there; leave nothing behind.

    :raises SettingsError: they cannot
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix='.probe.', dir=folder) as probe:
            probe.write(b'probe')
    except OSError as error:
        raise SettingsError(f'cannot write into {folder}: {error.strerror or error}; expected a '
                            'folder that can be written; choose another --out') from error
    finally:
        for place in made:
            with suppress(OSError):
                place.rmdir()


def write_complete(path: Path, content: str | bytes) -> None:
    """
    Write one file so that a reader sees the old content or the new, never a part.

    :param content: text is written as UTF-8; what has no form there, such as the bytes of a file
        name in another encoding, as an escape
    :raises SettingsError: it cannot be written
    """
    data = content.encode('utf-8', 'backslashreplace') if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f'.{path.name}.', dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, 'wb') as file:
                file.write(data)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f'cannot write {path}: {error.strerror or error}; expected a place '
                            'that can be written; make room, or choose another --out') from error


def _swap(temporary: Path, path: Path) -> None:
    """
    Rename `temporary` to `path`; what stood there goes last, or comes back on failure.

    Entries that the new folder has not, another replay's output below this one say, move over.
    """
    if not path.exists():
        temporary.rename(path)
        return
    moved: list[str] = []
    with tempfile.TemporaryDirectory(prefix=f'.{path.name}.old.', dir=path.parent) as aside:
        old = Path(aside) / 'old'
        try:
            for entry in list(path.iterdir()):
                if not (temporary / entry.name).exists():
                    entry.rename(temporary / entry.name)
                    moved.append(entry.name)
            path.rename(old)
            temporary.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            for name in moved:
                (temporary / name).rename(path / name)
            raise
