# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The estimators that the tables compare, opened: the mean face, the papers' networks, ours.

All of them see the same 256 x 256 crop, resampled to what their network takes, and answer on its
grid. A row that cannot be opened (its model is not there) is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import logging
from pathlib import Path
import zipfile

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_photo import (
    CROP_PX,
    FAR_M,
    LANDMARK_COUNT,
    NEAR_M,
    relief_to_grey,
)
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.compared_rows import ComparedRows
from face_depth_ros.predictors.estimator_methods import (
    CropEstimates,
    CropEstimator,
    GreyDepthNetwork,
    open_estimator,
)
import numpy as np

MEAN_FACE, OURS = 'Mean face', 'Ours'
CGAN, AUTOENCODER, PIX2PIX, CUI = 'cGAN', 'AE', 'pix2pix', 'Cui FCN'
DEPTHNET, DEPTHNET_NO_MASK = 'DepthNet', 'DepthNet without mask'
NETWORK_ROWS = {CUI: 'cui_fcn', PIX2PIX: 'pix2pix', AUTOENCODER: 'ae', CGAN: 'cgan',
                DEPTHNET_NO_MASK: 'depthnet_no_mask', DEPTHNET: 'depthnet', OURS: 'ours'}
"""Row -> name of the estimator."""
ROWS = (MEAN_FACE, *NETWORK_ROWS)
MEAN_FACE_FILE = 'mean_face.npz'
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class EstimatedFace:
    """
    What a row says of a crop of 256 pixels.

    :param relief: (256, 256) float32 metres behind the head point, NaN where it sees no face
    :param grey: (256, 256) float32, its grey depth image, 0 to 255
    :param mask: (256, 256) uint8 of core.face_photo.MASK_LABELS; skin alone if it knows no classes
    :param landmarks: (68, 2) float32 pixels of the crop, or None
    :param confidence: that there is a face, 0 to 1, or None
    :param has_mask: whether it knows the classes
    """

    relief: np.ndarray
    grey: np.ndarray
    mask: np.ndarray
    landmarks: np.ndarray | None = None
    confidence: float | None = None
    has_mask: bool = False


Estimate = Callable[[np.ndarray], EstimatedFace]
"""From a (256, 256, 3) uint8 RGB crop."""


class EstimatorRows(ComparedRows[Estimate]):
    """
    The rows of the tables, opened and warmed up; close it, or use it with `with`.

    :param rows: which, names of `ROWS`; they are kept in the order of `ROWS`
    :param mean_face: file of the mean face; None = that of the checkout
    :raises SettingsError: a name that is not a row
    """

    def __init__(self, backend: str = 'auto', precision: str = 'auto',
                 rows: Sequence[str] = ROWS, mean_face: Path | None = None) -> None:
        self._backend, self._precision, self._mean_face = backend, precision, mean_face
        self.networks: dict[str, CropEstimator] = {}
        super().__init__(ROWS, rows)

    def close(self) -> None:
        """Release the engines."""
        super().close()
        self.networks.clear()

    def _open(self, name: str) -> Estimate:
        if name == MEAN_FACE:
            face = load_mean_face(self._mean_face or checkout_data(MEAN_FACE_FILE))
            return lambda color: face
        network = open_estimator(NETWORK_ROWS[name], self._backend, self._precision)
        self._stack.callback(network.close)
        method = network_row(network)
        method(np.zeros((CROP_PX, CROP_PX, 3), np.uint8))
        self._describe(name, network.spec, network.engine, network.size)
        self.networks[name] = network
        return method


def network_row(network: CropEstimator) -> Estimate:
    """Return an estimator as a function on crops of 256 pixels."""
    painted = isinstance(network, GreyDepthNetwork)

    def run(color: np.ndarray) -> EstimatedFace:
        return on_crop(network.estimate(resampled_color(color, network.size)[None]), painted)
    return run


def resampled_color(color: np.ndarray, size: int) -> np.ndarray:
    """Return a square crop at another size: by area when shrinking, else bilinear."""
    if len(color) == size:
        return color
    flags = cv2.INTER_AREA if size < len(color) else cv2.INTER_LINEAR
    return cv2.resize(color, (size, size), interpolation=flags)


def on_crop(said: CropEstimates, painted: bool) -> EstimatedFace:
    """
    Bring an estimate of one crop to its 256 pixels.

    Surface and scores are resampled, and classes are decided there.

    :param painted: its depth is a grey image, which counts as it is, background and all; else
        there is depth on the face alone
    """
    surface = _resampled(said.surface[0])
    scores = np.stack([_resampled(score) for score in said.scores[0]])  # (C, 256, 256)
    mask = (scores.argmax(axis=0) if said.has_mask else scores[0] > 0).astype(np.uint8)
    # A painted image says by itself where its depth is; otherwise the mask does.
    face = _resampled(np.isfinite(said.relief[0]).astype(np.float32)) >= 0.5 if painted else (
        mask > 0)
    relief = np.where(face, surface, np.float32(np.nan))
    if painted:
        grey = np.clip((np.float32(FAR_M) - surface) * np.float32(255.0 / (FAR_M - NEAR_M)),
                       0.0, 255.0)
    else:
        grey = relief_to_grey(relief)
    landmarks = None if said.landmarks is None else said.landmarks[0] * np.float32(CROP_PX)
    return EstimatedFace(relief, grey.astype(np.float32), mask, landmarks,
                         float(said.confidence[0]), said.has_mask)


def load_mean_face(path: Path) -> EstimatedFace:
    """
    Read the mean face, which says the same of every crop.

    :raises DatasetError: not readable, or of another form
    """
    try:
        with np.load(path) as data:
            relief = data['relief'].astype(np.float32)
            mask, landmarks = data['mask'], data['landmarks']
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(f'cannot read the mean face in {path}: {error}; make it with `python '
                           '-m face_depth_ros.evaluation.render_mean_face`') from error
    square = (CROP_PX, CROP_PX)
    if relief.shape != square or mask.shape != square or landmarks.shape != (LANDMARK_COUNT, 2):
        raise DatasetError(f'{path} holds relief {relief.shape}, mask {mask.shape} and landmarks '
                           f'{landmarks.shape}, expected {square}, {square} and '
                           f'({LANDMARK_COUNT}, 2)')
    return EstimatedFace(relief, relief_to_grey(relief), mask, landmarks, has_mask=True)


def _resampled(image: np.ndarray) -> np.ndarray:
    """Return an (S, S) float32 image at 256 pixels."""
    return resampled_color(image, CROP_PX)
