# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A folder of face images, one sub-folder per person (the layout of VGGFace2), as a sorted list.

    ROOT/n000001/0001_01.jpg

The list alone decides which shard of a data set an image goes to, so it is in the order of the
names and independent of the file system.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import hashlib
import json
import logging
import os
from pathlib import Path

from face_depth_ros.core.errors import DatasetError

ENDINGS = ('.jpg', '.jpeg', '.png', '.webp')
"""Of images, in small or capital letters."""
_LOG = logging.getLogger('face_image_list')


@dataclass(frozen=True)
class FaceImages:
    """
    The images of some people.

    :param root: folder that the paths start from
    :param persons: names of the sub-folders that hold images, sorted
    :param images: paths 'person/name.jpg', sorted by person, then name
    """

    root: Path
    persons: tuple[str, ...]
    images: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Return the hash of the list: another image, or none, is another hash."""
        return hashlib.sha256(as_lines(self.images)).hexdigest()


def list_face_images(root: str | os.PathLike[str], limit: int = 0) -> FaceImages:
    """
    Find all images.

    Other files, hidden ones and images outside of a person's folder are left out; how many, and
    one of them, is logged.

    :param limit: take the first so many of the sorted list; 0 = all
    :raises DatasetError: there is no such folder, nobody in it, no image, or folders in folders
    """
    root = Path(root)
    if not root.is_dir():
        what = 'is a file' if root.exists() else 'is not there'
        raise DatasetError(f'{root} {what}, expected a folder with one sub-folder per person')
    try:
        people, left_out = _entries(root)
        if not people:
            hint = '; its images lie in it themselves' if any(map(_is_image, left_out)) else ''
            raise DatasetError(f'{root} has no sub-folders{hint}, expected one sub-folder per '
                               'person: ROOT/n000001/0001_01.jpg')
        images: list[str] = []
        for person in people:
            folders, files = _entries(root / person)
            if folders:
                raise DatasetError(
                    f'{root / person} holds the folder {folders[0]!r}, expected images: give the '
                    'folder whose sub-folders are persons (of VGGFace2 its train or test)')
            images += [f'{person}/{name}' for name in files if _is_image(name)]
            left_out += [f'{person}/{name}' for name in files if not _is_image(name)]
    except OSError as error:
        raise DatasetError(f'{root} cannot be listed: {error}') from error
    if left_out:
        _LOG.warning('%d files are no images of a person and left out, such as %s', len(left_out),
                     left_out[0])
    if not images:
        raise DatasetError(f'{root} has {len(people)} sub-folders but no image ending in one of '
                           f'{", ".join(ENDINGS)}')
    chosen = tuple(images[:limit] if limit else images)
    return FaceImages(root, tuple(dict.fromkeys(map(person_of, chosen))), chosen)


def person_of(image: str) -> str:
    """Return the person whose folder an image of a list lies in."""
    return image.split('/', 1)[0]


def as_lines(images: Iterable[str]) -> bytes:
    """Return a list as a file, one JSON string a line: any name survives it."""
    return ''.join(json.dumps(image) + '\n' for image in images).encode('ascii')


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of folders and of files, each sorted, without the hidden ones."""
    folders: list[str] = []
    files: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith('.'):
                (folders if entry.is_dir() else files).append(entry.name)
    return sorted(folders), sorted(files)


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS)
