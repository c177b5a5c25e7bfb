# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train AFNet-M or one of its ablations.

    python -m face_depth_ros.training.render_expression_bank --assets DIR --parts 80
    python -m face_depth_ros.training.train_afnet_m --config afnet_m
    python -m face_depth_ros.training.train_afnet_m --schedule reduced --max-minutes 45 --threads 1

As it stands, the schedule is the paper's: Adam with betas 0.9 and 0.999, rate 0.0001 for all of 70
epochs, cross entropy, images of 224 pixels; the batch, which the paper does not tell, is 32. The
paper starts both branches from ImageNet. No such weights are used here: --initial-texture and
--initial-depth start them from checkpoints of one modality alone, be it the other one, that were
trained on this project's own data (by this script with --lessons 1); else they start at random.
--schedule reduced is for a CPU: images of 112 pixels, a rate that warms up and then falls, an
average of the weights, and the time as the budget. What the command line sets stays as set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
import json
import logging
from pathlib import Path
import time
from typing import Any

from face_depth_ros.core.afnet_input import SIZE, STEP
from face_depth_ros.networks.afnet_m import ABLATIONS, AFNetM, AFNetMConfig
from face_depth_ros.training.afnet_data import (
    AfnetData,
    batch_of,
    read_afnet_data,
    vary,
)
from face_depth_ros.training.afnet_lessons import loss_of, network_weights, TaughtBranch
from face_depth_ros.training.autocast import autocast
from face_depth_ros.training.run import (
    fresh_run,
    is_over,
    learning_rate,
    load_average,
    load_checkpoint,
    open_fabric,
    parse_settings,
    Run,
    RunSettings,
    save_checkpoint,
    update_average,
)
from lightning.fabric import Fabric
import torch
from torch import nn

LOG = logging.getLogger('train_afnet_m')
SCHEDULES = ('paper', 'reduced')
BETAS = (0.9, 0.999)
_NO_LIMIT = 1_000_000
REDUCED: dict[str, Any] = {
    'size': 112, 'learning_rate': 5e-4, 'ema_decay': 0.98, 'warmup_steps': 20,
    'max_minutes': 45.0, 'epochs': _NO_LIMIT}
"""What --schedule reduced changes."""
_STRONG, _AHEAD_DEG = 3, 15.0
_VALIDATED = 64


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run; the defaults are the paper's.

    :param config: of networks.afnet_m.ABLATIONS
    :param schedule: of SCHEDULES
    :param bank, validation: folders of render_expression_bank
    :param initial_texture, initial_depth: checkpoints to start the branches from; '' = at random
    :param size: side of the images
    :param epochs: over the bank, at most
    :param without_depth: share of photos whose depth is missing altogether
    :param lessons: 1 = a network of one modality also learns landmarks and action units
        (training.afnet_lessons), to be started from
    """

    run: str = 'runs/afnet_m'
    config: str = 'afnet_m'
    schedule: str = 'paper'
    bank: str = 'runs/expression_bank'
    validation: str = 'runs/expression_validation'
    initial_texture: str = ''
    initial_depth: str = ''
    size: int = SIZE
    batch: int = 32
    epochs: int = 70
    without_depth: float = 0.0
    lessons: int = 0
    max_minutes: float = float(_NO_LIMIT)
    learning_rate: float = 1e-4
    warmup_steps: int = 1
    ema_decay: float = 0.0

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems() + self.below(('batch', 'epochs', 'size'), zero_allowed=False)
        found += self.below(('without_depth',), zero_allowed=True)
        found += self.unlike('config', tuple(ABLATIONS)) + self.unlike('schedule', SCHEDULES)
        if self.size % STEP:
            found.append(f'size is {self.size}, expected a multiple of {STEP}')
        if self.lessons and ABLATIONS.get(self.config, AFNetMConfig()).modality == '2D+3D':
            found.append(f'lessons are for one modality, but config is {self.config}')
        if self.without_depth > 1:
            found.append(f'without_depth is {self.without_depth}, expected at most 1')
        return found


def main() -> None:
    """Train, validate after each epoch, keep the newest checkpoint."""
    settings, resume = parse_settings(Settings, __doc__)
    settings = scheduled(settings)
    fabric = open_fabric(settings)
    data = read_afnet_data(Path(settings.bank), settings.size)
    validation = read_afnet_data(Path(settings.validation), settings.size)
    train(settings, fabric, data, validation, resume=resume)


def scheduled(settings: Settings) -> Settings:
    """Return the settings with what their schedule changes, where they are the defaults."""
    if settings.schedule == 'paper':
        return settings
    return replace(settings, **{name: value for name, value in REDUCED.items()
                                if getattr(settings, name) == getattr(Settings, name)})


def train(settings: Settings, fabric: Fabric, data: AfnetData, validation: AfnetData | None, *,
          resume: bool = False, keep: bool = True) -> Run[Any]:
    """
    Train one network.

    :param validation: photos to score on after each epoch, None = score on none
    :param keep: whether to write the newest checkpoint
    :raises SettingsError: a checkpoint is missing
    """
    steps = -(-len(data) // settings.batch)
    settings = replace(settings, max_steps=min(settings.max_steps, settings.epochs * steps),
                       steps_per_epoch=min(settings.steps_per_epoch, steps))
    run: Run[Any] = fresh_run(lambda: started(settings), lambda network: torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate, betas=BETAS,
        weight_decay=settings.weight_decay), settings, fabric)
    if resume:
        load_checkpoint(Path(settings.run) / 'last.pt', run)
    while not is_over(settings, run.state):
        loss = train_one_epoch(fabric, settings, data, run)
        metrics = {} if validation is None else validate(run.average, validation, fabric.device)
        LOG.info('%s step %d, %.1f min, %d photos, loss %.4f, %s', settings.config,
                 run.state.step, run.state.minutes, run.state.samples, loss, json.dumps(metrics))
        if keep and fabric.is_global_zero:
            save_checkpoint(Path(settings.run) / 'last.pt', settings, run, metrics)
    return run


def started(settings: Settings) -> AFNetM | TaughtBranch:
    """
    Return the network as the settings begin it; attention and importance weights are drawn.

    A classifier begins as that of its branch, a common one as that of the first branch.
    """
    config = ABLATIONS[settings.config]
    network = AFNetM(config)
    for index, name in enumerate(network.branches):
        path = getattr(settings, f'initial_{name}')
        if path:
            weights = network_weights(load_average(Path(path)))
            _take(getattr(network, name), weights, modality_of(weights, name))
            if index < len(network.heads):
                _take(network.heads[index], weights, 'heads.0')
    if config.modality == '2D+3D' and config.fusion == 'data' and settings.initial_depth:
        branch: Any = network.texture
        stem = branch.stem[0]
        with torch.no_grad():
            stem.weight.mul_(0.5)
            stem.weight[:, 3:] = 0.5 * network_weights(load_average(
                Path(settings.initial_depth)))['depth.stem.0.weight']
    return TaughtBranch(network) if settings.lessons else network


def modality_of(weights: dict[str, torch.Tensor], name: str) -> str:
    """Return whose branch there is to start a branch from: its own, else the other's."""
    own = any(key.startswith(f'{name}.') for key in weights)
    return name if own else {'texture': 'depth', 'depth': 'texture'}[name]


