# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train hidden layers beside the linear last layers of a face recogniser.

    python -m face_depth_ros.training.train_hidden_layers models/face_recognizer.yaml \
        models/face_recognizer_shape.npz OUT --bank runs/last_layers_bank

What training/solve_last_layers.py solves is linear in what the branches see. Here layers of
rectified units add to three of its answers: the embedding of colour, who it is jointly by measured
depth (the fit stays as it is, so only what the network tells changes), and by estimated depth.
The two photos of a person are to be more alike than those of other people in the batch (InfoNCE;
van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018); of
estimated depth also by its answer to what measured depth says of the other photo, since both are
compared. What is added is nothing at first. Tens of thousands of photos are few for it: it learns
few steps, through noise and dropout.

With `--layers`, the linear layers are those of another recogniser whose branches say nearly the
same, before it was compressed: layers that were corrected on few people
(training/export_compressed_recognizer.py) tell strangers apart less well. Writes network, spec and
shape model to OUT, with what cosines say measured anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
import logging
import math
from pathlib import Path
from typing import NamedTuple

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.training.attach_shape_model import shape_model_parser
from face_depth_ros.training.face_readings import face_readings, FaceReadings, open_student
from face_depth_ros.training.identity_validation import validation_bank
from face_depth_ros.training.last_layers import Affine, Hidden, LastLayers, layers_of
from face_depth_ros.training.solve_last_layers import inputs_of, write
import numpy as np
import torch
from torch import nn
from torch.nn import functional

LOG = logging.getLogger('train_hidden_layers')
_HELD_OUT = 10
"""Each so many-th person is not learned from."""
_LEAST_SPREAD = 1e-4
_LEAST_PEOPLE = 100


@dataclass(frozen=True)
class Lessons:
    """
    How a layer learns.

    :param units: of it
    :param steps: of the optimiser; people: in each, two photos of each
    :param learning_rate: at first, half a cosine to 0
    :param dropout: share of inputs and units left out
    :param noise: added to inputs, in standard deviations of these
    :param scale: of cosines
    """

    units: int = 256
    steps: int = 700
    people: int = 512
    learning_rate: float = 1e-3
    dropout: float = 0.5
    noise: float = 0.5
    scale: float = 20.0
    seed: int = 0


class Lesson(NamedTuple):
    """
    What a layer learns from, N photos of people of whom there are two.

    :param inputs: (N, I) what branches see before last layers
    :param linear: (N, O) what is made of them without the layer
    :param rows: (P, 2) two photos of each person
    :param answers: (N, O) of length 1, what else photos are compared with; 0 = with nothing
    """

    inputs: np.ndarray
    linear: np.ndarray
    rows: np.ndarray
    answers: np.ndarray


class Pairs(NamedTuple):
    """
    Two photos of each of some people, of a `Lesson`.

    :param inputs: (P, 2, I), of variance 1
    :param linear: (P, 2, O), of variance 1
    :param answers: (P, 2, O)
    """

    inputs: torch.Tensor
    linear: torch.Tensor
    answers: torch.Tensor

    def of(self, rows: torch.Tensor) -> Pairs:
        """Return some people."""
        return Pairs(*(part[rows] for part in self))


