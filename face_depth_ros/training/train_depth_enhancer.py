# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train the depth enhancer.

    python -m face_depth_ros.training.train_depth_enhancer --assets DIR --max-minutes 60

on a CPU; on a GPU add `--batch-size 128 --bank-size 200000`. With `--resume` it goes on where it
was stopped. The shipped model was made on a CPU by

    python -m face_depth_ros.training.train_depth_enhancer --max-minutes 85 --threads 1 \
        --learning-rate 1e-3 --initial runs/depth_enhancer/final.pt

which began with the averaged weights of 66 minutes before (models/TRAINING.md), and exported by
training/export_depth_enhancer.py.
"""

from __future__ import annotations

from dataclasses import dataclass
import json
import logging
import math
from pathlib import Path
import time

from face_depth_ros.networks.depth_enhancer import (
    build_depth_enhancer,
    DepthEnhancer,
    EnhancerOutput,
)
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.training.autocast import autocast
from face_depth_ros.training.enhancement_data import (
    DegradationMix,
    EnhancementBatch,
    FaceDepthBank,
    make_batch,
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
from torch.nn import functional

LOG = logging.getLogger('train_depth_enhancer')
FILL_THRESHOLD = 0.007
"""
Least support of a filled pixel.

So low because in the score a hole left open costs far more than a pixel filled beyond the rim;
the lowest at which support and true face still agree by IoU > 0.95.
"""

SUPPORT_MISS_WEIGHT = 8.0
"""
A missed pixel of the face costs more than a wrongly added one, so the doubtful rim counts more.

The logit is shifted by its logarithm, so that the output remains the probability itself.
"""


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run.

    :param run: folder of checkpoints; the rendered banks lie beside it
    :param initial: checkpoint whose averaged weights to start from, '' = random ones
    """

    run: str = 'runs/depth_enhancer'
    initial: str = ''
    batch_size: int = 16
    bank_size: int = 16384
    scene_bank_size: int = 6144
    validation_size: int = 256
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-4
    gradient_weight: float = 0.5
    confidence_weight: float = 0.01
    support_weight: float = 0.1

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems() + self.below(
            ('batch_size', 'bank_size', 'scene_bank_size', 'validation_size'),
            zero_allowed=False)
        if self.batch_size > self.bank_size:
            found.append(f'batch_size {self.batch_size} exceeds bank_size {self.bank_size}')
        return found


