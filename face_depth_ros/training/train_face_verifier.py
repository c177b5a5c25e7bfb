# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train the Siamese face verifier on true depth.

    python -m face_depth_ros.training.train_face_verifier --assets DIR

renders people of the train split into runs/face_verifier (a few minutes of one core), then trains
for `--max-minutes` of processor time. A step sees some people several times and learns from all
pairs among these images; pairs of the same person and of different people weigh the same, in sum.
Loss: binary cross entropy. The paper leaves optimiser and schedule open: Adam, half a cosine. So
short a schedule needs help: a linear layer, dropped at export, tells the shape of the rendered
head from the features, and its squared error is added. Depth from networks is never trained on:
the verifier measures what is left of a person there.
"""

from __future__ import annotations

from dataclasses import dataclass
import json
import logging
from pathlib import Path
import time

from face_depth_ros.networks.face_verifier import build_face_verifier
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_splits import IDENTITY_MODES
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
from face_depth_ros.training.verification_bank import (
    damage,
    PeopleBatch,
    vary,
    VerificationBank,
)
from lightning.fabric import Fabric
import numpy as np
import torch
from torch import nn
from torch.nn import functional

LOG = logging.getLogger('train_face_verifier')
_VALIDATION_PAIRS = 2000
"""Of each kind; a fixed choice."""


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run.

    :param people: rendered for training, `images` of each
    :param validation_people: of the validation split, `images` of each
    :param batch_people: of one step, `batch_images` of each
    :param shape_weight: of the error in the shape of the head
    """

    run: str = 'runs/face_verifier'
    people: int = 4000
    images: int = 6
    validation_people: int = 128
    batch_people: int = 16
    batch_images: int = 4
    shape_weight: float = 1.0
    max_minutes: float = 8.0
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 50
    ema_decay: float = 0.99
    steps_per_epoch: int = 150

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems() + self.below(
            ('people', 'images', 'validation_people', 'batch_people', 'batch_images'),
            zero_allowed=False)
        found += self.below(('shape_weight',), zero_allowed=True)
        for name, least, most in (('batch_people', 2, 'people'), ('batch_images', 2, 'images')):
            if not least <= getattr(self, name) <= getattr(self, most):
                found.append(f'{name} is {getattr(self, name)}, expected {least} to '
                             f'{getattr(self, most)} ({most}): a step needs pairs of both kinds')
        if self.validation_people < 2:
            found.append(f'validation_people is {self.validation_people}, expected 2 or more')
        return found


class Lesson(nn.Module):
    """The network with what it learns besides."""

    def __init__(self) -> None:
        super().__init__()
        self.verifier = build_face_verifier()
        self.config = self.verifier.config
        self.shape = nn.Linear(self.config.widths[-1], IDENTITY_MODES)

    def forward(self, depth: torch.Tensor, first: torch.Tensor,
                second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Compare images of one batch.

        :param depth: (B, 1, 96, 96) in [-1, 1]
        :param first: (P,) indices into the batch, and so `second`
        :returns: logits (P,); shape (B, 100) mm
        """
        features = self.verifier.features(depth)
        return (self.verifier.logits(features[first], features[second])[:, 0],
                self.shape(features))


def main() -> None:
    """Train, validate after each epoch, keep the newest checkpoint."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    banks = open_banks(settings, fabric)
    run = build(settings, fabric)
    if resume:
        load_checkpoint(Path(settings.run) / 'last.pt', run)
    while not is_over(settings, run.state):
        loss = train_one_epoch(fabric, settings, banks['train'], run)
        metrics = validate(run.average, banks['validation'], fabric.device)
        LOG.info('step %d, %.1f min, loss %.4f, %s', run.state.step, run.state.minutes, loss,
                 json.dumps(metrics))
        if fabric.is_global_zero:
            save_checkpoint(Path(settings.run) / 'last.pt', settings, run, metrics)


def open_banks(settings: Settings, fabric: Fabric) -> dict[str, VerificationBank]:
    """Render (on the first process) and open the banks: train, validation."""
    counts = {'train': settings.people, 'validation': settings.validation_people}
    folders = {split: Path(settings.run) / f'people_{split}_{count}_{settings.images}'
               for split, count in counts.items()}
    if fabric.is_global_zero:
        assets = find_assets(settings.assets or None)
        for split, count in counts.items():
            VerificationBank.render(folders[split], assets, split, count, settings.images)
    fabric.barrier()
    return {split: VerificationBank(folder) for split, folder in folders.items()}


def build(settings: Settings, fabric: Fabric) -> Run[Lesson]:
    """Return a fresh run."""
    return fresh_run(Lesson, lambda network: torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay),
        settings, fabric)


