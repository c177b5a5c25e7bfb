# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The stages of a frame: what each is given, in which order, and what they forget together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    EstimatedDepth,
    Expression,
    Frame,
    Identity,
    Liveness,
)
from face_depth_ros.core.tracking import FaceTracker
from face_depth_ros.predictors.pipeline import Pipeline
import numpy as np
import pytest

SHAPE = (48, 64)
CAMERA = CameraIntrinsics(64, 48, 60.0, 60.0, 32.0, 24.0)
ENHANCED = EnhancedDepth(np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.uint8),
                         np.zeros(SHAPE, np.uint8))
ESTIMATED = EstimatedDepth(np.ones(SHAPE, np.float32), np.ones(SHAPE, np.float32),
                           np.zeros(SHAPE, np.uint8))
STEP = 10**8


class Stage:
    """Writes into a common diary what it is asked to do."""

    engine = None

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name, self.diary = name, diary
        self.given: tuple[Any, ...] = ()

    def note(self, *given: Any) -> None:
        self.diary.append(self.name)
        self.given = given

    def reset(self) -> None:
        self.diary.append(f'{self.name} reset')

    def close(self) -> None:
        self.diary.append(f'{self.name} closed')


class Detector(Stage):
    """Finds two faces."""

    def detect(self, color: np.ndarray) -> tuple[Detection, ...]:
        self.note(color)
        return tuple(Detection(FaceBox(x, 20.0, 12.0), 0.9) for x in (12.0, 40.0))


class Enhancer(Stage):
    def enhance(self, depth: np.ndarray, detections: Sequence[Detection], **more: Any,
                ) -> EnhancedDepth:
        self.note(depth, detections)
        return ENHANCED


class Estimator(Stage):
    def estimate(self, color: np.ndarray, detections: Sequence[Detection], **more: Any,
                 ) -> EstimatedDepth:
        self.note(color, detections)
        return ESTIMATED


class Recognizer(Stage):
    """Takes everybody for Ada."""

    def recognize(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
                  estimated: EstimatedDepth | None, enhanced: EnhancedDepth | None, *,
                  intrinsics: CameraIntrinsics | None) -> tuple[Identity, ...]:
        self.note(stamp_ns, color, detections, estimated, enhanced, intrinsics)
        return tuple(Identity(d, 'Ada', 0.9) for d in detections)

    def refuse_enrollment(self, reason: str) -> None:
        self.diary.append(f'refused: {reason}')


class Reader(Stage):
    def recognize(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
                  estimated: EstimatedDepth | None = None,
                  enhanced: EnhancedDepth | None = None, *,
                  intrinsics: CameraIntrinsics | None = None) -> tuple[Expression, ...]:
        self.note(stamp_ns, color, detections, estimated, enhanced, intrinsics)
        return tuple(Expression(d, np.eye(7, dtype=np.float32)[3], EXPRESSIONS[3])
                     for d in detections)


class Teller(Stage):
    """Says what it is told to of the faces, from left to right."""

    def __init__(self, name: str, diary: list[str], labels: tuple[str, ...]) -> None:
        super().__init__(name, diary)
        self.labels = labels

    def detect(self, stamp_ns: int, color: np.ndarray, detections: Sequence[Detection],
               estimated: EstimatedDepth | None = None,
               enhanced: EnhancedDepth | None = None, *,
               intrinsics: CameraIntrinsics | None = None) -> tuple[Liveness, ...]:
        self.note(stamp_ns, color, detections, estimated, enhanced, intrinsics)
        return tuple(Liveness(d, label, 0.5)
                     for d, label in zip(detections, self.labels, strict=False))


class Camera:
    """A pipeline of such stages, and frames for it."""

    def __init__(self, labels: tuple[str, ...] = ('live', 'live'), **settings: Any) -> None:
        self.diary: list[str] = []
        self.reader = Reader('express', self.diary)
        self.teller = Teller('liveness', self.diary, labels)
        stages = {'estimator': Estimator('estimate', self.diary),
                  'recognizer': Recognizer('recognize', self.diary),
                  'expressions': self.reader, 'liveness': self.teller}
        self.pipeline = Pipeline(Detector('detect', self.diary), FaceTracker(),
                                 Enhancer('enhance', self.diary), **{**stages, **settings})

    def show(self, index: int = 0, *, color: bool = True, depth: bool = True) -> Any:
        self.diary.clear()
        return self.pipeline.process(Frame(
            index * STEP, 'camera', np.zeros((*SHAPE, 3), np.uint8) if color else None,
            np.ones(SHAPE, np.float32) if depth else None, intrinsics=CAMERA))


