# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The stored form of people who show something, and what is rendered of them."""

from __future__ import annotations

from pathlib import Path

from drawn_expressions import draw_expressions
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.expression_labels import NEUTRAL
from face_depth_ros.evaluation import render_expression_faces as script
from face_depth_ros.evaluation.expression_faces import (
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
    photos = draw_expressions(3)
    assert write_part(tmp_path / 'bank', 4, photos).name == 'part_00004.npy'
    (found,) = read_parts(tmp_path / 'bank')
    assert found.dtype == record_type() and found.tobytes() == photos.tobytes()
    assert [p.name for p in (tmp_path / 'bank').iterdir()] == ['part_00004.npy']


def test_so_many_people_as_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='holds no part_00000.npy; render people into it'):
        next(read_parts(tmp_path))
    write_part(tmp_path, 0, draw_expressions(2))
    write_part(tmp_path, 1, draw_expressions(2, first=2))
    (tmp_path / 'part_00002.npy').write_bytes(b'not read')
    first, second = read_parts(tmp_path, 3)
    assert set(first['person']) == {0, 1} and set(second['person']) == {2}
    (tmp_path / 'part_00002.npy').unlink()
    with pytest.raises(DatasetError, match='holds 4 people, expected 5; render more'):
        list(read_parts(tmp_path, 5))
    (tmp_path / 'part_00000.npy').write_bytes(b'')
    with pytest.raises(DatasetError, match='remove it to render it anew'):
        next(read_parts(tmp_path))


@pytest.mark.parametrize(('field', 'value', 'reason'), [
    ('label', 7, 'has the label 7, expected at most 6'),
    ('condition', 5, 'has the condition 5, expected at most 4'),
    ('level', 5, 'has the level 5'), ('level', 0, 'another of level 0; expected level 0 for'),
    ('action_units', np.inf, 'a value of action_units that is not finite')])
def test_photos_are_checked(tmp_path: Path, field: str, value: float, reason: str) -> None:
    photos = draw_expressions(1)
    photos[field][0] = value
    with pytest.raises(DatasetError, match=reason):
        write_part(tmp_path, 0, photos)
    assert not list(tmp_path.iterdir())
    with pytest.raises(DatasetError, match='at least 1'):
        check_photos('here', photos[:0])
    with pytest.raises(DatasetError, match=r'holds \(3,\) of None'):
        check_photos('here', np.zeros(3))


def test_a_file_holds_nearly_the_photos(tmp_path: Path) -> None:
    photos = draw_expressions(1)
    save_faces(tmp_path / 'faces.npz', photos)
    found = load_faces(tmp_path / 'faces.npz')
    for name in ('person', 'condition', 'label', 'level', 'strength', 'action_units', 'yaw'):
        assert (found[name] == photos[name]).all()
    assert np.abs(found['color'].astype(int) - photos['color']).mean() < 2
    relief, truth = found['relief'].astype(np.float32), photos['relief'].astype(np.float32)
    both = np.isfinite(relief) & np.isfinite(truth)
    assert both.sum() > 0.95 * np.isfinite(truth).sum()
    assert np.abs(relief - truth)[both].mean() < 0.0005
    with np.load(tmp_path / 'faces.npz') as data:
        good = dict(data)
    for change, reason in (({'color': good['color'][:-1]}, 'color has .* bytes for'),
                           ({'relief': good['color'], 'relief_bytes': good['color_bytes']},
                            r'relief is \(192, 192, 3\) uint8, expected 96 x 96'),
                           ({'label': good['label'][:2]}, 'cannot read the faces')):
        np.savez(tmp_path / 'bad.npz', **good | change)
        with pytest.raises(DatasetError, match=reason):
            load_faces(tmp_path / 'bad.npz')


def test_what_a_person_shows() -> None:
    posed = script.plan('posed', 0)
    assert len(posed) == 26 and posed.count((NEUTRAL, 0)) == 2
    assert {(label, level) for label in range(6) for level in (1, 2, 3, 4)} <= set(posed)
    assert len(script.plan('pose', 0)) == 13
    first, second = script.plan('occlusion', 0), script.plan('occlusion', 1)
    assert [level for _, level in first] == [3, 4, 3, 4, 3, 4, 0]
    assert [level for _, level in second] == [4, 3, 4, 3, 4, 3, 0]
    assert script.plan('speech', 0) == [*first, (NEUTRAL, 0)]
    assert set(script.SITTINGS) == set(CONDITIONS)
    assert script.SITTINGS['light'].moments.style.shadows == 1.0


def test_a_folder_gets_the_parts_that_it_lacks(tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str]] = []

    def draw(_: str, number: int, split: str = 'test') -> np.ndarray:
        asked.append((number, split))
        return draw_expressions(2, first=2 * number)

    monkeypatch.setattr(script, 'PEOPLE_OF_PART', 2)
    monkeypatch.setattr(script, 'render_part', draw)
    script.fill_bank(tmp_path, 2, '')
    script.main(['--bank', str(tmp_path), '--people', '5'])
    assert asked == [(0, 'test'), (1, 'test'), (2, 'test')]
    script.main(['--fixture', str(tmp_path / 'faces.npz'), '--people', '2'])
    assert asked[3:] == [(0, 'validation')]
    found = load_faces(tmp_path / 'faces.npz')
    # Of each person two levels of six, two neutral faces, one of pose and one of occlusion.
    assert len(found) == 2 * (12 + 2 + 2)
    assert found['label'][found['condition'] == 2].tolist() == [0, 1]
    assert (found['level'][found['label'] != NEUTRAL] >= 3).all()


@pytest.mark.assets
def test_a_part_holds_every_condition_of_its_people(assets_folder: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number renders the same; what is shown is what was planned."""
    monkeypatch.setattr(script, 'PEOPLE_OF_PART', 1)
    monkeypatch.setattr(script, 'plan', lambda condition, person: [(3, 4), (NEUTRAL, 0)])
    photographer = script.ExpressivePhotographer
    monkeypatch.setattr(script, 'ExpressivePhotographer', lambda *given, backgrounds, **named: (
        photographer(*given, backgrounds=2, **named)))
    first, again = (script.render_part(str(assets_folder), 3) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    check_photos('here', first)
    assert first['condition'].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert (first['person'] == 3).all() and first['level'].tolist() == [4, 0] * 5
    assert (first['strength'][first['label'] == 3] > 0.85).all()
    assert (np.abs(first['yaw'][first['condition'] == 2]) >= 15.0).all()
    assert np.isfinite(first['relief'].astype(np.float32)).mean() > 0.2
