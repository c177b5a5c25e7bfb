# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train one of the networks that the face estimator is compared with.

    python -m face_depth_ros.training.render_face_photo_bank --assets DIR --workers 2
    python -m face_depth_ros.training.train_depth_baseline --assets DIR --network depthnet

is the reduced schedule, the same for every network: a budget of processor time, batches of 4, half
of the papers' width where there is one to choose (`--width`). `--schedule full` has the papers'
batch of 16 and, as they tell no number of epochs, `--full-samples` photos (a GPU's work; pix2pix's
own width is 64). The papers' Adam in both: 0.0002, betas 0.5 and 0.999, never lowered. What is
validated and exported is the running average of the generator, of its batch statistics too.
With `--resume` a run goes on where it was stopped.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
import json
import logging
from pathlib import Path
import time
from typing import Any

import cv2
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_photo import FacePhoto, relief_to_grey
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_photo_bank import FacePhotoBank
from face_depth_ros.synthesis.face_photos import FacePhotoSource, TEST, TRAINING
from face_depth_ros.synthesis.photo_backgrounds import load_panoramas
from face_depth_ros.training.autocast import autocast
from face_depth_ros.training.depth_baselines import (
    as_judged,
    Baseline,
    BASELINES,
    generator_loss,
    Images,
    Judges,
    judges_loss,
    true_images,
)
from face_depth_ros.training.run import (
    is_over,
    open_fabric,
    parse_settings,
    Run,
    RunSettings,
    TrainingState,
    update_average,
    write_checkpoint,
)
from lightning.fabric import Fabric
import numpy as np
import torch
from torch import nn

LOG = logging.getLogger('train_depth_baseline')
BETAS = (0.5, 0.999)
FULL_BATCH = 16
PHOTO_PX = 256
"""Photos are composed at this size, so that every network sees the same ones."""
_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as OpenCV turns colour into grey."""


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run.

    :param run: parent folder of the networks' checkpoints
    :param faces: folder of the rendered banks
    :param network: which one, see BASELINES
    :param schedule: reduced (`max_minutes` of processor time) or full (`full_samples` photos)
    :param batch_size: of the reduced schedule; the full one has the papers' 16
    :param width: channels of the finest level of DepthNet and pix2pix
    """

    run: str = 'runs'
    faces: str = 'runs/face_photos'
    network: str = 'depthnet'
    schedule: str = 'reduced'
    max_minutes: float = 8.0
    full_samples: int = 1_000_000
    batch_size: int = 4
    validation_size: int = 96
    width: int = 32
    learning_rate: float = 2e-4
    ema_decay: float = 0.98
    steps_per_epoch: int = 150

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems() + self.below(
            ('full_samples', 'batch_size', 'validation_size', 'width'), zero_allowed=False)
        found += self.unlike('network', tuple(BASELINES))
        found += self.unlike('schedule', ('reduced', 'full'))
        return found

    @property
    def folder(self) -> Path:
        """Return the network's own folder."""
        return Path(self.run) / self.network

    @property
    def baseline(self) -> Baseline:
        """Return the network and its losses."""
        return BASELINES[self.network]

    @property
    def photos_per_step(self) -> int:
        """Return the size of a batch."""
        return FULL_BATCH if self.schedule == 'full' else self.batch_size


@dataclass
class AdversarialRun(Run[nn.Module]):
    """
    A run with discriminators.

    :param judges: with their optimiser, both None where the network has none
    """

    judges: Any = None
    judges_optimizer: Any = None


