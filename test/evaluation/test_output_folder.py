# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Outputs appear complete or not at all, and never in place of somebody else's files."""

from __future__ import annotations

import json
import os
from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.evaluation.output_folder import (
    check_writable,
    complete_folder,
    write_complete,
)
from face_depth_ros.evaluation.replay_summary import to_json
import pytest


def fill(path: Path, text: str) -> None:
    with complete_folder(path, 'mark') as folder:
        (folder / 'mark').write_text(text)


def test_folder_appears_at_the_end_only(tmp_path: Path) -> None:
    out = tmp_path / 'deep' / 'out'
    with complete_folder(out, 'mark') as folder:
        (folder / 'mark').write_text('x')
        assert not out.exists()
    assert (out / 'mark').read_text() == 'x'
    assert [p.name for p in out.parent.iterdir()] == ['out']


def test_own_output_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    """Once, a replay to `out` deleted the results of another one in `out/sven`."""
    out = tmp_path / 'out'
    fill(out, 'old')
    fill(out / 'other', 'precious')
    fill(out, 'new')
    assert sorted(p.name for p in out.iterdir()) == ['mark', 'other']
    assert (out / 'mark').read_text() == 'new'
    assert (out / 'other' / 'mark').read_text() == 'precious'
    assert [p.name for p in tmp_path.iterdir()] == ['out']


def test_failure_keeps_the_old_output(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    fill(out, 'old')
    with pytest.raises(RuntimeError, match='stop'), complete_folder(out, 'mark') as folder:
        (folder / 'mark').write_text('half')
        raise RuntimeError('stop')
    assert (out / 'mark').read_text() == 'old'
    assert [p.name for p in tmp_path.iterdir()] == ['out']


def test_failing_exchange_brings_everything_back(tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / 'out'
    fill(out, 'old')
    fill(out / 'other', 'precious')
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if target == out and self.name != 'old':
            raise OSError('refused')
        return rename(self, target)

    monkeypatch.setattr(Path, 'rename', refuse)
    with pytest.raises(OSError, match='refused'):
        fill(out, 'new')
    assert (out / 'mark').read_text() == 'old'
    assert (out / 'other' / 'mark').read_text() == 'precious'
    assert [p.name for p in tmp_path.iterdir()] == ['out']


def test_output_without_its_marker_is_not_complete(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='lack mark'), complete_folder(
            tmp_path / 'out', 'mark'):
        pass
    assert not list(tmp_path.iterdir())


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'precious').touch()
    with pytest.raises(SettingsError, match='holds no mark.*not replaced'):
        fill(tmp_path, 'x')
    with pytest.raises(SettingsError, match='is a file'):
        fill(tmp_path / 'precious', 'x')
    with pytest.raises(SettingsError, match='cannot write beside'):
        fill(tmp_path / 'precious' / 'below', 'x')
    assert [p.name for p in tmp_path.iterdir()] == ['precious']


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / 'out').mkdir()
    fill(tmp_path / 'out', 'x')
    assert (tmp_path / 'out' / 'mark').exists()


def test_write_complete_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    write_complete(tmp_path / 'a' / 'file', 'ä')
    write_complete(tmp_path / 'a' / 'file', b'new')
    assert (tmp_path / 'a' / 'file').read_bytes() == b'new'
    assert len(list((tmp_path / 'a').iterdir())) == 1


def test_what_has_no_form_in_utf_8_is_escaped(tmp_path: Path) -> None:
    """Once, the name of one photo in another encoding lost a whole evaluation at its end."""
    name = os.fsdecode(b'Andr\xe9.jpg')
    write_complete(tmp_path / 'file', to_json({name: 'left out'}))
    assert json.loads((tmp_path / 'file').read_text('utf-8')) == {name: 'left out'}


def test_what_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / 'folder').mkdir()
    with pytest.raises(SettingsError, match='cannot write .*folder: Is a directory.*--out'):
        write_complete(tmp_path / 'folder', 'x')
    assert [p.name for p in tmp_path.iterdir()] == ['folder']


def test_a_folder_is_tried_without_a_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / 'deep' / 'out')
    check_writable(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / 'file').touch()
    for place in (tmp_path / 'file', tmp_path / 'file' / 'out'):
        with pytest.raises(SettingsError, match='cannot write into .*choose another --out'):
            check_writable(place)
    assert [p.name for p in tmp_path.iterdir()] == ['file']
