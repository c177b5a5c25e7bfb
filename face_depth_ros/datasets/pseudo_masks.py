# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Segmentation masks for datasets that have none, by an estimator, kept beside the data.

DepthNet is trained on masks that another network has drawn: pseudo ground truth. Here it is our
estimator, or any that knows the classes; one PNG of label numbers for each face, in the crop of
our own upright box (face_photos_of.face_crop(face, None, upright=True)).

    python -m face_depth_ros.datasets.pseudo_masks biwi /data/biwi /data/biwi/pseudo_masks

Work that was cut off is taken up. A folder holds the masks of one model and refuses another's:
model.json tells which.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
import json
import os
from pathlib import Path
import re
from typing import Any, Protocol

import cv2
from face_depth_ros.core.errors import DatasetError, FaceDepthError, InvalidDepthError
from face_depth_ros.core.face_box import crop_color
from face_depth_ros.core.face_photo import BOX_SIDE_M, MASK_LABELS
from face_depth_ros.datasets.biwi import Biwi
from face_depth_ros.datasets.bosphorus import Bosphorus
from face_depth_ros.datasets.bu_3dfe import Bu3dfe
from face_depth_ros.datasets.face_photos_of import face_crop, NO_HEAD
from face_depth_ros.datasets.frgc_v2 import FrgcV2
from face_depth_ros.datasets.lock3dface import Lock3DFace
from face_depth_ros.datasets.pandora import Pandora
from face_depth_ros.datasets.rgbd_faces import Recording, RgbdFace
from face_depth_ros.datasets.texas_3dfrd import Texas3dfrd
from face_depth_ros.predictors.estimator_methods import open_estimator, OURS
import numpy as np

CONFIDENCE = 0.5
"""A crop of less has no face."""
BATCH = 16

_MODEL_FILE = 'model.json'
_NO_FACE = '.no_face'
_NAME = re.compile(r'[\w.+-]+')
_SHA256 = re.compile(r'[0-9a-f]{64}')
_DATASETS = {'biwi': Biwi, 'bosphorus': Bosphorus, 'bu_3dfe': Bu3dfe, 'frgc_v2': FrgcV2,
             'lock3dface': Lock3DFace, 'pandora': Pandora, 'texas_3dfrd': Texas3dfrd}


class Masks(Protocol):
    """What is needed of an estimator's answer, see predictors.estimator_methods.CropEstimates."""

    @property
    def mask(self) -> np.ndarray:
        """Labels, (B, S, S) uint8."""

    @property
    def confidence(self) -> np.ndarray:
        """Probability of a face, (B,)."""

    @property
    def has_mask(self) -> bool:
        """Whether it knows the classes."""


class MaskEstimator(Protocol):
    """What is needed of an estimator, see predictors.estimator_methods.CropEstimator."""

    size: int

    def estimate(self, crops: np.ndarray) -> Masks:
        """Estimate (B, S, S, 3) uint8 RGB crops."""


@dataclass(frozen=True)
class MasksWritten:
    """
    What `write_pseudo_masks` did.

    :param written: masks written now
    :param kept: faces that were done before
    :param no_face: crops in which the estimator sees no face
    :param not_cropped: faces without a head's centre or depth around it
    """

    written: int
    kept: int
    no_face: int
    not_cropped: int


class PseudoMasks:
    """
    A folder of masks.

    :param folder: is made if a model is given
    :param sha256: of the model's file, hex; '' opens the folder for reading only
    :param model: its name, for the record
    :raises DatasetError: the folder is of another model or form, or there is none to read
    """

    def __init__(self, folder: str | os.PathLike[str], sha256: str = '', model: str = '') -> None:
        self.folder = Path(folder)
        path = self.folder / _MODEL_FILE
        known = _read_model(path) if path.is_file() else None
        if known is None:
            if not sha256:
                raise DatasetError(f'{path} is missing: this is no folder of pseudo masks')
            if any(self.folder.glob('*.png')):
                raise DatasetError(f'{self.folder} holds images but no {_MODEL_FILE}; whose they '
                                   'are is not known: choose another folder')
            if not _SHA256.fullmatch(sha256):
                raise DatasetError(f'sha256 is {sha256!r}, expected 64 hex digits')
            known = {'model': model, 'sha256': sha256}
            content = {**known, 'classes': list(MASK_LABELS), 'box_side_m': BOX_SIDE_M}
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(path, json.dumps(content, indent=2).encode())
        elif sha256 and known['sha256'] != sha256:
            raise DatasetError(
                f'{self.folder} holds the masks of {known["model"]} {known["sha256"][:12]}..., '
                f'those of {model} {sha256[:12]}... would mix with them: choose another folder, '
                'or delete this one')
        self.sha256, self.model = known['sha256'], known['model']
        self._writable = bool(sha256)

    def __contains__(self, name: str) -> bool:
        return any(self._path(name, ending).is_file() for ending in ('.png', _NO_FACE))

    def missing(self, recordings: Iterable[Recording]) -> tuple[Recording, ...]:
        """Return the recordings that are not done."""
        return tuple(r for r in recordings if r.name not in self)

    def read(self, name: str) -> np.ndarray | None:
        """
        Read the mask of a face.

        :returns: (S, S) uint8 of core.face_photo.MASK_LABELS; None where the estimator saw no face
        :raises DatasetError: it was not written, or is damaged
        """
        if self._path(name, _NO_FACE).is_file():
            return None
        path = self._path(name, '.png')
        if not path.is_file():
            raise DatasetError(f'{path} is missing; write it with `python -m '
                               'face_depth_ros.datasets.pseudo_masks`')
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if mask is None or mask.dtype != np.uint8 or mask.ndim != 2 or (
                mask.shape[0] != mask.shape[1] or mask.max() >= len(MASK_LABELS)):
            raise DatasetError(f'{path} is no square of labels below {len(MASK_LABELS)}; delete '
                               'it and write it again')
        return mask

    def write(self, name: str, mask: np.ndarray | None) -> None:
        """
        Write the mask of a face, whole or not at all.

        :param mask: as `read` returns it
        :raises DatasetError: the folder is open for reading only, or the name is no file's
        """
        if not self._writable:
            raise DatasetError(f'{self.folder} is open for reading; give the sha256 of the model')
        if mask is None:
            _write(self._path(name, _NO_FACE), b'')
            return
        _write(self._path(name, '.png'), cv2.imencode('.png', mask)[1].tobytes())

    def _path(self, name: str, ending: str) -> Path:
        if not _NAME.fullmatch(name):
            raise DatasetError(f'{name!r} is no name of a recording, expected letters, digits, '
                               "'_', '.', '+' and '-'")
        return self.folder / f'{name}{ending}'


