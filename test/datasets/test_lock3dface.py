# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Lock3DFace's folders and files, written small and read back; and all that may be wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets.lock3dface import (
    CAMERAS as KINECT_V2,
)
from face_depth_ros.datasets.lock3dface import (
    EXPRESSION,
    Lock3DFace,
    OCCLUSION,
    POSE,
    probe_sets,
    read_labels,
    TIME,
)
from lock3dface_files import CAMERAS, label_text, LABELS, write_video
import numpy as np
import pytest


def on_color(label: tuple[int, int]) -> np.ndarray:
    """Where a point of the face at a pixel of the depth image is in the colour image."""
    source, target = CAMERAS.depth, CAMERAS.color
    x = (label[0] + 0.5 - source.cx) / source.fx + 0.052 / 0.6
    y = (label[1] + 0.5 - source.cy) / source.fy
    return np.array([target.cx + target.fx * x, target.cy + target.fy * y])


def test_a_frame_is_read_as_written(tmp_path: Path) -> None:
    write_video(tmp_path, '438_Kinect_FE_2')
    database = Lock3DFace(tmp_path, cameras=CAMERAS)
    first, second = database.recordings
    assert (first.subject, first.session, first.condition, first.name) == (
        '438', 'S1', EXPRESSION, '438_Kinect_FE_2_01')
    face, later = database.faces()
    assert face.intrinsics == CAMERAS.color and face.color is not None
    np.testing.assert_allclose(face.color[30, 30], [160, 80, 40], atol=4)  # RGB, JPEG
    assert isinstance(face.landmarks, np.ndarray) and later.landmarks is None
    np.testing.assert_allclose(face.landmarks, [on_color(p) for p in LABELS], atol=1e-3)
    assert face.head_center == later.head_center == pytest.approx(tuple(on_color(LABELS[2])))
    assert second.name.endswith('_02')


def test_the_depth_lies_on_the_color_image(tmp_path: Path) -> None:
    write_video(tmp_path)
    face = next(Lock3DFace(tmp_path, cameras=CAMERAS).faces())
    x, y = on_color((64, 56))
    ys, xs = np.mgrid[:135, :240] + 0.5
    away = np.hypot(xs - x, ys - y) * 91.0 / 135.0
    assert np.allclose(face.depth[away < 12.5], 0.6)
    assert not (np.nan_to_num(face.depth, nan=9.0) < 1.0)[away > 15.5].any()


def test_frames_are_taken_in_their_order(tmp_path: Path) -> None:
    write_video(tmp_path, frames=11)
    folder = tmp_path / 'depth' / '001_Kinect_NU_1DEPTH'
    (folder / '02.png').rename(folder / '2.png')  # as numbers, not as text
    for other in ('thumbs.png', '².png'):  # the second is a digit, of which int() is none
        (folder / other).write_bytes(b'')
    (tmp_path / 'depth' / 'readme').mkdir()
    names = [r.path.stem for r in Lock3DFace(tmp_path, cameras=CAMERAS, every=3).recordings]
    assert names == ['01', '04', '07', '10']
    assert Lock3DFace(tmp_path, cameras=CAMERAS).recordings[1].path.stem == '2'


def test_the_papers_probe_sets(tmp_path: Path) -> None:
    for person in ('001', '002'):
        for video in ('FE_1', 'NU_1', 'NU_2', 'OC_1', 'PS_1', 'PS_2', 'TM_1'):
            write_video(tmp_path, f'{person}_Kinect_{video}')
    write_video(tmp_path, '003_Kinect_TM_1')  # never neutral in the first session
    sets = probe_sets(Lock3DFace(tmp_path, cameras=CAMERAS).recordings)
    assert list(sets) == [EXPRESSION, POSE, OCCLUSION, TIME]
    for split in sets.values():
        assert [r.name for r in split.gallery] == ['001_Kinect_NU_1_01', '002_Kinect_NU_1_01']
    assert {k: len(s.probe) for k, s in sets.items()} == {
        EXPRESSION: 4, POSE: 8, OCCLUSION: 4, TIME: 6}
    assert {r.session for r in sets[TIME].probe} == {'S2'}
    assert {r.session for k in (EXPRESSION, POSE, OCCLUSION) for r in sets[k].probe} == {'S1'}


