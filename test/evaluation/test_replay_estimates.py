# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Replay with an estimator whose answers are known: what is recorded, counted and shown."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.output_messages import (
    ESTIMATED_TYPES,
    LABEL_INFO_TOPIC,
    LANDMARKS_PREFIX,
    OUTPUT_TYPES,
    read_outputs,
)
from face_depth_ros.evaluation.replay import replay, summary_table
from face_depth_ros.evaluation.replay_direct import DirectPlayer
from face_depth_ros.evaluation.replay_settings import ReplaySettings
from face_depth_ros.evaluation.video import VideoInfo
import numpy as np
import pytest
import rgbd_bags
from rgbd_bags import EstimatingPipeline

FRAMES = 5
OFFSET_MM = EstimatingPipeline.OFFSET_MM


def run(folder: Path, pipeline: EstimatingPipeline | None = None, *, info: bool = True,
        **settings: Any) -> dict[str, Any]:
    entries = [e for i in range(FRAMES) for e in rgbd_bags.frame_entries(i)
               if info or e.msgtype != rgbd_bags.INFO]
    bag = rgbd_bags.write_bag(folder / 'bag', entries)
    options = {'estimator': 'ours', 'expressions': 'off', 'liveness': 'off'} | settings
    return replay(ReplaySettings(bag, folder / 'out', transport='direct', **options),
                  open_player=lambda s: DirectPlayer(s, pipeline or EstimatingPipeline()))


@pytest.fixture(scope='module')
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp('estimates')
    return folder, run(folder)


def test_recorded_bag_holds_what_the_pipeline_said(replayed: tuple[Path, Any]) -> None:
    with Bag(replayed[0] / 'out' / 'bag') as bag:
        assert set(bag.types()) == {
            *OUTPUT_TYPES, *ESTIMATED_TYPES, LABEL_INFO_TOPIC, f'{LANDMARKS_PREFIX}f00001'}
        label_info, = bag.messages({LABEL_INFO_TOPIC})
        outputs = list(read_outputs(bag))
        info = next(bag.messages({'/face_depth/depth_estimated/camera_info'}))
    assert tuple((c.class_id, c.class_name) for c in label_info.message.class_map) == tuple(
        enumerate(MASK_LABELS))
    assert info.message.k[0] == 60.0
    assert [o.stamp_ns for o in outputs] == [rgbd_bags.stamp(i) for i in range(FRAMES)]
    for i, output in enumerate(outputs):
        red = rgbd_bags.color_array(i)[..., 0] > 200
        assert output.estimate is not None
        np.testing.assert_allclose(
            output.estimate.depth, np.where(red, np.float32(0.608), np.nan), rtol=1e-6)
        np.testing.assert_array_equal(output.estimate.mask > 0, red)
        assert set(np.unique(output.estimate.mask)) == {0, 1, 5}
        assert np.nanmax(output.estimate.uncertainty) == pytest.approx(0.012)
        points = output.estimate.landmarks['f00001']
        np.testing.assert_allclose(points[0], (30.0 + i, 24.0, 0.1), atol=1e-4)
        np.testing.assert_allclose(points[17:, 2], 0.9, atol=1e-6)
        np.testing.assert_allclose(
            np.hypot(points[:, 0] - 22 - i, points[:, 1] - 24), 8.0, atol=1e-4)


def test_pupils_are_the_middles_of_the_eyes(replayed: tuple[Path, Any]) -> None:
    with Bag(replayed[0] / 'out' / 'bag') as bag:
        message = next(bag.messages({f'{LANDMARKS_PREFIX}f00001'})).message
    assert (len(message.landmarks), message.width, message.height) == (70, 64, 48)
    for pupil, eye in ((68, range(36, 42)), (69, range(42, 48))):
        for axis in ('x', 'y'):
            middle = np.mean([getattr(message.landmarks[i], axis) for i in eye])
            assert getattr(message.landmarks[pupil], axis) == pytest.approx(middle, abs=1e-6)
        assert message.landmarks[pupil].c == 0.0


def test_label_info_is_latched_for_who_plays_the_bag(replayed: tuple[Path, Any]) -> None:
    with Bag(replayed[0] / 'out' / 'bag') as bag:
        connection, = (c for c in bag.reader.connections if c.topic == LABEL_INFO_TOPIC)
    profile, = connection.ext.offered_qos_profiles
    assert (profile.durability.name, profile.reliability.name) == ('TRANSIENT_LOCAL', 'RELIABLE')


