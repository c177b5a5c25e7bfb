# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Depth made visible: hue for the distance, shading for the shape of the surface, dark for holes.

Shading by slope shows what hue alone hides: a millimetre of noise is invisible in a colour scale
of half a metre, but it turns normals by tens of degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
from face_depth_ros.core.frames import Provenance
import numpy as np

HOLE_RGB = (24, 26, 32)
PROVENANCE_RGB: dict[Provenance, tuple[int, int, int]] = {
    Provenance.LEFT_ALONE: HOLE_RGB,
    Provenance.MEASURED: (72, 133, 190),
    Provenance.CORRECTED: (84, 172, 120),
    Provenance.FILLED: (240, 160, 48),
}

# The dark ends of the map are left out: shading needs room below.
_TURBO = cv2.applyColorMap(np.linspace(18, 240, 256).astype(np.uint8)[:, None],
                           cv2.COLORMAP_TURBO)[:, 0, ::-1]
_LIGHT = (np.array([-0.45, -0.55, 0.70]) / np.linalg.norm([-0.45, -0.55, 0.70])).astype(
    np.float32)
_AMBIENT = 0.45
_SLOPE_GAIN = 0.7


@dataclass(frozen=True)
class DepthScale:
    """
    The distances between which hues run, shared by all pictures that are to be compared.

    :param near: metres, drawn red
    :param far: metres, drawn blue
    """

    near: float
    far: float

    @staticmethod
    def around(distances: np.ndarray) -> DepthScale:
        """
        Scale that holds nearly all given distances.

        :param distances: metres, any shape, NaN where invalid
        :returns: 0.3 to 1.5 m when there is nothing to go by
        """
        values = distances[np.isfinite(distances)]
        if values.size == 0:
            return DepthScale(0.3, 1.5)
        near, far = (float(v) for v in np.percentile(values, (1, 99)))
        margin = max(0.01, 0.04 * (far - near))
        return DepthScale(max(near - margin, 0.0), far + margin)

    def colors(self, depth: np.ndarray) -> np.ndarray:
        """
        Hue of each distance.

        :param depth: metres, (...), NaN where invalid
        :returns: (..., 3) uint8 RGB; what lies outside the scale takes its end's colour
        """
        return np.where(np.isfinite(depth)[..., None], _TURBO[self.hues(depth)],
                        np.array(HOLE_RGB, np.uint8))

    def hues(self, depth: np.ndarray) -> np.ndarray:
        """Return the place in the colour map of each distance, (...) uint8; 0 where invalid."""
        gain = np.float32(255.0 / max(self.far - self.near, 1e-6))
        position = (np.float32(self.far) - np.asarray(depth, np.float32)) * gain
        return np.nan_to_num(np.clip(position, 0.0, 255.0)).astype(np.uint8)


def shaded_depth(depth: np.ndarray, scale: DepthScale, focal: float) -> np.ndarray:
    """
    Picture of a depth image.

    :param depth: metres, (H, W) float32, NaN where invalid
    :param focal: focal length, pixels
    :returns: (H, W, 3) uint8 RGB
    """
    with np.errstate(invalid='ignore', divide='ignore'):
        # Slope in metres per metre: a pixel is z / f wide.
        per_pixel = np.float32(focal * _SLOPE_GAIN) / depth
        across, down = (_central_difference(depth, axis) * per_pixel for axis in (1, 0))
        # The surface faces the camera: its normal is (dz/dx, dz/dy, -1), the light comes from
        # the upper left before it.
        lambert = (across * _LIGHT[0] + down * _LIGHT[1] + _LIGHT[2]) / np.sqrt(
            1.0 + across * across + down * down)
    lambert = np.where(np.isfinite(lambert), np.clip(lambert, 0.0, 1.0), _LIGHT[2])
    shade = _AMBIENT + (1.0 - _AMBIENT) / _LIGHT[2] * lambert
    hues, valid = scale.hues(depth), np.isfinite(depth)
    picture = np.empty((*depth.shape, 3), np.uint8)
    for channel in range(3):  # one plane at a time stays in the cache
        color = np.minimum(_TURBO[:, channel].astype(np.float32)[hues] * shade, 255.0)
        picture[..., channel] = np.where(valid, color, HOLE_RGB[channel])
    return picture


def _central_difference(depth: np.ndarray, axis: int) -> np.ndarray:
    """Difference per pixel, (H, W); one-sided beside holes, NaN where no neighbour is valid."""
    result = np.full_like(depth, np.nan)
    if depth.shape[axis] < 2:
        return result
    along, out = np.moveaxis(depth, axis, 0), np.moveaxis(result, axis, 0)
    ahead = along[1:] - along[:-1]
    out[0], out[-1] = ahead[0], ahead[-1]
    out[1:-1] = 0.5 * (along[2:] - along[:-2])
    # A hole in the middle has no slope on either side; one beside it leaves the other side.
    alone = np.nonzero(~np.isfinite(out[1:-1]))
    forward, backward = ahead[1:][alone], ahead[:-1][alone]
    out[1:-1][alone] = np.where(np.isfinite(forward), forward, backward)
    return result


def provenance_picture(provenance: np.ndarray) -> np.ndarray:
    """
    Colours of `PROVENANCE_RGB`.

    :param provenance: (H, W) uint8 of `Provenance`
    :returns: (H, W, 3) uint8 RGB
    """
    table = np.zeros((256, 3), np.uint8)
    for kind, rgb in PROVENANCE_RGB.items():
        table[kind] = rgb
    return table[provenance]


def confidence_picture(confidence: np.ndarray) -> np.ndarray:
    """
    Confidence from dark (0) to bright (255).

    :param confidence: (H, W) uint8
    :returns: (H, W, 3) uint8 RGB
    """
    colored = cv2.applyColorMap(confidence, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return np.where(confidence[..., None] > 0, colored, np.array(HOLE_RGB, np.uint8))


def error_picture(error: np.ndarray, limit: float) -> np.ndarray:
    """
    Signed error: blue below, white at 0, red above; dark where unknown.

    :param error: (H, W), NaN where unknown
    :param limit: the error that takes the full colour, same unit
    :returns: (H, W, 3) uint8 RGB
    """
    with np.errstate(invalid='ignore'):
        t = np.clip(error / limit, -1.0, 1.0)[..., None]
        red, blue = np.array([178.0, 24.0, 43.0]), np.array([33.0, 102.0, 172.0])
        white = np.array([247.0, 247.0, 247.0])
        colors = np.where(t > 0, white + (red - white) * t, white + (blue - white) * -t)
    return np.where(np.isfinite(error)[..., None], colors, HOLE_RGB).astype(np.uint8)
