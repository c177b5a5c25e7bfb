# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Small recognition networks in the files of real ones, faces for them, and galleries."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, EstimatedDepth, FaceEstimate, Placement
from face_depth_ros.core.mean_head import MEAN_LANDMARKS_M
from face_depth_ros.predictors.known_people import GalleryAccess
import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
import yaml

CALIBRATION = {'slope': 20.0, 'offset': -14.0, 'false_accept': {
    '0.1': 0.5, '0.01': 0.7, '0.001': 0.8, '0.0001': 0.85, '1e-06': 0.9}}
"""The probability is one half at cosine 0.7."""
_VALUE = helper.make_tensor_value_info


def write_recognizer(folder: Path, name: str = 'face_recognizer', outputs: str = 'color depth',
                     **changes: Any) -> Path:
    """
    Write a network that says what a 4 x 4 picture of the face looks like.

    :param outputs: which embeddings it gives
    :param changes: of the spec
    :returns: the YAML
    """
    nodes, values, inputs = [], [], [_VALUE('mask', TensorProto.FLOAT, ['n', 1, 112, 112])]
    tensors = [numpy_helper.from_array(np.array(v, np.float32), k)
               for k, v in (('zero', 0.0), ('one', 1.0), ('middle', 0.25), ('flat', 0.0))]
    nodes.append(helper.make_node('Clip', ['mask', 'zero', 'one'], ['face']))
    for modality, channels in (('color', 3), ('depth', 1)):
        if modality not in outputs.split():
            continue
        inputs.append(_VALUE(modality, TensorProto.FLOAT, ['n', channels, 112, 112]))
        nodes += _embedding(modality, modality)
        values.append(_VALUE(f'embedding_{modality}', TensorProto.FLOAT,
                             ['n', 16 * channels]))
    return _write(folder, name, nodes, inputs, values, tensors, changes)


def write_brought(folder: Path, name: str = 'brought', names: tuple[str, str] = ('data', 'fc1'),
                  **changes: Any) -> Path:
    """
    Write a network of one RGB input, which says what a 4 x 4 picture of the crop looks like.

    :param names: of input and output
    """
    data, told = names
    nodes = [helper.make_node('AveragePool', [data], ['small'], kernel_shape=[28, 28],
                              strides=[28, 28]),
             helper.make_node('Flatten', ['small'], [told])]
    normalisation = {'mean': [127.5] * 3, 'std': [127.5] * 3, 'order': 'RGB',
                     'background': 'keep', 'crop': 'box'}
    changes['normalisation'] = {**normalisation, **changes.get('normalisation', {})}
    return _write(folder, name, nodes, [_VALUE(data, TensorProto.FLOAT, ['n', 3, 112, 112])],
                  [_VALUE(told, TensorProto.FLOAT, ['n', 48])], [], changes)


def _embedding(modality: str, source: str) -> list[Any]:
    m = modality
    nodes = [helper.make_node('Mul', [source, 'face'], [f'{m}_face']),
             helper.make_node('AveragePool', [f'{m}_face'], [f'{m}_small'], kernel_shape=[28, 28],
                              strides=[28, 28]),
             helper.make_node('Flatten', [f'{m}_small'], [f'{m}_flat']),
             helper.make_node('ReduceMean', [f'{m}_flat'], [f'{m}_mean'], axes=[1], keepdims=1),
             helper.make_node('Sub', [f'{m}_flat', f'{m}_mean'], [f'{m}_centred'])]
    return [*nodes, helper.make_node('LpNormalization', [f'{m}_centred'], [f'embedding_{m}'],
                                     axis=1, p=2)]


