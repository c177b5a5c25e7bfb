# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Train the disentangled face shape network on rendered people.

    python -m face_depth_ros.training.train_face_shape --assets DIR
    python -m face_depth_ros.training.train_face_shape --assets DIR --compare 1

Three phases, after the paper (networks/face_shape.py), `--phase-minutes` each:

I.   the encoder alone learns the coefficients of the morphable head, by their Euclidean distance;
     a coefficient weighs what its mode moves the face; in the end its last layer is solved for in
     closed form (training/code_regression.py);
II.  each decoder alone learns the shapes that its codes make, by their Euclidean distance;
III. all together: lambda_R times the error in shape, plus the softmax loss over the people on
     c_Id (cosines to the classes, times `scale`). The error in shape is that of the whole and, of
     `identity_weight`, that of the identity shape (training/shape_targets.py).

Left open by the paper and chosen: lambda_R = 1 per mm^2 (4 in small batches), Adam, half a
cosine a phase, classes begin at the mean c_Id of their people. Without disentangling one code
learns the principal components of whole shapes (phase I), one decoder makes them (II), the whole
alone is compared (III). `--compare 1` trains what the ablation needs: with all, without the
identification loss (which shares the first two phases) and without either. The networks after
phase II are kept too: the poster's table probably compares them with the one after phase III.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, replace
import json
import logging
import math
from pathlib import Path
import time
from typing import Any, NamedTuple

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.networks.face_shape import (
    build_face_shape,
    FaceShapeConfig,
    FaceShapeNetwork,
    FaceShapes,
)
from face_depth_ros.synthesis.assets import find_assets
from face_depth_ros.synthesis.face_mesh import VERTICES
from face_depth_ros.synthesis.identity_photos import IdentityPhotographer, TRAINING, TURNED
from face_depth_ros.synthesis.morphable_head import MorphableHead
from face_depth_ros.training.code_regression import solve_last_layer
from face_depth_ros.training.export import current_commit
from face_depth_ros.training.face_shape_start import begin_with
from face_depth_ros.training.identity_bank import (
    BankBuilder,
    IdentityBank,
    on_device,
    read_bank,
    without_depth,
)
from face_depth_ros.training.recognition_losses import ArcFaceHead
from face_depth_ros.training.run import (
    hardware_of,
    open_fabric,
    parse_settings,
    Run,
    RunSettings,
    TrainingState,
    update_average,
    write_checkpoint,
)
from face_depth_ros.training.shape_batches import inputs_of, joined, vary
from face_depth_ros.training.shape_scoring import mean_codes, validate
from face_depth_ros.training.shape_targets import (
    shape_error,
    shape_modes,
    ShapeModes,
    whole_modes,
)
from lightning.fabric import Fabric
import torch
from torch import nn
from torch.nn import functional

