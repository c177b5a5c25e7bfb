# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Begin the mask-guided recogniser where a compact student stands, instead of at random.

    python -m face_depth_ros.training.widen_recognizer models/face_recognizer.yaml \
        runs/widened/small.pt --bank runs/identity_bank
    python -m face_depth_ros.training.train_face_recognizer --network mask_guided \
        --initial runs/widened/small.pt --bank runs/identity_bank --learning-rate 0.01

Source: Chen, Goodfellow, Shlens, "Net2Net", ICLR 2016: a wider layer holds each channel of the
narrower one several times, and what reads them divides by how often; a deeper network has blocks
that change nothing. The wider network answers as the narrower one then, but for a little noise
that lets copies part. For machines that cannot show a network of this size millions of photos.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
import logging
import math
from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import ModelSpec
from face_depth_ros.networks.mask_guided_recognizer import (
    build_mask_guided_recognizer,
    MaskGuidedRecognizer,
    MaskGuidedRecognizerConfig,
)
from face_depth_ros.training.export import current_commit
from face_depth_ros.training.face_readings import open_student
from face_depth_ros.training.folding import folded, unfold
from face_depth_ros.training.identity_bank import batch_of, IdentityBank, read_bank
from face_depth_ros.training.low_rank_steps import whole_step
from face_depth_ros.training.run import TrainingState, write_checkpoint
import torch
from torch import nn

LOG = logging.getLogger('widen_recognizer')
_GATE = 2.0
"""What squeeze-and-excitation begins with before its sigmoid: as far from 1 as learns well."""
_NOISE = 0.01
"""Share by which weights change."""
_SEEN = 256


