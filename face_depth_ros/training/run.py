# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What every training run has: a budget, a schedule, an average of the weights, checkpoints."""

from __future__ import annotations

import argparse
import atexit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
import logging
import math
import os
from pathlib import Path
import platform
from typing import Any, Generic, TypeVar

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.training.autocast import fabric_precision, precision_words
from face_depth_ros.training.export import current_commit
from lightning.fabric import Fabric
import torch
from torch import distributed, nn

NetworkT = TypeVar('NetworkT', bound=nn.Module)


@dataclass(frozen=True)
class RunSettings:
    """
    Settings that every script has; a script's own come below it.

    :param assets: folder of the synthesis assets; '' = found by itself
    :param run: folder of checkpoints
    :param max_minutes: time budget of the run, its continuations included
    :param max_steps: budget in steps; the learning rate follows the nearer of both ends
    :param threads: CPU threads of torch, 0 = its own choice
    """

    assets: str = ''
    run: str = 'runs/unnamed'
    max_minutes: float = 60.0
    max_steps: int = 1_000_000
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    warmup_steps: int = 200
    ema_decay: float = 0.998
    seed: int = 20261120
    threads: int = 0
    steps_per_epoch: int = 500

    def __post_init__(self) -> None:
        problems = self.problems()
        if problems:
            raise SettingsError('training settings: ' + '; '.join(problems))

    def problems(self) -> list[str]:
        """Return all that is wrong; scripts add what is their own."""
        found = self.below(('max_minutes', 'max_steps', 'learning_rate', 'warmup_steps',
                            'steps_per_epoch'), zero_allowed=False)
        found += self.below(('weight_decay', 'threads'), zero_allowed=True)
        if not 0 <= self.ema_decay < 1:
            found.append(f'ema_decay is {self.ema_decay}, expected 0 <= ema_decay < 1')
        return found

    def below(self, names: Sequence[str], *, zero_allowed: bool) -> list[str]:
        """Return a line for each of the named settings that is too small."""
        wanted = '>= 0' if zero_allowed else '> 0'
        return [f'{name} is {getattr(self, name)}, expected {wanted}' for name in names
                if getattr(self, name) < 0 or (getattr(self, name) == 0 and not zero_allowed)]


    def unlike(self, name: str, known: Sequence[str]) -> list[str]:
        """Return a line if the named setting is none of the known values."""
        value = getattr(self, name)
        return [] if value in known else [
            f'{name} is {value!r}, expected one of {", ".join(known)}']


SettingsT = TypeVar('SettingsT', bound=RunSettings)


@dataclass
class TrainingState:
    """
    Everything that a checkpoint holds beside the weights.

    :param commit: of the code that the run began with; the checkout may change meanwhile
    """

    step: int = 0
    minutes: float = 0.0
    samples: int = 0
    commit: str = ''


@dataclass
class Run(Generic[NetworkT]):
    """
    What training changes.

    :param model: with the optimiser as set up by Fabric
    :param average: running average of the weights: validated and shipped
    """

    model: Any
    average: NetworkT
    optimizer: Any
    state: TrainingState = field(default_factory=lambda: TrainingState(commit=current_commit()))


def settings_parser(settings_type: type[Any], description: str | None) -> argparse.ArgumentParser:
    """Return a parser with an option for each field of a dataclass, all of which have defaults."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for f in fields(settings_type):
        parser.add_argument('--' + f.name.replace('_', '-'), type=type(f.default),
                            default=f.default)
    return parser


def parse_settings(settings_type: type[SettingsT], description: str | None,
                   arguments: Sequence[str] | None = None) -> tuple[SettingsT, bool]:
    """Return the settings from the command line, and whether to resume."""
    parser = settings_parser(settings_type, description)
    parser.add_argument('--resume', action='store_true')
    values = vars(parser.parse_args(arguments))
    resume = values.pop('resume')
    return settings_type(**values), resume


def training_command(script: str, settings: Mapping[str, Any], defaults: RunSettings) -> str:
    """
    Return the command of a finished run: the script with what differs from its defaults.

    :param script: module in face_depth_ros.training
    :param settings: of a checkpoint
    """
    own = {'assets', 'run'}  # folders of the machine it ran on
    options = [f'--{name.replace("_", "-")} {value:g}' if isinstance(value, float)
               else f'--{name.replace("_", "-")} {value}' for name, value in settings.items()
               if name not in own and value != getattr(defaults, name, None)]
    return ' '.join([f'python -m face_depth_ros.training.{script}', *options])


def open_fabric(settings: RunSettings, precision: Any = None) -> Fabric:
    """
    Begin a run: log to the terminal, take all GPUs or the CPU with the wanted threads.

    Started by torchrun, on one machine or several, it takes the processes that torchrun has
    started: each draws its own data, gradients are averaged, the first one writes and logs.

    :param precision: as Fabric takes it; None = what is fastest here (training/autocast.py)
    """
    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(message)s')
    devices: int | str = 'auto' if torch.cuda.is_available() else 1
    machines = 1
    if distributed.is_torchelastic_launched():
        devices = int(os.environ['LOCAL_WORLD_SIZE'])
        machines = int(os.environ['WORLD_SIZE']) // devices
    fabric = Fabric(accelerator='auto', devices=devices, num_nodes=machines,
                    precision=precision or fabric_precision())
    fabric.launch()
    atexit.register(_leave_group)
    if not fabric.is_global_zero:
        logging.getLogger().setLevel(logging.WARNING)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    return fabric


def _leave_group() -> None:
    """End the connections to other processes in order: gloo's threads else abort at the exit."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def fresh_run(build: Callable[[], NetworkT],
              optimizer_of: Callable[[nn.Module], torch.optim.Optimizer], settings: RunSettings,
              fabric: Fabric, initial: Path | None = None) -> Run[NetworkT]:
    """
    Begin with random weights, drawn by the settings' seed.

    :param build: returns the network
    :param optimizer_of: returns the optimiser of a network
    :param initial: checkpoint whose averaged weights to start from
    :raises SettingsError: there is no such checkpoint
    """
    torch.manual_seed(settings.seed)
    model: Any = build()
    if initial is not None:
        model.load_state_dict(load_average(initial))
    model = model.to(memory_format=torch.channels_last)
    average = build().to(fabric.device)
    average.load_state_dict(model.state_dict())
    model, optimizer = fabric.setup(model, optimizer_of(model))
    return Run(model, average, optimizer)


