# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Turn a checkpoint of a face recogniser into its .onnx and .yaml.

    python -m face_depth_ros.training.export_face_recognizer runs/face_recognizer/last.pt models
    python -m face_depth_ros.training.export_face_recognizer runs/mask_guided_recognizer/last.pt \
        runs/models
    python -m face_depth_ros.training.export_face_recognizer runs/color/last.pt models \
        --depth-branch runs/depth/last.pt

The last joins the branches that train_recognizer_branch trains apart. A student becomes
face_recognizer, a network of the paper mask_guided_recognizer. `--shape-model` names the shape
model that is to stand beside a student (training/train_shape_model.py). Batch normalisation is
folded, weights are stored as float16. Then people of the validation split are looked at by the
exported file in the CPU engine, as on a robot: what a cosine says (the probability of one person,
and how often strangers reach it) is measured on them and stands in the spec. Their photos are
kept in runs/identity_validation.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
import copy
from dataclasses import replace
import hashlib
import logging
from pathlib import Path
import platform
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.face_frame import FRAMED_CROP
from face_depth_ros.core.face_photo import MASK_LABELS
from face_depth_ros.core.identity_calibration import COLOR, DEPTH, JOINT, SHAPE
from face_depth_ros.core.identity_metrics import calibrate, rank_one
from face_depth_ros.core.joined_vectors import EVIDENCE, JOINT_ESTIMATED, read_weights
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.core.recognition_input import DEPTH_LIMIT, SIZE
from face_depth_ros.core.shape_model import ShapeModel
from face_depth_ros.engines import open_engine
from face_depth_ros.training.autocast import precision_words
from face_depth_ros.training.export import (
    export_onnx,
    OPSET,
    store_half,
    write_checked_spec,
    write_spec,
)
from face_depth_ros.training.folding import folded
from face_depth_ros.training.identity_bank import batch_of, IdentityBank, surface_of_row
from face_depth_ros.training.identity_validation import VALIDATION, validation_bank
from face_depth_ros.training.run import training_command
from face_depth_ros.training.train_face_recognizer import (
    load_recognizer,
    NAMES,
    NETWORKS,
    Settings,
)
from face_depth_ros.training.train_recognizer_branch import Settings as BranchSettings
import numpy as np
import torch

OUTPUTS = ('embedding_color', 'embedding_depth')
_KEYS = ('color+depth+shape+joint', 'color+depth+joint', 'color+depth+shape', 'color+depth',
         'color+shape',
         'depth+shape', 'shape+joint', COLOR, DEPTH, SHAPE, JOINT)
_SAME = 1e-3
"""By which weights may differ that went through normalisation and back."""
_PATHS = ('teacher', 'initial', 'bank')
"""Settings that name files of the machine that trained."""
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
    parser.add_argument('--depth-branch', type=Path,
                        help='checkpoint whose branch of depth to take')
    parser.add_argument('--shape-model', type=Path, help='its .npz, to be used beside the network')
    parser.add_argument('--assets', default='')
    parser.add_argument('--validation', type=Path, default=VALIDATION)
    parser.add_argument('--hardware', default=f'CPU, {platform.machine()}, {precision_words()}',
                        help='that the checkpoint was trained on, and in which precision')
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    bank = validation_bank(options.validation, options.assets)
    spec = export_checkpoint(options.checkpoint, options.folder, bank, options.hardware,
                             options.depth_branch, options.shape_model)
    logging.info('%s %s parity %s, rank-1 %s', spec.onnx, spec.sha256[:12],
                 spec.parity['max_abs'], spec.metrics['rank_1'])


def export_checkpoint(checkpoint: Path, folder: Path, bank: IdentityBank, hardware: str = '',
                      depth_branch: Path | None = None,
                      shape_model: Path | None = None) -> ModelSpec:
    """
    Write the ONNX file and the spec, measure parity and calibration, write them in too.

    :param depth_branch: checkpoint whose branch of depth is taken; None = the same
    :param shape_model: is copied beside the spec, which names it; None = without one
    :raises SettingsError: a checkpoint is missing, of another network, or the branches were not
        trained beside the same attention
    """
    contents = [torch.load(path, map_location='cpu', weights_only=True)
                for path in (checkpoint, depth_branch) if path is not None]
    content = contents[0]
    kind = content['settings']['network']
    network = built(kind, content['config'])
    load_recognizer(network, checkpoint, 'checkpoint')
    if depth_branch is not None:
        take_depth_branch(network, depth_branch)
    module, name = folded(network), NAMES[kind]
    example = fixed_inputs()
    path = folder / f'{name}.onnx'
    export_onnx(module, example, path, OUTPUTS)
    mapping = spec_mapping(contents, name, store_half(path), sum(
        p.numel() for p in module.parameters()))
    mapping['trained']['hardware'] = f'{hardware}; models/TRAINING.md'
    if shape_model is not None:
        mapping['normalisation'] |= name_shape_model(shape_model, path)
    spec = write_checked_spec(
        folder / f'{name}.yaml', mapping, module, example,
        'of each embedding (unit length), torch float32 against the CPU engine with the weights '
        'rounded to float16')
    measured = measure(spec, bank)
    mapping['limits']['calibration'] = measured['calibration']
    mapping['metrics'] = {**mapping['metrics'], **measured['metrics']}
    mapping['parity'] = spec.parity
    return write_spec(folder / f'{name}.yaml', mapping)


