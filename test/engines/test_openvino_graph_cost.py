# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Parameters and multiply-adds against networks counted by hand, and against torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from face_depth_ros.core.model_spec import find_model, ModelSpec, TensorSpec
from face_depth_ros.engines.openvino_graph_cost import graph_cost
import pytest
import torch
from torch import nn


def exported(network: nn.Module, folder: Path, *shape: int) -> ModelSpec:
    """Return the spec of an exported network with one input."""
    path = folder / 'net.onnx'
    torch.onnx.export(network.eval(), (torch.zeros(shape),), str(path), opset_version=17,
                      input_names=['x'], output_names=['y'], dynamic_axes={'x': {0: 'n'}},
                      dynamo=False)
    tensor = TensorSpec('x', 'float32', (-1, *shape[1:]), 'NCHW', '1', None, 'image')
    return ModelSpec('net', 'task', 'source', 'MIT', folder / 'net.yaml', path,
                     hashlib.sha256(path.read_bytes()).hexdigest(), 17, (tensor,), (), {},
                     ('fp32',))


@pytest.mark.parametrize(('network', 'macs'), [
    (nn.Conv2d(3, 8, 3, padding=1), 16 * 12 * 8 * 3 * 9),
    (nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2), 8 * 6 * 8 * 2 * 9),
    (nn.ConvTranspose2d(4, 6, 2, stride=2), 16 * 12 * 4 * 6 * 4),
    (nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 12, 10)), 3 * 16 * 12 * 10)])
def test_single_layers(tmp_path: Path, network: nn.Module, macs: int) -> None:
    channels = getattr(network, 'in_channels', 3)
    cost = graph_cost(exported(network, tmp_path, 1, channels, 12, 16))
    assert cost.macs == macs
    assert cost.parameters == sum(p.numel() for p in network.parameters())


def test_shapes_of_dynamic_inputs(tmp_path: Path) -> None:
    spec = exported(nn.Conv2d(3, 8, 1), tmp_path, 1, 3, 12, 16)
    assert graph_cost(spec, {'x': (2, 3, 12, 16)}).macs == 2 * graph_cost(spec).macs


@pytest.mark.parametrize('name', ['face_detector', 'depth_enhancer'])
def test_shipped_models_are_of_the_size_they_say(name: str) -> None:
    cost = graph_cost(find_model(name))
    assert 10 ** 5 < cost.parameters < 6e6  # at most 12 MB in 16 bit
    assert 10 ** 8 < cost.macs < 10 ** 10
