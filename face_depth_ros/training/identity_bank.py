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
from dataclasses import dataclass, fields, replace
import logging
import math
from pathlib import Path
import time
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_frame import FRAME_PX, frames_of
from face_depth_ros.core.face_photo import BOX_SIDE_M, LANDMARK_COUNT
from face_depth_ros.core.face_surface import depth_of_relief, face_surface, FaceSurface
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
from face_depth_ros.training.autocast import autocast
from face_depth_ros.training.bank_files import read_arrays
from face_depth_ros.training.folding import folded, load_folded
import numpy as np
import torch
from torch.nn import functional

LOG = logging.getLogger('identity_bank')
_LEAST_FACE = 0.04
"""A mask that covers less of the crop shows no face; the estimator's node publishes none."""
_COVERED = 0.5
_DEPTHS = ('estimated', 'measured')
_SEEN_PX = 192
"""Pixels along a side of the estimator's crop."""


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
    :param look: (P, L) float32, looks in numbers (synthesis.face_looks); L = 0 where unknown
    :param surface: (N, F) float32, what the sensor measured in metres, see `surface_of_row`; F = 0
        where it is not kept
    """

    color: torch.Tensor
    mask: torch.Tensor
    estimated: torch.Tensor
    measured: torch.Tensor
    person: torch.Tensor
    yaw: torch.Tensor
    identity: torch.Tensor
    expression: torch.Tensor
    look: torch.Tensor
    surface: torch.Tensor

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
    :param framed: whether faces are seen in the frame of their landmarks (core.face_frame), as
        recognisers see them, or in their boxes
    :param surfaces: whether to keep what the sensor measured in metres too, 37 KB a photo
    """

    def __init__(self, photographer: IdentityPhotographer, estimator: str = 'face_estimator',
                 *, framed: bool = True, surfaces: bool = False) -> None:
        self.photographer, self.device = photographer, photographer.device
        self.framed, self.surfaces = framed, surfaces
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
        shown = color if color.shape[-1] == _SEEN_PX else functional.interpolate(
            color, size=(_SEEN_PX, _SEEN_PX), mode='bilinear', align_corners=False)
        with autocast(self.device):
            said = self.estimator(shown.contiguous(memory_format=torch.channels_last))
        labels = said.mask.argmax(dim=1)  # (B, S, S)
        relief = torch.where(labels > 0, said.relief[:, 0].float() * BOX_SIDE_M, torch.nan)
        landmarks = said.landmarks.float() if self.framed else None
        seen = inputs_of_crops(color, labels, (relief, photos.relief), landmarks)
        face = (seen[1] > 0).float().mean(dim=(1, 2)) >= _LEAST_FACE
        surface = torch.zeros(len(color), 0, device=self.device)
        if self.surfaces:
            surface = surface_rows(taken, labels, said.landmarks.float())
        kept = (*seen, taken.person, taken.yaw, taken.expression, surface)
        return tuple(value[face] for value in kept)

    def _joined(self, parts: list[tuple[torch.Tensor, ...]], people: People, started: float,
                photos: int) -> IdentityBank:
        values = []
        for column in range(len(parts[0])):
            values.append(torch.cat([part[column] for part in parts]))
        bank = IdentityBank(*(*values[:6], people.coefficients, values[6], people.code, values[7]))
        seconds = time.monotonic() - started
        LOG.info('%d photos of %d people in %.0f s, %.0f photos/s; %.1f %% show no face',
                 len(bank), len(people), seconds, photos / seconds,
                 100.0 * (1.0 - len(bank) / photos))
        return bank


def inputs_of_crops(color: torch.Tensor, labels: torch.Tensor,
                    reliefs: tuple[torch.Tensor, ...], landmarks: torch.Tensor | None,
                    ) -> tuple[torch.Tensor, ...]:
    """
    Make what recognisers see of faces in their crops, as core.face_frame on a robot.

    :param color: (B, 3, N, N) float32, 0 to 255; labels: (B, M, M)
    :param reliefs: (B, L, L) metres each, NaN where invalid
    :param landmarks: (B, 68, 2) in shares of the side; None = leave faces in their crops
    :returns: color (B, 3, 112, 112) uint8, labels (B, 112, 112) uint8, and a depth input (B, 112,
        112) float16 of each relief
    """
    if landmarks is not None:
        frames = torch.as_tensor(frames_of(landmarks.cpu().numpy()), dtype=torch.float32,
                                 device=color.device)
        color, labels = into_frames(color, frames), labels_into_frames(labels, frames)
        reliefs = tuple(relief_into_frames(relief, frames) for relief in reliefs)
    index = torch.as_tensor(nearest_pixels(labels.shape[-1]), device=color.device)
    small = labels[:, index][:, :, index]
    weights = torch.tensor(area_weights(color.shape[-1]), device=color.device)
    return ((weights @ color @ weights.T + 0.5).to(torch.uint8), small.to(torch.uint8),
            *(depth_inputs(relief, small).half() for relief in reliefs))