def main() -> None:
    """Train, validate after each epoch, keep the newest checkpoint."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    cv2.setNumThreads(1)
    train, held_out = open_sources(settings)
    photos = validation_photos(settings, held_out)
    run = build(settings, fabric)
    if resume:
        load(settings.folder / 'last.pt', run)
    while not is_done(settings, run.state):
        loss = train_one_epoch(fabric, settings, train, run)
        metrics = validate(run.average, settings.baseline, photos, fabric.device)
        LOG.info('%s step %d, %.1f min, loss %.4f, %s', settings.network, run.state.step,
                 run.state.minutes, loss, json.dumps(metrics))
        if fabric.is_global_zero:
            save(settings.folder / 'last.pt', settings, run, metrics)


def open_sources(settings: Settings) -> tuple[FacePhotoSource, FacePhotoSource]:
    """
    Open the banks.

    :returns: photos to train on and photos to validate on
    """
    panoramas = load_panoramas(find_assets(settings.assets or None))
    folder = Path(settings.faces)
    train = FacePhotoSource(FacePhotoBank(folder / 'train'), panoramas, TRAINING, PHOTO_PX,
                            seed=settings.seed)
    held_out = FacePhotoSource(FacePhotoBank(folder / 'validation'), panoramas, TEST, PHOTO_PX,
                               seed=settings.seed + 1)
    return train, held_out


def validation_photos(settings: Settings, source: FacePhotoSource) -> list[FacePhoto]:
    """Compose the photos that every validation shows, the same for every network."""
    count = min(settings.validation_size, len(source.bank))
    return [source.photo(i, np.random.default_rng((0x7A11, i))) for i in range(count)]


def build(settings: Settings, fabric: Fabric) -> AdversarialRun:
    """Return a fresh run."""
    torch.manual_seed(settings.seed)
    baseline = settings.baseline
    model: Any = baseline.build(settings.width)
    model = model.to(memory_format=torch.channels_last)
    average = baseline.build(settings.width).to(fabric.device)
    average.load_state_dict(model.state_dict())
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate, BETAS, fused=True)
    model, optimizer = fabric.setup(model, optimizer)
    run = AdversarialRun(model, average, optimizer)
    networks = baseline.judges(settings.width)
    if networks:
        judges: Any = Judges(networks, baseline.conditioned)
        judges = judges.to(memory_format=torch.channels_last)
        run.judges, run.judges_optimizer = fabric.setup(judges, torch.optim.Adam(
            judges.parameters(), settings.learning_rate, BETAS, fused=True))
    return run


def train_one_epoch(fabric: Fabric, settings: Settings, source: FacePhotoSource,
                    run: AdversarialRun) -> float:
    """Run up to `steps_per_epoch` steps; return the generator's mean loss."""
    run.model.train()
    state, baseline = run.state, settings.baseline
    total, steps = 0.0, 0
    while steps < settings.steps_per_epoch and not is_done(settings, state):
        started = time.process_time()
        image, truth = draw_batch(settings, source, state, fabric)
        images = {name: value.float() for name, value in run.model(image).items()}
        scores: Images = {}
        if run.judges is not None:
            train_judges(fabric, baseline, run, image, images, truth)
            scores = judge_without_learning(fabric, run, image, images)
        loss = generator_loss(baseline, images, truth, scores)
        fabric.backward(loss)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        total, steps = total + loss.item(), steps + 1
        state.step += 1
        state.samples += len(image) * fabric.world_size
        state.minutes += (time.process_time() - started) / 60.0
    return total / max(steps, 1)


def train_judges(fabric: Fabric, baseline: Baseline, run: AdversarialRun, image: torch.Tensor,
                 images: Images, truth: Images) -> None:
    """Let the discriminators learn one step."""
    made = as_judged({name: value.detach() for name, value in images.items()})
    loss = judges_loss(baseline, run.judges(image, truth), run.judges(image, made))
    fabric.backward(loss)
    run.judges_optimizer.step()
    run.judges_optimizer.zero_grad()


def judge_without_learning(fabric: Fabric, run: AdversarialRun, image: torch.Tensor,
                           images: Images) -> Images:
    """Return scores whose gradients reach the generator and leave the discriminators alone."""
    judges = run.judges.module
    judges.requires_grad_(False)
    with fabric.autocast():
        scores = judges(image, as_judged(images))
    judges.requires_grad_(True)
    return {name: score.float() for name, score in scores.items()}


def is_done(settings: Settings, state: TrainingState) -> bool:
    """Whether the schedule is done."""
    if settings.schedule == 'full':
        return state.samples >= settings.full_samples
    return is_over(settings, state)


