# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The shipped models on the sample bag: who smiles, who is surprised, and what is only a print."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import tempfile
from typing import Any

from face_depth_ros.core.model_spec import find_model
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.output_messages import (
    EXPRESSIONS_TOPIC,
    LIVENESS_TOPIC,
    read_outputs,
)
from face_depth_ros.evaluation.replay import main
import pytest

SAMPLE = Path(__file__).resolve().parents[1] / 'data' / 'sample_bag'
MODELS = ('expression_recognizer', 'liveness_detector')
FRAMES = 60
ADA, BO, STRANGER, PRINT = 'f00001', 'f00002', 'f00003', 'f00004'
SMILE, SURPRISE = range(8, 15), range(16, 23)
"""Frames in which Ada's face shows nothing else (see evaluation/render_sample_bag.py)."""
PRINT_KNOWN = range(58, 60)
"""The print is there from frame 53 on; half a second later it must be known to be one."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder() -> Iterator[Path]:
    """Return a folder outside of /tmp, where no gallery may lie."""
    with tempfile.TemporaryDirectory(prefix='.face_depth_ros_test_', dir=Path.home()) as made:
        yield Path(made)


def run(folder: Path, transport: str, *options: str) -> dict[str, Any]:
    """Through the command line, as users do; Ada is introduced before Bo comes."""
    out = folder / transport
    assert main([str(SAMPLE), '--out', str(out), '--transport', transport, '--deadline-s', '60',
                 '--gallery', str(folder / f'{transport}.db'), '--plain', '--enroll',
                 'Ada@0.4-1.1', *options]) == 0
    summary: dict[str, Any] = json.loads((out / 'summary.json').read_text())
    return summary


@pytest.fixture(scope='module')
def direct(folder: Path) -> dict[str, Any]:
    return run(folder, 'direct')


@pytest.fixture(scope='module')
def over_ros(folder: Path) -> dict[str, Any]:
    return run(folder, 'ros', '--require-live')


def check_every_frame(summary: dict[str, Any], out: Path) -> None:
    """Every frame with a face has both for each face; frames without have empty messages."""
    assert summary['frames_processed'] == FRAMES and summary['frames_with_face'] >= 45
    for name in MODELS:
        assert summary['models'][name] == find_model(name).sha256
    for part, topic in (('expressions', EXPRESSIONS_TOPIC), ('liveness', LIVENESS_TOPIC)):
        assert summary[part]['frames_answered'] == summary['frames_with_face']
        assert summary[part]['frames_without'] == []
        assert summary['outputs'][topic] == {'type': 'vision_msgs/msg/Detection2DArray',
                                             'count': FRAMES}
    with Bag(out / 'bag') as bag:
        for output in read_outputs(bag):
            faces = {d.track_id for d in output.detections}
            assert set(output.expressions or {}) == set(output.liveness or {}) == faces
            for said in (output.expressions or {}).values():
                assert sum(said.probabilities.values()) == pytest.approx(1.0, abs=1e-4)


def labels(summary: dict[str, Any], part: str, track: str, frames: range) -> list[str]:
    found = [f['faces'][track] for f in summary[part]['frames']
             if f['index'] in frames and track in f['faces']]
    return [said['label'] if part == 'expressions' else said[0] for said in found]


def check_faces(summary: dict[str, Any]) -> None:
    for expression, frames in (('happiness', SMILE), ('surprise', SURPRISE)):
        seen = labels(summary, 'expressions', ADA, frames)
        assert seen.count(expression) > len(frames) / 2, seen
    for track in (ADA, BO, STRANGER):
        assert 'spoof' not in labels(summary, 'liveness', track, range(FRAMES))
        assert 'live' in labels(summary, 'liveness', track, range(FRAMES))
    printed = labels(summary, 'liveness', PRINT, PRINT_KNOWN)
    assert printed.count('spoof') > len(PRINT_KNOWN) / 2, printed
    assert 'live' not in labels(summary, 'liveness', PRINT, range(FRAMES))


def test_without_ros(direct: dict[str, Any], folder: Path) -> None:
    check_every_frame(direct, folder / 'direct')
    check_faces(direct)
    assert {'express', 'liveness'} <= set(direct['stage_ms'])


def test_a_print_of_ada_is_said_to_be_one(direct: dict[str, Any], folder: Path) -> None:
    """By colour it is Ada; who asks for living faces alone is not deceived."""
    assert direct['identities']['enrollments'][0]['status'] == 'ok Ada'
    if direct['identities']['tracks'][PRINT].get('Ada'):
        said = {(e['track'], e['person']) for e in direct['liveness']['named_but_not_live']}
        assert (PRINT, 'Ada') in said
        assert 'is recognised as Ada, but it is a spoof' in (
            folder / 'direct' / 'report.html').read_text()


@pytest.mark.ros
def test_over_ros(over_ros: dict[str, Any], folder: Path) -> None:
    check_every_frame(over_ros, folder / 'ros')
    check_faces(over_ros)


@pytest.mark.ros
def test_with_living_faces_alone_the_print_is_unknown(over_ros: dict[str, Any]) -> None:
    found = over_ros['identities']
    assert found['enrollments'][0]['status'] == 'ok Ada'
    assert set(found['tracks'][PRINT]) == {'unknown'}
    assert found['tracks'][ADA].get('Ada', 0) >= 8
    assert not any('Ada' in found['tracks'][track] for track in (BO, STRANGER))
