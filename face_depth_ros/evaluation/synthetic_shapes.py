# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
People of the test split at fixed yaws with their true shapes, and a linear model fitted to them.

Each person is seen once at each of `YAWS`, to either side, with expression, light, hair and
glasses of the day. Neither the people nor their blends of skins were trained on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
import zipfile

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_mesh import face_mesh
from face_depth_ros.synthesis.identity_photos import IdentityPhotographer, Moments
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.synthesis.multi_image_fit import FitSettings, MorphableFitter
from face_depth_ros.synthesis.photo_batches import PhotoStyle
import numpy as np
import torch

YAWS = tuple(float(yaw) for yaw in range(0, 100, 10))
"""Degrees to either side."""
BASELINE_MODES = 40
_SEED, _FIRST_PERSON, _BATCH = 7_700_000, 50_000, 20
_M_PER_CM = 0.01


@dataclass(frozen=True)
class ShapePhotos:
    """
    N photos, person by person within each yaw.

    :param color: (N, S, S, 3) uint8 RGB crops of the face box
    :param person: (N,) int64; yaw: (N,) degrees, to either side
    :param identity: (N, 100), expression: (N, 57) float32, of the head model
    """

    color: np.ndarray
    person: np.ndarray
    yaw: np.ndarray
    identity: np.ndarray
    expression: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


def shape_photos(folder: Path, people: int, assets: str = '') -> ShapePhotos:
    """
    Return photos, rendered where the folder does not have them: ten a second.

    :param folder: keeps `shapes_<people>.npz`
    :raises DatasetError: what is there is damaged
    :raises AssetsError: the assets are not there
    """
    path = folder / f'shapes_{people}.npz'
    if path.is_file():
        try:
            with np.load(path) as data:
                return ShapePhotos(**{f.name: data[f.name] for f in fields(ShapePhotos)})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DatasetError(f'{path} is damaged ({error}); delete it, it is rendered again'
                               ) from error
    photos = rendered_photos(people, YAWS, assets)
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    with partial.open('wb') as file:
        np.savez(file, **asdict(photos))
    partial.replace(path)
    return photos


def rendered_photos(people: int, yaws: tuple[float, ...], assets: str = '') -> ShapePhotos:
    """Render each person once at each yaw."""
    photographer = IdentityPhotographer(find_assets(assets or None), 'cpu', _SEED, backgrounds=60)
    told = photographer.people('test', range(_FIRST_PERSON, _FIRST_PERSON + people),
                               mannequins=0.0)
    parts: list[tuple[np.ndarray, ...]] = []
    for yaw in yaws:
        moment = Moments(yaw=(yaw, yaw), frontal=0.0, pitch_sigma=5.0,
                         style=PhotoStyle(occluders=0.0, cut=0.0))
        for rows in torch.arange(people).split(_BATCH):
            taken = photographer.take(told, rows, moment)
            parts.append((taken.photos.color.permute(0, 2, 3, 1).numpy(), rows.numpy(),
                          taken.yaw.numpy(), told.coefficients[rows].numpy(),
                          taken.expression.numpy()))
    color, person, yaw_deg, identity, expression = (np.concatenate(c)
                                                    for c in zip(*parts, strict=True))
    return ShapePhotos(color, person, yaw_deg, identity, expression)


class ShapeModel:
    """
    The head model behind the photos, on the vertices of a shape network.

    :param vertices: of the network's mesh
    :raises AssetsError: the assets are not there
    """

    def __init__(self, vertices: int, assets: str = '') -> None:
        self.head = MorphableHead(find_assets(assets or None))
        mesh = face_mesh(self.head, vertices)
        self.triangles = mesh.triangles
        self._rows = torch.as_tensor(mesh.vertices)

    def shapes(self, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """
        Return shapes in the frame of the head.

        :param identity: (B, 100); expression: (B, 57)
        :returns: (B, V, 3) float32 m
        """
        cm = self.head.vertices(torch.as_tensor(identity), torch.as_tensor(expression))
        shapes: np.ndarray = (cm[:, self._rows] * _M_PER_CM).numpy()
        return shapes

    def fitted(self, landmarks: np.ndarray, visibility: np.ndarray,
               modes: int = BASELINE_MODES) -> tuple[np.ndarray, np.ndarray]:
        """
        Fit the first modes of identity, and expressions, to the landmarks of single photos.

        :param landmarks: (B, 68, 2) in sides of the crop; visibility: (B, 68), 0 to 1
        :returns: identity (B, 100), expression (B, 57)
        """
        fitter = MorphableFitter(self.head, FitSettings(identity_modes=modes))
        # A hidden point is where the estimator expects it, which still tells something.
        weights = torch.as_tensor(0.1 + 0.9 * visibility)
        fit = fitter.fit(torch.as_tensor(landmarks)[:, None], weights[:, None])
        return fit.identity.numpy(), fit.expression[:, 0].numpy()
