# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Join compressed branches to a face recogniser, its last layers carried over.

    python -m face_depth_ros.training.export_compressed_recognizer \
        models/face_recognizer.yaml OUT runs/compressed_color/last.pt runs/compressed_depth/last.pt

The branches of training/compress_face_recognizer.py tell nearly what the whole ones told, so the
last layers, which were solved from more people (training/solve_last_layers.py), stay as they are
but for a correction in closed form: a ridge regression, on what the new branches and the fit tell,
of what is missing to the mean of the person's photos as told before. Writes network, spec and
shape model to OUT, with what cosines say measured anew.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
import logging
from pathlib import Path
import tempfile
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.face_recognizer import build_face_recognizer
from face_depth_ros.training.autocast import precision_words
from face_depth_ros.training.compress_face_recognizer import Settings
from face_depth_ros.training.face_readings import face_readings, FaceReadings, open_student
from face_depth_ros.training.folding import folded
from face_depth_ros.training.identity_bank import IdentityBank
from face_depth_ros.training.identity_validation import VALIDATION, validation_bank
from face_depth_ros.training.last_layers import Affine, LastLayers, layers_of
from face_depth_ros.training.run import training_command
from face_depth_ros.training.solve_last_layers import (
    draft,
    inputs_of,
    person_means,
    ridge,
    write,
)
import numpy as np
import torch

LOG = logging.getLogger('export_compressed_recognizer')
_PENALTY = 100.0
"""Of the corrections, for inputs of variance 1; with less they fit the people they are made of."""
_PATHS = ('assets', 'run', 'initial', 'bank', 'threads', 'teacher')
"""Settings of the machine that trained."""
_SAME = 1e-3
"""By which what is not compressed may differ, rounded to float16."""


def main(arguments: list[str] | None = None) -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('spec', type=Path, help='of the recogniser that was compressed')
    parser.add_argument('out', type=Path)
    parser.add_argument('color', type=Path, help='checkpoint of the branch of colour')
    parser.add_argument('depth', type=Path, help='checkpoint of the branch of depth')
    parser.add_argument('--bank', type=Path, default=Path('runs/last_layers_bank'))
    parser.add_argument('--readings', type=Path, default=Path('runs/readings'))
    parser.add_argument('--penalty', type=float, default=_PENALTY, help='of the corrections')
    parser.add_argument('--assets', default='')
    parser.add_argument('--validation', type=Path, default=VALIDATION)
    parser.add_argument('--workers', type=int, default=2)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    contents = [torch.load(path, map_location='cpu', weights_only=True)
                for path in (options.color, options.depth)]
    judged = validation_bank(options.validation, options.assets)
    found = export(ModelSpec.load(options.spec), contents, options.out, options.bank,
                   options.readings, judged, options.penalty, options.workers)
    LOG.info('%s %s rank-1 %s', found.onnx, found.sha256[:12], found.metrics['rank_1'])


def export(spec: ModelSpec, contents: list[dict[str, Any]], out: Path, bank: Path,
           readings: Path, judged: IdentityBank, penalty: float = _PENALTY,
           workers: int = 1) -> ModelSpec:
    """
    Write network, spec and shape model.

    :param spec: of the recogniser that was compressed, with last layers that were solved
    :param contents: of the checkpoints of colour and depth
    :param bank: folder of photos by which last layers are corrected
    :param readings: folder that keeps what branches tell of them
    :param judged: people by whom cosines are calibrated, with surfaces
    :param penalty: of the corrections
    :raises SettingsError: checkpoints of other branches, or a spec without solved layers
    """
    shape_model = spec.path.parent / spec.normalisation['shape_model']
    layers = layers_of(spec, shape_model)
    network = joined(spec, contents)
    with tempfile.TemporaryDirectory() as folder:
        written = draft(spec, network, Path(folder))
        before, after = (face_readings(s, shape_model, bank,
                                       readings / s.sha256[:12] / bank.name, workers)
                         for s in (spec, written))
        return write(written, shape_model, corrected(layers, before, after, penalty), out,
                     judged, told_of(spec, contents, len(before.identity)),
                     {'validation': {c['settings']['branch']: c['metrics'] for c in contents},
                      'unit': 'squared errors of each branch against the one before, in '
                              'variances; see models/TRAINING.md'})


