# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train the mask-guided recogniser, or a compact student of it, on rendered people.

    python -m face_depth_ros.training.train_face_recognizer --network mask_guided --assets DIR
    python -m face_depth_ros.training.train_face_recognizer --network student \
        --schedule cosine --learning-rate 2e-3 --weight-decay 0.02 \
        --teacher runs/mask_guided_recognizer/last.pt

write runs/mask_guided_recognizer and runs/face_recognizer. The photos are rendered first
(`--people` times `--images`, within `--render-minutes`), onto the device that trains: a GPU
renders thousands a second, a CPU twenty. A face comes with the relief that the estimator tells
from its colour, or (in `--measured` of the steps' faces) with what a sensor measures.

Losses of the mask-guided network are the paper's (training/recognition_losses.py)
and, ours, the squared error in the shape of the rendered head told by a linear layer that is
dropped at export; `--shape-weight 0` leaves the paper's alone. SGD, momentum 0.9, weight decay
0.0005, the learning rate divided by 10 at 6, 10 and 17 of 20 epochs, as shares of the budget.
The student learns the teacher's embeddings of the same photos besides, by AdamW and half a
cosine. ArcFace's margin grows from zero over the first part of a run (`--margin-from`,
`--margin-full`): from the start it would keep so short a run from learning anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
import json
import logging
import math
from pathlib import Path
import time
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.networks.face_recognizer import build_face_recognizer
from face_depth_ros.networks.mask_guided_recognizer import build_mask_guided_recognizer
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_photos import IdentityPhotographer, Moments, TRAINING
from face_depth_ros.synthesis.identity_splits import IDENTITY_MODES
from face_depth_ros.synthesis.photo_batches import PhotoStyle
from face_depth_ros.training.augmented_bank import augmented_bank, held_out, is_augmented
from face_depth_ros.training.autocast import autocast
from face_depth_ros.training.identity_bank import (
    BankBuilder,
    batch_of,
    IdentityBank,
    on_device,
    read_bank,
)
from face_depth_ros.training.photo_variations import vary
from face_depth_ros.training.recognition_losses import ArcFaceHead, branch_losses, BranchWeights
from face_depth_ros.training.run import (
    decay_groups,
    fresh_run,
    is_over,
    load_average,
    load_checkpoint,
    open_fabric,
    parse_settings,
    Run,
    RunSettings,
    save_checkpoint,
    TrainingState,
    update_average,
    write_checkpoint,
)
from lightning.fabric import Fabric
import numpy as np
import torch
from torch import nn
from torch.nn import functional

LOG = logging.getLogger('train_face_recognizer')
NETWORKS: dict[str, Callable[[], Any]] = {
    'mask_guided': build_mask_guided_recognizer, 'student': build_face_recognizer}
NAMES = {'mask_guided': 'mask_guided_recognizer', 'student': 'face_recognizer'}
"""What the models are called, and the folders of their runs."""
STEPS = (6 / 20, 10 / 20, 17 / 20)
"""When the learning rate falls to a tenth, as shares of the budget."""
_SHIFT_PX = 3
_BEGUN_WITH = 4
"""Photos a person from which classes begin."""
_AVERAGED_STEPS = 4
"""The average of the weights follows after so many steps: on a GPU it costs as much as a tenth."""
GALLERY = Moments(yaw=(0.0, 10.0), frontal=0.0, pitch_sigma=4.0, expressive=0.0, speaking=0.0,
                  other_hair=0.0, style=PhotoStyle(occluders=0.0, cut=0.0))
