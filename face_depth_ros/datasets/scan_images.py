# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Scans as images: a surface in space becomes colour and depth seen straight from the front.

The scanners' frame is x right in the image, y up, z towards the viewer. The view is orthographic,
`METRES_PER_PIXEL` unless told otherwise, and just holds the surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.rgbd_faces import ORTHOGRAPHIC_NEAR_M
from face_depth_ros.datasets.scan_rasterizer import Fragments, grid_triangles, rasterize
import numpy as np

METRES_PER_PIXEL = 0.0005
"""About the distance of the points of the scanners whose datasets are read here."""
LARGEST_STEP_M = 0.02
"""A longer edge between neighbours on a scanner's grid bridges two surfaces and is cut."""

_MARGIN_PX = 2
_EXTENT_M = (0.05, 2.0)
_SHARPEST_TEXELS_PER_PIXEL = 1.5
_NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
_RELAXATIONS = 40
"""Enough for holes of some ten pixels across."""


@dataclass(frozen=True)
class Surface:
    """
    A mesh, with a place in a texture for each corner.

    :param points: metres, (N, 3) float64, x right, y up, z towards the viewer
    :param triangles: (M, 3) indices of the points
    :param texels: (M, 3, 2) float64 pixels of the texture, corner-origin; None: no colour
    :param texture: (h, w, 3) uint8 RGB; None: no colour
    """

    points: np.ndarray
    triangles: np.ndarray
    texels: np.ndarray | None = None
    texture: np.ndarray | None = None


@dataclass(frozen=True)
class FrontView:
    """
    An orthographic view.

    :param left, top, near: x, y and z of the image's left and top border and of the nearest point
    :param metres_per_pixel: across and down
    """

    width: int
    height: int
    left: float
    top: float
    near: float
    metres_per_pixel: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """
        Project points of the scan.

        :param points: metres, (..., 3)
        :returns: (..., 3): x and y in pixels, corner-origin; depth in metres
        """
        x, y, z = np.moveaxis(np.asarray(points, np.float64), -1, 0)
        return np.stack([(x - self.left) / self.metres_per_pixel,
                         (self.top - y) / self.metres_per_pixel,
                         self.near - z + ORTHOGRAPHIC_NEAR_M], axis=-1)

    def landmarks(self, points: np.ndarray, name: str) -> np.ndarray:
        """
        Project landmarks.

        :param points: metres, (N, 3)
        :param name: of the scan, for the error
        :returns: pixels, (N, 2) float32, corner-origin
        :raises DatasetError: one is farther out of the image than a tenth of its size
        """
        pixels = self.project(points)[:, :2]
        size = np.array([self.width, self.height])
        if (np.abs(pixels / size - 0.5) > 0.6).any():
            raise DatasetError(f'{name}: a landmark lies at {pixels[0].round()} px or beyond, '
                               f'outside its scan of {self.width} x {self.height} px; do the '
                               'files belong together?')
        return pixels.astype(np.float32)


def front_view(surface: Surface, name: str,
               metres_per_pixel: float = METRES_PER_PIXEL) -> FrontView:
    """
    Return the view that just holds a surface; points of no triangle do not count.

    :param name: of the scan, for the error
    :raises DatasetError: no triangles, or a size that no scan of a face has
    """
    if not len(surface.triangles):
        raise DatasetError(f'{name} has no three points beside each other')
    if not metres_per_pixel > 0:
        raise DatasetError(f'metres_per_pixel is {metres_per_pixel}, expected more than 0')
    points = surface.points[np.unique(surface.triangles)]
    low, high = points.min(axis=0), points.max(axis=0)
    across, down = (high - low)[:2]
    if not all(_EXTENT_M[0] <= extent <= _EXTENT_M[1] for extent in (across, down)):
        raise DatasetError(f'{name} is {across:.4g} m wide and {down:.4g} m high, expected '
                           f'{_EXTENT_M[0]:g} to {_EXTENT_M[1]:g} m; are its coordinates in '
                           'millimetres?')
    margin = _MARGIN_PX * metres_per_pixel
    return FrontView(int(np.ceil(across / metres_per_pixel)) + 2 * _MARGIN_PX,
                     int(np.ceil(down / metres_per_pixel)) + 2 * _MARGIN_PX,
                     low[0] - margin, high[1] + margin, high[2], metres_per_pixel)


