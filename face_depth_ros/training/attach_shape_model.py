# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Let a shipped face recogniser use a shape model, and measure anew what its cosines say.

    python -m face_depth_ros.training.attach_shape_model models/face_recognizer.yaml SHAPE.npz OUT

`--dimensions 96` keeps the principal axes of each embedding alone, as told by the people of a bank
that recognisers are trained on: templates become smaller, and the last layer of each branch does
that by itself. Writes the network, its spec and the shape model to OUT.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.identity_calibration import COLOR, DEPTH
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.training.export import export_onnx, store_half, write_checked_spec, write_spec
from face_depth_ros.training.export_face_recognizer import (
    embeddings,
    fixed_inputs,
    measure,
    name_shape_model,
    OUTPUTS,
)
from face_depth_ros.training.face_readings import open_student
from face_depth_ros.training.identity_bank import IdentityBank, read_bank
from face_depth_ros.training.identity_validation import VALIDATION, validation_bank
import numpy as np
import torch
import yaml

LOG = logging.getLogger('attach_shape_model')


def main(arguments: list[str] | None = None) -> None:
    """Attach from the command line."""
    parser = shape_model_parser(__doc__)
    parser.add_argument('--dimensions', type=int, default=0, help='of each embedding; 0 = as now')
    parser.add_argument('--bank', type=Path, default=Path('runs/shape_people'),
                        help='people by whom the axes are told')
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    judged = validation_bank(options.validation, options.assets)
    bank = read_bank(options.bank) if options.dimensions else None
    spec = attach(ModelSpec.load(options.spec), options.shape_model, options.out, judged,
                  options.dimensions, bank)
    LOG.info('%s %s rank-1 %s', spec.onnx, spec.sha256[:12], spec.metrics['rank_1'])


def shape_model_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of what is said of a recogniser, its shape model and who calibrates them."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('spec', type=Path)
    parser.add_argument('shape_model', type=Path)
    parser.add_argument('out', type=Path)
    parser.add_argument('--assets', default='')
    parser.add_argument('--validation', type=Path, default=VALIDATION)
    return parser


def attach(spec: ModelSpec, shape_model: Path, out: Path, judged: IdentityBank,
           dimensions: int = 0, bank: IdentityBank | None = None) -> ModelSpec:
    """
    Write network, spec and shape model.

    :param judged: people by whom cosines are calibrated, with surfaces
    :param dimensions: 0 = as of the spec
    :param bank: needed with `dimensions`
    :raises SettingsError: no student, or more dimensions than it has
    """
    network, before = open_student(spec), spec.outputs[0].shape[1]
    if dimensions and bank is not None:
        if not 2 <= dimensions <= before:
            raise SettingsError(f'--dimensions is {dimensions}, expected 2 to {before}, which '
                                f'{spec.name} has')
        said = embeddings(spec, bank, True)
        for branch in (COLOR, DEPTH):
            keep_axes(getattr(network, branch).linear, principal_axes(said[branch], dimensions))
    out.mkdir(parents=True, exist_ok=True)
    path = out / f'{spec.name}.onnx'
    export_onnx(network, fixed_inputs(), path, OUTPUTS)
    mapping = yaml.safe_load(spec.path.read_text('utf-8'))
    mapping |= {'onnx': path.name, 'sha256': store_half(path)}
    # What solve_last_layers added belongs to the shape model that was there.
    mapping['outputs'] = [{**output, 'shape': [-1, dimensions or before]}
                          for output in mapping['outputs'][:2]]
    mapping['normalisation'].pop('weights', None)
    mapping['normalisation'] |= name_shape_model(shape_model, path)
    kept = f' --dimensions {dimensions}' if dimensions else ''
    mapping['trained']['command'] += f'; train_shape_model; attach_shape_model{kept}'
    mapping['trained']['parameters'] = sum(p.numel() for p in network.parameters())
    written = write_checked_spec(out / spec.path.name, mapping, network, fixed_inputs(),
                                 spec.parity['unit'])
    measured = measure(written, judged)
    mapping['limits']['calibration'] = measured['calibration']
    mapping['metrics'] |= measured['metrics']
    mapping['parity'] = written.parity
    return write_spec(out / spec.path.name, mapping)


def principal_axes(vectors: np.ndarray, count: int) -> np.ndarray:
    """Return the axes (count, D) that keep most of the inner products of vectors (N, D)."""
    _, values, axes = np.linalg.svd(vectors, full_matrices=False)
    kept = float((values[:count] ** 2).sum() / (values ** 2).sum())
    LOG.info('%d of %d dimensions keep %.3f %% of the squares', count, vectors.shape[1],
             100.0 * kept)
    return axes[:count].astype(np.float32)


@torch.no_grad()
def keep_axes(linear: torch.nn.Linear, axes: np.ndarray) -> None:
    """Let a layer give its answers along some axes alone, in place."""
    turn = torch.from_numpy(axes)
    linear.weight = torch.nn.Parameter(turn @ linear.weight)
    linear.bias = torch.nn.Parameter(turn @ linear.bias)
    linear.out_features = len(axes)


if __name__ == '__main__':
    main()
