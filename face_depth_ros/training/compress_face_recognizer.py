# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Make a branch of a shipped face recogniser cheaper, and teach it to tell what it told before.

    python -m face_depth_ros.training.render_identity_bank --learns last_layers \
        --people 20000 --images 2 --size 128 --out runs/last_layers_bank
    python -m face_depth_ros.training.compress_face_recognizer --branch color \
        --inner 16,16,16,24,16,16,40 --run runs/compressed_color --max-minutes 40
    python -m face_depth_ros.training.compress_face_recognizer --branch depth \
        --inner 8,8,8,16,8,8,40 --run runs/compressed_depth --max-minutes 40
    python -m face_depth_ros.training.export_compressed_recognizer \
        models/face_recognizer.yaml OUT runs/compressed_color/last.pt runs/compressed_depth/last.pt

Residual blocks lose inner channels in closed form (training/channel_pruning.py), from the first
block to the last; then steps down are parted in halves (training/low_rank_steps.py), if `ranks`
says so. Then the branch learns, by AdamW and half a cosine, to tell of varied photos
(light, place, erased parts) what the whole branch tells of them as they were taken: its vectors
and what the last layers make of them, each of variance 1. Mask branch and attention stay as they
are, so the branches can be compressed apart, one a core. What has been compressed already can go
on with a `teacher` from before. A small branch cannot tell all that the whole one tells; it is
taught what matters by `shared`, the mean over a person's photos instead of each photo's own, and
by a smaller weight of the `vectors` beside what the last layers make of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
import logging
from pathlib import Path
import time
from typing import Any, NamedTuple

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import find_model, ModelSpec
from face_depth_ros.networks.mask_guided_recognizer import face_only
from face_depth_ros.training.channel_pruning import (
    average,
    InnerProducts,
    keep_channels,
    removal_order,
)
from face_depth_ros.training.face_readings import open_student
from face_depth_ros.training.folding import stored_tensors
from face_depth_ros.training.identity_bank import batch_of, IdentityBank, read_bank
from face_depth_ros.training.low_rank_steps import halves
from face_depth_ros.training.photo_variations import erased, shifted, varied_color
from face_depth_ros.training.run import (
    fresh_run,
    is_over,
    learning_rate,
    load_checkpoint,
    open_fabric,
    parse_settings,
    Run,
    RunSettings,
    save_checkpoint,
    update_average,
)
from face_depth_ros.training.solve_last_layers import person_means
from lightning.fabric import Fabric
import numpy as np
import torch
from torch import nn

LOG = logging.getLogger('compress_face_recognizer')
BRANCHES = ('color', 'depth')
_SHIFT_PX = 2
_PRUNED_BATCH, _TAUGHT_BATCH = 32, 64
_HELD_OUT = 25
"""Each so many-th person is not learned from."""
_JUDGED = 1000
_LEAST_SPREAD = 1e-4


@dataclass(frozen=True)
class Settings(RunSettings):
    """
    All that decides a run.

    :param branch: color or depth
    :param initial: name or path of the ModelSpec whose branch is compressed
    :param bank: folder of render_identity_bank
    :param inner: channels that the residual blocks keep, in order, with commas between, at most as
        many as they have
    :param ranks: channels between the halves of the steps down; empty = they stay as they are
    :param teacher: name or path of the ModelSpec whose branch teaches; empty = that of `initial`
    :param shared: share of the mean over a person's photos in what is taught
    :param vectors: what errors of vectors count, beside those of what last layers make of them
    :param pruned_by: photos by which channels are judged
    :param batch: photos of a step
    :param measured: share of photos with a sensor's relief, for the branch of depth
    """

    run: str = 'runs/compressed_color'
    branch: str = 'color'
    initial: str = 'face_recognizer'
    bank: str = 'runs/last_layers_bank'
    inner: str = '16,16,16,24,16,16,40'
    ranks: str = ''
    teacher: str = ''
    shared: float = 0.0
    vectors: float = 1.0
    pruned_by: int = 192
    batch: int = 32
    measured: float = 0.6
    learning_rate: float = 3e-4
    warmup_steps: int = 50
    ema_decay: float = 0.995
    steps_per_epoch: int = 200

    def problems(self) -> list[str]:
        """Return all that is wrong."""
        found = super().problems() + self.below(('pruned_by', 'batch'), zero_allowed=False)
        found += self.unlike('branch', BRANCHES)
        found += [f'{name} is {getattr(self, name)}, expected 0 to 1'
                  for name in ('measured', 'shared', 'vectors')
                  if not 0.0 <= getattr(self, name) <= 1.0]
        if not _numbers(self.inner):
            found.append(f'inner is {self.inner!r}, expected numbers above zero such as 16,24,24')
        if self.ranks and not _numbers(self.ranks):
            found.append(f'ranks is {self.ranks!r}, expected nothing, or numbers above zero such '
                         'as 24,40,56')
        return found


