# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The encoder that a face shape network begins its training with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.training.folding import folded, load_in_order, unfold
from face_depth_ros.training.identity_bank import IdentityBank
from face_depth_ros.training.run import load_average
from face_depth_ros.training.shape_batches import inputs_of
import torch

_MEASURED_BY = 256
"""Photos that tell what normalisation has to expect."""


def begin_with(encoder: Any, initial: str, bank: IdentityBank) -> None:
    """
    Take another encoder's weights but its last layer.

    :param encoder: FaceShapeEncoder
    :param initial: a checkpoint (.pt) of train_face_shape, or name or path of a ModelSpec
    :param bank: photos of the training to come
    :raises SettingsError: there is no such checkpoint or model, or it is of another network
    """
    if initial.endswith('.pt'):
        _take_checkpoint(encoder, Path(initial))
    else:
        shipped: Any = folded(encoder)
        load_in_order(shipped, find_model(initial))
        rows = torch.arange(0, len(bank), max(1, len(bank) // _MEASURED_BY),
                            device=bank.person.device)
        unfold(encoder, shipped, lambda network: network(*inputs_of(bank, rows)))
    encoder.to(memory_format=torch.channels_last)


def _take_checkpoint(encoder: Any, path: Path) -> None:
    kept = {name.removeprefix('encoder.'): value for name, value in load_average(path).items()
            if name.startswith('encoder.') and not name.startswith('encoder.codes.')}
    try:
        _, unknown = encoder.load_state_dict(kept, strict=False)
    except RuntimeError as error:
        raise SettingsError(f'initial: {path} is of another network: {error}') from error
    if unknown or not kept:
        raise SettingsError(f'initial: {path} is no checkpoint of train_face_shape')
