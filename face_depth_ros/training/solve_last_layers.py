# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Solve the last layers of a shipped face recogniser and its shape model in closed form.

    python -m face_depth_ros.training.render_identity_bank --learns last_layers \
        --people 20000 --images 2 --size 128 --out runs/last_layers_bank
    python -m face_depth_ros.training.solve_last_layers models/face_recognizer.yaml \
        models/face_recognizer_shape.npz OUT

Branches and shape model stay as they are; what is solved is linear in what they see:

- depth: the discriminant axes of the branch of depth over people (linear discriminant analysis);
- colour: the principal axes of its embedding alone;
- shape: ridge regression of the head's coefficients on the fit (coefficients and landmarks) and on
  both branches, then the discriminant axes of what it tells of people it was not solved from;
- joint: the discriminant axes of fit and both branches together; then a ridge regression on the
  means of each person along these, which photos with estimated depth, where nothing is fitted,
  are regressed on too: both can be compared.

Twenty thousand people, two photos each, take five minutes of two cores to read (kept under
runs/readings) and seconds to solve. Writes network, spec and shape model to OUT, with what cosines
say measured anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
import logging
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.joined_vectors import EVIDENCE, JOINT_ESTIMATED
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.core.shape_model import ShapeModel
from face_depth_ros.networks.face_recognizer import build_face_recognizer
from face_depth_ros.training.attach_shape_model import (
    keep_axes,
    principal_axes,
    shape_model_parser,
)
from face_depth_ros.training.export import export_onnx, store_half, write_checked_spec, write_spec
from face_depth_ros.training.export_face_recognizer import (
    fixed_inputs,
    measure,
    name_shape_model,
    OUTPUTS,
)
from face_depth_ros.training.face_readings import face_readings, FaceReadings, open_student
from face_depth_ros.training.folding import folded
from face_depth_ros.training.identity_bank import IdentityBank
from face_depth_ros.training.identity_validation import validation_bank
from face_depth_ros.training.last_layers import Affine, LastLayers
from face_depth_ros.training.train_shape_model import discriminant, save_model, shape_people
import numpy as np
import torch
import yaml

LOG = logging.getLogger('solve_last_layers')
WEIGHTS = {'color': 1.0, 'depth': 1.0, 'shape': 4.0, 'joint': 8.0}
"""Of the cosines, chosen on people of the validation split."""
_PENALTY, _ESTIMATED_PENALTY = 0.1, 0.03
"""Of the ridge regressions, for inputs of variance 1; of the one by estimated depth."""
_DRAWN = 0.1
"""Share of the diagonal in covariances within people."""
_LEAST_SPREAD = 1e-4
_UNIT = ('of embeddings (unit length) and of what is added to fits, torch float32 against the CPU '
         'engine with the weights rounded to float16')
_LEAST_PEOPLE = 1000


def main(arguments: list[str] | None = None) -> None:
    """Solve from the command line."""
    parser = shape_model_parser(__doc__)
    parser.add_argument('--bank', type=Path, default=Path('runs/last_layers_bank'))
    parser.add_argument('--judges', type=Path, default=Path('runs/shape_people'),
                        help='other people, by whom the shape is weighed: those of '
                        'train_shape_model, photographed where they are missing')
    parser.add_argument('--readings', type=Path, default=Path('runs/readings'))
    parser.add_argument('--dimensions', type=int, default=80, help='of colour, and of depth')
    parser.add_argument('--joint', type=int, default=64, help='dimensions')
    parser.add_argument('--workers', type=int, default=2)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    spec = ModelSpec.load(options.spec)
    shape_people(options.judges, options.assets)
    people, judges = (face_readings(spec, options.shape_model, bank,
                                    options.readings / spec.sha256[:12] / bank.name,
                                    options.workers)
                      for bank in (options.bank, options.judges))
    shape = ShapeModel.load(options.shape_model)
    layers = solve(open_student(spec), people, judges, options.dimensions, shape.dimensions,
                   options.joint)
    written = write(spec, options.shape_model, layers, options.out,
                    validation_bank(options.validation, options.assets), {
                        'command': earlier(spec) + '; solve_last_layers',
                        'solved': f'last layers from two photos each of {len(people.identity)} '
                                  'people of the train split'})
    LOG.info('%s %s rank-1 %s', written.onnx, written.sha256[:12], written.metrics['rank_1'])