def test_the_order_and_what_goes_on() -> None:
    camera = Camera()
    result = camera.show()
    assert camera.diary == ['detect', 'enhance', 'estimate', 'liveness', 'recognize', 'express']
    assert list(result.stage_ms) == ['detect', 'track', 'enhance', 'estimate', 'liveness',
                                     'recognize', 'express']
    for stage in (camera.reader, camera.teller):
        stamp, color, detections, estimated, enhanced, intrinsics = stage.given
        assert stamp == 0 and color.shape == (*SHAPE, 3) and intrinsics is CAMERA
        assert estimated is ESTIMATED and enhanced is ENHANCED
        assert detections == result.detections and detections[0].track_id == 'f00001'
    assert [e.label for e in result.expressions] == ['happiness'] * 2
    assert [face.label for face in result.liveness] == ['live'] * 2


@pytest.mark.parametrize(('off', 'lacks'), [
    ('expressions', 'express'), ('liveness', 'liveness'), ('recognizer', 'recognize'),
    ('estimator', 'estimate')])
def test_a_stage_that_is_off_says_nothing(off: str, lacks: str) -> None:
    camera = Camera(**{off: None})
    result = camera.show()
    assert lacks not in camera.diary and lacks not in result.stage_ms
    told = {'expressions': result.expressions, 'liveness': result.liveness,
            'recognizer': result.identities, 'estimator': result.estimated}
    assert {name: said is None for name, said in told.items()} == {
        name: name == off for name in told}
    assert len(camera.pipeline.stages) == 5


def test_without_colour_nobody_is_looked_at() -> None:
    camera = Camera()
    result = camera.show(color=False)
    assert camera.diary == ['enhance']
    assert result.expressions is None and result.liveness is None and result.identities is None
    assert result.enhanced is ENHANCED


def test_without_depth_the_network_of_liveness_is_told_so() -> None:
    camera = Camera()
    result = camera.show(depth=False)
    assert result.enhanced is None and len(result.liveness) == len(result.expressions) == 2
    assert camera.teller.given[4] is None


def test_when_time_jumps_all_forget() -> None:
    camera = Camera()
    camera.show(50)
    camera.show(1)
    assert camera.diary[:5] == ['detect', 'enhance reset', 'recognize reset', 'express reset',
                                'liveness reset']
    camera.show(2)
    assert not any('reset' in line for line in camera.diary)


@pytest.mark.parametrize(('labels', 'names'), [
    (('live', 'spoof'), ['Ada', 'unknown']), (('unsure', 'live'), ['unknown', 'Ada']),
    (('live', 'live'), ['Ada', 'Ada']), (('live',), ['Ada', 'unknown'])])
def test_only_living_faces_have_a_name_where_this_is_asked_for(
        labels: tuple[str, ...], names: list[str]) -> None:
    assert [i.person for i in Camera(labels).show().identities] == ['Ada', 'Ada']
    camera = Camera(labels, require_live=True)
    identities = camera.show().identities
    assert [i.person for i in identities] == names
    assert [i.cause for i in identities] == ['not_live' if n == 'unknown' else '' for n in names]
    refused = 'refused: the face is not said to be live' in camera.diary
    assert refused == ('unknown' in names)


def test_without_liveness_nobody_is_live() -> None:
    camera = Camera(liveness=None, require_live=True)
    assert [i.person for i in camera.show().identities] == ['unknown'] * 2


def test_all_are_closed() -> None:
    camera = Camera()
    camera.pipeline.close()
    assert sorted(camera.diary) == [f'{name} closed' for name in (
        'detect', 'enhance', 'estimate', 'express', 'liveness', 'recognize')]
