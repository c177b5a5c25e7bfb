# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The method that the present one is compared with, opened only once somebody looks."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.depth_comparison import comparison_picture, LabelledDepth
from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.frames import Detection, EnhancedDepth
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from face_depth_ros.predictors.enhancer_methods import NO_METHOD
import numpy as np


@dataclass(frozen=True)
class _Attempt:
    """How it went to open a method of one enhancer; `error` is None when it is open."""

    enhancer: DepthEnhancer
    method: str
    error: FaceDepthError | None


@dataclass(frozen=True)
class MeasuredFrame:
    """
    What both methods get to see.

    :param depth: metres, (H, W) float32, NaN where invalid
    :param intrinsics: of the depth image
    """

    stamp_ns: int
    depth: np.ndarray
    faces: tuple[Detection, ...]
    intrinsics: CameraIntrinsics

    def enhance(self, enhancer: DepthEnhancer, method: str | None = None) -> EnhancedDepth:
        """Enhance by the present method or by another open one."""
        return enhancer.enhance(self.depth, self.faces, method, stamp_ns=self.stamp_ns,
                                intrinsics=self.intrinsics)


class SecondMethod:
    """
    Whether the second method of an enhancer is open.

    `open` is called where engines are loaded, the rest where frames are worked on.
    """

    def __init__(self) -> None:
        self._last: _Attempt | None = None

    def open(self, enhancer: DepthEnhancer, method: str) -> None:
        """Open a method; a failure is kept for `is_open`."""
        if self._attempt(enhancer, method) is not None:
            return
        error = None
        try:
            enhancer.prepare(method)
        except FaceDepthError as e:
            error = FaceDepthError(f'there is no comparison with {method}: {e}', cause=e.cause)
        self._last = _Attempt(enhancer, method, error)

    def forget_failure(self) -> None:
        """Let what failed be tried again."""
        if self._last is not None and self._last.error is not None:
            self._last = None

    def is_open(self, enhancer: DepthEnhancer, method: str) -> bool:
        """
        Whether a method may be asked for; False while nobody has tried to open it.

        :raises FaceDepthError: it could not be opened
        """
        attempt = self._attempt(enhancer, method)
        if attempt is None:
            return False
        if attempt.error is not None:
            raise attempt.error
        return True

    def _attempt(self, enhancer: DepthEnhancer, method: str) -> _Attempt | None:
        last = self._last
        if last is not None and last.enhancer is enhancer and last.method == method:
            return last
        return None


def compare(enhancer: DepthEnhancer, method: str, measured: MeasuredFrame,
            enhanced: EnhancedDepth) -> np.ndarray:
    """
    Picture of what the enhancer's method made of a frame, and of what another one makes of it.

    :param method: that is open
    :param enhanced: what the present method made of it
    :returns: (strip + H, 2 W, 3) uint8 RGB
    """
    other = measured.enhance(enhancer, method)
    return comparison_picture(
        LabelledDepth(_label(enhancer.method), enhanced.depth),
        LabelledDepth(_label(method), other.depth), [f.box for f in measured.faces],
        measured.intrinsics.fx)


def _label(method: str) -> str:
    return f'{method} (as measured)' if method == NO_METHOD else method