def solve(network: Any, people: FaceReadings, judges: FaceReadings, dimensions: int, shape: int,
          joint: int) -> LastLayers:
    """
    Solve all layers.

    :param network: the student, folded
    :param people: of whom layers are solved; judges: others, by whom the shape is weighed
    :param dimensions: of colour, and of depth; shape, joint: of these
    :raises SettingsError: too few people
    """
    fitted = people.fitted
    count = len(np.unique(people.person[fitted]))
    if count < _LEAST_PEOPLE:
        raise SettingsError(f'the shape model fits photos of {count} people, expected at least '
                            f'{_LEAST_PEOPLE}; render more of them by render_identity_bank')
    color = network.color.linear
    with torch.no_grad():
        said = torch.nn.functional.normalize(color(torch.from_numpy(people.color)), dim=1)
    seen, told = inputs_of(people)[fitted], people.identity[people.person[fitted]]
    regression = ridge(seen, told)
    weighed = discriminant(regression(inputs_of(judges)[judges.fitted]),
                           judges.person[judges.fitted], shape)
    means = person_means(discriminant_layer(seen, people.person[fitted], joint)(seen),
                         people.person[fitted])
    both = [regression.then(weighed), ridge(seen, means(people.person[fitted]))]
    known = np.isin(people.person, people.person[fitted])
    estimated = np.concatenate([people.color, people.estimated], axis=1)
    weight = np.concatenate([layer.weight for layer in both], axis=1)
    bias = np.concatenate([layer.bias for layer in both])
    first = people.fit.shape[1] - 1
    return LastLayers(
        principal_axes(said.numpy(), min(dimensions, color.out_features)),
        discriminant_layer(people.measured, people.person, dimensions), weight[first:],
        np.concatenate([bias[None], weight[:first]]),
        ridge(estimated[known], means(people.person[known]), _ESTIMATED_PENALTY))