def draw_batch(settings: Settings, source: FacePhotoSource, state: TrainingState, fabric: Fabric,
               ) -> tuple[torch.Tensor, Images]:
    """
    Compose the photos of a step and seed its dropout, so that a resumed run repeats it.

    :returns: the generator's input and what it should give
    """
    chance = np.random.default_rng((settings.seed, state.step, fabric.global_rank))
    torch.manual_seed(int(chance.integers(2 ** 62)))
    photos = [source.photo(int(i), chance)
              for i in chance.integers(0, len(source.bank), settings.photos_per_step)]
    return to_tensors(photos, settings.baseline, fabric.device)


def to_tensors(photos: list[FacePhoto], baseline: Baseline, device: torch.device,
               ) -> tuple[torch.Tensor, Images]:
    """
    Return photos as a baseline sees them.

    :returns: (B, C, S, S) in [-1, 1], and the true images
    """
    side = (baseline.size, baseline.size)
    color = np.stack([cv2.resize(p.color, side, interpolation=cv2.INTER_AREA) for p in photos])
    grey, mask = (np.stack([cv2.resize(image, side, interpolation=cv2.INTER_NEAREST)
                            for image in images])
                  for images in ([relief_to_grey(p.relief) for p in photos],
                                 [p.mask for p in photos]))
    image = torch.from_numpy(color).to(device).permute(0, 3, 1, 2).float()  # (B, 3, S, S)
    if baseline.channels == 1:
        image = to_grey(image)
    image = (image / 127.5 - 1.0).contiguous(memory_format=torch.channels_last)
    return image, true_images(image, torch.from_numpy(grey).to(device)[:, None],
                              torch.from_numpy(mask).to(device))


def to_grey(color: torch.Tensor) -> torch.Tensor:
    """Return luma, (B, 1, S, S), of RGB, (B, 3, S, S)."""
    weights = torch.tensor(_LUMA, device=color.device)
    return torch.einsum('bchw,c->bhw', color, weights)[:, None]


@torch.no_grad()
def validate(model: nn.Module, baseline: Baseline, photos: list[FacePhoto],
             device: torch.device) -> dict[str, float]:
    """
    Score on people never trained on.

    :returns: l1: mean absolute error of the grey depth image, in grey levels, over the whole
        image; l1_face: over the true face; with a mask also the share of pixels in their class
    """
    model.eval()
    sums = {'l1': 0.0, 'l1_face': 0.0, 'mask_accuracy': 0.0}
    for start in range(0, len(photos), 8):
        image, truth = to_tensors(photos[start:start + 8], baseline, device)
        with autocast(device):
            images = model(image)
        error = (images['depth'].float().clamp(-1.0, 1.0) - truth['depth']).abs() * 127.5
        face = (truth['depth'] > -1.0).float()
        sums['l1'] += float(error.mean(dim=(1, 2, 3)).sum())
        sums['l1_face'] += float(((error * face).sum(dim=(1, 2, 3))
                                  / face.sum(dim=(1, 2, 3)).clamp_min(1.0)).sum())
        if 'mask' in images:
            same = images['mask'].argmax(dim=1) == truth['mask'].argmax(dim=1)
            sums['mask_accuracy'] += float(same.float().mean(dim=(1, 2)).sum())
    if not sums['mask_accuracy']:
        del sums['mask_accuracy']
    return {name: round(value / len(photos), 4) for name, value in sums.items()}


def save(path: Path, settings: Settings, run: AdversarialRun, metrics: dict[str, float]) -> None:
    """Write the newest checkpoint, complete or not at all."""
    content = {
        'model': run.model.state_dict(), 'average': run.average.state_dict(),
        'optimizer': run.optimizer.state_dict(), 'state': asdict(run.state),
        'settings': asdict(settings), 'commit': run.state.commit, 'metrics': metrics}
    if run.judges is not None:
        content |= {'judges': run.judges.state_dict(),
                    'judges_optimizer': run.judges_optimizer.state_dict()}
    write_checkpoint(path, content)


def load(path: Path, run: AdversarialRun) -> None:
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
    if run.judges is not None:
        run.judges.load_state_dict(content['judges'])
        run.judges_optimizer.load_state_dict(content['judges_optimizer'])


if __name__ == '__main__':
    main()
