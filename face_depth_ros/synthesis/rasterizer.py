# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Z-buffer rasteriser for batches of meshes: one interface, a compiled loop on CPUs, torch on GPUs.

The nearest triangle wins; of two at exactly one depth, the one with the lower index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.rasterizer_compiled import barycentrics_compiled, rasterize_compiled
import numpy as np
import torch

BACKENDS = ('auto', 'compiled', 'torch')
_NEAR_M = 0.01
_FRAGMENTS_AT_ONCE = 8_000_000
"""Candidate pixels that the torch backend expands in one go; about 100 bytes each."""
_NOTHING = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class RasterImage:
    """
    What is seen in each pixel's centre.

    :param depth: (B, H, W) float32 metres, NaN where nothing is
    :param triangle: (B, H, W) int32, -1 where nothing is
    """

    depth: torch.Tensor
    triangle: torch.Tensor


def rasterize(vertices: torch.Tensor, triangles: torch.Tensor, height: int, width: int,
              cull_back_faces: bool | torch.Tensor = True, behind: torch.Tensor | None = None,
              backend: str = 'auto') -> RasterImage:
    """
    Draw the same triangles with B sets of vertices.

    Pixel centres are at +0.5. Depth is interpolated in perspective. A triangle with a vertex
    nearer than 1 cm, or behind the camera, is not drawn.

    :param vertices: (B, V, 3) float32: x, y in pixels, z in metres
    :param triangles: (T, 3) integer, counter-clockwise seen from outside
    :param cull_back_faces: leave out triangles seen from behind; for all, or (T,) bool
    :param behind: (B, H, W) metres; only what lies deeper than this is drawn, nothing where NaN
    :param backend: compiled (CPU tensors only), torch, or auto: by the device of the vertices
    :raises SettingsError: wrong shapes, sizes or backend
    """
    _check(vertices, triangles, height, width, backend)
    culled = torch.as_tensor(cull_back_faces, device=vertices.device).expand(len(triangles))
    if backend == 'torch' or (backend == 'auto' and vertices.device.type != 'cpu'):
        return _rasterize_torch(vertices, triangles.to(vertices.device).long(), height, width,
                                culled, behind)
    limit = torch.zeros(0, 0, 0) if behind is None else behind
    depth, triangle = rasterize_compiled(
        np.ascontiguousarray(vertices.detach().float().numpy()),
        np.ascontiguousarray(triangles.cpu().numpy().astype(np.int32)), height, width,
        np.ascontiguousarray(culled.numpy()), np.ascontiguousarray(limit.float().numpy()),
        torch.get_num_threads())
    depth[triangle < 0] = np.nan
    return RasterImage(torch.from_numpy(depth), torch.from_numpy(triangle))


def barycentrics(vertices: torch.Tensor, triangles: torch.Tensor,
                 image: RasterImage) -> torch.Tensor:
    """
    Return the weights of the three corners in each pixel in which something is, with perspective.

    :param vertices: (B, V, 3), triangles: (T, 3), as drawn
    :returns: (N, 3) float32, in the order of `image.triangle >= 0`
    """
    hit = image.triangle >= 0
    item, row, column = hit.nonzero(as_tuple=True)
    corners = triangles.to(vertices.device).long()[image.triangle[hit].long()]  # (N, 3)
    if vertices.device.type == 'cpu':
        return torch.from_numpy(barycentrics_compiled(
            vertices.float().numpy(), corners.numpy(), item.numpy(), row.numpy(),
            column.numpy()))
    points = vertices[item[:, None], corners].double()  # (N, 3, 3)
    x, y, z = points.unbind(dim=2)  # each (N, 3)
    dx, dy = x - (column[:, None] + 0.5), y - (row[:, None] + 0.5)
    following, last = [1, 2, 0], [2, 0, 1]
    weights = dx[:, following] * dy[:, last] - dx[:, last] * dy[:, following]  # (N, 3)
    weights = weights / z
    return (weights / _of_three(weights, torch.add)[:, None]).float()


def _check(vertices: torch.Tensor, triangles: torch.Tensor, height: int, width: int,
           backend: str) -> None:
    if backend not in BACKENDS:
        raise SettingsError(f'unknown rasteriser backend {backend!r}, expected one of {BACKENDS}')
    if backend == 'compiled' and vertices.device.type != 'cpu':
        raise SettingsError(f'the compiled rasteriser draws CPU tensors, got {vertices.device}; '
                            'use backend auto or torch')
    if vertices.ndim != 3 or vertices.shape[2] != 3:
        raise SettingsError(f'vertices have the shape {tuple(vertices.shape)}, expected (B, V, 3)')
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise SettingsError(f'triangles have the shape {tuple(triangles.shape)}, expected (T, 3)')
    if height < 1 or width < 1:
        raise SettingsError(f'the image is {width} x {height} pixels, expected both > 0')
    count = vertices.shape[1]
    if len(triangles) and not (int(triangles.min()) >= 0 and int(triangles.max()) < count):
        raise SettingsError(f'triangles name vertices outside 0 to {count - 1}')