def person_means(values: np.ndarray, person: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """
    Average over the photos of each person.

    :param values: (N, D); person: (N,)
    :returns: gives the means (M, D) of the persons (M,) of some photos
    """
    people, index, count = np.unique(person, return_inverse=True, return_counts=True)
    total = np.zeros((len(people), values.shape[1]))
    np.add.at(total, index, values)
    means = total / count[:, None]
    return lambda wanted: means[np.searchsorted(people, wanted)]


def inputs_of(readings: FaceReadings) -> np.ndarray:
    """Return what shape and joint are solved from, (N, I): fit, colour, depth."""
    return np.concatenate([readings.fit[:, 1:], readings.color, readings.measured], axis=1)


def ridge(inputs: np.ndarray, wanted: np.ndarray, penalty: float = _PENALTY) -> Affine:
    """
    Regress (N, O) on (N, I), each of variance 1 first.

    :param penalty: of the squares of the weights, a photo
    """
    mean, spread, scaled = _standardised(inputs)
    middle = wanted.mean(axis=0)
    squares = scaled.T @ scaled
    squares[np.diag_indices(len(squares))] += penalty * len(inputs)
    weight = np.linalg.solve(squares, scaled.T @ (wanted - middle)) / spread[:, None]
    return Affine(weight, middle - mean @ weight)


def discriminant_layer(inputs: np.ndarray, person: np.ndarray, dimensions: int) -> Affine:
    """Return the discriminant axes of (N, I) over people; who is there once alone is left out."""
    mean, spread, scaled = _standardised(inputs)
    _, index, count = np.unique(person, return_inverse=True, return_counts=True)
    several = count[index] > 1
    weight = discriminant(scaled[several], person[several], dimensions, _DRAWN) / spread[:, None]
    return Affine(weight, -mean @ weight)


def _standardised(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = inputs.astype(np.float64)
    mean, spread = values.mean(axis=0), values.std(axis=0) + _LEAST_SPREAD
    return mean, spread, (values - mean) / spread


def with_layers(network: Any, layers: LastLayers) -> Any:
    """Return the student, folded, with layers that were solved."""
    config = replace(network.config, dimensions=len(layers.color),
                     evidence=layers.evidence.shape[1], joint=len(layers.joint_estimated.bias),
                     hidden_units=max((len(h.first.bias) for h in layers.hidden.values()),
                                      default=0))
    solved: Any = folded(build_face_recognizer(config))
    keep_axes(network.color.linear, layers.color)
    state = network.state_dict()
    state |= {'depth.linear.weight': _tensor(layers.depth.weight.T),
              'depth.linear.bias': _tensor(layers.depth.bias),
              'evidence.weight': _tensor(layers.evidence.T),
              'evidence.bias': torch.zeros(config.evidence),
              'joint.weight': _tensor(layers.joint_estimated.weight.T),
              'joint.bias': _tensor(layers.joint_estimated.bias)}
    for name, hidden in layers.hidden.items():
        for part, layer in ((0, hidden.first), (2, hidden.second)):
            state |= {f'hidden.{name}.{part}.weight': _tensor(layer.weight.T),
                      f'hidden.{name}.{part}.bias': _tensor(layer.bias)}
    solved.load_state_dict(state)
    return solved.eval()


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def draft(spec: ModelSpec, network: Any, folder: Path) -> ModelSpec:
    """Write a student without solved layers, unmeasured, as `write` takes it; network: folded."""
    path = folder / f'{spec.name}.onnx'
    export_onnx(network, fixed_inputs(), path, OUTPUTS)
    mapping = yaml.safe_load(spec.path.read_text('utf-8'))
    mapping |= {'onnx': path.name, 'sha256': store_half(path), 'outputs': mapping['outputs'][:2]}
    return write_spec(folder / spec.path.name, mapping)


def earlier(spec: ModelSpec) -> str:
    """Return the command that a student was trained by, before last layers were solved."""
    return str(spec.trained['command']).split('; solve_last_layers')[0]


def write(spec: ModelSpec, shape_model: Path, layers: LastLayers, out: Path,
          judged: IdentityBank, trained: Mapping[str, Any],
          metrics: Mapping[str, Any] | None = None) -> ModelSpec:
    """
    Write network, spec and shape model.

    :param judged: people by whom cosines are calibrated, with surfaces
    :param trained: what else the spec says of training
    :param metrics: likewise of what was measured; what it says already stays else
    """
    out.mkdir(parents=True, exist_ok=True)
    network = with_layers(open_student(spec), layers)
    path = out / f'{spec.name}.onnx'
    export_onnx(network, fixed_inputs(), path, (*OUTPUTS, EVIDENCE, JOINT_ESTIMATED))
    with np.load(shape_model) as data:
        arrays = {name: data[name] for name in data.files}
    read = out / 'shape_model.npz'
    save_model(read, arrays | {'reading': layers.reading.astype(np.float32)})
    mapping = yaml.safe_load(spec.path.read_text('utf-8'))
    mapping |= {'onnx': path.name, 'sha256': store_half(path)}
    mapping['outputs'] = _outputs(mapping['outputs'], layers)
    mapping['normalisation'] |= name_shape_model(read, path) | {'weights': dict(WEIGHTS)}
    read.unlink()
    mapping['trained'] |= {**trained,
                           'parameters': sum(p.numel() for p in network.parameters())}
    written = write_checked_spec(out / spec.path.name, mapping, network, fixed_inputs(), _UNIT)
    measured = measure(written, judged)
    mapping['limits']['calibration'] = measured['calibration']
    mapping['metrics'] |= {**(metrics or {}), **measured['metrics']}
    mapping['parity'] = written.parity
    return write_spec(out / spec.path.name, mapping)


def _outputs(outputs: list[dict[str, Any]], layers: LastLayers) -> list[dict[str, Any]]:
    """Return the outputs of a spec with their new sizes, and the evidence."""
    sizes = (len(layers.color), len(layers.depth.bias))
    kept = [{**output, 'shape': [-1, size]}
            for output, size in zip(outputs[:2], sizes, strict=True)]
    vector = {'dtype': 'float32', 'layout': 'NC', 'unit': '1', 'range': None}
    return [
        *kept,
        {'name': EVIDENCE, **vector, 'shape': [-1, layers.evidence.shape[1]],
         'meaning': 'what colour and depth tell of the shape of the head and, after that, of who '
                    'it is; added to the reading of the shape model'},
        {'name': JOINT_ESTIMATED, **vector, 'shape': [-1, len(layers.joint_estimated.bias)],
         'meaning': 'who it is by colour and estimated depth jointly'}]


if __name__ == '__main__':
    main()
