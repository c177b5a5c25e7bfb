# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""One command trains all identity models: what each is given, and that time is left for all."""

from __future__ import annotations

import sys
from typing import Any

from face_depth_ros.core.errors import SettingsError
from face_depth_ros.training import (
    train_face_recognizer,
    train_face_shape,
)
from face_depth_ros.training import (
    train_identity_models as script,
)
import pytest

BANKS = ('photos of training', 'photos of validation')


@pytest.fixture(name='trained')
def noted_runs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Train nothing; return the settings that each training was given."""
    runs: list[Any] = []

    def banks(settings: Any, _: object) -> tuple[str, str]:
        runs.append(settings)
        return BANKS

    def recognizer(settings: Any, _: object, *given: str) -> dict[str, float]:
        assert given == BANKS
        runs.append(settings)
        return {'both': 1.0}

    def shape(bank: str, validation: str, settings: Any, _: object) -> dict[str, float]:
        assert (bank, validation) == BANKS
        runs.append(settings)
        return {}

    monkeypatch.setattr(train_face_recognizer, 'render_banks', banks)
    monkeypatch.setattr(train_face_recognizer, 'train', recognizer)
    monkeypatch.setattr(train_face_shape, 'train', shape)
    return runs


def call(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr(sys, 'argv', ['train_identity_models', '--threads', '1', *options])
    script.main()


def test_all_models_learn_from_the_same_photos(trained: list[Any],
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    call(monkeypatch, '--run', 'somewhere', '--people', '70', '--images', '3', '--batch', '8',
         '--max-minutes', '5', '--shape-minutes', '0.2,0.1,0.3')
    rendered, full, student, shape = trained
    assert (rendered.people, rendered.images, rendered.batch) == (70, 3, 8)
    assert (full.network, full.run, full.teacher) == (
        'mask_guided', 'somewhere/mask_guided_recognizer', '')
    assert (student.network, student.run, student.batch) == (
        'student', 'somewhere/face_recognizer', 16)
    assert student.teacher == 'somewhere/mask_guided_recognizer/last.pt'
    assert shape.run == 'somewhere/face_shape'
    assert shape.minutes_of_phases() == (0.2, 0.1, 0.3)
    # Nothing takes time here: 2 x (0.2 + 0.1) + 3 x 0.3 and twice 0.3 to spare are kept back.
    assert full.max_minutes == pytest.approx(0.54 * (5.0 - 2.1), abs=0.05)
    assert student.max_minutes == pytest.approx(5.0 - 2.1, abs=0.05)


def test_a_budget_that_leaves_nothing_is_refused(trained: list[Any],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match='max_minutes is -.*, expected > 0'):
        call(monkeypatch, '--max-minutes', '0.5')
    assert len(trained) == 1