def into_frames(images: torch.Tensor, frames: torch.Tensor, mode: str = 'bilinear',
                ) -> torch.Tensor:
    """
    Warp images of boxes into frames, on a grid twice as fine as the recogniser's.

    :param images: (B, C, N, N); frames: (B, 2, 3), see `core.face_frame.frames_of`
    :returns: (B, C, 224, 224), 0 beyond the box
    """
    inverse = torch.linalg.inv(frames[:, :, :2])
    shift = (0.5 - frames[:, :, 2:])
    # affine_grid counts from -1 to 1: a place p is 2 p - 1.
    theta = torch.cat([inverse, 2.0 * (inverse @ shift) - 1.0], dim=2)
    grid = functional.affine_grid(theta, [len(images), 1, FRAME_PX, FRAME_PX],
                                  align_corners=False)
    return functional.grid_sample(images.float(), grid, mode=mode, align_corners=False)


def labels_into_frames(labels: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Warp labels (B, N, N) by their nearest pixels, (B, 224, 224)."""
    return into_frames(labels[:, None].float(), frames, 'nearest')[:, 0].long()


def relief_into_frames(relief: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Warp relief (B, N, N), NaN where invalid, (B, 224, 224)."""
    valid = relief.isfinite()
    both = torch.stack([valid.float(), torch.where(valid, relief, 0.0)], dim=1)
    share, total = into_frames(both, frames).unbind(dim=1)
    return torch.where(share > _COVERED, total / share, torch.nan)


def surface_rows(taken: IdentityPhotos, labels: torch.Tensor,
                 landmarks: torch.Tensor) -> torch.Tensor:
    """
    Return the measured skin of photos as rows of numbers, (B, F) float32.

    :param labels: (B, S, S) int64, as the estimator tells them
    :param landmarks: (B, 68, 2) in shares of the side, likewise
    """
    relief = taken.photos.relief.cpu().numpy()
    side = relief.shape[-1]
    place = ((np.arange(side) + 0.5) * (labels.shape[-1] / side)).astype(np.int64)
    masks = labels.cpu().numpy()[:, place][:, :, place]
    rows = []
    for i, (position, camera) in enumerate(zip(
            taken.position.cpu().numpy(), taken.pixel_of_slope.cpu().numpy(), strict=True)):
        surface = face_surface(depth_of_relief(relief[i], position, camera), masks[i], camera,
                               landmarks[i].cpu().numpy() * side)
        rows.append(row_of_surface(surface))
    return torch.as_tensor(np.stack(rows), device=taken.position.device)


def row_of_surface(surface: FaceSurface) -> np.ndarray:
    """Return the numbers (F,) float32 of which `surface_of_row` makes the surface again."""
    return np.concatenate([surface.pixel_of_slope.ravel(), surface.landmarks.ravel(),
                           surface.depth.ravel()]).astype(np.float32)


def surface_of_row(row: np.ndarray) -> FaceSurface:
    """Return the measured skin of a photo from a row (F,) of `IdentityBank.surface`."""
    camera, landmarks, depth = np.split(row, (6, 6 + 2 * LANDMARK_COUNT))
    side = math.isqrt(len(depth))
    return FaceSurface(depth.reshape(side, side), camera.reshape(2, 3).astype(np.float64),
                       landmarks.reshape(-1, 2).astype(np.float64))


def load_estimator(spec: ModelSpec) -> FaceEstimator:
    """Return the shipped estimator as a torch network, from its ONNX file."""
    network: Any = folded(build_face_estimator())
    load_folded(network, spec)
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


def read_bank(folder: Path, *, depth: bool = True) -> IdentityBank:
    """
    Read the parts that render_identity_bank has written, people numbered through.

    :param depth: whether to read depth inputs, half of a bank; else they are (N, 0)
    :raises SettingsError: there is none, or one is damaged
    """
    parts: list[dict[str, torch.Tensor]] = []
    people = 0
    for path in sorted(folder.glob('part_*.npz')):
        arrays = read_arrays(path, [f.name for f in fields(IdentityBank)
                                    if depth or f.name not in _DEPTHS])
        part = {name: torch.from_numpy(values) for name, values in arrays.items()}
        part |= {name: torch.zeros(len(part['person']), 0) for name in _DEPTHS if name not in part}
        part['person'] = part['person'] + people
        people += len(part['identity'])
        parts.append(part)
    if not parts:
        raise SettingsError(f'no photos in {folder}; render them with `python -m '
                            'face_depth_ros.training.render_identity_bank`')
    return IdentityBank(**{name: torch.cat([part[name] for part in parts])
                           for name in parts[0]})


def without_depth(bank: IdentityBank) -> IdentityBank:
    """Return a bank without depth inputs, as `read_bank` without them."""
    return replace(bank, **{name: torch.zeros(len(bank), 0, device=bank.person.device)
                            for name in _DEPTHS})


def on_device(bank: IdentityBank, device: torch.device) -> IdentityBank:
    """Return a bank whose photos lie on a device."""
    return IdentityBank(*(getattr(bank, f.name).to(device) for f in fields(bank)))


def rows_of_bank(bank: IdentityBank, rows: torch.Tensor) -> IdentityBank:
    """Return a bank of some photos; people stay as they are."""
    values = {f.name: getattr(bank, f.name) for f in fields(bank)}
    return IdentityBank(**{name: value if name in ('identity', 'look') else value[rows]
                           for name, value in values.items()})


__all__ = ['BankBuilder', 'batch_of', 'depth_inputs', 'IdentityBank', 'load_estimator',
           'on_device', 'read_bank', 'rows_of_bank', 'SIZE', 'without_depth']
