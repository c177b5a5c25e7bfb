# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What messages say of expressions, liveness and identities, there and back."""

from __future__ import annotations

from face_depth_ros.core.errors import InvalidFaceBoxError, ScoreError
from face_depth_ros.core.expression_labels import EXPRESSIONS, HRI_EXPRESSIONS, VALENCE_AROUSAL
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, Expression, Identity, Liveness
from face_depth_ros.nodes import expression_messages as expressions
from face_depth_ros.nodes import liveness_messages as liveness
from face_depth_ros.nodes.headers import header_of, stamp_of
from face_depth_ros.nodes.identity_messages import (
    identities_from_message,
    identities_to_message,
    IdentityFrame,
)
import numpy as np
import pytest

pytestmark = pytest.mark.ros
STAMP, FRAME = 1_234_567_890_123, 'camera'


def face(track='f00001', x=40.0):
    return Detection(FaceBox(x, 30.0, 20.0, 0.25), 0.0, track_id=track)


def shown(label, share=0.7, **changes):
    rest = (1.0 - share) / 6
    probabilities = np.array([share if e == label else rest for e in EXPRESSIONS], np.float32)
    return Expression(face(), probabilities, label, **changes)


@pytest.mark.parametrize('label', EXPRESSIONS)
def test_expressions_there_and_back(label):
    frame = expressions.ExpressionFrame(STAMP, FRAME, (shown(label, valence=0.5),))
    message = expressions.expressions_to_message(frame)
    assert message.header == header_of(STAMP, FRAME) == message.detections[0].header
    back = expressions.expressions_from_message(message)
    assert (back.stamp_ns, back.frame_id) == (STAMP, FRAME)
    assert back.faces[0].detection == face() and back.faces[0].label == label
    np.testing.assert_allclose(back.faces[0].probabilities, frame.faces[0].probabilities)
    wanted = frame.faces[0].probabilities @ np.array(VALENCE_AROUSAL)
    assert (back.faces[0].valence, back.faces[0].arousal) == pytest.approx(tuple(wanted), abs=1e-6)


def test_the_label_stays_first_though_another_is_more_probable():
    said = Expression(face(), np.array([0.1, 0, 0, 0.5, 0, 0, 0.4], np.float32), 'neutral')
    message = expressions.expressions_to_message(expressions.ExpressionFrame(0, '', (said,)))
    names = [r.hypothesis.class_id for r in message.detections[0].results]
    assert names[:3] == ['neutral', 'happiness', 'anger'] and len(names) == 7
    assert expressions.expressions_from_message(message).faces[0].label == 'neutral'


def test_of_whom_nothing_could_be_seen_is_told_again():
    even = np.full(7, 1 / 7, np.float32)
    frame = expressions.ExpressionFrame(0, '', (Expression(face(), even, 'neutral', cause='x'),))
    back = expressions.expressions_from_message(expressions.expressions_to_message(frame))
    assert back.faces[0].cause == 'not_seen' and back.faces[0].valence == 0.0


@pytest.mark.parametrize('change', [
    lambda m: m.results.pop(), lambda m: setattr(m.results[0].hypothesis, 'class_id', 'boredom'),
    lambda m: setattr(m.results[1].hypothesis, 'score', float('nan')),
    lambda m: setattr(m.results[1].hypothesis, 'score', 1.5),
    lambda m: m.results.append(m.results[0]), lambda m: m.results.clear()])
def test_results_that_are_not_the_seven_are_refused(change):
    message = expressions.expressions_to_message(
        expressions.ExpressionFrame(0, '', (shown('fear'),)))
    change(message.detections[0])
    with pytest.raises(ScoreError, match='expected each of anger'):
        expressions.expressions_from_message(message)


@pytest.mark.parametrize(('label', 'name'), list(
    zip(EXPRESSIONS, HRI_EXPRESSIONS, strict=True)))
def test_one_expression_in_the_words_of_hri_msgs(label, name):
    message = expressions.face_expression_to_message(expressions.FaceExpression(
        STAMP, FRAME, shown(label, 0.6, valence=-0.5, arousal=0.25)))
    assert (stamp_of(message.header), message.header.frame_id) == (STAMP, FRAME)
    assert (message.expression, message.valence, message.arousal) == (name, -0.5, 0.25)
    assert message.confidence == pytest.approx(0.6)


@pytest.mark.parametrize(('label', 'probability', 'score'), [
    ('live', 0.9, 0.9), ('spoof', 0.1, 0.9), ('unsure', 0.5, 0.0)])
def test_liveness_there_and_back(label, probability, score):
    frame = liveness.LivenessFrame(STAMP, FRAME, (Liveness(face(), label, probability),))
    message = liveness.liveness_to_message(frame)
    said = message.detections[0].results[0].hypothesis
    assert (said.class_id, said.score) == (label, pytest.approx(score))
    assert message.detections[0].bbox.center.theta == 0.25
    back = liveness.liveness_from_message(message)
    assert (back.stamp_ns, back.frame_id, back.labels) == (STAMP, FRAME, {'f00001': label})
    assert back.faces[0].detection == face()
    assert back.faces[0].probability == pytest.approx(probability)


def test_what_is_not_said_is_unsure():
    faces = tuple(Liveness(face(f'f0000{i}'), 'live', 0.9) for i in range(3))
    message = liveness.liveness_to_message(liveness.LivenessFrame(0, '', faces))
    message.detections[0].results.clear()
    message.detections[1].results[0].hypothesis.class_id = 'Live'
    assert liveness.liveness_from_message(message).labels == {
        'f00000': 'unsure', 'f00001': 'unsure', 'f00002': 'live'}
    message.detections[1] = message.detections[2]
    assert liveness.liveness_from_message(message).labels['f00002'] == 'unsure', 'named twice'


def test_identities_there_and_back():
    frame = IdentityFrame(STAMP, FRAME, (Identity(face(), 'Ada', 0.75),))
    assert identities_from_message(identities_to_message(frame)) == frame


@pytest.mark.parametrize('read', [liveness.liveness_from_message, identities_from_message,
                                  expressions.expressions_from_message])
def test_boxes_that_are_none_are_refused(read):
    message = expressions.expressions_to_message(
        expressions.ExpressionFrame(0, '', (shown('fear'),)))
    message.detections[0].bbox.size_x = float('nan')
    with pytest.raises(InvalidFaceBoxError):
        read(message)