def main(arguments: list[str] | None = None) -> None:
    """Widen from the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('spec', type=Path, help='of a student')
    parser.add_argument('out', type=Path, help='checkpoint to write')
    parser.add_argument('--bank', type=Path, default=Path('runs/identity_bank'),
                        help='photos by which normalisation is set')
    parser.add_argument('--seed', type=int, default=20261130)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    torch.manual_seed(options.seed)
    spec, bank = ModelSpec.load(options.spec), read_bank(options.bank)
    network = widened(open_student(spec), bank, torch.randperm(len(bank))[:_SEEN])
    save(options.out, network, spec)
    LOG.info('%s: %s, %.1f M parameters', options.out, network.config,
             sum(p.numel() for p in network.parameters()) / 1e6)


def save(path: Path, network: MaskGuidedRecognizer, spec: ModelSpec) -> None:
    """Write a checkpoint that `train_face_recognizer --initial` takes."""
    write_checkpoint(path, {
        'average': {f'recognizer.{name}': value for name, value in network.state_dict().items()},
        'state': asdict(TrainingState()), 'config': asdict(network.config), 'metrics': {},
        'settings': {'network': 'mask_guided', 'initial': spec.name}, 'commit': current_commit(),
        'began': spec.trained})


@torch.no_grad()
def widened(student: Any, bank: IdentityBank, rows: torch.Tensor,
            config: MaskGuidedRecognizerConfig | None = None,
            noise: float = _NOISE) -> MaskGuidedRecognizer:
    """
    Return a mask-guided recogniser that describes photos as a student does.

    :param student: folded, see `open_student`
    :param bank, rows: photos by which normalisation is set
    :param noise: share by which weights change at random
    :raises SettingsError: the layout has no place for that of the student
    """
    network = build_mask_guided_recognizer(config)
    check_room(network.config, student.config)
    plain: Any = folded(network)
    idle: list[str] = []
    for branch in ('color', 'depth'):
        fill_branch(getattr(plain, branch), getattr(student, branch))
        fill_embedding(getattr(plain, f'embed_{branch}'), getattr(student, branch))
    fill_mask(plain.mask, student.mask)
    plain.attention.load_state_dict(student.attention.state_dict())
    for name, layer in plain.named_modules():
        if isinstance(layer, nn.Conv2d) and not bool(layer.weight.any()) and '.excite' not in name:
            idle.append(name)
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            add_noise(layer.weight, noise)
    measured = torch.arange(len(rows)) % 2 == 0
    unfold(network, plain, lambda n: n(*batch_of(bank, rows, measured)))
    for name in idle:
        pair: Any = network.get_submodule(name)
        nn.init.kaiming_normal_(pair[0].weight, mode='fan_out')
        nn.init.zeros_(pair[1].weight)
        nn.init.zeros_(pair[1].bias)
    return network


def check_room(config: MaskGuidedRecognizerConfig, student: Any) -> None:
    """
    See whether a student fits.

    :raises SettingsError: it does not
    """
    blocks = tuple(count + (stage > 0) for stage, count in enumerate(student.blocks))
    mask_blocks = (1,) * len(student.mask_widths)
    if (config.blocks, config.mask_blocks) != (blocks, mask_blocks):
        raise SettingsError(f'a network of blocks {config.blocks} and {config.mask_blocks} for '
                            f'the mask has no place for a student of blocks {student.blocks}; it '
                            f'needs {blocks} and {mask_blocks}')


def fill_branch(wide: Any, narrow: Any) -> None:
    """Let a branch see what a compact one sees."""
    widen(wide.stem[0], blocks_as_pixels(narrow.stem.weight), narrow.stem.bias, image=True)
    fill_block(wide.stages[0][0], narrow.stages[0][0])
    for number, down in enumerate(narrow.down, 1):
        fill_down(wide.stages[number][0], down)
        for own, other in zip(wide.stages[number][1:], narrow.stages[number], strict=True):
            fill_block(own, other)


def fill_mask(wide: Any, narrow: Any) -> None:
    """Let the mask branch see what three convolutions see."""
    widen(wide.stem[0], blocks_as_pixels(narrow[0].weight), narrow[0].bias, image=True)
    rest(wide.stages[0][0], wide.stages[0][0].second)
    for stage, down in zip(wide.stages[1:], narrow[1:], strict=True):
        fill_down(stage[0], down)


def fill_block(wide: Any, narrow: Any) -> None:
    """Let a block do what a compact one does."""
    widen(wide.first, narrow.first.weight, narrow.first.bias)
    widen(wide.second, narrow.second.weight, narrow.second.bias)
    rest(wide)
    passed(wide)


def fill_down(wide: Any, narrow: Any) -> None:
    """Let a block do what one convolution of stride 2 does: the second one passes it on."""
    weight, bias = whole_step(narrow)
    widen(wide.first, weight, bias)
    width = len(weight)
    one = torch.zeros(width, width, 3, 3)
    one[range(width), range(width), 1, 1] = 1.0
    widen(wide.second, one, torch.zeros(width))
    rest(wide, wide.skip)
    passed(wide)


def rest(block: Any, *idle: Any) -> None:
    """Let squeeze-and-excitation weigh all alike, and some layers say nothing."""
    nn.init.zeros_(block.excitation.excite.weight)
    nn.init.constant_(block.excitation.excite.bias, _GATE)
    for layer in idle:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def passed(block: Any) -> None:
    """Undo what the resting squeeze-and-excitation takes away."""
    gate = 1.0 / (1.0 + math.exp(-_GATE))
    block.second.weight /= gate
    block.second.bias /= gate


def fill_embedding(wide: Any, narrow: Any) -> None:
    """Let the last layer say what places and last layer of a compact branch say; cosines stay."""
    places, linear = narrow.places, narrow.linear
    dimensions, channels = linear.out_features, places.groups
    each = places.out_channels // channels
    whole = torch.einsum('ecm,cmyx->ecyx', linear.weight.view(dimensions, channels, each),
                         places.weight.view(channels, each, *places.weight.shape[2:]))
    bias = linear.bias + linear.weight @ places.bias
    width = wide.linear.in_features // whole[0, 0].numel()
    out = copies(dimensions, wide.linear.out_features)
    length = torch.bincount(out).float()[out].rsqrt()
    weight = read_copies(whole[out], width)
    wide.linear.weight.copy_(weight.flatten(1) * length[:, None])
    wide.linear.bias.copy_(bias[out] * length)


def widen(layer: Any, weight: torch.Tensor, bias: torch.Tensor, *, image: bool = False) -> None:
    """
    Set a wider convolution.

    :param weight: (O, I, K, K) of the narrower one
    :param image: whether it reads the image, of whose channels there are no copies
    """
    out = copies(len(weight), layer.out_channels)
    new = weight[out]
    layer.weight.copy_(new if image else read_copies(new, layer.in_channels))
    layer.bias.copy_(bias[out])


def read_copies(weight: torch.Tensor, wide: int) -> torch.Tensor:
    """Return weights (O, I, K, K) for inputs of which there are copies now, (O, W, K, K)."""
    columns = copies(weight.shape[1], wide)
    return weight[:, columns] / torch.bincount(columns)[columns][:, None, None]


def copies(narrow: int, wide: int) -> torch.Tensor:
    """
    Return of which narrow channel each wide one is a copy, (W,).

    :raises SettingsError: there are not enough
    """
    if wide < narrow:
        raise SettingsError(f'{wide} channels have no place for the {narrow} of the student; give '
                            'the network wider layers')
    return torch.arange(wide) % narrow


def blocks_as_pixels(weight: torch.Tensor) -> torch.Tensor:
    """
    Return a kernel on blocks of 2 x 2 pixels as one of stride 2 on pixels.

    :param weight: (O, 4 C, 3, 3), channels as `pixel_unshuffle` orders them
    :returns: (O, C, 7, 7)
    """
    outputs, channels = len(weight), weight.shape[1] // 4
    parts = weight.view(outputs, channels, 2, 2, 3, 3).permute(0, 1, 4, 2, 5, 3)
    kernel = weight.new_zeros(outputs, channels, 7, 7)
    kernel[:, :, 1:, 1:] = parts.reshape(outputs, channels, 6, 6)
    return kernel


def add_noise(weight: torch.Tensor, noise: float) -> None:
    """Let copies differ a little, in place; what is zero stays so."""
    weight *= 1.0 + noise * torch.randn_like(weight)


if __name__ == '__main__':
    main()
