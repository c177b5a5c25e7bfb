# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Parts, texture slots and labels of the ICT-FaceKit head.

Part names, vertex and polygon counts are those of the tables in the README of ICT-FaceKit
(github.com/ICT-VGL/ICT-FaceKit at da5f95a, MIT). Upstream has no semantic labels: they are drawn
here as outlines in its texture layout, which is the same for every shape, lips from its landmarks
and the neck as a plane of the mean head.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_depth_ros.core.errors import AssetsError
from face_depth_ros.synthesis.labels import HEAD_LABELS
import numpy as np

SLOTS = ('face', 'head', 'eye', 'teeth', 'gums', 'tongue_unused', 'mouth_socket', 'eye_socket',
         'lacrimal', 'eyelash', 'none')
"""Texture slots in the order of the asset folder."""
FACE, HEAD = 0, 1
"""Index of the two parts that carry skin."""


@dataclass(frozen=True)
class Part:
    """
    One piece of the mesh; vertices and polygons follow those of the part before.

    :param slot: texture slot of its triangles
    :param label: of its triangles; face and head are refined
    :param shell: of eyeballs, the leading (vertices, polygons) that are the closed outer shell;
        it is drawn, the iris layer behind it is hidden; (0, 0) = no eyeball
    """

    name: str
    vertices: int
    polygons: int
    slot: str
    label: str
    shell: tuple[int, int] = (0, 0)


PARTS = (
    Part('face', 9409, 9230, 'face', 'skin'),
    Part('head_neck', 1839, 1914, 'head', 'skin'),
    Part('mouth_socket', 2046, 2082, 'mouth_socket', 'mouth_interior'),
    Part('eye_socket_left', 384, 404, 'eye_socket', 'left_eye'),
    Part('eye_socket_right', 384, 404, 'eye_socket', 'right_eye'),
    Part('gums_tongue', 2977, 2972, 'gums', 'mouth_interior'),
    Part('teeth', 4412, 4490, 'teeth', 'mouth_interior'),
    Part('eyeball_left', 1570, 1598, 'eye', 'left_eye', shell=(770, 800)),
    Part('eyeball_right', 1570, 1598, 'eye', 'right_eye', shell=(770, 800)),
    Part('lacrimal_left', 204, 163, 'lacrimal', 'left_eye'),
    Part('lacrimal_right', 204, 163, 'lacrimal', 'right_eye'),
    Part('eye_blend_left', 24, 15, 'none', 'hidden'),
    Part('eye_blend_right', 24, 15, 'none', 'hidden'),
    Part('eye_occlusion_left', 152, 128, 'none', 'hidden'),
    Part('eye_occlusion_right', 152, 128, 'none', 'hidden'),
    Part('eyelashes_left', 684, 540, 'eyelash', 'eyelash'),
    Part('eyelashes_right', 684, 540, 'eyelash', 'eyelash'),
)

# Outlines in the texture layout: distance from the middle line u = 0.5, and v.
_NOSE = ((0, .5415), (.081, .5415), (.0845, .555), (.0857, .566), (.0835, .58), (.0765, .59),
         (.0705, .602), (.063, .614), (.056, .626), (.0475, .638), (.041, .65), (.0385, .662),
         (.035, .674), (.03, .686), (.028, .698), (.022, .71), (.019, .7215), (0, .7215))
_BROW = ((.036, .7665), (.05, .7545), (.071, .7565), (.086, .765), (.101, .771), (.116, .7745),
         (.131, .7785), (.176, .7815), (.191, .7855), (.206, .7875), (.236, .786), (.251, .778),
         (.27, .773), (.27, .7805), (.251, .788), (.236, .801), (.221, .8075), (.206, .8055),
         (.19, .807), (.146, .8065), (.131, .806), (.116, .8045), (.101, .803), (.086, .799),
         (.071, .7933), (.056, .79), (.036, .78))
_EAR = {
    FACE: ((.414, .452), (.402, .475), (.397, .5), (.394, .53), (.397, .55), (.402, .58),
           (.403, .61), (.405, .64), (.408, .665), (.414, .68), (.43, .695), (.5, .7), (.5, .47),
           (.43, .453)),
    HEAD: ((.35, .404), (.322, .409), (.31, .425), (.307, .445), (.3, .457), (.3, .5),
           (.294, .512), (.282, .515), (.285, .535), (.292, .555), (.303, .572), (.32, .58),
           (.35, .58)),
}
_SCALP = {
    FACE: ((.12, .995), (.17, .9845), (.22, .9785), (.26, .963), (.3, .95), (.34, .936),
           (.37, .93), (.385, .92), (.408, .905), (.422, .88), (.4255, .86), (.4275, .84),
           (.421, .81), (.416, .79), (.426, .765), (.435, .745), (.452, .735), (.47, .725),
           (.5, .7), (.5, 1), (.12, 1)),
    HEAD: ((0, .34), (.11, .345), (.16, .353), (.21, .372), (.23, .395), (.26, .41),
           (.275, .425), (.285, .435), (.288, .45), (.289, .5), (.294, .51), (.5, .51), (.5, 1),
           (0, 1)),
}
_NECK_CM, _NECK_SLOPE = -6.0, -0.55
"""The neck lies below the plane y = -6 - 0.55 z of the mean head."""
_OUTER_LIPS, _INNER_LIP_CORNERS = slice(48, 60), (60, 64)
"""Of the 68 landmarks."""


@dataclass(frozen=True)
class Triangles:
    """
    The mesh cut into triangles, in the order of the polygons.

    :param vertices, uv: (T, 3) int32 indices
    :param polygon: (T,) int32 polygon that the triangle comes from
    """

    vertices: np.ndarray
    uv: np.ndarray
    polygon: np.ndarray