PROBES = Moments(yaw=(0.0, 60.0), frontal=0.3)


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run.

    :param run: folder of checkpoints; '' = runs/mask_guided_recognizer or runs/face_recognizer
    :param network: mask_guided or student
    :param teacher: checkpoint of a mask-guided recogniser, for a student; '' = none
    :param initial: checkpoint whose recogniser to start from, its classes begun at the mean
        embedding of each person; '' = random weights
    :param bank: folder of render_identity_bank or of datasets.augment_dataset to train on; '' =
        render as said below
    :param people: of the train split, `images` photos of each, within `render_minutes`
    :param validation_people: of the validation split, one gallery photo and three others of each
    :param batch: photos of a step and process
    :param schedule: of the learning rate: steps (the paper's) or cosine
    :param margin, scale: of ArcFace
    :param margin_from, margin_full: shares of the budget between which the margin grows
    :param measured: share of faces with a sensor's depth instead of the estimated one
    :param shape_weight: of the squared error in the shape of the head
    :param teacher_weight: of one minus the cosine to the teacher's embeddings
    """

    run: str = ''
    network: str = 'mask_guided'
    teacher: str = ''
    initial: str = ''
    bank: str = ''
    people: int = 10_000
    images: int = 25
    render_minutes: float = 30.0
    validation_people: int = 256
    batch: int = 256
    schedule: str = 'steps'
    margin: float = 0.4
    scale: float = 32.0
    margin_from: float = 0.1
    margin_full: float = 0.45
    measured: float = 0.5
    shape_weight: float = 1.0
    teacher_weight: float = 4.0
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    warmup_steps: int = 200
    ema_decay: float = 0.995
    steps_per_epoch: int = 500

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems() + self.below(
            ('people', 'images', 'render_minutes', 'validation_people', 'batch', 'scale'),
            zero_allowed=False)
        found += self.below(('margin', 'measured', 'shape_weight', 'teacher_weight'),
                            zero_allowed=True)
        found += self.unlike('network', tuple(NETWORKS))
        found += self.unlike('schedule', ('steps', 'cosine'))
        if self.teacher and self.network != 'student':
            found.append(f'teacher is {self.teacher!r}, but only a student has one')
        if not 0.0 <= self.margin_from < self.margin_full <= 1.0:
            found.append(f'margin_from is {self.margin_from} and margin_full {self.margin_full}, '
                         'expected 0 <= margin_from < margin_full <= 1')
        if self.bank and is_augmented(Path(self.bank)) and self.shape_weight > 0.0:
            found.append(f'shape_weight is {self.shape_weight}, expected 0: nobody knows the '
                         f'shape of the people of {self.bank}')
        if self.measured > 1.0:
            found.append(f'measured is {self.measured}, expected 0 to 1')
        return found

    @property
    def folder(self) -> Path:
        """Where checkpoints go: a student never lies where its teacher does."""
        return Path(self.run or f'runs/{NAMES[self.network]}')


class Lesson(nn.Module):
    """
    The network with what it learns by, dropped at export.

    :param people: classes
    """

    def __init__(self, settings: Settings, people: int) -> None:
        super().__init__()
        self.recognizer: Any = NETWORKS[settings.network]()
        self.config = self.recognizer.config
        width = self.config.dimensions
        self.heads: Any = nn.ModuleList(
            ArcFaceHead(width, people, settings.margin, settings.scale) for _ in range(2))
        self.shapes: Any = nn.ModuleList(nn.Linear(width, IDENTITY_MODES) for _ in range(2))
        self.like_teacher = nn.ModuleList(nn.Linear(width, 256, bias=False) for _ in range(2))

    def forward(self, color: torch.Tensor, depth: torch.Tensor, mask: torch.Tensor,
                person: torch.Tensor, ease: float) -> dict[str, list[torch.Tensor]]:
        """
        Look at photos.

        :param ease: share of the margin that is left out
        :returns: of colour and of depth each: features (B, D), logits (B, P), shape (B, 100),
            and the embedding in the teacher's space (B, 256)
        """
        features = list(self.recognizer.features(color, depth, mask))

        def each(parts: nn.ModuleList, *more: Any) -> list[torch.Tensor]:
            return [part(f, *more) for part, f in zip(parts, features, strict=True)]

        return {'features': features, 'logits': each(self.heads, person, ease),
                'shape': each(self.shapes), 'taught': each(self.like_teacher)}


def main() -> None:
    """Render, train, validate after each epoch, keep the newest checkpoint."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    bank, validation = render_banks(settings, fabric)
    train(settings, fabric, bank, validation, resume=resume)


def render_banks(settings: Settings, fabric: Fabric) -> tuple[IdentityBank, IdentityBank]:
    """Render or read photos, other ones in each process; some real people are held out."""
    if settings.bank and is_augmented(Path(settings.bank)):
        bank, validation = held_out(augmented_bank(
            Path(settings.bank), fabric.global_rank, fabric.world_size),
            settings.validation_people)
        return on_device(bank, fabric.device), on_device(validation, fabric.device)
    photographer = IdentityPhotographer(find_assets(settings.assets or None), fabric.device,
                                        settings.seed + fabric.global_rank)
    builder = BankBuilder(photographer)
    size = 256 if fabric.device.type == 'cuda' else 16
    judged = photographer.people('validation', range(settings.validation_people))
    validation = builder.build(judged, 4, (GALLERY, PROBES), size)
    if settings.bank:
        return on_device(read_bank(Path(settings.bank)), fabric.device), validation
    people = photographer.people('train', range(settings.people))
    bank = builder.build(people, settings.images, (TRAINING,), size, settings.render_minutes)
    return bank, validation


def train(settings: Settings, fabric: Fabric, bank: IdentityBank, validation: IdentityBank,
          resume: bool = False) -> dict[str, float]:
    """Train on a bank until the budget is used up; return the last metrics."""
    run = build(settings, fabric, bank)
    wanted = teach(load_teacher(settings, fabric), bank) if settings.teacher else None
    if resume:
        load_checkpoint(settings.folder / 'last.pt', run)
    metrics: dict[str, float] = {}
    while not is_over(settings, run.state):
        loss = train_one_epoch(fabric, settings, bank, run, wanted)
        metrics = validate(run.average.recognizer, validation)
        LOG.info('step %d, %.2f min, loss %.4f, %s', run.state.step, run.state.minutes, loss,
                 json.dumps(metrics))
        if fabric.is_global_zero:
            save_checkpoint(settings.folder / 'last.pt', settings, run, metrics)
            save_small(settings.folder / 'small.pt', settings, run, metrics)
    return metrics


def save_small(path: Path, settings: RunSettings, run: Run[Any],
               metrics: dict[str, float], began: dict[str, Any] | None = None) -> None:
    """
    Write what export needs: the recogniser's averaged weights alone, in float16.

    :param began: `trained` of the ModelSpec that the run went on from
    """
    weights = {f'recognizer.{name}': value.half() if value.dtype.is_floating_point else value
               for name, value in run.average.recognizer.state_dict().items()}
    write_checkpoint(path, {
        'average': weights, 'state': asdict(run.state), 'settings': asdict(settings),
        'config': asdict(run.average.config), 'commit': run.state.commit, 'metrics': metrics,
        'began': began})


def build(settings: Settings, fabric: Fabric, bank: IdentityBank) -> Run[Lesson]:
    """Return a fresh run; no weight decay on normalisation and biases."""
    def optimizer_of(network: nn.Module) -> torch.optim.Optimizer:
        groups = decay_groups(network, settings.weight_decay)
        if settings.network == 'student':
            return torch.optim.AdamW(groups, lr=settings.learning_rate)
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=0.9, nesterov=True)

    begun = begin(settings, bank) if settings.initial else None

    def lesson() -> Lesson:
        new = Lesson(settings, bank.people)
        if begun is not None:
            new.load_state_dict(begun)
        return new

    return fresh_run(lesson, optimizer_of, settings, fabric)


