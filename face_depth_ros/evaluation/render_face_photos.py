# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Render the faces that estimators are measured on: people, skin blends and photos of the test split.

    python -m face_depth_ros.evaluation.render_face_photos bank --faces 2000 --workers 2
    python -m face_depth_ros.evaluation.render_face_photos fixture test/data/face_photos.npz

`bank` renders what is missing of runs/face_photos/test; `evaluate estimation` does so too.
`fixture` writes the few faces that `evaluate estimation --quick` runs on. Every person comes four
times in a row; two photos of every second person look into the camera, so that frontal pairs of
one person exist.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
import logging
import multiprocessing
from pathlib import Path

import cv2
from face_depth_ros.core.face_photo import CROP_PX
from face_depth_ros.evaluation.face_photo_samples import FaceSample, save_faces, StoredFaces
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_photo_bank import (
    face_renderer,
    FacePhotoBank,
    FIRST_SEED,
    PART,
    part_path,
    save_part,
    to_records,
)
from face_depth_ros.synthesis.face_photos import FacePhotoSource, TEST
from face_depth_ros.synthesis.head_crops import HeadCropRenderer
from face_depth_ros.synthesis.person import PersonModel
from face_depth_ros.synthesis.photo_backgrounds import load_panoramas
import numpy as np
import torch

SPLIT = 'test'
BANK = Path('runs/face_photos/test')
PHOTOS_EACH, FRONTAL = 4, 2
_STREAM = 0x7E57FACE
_BACKGROUNDS_SEED = 77
_FIXTURE_FACES, _FIXTURE_NEGATIVES = 24, 4
_LOG = logging.getLogger('render_face_photos')


def main(arguments: Sequence[str] | None = None) -> None:
    """Render from the command line."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    fill_bank(options.bank, options.faces, options.assets, options.workers)
    if options.command == 'fixture':
        photos = RenderedPhotos(options.bank, options.assets)
        save_faces(options.file, StoredFaces(list(photos.samples(options.faces)),
                                             list(photos.negatives(_FIXTURE_NEGATIVES))))


def fill_bank(folder: Path, faces: int, assets: str = '', workers: int = 1) -> None:
    """
    Render the parts of the test bank that are missing; the same part is always the same faces.

    :param workers: processes
    :raises AssetsError: the assets are not there
    """
    jobs = [(folder, number, assets) for number in range(-(-faces // PART))
            if not part_path(folder, number).exists()]
    if not jobs:
        return
    find_assets(assets or None)  # here rather than in a process
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        for done, _ in enumerate(pool.map(_make_part, jobs), 1):
            _LOG.info('part %d of %d', done, len(jobs))


def render_test_part(renderer: HeadCropRenderer, number: int) -> np.ndarray:
    """
    Render one part of the test bank.

    :returns: (32,) records, `PHOTOS_EACH` in a row of each person
    """
    return to_records(renderer.render_people(FIRST_SEED[SPLIT] + number, PART // PHOTOS_EACH,
                                             PHOTOS_EACH, FRONTAL))


class RenderedPhotos:
    """
    Photos composed from the test bank; photo i is the same however many are asked for.

    :param folder: of the bank, filled
    :param assets: folder of the head assets; '' = FACE_DEPTH_ASSETS or the known places
    """

    def __init__(self, folder: Path, assets: str = '') -> None:
        # More threads than one make these small operations slower.
        cv2.setNumThreads(1)
        self._source = FacePhotoSource(
            FacePhotoBank(folder), load_panoramas(find_assets(assets or None)), TEST, CROP_PX,
            seed=_BACKGROUNDS_SEED)

    def samples(self, count: int) -> Iterator[FaceSample]:
        """Yield the first photos."""
        for index in range(count):
            generator = np.random.default_rng((_STREAM, 0, index))
            covered = bool(generator.random() < TEST.occluders)
            # Drawn here, since a photo does not tell whether something was held before it.
            self._source.variation = replace(TEST, occluders=float(covered))
            yield FaceSample(self._source.photo(index, generator), covered)

    def negatives(self, count: int) -> Iterator[np.ndarray]:
        """Yield crops without a face, (256, 256, 3) uint8 RGB."""
        for index in range(count):
            yield self._source.background(np.random.default_rng((_STREAM, 1, index)))


_renderers: dict[str, HeadCropRenderer] = {}


def _make_part(job: tuple[Path, int, str]) -> None:
    folder, number, assets = job
    if assets not in _renderers:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        _renderers[assets] = face_renderer(PersonModel(find_assets(assets or None)), SPLIT)
    save_part(folder, number, render_test_part(_renderers[assets], number))


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument('--bank', type=Path, default=BANK, metavar='DIR')
    shared.add_argument('--assets', default='', metavar='DIR')
    shared.add_argument('--workers', type=int, default=1, metavar='N')
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    bank = commands.add_parser('bank', parents=[shared])
    bank.add_argument('--faces', type=int, default=2000, metavar='N')
    fixture = commands.add_parser('fixture', parents=[shared])
    fixture.add_argument('file', type=Path)
    fixture.add_argument('--faces', type=int, default=_FIXTURE_FACES, metavar='N')
    return parser


if __name__ == '__main__':
    main()
