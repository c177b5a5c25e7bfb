# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Rendered faces on disk with all that is true of them; photos are composed from it at each use.

A bank is a folder of parts `part_00000.npy`, each an array of records. It may grow while it is
read: a part is there whole or not at all.
"""

from __future__ import annotations

from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.head_crops import HeadCropRenderer, HeadCrops
from face_depth_ros.synthesis.head_pose import PoseRange
from face_depth_ros.synthesis.person import PersonModel
import numpy as np

CROP_PX = 256
EXPANSION = 4.0 / 3.0
"""Side of a stored crop / side of the face box, which lies upright in the crop's middle."""
BOX_PX = CROP_PX / EXPANSION
PART = 32
"""Faces of one part, and of one seed."""
MANNEQUINS = 0.12
POSES = PoseRange(max_yaw=90.0, pitch_sigma=14.0, distance_m=(0.25, 2.5))
FIRST_SEED = {'train': 0, 'validation': 1_000_000, 'test': 2_000_000}


def record_type(size: int = CROP_PX) -> np.dtype:
    """
    Return what is known of a face.

    rgba: RGB times alpha, and alpha; label: fine labels; relief: metres behind the head point
    along the ray to it (core.face_photo), NaN where nothing is; landmarks: pixels of the crop;
    visible: not hidden by something; rotation, position: of the head in the optical frame,
    metres; focal: pixels of the crop; identity: within the split; plain: a mannequin.
    """
    return np.dtype([
        ('rgba', 'u1', (size, size, 4)), ('label', 'u1', (size, size)),
        ('relief', '<f2', (size, size)), ('landmarks', '<f4', (68, 2)), ('visible', '?', (68,)),
        ('rotation', '<f4', (3, 3)), ('position', '<f4', (3,)), ('focal', '<f4'),
        ('identity', '<i4'), ('plain', '?')])


def face_renderer(model: PersonModel, split: str) -> HeadCropRenderer:
    """Return the renderer of a split's faces."""
    return HeadCropRenderer(model, split, CROP_PX, EXPANSION, POSES, MANNEQUINS,
                            held_out_skins=True)


def render_part(renderer: HeadCropRenderer, number: int, count: int = PART) -> np.ndarray:
    """
    Render one part; the same number gives the same faces.

    :returns: (count,) records
    """
    return to_records(renderer.render(FIRST_SEED[renderer.split] + number, count))


def to_records(crops: HeadCrops) -> np.ndarray:
    """Pack rendered crops into (B,) records."""
    records = np.zeros(len(crops.rgba), record_type(crops.rgba.shape[1]))
    alpha = crops.rgba[..., 3:].astype(np.uint16)
    records['rgba'][..., :3] = (crops.rgba[..., :3] * alpha + 127) // 255
    records['rgba'][..., 3:] = alpha
    records['label'] = crops.fine
    records['relief'] = relief_along_ray(crops.depth, crops.position, crops.focal)
    records['landmarks'], records['visible'] = crops.landmarks_68, crops.visible_68
    records['rotation'], records['position'] = crops.rotation, crops.position
    records['focal'], records['identity'] = crops.focal, crops.identities
    records['plain'] = crops.plain
    return records


def relief_along_ray(depth: np.ndarray, position: np.ndarray, focal: np.ndarray) -> np.ndarray:
    """
    Return relief from depth images whose middle shows the head point.

    :param depth: (B, S, S) metres along the optical axis
    :param position: (B, 3) metres, the head point; focal: (B,) pixels
    :returns: (B, S, S) float32 metres
    """
    size = depth.shape[-1]
    offset = (np.arange(size, dtype=np.float32) + 0.5 - size / 2) / focal[:, None]  # (B, S)
    slope = position[:, :2] / position[:, 2:]
    ray = position / np.linalg.norm(position, axis=1, keepdims=True)
    along = (ray[:, 0, None, None] * (offset + slope[:, :1])[:, None, :]
             + ray[:, 1, None, None] * (offset + slope[:, 1:])[:, :, None]
             + ray[:, 2, None, None])  # (B, S, S), how far along the ray a depth of 1 reaches
    distance = np.linalg.norm(position, axis=1)[:, None, None]
    return (depth * along - distance).astype(np.float32)


class FacePhotoBank:
    """
    The parts of a folder, mapped into memory.

    :param folder: see the module
    :raises SettingsError: it holds no part, or a part of another form
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: list[np.ndarray] = []
        self.refresh()
        if not self._parts:
            raise SettingsError(
                f'no rendered faces in {folder}; render them with `python -m '
                'face_depth_ros.training.render_face_photo_bank`')

    def __len__(self) -> int:
        return len(self._parts) * PART

    def refresh(self) -> None:
        """Take in the parts that have come since."""
        names = part_paths(self.folder)
        self._parts += [_open_part(path) for path in names[len(self._parts):]]

    def read(self, indices: np.ndarray) -> np.ndarray:
        """
        Return records.

        :param indices: (B,) from 0 to len - 1
        :returns: (B,) records, in memory
        """
        return np.stack([self._parts[i // PART][i % PART] for i in indices.tolist()])


def part_path(folder: Path, number: int) -> Path:
    """Return where a part lies."""
    return folder / f'part_{number:05d}.npy'


def part_paths(folder: Path) -> list[Path]:
    """Return the parts that are there, from the first on without a gap."""
    paths: list[Path] = []
    while (path := part_path(folder, len(paths))).exists():
        paths.append(path)
    return paths


def save_part(folder: Path, number: int, records: np.ndarray) -> None:
    """Write a part, complete or not at all; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    path = part_path(folder, number)
    partial = path.with_suffix('.partial')
    with partial.open('wb') as file:
        np.save(file, records)
    partial.replace(path)


def _open_part(path: Path) -> np.ndarray:
    try:
        records = np.load(path, mmap_mode='r')
    except (OSError, ValueError) as error:
        raise SettingsError(f'{path} is damaged ({error}); delete it and render again') from error
    if records.dtype != record_type() or records.shape != (PART,):
        raise SettingsError(f'{path} holds {records.shape} records of another form than this '
                            'version renders; delete the folder and render again')
    return records
