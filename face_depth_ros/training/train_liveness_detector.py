# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train the liveness detector.

    python -m face_depth_ros.training.render_liveness_bank --assets DIR --parts 40
    python -m face_depth_ros.training.render_liveness_bank --split validation --parts 9 --live 0.35
    python -m face_depth_ros.training.train_liveness_detector --max-minutes 15 --threads 1

Loss: cross entropy of living, and of the kind of attack. Parts of the bank that appear while it
trains are taken in at the next epoch. The budget is processor time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import json
import logging
from pathlib import Path
import time

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_photo import MIRRORED_68
from face_depth_ros.core.liveness_metrics import MAIN_BPCER, NO_SCORE, rates_at, threshold_at_bpcer
from face_depth_ros.networks.liveness_detector import build_liveness_detector, LivenessDetector
from face_depth_ros.synthesis.liveness_attacks import SPECIES
from face_depth_ros.training.liveness_bank import (
    join_banks,
    LivenessBank,
    read_liveness_bank,
    read_part,
)
from face_depth_ros.training.run import (
    fresh_run,
    is_over,
    learning_rate,
    load_checkpoint,
    open_fabric,
    parse_settings,
    Run,
    RunSettings,
    save_checkpoint,
    update_average,
)
from lightning.fabric import Fabric
import numpy as np
import torch
from torch import nn
from torch.nn import functional

LOG = logging.getLogger('train_liveness_detector')
LEAST_MEASURED = 0.6
"""Share of the face that must be measured for it to be called live."""
_NOISE, _POINT_NOISE, _HOLE = 0.02, 0.02, 0.3
_HOLE_PX = (4, 18)


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run.

    :param bank, validation: folders of render_liveness_bank
    :param initial: checkpoint whose averaged weights to start from; '' = none
    :param species_weight: of telling the kinds apart
    """

    run: str = 'runs/liveness_detector'
    bank: str = 'runs/liveness_bank'
    validation: str = 'runs/liveness_validation'
    initial: str = ''
    batch: int = 96
    species_weight: float = 0.5
    max_minutes: float = 15.0
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    warmup_steps: int = 60
    ema_decay: float = 0.995
    steps_per_epoch: int = 100

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        return (super().problems() + self.below(('batch',), zero_allowed=False)
                + self.below(('species_weight',), zero_allowed=True))


@dataclass(frozen=True)
class Batch:
    """Inputs of the network and what is true, on its device."""

    planes: torch.Tensor
    points: torch.Tensor
    scalars: torch.Tensor
    species: torch.Tensor


class GrowingBank:
    """
    The parts of a bank that there are by now.

    :param folder: of render_liveness_bank
    :raises SettingsError: there are none
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: set[str] = set()
        self.bank = read_liveness_bank(folder)
        self._read = {path.name for path in folder.glob('part_*.npz')}

    def grow(self) -> None:
        """Take in parts that have appeared."""
        fresh = [path for path in sorted(self._folder.glob('part_*.npz'))
                 if path.name not in self._read]
        if fresh:
            self.bank = join_banks([self.bank, *(read_part(path) for path in fresh)])
            self._read |= {path.name for path in fresh}


