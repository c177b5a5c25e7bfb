# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Training in several processes, as torchrun starts them on one machine or many."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys
from typing import Any

from face_depth_ros.networks.face_verifier import SIZE
from face_depth_ros.synthesis.identity_splits import IDENTITY_MODES
import numpy as np
import pytest
import torch

SCRIPT = Path(__file__).with_name('train_by_torchrun.py')
IMAGES = 3
ARGUMENTS = ['--people', '6', '--images', str(IMAGES), '--validation-people', '2',
             '--batch-people', '3', '--batch-images', '2', '--warmup-steps', '1',
             '--steps-per-epoch', '3', '--threads', '1']


def write_banks(run: Path) -> None:
    """Write drawn people instead of rendered ones."""
    rng = np.random.default_rng(0)
    for split, people in (('train', 6), ('validation', 2)):
        folder = run / f'people_{split}_{people}_{IMAGES}'
        folder.mkdir(parents=True)
        np.save(folder / 'grey.npy', rng.integers(0, 256, (people, IMAGES, SIZE, SIZE), np.uint8))
        np.save(folder / 'shape.npy', rng.normal(size=(people, IDENTITY_MODES)).astype(np.float32))
        np.save(folder / 'person.npy', np.arange(people))


def torchrun(out: Path, processes: int, *arguments: str) -> list[dict[str, Any]]:
    """Train in so many processes; return what each of them ends with."""
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone',
               '--nproc-per-node', str(processes), '--', str(SCRIPT), str(out),
               '--run', str(out), *ARGUMENTS, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count('step 3,') == (0 if '--resume' in arguments else 1)  # one logs
    return [torch.load(out / f'rank_{rank}.pt') for rank in range(processes)]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    write_banks(tmp_path)
    first, second = torchrun(tmp_path, 2, '--max-minutes', '0.09')
    assert not set(first['batches']) & set(second['batches'])  # each its own data
    for name, weight in first['model'].items():
        assert weight.equal(second['model'][name]) or 'running' in name, name
    assert first['rates'] == second['rates'] and len(first['rates']) == 6
    assert len(set(first['rates'])) == 6  # time counts, by the clock of the first
    assert (first['written'], second['written']) == (2, 0)
    assert first['state']['samples'] == 6 * 6 * 2
    checkpoint = torch.load(tmp_path / 'last.pt')
    assert all(first['average'][n].equal(w) for n, w in checkpoint['average'].items())

    resumed = torchrun(tmp_path, 2, '--max-minutes', '0.11', '--resume')
    assert [r['state']['step'] for r in resumed] == [7, 7]
    assert resumed[0]['rates'] == resumed[1]['rates'] and len(resumed[0]['rates']) == 1
    for name, weight in resumed[0]['model'].items():
        assert weight.equal(resumed[1]['model'][name]) or 'running' in name, name
        assert not weight.is_floating_point() or not weight.equal(first['model'][name]), name
