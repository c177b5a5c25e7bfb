# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn a checkpoint of the face detector into models/face_detector.{onnx,yaml}.

    python -m face_depth_ros.training.export_face_detector runs/face_detector/last.pt models

The size of the input is fixed on export, because TensorRT plans and CUDA graphs need it; `--size
640 --name face_detector_640` makes a model that finds faces half as large in the same time four
times over.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.face_detector import (
    build_face_detector,
    ExportedFaceDetector,
    FaceDetectorConfig,
    SIDE_UNIT_PX,
    SIZE_MULTIPLE,
    STRIDE,
)
from face_depth_ros.training.detection_scene import PADDING_GREY
from face_depth_ros.training.export import export_onnx, OPSET, write_checked_spec
import torch

LOG = logging.getLogger('export_face_detector')
NAME = 'face_detector'
CONFIDENCE_THRESHOLD = 0.5
WORKING_SIZE = 320
SMALLEST_FACE_PX = 24
OUTPUTS = ('score', 'box', 'landmarks')


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--size', type=int, default=WORKING_SIZE,
                        help='height and width of the input, pixels')
    parser.add_argument('--name', default=NAME)
    arguments = parser.parse_args()
    spec = export_checkpoint(arguments.checkpoint, arguments.folder, arguments.size,
                             arguments.name)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    LOG.info('%s %s parity %s', spec.onnx, spec.sha256[:12], spec.parity)


def export_checkpoint(checkpoint: Path, folder: Path, size: int = WORKING_SIZE,
                      name: str = NAME) -> ModelSpec:
    """
    Write the ONNX file and the spec, measure the parity, write that into the spec.

    :param size: height and width of the input, pixels
    :raises SettingsError: the size is not a multiple of the network's
    """
    if size < SIZE_MULTIPLE or size % SIZE_MULTIPLE:
        raise SettingsError(f'the size is {size}, expected a multiple of {SIZE_MULTIPLE}')
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    config: dict[str, Any] = {key: tuple(value) if isinstance(value, (list, tuple)) else value
              for key, value in content['config'].items()}
    network = build_face_detector(FaceDetectorConfig(**config))
    network.load_state_dict(content['average'])
    module = ExportedFaceDetector(network).eval()
    example = fixed_inputs(size)
    digest = export_onnx(module, example, folder / f'{name}.onnx', OUTPUTS)
    mapping = spec_mapping(content, digest, size, name)
    return write_checked_spec(
        folder / f'{name}.yaml', mapping, module, example,
        'of each output, torch float32 against the CPU engine')


def fixed_inputs(size: int) -> dict[str, torch.Tensor]:
    """Return two fixed images: smooth blobs in colour, and noise."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 8, 10, generator=generator) * 255.0
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode='bilinear')
    noise = torch.rand(1, 3, size, size, generator=generator) * 255.0
    return {'image': torch.cat([smooth, noise])}


def spec_mapping(content: dict[str, Any], digest: str, size: int = WORKING_SIZE,
                 name: str = NAME) -> dict[str, Any]:
    """Return the spec of a checkpoint; the parity is measured after."""
    settings, state = content['settings'], content['state']

    cells = size // STRIDE

    def maps(channels: int) -> dict[str, Any]:
        return {'dtype': 'float32', 'shape': [-1, channels, cells, cells], 'layout': 'NCHW'}

    return {
        'name': name, 'task': 'face detection',
        'source': 'own network, networks/face_detector.py; the idea of centre maps from Zhou et '
                  'al., "Objects as Points" (arXiv:1904.07850)',
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) with skins, hair '
                   'and lights under CC0 alone',
        'onnx': f'{name}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [
            {'name': 'image', 'dtype': 'float32', 'shape': [-1, 3, size, size], 'layout': 'NCHW',
             'unit': '1', 'range': [0.0, 255.0],
             'meaning': 'RGB, shrunk to fit with its aspect kept, padded right and below with '
                        f'{PADDING_GREY}'}],
        'outputs': [
            {'name': 'score', **maps(1), 'unit': '1', 'range': [0.0, 1.0],
             'meaning': 'a face has its centre in this cell; cells of 8 x 8 pixels'},
            {'name': 'box', **maps(5), 'unit': '1', 'range': None,
             'meaning': 'centre x, y from the middle of the cell in cells; log(side / 32 px); '
                        'sine and cosine of the roll, not of unit length'},
            {'name': 'landmarks', **maps(10), 'unit': 'sides of the box', 'range': None,
             'meaning': 'x, y from the box centre along the image axes: right eye, left eye, '
                        'nose tip, right and left mouth corner'}],
        'normalisation': {'inside_the_network': '(image - 127.5) / 64',
                          'pad_value': PADDING_GREY, 'stride': STRIDE,
                          'side_unit_px': SIDE_UNIT_PX},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': 'python -m face_depth_ros.training.train_face_detector '
                       f'--max-minutes {settings["max_minutes"]:g} '
                       f'--threads {settings["threads"]}',
            'commit': content['commit'], 'seed': settings['seed'],
            'data': 'images composed anew at each use from a bank of rendered heads of the train '
                    'split (training/render_head_bank.py, training/detection_scene.py)',
            'hardware': f'CPU, {platform.machine()}, {settings["precision"]}',
            'minutes': round(state['minutes'], 1), 'samples': state['samples']},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'protocol': 'composed images with people and places never trained on, '
                                'threshold 0.4, see training/detection_scoring.py'},
        'limits': {'confidence_threshold': CONFIDENCE_THRESHOLD,
                   'smallest_face_px': SMALLEST_FACE_PX,
                   'input': 'faces from 24 px in the network input to the whole image, up to '
                            'profile, rolls mostly within 60 degrees of upright'},
    }


if __name__ == '__main__':
    main()
