# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Small files in the formats of face scanners' datasets, with a head that is a formula.

The head's z in millimetres and its colour are known at every x and y, so that an image made from
the files can be checked pixel by pixel: `check_front_view`.
"""

from __future__ import annotations

from collections.abc import Sequence
import gzip
from pathlib import Path
import struct

import cv2
from face_depth_ros.datasets.rgbd_faces import RgbdFace
import numpy as np

TOP_MM = 105.0
"""The highest z of the head, at x = y = 0."""
BACKGROUND = -1000000000.0
MARKS = {'Nose tip': (0.0, 0.0), 'Chin middle': (0.0, -70.0), 'Left mouth corner': (22.0, -35.0)}
"""Landmarks, x and y in millimetres."""


def head_z(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return z of the head, millimetres; NaN beside it. y points up."""
    left = 1 - (x / 75) ** 2 - (y / 95) ** 2
    return np.where(left > 0.05, 80 * np.sqrt(np.maximum(left, 0)) + 25 * np.exp(
        -(x ** 2 + y ** 2) / 300), np.nan)


def head_color(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the colour at a place, (..., 3) float RGB: red grows to the right, green upwards."""
    return np.stack([128 + x, 128 + y, np.full_like(np.asarray(x, float), 60)], axis=-1)


def grid_mm(step: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of a scanner's grid, millimetres, its rows from the top."""
    x, y = np.arange(-80, 80.1, step), np.arange(100, -100.1, -step)
    return tuple(np.meshgrid(x, y))  # type: ignore[return-value]


def texture_image(width: int = 320, height: int = 400) -> np.ndarray:
    """Return the image of x from -80 to 80 and y from 100 to -100, (h, w, 3) uint8 RGB."""
    ys, xs = np.mgrid[:height, :width] + 0.5
    return np.clip(np.rint(head_color(xs / width * 160 - 80, 100 - ys / height * 200)), 0,
                   255).astype(np.uint8)


def write_image(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), rgb[..., ::-1])


def check_front_view(face: RgbdFace, nose_px: np.ndarray | None = None) -> None:
    """Compare all pixels with the formula, but for a rim that the grid cannot show."""
    assert face.metres_per_pixel is not None and face.intrinsics is None
    mean_mm = 0.15 if nose_px is not None else 0.5
    if nose_px is None:  # to half a pixel
        row, column = np.unravel_index(np.nanargmin(face.depth), face.depth.shape)
        nose_px = np.array([column + 0.5, row + 0.5])
    assert nose_px is not None
    step = face.metres_per_pixel * 1000
    ys, xs = np.mgrid[:face.depth.shape[0], :face.depth.shape[1]] + 0.5
    x, y = (xs - nose_px[0]) * step, (nose_px[1] - ys) * step
    expected = head_z(x, y)
    inner = (x / 75) ** 2 + (y / 95) ** 2 < 0.8
    assert inner.sum() > 10000 / step ** 2
    error_mm = (face.depth - 1.0) * 1000 - (TOP_MM - expected)
    assert np.abs(error_mm[inner]).max() < 1.5 and np.abs(error_mm[inner]).mean() < mean_mm
    outside = (x / 75) ** 2 + (y / 95) ** 2 > 1.1
    assert np.isnan(face.depth[outside]).all()
    if face.color is not None:
        difference = face.color[inner] - head_color(x, y)[inner]
        assert np.abs(difference).max() < 3
        assert (face.color[np.isnan(face.depth)] == 0).all()


def vrml_text(points: np.ndarray, polygons: Sequence[Sequence[int]],
              places: np.ndarray | None = None, texture: str | None = None) -> str:
    """Return a mesh in the words of VRML 2.0."""
    lines = ['#VRML V2.0 utf8', '# a comment with point [ 1 2 3 ]', 'Shape {']
    if texture is not None:
        lines += ['appearance Appearance {', f' texture ImageTexture {{ url "{texture}" }}', '}']
    lines += ['geometry IndexedFaceSet {', ' coord Coordinate {', '  point [',
              ',\n'.join(f'   {x:.4f} {y:.4f} {z:.4f}' for x, y, z in points), '  ]', ' }',
              ' coordIndex [', ',\n'.join(', '.join(map(str, p)) + ', -1' for p in polygons),
              ' ]']
    if places is not None:
        lines += [' texCoord TextureCoordinate { point [',
                  ',\n'.join(f'{u:.5f} {v:.5f}' for u, v in places), ' ] }', ' texCoordIndex [',
                  ',\n'.join(', '.join(map(str, p)) + ', -1' for p in polygons), ' ]']
    return '\n'.join([*lines, '}', '}'])


def write_bu_3dfe(root: Path, name: str, *, places: bool = True) -> Path:
    """Write mesh, texture and landmarks, such as F0001_AN01WH; return the mesh's path."""
    folder = root / name[:5]
    folder.mkdir(parents=True, exist_ok=True)
    x, y = grid_mm()
    z = head_z(x, y)
    known = np.isfinite(z)
    index = np.cumsum(known).reshape(known.shape) - 1
    points = np.stack([x, y, z], axis=-1)[known]
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1)
    whole = known[:-1, :-1] & known[:-1, 1:] & known[1:, 1:] & known[1:, :-1]
    path = folder / f'{name}_F3D.wrl'
    path.write_text(vrml_text(points, quads[whole].tolist(),
                              (points[:, :2] + (80, 100)) / (160, 200) if places else None,
                              f'C:\\scans\\{name}_F2D.bmp' if places else None))
    write_image(folder / f'{name}_F2D.bmp', texture_image())
    marks = np.resize(np.array(list(MARKS.values())), (83, 2))
    path.with_suffix('.bnd').write_text(''.join(
        f'{i}\t\t{x:.3f} {y:.3f} {head_z(x, y):.3f}\n' for i, (x, y) in enumerate(marks)))
    return path


