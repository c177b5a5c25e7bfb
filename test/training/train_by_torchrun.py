# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Started by torchrun: the script train_face_verifier, unchanged, and what each process ends with.

    torchrun --nproc-per-node 2 train_by_torchrun.py OUT [arguments of the script]

The banks are there already. By the first process's clock a step takes a second, by the others'
fifty.
"""

from __future__ import annotations

from itertools import count
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
    ticks = count(step=50 if RANK else 1)

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
    time.process_time = lambda: float(next(ticks))
    script.main()
    run = seen.pop('run')
    torch.save({**seen, 'model': run.model.state_dict(), 'average': run.average.state_dict(),
                'state': vars(run.state)}, out / f'rank_{RANK}.pt')


if __name__ == '__main__':
    main()
