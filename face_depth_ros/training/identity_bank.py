# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Many photos of many people on one device, as face recognisers see them.

Photos are rendered (synthesis.identity_photos), then the shipped face estimator tells mask and
relief from the colour of each, as it will on a robot: what the papers write as D* and M*. The
relief that a depth sensor would measure is kept beside it. All of a bank stays in the memory of
the device, 100 KB a photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
import logging
from pathlib import Path
import time
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_photo import BOX_SIDE_M
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.core.recognition_input import (
    area_weights,
    DEPTH_LIMIT,
    nearest_pixels,
    RELIEF_UNIT_M,
    SIZE,
)
from face_depth_ros.networks.face_estimator import build_face_estimator, FaceEstimator
from face_depth_ros.synthesis.identity_photos import (
    IdentityPhotographer,
    IdentityPhotos,
    Moments,
    People,
)
from face_depth_ros.training.bank_files import read_arrays
from face_depth_ros.training.export_face_estimator import folded
import onnx
from onnx import numpy_helper
import torch

LOG = logging.getLogger('identity_bank')
_LEAST_FACE = 0.04
"""A mask that covers less of the crop shows no face; the estimator's node publishes none."""
_COVERED = 0.5


@dataclass(frozen=True)
class IdentityBank:
    """
    N photos of P people.

    :param color: (N, 3, 112, 112) uint8 RGB, with background
    :param mask: (N, 112, 112) uint8 labels as the estimator tells them
    :param estimated: (N, 112, 112) float16 depth input from the estimator's relief
    :param measured: (N, 112, 112) float16 depth input from the relief that a sensor measures
    :param person: (N,) int64, 0 to P - 1
    :param yaw: (N,) float32 degrees
    :param identity: (P, 100) float32 shape coefficients
    :param expression: (N, 57) float32
    """

    color: torch.Tensor
    mask: torch.Tensor
    estimated: torch.Tensor
    measured: torch.Tensor
    person: torch.Tensor
    yaw: torch.Tensor
    identity: torch.Tensor
    expression: torch.Tensor

    def __len__(self) -> int:
        return len(self.person)

    @property
    def people(self) -> int:
        """How many people there are."""
        return len(self.identity)


class BankBuilder:
    """
    Takes photos and looks at them as the robot will.

    :param photographer: on the device of the bank
    :param estimator: ModelSpec of the face estimator, as shipped
    """

    def __init__(self, photographer: IdentityPhotographer, estimator: str = 'face_estimator',
                 ) -> None:
        self.photographer, self.device = photographer, photographer.device
        self.estimator = load_estimator(find_model(estimator)).to(self.device)

    def build(self, people: People, images: int, moments: Sequence[Moments],
              batch: int = 256, max_minutes: float = 1e9) -> IdentityBank:
        """
        Take photos of each person in turn, round by round.

        :param images: rounds; fewer if the time is up
        :param moments: of the first round, the second, ...; the last one of all further ones
        :raises SettingsError: no whole round fits into the time
        """
        parts: list[tuple[torch.Tensor, ...]] = []
        started, photos = time.monotonic(), 0
        for number in range(images):
            moment = moments[min(number, len(moments) - 1)]
            for rows in torch.arange(len(people), device=self.device).split(batch):
                if time.monotonic() - started > max_minutes * 60.0:
                    if number == 0:
                        raise SettingsError(f'{max_minutes} minutes do not suffice for one photo '
                                            f'of each of {len(people)} people; give more')
                    return self._joined(parts, people, started, photos)
                parts.append(self.look(self.photographer.take(people, rows, moment)))
                photos += len(rows)
        return self._joined(parts, people, started, photos)

    @torch.no_grad()
    def look(self, taken: IdentityPhotos) -> tuple[torch.Tensor, ...]:
        """Return what a bank keeps of photos that show a face, in the order of its fields."""
        photos = taken.photos
        color = photos.color.float()
        with torch.autocast(self.device.type, torch.bfloat16):
            said = self.estimator(color.contiguous(memory_format=torch.channels_last))
        labels = said.mask.argmax(dim=1)  # (B, S, S)
        relief = torch.where(labels > 0, said.relief[:, 0].float() * BOX_SIDE_M, torch.nan)
        index = torch.as_tensor(nearest_pixels(labels.shape[-1]), device=self.device)
        small = labels[:, index][:, :, index]
        weights = torch.tensor(area_weights(color.shape[-1]), device=self.device)
        fine = (weights @ color @ weights.T + 0.5).to(torch.uint8)
        face = (small > 0).float().mean(dim=(1, 2)) >= _LEAST_FACE
        kept = (fine, small.to(torch.uint8), depth_inputs(relief, small).half(),
                depth_inputs(photos.relief, small).half(), taken.person, taken.yaw,
                taken.expression)
        return tuple(value[face] for value in kept)

    def _joined(self, parts: list[tuple[torch.Tensor, ...]], people: People, started: float,
                photos: int) -> IdentityBank:
        values = []
        for column in range(len(parts[0])):
            values.append(torch.cat([part[column] for part in parts]))
        bank = IdentityBank(*(*values[:6], people.coefficients, values[6]))
        seconds = time.monotonic() - started
        LOG.info('%d photos of %d people in %.0f s, %.0f photos/s; %.1f %% show no face',
                 len(bank), len(people), seconds, photos / seconds,
                 100.0 * (1.0 - len(bank) / photos))
        return bank


