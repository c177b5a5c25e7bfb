# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
r"""
Pose augmentation of frontal scans, as DepthNet's training data is made.

Source: Chiu, Cheng, Wang and Lai, "High-Accuracy RGB-D Face Recognition via Segmentation-Aware
Face Depth Estimation and Mask-Guided Attention Network", section IV.A: the frontal coloured points
are turned about the yaw and the pitch axis. The paper gives neither the angles nor the centre;
here the angles are the caller's, and the centre lies 10 cm behind the nearest point of the face.

    python -m face_depth_ros.datasets.rotated_scans bu_3dfe /data/BU_3DFE /data/rotated \
        --yaws -45 -30 -15 0 15 30 45 --pitches -15 0 15 --depthnet-training

The scan's pixels become a mesh, which is turned and drawn with hidden surfaces and back sides
removed; what the scan never saw stays without depth, holes of a few pixels are closed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
import os
from typing import Any

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.bosphorus import Bosphorus
from face_depth_ros.datasets.bu_3dfe import Bu3dfe, depthnet_identities
from face_depth_ros.datasets.frgc_v2 import FrgcV2
from face_depth_ros.datasets.rgbd_face_folder import RgbdFaceFolder
from face_depth_ros.datasets.rgbd_faces import ORTHOGRAPHIC_NEAR_M, Recording, RgbdFace
from face_depth_ros.datasets.scan_images import close_small_holes, grid_surface, sample_texture
from face_depth_ros.datasets.scan_rasterizer import rasterize
from face_depth_ros.datasets.texas_3dfrd import Texas3dfrd
import numpy as np

CENTER_BEHIND_M = 0.10
"""From the nearest point of the face to the point that the head turns about."""
HEAD_RADIUS_M = 0.25
"""What is farther from the centre is no part of the head and left out."""
FRONTAL_DEG = 10.0
"""A scan with a larger yaw or pitch is not frontal."""
LARGEST_HOLE_PX = 150

_NEAREST_PERCENTILE = 1.0
_STEP_M = 0.01
_STEP_PX = 4.0
"""Neighbouring pixels farther apart than both of these do not belong to one surface."""
_MARGIN_PX = 2
_FACE_RADIUS_M = 0.06
_DATASETS = {'bu_3dfe': Bu3dfe, 'bosphorus': Bosphorus, 'frgc_v2': FrgcV2,
             'texas_3dfrd': Texas3dfrd}


@dataclass(frozen=True)
class Prepared:
    """
    What a preparation did.

    :param written: images written now
    :param kept: images that were there already
    :param not_frontal: scans left out
    """

    written: int = 0
    kept: int = 0
    not_frontal: int = 0


def rotation(yaw: float, pitch: float) -> np.ndarray:
    """
    Return the rotation of a frontal head, first about its yaw axis, then about the pitch axis.

    :param yaw: degrees, positive when the subject turns to its left
    :param pitch: degrees, positive when it looks up
    :returns: (3, 3), of the optical frame (x right, y down, z away)
    """
    (sin_y, sin_p), (cos_y, cos_p) = np.sin(np.deg2rad([yaw, pitch])), np.cos(
        np.deg2rad([yaw, pitch]))
    about_y = np.array([[cos_y, 0, -sin_y], [0, 1, 0], [sin_y, 0, cos_y]])
    about_x = np.array([[1, 0, 0], [0, cos_p, sin_p], [0, -sin_p, cos_p]])
    return about_x @ about_y


def is_frontal(face: RgbdFace) -> bool:
    """Tell whether yaw and pitch are known and small."""
    return all(angle is not None and abs(angle) <= FRONTAL_DEG for angle in (face.yaw, face.pitch))


def rotate_face(face: RgbdFace, yaw: float, pitch: float, *,
                center: np.ndarray | None = None) -> RgbdFace:
    """
    Turn a frontal face and look at it again.

    :param face: frontal; with intrinsics or metres_per_pixel
    :param yaw, pitch: degrees, see `rotation`
    :param center: metres of the optical frame, (3,), that the head turns about, see
        `points_of`; None: on the line of sight through head_center, or else through the middle of
        the scan, `CENTER_BEHIND_M` behind its nearest point
    :returns: of an orthographic scan an image that just holds what is seen, else one of the same
        camera; named with the angles; landmarks where the scan had depth under them, else NaN
    :raises DatasetError: not frontal, no scale, nothing valid, or nothing left to see
    """
    if not is_frontal(face):
        raise DatasetError(f'{face.name} has yaw {face.yaw} and pitch {face.pitch}, expected a '
                           f'frontal face, within {FRONTAL_DEG:g} degrees')
    points = points_of(face)
    if center is None:
        center = head_center_of(face, points)
    points[np.linalg.norm(points - center, axis=-1) > HEAD_RADIUS_M] = np.nan
    rows, columns = np.mgrid[:face.depth.shape[0], :face.depth.shape[1]] + 0.5
    surface = grid_surface(points, np.stack([columns, rows], axis=-1), face.color,
                           max(_STEP_M, _STEP_PX * _pixel_m(face)))
    turn = rotation(yaw, pitch)
    turned = (surface.points - center) @ turn.T + center
    camera = _Camera(face, turned[np.unique(surface.triangles)])
    drawn = rasterize(camera.project(turned), surface.triangles, camera.width, camera.height,
                      perspective=face.intrinsics is not None, front_only=True)
    if not np.isfinite(drawn.depth).any():
        raise DatasetError(f'{face.name} shows nothing at yaw {yaw:g} and pitch {pitch:g}')
    color = None
    if surface.texture is not None and surface.texels is not None:
        color = sample_texture(surface.texture, drawn, surface.texels)
    color, depth = close_small_holes(color, drawn.depth, LARGEST_HOLE_PX)
    if face.metres_per_pixel is not None:
        depth += np.float32(ORTHOGRAPHIC_NEAR_M) - np.nanmin(depth)
    middle = camera.project(center)
    return replace(face, name=rotated_name(face.name, yaw, pitch), color=color, depth=depth,
                   landmarks=_landmarks(face, points, turn, center, camera), yaw=float(yaw),
                   pitch=float(pitch), head_center=(float(middle[0]), float(middle[1])))


def points_of(face: RgbdFace) -> np.ndarray:
    """
    Return the points of a face's pixels.

    :returns: metres of the optical frame, (H, W, 3) float64, NaN where there is no depth; x and y
        of an orthographic scan count from the image's corner
    :raises DatasetError: the face has neither intrinsics nor metres_per_pixel
    """
    rows, columns = np.mgrid[:face.depth.shape[0], :face.depth.shape[1]] + 0.5
    pixels = np.stack([columns, rows], axis=-1)
    if face.intrinsics is not None:
        return face.intrinsics.unproject(pixels, face.depth)
    if face.metres_per_pixel is None:
        raise DatasetError(f'{face.name} has neither intrinsics nor metres_per_pixel, so that its '
                           'shape is not known')
    points = np.concatenate([pixels * face.metres_per_pixel, face.depth[..., None]], axis=-1)
    points[np.isnan(face.depth)] = np.nan
    return points


def head_center_of(face: RgbdFace, points: np.ndarray) -> np.ndarray:
    """
    Estimate the point that the head turns about.

    :param points: of `points_of`
    :returns: metres of the optical frame, (3,)
    :raises DatasetError: no valid depth, or none within 6 cm of the known head centre
    """
    valid = np.isfinite(points).all(axis=-1)
    if face.head_center is not None:
        column, row = (int(np.clip(value, 0, size - 1)) for value, size in zip(
            face.head_center, face.depth.shape[::-1], strict=True))
        rows, columns = np.mgrid[:face.depth.shape[0], :face.depth.shape[1]]
        away = np.hypot(columns - column, rows - row)
        valid &= away * _pixel_m(face) <= _FACE_RADIUS_M
    if not valid.any():
        raise DatasetError(f'{face.name} has no valid depth'
                           + (' around its head centre' if face.head_center else ''))
    nearest = float(np.percentile(points[valid][:, 2], _NEAREST_PERCENTILE))
    depth = nearest + CENTER_BEHIND_M
    if face.head_center is not None:
        pixel = np.array(face.head_center, np.float64)
        if face.intrinsics is not None:
            return face.intrinsics.unproject(pixel, np.array(depth))
        return np.array([*(pixel * (face.metres_per_pixel or 1.0)), depth])
    low, high = points[valid].min(axis=0), points[valid].max(axis=0)
    return np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, depth])


def rotated_name(name: str, yaw: float, pitch: float) -> str:
    """Name a turned scan."""
    return f'{name}_y{yaw:+g}_p{pitch:+g}'


def prepare_rotated_scans(faces: Iterable[RgbdFace], out: str | os.PathLike[str],
                          yaws: Sequence[float], pitches: Sequence[float]) -> Prepared:
    """
    Write every face at every yaw and pitch, for a folder that `RgbdFaceFolder` reads.

    What is there already is kept, so that work that was broken off can be taken up.

    :param faces: read one after the other; those that are not frontal are left out and counted
    :param yaws, pitches: degrees, see `rotation`
    :raises DatasetError: no angles, or a face that cannot be turned
    """
    if not yaws or not pitches:
        raise DatasetError(f'{len(yaws)} yaws and {len(pitches)} pitches, expected some of each; '
                           '0 leaves a face as it is')
    folder = RgbdFaceFolder(out)
    written = kept = not_frontal = 0
    for face in faces:
        if not is_frontal(face):
            not_frontal += 1
            continue
        for yaw in yaws:
            for pitch in pitches:
                if rotated_name(face.name, yaw, pitch) in folder:
                    kept += 1
                    continue
                folder.write(rotate_face(face, yaw, pitch))
                written += 1
    return Prepared(written, kept, not_frontal)


def _pixel_m(face: RgbdFace) -> float:
    """Return what a pixel measures at the median depth, metres."""
    if face.metres_per_pixel is not None:
        return face.metres_per_pixel
    depth = face.depth[np.isfinite(face.depth)]
    if face.intrinsics is None or not depth.size:
        return 0.0
    return float(np.median(depth)) / face.intrinsics.fx


class _Camera:
    """The camera of a face, or an orthographic one that just holds the turned points."""

    def __init__(self, face: RgbdFace, points: np.ndarray) -> None:
        self.intrinsics, self.metres_per_pixel = face.intrinsics, face.metres_per_pixel
        self.height, self.width = face.depth.shape
        self.corner = np.zeros(2)
        if face.metres_per_pixel is not None and len(points):
            low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
            self.width, self.height = (int(np.ceil(extent / face.metres_per_pixel))
                                       + 2 * _MARGIN_PX for extent in high - low)
            self.corner = low - _MARGIN_PX * face.metres_per_pixel

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return pixels and depth, (..., 3)."""
        if self.intrinsics is not None:
            with np.errstate(divide='ignore', invalid='ignore'):
                pixels = self.intrinsics.project(points)
        else:
            pixels = (points[..., :2] - self.corner) / (self.metres_per_pixel or 1.0)
        return np.concatenate([pixels, points[..., 2:]], axis=-1)


