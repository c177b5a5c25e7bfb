# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What all nodes together do of a camera's frames, in their container on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
import tempfile

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.metrics import percentiles
from face_depth_ros.evaluation.bags import Bag, FrameMessages
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.evaluation_result import Evaluation, Rows, Table
from face_depth_ros.evaluation.replay_settings import ReplaySettings, with_models
from face_depth_ros.evaluation.report import table
from face_depth_ros.predictors.known_people import GalleryAccess
from face_depth_ros.predictors.recognition_views import ENHANCED
import numpy as np

_FRAMES = 60
_RECOGNIZER, _LIVENESS = 'face_recognizer', 'liveness_detector'


def evaluate_load(rates_hz: Sequence[float], seconds: float, *, backend: str = 'auto',
                  max_rate: float = 0.0, bag: Path | None = None) -> Evaluation:
    """
    Play a bag's first frames at each rate for so many seconds, over and over, nobody known.

    :param max_rate: of face_detector, Hz; 0 = no limit
    :param bag: None = the sample bag
    :raises FaceDepthError: ROS is missing, the nodes do not come up, or the bag cannot be played
    """
    if find_spec('rclpy') is None:
        raise FaceDepthError('the load of the nodes needs ROS 2 (rclpy); source a set-up or run '
                             '`make demo`, which installs it', cause='ros_missing')
    from face_depth_ros.evaluation.load_player import LoadPlayer
    bag = bag or checkout_data('sample_bag')
    frames, size = _frames_of(bag)
    # No gallery lies under /tmp.
    try:
        made = tempfile.TemporaryDirectory(prefix='.face_depth_load_', dir=Path.home())
    except (OSError, RuntimeError) as error:
        raise FaceDepthError(f'the home folder cannot be written ({error}), where an empty '
                             'gallery is to lie for a while; set HOME', cause='home') from error
    with made as folder:
        access = GalleryAccess(str(Path(folder) / 'gallery.db'), plain=True)
        access.open(create=True, read_only=False).close()
        settings, _ = with_models(ReplaySettings(
            bag, Path(folder), realtime=True, backend=backend,
            gallery=Path(access.path), plain=True))
        with closing(LoadPlayer(settings, frames, max_rate)) as player:
            runs = {f'{rate:g} Hz': player.run(rate, seconds) for rate in rates_hz}
            engine = player.engines()[0]
    rows: Rows = {}
    for name, run in runs.items():
        latency = percentiles([1e3 * s for s in run.latency_s.get('identities', [])], (50, 95))
        rows[name] = {
            'sent': run.sent / run.seconds,
            **{topic: len(run.latency_s.get(topic, [])) / run.seconds
               for topic in ('detections', 'identities', 'expressions', 'liveness')},
            'identities_with_depth': _share(run.depths[_RECOGNIZER]),
            'liveness_with_depth': _share(run.depths[_LIVENESS]),
            'p50_ms': latency['p50'], 'p95_ms': latency['p95']}
    limited = f' with max_rate {max_rate:g}' if max_rate else ''
    result = Evaluation(
        'load', f'All six nodes in one container{limited}, in {engine.precision} on '
        f'{engine.device}, and {len(frames)} frames of {bag.name} ({size}), over and over, sent '
        f'to them at each rate for {seconds:g} s by another process on the same machine. Nodes '
        'work on the newest '
        'frame and leave out others. Judgements come with depth where the enhanced depth of the '
        'frame came in time.',
        {'load': Table('What all nodes together do of a camera', f'{bag.name}, {size}{limited}',
                       'frames a second; percent of faces; identities from sending a frame to '
                       'receiving them, ms', rows)})
    result.blocks = [table(rows, 'camera')]
    return result


def _frames_of(bag: Path) -> tuple[list[FrameMessages], str]:
    """Return the first frames that can be decoded, and the size of the last, 'W x H'."""
    frames: list[FrameMessages] = []
    size = ''
    with Bag(bag) as opened:
        for messages, frame in opened.decoded(opened.camera_topics(), _FRAMES):
            frames.append(messages)
            height, width = np.asarray(frame.color).shape[:2]
            size = f'{width} x {height}'
    if not frames:
        raise FaceDepthError(f'{bag} has no colour and depth of one stamp, expected a recording '
                             'of an RGB-D camera', cause='bag_topic')
    return frames, size


def _share(depths: dict[str, int]) -> float | None:
    """Return how many percent of the faces were judged by enhanced depth."""
    total = sum(depths.values())
    return 100.0 * depths.get(ENHANCED, 0) / total if total else None