def built(kind: str, layout: Mapping[str, Any]) -> Any:
    """Return an untrained network in the layout of a checkpoint's `config`."""
    network = NETWORKS[kind]()
    config = replace(network.config, **{name: tuple(value) if isinstance(value, list) else value
                                        for name, value in layout.items()})
    return network if config == network.config else type(network)(config)


def take_depth_branch(network: Any, checkpoint: Path) -> None:
    """
    Take the branch of depth from another checkpoint.

    :raises SettingsError: the checkpoint's mask branch or attention are others
    """
    other: Any = copy.deepcopy(network)
    load_recognizer(other, checkpoint, '--depth-branch')
    own, theirs = folded(network).state_dict(), folded(other).state_dict()
    for part in ('mask', 'attention'):
        if any(not torch.allclose(own[name], theirs[name], rtol=_SAME, atol=_SAME)
               for name in own if name.startswith(f'{part}.')):
            raise SettingsError(f'--depth-branch: {checkpoint} was trained beside another {part} '
                                'than the checkpoint; branches can be joined that went on from '
                                'one model by train_recognizer_branch')
    network.depth.load_state_dict(other.depth.state_dict())


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


def name_shape_model(shape_model: Path, onnx: Path) -> dict[str, str]:
    """
    Copy a shape model beside a network.

    :returns: what a spec says of it under `normalisation`
    :raises ModelFileError: it is none
    """
    ShapeModel.load(shape_model)
    beside = onnx.with_name(f'{onnx.stem}_shape.npz')
    content = shape_model.read_bytes()
    beside.write_bytes(content)
    return {'shape_model': beside.name, 'shape_sha256': hashlib.sha256(content).hexdigest()}


def measure(spec: ModelSpec, bank: IdentityBank) -> dict[str, Any]:
    """
    Look at people by the engine: what a cosine says, and how many are identified.

    Pairs are those of gallery photos with all others; depth is the estimated one in one half of
    the calibration and the sensor's in the other, but where shape is looked at, which is the
    sensor's alone.
    """
    said = {depth: embeddings(spec, bank, measured) for depth, measured in
            (('estimated', False), ('measured', True))}
    if 'shape_model' in spec.normalisation:
        if JOINT_ESTIMATED in said['estimated']:
            said['estimated'][JOINT] = _unit_rows(said['estimated'][JOINT_ESTIMATED])
        said['measured'] |= shapes(spec, bank, said['measured'].get(EVIDENCE))
    weights = read_weights(str(spec.path), spec.normalisation.get('weights'))
    first = np.unique(bank.person.numpy(), return_index=True)[1]
    probe = np.setdiff1d(np.arange(len(bank)), first)
    gallery, person = bank.person.numpy()[first], bank.person.numpy()[probe]
    same = person[:, None] == gallery
    calibration, ranks = {}, {}
    for key in _KEYS:
        genuine, impostor = [], []
        for depth, vectors in said.items():
            if not vectors.keys() >= set(key.split('+')):
                continue
            names = key.split('+')
            cosines, complete = compared([vectors[name] for name in names], probe, first,
                                         [weights.get(name, 1.0) for name in names])
            genuine.append(cosines[same & complete])
            impostor.append(cosines[~same & complete])
            label = key if key == COLOR else f'{key}, {depth} depth'
            ranks[label] = round(100.0 * rank_one(cosines.T, gallery, person), 2)
        if genuine:
            calibration[key] = calibrate(np.concatenate(genuine), np.concatenate(impostor))
    return {'calibration': calibration, 'metrics': {
        'rank_1': ranks, 'rank_1_unit': f'percent of the probes of {len(gallery)} people of the '
                                        'validation split, one gallery photo each, by the engine'}}


