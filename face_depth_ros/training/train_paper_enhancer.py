# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train one of the paper's depth enhancers, or DDRNet's denoiser, on the paper's pairs.

    python -m face_depth_ros.training.train_paper_enhancer --assets DIR --network dl_delta_1

is the reduced schedule, the same for every network: a budget of processor time, 60 % of it on
windows of 128 x 128 pixels of the images, the rest on whole ones. `--schedule full` runs through
as many whole images as the paper (hours on a GPU). dl_delta_2 to dl_delta_4 go on from the network
before. Loss and optimiser are not in the paper: Adam, and the mean of each image's RMSE, over all
its pixels until 84 % of the schedule, then over the true face area, which is what its tables
count. With `--resume` a run goes on where it was stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
import json
import logging
from pathlib import Path
import time

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.networks.ddrnet_denoiser import build_ddrnet_denoiser
from face_depth_ros.networks.paper_enhancer import build_paper_enhancer
from face_depth_ros.synthesis import degradation
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.training.autocast import autocast
from face_depth_ros.training.enhancement_data import FaceDepthBank, vary
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
    TrainingState,
    update_average,
)
from lightning.fabric import Fabric
import numpy as np
import torch
from torch import nn

LOG = logging.getLogger('train_paper_enhancer')
NETWORKS = ('dl_alpha', 'dl_beta', 'dl_gamma', 'dl_delta_1', 'dl_delta_2', 'dl_delta_3',
            'dl_delta_4', 'ddrnet_dn')
KINDS = ('plain', 'random holes', 'blurred holes')
_STAGES = {
    'dl_alpha': ((70_000, 'plain'), (60_000, 'blurred holes'), (240_000, 'random holes')),
    'dl_beta': ((240_000, 'random holes'),), 'dl_gamma': ((240_000, 'random holes'),)}
