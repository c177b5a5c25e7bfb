# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train the face detector on composed images of rendered heads.

The shipped model was made by

    python -m face_depth_ros.training.render_head_bank --assets DIR
    python -m face_depth_ros.training.train_face_detector --assets DIR --max-minutes 58 --threads 1

on a CPU; the same commands run on a GPU. It goes on where it was stopped when given `--resume`.
`python -m face_depth_ros.training.export_face_detector` writes the ONNX file and its spec.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import json
import logging
from pathlib import Path
import time

import cv2
from face_depth_ros.core.detection_decoding import decode_faces
from face_depth_ros.core.frames import Detection
from face_depth_ros.networks.face_detector import (
    build_face_detector,
    FaceDetectorConfig,
    FaceDetectorNet,
    FaceMaps,
    SIDE_UNIT_PX,
    STRIDE,
)
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.photo_backgrounds import BackgroundSource, load_panoramas
from face_depth_ros.training.detection_data import DetectionBatches, padded
from face_depth_ros.training.detection_heads import HeadBank
from face_depth_ros.training.detection_scene import Scene, SceneComposer
from face_depth_ros.training.detection_scoring import score_detections
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
    write_checkpoint,
)
from lightning.fabric import Fabric
import numpy as np
import torch
from torch.utils.data import DataLoader

