# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Replay without ROS, with a pipeline whose answers are known: every output, and every refusal."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path
import signal
import sys
from typing import Any

from face_depth_ros.core.errors import BagError, FaceDepthError, SettingsError
from face_depth_ros.core.frames import Frame, FrameResult
from face_depth_ros.evaluation import replay as replay_module
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.output_messages import OUTPUT_TYPES, read_outputs
from face_depth_ros.evaluation.replay import main, replay, summary_table
from face_depth_ros.evaluation.replay_direct import DirectPlayer
from face_depth_ros.evaluation.replay_settings import ReplaySettings
from face_depth_ros.evaluation.video import VideoInfo
import numpy as np
import pytest
import rgbd_bags
from rgbd_bags import KnowingPipeline

FRAMES = 5
REQUIRED = {
    'frames_in', 'frames_processed', 'frames_dropped', 'frames_with_face', 'transport',
    'backend', 'precision', 'latency_ms', 'stage_ms', 'outputs', 'models', 'input_sha256',
    'commit', 'wall_s'}


def write(path: Path, entries: list[rgbd_bags.Entry] | None = None) -> Path:
    return rgbd_bags.write_bag(path, entries or [
        e for i in range(FRAMES) for e in rgbd_bags.frame_entries(i)])


def reference(folder: Path, offset_mm: int = 0) -> None:
    """Put true depth beside a bag: the face's square without its hole."""
    depth = np.stack([np.where(rgbd_bags.color_array(i)[..., 0] > 200, rgbd_bags.FACE_MM, 0)
                      for i in range(FRAMES)]) + offset_mm
    folder.mkdir()
    np.savez(folder / 'fused_depth.npz', depth_mm=depth.astype(np.uint16), valid=depth > 0,
             stamp_ns=np.array([rgbd_bags.stamp(i) for i in range(FRAMES)]))


def run(bag: Path, out: Path, pipeline: Any = None, **settings: Any) -> dict[str, Any]:
    options = {'estimator': 'off', 'expressions': 'off', 'liveness': 'off'} | settings
    return replay(ReplaySettings(bag, out, transport='direct', **options),
                  command='replay x',
                  open_player=lambda s: DirectPlayer(s, pipeline or KnowingPipeline()))


@pytest.fixture(scope='module')
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp('replay')
    bag = write(folder / 'bag')
    reference(folder / 'reference')
    run(bag, folder / 'out')
    return folder, json.loads((folder / 'out' / 'summary.json').read_text())


