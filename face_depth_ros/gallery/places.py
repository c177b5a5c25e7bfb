# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Where galleries, keys and exports may lie, and who may read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import glob
import os
from pathlib import Path
import secrets
import stat
import time
from typing import BinaryIO

from face_depth_ros.core.errors import GalleryError

GALLERY_VARIABLE = 'FACE_DEPTH_GALLERY'
TEMPORARY_FOLDERS = ('/tmp', '/var/tmp', '/dev/shm', '/run/shm')
LONGEST_FILE_NAME = 200
"""Bytes; what lies beside a file while it is written has a longer name, and 255 is the most."""

_STALE_PARTIAL_S = 60.0


def default_gallery() -> Path:
    """
    Return where the gallery lies unless another place is given.

    FACE_DEPTH_GALLERY, else face_depth_ros/gallery.db in XDG_DATA_HOME or ~/.local/share.

    :raises GalleryError: it would lie in the home folder, and there is none
    """
    if os.environ.get(GALLERY_VARIABLE):
        return expanded(os.environ[GALLERY_VARIABLE])
    home = Path(os.environ.get('XDG_DATA_HOME') or expanded('~/.local/share'))
    return home / 'face_depth_ros' / 'gallery.db'


def expanded(file: str | os.PathLike[str]) -> Path:
    """
    Return a path with ~ or ~user replaced by the home folder.

    :raises GalleryError: there is no such home folder, or a NUL stands in the path
    """
    if '\0' in os.fspath(file):
        raise GalleryError(f'{os.fspath(file)!r} is no path: it holds a NUL; give one without',
                           cause='gallery_place')
    try:
        return Path(file).expanduser()
    except RuntimeError as error:
        raise GalleryError(f'{os.fspath(file)} cannot be found: that user has no home folder; '
                           'give a path without ~, or set HOME', cause='gallery_place') from error


def checked_place(file: str | os.PathLike[str], *, allow_temporary: bool = False,
                  what: str = 'a gallery', make_folder: bool = False) -> Path:
    """
    Return the absolute path of a file, links followed, if what is secret may lie there.

    :param make_folder: make what lacks of the folder, readable by its owner alone
    :raises GalleryError: in a folder for temporary files, no folder (`gallery_missing`), one
        others can write to, or too long a name
    """
    path = Path(os.path.realpath(expanded(file)))
    temporary = next((folder for folder in TEMPORARY_FOLDERS
                      if path.is_relative_to(os.path.realpath(folder))), None)
    if temporary is not None and not allow_temporary:
        raise GalleryError(f'{path} lies under {temporary}, where files are open to others and '
                           f'vanish; {what} belongs into a folder of your own, for instance '
                           '~/.local/share/face_depth_ros', cause='gallery_place')
    length = len(os.fsencode(path.name))
    if length > LONGEST_FILE_NAME:
        raise GalleryError(f'the name {path.name[:40]}... for {what} has {length} bytes, expected '
                           f'at most {LONGEST_FILE_NAME}; choose a shorter one',
                           cause='gallery_place')
    folder = path.parent
    try:
        if make_folder and not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        _check_folder(folder, status, what, allow_sticky=allow_temporary)
        is_folder = _is_folder(path)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise GalleryError(f'the folder {folder} for {what} cannot be used ({error.strerror}); '
                           f'{"make it" if missing else "check its permissions"}, or choose '
                           'another',
                           cause='gallery_missing' if missing else 'gallery_place') from error
    if is_folder:
        raise GalleryError(f'{path} is a folder, expected the path of a file for {what}',
                           cause='gallery_place')
    return path


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _check_folder(folder: Path, status: os.stat_result, what: str, *, allow_sticky: bool) -> None:
    """Refuse a folder in which others may write, with `allow_sticky` unless only new files."""
    if not stat.S_ISDIR(status.st_mode):
        raise GalleryError(f'{folder} is no folder; choose another place for {what}',
                           cause='gallery_place')
    # A group of which the owner is the only member is usual; another one is not.
    others = status.st_mode & stat.S_IWOTH or (
        status.st_mode & stat.S_IWGRP and status.st_gid != os.getgid())
    if others and not (allow_sticky and status.st_mode & stat.S_ISVTX):
        raise GalleryError(f'others may write to the folder {folder} (mode '
                           f'{stat.S_IMODE(status.st_mode):04o}) and could exchange {what} or '
                           f'what lies beside it; run `chmod go-w {folder}`, or choose another',
                           cause='gallery_permissions')
    if status.st_uid not in (os.geteuid(), 0):
        raise GalleryError(f'the folder {folder} belongs to user {status.st_uid}, who could '
                           f'exchange {what}; choose one of your own',
                           cause='gallery_permissions')


def owned_privately(status: os.stat_result, path: Path, cause: str = 'gallery_permissions'
                    ) -> None:
    """
    Check that a file is one of ours that nobody else may read.

    :param status: of the file, opened already where that matters
    :param cause: of the error
    :raises GalleryError: no plain file, of another owner, or open to group or others
    """
    if not stat.S_ISREG(status.st_mode):
        raise GalleryError(f'{path} is no plain file; give the path of one', cause=cause)
    if status.st_mode & 0o077:
        raise GalleryError(f'others may read or write {path} (mode '
                           f'{stat.S_IMODE(status.st_mode):04o}), expected 0600; run '
                           f'`chmod 600 {path}`, and if it was open for long, take a new one',
                           cause=cause)
    if status.st_uid not in (os.geteuid(), 0):
        raise GalleryError(f'{path} belongs to user {status.st_uid}, not to you; take a copy of '
                           'your own', cause=cause)


@contextmanager
def new_private_file(path: Path, cause: str) -> Iterator[BinaryIO]:
    """
    Write a new file of mode 0600, whatever the umask; it appears whole or not at all.

    What an earlier process left of the same file when it was killed is removed.

    :param cause: of the errors
    :raises GalleryError: there is one already, or it cannot be written
    """
    partial = partial_path(path)
    try:
        remove_stale_partials(path)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, 'wb') as stream:
                os.fchmod(descriptor, 0o600)
                yield stream
                stream.flush()
                os.fsync(descriptor)
            publish(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except FileExistsError as error:
        raise GalleryError(f'{path} exists already and is not overwritten; choose another name, '
                           'or remove it', cause=cause) from error
    except OSError as error:
        raise GalleryError(f'{path} cannot be written ({error.strerror}); free space, or choose '
                           'another place', cause=cause) from error


def partial_path(path: Path) -> Path:
    """Return under which name a file is written until it is whole; nobody can foretell it."""
    return path.with_name(f'.{path.name}.new-{secrets.token_hex(8)}')


def remove_stale_partials(path: Path) -> None:
    """
    Remove what processes left that were killed while they wrote a file.

    :raises OSError: the folder cannot be written
    """
    for left in path.parent.glob(f'.{glob.escape(path.name)}.new-*'):
        try:
            if time.time() - left.lstat().st_mtime > _STALE_PARTIAL_S:
                left.unlink()
        except FileNotFoundError:
            continue  # Its writer, or another one that cleans up, was faster.


def publish(partial: Path, path: Path) -> None:
    """
    Give a finished file its name, unless there is one of that name.

    :raises FileExistsError: there is
    :raises OSError: the folder cannot be written
    """
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:  # File systems without links.
        if path.exists():
            raise FileExistsError(path) from None
        partial.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