LOG = logging.getLogger('train_face_shape')
_SYNC_STEPS = 20
_DECODER_BATCH, _DECODER_RATE, _DECODER_STEPS = 1024, 0.3, 60
_ANALYSED = 20_000
"""Photos whose whole shapes give the principal components."""


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a training run. `max_steps` is a budget of each phase; `max_minutes` unused.

    :param initial: whose encoder to begin with: a checkpoint (.pt) of any variant, or a shipped
        model; of phase I only the closed last layer is left then; '' = random weights
    :param bank: folder of render_identity_bank (`--learns shape`) to train on besides what is
        rendered; '' = none
    :param people: of the train split, `images` photos of each, within `render_minutes`; 0 with a
        bank = none
    :param validation_people: of the validation split, four photos of each
    :param batch: photos of a step and process
    :param vertices: of the shape
    :param phase_minutes: of the phases I, II, III, with commas between
    :param disentangle: 1, or 0 for one code and one decoder
    :param identification: 1, or 0 for no softmax loss
    :param compare: 1 trains all of the ablation, whatever the two above say
    :param lambda_r: of the error in shape, per mm^2
    :param identity_weight: of the identity shape's error beside the whole shape's
    :param scale: of the cosines in the softmax loss
    :param last_rate: learning rate of the fully connected layers, as a share: they sum over many
        inputs
    :param joint_rate: learning rate of phase III, as a share of that of phase I
    :param joint_statistics: 1 = normalisation goes on measuring in phase III; 0 = it stays as it
        was, which small batches need
    """

    run: str = 'runs/face_shape'
    initial: str = ''
    bank: str = ''
    people: int = 10_000
    images: int = 25
    render_minutes: float = 30.0
    validation_people: int = 256
    batch: int = 512
    vertices: int = VERTICES
    phase_minutes: str = '30,1,40'
    disentangle: int = 1
    identification: int = 1
    compare: int = 0
    lambda_r: float = 1.0
    identity_weight: float = 0.5
    scale: float = 24.0
    last_rate: float = 0.03
    joint_rate: float = 0.5
    joint_statistics: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup_steps: int = 100
    ema_decay: float = 0.99

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems() + self.below(
            ('images', 'render_minutes', 'validation_people', 'batch', 'vertices',
             'scale', 'lambda_r', 'joint_rate'), zero_allowed=False)
        found += self.below(('people',), zero_allowed=bool(self.bank))
        found += self.below(('identity_weight', 'last_rate'), zero_allowed=True)
        for name in ('disentangle', 'identification', 'compare', 'joint_statistics'):
            if getattr(self, name) not in (0, 1):
                found.append(f'{name} is {getattr(self, name)}, expected 0 or 1')
        try:
            minutes = self.minutes_of_phases()
        except ValueError:
            minutes = ()
        if len(minutes) != 3 or not all(math.isfinite(m) and m > 0.0 for m in minutes):
            found.append(f'phase_minutes is {self.phase_minutes!r}, expected three numbers above '
                         'zero such as 30,1,40')
        return found

    def minutes_of_phases(self) -> tuple[float, ...]:
        """Return the minutes of the three phases."""
        return tuple(float(part) for part in self.phase_minutes.split(','))

    @property
    def variant(self) -> str:
        """Return the name of what is trained; a file is called so."""
        names = {(1, 1): 'joint', (1, 0): 'no_identification', (0, 0): 'no_disentangling',
                 (0, 1): 'no_disentangling_but_identification'}
        return names[self.disentangle, self.identification]

    @property
    def pretrained(self) -> str:
        """Return the name of what phase III begins with."""
        return 'phase_2' if self.disentangle else 'phase_2_no_disentangling'


ABLATION = ((1, 1), (1, 0), (0, 0))
"""Disentangling and identification of the paper's ablation."""


class Pretrained(NamedTuple):
    """
    What phase III begins with.

    :param codes: (N, K), what the encoder tells of the bank
    :param times: seconds of the phases, and steps of phase I
    """

    network: FaceShapeNetwork
    codes: torch.Tensor
    times: dict[str, float]
    steps: int


class Lesson(nn.Module):
    """
    The network with the classes that its c_Id is told apart by, dropped at export.

    :param people: classes, 0 for none
    """

    def __init__(self, network: FaceShapeNetwork, people: int, scale: float) -> None:
        super().__init__()
        self.network, self.config = network, network.config
        self.classes = (ArcFaceHead(network.config.identity, people, 0.0, scale)
                        if people else None)

    def forward(self, color: torch.Tensor, mask: torch.Tensor,
                person: torch.Tensor) -> tuple[FaceShapes, torch.Tensor | None]:
        """
        Look at photos.

        :param color: (B, 3, 112, 112); mask: (B, 1, 112, 112); person: (B,)
        :returns: shapes; logits (B, P)
        """
        c_id, c_res = (code.float() for code in self.network.encoder(color, mask))
        with torch.autocast(color.device.type, enabled=False):
            shapes = self.network.decode(c_id, c_res)
        return shapes, None if self.classes is None else self.classes(c_id, person)


def main() -> None:
    """Render, train, judge, keep the checkpoints."""
    settings, resume = parse_settings(Settings, __doc__)
    if resume:
        raise SettingsError('--resume: the three phases are short and run in one go; start '
                            'without it')
    fabric = open_fabric(settings)
    bank, validation = render_banks(settings, fabric)
    train(bank, validation, settings, fabric)


