# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Cross-validation: folds are trained once each, kept, and averaged."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path
import sys

from face_depth_ros.core.afnet_input import AfnetPlanes
from face_depth_ros.core.errors import SettingsError
from face_depth_ros.datasets import bu_3dfe
from face_depth_ros.datasets.expression_protocol import BASIC
from face_depth_ros.networks import afnet_m as networks
from face_depth_ros.training import cross_validate_expression as script
from face_depth_ros.training.run import open_fabric
import numpy as np
import pytest
from scan_files import write_bu_3dfe
import torch

SIZE = 32


@pytest.fixture(name='narrow', autouse=True)
def narrow_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, 'WIDTHS', (8, 12, 16, 24))


def settings(folder: Path, **changes: object) -> script.Settings:
    return replace(script.Settings(
        run=str(folder / 'run'), root=str(folder / 'bu'), surface='scanned', size=SIZE, batch=8,
        epochs=1, subjects=3, folds=3, repeats=1, config='afnet_m_3d_no_mask', threads=1),
        **changes)


def test_the_defaults_are_the_papers() -> None:
    default = script.Settings()
    assert (default.subjects, default.folds, default.repeats) == (60, 10, 100)
    assert (default.size, default.learning_rate, default.epochs) == (224, 1e-4, 70)
    for wrong in ({'data': 'lfw'}, {'folds': 0}, {'surface': 'smooth'}, {'config': 'b'}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            script.Settings(**wrong)


def test_the_datasets_files_are_read_trained_on_and_tested(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    codes = {word: code for code, word in bu_3dfe.EXPRESSIONS.items()}
    for person in range(1, 4):
        for word in BASIC:
            write_bu_3dfe(tmp_path / 'bu', f'F{person:04d}_{codes[word]}03WH')
    monkeypatch.setattr(script, 'open_models', lambda *, enhance: (None, None))
    given = settings(tmp_path)
    data, subjects = script.read_faces(given)
    assert len(data) == 18 and sorted(set(subjects)) == ['F0001', 'F0002', 'F0003']
    assert data.label.bincount().tolist() == [3] * 6 and bool((data.depth > 0).any())
    caplog.set_level('INFO')
    changed = {name: value for name, value in vars(given).items()
               if value != getattr(script.Settings, name)}
    monkeypatch.setattr(sys, 'argv', ['cross_validate', *(
        word for name, value in changed.items()
        for word in (f'--{name.replace("_", "-")}', str(value)))])
    script.main()
    results = json.loads((tmp_path / 'run' / 'bu_3dfe_afnet_m_3d_no_mask.json').read_text())
    assert sorted(results) == ['0/0', '0/1', '0/2']
    assert all(np.sum(counts, axis=1).tolist() == [1] * 6 for counts in results.values())
    assert '% right' in caplog.text and '| anger |' in caplog.text


def test_what_is_done_is_not_trained_again(tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings(tmp_path)
    (tmp_path / 'run').mkdir()
    done = np.eye(6, dtype=int).tolist()
    (tmp_path / 'run' / 'bu_3dfe_afnet_m_3d_no_mask.json').write_text(
        json.dumps({'0/0': done, '0/1': done, '0/2': done}))

    def never(*_: object, **__: object) -> None:
        raise AssertionError('trained')

    monkeypatch.setattr(script.train_afnet_m, 'train', never)
    results = script.cross_validate(given, open_fabric(given), None, ['a', 'b', 'c'])
    assert results == {'0/0': done, '0/1': done, '0/2': done}


def test_repetitions_are_averaged(tmp_path: Path) -> None:
    right, wrong = np.eye(6, dtype=int), np.roll(np.eye(6, dtype=int), 1, axis=1)
    results = {'0/0': right, '0/1': right, '1/0': right, '1/1': wrong}
    accuracies, matrix = script.summary(results, settings(tmp_path, folds=2, repeats=2))
    np.testing.assert_allclose(accuracies, [100.0, 50.0])
    np.testing.assert_allclose(np.diag(matrix), 75.0)
    np.testing.assert_allclose(matrix.sum(axis=1), 100.0)
    text = script.summary_text(results, settings(tmp_path, folds=2, repeats=2))
    assert text.startswith('afnet_m_3d_no_mask on bu_3dfe: 75.00 % right, deviation of 2 '
                           'repetitions 25.00')


def test_no_fold_is_trained_on_those_whom_it_tests(tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    given = settings(tmp_path)
    subjects = [f's{i % 3}' for i in range(18)]
    data = script.afnet_data_from(
        [planes_of(i % 3) for i in range(18)], torch.arange(18) % 6, torch.full((18,), 4))
    seen: list[set[int]] = []
    train = script.train_afnet_m.train

    def noted(own, fabric, part, *rest, **more):
        seen.append(set(part.texture[:, 0, 0, 0].tolist()))
        return train(own, fabric, part, *rest, **more)

    monkeypatch.setattr(script.train_afnet_m, 'train', noted)
    results = script.cross_validate(given, open_fabric(given), data, subjects)
    assert sorted(map(sorted, seen)) == [[0, 1], [0, 2], [1, 2]]
    assert sum(np.sum(counts) for counts in results.values()) == 18
    assert not (tmp_path / 'run' / 'last.pt').exists()


def planes_of(person: int) -> AfnetPlanes:
    """Return images whose colour is the number of the person."""
    return AfnetPlanes(np.full((SIZE, SIZE, 3), person, np.float32),
                       np.zeros((SIZE, SIZE), np.float32), np.zeros((SIZE, SIZE), bool))
