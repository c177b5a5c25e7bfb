# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
`evaluate identity` on real faces: the papers' galleries and probes, folds, splits.

A face whose dataset tells place and scale of its head is cropped by them; a photo by the face
detector. A face that cannot be cropped is left out and counted, and a pair with it is not let in.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from face_depth_ros.core.errors import DatasetError, InvalidDepthError
from face_depth_ros.datasets import (
    bosphorus,
    bu_3dfe,
    frgc_v2,
    ijb_a,
    lfw,
    lock3dface,
    micc,
    texas_3dfrd,
    vggface2,
    ytf,
)
from face_depth_ros.datasets.face_photos_of import face_photo_of
from face_depth_ros.datasets.image_faces import DescriberModels, FaceDescriber, LeftOut
from face_depth_ros.datasets.photo_faces import FacePair, has_depth
from face_depth_ros.datasets.rgbd_faces import (
    FaceDataset,
    first_as_gallery,
    GalleryProbe,
    Recording,
    RgbdFace,
)
from face_depth_ros.evaluation.evaluation_result import Evaluation, Table
from face_depth_ros.evaluation.identity_faces import PHOTO_PX
from face_depth_ros.evaluation.identity_pairs import (
    each_row,
    folds_line,
    Member,
    Search,
    splits_line,
)
from face_depth_ros.evaluation.identity_protocol import (
    collect,
    Collected,
    FaceBatch,
    judge,
    Setting,
    time_networks,
)
from face_depth_ros.evaluation.identity_result import identity_result
from face_depth_ros.evaluation.identity_rows import blank_view, IdentityRows
from face_depth_ros.evaluation.identity_views import ESTIMATED, FaceLooker
import numpy as np
from tqdm import tqdm

BATCH = 16
VIDEO_STEP = 10
"""Every so many frames of a video are compared."""
_RUNS = 30
Splits = Callable[[Sequence[Recording]], Mapping[str, GalleryProbe]]
_GALLERIES: dict[str, tuple[Callable[[Path], FaceDataset], Splits]] = {
    bu_3dfe.DATASET: (bu_3dfe.Bu3dfe, lambda r: {
        'BU-3DFE': bu_3dfe.identification_split(r)}),
    texas_3dfrd.DATASET: (texas_3dfrd.Texas3dfrd, lambda r: {
        'Texas': texas_3dfrd.identification_split(r)}),
    bosphorus.DATASET: (bosphorus.Bosphorus, lambda r: {
        'Bosphorus-1': bosphorus.setting_1(r), 'Bosphorus-2': bosphorus.setting_2(r)}),
    frgc_v2.DATASET: (frgc_v2.FrgcV2, lambda r: {
        'FRGC v2': frgc_v2.identification_split(r, neutral=False)}),
    lock3dface.DATASET: (lambda root: lock3dface.Lock3DFace(root, every=VIDEO_STEP),
                         lock3dface.probe_sets),
    micc.DATASET: (micc.Micc, lambda r: {'MICC': first_as_gallery(r)}),
    vggface2.DATASET: (vggface2.VggFace2, lambda r: {
        'VGGFace2': vggface2.identification_split(r)}),
}
_PAIRS = (lfw.DATASET, ytf.DATASET, ijb_a.DATASET)
DATASETS = (*_GALLERIES, *_PAIRS)
"""Names for --data."""


def evaluate_dataset(name: str, root: Path, rows: IdentityRows, looker: FaceLooker,
                     options: argparse.Namespace) -> Evaluation:
    """
    Measure on a dataset.

    :param name: of `DATASETS`
    :raises DatasetError: its folder is not there or incomplete, or no face can be cropped
    """
    cropper = Cropper(options.backend, options.precision)
    try:
        if name in _GALLERIES:
            return _gallery_probe(name, root, rows, looker, cropper, options)
        return _pairs(name, root, rows, looker, cropper)
    finally:
        cropper.close()


class Cropper:
    """Cuts the box of the face out of a dataset's images."""

    def __init__(self, backend: str = 'auto', precision: str = 'auto') -> None:
        self._backend, self._precision = backend, precision
        self._describer: FaceDescriber | None = None
        self.left_out: dict[str, str] = {}
        """Name of a recording -> why it has no crop."""

    def crop(self, face: RgbdFace) -> tuple[np.ndarray, np.ndarray] | None:
        """
        Return colour (192, 192, 3) uint8 and relief (192, 192), NaN where not measured.

        :returns: None, and the reason among `left_out`, where the face cannot be cropped
        """
        try:
            if has_depth(face):
                photo = face_photo_of(face, None, upright=True, size=PHOTO_PX)
                return photo.color, photo.relief
            if face.color is None:
                raise DatasetError(f'{face.dataset} {face.name} has neither colour nor depth')
            found = self._finder().find(face.color)
        except (DatasetError, InvalidDepthError) as error:
            self.left_out[face.name] = str(error)
            return None
        if isinstance(found, LeftOut):
            self.left_out[face.name] = found.reason
            return None
        return found.color, np.full(found.color.shape[:2], np.nan, np.float32)

    def close(self) -> None:
        """Release the detector."""
        if self._describer is not None:
            self._describer.close()

    def _finder(self) -> FaceDescriber:
        if self._describer is None:
            self._describer = DescriberModels(backend=self._backend,
                                              precision=self._precision).open()
        return self._describer