def _take(module: nn.Module, weights: dict[str, torch.Tensor], prefix: str) -> None:
    """
    Take a module's weights from those of a network of one modality.

    What reads two modalities takes these for the first and begins with 0 for the second.
    """
    taken = {}
    for key, own in module.state_dict().items():
        value = weights[f'{prefix}.{key}']
        if value.shape != own.shape:
            missing = own.new_zeros(own.shape[0], own.shape[1] - value.shape[1], *own.shape[2:])
            value = torch.cat([value, missing], dim=1)
        taken[key] = value
    module.load_state_dict(taken)


def train_one_epoch(fabric: Fabric, settings: Settings, data: AfnetData,
                    run: Run[Any]) -> float:
    """Run up to `steps_per_epoch` steps; return the mean loss."""
    run.model.train()
    state = run.state
    total, steps = 0.0, 0
    while steps < settings.steps_per_epoch and not is_over(settings, state):
        began = time.process_time()
        generator = torch.Generator().manual_seed(
            (settings.seed * 1_000_003 + state.step * 1009 + fabric.global_rank) % 2 ** 62)
        rows = rows_of_step(len(data), settings, state.step)[fabric.global_rank::fabric.world_size]
        batch = batch_of(vary(data.take(rows), generator, without_depth=settings.without_depth),
                         fabric.device)
        for group in run.optimizer.param_groups:
            group['lr'] = (settings.learning_rate if settings.schedule == 'paper'
                           else learning_rate(settings, state))
        loss = loss_of(run.model, batch)
        fabric.backward(loss)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        total, steps = total + loss.item(), steps + 1
        state.step += 1
        state.samples += len(rows) * fabric.world_size
        state.minutes += (time.process_time() - began) / 60.0
    return total / max(steps, 1)


def rows_of_step(count: int, settings: Settings, step: int) -> torch.Tensor:
    """
    Return which photos a step sees: each once an epoch, in an order of the epoch's own.

    The last step of an epoch is filled up from its beginning, so that each batch has its size.
    """
    steps = -(-count // settings.batch)
    epoch, place = divmod(step, steps)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(settings.seed + epoch))
    places = torch.arange(place * settings.batch, (place + 1) * settings.batch)
    return order[places % count]


@torch.no_grad()
def answers(network: nn.Module, data: AfnetData, device: torch.device) -> torch.Tensor:
    """Return the logits of all photos, (N, 6) float32."""
    network.eval()
    own = network.network if isinstance(network, TaughtBranch) else network
    said = [own(*batch_of(data.take(rows), device).images).float().cpu()
            for rows in torch.arange(len(data)).split(_VALIDATED)]
    return torch.cat(said)


def validate(network: nn.Module, data: AfnetData, device: torch.device) -> dict[str, float]:
    """
    Score on people never trained on.

    :returns: percent told right: of strong expressions (levels 3 and 4) seen from ahead, as in the
        paper's protocol; of all levels and poses
    """
    with autocast(device):
        right = answers(network, data, device).argmax(1) == data.label
    strong = (data.level >= _STRONG) & (data.yaw.abs() <= _AHEAD_DEG)
    return {'six': _percent(right[strong]), 'all': _percent(right)}


def _percent(right: torch.Tensor) -> float:
    return round(100.0 * float(right.float().mean()), 2)


__all__ = ['answers', 'main', 'scheduled', 'Settings', 'train', 'validate']

if __name__ == '__main__':
    main()