class Added(nn.Module):
    """What a hidden layer adds, (N, I) -> (N, O)."""

    def __init__(self, inputs: int, lessons: Lessons, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, lessons.units)
        self.second = nn.Linear(lessons.units, outputs)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)
        self.dropout, self.noise = lessons.dropout, lessons.noise

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Add noise and leave out inputs and units while it learns."""
        if self.training:
            inputs = inputs + self.noise * torch.randn_like(inputs)
        seen = functional.dropout(inputs, self.dropout, self.training)
        units = functional.relu(self.first(seen))
        added: torch.Tensor = self.second(functional.dropout(units, self.dropout, self.training))
        return added


def main(arguments: list[str] | None = None) -> None:
    """Train from the command line."""
    parser = shape_model_parser(__doc__)
    parser.add_argument('--bank', type=Path, default=Path('runs/last_layers_bank'))
    parser.add_argument('--readings', type=Path, default=Path('runs/readings'))
    parser.add_argument('--layers', type=Path, help='spec of a recogniser, its shape model beside '
                        'it, whose linear layers are taken')
    parser.add_argument('--steps', type=int, default=Lessons.steps)
    parser.add_argument('--workers', type=int, default=2)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    spec = ModelSpec.load(options.spec)
    people = face_readings(spec, options.shape_model, options.bank,
                           options.readings / spec.sha256[:12] / options.bank.name,
                           options.workers)
    layers, solved = layers_of(spec, options.shape_model), spec.trained['solved']
    if options.layers is not None:
        other = ModelSpec.load(options.layers)
        layers, solved = taken_from(other, layers), other.trained['solved']
    layers, told = teach(color_layer(spec), layers, people, Lessons(steps=options.steps))
    written = write(spec, options.shape_model, layers, options.out,
                    validation_bank(options.validation, options.assets), {
                        'command': f'{spec.trained["command"]}; train_hidden_layers'
                                   + (' --layers (before compression)' if options.layers else ''),
                        'solved': f'{solved}; hidden layers trained on photos of '
                                  f'{len(people.identity)}'},
                    {'hidden_layers': told})
    LOG.info('%s %s rank-1 %s', written.onnx, written.sha256[:12], written.metrics['rank_1'])


def color_layer(spec: ModelSpec) -> Affine:
    """Return the last layer of the branch of colour of a shipped student."""
    linear = open_student(spec).color.linear
    return Affine(linear.weight.detach().numpy().T.astype(np.float64),
                  linear.bias.detach().numpy().astype(np.float64))


def taken_from(spec: ModelSpec, layers: LastLayers) -> LastLayers:
    """
    Return the linear layers of another recogniser.

    :param spec: its shape model lies beside it
    :param layers: of whose sizes they are to be
    :raises SettingsError: they are not
    """
    other = layers_of(spec, spec.path.parent / spec.normalisation['shape_model'])
    sizes = [[some.depth.weight.shape, some.evidence.shape, some.reading.shape,
              some.joint_estimated.weight.shape] for some in (other, layers)]
    if sizes[0] != sizes[1]:
        raise SettingsError(f'{spec.path} has last layers of {sizes[0]}, expected {sizes[1]}; '
                            'name a recogniser that this one was compressed from')
    return replace(other, hidden={})


def teach(color: Affine, layers: LastLayers, people: FaceReadings,
          lessons: Lessons) -> tuple[LastLayers, dict[str, dict[str, float]]]:
    """
    Train all hidden layers.

    :param color: from the branch of colour to its embedding
    :param layers: the linear ones; hidden layers that they have already are replaced
    :param people: of whom they learn
    :returns: the layers with them; by layer, of people whom they did not learn from, the
        percentage of photos most like the other one of that person, before and after
    :raises SettingsError: too few people with two photos
    """
    hidden, told = {}, {}
    hidden['color'], told['color'] = taught(Lesson(
        people.color, color(people.color), two_photos(people.person),
        np.zeros((len(people), len(color.bias)))), lessons)
    measured = np.concatenate([people.color, people.measured], axis=1)
    linear = measured_joint(layers, people)
    fitted = np.flatnonzero(people.fitted)
    hidden['joint'], told['joint'] = taught(Lesson(
        measured, linear, fitted[two_photos(people.person[fitted])], np.zeros_like(linear)),
        lessons)
    answers = linear + hidden['joint'](measured)
    answers *= people.fitted[:, None] / np.linalg.norm(answers, axis=1, keepdims=True)
    estimated = np.concatenate([people.color, people.estimated], axis=1)
    hidden['joint_estimated'], told['joint_estimated'] = taught(Lesson(
        estimated, layers.joint_estimated(estimated), two_photos(people.person), answers), lessons)
    return replace(layers, hidden=hidden), told


def taught(lesson: Lesson, lessons: Lessons) -> tuple[Hidden, dict[str, float]]:
    """
    Train a hidden layer.

    :returns: it, and what `teach` tells of it
    :raises SettingsError: too few people with two photos
    """
    if len(lesson.rows) < _LEAST_PEOPLE:
        raise SettingsError(f'there are two photos of {len(lesson.rows)} people, expected at '
                            f'least {_LEAST_PEOPLE}; render more by render_identity_bank')
    torch.manual_seed(lessons.seed)
    inputs = lesson.inputs.astype(np.float64)
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0) + _LEAST_SPREAD
    size = float(lesson.linear.std())
    pairs = Pairs(*(torch.from_numpy(values[lesson.rows].astype(np.float32)) for values in (
        (inputs - mean) / spread, lesson.linear / size, lesson.answers)))
    held = torch.arange(len(lesson.rows)) % _HELD_OUT == 0
    learned, judged = pairs.of(~held), pairs.of(held)
    added = Added(inputs.shape[1], lessons, lesson.linear.shape[1])
    found = {'before': judge(added, judged)}
    optimizer = torch.optim.AdamW(added.parameters(), lessons.learning_rate)
    for step in range(lessons.steps):
        for group in optimizer.param_groups:
            group['lr'] = 0.5 * lessons.learning_rate * (
                1.0 + math.cos(math.pi * step / lessons.steps))
        some = learned.of(torch.randperm(len(learned.inputs))[:lessons.people])
        loss = loss_of(added.train(), some, lessons.scale)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found['after'] = judge(added, judged)
    LOG.info('of %d people, %d held out: rank-1 %s', len(held), int(held.sum()), found)
    weights = {name: value.detach().numpy().astype(np.float64)
               for name, value in added.named_parameters()}
    first = weights['first.weight'].T / spread[:, None]
    return Hidden(Affine(first, weights['first.bias'] - mean @ first),
                  Affine(size * weights['second.weight'].T, size * weights['second.bias'])), found


def two_photos(person: np.ndarray) -> np.ndarray:
    """Return the first two photos (P, 2) of each person of whom there are two, of (N,)."""
    order = np.argsort(person, kind='stable')
    _, first, count = np.unique(person[order], return_index=True, return_counts=True)
    first = first[count > 1]
    return np.stack([order[first], order[first + 1]], axis=1)


def measured_joint(layers: LastLayers, people: FaceReadings) -> np.ndarray:
    """Return who it is by measured depth jointly, (N, J), by fit and linear layers."""
    dimensions = len(layers.joint_estimated.bias)
    whole = np.concatenate([layers.reading[1:], layers.evidence])[:, -dimensions:]
    told: np.ndarray = inputs_of(people) @ whole + layers.reading[0, -dimensions:]
    return told


def loss_of(added: nn.Module, some: Pairs, scale: float) -> torch.Tensor:
    """Return how badly photos find the other one of their person among some, and its answer."""
    told = functional.normalize(some.linear + added(some.inputs), dim=2)
    losses = []
    for one, other in ((0, 1), (1, 0)):
        cosines = told[:, one] @ told[:, other].T
        losses.append(functional.cross_entropy(scale * cosines, torch.arange(len(told))))
        known = torch.nonzero(some.answers[:, other].square().sum(dim=1) > 0.5)[:, 0]
        if len(known):
            cosines = told[known, one] @ some.answers[known, other].T
            losses.append(functional.cross_entropy(scale * cosines, torch.arange(len(known))))
    return torch.stack(losses).mean()


@torch.no_grad()
def judge(added: nn.Module, judged: Pairs) -> float:
    """Return the percentage of first photos most like the second of their person."""
    told = functional.normalize(judged.linear + added.eval()(judged.inputs), dim=2)
    right = (told[:, 0] @ told[:, 1].T).argmax(dim=1) == torch.arange(len(told))
    return round(100.0 * float(right.float().mean()), 2)


if __name__ == '__main__':
    main()
