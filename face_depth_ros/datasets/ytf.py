# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
r"""
YouTube Faces (YTF), read from its own folders.

Source: Wolf, Hassner and Maoz, "Face Recognition in Unconstrained Videos with Matched Background
Similarity", CVPR 2011: 3,425 videos of 1,595 people; 5,000 pairs of videos in 10 folds.

    <root>/frame_images_DB/Aaron_Eckhart/0/0.555.jpg          frame 555 of video 0
    <root>/frame_images_DB/Aaron_Eckhart.labeled_faces.txt    where the face is in each
    <root>/splits.txt                                         folds of pairs of videos

Certain, since independent programs for the dataset agree on it: these folders and names; that a
line of the labels is 'Aaron_Eckhart\0\0.555.jpg,0,x,y,width,height,0,0' with the middle of the
face's box. Assumed, for want of the data: splits.txt, in the root or in meta_data, has a heading
and lines 'split, first video, second video, same person (1 or 0)', further columns not read,
videos written 'Aaron_Eckhart/0'.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
import os
from pathlib import Path
import re

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.photo_faces import FacePair, HeadBox, number, photo_face, UNKNOWN
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    FaceDataset,
    read_color,
    read_text,
    Recording,
    RgbdFace,
)

DATASET = 'ytf'
FOLDS, PAIRS = 10, 5000
"""Of the whole dataset."""

_TITLE = 'YouTube Faces'
_FRAMES = 'frame_images_DB'
_LAYOUT = f'{_FRAMES}/Aaron_Eckhart/0/0.555.jpg'
_FRAME = re.compile(r'\d+\.(\d+)\.jpg')


class YouTubeFaces(FaceDataset):
    """
    The dataset's folder; frames are recordings, whose `session` is the video's number.

    :param root: the folder that holds frame_images_DB, or the one that holds that folder
    :param every: take the first frame of each video and every so many thereafter
    :raises DatasetError: no such folder, nothing of the dataset in it, or `every` below 1
    """

    def __init__(self, root: str | os.PathLike[str], *, every: int = 1) -> None:
        if every < 1:
            raise DatasetError(f'every is {every}, expected 1 or more')
        self.root = dataset_root(root, lambda folder: any(folder.glob(f'{_FRAMES}/*/*/*.jpg')),
                                 _TITLE, _LAYOUT)
        self.recordings = tuple(_recordings(self.root / _FRAMES, every))

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one frame, cut to what lies around the labelled face; it has no depth.

        :raises DatasetError: missing, no image, or labels of another form
        """
        labels = self.root / _FRAMES / f'{recording.subject}.labeled_faces.txt'
        head = None
        if labels.is_file():
            head = read_labels(labels).get(f'{recording.session}/{recording.path.name}')
        return photo_face(recording, read_color(recording.path), head)

    def pairs(self) -> tuple[FacePair, ...]:
        """
        Read the pairs of videos, by names such as Aaron_Eckhart/0.

        :raises DatasetError: splits.txt is missing, of another form, or names videos that are not
            there
        """
        places = [folder / 'splits.txt' for folder in (self.root, self.root / 'meta_data',
                                                       self.root.parent)]
        pairs = read_splits(next((p for p in places if p.is_file()), places[0]))
        known = {video_of(r) for r in self.recordings}
        absent = [name for pair in pairs for name in (pair.first, pair.second)
                  if name not in known]
        if absent:
            raise DatasetError(f'{self.root} lacks {len(absent)} videos that splits.txt names, '
                               f'such as {absent[0]}; is the copy of the dataset complete?')
        return pairs


def video_of(recording: Recording) -> str:
    """Return the name of a frame's video, such as Aaron_Eckhart/0."""
    return f'{recording.subject}/{recording.session}'


def read_splits(path: Path) -> tuple[FacePair, ...]:
    """
    Read splits.txt.

    :raises DatasetError: missing, or a line of another form
    """
    pairs: list[FacePair] = []
    for line in read_text(path).splitlines():
        words = [w.strip() for w in line.split(',')]
        if not any(words) or (not pairs and not words[0].isdecimal()):
            continue  # the heading
        if len(words) < 4 or not words[0].isdecimal() or words[3] not in ('0', '1') or not (
                words[1] and words[2]):
            raise DatasetError(f"{path}: {line!r} is no pair, expected 'split, first video, "
                               "second video, 1 or 0'")
        pairs.append(FacePair(words[1], words[2], words[3] == '1', int(words[0])))
    if not pairs:
        raise DatasetError(f'{path} holds no pairs')
    return tuple(pairs)


@lru_cache(maxsize=4)
def read_labels(path: Path) -> dict[str, HeadBox]:
    r"""
    Read where a person's face is.

    :returns: by 'video/frame.jpg'
    :raises DatasetError: missing, or a line of another form
    """
    boxes: dict[str, HeadBox] = {}
    for line in read_text(path).splitlines():
        if not line.strip():
            continue
        words = [w.strip() for w in line.split(',')]
        parts = re.split(r'[\\/]', words[0])
        if len(words) < 6 or len(parts) < 2:
            raise DatasetError(f'{path}: {line!r} is no label, expected the frame, 0, x, y, width '
                               'and height')
        x, y, width, height = (number(path, w, 'a label') for w in words[2:6])
        boxes['/'.join(parts[-2:])] = HeadBox(x - width / 2.0, y - height / 2.0, width, height)
    return boxes


def _recordings(folder: Path, every: int) -> Iterator[Recording]:
    for video in sorted(folder.glob('*/*')):
        if not video.is_dir():
            continue
        frames = sorted((int(found[1]), path) for path in video.glob('*.jpg')
                        if (found := _FRAME.fullmatch(path.name)))
        person = video.parent.name
        for _, path in frames[::every]:
            yield Recording(DATASET, person, video.name, f'{person}/{video.name}/{path.stem}',
                            UNKNOWN, path)
