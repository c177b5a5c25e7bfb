# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Every error has a key for diagnostics; values that travel cannot be changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
import inspect

from face_depth_ros.core import errors
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import (
    Detection,
    EnhancedDepth,
    Frame,
    FrameResult,
    Identity,
    Provenance,
    SkippedFace,
)
import numpy as np
import pytest

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize('error', CLASSES, ids=lambda c: c.__name__)
def test_errors_have_a_cause_of_their_own(error: type[errors.FaceDepthError]) -> None:
    assert issubclass(error, errors.FaceDepthError) and error.__doc__
    assert error.cause.replace('_', '').isalnum() and error.cause.islower()
    assert error is errors.FaceDepthError or error.cause not in [
        c.cause for c in CLASSES if c is not error]
    assert str(error('what, got, expected')) == 'what, got, expected'
    narrower = error('text', cause='narrower')
    assert narrower.cause == 'narrower' and error('text').cause == error.cause


@pytest.mark.parametrize('value, field', [
    (Frame(1, 'camera'), 'stamp_ns'), (Detection(FaceBox(1, 2, 3), 0.5), 'track_id'),
    (SkippedFace('f00001', 'a', 'b'), 'cause'), (FrameResult(1, 'camera'), 'detections'),
    (EnhancedDepth(*[np.zeros((1, 1))] * 3), 'depth'), (FaceBox(1, 2, 3), 'side'),
    (Identity(Detection(FaceBox(1, 2, 3), 0.5), 'unknown', 0.0), 'person')])
def test_values_that_travel_are_frozen(value: object, field: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, field, 0)


def test_numbers_of_provenance_are_those_on_the_wire() -> None:
    assert [p.value for p in Provenance] == [0, 1, 2, 3]
    assert Provenance.FILLED == 3 and Provenance.MEASURED == 1


def test_results_do_not_share_their_timings() -> None:
    FrameResult(1, '').stage_ms['detect'] = 2.0
    assert FrameResult(2, '').stage_ms == {}