def compared(parts: list[np.ndarray], probe: np.ndarray, gallery: np.ndarray,
             weights: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """
    Compare photos by the weighed mean of the cosines of the modalities that both have.

    :param parts: of each modality (N, D) of length 1, or 0 where a photo lacks it
    :param weights: of the modalities
    :returns: cosines (P, G), -1 where two have nothing in common; whether they have all in common
    """
    known = [np.linalg.norm(part, axis=1) > 0.5 for part in parts]
    both = [k[probe][:, None] & k[gallery] for k in known]
    share = np.sum([weight * b for weight, b in zip(weights, both, strict=True)], axis=0)
    total = np.sum([weight * (part[probe] @ part[gallery].T)
                    for weight, part in zip(weights, parts, strict=True)], axis=0)
    with np.errstate(invalid='ignore'):
        return np.where(share > 0, total / share, -1.0), np.all(both, axis=0)


def shapes(spec: ModelSpec, bank: IdentityBank, evidence: np.ndarray | None,
           ) -> dict[str, np.ndarray]:
    """
    Return what the shape model says of every photo, (N, D) each, 0 where it does not fit.

    :param evidence: (N, D) what the network tells of the shapes, None where it tells none
    """
    model = ShapeModel.load(spec.path.parent / spec.normalisation['shape_model'],
                            spec.normalisation['shape_sha256'])
    fits = [model.fit(surface_of_row(row)) for row in bank.surface.numpy()]
    if evidence is None:
        return {SHAPE: _stacked([model.embed(fit) for fit in fits], model.dimensions)}
    shape, joint = zip(*(model.read(fit, told) for fit, told in zip(fits, evidence, strict=True)),
                       strict=True)
    return {SHAPE: _stacked(shape, model.dimensions),
            JOINT: _stacked(joint, model.evidence - model.dimensions)}


def _unit_rows(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _stacked(vectors: Sequence[np.ndarray | None], dimensions: int) -> np.ndarray:
    none = np.zeros(dimensions, np.float32)
    return np.stack([none if vector is None else vector for vector in vectors])


def embeddings(spec: ModelSpec, bank: IdentityBank, measured: bool) -> dict[str, np.ndarray]:
    """Return what is said of every photo, by the CPU engine in its own precision."""
    names = {t.name: t.name.removeprefix('embedding_') for t in spec.outputs}
    parts: dict[str, list[np.ndarray]] = {part: [] for part in names.values()}
    with open_engine(spec, backend='openvino') as engine:
        for rows in torch.arange(len(bank)).split(16):
            inputs = batch_of(bank, rows, torch.full((len(rows),), measured))
            said = engine({name: value.numpy() for name, value in zip(
                ('color', 'depth', 'mask'), inputs, strict=True)})
            for name, part in names.items():
                parts[part].append(said[name].copy())
    return {part: np.concatenate(values) for part, values in parts.items()}


def command_of(content: dict[str, Any]) -> str:
    """Return the command that a checkpoint is from; of paths the last two parts."""
    settings = {key: 'runs/' + '/'.join(Path(value).parts[-2:]).removeprefix('runs/')
                if key in _PATHS and '/' in value else value
                for key, value in content['settings'].items()}
    if 'branch' in settings:
        return training_command('train_recognizer_branch', settings, BranchSettings())
    return training_command('train_face_recognizer', settings, Settings())


def spec_mapping(contents: list[dict[str, Any]], name: str, digest: str,
                 parameters: int) -> dict[str, Any]:
    """
    Return the spec of a checkpoint; parity and calibration are measured after.

    :param contents: of the checkpoint, and of the one whose branch of depth was taken
    """
    content = contents[0]
    began = [content['began']] if content.get('began') else []
    metrics = content['metrics'] if len(contents) == 1 else {
        content['settings']['branch']: content['metrics'] for content in contents}
    states = [content['state'] for content in contents]
    image = {'dtype': 'float32', 'layout': 'NCHW'}
    vector = {'dtype': 'float32', 'layout': 'NC', 'unit': '1'}
    return {
        'name': name, 'task': 'face recognition',
        'source': _SOURCES[content['settings']['network']],
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
        'normalisation': {'color': 'within the network', 'depth': 'core/recognition_input.py',
                          'crop': FRAMED_CROP},
        'precisions': ['fp32', 'bf16', 'fp16'],
        'trained': {
            'command': '; '.join([trained['command'] for trained in began]
                                 + [command_of(content) for content in contents]),
            'commit': content['commit'], 'seed': content['settings']['seed'],
            'data': 'rendered people of the train split (synthesis/identity_photos.py)',
            'hardware': '',
            'minutes': round(sum(part['minutes'] for part in (*began, *states)), 1),
            'samples': sum(part['samples'] for part in (*began, *states)),
            'parameters': parameters},
        'parity': {'max_abs': None},
        'metrics': {'validation': metrics,
                    'unit': 'rank-1 in percent, estimated depth; see models/TRAINING.md'
                    if len(contents) == 1 else 'rank-1 and TAR at a false-accept rate of 1e-3 in '
                    'percent, by each branch alone; see models/TRAINING.md'},
        'limits': {'input': 'one face in its oriented box',
                   'people': 'trained on rendered people alone; nobody has measured it on real '
                             'ones'},
    }


if __name__ == '__main__':
    main()