def _landmarks(face: RgbdFace, points: np.ndarray, turn: np.ndarray, center: np.ndarray,
               camera: _Camera) -> Mapping[str, np.ndarray] | np.ndarray | None:
    """Return where the landmarks are now; behind something counts as well."""
    if face.landmarks is None:
        return None
    named = isinstance(face.landmarks, Mapping)
    pixels = np.array(list(face.landmarks.values()) if isinstance(face.landmarks, Mapping)
                      else face.landmarks, np.float64).reshape(-1, 2)
    height, width = face.depth.shape
    x, y = pixels.T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)  # not where NaN
    at = np.floor(np.where(inside[:, None], pixels, 0)).astype(int)
    under = np.where(inside[:, None], points[at[:, 1], at[:, 0]], np.nan)
    if face.metres_per_pixel is not None:  # keep what is finer than a pixel
        under[:, :2] = np.where(np.isnan(under[:, :2]), np.nan, pixels * face.metres_per_pixel)
    moved = camera.project((under - center) @ turn.T + center)[:, :2].astype(np.float32)
    if named:
        return dict(zip(face.landmarks, moved, strict=True))
    return moved


def main(arguments: Sequence[str] | None = None) -> None:
    """Prepare the scans of a dataset, see the top of this file."""
    parser = argparse.ArgumentParser(description='Turn frontal scans about yaw and pitch.')
    parser.add_argument('dataset', choices=sorted(_DATASETS))
    parser.add_argument('root', help='folder of the dataset')
    parser.add_argument('out', help='folder for the images; work in it is taken up')
    parser.add_argument('--yaws', type=float, nargs='+', default=[-45, -30, -15, 0, 15, 30, 45])
    parser.add_argument('--pitches', type=float, nargs='+', default=[0])
    parser.add_argument('--subjects', nargs='+', help='only these')
    parser.add_argument('--depthnet-training', action='store_true',
                        help='of BU-3DFE: only the 90 people that DepthNet is trained on')
    args = parser.parse_args(arguments)
    if args.depthnet_training and args.dataset != 'bu_3dfe':
        parser.error('--depthnet-training is of bu_3dfe alone')
    try:
        dataset: Any = _DATASETS[args.dataset](args.root)
        chosen = _chosen(dataset.recordings, args.subjects, args.depthnet_training)
        folder = RgbdFaceFolder(args.out)
        names = [[rotated_name(r.name, yaw, pitch) for yaw in args.yaws
                  for pitch in args.pitches] for r in chosen]
        missing = [r for r, of_r in zip(chosen, names, strict=True)
                   if not all(name in folder for name in of_r)]
        done = prepare_rotated_scans(dataset.faces(missing), args.out, args.yaws, args.pitches)
    except DatasetError as error:
        parser.exit(1, f'{error}\n')
    print(f'{len(chosen)} scans, {len(chosen) - len(missing)} of them whole before, '  # noqa: T201
          f'{done.not_frontal} not frontal: {done.written} images written, {done.kept} kept')


def _chosen(recordings: Iterable[Recording], subjects: Sequence[str] | None,
            depthnet_training: bool) -> list[Recording]:
    """Select the recordings of some subjects."""
    recordings = list(recordings)
    wanted = {r.subject for r in recordings}
    if depthnet_training:
        wanted = set(depthnet_identities(recordings)[0])
    if subjects is not None:
        if unknown := sorted(set(subjects) - wanted):
            raise DatasetError(f'no scans for this of the subjects {", ".join(unknown)}')
        wanted = set(subjects)
    return [r for r in recordings if r.subject in wanted]


if __name__ == '__main__':
    main()
