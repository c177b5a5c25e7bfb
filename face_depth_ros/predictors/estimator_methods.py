# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The networks that estimate relief, mask and landmarks from canonical colour crops.

Ours says all of it; those of the papers paint a grey depth image, DepthNet a mask beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import cv2
from face_depth_ros.core.errors import InvalidImageError, ModelSpecError
from face_depth_ros.core.face_photo import BOX_SIDE_M, grey_to_relief, MASK_LABELS
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.engines import Engine, open_engine
import numpy as np

OURS = 'ours'
ESTIMATORS = {OURS: 'face_estimator', 'depthnet': 'depthnet', 'cgan': 'cgan',
              'depthnet_no_mask': 'depthnet_no_mask', 'ae': 'cgan_ae', 'pix2pix': 'pix2pix',
              'cui_fcn': 'cui_fcn'}
"""Name -> model."""
NODE_ESTIMATORS = (OURS, 'depthnet', 'cgan')
_SIGMA_OF_MEAN_ERROR = 1.2533
_FULL_FACE = 0.12
"""A painted face that covers so much of the crop's middle is one for sure."""
_MADE_BY = {
    'face_estimator': 'python -m face_depth_ros.training.train_face_estimator, then '
                      'python -m face_depth_ros.training.export_face_estimator'}


@dataclass(frozen=True)
class CropEstimates:
    """
    What a network says of B crops.

    :param relief: (B, S, S) float32 metres behind the head point for a head of 22 cm in the box,
        NaN outside the face
    :param surface: the same without the NaN, where the network says depth everywhere
    :param sigma: (B, S, S) float32 metres, one sigma of `surface`, None if it does not say
    :param mask: (B, S, S) uint8 of core.face_photo.MASK_LABELS; skin alone if it knows no classes
    :param scores: (B, C, S, S) float32, how much each class is believed, for resampling; C = 7, or
        1 if it knows no classes: above 0 = face
    :param landmarks: (B, 68, 2) float32 in sides of the crop, None if it has none
    :param visibility: (B, 68) float32, 0 to 1, None likewise
    :param confidence: (B,) float32, 0 to 1
    :param has_mask: whether it knows the classes
    """

    relief: np.ndarray
    surface: np.ndarray
    sigma: np.ndarray | None
    mask: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray | None
    visibility: np.ndarray | None
    confidence: np.ndarray
    has_mask: bool


class CropEstimator(ABC):
    """
    A network, opened.

    :param size: pixels along a side of its crops
    """

    def __init__(self, spec: ModelSpec, backend: str = 'auto', precision: str = 'auto') -> None:
        self.spec = spec
        self.size, self._channels = _input_form(spec)
        self.engine: Engine = open_engine(spec, backend, precision)

    def estimate(self, crops: np.ndarray) -> CropEstimates:
        """
        Estimate all crops in one inference.

        :param crops: (B, S, S, 3) uint8 RGB, S = `size`, B > 0
        :raises InvalidImageError: crops of another form
        """
        if crops.dtype != np.uint8 or crops.ndim != 4 or not len(crops) or crops.shape[1:] != (
                self.size, self.size, 3):
            raise InvalidImageError(
                f'{self.spec.name} takes (B, {self.size}, {self.size}, 3) uint8 RGB crops, B > 0, '
                f'got {crops.shape} {crops.dtype}')
        if self._channels == 1:
            crops = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None] for crop in crops])
        tensor = np.ascontiguousarray(crops.transpose(0, 3, 1, 2)).astype(np.float32)
        return self._decoded(self.engine({self.spec.inputs[0].name: tensor}))

    def close(self) -> None:
        """Release the engine; closing twice is allowed."""
        self.engine.close()

    @abstractmethod
    def _decoded(self, outputs: dict[str, np.ndarray]) -> CropEstimates:
        """Read the network's outputs."""


