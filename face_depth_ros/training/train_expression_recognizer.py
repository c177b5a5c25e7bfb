# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train the compact expression recogniser.

    python -m face_depth_ros.training.render_expression_bank --assets DIR --parts 80
    python -m face_depth_ros.training.render_expression_bank --split validation --parts 4
    python -m face_depth_ros.training.train_expression_recognizer --max-minutes 75 --threads 1

Loss: cross entropy of the expression, and squared errors of the action units and of valence and
arousal. A third of the faces come without depth, so that one network judges both kinds. Parts of
the bank that appear while it trains are taken in at the next epoch. The budget is processor time.
"""

from __future__ import annotations

from dataclasses import dataclass
import json
import logging
from pathlib import Path
import time

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_labels import NEUTRAL, VALENCE_AROUSAL
from face_depth_ros.networks.expression_recognizer import (
    build_expression_recognizer,
    ExpressionRecognizer,
)
from face_depth_ros.training.expression_bank import (
    ExpressionBank,
    join_banks,
    read_expression_bank,
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

LOG = logging.getLogger('train_expression_recognizer')
_SHIFT_PX, _RIM_PX, _RIM_SHARE = 3, 5, 0.3


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run.

    :param bank, validation: folders of render_expression_bank
    :param initial: checkpoint whose averaged weights to start from; '' = none
    :param units_weight, affect_weight: of the squared errors beside the cross entropy
    :param without_depth: share of faces that come without depth
    """

    run: str = 'runs/expression_recognizer'
    bank: str = 'runs/expression_bank'
    validation: str = 'runs/expression_validation'
    initial: str = ''
    batch: int = 96
    units_weight: float = 1.0
    affect_weight: float = 1.0
    without_depth: float = 0.33
    max_minutes: float = 75.0
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warmup_steps: int = 100
    ema_decay: float = 0.995
    steps_per_epoch: int = 100

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems() + self.below(('batch',), zero_allowed=False)
        found += self.below(('units_weight', 'affect_weight', 'without_depth'), zero_allowed=True)
        if self.without_depth > 1:
            found.append(f'without_depth is {self.without_depth}, expected at most 1')
        return found


@dataclass(frozen=True)
class Batch:
    """Inputs of the network and what is true, on its device."""

    color: torch.Tensor
    depth: torch.Tensor
    face: torch.Tensor
    label: torch.Tensor
    affect: torch.Tensor
    units: torch.Tensor


class GrowingBank:
    """
    The parts of a bank that there are by now.

    :param folder: of render_expression_bank
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: dict[str, ExpressionBank] = {}
        self.grow()
        if not self._parts:
            raise SettingsError(f'no photos in {folder}; render them with `python -m '
                                'face_depth_ros.training.render_expression_bank`')

    def grow(self) -> None:
        """Take in parts that have appeared."""
        for path in sorted(self.folder.glob('part_*.npz')):
            if path.name not in self._parts:
                self._parts[path.name] = read_part(path)

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts.values())

    def draw(self, count: int, chance: np.random.Generator) -> ExpressionBank:
        """Draw photos, all equally likely."""
        parts = list(self._parts.values())
        ends = np.cumsum([len(part) for part in parts])
        rows = np.sort(chance.integers(0, ends[-1], count))
        drawn = [part.take(torch.from_numpy(rows[(rows >= end - len(part)) & (rows < end)]
                                            - (end - len(part))))
                 for part, end in zip(parts, ends, strict=True)]
        return join_banks([part for part in drawn if len(part)])


def main() -> None:
    """Train, validate after each epoch, keep the newest checkpoint."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    bank = GrowingBank(Path(settings.bank))
    validation = read_expression_bank(Path(settings.validation))
    run = fresh_run(build_expression_recognizer, lambda network: torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay),
        settings, fabric, Path(settings.initial) if settings.initial else None)
    if resume:
        load_checkpoint(Path(settings.run) / 'last.pt', run)
    while not is_over(settings, run.state):
        loss = train_one_epoch(fabric, settings, bank, run)
        metrics = validate(run.average, validation, fabric.device)
        LOG.info('step %d, %.1f min, %d of %d photos, loss %.4f, %s', run.state.step,
                 run.state.minutes, run.state.samples, len(bank), loss, json.dumps(metrics))
        if fabric.is_global_zero:
            save_checkpoint(Path(settings.run) / 'last.pt', settings, run, metrics)
        bank.grow()


def train_one_epoch(fabric: Fabric, settings: Settings, bank: GrowingBank,
                    run: Run[ExpressionRecognizer]) -> float:
    """Run up to `steps_per_epoch` steps; return the mean loss."""
    run.model.train()
    state = run.state
    total, steps = 0.0, 0
    while steps < settings.steps_per_epoch and not is_over(settings, state):
        started = time.process_time()
        chance = np.random.default_rng((settings.seed, state.step, fabric.global_rank))
        drawn = bank.draw(settings.batch, chance)
        batch = vary(batch_of(drawn, fabric.device), settings.without_depth,
                     torch.Generator(fabric.device).manual_seed(int(chance.integers(2 ** 62))))
        for group in run.optimizer.param_groups:
            group['lr'] = learning_rate(settings, state)
        loss = loss_of(run.model, batch, settings)
        fabric.backward(loss)
        fabric.clip_gradients(run.model, run.optimizer, max_norm=5.0)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        total, steps = total + loss.item(), steps + 1
        state.step += 1
        state.samples += len(drawn) * fabric.world_size
        state.minutes += (time.process_time() - started) / 60.0
    return total / max(steps, 1)


