# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train the face estimator.

The shipped model was made by

    python -m face_depth_ros.training.render_face_photo_bank --assets DIR --workers 2
    python -m face_depth_ros.training.train_face_estimator --assets DIR --max-minutes 91

on a CPU, resumed and changed on the way (models/TRAINING.md), and exported by
training/export_face_estimator.py; on a GPU add `--batch-size 96` and render `--faces 60000`. With
`--resume` it goes on where it was stopped; a bank that grows meanwhile is taken in after each
epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
import json
import logging
from pathlib import Path
import time

import cv2
from face_depth_ros.core.face_photo import BOX_SIDE_M, MASK_LABELS
from face_depth_ros.networks.face_estimator import (
    build_face_estimator,
    FaceEstimates,
    FaceEstimator,
    SIZE,
)
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_photo_bank import FacePhotoBank
from face_depth_ros.synthesis.face_photos import FacePhotoSource, TEST
from face_depth_ros.synthesis.photo_backgrounds import load_panoramas
from face_depth_ros.training.autocast import autocast
from face_depth_ros.training.estimation_data import EstimationBatch, make_batch
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

LOG = logging.getLogger('train_face_estimator')
_CLASS_WEIGHTS = (1.0, 1.0, 1.3, 1.3, 1.2, 1.1, 1.2)
"""Small classes count a little more; what they overlap is in the loss besides."""
_HIDDEN_WEIGHT = 0.35
"""Of landmarks that something hides, against 1."""


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run.

    :param run: folder of checkpoints
    :param faces: folder of the rendered banks
    :param initial: checkpoint whose averaged weights to start from, '' = random ones
    """

    run: str = 'runs/face_estimator'
    faces: str = 'runs/face_photos'
    initial: str = ''
    batch_size: int = 16
    validation_size: int = 192
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    relief_weight: float = 12.0
    slope_weight: float = 6.0
    sigma_weight: float = 0.02
    overlap_weight: float = 1.0
    landmark_weight: float = 12.0
    visibility_weight: float = 0.05
    confidence_weight: float = 0.1

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        return super().problems() + self.below(('batch_size', 'validation_size'),
                                               zero_allowed=False)


def main() -> None:
    """Train, validate after each epoch, keep the newest checkpoint."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    cv2.setNumThreads(1)
    panoramas = load_panoramas(find_assets(settings.assets or None))
    source = FacePhotoSource(FacePhotoBank(Path(settings.faces) / 'train'), panoramas, size=SIZE)
    held_out = FacePhotoSource(FacePhotoBank(Path(settings.faces) / 'validation'), panoramas,
                               TEST, SIZE, backgrounds=60, seed=1)
    batches = validation_batches(held_out, settings.validation_size)
    run = build(settings, fabric)
    if resume:
        load_checkpoint(Path(settings.run) / 'last.pt', run)
    while not is_over(settings, run.state):
        source.bank.refresh()
        losses = train_one_epoch(fabric, settings, source, run)
        metrics = validate(run.average, batches, fabric.device)
        LOG.info('step %d, %.1f min, %d faces, %s, %s', run.state.step, run.state.minutes,
                 len(source.bank), json.dumps(losses), json.dumps(metrics))
        if fabric.is_global_zero:
            save_checkpoint(Path(settings.run) / 'last.pt', settings, run, metrics)


def build(settings: Settings, fabric: Fabric) -> Run[FaceEstimator]:
    """Return a fresh run."""
    return fresh_run(build_face_estimator, lambda network: torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay,
        betas=(0.9, 0.99)),
        settings, fabric, Path(settings.initial) if settings.initial else None)


def train_one_epoch(fabric: Fabric, settings: Settings, source: FacePhotoSource,
                    run: Run[FaceEstimator]) -> dict[str, float]:
    """Run up to `steps_per_epoch` steps; return the mean of each loss."""
    run.model.train()
    state, totals, steps = run.state, dict[str, float](), 0
    while steps < settings.steps_per_epoch and not is_over(settings, state):
        started = time.monotonic()
        generator = np.random.default_rng((settings.seed, state.step, fabric.global_rank))
        indices = generator.integers(0, len(source.bank), settings.batch_size)
        batch = EstimationBatch(*(t.to(fabric.device) for t in make_batch(source, indices,
                                                                          generator)))
        for group in run.optimizer.param_groups:
            group['lr'] = learning_rate(settings, state)
        color = batch.color.contiguous(memory_format=torch.channels_last)
        losses = losses_of(run.model(color), batch)
        loss = torch.stack([getattr(settings, f'{name}_weight', 1.0) * value
                            for name, value in losses.items()]).sum()
        fabric.backward(loss)
        fabric.clip_gradients(run.model, run.optimizer, max_norm=2.0)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        for name, value in losses.items():
            totals[name] = totals.get(name, 0.0) + value.item()
        steps += 1
        state.step += 1
        state.samples += settings.batch_size * fabric.world_size
        state.minutes += (time.monotonic() - started) / 60.0
    return {name: round(value / max(steps, 1), 5) for name, value in totals.items()}


