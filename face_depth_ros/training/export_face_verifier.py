# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn a checkpoint of the face verifier into face_verifier.{onnx,yaml}.

    python -m face_depth_ros.training.export_face_verifier runs/face_verifier/last.pt models
"""

from __future__ import annotations

from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.face_photo import FAR_M, NEAR_M, relief_to_grey
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.face_verifier import FaceVerifier, SIZE
from face_depth_ros.training.autocast import precision_words
from face_depth_ros.training.export import (
    export_from_command_line,
    export_onnx,
    OPSET,
    store_half,
    write_checked_spec,
)
from face_depth_ros.training.run import training_command
from face_depth_ros.training.train_face_verifier import Lesson, Settings
import numpy as np
import torch
from torch import nn

NAME = 'face_verifier'
THRESHOLD = 0.5
"""The paper's."""


class ExportedFaceVerifier(nn.Module):
    """The network with its input as grey depth."""

    def __init__(self, network: FaceVerifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor]:
        """Compare grey depth images, (B, 1, 96, 96) in 0 to 255; similarity (B, 1)."""
        return (self.network(first / 127.5 - 1.0, second / 127.5 - 1.0),)


def main() -> None:
    """Export from the command line."""
    export_from_command_line(__doc__, export_checkpoint)


def export_checkpoint(checkpoint: Path, folder: Path) -> ModelSpec:
    """Write the ONNX file and the spec, measure the parity, write that into the spec."""
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    lesson = Lesson()
    lesson.load_state_dict(content['average'])
    module = ExportedFaceVerifier(lesson.verifier).eval()
    example = fixed_inputs()
    path = folder / f'{NAME}.onnx'
    export_onnx(module, example, path, ('similarity',))
    mapping = spec_mapping(content, store_half(path),
                           sum(p.numel() for p in lesson.verifier.parameters()))
    return write_checked_spec(
        folder / f'{NAME}.yaml', mapping, module, example,
        'similarity in [0, 1], torch float32 against the CPU engine with the weights rounded to '
        'float16')


def fixed_inputs() -> dict[str, torch.Tensor]:
    """Return three fixed pairs: domes and noses of like and unlike shape, and one empty image."""
    axis = np.linspace(-1.0, 1.0, SIZE, dtype=np.float32)
    y, x = np.meshgrid(axis, axis, indexing='ij')

    def face(width: float, nose_m: float) -> torch.Tensor:
        squared = (x / width) ** 2 + (y / 0.9) ** 2
        nose = nose_m * np.exp(-((x / 0.12) ** 2 + (y / 0.3) ** 2))
        relief = np.where(squared < 1.0, 0.06 * squared - 0.08 - nose, np.nan)
        return torch.from_numpy(relief_to_grey(relief.astype(np.float32)))[None]

    first = torch.stack([face(0.7, 0.02), face(0.7, 0.02), face(0.7, 0.02)])
    second = torch.stack([face(0.7, 0.018), face(0.6, 0.03), torch.zeros(1, SIZE, SIZE)])
    return {'first': first, 'second': second}  # (3, 1, S, S) each


def spec_mapping(content: dict[str, Any], digest: str, parameters: int) -> dict[str, Any]:
    """Return the spec of a checkpoint; the parity is measured after."""
    settings, state = content['settings'], content['state']
    image = {'dtype': 'float32', 'shape': [-1, 1, SIZE, SIZE], 'layout': 'NCHW',
             'unit': f'{(FAR_M - NEAR_M) / 0.255:.3f} mm', 'range': [0.0, 255.0],
             'meaning': 'grey depth image of an upright face in its canonical crop, 0 = no face, '
                        'the nearer the brighter'}
    return {
        'name': NAME, 'task': 'face verification by depth alone, a measure of the evaluation',
        'source': 'Pini et al., "Learning to Generate Facial Depth Maps", 3DV 2018, section 4.3 '
                  'and Figure 3; how the branches join is ours (networks/face_verifier.py)',
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) alone',
        'onnx': f'{NAME}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [{'name': name, **image} for name in ('first', 'second')],
        'outputs': [{'name': 'similarity', 'dtype': 'float32', 'shape': [-1, 1], 'layout': 'NC',
                     'unit': '1', 'range': [0.0, 1.0],
                     'meaning': 'above the threshold for the same person'}],
        'normalisation': {'near_m': NEAR_M, 'far_m': FAR_M},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': training_command('train_face_verifier', settings, Settings()),
            'commit': content['commit'], 'seed': settings['seed'],
            'data': f'true depth of {settings["people"]} people of the train split, '
                    f'{settings["images"]} images of each, varied anew at each use',
            'hardware': f'CPU, {platform.machine()}, {precision_words()}',
            'minutes': round(state['minutes'], 1), 'samples': state['samples'],
            'parameters': parameters},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'unit': 'accuracy at the threshold on true depth of people of the validation '
                            'split; same, different: part of the pairs told right; shape: see '
                            'training/train_face_verifier.py'},
        'limits': {'threshold': THRESHOLD,
                   'input': 'true or generated depth for comparing depth estimators; not a means '
                            'to recognise people'},
    }


if __name__ == '__main__':
    main()
