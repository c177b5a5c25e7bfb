# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The message seams of expressions: Detection2DArray for all, hri_msgs/Expression for one face."""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import ScoreError
from face_depth_ros.core.expression_labels import (
    EXPRESSIONS,
    HRI_EXPRESSIONS,
    NEUTRAL,
    VALENCE_AROUSAL,
)
from face_depth_ros.core.frames import Expression
from face_depth_ros.nodes.detection_messages import (
    detection_without_score,
    DetectionFrame,
    detections_to_message,
)
from face_depth_ros.nodes.headers import header_of, stamp_of
from face_depth_ros.nodes.topic_adapters import Adapter, not_read
from hri_msgs.msg import Expression as ExpressionMessage
import numpy as np
from vision_msgs.msg import (
    Detection2D,
    Detection2DArray,
    ObjectHypothesis,
    ObjectHypothesisWithPose,
)

NOT_SEEN = 'not_seen'
"""Cause of an expression that came as a message by which all are equally probable."""
_EVEN = 1e-4
"""Probabilities that differ by less are those of a face of which nothing could be seen."""


@dataclass(frozen=True)
class ExpressionFrame:
    """What the faces of one frame say, empty when nobody is there."""

    stamp_ns: int
    frame_id: str
    faces: tuple[Expression, ...]


@dataclass(frozen=True)
class FaceExpression:
    """What one face says."""

    stamp_ns: int
    frame_id: str
    expression: Expression


def expressions_to_message(frame: ExpressionFrame) -> Detection2DArray:
    """
    Return the message: id and box of the detections, results = all seven with their probability.

    The first is the one that is said to be shown, the others follow by probability. Valence,
    arousal and action units have no place in it.
    """
    message = detections_to_message(DetectionFrame(
        frame.stamp_ns, frame.frame_id, tuple(f.detection for f in frame.faces)))
    for detection, face in zip(message.detections, frame.faces, strict=True):
        ordered = sorted(zip(EXPRESSIONS, face.probabilities, strict=True),
                         key=lambda pair: (pair[0] != face.label, -pair[1]))
        detection.results = [
            ObjectHypothesisWithPose(hypothesis=ObjectHypothesis(class_id=name, score=float(p)))
            for name, p in ordered]
    return message


def expressions_from_message(message: Detection2DArray) -> ExpressionFrame:
    """
    Return what the faces say; valence and arousal follow from the probabilities.

    :raises InvalidFaceBoxError: a box is not finite, or has no size
    :raises ScoreError: the results of a face are not the seven expressions with a probability
    """
    return ExpressionFrame(stamp_of(message.header), message.header.frame_id,
                           tuple(_expression(d) for d in message.detections))


def face_expression_to_message(face: FaceExpression) -> ExpressionMessage:
    """Return the message: the name in the words of hri_msgs, its probability as confidence."""
    said = face.expression
    index = EXPRESSIONS.index(said.label)
    return ExpressionMessage(
        header=header_of(face.stamp_ns, face.frame_id), expression=HRI_EXPRESSIONS[index],
        valence=float(said.valence), arousal=float(said.arousal),
        confidence=float(said.probabilities[index]))


def _expression(detection: Detection2D) -> Expression:
    found = {r.hypothesis.class_id: r.hypothesis.score for r in detection.results}
    scores = np.array([found.get(name, np.nan) for name in EXPRESSIONS], np.float32)
    if len(detection.results) != len(EXPRESSIONS) or not (
            (scores >= 0.0) & (scores <= 1.0)).all():
        raise ScoreError(
            f'face {detection.id!r} has the results {found}, expected each of '
            f'{", ".join(EXPRESSIONS)} once, with a score from 0 to 1', cause='expression_results')
    if np.ptp(scores) < _EVEN:
        return Expression(detection_without_score(detection), scores, EXPRESSIONS[NEUTRAL],
                          cause=NOT_SEEN)
    valence, arousal = scores @ np.array(VALENCE_AROUSAL, np.float32)
    return Expression(detection_without_score(detection), scores,
                      detection.results[0].hypothesis.class_id, float(valence), float(arousal))


EXPRESSION_FRAMES: Adapter[ExpressionFrame] = Adapter(
    Detection2DArray, expressions_from_message, expressions_to_message)
FACE_EXPRESSION: Adapter[FaceExpression] = Adapter(
    ExpressionMessage, not_read, face_expression_to_message)
