# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import json

from face_depth_ros.core.errors import AssetsError
from face_depth_ros.synthesis.assets import find_assets, HEAD_FILE
from face_depth_ros.synthesis.expressions import ExpressionTable
from face_depth_ros.synthesis.face_depth_source import FaceDepthRenderer
from face_depth_ros.synthesis.ict_facekit_regions import (
    inside_polygon,
    Part,
    part_of_triangles,
    PARTS,
    SLOTS,
    Triangles,
)
from face_depth_ros.synthesis.import_ict_facekit import (
    BASIC_EXPRESSIONS,
    head_arrays,
    main,
    read_obj,
    write_assets,
)
from face_depth_ros.synthesis.labels import HEAD_LABELS
from face_depth_ros.synthesis.person import PersonModel
import numpy as np
import pytest

GRID = 41
EYE_CENTRES = {'eyeball_left': (3.1, 3.6, 7.9), 'eyeball_right': (-3.1, 3.6, 7.9)}
EYE_AXIS = (0.1, 0.0, 0.995)
TILES = {'head_neck': 1, 'gums_tongue': 2, 'teeth': 3, 'lacrimal_left': 4, 'lacrimal_right': 5,
         'eyelashes_left': 6, 'eyelashes_right': 6}
LISTED = [name + side for name in sorted({name for shapes in BASIC_EXPRESSIONS.values()
                                          for name in shapes}) for side in ('_L', '_R')]


def patch(columns, rows):
    """Return grid points in [0, 1], row by row, and its quads (corner indices from 0)."""
    v, u = np.meshgrid(np.linspace(0.02, 0.98, rows), np.linspace(0.02, 0.98, columns),
                       indexing='ij')
    corner = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]], axis=2)
    return np.stack([u.ravel(), v.ravel()], axis=1), quads.reshape(-1, 4)


def shape_of(part, uv):
    """Place a patch: face and head on plates, eyeballs on a sphere with a bulge, others small."""
    if part.name in EYE_CENTRES:
        axis = np.array(EYE_AXIS) * [np.sign(EYE_CENTRES[part.name][0]), 1, 1]
        side, up = np.cross([0, 1, 0], axis), np.cross(axis, np.cross([0, 1, 0], axis))
        angle = np.linalg.norm(uv - 0.5, axis=1) * 3.5
        turn = np.arctan2(uv[:, 1] - 0.5, uv[:, 0] - 0.5)
        ball = (np.cos(angle)[:, None] * axis + (np.sin(angle) * np.cos(turn))[:, None] * side
                + (np.sin(angle) * np.sin(turn))[:, None] * up)
        radius = np.where(angle < 0.6, 1.7, 1.5)  # the cornea
        return np.array(EYE_CENTRES[part.name]) + radius[:, None] * ball
    x, y = (uv[:, 0] - 0.5) * 16.0, (uv[:, 1] - 0.5) * 20.0
    if part.name == 'face':
        return np.stack([x, y, 10.0 - 0.05 * x ** 2], axis=1)
    if part.name == 'head_neck':
        return np.stack([x, y, -2.0 + 0 * x], axis=1)
    return np.stack([x * 0.1, y * 0.1, 6.0 + 0 * x], axis=1)


@pytest.fixture(scope='module')
def toy():
    """Return a small head of the same parts: Part table, vertices, uv, quads, landmarks."""
    parts, vertices, uv, quads = [], [], [], []
    for real in PARTS:
        columns = GRID if real.name in ('face', 'head_neck') else 9
        inner = patch(4, 4) if any(real.shell) else (np.zeros((0, 2)), np.zeros((0, 4), int))
        place, faces = patch(columns, columns)
        shell = (len(place), len(faces)) if any(real.shell) else (0, 0)
        faces = np.concatenate([faces, inner[1] + len(place)])
        place = np.concatenate([place, inner[0]])
        parts.append(Part(real.name, len(place), len(faces), real.slot, real.label, shell))
        quads.append(faces + sum(map(len, vertices)))
        vertices.append(shape_of(real, place))
        uv.append(place + [TILES.get(real.name, 0), 0])
    turn = np.linspace(np.pi, 3 * np.pi, 12, endpoint=False)
    template = np.full((68, 2), 0.5)
    template[48:60] = np.stack([0.5 + 0.11 * np.cos(turn), 0.434 - 0.07 * np.sin(turn)], axis=1)
    template[[60, 64]] = (0.4, 0.434), (0.6, 0.434)
    face = uv[0]
    landmarks = [int(np.linalg.norm(face - point, axis=1).argmin()) for point in template]
    return tuple(parts), *map(np.concatenate, (vertices, uv, quads)), landmarks


