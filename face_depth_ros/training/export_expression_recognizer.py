# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn a checkpoint of the expression recogniser into expression_recognizer.{onnx,yaml}.

    python -m face_depth_ros.training.export_expression_recognizer \
        runs/expression_recognizer/last.pt models

Batch normalisation is folded, weights are stored as float16. The temperature that makes the
probabilities true is measured on people of the validation split, with and without depth alike, and
becomes part of the exported network.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.expression_input import DEPTH_LIMIT, SIZE
from face_depth_ros.core.expression_labels import ACTION_UNITS, EXPRESSIONS
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.expression_recognizer import (
    ExpressionRecognizer,
    ExpressionRecognizerConfig,
)
from face_depth_ros.training.autocast import precision_words
from face_depth_ros.training.export import (
    export_onnx,
    OPSET,
    store_half,
    write_checked_spec,
    write_spec,
)
from face_depth_ros.training.expression_bank import ExpressionBank, read_expression_bank
from face_depth_ros.training.folding import folded
from face_depth_ros.training.run import training_command
from face_depth_ros.training.train_expression_recognizer import answers, Settings
import torch
from torch import nn
from torch.nn import functional

NAME = 'expression_recognizer'
OUTPUTS = ('probabilities', 'affect', 'units')
_PATHS = ('bank', 'validation', 'initial')
_BINS = 15


class ExportedExpressionRecognizer(nn.Module):
    """The network with its temperature."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature

    def forward(self, color: torch.Tensor, depth: torch.Tensor, face: torch.Tensor,
                ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Tell probabilities (B, 7), valence and arousal (B, 2), action units (B, 17)."""
        logits, affect, units = self.network(color, depth, face)
        return (logits / self.temperature).softmax(dim=1), affect, units


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--validation', type=Path, default=Path(Settings.validation))
    parser.add_argument('--hardware', default=f'CPU, {platform.machine()}, {precision_words()}',
                        help='that the checkpoint was trained on, and in which precision')
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    spec = export_checkpoint(options.checkpoint, options.folder,
                             read_expression_bank(options.validation), options.hardware)
    logging.info('%s %s parity %s', spec.onnx, spec.sha256[:12], spec.parity['max_abs'])


def export_checkpoint(checkpoint: Path, folder: Path, bank: ExpressionBank,
                      hardware: str = '') -> ModelSpec:
    """Write the ONNX file and the spec; calibration and parity are measured and written in."""
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    network = ExpressionRecognizer(ExpressionRecognizerConfig(**content['config']))
    network.load_state_dict(content['average'])
    calibration = calibrate(network, bank)
    module = ExportedExpressionRecognizer(folded(network), calibration['temperature']).eval()
    example = fixed_inputs()
    path = folder / f'{NAME}.onnx'
    export_onnx(module, example, path, OUTPUTS)
    mapping = spec_mapping(content, store_half(path),
                           sum(p.numel() for p in module.parameters()), hardware)
    mapping['limits']['calibration'] = calibration
    spec = write_checked_spec(
        folder / f'{NAME}.yaml', mapping, module, example,
        'of all answers, torch float32 against the CPU engine with the weights rounded to float16')
    return write_spec(folder / f'{NAME}.yaml', {**mapping, 'parity': spec.parity})


def calibrate(network: ExpressionRecognizer, bank: ExpressionBank) -> dict[str, float]:
    """
    Measure the temperature that makes the probabilities of the validation most likely.

    :returns: the temperature, and the expected calibration error before and after
    """
    logits = torch.cat([answers(network, bank, torch.device('cpu'), depth=depth)[0]
                        for depth in (True, False)])
    label = torch.cat([bank.label, bank.label])
    candidates = torch.logspace(-0.7, 0.7, 141)
    losses = torch.stack([functional.cross_entropy(logits / t, label) for t in candidates])
    best = float(candidates[int(losses.argmin())])
    return {'temperature': round(best, 4), 'error_before': calibration_error(logits, label),
            'error_after': calibration_error(logits / best, label), 'faces': len(label)}


def calibration_error(logits: torch.Tensor, label: torch.Tensor) -> float:
    """Return the expected calibration error, 0 to 1, over 15 bins of confidence."""
    confidence, said = logits.softmax(dim=1).max(dim=1)
    right = (said == label).float()
    which = (confidence * _BINS).long().clamp(max=_BINS - 1)
    gaps = [abs(float((confidence - right)[which == b].sum())) for b in range(_BINS)]
    return round(sum(gaps) / len(label), 4)