def main() -> None:
    """Train, validate after each epoch, keep the newest checkpoint."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    bank = GrowingBank(Path(settings.bank))
    validation = read_liveness_bank(Path(settings.validation))
    run = fresh_run(build_liveness_detector, lambda network: torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay),
        settings, fabric, Path(settings.initial) if settings.initial else None)
    if resume:
        load_checkpoint(Path(settings.run) / 'last.pt', run)
    while not is_over(settings, run.state):
        loss = train_one_epoch(fabric, settings, bank.bank, run)
        metrics = validate(run.average, validation, fabric.device)
        LOG.info('step %d, %.1f min, %d of %d looks, loss %.4f, %s', run.state.step,
                 run.state.minutes, run.state.samples, len(bank.bank), loss, json.dumps(metrics))
        if fabric.is_global_zero:
            save_checkpoint(Path(settings.run) / 'last.pt', settings, run, metrics)
        bank.grow()


def train_one_epoch(fabric: Fabric, settings: Settings, bank: LivenessBank,
                    run: Run[LivenessDetector]) -> float:
    """Run up to `steps_per_epoch` steps; return the mean loss."""
    run.model.train()
    state = run.state
    total, steps = 0.0, 0
    while steps < settings.steps_per_epoch and not is_over(settings, state):
        started = time.process_time()
        chance = np.random.default_rng((settings.seed, state.step, fabric.global_rank))
        rows = torch.from_numpy(chance.integers(0, len(bank), settings.batch))
        batch = vary(batch_of(bank.take(rows), fabric.device),
                     torch.Generator(fabric.device).manual_seed(int(chance.integers(2 ** 62))))
        for group in run.optimizer.param_groups:
            group['lr'] = learning_rate(settings, state)
        loss = loss_of(run.model, batch, settings.species_weight)
        fabric.backward(loss)
        fabric.clip_gradients(run.model, run.optimizer, max_norm=5.0)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        total, steps = total + loss.item(), steps + 1
        state.step += 1
        state.samples += len(rows) * fabric.world_size
        state.minutes += (time.process_time() - started) / 60.0
    return total / max(steps, 1)


def batch_of(bank: LivenessBank, device: torch.device) -> Batch:
    """Return looks as the network takes them."""
    return Batch(bank.planes().to(device), bank.points.to(device).float(),
                 bank.scalars.to(device), bank.species.to(device))


def vary(batch: Batch, generator: torch.Generator) -> Batch:
    """Mirror half of the faces, add noise, and take depth from a patch of some."""
    count, device = len(batch.species), generator.device

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(count, *shape, generator=generator, device=device)

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, generator=generator, device=device)

    mirrored = uniform(0.0, 1.0) < 0.5
    planes = torch.where(mirrored[:, None], batch.planes.flip(3), batch.planes)
    other = batch.points[:, list(MIRRORED_68)] * batch.points.new_tensor([-1.0, 1.0, 1.0, 1.0])
    points = torch.where(mirrored, other, batch.points)
    size = planes.shape[-1]
    place = torch.arange(size, device=device) + 0.5
    distance = ((place - uniform(0.0, size)) ** 2 + (place[:, None] - uniform(0.0, size)) ** 2)
    hole = (distance < uniform(*_HOLE_PX) ** 2) & (uniform(0.0, 1.0) < _HOLE)  # (B, S, S)
    known = planes[:, 1] * ~hole
    relief = (planes[:, 0] + _NOISE * normal(size, size)) * known
    planes = torch.stack([relief, known, planes[:, 2] * known, planes[:, 3]], dim=1)
    moved = points[..., :3] + _POINT_NOISE * normal(points.shape[1], 3)
    # What has no depth stays at 0 in the third place.
    depth = torch.where(points[..., 3:] > 0, moved[..., 2:], 0.0)
    points = torch.cat([moved[..., :2], depth, points[..., 3:]], dim=2)
    return Batch(planes.contiguous(memory_format=torch.channels_last), points,
                 batch.scalars + 0.02 * normal(batch.scalars.shape[1]), batch.species)


def loss_of(model: Callable[..., tuple[torch.Tensor, torch.Tensor]], batch: Batch,
            species_weight: float) -> torch.Tensor:
    """Return both cross entropies, summed with their weight."""
    live, species = model(batch.planes, batch.points, batch.scalars)
    loss: torch.Tensor = functional.binary_cross_entropy_with_logits(
        live[:, 0].float(), (batch.species == 0).float())
    return loss + species_weight * functional.cross_entropy(species.float(), batch.species)


@torch.no_grad()
def answers(network: nn.Module, bank: LivenessBank,
            device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the network says of a bank: logits of living (N,), logits of the species."""
    network.eval()
    said = []
    for rows in torch.arange(len(bank)).split(64):
        batch = batch_of(bank.take(rows), device)
        said.append(network(batch.planes, batch.points, batch.scalars))
    live, species = (torch.cat(parts).float().cpu() for parts in zip(*said, strict=True))
    return live[:, 0], species


def scores(logits: torch.Tensor, bank: LivenessBank) -> dict[str, np.ndarray]:
    """Return the scores of each species; NO_SCORE where too little of the face was measured."""
    told = torch.where(bank.measured_share >= LEAST_MEASURED, logits, NO_SCORE).numpy()
    species = bank.species.numpy()
    found = {name: told[species == index] for index, name in enumerate(SPECIES)}
    return {name: values.astype(np.float64) for name, values in found.items() if len(values)}


def validate(network: nn.Module, bank: LivenessBank, device: torch.device) -> dict[str, float]:
    """
    Score on people never trained on, frame by frame.

    :returns: the threshold at which 1 % of the measured living faces are turned away, percent of
        each species that it accepts, and of living faces that are not measured well enough
    :raises SettingsError: there are fewer than 100 measured living faces, or no attacks
    """
    logits, species = answers(network, bank, device)
    found = scores(logits, bank)
    live = found.pop(SPECIES[0], np.zeros(0))
    measured = live[np.isfinite(live)]
    threshold = threshold_at_bpcer(measured, MAIN_BPCER) if measured.size else None
    if threshold is None or not found:
        raise SettingsError(f'the validation has {measured.size} measured living faces and '
                            f'{len(found)} kinds of attacks, expected at least '
                            f'{round(1 / MAIN_BPCER)} and 1; render more of it')
    rates = rates_at(found, measured, threshold)
    result = {'threshold': round(threshold, 4),
              'worst': round(100.0 * rates.worst_apcer, 2),
              'unmeasured_live': round(100.0 * (1.0 - measured.size / len(live)), 2),
              'species': round(100.0 * float((species.argmax(1) == bank.species).float().mean()),
                               2)}
    return result | {name: round(100.0 * rate, 2) for name, rate in rates.apcer.items()}


__all__ = ['answers', 'batch_of', 'GrowingBank', 'main', 'scores', 'Settings', 'validate', 'vary']

if __name__ == '__main__':
    main()
