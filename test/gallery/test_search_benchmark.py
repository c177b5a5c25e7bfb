# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The benchmark of the search, on few people."""

from __future__ import annotations

import json
from pathlib import Path

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.gallery.search_benchmark import benchmark_search, main
import pytest


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['--people', '3000', '25000', '--dimensions', '64', '--queries', '200', '--json',
                 str(tmp_path / 'result.json')]) == 0
    small, large = json.loads((tmp_path / 'result.json').read_text())
    assert small['index'] == 'IndexFlatIP (exact)' and 'IndexPQFastScan' in large['index']
    assert small['recall_known'] == small['recall_strangers'] == 1
    assert large['recall_known'] >= 0.99 and large['rank_1'] >= 0.9
    assert 0 < large['milliseconds_median'] <= large['milliseconds_p95'] < 1000
    assert 0 < large['memory_mib'] < 200
    out = capsys.readouterr().out
    assert '25000 people, 64 dimensions: IndexPQFastScan 32 x 4 bit' in out
    assert 'recall at 1: ' in out


def test_impossible_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError, match='people = 1'):
        benchmark_search(1)
    assert main(['--people', '10', '--dimensions', '1']) == 1
    assert 'dimensions = 1' in capsys.readouterr().err