def main() -> None:
    """Train, validate after each epoch, keep the newest checkpoint."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    folder = Path(settings.run)
    banks = open_banks(settings, folder, fabric)
    run = build(settings, fabric)
    if resume:
        load_checkpoint(folder / 'last.pt', run)
    while not is_over(settings, run.state):
        loss = train_one_epoch(fabric, settings, banks, run)
        metrics = validate(run.average, banks['validation'], fabric.device)
        LOG.info('step %d, %.1f min, loss %.5f, %s', run.state.step, run.state.minutes, loss,
                 json.dumps(metrics))
        if fabric.is_global_zero:
            save_checkpoint(folder / 'last.pt', settings, run, metrics)


def open_banks(settings: Settings, folder: Path, fabric: Fabric) -> dict[str, FaceDepthBank]:
    """Render (on the first process) and open the banks: train, scene, validation."""
    kinds = {'train': ('train', settings.bank_size), 'scene': ('train', settings.scene_bank_size),
             'validation': ('validation', settings.validation_size)}
    folders = {k: folder.parent / f'face_depth_bank_{k}_{n}' for k, (_, n) in kinds.items()}
    if fabric.is_global_zero:
        assets = find_assets(settings.assets or None)
        for kind, (split, count) in kinds.items():
            started = time.monotonic()
            FaceDepthBank.render(folders[kind], assets, split, count, kind == 'scene',
                                 str(fabric.device))
            LOG.info('bank %s: %d images, %.0f s', kind, count, time.monotonic() - started)
    fabric.barrier()
    return {kind: FaceDepthBank(folder) for kind, folder in folders.items()}


def build(settings: Settings, fabric: Fabric) -> Run[DepthEnhancer]:
    """Return a fresh run."""
    return fresh_run(build_depth_enhancer, lambda network: torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay,
        betas=(0.9, 0.99)),
        settings, fabric, Path(settings.initial) if settings.initial else None)


def train_one_epoch(fabric: Fabric, settings: Settings, banks: dict[str, FaceDepthBank],
                    run: Run[DepthEnhancer]) -> float:
    """Run up to `steps_per_epoch` steps; return the mean loss."""
    run.model.train()
    state = run.state
    total, steps = 0.0, 0
    while steps < settings.steps_per_epoch and not is_over(settings, state):
        started = time.monotonic()
        seed = (settings.seed, state.step, fabric.global_rank)
        batch = draw_batch(settings, banks, seed, fabric.device)
        for group in run.optimizer.param_groups:
            group['lr'] = learning_rate(settings, state)
        loss = loss_of(run.model(batch.depth, batch.valid), batch, settings)
        fabric.backward(loss)
        fabric.clip_gradients(run.model, run.optimizer, max_norm=1.0)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        total, steps = total + loss.item(), steps + 1
        state.step += 1
        state.samples += settings.batch_size * fabric.world_size
        state.minutes += (time.monotonic() - started) / 60.0
    return total / max(steps, 1)


def draw_batch(settings: Settings, banks: dict[str, FaceDepthBank], seed: tuple[int, ...],
               device: torch.device) -> EnhancementBatch:
    """Draw the batch of a seed: some with the whole scene, the rest heads alone."""
    mix = DegradationMix()
    chance = np.random.default_rng(seed)
    generator = torch.Generator(device)
    generator.manual_seed(int(chance.integers(2 ** 62)))
    scenes = round(mix.scene * settings.batch_size)
    parts = [make_batch(banks[kind], chance.integers(0, banks[kind].count, count), generator, mix)
             for kind, count in (('scene', scenes), ('train', settings.batch_size - scenes))
             if count]
    return EnhancementBatch(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def loss_of(output: EnhancerOutput, batch: EnhancementBatch, settings: Settings) -> torch.Tensor:
    """
    RMSE a face plus a gradient term, the error's own likelihood, and the support.

    The mean of each face's RMSE is what the tables report. Geometry counts on the true surface
    alone; what lies outside it is for the support to say.
    """
    surface = batch.surface
    count = surface.sum(dim=(1, 2, 3)).clamp_min(1.0)  # (B,)
    error = (batch.depth + output.correction.float() - batch.truth) * surface
    rmse = ((error ** 2).sum(dim=(1, 2, 3)) / count + 1e-8).sqrt().mean()
    slope = error.new_zeros(())
    for axis in (2, 3):
        pairs = surface.narrow(axis, 1, surface.shape[axis] - 1) * surface.narrow(
            axis, 0, surface.shape[axis] - 1)
        slope = slope + (error.diff(dim=axis).abs() * pairs).sum() / pairs.sum().clamp_min(1.0)
    log_error = output.log_error.float().clamp(-9.0, 2.0)
    likelihood = ((error.detach().abs() * (-log_error).exp() + log_error) * surface).sum() / (
        count.sum())
    weight = surface.new_tensor(SUPPORT_MISS_WEIGHT)
    support = functional.binary_cross_entropy_with_logits(
        output.support.float() + weight.log(), surface, pos_weight=weight)
    return (rmse + settings.gradient_weight * slope + settings.confidence_weight * likelihood
            + settings.support_weight * support)


@torch.no_grad()
def validate(model: DepthEnhancer, bank: FaceDepthBank, device: torch.device,
             ) -> dict[str, float]:
    """
    Score on people never trained on, under the paper's degradation.

    :returns: mean RMSE of the geometry alone, of the published form (1 outside the support), and
        of the filled input; intersection over union of the support
    """
    model.eval()
    sums: dict[str, list[torch.Tensor]] = {k: [] for k in ('geometry', 'published', 'filled',
                                                           'iou')}
    generator = torch.Generator(device)
    generator.manual_seed(1)
    for start in range(0, bank.count, 16):
        batch = make_batch(bank, np.arange(start, min(start + 16, bank.count)), generator, None)
        with autocast(device):
            output = model(batch.depth, batch.valid)
        surface, count = batch.surface, batch.surface.sum(dim=(1, 2, 3))
        supported = output.support.float() > math.log(FILL_THRESHOLD / (1.0 - FILL_THRESHOLD))
        geometry = batch.depth + output.correction.float()
        published = torch.where(supported, geometry, 1.0)
        for name, depth in (('geometry', geometry), ('published', published),
                            ('filled', batch.depth)):
            squared = ((depth - batch.truth) ** 2 * surface).sum(dim=(1, 2, 3))
            sums[name].append((squared / count).sqrt())
        both = (supported & (surface > 0)).sum(dim=(1, 2, 3))
        either = (supported | (surface > 0)).sum(dim=(1, 2, 3))
        sums['iou'].append(both / either)
    return {name: round(float(torch.cat(values).mean()), 5) for name, values in sums.items()}


if __name__ == '__main__':
    main()
