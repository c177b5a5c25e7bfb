# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Banks in files: parts that are missing are rendered, whole ones are left alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from drawn_identity_bank import drawn_bank
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.synthesis.identity_photos import IdentityPhotographer
from face_depth_ros.training import render_identity_bank as script
from face_depth_ros.training.identity_bank import BankBuilder, read_bank
import pytest
import torch


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(SettingsError, match='people is 0, expected > 0; images is -1, expected > 0'
                                            '; size is 0, expected > 0; threads is 0, '
                                            'expected > 0; max_minutes is 0.0, '
                                            'expected > 0; first is -2, expected >= 0; learns '
                                            "is 'all', expected recognition or last_layers or "
                                            'shape'):
        script.Settings(people=0, images=-1, size=0, threads=0, max_minutes=0.0, first=-2,
                        learns='all')


@pytest.fixture(name='rendered')
def drawn_parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Draw parts instead of rendering them; return which were asked for."""
    numbers: list[int] = []

    def draw(_: script.Settings, number: int):
        numbers.append(number)
        return drawn_bank(2, 1, seed=number)

    monkeypatch.setattr(script, 'render_part', draw)
    monkeypatch.setattr(torch, 'set_num_threads', lambda _: None)
    return numbers


def test_what_is_missing_is_rendered(tmp_path: Path, rendered: list[int]) -> None:
    """250 people are three parts; another worker may begin at a later one."""
    command = ['--out', str(tmp_path), '--people', '250']
    script.main([*command, '--first', '2'])
    assert rendered == [2]
    script.main(command)
    assert rendered == [2, 0, 1]
    script.main(command)
    assert rendered == [2, 0, 1]
    assert [p.name for p in sorted(tmp_path.iterdir())] == [
        f'part_0000{k}.npz' for k in range(3)]
    assert read_bank(tmp_path).people == 6


def test_the_budget_ends_the_work(tmp_path: Path, rendered: list[int],
                                  monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 1000, 60))
    monkeypatch.setattr(script.time, 'monotonic', lambda: float(next(ticks)))
    script.main(['--out', str(tmp_path), '--people', '1000', '--max-minutes', '2.5'])
    assert rendered == [0, 1]


@pytest.mark.assets
def test_a_part_holds_people_of_its_own(assets_folder: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number renders the same; the first photo of each is as for a gallery."""
    monkeypatch.setattr(script, 'PEOPLE_OF_PART', 2)
    monkeypatch.setattr(script, 'IdentityPhotographer',
                        lambda *given, **_: IdentityPhotographer(*given, backgrounds=2))
    part = partial(script.render_part, script.Settings(assets=str(assets_folder), images=2))
    first, again, other = part(0), part(0), part(1)
    assert torch.equal(first.color, again.color) and torch.equal(first.measured, again.measured)
    assert first.people == 2 and not torch.equal(first.identity, other.identity)
    assert first.person.tolist()[:2] == [0, 1] and float(first.yaw[:2].abs().max()) <= 10.0


@pytest.mark.assets
def test_shapes_are_learnt_from_turned_faces_in_their_boxes(
        assets_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, 'PEOPLE_OF_PART', 6)
    monkeypatch.setattr(script, 'IdentityPhotographer',
                        lambda *given, **_: IdentityPhotographer(*given, backgrounds=2))
    seen: list[tuple[bool, bool]] = []

    class Builder(BankBuilder):
        def __init__(self, photographer: IdentityPhotographer, *, framed: bool,
                     surfaces: bool) -> None:
            super().__init__(photographer, framed=framed, surfaces=surfaces)
            seen.append((framed, surfaces))

    monkeypatch.setattr(script, 'BankBuilder', Builder)
    part = script.render_part(script.Settings(assets=str(assets_folder), images=2,
                                              learns='shape'), 0)
    assert seen == [(False, False)] and len(part) > 6 and float(part.yaw.abs().max()) > 60.0
    part = script.render_part(script.Settings(assets=str(assets_folder), images=1,
                                              learns='last_layers'), 0)
    assert seen[1:] == [(True, True)] and part.surface.shape[1] > 6
