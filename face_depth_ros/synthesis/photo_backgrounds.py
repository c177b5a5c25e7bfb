# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Photographed backgrounds without faces: views of real lights, and drawn clutter.

Drawn on purpose are things that are nearly faces: ovals in skin colours with or without dots,
shaded balls, fingers, stripes and text.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.assets import FaceAssets
import numpy as np

_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)
_LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:;o0()-_'
_VIEWS_SHARE = 0.45
"""Share of backgrounds that begin with a view of a real place, if there are any."""


def load_panoramas(assets: FaceAssets) -> list[np.ndarray]:
    """
    Read the environment maps.

    :returns: linear RGB, (256, 512, 3) float32 each, row 0 = up; empty if the assets have none
    """
    return [assets.arrays('hdri', f'{name}.npz')['rgb'].astype(np.float32)
            for name in assets.names('hdri', 'npz')]


class BackgroundSource:
    """
    Draws backgrounds.

    :param panoramas: of `load_panoramas`, may be empty
    """

    def __init__(self, panoramas: list[np.ndarray]) -> None:
        for panorama in panoramas:
            if panorama.ndim != 3 or panorama.shape[2] != 3:
                raise SettingsError(f'a panorama has the shape {panorama.shape}, expected '
                                    '(H, W, 3) linear RGB')
        self.panoramas = panoramas

    def draw(self, size: int, generator: np.random.Generator) -> np.ndarray:
        """
        Draw one background.

        :returns: (size, size, 3) uint8 RGB
        """
        if self.panoramas and generator.random() < _VIEWS_SHARE:
            image = self._view(size, generator)
        else:
            image = _surface(size, generator)
        things: tuple[Callable[[np.ndarray, np.random.Generator], None], ...] = (
            _polygons, _lines, _stripes, _text, _balls, _near_faces, _fingers, _frames)
        for _ in range(generator.integers(0, 5)):
            things[generator.integers(len(things))](image, generator)
        if generator.random() < 0.3:
            kernel = 2 * int(generator.integers(1, max(2, size // 40))) + 1
            image = cv2.GaussianBlur(image, (kernel, kernel), 0)
        return image

    def _view(self, size: int, generator: np.random.Generator) -> np.ndarray:
        """A pinhole view into a panorama, exposed at random."""
        panorama = self.panoramas[generator.integers(len(self.panoramas))]
        half = np.tan(np.deg2rad(generator.uniform(15.0, 50.0)))
        grid = np.linspace(-half, half, size, dtype=np.float32)
        x, y = np.meshgrid(grid, grid)
        pitch = generator.normal(0.0, 0.3)
        up, ahead = -y * np.cos(pitch) + np.sin(pitch), y * np.sin(pitch) + np.cos(pitch)
        azimuth = (np.arctan2(x, ahead) / (2.0 * np.pi) + generator.random()) % 1.0
        elevation = np.arctan2(up, np.hypot(x, ahead))
        height, width = panorama.shape[:2]
        view = cv2.remap(panorama, (azimuth * width).astype(np.float32),
                         ((0.5 - elevation / np.pi) * height).astype(np.float32),
                         cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        exposure = generator.uniform(0.25, 0.9) / max(float(np.median(view)), 1e-3)
        return (np.clip(view * exposure * 0.5, 0.0, 1.0) ** (1.0 / 2.2) * 255.0).astype(np.uint8)


def skin_color(generator: np.random.Generator) -> tuple[float, float, float]:
    """Return a colour in the range of human skin under coloured light, RGB 0 to 255."""
    light = generator.uniform(0.15, 1.0)
    base = np.array([235.0, 235.0 * generator.uniform(0.6, 0.85), 235.0 * generator.uniform(
        0.4, 0.75)])
    return _rgb(base * light * generator.uniform(0.85, 1.15, 3))


def any_color(generator: np.random.Generator) -> tuple[float, float, float]:
    """Return a random colour, often nearly grey, RGB 0 to 255."""
    grey = generator.uniform(0.0, 255.0)
    spread = generator.choice([6.0, 30.0, 120.0])
    return _rgb(grey + generator.uniform(-spread, spread, 3))


def _rgb(values: np.ndarray) -> tuple[float, float, float]:
    r, g, b = np.clip(values, 0.0, 255.0)
    return float(r), float(g), float(b)


def noise_texture(size: int, generator: np.random.Generator) -> np.ndarray:
    """
    Smooth noise of several octaves.

    :returns: (size, size, 3) float32, about -1 to 1
    """
    total = np.zeros((size, size, 3), np.float32)
    falloff = generator.uniform(0.4, 0.9)
    channels = 3 if generator.random() < 0.3 else 1
    for octave in range(1, 7):
        cells = 2 ** octave
        stretch = int(np.clip(cells * generator.choice([1.0, 1.0, 4.0]), 2, size))
        coarse = generator.standard_normal((min(cells, size), stretch, channels))
        layer = cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
        total += layer.reshape(size, size, channels) * falloff ** octave
    return total / max(float(np.abs(total).max()), 1e-6)


def _surface(size: int, generator: np.random.Generator) -> np.ndarray:
    """A plain wall, a gradient, or noise between two colours."""
    first, second = np.array(any_color(generator)), np.array(any_color(generator))
    kind = generator.random()
    share: np.ndarray
    if kind < 0.2:
        share = np.zeros((size, size, 1), np.float32)
    elif kind < 0.5:
        angle = generator.uniform(0.0, 2.0 * np.pi)
        ramp = np.linspace(-0.7, 0.7, size, dtype=np.float32)
        share = (ramp[None] * np.cos(angle) + ramp[:, None] * np.sin(angle) + 0.5)[..., None]
    else:
        share = noise_texture(size, generator) * generator.uniform(0.2, 1.0) + 0.5
    image = first + (second - first) * np.clip(share, 0.0, 1.0)
    return np.clip(image + np.zeros((size, size, 3)), 0.0, 255.0).astype(np.uint8)


def _point(image: np.ndarray, generator: np.random.Generator) -> tuple[int, int]:
    height, width = image.shape[:2]
    return (int(generator.integers(-width // 8, width + width // 8)),
            int(generator.integers(-height // 8, height + height // 8)))


def _length(image: np.ndarray, generator: np.random.Generator, low: float = 0.02,
            high: float = 0.5) -> int:
    """A log-uniform length in pixels, as shares of the image's width."""
    return max(2, int(image.shape[1] * np.exp(generator.uniform(np.log(low), np.log(high)))))


def _polygons(image: np.ndarray, generator: np.random.Generator) -> None:
    for _ in range(generator.integers(1, 8)):
        centre, radius = np.array(_point(image, generator)), _length(image, generator)
        corners = int(generator.integers(3, 7))
        angles = np.sort(generator.uniform(0.0, 2.0 * np.pi, corners))
        points = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(image, [points.astype(np.int32)], any_color(generator), cv2.LINE_AA)


def _lines(image: np.ndarray, generator: np.random.Generator) -> None:
    color = any_color(generator)
    for _ in range(generator.integers(1, 12)):
        cv2.line(image, _point(image, generator), _point(image, generator), color,
                 int(generator.integers(1, 8)), cv2.LINE_AA)


def _stripes(image: np.ndarray, generator: np.random.Generator) -> None:
    x, y = _point(image, generator)
    step = _length(image, generator, 0.01, 0.08)
    color = any_color(generator)
    for k in range(int(generator.integers(3, 14))):
        if generator.random() < 0.5:
            cv2.rectangle(image, (x, y + 2 * k * step), (x + 12 * step, y + (2 * k + 1) * step),
                          color, -1)
        else:
            cv2.rectangle(image, (x + 2 * k * step, y), (x + (2 * k + 1) * step, y + 12 * step),
                          color, -1)


def _text(image: np.ndarray, generator: np.random.Generator) -> None:
    for _ in range(generator.integers(1, 5)):
        letters = generator.choice(list(_LETTERS), generator.integers(2, 12))
        cv2.putText(image, ''.join(letters), _point(image, generator),
                    _FONTS[generator.integers(len(_FONTS))], float(generator.uniform(0.3, 4.0)),
                    any_color(generator), int(generator.integers(1, 6)), cv2.LINE_AA)


def _frames(image: np.ndarray, generator: np.random.Generator) -> None:
    """Windows, screens, doors: rectangles with a border."""
    for _ in range(generator.integers(1, 4)):
        x, y = _point(image, generator)
        width, height = _length(image, generator, 0.1, 0.6), _length(image, generator, 0.1, 0.8)
        cv2.rectangle(image, (x, y), (x + width, y + height), any_color(generator), -1)
        cv2.rectangle(image, (x, y), (x + width, y + height), any_color(generator),
                      int(generator.integers(1, 10)))


def shaded_oval(image: np.ndarray, centre: tuple[int, int], axes: tuple[int, int], angle: float,
                color: tuple[float, float, float], generator: np.random.Generator) -> None:
    """Draw an ellipse that looks like a lit ball, in place; angle in degrees."""
    light = generator.uniform(-0.35, 0.35, 2)
    for step in range(6):
        share = 1.0 - step / 6.0
        brightness = 0.55 + 0.45 * step / 5.0
        shifted = (int(centre[0] + light[0] * axes[0] * (1.0 - share)),
                   int(centre[1] + light[1] * axes[1] * (1.0 - share)))
        cv2.ellipse(image, shifted, (max(1, int(axes[0] * share)), max(1, int(axes[1] * share))),
                    angle, 0, 360, _rgb(np.array(color) * brightness), -1, cv2.LINE_AA)


def _balls(image: np.ndarray, generator: np.random.Generator) -> None:
    for _ in range(generator.integers(1, 4)):
        radius = _length(image, generator, 0.03, 0.35)
        shaded_oval(image, _point(image, generator), (radius, radius), 0.0,
                    any_color(generator), generator)


def _near_faces(image: np.ndarray, generator: np.random.Generator) -> None:
    """Ovals in skin colours on a neck, without a face or with dots in wrong places."""
    x, y = _point(image, generator)
    radius = _length(image, generator, 0.04, 0.3)
    color = skin_color(generator)
    angle = float(generator.normal(0.0, 25.0))
    if generator.random() < 0.5:
        cv2.rectangle(image, (x - radius // 2, y), (x + radius // 2, y + 2 * radius),
                      _rgb(np.array(color) * 0.8), -1)
    shaded_oval(image, (x, y), (radius, int(radius * generator.uniform(1.0, 1.5))), angle, color,
                generator)
    if generator.random() < 0.5:
        cv2.ellipse(image, (x, y), (radius, int(radius * 1.4)), angle, 180, 360,
                    any_color(generator), -1, cv2.LINE_AA)
    for _ in range(generator.choice([0, 0, 1, 4])):
        offset = generator.uniform(-0.8, 0.8, 2) * radius
        cv2.circle(image, (int(x + offset[0]), int(y + offset[1])),
                   max(1, int(radius * generator.uniform(0.04, 0.15))),
                   _rgb(np.array(color) * generator.uniform(0.1, 0.7)), -1, cv2.LINE_AA)


def _fingers(image: np.ndarray, generator: np.random.Generator) -> None:
    """A hand-like blob: a palm and fingers in one skin colour."""
    x, y = _point(image, generator)
    size = _length(image, generator, 0.04, 0.25)
    color = skin_color(generator)
    turn = generator.uniform(0.0, 2.0 * np.pi)
    for angle in np.linspace(-0.7, 0.7, 5) + turn:
        length = size * generator.uniform(1.3, 2.2)
        end = (int(x + length * np.cos(angle)), int(y + length * np.sin(angle)))
        cv2.line(image, (x, y), end, _rgb(np.array(color) * generator.uniform(0.8, 1.0)),
                 max(2, int(size * 0.33)), cv2.LINE_AA)
    shaded_oval(image, (x, y), (size, int(size * 0.85)), float(np.rad2deg(turn)), color,
                generator)
