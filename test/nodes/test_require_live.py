# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""face_recognizer and liveness_detector in one container: only who lives keeps a name."""

from __future__ import annotations

from collections.abc import Iterator
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from face_depth_ros.core.frames import Liveness
from face_depth_ros.nodes.face_recognizer import FaceRecognizerNode
from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.liveness_detector import LivenessDetectorNode
from face_depth_ros.predictors.face_recognizer import FaceRecognizer
from face_depth_ros.predictors.matched_estimates import EstimateSource
from judge_graph import JudgeRobot, MEASURED, SceneEstimator, STEP
import numpy as np
import pytest
from rclpy.parameter import Parameter
from recognizer_graph import plain_gallery, Scene, write_recognizer
from ros_graph import wait_until

pytestmark = pytest.mark.ros


class SlowDetector:
    """Calls live what is not flat, after as long as it is told to think."""

    engine = None
    thinks_s = 0.0

    def __init__(self, **_: Any) -> None:
        """Take any settings."""

    def detect(self, stamp_ns, color, detections, estimated=None, enhanced=None, *,
               intrinsics=None):
        time.sleep(SlowDetector.thinks_s)
        found = []
        for d in detections:
            x, y = round(d.box.center_x), round(d.box.center_y)
            part = None if enhanced is None else enhanced.depth[y - 20:y + 20, x - 20:x + 20]
            lives = part is not None and np.ptp(part) > 0.005
            found.append(Liveness(d, 'live', 0.9) if lives else Liveness(d, 'spoof', 0.1, 'flat'))
        return tuple(found)

    def tune(self, *_: Any) -> None:
        """There is nothing to tune."""

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""


class Both(JudgeRobot):
    """Both nodes; people with the relief of their picture live, prints of them are flat."""

    def __init__(self, graph: Any, folder: Any) -> None:
        super().__init__(graph, FaceRecognizerNode, 'identities')
        self.model, self.access = write_recognizer(folder), plain_gallery(folder)
        recognizer = self.open_recognizer(access=self.access, estimator='', model=str(self.model))
        for name, number in (('Ada', 1), ('Bo', 2)):
            scene = Scene(number)
            recognizer.begin_enrollment(name, seconds=9.0)
            for i in range(4):
                recognizer.recognize(i * STEP, scene.color, scene.detections, scene.estimated)
            assert recognizer.take_enrollment(at_once=True).finish() == f'ok {name}'
            recognizer.reset()
        recognizer.close()

    def open_recognizer(self, *, access, estimator, **settings):
        recognizer = FaceRecognizer.open(access=self.access, **settings)
        recognizer._estimates = EstimateSource(SceneEstimator())
        return recognizer

    def start_both(self, exchange: Exchange | None, wait_s: float = 2.0) -> Any:
        """Run both; by default the recogniser waits long, for the machine may be busy."""
        detector = self.graph.add(
            LivenessDetectorNode, open_detector=SlowDetector, exchange=exchange,
            parameter_overrides=self.reliable(MEASURED) + [
                Parameter('silence_timeout', value=60.0)])
        reliable = [f'qos_overrides.{self.graph.topic("liveness")}.subscription.reliability']
        self.start(MEASURED, options={'open_recognizer': self.open_recognizer,
                                      'exchange': exchange},
                   model=str(self.model), require_live=True,
                   wait_s=wait_s, **dict.fromkeys(reliable, 'reliable'))
        self.graph.wait_ready('liveness_detector')
        self.wait_heard(MEASURED, detector)
        wait_until(lambda: self.graph.spinner.call(
            lambda: self.node._optional['liveness'].publishers), 'liveness')
        return detector

    def send(self, scene: Scene, **changes: Any) -> int:
        return super().send(scene, **{**self.enhanced(scene), **changes})


@pytest.fixture
def both(graph, tmp_path) -> Iterator[Both]:
    SlowDetector.thinks_s = 0.0
    yield Both(graph, tmp_path)
    SlowDetector.thinks_s = 0.0


def with_print_of(*people, prints=()):
    """A scene in which some faces are flat."""
    scene = Scene(*people)
    for i in prints:
        x = round(scene.detections[i].box.center_x)
        scene.depth[:, x - 52:x + 52] = 1.0
    return scene


@pytest.mark.parametrize('inside', [True, False], ids=['by_reference', 'by_messages'])
def test_a_print_of_somebody_known_is_unknown(both, inside):
    both.start_both(Exchange() if inside else None)
    assert both.names(Scene(1, 2)) == ['Ada', 'Bo']
    assert both.names(with_print_of(1, 2, prints=[0])) == ['unknown', 'Bo']
    assert both.names(with_print_of(1, 2, prints=[0, 1])) == ['unknown', 'unknown']
    assert both.names(Scene(1, 2)) == ['Ada', 'Bo']
    values = both.status(lambda s, v: v['frames.processed'] == '4'
                         and s.level == DiagnosticStatus.OK)
    assert values['count.unknown_not_live'] == '3' and 'count.liveness_missing' not in values
    source = values[f'input.{both.graph.topic("liveness")}']
    assert source.startswith('hand-off' if inside else 'ros'), source


def test_liveness_that_takes_longer_than_other_inputs_is_waited_for(both):
    both.start_both(Exchange(), wait_s=0.4)
    SlowDetector.thinks_s = 0.6
    assert [both.names(Scene(1, 2)) for _ in range(3)] == [['Ada', 'Bo']] * 3
    SlowDetector.thinks_s = 2.5
    assert both.names(Scene(1, 2)) == ['unknown', 'unknown'], 'not for ever'
    values = both.status(lambda s, v: v.get('count.liveness_missing') == '1')
    assert 'require_live is true' in values['last.liveness_missing']


def test_a_frame_without_depth_keeps_no_name(both):
    both.start_both(Exchange())
    assert both.names(Scene(1)) == ['Ada']
    late = both.enhanced(Scene(1), late=1000)
    assert both.names(Scene(1), **late) == ['unknown']
    assert both.names(Scene(1)) == ['Ada']