class FaceEstimatorNetwork(CropEstimator):
    """Our network."""

    def _decoded(self, outputs: dict[str, np.ndarray]) -> CropEstimates:
        scores = outputs['mask']  # (B, 7, S, S)
        mask = scores.argmax(axis=1).astype(np.uint8)
        surface = outputs['relief'][:, 0] * np.float32(BOX_SIDE_M)
        sigma = np.exp(outputs['log_sigma'][:, 0]) * np.float32(
            BOX_SIDE_M * _SIGMA_OF_MEAN_ERROR)
        return CropEstimates(np.where(mask > 0, surface, np.float32(np.nan)), surface, sigma, mask,
                             scores, outputs['landmarks'], _sigmoid(outputs['visibility']),
                             _sigmoid(outputs['confidence'][:, 0]), True)


class GreyDepthNetwork(CropEstimator):
    """
    A network of the papers: a grey depth image, and DepthNet's mask.

    Its spec says from which grey on (`face_from_grey`) the image shows a face.
    """

    def __init__(self, spec: ModelSpec, backend: str = 'auto', precision: str = 'auto') -> None:
        self._face_grey = np.float32(spec.number('face_from_grey'))
        super().__init__(spec, backend, precision)

    def _decoded(self, outputs: dict[str, np.ndarray]) -> CropEstimates:
        grey = (outputs['depth'][:, 0] + np.float32(1.0)) * np.float32(127.5)
        painted = grey > self._face_grey
        if 'mask' in outputs:
            scores = outputs['mask']  # (B, 7, S, S)
            mask = scores.argmax(axis=1).astype(np.uint8)
        else:
            scores = grey[:, None] - self._face_grey
            mask = painted.astype(np.uint8) * np.uint8(MASK_LABELS.index('skin'))
        everywhere = np.ones_like(painted)
        quarter = slice(self.size // 4, 3 * self.size // 4)
        share = (mask[:, quarter, quarter] > 0).mean(axis=(1, 2)).astype(np.float32)
        return CropEstimates(grey_to_relief(grey, painted), grey_to_relief(grey, everywhere),
                             None, mask, scores, None, None,
                             np.minimum(share / np.float32(4 * _FULL_FACE), 1.0),
                             'mask' in outputs)


def find_estimator(name: str) -> ModelSpec:
    """
    Return the spec of an estimator.

    :param name: a key of `ESTIMATORS`, or the name or path of a ModelSpec
    :raises ModelSpecError: there is no such model; the message names the command that makes it
    """
    model = ESTIMATORS.get(name, name)
    try:
        return find_model(model)
    except ModelSpecError as error:
        if error.cause != 'model_missing' or model not in ESTIMATORS.values():
            raise
        made_by = _MADE_BY.get(model, 'python -m face_depth_ros.training.train_depth_baseline '
                               f'--network {model}, then python -m '
                               f'face_depth_ros.training.export_depth_baseline {model}')
        raise ModelSpecError(f'estimator {name}: model {model} is not there; make it by: '
                             f'{made_by} ({error})', cause='model_missing') from error


def open_estimator(name: str, backend: str = 'auto', precision: str = 'auto') -> CropEstimator:
    """
    Open a network; parameters and errors as of `find_estimator`.

    :raises ModelSpecError: its outputs are not those of an estimator
    """
    spec = find_estimator(name)
    names = {t.name for t in spec.outputs}
    if {'relief', 'log_sigma', 'mask', 'landmarks', 'visibility', 'confidence'} <= names:
        return FaceEstimatorNetwork(spec, backend, precision)
    if 'depth' in names:
        return GreyDepthNetwork(spec, backend, precision)
    raise ModelSpecError(f'{spec.path}: the outputs are {sorted(names)}, expected those of the '
                         'face estimator, or depth: this model estimates no faces')


def _input_form(spec: ModelSpec) -> tuple[int, int]:
    """Return side and channels of the crops."""
    shape = spec.inputs[0].shape if len(spec.inputs) == 1 else ()
    if len(shape) != 4 or shape[1] not in (1, 3) or shape[2] != shape[3] or shape[2] < 1:
        raise ModelSpecError(f'{spec.path}: the input has shape {shape}, expected one of '
                             '(-1, 3, S, S) or (-1, 1, S, S); export the model again')
    return shape[2], shape[1]


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return (1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))).astype(np.float32)