def losses_of(output: FaceEstimates, batch: EstimationBatch) -> dict[str, torch.Tensor]:
    """
    Return the parts of the loss.

    :returns: 'relief' and 'slope', mean absolute errors on the face, in sides of the box; 'sigma',
        likelihood of the expected error; 'mask', cross entropy; 'overlap', 1 - Dice; 'landmark',
        mean distance in sides of the crop; 'visibility' and 'confidence', cross entropies
    """
    face = (batch.mask[:, None] > 0).float()  # (B, 1, S, S)
    area = face.sum().clamp_min(1.0)
    error = (output.relief.float() - batch.relief) * face
    slope = error.new_zeros(())
    for step in (1, 4):
        for axis in (2, 3):
            count = error.shape[axis] - step
            both = face.narrow(axis, 0, count) * face.narrow(axis, step, count)
            change = error.narrow(axis, step, count) - error.narrow(axis, 0, count)
            slope = slope + (change.abs() * both).sum() / both.sum().clamp_min(1.0) / step
    log_sigma = output.log_sigma.float().clamp(-8.0, 1.0)
    sigma = ((error.detach().abs() * (-log_sigma).exp() + log_sigma) * face).sum() / area
    logits = output.mask.float()
    weight = logits.new_tensor(_CLASS_WEIGHTS)
    distance = (output.landmarks.float() - batch.landmarks).norm(dim=2)  # (B, 68)
    counted = batch.face[:, None] * (_HIDDEN_WEIGHT + (1 - _HIDDEN_WEIGHT) * batch.visible)
    hidden = functional.binary_cross_entropy_with_logits(output.visibility.float(), batch.visible,
                                                         reduction='none')
    return {
        'relief': error.abs().sum() / area, 'slope': slope, 'sigma': sigma,
        'mask': functional.cross_entropy(logits, batch.mask, weight),
        'overlap': 1.0 - dice(logits, batch.mask),
        'landmark': (distance * counted).sum() / counted.sum().clamp_min(1.0),
        'visibility': (hidden * batch.face[:, None]).mean(),
        'confidence': functional.binary_cross_entropy_with_logits(
            output.confidence[:, 0].float(), batch.face)}


def dice(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean soft Dice overlap of the classes over the batch."""
    share = torch.softmax(logits, dim=1)  # (B, 7, S, S)
    true = functional.one_hot(mask, len(MASK_LABELS)).permute(0, 3, 1, 2).to(share.dtype)
    both = (share * true).sum(dim=(0, 2, 3))
    return ((2.0 * both + 1.0) / (share.sum(dim=(0, 2, 3)) + true.sum(dim=(0, 2, 3)) + 1.0)).mean()


def validation_batches(source: FacePhotoSource, count: int) -> list[EstimationBatch]:
    """Compose the fixed photos of validation: other people, skins and backgrounds."""
    generator = np.random.default_rng(20)
    order = np.arange(min(count, len(source.bank)))
    return [make_batch(source, order[i:i + 16], generator) for i in range(0, len(order), 16)]


@torch.no_grad()
def validate(model: FaceEstimator, batches: list[EstimationBatch],
             device: torch.device) -> dict[str, float]:
    """
    Score on people never trained on.

    :returns: RMSE of the relief in mm and after its best offset, mean IoU of the mask, landmark
        error in percent of the box, share of right confidences
    """
    model.eval()
    rmse, offset_free, nme, right = [], [], [], []
    confusion = torch.zeros(len(MASK_LABELS), len(MASK_LABELS))
    for batch in batches:
        batch = EstimationBatch(*(t.to(device) for t in batch))
        with autocast(device):
            output = model(batch.color)
        faces = batch.face > 0
        inside = (batch.mask[:, None] > 0).float()
        count = inside.sum(dim=(1, 2, 3)).clamp_min(1.0)
        error = (output.relief.float() - batch.relief) * inside * BOX_SIDE_M * 1e3
        mean = error.sum(dim=(1, 2, 3)) / count
        squared = (error ** 2).sum(dim=(1, 2, 3)) / count
        rmse.append(squared.sqrt()[faces])
        offset_free.append((squared - mean ** 2).clamp_min(0).sqrt()[faces])
        distance = (output.landmarks.float() - batch.landmarks).norm(dim=2) * 100.0
        nme.append(distance.mean(dim=1)[faces])
        right.append(((output.confidence[:, 0] > 0) == faces).float())
        answers = output.mask.float().argmax(dim=1)
        index = (batch.mask * len(MASK_LABELS) + answers).flatten()
        confusion += torch.bincount(index, minlength=confusion.numel()).view_as(confusion).cpu()
    overlap = confusion.diag() / (confusion.sum(0) + confusion.sum(1) - confusion.diag())
    means = {'rmse_mm': rmse, 'offset_free_mm': offset_free, 'nme': nme, 'right': right}
    return {**{k: round(float(torch.cat(v).mean()), 3) for k, v in means.items()},
            'miou': round(float(overlap.nanmean()), 4),  # of the classes that are there
            'iou': [round(float(v), 3) for v in overlap]}  # type: ignore[dict-item]


if __name__ == '__main__':
    main()
