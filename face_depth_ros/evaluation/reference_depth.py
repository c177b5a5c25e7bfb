# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""True depth of a bag's frames, made by other means, and what it says of raw and enhanced."""

from __future__ import annotations

from dataclasses import dataclass
import os
from pathlib import Path
import zipfile

import cv2
from face_depth_ros.core.errors import BagError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.core.metrics import rmse
import numpy as np

_NAMES = ('fused_depth.npz', 'true_depth.npz')
_KEYS = ('depth_mm', 'valid', 'stamp_ns')
_POSE_KEYS = ('R_camera_to_model', 't_camera_to_model')
_HEAD_MARGIN_PIXELS = 2
NEAR_MM = 15.0
"""A measurement that is off by more is a flying pixel or another surface, not noise."""


@dataclass(frozen=True)
class ReferenceScore:
    """
    One frame against the reference, on measured pixels of its faces where the reference holds.

    :param rmse_raw_mm: of the camera's depth
    :param rmse_enhanced_mm: of the enhanced depth, same pixels
    :param pixels: how many were compared
    :param lost: share of them without enhanced depth, not in the RMSE
    :param on_head: whether every box centre lies on the reference's surface
    :param near_rmse_raw_mm: only pixels where the camera is within `NEAR_MM` of the reference
    :param near_rmse_enhanced_mm: the same pixels, enhanced
    """

    rmse_raw_mm: float
    rmse_enhanced_mm: float
    near_rmse_raw_mm: float
    near_rmse_enhanced_mm: float
    pixels: int
    lost: float
    on_head: bool

    @staticmethod
    def unknown() -> ReferenceScore:
        """Return the score of a frame without reference or face."""
        nan = float('nan')
        return ReferenceScore(nan, nan, nan, nan, 0, nan, False)


class ReferenceDepth:
    """
    Reference frames of an .npz file, found by stamp.

    Keys: depth_mm (N, H, W) numbers with 0 = nothing there, valid (N, H, W) bool where it may be
    used, stamp_ns (N,); if known yaw_deg (N,), R_camera_to_model (N, 3, 3) and t_camera_to_model
    (N, 3) metres.

    :raises BagError: not readable, or keys missing or of unequal length
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with np.load(self.path) as data:
                arrays = {key: data[key] for key in _KEYS}
                self.yaw_deg = data['yaw_deg'] if 'yaw_deg' in data else None
                poses = [data[key] for key in _POSE_KEYS if key in data]
        except KeyError as error:
            raise BagError(f'{self.path} has no {error.args[0]}, expected the keys '
                           f'{", ".join(_KEYS)}', cause='reference') from error
        except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise BagError(f'cannot read the reference {self.path}: {error}; expected an .npz '
                           f'file with the keys {", ".join(_KEYS)}', cause='reference') from error
        depth_mm, valid, stamp_ns = arrays.values()
        if (depth_mm.ndim, stamp_ns.ndim) != (3, 1) or depth_mm.shape != valid.shape or (
                len(stamp_ns) != len(depth_mm)):
            raise BagError(
                f'{self.path}: depth_mm, valid and stamp_ns have shapes '
                f'{[a.shape for a in arrays.values()]}, expected (N, H, W), (N, H, W), (N,)',
                cause='reference')
        self._depth_mm, self._valid = depth_mm, valid
        self._row = {int(stamp): i for i, stamp in enumerate(stamp_ns)}
        self._model_from_camera = None if len(poses) < 2 else np.concatenate(
            [poses[0], poses[1][:, :, None]], axis=2)  # (N, 3, 4)

    @staticmethod
    def beside(bag: Path) -> Path | None:
        """Return the reference that lies beside a bag's folder, if one does."""
        folder = bag.absolute().parent / 'reference'
        return next((p for p in (folder / name for name in _NAMES) if p.is_file()), None)

    def at(self, stamp_ns: int) -> tuple[np.ndarray, np.ndarray] | None:
        """
        Return metres, (H, W) float32, NaN where nothing is, and where to use them, (H, W) bool.

        None when the file has no frame of this stamp.
        """
        row = self._row.get(stamp_ns)
        if row is None:
            return None
        depth = self._depth_mm[row].astype(np.float32) * np.float32(0.001)
        depth[self._depth_mm[row] == 0] = np.nan
        return depth, self._valid[row].astype(bool)

    def yaw_at(self, stamp_ns: int) -> float | None:
        """Return the yaw of the head in degrees, where the file has it."""
        row = self._row.get(stamp_ns)
        return None if row is None or self.yaw_deg is None else float(self.yaw_deg[row])

    def pose_at(self, stamp_ns: int) -> np.ndarray | None:
        """Return where the camera's points lie on the head, (3, 4) metres, if the file has it."""
        row = self._row.get(stamp_ns)
        if row is None or self._model_from_camera is None:
            return None
        pose: np.ndarray = self._model_from_camera[row]
        return pose

    def stamps(self) -> tuple[int, ...]:
        """Return the stamps of all frames, in the order of the file."""
        return tuple(self._row)

    def score(self, stamp_ns: int, raw: np.ndarray, enhanced: np.ndarray,
              detections: tuple[Detection, ...]) -> ReferenceScore | None:
        """
        Compare a frame with the reference; None without a reference or a face.

        :param raw: metres, (H, W) float32, NaN where invalid
        :param enhanced: metres, (H, W) float32, NaN where invalid
        :raises BagError: the reference has another size
        """
        found = self.at(stamp_ns)
        if found is None or not detections:
            return None
        truth, valid = found
        if truth.shape != raw.shape:
            raise BagError(f'{self.path} is {truth.shape[1]} x {truth.shape[0]}, the frames are '
                           f'{raw.shape[1]} x {raw.shape[0]}; it belongs to another bag',
                           cause='reference')
        measured = (valid & np.isfinite(truth) & np.isfinite(raw)
                    & box_mask([d.box for d in detections], raw.shape))
        compared = measured & np.isfinite(enhanced)
        with np.errstate(invalid='ignore'):
            near = compared & (1e3 * np.abs(raw - truth) <= NEAR_MM)
        return ReferenceScore(
            1e3 * rmse(raw, truth, compared), 1e3 * rmse(enhanced, truth, compared),
            1e3 * rmse(raw, truth, near), 1e3 * rmse(enhanced, truth, near),
            int(compared.sum()), 1.0 - compared.sum() / max(int(measured.sum()), 1),
            all(_is_on(np.isfinite(truth), d.box) for d in detections))


def box_mask(boxes: list[FaceBox], shape: tuple[int, ...]) -> np.ndarray:
    """Return the pixels within any of the boxes, (H, W) bool."""
    mask = np.zeros(shape, np.uint8)
    for box in boxes:
        corners = np.rint(np.clip(box.corners() - 0.5, -1e5, 1e5)).astype(np.int32)
        cv2.fillConvexPoly(mask, corners, 1)
    return mask.astype(bool)


def _is_on(surface: np.ndarray, box: FaceBox) -> bool:
    """Whether there is surface at the box centre or within two pixels of it."""
    x, y = int(np.floor(box.center_x)), int(np.floor(box.center_y))
    m = _HEAD_MARGIN_PIXELS
    return bool(surface[max(y - m, 0):max(y + m + 1, 0), max(x - m, 0):max(x + m + 1, 0)].any())