def _write(folder: Path, name: str, nodes: list[Any], inputs: list[Any], outputs: list[Any],
           tensors: list[Any], changes: dict[str, Any]) -> Path:
    graph = helper.make_graph(nodes, name, inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    (folder / f'{name}.onnx').write_bytes(content)
    both = {'color+depth': CALIBRATION, 'color': CALIBRATION, 'depth': CALIBRATION}
    spec = {'name': name, 'task': 'face recognition', 'source': 'test', 'license': 'MIT',
            'onnx': f'{name}.onnx', 'sha256': hashlib.sha256(content).hexdigest(), 'opset': 17,
            'inputs': [_tensor(t) for t in inputs], 'outputs': [_tensor(t) for t in outputs],
            'normalisation': {}, 'precisions': ['fp32'], 'trained': {}, 'parity': {},
            'metrics': {}, 'limits': {'calibration': both}, **changes}
    path = folder / f'{name}.yaml'
    path.write_text(yaml.safe_dump(spec), encoding='utf-8')
    return path


def _tensor(value: Any) -> dict[str, Any]:
    shape = [d.dim_value or -1 for d in value.type.tensor_type.shape.dim]
    return {'name': value.name, 'dtype': 'float32', 'shape': shape, 'layout': 'test', 'unit': '1',
            'range': None, 'meaning': 'test'}


def plain_gallery(folder: Path) -> GalleryAccess:
    """Return where a gallery for tests lies: without a key, under /tmp."""
    return GalleryAccess(str(folder / 'gallery.db'), plain=True, allow_temporary=True)


class Scene:
    """
    A camera image of 320 x 240 with faces whose texture and relief tell the person.

    :param people: numbers of the persons, side by side
    """

    def __init__(self, *people: int, side: float = 100.0, blur: bool = False,
                 yaw: float = 0.0, light: float = 1.0) -> None:
        self.color = np.full((240, 320, 3), 90, np.uint8)
        self.depth = np.full((240, 320), 2.0, np.float32)
        self.detections: list[Detection] = []
        faces = []
        mask_frame = np.zeros((240, 320), np.uint8)
        for i, person in enumerate(people):
            box = FaceBox(70.0 + 105.0 * i, 120.0, side)
            detection = Detection(box, 0.9, track_id=f'f{i + 1:05d}')
            self.detections.append(detection)
            faces.append(self._draw(detection, person, blur, yaw, light, mask_frame))
        nothing = np.full((240, 320), np.nan, np.float32)
        self.estimated = EstimatedDepth(nothing, nothing, mask_frame, tuple(faces))

    def _draw(self, detection: Detection, person: int, blur: bool, yaw: float, light: float,
              mask_frame: np.ndarray) -> FaceEstimate:
        rng = np.random.default_rng(person)
        box, size = detection.box, 192
        coarse = rng.uniform(40, 215, (4, 4, 3))
        bumps = rng.uniform(-0.03, 0.03, (4, 4)).astype(np.float32)
        x0, y0 = (round(c - box.side / 2) for c in (box.center_x, box.center_y))
        n = round(box.side)
        cell = np.minimum(np.arange(n) * 4 // n, 3)
        texture = coarse[np.ix_(cell, cell)]
        texture = texture + np.random.default_rng(7).uniform(-25, 25, (n, n, 1))
        if blur:
            texture = cv2.GaussianBlur(texture, (0, 0), n / 15)
        ys, xs = np.mgrid[0:n, 0:n]
        face = np.hypot(xs - n / 2, ys - n / 2) < 0.42 * n
        area = np.s_[y0:y0 + n, x0:x0 + n]
        self.color[area][face] = np.clip(texture * light, 0, 255).astype(np.uint8)[face]
        self.depth[area][face] = 1.0 + bumps[np.ix_(cell, cell)][face]
        mask_frame[area][face] = 1
        fine = np.minimum(np.arange(size) * 4 // size, 3)
        ys, xs = np.mgrid[0:size, 0:size]
        mask = (np.hypot(xs - size / 2, ys - size / 2) < 0.42 * size).astype(np.uint8)
        relief = np.where(mask > 0, bumps[np.ix_(fine, fine)], np.float32(np.nan))
        return FaceEstimate(detection, 0.95, relief.astype(np.float32), mask,
                            landmarks_of(box, yaw), np.ones(68, np.float32), Placement.SENSOR,
                            1.0, 0.01)


def landmarks_of(box: FaceBox, yaw_deg: float = 0.0) -> np.ndarray:
    """Return where the mean head's landmarks lie in an image, turned to its left."""
    angle = np.deg2rad(yaw_deg)
    x, y, z = MEAN_LANDMARKS_M.T
    turned = x * np.cos(angle) - z * np.sin(angle)
    scale = box.side / 0.22
    return np.stack([box.center_x + turned * scale, box.center_y + y * scale],
                    axis=1).astype(np.float32)
