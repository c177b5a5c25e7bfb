# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A recording of a mannequin head, looked at frame by frame by every detector.

The head is a solid of natural shape and size, so nothing in its depth differs from a person's:
what is counted here is what a robot that has only depth will say of such a thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from face_depth_ros.core.face_box import crop_depth
from face_depth_ros.core.live_identities import LIVE, LIVENESS_LABELS
from face_depth_ros.evaluation.estimation_faces import intrinsics_of, real_faces, RealFace
from face_depth_ros.evaluation.evaluation_result import Rows
from face_depth_ros.evaluation.liveness_rows import Answer, LivenessRows
from face_depth_ros.evaluation.liveness_views import as_measured, LivenessView
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer, SIZE
from face_depth_ros.predictors.depth_estimator import DepthEstimator
import numpy as np
from tqdm import tqdm

ARTEFACT = (
    'The recording shows a mannequin head: a solid thing of the shape and size of a person. Depth '
    'cannot tell it from one, and a detector that sees depth alone can be expected to call it '
    'live; that it does so is a limit of the sensor, not a success. Against such things a robot '
    'needs other evidence: warmth, pulse, colour, or that the face moves.')
_TRACK = 'f00001'
_SHOWN = 6
_MOST_YAW = 90.0


@dataclass(frozen=True)
class CaptureFrame:
    """
    One frame.

    :param answers: by row
    :param raw, enhanced: metres, (256, 256) float32 crops, NaN where invalid
    """

    index: int
    yaw_deg: float | None
    answers: dict[str, Answer]
    color: np.ndarray | None = None
    raw: np.ndarray | None = None
    enhanced: np.ndarray | None = None


@dataclass
class Capture:
    """
    A recording, judged.

    :param name: of the bag
    :param missed: frames without a face
    """

    name: str
    frames: list[CaptureFrame] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)

    def rows(self) -> Rows:
        """Return how often each detector said what."""
        rows: Rows = {}
        for name in (self.frames[0].answers if self.frames else ()):
            said = [frame.answers[name] for frame in self.frames]
            scores = [a.score for a in said if np.isfinite(a.score)]
            rows[name] = {
                'frames': len(said),
                **{label: sum(a.label == label for a in said) for label in LIVENESS_LABELS},
                'live_percent': 100.0 * sum(a.label == LIVE for a in said) / len(said),
                'median_score': float(np.median(scores)) if scores else None,
                'lowest_score': min(scores, default=None)}
        return rows

    def by_frame(self) -> list[dict[str, Any]]:
        """Return what every detector says of every frame, for the JSON."""
        return [{'frame': f.index, 'yaw_deg': f.yaw_deg,
                 **{row: {'label': a.label, 'score': None if not np.isfinite(a.score)
                          else round(a.score, 4), 'reason': a.reason}
                    for row, a in f.answers.items()}} for f in self.frames]

    @property
    def shown(self) -> list[CaptureFrame]:
        """Return the frames of which there are pictures."""
        return [frame for frame in self.frames if frame.color is not None]


def judge_capture(path: Path, rows: LivenessRows, enhancer: DepthEnhancer,
                  estimator: DepthEstimator, *, backend: str = 'auto', precision: str = 'auto',
                  limit: int | None = None) -> Capture:
    """
    Let every detector look at every frame of a recording, in order.

    :param estimator: of mask and landmarks
    :raises BagError: no camera_info, or no face with depth
    """
    found = real_faces(path, backend=backend, precision=precision, limit=limit,
                       most_yaw=_MOST_YAW)
    capture = Capture('/'.join(path.absolute().parts[-2:]), missed=found.missed)
    for row in rows.methods.values():
        row.reset()
    pictured = _spread(len(found.faces))
    for number, (face, view) in enumerate(_views(found.faces, enhancer, estimator)):
        said = {name: row.look(view) for name, row in rows.methods.items()}
        frame = CaptureFrame(face.index, face.yaw_deg, said)
        if number in pictured:
            box = face.detection.box
            frame = replace(frame, color=face.color, raw=crop_depth(view.raw.depth, box, SIZE),
                            enhanced=crop_depth(view.enhanced.depth, box, SIZE))
        capture.frames.append(frame)
    return capture


def capture_sentences(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what a reader takes away, the plain statement first."""
    said = [f'{name}: live in {row["live"]} of {row["frames"]} frames, spoof in {row["spoof"]}, '
            f'unsure in {row["unsure"]}' for name, row in rows.items()]
    return [ARTEFACT, *([f'What was said of it: {"; ".join(said)}.'] if said else [])]


def _views(faces: list[RealFace], enhancer: DepthEnhancer, estimator: DepthEstimator,
           ) -> Iterator[tuple[RealFace, LivenessView]]:
    for face in tqdm(faces, unit='frame'):
        frame = face.frame
        if frame.color is None or frame.depth is None:
            continue
        detection, intrinsics = replace(face.detection, track_id=_TRACK), intrinsics_of(face)
        yield face, LivenessView(
            frame.stamp_ns, frame.color, detection, estimator.estimate(
                frame.color, (detection,), intrinsics=intrinsics, depth=frame.depth),
            as_measured(frame.depth), enhancer.enhance(
                frame.depth, (detection,), stamp_ns=frame.stamp_ns, intrinsics=intrinsics),
            intrinsics)


def _spread(count: int) -> set[int]:
    return {int(i) for i in np.linspace(0, max(count - 1, 0), min(_SHOWN, count)).round()}
