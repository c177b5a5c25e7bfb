# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train one branch of the compact recogniser on rendered people who are known in numbers.

    python -m face_depth_ros.training.render_identity_bank --people 60000 --images 3 --size 128
    python -m face_depth_ros.training.train_recognizer_branch --branch depth --run runs/depth
    python -m face_depth_ros.training.train_recognizer_branch --branch color --run runs/color

For a machine without a GPU. Three things make a photo go further than in `train_face_recognizer`:
the class of a person is a linear function of shape and looks (training.person_prototypes), so
that each photo may be of another person; relief is rendered without colour while the branch of
depth trains, ten times as fast; and training goes on from the shipped file. The mask branch and
the attention that both branches share stay as they are, so the branches can be trained apart, one
a core; `export_face_recognizer --depth-branch` joins them.

The bank may still be rendered meanwhile: new parts are read after each epoch. The branch of depth
takes `--bank-share` of its photos from it, with mask and relief told from colour as well as
measured relief, the rest from its own renders, each seen about `batch / fresh` times, under other
noise each time.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
import json
import logging
from pathlib import Path
import time
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.core.recognition_input import SIZE
from face_depth_ros.networks.face_recognizer import (
    build_face_recognizer,
    FaceRecognizerConfig,
)
from face_depth_ros.networks.mask_guided_recognizer import face_only
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_photos import IdentityPhotographer
from face_depth_ros.synthesis.identity_splits import IDENTITY_MODES
from face_depth_ros.training.autocast import autocast
from face_depth_ros.training.branch_photos import (
    GrowingBank,
    halves,
    numbers_of,
    Photos,
    ReliefShelf,
)
from face_depth_ros.training.face_readings import open_student
from face_depth_ros.training.folding import unfold
from face_depth_ros.training.identity_bank import batch_of, IdentityBank, rows_of_bank
from face_depth_ros.training.identity_validation import VALIDATION, validation_bank
from face_depth_ros.training.person_prototypes import PersonPrototypes
from face_depth_ros.training.photo_pairs import EmbeddingQueue, pair_loss
from face_depth_ros.training.photo_variations import erased, shifted, varied_color
from face_depth_ros.training.run import (
    decay_groups,
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
from face_depth_ros.training.train_face_recognizer import save_small
from lightning.fabric import Fabric
import numpy as np
import torch
from torch import nn
from torch.nn import functional

LOG = logging.getLogger('train_recognizer_branch')
BRANCHES = ('depth', 'color')
CLASSES = ('numbers', 'pairs')
_FIRST_PERSON = 100_000
"""People of the train split before this one are those of banks."""
_MEASURED_BY = 64
_SOLVED_BY, _RIDGE = 4000, 3.0
"""Photos from which the first prototypes are solved, and how much they are held back."""


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run.

    :param branch: depth or color
    :param network: kind of network for export; there is one
    :param initial: name of the shipped model to go on from
    :param bank: folder of render_identity_bank
    :param bank_share: share of photos from the bank, for the branch of depth
    :param batch: photos of a step
    :param fresh: reliefs rendered a step, for the branch of depth
    :param kept: reliefs kept to be seen again
    :param people: from whom the branch of depth renders
    :param strangers: people who are in none of a step's photos
    :param validation_people: of those kept in runs/identity_validation
    :param measured: share of the bank's photos with a sensor's relief, for the branch of depth
    :param classes: numbers, of training.person_prototypes; or pairs, of training.photo_pairs
    :param scale, margin: of pairs
    :param shape_weight: of the squared error in the shape of the head
    """

    run: str = 'runs/recognizer_branch'
    branch: str = 'depth'
    network: str = 'student'
    initial: str = 'face_recognizer'
    bank: str = 'runs/identity_bank'
    bank_share: float = 0.25
    batch: int = 64
    fresh: int = 16
    kept: int = 30_000
    people: int = 20_000
    strangers: int = 4096
    validation_people: int = 100
    measured: float = 0.4
    classes: str = 'numbers'
    scale: float = 24.0
    margin: float = 0.1
    shape_weight: float = 1.0
    learning_rate: float = 1.5e-4
    weight_decay: float = 0.02
    warmup_steps: int = 30
    ema_decay: float = 0.99
    steps_per_epoch: int = 150
    threads: int = 1

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems() + self.below(
            ('batch', 'fresh', 'kept', 'people', 'strangers', 'validation_people'),
            zero_allowed=False)
        found += self.below(('bank_share', 'measured', 'shape_weight', 'margin'),
                            zero_allowed=True)
        found += self.below(('scale',), zero_allowed=False) + self.unlike('classes', CLASSES)
        if self.batch % 2 or self.fresh % 2 or self.kept % 2:
            found.append(f'batch is {self.batch}, fresh {self.fresh} and kept {self.kept}, '
                         'expected even numbers: photos come in pairs')
        found += self.unlike('branch', BRANCHES) + self.unlike('network', ('student',))
        if self.fresh > self.batch:
            found.append(f'fresh is {self.fresh}, expected at most the batch, {self.batch}')
        if max(self.bank_share, self.measured) > 1.0:
            found.append(f'bank_share is {self.bank_share} and measured {self.measured}, '
                         'expected 0 to 1')
        return found


class Lesson(nn.Module):
    """
    The network with what one of its branches learns by, dropped at export.

    :param numbers: how many say who a person is
    """

    def __init__(self, settings: Settings, numbers: int, config: FaceRecognizerConfig) -> None:
        super().__init__()
        self.recognizer: Any = build_face_recognizer(config)
        self.config = config
        self.branch = settings.branch
        width = self.config.dimensions
        self.prototypes = PersonPrototypes(numbers, width)
        self.shape = nn.Linear(width, IDENTITY_MODES)
        for name, parameter in self.recognizer.named_parameters():
            parameter.requires_grad_(name.startswith(f'{self.branch}.'))

    def train(self, mode: bool = True) -> Lesson:
        """Train the branch; what both branches share stays as it is."""
        super().train(mode)
        self.recognizer.eval()
        getattr(self.recognizer, self.branch).train(mode)
        return self

    def forward(self, image: torch.Tensor, mask: torch.Tensor, own: torch.Tensor,
                strangers: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Look at photos.

        :param own: (B, N) who is on them; strangers: (K, N), None for pairs
        :returns: logits (B, B + K), or features (B, D) for pairs; shapes (B, 100)
        """
        features = self.features(image, mask)
        shape = self.shape(features)
        if strangers is None:
            return features, shape
        return self.prototypes(features, own, strangers), shape

    def features(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Describe photos, (B, D) of any length."""
        with torch.no_grad():
            maps = self.recognizer.attention_maps(mask)
            color = image if self.branch == 'color' else image.new_zeros(len(image), 3, 1, 1)
            depth = image if self.branch == 'depth' else image.new_zeros(len(image), 1, 1, 1)
            seen = face_only(color, depth, mask)[BRANCHES[::-1].index(self.branch)]
        described: torch.Tensor = getattr(self.recognizer, self.branch)(
            seen.contiguous(memory_format=torch.channels_last), maps)
        return described


def main() -> None:
    """Train, validate after each epoch, keep the newest checkpoint."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    if fabric.device.type != 'cpu':
        raise SettingsError(f'this script trains on a CPU, got {fabric.device}; on a GPU '
                            'train_face_recognizer does more in the same time')
    faces = validation_bank(VALIDATION, settings.assets)
    validation = rows_of_bank(faces, (faces.person < settings.validation_people).nonzero()[:, 0])
    bank = GrowingBank(Path(settings.bank), settings.branch)
    bank.grow()
    shelf = None
    if settings.branch == 'depth':
        photographer = IdentityPhotographer(find_assets(settings.assets or None), 'cpu',
                                            settings.seed, 1, size=SIZE)
        shelf = ReliefShelf(photographer, photographer.people(
            'train', range(_FIRST_PERSON, _FIRST_PERSON + settings.people)), settings.kept)
    if shelf is None or settings.bank_share > 0.0:
        while not len(bank):
            LOG.info('waiting for a part of %s', bank.folder)
            time.sleep(10.0)
            bank.grow()
    known = bank.strangers(1, np.random.default_rng(0)) if shelf is None else shelf.numbers
    run = begin(settings, fabric, validation, known.shape[1])
    began = dict(find_model(settings.initial).trained)
    if resume:
        load_checkpoint(Path(settings.run) / 'last.pt', run)
    else:
        solve_heads(settings, run, bank, shelf)
    LOG.info('before: %s', json.dumps(validate(run.average.recognizer, validation,
                                               settings.branch)))
    while not is_over(settings, run.state):
        loss = train_one_epoch(fabric, settings, run, bank, shelf)
        bank.grow()
        metrics = validate(run.average.recognizer, validation, settings.branch)
        LOG.info('step %d, %.1f min, %d photos, loss %s, %s', run.state.step, run.state.minutes,
                 len(bank) + (shelf.count if shelf else 0), loss, json.dumps(metrics))
        save_checkpoint(Path(settings.run) / 'last.pt', settings, run, metrics)
        save_small(Path(settings.run) / 'small.pt', settings, run, metrics, began)


def begin(settings: Settings, fabric: Fabric, faces: IdentityBank, numbers: int) -> Run[Lesson]:
    """Return a run that goes on from the shipped file."""
    shipped = open_student(find_model(settings.initial))
    rows = torch.randperm(len(faces), generator=torch.Generator().manual_seed(settings.seed))[
        :4 * _MEASURED_BY]
    inputs = batch_of(faces, rows, torch.arange(len(rows)) % 2 == 0)

    def lesson() -> Lesson:
        new = Lesson(settings, numbers, shipped.config)
        unfold(new.recognizer, shipped, lambda network: network(*inputs))
        return new

    def optimizer_of(network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(decay_groups(network, settings.weight_decay),
                                 lr=settings.learning_rate)

    return fresh_run(lesson, optimizer_of, settings, fabric)


@torch.no_grad()
def solve_heads(settings: Settings, run: Run[Lesson], bank: GrowingBank,
                shelf: ReliefShelf | None) -> None:
    """
    Begin prototypes and shapes at the ridge regression from what the branch tells already.

    From random ones the first steps would undo what is learned.
    """
    lesson = run.average.eval()
    told, wanted = [], []
    generator = np.random.default_rng((settings.seed, 1))
    noise = torch.Generator().manual_seed(settings.seed)
    for _ in range(-(-_SOLVED_BY // settings.batch)):
        photos = draw(settings, bank, shelf, generator, noise)
        with autocast('cpu'):
            told.append(lesson.features(photos.image, photos.mask).float())
        wanted.append(photos.numbers)
    features, numbers = torch.cat(told), torch.cat(wanted)
    for layer, source, target in (
            (lesson.prototypes.linear, numbers, functional.normalize(features)),
            (lesson.shape, features, numbers[:, :IDENTITY_MODES])):
        known = torch.cat([source, torch.ones(len(source), 1)], dim=1).double()
        ridge = known.T @ known + _RIDGE * torch.eye(known.shape[1], dtype=torch.float64)
        solved = torch.linalg.solve(ridge, known.T @ target.double()).T.float()
        layer.weight.copy_(solved[:, :-1])
        layer.bias.copy_(solved[:, -1])
    run.model.load_state_dict(lesson.state_dict())


def train_one_epoch(fabric: Fabric, settings: Settings, run: Run[Lesson], bank: GrowingBank,
                    shelf: ReliefShelf | None) -> str:
    """Run up to `steps_per_epoch` steps; return the mean losses."""
    run.model.train()
    total = np.zeros(3)
    steps = 0
    pairs = settings.classes == 'pairs'
    queue = EmbeddingQueue(settings.strangers)
    while steps < settings.steps_per_epoch and not is_over(settings, run.state):
        started = time.process_time()
        generator = np.random.default_rng((settings.seed, run.state.step))
        drawn = torch.Generator().manual_seed(settings.seed + run.state.step)
        photos = draw(settings, bank, shelf, generator, drawn)
        strangers = None if pairs else strangers_of(settings, bank, shelf, generator)
        for group in run.optimizer.param_groups:
            group['lr'] = learning_rate(settings, run.state)
        said, shape = run.model(photos.image, photos.mask, photos.numbers, strangers)
        if pairs:
            told, found = pair_loss(said, photos.numbers, queue, settings.scale, settings.margin)
        else:
            person = torch.arange(len(said))
            told = functional.cross_entropy(said, person)
            found = said.argmax(dim=1) == person
        off = (shape.float() - photos.numbers[:, :IDENTITY_MODES]).square().mean()
        fabric.backward(told + settings.shape_weight * off)
        fabric.clip_gradients(run.model, run.optimizer, max_norm=5.0, error_if_nonfinite=False)
        run.optimizer.step()
        run.optimizer.zero_grad()
        total += [float(told), float(off), float(found.float().mean())]
        steps += 1
        run.state.step += 1
        run.state.samples += len(said)
        update_average(run, settings.ema_decay)
        run.state.minutes += (time.process_time() - started) / 60.0
    told, off, right = total / max(steps, 1)
    return f'{told:.3f} {off:.3f} {100.0 * right:.1f} %'


def draw(settings: Settings, bank: GrowingBank, shelf: ReliefShelf | None,
         generator: np.random.Generator, noise: torch.Generator) -> Photos:
    """Return the photos of a step, varied."""
    pairs = settings.classes == 'pairs'
    parts = []
    count = settings.batch
    if shelf is not None:
        shelf.render(settings.batch if len(shelf) < 10 * settings.batch else settings.fresh)
        count = 2 * int(settings.bank_share * settings.batch / 2) if len(bank) else 0
        rest = settings.batch - count
        parts.append(shelf.draw_pairs(rest // 2, generator) if pairs
                     else shelf.draw(rest, generator))
    if count:
        drawn = bank.draw_pairs(count // 2, generator) if pairs else bank.draw(count, generator)
        parts += [of_bank(settings, part, rows, generator) for part, rows in drawn]
    if pairs and shelf is not None and count:  # first ones of both before second ones of both
        parts = [halves(parts[0], 0), *parts[1:1 + count // 2], halves(parts[0], 1),
                 *parts[1 + count // 2:]]
    photos = Photos(*(torch.cat([getattr(part, f.name) for part in parts])
                      for f in fields(Photos)))
    image = varied_color(photos.image, noise) if shelf is None else photos.image
    mask = erased(photos.mask, noise)
    moved = shifted((image, mask), [int(v) for v in generator.integers(-3, 4, 2)])
    return Photos(moved[0], moved[1], photos.numbers)


def of_bank(settings: Settings, part: IdentityBank, rows: torch.Tensor,
            generator: np.random.Generator) -> Photos:
    """Return photos of a part of the bank; of depth some measured, the rest estimated."""
    if settings.branch == 'color':
        image = part.color[rows].float()
    else:
        measured = torch.as_tensor(generator.random(len(rows)) < settings.measured)
        image = torch.where(measured[:, None, None], part.measured[rows],
                            part.estimated[rows]).float()[:, None]
    return Photos(image, part.mask[rows].float()[:, None],
                  numbers_of(part.identity, part.look)[part.person[rows]])


def strangers_of(settings: Settings, bank: GrowingBank, shelf: ReliefShelf | None,
                 generator: np.random.Generator) -> torch.Tensor:
    """Return people to tell the photos' people from, (K, N)."""
    if shelf is None:
        return bank.strangers(settings.strangers, generator)
    return shelf.numbers[torch.as_tensor(
        generator.integers(0, len(shelf.people), settings.strangers))]


@torch.no_grad()
def validate(recognizer: Any, bank: IdentityBank, branch: str) -> dict[str, float]:
    """
    Identify people never trained on: the first photo of each is the gallery.

    :returns: rank-1 in percent, and the share of true pairs beyond all but a thousandth of the
        others; by depth both with measured and with estimated relief
    """
    recognizer.eval()
    first = torch.as_tensor(np.unique(bank.person.numpy(), return_index=True)[1])
    probe = torch.ones(len(bank), dtype=torch.bool)
    probe[first] = False
    same = bank.person[probe][:, None] == bank.person[first]
    found = {}
    for name in ('measured', 'estimated') if branch == 'depth' else ('color',):
        vectors = []
        for rows in torch.arange(len(bank)).split(64):
            inputs = batch_of(bank, rows, torch.full((len(rows),), name == 'measured'))
            with autocast('cpu'):
                maps = recognizer.attention_maps(inputs[2])
                seen = face_only(*inputs)[0 if branch == 'color' else 1]
                said = getattr(recognizer, branch)(seen.contiguous(
                    memory_format=torch.channels_last), maps)
            vectors.append(functional.normalize(said.float()))
        cosine = torch.cat(vectors)[probe] @ torch.cat(vectors)[first].T
        right = bank.person[first][cosine.argmax(dim=1)] == bank.person[probe]
        bound = torch.quantile(cosine[~same], 0.999)
        found[name] = round(100.0 * float(right.float().mean()), 2)
        found[f'{name}, TAR'] = round(100.0 * float((cosine[same] > bound).float().mean()), 2)
    return found


if __name__ == '__main__':
    main()
