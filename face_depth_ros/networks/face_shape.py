# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Disentangled 3-D face shape: from a colour crop to identity, residual, and the shape they make.

Source: Liu et al., "Disentangling Features in 3D Face Shapes for Joint Face Reconstruction and
Recognition", CVPR 2018: s = mean + identity shape difference + residual difference; an encoder
after SphereFace-20 (Liu et al., CVPR 2017: stages of stride-2 convolution and residual units with
PReLU) tells the codes c_Id and c_Res, one fully connected layer each decodes them. The rest is our
choice:

- Code sizes: 100 and 57, those of the morphable head that the first phase of training starts from.
- Half of SphereFace's widths, batch normalisation after each convolution (training is short), and
  a 1 x 1 convolution to 64 channels before the fully connected layer: the whole has 5.1 million
  parameters.
- Decoders without bias: a code of zeros is the mean face.
- Shapes stand in the head's own frame (see MorphableHead), in centimetres, free of pose.
- Without disentangling (`identity=157, residual=0`) one code and one decoder make the whole shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

SIZE = 112
_STRIDE = 16


@dataclass(frozen=True)
class FaceShapeConfig:
    """
    Layout of the network.

    :param vertices: of the shape
    :param triangles: of its mesh
    :param landmarks: how many of the first vertices are the usual landmarks
    :param identity: size of c_Id
    :param residual: size of c_Res; 0 = not disentangled, c_Id makes the whole shape
    :param widths: channels at 56, 28, 14 and 7 pixels
    :param units: residual units, a stage each
    :param last: channels of the last map before the fully connected layer
    """

    vertices: int
    triangles: int
    landmarks: int = 68
    identity: int = 100
    residual: int = 57
    widths: tuple[int, ...] = (32, 64, 128, 256)
    units: tuple[int, ...] = (1, 2, 4, 1)
    last: int = 64

    @property
    def disentangled(self) -> bool:
        """Whether identity and residual have their own codes."""
        return self.residual > 0


class FaceShapes(NamedTuple):
    """
    Shapes of B faces, centimetres in the head's frame.

    :param vertices: (B, V, 3) the whole shape
    :param identity_vertices: (B, V, 3) the mean and the identity difference, without the residual;
        the whole shape where the network does not disentangle
    """

    vertices: torch.Tensor
    identity_vertices: torch.Tensor


class ResidualUnit(nn.Module):
    """Two 3 x 3 convolutions, each with PReLU, beside a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(convolution(width, width), convolution(width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Keep the shape (B, C, H, W)."""
        return x + self.layers(x)


class FaceShapeEncoder(nn.Module):
    """From crop and mask to the codes."""

    def __init__(self, config: FaceShapeConfig) -> None:
        super().__init__()
        self.config = config
        stages: list[nn.Module] = []
        for inputs, width, units in zip((3, *config.widths), config.widths, config.units,
                                        strict=False):
            stages += [convolution(inputs, width, stride=2),
                       *(ResidualUnit(width) for _ in range(units))]
        self.stages = nn.Sequential(*stages)
        self.narrow = nn.Sequential(nn.Conv2d(config.widths[-1], config.last, 1, bias=False),
                                    nn.BatchNorm2d(config.last), nn.PReLU(config.last))
        side = SIZE // _STRIDE
        self.codes = nn.Linear(config.last * side * side, config.identity + config.residual)
        nn.init.zeros_(self.codes.weight)
        nn.init.zeros_(self.codes.bias)

    def forward(self, color: torch.Tensor,
                mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Describe faces.

        :param color: (B, 3, 112, 112) RGB, 0 to 255
        :param mask: (B, 1, 112, 112) labels, 0 = background, which is not looked at; None looks
            at everything
        :returns: c_Id (B, I), c_Res (B, R)
        """
        codes = self.codes(self.features(color, mask))
        return codes[:, :self.config.identity], codes[:, self.config.identity:]

    def features(self, color: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return what the codes are a linear function of, (B, F); see `forward`."""
        if mask is not None:
            color = color * (mask > 0.5).to(color.dtype)
        described: torch.Tensor = self.narrow(self.stages(color / 127.5 - 1.0)).flatten(1)
        return described


class FaceShapeNetwork(nn.Module):
    """
    Encoder and decoders, with the mean face and its mesh.

    The buffers `mean` (V, 3) cm and `triangles` (T, 3) come from a checkpoint, or by `set_mesh`.
    """

    mean: torch.Tensor
    triangles: torch.Tensor

    def __init__(self, config: FaceShapeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = FaceShapeEncoder(config)
        self.identity = nn.Linear(config.identity, 3 * config.vertices, bias=False)
        self.residual = (nn.Linear(config.residual, 3 * config.vertices, bias=False)
                         if config.disentangled else None)
        for decoder in (self.identity, self.residual):
            if decoder is not None:
                nn.init.zeros_(decoder.weight)
        self.register_buffer('mean', torch.zeros(config.vertices, 3))
        self.register_buffer('triangles', torch.zeros(config.triangles, 3, dtype=torch.int64))

    def set_mesh(self, mean: torch.Tensor, triangles: torch.Tensor) -> None:
        """
        Say what the mean face is.

        :param mean: (V, 3) cm; triangles: (T, 3) indices
        """
        self.mean.copy_(mean)
        self.triangles.copy_(triangles)

    def decode(self, c_id: torch.Tensor, c_res: torch.Tensor) -> FaceShapes:
        """
        Make shapes of codes.

        :param c_id: (B, I); c_res: (B, R)
        """
        identity = self.mean + self.identity(c_id).unflatten(1, (-1, 3))
        if self.residual is None:
            return FaceShapes(identity, identity)
        return FaceShapes(identity + self.residual(c_res).unflatten(1, (-1, 3)), identity)

    def forward(self, color: torch.Tensor, mask: torch.Tensor | None = None,
                ) -> tuple[torch.Tensor, torch.Tensor, FaceShapes]:
        """
        Reconstruct faces.

        :param color, mask: as of the encoder
        :returns: c_Id (B, I), c_Res (B, R), shapes
        """
        c_id, c_res = self.encoder(color, mask)
        return c_id, c_res, self.decode(c_id, c_res)


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3 x 3, batch normalisation, PReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                         nn.BatchNorm2d(outputs), nn.PReLU(outputs))


def build_face_shape(config: FaceShapeConfig) -> FaceShapeNetwork:
    """Return an untrained network whose every face is the mean one, itself yet to be set."""
    return FaceShapeNetwork(config)