def ends(parts: tuple[Part, ...], what: str) -> np.ndarray:
    """
    Where each part begins and ends.

    :param what: 'vertices' or 'polygons'
    :returns: (P, 2) int32, end exclusive
    """
    last = np.cumsum([getattr(part, what) for part in parts])
    return np.stack([np.concatenate([[0], last[:-1]]), last], axis=1).astype(np.int32)


def part_of_triangles(parts: tuple[Part, ...], triangles: Triangles) -> np.ndarray:
    """
    Which part each triangle belongs to.

    :returns: (T,) int8
    :raises AssetsError: a triangle uses vertices of another part
    """
    part = np.searchsorted(ends(parts, 'polygons')[:, 1], triangles.polygon, side='right')
    spans = ends(parts, 'vertices')[part]  # (T, 2)
    own = (triangles.vertices >= spans[:, :1]) & (triangles.vertices < spans[:, 1:])
    # Head, mouth and eye sockets are sewn to the face.
    outside = ~(own | (triangles.vertices < parts[FACE].vertices)).all(1)
    if outside.any():
        first = int(np.argmax(outside))
        raise AssetsError(f'polygon {triangles.polygon[first]} uses the vertices '
                          f'{triangles.vertices[first].tolist()}, expected those of its part '
                          f'{parts[part[first]].name}, {spans[first].tolist()}, or of the face; '
                          'use an unchanged checkout of ICT-FaceKit')
    return part.astype(np.int8)


def slots_and_labels(parts: tuple[Part, ...], triangles: Triangles, neutral_cm: np.ndarray,
                     uv_local: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Texture slot and label of each triangle.

    :param neutral_cm: (V, 3) vertices of the mean head
    :param uv_local: (U, 2) in [0, 1] within each texture
    :param landmarks: (68,) vertex indices
    :returns: slot (T,) uint8 index into SLOTS, label (T,) uint8 index into HEAD_LABELS
    :raises AssetsError: a triangle uses vertices of another part, or a lip landmark is not on
        the face
    """
    part = part_of_triangles(parts, triangles)
    slot = np.array([SLOTS.index(item.slot) for item in parts], np.uint8)[part]
    label = np.array([HEAD_LABELS.index(item.label) for item in parts], np.uint8)[part]
    for index, (item, (first, _)) in enumerate(zip(parts, ends(parts, 'polygons'), strict=True)):
        if any(item.shell):
            inner = (part == index) & (triangles.polygon >= first + item.shell[1])
            slot[inner], label[inner] = SLOTS.index('none'), HEAD_LABELS.index('hidden')
    centre, uv = neutral_cm[triangles.vertices].mean(1), uv_local[triangles.uv].mean(1)
    for name, chosen in _skin_regions(part, centre, uv).items():
        label[chosen] = HEAD_LABELS.index(name)
    outline, mouth_v = _lip_outline(triangles, part, uv_local, landmarks)
    lips = (part == FACE) & inside_polygon(uv, outline)
    label[lips & (uv[:, 1] > mouth_v)] = HEAD_LABELS.index('upper_lip')
    label[lips & (uv[:, 1] <= mouth_v)] = HEAD_LABELS.index('lower_lip')
    return slot, label


def _skin_regions(part: np.ndarray, centre: np.ndarray, uv: np.ndarray) -> dict[str, np.ndarray]:
    """Where the labels of face and head are, but for the lips; of two the later one holds."""
    mirrored = np.stack([np.abs(uv[:, 0] - 0.5), uv[:, 1]], axis=1)
    left, skin = centre[:, 0] > 0, part <= HEAD
    ear, scalp = (sum(((part == index) & inside_polygon(mirrored, outline)
                       for index, outline in outlines.items()), np.zeros(len(part), bool))
                  for outlines in (_EAR, _SCALP))
    brow = (part == FACE) & inside_polygon(mirrored, _BROW)
    return {'scalp': scalp,
            'neck': skin & (centre[:, 1] < _NECK_CM + _NECK_SLOPE * centre[:, 2]),
            'nose': (part == FACE) & inside_polygon(mirrored, _NOSE),
            'left_ear': ear & left, 'right_ear': ear & ~left,
            'left_brow': brow & left, 'right_brow': brow & ~left}


def _lip_outline(triangles: Triangles, part: np.ndarray, uv_local: np.ndarray,
                 landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    """Outer outline of the lips in texture coordinates, (12, 2), and v of the mouth's corners."""
    face = part == FACE
    corners = triangles.vertices[face].ravel()
    used, first = np.unique(corners, return_index=True)
    place = np.searchsorted(used, landmarks)
    if not np.isin(landmarks, used).all():
        raise AssetsError(f'landmarks at the vertices {landmarks[~np.isin(landmarks, used)]} are '
                          'not on the face, expected all 68 there; use an unchanged checkout of '
                          'ICT-FaceKit')
    points = uv_local[triangles.uv[face].ravel()[first[place]]]  # (68, 2)
    return points[_OUTER_LIPS], float(points[list(_INNER_LIP_CORNERS), 1].mean())


def inside_polygon(points: np.ndarray, outline: np.ndarray | tuple) -> np.ndarray:
    """
    Tell which points lie inside a polygon, by the parity of crossed edges.

    :param points: (N, 2)
    :param outline: (M, 2) corners in order, closed by itself
    :returns: (N,) bool
    """
    corners = np.asarray(outline, np.float64)
    odd = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            spans = (y0 <= points[:, 1]) != (y1 <= points[:, 1])
            odd ^= spans & (points[:, 0] < x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0))
    return odd
