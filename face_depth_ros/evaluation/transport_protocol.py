# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What a hop of an image costs: inside the container by reference, and through DDS, in one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.core.metrics import percentiles
from face_depth_ros.evaluation import plots
from face_depth_ros.evaluation.container_process import OwnDomain
from face_depth_ros.evaluation.evaluation_result import Evaluation, Rows, Table
from face_depth_ros.evaluation.report import cards, columns, figure, table

WIDTH, HEIGHT = 1280, 720
_MODULE = 'face_depth_ros.nodes.handoff_benchmark'
_TIMEOUT_S = 600
_IN_PROCESS, _DDS = 'in process', 'DDS'


def evaluate_transport(frames: int) -> Evaluation:
    """
    Measure both ways in one process of its own.

    :raises FaceDepthError: ROS is missing, or an image did not arrive
    """
    measured = _run(frames)
    times = {_IN_PROCESS: measured['in_process_ms'], _DDS: measured['dds_ms']}
    rows: Rows = {name: dict(percentiles(values, (50, 95, 99)), hops=len(values))
                  for name, values in times.items()}
    ratio = {q: rows[_DDS][q] / rows[_IN_PROCESS][q] for q in ('p50', 'p95')}
    rows['ratio'] = dict(ratio)
    title = f'One hop of a {WIDTH} x {HEIGHT} image'
    result = Evaluation(
        'transport',
        f'A {WIDTH} x {HEIGHT} rgb8 image ({measured["bytes"] / 1e6:.2f} MB) from one node to '
        f'another, {frames} times each way in turn: handed over by reference, and as a message '
        f'through {measured["rmw"]} with the shipped Fast DDS profile. Both end with the image '
        'as an array in the callback.',
        {'transport': Table(title, 'random image', 'ms per hop', rows)},
        details={'ratio_p50': ratio['p50']})
    result.blocks = [
        cards([(f'{ratio["p50"]:,.0f} x', 'cheaper in process', 'ratio of the medians'),
               (f'{1e3 * rows[_IN_PROCESS]["p50"]:.1f} µs', 'in process, median', ''),
               (f'{rows[_DDS]["p50"]:.2f} ms', 'through DDS, median',
                f'95 %: {rows[_DDS]["p95"]:.2f} ms')]),
        table(rows, 'way', _IN_PROCESS),
        columns(*(figure(plots.histogram(
            values, percentiles(values, (50, 95)), f'{name}, ms'), name)
            for name, values in times.items()))]
    return result


def _run(frames: int) -> dict[str, Any]:
    """Nodes are run, not imported: evaluation stands beside them, not on them."""
    domain = OwnDomain()
    try:
        done = subprocess.run(
            [sys.executable, '-m', _MODULE, '--frames', str(frames), '--width', str(WIDTH),
             '--height', str(HEIGHT)],
            env={**os.environ, **domain.environment()}, capture_output=True, text=True,
            timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise FaceDepthError(f'the benchmark did not end within {_TIMEOUT_S} s',
                             cause='benchmark') from error
    finally:
        domain.close()
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ['nothing on stderr']
        raise FaceDepthError(
            f'the benchmark of the hand-off failed: {last[0]}; it needs ROS 2 (rclpy): source a '
            'set-up or run `make demo`, which installs it', cause='benchmark')
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result
