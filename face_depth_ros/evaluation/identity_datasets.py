# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
`evaluate identity` on real faces: the papers' galleries and probes, folds, splits.

A face whose dataset tells place and scale of its head is cropped by them; a photo by the face
detector. A face that cannot be read or cropped is left out and named, and a pair with it is not
let in. A shape model needs the camera that measured the depth; without one it says nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
import logging
from pathlib import Path
from typing import NamedTuple

from face_depth_ros.core.errors import DatasetError, InvalidFaceBoxError, InvalidImageError
from face_depth_ros.core.face_box import transform_points
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
from face_depth_ros.datasets.face_photos_of import face_crop, face_photo_of
from face_depth_ros.datasets.image_faces import DescriberModels, FaceDescriber, LeftOut
from face_depth_ros.datasets.photo_faces import FacePair, has_depth
from face_depth_ros.datasets.rgbd_faces import (
    FaceDataset,
    first_as_gallery,
    GalleryProbe,
    Recording,
    RgbdFace,
)
from face_depth_ros.evaluation.enhancement_report import absent_note
from face_depth_ros.evaluation.evaluation_result import Evaluation, Table
from face_depth_ros.evaluation.identity_faces import PHOTO_PX
from face_depth_ros.evaluation.identity_pairs import (
    check_kinds,
    each_row,
    folds_line,
    Line,
    Member,
    row_modalities,
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
from face_depth_ros.evaluation.identity_report import left_out_block
from face_depth_ros.evaluation.identity_result import check_networks, identity_result
from face_depth_ros.evaluation.identity_rows import blank_view, IdentityRows
from face_depth_ros.evaluation.identity_views import ESTIMATED, FaceLooker, MEASURED
from face_depth_ros.evaluation.report import paragraph, table
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
PAIRED = (lfw.DATASET, ytf.DATASET, ijb_a.DATASET)
"""Datasets that list the pairs to compare."""
DATASETS = (*_GALLERIES, *PAIRED)
"""Names for --data."""
_EVERY = f'of each video its first frame and every {VIDEO_STEP}th after it'
_NOTES = {lock3dface.DATASET: _EVERY, ytf.DATASET: _EVERY,
          frgc_v2.DATASET: 'in the gallery the first scan of each person whatever its expression'}
"""How a protocol differs from the paper's, for the tables."""
_NO_CAMERA = ('no camera is known, so shape models say nothing and a network by itself is the '
              'mean of the cosines of colour and depth, without those of shape and joint')
_CAMERAS = {lock3dface.DATASET: 'skin in metres by the usual calibration of a Kinect v2, for the '
                                'dataset has none of its own'}
_ANY_CAMERA = (np.array([0.0, 0.0, 1.0]), np.array([[float(PHOTO_PX), 0.0, PHOTO_PX / 2],
                                                    [0.0, float(PHOTO_PX), PHOTO_PX / 2]]))
"""Of faces without depth, where it does not matter."""
_LOG = logging.getLogger(__name__)


def evaluate_dataset(name: str, root: Path, rows: IdentityRows, looker: FaceLooker,
                     options: argparse.Namespace) -> Evaluation:
    """
    Measure on a dataset.

    :param name: of `DATASETS`
    :raises DatasetError: its folder is not there or incomplete, or no face can be cropped
    """
    cropper = Cropper(options.backend, options.precision)
    try:
        result = (_gallery_probe(name, root, rows, looker, cropper, options)
                  if name in _GALLERIES else _pairs(name, root, rows, looker, cropper))
    finally:
        cropper.close()
    result.details['faces_left_out'] = cropper.left_out
    if cropper.left_out:
        result.blocks = [*result.blocks, left_out_block(cropper.left_out)]
        result.remarks = [*result.remarks, f'{len(cropper.left_out)} faces are left out, such as '
                          f'{next(iter(cropper.left_out))}; the report names them\n']
    return result


class Cropper:
    """Cuts the box of the face out of a dataset's images."""

    def __init__(self, backend: str = 'auto', precision: str = 'auto') -> None:
        self._backend, self._precision = backend, precision
        self._describer: FaceDescriber | None = None
        self.left_out: dict[str, str] = {}
        """Name of a recording -> why it has no crop."""

    def read(self, dataset: FaceDataset, recording: Recording) -> RgbdFace | None:
        """
        Read a recording.

        :returns: None, and the reason among `left_out`, where it cannot be read
        """
        try:
            return dataset.read(recording)
        except (DatasetError, InvalidImageError) as error:
            self.left_out[recording.name] = str(error)
            return None

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
        except (DatasetError, InvalidImageError, InvalidFaceBoxError) as error:
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
    :raises DatasetError: not one face can be read and cropped
    :raises SettingsError: all networks are silent
    """
    _check_files(recordings)
    numbers: dict[str, int] = {}

    def batches() -> Iterator[FaceBatch]:
        crops = _crops(dataset, recordings, cropper)
        measured = False  # by then: a later batch without depth has none, of known faces
        while some := list(islice(crops, BATCH)):
            for recording, *_ in some:
                numbers[recording.name] = len(numbers)
            relief = np.stack([r for _, _, _, r in some])
            measured = measured or bool(np.isfinite(relief).any())
            known = [camera_of(face) for _, face, _, _ in some]
            seen = looker.look(np.stack([c for _, _, c, _ in some]),
                               relief if measured else None,
                               [c or _ANY_CAMERA for c in known] if any(known) else None)
            yield FaceBatch(seen, [r.subject for r, *_ in some], [r.condition for r, *_ in some],
                            [float('nan') if f.yaw is None else f.yaw for _, f, _, _ in some])

    try:
        faces = collect(batches(), rows)
    except DatasetError as error:
        if numbers or not cropper.left_out:
            raise
        name, reason = next(iter(cropper.left_out.items()))
        raise DatasetError(f'{error}; all {len(cropper.left_out)} are left out, such as {name}: '
                           f'{reason}') from error
    check_networks(rows, faces)
    return faces, numbers


def camera_of(face: RgbdFace) -> tuple[np.ndarray, np.ndarray] | None:
    """
    Return the camera of a face's crop as `FaceLooker.look` takes it.

    :returns: the head point (3,) metres, and the affine (2, 3) from slopes to pixels of the crop;
        None where no camera is known, or no depth
    :raises DatasetError: the face cannot be cropped
    """
    camera = face.intrinsics
    if camera is None or not has_depth(face):
        return None
    crop = face_crop(face, None, upright=True)
    to_crop = crop.box.crop_from_image(PHOTO_PX)
    affine = np.column_stack([to_crop[:, :2] @ np.diag((camera.fx, camera.fy)), transform_points(
        to_crop, np.array([camera.cx, camera.cy]))])  # (2, 3)
    centre = np.array([crop.box.center_x, crop.box.center_y])
    return camera.unproject(centre, np.array(crop.head_depth)), affine


def _check_files(recordings: Sequence[Recording]) -> None:
    """
    Say which files are not there, before hours of work.

    :raises DatasetError: none is there
    """
    absent = [r.path for r in recordings if not r.path.exists()]
    if not absent:
        return
    if len(absent) == len(recordings):
        raise DatasetError(f'none of {len(absent)} files that the dataset lists is there, such as '
                           f'{absent[0]}; is the copy complete?')
    _LOG.warning('%d of %d files that the dataset lists are not there and are left out, such as '
                 '%s; is the copy complete?', len(absent), len(recordings), absent[0])


def _check_people(name: str, people: Iterable[str], left_out: int = 0) -> None:
    found = sorted(set(people))
    if len(found) < 2:
        raise DatasetError(f'{name} shows {len(found)} person ({", ".join(found)}) in the faces '
                           f'to compare, {left_out} faces are left out; who is who needs two '
                           'people or more')


def _crops(dataset: FaceDataset, recordings: Iterable[Recording], cropper: Cropper,
           ) -> Iterator[tuple[Recording, RgbdFace, np.ndarray, np.ndarray]]:
    for recording in tqdm(recordings, unit='face'):
        face = cropper.read(dataset, recording)
        crop = None if face is None else cropper.crop(face)
        if face is not None and crop is not None:
            yield recording, face, *crop


def _gallery_probe(name: str, root: Path, rows: IdentityRows, looker: FaceLooker,
                   cropper: Cropper, options: argparse.Namespace) -> Evaluation:
    opener, split = _GALLERIES[name]
    dataset = opener(root)
    splits = split(first_people(dataset.recordings, options.people))
    wanted = {r.name: r for s in splits.values() for r in (*s.gallery, *s.probe)}
    _check_people(name, (r.subject for r in wanted.values()))
    faces, numbers = collect_recordings(dataset, tuple(wanted.values()), rows, looker, cropper)
    _check_people(name, faces.persons, len(cropper.left_out))

    def known(recordings: Iterable[Recording]) -> np.ndarray:
        return np.array([numbers[r.name] for r in recordings if r.name in numbers], np.int64)

    scores = judge(faces, {column: Setting(known(s.gallery), known(s.probe))
                           for column, s in splits.items()}, rows)
    scores.ms = time_networks(rows, {ESTIMATED: blank_view()}, _RUNS)
    measured = _CAMERAS.get(name, _NO_CAMERA) if MEASURED in scores.rows else ''
    return identity_result(scores, _noted(name), _about(name, cropper), options, measured)


def first_people(recordings: Sequence[Recording], people: int | None) -> Sequence[Recording]:
    """Return the recordings of the first so many people, by their names; None: of all."""
    if people is None:
        return recordings
    chosen = set(sorted({r.subject for r in recordings})[:people])
    return tuple(r for r in recordings if r.subject in chosen)


def _pairs(name: str, root: Path, rows: IdentityRows, looker: FaceLooker,
           cropper: Cropper) -> Evaluation:
    if name == ijb_a.DATASET:
        found = _ijb_a(ijb_a.IjbA(root), rows, looker, cropper)
    elif name == lfw.DATASET:
        photos = lfw.Lfw(root)
        found = _folds(photos, photos.pairs(), lambda r: r.name, rows, looker, cropper)
    else:
        videos = ytf.YouTubeFaces(root, every=VIDEO_STEP)
        found = _folds(videos, videos.pairs(), ytf.video_of, rows, looker, cropper)
    measured = Table(f'Who is it: {name}',
                     f'{_noted(name)}; depth and mask estimated from colour (D*, M*)', found.unit,
                     dict(found.lines) | {row: {} for row in rows.absent})
    blocks = [table(measured.rows, 'recogniser'),
              paragraph(f'{measured.dataset}; {measured.unit}', 'note'), absent_note(rows.absent)]
    return Evaluation('identity', _about(name, cropper), {'identity': measured}, blocks, details={
        'absent': rows.absent, 'modalities': {ESTIMATED: found.modalities}})


class _Compared(NamedTuple):
    """What pairs gave: a line of each row, their unit, and the modalities of each row."""

    lines: dict[str, Line]
    unit: str
    modalities: dict[str, tuple[str, ...]]


def _folds(dataset: FaceDataset, pairs: Sequence[FacePair],
           name_of: Callable[[Recording], str], rows: IdentityRows, looker: FaceLooker,
           cropper: Cropper) -> _Compared:
    check_kinds(pairs)
    folds = {p.fold for p in pairs}
    if len(folds) < 2:
        raise DatasetError(f'all {len(pairs)} pairs of {dataset.root} are of one fold, expected '
                           'two folds or more: a threshold is chosen on the others')
    named = {p.first for p in pairs} | {p.second for p in pairs}
    recordings = [r for r in dataset.recordings if name_of(r) in named]
    faces, numbers = collect_recordings(dataset, recordings, rows, looker, cropper)
    members = [Member(name_of(r), r.name, numbers.get(r.name)) for r in recordings]
    return _Compared(
        each_row(faces, rows, members, lambda pooled: folds_line(pooled, pairs)),
        f'percent; {len(pairs)} pairs in {len(folds)} folds, the threshold chosen on the others; '
        'std over the folds', row_modalities(faces, rows))


def _ijb_a(dataset: ijb_a.IjbA, rows: IdentityRows, looker: FaceLooker, cropper: Cropper,
           ) -> _Compared:
    listed: list[tuple[str, str, str]] = []  # name, medium, recording

    def named(where: str, source: Iterable[ijb_a.TemplateFace]) -> dict[str, str]:
        """Take templates in, and return their names with their persons."""
        people = {}
        for face in source:
            name = f'{where} {face.template}'
            people[name] = face.recording.subject
            listed.append((name, face.media, face.recording.name))
        return people

    comparisons, searches = {}, {}
    for split in dataset.splits(ijb_a.VERIFY):
        where = f'verify {split}'
        named(where, dataset.templates(split))
        comparisons[split] = [replace(p, first=f'{where} {p.first}', second=f'{where} {p.second}')
                              for p in dataset.comparisons(split)]
        check_kinds(comparisons[split])
    for split in dataset.splits(ijb_a.SEARCH):
        gallery, probe = dataset.search(split)
        searches[split] = Search(named(f'gallery {split}', gallery),
                                 named(f'probe {split}', probe))
    faces, numbers = collect_recordings(dataset, dataset.recordings, rows, looker, cropper)
    members = [Member(name, media, numbers.get(recording)) for name, media, recording in listed]
    return _Compared(
        each_row(faces, rows, members, lambda pooled: splits_line(pooled, comparisons, searches)),
        f'percent; mean over {len(comparisons)} splits of comparisons and {len(searches)} of '
        'search; std over the splits', row_modalities(faces, rows))


def _about(name: str, cropper: Cropper) -> str:
    return (f'{name}: real faces. Mask and relief are what the shipped estimator says of the box '
            f'of each face. {len(cropper.left_out)} faces could not be read or cropped and are '
            'left out.')


def _noted(name: str) -> str:
    """Return what the tables say that they are of."""
    return f'{name}, {_NOTES[name]}' if name in _NOTES else name
