# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What stands in for an expression recogniser whose model is not there: everybody is neutral."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from face_depth_ros.core.expression_labels import EXPRESSIONS, NEUTRAL
from face_depth_ros.core.frames import Detection, Expression
import numpy as np


class AbsentExpressionRecognizer:
    """Sees nothing."""

    engine = None

    def recognize(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
                  *_: Any, **__: Any) -> tuple[Expression, ...]:
        """Return that nothing can be seen; parameters as those of a real recogniser."""
        even = np.full(len(EXPRESSIONS), 1.0 / len(EXPRESSIONS), np.float32)
        largest_first = sorted(detections, key=lambda d: d.box.side, reverse=True)
        return tuple(Expression(d, even, EXPRESSIONS[NEUTRAL], cause='no_model')
                     for d in largest_first)

    def tune(self, smoothing_s: float, hysteresis: float, max_faces: int) -> None:
        """There is nothing to tune."""

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""
