# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn checkpoints of AFNet-M and its ablations into ONNX files and specs.

    python -m face_depth_ros.training.export_afnet_m runs/afnet_m_ablations runs/models
    python -m face_depth_ros.training.export_afnet_m runs/afnet_m/last.pt runs/models

The first form takes all networks that training.afnet_m_ablations has left in a folder. Weights are
stored as float16. A network has those inputs alone that matter to it, of the side that it was
trained at; --size exports another one, since no layer depends on it.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.afnet_input import LEAST_KNOWN, MASK_STEPS, STEP
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.expression_labels import EXPRESSIONS, NEUTRAL
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.afnet_m import ABLATIONS, AFNetM, AFNetMConfig
from face_depth_ros.training.autocast import precision_words
from face_depth_ros.training.export import export_onnx, OPSET, store_half, write_checked_spec
from face_depth_ros.training.run import training_command
from face_depth_ros.training.train_afnet_m import Settings
import torch
from torch import nn

LOG = logging.getLogger('export_afnet_m')
OUTPUT = 'logits'
_PATHS = ('bank', 'validation', 'initial_texture', 'initial_depth')
_MEANINGS = {
    'texture': 'RGB of the part of the face, core/afnet_input.py',
    'depth': 'depth image of the same part, three times: 0 = missing, the nearer the brighter',
    'mask_1': 'salient regions at a quarter of the side', 'mask_2': 'and at an eighth'}


class ExportedAFNetM(nn.Module):
    """The network with those inputs alone that matter to it."""

    def __init__(self, network: AFNetM) -> None:
        super().__init__()
        self.network, self.names = network, network.config.inputs

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor]:
        """Tell the logits, (B, 6), of inputs in the order of the config's names."""
        given = dict(zip(self.names, inputs, strict=True))
        some = inputs[0]
        mask = given.get('mask_1', some), given.get('mask_2', some)
        return (self.network(given.get('texture', some), given.get('depth', some), *mask),)


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='checkpoint, or folder of the ablations')
    parser.add_argument('folder', type=Path)
    parser.add_argument('--size', type=int, default=0, help='side of the images, 0 = as trained')
    parser.add_argument('--hardware', default=f'CPU, {platform.machine()}, {precision_words()}',
                        help='that the checkpoint was trained on, and in which precision')
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    for checkpoint in checkpoints_of(options.source):
        spec = export_checkpoint(checkpoint, options.folder, options.size, options.hardware)
        LOG.info('%s %s parity %s', spec.onnx, spec.sha256[:12], spec.parity['max_abs'])


def checkpoints_of(source: Path) -> list[Path]:
    """
    Return one checkpoint, or those of the networks in a folder of the ablations.

    :raises SettingsError: there is none
    """
    found = ([source] if source.is_file() else
             [path for path in (source / name / 'last.pt' for name in ABLATIONS)
              if path.is_file()])
    if not found:
        raise SettingsError(f'{source} is no checkpoint, and no folder with networks of '
                            'training.afnet_m_ablations')
    return found


def export_checkpoint(checkpoint: Path, folder: Path, size: int = 0,
                      hardware: str = '') -> ModelSpec:
    """
    Write the ONNX file and the spec, named as the network; parity is measured and written in.

    :param size: side of the images, 0 = as trained
    :raises SettingsError: a side that is no multiple of 16
    """
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    kept: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value
                            for key, value in content['config'].items()}
    config = AFNetMConfig(**kept)
    network = AFNetM(config)
    network.load_state_dict(content['average'])
    size = size or int(content['settings']['size'])
    if size % STEP:
        raise SettingsError(f'size is {size}, expected a multiple of {STEP}')
    name = content['settings']['config']
    module = ExportedAFNetM(network).eval()
    example = fixed_inputs(config, size)
    path = folder / f'{name}.onnx'
    export_onnx(module, example, path, (OUTPUT,))
    mapping = spec_mapping(content, config, size, store_half(path), hardware)
    return write_checked_spec(
        folder / f'{name}.yaml', mapping, module, example,
        'of the logits, torch float32 against the CPU engine with the weights rounded to float16')


def fixed_inputs(config: AFNetMConfig, size: int) -> dict[str, torch.Tensor]:
    """Return two fixed faces: a dome with salient regions, and noise."""
    generator = torch.Generator().manual_seed(0)
    axis = torch.linspace(-1.0, 1.0, size)
    radius = (axis[:, None] / 0.85) ** 2 + (axis[None, :] / 0.65) ** 2
    dome = (1.0 - 0.6 * radius).clamp(0.0, 1.0).expand(3, -1, -1)
    tint = torch.tensor([0.9, 0.7, 0.6])[:, None, None]
    result = {'texture': torch.stack([tint * dome, torch.rand(3, size, size,
                                                              generator=generator)]),
              'depth': torch.stack([dome, torch.rand(1, size, size, generator=generator)
                                    .expand(3, -1, -1)])}
    for index, step in enumerate(MASK_STEPS):
        inner = (radius[::step, ::step] < 0.4).float()
        noise = (torch.rand(inner.shape, generator=generator) < 0.5).float()
        result[f'mask_{index + 1}'] = torch.stack([inner, noise])[:, None]
    return {name: result[name] for name in config.inputs}


def spec_mapping(content: dict[str, Any], config: AFNetMConfig, size: int, digest: str,
                 hardware: str) -> dict[str, Any]:
    """Return the spec of a checkpoint; the parity is measured after."""
    state, name = content['state'], content['settings']['config']
    settings = {key: value for key, value in content['settings'].items() if key not in _PATHS}
    sides = {'mask_1': size // MASK_STEPS[0], 'mask_2': size // MASK_STEPS[1]}
    branches = [content['settings'][key] for key in ('initial_texture', 'initial_depth')]
    began = ('at random' if not any(branches) else
             'with branches of one modality trained on the same people, rate '
             'and steps in models/TRAINING.md')
    return {
        'name': name, 'task': 'facial expression recognition',
        'source': 'AFNet-M (Sui et al.), networks/afnet_m.py',
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) with CC0 skins, '
                   'hair and lights alone',
        'onnx': f'{name}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [
            {'name': given, 'dtype': 'float32', 'layout': 'NCHW',
             'shape': [-1, 1 if given in sides else 3, *[sides.get(given, size)] * 2],
             'unit': '1', 'range': [0.0, 1.0], 'meaning': _MEANINGS[given]}
            for given in config.inputs],
        'outputs': [
            {'name': OUTPUT, 'dtype': 'float32', 'shape': [-1, NEUTRAL], 'layout': 'NC',
             'unit': '1', 'range': None, 'meaning': ', '.join(EXPRESSIONS[:NEUTRAL])}],
        'normalisation': {'depth': f'0 = missing, else {LEAST_KNOWN:.4f} (6 cm behind the median '
                                   'of the face) to 1 (6 cm before it)'},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': training_command('train_afnet_m', settings, Settings()),
            'commit': content['commit'], 'seed': settings['seed'], 'began': began,
            'data': 'rendered people of the train split (synthesis/expressive_photos.py)',
            'hardware': f'{hardware}; models/TRAINING.md',
            'minutes': round(state['minutes'], 1), 'samples': state['samples'],
            'parameters': sum(v.numel() for k, v in AFNetM(config).named_parameters())},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'unit': 'percent told right of the six: strong ones from ahead, and all'},
        'limits': {'expressions': 'the six basic ones; a neutral face is told as one of them',
                   'depth': 'trained with depth; without it only 2D networks are of use',
                   'people': 'trained on rendered people alone; nobody has measured it on real '
                             'ones'},
    }


if __name__ == '__main__':
    main()
