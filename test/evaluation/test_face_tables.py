# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Sources of faces, and the tables made of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from face_depth_ros.core.errors import DatasetError
from face_depth_ros.evaluation import face_tables
from face_depth_ros.evaluation.enhancer_rows import EnhancerRows, NONE
from face_depth_ros.evaluation.face_tables import FaceSource, score_faces
from face_depth_ros.evaluation.real_faces import canonical_ellipse, FaceSample, NEUTRAL
import numpy as np
import pytest


def samples(count: int, holes: int = 0) -> Iterator[FaceSample]:
    for i in range(count):
        depth = np.full((256, 256), 0.7, np.float32)
        depth[120:120 + holes, 120:150] = np.nan
        yield FaceSample(f'{i}', NEUTRAL, depth, canonical_ellipse())


def source(key: str, count: int, holes: int = 0) -> FaceSource:
    return FaceSource(f'dataset {key}', key, lambda: samples(count, holes))


@pytest.fixture
def rows() -> Iterator[EnhancerRows]:
    with EnhancerRows(rows=(NONE,)) as opened:
        yield opened


def test_one_table_for_each_source(rows: EnhancerRows) -> None:
    made = score_faces([source('a', 2), source('b', 3, 10)], rows, ['roughness'])
    assert [result.protocol for result in made] == ['roughness']
    tables = made[0].tables
    assert list(tables) == ['roughness_a', 'roughness_b']
    assert tables['roughness_a'].rows[NONE]['images'] == 2
    assert tables['roughness_a'].rows[NONE]['holes_mean'] == 0.0
    assert tables['roughness_b'].dataset == 'dataset b'
    area = np.count_nonzero(canonical_ellipse())
    assert tables['roughness_b'].rows[NONE]['holes_mean'] == pytest.approx(100 * 300 / area)


def test_recordings_of_equal_names_keep_their_tables(rows: EnhancerRows) -> None:
    made = score_faces([source('bag', 1), source('bag', 2), source('bag', 3)], rows,
                       ['roughness'])
    assert {key: table.rows[NONE]['images'] for key, table in made[0].tables.items()} == {
        'roughness_bag': 1, 'roughness_bag_2': 2, 'roughness_bag_3': 3}


def test_names_of_recordings_are_plain_text(rows: EnhancerRows) -> None:
    made = score_faces([source('<b>&', 1)], rows, ['roughness'])
    assert '<h3>dataset &lt;b&gt;&amp;</h3>' in made[0].blocks


def test_protocols_for_which_no_face_fits_are_left_out(rows: EnhancerRows) -> None:
    made = score_faces([source('a', 2)], rows, ['roughness', 'landmarks', 'panels'])
    assert [result.protocol for result in made] == ['roughness', 'panels']
    assert list(made[0].tables) == ['roughness']


def test_protocols_asked_for_must_have_faces(rows: EnhancerRows) -> None:
    with pytest.raises(DatasetError, match='no face of dataset a fits landmarks'):
        score_faces([source('a', 2)], rows, ['landmarks'], needed=True)
    with pytest.raises(DatasetError, match='no face of dataset a fits roughness, panels'):
        score_faces([source('a', 0)], rows, ['roughness', 'panels'])


def test_reasons_for_empty_rows_stand_below(rows: EnhancerRows) -> None:
    rows.absent = {'DL-Beta': 'there is no model'}
    result = score_faces([source('a', 1)], rows, ['panels'])[0]
    assert 'Empty rows: DL-Beta' in result.blocks[-1]
    assert 'there is no model' in result.blocks[-1]
    assert result.details['absent'] == rows.absent


def test_bags_and_folders_of_the_database_are_told_apart(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, Path]] = []
    for kind in ('bag_faces', 'kinect_faces'):
        def opens(path: Path, *_: object, kind: str = kind, **__: object) -> Iterator[FaceSample]:
            opened.append((kind, path))
            return iter(())
        monkeypatch.setattr(face_tables, kind, opens)
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'metadata.yaml').touch()
    (tmp_path / 'one.mcap').touch()
    (tmp_path / 'KinectFaceDB' / '0001').mkdir(parents=True)
    for name in ('bag', 'one.mcap', 'KinectFaceDB'):
        FaceSource.recorded(tmp_path / name, None, backend='auto', precision='auto',
                            limit=3).samples()
    assert opened == [('bag_faces', tmp_path / 'bag'), ('bag_faces', tmp_path / 'one.mcap'),
                      ('kinect_faces', tmp_path / 'KinectFaceDB')]


def test_panels_show_samples_spread_over_a_recording(rows: EnhancerRows) -> None:
    result = score_faces([source('a', 60)], rows, ['panels'])[0]
    assert list(result.tables['panels'].rows) == ['0, neutral', '25, neutral', '50, neutral']
    assert sum('<img' in block for block in result.blocks) == 3