def _rasterize_torch(vertices: torch.Tensor, triangles: torch.Tensor, height: int, width: int,
                     culled: torch.Tensor, behind: torch.Tensor | None) -> RasterImage:
    """Expand every triangle to its bounding box; an atomic minimum keeps the nearest."""
    batch = len(vertices)
    keys = torch.full((batch * height * width,), _NOTHING, dtype=torch.int64,
                      device=vertices.device)
    corners = vertices.double()[:, triangles]  # (B, T, 3, 3)
    x, y, z = corners.unbind(dim=3)  # each (B, T, 3)
    area = ((x[..., 1] - x[..., 0]) * (y[..., 2] - y[..., 0])
            - (x[..., 2] - x[..., 0]) * (y[..., 1] - y[..., 0]))
    left = (_of_three(x, torch.minimum) - 0.5).ceil().clamp(min=0.0)
    right = (_of_three(x, torch.maximum) - 0.5).floor().clamp(max=width - 1.0)
    top = (_of_three(y, torch.minimum) - 0.5).ceil().clamp(min=0.0)
    bottom = (_of_three(y, torch.maximum) - 0.5).floor().clamp(max=height - 1.0)
    near = _of_three(z, torch.minimum) > _NEAR_M
    drawn = (area.abs() > 1e-9) & near & (left <= right) & (top <= bottom)
    drawn &= (area < 0.0) | ~culled
    item, index = drawn.nonzero(as_tuple=True)
    columns = (right - left + 1.0)[drawn].long()
    counts = columns * (bottom - top + 1.0)[drawn].long()
    boxes = torch.stack([left[drawn], top[drawn]], dim=1).long()  # (N, 2)
    chunk = torch.div(counts.cumsum(0), _FRAGMENTS_AT_ONCE, rounding_mode='floor')
    sizes = torch.unique_consecutive(chunk, return_counts=True)[1].tolist()
    start = 0
    for size in sizes:
        part = slice(start, start + size)
        _draw(keys, (corners[item[part], index[part]], area[drawn][part]), item[part],
              index[part], boxes[part], columns[part], counts[part], (height, width),
              None if behind is None else behind.flatten())
        start += size
    keys = keys.view(batch, height, width)
    empty = keys == _NOTHING
    depth = (keys >> 32).int().view(torch.float32)
    triangle = (keys & 0x7FFFFFFF).int()
    return RasterImage(depth.masked_fill(empty, torch.nan), triangle.masked_fill(empty, -1))


def _of_three(values: torch.Tensor,
              join: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Join the last axis (..., 3); far faster on a GPU than a reduction over so few."""
    return join(join(values[..., 0], values[..., 1]), values[..., 2])


def _draw(keys: torch.Tensor, shapes: tuple[torch.Tensor, torch.Tensor], item: torch.Tensor,
          index: torch.Tensor, boxes: torch.Tensor, columns: torch.Tensor, counts: torch.Tensor,
          size: tuple[int, int], behind: torch.Tensor | None) -> None:
    """
    Merge N triangles into the keys: depth in the upper half, index in the lower.

    :param keys: (B * H * W,) int64, changed in place
    :param shapes: corners (N, 3, 3) and twice the signed areas (N,), float64
    :param item: (N,) image of the batch; index: (N,) triangle
    :param boxes: (N, 2) left and top pixel; columns, counts: (N,) width and pixels of the box
    :param behind: (B * H * W,) metres that drawn depth must exceed
    """
    owner = torch.repeat_interleave(counts)  # (F,)
    within = torch.arange(len(owner), device=owner.device) - (counts.cumsum(0) - counts)[owner]
    column = boxes[owner, 0] + within % columns[owner]
    row = boxes[owner, 1] + torch.div(within, columns[owner], rounding_mode='floor')
    corners, area = shapes
    x, y, z = corners.unbind(dim=2)  # each (N, 3)
    slope = torch.stack([y[:, 2] - y[:, 0], x[:, 0] - x[:, 2],
                         y[:, 0] - y[:, 1], x[:, 1] - x[:, 0]], dim=1) / area[:, None]  # (N, 4)
    dx, dy = column + 0.5 - x[owner, 0], row + 0.5 - y[owner, 0]
    slope = slope[owner]
    w1 = slope[:, 0] * dx + slope[:, 1] * dy
    w2 = slope[:, 2] * dx + slope[:, 3] * dy
    w0 = 1.0 - w1 - w2
    inside = (w0 >= 0.0) & (w1 >= 0.0) & (w2 >= 0.0)
    owner, row, column = owner[inside], row[inside], column[inside]
    weights = torch.stack([w0[inside], w1[inside], w2[inside]], dim=1)  # (F, 3)
    depth = (1.0 / _of_three(weights / z[owner], torch.add)).float()
    key = (depth.view(torch.int32).long() << 32) | index[owner]
    target = (item[owner] * size[0] + row) * size[1] + column
    if behind is not None:
        deeper = depth > behind[target]
        target, key = target[deeper], key[deeper]
    keys.scatter_reduce_(0, target, key, 'amin')