def write_obj(path, vertices, uv, polygons, uv_polygons):
    lines = ['# made for a test', 'mtllib none.mtl']
    lines += ['v %.9f %.9f %.9f' % tuple(row) for row in vertices]
    lines += ['vt %.9f %.9f' % tuple(row) for row in uv]
    lines.append('usemtl M_Face')
    lines += ['f ' + ' '.join(f'{v + 1}/{t + 1}' for v, t in zip(*both, strict=True))
              for both in zip(polygons, uv_polygons, strict=True)]
    path.write_text('\n'.join(lines) + '\n')


def write_checkout(folder, mesh, landmarks, identities, expressions, listed):
    """Write OBJ files as upstream names them; shapes are displacements (V, 3) by name."""
    (folder / 'FaceXModel').mkdir(parents=True)
    vertices, *rest = mesh
    shapes = {f'identity{k:03d}': shape for k, shape in enumerate(identities)} | expressions
    neutral = folder / 'FaceXModel' / 'generic_neutral_mesh.obj'
    write_obj(neutral, vertices, *rest)
    for name, shape in shapes.items():
        if np.any(shape):
            write_obj(neutral.with_stem(name), vertices + shape, *rest)
        else:
            neutral.with_stem(name).write_bytes(neutral.read_bytes())
    (folder / 'FaceXModel' / 'vertex_indices.json').write_text(
        json.dumps({'expressions': listed, 'idx_to_landmark_verts': landmarks}))
    (folder / 'LICENSE').write_text('MIT License, of the test')


def displacement(seed, count):
    return 0.3 * np.random.default_rng(seed).standard_normal((count, 3))


@pytest.fixture
def checkout(tmp_path, toy):
    """Return a checkout of the toy: 2 identities, 1 listed expression, 1 that is not listed."""
    parts, vertices, uv, quads, landmarks = toy
    count = len(vertices)
    write_checkout(tmp_path / 'kit', (vertices, uv, quads, quads), landmarks,
                   [displacement(seed, count) for seed in (1, 2)],
                   {'jawOpen': displacement(3, count), 'PupilDilate_L': displacement(4, count)},
                   ['jawOpen'])
    return tmp_path / 'kit'


def test_shapes_come_back(checkout, toy):
    parts, vertices, uv, quads, landmarks = toy
    arrays = head_arrays(checkout, parts, 2)
    np.testing.assert_allclose(arrays['neutral'], vertices, atol=1e-6)
    for row, seed in zip([*arrays['identity'], *arrays['expression']], (1, 2, 3, 4), strict=True):
        np.testing.assert_allclose(row, displacement(seed, len(vertices)), atol=1e-3)
    assert arrays['expression_names'].tolist() == ['jawOpen', 'PupilDilate_L']
    assert arrays['landmarks68'].tolist() == landmarks
    np.testing.assert_allclose(arrays['uv_local'] % 1.0, uv % 1.0, atol=1e-6)
    assert arrays['uv_local'].min() >= 0.0 and arrays['uv_local'].max() <= 1.0
    assert {name: arrays[name].dtype for name in ('neutral', 'identity', 'expression')} == {
        'neutral': np.float32, 'identity': np.float16, 'expression': np.float16}


def test_triangles_cover_the_quads(checkout, toy):
    parts, vertices, _, quads, _ = toy
    arrays = head_arrays(checkout, parts, 2)

    def area(corners):
        a, b, c = np.moveaxis(vertices[corners][:, :3], 1, 0)
        return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2

    whole = area(quads[:, :3]) + area(quads[:, [0, 2, 3]])
    np.testing.assert_allclose(np.bincount(arrays['polygon'], area(arrays['triangles'])), whole,
                               rtol=1e-6)


