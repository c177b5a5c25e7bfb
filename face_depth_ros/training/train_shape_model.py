# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Learn the statistical model of faces that recognisers lay on measured depth (core/shape_model.py).

    python -m face_depth_ros.training.train_shape_model --out runs/shape_model.npz

Modes of identity and of expression are the principal components of faces of the train split, of
thousands of people and of expressions. Then photos are taken of some of those people, the shipped
estimator looks at them, and the model is laid on what a sensor measures: how much photos of one
person differ says how the coefficients are weighed (linear discriminant analysis). Their photos
are kept in runs/shape_people. Ten minutes on a CPU; no gradient is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
import logging
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.shape_model import ShapeModel
from face_depth_ros.synthesis.assets import FaceAssets, find_assets
from face_depth_ros.synthesis.expressions import ExpressionTable
from face_depth_ros.synthesis.identity_photos import (
    ExpressionDraws,
    SESSIONS,
    TRAINING,
)
from face_depth_ros.synthesis.identity_splits import identity_coefficients
from face_depth_ros.synthesis.morphable_head import HEAD_POINT_CM, MorphableHead
from face_depth_ros.training.identity_bank import IdentityBank, surface_of_row
from face_depth_ros.training.identity_validation import photographed
from face_depth_ros.training.run import settings_parser
import numpy as np
import torch

LOG = logging.getLogger('shape_model')
_SKIN = ('skin', 'left_brow', 'right_brow', 'nose', 'upper_lip', 'lower_lip')
_LEAST_NORMAL = -0.2
"""Of the normal's part towards the front; what looks further back is never seen."""
_FIRST_PERSON, _SEED, _PEOPLE_OF_PART = 500_000, 8_000_000, 30
_DRAWN = 0.3
"""Share of the diagonal in the covariance within people."""
_FACING = np.array([1.0, -1.0, -1.0])
_MOMENTS = ('gallery', 'pose', 'time', 'expression', 'occlusion', 'time')


@dataclass(frozen=True)
class Settings:
    """
    What is learned of, and how much of it.

    :param out: the file to write
    :param bank: folder of the photos, filled where parts are missing
    :param assets: folder of the head; '' = as `find_assets`
    :param points: of the model
    :param identities, expressions: modes
    :param shapes: people and expressions of whom the modes are learned
    :param people: who is photographed, six times each
    :param dimensions: of the embedding
    """

    out: str = 'runs/shape_model.npz'
    bank: str = 'runs/shape_people'
    assets: str = ''
    points: int = 600
    identities: int = 64
    expressions: int = 16
    shapes: int = 5000
    people: int = 300
    dimensions: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        problems = [f'{name} is {getattr(self, name)}, expected > 0' for name in (
            'points', 'identities', 'expressions', 'shapes', 'people', 'dimensions')
            if getattr(self, name) <= 0]
        if self.dimensions > self.identities:
            problems.append(f'dimensions is {self.dimensions}, expected at most {self.identities}')
        if problems:
            raise SettingsError('settings of the shape model: ' + '; '.join(problems))


def main(arguments: list[str] | None = None) -> None:
    """Learn and write a model."""
    settings = Settings(**vars(settings_parser(Settings, __doc__).parse_args(arguments)))
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    arrays = learn_modes(find_assets(settings.assets or None), settings)
    photos = shape_people(Path(settings.bank), settings.assets, settings.people)
    arrays['projection'] = learn_projection(ShapeModel(arrays), photos, settings.dimensions)
    save_model(Path(settings.out), arrays)


def shape_people(folder: Path, assets: str, people: int = Settings.people) -> IdentityBank:
    """Read six photos of each of some people of the train split, taken where they are missing."""
    return photographed(folder, assets, 'train', range(_FIRST_PERSON, _FIRST_PERSON + people),
                        [SESSIONS[name] for name in _MOMENTS], _SEED, _PEOPLE_OF_PART)