@torch.no_grad()
def begin(settings: Settings, bank: IdentityBank) -> dict[str, torch.Tensor]:
    """
    Return the weights of a lesson that goes on from a trained recogniser.

    Classes begin at the mean embedding of each person, shapes at the ridge regression from the
    features, so that the first steps do not undo what is learned.

    :raises SettingsError: the checkpoint is missing or of another network
    """
    device = bank.person.device
    torch.manual_seed(settings.seed)
    lesson = Lesson(settings, bank.people).eval().to(device)
    load_recognizer(lesson.recognizer, Path(settings.initial), 'initial')
    features: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    chosen = torch.randperm(len(bank)).to(device)[:_BEGUN_WITH * bank.people]
    for rows in chosen.split(64):
        measured = torch.arange(len(rows), device=device) % 2 == 0
        with autocast(device):
            said = lesson.recognizer.features(*batch_of(bank, rows, measured))
        for part, new in zip(features, said, strict=True):
            part.append(new.float())
    person = bank.person[chosen]
    truth = bank.identity[person]
    for parts, head, shape in zip(features, lesson.heads, lesson.shapes, strict=True):
        said = torch.cat(parts)
        mean = torch.zeros(bank.people, said.shape[1], device=device).index_add_(
            0, person, functional.normalize(said))
        head.weight.copy_(functional.normalize(mean))
        centre = said.mean(dim=0)
        flat = said - centre
        ridge = flat.T @ flat + 0.01 * len(flat) * torch.eye(flat.shape[1], device=device)
        slope = torch.linalg.solve(ridge, flat.T @ truth)  # (D, 100)
        shape.weight.copy_(slope.T)
        shape.bias.copy_(truth.mean(dim=0) - centre @ slope)
    return lesson.state_dict()


