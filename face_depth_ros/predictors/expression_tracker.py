# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What tracked faces say, without flicker: probabilities smoothed in time, labels that stay."""

from __future__ import annotations

from dataclasses import dataclass
import math

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_labels import EXPRESSIONS
import numpy as np

FORGET_S = 2.0
"""A track that has not been seen for longer begins anew."""


@dataclass
class _Track:
    values: np.ndarray
    label: int
    seen_ns: int


class ExpressionTracker:
    """
    Smooths what each track says; one instance per camera, frames in order.

    :param smoothing_s: time constant of the running mean, 0 = each frame for itself
    :param hysteresis: by how much another expression must be more probable to become the label
    """

    def __init__(self, smoothing_s: float = 0.4, hysteresis: float = 0.1) -> None:
        self._tracks: dict[str, _Track] = {}
        self.tune(smoothing_s, hysteresis)

    def tune(self, smoothing_s: float, hysteresis: float) -> None:
        """
        Follow settings between frames; parameters as of the class.

        :raises SettingsError: one out of its range
        """
        if not (math.isfinite(smoothing_s) and smoothing_s >= 0.0) or not 0.0 <= hysteresis < 1.0:
            raise SettingsError(f'got smoothing_s = {smoothing_s} and hysteresis = {hysteresis}, '
                                'expected at least 0, and 0 to below 1')
        self.smoothing_s, self.hysteresis = smoothing_s, hysteresis

    def update(self, stamp_ns: int, track_id: str, values: np.ndarray) -> tuple[np.ndarray, str]:
        """
        Take a view of a track in.

        :param track_id: '' = of no track, answered by itself
        :param values: (K,) float32: the 7 probabilities, and what else is smoothed with them
        :returns: the smoothed values, (K,) float32, and the label
        """
        best = int(np.argmax(values[:len(EXPRESSIONS)]))
        known = self._tracks.get(track_id) if track_id else None
        if known is None or not 0.0 <= (stamp_ns - known.seen_ns) * 1e-9 <= FORGET_S:
            mean, label = values.astype(np.float32), best
        else:
            passed = (stamp_ns - known.seen_ns) * 1e-9
            keep = math.exp(-passed / self.smoothing_s) if self.smoothing_s > 0.0 else 0.0
            mean = (keep * known.values + (1.0 - keep) * values).astype(np.float32)
            best = int(np.argmax(mean[:len(EXPRESSIONS)]))
            stays = mean[best] - mean[known.label] <= self.hysteresis
            label = known.label if stays else best
        if track_id:
            self._tracks[track_id] = _Track(mean, label, stamp_ns)
        return mean, EXPRESSIONS[label]

    def forget(self, stamp_ns: int) -> None:
        """Forget the tracks that have not been seen for long."""
        self._tracks = {key: track for key, track in self._tracks.items()
                        if abs(stamp_ns - track.seen_ns) * 1e-9 <= FORGET_S}

    def reset(self) -> None:
        """Forget all tracks."""
        self._tracks.clear()