def joined(spec: ModelSpec, contents: list[dict[str, Any]]) -> Any:
    """
    Return the student with the branches of two checkpoints, folded.

    :param contents: of the checkpoints of colour and depth
    :raises SettingsError: one is of another branch, or beside another mask branch
    """
    branches = ('color', 'depth')
    for content, branch in zip(contents, branches, strict=True):
        if content['settings'].get('branch') != branch or 'inner' not in content['settings']:
            raise SettingsError(f'expected checkpoints of compress_face_recognizer of color and '
                                f'depth, in this order; got one of '
                                f'{content["settings"].get("branch")!r} for {branch}')
    before = open_student(spec)
    layout: dict[str, Any] = {f'{what}_{branch}': tuple(content['config'][f'{what}_{branch}'])
                              for content, branch in zip(contents, branches, strict=True)
                              for what in ('inner', 'ranks')}
    network: Any = folded(build_face_recognizer(replace(before.config, **layout)))
    state = before.state_dict()
    for content, branch in zip(contents, branches, strict=True):
        own = {name.removeprefix('network.'): value for name, value in content['average'].items()}
        if any(not torch.allclose(own[name], state[name], rtol=_SAME, atol=_SAME)
               for name in own if name.startswith(('mask.', 'attention.'))):
            raise SettingsError(f'the branch of {branch} was compressed beside another mask '
                                f'branch than that of {spec.path}')
        state = {name: value for name, value in state.items()
                 if not name.startswith(f'{branch}.')} | {
            name: value for name, value in own.items() if name.startswith(f'{branch}.')}
    network.load_state_dict(state)
    return network.eval().to(memory_format=torch.channels_last)


def corrected(layers: LastLayers, before: FaceReadings, after: FaceReadings,
              penalty: float = _PENALTY) -> LastLayers:
    """
    Correct last layers for branches that tell nearly the same.

    :param before, after: what the branches before and the new ones tell of the same photos
    :param penalty: of the corrections; the larger, the less changes
    """
    fitted, person = before.fitted, before.person
    depth = toward(layers.depth, after.measured, person_means(
        layers.depth(before.measured), person)(person), penalty)
    whole = Affine(np.concatenate([layers.reading[1:], layers.evidence]), layers.reading[0])
    means = person_means(whole(inputs_of(before)[fitted]), person[fitted])
    whole = toward(whole, inputs_of(after)[fitted], means(person[fitted]), penalty)
    known = np.isin(person, person[fitted])
    estimated = np.concatenate([after.color, after.estimated], axis=1)[known]
    joint = toward(layers.joint_estimated, estimated, means(person[known])[
        :, -len(layers.joint_estimated.bias):], penalty)
    first = len(layers.reading) - 1
    return replace(layers, depth=depth, evidence=whole.weight[first:], joint_estimated=joint,
                   reading=np.concatenate([whole.bias[None], whole.weight[:first]]))


def toward(layer: Affine, inputs: np.ndarray, wanted: np.ndarray, penalty: float) -> Affine:
    """Return a layer whose answers to (N, I) are nearer to (N, O) than those of `layer`."""
    missing = ridge(inputs, wanted - layer(inputs), penalty)
    return Affine(layer.weight + missing.weight, layer.bias + missing.bias)


def told_of(spec: ModelSpec, contents: list[dict[str, Any]], people: int) -> dict[str, Any]:
    """Return what the spec says of the training; people: by whom last layers were corrected."""
    before = spec.trained
    commands = [before['command']] + [training_command('compress_face_recognizer', {
        name: value for name, value in content['settings'].items() if name not in _PATHS},
        Settings()) for content in contents] + ['export_compressed_recognizer']
    states = [content['state'] for content in contents]
    return {'command': '; '.join(commands), 'commit': contents[0]['commit'],
            'minutes': round(sum(s['minutes'] for s in (before, *states)), 1),
            'samples': sum(s['samples'] for s in (before, *states)),
            'hardware': f'{before["hardware"].split(";")[0]}; compressed on one core a branch, '
                        f'{precision_words()}; models/TRAINING.md',
            'solved': f'{before["solved"]}, corrected on those of {people}'}


if __name__ == '__main__':
    main()