def save_model(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a model; modes lose what float16 does not hold, at most 0.05 % of each."""
    ShapeModel(arrays, str(path))
    half = ('identity', 'expression', 'normals')
    kept: dict[str, Any] = {name: values.astype(np.float16 if name in half else np.float32)
                            for name, values in arrays.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    with partial.open('wb') as file:
        np.savez_compressed(file, **kept)
    partial.replace(path)
    LOG.info('%s: %d bytes', path, path.stat().st_size)


def learn_modes(assets: FaceAssets, settings: Settings) -> dict[str, np.ndarray]:
    """
    Return the arrays of a `ShapeModel`, the projection that of the coefficients themselves.

    :raises SettingsError: more points are asked for than the head has
    """
    head = MorphableHead(assets)
    generator = np.random.default_rng(settings.seed)
    chosen, normals = sampled_points(head, settings.points, generator)
    chosen = np.concatenate([chosen, head.landmark_vertices])
    identities = np.stack([identity_coefficients('train', i) for i in range(settings.shapes)])
    still = np.zeros((1, len(head.expression_names)), np.float32)
    shown = _points(head, identities, np.repeat(still, settings.shapes, axis=0), chosen)
    mean, modes = principal_modes(shown, settings.identities)
    draws = ExpressionDraws(ExpressionTable(assets, head.expression_names))
    weights = draws.draw(settings.shapes, TRAINING, generator)
    moved = _points(head, np.zeros((settings.shapes, identities.shape[1]), np.float32), weights,
                    chosen) - _points(head, np.zeros((1, identities.shape[1]), np.float32), still,
                                      chosen)
    usual, expressions = principal_modes(moved, settings.expressions)
    return {'mean': mean + usual, 'identity': modes, 'expression': expressions,
            'normals': normals, 'projection': np.eye(settings.identities)[
                :, :settings.dimensions]}


def sampled_points(head: MorphableHead, count: int, generator: np.random.Generator,
                   ) -> tuple[np.ndarray, np.ndarray]:
    """
    Choose points of the face's skin in random order, each region by its area.

    :returns: numbers of vertices (count,); normals (count, 3) of the mean head facing the camera
    """
    labels = [head.label_names.index(name) for name in _SKIN]
    triangles = head.triangles[head.slots('face') & np.isin(head.triangle_label, labels)]
    a, b, c = (head.neutral_cm[triangles[:, corner]] for corner in range(3))
    facing = np.zeros_like(head.neutral_cm)
    for corner in range(3):
        np.add.at(facing, triangles[:, corner], np.cross(b - a, c - a))
    area = np.linalg.norm(facing, axis=1)
    normals = facing / np.maximum(area, 1e-9)[:, None]
    area[normals[:, 2] < _LEAST_NORMAL] = 0.0
    if int((area > 0).sum()) < count:
        raise SettingsError(f'the face has {int((area > 0).sum())} points, expected at least '
                            f'{count}; ask for fewer by --points')
    chosen = generator.choice(len(area), count, replace=False, p=area / area.sum())
    return chosen, normals[chosen] * _FACING


def _points(head: MorphableHead, identity: np.ndarray, expression: np.ndarray,
            chosen: np.ndarray) -> np.ndarray:
    """Return points (B, N, 3) in metres from the head point, the head facing the camera."""
    parts = []
    for rows in np.array_split(np.arange(len(identity)), max(len(identity) // 100, 1)):
        vertices = head.vertices(torch.from_numpy(identity[rows]),
                                 torch.from_numpy(expression[rows])).numpy()
        parts.append((vertices[:, chosen] - np.array(HEAD_POINT_CM)) * 0.01 * _FACING)
    return np.concatenate(parts)


def principal_modes(shapes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the mean and the principal components, each as far as one sigma goes.

    :param shapes: (B, N, 3)
    :returns: (N, 3) and (count, N, 3)
    """
    mean = shapes.mean(axis=0)
    off = (shapes - mean).reshape(len(shapes), -1)
    _, values, axes = np.linalg.svd(off, full_matrices=False)
    share = float((values[:count] ** 2).sum() / (values ** 2).sum())
    LOG.info('%d modes hold %.2f %% of the variance', count, 100.0 * share)
    modes = axes[:count] * (values[:count, None] / np.sqrt(len(shapes)))
    return mean, modes.reshape(count, *mean.shape)


def learn_projection(model: ShapeModel, photos: IdentityBank, dimensions: int) -> np.ndarray:
    """
    Weigh the coefficients by how little they differ within people.

    :returns: (K, dimensions) float32
    :raises SettingsError: the model fits too few of the photos
    """
    fits = [model.fit(surface_of_row(row)) for row in photos.surface.numpy()]
    good = np.array([fit is not None and fit.good for fit in fits])
    LOG.info('the model fits %d of %d photos', good.sum(), len(good))
    if good.sum() < 4 * model.identities:
        raise SettingsError(f'the model fits {good.sum()} of {len(good)} photos, expected at '
                            f'least {4 * model.identities}; photograph more people by --people')
    codes = np.stack([fit.identity for fit, is_good in zip(fits, good, strict=True)
                      if fit is not None and is_good])
    person = photos.person.numpy()[good]
    return discriminant(codes, person, dimensions)


def discriminant(codes: np.ndarray, person: np.ndarray, dimensions: int,
                 drawn: float = _DRAWN) -> np.ndarray:
    """
    Return the axes along which people differ most against what photos of one person differ.

    The covariance within people is drawn towards its diagonal, for it is measured on few photos.

    :param codes: (N, K); person: (N,), at least two photos of each
    :param drawn: how far, 0 to 1
    :returns: (K, dimensions) float32; the variance of photos along each is the square of its
        reliability, which is the share of people in the variance
    """
    _, index, count = np.unique(person, return_inverse=True, return_counts=True)
    means = np.zeros((len(count), codes.shape[1]))
    np.add.at(means, index, codes)
    means /= count[:, None]
    off = codes - means[index]
    within = off.T @ off / (len(codes) - len(count))
    between = np.cov(means, rowvar=False) - within / count.mean()
    within = (1.0 - drawn) * within + drawn * np.diag(np.diag(within))
    values, axes = np.linalg.eigh(within)
    whitening = axes / np.sqrt(values)
    ratio, ways = np.linalg.eigh(whitening.T @ between @ whitening)
    ratio = np.clip(ratio[::-1][:dimensions], 0.0, None)
    chosen = whitening @ ways[:, ::-1][:, :dimensions]
    return (chosen * (ratio / (1.0 + ratio) ** 1.5)).astype(np.float32)


if __name__ == '__main__':
    main()