def collect_recordings(dataset: FaceDataset, recordings: Sequence[Recording], rows: IdentityRows,
                       looker: FaceLooker, cropper: Cropper) -> tuple[Collected, dict[str, int]]:
    """
    Let every network embed the faces of recordings.

    :returns: the vectors; and by recording's name which of them is its face
    :raises DatasetError: not one face can be cropped
    """
    numbers: dict[str, int] = {}

    def batches() -> Iterator[FaceBatch]:
        crops = _crops(dataset, recordings, cropper)
        while some := list(islice(crops, BATCH)):
            for recording, *_ in some:
                numbers[recording.name] = len(numbers)
            relief = np.stack([r for _, _, _, r in some])
            seen = looker.look(np.stack([c for _, _, c, _ in some]),
                               relief if np.isfinite(relief).any() else None)
            yield FaceBatch(seen, [r.subject for r, *_ in some], [r.condition for r, *_ in some],
                            [float('nan') if f.yaw is None else f.yaw for _, f, _, _ in some])

    return collect(batches(), rows), numbers


def _crops(dataset: FaceDataset, recordings: Iterable[Recording], cropper: Cropper,
           ) -> Iterator[tuple[Recording, RgbdFace, np.ndarray, np.ndarray]]:
    for recording in tqdm(recordings, unit='face'):
        face = dataset.read(recording)
        crop = cropper.crop(face)
        if crop is not None:
            yield recording, face, *crop


def _gallery_probe(name: str, root: Path, rows: IdentityRows, looker: FaceLooker,
                   cropper: Cropper, options: argparse.Namespace) -> Evaluation:
    opener, split = _GALLERIES[name]
    dataset = opener(root)
    splits = split(first_people(dataset.recordings, options.people))
    wanted = {r.name: r for s in splits.values() for r in (*s.gallery, *s.probe)}
    faces, numbers = collect_recordings(dataset, tuple(wanted.values()), rows, looker, cropper)

    def known(recordings: Iterable[Recording]) -> np.ndarray:
        return np.array([numbers[r.name] for r in recordings if r.name in numbers], np.int64)

    scores = judge(faces, {column: Setting(known(s.gallery), known(s.probe))
                           for column, s in splits.items()}, rows)
    scores.ms = time_networks(rows, {ESTIMATED: blank_view()}, _RUNS)
    result = identity_result(scores, name, _about(name, cropper), options)
    result.details['faces_left_out'] = cropper.left_out
    return result


def first_people(recordings: Sequence[Recording], people: int | None) -> Sequence[Recording]:
    """Return the recordings of the first so many people, by their names; None: of all."""
    if people is None:
        return recordings
    chosen = set(sorted({r.subject for r in recordings})[:people])
    return tuple(r for r in recordings if r.subject in chosen)


def _pairs(name: str, root: Path, rows: IdentityRows, looker: FaceLooker,
           cropper: Cropper) -> Evaluation:
    if name == ijb_a.DATASET:
        lines, unit = _ijb_a(ijb_a.IjbA(root), rows, looker, cropper)
    elif name == lfw.DATASET:
        photos = lfw.Lfw(root)
        lines, unit = _folds(photos, photos.pairs(), lambda r: r.name, rows, looker, cropper)
    else:
        videos = ytf.YouTubeFaces(root, every=VIDEO_STEP)
        lines, unit = _folds(videos, videos.pairs(), ytf.video_of, rows, looker, cropper)
    lines |= {row: {} for row in rows.absent}
    table = Table(f'Who is it: {name}', f'{name}; depth and mask estimated from colour (D*, M*)',
                  unit, dict(lines))
    return Evaluation('identity', _about(name, cropper), {'identity': table}, details={
        'absent': rows.absent, 'faces_left_out': cropper.left_out})


def _folds(dataset: FaceDataset, pairs: Sequence[FacePair],
           name_of: Callable[[Recording], str], rows: IdentityRows, looker: FaceLooker,
           cropper: Cropper) -> tuple[dict[str, dict[str, float | None]], str]:
    named = {p.first for p in pairs} | {p.second for p in pairs}
    recordings = [r for r in dataset.recordings if name_of(r) in named]
    faces, numbers = collect_recordings(dataset, recordings, rows, looker, cropper)
    members = [Member(name_of(r), r.name, numbers.get(r.name)) for r in recordings]
    return (each_row(faces, rows, members, lambda pooled: folds_line(pooled, pairs)),
            f'percent; {len(pairs)} pairs in {len({p.fold for p in pairs})} folds, the threshold '
            'chosen on the others; std over the folds')


def _ijb_a(dataset: ijb_a.IjbA, rows: IdentityRows, looker: FaceLooker, cropper: Cropper,
           ) -> tuple[dict[str, dict[str, float | None]], str]:
    faces, numbers = collect_recordings(dataset, dataset.recordings, rows, looker, cropper)
    members: list[Member] = []

    def named(where: str, source: Iterable[ijb_a.TemplateFace]) -> dict[str, str]:
        """Take templates in, and return their names with their persons."""
        people = {}
        for face in source:
            name = f'{where} {face.template}'
            people[name] = face.recording.subject
            members.append(Member(name, face.media, numbers.get(face.recording.name)))
        return people

    comparisons, searches = {}, {}
    for split in dataset.splits(ijb_a.VERIFY):
        where = f'verify {split}'
        named(where, dataset.templates(split))
        comparisons[split] = [replace(p, first=f'{where} {p.first}', second=f'{where} {p.second}')
                              for p in dataset.comparisons(split)]
    for split in dataset.splits(ijb_a.SEARCH):
        gallery, probe = dataset.search(split)
        searches[split] = Search(named(f'gallery {split}', gallery),
                                 named(f'probe {split}', probe))
    return (each_row(faces, rows, members,
                     lambda pooled: splits_line(pooled, comparisons, searches)),
            f'percent; mean over {len(comparisons)} splits of comparisons and {len(searches)} of '
            'search; std over the splits')


def _about(name: str, cropper: Cropper) -> str:
    return (f'{name}: real faces. Mask and relief are what the shipped estimator says of the box '
            f'of each face. {len(cropper.left_out)} faces could not be cropped and are left out.')
