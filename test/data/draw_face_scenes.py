# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Make test/data/face_scenes: composed images of people never trained on, and where the faces are.

    python test/data/draw_face_scenes.py

needs the head bank of training/render_head_bank.py; made once, the result is in git.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.photo_backgrounds import BackgroundSource, load_panoramas
from face_depth_ros.training.detection_heads import HeadBank
from face_depth_ros.training.detection_scene import SceneComposer, SceneRange
import numpy as np

FOLDER = Path(__file__).parent / 'face_scenes'
SCENES = 12


def main() -> None:
    """Compose, and keep the scenes whose faces can all be seen well."""
    generator = np.random.default_rng(77)
    source = BackgroundSource(load_panoramas(find_assets())[-2:])
    backgrounds = np.stack([source.draw(384, generator) for _ in range(40)])
    bank = HeadBank.load(Path('runs/face_detector/bank/validation'))
    composer = SceneComposer(bank, backgrounds, SceneRange(
        side_px=40.0, largest=0.8, negatives=0.25, turned=0.0))
    FOLDER.mkdir(exist_ok=True)
    truth: dict[str, list[dict[str, object]]] = {}
    while len(truth) < SCENES:
        scene = composer.compose(240, 320, generator)
        if not scene.seen.all() or not scene.visible.all() or (np.abs(scene.yaw_deg) > 70).any():
            continue
        name = f'{len(truth):02d}.jpg'
        cv2.imwrite(str(FOLDER / name), cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR),
                    [cv2.IMWRITE_JPEG_QUALITY, 90])
        truth[name] = [{'box': np.round(box, 3).tolist(), 'landmarks': np.round(p, 2).tolist()}
                       for box, p in zip(scene.boxes.astype(float), scene.landmarks.astype(float),
                                         strict=True)]
    (FOLDER / 'truth.json').write_text(json.dumps(truth, indent=1) + '\n')


if __name__ == '__main__':
    main()
