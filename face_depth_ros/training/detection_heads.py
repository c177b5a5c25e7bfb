# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A bank of rendered heads, so that training images are composed instead of rendered.

A bank is a folder: `heads.npy` (mapped into memory, not read) and `heads.npz`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from face_depth_ros.core.errors import SettingsError
import numpy as np

BANK_EXPANSION = 1.6
"""Side of a stored crop / side of the face box, which lies upright in the crop's middle."""
PROFILE_LIMIT_DEG = 100.0
"""A head turned farther than this shows no face; it serves as a negative."""


@dataclass(frozen=True)
class HeadBank:
    """
    Rendered heads, upright, the face box in the middle.

    :param rgba: (N, S, S, 4) uint8, RGB times alpha, and alpha
    :param landmarks: (N, 5, 2) float32, from the box centre, in sides of the box
    :param visible: (N, 5) bool, landmarks that nothing hides
    :param yaw_deg: (N,) float32, positive when the subject turns to its left
    :param bald: (N,) bool, no hair is seen
    :param expansion: S / side of the box
    """

    rgba: np.ndarray
    landmarks: np.ndarray
    visible: np.ndarray
    yaw_deg: np.ndarray
    bald: np.ndarray
    expansion: float = BANK_EXPANSION

    def __post_init__(self) -> None:
        count = len(self.rgba)
        square = self.rgba.ndim == 4 and self.rgba.shape[1] == self.rgba.shape[2]
        if (not count or not square or self.rgba.shape[3] != 4 or self.rgba.dtype != np.uint8
                or self.landmarks.shape != (count, 5, 2) or self.visible.shape != (count, 5)
                or self.yaw_deg.shape != (count,) or self.bald.shape != (count,)):
            raise SettingsError(
                f'a head bank holds images {self.rgba.shape} {self.rgba.dtype}, landmarks '
                f'{self.landmarks.shape}, {self.visible.shape}, yaws {self.yaw_deg.shape} and '
                f'hair {self.bald.shape}; expected (N, S, S, 4) uint8, (N, 5, 2), (N, 5), (N,) '
                'and (N,) with N > 0: render it again')

    @property
    def faces(self) -> np.ndarray:
        """Indices of the heads whose face is seen, (K,)."""
        return np.nonzero(np.abs(self.yaw_deg) <= PROFILE_LIMIT_DEG)[0]

    @property
    def backs(self) -> np.ndarray:
        """Indices of the heads seen from behind, (K,)."""
        return np.nonzero(np.abs(self.yaw_deg) > PROFILE_LIMIT_DEG)[0]

    def save(self, folder: Path) -> None:
        """Write the bank; the folder is made."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / 'heads.npy', self.rgba)
        np.savez(folder / 'heads.npz', landmarks=self.landmarks, visible=self.visible,
                 yaw_deg=self.yaw_deg, bald=self.bald, expansion=np.float64(self.expansion))

    @staticmethod
    def load(folder: Path) -> HeadBank:
        """
        Open a bank; the images stay on disk.

        :raises SettingsError: it is not there, or damaged
        """
        try:
            rgba = np.load(folder / 'heads.npy', mmap_mode='r')
            with np.load(folder / 'heads.npz') as data:
                return HeadBank(rgba, data['landmarks'], data['visible'], data['yaw_deg'],
                                data['bald'], float(data['expansion']))
        except (OSError, ValueError, KeyError) as error:
            raise SettingsError(
                f'no usable head bank in {folder} ({error}); render one with `python -m '
                'face_depth_ros.training.render_head_bank`') from error


def premultiplied(rgba: np.ndarray) -> np.ndarray:
    """
    Multiply colour by alpha, so that images can be resampled.

    :param rgba: (..., 4) uint8, straight alpha
    :returns: (..., 4) uint8
    """
    alpha = rgba[..., 3:].astype(np.uint16)
    color = (rgba[..., :3] * alpha + 127) // 255
    return np.concatenate([color, alpha], axis=-1).astype(np.uint8)
