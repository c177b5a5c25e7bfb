# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Make an assets folder from a checkout of ICT-FaceKit.

    git clone https://github.com/ICT-VGL/ICT-FaceKit
    python -m face_depth_ros.synthesis.import_ict_facekit ICT-FaceKit OUT

writes the head model, the basic expressions and the licence: enough for true depth, its training
and its evaluation (`--assets OUT`). Colour images also need skins and irises, which ICT-FaceKit
does not have; hair, glasses and lights are left out where they are missing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import json
import logging
from pathlib import Path
import sys
from typing import Any

from face_depth_ros.core.errors import AssetsError
from face_depth_ros.synthesis.assets import HEAD_FILE
from face_depth_ros.synthesis.ict_facekit_regions import (
    ends,
    Part,
    part_of_triangles,
    PARTS,
    SLOTS,
    slots_and_labels,
    Triangles,
)
from face_depth_ros.synthesis.identity_splits import IDENTITY_MODES
from face_depth_ros.synthesis.labels import HEAD_LABELS
import numpy as np

LOG = logging.getLogger('import_ict_facekit')
_SOURCE = 'https://github.com/ICT-VGL/ICT-FaceKit'
_NEUTRAL, _INDICES, _LICENSE = 'generic_neutral_mesh', 'vertex_indices.json', 'LICENSE'
_CORNEA_CM = 9.0
"""What lies further in front on an eyeball of the mean head is cornea, not the ball."""
_NOTE = 'MIT License, Copyright (c) 2020 USC Institute for Creative Technologies ' \
        '(ICT-FaceKit, FaceXModel)'

BASIC_EXPRESSIONS: dict[str, dict[str, float]] = {
    'neutral': {},
    'anger': {'browDown': 0.9, 'eyeWide': 0.35, 'eyeSquint': 0.5, 'mouthPress': 0.7,
              'mouthRollLower': 0.25, 'mouthRollUpper': 0.2, 'noseSneer': 0.25,
              'jawForward': 0.15},
    'disgust': {'noseSneer': 0.9, 'mouthUpperUp': 0.45, 'browDown': 0.4, 'cheekSquint': 0.5,
                'mouthFrown': 0.35, 'mouthShrugLower': 0.35, 'eyeSquint': 0.35},
    'fear': {'browInnerUp': 0.8, 'browOuterUp': 0.5, 'browDown': 0.25, 'eyeWide': 0.8,
             'mouthStretch': 0.6, 'jawOpen': 0.25, 'mouthLowerDown': 0.25},
    'happiness': {'mouthSmile': 0.85, 'cheekSquint': 0.6, 'eyeSquint': 0.25, 'mouthUpperUp': 0.2,
                  'mouthDimple': 0.2, 'jawOpen': 0.08},
    'sadness': {'browInnerUp': 0.85, 'browDown': 0.25, 'mouthFrown': 0.75,
                'mouthShrugLower': 0.45, 'eyeSquint': 0.15, 'cheekSquint': 0.1},
    'surprise': {'browInnerUp': 0.8, 'browOuterUp': 0.85, 'eyeWide': 0.65, 'jawOpen': 0.5},
}
"""
Weights at full intensity, after EMFACS: action units 4+5+7+23, 9+10+15+17, 1+2+4+5+20+25, 6+12,
1+4+15+17, 1+2+5+26. A name without _L or _R sets both sides.
"""