def load_estimator(spec: ModelSpec) -> FaceEstimator:
    """Return the shipped estimator as a torch network, from its ONNX file."""
    model = onnx.load_from_string(spec.read_onnx())
    stored = {tensor.name.removesuffix('.half'): torch.tensor(numpy_helper.to_array(tensor))
              for tensor in model.graph.initializer}
    network: Any = folded(build_face_estimator())
    missing = [name for name in network.state_dict() if name not in stored]
    if missing:
        raise SettingsError(f'{spec.onnx} lacks {", ".join(missing[:5])}: it is no file of '
                            'networks/face_estimator.py; export that again')
    network.load_state_dict({name: stored[name].float().reshape(value.shape)
                             for name, value in network.state_dict().items()})
    loaded: FaceEstimator = network.eval().to(memory_format=torch.channels_last)
    return loaded


def depth_inputs(relief: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """
    Make depth inputs of a batch, as core.recognition_input.depth_input.

    :param relief: (B, N, N) metres, NaN where invalid
    :param labels: (B, S, S)
    :returns: (B, S, S) float32
    """
    weights = torch.tensor(area_weights(relief.shape[-1]), device=relief.device)
    valid = relief.isfinite()
    share = weights @ valid.float() @ weights.T
    values = (weights @ torch.where(valid, relief, 0.0) @ weights.T) / share
    face = labels > 0
    known = face & (share > _COVERED)
    middle = torch.where(known, values, torch.nan).flatten(1).nanmedian(dim=1).values
    nearer = ((middle[:, None, None] - values) / RELIEF_UNIT_M).clamp(-DEPTH_LIMIT, DEPTH_LIMIT)
    return torch.where(known, nearer, torch.where(face, 0.0, -DEPTH_LIMIT))


def batch_of(bank: IdentityBank, rows: torch.Tensor, measured: torch.Tensor,
             ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    Return the inputs of a network.

    :param rows: (B,) int64; measured: (B,) bool, which take the sensor's depth
    :returns: color (B, 3, 112, 112), depth and mask (B, 1, 112, 112), float32
    """
    depth = torch.where(measured[:, None, None], bank.measured[rows], bank.estimated[rows])
    return (bank.color[rows].float(), depth.float()[:, None], bank.mask[rows].float()[:, None])


def read_bank(folder: Path) -> IdentityBank:
    """
    Read the parts that render_identity_bank has written, people numbered through.

    :raises SettingsError: there is none, or one is damaged
    """
    parts: list[dict[str, torch.Tensor]] = []
    people = 0
    for path in sorted(folder.glob('part_*.npz')):
        arrays = read_arrays(path, [f.name for f in fields(IdentityBank)])
        part = {name: torch.from_numpy(values) for name, values in arrays.items()}
        part['person'] = part['person'] + people
        people += len(part['identity'])
        parts.append(part)
    if not parts:
        raise SettingsError(f'no photos in {folder}; render them with `python -m '
                            'face_depth_ros.training.render_identity_bank`')
    return IdentityBank(**{name: torch.cat([part[name] for part in parts])
                           for name in parts[0]})


def on_device(bank: IdentityBank, device: torch.device) -> IdentityBank:
    """Return a bank whose photos lie on a device."""
    return IdentityBank(*(getattr(bank, f.name).to(device) for f in fields(bank)))


def rows_of_bank(bank: IdentityBank, rows: torch.Tensor) -> IdentityBank:
    """Return a bank of some photos; people stay as they are."""
    values = {f.name: getattr(bank, f.name) for f in fields(bank)}
    return IdentityBank(**{name: value if name == 'identity' else value[rows]
                           for name, value in values.items()})


__all__ = ['BankBuilder', 'batch_of', 'depth_inputs', 'IdentityBank', 'load_estimator',
           'on_device', 'read_bank', 'rows_of_bank', 'SIZE']
