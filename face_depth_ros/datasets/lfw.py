# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Labeled Faces in the Wild (LFW), read from its own folders.

Source: Huang, Ramesh, Berg and Learned-Miller, "Labeled Faces in the Wild: A Database for Studying
Face Recognition in Unconstrained Environments", 2007: 13,233 photos of 5,749 people.

    <root>/Aaron_Eckhart/Aaron_Eckhart_0001.jpg     250 x 250, the face in the middle
    <root>/pairs.txt                                view 2: 10 folds of 300 + 300 pairs

Certain, since the dataset's page and independent programs agree on it: these folders and names;
the first line of pairs.txt, the number of folds and of pairs of each kind; then for every fold
'name n m' of one person and as many 'name n name m' of two. Assumed: pairs.txt, which is
downloaded apart, lies in the dataset's folder or in the one above it.
"""

from __future__ import annotations

import os
from pathlib import Path
import re

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.photo_faces import FacePair, photo_face, UNKNOWN
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    FaceDataset,
    read_color,
    read_text,
    Recording,
    RgbdFace,
)

DATASET = 'lfw'
FOLDS, PAIRS_OF_KIND = 10, 300
"""Of the whole dataset's view 2."""

_TITLE = 'LFW'
_LAYOUT = 'Aaron_Eckhart/Aaron_Eckhart_0001.jpg'
_NAME = re.compile(r'(.+)_(\d{4})\.jpg')


class Lfw(FaceDataset):
    """
    The dataset's folder.

    :param root: the folder that holds the people's folders, or the one that holds that folder
    :raises DatasetError: no such folder, or nothing of the dataset in it
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = dataset_root(root, lambda folder: any(folder.glob('*/*_0001.jpg')), _TITLE,
                                 _LAYOUT)
        self.recordings = tuple(
            Recording(DATASET, path.parent.name, '', path.stem, UNKNOWN, path)
            for path in sorted(self.root.glob('*/*.jpg'))
            if (found := _NAME.fullmatch(path.name)) and found[1] == path.parent.name)

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one photo; it has no depth.

        :raises DatasetError: missing or no image
        """
        return photo_face(recording, read_color(recording.path))

    def pairs(self) -> tuple[FacePair, ...]:
        """
        Read the pairs of view 2, by the names of recordings.

        :raises DatasetError: pairs.txt is missing, of another form, or names photos that are not
            there
        """
        places = [folder / 'pairs.txt' for folder in (self.root, self.root.parent)]
        pairs = read_pairs(next((p for p in places if p.is_file()), places[0]))
        known = {r.name for r in self.recordings}
        absent = [name for pair in pairs for name in (pair.first, pair.second)
                  if name not in known]
        if absent:
            raise DatasetError(f'{self.root} lacks {len(absent)} photos that pairs.txt names, '
                               f'such as {absent[0]}; is the copy of the dataset complete?')
        return pairs


def read_pairs(path: Path) -> tuple[FacePair, ...]:
    """
    Read pairs.txt.

    :returns: by names such as Aaron_Eckhart_0001, fold after fold
    :raises DatasetError: missing, or not the lines that its first one promises
    """
    lines = [line.split() for line in read_text(path).splitlines() if line.strip()]
    head = lines[0] if lines else []
    if len(head) not in (1, 2) or not all(w.isdecimal() and int(w) for w in head):
        raise DatasetError(f"{path} begins with {' '.join(head)!r}, expected the number of folds "
                           "and of pairs of each kind, such as '10 300'")
    folds, each = (1, int(head[0])) if len(head) == 1 else (int(head[0]), int(head[1]))
    if len(lines) - 1 != 2 * folds * each:
        raise DatasetError(f'{path} has {len(lines) - 1} pairs, expected {2 * folds * each}: '
                           f'{folds} folds of {each} of one person and {each} of two')
    return tuple(_pair(path, words, i // (2 * each) + 1, i % (2 * each) < each)
                 for i, words in enumerate(lines[1:]))


def _pair(path: Path, words: list[str], fold: int, same: bool) -> FacePair:
    if len(words) != (3 if same else 4) or not (
            words[-1].isdecimal() and words[-3 + same].isdecimal()) or (
            not same and words[0] == words[2]):
        form = "'name 1 4' of one person" if same else "'name 1 other_name 2' of two people"
        raise DatasetError(f"{path}: {' '.join(words)!r} in fold {fold} is no pair, expected "
                           f'{form}')
    other = words[0] if same else words[2]
    return FacePair(f'{words[0]}_{int(words[1]):04d}', f'{other}_{int(words[-1]):04d}', same, fold)
