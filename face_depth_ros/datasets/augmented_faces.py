# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Reads a data set that augment_dataset has made: colour, relief and mask of known people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import json
import os
from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.face_shards import (
    file_hash,
    FORM,
    MANIFEST,
    PLAN,
    read_faces,
    read_lines,
    shard_path,
    StoredFace,
)
import numpy as np


@dataclass(frozen=True)
class FaceShard:
    """
    The N faces of a shard; crops of S x S pixels.

    :param person: (N,) int64, index into `AugmentedFaces.persons`
    :param color: (N, S, S, 3) uint8 RGB
    :param relief: (N, S, S) float32 metres behind the head point (core.face_photo), NaN off the
        face
    :param mask: (N, S, S) uint8 of core.face_photo.MASK_LABELS
    :param landmarks: (N, 68, 2) float32 pixels of the crop, NaN if the estimator has none
    :param visibility: (N, 68) float32, 0 to 1, NaN likewise
    :param images: paths of the photos, from the folder of images
    """

    person: np.ndarray
    color: np.ndarray
    relief: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray
    visibility: np.ndarray
    images: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.person)


class AugmentedFaces:
    """
    A finished data set.

    Iterating yields its shards in order. Each person is spread over many shards, so that a few
    shards at a time, shuffled, mix people well. Of several training processes each takes
    `range(rank, shard_count, world_size)`.

    :param folder: OUT of augment_dataset
    :param verify: compare each shard's hash before it is read, about 0.1 s for 50 MB
    :raises DatasetError: not such a folder, unfinished, of another form, or a shard is missing
    """

    def __init__(self, folder: str | os.PathLike[str], verify: bool = True) -> None:
        self.folder = Path(folder)
        self._verify = verify
        plan = self.folder / PLAN
        if not plan.is_file():
            raise DatasetError(f'{plan} is missing: {self.folder} is no data set of '
                               'augment_dataset')
        if not (self.folder / MANIFEST).is_file():
            raise DatasetError(f'{self.folder} is unfinished: it has no {MANIFEST}; run '
                               'augment_dataset again, it goes on where it stopped')
        try:
            made_of = json.loads(plan.read_text('ascii'))
            form, self.persons = made_of['form'], tuple(map(str, made_of['persons']))
            self.model, self.model_sha256 = str(made_of['model']), str(made_of['model_sha256'])
            self.crop_px, self.shard_count = int(made_of['crop_px']), int(made_of['shards'])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(f'{plan} is damaged: {error!r}; make the data set again') from error
        if form != FORM:
            raise DatasetError(f'{self.folder} is of form {form}, this version reads form {FORM}; '
                               'make it again')
        self._whole, *self._heads = read_lines(self.folder / MANIFEST)
        if [head.get('shard') for head in self._heads] != list(range(self.shard_count)):
            raise DatasetError(f'{self.folder / MANIFEST} does not name each of '
                               f'{self.shard_count} shards once; run augment_dataset again')
        for number in range(self.shard_count):
            if not shard_path(self.folder, number, 'tar').is_file():
                raise DatasetError(f'{shard_path(self.folder, number, "tar")} is missing; run '
                                   'augment_dataset again, it makes it')
        self._index = {person: i for i, person in enumerate(self.persons)}

    def __len__(self) -> int:
        """Return the number of faces."""
        return sum(int(head['faces']) for head in self._heads)

    def __iter__(self) -> Iterator[FaceShard]:
        return (self.shard(number) for number in range(self.shard_count))

    def faces(self, number: int) -> Iterator[tuple[int, StoredFace]]:
        """
        Read the faces of a shard one by one, each with the index of its person.

        :raises DatasetError: there is no such shard, or its hash is not the manifest's
        """
        if not 0 <= number < self.shard_count:
            raise DatasetError(f'there is no shard {number}, expected 0 to '
                               f'{self.shard_count - 1}')
        path = shard_path(self.folder, number, 'tar')
        if not path.is_file():
            raise DatasetError(f'{path} is missing; run augment_dataset again, it makes it')
        if self._verify and (got := file_hash(path)) != self._heads[number]['sha256']:
            raise DatasetError(
                f'{path} has sha256 {got[:12]}..., its manifest says '
                f'{str(self._heads[number]["sha256"])[:12]}...: the file is damaged or another; '
                'delete it and run augment_dataset again', cause='shard_hash')
        for face in read_faces(path):
            person = self._index.get(str(face.about.get('person')), -1)
            if person < 0 or len(face.mask) != self.crop_px:
                raise DatasetError(f'{path}: {face.about.get("image")!r} is of nobody in {PLAN} '
                                   'or of another size; make the data set again')
            yield person, face

    def shard(self, number: int) -> FaceShard:
        """
        Read a whole shard; 1000 faces of 192 pixels take 0.3 GB.

        :raises DatasetError: as `faces`
        """
        persons, faces = [], []
        for person, face in self.faces(number):
            persons.append(person)
            faces.append(face)
        size = self.crop_px

        def stacked(name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
            result: np.ndarray = np.empty((len(faces), *shape), dtype)
            for row, face in enumerate(faces):
                result[row] = getattr(face, name)
            return result

        return FaceShard(
            np.array(persons, np.int64), stacked('color', (size, size, 3), np.uint8),
            stacked('relief', (size, size), np.float32), stacked('mask', (size, size), np.uint8),
            stacked('landmarks', (68, 2), np.float32), stacked('visibility', (68,), np.float32),
            tuple(str(face.about['image']) for face in faces))

    def counts(self) -> np.ndarray:
        """
        Count the faces of each person, from the manifests: (P,) int64.

        :raises DatasetError: a manifest is damaged
        """
        result: np.ndarray = np.zeros(len(self.persons), np.int64)
        for number in range(self.shard_count):
            for line in read_lines(shard_path(self.folder, number, 'jsonl'))[1:]:
                if 'key' in line:
                    result[self._index[str(line['person'])]] += 1
        return result

    def left_out(self) -> Iterator[tuple[str, str, str]]:
        """Yield each image without a face to use: path, cause, reason."""
        for number in range(self.shard_count):
            for line in read_lines(shard_path(self.folder, number, 'jsonl'))[1:]:
                if 'key' not in line:
                    yield str(line['image']), str(line['cause']), str(line['reason'])