def train_one_epoch(fabric: Fabric, settings: Settings, bank: VerificationBank,
                    run: Run[Lesson]) -> float:
    """Run up to `steps_per_epoch` steps; return the mean loss."""
    run.model.train()
    state = run.state
    total, steps = 0.0, 0
    while steps < settings.steps_per_epoch and not is_over(settings, state):
        started = time.process_time()
        batch = draw_batch(settings, bank, state, fabric)
        for group in run.optimizer.param_groups:
            group['lr'] = learning_rate(settings, state)
        loss = loss_of(run.model, batch, settings.shape_weight)
        fabric.backward(loss)
        fabric.clip_gradients(run.model, run.optimizer, max_norm=1.0)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        total, steps = total + loss.item(), steps + 1
        state.step += 1
        state.samples += len(batch.grey) * fabric.world_size
        state.minutes += (time.process_time() - started) / 60.0
    return total / max(steps, 1)


def draw_batch(settings: Settings, bank: VerificationBank, state: TrainingState,
               fabric: Fabric) -> PeopleBatch:
    """Draw the images of a step, varied and damaged."""
    chance = np.random.default_rng((settings.seed, state.step, fabric.global_rank))
    generator = torch.Generator()
    generator.manual_seed(int(chance.integers(2 ** 62)))
    batch = bank.draw(settings.batch_people, settings.batch_images, chance)
    grey = damage(vary(batch.grey, generator), generator)
    return PeopleBatch(*(t.to(fabric.device) for t in (grey, batch.person, batch.shape)))


def to_network(grey: torch.Tensor) -> torch.Tensor:
    """Return grey depth (B, 96, 96), 0 to 255, as the network sees it: (B, 1, 96, 96), -1 to 1."""
    return (grey / 127.5 - 1.0)[:, None].contiguous(memory_format=torch.channels_last)


def loss_of(model: nn.Module, batch: PeopleBatch, shape_weight: float) -> torch.Tensor:
    """
    Return the binary cross entropy of all pairs, both kinds of the same weight, and the rest.

    :param model: a `Lesson`
    :param shape_weight: of the squared error in shape over what the mean head would have
    """
    count = len(batch.grey)
    first, second = torch.triu_indices(count, count, 1, device=batch.grey.device)
    logits, shape = model(to_network(batch.grey), first, second)
    same = batch.person[first] == batch.person[second]
    losses = functional.binary_cross_entropy_with_logits(logits.float(), same.float(),
                                                         reduction='none')
    error = (shape.float() - batch.shape).square().sum() / batch.shape.square().sum()
    pairs: torch.Tensor = (losses[same].mean() + losses[~same].mean()) / 2.0
    return pairs + shape_weight * error


@torch.no_grad()
def validate(lesson: Lesson, bank: VerificationBank, device: torch.device) -> dict[str, float]:
    """
    Score on people never trained on, as rendered, at a threshold of 0.5.

    :returns: accuracy of as many pairs of the same person as of different people; which part of
        each kind is told right; the squared error in shape over that of the mean head
    """
    model = lesson.eval().verifier
    batches = list(bank.batches(8))
    features = torch.cat([model.features(to_network(b.grey).to(device)) for b in batches])
    person, shape = (torch.cat(parts) for parts in zip(*((b.person, b.shape) for b in batches),
                                                       strict=True))
    error = (lesson.shape(features).cpu() - shape).square().sum() / shape.square().sum()
    pairs = torch.triu_indices(len(person), len(person), 1)  # (2, P)
    same = person[pairs[0]] == person[pairs[1]]
    generator = torch.Generator().manual_seed(1)
    right = []
    for kind in (same, ~same):
        chosen = pairs[:, kind]
        order = torch.randperm(chosen.shape[1], generator=generator)[:_VALIDATION_PAIRS]
        first, second = chosen[:, order].to(device)
        above = model.logits(features[first], features[second])[:, 0] > 0.0
        right.append(float((above == (kind is same)).float().mean()))
    return {'accuracy': round(sum(right) / 2.0, 4), 'same': round(right[0], 4),
            'different': round(right[1], 4), 'shape': round(float(error), 4)}


if __name__ == '__main__':
    main()
