# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The face shape network: layout, background, parts of the shape, switches, gradients."""

from __future__ import annotations

from face_depth_ros.networks.face_shape import (
    build_face_shape,
    FaceShapeConfig,
    FaceShapeNetwork,
    SIZE,
)
import pytest
import torch

SMALL = {'vertices': 10, 'triangles': 4, 'widths': (4, 8, 8, 16), 'units': (1, 1, 1, 1), 'last': 4}


def small(**changes: int) -> FaceShapeNetwork:
    """Return a small network whose fully connected layers are not zero."""
    torch.manual_seed(0)
    network = build_face_shape(FaceShapeConfig(**{**SMALL, **changes})).eval()
    network.set_mesh(torch.arange(30.0).view(10, 3), torch.arange(12).view(4, 3) % 10)
    for decoder in (network.identity, network.residual):
        if decoder is not None:
            torch.nn.init.normal_(decoder.weight)
    torch.nn.init.normal_(network.encoder.codes.weight)
    return network


def photos(count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    color = torch.rand(count, 3, SIZE, SIZE, generator=generator) * 255.0
    mask = torch.zeros(count, 1, SIZE, SIZE)
    mask[:, :, 20:90, 30:80] = 1.0
    mask[:, :, 40:50, 30:80] = 6.0
    return color, mask


def test_the_whole_fits_into_eleven_megabytes_of_half_floats() -> None:
    network = build_face_shape(FaceShapeConfig(3500, 6759))
    assert sum(p.numel() for p in network.parameters()) * 2 <= 10.8e6
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 4 + 2 * (1 + 2 + 4 + 1) + 1  # SphereFace-20's, and 1 x 1
    assert sum(isinstance(m, torch.nn.Linear) for m in network.modules()) == 3


def test_a_shape_is_the_mean_with_identity_and_residual() -> None:
    network = small()
    c_id, c_res, shapes = network(*photos(3))
    assert c_id.shape == (3, 100) and c_res.shape == (3, 57)
    assert shapes.vertices.shape == shapes.identity_vertices.shape == (3, 10, 3)
    identity = network.mean + (c_id @ network.identity.weight.T).view(3, 10, 3)
    torch.testing.assert_close(shapes.identity_vertices, identity)
    residual = (c_res @ network.residual.weight.T).view(3, 10, 3)
    torch.testing.assert_close(shapes.vertices, identity + residual)
    none = network.decode(torch.zeros(1, 100), torch.zeros(1, 57))
    torch.testing.assert_close(none.vertices[0], network.mean)


def test_an_untrained_network_says_the_mean_face() -> None:
    network = build_face_shape(FaceShapeConfig(**SMALL)).eval()
    network.set_mesh(torch.rand(10, 3), torch.zeros(4, 3, dtype=torch.int64))
    _, _, shapes = network(*photos(2))
    torch.testing.assert_close(shapes.vertices, network.mean.expand(2, -1, -1))


def test_the_background_is_not_looked_at() -> None:
    network = small()
    color, mask = photos()
    other = torch.where(mask > 0, color, 255.0 - color)
    for first, second in zip(network.encoder(color, mask), network.encoder(other, mask),
                             strict=True):
        torch.testing.assert_close(first, second)
    assert not torch.allclose(network.encoder(color)[0], network.encoder(color, mask)[0])
    everything = network.encoder(color, torch.ones_like(mask))[0]
    torch.testing.assert_close(network.encoder(color)[0], everything)


def test_without_disentangling_one_code_makes_the_whole_shape() -> None:
    network = small(identity=157, residual=0)
    assert not network.config.disentangled and network.residual is None
    c_id, c_res, shapes = network(*photos())
    assert c_id.shape == (2, 157) and c_res.shape == (2, 0)
    torch.testing.assert_close(shapes.vertices, shapes.identity_vertices)


def test_both_layouts_have_the_same_size() -> None:
    split, whole = (sum(p.numel() for p in small(**sizes).parameters())
                    for sizes in ({}, {'identity': 157, 'residual': 0}))
    assert split == whole


@pytest.mark.parametrize('sizes', [{}, {'identity': 157, 'residual': 0}])
def test_gradients_reach_every_parameter(sizes: dict[str, int]) -> None:
    network = small(**sizes).train()
    _, _, shapes = network(*photos(4))
    (shapes.vertices - network.mean + 1.0).square().mean().backward()
    assert [n for n, p in network.named_parameters()
            if p.grad is None or not p.grad.abs().sum() > 0] == []
