# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn a checkpoint of a face recogniser into its .onnx and .yaml.

    python -m face_depth_ros.training.export_face_recognizer runs/face_recognizer/last.pt models
    python -m face_depth_ros.training.export_face_recognizer runs/mask_guided_recognizer/last.pt \
        runs/models

A student becomes face_recognizer, a network of the paper mask_guided_recognizer. Batch
normalisation is folded, weights are stored as float16. Then people of the validation split are
looked at by the exported file in the CPU engine, as on a robot: what a cosine says (the
probability of one person, and how often strangers reach it) is measured on them and stands in the
spec. Their photos are kept in runs/identity_validation.
"""

from __future__ import annotations

import argparse
import copy
import logging
from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.core.identity_calibration import COLOR, DEPTH
from face_depth_ros.core.identity_metrics import calibrate, rank_one
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.core.recognition_input import DEPTH_LIMIT, SIZE
from face_depth_ros.engines import open_engine
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.identity_photos import (
    IdentityPhotographer,
    PROBES_EACH,
    SESSIONS,
)
from face_depth_ros.training.export import (
    export_onnx,
    OPSET,
    store_half,
    write_checked_spec,
    write_spec,
)
from face_depth_ros.training.identity_bank import BankBuilder, batch_of, IdentityBank, read_bank
from face_depth_ros.training.render_identity_bank import part_path, save_part
from face_depth_ros.training.run import training_command
from face_depth_ros.training.train_face_recognizer import load_recognizer, NETWORKS, Settings
import numpy as np
import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval

NAMES = {'student': 'face_recognizer', 'mask_guided': 'mask_guided_recognizer'}
OUTPUTS = ('embedding_color', 'embedding_depth')
VALIDATION = Path('runs/identity_validation')
VALIDATION_PEOPLE = 200
_PATHS = ('teacher', 'initial', 'bank')
"""Settings that name files of the machine that trained."""
_PEOPLE_OF_PART, _SEED = 20, 5_000_000
_SOURCES = {
    'student': 'own network, networks/face_recognizer.py; a student of the mask-guided recogniser',
    'mask_guided': 'Chiu et al., "High-Accuracy RGB-D Face Recognition via Segmentation-Aware '
                   'Face Depth Estimation and Mask-Guided Attention Network", section III.B; open '
                   'choices in networks/mask_guided_recognizer.py'}


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--assets', default='')
    parser.add_argument('--validation', type=Path, default=VALIDATION)
    parser.add_argument('--hardware', default=f'CPU, {platform.machine()}',
                        help='that the checkpoint was trained on')
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    bank = validation_bank(options.validation, options.assets)
    spec = export_checkpoint(options.checkpoint, options.folder, bank, options.hardware)
    logging.info('%s %s parity %s, rank-1 %s', spec.onnx, spec.sha256[:12],
                 spec.parity['max_abs'], spec.metrics['rank_1'])


def export_checkpoint(checkpoint: Path, folder: Path, bank: IdentityBank,
                      hardware: str = '') -> ModelSpec:
    """Write the ONNX file and the spec, measure parity and calibration, write them in too."""
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    kind = content['settings']['network']
    network = NETWORKS[kind]()
    load_recognizer(network, checkpoint, 'checkpoint')
    module, name = folded(network), NAMES[kind]
    example = fixed_inputs()
    path = folder / f'{name}.onnx'
    export_onnx(module, example, path, OUTPUTS)
    mapping = spec_mapping(content, name, store_half(path), sum(
        p.numel() for p in module.parameters()))
    mapping['trained']['hardware'] = f'{hardware}, bf16 autocast; models/TRAINING.md'
    spec = write_checked_spec(
        folder / f'{name}.yaml', mapping, module, example,
        'of each embedding (unit length), torch float32 against the CPU engine with the weights '
        'rounded to float16')
    measured = measure(spec, bank)
    mapping['limits']['calibration'] = measured['calibration']
    mapping['metrics'] = {**mapping['metrics'], **measured['metrics']}
    mapping['parity'] = spec.parity
    return write_spec(folder / f'{name}.yaml', mapping)


def folded(network: nn.Module) -> nn.Module:
    """Return a copy with the same answers, batch normalisation within layers where it can be."""
    network = copy.deepcopy(network).eval()
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if (isinstance(child, nn.Sequential) and len(child) == 2
                    and isinstance(child[0], nn.Conv2d) and isinstance(child[1], nn.BatchNorm2d)):
                setattr(module, name, fuse_conv_bn_eval(child[0], child[1]))
        linear, after = getattr(module, 'linear', None), getattr(module, 'normalize', None)
        if isinstance(linear, nn.Linear) and isinstance(after, nn.BatchNorm1d):
            module.linear = fuse_linear_bn_eval(linear, after)
            module.normalize = nn.Identity()
        places, after = getattr(module, 'places', None), getattr(module, 'normalize_places', None)
        if isinstance(places, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
            module.places = fuse_conv_bn_eval(places, after)
            module.normalize_places = nn.Identity()
    return network


def fixed_inputs() -> dict[str, torch.Tensor]:
    """Return two fixed faces: an oval with eyes, nose and mouth on a dome, and noise."""
    axis = torch.linspace(-1.0, 1.0, SIZE)
    radius = (axis[:, None] / 0.85) ** 2 + (axis[None, :] / 0.65) ** 2
    mask = (radius < 1.0).float()
    for x, y, label in ((-0.25, -0.15, 3.0), (0.25, -0.15, 3.0), (0.0, 0.1, 5.0),
                        (0.0, 0.45, 6.0)):
        spot = ((axis[:, None] - y) ** 2 + (axis[None, :] - x) ** 2) < 0.015
        mask = torch.where(spot, label, mask)
    skin = torch.tensor([200.0, 160.0, 130.0])[:, None, None] * (1.2 - 0.4 * radius)
    color = (skin - 12.0 * mask).clamp(0.0, 255.0)
    depth = torch.where(mask > 0, (0.6 - radius).clamp(-DEPTH_LIMIT, DEPTH_LIMIT), -DEPTH_LIMIT)
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(3, SIZE, SIZE, generator=generator) * 255.0
    return {'color': torch.stack([color, noise]),
            'depth': torch.stack([depth, torch.randn(SIZE, SIZE, generator=generator).clamp(
                -DEPTH_LIMIT, DEPTH_LIMIT)])[:, None],
            'mask': torch.stack([mask, torch.randint(
                len(MASK_LABELS), (SIZE, SIZE), generator=generator).float()])[:, None]}


def validation_bank(folder: Path, assets: str) -> IdentityBank:
    """Read the photos of the calibration, rendered here where they are missing."""
    for number in range(VALIDATION_PEOPLE // _PEOPLE_OF_PART):
        path = part_path(folder, number)
        if path.exists():
            continue
        photographer = IdentityPhotographer(find_assets(assets or None), 'cpu', _SEED + number,
                                            backgrounds=40)
        first = number * _PEOPLE_OF_PART
        people = photographer.people('validation', range(first, first + _PEOPLE_OF_PART), 0.0)
        moments = [moment for name, moment in SESSIONS.items()
                   for _ in range(1 if name == 'gallery' else PROBES_EACH)]
        save_part(path, BankBuilder(photographer).build(people, len(moments), moments,
                                                        _PEOPLE_OF_PART))
        logging.info('%s', path)
    return read_bank(folder)


def measure(spec: ModelSpec, bank: IdentityBank) -> dict[str, Any]:
    """
    Look at people by the engine: what a cosine says, and how many are identified.

    Pairs are those of gallery photos with all others; depth is the estimated one in one half of
    the calibration and the sensor's in the other.
    """
    said = {depth: embeddings(spec, bank, measured) for depth, measured in
            (('estimated', False), ('measured', True))}
    first = np.unique(bank.person.numpy(), return_index=True)[1]
    probe = np.setdiff1d(np.arange(len(bank)), first)
    gallery, person = bank.person.numpy()[first], bank.person.numpy()[probe]
    same = person[:, None] == gallery
    calibration, ranks = {}, {}
    for key in ('color+depth', COLOR, DEPTH):
        genuine, impostor = [], []
        for depth, vectors in said.items():
            cosines = np.mean([vectors[part][probe] @ vectors[part][first].T
                               for part in key.split('+')], axis=0)
            genuine.append(cosines[same])
            impostor.append(cosines[~same])
            label = key if key == COLOR else f'{key}, {depth} depth'
            ranks[label] = round(100.0 * rank_one(cosines.T, gallery, person), 2)
        calibration[key] = calibrate(np.concatenate(genuine), np.concatenate(impostor))
    return {'calibration': calibration, 'metrics': {
        'rank_1': ranks, 'rank_1_unit': f'percent of the probes of {len(gallery)} people of the '
                                        'validation split, one gallery photo each, by the engine'}}


def embeddings(spec: ModelSpec, bank: IdentityBank, measured: bool) -> dict[str, np.ndarray]:
    """Return both embeddings of every photo, by the CPU engine in its own precision."""
    parts: dict[str, list[np.ndarray]] = {COLOR: [], DEPTH: []}
    with open_engine(spec, backend='openvino') as engine:
        for rows in torch.arange(len(bank)).split(16):
            inputs = batch_of(bank, rows, torch.full((len(rows),), measured))
            said = engine({name: value.numpy() for name, value in zip(
                ('color', 'depth', 'mask'), inputs, strict=True)})
            for part, name in zip((COLOR, DEPTH), OUTPUTS, strict=True):
                parts[part].append(said[name].copy())
    return {part: np.concatenate(values) for part, values in parts.items()}


def spec_mapping(content: dict[str, Any], name: str, digest: str,
                 parameters: int) -> dict[str, Any]:
    """Return the spec of a checkpoint; parity and calibration are measured after."""
    state = content['state']
    settings = {key: 'runs/' + '/'.join(Path(value).parts[-2:])
                if key in _PATHS and value else value
                for key, value in content['settings'].items()}
    image = {'dtype': 'float32', 'layout': 'NCHW'}
    vector = {'dtype': 'float32', 'layout': 'NC', 'unit': '1'}
    return {
        'name': name, 'task': 'face recognition', 'source': _SOURCES[settings['network']],
        'license': 'MIT; trained on renders of the ICT-FaceKit head model (MIT) with CC0 skins, '
                   'hair and lights alone',
        'onnx': f'{name}.onnx', 'sha256': digest, 'opset': OPSET,
        'inputs': [
            {'name': 'color', **image, 'shape': [-1, 3, SIZE, SIZE], 'unit': 'grey level',
             'range': [0.0, 255.0], 'meaning': 'RGB of the canonical crop, background and all'},
            {'name': 'depth', **image, 'shape': [-1, 1, SIZE, SIZE], 'unit': '6 cm',
             'range': [-DEPTH_LIMIT, DEPTH_LIMIT],
             'meaning': 'how much nearer than the median of the face, '
                        'core/recognition_input.py'},
            {'name': 'mask', **image, 'shape': [-1, 1, SIZE, SIZE], 'unit': 'label',
             'range': [0.0, len(MASK_LABELS) - 1.0], 'meaning': ', '.join(MASK_LABELS)}],
        'outputs': [
            {'name': output, **vector, 'range': [-1.0, 1.0],
             'shape': [-1, content['config']['dimensions']],
             'meaning': f'who it is by {part} and mask, unit length'}
            for output, part in zip(OUTPUTS, ('colour', 'depth'), strict=True)],
        'normalisation': {'color': 'within the network', 'depth': 'core/recognition_input.py'},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': training_command('train_face_recognizer', settings, Settings()),
            'commit': content['commit'], 'seed': settings['seed'],
            'data': 'rendered people of the train split (synthesis/identity_photos.py)',
            'hardware': '',
            'minutes': round(state['minutes'], 1), 'samples': state['samples'],
            'parameters': parameters},
        'parity': {'max_abs': None},
        'metrics': {'validation': content['metrics'],
                    'unit': 'rank-1 in percent, estimated depth; see models/TRAINING.md'},
        'limits': {'input': 'one face in its oriented box',
                   'people': 'trained on rendered people alone; nobody has measured it on real '
                             'ones'},
    }


if __name__ == '__main__':
    main()
