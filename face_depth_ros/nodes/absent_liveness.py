# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What stands in for a liveness detector whose model is not there: nobody is sure to live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from face_depth_ros.core.frames import Detection, Liveness
from face_depth_ros.core.live_identities import UNSURE
import numpy as np


class AbsentLivenessDetector:
    """Is unsure of everybody."""

    engine = None

    def detect(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
               *_: Any, **__: Any) -> tuple[Liveness, ...]:
        """Return that nobody is known to live; parameters as those of a real detector."""
        largest_first = sorted(detections, key=lambda d: d.box.side, reverse=True)
        return tuple(Liveness(d, UNSURE, 0.5, 'no_model') for d in largest_first)

    def tune(self, live_threshold: float | None, spoof_threshold: float | None, window_s: float,
             least_frames: int, max_faces: int) -> None:
        """There is nothing to tune."""

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""