def fixed_inputs() -> dict[str, torch.Tensor]:
    """Return three fixed faces: an oval on a dome with depth, the same without, and noise."""
    axis = torch.linspace(-1.0, 1.0, SIZE)
    radius = (axis[:, None] / 0.9) ** 2 + (axis[None, :] / 0.7) ** 2
    face = (radius < 1.0).float()
    spots = sum(torch.exp(-((axis[:, None] - y) ** 2 + (axis[None, :] - x) ** 2) * 60.0)
                for x, y in ((-0.3, -0.3), (0.3, -0.3), (0.0, 0.5)))
    color = (torch.tensor([200.0, 160.0, 130.0])[:, None, None] * (1.2 - 0.4 * radius - spots)
             ).clamp(0.0, 255.0)
    depth = torch.stack([(1.0 - 2.0 * radius).clamp(-DEPTH_LIMIT, DEPTH_LIMIT) * face, face])
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(3, SIZE, SIZE, generator=generator)
    known = (noise[1] < 0.8).float()
    return {'color': torch.stack([color, color, 255.0 * noise]),
            'depth': torch.stack([depth, 0.0 * depth,
                                  torch.stack([(4.0 * noise[0] - 2.0) * known, known])]),
            'face': torch.stack([face, face, (noise[2] < 0.5).float()])[:, None]}


def spec_mapping(content: dict[str, Any], digest: str, parameters: int,
                 hardware: str) -> dict[str, Any]:
    """Return the spec of a checkpoint; the parity is measured after."""
    state = content['state']
    settings = {key: value for key, value in content['settings'].items() if key not in _PATHS}
    image = {'dtype': 'float32', 'layout': 'NCHW'}
    return {
        'name': NAME, 'task': 'facial expression recognition',
        'source': 'own network, networks/expression_recognizer.py',
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) with CC0 skins, '
                   'hair and lights alone',
        'onnx': f'{NAME}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [
            {'name': 'color', **image, 'shape': [-1, 3, SIZE, SIZE], 'unit': 'grey level',
             'range': [0.0, 255.0],
             'meaning': 'RGB of the part of the canonical crop that core/expression_input.py '
                        'cuts out'},
            {'name': 'depth', **image, 'shape': [-1, 2, SIZE, SIZE], 'unit': '3 cm',
             'range': [-DEPTH_LIMIT, DEPTH_LIMIT],
             'meaning': 'how much nearer than the median of the face, and 1 where that is known; '
                        'all 0 = texture alone'},
            {'name': 'face', **image, 'shape': [-1, 1, SIZE, SIZE], 'unit': '1',
             'range': [0.0, 1.0], 'meaning': '1 on the face'}],
        'outputs': [
            {'name': 'probabilities', 'dtype': 'float32', 'shape': [-1, len(EXPRESSIONS)],
             'layout': 'NC', 'unit': '1', 'range': [0.0, 1.0],
             'meaning': ', '.join(EXPRESSIONS)},
            {'name': 'affect', 'dtype': 'float32', 'shape': [-1, 2], 'layout': 'NC', 'unit': '1',
             'range': [-1.0, 1.0], 'meaning': 'valence, arousal'},
            {'name': 'units', 'dtype': 'float32', 'shape': [-1, len(ACTION_UNITS)],
             'layout': 'NC', 'unit': '1', 'range': [0.0, 1.0],
             'meaning': 'intensities of ' + ', '.join(ACTION_UNITS)}],
        'normalisation': {'color': 'within the network', 'depth': 'core/expression_input.py'},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': training_command('train_expression_recognizer', settings, Settings()),
            'commit': content['commit'], 'seed': settings['seed'],
            'data': 'rendered people of the train split (synthesis/expressive_photos.py)',
            'hardware': f'{hardware}; models/TRAINING.md',
            'minutes': round(state['minutes'], 1), 'samples': state['samples'],
            'parameters': parameters},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'unit': 'percent told right, and mean absolute error of action units; see '
                            'models/TRAINING.md'},
        'limits': {'input': 'one face in its oriented box, at least 36 pixels on a side',
                   'people': 'trained on rendered people alone, whose expressions are prototypes '
                             'made of action units; nobody has measured it on real ones'},
    }


if __name__ == '__main__':
    main()