def load_recognizer(network: nn.Module, path: Path, setting: str) -> None:
    """
    Take the averaged weights of a checkpoint.

    :param setting: what named the checkpoint, for the message
    :raises SettingsError: the checkpoint is missing or of another network
    """
    if not path.exists():
        raise SettingsError(f'{setting}: no checkpoint at {path}')
    own = {name.removeprefix('recognizer.'): value for name, value in load_average(path).items()
           if name.startswith('recognizer.')}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        raise SettingsError(f'{setting}: {path} is no checkpoint of such a recogniser in its '
                            f'default layout: {error}') from error


def load_teacher(settings: Settings, fabric: Fabric) -> nn.Module:
    """
    Return the teacher of a student.

    :raises SettingsError: the checkpoint is missing or of another network
    """
    teacher: Any = build_mask_guided_recognizer()
    load_recognizer(teacher, Path(settings.teacher), 'teacher')
    return teacher.eval().to(fabric.device, memory_format=torch.channels_last)


@torch.no_grad()
def teach(teacher: nn.Module, bank: IdentityBank, batch: int = 512) -> torch.Tensor:
    """
    Return the teacher's embeddings of every photo as it was taken.

    :returns: (N, 3, 256) float16: of colour, of estimated depth, of measured depth
    """
    device = bank.person.device
    parts = []
    for rows in torch.arange(len(bank), device=device).split(batch):
        said = []
        for measured in (False, True):
            inputs = batch_of(bank, rows, torch.full((len(rows),), measured, device=device))
            with autocast(device):
                said.append(teacher(*inputs))
        (color, estimated), (_, measured_depth) = said
        parts.append(torch.stack([color, estimated, measured_depth], dim=1).half())
    return torch.cat(parts)


def learning_rate(settings: Settings, state: TrainingState) -> float:
    """Warm up; then the paper's steps, or half a cosine."""
    progress = min(1.0, max(state.minutes / settings.max_minutes,
                            state.step / settings.max_steps))
    warm = min(1.0, (state.step + 1) / settings.warmup_steps)
    if settings.schedule == 'cosine':
        return settings.learning_rate * warm * 0.5 * (1.0 + math.cos(math.pi * progress))
    return settings.learning_rate * warm * 0.1 ** sum(progress >= step for step in STEPS)


def train_one_epoch(fabric: Fabric, settings: Settings, bank: IdentityBank, run: Run[Lesson],
                    wanted: torch.Tensor | None) -> float:
    """Run up to `steps_per_epoch` steps; return the mean loss."""
    run.model.train()
    state, clock = run.state, _clock(fabric)
    generator = torch.Generator(fabric.device)
    total = torch.zeros((), device=fabric.device)
    steps = 0
    while steps < settings.steps_per_epoch and not is_over(settings, state):
        started = clock()
        drawn = settings.seed + 1_000_003 * state.step + fabric.global_rank
        generator.manual_seed(drawn)
        torch.manual_seed(drawn + 500_000)  # of dropout, so that a resumed run goes on alike
        rows = torch.randint(len(bank), (settings.batch,), generator=generator,
                             device=fabric.device)
        measured = torch.rand(len(rows), generator=generator,
                              device=fabric.device) < settings.measured
        shift = [int(v) for v in np.random.default_rng((settings.seed, state.step)).integers(
            -_SHIFT_PX, _SHIFT_PX + 1, 2)]
        inputs = vary(batch_of(bank, rows, measured), generator, shift)
        for group in run.optimizer.param_groups:
            group['lr'] = learning_rate(settings, state)
        said = run.model(*inputs, bank.person[rows], 1.0 - margin_share(settings, state))
        loss = loss_of(said, bank, bank.person[rows], settings)
        if wanted is not None:
            depth = torch.where(measured, 2, 1)
            loss = loss + settings.teacher_weight * distance_to_teacher(
                said['taught'], [wanted[rows, 0], wanted[rows, depth]])
        fabric.backward(loss)
        fabric.clip_gradients(run.model, run.optimizer, max_norm=5.0)
        run.optimizer.step()
        run.optimizer.zero_grad()
        total += loss.detach()
        steps += 1
        state.step += 1
        if state.step % _AVERAGED_STEPS == 0:
            update_average(run, settings.ema_decay ** _AVERAGED_STEPS)
        state.samples += len(rows) * fabric.world_size
        if state.step % 20 == 0 and fabric.device.type == 'cuda':
            torch.cuda.synchronize()
        state.minutes += (clock() - started) / 60.0
    return float(total) / max(steps, 1)


