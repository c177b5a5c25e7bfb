# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
VGGFace2, or any folder of that layout, read as faces to compare.

Source: Cao, Shen, Xie, Parkhi and Zisserman, "VGGFace2: A dataset for recognising faces across
pose and age", FG 2018: 3.31 million photos of 9,131 people, 500 of them for tests.

    <root>/test/n000001/0001_01.jpg      photo and number of the face in it
    <root>/test_list.txt                 lines n000001/0001_01.jpg
    <root>/bb_landmark/loose_bb_test.csv NAME_ID,X,Y,W,H: where the face is

Certain, since the dataset's page and independent programs agree on it: these folders and names,
the lists' lines, the box's columns with names such as n000001/0001_01. Assumed: lists and boxes
lie in the dataset's folder, in data, meta or bb_landmark; without a list all images of the folder
count, without boxes the largest central face of each is meant. For training on such a folder see
datasets.augment_dataset.
"""

from __future__ import annotations

from collections.abc import Iterable
import os
from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.photo_faces import (
    HeadBox,
    number,
    photo_face,
    read_rows,
    UNKNOWN,
)
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    FaceDataset,
    first_as_gallery,
    GalleryProbe,
    read_color,
    read_text,
    Recording,
    RgbdFace,
)

DATASET = 'vggface2'
PARTS = ('train', 'test')

_TITLE = 'VGGFace2'
_LAYOUT = 'test/n000001/0001_01.jpg'
_COLUMNS = ('NAME_ID', 'X', 'Y', 'W', 'H')


class VggFace2(FaceDataset):
    """
    One part of the dataset.

    :param root: the folder that holds train and test, the one that holds that folder, or a
        folder of people's folders
    :param part: 'train' or 'test'
    :raises DatasetError: no such folder, nothing of the dataset in it, another part, or a list
        that names photos which are not there
    """

    def __init__(self, root: str | os.PathLike[str], *, part: str = 'test') -> None:
        if part not in PARTS:
            raise DatasetError(f'part is {part!r}, expected one of {", ".join(PARTS)}')
        self.root = dataset_root(root, lambda f: any(f.glob(f'{part}/*/*.jpg')) or any(
            f.glob('*/*_*.jpg')), _TITLE, _LAYOUT)
        inside = self.root / part
        self.images = inside if inside.is_dir() else self.root
        listed = self._beside(f'{part}_list.txt')
        names = (read_list(listed) if listed else sorted(
            p.relative_to(self.images).as_posix() for p in self.images.glob('*/*.jpg')))
        self.recordings = tuple(_recording(self.images, name) for name in names)
        boxes = self._beside(f'loose_bb_{part}.csv')
        self.boxes = read_boxes(boxes) if boxes else {}

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one photo, cut to what lies around the face where its box is known; without depth.

        :raises DatasetError: missing or no image
        """
        return photo_face(recording, read_color(recording.path), self.boxes.get(recording.name))

    def _beside(self, name: str) -> Path | None:
        around = (self.root, self.root.parent)
        folders = [base / inner for base in around for inner in ('', 'data', 'meta',
                                                                 'bb_landmark')]
        return next((f / name for f in folders if (f / name).is_file()), None)


def identification_split(recordings: Iterable[Recording]) -> GalleryProbe:
    """Put the first photo of each person into the gallery and the rest into the probe."""
    return first_as_gallery(recordings, neutral=False)


def read_list(path: Path) -> list[str]:
    """
    Read a list of photos.

    :returns: names such as n000001/0001_01.jpg, sorted
    :raises DatasetError: missing, empty, or a line of another form
    """
    names = sorted({line.strip() for line in read_text(path).splitlines() if line.strip()})
    wrong = [n for n in names if n.count('/') != 1 or not n.endswith('.jpg') or '..' in n]
    if wrong or not names:
        raise DatasetError(f'{path} has the line {wrong[0]!r}, expected such as '
                           "'n000001/0001_01.jpg'" if wrong else f'{path} is empty')
    return names


def read_boxes(path: Path) -> dict[str, HeadBox]:
    """
    Read where the faces are.

    :returns: by recording's name, such as n000001/0001_01
    :raises DatasetError: missing, or of another form
    """
    return {row['NAME_ID'].strip('"'): HeadBox(*(number(path, row[c], c) for c in _COLUMNS[1:]))
            for row in read_rows(path, _COLUMNS)}


def _recording(folder: Path, name: str) -> Recording:
    return Recording(DATASET, name.partition('/')[0], '', name.removesuffix('.jpg'), UNKNOWN,
                     folder / name)