def render_banks(settings: Settings, fabric: Fabric) -> tuple[IdentityBank, IdentityBank]:
    """Render the photos of training (other ones in each process) and of validation."""
    photographer = IdentityPhotographer(find_assets(settings.assets or None), fabric.device,
                                        settings.seed + fabric.global_rank)
    builder = BankBuilder(photographer, framed=False)
    size = 256 if fabric.device.type == 'cuda' else 16
    judged = photographer.people('validation', range(settings.validation_people))
    validation = builder.build(judged, 4, (TURNED,), size)
    kept = read_bank(Path(settings.bank), depth=False) if settings.bank else None
    if kept is not None and not settings.people:
        return on_device(kept, fabric.device), validation
    people = photographer.people('train', range(settings.people))
    # Turned faces are rarer in a bank for recognition than in what is judged.
    moment = TRAINING if kept is None else TURNED
    bank = builder.build(people, settings.images, (moment,), size, settings.render_minutes)
    return bank if kept is None else joined(without_depth(bank), kept), validation


def train(bank: IdentityBank, validation: IdentityBank, settings: Settings,
          fabric: Fabric) -> dict[str, dict[str, float]]:
    """
    Train what the settings name, each within its phases' minutes.

    :returns: name of the variant -> metrics; the checkpoints are `<run>/<variant>.pt`, and
        `<run>/<variant>_half.pt` with the weights alone in float16
    """
    head = MorphableHead(find_assets(settings.assets or None), fabric.device)
    modes = shape_modes(head, settings.vertices, fabric.device)
    flags = ABLATION if settings.compare else ((settings.disentangle, settings.identification),)
    results: dict[str, dict[str, float]] = {}
    begun: dict[int, Pretrained] = {}
    about = {'photos': len(bank), 'people': bank.people, 'hardware': hardware_of(fabric)}
    for disentangle, identification in flags:
        own = replace(settings, disentangle=disentangle, identification=identification, compare=0)
        if disentangle not in begun:
            first = begun[disentangle] = pretrain(own, fabric, bank, modes)
            results[own.pretrained] = validate(first.network, validation, modes)
            state = TrainingState(first.steps, samples=first.steps * own.batch * fabric.world_size,
                                  commit=current_commit())
            if fabric.is_global_zero:
                save(own, own.pretrained, first.network, state, {
                    'metrics': results[own.pretrained], 'times': first.times, **about})
        run, times = train_jointly(own, fabric, bank, modes, begun[disentangle])
        results[own.variant] = validate(run.average.network, validation, modes)
        if fabric.is_global_zero:
            save(own, own.variant, run.average.network, run.state, {
                'metrics': results[own.variant], 'times': times, **about}, run)
    return results


def pretrain(settings: Settings, fabric: Fabric, bank: IdentityBank,
             modes: ShapeModes) -> Pretrained:
    """Run the phases I and II: encoder and decoders, apart from each other."""
    torch.manual_seed(settings.seed)
    sizes: dict[str, Any] = {} if settings.disentangle else {
        'identity': len(modes.identity) + len(modes.expression), 'residual': 0}
    network = build_face_shape(FaceShapeConfig(len(modes.mean), len(modes.mesh.triangles),
                                               **sizes)).to(fabric.device)
    network.set_mesh(modes.mean, torch.as_tensor(modes.mesh.triangles, device=fabric.device))
    minutes = settings.minutes_of_phases()
    started, steps = time.monotonic(), 0
    to_codes, shapes = code_targets(settings, bank, modes)
    if settings.initial:
        begin_with(network.encoder, settings.initial, bank)
    else:
        steps = train_encoder(settings, fabric, bank, network, to_codes,
                              shape_error(shapes.unflatten(1, (-1, 3)), modes.place))
    truth = torch.cat([bank.identity[bank.person], bank.expression], dim=1)
    codes = solve_last_layer(network.encoder, bank,
                             truth if to_codes is None else truth @ to_codes)
    middle = time.monotonic()
    train_decoders(settings, network, shapes, minutes[1])
    times = {'I': middle - started, 'II': time.monotonic() - middle, 'III': 0.0}
    return Pretrained(network, codes, {name: round(seconds, 1) for name, seconds in times.items()
                                       } | {'steps_I': steps, 'steps_III': 0}, steps)