def test_the_four_outputs(replayed: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = replayed
    assert {p.name for p in (folder / 'out').iterdir()} == {
        'bag', 'summary.json', 'overlay.mp4', 'report.html'}
    assert {p.name for p in folder.iterdir()} == {'bag', 'reference', 'out'}


def test_summary_is_complete_and_counts(replayed: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = replayed
    assert set(summary) >= REQUIRED
    assert [summary[k] for k in ('frames_in', 'frames_processed', 'frames_dropped',
                                 'frames_with_face', 'transport')] == [5, 5, 0, 5, 'direct']
    assert set(summary['latency_ms']) == {'p50', 'p95', 'p99'}
    assert summary['stage_ms']['enhance'] == {'p50': 2.0, 'p95': 2.0}
    assert summary['outputs'] == {
        topic: {'type': kind, 'count': FRAMES} for topic, kind in OUTPUT_TYPES.items()}
    with Bag(folder / 'bag') as bag:
        assert summary['input_sha256'] == bag.sha256()
    assert summary['tracks'] == ['f00001']
    assert summary['faces']['holes_raw'] == pytest.approx(36 / 576)
    assert summary['faces']['holes_enhanced'] == 0.0


def test_reference_beside_the_bag_is_used(replayed: tuple[Path, dict[str, Any]]) -> None:
    found = replayed[1]['reference']
    assert found['frames_compared'] == found['frames_box_on_head'] == FRAMES
    assert found['rmse_raw_mm'] == pytest.approx(0.0, abs=1e-4)
    assert found['frames_worse_by_0.3_mm'] == 0


def test_reference_of_another_bag_is_left_aside(tmp_path: Path) -> None:
    bag = write(tmp_path / 'bag', rgbd_bags.frame_entries(FRAMES))
    reference(tmp_path / 'reference')
    summary = run(bag, tmp_path / 'out')
    assert 'reference' not in summary
    assert summary['notes'] == [f'nothing is compared with {tmp_path}/reference/fused_depth.npz: '
                                'it has no frame of this bag']
    assert 'it has no frame of this bag' in summary_table(summary)
    assert 'it has no frame of this bag' in (tmp_path / 'out' / 'report.html').read_text()


def test_recorded_bag_holds_what_the_pipeline_said(replayed: tuple[Path, Any]) -> None:
    with Bag(replayed[0] / 'out' / 'bag') as bag:
        outputs = list(read_outputs(bag))
    assert [o.stamp_ns for o in outputs] == [rgbd_bags.stamp(i) for i in range(FRAMES)]
    for i, output in enumerate(outputs):
        expected = rgbd_bags.depth_array(i)
        expected[rgbd_bags.color_array(i)[..., 0] > 200] = rgbd_bags.FACE_MM
        np.testing.assert_allclose(output.enhanced, expected / 1000.0, rtol=1e-6)
        face, = output.detections
        assert (face.track_id, face.score) == ('f00001', pytest.approx(0.9))
        assert (face.box.center_x, face.box.center_y, face.box.side) == (22.0 + i, 24.0, 24.0)
        assert set(np.unique(output.provenance)) == {0, 1, 3}
        assert set(np.unique(output.confidence)) == {0, 200}


def test_video_has_every_frame(replayed: tuple[Path, dict[str, Any]]) -> None:
    info = VideoInfo.read(replayed[0] / 'out' / 'overlay.mp4')
    assert info.frames == FRAMES
    assert replayed[1]['video']['codec'] == info.codec


def test_report_is_self_contained(replayed: tuple[Path, dict[str, Any]]) -> None:
    page = (replayed[0] / 'out' / 'report.html').read_text()
    assert 'http' not in page.replace('http://www.w3.org', '').replace('http://purl.org', '') \
        .replace('http://creativecommons.org', '')
    assert page.count('data:image/jpeg;base64,') > FRAMES
    assert page.count('<svg') >= 6
    for text in ('overlay.mp4', 'f00001', 'RMSE', 'provenance', 'sv-raw'):
        assert text in page


def test_table_names_the_main_results(replayed: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = replayed
    text = summary_table(run(folder / 'bag', folder / 'again'))
    for word in ('5 of 5 processed', 'latency', 'RMSE to reference', 'direct'):
        assert word in text


def test_a_refused_frame_is_dropped_with_its_cause_and_the_next_works(tmp_path: Path) -> None:
    entries = [e for i in range(3) for e in rgbd_bags.frame_entries(i)]
    bad = entries[5]
    assert bad.topic.startswith(rgbd_bags.DEPTH)
    entries[5] = rgbd_bags.image_entry(bad.topic, bad.stamp_ns, rgbd_bags.color_array(1), 'rgb8')
    summary = run(write(tmp_path / 'bag', entries), tmp_path / 'out')
    assert (summary['frames_in'], summary['frames_processed']) == (3, 2)
    assert summary['dropped_by_cause'] == {'depth_encoding': 1}
    assert '2 of 3 processed, 1 dropped: 1 depth_encoding' in summary_table(summary)
    assert summary['outputs']['/face_depth/detections']['count'] == 2
    assert 'dropped' in (tmp_path / 'out' / 'report.html').read_text()


def test_unmatched_messages_are_told(tmp_path: Path) -> None:
    entries = [e for i in range(3) for e in rgbd_bags.frame_entries(i)]
    del entries[5]
    summary = run(write(tmp_path / 'bag', entries), tmp_path / 'out')
    assert summary['frames_in'] == 2
    assert summary['unmatched_messages'] == {'incomplete': 1}


def test_what_has_no_partner_is_counted_to_the_end_and_told(tmp_path: Path) -> None:
    entries = [*rgbd_bags.frame_entries(0), *(rgbd_bags.frame_entries(i)[0] for i in (1, 2))]
    summary = run(write(tmp_path / 'bag', entries), tmp_path / 'out')
    assert summary['unmatched_messages'] == {'incomplete': 2}
    assert '2 incomplete (messages without a partner' in summary_table(summary)
    assert 'messages without a frame</th><td>2 incomplete' in (
        tmp_path / 'out' / 'report.html').read_text()


def test_limit(tmp_path: Path) -> None:
    assert run(write(tmp_path / 'bag'), tmp_path / 'out', limit=2)['frames_in'] == 2


def test_a_bag_of_unusable_frames_says_why_before_anything_starts(tmp_path: Path) -> None:
    entries = [e for i in range(3) for e in rgbd_bags.frame_entries(i)]
    entries = [rgbd_bags.image_entry(e.topic, e.stamp_ns, rgbd_bags.depth_array(0)[:24], '16UC1')
               if e.topic == f'{rgbd_bags.DEPTH}/image_raw' else e for e in entries]

    def never(_: ReplaySettings) -> DirectPlayer:
        raise AssertionError('nothing is to start')

    with pytest.raises(BagError, match='no frame of .*can be used; frame 0: depth is 64 x 24'):
        replay(ReplaySettings(write(tmp_path / 'bag', entries), tmp_path / 'out'),
               open_player=never)
    assert [p.name for p in tmp_path.iterdir()] == ['bag']


def test_stamps_that_leap_by_years_make_a_video(tmp_path: Path) -> None:
    entries = [e for i in range(3) for e in rgbd_bags.frame_entries(i)]
    for e in entries[:4]:
        e.message.header.stamp.sec = 0
    summary = run(write(tmp_path / 'bag', entries), tmp_path / 'out')
    assert (summary['frames_in'], summary['video']['frames']) == (3, 3)
    assert summary['video']['duration_s'] < 1.0


def test_a_bag_that_is_the_working_folder_has_its_name(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write(tmp_path / 'mine'))
    assert run(Path(), tmp_path / 'out')['bag'] == 'mine'


def test_nobody_there(tmp_path: Path) -> None:
    class Blind(KnowingPipeline):
        def process(self, frame: Frame) -> FrameResult:
            return super().process(replace(frame, color=np.zeros_like(frame.color)))

    summary = run(write(tmp_path / 'bag'), tmp_path / 'out', Blind())
    assert summary['frames_with_face'] == 0
    assert json.loads((tmp_path / 'out' / 'summary.json').read_text())['faces'][
        'holes_raw'] is None
    assert 'No face was found' in (tmp_path / 'out' / 'report.html').read_text()


def test_failure_on_the_way_leaves_nothing_and_closes(tmp_path: Path) -> None:
    class Breaking(KnowingPipeline):
        def process(self, frame: Frame) -> FrameResult:
            if frame.stamp_ns == rgbd_bags.stamp(2):
                raise RuntimeError('engine gone')
            return super().process(frame)

    pipeline = Breaking()
    bag = write(tmp_path / 'bag')
    with pytest.raises(RuntimeError, match='engine gone'):
        run(bag, tmp_path / 'out', pipeline)
    assert pipeline.closed
    assert [p.name for p in tmp_path.iterdir()] == ['bag']


def test_truncated_bag_writes_nothing(tmp_path: Path) -> None:
    bag = write(tmp_path / 'bag')
    file = bag / 'bag.mcap'
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(BagError, match='no frame was read.*recover'):
        run(bag, tmp_path / 'out')
    assert [p.name for p in tmp_path.iterdir()] == ['bag']


def test_no_common_stamps(tmp_path: Path) -> None:
    shifted = []
    for i in range(2):
        shifted.append(rgbd_bags.frame_entries(i)[0])
        shifted.append(rgbd_bags.image_entry(
            f'{rgbd_bags.DEPTH}/image_raw', rgbd_bags.stamp(i) + 1, rgbd_bags.depth_array(i),
            '16UC1'))
    with pytest.raises(BagError, match='has no frame: no message of .*synchronised stamps'):
        run(write(tmp_path / 'bag', shifted), tmp_path / 'out')


def test_out_of_somebody_else_is_refused_before_any_work(tmp_path: Path) -> None:
    bag = write(tmp_path / 'bag')
    with pytest.raises(SettingsError, match=r'holds no summary.json'):
        run(bag, bag)


def test_replay_replaces_its_own_output(tmp_path: Path) -> None:
    bag = write(tmp_path / 'bag')
    run(bag, tmp_path / 'out')
    assert run(bag, tmp_path / 'out', limit=1)['frames_in'] == 1
    assert json.loads((tmp_path / 'out' / 'summary.json').read_text())['frames_in'] == 1


@pytest.mark.parametrize(('settings', 'words'), [
    ({'transport': 'pigeon'}, "transport is 'pigeon', expected one of ros, direct"),
    ({'method': 'magic'}, "method is 'magic'"),
    ({'estimator': 'pix2pix'}, "estimator is 'pix2pix', expected one of ours, depthnet"),
    ({'limit': 0}, 'limit is 0'),
    ({'deadline_s': 0.0}, 'deadline is 0.0 s'),
    ({'deadline_s': float('nan')}, 'deadline is nan s'),
    ({'transport': 'direct', 'realtime': True}, 'realtime needs the transport ros'),
    ({'backend': 'x', 'precision': 'y'}, "backend is 'x'.*; precision is 'y'")])
def test_settings_tell_all_their_problems(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        ReplaySettings(Path('a'), Path('b'), **settings)


def test_command_line_reports_errors_in_one_line(tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / 'none'), '--out', str(tmp_path / 'out')]) == 1
    assert capsys.readouterr().err == f'replay: there is no bag at {tmp_path / "none"}\n'


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures('usual_signals')
def test_a_signal_ends_it_in_good_order(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals,
        capsys: pytest.CaptureFixture[str]) -> None:
    class Ended(KnowingPipeline):
        def process(self, frame: Frame) -> FrameResult:
            signal.getsignal(number)(number, None)
            return super().process(frame)

    pipeline = Ended()
    monkeypatch.setattr(replay_module, '_open_transport', lambda s: DirectPlayer(s, pipeline))
    assert main([str(write(tmp_path / 'bag')), '--out', str(tmp_path / 'out'),
                 '--estimator', 'off']) == 130
    assert pipeline.closed
    assert [p.name for p in tmp_path.iterdir()] == ['bag']
    assert capsys.readouterr().err.endswith('replay: interrupted; '
                                            f'{tmp_path / "out"} is as it was\n')
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_missing_ros_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, 'rclpy', None)
    monkeypatch.delitem(sys.modules, 'face_depth_ros.evaluation.replay_ros',
                        raising=False)
    with pytest.raises(FaceDepthError, match='needs the Python package .*--transport direct'):
        replay_module._open_transport(ReplaySettings(tmp_path, tmp_path))
