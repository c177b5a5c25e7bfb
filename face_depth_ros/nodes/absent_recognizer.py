# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What stands in for a recogniser whose model is not there: everybody is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.frames import Detection, Identity
import numpy as np


class AbsentRecognizer:
    """Recognises nobody."""

    engine = None
    enrolling = ''
    people = None

    def recognize(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
                  *_: Any, **__: Any) -> tuple[Identity, ...]:
        """Return that everybody is unknown; parameters as those of a real recogniser."""
        return tuple(Identity(d, 'unknown', 0.0, cause='no_model') for d in detections)

    def begin_enrollment(self, name: str, **_: Any) -> NoReturn:
        """Refuse."""
        raise FaceDepthError(f'{name} cannot be enrolled: the model of the recogniser cannot run, '
                             'see the diagnostics', cause='no_model')

    def refuse_enrollment(self, reason: str) -> None:
        """There is none."""

    def take_enrollment(self, *, at_once: bool = False) -> None:
        """There is none."""

    def tune(self, false_accept_rate: float, min_quality: float, max_faces: int) -> None:
        """There is nothing to tune."""

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""