def margin_share(settings: Settings, state: TrainingState) -> float:
    """Return which share of the margin holds by now."""
    progress = max(state.minutes / settings.max_minutes, state.step / settings.max_steps)
    grown = (progress - settings.margin_from) / (settings.margin_full - settings.margin_from)
    return min(max(grown, 0.0), 1.0)


def loss_of(said: dict[str, list[torch.Tensor]], bank: IdentityBank, person: torch.Tensor,
            settings: Settings) -> torch.Tensor:
    """Return the sum of both branches' totals, and of the errors in shape."""
    logits, features = said['logits'], [f.float() for f in said['features']]
    if settings.network == 'mask_guided':
        weights = BranchWeights()
        loss = branch_losses(logits[0], logits[1], features[0], features[1], person, weights)
        loss = loss + branch_losses(logits[1], logits[0], features[1], features[0], person,
                                    weights)
    else:
        loss = torch.stack([functional.cross_entropy(part, person) for part in logits]).sum()
    truth = bank.identity[person]
    for told in said['shape']:
        loss = loss + settings.shape_weight * (told.float() - truth).square().mean()
    return loss


def distance_to_teacher(taught: list[torch.Tensor], wanted: list[torch.Tensor]) -> torch.Tensor:
    """Return one minus the cosine to the teacher's embeddings, the sum of both branches."""
    apart = [1.0 - functional.cosine_similarity(told.float(), want.float()).mean()
             for told, want in zip(taught, wanted, strict=True)]
    return apart[0] + apart[1]


@torch.no_grad()
def validate(recognizer: nn.Module, bank: IdentityBank, batch: int = 256) -> dict[str, float]:
    """
    Identify people never trained on: the first photo of each is the gallery.

    :returns: rank-1 in percent by colour, depth and both, with estimated depth
    """
    recognizer.eval()
    device = bank.person.device
    parts: list[tuple[torch.Tensor, ...]] = []
    for rows in torch.arange(len(bank), device=device).split(batch):
        inputs = batch_of(bank, rows, torch.zeros(len(rows), dtype=torch.bool, device=device))
        with autocast(device):
            parts.append(tuple(e.float() for e in recognizer(*inputs)))
    color, depth = (torch.cat(column) for column in zip(*parts, strict=True))
    first = torch.full((bank.people,), len(bank), device=device).scatter_reduce(
        0, bank.person, torch.arange(len(bank), device=device), 'amin')
    gallery = first[first < len(bank)]
    probe = torch.ones(len(bank), dtype=torch.bool, device=device)
    probe[gallery] = False
    cosines = {'color': color[probe] @ color[gallery].T, 'depth': depth[probe] @ depth[gallery].T}
    cosines['both'] = (cosines['color'] + cosines['depth']) / 2.0
    names = bank.person[gallery]
    return {name: round(100.0 * float((names[score.argmax(dim=1)] == bank.person[probe]
                                       ).float().mean()), 2) for name, score in cosines.items()}


def _clock(fabric: Fabric) -> Any:
    """Return what a budget is measured by: the processor's own time, or on a GPU the wall's."""
    return time.process_time if fabric.device.type == 'cpu' else time.monotonic


if __name__ == '__main__':
    main()
