# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Videos are read back: codec, size, pictures and times."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import av
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.evaluation.video import VideoInfo, VideoWriter
import numpy as np
import pytest

BROWSERS_PLAY = ('h264', 'vp9', 'libvpx-vp9')


def test_video_is_what_browsers_play_with_the_times_given(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.15, 0.15, 0.6]
    with VideoWriter(tmp_path / 'v.mp4') as video:
        for i, t in enumerate(times):
            video.add(np.full((48, 64, 3), 40 * i, np.uint8), t)
    info = VideoInfo.read(tmp_path / 'v.mp4')
    assert info.codec in BROWSERS_PLAY
    assert (info.width, info.height, info.frames) == (64, 48, 5)
    with av.open(str(tmp_path / 'v.mp4')) as container:
        assert container.streams.video[0].format.name == 'yuv420p'
        frames = list(container.decode(video=0))
    assert [f.time for f in frames] == pytest.approx(times, abs=1e-3)
    for i, f in enumerate(frames):
        assert abs(float(f.to_ndarray(format='rgb24').mean()) - 40 * i) < 4


def test_index_stands_in_front(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / 'v.mp4') as video:
        video.add(np.zeros((48, 64, 3), np.uint8), 0.0)
    content = (tmp_path / 'v.mp4').read_bytes()
    assert content.index(b'moov') < content.index(b'mdat')


def test_frames_must_fit(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / 'v.mp4') as video:
        with pytest.raises(SettingsError, match='64 x 47, expected even sides'):
            video.add(np.zeros((47, 64, 3), np.uint8), 0.0)
        video.add(np.zeros((48, 64, 3), np.uint8), 0.0)
        with pytest.raises(SettingsError, match='expected 64 x 48 as the first one'):
            video.add(np.zeros((50, 64, 3), np.uint8), 1.0)
    with pytest.raises(SettingsError, match='not open'):
        video.add(np.zeros((48, 64, 3), np.uint8), 2.0)


@pytest.mark.parametrize('times', [
    [0.0, 0.1, 1.7e9, 1.7e9 + 0.1], [0.0, 0.1, 50_000.0, 50_000.1], [5.0, 5.1, 0.0, 0.1]])
def test_times_that_leap_or_run_back_go_on_at_once(tmp_path: Path, times: list[float]) -> None:
    with VideoWriter(tmp_path / 'v.mp4') as video:
        for t in times:
            video.add(np.zeros((48, 64, 3), np.uint8), t - times[0])
    with av.open(str(tmp_path / 'v.mp4')) as container:
        shown = [f.time for f in container.decode(video=0)]
    assert shown == pytest.approx([0.0, 0.1, 0.1 + 1 / 30, 0.2 + 1 / 30], abs=1e-3)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    video = VideoWriter(tmp_path / 'v.mp4')
    with pytest.raises(SettingsError, match=r'cannot write .*v\.mp4: No space left'), video:
        video.add(np.zeros((48, 64, 3), np.uint8), 0.0)
        monkeypatch.setattr(video, '_stream', SimpleNamespace(encode=full))
