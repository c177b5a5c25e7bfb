# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Rendered people of the test of recognition: photos of each condition, parts and a fixture."""

from __future__ import annotations

from pathlib import Path

from drawn_identities import draw_people
from face_depth_ros.evaluation import render_identity_faces as script
from face_depth_ros.evaluation.identity_faces import CONDITIONS, load_faces, read_parts
import numpy as np
import pytest


@pytest.fixture(name='asked')
def drawn_parts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Draw parts of two people instead of rendering them; return which were asked for."""
    asked: list[tuple[int, str]] = []

    def draw(_: str, number: int, split: str = 'test') -> np.ndarray:
        asked.append((number, split))
        return draw_people(2, probes=2, first=2 * number)

    monkeypatch.setattr(script, 'PEOPLE_OF_PART', 2)
    monkeypatch.setattr(script, 'render_part', draw)
    return asked


def test_a_folder_gets_the_parts_that_it_lacks(tmp_path: Path,
                                               asked: list[tuple[int, str]]) -> None:
    script.fill_bank(tmp_path / 'test', 2, '')
    script.main(['--bank', str(tmp_path / 'test'), '--people', '5'])
    assert asked == [(0, 'test'), (1, 'test'), (2, 'test')]
    assert sorted({p for part in read_parts(tmp_path / 'test') for p in part['person']}) == [
        0, 1, 2, 3, 4, 5]


def test_the_fixture_has_one_photo_of_each_condition(tmp_path: Path,
                                                     asked: list[tuple[int, str]]) -> None:
    script.main(['--fixture', str(tmp_path / 'faces.npz'), '--people', '1'])
    assert asked == [(0, 'validation')]
    photos = load_faces(tmp_path / 'faces.npz')
    assert photos['person'].tolist() == [0] * len(CONDITIONS)
    assert photos['condition'].tolist() == list(range(len(CONDITIONS)))


@pytest.mark.assets
def test_a_part_holds_every_condition_of_its_people(assets_folder: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number renders the same, another number other people; the gallery comes first."""
    monkeypatch.setattr(script, 'PEOPLE_OF_PART', 2)
    photographer = script.IdentityPhotographer
    monkeypatch.setattr(script, 'IdentityPhotographer',
                        lambda *given, **_: photographer(*given, backgrounds=2))
    first, again, other = (script.render_part(str(assets_folder), number) for number in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert len(first) == 2 * (1 + 2 * 4)
    assert set(first['person']) == {6, 7} and set(other['person']) == {8, 9}
    assert first['condition'][:2].tolist() == [0, 0] and (first['condition'][2:] > 0).all()
    name = np.array(CONDITIONS)[first['condition']]
    assert np.abs(first['yaw'][name == 'gallery']).max() <= 8.0
    turned = np.abs(first['yaw'][name == 'pose'])
    assert 15.0 <= turned.min() and turned.max() <= 60.0
    covered = (first['mask'] > 0).mean(axis=(1, 2))
    assert covered[name == 'gallery'].min() > 0.08
    known = np.isfinite(first['relief'].astype(np.float32))
    assert (known & (first['mask'] > 0)).sum() > 0.9 * (first['mask'] > 0).sum()