def bnt_bytes(points: np.ndarray, places: np.ndarray, image: str = 'bs000_N_N_0.png') -> bytes:
    """Return the bytes of a .bnt file; points (rows, columns, 3) with NaN, places likewise."""
    rows, columns = points.shape[:2]
    numbers = np.concatenate([points, places], axis=-1)
    numbers = np.where(np.isfinite(points).all(axis=-1)[..., None], numbers, BACKGROUND)
    return (struct.pack('<HHdH', rows, columns, BACKGROUND, len(image)) + image.encode()
            + struct.pack('<I', numbers.size)
            + np.moveaxis(numbers, -1, 0).astype('<f8').tobytes())


def write_bosphorus(root: Path, name: str, *, v_from_top: bool = True, lm3: bool = True,
                    lm2: bool = True) -> Path:
    """Write points, image and landmarks, such as bs000_N_N_0; return the path of the points."""
    folder = root / name[:5]
    folder.mkdir(parents=True, exist_ok=True)
    x, y = (a[::-1] for a in grid_mm())  # the dataset's first row is the lowest
    z = head_z(x, y)
    known = np.isfinite(z)
    points = np.where(known[..., None], np.stack([x, y, z], axis=-1), np.nan)
    v = (100 - y) / 200
    places = np.stack([(x + 80) / 160, v if v_from_top else 1 - v], axis=-1)
    path = folder / f'{name}.bnt'
    path.write_bytes(bnt_bytes(points, places, f'{name}.png'))
    write_image(path.with_suffix('.png'), texture_image())
    if lm3:
        path.with_suffix('.lm3').write_text(
            f'\n\n{len(MARKS)} landmarks:\n' + ''.join(
                f'{label}\n{x} {y} {head_z(np.array(x), np.array(y)):.4f}\n'
                for label, (x, y) in MARKS.items()))
    if lm2:
        path.with_suffix('.lm2').write_text(
            f'# 2D\n\n{len(MARKS)} landmarks:\n\nLabels:\n' + '\n'.join(MARKS)
            + '\n\n2D Image coordinates:\n' + ''.join(
                f'{(x + 80) * 2 - 0.5:.3f} {(100 - y) * 2 - 0.5:.3f}\n'
                for x, y in MARKS.values()))
    return path


def abs_text(points: np.ndarray) -> str:
    """Return the text of an .abs file; points (rows, columns, 3) with NaN."""
    known = np.isfinite(points).all(axis=-1)
    lines = [' '.join(str(int(flag)) for flag in known.ravel())]
    points = np.where(known[..., None], points, -999999)
    lines += [' '.join(f'{value:.6f}' for value in points[..., i].ravel()) for i in range(3)]
    return '\n'.join([f'{points.shape[0]} rows', f'{points.shape[1]} columns',
                      'pixels (flag X Y Z):', *lines, ''])


def write_frgc(root: Path, session: str, name: str, *, packed: bool = True,
               color_after: int = 1) -> Path:
    """Write points and image, such as Fall2003 and 02463d546; return the path of the points."""
    folder = root / f'{session}range'
    folder.mkdir(parents=True, exist_ok=True)
    x, y = grid_mm()
    z = head_z(x, y) - 1500
    z[0, 0] = -900.0  # a lone point in the air
    text = abs_text(np.stack([x, y, z], axis=-1)).encode()
    path = folder / (f'{name}.abs.gz' if packed else f'{name}.abs')
    path.write_bytes(gzip.compress(text) if packed else text)
    subject, number = name.split('d')
    write_image(folder / f'{subject}d{int(number) + color_after}.ppm',
                np.clip(np.rint(head_color(x, y)), 0, 255).astype(np.uint8))
    return path


def write_texas(root: Path, name: str, *, fiducials: bool = True) -> Path:
    """Write range and colour, such as Clean_0001_001_20050913115022; return the range's path."""
    path = root / 'PreprocessedImages' / f'{name}_Range.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    ys, xs = np.mgrid[:620, :500]
    x, y = (xs - 250) * 0.32, (310 - ys) * 0.32
    z = head_z(x, y)
    steps = np.where(np.isfinite(z), np.maximum(np.rint(z / 0.32) - 100, 1), 0)
    assert cv2.imwrite(str(path), steps.astype(np.uint8))
    write_image(path.with_name(f'{name}_Portrait.png'),
                np.clip(np.rint(head_color(x, y)), 0, 255).astype(np.uint8))
    if fiducials:
        marks = root / 'ManualFiducialPoints' / f'{name}_Fiducial.txt'
        marks.parent.mkdir(exist_ok=True)
        marks.write_text(''.join(f'{251 + i}\t{311 - i}\n' for i in range(25)))
    return path