@dataclass(frozen=True)
class ObjMesh:
    """
    An OBJ file.

    :param vertices: (V, 3) float64
    :param uv: (U, 2) float64
    :param polygons: of each, (vertex, uv) indices of its corners, from 0
    """

    vertices: np.ndarray
    uv: np.ndarray
    polygons: list[list[tuple[int, int]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog='import_ict_facekit', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkout', type=Path, help=f'folder of {_SOURCE}')
    parser.add_argument('out', type=Path, help='folder to be made')
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format='%(levelname)s %(message)s')
    try:
        write_assets(options.checkout, options.out)
    except AssetsError as error:
        sys.stderr.write(f'import_ict_facekit: {error}\n')
        return 1
    sys.stdout.write(f'{options.out}: geometry for depth; for colour add skins (albedo/), '
                     'irises (iris/), and, as you like, brows, hair, glasses, hdri\n')
    return 0


def write_assets(checkout: Path, out: Path, parts: tuple[Part, ...] = PARTS,
                 identity_modes: int = IDENTITY_MODES) -> None:
    """
    Write the assets folder; the head model comes last, so that a broken run leaves none.

    :param parts: of the mesh, another table for another mesh of the same form
    :raises AssetsError: see head_arrays; or the folder holds a head already or is not writable
    """
    if (out / HEAD_FILE).exists():
        raise AssetsError(f'{out} holds {HEAD_FILE} already; name another folder, or remove it '
                          'first')
    arrays: dict[str, Any] = head_arrays(checkout, parts, identity_modes)
    license_text = (checkout / _LICENSE).read_bytes()
    try:
        (out / 'LICENSES').mkdir(parents=True, exist_ok=True)
        (out / 'LICENSES' / 'ICT-FaceKit-MIT.txt').write_bytes(license_text)
        (out / 'README.md').write_text(_readme(), encoding='utf-8')
        (out / 'expressions.json').write_text(json.dumps(BASIC_EXPRESSIONS, indent=1) + '\n',
                                              encoding='utf-8')
        unfinished = out / f'{HEAD_FILE}.part'
        with unfinished.open('wb') as file:
            np.savez_compressed(file, **arrays)
        unfinished.replace(out / HEAD_FILE)
    except OSError as error:
        raise AssetsError(f'cannot write {out}: {error}; name a folder that can be written'
                          ) from error


def head_arrays(checkout: Path, parts: tuple[Part, ...] = PARTS,
                identity_modes: int = IDENTITY_MODES) -> dict[str, np.ndarray]:
    """
    Read a checkout.

    :returns: what the head model's file holds: neutral (V, 3) float32 cm, identity (I, V, 3) and
        expression (E, V, 3) float16 displacements, triangles, texture coordinates, slots, labels,
        landmarks, eyes
    :raises AssetsError: it is no checkout, lacks files, or its meshes have other sizes
    """
    folder = checkout / 'FaceXModel'
    if not (folder / f'{_NEUTRAL}.obj').is_file():
        raise AssetsError(f'{checkout} is not a checkout of ICT-FaceKit, expected '
                          f'FaceXModel/{_NEUTRAL}.obj in it; get one with git clone {_SOURCE}')
    names, landmarks = _read_indices(folder / _INDICES, parts)
    stems = [f'identity{mode:03d}' for mode in range(identity_modes)]
    others = {path.stem for path in folder.glob('*.obj')} - {_NEUTRAL, *names}
    # Upstream's list leaves out a few shapes that are there as files.
    names += sorted(name for name in others if not name.startswith('identity'))
    _check_files(checkout, [*(folder / f'{stem}.obj' for stem in stems + names),
                            checkout / _LICENSE])
    mesh = read_obj(folder / f'{_NEUTRAL}.obj')
    _check_sizes(mesh, folder / f'{_NEUTRAL}.obj', parts)
    arrays = _topology(mesh, parts, landmarks)
    LOG.info('%s: %d vertices, %d triangles; reading %d identities and %d expressions',
             _NEUTRAL, len(mesh.vertices), len(arrays['triangles']), identity_modes, len(names))
    return arrays | {
        'identity': _displacements(folder, stems, mesh.vertices),
        'expression': _displacements(folder, names, mesh.vertices),
        'expression_names': np.array(names),
        'license': np.array(_NOTE),
    }


def read_obj(path: Path, shape_only: bool = False) -> ObjMesh:
    """
    Read an OBJ file: v, vt and f lines.

    :param shape_only: read the vertices alone
    :raises AssetsError: it cannot be read, or a line is malformed
    """
    vertices, uv, polygons = [], [], []
    line = ''
    try:
        for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
            if line.startswith('v '):
                vertices.append(_floats(line, 3))
            elif shape_only:
                continue
            elif line.startswith('vt '):
                uv.append(_floats(line, 2))
            elif line.startswith('f '):
                corners = (corner.split('/') for corner in line.split()[1:])
                polygons.append([(int(corner[0]) - 1, int(corner[1]) - 1) for corner in corners])
    except (OSError, ValueError, IndexError) as error:
        raise AssetsError(f'cannot read {path}, at {line[:60]!r}: {error}; get a complete '
                          f'checkout of {_SOURCE}') from error
    return ObjMesh(np.array(vertices, np.float64).reshape(-1, 3),
                   np.array(uv, np.float64).reshape(-1, 2), polygons)


def _floats(line: str, count: int) -> list[float]:
    values = [float(word) for word in line.split()[1:count + 1]]
    if len(values) != count or not np.isfinite(values).all():
        raise ValueError(f'expected {count} finite numbers')
    return values


def _read_indices(path: Path, parts: tuple[Part, ...]) -> tuple[list[str], np.ndarray]:
    """Upstream's names of expressions, and the vertices of the 68 landmarks."""
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
        names = [str(name) for name in data['expressions']]
        landmarks = np.array(data['idx_to_landmark_verts'], np.int32)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AssetsError(f'cannot read expressions and idx_to_landmark_verts of {path}: '
                          f'{error!r}; get a complete checkout of {_SOURCE}') from error
    if landmarks.shape != (68,) or landmarks.min() < 0 or landmarks.max() >= parts[0].vertices:
        raise AssetsError(f'{path} has the landmarks {landmarks.tolist()}, expected 68 vertices '
                          f'of the face, 0 to {parts[0].vertices - 1}')
    return names, landmarks


def _check_files(checkout: Path, paths: list[Path]) -> None:
    missing = [str(path.relative_to(checkout)) for path in paths if not path.is_file()]
    if missing:
        more = f' and {len(missing) - 5} more' if len(missing) > 5 else ''
        raise AssetsError(f'{checkout} lacks {", ".join(missing[:5])}{more}; get a complete '
                          f'checkout with git clone {_SOURCE}')


def _check_sizes(mesh: ObjMesh, path: Path, parts: tuple[Part, ...]) -> None:
    """Check the counts, the polygons' corners and their indices."""
    vertices, polygons = (sum(getattr(part, what) for part in parts)
                          for what in ('vertices', 'polygons'))
    got = (len(mesh.vertices), len(mesh.polygons))
    if got != (vertices, polygons):
        raise AssetsError(f'{path} has {got[0]} vertices and {got[1]} polygons, expected '
                          f'{vertices} and {polygons}; use an unchanged checkout of {_SOURCE}')
    if min(len(polygon) for polygon in mesh.polygons) < 3:
        raise AssetsError(f'{path} has a polygon of fewer than three corners')
    corners = np.array([corner for polygon in mesh.polygons for corner in polygon])
    if corners.min() < 0 or (corners.max(0) >= (vertices, len(mesh.uv))).any():
        raise AssetsError(f'{path} has polygons with corners up to {(corners.max(0) + 1).tolist()}'
                          f', expected 1 to {vertices} vertices and {len(mesh.uv)} texture '
                          'coordinates')


def _topology(mesh: ObjMesh, parts: tuple[Part, ...],
              landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """Everything that does not depend on the shapes; polygons are cut into fans."""
    fans = [(index, (polygon[0], *pair)) for index, polygon in enumerate(mesh.polygons)
            for pair in zip(polygon[1:], polygon[2:], strict=False)]
    corners = np.array([fan for _, fan in fans], np.int32)  # (T, 3, 2)
    triangles = Triangles(np.ascontiguousarray(corners[..., 0]),
                          np.ascontiguousarray(corners[..., 1]),
                          np.array([index for index, _ in fans], np.int32))
    uv_local = mesh.uv - [1.0, 0.0] * np.floor(mesh.uv)  # the tiles stand side by side in u
    slot, label = slots_and_labels(parts, triangles, mesh.vertices, uv_local, landmarks)
    return {
        'neutral': mesh.vertices.astype(np.float32), 'triangles': triangles.vertices,
        'uv_triangles': triangles.uv, 'polygon': triangles.polygon,
        'uv': mesh.uv.astype(np.float32), 'uv_local': uv_local.astype(np.float32),
        'tri_slot': slot, 'slot_names': np.array(SLOTS),
        'tri_label': label, 'label_names': np.array(HEAD_LABELS),
        'tri_part': part_of_triangles(parts, triangles),
        'part_names': np.array([part.name for part in parts]),
        'part_vertex_range': ends(parts, 'vertices'),
        'source_vertex': np.arange(len(mesh.vertices), dtype=np.int32),
        'landmarks68': landmarks,
    } | _eyes(mesh, parts)


def _eyes(mesh: ObjMesh, parts: tuple[Part, ...]) -> dict[str, np.ndarray]:
    """Centre, optical axis and vertices of the left and the right eyeball."""
    indices = [index for index, part in enumerate(parts) if any(part.shell)]
    spans, polygons = (ends(parts, what)[indices] for what in ('vertices', 'polygons'))
    centres, axes = [], []
    for index, (first, _), (polygon, _) in zip(indices, spans, polygons, strict=True):
        shell = parts[index].shell
        points = mesh.vertices[first:first + shell[0]]
        centre = _sphere_centre(points[points[:, 2] < _CORNEA_CM])
        corners = np.array([corner for item in mesh.polygons[polygon:polygon + shell[1]]
                            for corner in item])
        middle = np.linalg.norm(mesh.uv[corners[:, 1]] - 0.5, axis=1).argmin()
        axis = mesh.vertices[corners[middle, 0]] - centre  # the pupil is painted at the middle
        centres.append(centre)
        axes.append(axis / np.linalg.norm(axis))
    return {'eye_parts': np.array(indices), 'eye_vertex_range': spans,
            'eye_centre': np.array(centres, np.float32), 'eye_axis': np.array(axes, np.float32)}


def _sphere_centre(points: np.ndarray) -> np.ndarray:
    """Centre of the sphere that fits best, (3,): |p|^2 = 2 p.c + r^2 - |c|^2 is linear in c."""
    system = np.concatenate([2.0 * points, np.ones((len(points), 1))], axis=1)  # (N, 4)
    return np.linalg.lstsq(system, (points ** 2).sum(1), rcond=None)[0][:3]


def _displacements(folder: Path, stems: list[str], neutral: np.ndarray) -> np.ndarray:
    """Shapes minus the mean head, (N, V, 3) float16."""
    moved = np.zeros((len(stems), *neutral.shape), np.float16)
    for row, stem in zip(moved, stems, strict=True):
        path = folder / f'{stem}.obj'
        vertices = read_obj(path, shape_only=True).vertices
        if vertices.shape != neutral.shape:
            raise AssetsError(f'{path} has {len(vertices)} vertices, expected {len(neutral)} as '
                              f'the mean head; use an unchanged checkout of {_SOURCE}')
        row[:] = vertices - neutral
    return moved


def _readme() -> str:
    return (f'# Face assets\n\n`{HEAD_FILE}`: geometry of the FaceXModel of ICT-FaceKit '
            f'({_SOURCE}), converted; {_NOTE}, see `LICENSES/ICT-FaceKit-MIT.txt`. Unit: '
            'centimetre; x to the left of the subject, y up, z out of the face. Labels '
            '(`tri_label`) are not of upstream: they are outlines in its texture layout, a '
            'triangle (2 to 4 mm) rough.\n\n`expressions.json`: basic expressions as blendshape '
            'weights.\n\nNot here: skins, irises, brows, hair, glasses, lights. Depth needs none '
            'of them, colour images need skins and irises.\n')


if __name__ == '__main__':
    sys.exit(main())