def test_eyes_are_the_spheres_without_their_corneas(checkout, toy):
    arrays = head_arrays(checkout, toy[0], 2)
    assert [arrays['part_names'][part] for part in arrays['eye_parts']] == list(EYE_CENTRES)
    np.testing.assert_allclose(arrays['eye_centre'], list(EYE_CENTRES.values()), atol=1e-5)
    axis = np.array(EYE_AXIS) / np.linalg.norm(EYE_AXIS)
    np.testing.assert_allclose(arrays['eye_axis'], [axis, axis * [-1, 1, 1]], atol=1e-5)
    hidden = arrays['tri_label'] == HEAD_LABELS.index('hidden')
    assert (hidden & (arrays['tri_part'] == 7)).sum() == 2 * 9  # the 3 x 3 quads behind the shell
    assert (arrays['tri_slot'][hidden] == SLOTS.index('none')).all()


def test_labels_lie_where_a_face_has_them(checkout, toy):
    arrays = head_arrays(checkout, toy[0], 2)
    centre = arrays['neutral'][arrays['triangles']].mean(1)
    uv = arrays['uv_local'][arrays['uv_triangles']].mean(1)

    def label_at(part, u, v):
        of_part = np.nonzero(arrays['tri_part'] == part)[0]
        nearest = of_part[np.linalg.norm(uv[of_part] - (u, v), axis=1).argmin()]
        return HEAD_LABELS[arrays['tri_label'][nearest]]

    assert [label_at(0, 0.5, v) for v in (0.57, 0.47, 0.40)] == ['nose', 'upper_lip', 'lower_lip']
    assert [label_at(0, u, 0.79) for u in (0.65, 0.35)] == ['left_brow', 'right_brow']
    assert [label_at(0, u, 0.56) for u in (0.95, 0.05)] == ['left_ear', 'right_ear']
    assert [label_at(0, 0.5, 0.9), label_at(0, 0.25, 0.5)] == ['skin', 'skin']
    assert label_at(1, 0.5, 0.7) == 'scalp'
    head = arrays['tri_part'] == 1
    below = centre[:, 1] < -6.0 + 0.55 * 2.0 - 0.5
    assert (arrays['tri_label'][head & below] == HEAD_LABELS.index('neck')).all()


@pytest.fixture(scope='module')
def written(tmp_path_factory, toy):
    """Return the assets folder of a toy with everything that training draws from."""
    parts, vertices, uv, quads, landmarks = toy
    folder = tmp_path_factory.mktemp('ict')
    speech = ['mouthLeft', 'mouthRight', 'jawLeft', 'jawRight', 'mouthFunnel', 'mouthPucker',
              'mouthClose', 'cheekPuff_L', 'cheekPuff_R', 'eyeBlink_L', 'eyeBlink_R']
    names = LISTED + speech
    write_checkout(folder / 'kit', (vertices, uv, quads, quads), landmarks,
                   np.zeros((100, 1, 1)), dict.fromkeys(names, 0.0), names)
    write_assets(folder / 'kit', folder / 'out', parts)
    return folder


def test_geometry_alone_renders_depth(written):
    assets = find_assets(written / 'out')
    batch = FaceDepthRenderer(assets, size=64).render(1, 3, observed=True)
    assert 0.2 < float(batch.depth.isfinite().float().mean()) < 1.0
    assert bool((batch.observed.isfinite() >= batch.depth.isfinite()).all())
    renderer = FaceDepthRenderer(assets, size=64)
    table = ExpressionTable(assets, renderer.head.expression_names)
    assert set(table.prototypes) == set(BASIC_EXPRESSIONS)
    assert float(table.named('happiness').sum()) == pytest.approx(2 * (0.85 + 0.6 + 0.25 + 0.2
                                                                       + 0.2 + 0.08))


def test_colour_says_what_is_missing(written):
    with pytest.raises(AssetsError, match=r'lacks albedo/NAME.jpg with .*, iris/NAME.jpg, '
                                          r'albedo/flat_colours.json.*eyelash_alpha.png: colour '
                                          r'images need skins and irises, depth images do not'):
        PersonModel(find_assets(written / 'out'))