def code_targets(settings: Settings, bank: IdentityBank,
                 modes: ShapeModes) -> tuple[torch.Tensor | None, torch.Tensor]:
    """
    Return what the codes are to be.

    :returns: matrix (157, K) from the coefficients to the codes, None for the coefficients
        themselves; what each code of one makes of the face (K, 3 V) cm
    """
    if settings.disentangle:
        return None, torch.cat([modes.identity, modes.expression])
    generator = torch.Generator(bank.person.device).manual_seed(settings.seed)
    rows = torch.randint(len(bank), (_ANALYSED,), generator=generator, device=bank.person.device)
    return whole_modes(modes, bank.identity[bank.person[rows]], bank.expression[rows])


def train_encoder(settings: Settings, fabric: Fabric, bank: IdentityBank,
                  network: FaceShapeNetwork, to_codes: torch.Tensor | None,
                  weights: torch.Tensor) -> int:
    """
    Phase I; the network's encoder becomes the average.

    :param to_codes: of `code_targets`
    :param weights: (K,) of the squared differences of the codes
    :returns: steps
    """
    average = deepcopy(network.encoder)
    own: Any = network.encoder
    own = own.to(memory_format=torch.channels_last)
    model, optimizer = fabric.setup(own, adam(own, settings))
    run = Run(model, average, optimizer)

    def loss_of(rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        truth = torch.cat([bank.identity[bank.person[rows]], bank.expression[rows]], dim=1)
        wanted = truth if to_codes is None else truth @ to_codes
        told = torch.cat(model(*vary(*inputs_of(bank, rows), generator)), dim=1).float()
        return ((told - wanted).square() @ weights).mean()

    run_phase(settings, fabric, bank, run, loss_of, settings.minutes_of_phases()[0])
    network.encoder.load_state_dict(average.state_dict())
    return run.state.step


def train_decoders(settings: Settings, network: FaceShapeNetwork, shapes: torch.Tensor,
                   minutes: float) -> None:
    """
    Phase II: each decoder alone, from normal codes and the shapes that these make.

    A linear layer and shapes without noise: gradient descent has it in some tens of steps.

    :param shapes: (K, 3 V) of `code_targets`
    """
    generator = torch.Generator(shapes.device).manual_seed(settings.seed)
    deadline = time.monotonic() + 60.0 * minutes
    parts = [(network.identity, shapes[:network.config.identity])]
    if network.residual is not None:
        parts.append((network.residual, shapes[network.config.identity:]))
    for decoder, wanted in parts:
        optimizer = torch.optim.SGD(decoder.parameters(), _DECODER_RATE)
        for _ in range(min(_DECODER_STEPS, settings.max_steps)):
            codes = torch.randn(_DECODER_BATCH, len(wanted), generator=generator,
                                device=shapes.device)
            loss = (decoder(codes) - codes @ wanted).square().sum() / (2 * _DECODER_BATCH)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if time.monotonic() > deadline:
                break


def train_jointly(settings: Settings, fabric: Fabric, bank: IdentityBank, modes: ShapeModes,
                  begun: Pretrained) -> tuple[Run[Lesson], dict[str, float]]:
    """Phase III on a copy of the pretrained network; return the run and each phase's seconds."""
    started = time.monotonic()
    lesson: Any = Lesson(deepcopy(begun.network), bank.people if settings.identification else 0,
                    settings.scale).to(fabric.device)
    if lesson.classes is not None:
        with torch.no_grad():
            own = begun.codes[:, :lesson.config.identity]
            lesson.classes.weight.copy_(mean_codes(own, bank))
    average = deepcopy(lesson)
    lesson = lesson.to(memory_format=torch.channels_last)
    model, optimizer = fabric.setup(lesson, adam(lesson, settings, settings.joint_rate))
    run = Run(model, average, optimizer)

    def loss_of(rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        person = bank.person[rows]
        told, logits = model(*vary(*inputs_of(bank, rows), generator), person)
        identity, residual = modes.differences(bank.identity[person], bank.expression[rows])
        neutral = modes.mean + identity
        error = shape_error(told.vertices - (neutral + residual), modes.place).mean()
        if settings.disentangle:
            error = error + settings.identity_weight * shape_error(
                told.identity_vertices - neutral, modes.place).mean()
        loss = settings.lambda_r * error
        return loss if logits is None else loss + functional.cross_entropy(logits, person)

    minutes = settings.minutes_of_phases()[2] - (time.monotonic() - started) / 60.0
    run_phase(settings, fabric, bank, run, loss_of, minutes, still=not settings.joint_statistics)
    return run, begun.times | {'III': round(time.monotonic() - started, 1),
                               'steps_III': run.state.step}


def run_phase(settings: Settings, fabric: Fabric, bank: IdentityBank, run: Run[Any],
              loss_of: Any, minutes: float, *, still: bool = False) -> None:
    """
    Take steps until the minutes or `max_steps` are used up.

    :param loss_of: takes the rows of a batch and a generator
    :param still: whether normalisation stays as it is
    """
    run.model.train()
    for layer in [m for m in run.model.modules() if isinstance(m, nn.BatchNorm2d) and still]:
        layer.eval()
    state, started = run.state, time.monotonic()
    rates = [group['lr'] for group in run.optimizer.param_groups]
    generator = torch.Generator(fabric.device)
    last = torch.zeros(())
    while state.step < settings.max_steps and state.minutes < minutes:
        generator.manual_seed(settings.seed + 1_000_003 * state.step + fabric.global_rank)
        for group, rate in zip(run.optimizer.param_groups, rates, strict=True):
            group['lr'] = rate * slowed(settings, state, minutes)
        rows = torch.randint(len(bank), (settings.batch,), generator=generator,
                             device=fabric.device)
        loss = loss_of(rows, generator)
        fabric.backward(loss)
        last = loss.detach()
        fabric.clip_gradients(run.model, run.optimizer, max_norm=20.0)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        state.step += 1
        state.samples += len(rows) * fabric.world_size
        if state.step % _SYNC_STEPS == 0:
            if fabric.device.type == 'cuda':
                torch.cuda.synchronize()
            if state.step % (50 * _SYNC_STEPS) == 0:
                LOG.info('step %d, %.2f min, loss %.4f', state.step, state.minutes, float(last))
        state.minutes = (time.monotonic() - started) / 60.0
    LOG.info('%d steps, %.2f min, last loss %.4f', state.step, state.minutes, float(last))


def slowed(settings: Settings, state: TrainingState, minutes: float) -> float:
    """Return the share of the learning rate: warm up, then half a cosine down to 1 %."""
    progress = min(1.0, max(state.minutes / minutes, state.step / settings.max_steps))
    warm = min(1.0, (state.step + 1) / settings.warmup_steps)
    return warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress)))


