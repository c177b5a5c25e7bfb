# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The shipped models on the sample bag: over ROS and without, to the byte the same depth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.output_messages import (
    CONFIDENCE_TOPIC,
    detections_of,
    DETECTIONS_TOPIC,
    ENHANCED_INFO_TOPIC,
    ENHANCED_TOPIC,
    ESTIMATED_TOPIC,
    LABEL_INFO_TOPIC,
    landmarks_of,
    LANDMARKS_PREFIX,
    MASK_TOPIC,
    output_types,
    PROVENANCE_TOPIC,
    UNCERTAINTY_TOPIC,
)
from face_depth_ros.evaluation.replay import main, replay
from face_depth_ros.evaluation.replay_settings import ReplaySettings
import numpy as np
import pytest
import rgbd_bags

SAMPLE = Path(__file__).resolve().parents[1] / 'data' / 'sample_bag'
FRAMES = 5


def run(out: Path, transport: str, *options: str) -> dict[str, Any]:
    """Through the command line, as users do."""
    assert main([str(SAMPLE), '--out', str(out), '--transport', transport, '--limit',
                 str(FRAMES), '--deadline-s', '60', *options]) == 0
    summary: dict[str, Any] = json.loads((out / 'summary.json').read_text())
    return summary


@pytest.fixture(scope='module')
def direct(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp('direct') / 'out'
    return out, run(out, 'direct')


@pytest.fixture(scope='module')
def over_ros(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp('ros') / 'out'
    return out, run(out, 'ros')


def check(summary: dict[str, Any]) -> None:
    assert summary['frames_in'] == summary['frames_processed'] == FRAMES
    assert summary['models'] == {name: find_model(name).sha256
                                 for name in ('face_detector', 'depth_enhancer',
                                              'face_estimator', 'expression_recognizer',
                                              'liveness_detector')}
    assert {'detect', 'track', 'enhance', 'estimate'} <= set(summary['stage_ms'])
    assert summary['backend'] in ('openvino', 'tensorrt')
    counts = {topic: entry['count'] for topic, entry in summary['outputs'].items()}
    assert {t: counts.get(t) for t in output_types(estimator=True)} == dict.fromkeys(
        output_types(estimator=True), FRAMES)
    assert counts[LABEL_INFO_TOPIC] == 1
    assert counts.get(f'{LANDMARKS_PREFIX}f00001', 0) <= FRAMES
    assert summary['latency_ms']['p50'] > 0
    found = summary['estimation']
    assert found['frames_with_depth_and_mask'] == found['frames_with_face'] == FRAMES
    assert found['faces_without'] == []
    assert found['rmse_mm'] < 15.0


def test_direct(direct: tuple[Path, dict[str, Any]]) -> None:
    check(direct[1])
    assert direct[1]['outputs'][f'{LANDMARKS_PREFIX}f00001']['count'] == FRAMES
    assert direct[1]['estimation']['placement'] == {'sensor': FRAMES}


@pytest.mark.ros
@pytest.mark.slow
def test_ros(over_ros: tuple[Path, dict[str, Any]]) -> None:
    check(over_ros[1])
    assert over_ros[1]['transport'] == 'ros'


@pytest.mark.ros
@pytest.mark.slow
def test_both_transports_give_the_same(direct: tuple[Path, Any],
                                       over_ros: tuple[Path, Any]) -> None:
    with Bag(direct[0] / 'bag') as first, Bag(over_ros[0] / 'bag') as second:
        for topic in (ENHANCED_TOPIC, CONFIDENCE_TOPIC, PROVENANCE_TOPIC, ESTIMATED_TOPIC,
                      UNCERTAINTY_TOPIC, MASK_TOPIC):
            a, b = list(first.messages({topic})), list(second.messages({topic}))
            assert len(a) == len(b) == FRAMES
            for left, right in zip(a, b, strict=True):
                assert left.stamp_ns == right.stamp_ns
                assert left.message.encoding == right.message.encoding
                np.testing.assert_array_equal(left.message.data, right.message.data)
        for left, right in zip(first.messages({DETECTIONS_TOPIC}),
                               second.messages({DETECTIONS_TOPIC}), strict=True):
            assert detections_of(left.message) == detections_of(right.message)
        for left, right in zip(first.messages({ENHANCED_INFO_TOPIC}),
                               second.messages({ENHANCED_INFO_TOPIC}), strict=True):
            assert left.stamp_ns == right.stamp_ns
            np.testing.assert_array_equal(left.message.k, right.message.k)
        # A topic of landmarks begins with its face, so that its first message meets nobody, and
        # ends when the face was away for 2 s, which frames are apart on a very busy machine.
        alone = {m.stamp_ns: landmarks_of(m.message)
                 for m in first.messages({f'{LANDMARKS_PREFIX}f00001'})}
        heard = list(second.messages({f'{LANDMARKS_PREFIX}f00001'}))
        assert heard or over_ros[1]['latency_ms']['p95'] > 1000
        for message in heard:
            np.testing.assert_array_equal(landmarks_of(message.message), alone[message.stamp_ns])


@pytest.mark.ros
@pytest.mark.slow
def test_temporal_mode_gives_the_same_over_both(tmp_path: Path, direct: tuple[Path, Any]) -> None:
    """To the byte, and less error than frame by frame."""
    depths = []
    for transport in ('direct', 'ros'):
        summary = run(tmp_path / transport, transport, '--temporal')
        assert summary['temporal'] is True
        with Bag(tmp_path / transport / 'bag') as bag:
            depths.append([bytes(m.message.data) for m in bag.messages({ENHANCED_TOPIC})])
    assert depths[0] == depths[1]
    alone = direct[1]['reference']['near_rmse_enhanced_mm']
    assert summary['reference']['near_rmse_enhanced_mm'] < alone


@pytest.mark.ros
@pytest.mark.slow
def test_ros_says_which_model_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(tmp_path / 'models'))
    (tmp_path / 'models').mkdir()
    (tmp_path / 'models' / 'face_detector.yaml').write_text('name: face_detector\n')
    with pytest.raises(FaceDepthError, match='a node cannot work.*face_detector.yaml lacks'):
        replay(ReplaySettings(SAMPLE, tmp_path / 'out'))
    assert [p.name for p in tmp_path.iterdir()] == ['models']


@pytest.mark.ros
@pytest.mark.slow
def test_ros_says_that_an_estimator_has_no_model(tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """The node itself goes on with empty frames; a replay of it would show nothing."""
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(tmp_path / 'models'))
    (tmp_path / 'models').mkdir()
    (tmp_path / 'models' / 'cgan.yaml').write_text('name: cgan\n')
    with pytest.raises(FaceDepthError, match='a node cannot work.*depth_estimator.*cgan'):
        replay(ReplaySettings(SAMPLE, tmp_path / 'out', estimator='cgan'))
    assert [p.name for p in tmp_path.iterdir()] == ['models']


@pytest.mark.ros
@pytest.mark.slow
def test_ros_drops_a_bad_frame_with_its_cause_and_goes_on(tmp_path: Path) -> None:
    entries = [e for i in range(3) for e in rgbd_bags.frame_entries(i)]
    bad = entries[5]
    entries[5] = rgbd_bags.image_entry(bad.topic, bad.stamp_ns, rgbd_bags.color_array(1), 'rgb8')
    bag = rgbd_bags.write_bag(tmp_path / 'bag', entries)
    summary = replay(ReplaySettings(bag, tmp_path / 'out', deadline_s=60.0))
    assert (summary['frames_processed'], summary['frames_dropped']) == (2, 1)
    assert summary['dropped_by_cause'] == {'depth_encoding': 1}


@pytest.mark.ros
@pytest.mark.slow
def test_ros_needs_camera_info(tmp_path: Path) -> None:
    bag = rgbd_bags.write_bag(tmp_path / 'bag', rgbd_bags.frame_entries(0)[:2])
    with pytest.raises(FaceDepthError, match='no camera_info, which the nodes need'):
        replay(ReplaySettings(bag, tmp_path / 'out'))
    assert not (tmp_path / 'out').exists()