def test_the_licence_goes_along_and_nothing_is_overwritten(written, toy):
    out = written / 'out'
    assert (out / 'LICENSES' / 'ICT-FaceKit-MIT.txt').read_text() == 'MIT License, of the test'
    assert 'ICT-FaceKit' in (out / 'README.md').read_text()
    assert sorted(path.name for path in out.iterdir()) == ['LICENSES', 'README.md',
                                                           'expressions.json', HEAD_FILE]
    with pytest.raises(AssetsError, match=r'holds ict_model.npz already'):
        write_assets(written / 'kit', out, toy[0])


def test_command_line_says_what_is_wrong(tmp_path, checkout, capsys):
    assert main([str(tmp_path), str(tmp_path / 'out')]) == 1
    assert 'is not a checkout of ICT-FaceKit' in capsys.readouterr().err
    assert main([str(checkout), str(tmp_path / 'out')]) == 1
    assert 'lacks FaceXModel/identity002.obj' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_missing_files_are_named(checkout, toy):
    (checkout / 'LICENSE').unlink()
    with pytest.raises(AssetsError, match=r'lacks LICENSE; get a complete checkout'):
        head_arrays(checkout, toy[0], 2)
    with pytest.raises(AssetsError, match=r'lacks .*identity002.obj, .* and 4 more'):
        head_arrays(checkout, toy[0], 10)
    (checkout / 'FaceXModel' / 'jawOpen.obj').unlink()
    with pytest.raises(AssetsError, match=r'lacks FaceXModel/jawOpen.obj, LICENSE'):
        head_arrays(checkout, toy[0], 2)


def test_other_meshes_are_refused(checkout, toy):
    parts, indices = toy[0], checkout / 'FaceXModel' / 'vertex_indices.json'
    with pytest.raises(AssetsError, match=r'has \d+ vertices and \d+ polygons, expected 26719 and '
                                          r'26384'):
        head_arrays(checkout, identity_modes=2)
    shape = checkout / 'FaceXModel' / 'identity001.obj'
    text = shape.read_text()
    shape.write_text(text.replace('v ', '# ', 1))  # a vertex is gone ('mtllib' has no 'v ')
    with pytest.raises(AssetsError, match=r'identity001.obj has \d+ vertices, expected \d+ as'):
        head_arrays(checkout, parts, 2)
    shape.write_text(text.replace('\nv ', '\nv nan ', 1))
    with pytest.raises(AssetsError, match=r"identity001.obj, at 'v nan .*3 finite numbers"):
        head_arrays(checkout, parts, 2)
    indices.write_text(json.dumps({'expressions': [], 'idx_to_landmark_verts': [1, 2]}))
    with pytest.raises(AssetsError, match=r'landmarks \[1, 2\], expected 68 vertices of the face'):
        head_arrays(checkout, parts, 2)
    indices.write_text('{}')
    with pytest.raises(AssetsError, match=r'cannot read expressions and idx_to_landmark_verts'):
        head_arrays(checkout, parts, 2)


@pytest.mark.parametrize(('broken', 'message'), [
    ('f 1/1 2/2', 'a polygon of fewer than three corners'),
    ('f 1/1 2/2 999999/3', 'corners up to .*999999'),
    ('f 1/1 2/2 0/3', 'corners up to'),
    ('f 1 2 3', "at 'f 1 2 3'"),
    ('f 1//1 2//2 3//3', "at 'f 1//1"),
])
def test_broken_polygons_are_refused(checkout, toy, broken, message):
    path = checkout / 'FaceXModel' / 'generic_neutral_mesh.obj'
    lines = path.read_text().splitlines()
    path.write_text('\n'.join([*lines[:-1], broken]))
    with pytest.raises(AssetsError, match=message):
        head_arrays(checkout, toy[0], 2)


def test_a_part_uses_vertices_of_its_own_or_of_the_face():
    parts = (Part('face', 3, 1, 'face', 'skin'), Part('head_neck', 3, 1, 'head', 'skin'),
             Part('teeth', 3, 1, 'teeth', 'mouth_interior'))

    def parts_of(last):
        corners = np.array([[0, 1, 2], [0, 3, 4], last], np.int32)
        return part_of_triangles(parts, Triangles(corners, corners, np.arange(3)))

    assert parts_of([6, 7, 8]).tolist() == [0, 1, 2]
    with pytest.raises(AssetsError, match=r'polygon 2 uses the vertices \[5, 7, 8\], expected '
                                          r'those of its part teeth, \[6, 9\]'):
        parts_of([5, 7, 8])


