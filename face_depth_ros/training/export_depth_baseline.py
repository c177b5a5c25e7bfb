# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn the checkpoint of a depth baseline into <network>.{onnx,yaml}.

    python -m face_depth_ros.training.export_depth_baseline depthnet --out models

reads runs/depthnet/last.pt (`--run` names another parent folder). The files are for evaluation;
DepthNet's decoder of the colour image serves training alone and is left out.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
import logging
from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_photo import BOX_SIDE_M, FAR_M, MASK_LABELS, NEAR_M
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.depthnet import DepthNet
from face_depth_ros.training.autocast import precision_words
from face_depth_ros.training.depth_baselines import Baseline, BASELINES
from face_depth_ros.training.export import export_onnx, OPSET, write_checked_spec
import torch
from torch import nn

FACE_FROM_GREY = 64.0
"""What is darker is no face: half of what 99 % of the pixels of rendered faces exceed (128)."""
_PRECISIONS = {'depthnet': ['fp32', 'fp16']}
"""
Without bf16: OpenVINO leaves transposed convolutions at the end of a graph in fp32, and DepthNet
has more of them than of all other products, so that the engine rightly says it runs in fp32.
"""
_SOURCES = {
    'depthnet': 'Chiu et al., "High-Accuracy RGB-D Face Recognition via Segmentation-Aware Face '
                'Depth Estimation and Mask-Guided Attention Network", section III.A',
    'cgan': 'Pini et al., "Learning to Generate Facial Depth Maps", 3DV 2018, section 3.1',
    'pix2pix': 'Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", '
               'CVPR 2017',
    'cui': 'after Cui et al., "Improving 2D Face Recognition via Discriminative Face Depth '
           'Estimation", ICB 2018, whose layers are not public'}


class ExportedBaseline(nn.Module):
    """A generator from an image of 0 to 255 to what it estimates, masks as probabilities."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """
        Estimate.

        :param image: (B, C, S, S), 0 to 255
        :returns: depth (B, 1, S, S) in [-1, 1], and with a mask its probabilities (B, 7, S, S)
        """
        scaled = image / 127.5 - 1.0
        images = (self.generator.estimate(scaled) if isinstance(self.generator, DepthNet)
                  else self.generator(scaled))
        if 'mask' in images:
            return images['depth'], images['mask'].sigmoid()
        return (images['depth'],)


def main(arguments: list[str] | None = None) -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('network', choices=sorted(BASELINES))
    parser.add_argument('--out', type=Path, default=Path('models'))
    parser.add_argument('--run', type=Path, default=Path('runs'))
    options = parser.parse_args(arguments)
    spec = export_checkpoint(options.run / options.network / 'last.pt', options.out)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    logging.info('%s %s parity %s', spec.onnx, spec.sha256[:12], spec.parity)


def export_checkpoint(checkpoint: Path, folder: Path) -> ModelSpec:
    """
    Write the ONNX file and the spec, measure the parity, write that into the spec.

    :raises SettingsError: there is no checkpoint
    """
    if not checkpoint.exists():
        raise SettingsError(f'no checkpoint at {checkpoint}; train it with `python -m '
                            'face_depth_ros.training.train_depth_baseline --network '
                            f'{checkpoint.parent.name}`')
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    name, width = content['settings']['network'], content['settings']['width']
    baseline = BASELINES[name]
    generator = baseline.build(width)
    generator.load_state_dict(content['average'])
    module = ExportedBaseline(generator).eval()
    example = fixed_inputs(baseline)
    outputs = output_tensors(name, baseline)
    digest = export_onnx(module, example, folder / f'{name}.onnx', [o['name'] for o in outputs])
    mapping = spec_mapping(content, digest, outputs, generator)
    return write_checked_spec(folder / f'{name}.yaml', mapping, module, example,
                              'the outputs, torch float32 against the CPU engine')


def input_name(baseline: Baseline) -> str:
    """Return the name of a baseline's input."""
    return 'grey' if baseline.channels == 1 else 'color'


