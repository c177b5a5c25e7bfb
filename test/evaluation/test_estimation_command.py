# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""`evaluate estimation` as a user runs it, on the fixture of the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from drawn_estimators import write_estimators
from face_depth_ros.core.errors import ModelSpecError
from face_depth_ros.core.model_spec import find_model
from face_depth_ros.evaluation import evaluate
from face_depth_ros.evaluation.estimator_rows import CGAN, DEPTHNET, MEAN_FACE, OURS, ROWS
import pytest

TABLES = {'estimation', 'grey_depth', 'depth_mse', 'mask_iou', 'landmarks', 'relief_by_yaw',
          'confidence', 'costs'}


def run(out: Path, *arguments: str) -> dict[str, Any]:
    assert evaluate.main(['estimation', '--out', str(out), *arguments]) == 0
    content: dict[str, Any] = json.loads((out / 'estimation.json').read_text())
    assert set(content['tables']) >= TABLES
    assert content['rows'] == content['tables']['estimation']['rows']
    assert list(content['rows']) == list(ROWS)
    return content


def test_quick_with_small_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / 'models'
    models.mkdir()
    write_estimators(models, ['ours', 'cgan'])
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(models))
    content = run(tmp_path / 'out', '--quick', '--faces', '5',
                  '--rows', 'Ours,cGAN,Mean face,DepthNet')
    assert content['faces'] == 5 and content['people'] == 2
    assert set(content['models']) == {OURS, CGAN}
    assert '--network depthnet' in content['absent'][DEPTHNET]
    assert content['absent']['AE'] == 'left out by --rows'
    assert content['rows_left_out'] == ['Cui FCN', 'pix2pix', 'AE', 'DepthNet without mask']
    assert content['rows'][MEAN_FACE]['rmse_mm'] > 0
    assert content['rows'][OURS]['ms'] > 0 and content['rows'][MEAN_FACE]['ms'] is None
    # Five photos hold too few pairs of one person.
    assert 'render each person several times' in content['face_verification_missing']
    printed = capsys.readouterr().out
    for table in content['tables'].values():
        assert table['title'] in printed
    assert 'DepthNet is empty: ' in printed
    assert '<h2>Depth, mask and landmarks from colour</h2>' in (
        tmp_path / 'out' / 'report.html').read_text()


def test_quick_with_the_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('FACE_DEPTH_MODELS', raising=False)
    try:
        find_model('face_estimator')
    except ModelSpecError as error:
        pytest.skip(f'the face estimator does not ship yet: {error}')
    rows = run(tmp_path, '--quick')['rows']
    assert rows[OURS]['rmse_mm'] < 0.75 * rows[MEAN_FACE]['rmse_mm']
    assert rows[OURS]['mean_iou'] > 0.75 > rows[MEAN_FACE]['mean_iou']
    assert rows[OURS]['nme_visible'] < 0.5 * rows[MEAN_FACE]['nme_visible']


@pytest.mark.parametrize(('arguments', 'complaint'), [
    (('--rows', 'PRNet'), 'PRNet is no row, expected some of Mean face'),
    (('--rows', ','), 'nothing is no row'),
    (('--faces', '0'), '0 is no number of at least 1'),
    (('--faces', 'all'), 'all is no number of at least 1'),
])
def test_options_are_checked(arguments: tuple[str, ...], complaint: str,
                             capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(['estimation', '--quick', '--out', 'x', *arguments])
    assert complaint in capsys.readouterr().err
