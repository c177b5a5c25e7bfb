# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn a checkpoint of the depth enhancer into models/depth_enhancer.{onnx,yaml}.

    python -m face_depth_ros.training.export_depth_enhancer runs/depth_enhancer/last.pt models
"""

from __future__ import annotations

from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.depth_enhancer import build_depth_enhancer, DepthEnhancer, fill_holes
from face_depth_ros.training.autocast import precision_words
from face_depth_ros.training.export import (
    export_from_command_line,
    export_onnx,
    OPSET,
    write_checked_spec,
)
from face_depth_ros.training.train_depth_enhancer import FILL_THRESHOLD
import torch
from torch import nn

NAME = 'depth_enhancer'
CONFIDENCE_TOLERANCE_M = 0.003
SUPPORT_THRESHOLD = 0.3
_SIZE = 256


class ExportedDepthEnhancer(nn.Module):
    """The network with its outputs in the units that the predictor reads."""

    def __init__(self, network: DepthEnhancer) -> None:
        super().__init__()
        self.network = network

    def forward(self, depth: torch.Tensor, valid: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """
        Repair.

        The confidence is the probability that the error stays within 3 mm, if errors follow the
        Laplace distribution whose scale the network predicts.
        """
        output = self.network(depth, valid)
        tolerance = CONFIDENCE_TOLERANCE_M / FACE_DEPTH_RANGE_M
        confidence = 1.0 - torch.exp(-tolerance * torch.exp(-output.log_error))
        return output.correction, confidence, torch.sigmoid(output.support)


def main() -> None:
    """Export from the command line."""
    export_from_command_line(__doc__, export_checkpoint)


def export_checkpoint(checkpoint: Path, folder: Path) -> ModelSpec:
    """Write the ONNX file and the spec, measure the parity, write that into the spec."""
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    network = build_depth_enhancer()
    network.load_state_dict(content['average'])
    module = ExportedDepthEnhancer(network).eval()
    example = fixed_inputs()
    digest = export_onnx(module, example, folder / f'{NAME}.onnx',
                         ('correction', 'confidence', 'support'))
    mapping = spec_mapping(content, digest)
    return write_checked_spec(
        folder / f'{NAME}.yaml', mapping, module, example,
        'of each output, torch float32 against the CPU engine')


def fixed_inputs() -> dict[str, torch.Tensor]:
    """Return two fixed crops: a dome with holes, and one with nothing valid but a patch."""
    axis = torch.linspace(-1.0, 1.0, _SIZE)
    radius = axis[:, None] ** 2 + axis[None, :] ** 2
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 1, _SIZE, _SIZE, generator=generator) * 0.01
    depth = (0.1 + 0.4 * radius + noise).clamp(0.0, 0.99)  # (2, 1, S, S)
    valid = ((radius < 0.7) & (torch.rand(2, 1, _SIZE, _SIZE, generator=generator) > 0.1)).float()
    valid[1, :, 64:, :] = 0.0
    return {'depth': fill_holes(depth, valid), 'valid': valid}


def spec_mapping(content: dict[str, Any], digest: str) -> dict[str, Any]:
    """Return the spec of a checkpoint; the parity is measured after."""
    settings, state = content['settings'], content['state']
    initial = settings.get('initial')
    image = {'dtype': 'float32', 'shape': [-1, 1, _SIZE, _SIZE], 'layout': 'NCHW'}
    return {
        'name': NAME, 'task': 'face depth enhancement',
        'source': 'own network, networks/depth_enhancer.py; task of Schlett et al., "Deep '
                  'Learning-based Single Image Face Depth Data Enhancement", section III',
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) alone',
        'onnx': f'{NAME}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [
            {'name': 'depth', **image, 'unit': '25 cm', 'range': [0.0, 1.0],
             'meaning': 'depth behind the nearest surface of the crop, holes filled by pull-push'},
            {'name': 'valid', **image, 'unit': '1', 'range': [0.0, 1.0],
             'meaning': '1 where depth was measured within the 25 cm, else 0'}],
        'outputs': [
            {'name': 'correction', **image, 'unit': '25 cm', 'range': None,
             'meaning': 'to be added to the input depth'},
            {'name': 'confidence', **image, 'unit': '1', 'range': [0.0, 1.0],
             'meaning': 'probability that the enhanced depth is within 3 mm of the truth'},
            {'name': 'support', **image, 'unit': '1', 'range': [0.0, 1.0],
             'meaning': 'probability that there is head or neck surface'}],
        'normalisation': {'range_m': FACE_DEPTH_RANGE_M, 'nearest': 'core.depth.nearest_surface',
                          'holes': 'core.depth.fill_holes'},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': 'python -m face_depth_ros.training.train_depth_enhancer '
                       f'--max-minutes {settings["max_minutes"]:g}' + (
                           f' --initial {initial}' if initial else ''),
            'commit': content['commit'], 'seed': settings['seed'],
            'data': f'{settings["bank_size"]} heads, {settings["scene_bank_size"]} whole scenes '
                    'of the train split, varied and degraded anew at each use '
                    '(training/enhancement_data.py)',
            'hardware': f'CPU, {platform.machine()}, {precision_words()}',
            'minutes': round(state['minutes'], 1), 'samples': state['samples']},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'unit': 'RMSE in the true face area, 1 = 25 cm; see models/TRAINING.md'},
        'limits': {'support_threshold': SUPPORT_THRESHOLD, 'fill_threshold': FILL_THRESHOLD,
                   'confidence_tolerance_m': CONFIDENCE_TOLERANCE_M,
                   'input': 'one face per crop; depth only; surfaces within 25 cm of the nearest'},
    }


if __name__ == '__main__':
    main()
