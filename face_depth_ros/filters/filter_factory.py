# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Names of the hand-crafted enhancers, and the one way to make them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Protocol

from face_depth_ros.core.errors import FilterError
import numpy as np

ENHANCER_FILTERS = ('De-M2', 'De-M8', 'Hf-FFA', 'Hf-NFA', 'Hf-L', 'Sp-Hf16', 'Sp-HfU')
"""Schlett et al., Table II: decimation, hole-filling, spatial."""

_MODULE = 'face_depth_ros.filters.realsense_filters'


class DepthFilter(Protocol):
    """A hand-crafted enhancer; keeps nothing from call to call."""

    name: str

    def __call__(self, d: np.ndarray) -> np.ndarray:
        """
        Enhance one normalised depth image.

        :param d: (H, W) float32 in [0, 1], 1 = hole or background
        :returns: (H, W) float32 in [0, 1], 1 = hole or background
        :raises FilterError: another shape or dtype, closed, or librealsense failed
        """

    def close(self) -> None:
        """Free what librealsense holds; further calls raise."""


def make_filter(name: str) -> DepthFilter:
    """
    Make one of `ENHANCER_FILTERS`.

    :raises FilterError: no such filter, or librealsense is not usable on this machine
    """
    if name not in ENHANCER_FILTERS:
        raise FilterError(f'no filter is named {name!r}, expected one of '
                          f'{", ".join(ENHANCER_FILTERS)}', cause='filter_name')
    if importlib.util.find_spec('pyrealsense2') is None:
        raise FilterError(
            f'filter {name} needs the package pyrealsense2, which is not installed: pip install '
            'pyrealsense2', cause='filter_package')
    try:
        module = importlib.import_module(_MODULE)
    except ImportError as error:
        raise FilterError(
            f'filter {name} needs the package pyrealsense2, which does not load: {error}; a '
            'missing libusb comes with: apt-get install libusb-1.0-0',
            cause='filter_package') from error
    made: DepthFilter = module.RealSenseFilter(name)
    return made
