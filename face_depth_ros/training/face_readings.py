# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What a face recogniser and its shape model tell of photos before the last layers of either.

These numbers, of tens of thousands of people, are what last layers are solved from in closed form
(training/solve_last_layers.py); a bank is read once, part by part, into files of a twentieth of
its size.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
import logging
import multiprocessing
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_photo import LANDMARK_COUNT
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.core.shape_model import ShapeModel
from face_depth_ros.networks.face_recognizer import (
    build_face_recognizer,
    FaceRecognizer,
    FaceRecognizerConfig,
)
from face_depth_ros.networks.mask_guided_recognizer import face_only
from face_depth_ros.training.autocast import autocast
from face_depth_ros.training.bank_files import read_arrays, write_part
from face_depth_ros.training.folding import folded, load_folded, stored_tensors
from face_depth_ros.training.identity_bank import surface_of_row
import numpy as np
import torch

LOG = logging.getLogger('face_readings')
_BATCH = 64
_USED = ('color', 'mask', 'measured', 'estimated', 'person', 'identity', 'surface')


@dataclass(frozen=True)
class FaceReadings:
    """
    N photos of P people.

    :param color: (N, C) float32, the branch of colour before its last layer
    :param measured, estimated: (N, C) the branch of depth, by measured and by estimated depth
    :param fit: (N, F) `ShapeFit.features`, 0 where the model does not fit
    :param fitted: (N,) bool, whether it does
    :param person: (N,) int64, 0 to P - 1
    :param identity: (P, 100) the coefficients of the head
    """

    color: np.ndarray
    measured: np.ndarray
    estimated: np.ndarray
    fit: np.ndarray
    fitted: np.ndarray
    person: np.ndarray
    identity: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


def open_student(spec: ModelSpec) -> Any:
    """Return a shipped student as a torch network whose normalisation is folded."""
    network: Any = folded(build_face_recognizer(student_config(spec)))
    load_folded(network, spec)
    return network.eval().to(memory_format=torch.channels_last)


def student_config(spec: ModelSpec) -> FaceRecognizerConfig:
    """
    Return the layout of a shipped student, without what is told besides its embeddings.

    Its file says it: a block may be narrower within, and a step down have two halves
    (training/compress_face_recognizer.py).
    """
    shapes = {name: tensor.shape for name, tensor in stored_tensors(spec).items()}
    config = FaceRecognizerConfig(dimensions=int(spec.outputs[0].shape[1]))
    blocks = [f'stages.{stage}.{block}.first.weight' for stage, count in enumerate(config.blocks)
              for block in range(count)]
    inner = {branch: tuple(int(shapes[f'{branch}.{name}'][0]) for name in blocks
                           if f'{branch}.{name}' in shapes) for branch in ('color', 'depth')}
    ranks = {branch: tuple(int(shapes[name][0]) for name in (
        f'{branch}.down.{step}.0.weight' for step in range(len(config.blocks) - 1))
        if name in shapes) for branch in ('color', 'depth')}
    return replace(config, inner_color=inner['color'], inner_depth=inner['depth'],
                   ranks_color=ranks['color'], ranks_depth=ranks['depth'])


@torch.no_grad()
def branch_vectors(network: FaceRecognizer, color: torch.Tensor, depths: list[torch.Tensor],
                   mask: torch.Tensor) -> list[torch.Tensor]:
    """
    Return what branches say before their last layers, (B, C) float32: colour, then each depth.

    :param color: (B, 3, S, S), 0 to 255; depths: (B, 1, S, S) each; mask: (B, 1, S, S) labels
    """
    with autocast('cpu'):
        maps = network.attention_maps(mask)
        seen = [face_only(color, depth, mask) for depth in depths]
        vectors = [network.color.weigh(_last(seen[0][0]), maps)]
        vectors += [network.depth.weigh(_last(depth), maps) for _, depth in seen]
    return [vector.float() for vector in vectors]


def _last(image: torch.Tensor) -> torch.Tensor:
    return image.contiguous(memory_format=torch.channels_last)


@lru_cache(maxsize=1)
def _opened(spec_path: Path, shape_model: Path) -> tuple[Any, ShapeModel]:
    """Open both once a process."""
    return open_student(ModelSpec.load(spec_path)), ShapeModel.load(shape_model)


def read_part(spec_path: Path, shape_model: Path, out: Path, part: Path) -> None:
    """Read a part of a bank into a file of the same name, unless it is there."""
    if (out / part.name).exists():
        return
    torch.set_num_threads(1)
    network, model = _opened(spec_path, shape_model)
    arrays = read_arrays(part, _USED)
    color, mask, measured, estimated = (torch.from_numpy(arrays[name]) for name in _USED[:4])
    said: list[list[torch.Tensor]] = []
    for rows in torch.arange(len(color)).split(_BATCH):
        said.append(branch_vectors(
            network, color[rows].float(), [measured[rows].float()[:, None],
                                           estimated[rows].float()[:, None]],
            mask[rows].float()[:, None]))
    vectors = [torch.cat(column).numpy() for column in zip(*said, strict=True)]
    fits = [model.fit(surface_of_row(row)) for row in arrays['surface']]
    fitted = np.array([fit is not None and fit.good for fit in fits])
    none = np.zeros(1 + len(model.modes) + 3 * LANDMARK_COUNT, np.float32)
    features = np.stack([none if fit is None or not fit.good else fit.features() for fit in fits])
    readings = FaceReadings(vectors[0], vectors[1], vectors[2], features, fitted,
                            arrays['person'], arrays['identity'])
    write_part(out / part.name, {f.name: getattr(readings, f.name) for f in fields(readings)})


def face_readings(spec: ModelSpec, shape_model: Path, bank: Path, out: Path,
                  workers: int = 1) -> FaceReadings:
    """
    Read a bank, of which `out` may hold some parts already.

    :param bank: of render_identity_bank --learns last_layers, or others with surfaces
    :raises SettingsError: no photos there, or a part is damaged
    """
    parts = sorted(bank.glob('part_*.npz'))
    if not parts:
        raise SettingsError(f'no photos in {bank}; render them with `python -m '
                            'face_depth_ros.training.render_identity_bank --learns last_layers`')
    read = partial(read_part, spec.path, shape_model, out)
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        for done, _ in enumerate(pool.imap(read, parts), 1):
            if done % 20 == 0:
                LOG.info('%d of %d parts read', done, len(parts))
    names = [f.name for f in fields(FaceReadings)]
    read_back = [read_arrays(out / part.name, names) for part in parts]
    people = 0
    for arrays in read_back:
        arrays['person'] = arrays['person'] + people
        people += len(arrays['identity'])
    return FaceReadings(**{name: np.concatenate([arrays[name] for arrays in read_back])
                           for name in names})