def render(surface: Surface, view: FrontView) -> tuple[np.ndarray | None, np.ndarray]:
    """
    Draw a surface.

    :returns: colour (H, W, 3) uint8 RGB, black beside the surface, None where the surface has
        none; depth (H, W) float32 metres, NaN beside the surface
    """
    projected = view.project(surface.points)
    drawn = rasterize(projected, surface.triangles, view.width, view.height)
    if surface.texels is None or surface.texture is None:
        return None, drawn.depth
    texture, shrunk = _as_fine_as_the_view(surface.texture, surface.texels,
                                           projected[surface.triangles][..., :2])
    return sample_texture(texture, drawn, surface.texels * shrunk), drawn.depth


def sample_texture(texture: np.ndarray, drawn: Fragments, texels: np.ndarray) -> np.ndarray:
    """
    Look up the colour of every pixel.

    :param texture: (h, w, 3) uint8 RGB
    :param texels: (M, 3, 2) pixels of the texture for the corners of each triangle
    :returns: (H, W, 3) uint8 RGB, black where nothing was drawn
    """
    place = drawn.of_corners(texels) - np.float32(0.5)
    seen = drawn.triangle >= 0
    place[~seen] = 0
    color = cv2.remap(texture, place[..., 0], place[..., 1], cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_REPLICATE)
    color[~seen] = 0
    return color


def grid_surface(points: np.ndarray, texels: np.ndarray | None = None,
                 texture: np.ndarray | None = None,
                 largest_step: float = LARGEST_STEP_M) -> Surface:
    """
    Join the points of a scanner's grid.

    :param points: metres, (H, W, 3), NaN where invalid
    :param texels: (H, W, 2) pixels of the texture
    :param largest_step: metres; triangles with a longer edge are left out
    """
    flat = points.reshape(-1, 3)
    triangles = grid_triangles(np.isfinite(points).all(axis=-1))
    corners = flat[triangles]
    short = np.ones(len(corners), bool)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        edge = corners[:, i] - corners[:, j]
        short &= np.einsum('mk,mk->m', edge, edge) <= largest_step ** 2
    triangles = triangles[short]
    return Surface(flat, triangles,
                   None if texels is None else texels.reshape(-1, 2)[triangles], texture)


def close_small_holes(color: np.ndarray | None, depth: np.ndarray,
                      largest_px: int) -> tuple[np.ndarray | None, np.ndarray]:
    """
    Fill holes that the surface surrounds, as a membrane spanned over each would.

    :param color: (H, W, 3) uint8 or None
    :param depth: (H, W) float32 metres, NaN where invalid
    :param largest_px: holes of more pixels stay
    :returns: new images
    """
    missing = np.isnan(depth)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(missing.astype(np.uint8),
                                                           connectivity=4)
    height, width = depth.shape
    left, top, across, down, area = stats.T
    small = (area <= largest_px) & (left > 0) & (top > 0) & (
        left + across < width) & (top + down < height)
    small[0] = False  # what is there
    hole = small[labels]
    layers = [np.where(missing, 0, depth)[..., None]]
    if color is not None:
        layers.append(np.where(missing[..., None], 0, color).astype(np.float32))
    values = np.concatenate(layers, axis=-1).astype(np.float32)
    known = ~missing
    unknown = hole.copy()
    while unknown.any():  # a first guess, from the border inwards
        count = cv2.blur(known.astype(np.float32), (3, 3), borderType=cv2.BORDER_CONSTANT)
        total = cv2.blur(values, (3, 3), borderType=cv2.BORDER_CONSTANT)
        rim = unknown & (count > 1e-6)
        values[rim] = (total.reshape(*depth.shape, -1)[rim] / count[rim, None])
        known |= rim
        unknown &= ~rim
    for _ in range(_RELAXATIONS if hole.any() else 0):
        values[hole] = cv2.filter2D(values, -1, _NEIGHBOURS).reshape(*depth.shape, -1)[hole]
    filled = np.where(known, values[..., 0], np.nan).astype(np.float32)
    if color is None:
        return None, filled
    return np.where(missing[..., None], np.rint(values[..., 1:]), color).astype(np.uint8), filled


def _as_fine_as_the_view(texture: np.ndarray, texels: np.ndarray,
                         pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shrink a texture with more texels than pixels, so that sampling skips none; (2,) scale."""
    covered = _areas(pixels)
    known = covered > 0
    unchanged = np.ones(2)
    if not known.any():
        return texture, unchanged
    finer = float(np.sqrt(np.median(_areas(texels)[known] / covered[known])))
    if finer <= _SHARPEST_TEXELS_PER_PIXEL:
        return texture, unchanged
    height, width = texture.shape[:2]
    size = (max(1, round(width / finer)), max(1, round(height / finer)))
    return cv2.resize(texture, size, interpolation=cv2.INTER_AREA), np.array(size) / (width,
                                                                                      height)


def _areas(corners: np.ndarray) -> np.ndarray:
    """Return twice the areas of (M, 3, 2) triangles."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