def test_summary_measures_the_estimate(replayed: tuple[Path, dict[str, Any]]) -> None:
    summary = replayed[1]
    assert summary['estimator'] == 'ours'
    found = summary['estimation']
    assert [found[k] for k in ('frames_with_face', 'frames_with_depth_and_mask',
                               'frames_with_mask', 'faces', 'faces_compared')] == [FRAMES] * 5
    assert found['faces_without'] == []
    assert found['offset_mm'] == pytest.approx(OFFSET_MM, abs=1e-3)
    assert found['rmse_mm'] == pytest.approx(OFFSET_MM, abs=1e-3)
    assert found['shape_rmse_mm'] == pytest.approx(0.0, abs=1e-3)
    assert found['sigma_mm'] == pytest.approx(12.0, abs=1e-3)
    assert found['confidence_mean'] == found['confidence_min'] == pytest.approx(0.97)
    assert found['placement'] == {'sensor': FRAMES}
    assert found['tracks']['f00001']['faces'] == FRAMES
    table = summary_table(summary)
    assert 'depth and mask in 5 of 5 frames with a face\n' in table
    assert '+8.0 mm, RMSE 8.0 mm, 0.0 mm without the offset (5 faces)' in table


def test_report_and_video_show_it(replayed: tuple[Path, dict[str, Any]]) -> None:
    page = (replayed[0] / 'out' / 'report.html').read_text()
    for text in ('Estimated from colour', 'mask and landmarks', 'estimated - camera', 'brows',
                 'sv-est', 'Depth and mask in 5 of 5 frames', '5 by sensor'):
        assert text in page
    info = VideoInfo.read(replayed[0] / 'out' / 'overlay.mp4')
    assert info.frames == FRAMES
    # Two panels above two: wider than three panels are, the frame would be a thin strip.
    assert 1.1 < info.width / info.height < 1.6


def test_faces_left_out_are_named_with_their_cause(tmp_path: Path) -> None:
    summary = run(tmp_path, EstimatingPipeline(missed=(1, 3)))
    found = summary['estimation']
    assert (found['frames_with_face'], found['frames_with_depth_and_mask']) == (5, 3)
    assert found['faces_without'] == [
        {'frame': 2, 'track': 'f00001', 'cause': 'no_face'},
        {'frame': 4, 'track': 'f00001', 'cause': 'no_face'}]
    assert found['without_by_cause'] == found['doubted_by_estimator'] == {'no_face': 2}
    words = 'frame 2 f00001 (no_face), frame 4 f00001 (no_face)'
    assert words in summary_table(summary)
    assert '2 no_face (as the estimator counted)' in summary_table(summary)
    assert words in (tmp_path / 'out' / 'report.html').read_text()


def test_without_camera_info_the_mask_stays_and_the_depth_is_missed(tmp_path: Path) -> None:
    run(tmp_path, info=False)
    found = json.loads((tmp_path / 'out' / 'summary.json').read_text())['estimation']
    assert (found['frames_with_mask'], found['frames_with_depth_and_mask']) == (5, 0)
    assert found['without_by_cause'] == {'no_intrinsics': 5}
    assert found['offset_mm'] is None
    assert 'Depth and mask in 0 of 5 frames' in (tmp_path / 'out' / 'report.html').read_text()


def test_off_records_nothing_of_it(tmp_path: Path) -> None:
    summary = run(tmp_path, rgbd_bags.KnowingPipeline(), estimator='off')
    assert 'estimation' not in summary
    assert set(summary['outputs']) == set(OUTPUT_TYPES)
    assert 'Estimated from colour' not in (tmp_path / 'out' / 'report.html').read_text()


@pytest.mark.ros
def test_landmarks_are_listened_for_of_tracks_near_the_newest_alone() -> None:
    """Each frame once added four topics, so that long recordings came to a standstill."""
    from face_depth_ros.evaluation.replay_ros import RosPlayer
    node = SimpleNamespace(create_subscription=lambda _kind, topic, *_a, **_k: topic,
                           destroy_subscription=lambda _subscription: None)
    player: Any = SimpleNamespace(_node=node, _faces=frozenset(), _listened={}, _newest_track=0,
                                  _on_landmarks=lambda *_: None)
    RosPlayer._listen_for_landmarks(player)
    assert [t[-6:] for t in player._listened] == ['f00001', 'f00002', 'f00003', 'f00004']
    for track in [7] * 50 + list(range(8, 200)):
        player._faces = frozenset({'/face_depth/landmarks/f00003',
                                   f'/face_depth/landmarks/f{track:05d}'})
        RosPlayer._listen_for_landmarks(player)
        assert player._faces <= player._listened.keys()
        assert f'/face_depth/landmarks/f{track + 4:05d}' in player._listened
        assert len(player._listened) <= 22