LOG = logging.getLogger('train_face_detector')
VALIDATION_SHAPES = ((256, 320), (320, 256))
VALIDATION_PANORAMAS = 2
"""So many of the environment maps are kept from training."""
BACKGROUND_SIZE = 384
VALIDATION_THRESHOLD = 0.4
_LOWEST_SCORE = 0.05


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run.

    :param bank: folder with the rendered head banks `train` and `validation`
    :param pixels: pixels of the images of a batch together
    :param workers: processes that compose images, 0 = compose in the training process
    """

    run: str = 'runs/face_detector'
    bank: str = 'runs/face_detector/bank'
    max_minutes: float = 65.0
    pixels: int = 32 * 192 * 192
    backgrounds: int = 1500
    validation_size: int = 400
    learning_rate: float = 2e-3
    weight_decay: float = 2e-2
    box_weight: float = 1.0
    landmark_weight: float = 8.0
    workers: int = 1
    precision: str = 'auto'

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems()
        found += self.below(('pixels', 'backgrounds', 'validation_size'), zero_allowed=False)
        found += self.below(('box_weight', 'landmark_weight', 'workers'), zero_allowed=True)
        if self.precision not in ('auto', '32-true', 'bf16-mixed', '16-mixed'):
            found.append(f'precision is {self.precision!r}, expected auto, 32-true, bf16-mixed or '
                         '16-mixed')
        return found


def main(arguments: list[str] | None = None) -> None:
    """Train; validate and keep the newest checkpoint after each epoch."""
    settings, resume = parse_settings(Settings, __doc__, arguments)
    fabric = open_fabric(settings, None if settings.precision == 'auto' else settings.precision)
    cv2.setNumThreads(1)
    composers = make_composers(settings)
    scenes = validation_scenes(composers['validation'], settings)
    run = build(settings, fabric)
    checkpoint = Path(settings.run) / 'last.pt'
    if resume:
        load_checkpoint(checkpoint, run)
    batches = iter(make_loader(composers['train'], settings, fabric, run.state.step))
    if is_over(settings, run.state):
        score_again(checkpoint, validate(run.average, scenes, fabric.device))
    while not is_over(settings, run.state):
        losses = train_one_epoch(fabric, settings, batches, run)
        metrics = validate(run.average, scenes, fabric.device)
        LOG.info('step %d, %.1f min, %d images, losses %s, %s', run.state.step,
                 run.state.minutes, run.state.samples, json.dumps(losses), json.dumps(metrics))
        if fabric.is_global_zero:
            save_checkpoint(checkpoint, settings, run, metrics)


def make_composers(settings: Settings) -> dict[str, SceneComposer]:
    """Open the banks and draw the backgrounds; validation shares neither people nor places."""
    panoramas = load_panoramas(find_assets(settings.assets or None))
    parts = {'train': panoramas[:-VALIDATION_PANORAMAS],
             'validation': panoramas[-VALIDATION_PANORAMAS:]}
    composers = {}
    for number, (split, views) in enumerate(parts.items()):
        generator = np.random.default_rng((settings.seed, number, 1))
        source = BackgroundSource(views)
        count = settings.backgrounds if split == 'train' else max(1, settings.backgrounds // 10)
        images = np.stack([source.draw(BACKGROUND_SIZE, generator) for _ in range(count)])
        composers[split] = SceneComposer(HeadBank.load(Path(settings.bank) / split), images)
    return composers


def validation_scenes(composer: SceneComposer, settings: Settings) -> list[Scene]:
    """Compose the scenes that every epoch is scored on; the same for every run of a seed."""
    generator = np.random.default_rng((settings.seed, 2))
    return [padded(composer, *VALIDATION_SHAPES[k % len(VALIDATION_SHAPES)], generator)
            for k in range(settings.validation_size)]


def make_loader(composer: SceneComposer, settings: Settings, fabric: Fabric,
                first_step: int) -> DataLoader:
    """Return the batches from a step on; each process of a run gets its own."""
    world, rank = fabric.world_size, fabric.global_rank
    batches = DetectionBatches(composer, settings.pixels, world * settings.max_steps,
                               settings.seed)
    return DataLoader(batches, batch_size=None, num_workers=settings.workers,
                      sampler=range(first_step * world + rank, len(batches), world))


def build(settings: Settings, fabric: Fabric,
          config: FaceDetectorConfig | None = None) -> Run[FaceDetectorNet]:
    """Return a fresh run."""
    config = config or FaceDetectorConfig()
    return fresh_run(lambda: build_face_detector(config), lambda network: torch.optim.AdamW(
        decay_groups(network, settings.weight_decay), lr=settings.learning_rate), settings, fabric)


def train_one_epoch(fabric: Fabric, settings: Settings,
                    batches: Iterator[dict[str, torch.Tensor]],
                    run: Run[FaceDetectorNet]) -> dict[str, float]:
    """Run up to `steps_per_epoch` steps; return the mean losses."""
    run.model.train()
    state = run.state
    totals: dict[str, float] = {}
    steps = 0
    while steps < settings.steps_per_epoch and not is_over(settings, state):
        started = time.monotonic()
        batch = {name: tensor.to(fabric.device) for name, tensor in next(batches).items()}
        image = batch['image'].float().contiguous(memory_format=torch.channels_last)
        for group in run.optimizer.param_groups:
            group['lr'] = learning_rate(settings, state)
        losses = losses_of(run.model(image), batch)
        loss = (losses['score'] + settings.box_weight * losses['box']
                + settings.landmark_weight * losses['landmarks'])
        fabric.backward(loss)
        fabric.clip_gradients(run.model, run.optimizer, max_norm=5.0)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        for name, value in (*losses.items(), ('total', loss)):
            totals[name] = totals.get(name, 0.0) + value.item()
        steps += 1
        state.step += 1
        state.samples += len(image) * fabric.world_size
        state.minutes += (time.monotonic() - started) / 60.0
    return {name: round(value / max(steps, 1), 4) for name, value in totals.items()}


def losses_of(maps: FaceMaps, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """
    Focal loss of the centres; absolute errors of boxes and landmarks around the centres.

    :param maps: of the network
    :param batch: of `make_targets`, batched
    :returns: 'score', 'box', 'landmarks', each per face
    """
    weight, heat = batch['weight'], batch['heat']
    faces = weight.sum().clamp_min(1.0)
    logit = maps.score.float()
    positive = (heat > 0.999).float()
    probability = torch.sigmoid(logit)
    hit = -torch.nn.functional.logsigmoid(logit) * (1 - probability) ** 2 * positive
    miss = -torch.nn.functional.logsigmoid(-logit) * probability ** 2 * (1 - heat) ** 4
    score = ((hit + miss * (1 - positive)) * batch['heat_weight']).sum() / faces
    error = (maps.box.float() - batch['box']).abs()  # (B, 5, h, w)
    offset = error[:, :2].sum(1, keepdim=True) / batch['unit'] * 4.0
    shape = error[:, 2:3] * 2.0 + error[:, 3:].sum(1, keepdim=True)
    points = ((maps.landmarks.float() - batch['landmarks']).abs()
              * batch['landmark_weight']).mean(1, keepdim=True)
    return {'score': score, 'box': ((offset + shape) * weight).sum() / faces,
            'landmarks': (points * weight).sum() / faces}


@torch.no_grad()
def validate(model: FaceDetectorNet, scenes: list[Scene],
             device: torch.device) -> dict[str, float]:
    """Score the model on scenes with people and places never trained on."""
    model.eval()
    return score_detections(scenes, [detect(model, scene.image, device) for scene in scenes],
                            VALIDATION_THRESHOLD)


@torch.no_grad()
def detect(model: FaceDetectorNet, image: np.ndarray, device: torch.device,
           threshold: float = _LOWEST_SCORE) -> tuple[Detection, ...]:
    """
    Find faces with the network in torch.

    :param image: (H, W, 3) uint8 RGB, H and W multiples of 32
    """
    tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(device).float()
    maps = model(tensor[None])
    score, box, landmarks = (m[0].float().cpu().numpy() for m in (
        torch.sigmoid(maps.score), maps.box, maps.landmarks))
    return decode_faces(score[0], box, landmarks, stride=STRIDE, side_unit=SIDE_UNIT_PX,
                        threshold=threshold, max_faces=32)


def score_again(path: Path, metrics: dict[str, float]) -> None:
    """Replace the scores of a finished run; all else in its checkpoint stays."""
    content = torch.load(path, map_location='cpu', weights_only=True)
    write_checkpoint(path, content | {'metrics': metrics})
    LOG.info('a finished run, scored again: %s', json.dumps(metrics))


if __name__ == '__main__':
    main()
