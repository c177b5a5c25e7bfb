# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn a checkpoint of the face shape network into face_shape.{onnx,yaml}.

    python -m face_depth_ros.training.export_face_shape runs/face_shape/joint.pt models

A checkpoint of the ablation becomes face_shape_<variant>. The mesh's triangles are an output too,
the same for every face, so that the file alone makes surfaces.
"""

from __future__ import annotations

from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.face_shape import (
    build_face_shape,
    FaceShapeConfig,
    FaceShapeNetwork,
    SIZE,
)
from face_depth_ros.training.export import (
    export_from_command_line,
    export_onnx,
    OPSET,
    store_half,
    write_checked_spec,
)
from face_depth_ros.training.run import training_command
from face_depth_ros.training.train_face_shape import Settings
import torch
from torch import nn

NAME = 'face_shape'
_M_PER_CM = 0.01


class ExportedFaceShape(nn.Module):
    """The network with shapes in metres, and the mesh."""

    def __init__(self, network: FaceShapeNetwork) -> None:
        super().__init__()
        self.network = network
        self.disentangled = network.config.disentangled
        self.register_buffer('mesh', network.triangles.to(torch.int32)[None])

    def forward(self, color: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """
        Reconstruct faces.

        :param color: (B, 3, 112, 112) RGB, 0 to 255; mask: (B, 1, 112, 112) labels
        :returns: c_id, c_res (if disentangled), vertices and identity_vertices (B, V, 3) m,
            triangles (B, T, 3) int32
        """
        c_id, c_res, shapes = self.network(color, mask)
        codes = (c_id, c_res) if self.disentangled else (c_id,)
        mesh: torch.Tensor = self.get_buffer('mesh')
        return (*codes, shapes.vertices * _M_PER_CM, shapes.identity_vertices * _M_PER_CM,
                mesh.expand(color.shape[0], -1, -1))


def main() -> None:
    """Export from the command line."""
    export_from_command_line(__doc__, export_checkpoint)


def export_checkpoint(checkpoint: Path, folder: Path) -> ModelSpec:
    """Write the ONNX file and the spec, measure the parity, write that into the spec."""
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    config: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                              for name, value in content['config'].items()}
    network = build_face_shape(FaceShapeConfig(**config))
    network.load_state_dict(content['average'])
    module = ExportedFaceShape(network.eval()).eval()
    settings = content['settings']
    variant = content.get('variant', Settings(**settings).variant)
    name = NAME if variant == 'joint' else f'{NAME}_{variant}'
    outputs = output_specs(network.config)
    example = fixed_inputs()
    path = folder / f'{name}.onnx'
    export_onnx(module, example, path, [tensor['name'] for tensor in outputs])
    mapping = spec_mapping(content, name, outputs, store_half(path),
                           sum(p.numel() for p in network.parameters()))
    return write_checked_spec(
        folder / f'{name}.yaml', mapping, module, example,
        'of each output in its unit, torch float32 against the CPU engine with the weights '
        'rounded to float16')


def fixed_inputs() -> dict[str, torch.Tensor]:
    """Return two fixed faces with their masks: an oval with dots, and noise in an oval."""
    axis = torch.linspace(-1.0, 1.0, SIZE)
    radius = (axis[:, None] / 0.8) ** 2 + (axis[None, :] / 0.6) ** 2
    face = torch.tensor([200.0, 160.0, 130.0])[:, None, None] * (1.2 - 0.4 * radius)
    for x, y in ((-0.25, -0.15), (0.25, -0.15), (0.0, 0.45)):
        spot = ((axis[:, None] - y) ** 2 + (axis[None, :] - x) ** 2) < 0.01
        face = torch.where(spot, 30.0, face)
    noise = torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 255.0
    mask = (radius < 1.0).float().expand(2, 1, -1, -1).contiguous()
    return {'color': torch.stack([face.clamp(0.0, 255.0), noise]), 'mask': mask}


def output_specs(config: FaceShapeConfig) -> list[dict[str, Any]]:
    """Return the outputs' part of the spec."""
    code = {'dtype': 'float32', 'layout': 'NC', 'unit': '1', 'range': None}
    points = {'dtype': 'float32', 'layout': 'NVC', 'unit': 'm', 'range': None,
              'shape': [-1, config.vertices, 3]}
    frame = "in the frame of the head: x to the subject's left, y up, z out of the face"
    codes = [{'name': 'c_id', **code, 'shape': [-1, config.identity],
              'meaning': 'identity; faces of one person have a cosine near 1'
                         if config.disentangled else 'the whole shape'}]
    if config.disentangled:
        codes.append({'name': 'c_res', **code, 'shape': [-1, config.residual],
                      'meaning': 'what the identity does not explain: expression'})
    return [*codes,
            {'name': 'vertices', **points,
             'meaning': f'the face, the first {config.landmarks} the usual landmarks, {frame}'},
            {'name': 'identity_vertices', **points,
             'meaning': 'the face without the residual: the person at rest'
                        if config.disentangled else 'the same as vertices'},
            {'name': 'triangles', 'dtype': 'int32', 'layout': 'NTC', 'unit': 'vertex',
             'range': [0.0, float(config.vertices - 1)], 'shape': [-1, config.triangles, 3],
             'meaning': 'the mesh of the vertices, the same for every face; corners '
                        'counter-clockwise seen from outside'}]


def spec_mapping(content: dict[str, Any], name: str, outputs: list[dict[str, Any]], digest: str,
                 parameters: int) -> dict[str, Any]:
    """Return the spec of a checkpoint; the parity is measured after."""
    settings, state, times = content['settings'], content['state'], content['times']
    image = {'dtype': 'float32', 'layout': 'NCHW'}
    return {
        'name': name, 'task': '3-D face shape and its identity part from colour',
        'source': 'Liu et al., "Disentangling Features in 3D Face Shapes for Joint Face '
                  'Reconstruction and Recognition", CVPR 2018; what is ours: '
                  'networks/face_shape.py, training/train_face_shape.py',
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) with CC0 skins, '
                   'hair and lights alone',
        'onnx': f'{name}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [
            {'name': 'color', **image, 'shape': [-1, 3, SIZE, SIZE], 'unit': 'grey level',
             'range': [0.0, 255.0], 'meaning': 'RGB of the canonical crop'},
            {'name': 'mask', **image, 'shape': [-1, 1, SIZE, SIZE], 'unit': 'label',
             'range': [0.0, float(len(MASK_LABELS) - 1)],
             'meaning': f'{", ".join(MASK_LABELS)}; background is not looked at'}],
        'outputs': outputs,
        'normalisation': {'color': 'within the network'},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': training_command('train_face_shape', settings, Settings()),
            'commit': content['commit'], 'seed': settings['seed'],
            'data': f'{content["photos"]} photos of {content["people"]} rendered people of the '
                    'train split, masks by the face estimator',
            'hardware': content['hardware'], 'exported_on': f'CPU, {platform.machine()}',
            'minutes': round(sum(times[phase] for phase in ('I', 'II', 'III')) / 60.0, 2),
            'phases': times, 'samples': state['samples'], 'parameters': parameters},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'unit': 'RMSE in mm after a similarity, by the yaw in degrees; rank_1 in '
                            'percent by the cosine of c_id; see models/TRAINING.md'},
        'limits': {'input': 'one face in its oriented box; the absolute size of a head is not '
                            'told by a crop'},
    }


if __name__ == '__main__':
    main()
