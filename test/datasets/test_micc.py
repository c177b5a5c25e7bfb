# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""MICC's folders and files, written small and read back; and all that may be wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.micc import Micc, read_obj
from face_depth_ros.datasets.photo_faces import has_depth
from face_depth_ros.datasets.rgbd_faces import first_as_gallery
from face_depth_ros.datasets.scan_rasterizer import grid_triangles
import numpy as np
import pytest
from scan_files import check_front_view, grid_mm, head_z, texture_image, write_image


def write_scan(root: Path, subject: str = 'subject_01', scan: str = 'frontal1', *,
               places: bool = True, texture: bool = True) -> Path:
    """Write the head of scan_files as a Wavefront mesh with its texture."""
    x, y = grid_mm(2.0)
    z = head_z(x, y)
    points = np.stack([x, y, z], axis=-1)
    triangles = grid_triangles(np.isfinite(z))
    flat, number = points.reshape(-1, 3), np.full(z.size, 0)
    used = np.unique(triangles)
    number[used] = np.arange(1, len(used) + 1)
    lines = [f'v {px:.4f} {py:.4f} {pz:.4f}' for px, py, pz in flat[used]]
    if places:
        lines += [f'vt {(px + 80) / 160:.6f} {(py + 100) / 200:.6f}' for px, py, _ in flat[used]]
    corner = '{0}/{0}' if places else '{0}'
    lines += ['f ' + ' '.join(corner.format(number[i]) for i in t) for t in triangles]
    path = root / subject / 'Model' / scan / 'obj' / '110920150452.obj'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines))
    if texture:
        write_image(path.with_suffix('.png'), texture_image())
    return path


def write_video(path: Path, frames: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'MJPG'), 10, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 60 + 60 * number, np.uint8))
    writer.release()


def test_a_scan_is_seen_from_the_front(tmp_path: Path) -> None:
    write_scan(tmp_path / 'Florence')
    dataset = Micc(tmp_path)
    (recording,) = dataset.recordings
    assert (recording.subject, recording.name, recording.condition) == (
        'subject_01', 'subject_01_frontal1', 'neutral')
    (face,) = dataset.faces()
    assert face.color is not None and face.yaw == 0.0
    check_front_view(face)


@pytest.mark.parametrize(('places', 'texture'), [(False, True), (True, False)])
def test_a_scan_without_texture_has_no_colour(tmp_path: Path, places: bool,
                                              texture: bool) -> None:
    write_scan(tmp_path, places=places, texture=texture)
    (face,) = Micc(tmp_path).faces()
    assert face.color is None and has_depth(face)


def test_scans_and_videos(tmp_path: Path) -> None:
    write_scan(tmp_path)
    write_scan(tmp_path, scan='frontal2')
    write_video(tmp_path / 'subject_01' / 'Video' / 'Indoor-Cooperative.avi')
    dataset = Micc(tmp_path)
    assert [r.condition for r in dataset.recordings] == ['neutral', 'frontal2',
                                                         'Indoor-Cooperative']
    split = first_as_gallery(dataset.recordings)
    assert len(split.gallery) == 1 and len(split.probe) == 2
    video = dataset.recordings[-1]
    face = dataset.read(video)
    assert face.color is not None and face.color.shape == (48, 64, 3) and not has_depth(face)
    levels = [float(f.color.mean()) for f in dataset.frames(video, 2) if f.color is not None]
    assert levels == pytest.approx([60, 180], abs=3)


def test_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """One of them was dropped, and the other one counted twice as a probe."""
    scan = write_scan(tmp_path)
    second = scan.with_name('second.obj')
    second.write_bytes(scan.read_bytes())
    with pytest.raises(DatasetError, match='110920150452.obj and .*/second.obj are both '
                                           'subject_01_frontal1, expected one .obj file of a'):
        Micc(tmp_path)
    second.unlink()
    for folder in ('Video', 'Videos'):
        write_video(tmp_path / 'subject_01' / folder / 'PTZ-Indoor.avi')
    with pytest.raises(DatasetError, match='/Video/PTZ-Indoor.avi and .*/Videos/PTZ-Indoor.avi '
                                           'are both subject_01_PTZ-Indoor.*; move one of them'):
        Micc(tmp_path)


def test_what_is_no_video(tmp_path: Path) -> None:
    write_scan(tmp_path)
    path = tmp_path / 'subject_01' / 'Videos' / 'PTZ-Outdoor.mjpg'
    path.parent.mkdir()
    path.write_bytes(b'no video')
    dataset = Micc(tmp_path)
    with pytest.raises(DatasetError, match='cannot be decoded as a video'):
        dataset.read(dataset.recordings[-1])
    with pytest.raises(DatasetError, match='every is 0, expected 1 or more, of a video'):
        next(dataset.frames(dataset.recordings[-1], 0))
    with pytest.raises(DatasetError, match='expected files such as subject_01/Model/frontal1/obj'):
        Micc(tmp_path / 'subject_01')


def test_polygons_and_numbers_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / 'mesh.obj'
    path.write_text('# a square\nv 0 0 0\nv 1 0 0\nv 1 1 0 0.5 0.5 0.5\nv 0 1 0\nvn 0 0 1\n'
                    'f 1//1 2//1 3//1 4//1\nf -4 -3 -2\n')
    points, triangles, places = read_obj(path)
    assert points.shape == (4, 3) and places is None
    assert triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2]]


@pytest.mark.parametrize(('text', 'reason'), [
    ('', 'has 0 points and 0 triangles, expected the mesh of a head'),
    ('v 0 0\nf 1 1 1\n', 'has 1 points and 1 triangles'),
    ('v 0 0 x\n', "line 1: 'v 0 0 x' is no part of a mesh"),
    ('v 0 0 0\nf 1 1 2\n', "line 2: 'f 1 1 2' is no part of a mesh"),
    ('v 0 0 0\nf 0 1 1\n', "line 2: 'f 0 1 1' is no part of a mesh")])
def test_meshes_that_are_none(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'mesh.obj'
    path.write_text(text)
    with pytest.raises(DatasetError, match=reason):
        read_obj(path)
