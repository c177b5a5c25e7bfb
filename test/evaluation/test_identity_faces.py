# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The stored form of photos of people: parts of a folder, and the file that holds a few."""

from __future__ import annotations

from pathlib import Path

from drawn_identities import draw_people
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.evaluation.identity_faces import (
    check_photos,
    CONDITIONS,
    load_faces,
    read_parts,
    record_type,
    save_faces,
    write_part,
)
import numpy as np
import pytest


def test_parts_are_read_as_written(tmp_path: Path) -> None:
    photos = draw_people(3)
    assert write_part(tmp_path / 'bank', 4, photos).name == 'part_00004.npy'
    (found,) = read_parts(tmp_path / 'bank')
    assert found.dtype == record_type()
    assert found.tobytes() == photos.tobytes()
    assert [p.name for p in (tmp_path / 'bank').iterdir()] == ['part_00004.npy']


def test_so_many_people_as_asked_for(tmp_path: Path) -> None:
    write_part(tmp_path, 0, draw_people(2))
    write_part(tmp_path, 1, draw_people(2, first=2))
    (tmp_path / 'part_00002.npy').write_bytes(b'not read')
    first, second = read_parts(tmp_path, 3)
    assert set(first['person']) == {0, 1} and set(second['person']) == {2}
    assert len(second) == len(CONDITIONS)


def test_folders_that_hold_no_people(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='holds no part_00000.npy; render people into it'):
        next(read_parts(tmp_path))
    write_part(tmp_path, 0, draw_people(2))
    with pytest.raises(DatasetError, match='holds 2 people, expected 3; render more'):
        list(read_parts(tmp_path, 3))
    (tmp_path / 'part_00000.npy').write_bytes(b'')
    with pytest.raises(DatasetError, match='part_00000.npy: .*; remove it to render it anew'):
        next(read_parts(tmp_path))
    np.save(tmp_path / 'part_00000.npy', np.zeros(3))
    with pytest.raises(DatasetError, match=r'holds \(3,\) of None, expected photos'):
        next(read_parts(tmp_path))


@pytest.mark.parametrize(('field', 'value', 'reason'), [
    ('mask', 7, 'has the label 7 and the condition 4'),
    ('condition', 5, 'has the label 1 and the condition 5'),
    ('yaw', np.nan, 'a yaw or pitch that is not finite'),
    ('camera', np.inf, 'a camera that is not finite'),
    ('position', -1.0, 'a head behind it')])
def test_photos_are_checked(tmp_path: Path, field: str, value: float, reason: str) -> None:
    photos = draw_people(1)
    photos[field][0] = value
    with pytest.raises(DatasetError, match=reason):
        write_part(tmp_path, 0, photos)
    assert not list(tmp_path.iterdir())
    with pytest.raises(DatasetError, match='at least 1'):
        check_photos('here', photos[:0])


def test_a_file_holds_nearly_the_photos(tmp_path: Path) -> None:
    photos = draw_people(2)
    photos['relief'][:, 60:64, 80:84] = np.nan
    save_faces(tmp_path / 'faces.npz', photos)
    assert (tmp_path / 'faces.npz').stat().st_size < 15_000 * len(photos)
    found = load_faces(tmp_path / 'faces.npz')
    for name in ('mask', 'person', 'condition', 'yaw', 'pitch'):
        assert (found[name] == photos[name]).all()
    difference = np.abs(found['color'].astype(int) - photos['color'])
    assert difference.mean() < 2
    relief, truth = found['relief'].astype(np.float32), photos['relief'].astype(np.float32)
    assert np.isnan(relief[:, 60:64, 80:84]).all()
    both = np.isfinite(relief) & np.isfinite(truth)
    assert both.sum() > 0.95 * np.isfinite(truth).sum()
    assert np.abs(relief - truth)[both].mean() < 0.0005


def test_files_that_hold_no_photos(tmp_path: Path) -> None:
    path = tmp_path / 'faces.npz'
    with pytest.raises(DatasetError, match='cannot read the faces in'):
        load_faces(path)
    save_faces(path, draw_people(1))
    with np.load(path) as data:
        good = dict(data)
    for change, reason in (
            ({'color': good['color'][:-1]}, 'color has .* bytes for'),
            ({'mask': good['mask'] * 0}, 'mask is no image, expected 192 x 192'),
            ({'relief': good['mask'], 'relief_bytes': good['mask_bytes']},
             r'relief is \(192, 192\) uint8, expected 96 x 96'),
            ({'yaw': good['yaw'][:2]}, 'cannot read the faces')):
        np.savez(path, **good | change)
        with pytest.raises(DatasetError, match=reason):
            load_faces(path)
    del good['condition']
    np.savez(path, **good)
    with pytest.raises(DatasetError, match='condition'):
        load_faces(path)
