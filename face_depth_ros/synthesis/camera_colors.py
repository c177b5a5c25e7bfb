# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What cameras do to colours: exposure, white balance, grey, blur, motion, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

_LEVELS = np.arange(256, dtype=np.float32) / 255.0


def recolor_head(head: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """
    Change the light on a head.

    :param head: (S, S, 4) uint8, RGB times alpha, and alpha
    :returns: the same form, colours at most alpha
    """
    gain = generator.uniform(0.5, 1.1) * generator.normal(1.0, 0.07, 3)
    scaled = cv2.multiply(head, np.append(gain, 1.0))
    alpha = scaled[..., 3]
    for channel in range(3):
        scaled[..., channel] = np.minimum(scaled[..., channel], alpha)
    return scaled


def degrade(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """
    Make an image look as if a cheap camera had taken it.

    :param image: (H, W, 3) uint8 RGB
    :returns: (H, W, 3) uint8 RGB
    """
    if generator.random() < 0.25:
        image = _lose_resolution(image, generator)
    if generator.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), float(generator.uniform(0.4, 1.6)))
    if generator.random() < 0.12:
        image = _motion_blur(image, generator)
    image = cv2.LUT(image, tone_table(generator))
    if generator.random() < 0.12:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    elif generator.random() < 0.25:
        image = _saturate(image, float(generator.uniform(0.3, 1.8)))
    if generator.random() < 0.45:
        image = _add_noise(image, generator)
    if generator.random() < 0.35:
        image = _compress(image, int(generator.integers(25, 95)))
    return image


def tone_table(generator: np.random.Generator) -> np.ndarray:
    """Return exposure, contrast, gamma and white balance as a table, (1, 256, 3) uint8."""
    exposure = np.exp(generator.normal(0.0, 0.25))
    if generator.random() < 0.08:
        exposure *= generator.uniform(0.15, 0.5)
    contrast = generator.uniform(0.7, 1.3)
    gamma = np.exp(generator.normal(0.0, 0.2))
    balance = generator.normal(1.0, 0.06, 3)
    curve = np.clip(exposure * _LEVELS, 0.0, 1.0) ** gamma
    curve = (curve - 0.45) * contrast + 0.45
    table = np.clip(curve[:, None] * balance, 0.0, 1.0) * 255.0  # (256, 3)
    return table.astype(np.uint8)[None]


def _saturate(image: np.ndarray, amount: float) -> np.ndarray:
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, amount, grey, 1.0 - amount, 0.0)


def _lose_resolution(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    height, width = image.shape[:2]
    share = generator.uniform(0.4, 0.95)
    small = cv2.resize(image, (max(8, int(width * share)), max(8, int(height * share))),
                       interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _motion_blur(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    length = int(generator.integers(3, 12))
    kernel = np.zeros((length, length), np.float32)
    angle = generator.uniform(0.0, np.pi)
    half = (length - 1) / 2.0
    for step in np.linspace(-half, half, 2 * length):
        kernel[round(half + step * np.sin(angle)), round(half + step * np.cos(angle))] = 1.0
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _add_noise(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Gaussian noise; coarse-grained half of the time, grey half of the time."""
    sigma = float(np.exp(generator.uniform(np.log(1.5), np.log(18.0))))
    height, width = image.shape[:2]
    channels = 1 if generator.random() < 0.5 else 3
    grain = generator.standard_normal((height, width, channels), np.float32) * sigma
    if generator.random() < 0.3:
        grain = cv2.GaussianBlur(grain, (3, 3), 0).reshape(height, width, channels) * 1.5
    return np.clip(image + grain, 0.0, 255.0).astype(np.uint8)


def _compress(image: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