def test_inside_polygon_of_a_concave_outline():
    outline = ((0, 0), (4, 0), (4, 4), (2, 1), (0, 4))
    points = np.array([(2, 0.5), (2, 2), (0.5, 2), (3.5, 2), (5, 1), (-1, 1)])
    assert inside_polygon(points, outline).tolist() == [True, False, True, True, False, False]


def test_obj_reader_takes_triangles_normals_and_comments(tmp_path):
    path = tmp_path / 'a.obj'
    path.write_text('# v 9 9 9\nv 1 2 3 0.5\nv 0 0 0\nv 1 0 0\nvn 0 0 1\nvt 0.5 1 0\nvt 0 0\n'
                    'vt 1 0\nf 1/1/1 2/2/1 3/3/1\n')
    mesh = read_obj(path)
    assert mesh.vertices.tolist() == [[1, 2, 3], [0, 0, 0], [1, 0, 0]]
    assert mesh.uv.tolist() == [[0.5, 1], [0, 0], [1, 0]]
    assert mesh.polygons == [[(0, 0), (1, 1), (2, 2)]]
    assert read_obj(path, shape_only=True).polygons == []
    with pytest.raises(AssetsError, match='cannot read .*none.obj'):
        read_obj(tmp_path / 'none.obj')


@pytest.mark.assets
def test_the_head_of_the_assets_survives_being_written_as_upstream_writes_it(tmp_path,
                                                                             assets_folder):
    """The real mesh, made by other code from upstream's files: counts, parts, slots, labels."""
    with np.load(assets_folder / HEAD_FILE) as data:
        head = {name: data[name] for name in data.files}
    polygons, uv_polygons = (fans_to_polygons(head['polygon'], head[name])
                             for name in ('triangles', 'uv_triangles'))
    neutral = head['neutral'].astype(np.float64)
    names = head['expression_names'][[0, 55]].tolist()  # the second is not in upstream's list
    write_checkout(tmp_path / 'kit', (neutral, head['uv'], polygons, uv_polygons),
                   head['landmarks68'].tolist(), head['identity'][:1].astype(np.float64),
                   dict(zip(names, head['expression'][[0, 55]].astype(np.float64), strict=True)),
                   names[:1])
    arrays = head_arrays(tmp_path / 'kit', identity_modes=1)
    head['identity'], head['expression'] = head['identity'][:1], head['expression'][[0, 55]]
    assert set(head) <= set(arrays) and arrays['expression_names'].tolist() == names
    for name in ('triangles', 'uv_triangles', 'polygon', 'landmarks68', 'tri_part', 'tri_slot',
                 'slot_names', 'label_names', 'part_names', 'part_vertex_range', 'eye_parts',
                 'eye_vertex_range', 'source_vertex'):
        np.testing.assert_array_equal(arrays[name], head[name], err_msg=name)
        assert arrays[name].dtype == head[name].dtype, name
    for name, tolerance in (('neutral', 1e-6), ('identity', 1e-6), ('expression', 1e-6),
                            ('uv', 1e-6), ('uv_local', 1e-6), ('eye_centre', 1e-3),
                            ('eye_axis', 1e-3)):
        np.testing.assert_allclose(arrays[name], head[name], rtol=0, atol=tolerance, err_msg=name)
    labels, expected = arrays['tri_label'], head['tri_label']
    assert (labels != expected).mean() < 0.005  # outlines here, painted textures there
    for index in np.unique(expected):
        both, either = ((labels == index) & (expected == index),
                        (labels == index) | (expected == index))
        assert both.sum() / either.sum() > 0.88, HEAD_LABELS[index]


def fans_to_polygons(polygon, triangles):
    """Undo the cut into fans: the first triangle, then the last corner of each further one."""
    corners = [[] for _ in range(int(polygon[-1]) + 1)]
    for index, triangle in zip(polygon.tolist(), triangles.tolist(), strict=True):
        corners[index].extend(triangle[2:] if corners[index] else triangle)
    return corners