def _numbers(text: str) -> tuple[int, ...]:
    """Return what stands between commas, nothing where that is not all numbers above zero."""
    parts = text.split(',')
    good = all(part.strip().isdecimal() and int(part) > 0 for part in parts)
    return tuple(int(part) for part in parts) if good else ()


class Branch(nn.Module):
    """
    A branch with the mask branch and the attention that lead it, all folded.

    :param network: the student, of which it takes the parts
    """

    def __init__(self, network: Any, branch: str) -> None:
        super().__init__()
        self.network: Any = network
        self.branch = branch

    @property
    def trunk(self) -> Any:
        """The branch itself."""
        return getattr(self.network, self.branch)

    @property
    def config(self) -> Any:
        """The layout of the network."""
        return self.network.config

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Return what the branch tells before its last layer, (B, 2 C).

        :param image: (B, 3 or 1, 112, 112) as `see` returns it; mask: (B, 1, 112, 112) labels
        """
        with torch.no_grad():
            maps = self.network.attention_maps(mask)
        told: torch.Tensor = self.trunk.weigh(image, maps)
        return told

    def see(self, color: torch.Tensor, depth: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the image that the branch looks at, of `batch_of`."""
        seen = face_only(color, depth, mask)[BRANCHES.index(self.branch)]
        return seen.contiguous(memory_format=torch.channels_last)


