# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Scores of a face detector against known scenes: what is found, how precisely, and false alarms.

A detection is right if its inscribed circle and that of a face agree by intersection over union
0.5 or more; each face is matched once, best score first.
"""

from __future__ import annotations

from collections.abc import Sequence
import math

from face_depth_ros.core.detection_decoding import circle_overlap
from face_depth_ros.core.frames import Detection
from face_depth_ros.training.detection_scene import Scene
import numpy as np

MATCH_OVERLAP = 0.5
SIZE_BUCKETS = ((0.0, 24.0), (24.0, 48.0), (48.0, 96.0), (96.0, 192.0), (192.0, math.inf))
YAW_BUCKETS = ((0.0, 30.0), (30.0, 60.0), (60.0, 90.0))


def match(scene: Scene, detections: Sequence[Detection]) -> list[int]:
    """
    Give each detection its face.

    :param detections: best first
    :returns: index of the face, -1 for a false alarm, -2 for a face that does not count
    """
    free = np.ones(len(scene.boxes), bool)
    result = []
    for detection in detections:
        box = detection.box
        distance = np.hypot(scene.boxes[:, 0] - box.center_x, scene.boxes[:, 1] - box.center_y)
        overlap = circle_overlap(distance, scene.boxes[:, 2] / 2.0, box.side / 2.0) * free
        best = int(np.argmax(overlap)) if len(overlap) else -1
        if best < 0 or overlap[best] < MATCH_OVERLAP:
            result.append(-1)
            continue
        free[best] = False
        result.append(best if scene.seen[best] else -2)
    return result


def average_precision(scores: np.ndarray, right: np.ndarray, faces: int) -> float:
    """
    Area under precision over recall, precision made monotonous.

    :param scores: (K,)
    :param right: (K,) bool
    :param faces: number of faces to be found
    """
    if not faces or not len(scores):
        return 0.0
    order = np.argsort(-scores, kind='stable')
    hits = np.cumsum(right[order])
    precision = hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = hits / faces
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def score_detections(scenes: Sequence[Scene], found: Sequence[Sequence[Detection]],
                     threshold: float) -> dict[str, float]:
    """
    Score all scenes.

    :param found: of each scene, best first, down to low scores (for the average precision)
    :param threshold: of the other figures
    :returns: ap50; recall, and by size (pixels) and yaw (degrees); false alarms per image, and
        per image without a face; median side error and landmark NME in percent of the side;
        median and 95th percentile of the roll error in degrees. A figure without samples is left
        out
    """
    scores, right, counted = [], [], 0
    rows: list[tuple[float, float, bool]] = []
    errors: list[tuple[float, float, float]] = []
    false_alarms, empty_alarms, empty = 0, 0, 0
    for scene, detections in zip(scenes, found, strict=True):
        faces = match(scene, detections)
        pairs = list(zip(detections, faces, strict=True))
        scores += [d.score for d, k in pairs if k != -2]
        right += [k >= 0 for k in faces if k != -2]
        sure = [(d, k) for d, k in pairs if d.score >= threshold]
        alarms = sum(k == -1 for _, k in sure)
        false_alarms += alarms
        if not len(scene.boxes):
            empty, empty_alarms = empty + 1, empty_alarms + alarms
        hit = {k for _, k in sure if k >= 0}
        rows += [(float(scene.boxes[k, 2]), abs(float(scene.yaw_deg[k])), k in hit)
                 for k in np.nonzero(scene.seen)[0]]
        counted += int(scene.seen.sum())
        errors += [_errors(scene, k, d) for d, k in sure if k >= 0]
    result = {'faces': float(counted), 'ap50': average_precision(
        np.array(scores), np.array(right, bool), counted)}
    table = np.array(rows).reshape(-1, 3)
    result |= _recalls(table)
    result['false_per_image'] = false_alarms / max(len(scenes), 1)
    if empty:
        result['false_per_empty_image'] = empty_alarms / empty
    if errors:
        side, nme, roll = np.array(errors).T
        result |= {'side_error_percent': float(np.median(side)),
                   'nme_percent': float(np.median(nme)),
                   'roll_error_deg': float(np.median(roll)),
                   'roll_error_p95_deg': float(np.percentile(roll, 95))}
    return {name: round(value, 4) for name, value in result.items()}


def _recalls(table: np.ndarray) -> dict[str, float]:
    """Recall of all rows and by bucket; table (K, 3): side, |yaw|, found."""
    if not len(table):
        return {}
    result = {'recall': float(table[:, 2].mean())}
    for name, column, buckets in (('side', 0, SIZE_BUCKETS), ('yaw', 1, YAW_BUCKETS)):
        for low, high in buckets:
            inside = (table[:, column] >= low) & (table[:, column] < high)
            if inside.any():
                result[f'recall_{name}_{low:g}'] = float(table[inside, 2].mean())
    return result


def _errors(scene: Scene, k: int, detection: Detection) -> tuple[float, float, float]:
    """Error of side and mean landmark error in percent of the side; of the roll in degrees."""
    side, roll = float(scene.boxes[k, 2]), float(scene.boxes[k, 3])
    nme = float('nan')
    if detection.landmarks is not None:
        nme = float(np.linalg.norm(detection.landmarks - scene.landmarks[k], axis=1).mean())
    turn = math.degrees(abs(math.remainder(detection.box.roll - roll, 2.0 * math.pi)))
    return 100.0 * abs(detection.box.side - side) / side, 100.0 * nme / side, turn
