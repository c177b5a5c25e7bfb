# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
IJB-A, the IARPA Janus benchmark A, read from its own folders.

Source: Klare et al., "Pushing the Frontiers of Unconstrained Face Detection and Recognition: IARPA
Janus Benchmark A", CVPR 2015: 500 people in photos and frames of videos; templates of several
images each; 10 splits of comparisons and of search in a gallery.

    <root>/images/img/1.jpg, images/frame/2.png
    <root>/IJB-A_11_sets/split1/verify_metadata_1.csv       the images of each template
    <root>/IJB-A_11_sets/split1/verify_comparisons_1.csv    pairs of templates, without a heading
    <root>/IJB-A_1N_sets/split1/search_gallery_1.csv        also search_probe_1.csv

Certain, since independent programs for the dataset agree on it: the names of the protocol's files
and the columns TEMPLATE_ID, SUBJECT_ID, FILE, MEDIA_ID, FACE_X, FACE_Y, FACE_WIDTH, FACE_HEIGHT;
that images of one MEDIA_ID are of one photo or video. Assumed, for want of the data: FILE (such as
img/1.jpg or frame/2.png) lies in images or in the root; the box counts pixels from its upper left
corner.
"""

from __future__ import annotations

from dataclasses import dataclass
import os
from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.photo_faces import (
    FacePair,
    HeadBox,
    number,
    photo_face,
    read_rows,
    UNKNOWN,
)
from face_depth_ros.datasets.rgbd_faces import (
    dataset_root,
    existing,
    FaceDataset,
    read_color,
    read_text,
    Recording,
    RgbdFace,
)

DATASET = 'ijb_a'
SPLITS = 10
VERIFY, SEARCH = 'IJB-A_11_sets', 'IJB-A_1N_sets'

_TITLE = 'IJB-A'
_LAYOUT = f'{VERIFY}/split1/verify_metadata_1.csv'
_COLUMNS = ('TEMPLATE_ID', 'SUBJECT_ID', 'FILE', 'MEDIA_ID', 'FACE_X', 'FACE_Y', 'FACE_WIDTH',
            'FACE_HEIGHT')


@dataclass(frozen=True)
class TemplateFace:
    """
    One face of a template.

    :param template: number, as the protocol writes it
    :param media: images of one medium are averaged first
    :param recording: of the dataset, the same for a face that several templates have
    """

    template: str
    media: str
    recording: Recording


class IjbA(FaceDataset):
    """
    The dataset's folder; each face in an image is a recording.

    :param root: the folder that holds IJB-A_11_sets or IJB-A_1N_sets, or the one that holds it
    :raises DatasetError: no such folder, nothing of the dataset in it, or a file of another form
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = dataset_root(
            root, lambda f: any(f.glob(f'{VERIFY}/split*/*.csv')) or any(
                f.glob(f'{SEARCH}/split*/*.csv')), _TITLE, _LAYOUT)
        self._boxes: dict[str, HeadBox] = {}
        self._recordings: dict[str, Recording] = {}
        for path in sorted(self.root.glob('IJB-A_1*_sets/split*/*.csv')):
            if path.name.startswith(('verify_metadata_', 'search_')):
                self._faces(path)
        self.recordings = tuple(self._recordings[name] for name in sorted(self._recordings))

    def read(self, recording: Recording) -> RgbdFace:
        """
        Read one face, cut to what lies around its box; it has no depth.

        :raises DatasetError: missing, no image, or the box lies outside it
        """
        return photo_face(recording, read_color(recording.path), self._boxes[recording.name])

    def splits(self, kind: str = VERIFY) -> tuple[int, ...]:
        """Return the numbers of the splits that are there."""
        return tuple(sorted(int(p.name.removeprefix('split')) for p in (self.root / kind).glob(
            'split*') if p.name.removeprefix('split').isdecimal()))

    def templates(self, split: int) -> tuple[TemplateFace, ...]:
        """
        Return the faces of the templates of a split of comparisons.

        :raises DatasetError: missing, or of another form
        """
        return self._faces(existing(self.root / VERIFY / f'split{split}'
                                    / f'verify_metadata_{split}.csv'))

    def comparisons(self, split: int) -> tuple[FacePair, ...]:
        """
        Return the pairs of templates of a split, by their numbers.

        :raises DatasetError: missing, of another form, or of templates that are not there
        """
        people = {f.template: f.recording.subject for f in self.templates(split)}
        path = self.root / VERIFY / f'split{split}' / f'verify_comparisons_{split}.csv'
        pairs = []
        for line in read_text(path).splitlines():
            words = [w.strip() for w in line.split(',')]
            if not any(words):
                continue
            if len(words) != 2 or not set(words) <= people.keys():
                raise DatasetError(f'{path}: {line!r} is no pair of templates of '
                                   f'verify_metadata_{split}.csv')
            pairs.append(FacePair(words[0], words[1], people[words[0]] == people[words[1]],
                                  split))
        if not pairs:
            raise DatasetError(f'{path} holds no pairs')
        return tuple(pairs)

    def search(self, split: int) -> tuple[tuple[TemplateFace, ...], tuple[TemplateFace, ...]]:
        """
        Return gallery and probes of a split of search; some probes are of nobody in the gallery.

        :raises DatasetError: missing, or of another form
        """
        folder = self.root / SEARCH / f'split{split}'
        gallery, probe = (self._faces(existing(folder / f'search_{kind}_{split}.csv'))
                          for kind in ('gallery', 'probe'))
        return gallery, probe

    def _faces(self, path: Path) -> tuple[TemplateFace, ...]:
        return tuple(self._face(path, row) for row in read_rows(path, _COLUMNS))

    def _face(self, path: Path, row: dict[str, str]) -> TemplateFace:
        box = HeadBox(*(number(path, row[c], c) for c in _COLUMNS[4:]))
        name = f'{row["FILE"]}@{box.x:g},{box.y:g}'
        if '..' in Path(row['FILE']).parts or Path(row['FILE']).is_absolute():
            raise DatasetError(f'{path}: the file {row["FILE"]!r} lies outside the dataset')
        inside = self.root / 'images' / row['FILE']
        place = inside if inside.is_file() else self.root / row['FILE']
        recording = self._recordings.setdefault(name, Recording(
            DATASET, row['SUBJECT_ID'], '', name, UNKNOWN, place))
        self._boxes[name] = box
        return TemplateFace(row['TEMPLATE_ID'], row['MEDIA_ID'], recording)