def test_a_gallery_needs_neutral_images(tmp_path: Path) -> None:
    write_video(tmp_path, '001_Kinect_FE_1')
    with pytest.raises(DatasetError, match='none of 2 recordings is neutral'):
        probe_sets(Lock3DFace(tmp_path, cameras=CAMERAS).recordings)


def test_labels_that_are_not_seen_are_nan(tmp_path: Path) -> None:
    hidden = list(LABELS)
    hidden[0] = hidden[2] = (0, 0)
    write_video(tmp_path, labels=label_text(hidden))
    face = next(Lock3DFace(tmp_path, cameras=CAMERAS).faces())
    assert isinstance(face.landmarks, np.ndarray)
    assert np.isnan(face.landmarks[[0, 2]]).all() and np.isfinite(face.landmarks[[1, 3, 4]]).all()
    assert face.head_center == pytest.approx(
        tuple(np.mean([on_color(LABELS[i]) for i in (1, 3, 4)], axis=0)), abs=1e-3)
    write_video(tmp_path, labels=label_text([(0, 0)] * 5))
    assert next(Lock3DFace(tmp_path, cameras=CAMERAS).faces()).head_center is None


def test_a_label_without_depth_is_nan(tmp_path: Path) -> None:
    write_video(tmp_path, labels=label_text([(500, 50), *LABELS[1:]]))
    path = tmp_path / 'depth' / '001_Kinect_NU_1DEPTH' / '01.png'
    depth_mm = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    depth_mm[40:58, 50:80] = 0
    cv2.imwrite(str(path), depth_mm)
    face = next(Lock3DFace(tmp_path, cameras=CAMERAS).faces())
    assert isinstance(face.landmarks, np.ndarray)
    assert np.isnan(face.landmarks[:3, 0]).tolist() == [True, True, False]
    np.testing.assert_allclose(face.landmarks[2], on_color(LABELS[2]), atol=1e-3)


def test_labels_may_be_absent_or_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / 'Lock3DFace' / 'data'
    write_video(root)
    (root / 'label').rename(tmp_path / 'Lock3DFace' / 'landmark')
    database = Lock3DFace(tmp_path / 'Lock3DFace', cameras=CAMERAS)
    assert database.root == root and next(database.faces()).landmarks is not None
    (tmp_path / 'Lock3DFace' / 'landmark').rename(tmp_path / 'gone')
    face = next(database.faces())
    assert face.landmarks is None and face.head_center is None


def test_a_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='is not a folder; name the one of Lock3DFace'):
        Lock3DFace(tmp_path / 'absent')
    with pytest.raises(DatasetError, match='holds nothing, expected files such as depth/001_Kin'):
        Lock3DFace(tmp_path)
    with pytest.raises(DatasetError, match='every is 0, expected 1 or more'):
        Lock3DFace(tmp_path, every=0)


def test_the_images_must_have_the_sizes_of_the_cameras(tmp_path: Path) -> None:
    assert (KINECT_V2.depth.width, KINECT_V2.color.height) == (512, 1080)
    write_video(tmp_path)
    with pytest.raises(DatasetError, match='01.png is 128 x 106, expected 512 x 424 pixels'):
        next(Lock3DFace(tmp_path).faces())
    path = tmp_path / 'depth' / '001_Kinect_NU_1DEPTH' / '01.png'
    cv2.imwrite(str(path), np.zeros((106, 128), np.uint8))
    with pytest.raises(DatasetError, match='is uint8, expected 16 bit millimetres'):
        next(Lock3DFace(tmp_path, cameras=CAMERAS).faces())


@pytest.mark.parametrize('name', ['color/001_Kinect_NU_1COLOR/01.jpg',
                                  'depth/001_Kinect_NU_1DEPTH/01.png'])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_video(tmp_path)
    database = Lock3DFace(tmp_path, cameras=CAMERAS)
    (tmp_path / name).unlink()
    with pytest.raises(DatasetError, match=f'{name} is missing; is the copy'):
        next(database.faces())


@pytest.mark.parametrize('text', ['', label_text(LABELS[:4]), 'x:1 y:2\n' * 6,
                                  label_text().replace('x:', '', 1),
                                  label_text().replace('50', '5.0.0')])
def test_wrong_labels_are_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'labels.txt'
    path.write_text(text)
    with pytest.raises(DatasetError, match="lines, expected 5 such as 'x:277 y:228'"):
        read_labels(path)
