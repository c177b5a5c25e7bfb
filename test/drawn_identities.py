# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Drawn people and small recognisers that tell them apart.

A person is a brightness of red, which colour networks see, and a bulge, which depth networks see;
the background is black, so that a drawn estimator finds the face.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from face_depth_ros.evaluation.identity_faces import CONDITIONS, PHOTO_PX, record_type
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import yaml

SIDE = 112
CALIBRATION = {'slope': 10.0, 'offset': -5.0, 'false_accept': {'0.1': 0.5, '0.001': 0.9}}


def draw_people(people: int = 6, probes: int = 1, first: int = 0, confused: str = '',
                ) -> np.ndarray:
    """
    Draw one gallery photo and some probes of each condition of each person.

    :param confused: a condition in which everybody has the colour of the next person
    """
    ys, xs = (np.mgrid[:PHOTO_PX, :PHOTO_PX] + 0.5) / PHOTO_PX - 0.5
    face = (xs / 0.35) ** 2 + (ys / 0.45) ** 2 < 1
    rng = np.random.default_rng(first)
    records = []
    for person in range(first, first + people):
        for condition, name in enumerate(CONDITIONS):
            for _ in range(1 if name == 'gallery' else probes):
                record = np.zeros((), record_type())
                looks = first + (person - first + 1) % people if name == confused else person
                red = pattern(looks)[(ys[..., None] > np.array([-1.0, -0.1, 0.1])).sum(-1) - 1]
                record['color'] = np.where(face[..., None], np.stack(
                    [red, np.full_like(red, 200.0), np.full_like(red, 160.0)], -1), 0)
                bulge = 0.01 * pattern(person + 100)[
                    (xs[..., None] > np.array([-1.0, -0.1, 0.1])).sum(-1) - 1] / 255
                record['relief'] = np.where(face, -0.05 - bulge + rng.normal(
                    0, 1e-4, face.shape), np.nan)
                record['mask'] = face
                record['person'], record['condition'] = person, condition
                record['yaw'] = 40.0 if name == 'pose' else 5.0
                record['position'] = 0.0, 0.0, 0.8
                focal = 0.8 * PHOTO_PX / 0.22
                record['camera'] = [[focal, 0.0, PHOTO_PX / 2], [0.0, focal, PHOTO_PX / 2]]
                records.append(record)
    return np.array(records, record_type())


def pattern(person: int) -> np.ndarray:
    """Return three brightnesses of a person, of upper, middle and lower face."""
    return np.random.default_rng(1000 + person).uniform(40, 250, 3)


def write_recognizer(folder: Path, name: str = 'face_recognizer', *, calibrated: bool = True,
                     outputs: tuple[str, ...] = ('color', 'depth')) -> Path:
    """
    Write a network that says the mean red, and depth, of 8 x 8 blocks, less their mean.

    :param outputs: of which modalities
    :returns: the path of the spec
    """
    tensors: dict[str, np.ndarray] = {'red': np.float32([1, 0, 0]).reshape(1, 3, 1, 1),
                                      'flat': np.array([-1, 64], np.int64)}
    nodes = [helper.make_node('Conv', ['color', 'red'], ['red_plane']),
             helper.make_node('Mul', ['mask', 'red_plane'], ['masked'])]
    for modality, plane in (('color', 'masked'), ('depth', 'depth')):
        if modality in outputs:
            m = modality
            nodes += [
                helper.make_node('AveragePool', [plane], [f'{m}_pool'], kernel_shape=[14, 14],
                                 strides=[14, 14]),
                helper.make_node('Reshape', [f'{m}_pool', 'flat'], [f'{m}_flat']),
                helper.make_node('ReduceMean', [f'{m}_flat'], [f'{m}_mean'], axes=[1]),
                helper.make_node('Sub', [f'{m}_flat', f'{m}_mean'], [f'{m}_out']),
                helper.make_node('LpNormalization', [f'{m}_out'], [f'embedding_{m}'], axis=1)]
    shapes = {'color': [3, SIDE, SIDE], 'depth': [1, SIDE, SIDE], 'mask': [1, SIDE, SIDE]}
    if 'depth' not in outputs:
        del shapes['depth']
    keys = ('color', 'depth', 'color+depth')
    return _write(folder, name, nodes, tensors, shapes,
                  {f'embedding_{m}': [64] for m in outputs},
                  {'calibration': dict.fromkeys(keys, CALIBRATION)} if calibrated else {}, {})


def write_brought(folder: Path, name: str = 'brought', crop: str = 'box', **said: Any) -> Path:
    """Write a network of one RGB input in the form that somebody brings, not calibrated."""
    tensors: dict[str, np.ndarray] = {'red': np.float32([1, 0, 0]).reshape(1, 3, 1, 1),
                                      'flat': np.array([-1, 64], np.int64)}
    nodes = [helper.make_node('Conv', ['image', 'red'], ['plane']),
             helper.make_node('AveragePool', ['plane'], ['pool'], kernel_shape=[14, 14],
                              strides=[14, 14]),
             helper.make_node('Reshape', ['pool', 'flat'], ['vector'])]
    return _write(folder, name, nodes, tensors, {'image': [3, SIDE, SIDE]}, {'vector': [64]}, {},
                  {'mean': [127.5] * 3, 'std': [127.5] * 3, 'order': 'RGB', 'background': 'keep',
                   'crop': crop, **said})


def _write(folder: Path, name: str, nodes: list[onnx.NodeProto], tensors: dict[str, np.ndarray],
           inputs: dict[str, list[int]], outputs: dict[str, list[int]], limits: dict[str, Any],
           normalisation: dict[str, Any]) -> Path:
    def value(label: str, dims: list[int]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(label, TensorProto.FLOAT, ['n', *dims])

    def tensor(label: str, dims: list[int]) -> dict[str, Any]:
        return {'name': label, 'dtype': 'float32', 'shape': [-1, *dims], 'layout': 'NCHW',
                'unit': '1', 'range': None, 'meaning': 'test'}

    graph = helper.make_graph(nodes, 'net', [value(k, d) for k, d in inputs.items()],
                              [value(k, d) for k, d in outputs.items()],
                              [numpy_helper.from_array(v, k) for k, v in tensors.items()])
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)],
                                ir_version=8).SerializeToString()
    (folder / f'{name}.onnx').write_bytes(content)
    path = folder / f'{name}.yaml'
    path.write_text(yaml.safe_dump({
        'name': name, 'task': 'face recognition', 'source': 'test', 'license': 'MIT',
        'onnx': f'{name}.onnx', 'sha256': hashlib.sha256(content).hexdigest(), 'opset': 17,
        'inputs': [tensor(k, d) for k, d in inputs.items()],
        'outputs': [tensor(k, d) for k, d in outputs.items()], 'normalisation': normalisation,
        'precisions': ['fp32'], 'trained': {}, 'parity': {}, 'metrics': {}, 'limits': limits}))
    return path
