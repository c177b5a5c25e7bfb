# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn a checkpoint of the face estimator into models/face_estimator.{onnx,yaml}.

    python -m face_depth_ros.training.export_face_estimator runs/face_estimator/last.pt models

Batch normalisation is folded into the convolutions, and the weights are stored as float16.
"""

from __future__ import annotations

from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.face_photo import LANDMARK_COUNT, MASK_LABELS
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.face_estimator import (
    build_face_estimator,
    FaceEstimatorConfig,
    SIZE,
)
from face_depth_ros.training.autocast import precision_words
from face_depth_ros.training.export import (
    export_from_command_line,
    export_onnx,
    OPSET,
    store_half,
    write_checked_spec,
)
from face_depth_ros.training.folding import folded
from face_depth_ros.training.run import training_command
from face_depth_ros.training.train_face_estimator import Settings
import torch

NAME = 'face_estimator'
OUTPUTS = ('relief', 'log_sigma', 'mask', 'landmarks', 'visibility', 'confidence')


def main() -> None:
    """Export from the command line."""
    export_from_command_line(__doc__, export_checkpoint)


def export_checkpoint(checkpoint: Path, folder: Path) -> ModelSpec:
    """Write the ONNX file and the spec, measure the parity, write that into the spec."""
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    config = {name: tuple(value) for name, value in content['config'].items()}
    network = build_face_estimator(FaceEstimatorConfig(**config))
    network.load_state_dict(content['average'])
    module = folded(network.eval())
    example = fixed_inputs()
    path = folder / f'{NAME}.onnx'
    export_onnx(module, example, path, OUTPUTS)
    mapping = spec_mapping(content, store_half(path), sum(
        p.numel() for p in module.parameters()))
    return write_checked_spec(
        folder / f'{NAME}.yaml', mapping, module, example,
        'of each output in its unit, torch float32 against the CPU engine with the weights '
        'rounded to float16')


def fixed_inputs() -> dict[str, torch.Tensor]:
    """Return two fixed crops: an oval with dots on a ramp, and noise."""
    axis = torch.linspace(-1.0, 1.0, SIZE)
    radius = (axis[:, None] / 0.8) ** 2 + (axis[None, :] / 0.6) ** 2
    skin = torch.tensor([200.0, 160.0, 130.0])[:, None, None] * (1.2 - 0.4 * radius)
    ramp = (60.0 + 40.0 * axis)[None, :, None].expand(3, SIZE, SIZE)
    face = torch.where(radius < 1.0, skin, ramp)
    for x, y in ((-0.25, -0.15), (0.25, -0.15), (0.0, 0.45)):
        spot = ((axis[:, None] - y) ** 2 + (axis[None, :] - x) ** 2) < 0.01
        face = torch.where(spot, 30.0, face)
    noise = torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 255.0
    return {'color': torch.stack([face.clamp(0.0, 255.0), noise])}


def spec_mapping(content: dict[str, Any], digest: str, parameters: int) -> dict[str, Any]:
    """Return the spec of a checkpoint; the parity is measured after."""
    settings, state = content['settings'], content['state']
    image = {'dtype': 'float32', 'layout': 'NCHW'}
    single = {**image, 'shape': [-1, 1, SIZE, SIZE], 'range': None}
    row = {'dtype': 'float32', 'layout': 'NC', 'range': None}
    return {
        'name': NAME, 'task': 'face depth, mask and landmarks from colour',
        'source': 'own network, networks/face_estimator.py; task of Chiu et al., "High-Accuracy '
                  'RGB-D Face Recognition via Segmentation-Aware Face Depth Estimation and '
                  'Mask-Guided Attention Network", section III.A',
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) with CC0 skins, '
                   'hair and lights alone',
        'onnx': f'{NAME}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [{'name': 'color', **image, 'shape': [-1, 3, SIZE, SIZE], 'unit': 'grey level',
                    'range': [0.0, 255.0], 'meaning': 'RGB of the canonical crop'}],
        'outputs': [
            {'name': 'relief', **single, 'unit': 'side of the face box',
             'meaning': 'depth behind the head point; holds where the mask is not background'},
            {'name': 'log_sigma', **single, 'unit': 'natural logarithm, side of the face box',
             'meaning': 'expected absolute error of the relief'},
            {'name': 'mask', **image, 'shape': [-1, len(MASK_LABELS), SIZE, SIZE],
             'range': None, 'unit': 'logit', 'meaning': ', '.join(MASK_LABELS)},
            {'name': 'landmarks', 'dtype': 'float32', 'layout': 'NPC',
             'shape': [-1, LANDMARK_COUNT, 2], 'unit': 'side of the crop', 'range': [0.0, 1.0],
             'meaning': 'x and y from the corner, 68-point order'},
            {'name': 'visibility', **row, 'shape': [-1, LANDMARK_COUNT], 'unit': 'logit',
             'meaning': 'nothing hides the landmark'},
            {'name': 'confidence', **row, 'shape': [-1, 1], 'unit': 'logit',
             'meaning': 'there is a face in the crop'}],
        'normalisation': {'color': 'within the network'},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': training_command('train_face_estimator', settings, Settings()),
            'commit': content['commit'], 'seed': settings['seed'],
            'data': 'rendered faces of the train split (render_face_photo_bank), composed anew at '
                    'each use (synthesis/face_photos.py)',
            'hardware': f'CPU, {platform.machine()}, {precision_words()}',
            'minutes': round(state['minutes'], 1), 'samples': state['samples'],
            'parameters': parameters},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'unit': 'RMSE in mm for a head of 22 cm in the box; nme in percent of the '
                            'crop; see models/TRAINING.md'},
        'limits': {'input': 'one face in its oriented box; relief without scale and place'},
    }


if __name__ == '__main__':
    main()
