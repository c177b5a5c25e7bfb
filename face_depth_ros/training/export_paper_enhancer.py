# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn a checkpoint of one of the paper's enhancers into <network>.{onnx,yaml}.

    python -m face_depth_ros.training.export_paper_enhancer runs/dl_delta_1/last.pt models
"""

from __future__ import annotations

from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.depth import FACE_DEPTH_RANGE_M
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.training.autocast import precision_words
from face_depth_ros.training.export import (
    export_from_command_line,
    export_onnx,
    OPSET,
    store_half,
    write_checked_spec,
)
from face_depth_ros.training.train_paper_enhancer import build_network, WINDOW, WINDOW_SHARE
import torch
from torch import nn

HOLE_THRESHOLD = 0.95
"""The networks answer 1 where there is nothing, but never exactly."""
_SIZE = 256
_SOURCES = {
    'dl': 'Schlett et al., "Deep Learning-based Single Image Face Depth Data Enhancement", '
          'sections III and IV.C; the size of Table III, the layout is ours '
          '(networks/paper_enhancer.py)',
    'ddrnet': 'Yan et al., "DDRNet", ECCV 2018, the depth-only denoiser, trained again on the '
              'same pairs as DL-Delta (networks/ddrnet_denoiser.py)'}


class ExportedPaperEnhancer(nn.Module):
    """The network with its answer held to the range of the paper's images."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, depth: torch.Tensor) -> tuple[torch.Tensor]:
        """Enhance, (B, 1, S, S) in [0, 1]."""
        return (self.network(depth).clamp(0.0, 1.0),)


def main() -> None:
    """Export from the command line."""
    export_from_command_line(__doc__, export_checkpoint)


def export_checkpoint(checkpoint: Path, folder: Path) -> ModelSpec:
    """Write the ONNX file and the spec, measure the parity, write that into the spec."""
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    name = content['settings']['network']
    network = build_network(name)
    network.load_state_dict(content['average'])
    module = ExportedPaperEnhancer(network).eval()
    example = fixed_inputs()
    path = folder / f'{name}.onnx'
    export_onnx(module, example, path, ('enhanced',))
    mapping = spec_mapping(content, store_half(path), sum(
        p.numel() for p in network.parameters() if p.requires_grad))
    return write_checked_spec(
        folder / f'{name}.yaml', mapping, module, example,
        'depth in [0, 1], torch float32 against the CPU engine '
        'with the weights rounded to float16')


def fixed_inputs() -> dict[str, torch.Tensor]:
    """Return two fixed crops: a dome with holes before nothing, and a nearly empty one."""
    axis = torch.linspace(-1.0, 1.0, _SIZE)
    radius = axis[:, None] ** 2 + axis[None, :] ** 2
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 1, _SIZE, _SIZE, generator=generator) * 0.01
    depth = (0.1 + 0.4 * radius + noise).clamp(0.0, 0.99)  # (2, 1, S, S)
    valid = (radius < 0.7) & (torch.rand(2, 1, _SIZE, _SIZE, generator=generator) > 0.1)
    valid[1, :, 64:, :] = False
    return {'depth': torch.where(valid, depth, 1.0)}


def spec_mapping(content: dict[str, Any], digest: str, parameters: int) -> dict[str, Any]:
    """Return the spec of a checkpoint; the parity is measured after."""
    settings, state = content['settings'], content['state']
    name = settings['network']
    image = {'dtype': 'float32', 'shape': [-1, 1, _SIZE, _SIZE], 'layout': 'NCHW',
             'unit': '25 cm', 'range': [0.0, 1.0]}
    return {
        'name': name, 'task': 'face depth enhancement, a baseline of the evaluation',
        'source': _SOURCES[name.split('_')[0]],
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) alone',
        'onnx': f'{name}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [{'name': 'depth', **image,
                    'meaning': 'depth behind the nearest surface of the crop, holes = 1'}],
        'outputs': [{'name': 'enhanced', **image,
                     'meaning': 'the same, enhanced; 1 where there is nothing'}],
        'normalisation': {'range_m': FACE_DEPTH_RANGE_M, 'nearest': 'core.depth.nearest_surface'},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': 'python -m face_depth_ros.training.train_paper_enhancer --network '
                       f'{name} --schedule {settings["schedule"]} --max-minutes '
                       f'{settings["max_minutes"]:g}',
            'commit': content['commit'], 'seed': settings['seed'],
            'data': f'{settings["bank_size"]} heads of the train split, varied and degraded as in '
                    f'the paper anew at each use; reduced schedule: {WINDOW_SHARE:.0%} on windows '
                    f'of {WINDOW} pixels',
            'hardware': f'CPU, {platform.machine()}, {precision_words()}',
            'minutes': round(state['minutes'], 1), 'samples': state['samples'],
            'parameters': parameters},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'unit': 'RMSE, 1 = 25 cm; see models/TRAINING.md'},
        'limits': {'hole_threshold': HOLE_THRESHOLD,
                   'input': 'one face per crop; depth only; a baseline, not for robots'},
    }


if __name__ == '__main__':
    main()