def fixed_inputs(baseline: Baseline) -> dict[str, torch.Tensor]:
    """Return two fixed images: a bright disc with noise before a ramp, and noise alone."""
    size = baseline.size
    axis = torch.linspace(-1.0, 1.0, size)
    disc = (axis[:, None] ** 2 + axis[None, :] ** 2 < 0.5).float() * 120.0
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, baseline.channels, size, size, generator=generator)
    image = noise * 40.0 + disc + 60.0 + 30.0 * axis  # (2, C, S, S)
    image[1] = noise[1] * 255.0
    return {input_name(baseline): image.clamp(0.0, 255.0)}


def output_tensors(name: str, baseline: Baseline) -> list[dict[str, Any]]:
    """Return the outputs as a spec lists them."""
    def tensor(tensor_name: str, channels: int, span: list[float], meaning: str) -> dict[str, Any]:
        return {'name': tensor_name, 'dtype': 'float32', 'layout': 'NCHW',
                'shape': [-1, channels, baseline.size, baseline.size], 'unit': '1',
                'range': span, 'meaning': meaning}

    result = [tensor('depth', 1, [-1.0, 1.0],
                     'grey depth image / 127.5 - 1: the nearer the larger, -1 where no face is')]
    if name == 'depthnet':
        result.append(tensor('mask', len(MASK_LABELS), [0.0, 1.0],
                             'probability of each class: ' + ', '.join(MASK_LABELS)))
    return result


def used_parameters(generator: nn.Module) -> int:
    """Count what is trained and in the exported file."""
    unused = ('face_decoder.', 'rgb_head.')
    return sum(p.numel() for n, p in generator.named_parameters() if not n.startswith(unused))


def spec_mapping(content: dict[str, Any], digest: str, outputs: list[dict[str, Any]],
                 generator: Any) -> dict[str, Any]:
    """Return the spec of a checkpoint; the parity is measured after."""
    settings, state = content['settings'], content['state']
    name = settings['network']
    baseline = BASELINES[name]
    full = settings['schedule'] == 'full'
    budget = (f'--full-samples {settings["full_samples"]}' if full
              else f'--max-minutes {settings["max_minutes"]:g}')
    return {
        'name': name, 'task': 'face depth from one image, a baseline of the evaluation',
        'source': f'{_SOURCES[name.split("_")[0]]}; what is ours of it: '
                  f'networks/{_module_of(name)}.py and training/depth_baselines.py',
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) alone',
        'onnx': f'{name}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [{'name': input_name(baseline), 'dtype': 'float32', 'layout': 'NCHW',
                    'shape': [-1, baseline.channels, baseline.size, baseline.size],
                    'unit': '1', 'range': [0.0, 255.0],
                    'meaning': 'upright face crop, ' + ('grey (ITU-R BT.601)'
                                                        if baseline.channels == 1 else 'RGB')}],
        'outputs': outputs,
        'normalisation': {'form': 'grey depth image: 255 at near_m, 0 at far_m, linear in metres '
                                  'behind the head point; input scaling is in the graph',
                          'near_m': NEAR_M, 'far_m': FAR_M, 'box_side_m': BOX_SIDE_M},
        'precisions': _PRECISIONS.get(name, ['fp32', 'bf16', 'fp16']),
        'trained': {
            'command': 'python -m face_depth_ros.training.train_depth_baseline --network '
                       f'{name} --schedule {settings["schedule"]} {budget}',
            'commit': content['commit'], 'seed': settings['seed'],
            'data': 'photos composed anew at each use from the rendered faces of the train split',
            'hardware': f'CPU, {platform.machine()}, {precision_words()}',
            'minutes': round(state['minutes'], 1), 'samples': state['samples'],
            'steps': state['step'], 'config': asdict(generator.config),
            'parameters': used_parameters(generator)},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'unit': 'l1, l1_face: grey levels of 255 (1 level is '
                            f'{(FAR_M - NEAR_M) / 255.0 * 1e3:.2f} mm of a head in its box)'},
        'limits': {'face_from_grey': FACE_FROM_GREY,
                   'input': 'one face per crop, upright; a baseline, not for robots'},
    }


def _module_of(name: str) -> str:
    return {'depthnet_no_mask': 'depthnet', 'cgan_ae': 'cgan'}.get(name, name)


if __name__ == '__main__':
    main()