class Taught(NamedTuple):
    """
    What the whole branch tells of a bank.

    :param vectors: (N, D, 2 C), for the branch of depth of estimated and of measured depth (D = 2)
    :param middle, spread: (2 C,) of the vectors
    :param layers: (2 C, O), the last layers, each output of variance 1
    """

    vectors: torch.Tensor
    middle: torch.Tensor
    spread: torch.Tensor
    layers: torch.Tensor

    def wanted(self, rows: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
        """Return the vectors (B, 2 C) of photos."""
        return self.vectors[rows, measured.long() * (self.vectors.shape[1] - 1)]

    def apart(self, told: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean squared errors of vectors and of outputs, in variances."""
        error = told.float() - wanted
        return ((error / self.spread).square().mean(), (error @ self.layers).square().mean())


def main() -> None:
    """Prune, teach, keep the newest checkpoint after each epoch."""
    settings, resume = parse_settings(Settings, __doc__)
    fabric = open_fabric(settings)
    if fabric.device.type != 'cpu':
        raise SettingsError(f'this script trains on a CPU, got {fabric.device}; run '
                            'it with CUDA_VISIBLE_DEVICES= (empty)')
    bank = read_bank(Path(settings.bank))
    compress(settings, fabric, bank, resume=resume)


def compress(settings: Settings, fabric: Fabric, bank: IdentityBank, *,
             resume: bool = False) -> dict[str, float]:
    """Compress a branch until the budget is used up; return the last metrics."""
    torch.manual_seed(settings.seed)
    spec = find_model(settings.initial)
    whole = Branch(open_student(spec), settings.branch)
    teacher = whole if not settings.teacher else Branch(
        open_student(find_model(settings.teacher)), settings.branch)
    taught = teach(teacher, bank, last_layers(spec, settings.branch), settings.shared)
    held = bank.person % _HELD_OUT == 0
    learned, judged = (torch.nonzero(part)[:, 0] for part in (~held, held))
    judged = judged[:_JUDGED]
    pruned = part_steps(prune(whole, settings, bank, learned), settings, bank, learned)

    def optimizer_of(network: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.trunk.parameters(), settings.learning_rate,
                                 weight_decay=settings.weight_decay)

    run = fresh_run(lambda: deepcopy(pruned), optimizer_of, settings, fabric)
    metrics = judge(run.average, bank, judged, taught)
    LOG.info('pruned: %s', metrics)
    if resume:
        load_checkpoint(Path(settings.run) / 'last.pt', run)
    while not is_over(settings, run.state):
        loss = train_one_epoch(settings, fabric, run, bank, learned, taught)
        metrics = judge(run.average, bank, judged, taught)
        LOG.info('step %d, %.1f min, loss %.4f, %s', run.state.step, run.state.minutes, loss,
                 metrics)
        save_checkpoint(Path(settings.run) / 'last.pt', settings, run, metrics)
    return metrics


def last_layers(spec: ModelSpec, branch: str) -> torch.Tensor:
    """Return what is linear in the vectors of a branch, (2 C, O)."""
    stored = stored_tensors(spec)
    own = stored[f'{branch}.linear.weight']
    layers = [own.reshape(own.shape[0], -1)]
    for name in ('evidence.weight', 'joint.weight'):
        if name in stored:
            halves = stored[name].split(own.shape[1], dim=1)
            layers.append(halves[BRANCHES.index(branch)])
    return torch.cat(layers).T


@torch.no_grad()
def teach(whole: Branch, bank: IdentityBank, layers: torch.Tensor,
          shared: float = 0.0) -> Taught:
    """
    Return what a branch tells of every photo as it was taken.

    :param shared: share of the mean over the person's photos
    """
    kinds = (False, True) if whole.branch == 'depth' else (False,)
    parts = []
    for rows in torch.arange(len(bank)).split(_TAUGHT_BATCH):
        said = []
        for measured in kinds:
            inputs = batch_of(bank, rows, torch.full((len(rows),), measured))
            said.append(whole(whole.see(*inputs), inputs[2]))
        parts.append(torch.stack(said, dim=1))
    vectors = torch.cat(parts)
    person = bank.person.numpy()
    means = person_means(vectors.flatten(1).numpy(), person)(person)
    vectors = torch.lerp(vectors, torch.from_numpy(means).to(vectors).view_as(vectors), shared)
    flat = vectors.flatten(0, 1)
    outputs = flat @ layers
    return Taught(vectors, flat.mean(dim=0), flat.std(dim=0) + _LEAST_SPREAD,
                  layers / (outputs.std(dim=0) + _LEAST_SPREAD))


@torch.no_grad()
def prune(whole: Branch, settings: Settings, bank: IdentityBank, rows: torch.Tensor) -> Branch:
    """
    Return the branch with fewer inner channels.

    :raises SettingsError: `inner` does not suit the branch
    """
    pruned = deepcopy(whole)
    blocks = [block for stage in pruned.trunk.stages for block in stage]
    widths = _numbers(settings.inner)
    known = tuple(block.first.out_channels for block in blocks)
    if len(widths) != len(blocks) or any(w > k for w, k in zip(widths, known, strict=False)):
        raise SettingsError(f'inner is {settings.inner!r}; the branch has {len(known)} blocks, '
                            f'which can keep at most {", ".join(map(str, known))}')
    chosen = rows[torch.randperm(len(rows))[:settings.pruned_by]]
    for block, width, before in zip(blocks, widths, known, strict=True):
        if width == before:
            continue
        products = average([InnerProducts.of(maps) for maps in maps_at(
            pruned, block.second, bank, chosen, settings.measured)])
        order, weight, bias = removal_order(block.second.weight, block.second.bias, products,
                                            width)
        keep_channels(block, sorted(set(range(before)) - set(order)), weight, bias)
    layout: dict[str, Any] = {f'inner_{whole.branch}': widths}
    pruned.network.config = replace(pruned.config, **layout)
    return pruned


@torch.no_grad()
def part_steps(branch: Branch, settings: Settings, bank: IdentityBank,
               rows: torch.Tensor) -> Branch:
    """
    Return the branch with its steps down in two halves, the branch itself without `ranks`.

    :raises SettingsError: `ranks` does not suit the branch
    """
    ranks = _numbers(settings.ranks)
    if not ranks:
        return branch
    parted = deepcopy(branch)
    steps = list(parted.trunk.down)
    known = [(step if isinstance(step, nn.Conv2d) else step[0]).out_channels for step in steps]
    if len(ranks) != len(known) or any(r > k for r, k in zip(ranks, known, strict=False)):
        raise SettingsError(f'ranks is {settings.ranks!r}; the branch has {len(known)} steps down '
                            f'with at most {", ".join(map(str, known))} channels')
    chosen = rows[torch.randperm(len(rows))[:settings.pruned_by]]
    for index, (step, rank) in enumerate(zip(steps, ranks, strict=True)):
        answers = [step(maps) for maps in maps_at(parted, step, bank, chosen, settings.measured)]
        parted.trunk.down[index] = halves(step, answers, rank)
    layout: dict[str, Any] = {f'ranks_{branch.branch}': ranks}
    parted.network.config = replace(parted.config, **layout)
    return parted


def maps_at(branch: Branch, layer: nn.Module, bank: IdentityBank, rows: torch.Tensor,
            measured: float) -> Iterator[torch.Tensor]:
    """Yield what a layer gets to see, (B, I, H, W)."""
    caught: list[torch.Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    try:
        for some in rows.split(_PRUNED_BATCH):
            inputs = batch_of(bank, some, torch.rand(len(some)) < measured)
            branch(branch.see(*inputs), inputs[2])
            yield caught.pop()
    finally:
        hook.remove()


def train_one_epoch(settings: Settings, fabric: Fabric, run: Run[Branch], bank: IdentityBank,
                    learned: torch.Tensor, taught: Taught) -> float:
    """Run up to `steps_per_epoch` steps; return the mean loss."""
    state, total, steps = run.state, 0.0, 0
    generator = torch.Generator()
    run.model.train()
    while steps < settings.steps_per_epoch and not is_over(settings, state):
        started = time.process_time()
        generator.manual_seed(settings.seed + 1_000_003 * state.step)
        rows = learned[torch.randint(len(learned), (settings.batch,), generator=generator)]
        measured = torch.rand(len(rows), generator=generator) < settings.measured
        color, depth, mask = batch_of(bank, rows, measured)
        if settings.branch == 'color':
            color = varied_color(color, generator)
        shift = [int(v) for v in np.random.default_rng((settings.seed, state.step)).integers(
            -_SHIFT_PX, _SHIFT_PX + 1, 2)]
        inputs = shifted((color, depth, erased(mask, generator)), shift)
        for group in run.optimizer.param_groups:
            group['lr'] = learning_rate(settings, state)
        told = run.model(run.average.see(*inputs), inputs[2])
        vectors, outputs = taught.apart(told, taught.wanted(rows, measured))
        loss = settings.vectors * vectors + outputs
        fabric.backward(loss)
        fabric.clip_gradients(run.model, run.optimizer, max_norm=5.0)
        run.optimizer.step()
        run.optimizer.zero_grad()
        update_average(run, settings.ema_decay)
        total += float(loss.detach())
        steps += 1
        state.step += 1
        state.samples += len(rows)
        state.minutes += (time.process_time() - started) / 60.0
    return total / max(steps, 1)


@torch.no_grad()
def judge(branch: Branch, bank: IdentityBank, rows: torch.Tensor,
          taught: Taught) -> dict[str, float]:
    """
    Return how a branch does on photos as they were taken.

    :returns: errors of vectors and outputs, in variances; rank_1, the percentage of photos whose
        embedding is most like that of another photo of the same person, of people with several
    """
    branch.eval()
    errors, embeddings = [], []
    for some in rows.split(_TAUGHT_BATCH):
        measured = bank.person[some] // _HELD_OUT % 2 == 0  # the same in all photos of a person
        inputs = batch_of(bank, some, measured)
        told = branch(branch.see(*inputs), inputs[2])
        errors.append(torch.stack(taught.apart(told, taught.wanted(some, measured))))
        embeddings.append(nn.functional.normalize(branch.trunk.linear(told.float()), dim=1))
    vectors, outputs = torch.stack(errors).mean(dim=0)
    return {'vectors': round(float(vectors), 5), 'outputs': round(float(outputs), 5),
            'rank_1': round(rank_1(torch.cat(embeddings), bank.person[rows]), 2)}


def rank_1(embeddings: torch.Tensor, person: torch.Tensor) -> float:
    """Return `judge`'s rank_1 of embeddings (N, D) of length 1; NaN if no one is there twice."""
    cosines = (embeddings @ embeddings.T).fill_diagonal_(-2.0)
    same = person[:, None] == person
    several = same.sum(dim=1) > 1
    right = person[cosines.argmax(dim=1)] == person
    return 100.0 * float(right[several].float().mean())


if __name__ == '__main__':
    main()