def decay_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return what of a network learns, for an optimiser: normalisation and biases do not decay."""
    learned = [p for p in network.parameters() if p.requires_grad]
    return [{'params': [p for p in learned if p.ndim > 1], 'weight_decay': weight_decay},
            {'params': [p for p in learned if p.ndim <= 1], 'weight_decay': 0.0}]


def is_over(settings: RunSettings, state: TrainingState) -> bool:
    """
    Whether the budget of time or steps is used up.

    Of several processes all go by the time of the first, which is put in `state`: else one would
    end while others wait for it, and their learning rates would differ. So all must ask.
    """
    if distributed.is_available() and distributed.is_initialized():
        on_gpu = distributed.get_backend() == 'nccl'
        minutes = torch.tensor(state.minutes, dtype=torch.float64,
                               device='cuda' if on_gpu else 'cpu')
        distributed.broadcast(minutes, 0)
        state.minutes = float(minutes)
    return state.minutes >= settings.max_minutes or state.step >= settings.max_steps


def learning_rate(settings: RunSettings, state: TrainingState) -> float:
    """Linear warm-up, then half a cosine down to 1 % at the end of the budget."""
    progress = min(1.0, max(state.minutes / settings.max_minutes,
                            state.step / settings.max_steps))
    warm = min(1.0, (state.step + 1) / settings.warmup_steps)
    return settings.learning_rate * warm * (
        0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress)))


def update_average(run: Run[Any], decay: float) -> None:
    """Move the running average towards the model, faster during the first steps."""
    decay = min(decay, (1 + run.state.step) / (10 + run.state.step))
    with torch.no_grad():
        for mean, value in zip(run.average.state_dict().values(),
                               run.model.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value.to(mean.dtype), 1.0 - decay)


def save_checkpoint(path: Path, settings: RunSettings, run: Run[Any],
                    metrics: dict[str, float]) -> None:
    """Write the newest checkpoint, complete or not at all."""
    write_checkpoint(path, {
        'model': run.model.state_dict(), 'average': run.average.state_dict(),
        'optimizer': run.optimizer.state_dict(), 'state': asdict(run.state),
        'settings': asdict(settings), 'config': asdict(run.average.config),
        'commit': run.state.commit, 'metrics': metrics})


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write the content of a checkpoint, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path.with_suffix('.partial'))
    path.with_suffix('.partial').replace(path)


def load_average(path: Path) -> dict[str, torch.Tensor]:
    """
    Return the averaged weights of a checkpoint, to start another run from.

    :raises SettingsError: there is none
    """
    if not path.exists():
        raise SettingsError(f'initial: no checkpoint at {path}')
    weights: dict[str, torch.Tensor] = torch.load(path, map_location='cpu',
                                                  weights_only=True)['average']
    return weights


def load_checkpoint(path: Path, run: Run[Any]) -> None:
    """
    Go on from a checkpoint.

    :raises SettingsError: there is none
    """
    if not path.exists():
        raise SettingsError(f'--resume: no checkpoint at {path}; start without --resume')
    content = torch.load(path, map_location='cpu', weights_only=True)
    run.model.load_state_dict(content['model'])
    run.average.load_state_dict(content['average'])
    run.optimizer.load_state_dict(content['optimizer'])
    run.state = TrainingState(**content['state'])


def hardware_of(fabric: Fabric) -> str:
    """Return what the run runs on, for people."""
    name = (torch.cuda.get_device_name(fabric.device) if fabric.device.type == 'cuda'
            else f'CPU, {platform.machine()}')
    return f'{name}, {precision_words()}'