def batch_of(bank: ExpressionBank, device: torch.device) -> Batch:
    """Return photos as the network takes them."""
    depth = bank.depth.to(device).float()
    known = depth.isfinite()
    planes = torch.stack([depth.nan_to_num(), known.float()], dim=1)
    affect = torch.tensor(VALENCE_AROUSAL)[bank.label] * bank.strength[:, None]
    return Batch(bank.color.to(device).float(), planes,
                 (bank.mask.to(device) > 0).float()[:, None], bank.label.to(device),
                 affect.to(device), bank.action_units.to(device))


def vary(batch: Batch, without_depth: float, generator: torch.Generator) -> Batch:
    """Mirror half of the faces, shift all, change colours and outlines, take depth from some."""
    count, device = len(batch.label), generator.device

    def chance(share: float) -> torch.Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator, device=device) < share

    images = torch.cat([batch.color, batch.depth, batch.face], dim=1)
    mirrored = chance(0.5).flatten().nonzero()[:, 0]
    images[mirrored] = images[mirrored].flip(3)
    shift = torch.randint(-_SHIFT_PX, _SHIFT_PX + 1, (2,), generator=generator, device=device)
    images = images.roll((int(shift[0]), int(shift[1])), (2, 3))
    color, depth, face = images[:, :3], images[:, 3:5], images[:, 5:]
    gain = 1.0 + 0.15 * torch.randn(count, 1, 1, 1, generator=generator, device=device)
    tint = 1.0 + 0.05 * torch.randn(count, 3, 1, 1, generator=generator, device=device)
    color = (color * gain * tint).clamp(0.0, 255.0)
    rim = functional.max_pool2d(face, _RIM_PX, 1, _RIM_PX // 2)
    inner = -functional.max_pool2d(-face, _RIM_PX, 1, _RIM_PX // 2)
    face = torch.where(chance(_RIM_SHARE), rim, torch.where(chance(_RIM_SHARE), inner, face))
    depth = torch.where(chance(without_depth), 0.0, depth)
    color, depth, face = (image.contiguous(memory_format=torch.channels_last)
                          for image in (color, depth, face))
    return Batch(color, depth, face, batch.label, batch.affect, batch.units)


def loss_of(model: nn.Module, batch: Batch, settings: Settings) -> torch.Tensor:
    """Return cross entropy and squared errors, summed with their weights."""
    logits, affect, units = model(batch.color, batch.depth, batch.face)
    loss: torch.Tensor = functional.cross_entropy(logits.float(), batch.label)
    loss = loss + settings.units_weight * (units.float() - batch.units).square().sum(1).mean()
    return loss + settings.affect_weight * (affect.float() - batch.affect).square().sum(1).mean()


@torch.no_grad()
def answers(network: ExpressionRecognizer, bank: ExpressionBank, device: torch.device, *,
            depth: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what the network says of a bank: logits, affect and units; with or without depth."""
    network.eval()
    said = []
    for rows in torch.arange(len(bank)).split(64):
        batch = batch_of(bank.take(rows), device)
        said.append(network(batch.color, batch.depth if depth else 0.0 * batch.depth, batch.face))
    logits, affect, units = (torch.cat(parts).float().cpu() for parts in zip(*said, strict=True))
    return logits, affect, units


def validate(network: ExpressionRecognizer, bank: ExpressionBank,
             device: torch.device) -> dict[str, float]:
    """
    Score on people never trained on.

    :returns: percent told right: of the six expressions at levels 3 and 4 seen from ahead, with
        and without depth, among the six; of all seven at all levels and poses; of neutral faces;
        mean absolute error of action units
    """
    bank = bank.take(torch.arange(0, len(bank), max(1, len(bank) // 1600)))
    basic = (bank.level >= 3) & (bank.yaw.abs() <= 15.0)
    result: dict[str, float] = {}
    for name, depth in (('six', True), ('six_texture', False)):
        logits, _, units = answers(network, bank, device, depth=depth)
        right = logits[:, :NEUTRAL].argmax(1) == bank.label
        result[name] = percent(right[basic])
        if depth:
            seven = logits.argmax(1) == bank.label
            result['seven'] = percent(seven)
            result['neutral'] = percent(seven[bank.label == NEUTRAL])
            result['units'] = round(float((units - bank.action_units).abs().mean()), 4)
    return result


def percent(right: torch.Tensor) -> float:
    """Return the share of true ones."""
    return round(100.0 * float(right.float().mean()), 2)


__all__ = ['answers', 'batch_of', 'GrowingBank', 'main', 'Settings', 'vary']

if __name__ == '__main__':
    main()
