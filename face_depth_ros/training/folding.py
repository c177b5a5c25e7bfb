# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Batch normalisation into the layers before it for a file, and out of them to train on."""

from __future__ import annotations

from collections.abc import Callable
import copy
import math
from typing import Any, cast

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.core.model_spec import ModelSpec
import onnx
from onnx import numpy_helper
import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval

_NORMALISED = {'linear': 'normalize', 'places': 'normalize_places'}
"""Layers that a batch normalisation of this name follows; in a Sequential it is the second."""
_LEAST_VARIANCE, _LEAST_SIZE = 1e-4, 1e-6


def folded(network: nn.Module) -> nn.Module:
    """Return a copy with the same answers, batch normalisation within layers where it can be."""
    network = copy.deepcopy(network).eval()
    for module in list(network.modules()):
        children: list[tuple[str, Any]] = list(module.named_children())
        for name, child in children:
            if _is_normalised(child):
                fused = fuse_conv_bn_eval(child[0], child[1])
                setattr(module, name, fused if len(child) == 2 else nn.Sequential(
                    fused, nn.Identity(), *child[2:]))
        linear, after = getattr(module, 'linear', None), getattr(module, 'normalize', None)
        if isinstance(linear, nn.Linear) and isinstance(after, nn.BatchNorm1d):
            module.linear = fuse_linear_bn_eval(linear, after)
            module.normalize = nn.Identity()
        places, after = getattr(module, 'places', None), getattr(module, 'normalize_places', None)
        if isinstance(places, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
            module.places = fuse_conv_bn_eval(places, after)
            module.normalize_places = nn.Identity()
    return network


def _is_normalised(module: nn.Module) -> bool:
    """Whether a module is a convolution, its normalisation, and maybe more."""
    return (isinstance(module, nn.Sequential) and len(module) >= 2
            and isinstance(module[0], nn.Conv2d) and isinstance(module[1], nn.BatchNorm2d))


def _read(spec: ModelSpec) -> tuple[onnx.GraphProto, dict[str, torch.Tensor]]:
    """Return the graph of a shipped file, and its tensors by name, float32."""
    graph = onnx.load_from_string(spec.read_onnx()).graph
    return graph, {tensor.name.removesuffix('.half'):
                   torch.tensor(numpy_helper.to_array(tensor)).float()
                   for tensor in graph.initializer}


def stored_tensors(spec: ModelSpec) -> dict[str, torch.Tensor]:
    """Return the tensors of a shipped file by name, float32."""
    return _read(spec)[1]


@torch.no_grad()
def load_in_order(network: nn.Module, spec: ModelSpec) -> None:
    """
    Take convolutions and slopes of PReLUs of a shipped file into a network that is folded.

    Files keep no names of layers that were folded at export; their order is that of the network.

    :raises SettingsError: the file is of another network
    """
    graph, stored = _read(spec)
    taken = {kind: [[stored[name] for name in node.input if name in stored]
                    for node in graph.node if node.op_type == kind]
             for kind in ('Conv', 'PRelu')}
    for kind, layers in (('Conv', [m for m in network.modules() if isinstance(m, nn.Conv2d)]),
                         ('PRelu', [m for m in network.modules() if isinstance(m, nn.PReLU)])):
        found = taken[kind]
        sizes = [[p.numel() for p in layer.parameters()] for layer in layers]
        if sizes != [[value.numel() for value in values] for values in found]:
            raise SettingsError(f'{spec.onnx} has {len(found)} layers {kind} of other sizes than '
                                f'the {len(layers)} of {type(network).__name__}: it is of '
                                'another network; export that again')
        for layer, values in zip(layers, found, strict=True):
            for own, value in zip(layer.parameters(), values, strict=True):
                own.copy_(value.reshape(own.shape))


def load_folded(network: nn.Module, spec: ModelSpec) -> None:
    """
    Take the weights of a shipped file into a network whose normalisation is folded.

    :raises SettingsError: the file is of another network
    """
    stored = stored_tensors(spec)
    wanted = network.state_dict()
    wrong = [name for name, value in wanted.items()
             if name not in stored or stored[name].numel() != value.numel()]
    if wrong:
        raise SettingsError(f'{spec.onnx} lacks {", ".join(wrong[:5])}: it is of another network '
                            f'than {type(network).__name__}; export that again')
    network.load_state_dict({name: stored[name].reshape(value.shape)
                             for name, value in wanted.items()})


@torch.no_grad()
def unfold(network: nn.Module, folded: nn.Module, run: Callable[[nn.Module], Any]) -> None:
    """
    Give a fresh network the answers of a folded one, its normalisation set by what it sees.

    :param network: with batch normalisation
    :param folded: the same network after `folded`
    :param run: calls a network with inputs by which statistics are measured
    """
    network.eval()
    modules, plain = dict(network.named_modules()), dict(folded.named_modules())
    hooks = []
    for name, layer in plain.items():
        own = modules[name]
        if isinstance(layer, nn.Conv2d | nn.Linear):
            after = _normalisation(modules, name)
            target: Any = own[0] if isinstance(own, nn.Sequential) else own
            weight, bias = layer.weight, cast(torch.Tensor, layer.bias)
            scale = weight.new_ones(len(weight))
            if after is not None:
                # Folded weights are small; a step of the optimiser would change them too much.
                scale = _usual_size(weight) / weight.flatten(1).square().mean(1).sqrt().clamp(
                    min=_LEAST_SIZE)
                hooks.append(after.register_forward_pre_hook(_measurer(bias, scale)))
            target.weight.copy_(weight * scale.view(-1, *[1] * (weight.ndim - 1)))
            if after is None and target.bias is not None:
                target.bias.copy_(bias)
        elif isinstance(layer, nn.PReLU):
            cast(nn.PReLU, own).weight.copy_(layer.weight)
    run(network)
    for hook in hooks:
        hook.remove()


def _normalisation(modules: dict[str, Any], name: str) -> nn.Module | None:
    own = modules[name]
    if isinstance(own, nn.Sequential):
        return own[1]
    parent, _, last = name.rpartition('.')
    if _is_normalised(modules[parent]):
        after: nn.Module = modules[parent][1]
        return after if last == '0' else None
    found = getattr(modules[parent], _NORMALISED.get(last, ''), None)
    return found if isinstance(found, nn.BatchNorm1d | nn.BatchNorm2d) else None


def _usual_size(weight: torch.Tensor) -> float:
    """Return the root mean square of weights before a rectifier at the start of training."""
    return math.sqrt(2.0 / weight[0].numel())


def _measurer(bias: torch.Tensor, scale: torch.Tensor,
              ) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
    def measure(norm: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        x = inputs[0].float()
        axes = [axis for axis in range(x.ndim) if axis != 1]
        mean, variance = x.mean(dim=axes), x.var(dim=axes).clamp(min=_LEAST_VARIANCE)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt() / scale)
        norm.bias.copy_(bias + mean / scale)
    return measure
