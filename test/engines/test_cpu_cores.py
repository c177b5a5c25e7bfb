# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Counting cores from a drawn-up sysfs."""

from __future__ import annotations

import os
from pathlib import Path

from face_depth_ros.engines.cpu_cores import usable_cores
import pytest


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    """Four cores of two threads: 0 and 4 are siblings, and so on."""
    for cpu in range(8):
        folder = tmp_path / f'cpu{cpu}' / 'topology'
        folder.mkdir(parents=True)
        (folder / 'thread_siblings_list').write_text(f'{cpu % 4},{cpu % 4 + 4}\n')
    return tmp_path


@pytest.mark.parametrize('allowed, quota, cores', [
    (range(8), 'max 100000', 4), ({0, 4}, 'max 100000', 1), ({0, 1, 4}, 'max 100000', 2),
    (range(8), '250000 100000', 2), (range(8), '50000 100000', 1), (range(8), '', 4),
    (range(8), '900000 100000', 4)])
def test_counts_cores_not_threads(topology: Path, allowed: range | set[int], quota: str,
                                  cores: int) -> None:
    (topology / 'cpu.max').write_text(quota)
    assert usable_cores(topology, topology / 'cpu.max', set(allowed)) == cores


def test_without_sysfs_every_logical_cpu_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path, tmp_path / 'none', {0, 1, 2}) == 3


def test_this_machine() -> None:
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
