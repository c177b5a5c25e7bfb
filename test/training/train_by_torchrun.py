# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Started by torchrun: the script train_face_verifier, unchanged, and what each process ends with.

    torchrun --nproc-per-node 2 train_by_torchrun.py OUT [arguments of the script]

The banks are there already; each process after the first has a clock that runs 50 times as fast.
"""

from __future__ import annotations

import os
from pathlib import Path
import sys
import time
from typing import Any

from face_depth_ros.training import train_face_verifier as script
import torch

RANK = int(os.environ['RANK'])


def main() -> None:
    out = Path(sys.argv.pop(1))
    seen: dict[str, Any] = {'batches': [], 'rates': [], 'written': 0}
    build, draw, rate, save = (getattr(script, name) for name in (
        'build', 'draw_batch', 'learning_rate', 'save_checkpoint'))
    clock = time.process_time

    def built(*arguments: Any) -> Any:
        seen['run'] = build(*arguments)
        return seen['run']

    def drawn(*arguments: Any) -> Any:
        batch = draw(*arguments)
        seen['batches'].append(float(batch.grey.double().sum()))
        return batch

    def rated(*arguments: Any) -> float:
        seen['rates'].append(rate(*arguments))
        return seen['rates'][-1]

    def saved(*arguments: Any) -> None:
        seen['written'] += 1
        save(*arguments)

    script.build, script.draw_batch, script.learning_rate = built, drawn, rated
    script.save_checkpoint = saved
    script.find_assets = lambda _: None  # type: ignore[assignment, return-value]
    if RANK:
        time.process_time = lambda: 50.0 * clock()
    script.main()
    run = seen.pop('run')
    torch.save({**seen, 'model': run.model.state_dict(), 'average': run.average.state_dict(),
                'state': vars(run.state)}, out / f'rank_{RANK}.pt')


if __name__ == '__main__':
    main()