def adam(module: nn.Module, settings: Settings, share: float = 1.0) -> torch.optim.Optimizer:
    """
    Return Adam; weight decay on convolutions alone, fully connected layers learn slower.

    :param share: of the learning rate
    """
    last = [p for m in module.modules() if isinstance(m, nn.Linear) for p in m.parameters()]
    slow = {id(p) for p in last}
    rest = [p for p in module.parameters() if id(p) not in slow]
    rate = settings.learning_rate * share
    return torch.optim.AdamW([
        {'params': [p for p in rest if p.ndim == 4], 'weight_decay': settings.weight_decay},
        {'params': [p for p in rest if p.ndim != 4], 'weight_decay': 0.0},
        {'params': last, 'lr': rate * settings.last_rate, 'weight_decay': 0.0},
    ], lr=rate, fused=last[0].is_cuda)


def save(settings: Settings, name: str, network: FaceShapeNetwork, state: TrainingState,
         about: dict[str, Any], run: Run[Lesson] | None = None) -> None:
    """
    Write a checkpoint, and a small one with the weights alone in float16.

    :param name: of the files
    :param about: what else to keep
    :param run: with its optimiser, of a network after phase III
    """
    LOG.info('%s: %s %s', name, json.dumps(about['metrics']), json.dumps(about['times']))
    content = {'settings': asdict(settings), 'variant': name, 'config': asdict(network.config),
               'commit': state.commit, 'state': asdict(state), **about}
    folder = Path(settings.run)
    whole: dict[str, Any] = {} if run is None else {
        'model': run.model.state_dict(), 'optimizer': run.optimizer.state_dict()}
    write_checkpoint(folder / f'{name}.pt', {**content, 'average': network.state_dict(), **whole})
    small = {key: value.cpu().half() if value.is_floating_point() else value.cpu()
             for key, value in network.state_dict().items()}
    write_checkpoint(folder / f'{name}_half.pt', {**content, 'average': small})


if __name__ == '__main__':
    main()