_INTERLEAVED = 60_000 * len(KINDS)
_EPOCHS = 10
WINDOW, WINDOW_SHARE = 128, 0.6
"""Of the reduced schedule: side of the windows, and which part of it sees no more than them."""
WHOLE_SHARE = 0.84
"""Which part of a schedule counts every pixel; the rest counts the true face area."""


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run.

    :param network: which one, see NETWORKS
    :param validation_size: images of the validation bank that are scored
    :param schedule: reduced (`max_minutes` of processor time) or full (the paper's counts)
    :param run: parent folder of the networks' checkpoints and of the rendered banks
    """

    run: str = 'runs'
    network: str = 'dl_delta_1'
    schedule: str = 'reduced'
    max_minutes: float = 13.0
    batch_size: int = 3
    bank_size: int = 16384
    validation_size: int = 48
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    ema_decay: float = 0.99
    steps_per_epoch: int = 400

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems() + self.below(
            ('batch_size', 'bank_size', 'validation_size'), zero_allowed=False)
        found += self.unlike('network', NETWORKS)
        found += self.unlike('schedule', ('reduced', 'full'))
        return found

    @property
    def folder(self) -> Path:
        """Return the network's own folder."""
        return Path(self.run) / self.network

    @property
    def full_samples(self) -> int:
        """Return how many images the paper's schedule shows the network."""
        stages = _STAGES.get(self.network)
        return _EPOCHS * (sum(count for count, _ in stages) if stages else _INTERLEAVED)


def main() -> None:
    """Train, validate after each epoch, keep the newest checkpoint."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    banks = open_banks(settings, fabric)
    run = build(settings, fabric)
    if resume:
        load_checkpoint(settings.folder / 'last.pt', run)
    while progress(settings, run.state) < 1.0:
        loss = train_one_epoch(fabric, settings, banks['train'], run)
        metrics = validate(run.average, banks['validation'], fabric.device,
                           settings.validation_size)
        LOG.info('%s step %d, %.1f min, loss %.5f, %s', settings.network, run.state.step,
                 run.state.minutes, loss, json.dumps(metrics))
        if fabric.is_global_zero:
            save_checkpoint(settings.folder / 'last.pt', settings, run, metrics)


def open_banks(settings: Settings, fabric: Fabric) -> dict[str, FaceDepthBank]:
    """Render (on the first process) and open the banks: train, validation."""
    kinds = {'train': settings.bank_size, 'validation': 256}
    folders = {k: Path(settings.run) / f'face_depth_bank_{k}_{n}' for k, n in kinds.items()}
    if fabric.is_global_zero:
        assets = find_assets(settings.assets or None)
        for kind, count in kinds.items():
            FaceDepthBank.render(folders[kind], assets, kind, count, False, str(fabric.device))
    fabric.barrier()
    return {kind: FaceDepthBank(folder) for kind, folder in folders.items()}


def build_network(network: str) -> nn.Module:
    """Return one of `NETWORKS`, untrained."""
    if network == 'ddrnet_dn':
        return build_ddrnet_denoiser()
    return build_paper_enhancer(network.split('_')[1])


def build(settings: Settings, fabric: Fabric) -> Run[nn.Module]:
    """
    Return a fresh run, or one that begins with the network before (DL-Delta-2 to -4).

    :raises SettingsError: the network before has not been trained
    """
    name, _, repetition = settings.network.rpartition('_')
    before = None
    if name == 'dl_delta' and int(repetition) > 1:
        before = Path(settings.run) / f'{name}_{int(repetition) - 1}' / 'last.pt'
        if not before.exists():
            raise SettingsError(f'{settings.network} goes on from {before}, which is not there; '
                                f'train {before.parent.name} first')
    return fresh_run(lambda: build_network(settings.network), lambda network: torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate), settings, fabric, before)


def train_one_epoch(fabric: Fabric, settings: Settings, bank: FaceDepthBank,
                    run: Run[nn.Module]) -> float:
    """Run up to `steps_per_epoch` steps; return the mean loss."""
    run.model.train()
    state = run.state
    total, steps = 0.0, 0
    while steps < settings.steps_per_epoch and progress(settings, state) < 1.0:
        started = time.process_time()
        degraded, truth = draw_batch(settings, bank, state, fabric)
        for group in run.optimizer.param_groups:
            group['lr'] = learning_rate(settings, state)
        whole = progress(settings, state) < WHOLE_SHARE
        loss = loss_of(run.model(degraded).float(), truth, whole)
        fabric.backward(loss)
        fabric.clip_gradients(run.model, run.optimizer, max_norm=1.0)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        total, steps = total + loss.item(), steps + 1
        state.step += 1
        state.samples += len(degraded) * fabric.world_size
        state.minutes += (time.process_time() - started) / 60.0
    return total / max(steps, 1)


def loss_of(output: torch.Tensor, truth: torch.Tensor, whole: bool) -> torch.Tensor:
    """
    Return the mean of each image's RMSE.

    :param output: (B, 1, S, S), and so `truth`, 1 where there is nothing
    :param whole: over all pixels, else over the true face area
    """
    counted = torch.ones_like(truth) if whole else (truth < 1.0).float()
    squared = ((output - truth) ** 2 * counted).sum(dim=(1, 2, 3))
    return (squared / counted.sum(dim=(1, 2, 3)).clamp_min(1.0) + 1e-6).sqrt().mean()


def progress(settings: Settings, state: TrainingState) -> float:
    """Return how much of the schedule is done, 0 to 1."""
    if settings.schedule == 'full':
        return min(1.0, state.samples / settings.full_samples)
    done = max(state.minutes / settings.max_minutes, state.step / settings.max_steps)
    return 1.0 if is_over(settings, state) else min(1.0, done)


def draw_batch(settings: Settings, bank: FaceDepthBank, state: TrainingState,
               fabric: Fabric) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Draw the pairs of a step.

    :returns: degraded and true depth, each (B, 1, S, S), normalised, 1 where there is nothing
    """
    seed = (settings.seed, state.step, fabric.global_rank, NETWORKS.index(settings.network))
    chance = np.random.default_rng(seed)
    generator = torch.Generator(fabric.device)
    generator.manual_seed(int(chance.integers(2 ** 62)))
    done = progress(settings, state)
    count = settings.batch_size
    images = vary(bank.read(chance.integers(0, bank.count, count), fabric.device), generator)
    # Within a batch, not batch by batch: batch normalisation would else see other statistics in
    # every step, and in use those of none.
    kinds = [kind_at(settings.network, done, i) for i in range(count)]
    pairs = [make_pairs(images.truth[rows], kind, generator) for kind in KINDS
             if (rows := [i for i in range(count) if kinds[i] == kind])]
    degraded, truth = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    if settings.schedule == 'full' or done >= WINDOW_SHARE:
        return degraded, truth
    down, across = (slice(c, c + WINDOW)
                    for c in chance.integers(0, degraded.shape[-1] - WINDOW + 1, 2))
    return degraded[..., down, across], truth[..., down, across]


def kind_at(network: str, done: float, index: int) -> str:
    """
    Return the kind of a pair: Alpha by stages, Beta and Gamma one, the others three in turn.

    :param done: how much of the schedule is done, 0 to 1
    :param index: of the pair within its batch
    """
    stages = _STAGES.get(network)
    if stages is None:
        return KINDS[index % len(KINDS)]
    left = done * sum(count for count, _ in stages)
    for count, kind in stages:
        if left < count:
            return kind
        left -= count
    return stages[-1][1]


def make_pairs(truth: torch.Tensor, kind: str, generator: torch.Generator,
               ) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Degrade as in the paper, holes of the given kind.

    :param truth: (B, S, S) metres, NaN where there is nothing
    :returns: degraded and true depth, each (B, 1, S, S), normalised, 1 where there is nothing
    """
    noisy = degradation.degrade(truth, generator)
    if kind != 'plain':
        noisy = degradation.fill_holes_at_random(noisy, noisy.isnan(), generator,
                                                 blurred=kind == 'blurred holes')
    nearest = degradation.nearest_surface(truth).nan_to_num(nan=0.5)
    return (degradation.normalise(noisy, nearest)[:, None],
            degradation.normalise(truth, nearest)[:, None])


@torch.no_grad()
def validate(model: nn.Module, bank: FaceDepthBank, device: torch.device, count: int = 48,
             ) -> dict[str, float]:
    """
    Score on people never trained on, under the paper's degradation.

    :returns: mean RMSE over the true face area, over the whole image, and of the input
    """
    model.eval()
    generator = torch.Generator(device)
    generator.manual_seed(1)
    sums: dict[str, list[torch.Tensor]] = {'face': [], 'whole': [], 'input': []}
    for start in range(0, min(count, bank.count), 8):
        rows = np.arange(start, min(start + 8, bank.count))
        degraded, truth = make_pairs(bank.read(rows, device).truth, 'plain', generator)
        with autocast(device):
            output = model(degraded).float()
        face = (truth < 1.0).float()
        for name, depth, where in (('face', output, face), ('input', degraded, face),
                                   ('whole', output, torch.ones_like(face))):
            squared = ((depth - truth) ** 2 * where).sum(dim=(1, 2, 3))
            sums[name].append((squared / where.sum(dim=(1, 2, 3)).clamp_min(1.0)).sqrt())
    return {name: round(float(torch.cat(values).mean()), 5) for name, values in sums.items()}


if __name__ == '__main__':
    main()
