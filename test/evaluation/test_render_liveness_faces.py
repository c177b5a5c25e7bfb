# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Living faces and attacks of the test split, rendered."""

from __future__ import annotations

from pathlib import Path
import sys

from drawn_liveness import draw_face
from face_depth_ros.core.errors import AssetsError
from face_depth_ros.core.landmark_liveness import landmark_test
from face_depth_ros.evaluation import render_liveness_faces, synthetic_liveness
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.liveness_faces import (
    load_liveness_faces,
    part_file,
    presentations,
    save_liveness_faces,
)
from face_depth_ros.evaluation.synthetic_liveness import (
    fill_bank,
    FRAMES,
    open_sampler,
    rendered_round,
)
from face_depth_ros.synthesis.liveness_attacks import FLAT, LIVE, SPECIES
import numpy as np
import pytest


@pytest.mark.assets
def test_a_round_has_two_living_people_and_an_attack_of_each_species() -> None:
    faces = list(rendered_round(open_sampler(), 3, frames=2))
    runs = list(presentations(faces))
    assert [run[0].species for run in runs] == [LIVE, *SPECIES]
    assert [run[0].presentation for run in runs] == [
        3 * len(runs) + place for place in range(len(runs))]
    assert all(len(run) == 2 and run[0].person == run[1].person for run in runs)
    assert len({run[0].person for run in runs}) > len(runs) - 2  # all of different people
    for first, second in runs:
        # The same thing before the same camera, measured anew.
        assert (first.sensor, first.intrinsics) == (second.sensor, second.intrinsics)
        both = np.isfinite(first.depth) & np.isfinite(second.depth)
        assert (first.depth[both] != second.depth[both]).mean() > 0.2
        assert np.median(np.abs(first.depth - second.depth)[both]) < 0.03
    for face, _ in runs[:2]:
        # What the landmarks of the living lie on is where the camera says.
        under = landmark_test(face.depth, face.landmarks).depths
        assert np.nanmedian(under) == pytest.approx(face.distance_m, abs=0.15)


@pytest.mark.assets
def test_what_lies_in_a_folder_is_not_rendered_again(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_liveness, 'SHOWN', (LIVE, FLAT))
    save_liveness_faces(part_file(tmp_path, 0), [draw_face()])
    fill_bank(tmp_path, 2, '')
    assert len(load_liveness_faces(part_file(tmp_path, 0))) == 1
    assert [face.species for face in load_liveness_faces(part_file(tmp_path, 1))] == [
        *[LIVE] * FRAMES, *[FLAT] * FRAMES]
    fill_bank(tmp_path, 2, str(tmp_path / 'nowhere'))  # nothing is lacking


@pytest.mark.assets
def test_the_command_renders_a_fixture_in_whole_millimetres(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_liveness, 'SHOWN', (LIVE, FLAT))
    path = tmp_path / 'few.npz'
    monkeypatch.setattr(sys, 'argv', ['render', str(path), '--rounds', '1'])
    render_liveness_faces.main()
    (live, *_) = faces = load_liveness_faces(path)
    assert [face.species for face in faces[::FRAMES]] == [LIVE, FLAT]
    known = live.depth[np.isfinite(live.depth)]
    assert np.abs(known * 1000.0 - np.rint(known * 1000.0)).max() < 0.01
    assert known.max() - known.min() < 0.5


def test_the_fixture_shows_every_species_and_stays_small() -> None:
    path = checkout_data('liveness_faces.npz')
    assert path.stat().st_size <= 1_000_000
    faces = load_liveness_faces(path)
    assert {face.species for face in faces} == set(SPECIES)
    assert sum(face.is_live for face in faces) == 4 * FRAMES
    assert all(len(run) == FRAMES for run in presentations(faces))


def test_missing_assets_are_named(tmp_path: Path) -> None:
    with pytest.raises(AssetsError, match='nowhere'):
        fill_bank(tmp_path / 'bank', 2, str(tmp_path / 'nowhere'))
