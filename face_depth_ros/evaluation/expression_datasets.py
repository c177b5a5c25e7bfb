# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
`evaluate expression` on real scans of faces that show the six basic expressions.

Networks are taken as they are, none is trained here: the folds of the paper on AFNet-M, which
train on the dataset, are training/cross_validate_expression.py. A face that cannot be cropped is
left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from face_depth_ros.core.expression_labels import EXPRESSIONS, NEUTRAL
from face_depth_ros.datasets import bosphorus, bu_3dfe
from face_depth_ros.datasets.rgbd_faces import FaceDataset, Recording
from face_depth_ros.datasets.rgbd_faces import NEUTRAL as NEUTRAL_CONDITION
from face_depth_ros.evaluation.evaluation_result import Evaluation
from face_depth_ros.evaluation.expression_faces import record_type
from face_depth_ros.evaluation.expression_protocol import collect, judge, time_networks
from face_depth_ros.evaluation.expression_report import expression_result
from face_depth_ros.evaluation.expression_rows import ExpressionRows
from face_depth_ros.evaluation.expression_views import FaceViewer
from face_depth_ros.evaluation.identity_datasets import Cropper, first_people
import numpy as np
from tqdm import tqdm

DATASETS: dict[str, Callable[[Path], FaceDataset]] = {
    bu_3dfe.DATASET: bu_3dfe.Bu3dfe, bosphorus.DATASET: bosphorus.Bosphorus}
"""Names for --data."""
_EXPRESSION_OF: dict[str, Callable[[Recording], tuple[str, int] | None]] = {
    bu_3dfe.DATASET: bu_3dfe.expression_of, bosphorus.DATASET: bosphorus.expression_of}
_PART = 64


def evaluate_dataset(name: str, root: Path, rows: ExpressionRows, viewer: FaceViewer,
                     people: int | None, runs: int) -> Evaluation:
    """
    Measure on a dataset.

    :param name: of `DATASETS`
    :param people: the first so many, None = all
    :param runs: of timing
    :raises DatasetError: its folder is not there or incomplete, or no face can be cropped
    """
    dataset, cropper = DATASETS[name](root), Cropper()
    recordings = [r for r in first_people(dataset.recordings, people) if shown(r) is not None]
    try:
        faces = collect(_parts(dataset, recordings, cropper), viewer, rows, everything=True)
    finally:
        cropper.close()
    scores = judge(faces, rows, affect_known=False)
    scores.ms, scores.ratio = time_networks(rows, runs)
    result = expression_result(scores, name, _about(name, len(recordings), cropper))
    result.details['faces_left_out'] = cropper.left_out
    return result


def shown(recording: Recording) -> tuple[int, int] | None:
    """
    Return what a face shows: index into EXPRESSIONS, and level; None where it is something else.

    Expressions of Bosphorus have no levels and count as the strongest.
    """
    if recording.condition == NEUTRAL_CONDITION:
        return NEUTRAL, 0
    found = _EXPRESSION_OF[recording.dataset](recording)
    return None if found is None else (EXPRESSIONS.index(found[0]), found[1])


def _parts(dataset: FaceDataset, recordings: Sequence[Recording],
           cropper: Cropper) -> Iterator[np.ndarray]:
    """Yield records of faces; their action units are not known and 0."""
    numbers = {s: i for i, s in enumerate(dict.fromkeys(r.subject for r in recordings))}
    part: list[np.ndarray] = []
    for recording in tqdm(recordings, unit='face'):
        face = cropper.read(dataset, recording)
        crop = None if face is None else cropper.crop(face)
        label = shown(recording)
        if crop is None or label is None:
            continue
        record = np.zeros((), record_type())
        record['color'], record['relief'] = crop
        record['person'] = numbers[recording.subject]
        record['label'], record['level'] = label
        part.append(record)
        if len(part) == _PART:
            yield np.array(part, record_type())
            part = []
    if part:
        yield np.array(part, record_type())


def _about(name: str, count: int, cropper: Cropper) -> str:
    left = f'; {len(cropper.left_out)} of them have no crop' if cropper.left_out else ''
    return (f'{name}: {count} scans of neutral faces and of the six basic expressions{left}. '
            'Networks as they are, not trained on it.')