def write_pseudo_masks(faces: Iterable[RgbdFace], estimator: MaskEstimator, masks: PseudoMasks, *,
                       batch: int = BATCH, confidence: float = CONFIDENCE) -> MasksWritten:
    """
    Estimate and write the masks of faces; those that are there already stay.

    :param faces: lazily, such as `dataset.faces(masks.missing(dataset.recordings))`
    :param batch: crops of one inference
    :param confidence: less is no face
    :raises DatasetError: the estimator knows no classes, a face has no colour, or the dataset does
        not say how large a pixel is
    """
    done = {'written': 0, 'kept': 0, 'no_face': 0, 'not_cropped': 0}
    waiting = _crops(faces, estimator.size, masks, done)
    while part := list(islice(waiting, batch)):
        answer = estimator.estimate(np.stack([crop for _, crop in part]))
        if not answer.has_mask:
            raise DatasetError(f'{masks.model} knows no classes of the mask, only face and '
                               f'background; take {OURS!r}')
        for (name, _), mask, sure in zip(part, answer.mask, answer.confidence, strict=True):
            seen = bool(sure >= confidence and mask.any())
            masks.write(name, mask if seen else None)
            done['written' if seen else 'no_face'] += 1
    return MasksWritten(**done)


def _crops(faces: Iterable[RgbdFace], size: int, masks: PseudoMasks,
           done: dict[str, int]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and crops of the faces that are to be done; the others are counted."""
    for face in faces:
        if face.name in masks:
            done['kept'] += 1
            continue
        if face.color is None:
            raise DatasetError(f'{face.dataset} {face.name} has no colour; open the dataset with '
                               'it')
        try:
            crop = face_crop(face, None, upright=True)
        except (InvalidDepthError, DatasetError) as error:
            if isinstance(error, DatasetError) and error.cause != NO_HEAD:
                raise
            done['not_cropped'] += 1
            continue
        yield face.name, crop_color(face.color, crop.box, size)


def _read_model(path: Path) -> Mapping[str, str]:
    try:
        content = json.loads(path.read_text('utf-8'))
        known = {key: content[key] for key in ('model', 'sha256')}
        if content['classes'] != list(MASK_LABELS) or content['box_side_m'] != BOX_SIDE_M:
            raise ValueError('its classes or its box are not those of this version')
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f'{path} is not what this program writes: {error}; choose another '
                           'folder') from error
    return known


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f'{path.name}.partial')
    partial.write_bytes(content)
    partial.replace(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the masks of a dataset, see the top of this file."""
    parser = argparse.ArgumentParser(description='Write pseudo masks of a dataset.')
    parser.add_argument('dataset', choices=sorted(_DATASETS))
    parser.add_argument('root', help='folder of the dataset')
    parser.add_argument('out', help='folder for the masks; work in it is taken up')
    parser.add_argument('--model', default=OURS, help='estimator that draws them')
    parser.add_argument('--backend', default='auto')
    parser.add_argument('--every', type=int, default=1, help='take each so-manieth recording')
    args = parser.parse_args(arguments)
    if args.every < 1:
        parser.error('--every must be 1 or more')
    try:
        dataset: Any = _DATASETS[args.dataset](args.root)
        estimator = open_estimator(args.model, args.backend)
        try:
            masks = PseudoMasks(args.out, estimator.spec.sha256, estimator.spec.name)
            chosen = dataset.recordings[::args.every]
            missing = masks.missing(chosen)
            done = write_pseudo_masks(dataset.faces(missing), estimator, masks)
        finally:
            estimator.close()
    except FaceDepthError as error:
        parser.exit(1, f'{error}\n')
    print(f'{len(chosen)} recordings, {len(chosen) - len(missing)} done before: '  # noqa: T201
          f'{done.written} masks written, {done.no_face} without a face, {done.not_cropped} '
          'without a place or depth of the head')


if __name__ == '__main__':
    main()
