# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Replay that tells who is there: Ada is introduced by the first seconds of the sample bag."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import tempfile
from typing import Any

from face_depth_ros.core.errors import GalleryError, SettingsError
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.identity_analysis import identity_rows, summarise_identities
from face_depth_ros.evaluation.output_messages import IDENTITIES_TOPIC, read_outputs
from face_depth_ros.evaluation.replay import main, replay
from face_depth_ros.evaluation.replay_settings import (
    EnrollResult,
    EnrollWindow,
    ReplaySettings,
)
from face_depth_ros.gallery.gallery import Gallery
import pytest
from recognizer_graph import write_recognizer

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / 'test' / 'data' / 'sample_bag'
FRAMES = 14


@pytest.fixture(scope='module')
def folder() -> Iterator[Path]:
    """Return a folder outside of /tmp, where no gallery may lie, but the checkout may."""
    with tempfile.TemporaryDirectory(prefix='.face_depth_ros_test_', dir=Path.home()) as made:
        yield Path(made)


@pytest.fixture(scope='module')
def models(folder: Path) -> Iterator[Path]:
    """Return a folder with a small recogniser."""
    models = folder / 'models'
    models.mkdir()
    write_recognizer(models, 'small_recognizer')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('FACE_DEPTH_MODELS', str(models))
        yield models


def run(folder: Path, out: Path, transport: str, *options: str) -> dict[str, Any]:
    gallery = folder / f'{transport}.db'
    assert main([str(SAMPLE), '--out', str(out), '--transport', transport, '--limit', str(FRAMES),
                 '--deadline-s', '60', '--method', 'None', '--recognizer-model',
                 'small_recognizer', '--gallery', str(gallery), '--plain', '--enroll',
                 'Ada@0-0.8', '--expressions', 'off', '--liveness', 'off', *options]) == 0
    summary: dict[str, Any] = json.loads((out / 'summary.json').read_text())
    return summary


def check(summary: dict[str, Any], out: Path) -> None:
    found = summary['identities']
    assert found['enrollments'] == [{'name': 'Ada', 'from_s': 0.0, 'to_s': 0.8,
                                     'status': 'ok Ada'}]
    frames = {f['index']: f['faces'] for f in found['frames']}
    assert all(frames[i]['f00001'][0] == 'unknown' for i in range(8))
    assert frames[11]['f00001'][0] == 'Ada' and frames[11]['f00001'][1] > 0.9
    assert summary['outputs'][IDENTITIES_TOPIC]['count'] == FRAMES
    assert summary['recognizer'] == 'small_recognizer' in summary['models']
    with Bag(out / 'bag') as bag:
        last = list(read_outputs(bag))[11]
    assert last.identities is not None and last.identities['f00001'][0] == 'Ada'
    page = (out / 'report.html').read_text()
    assert 'Who is it' in page and 'ok Ada' in page


def test_without_ros(folder: Path, models: Path, tmp_path: Path) -> None:
    check(run(folder, tmp_path / 'out', 'direct'), tmp_path / 'out')
    with Gallery.open(folder / 'direct.db', plain=True) as gallery:
        person, = gallery.people()
    assert person.name == 'Ada' and 1 <= person.templates <= 5


@pytest.mark.ros
@pytest.mark.slow
def test_over_ros(folder: Path, models: Path, tmp_path: Path) -> None:
    check(run(folder, tmp_path / 'out', 'ros'), tmp_path / 'out')


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize('transport', ['direct', 'ros'])
def test_the_shipped_model_knows_ada_and_not_the_stranger(folder: Path, tmp_path: Path,
                                                          transport: str) -> None:
    summary = replay(ReplaySettings(
        SAMPLE, tmp_path / 'out', transport=transport, deadline_s=60.0, plain=True,
        gallery=folder / f'shipped_{transport}.db', enroll=(EnrollWindow('Ada', 0.0, 1.0),)))
    found = summary['identities']
    assert found['enrollments'][0]['status'] == 'ok Ada'
    later = [f['faces'] for f in found['frames'] if f['index'] >= 12]
    ada = [f['f00001'][0] for f in later if 'f00001' in f]
    assert ada.count('Ada') >= 0.9 * len(ada)
    assert set(ada) <= {'Ada', 'unknown'}
    for other in ('f00002', 'f00003'):
        assert {f[other][0] for f in later if other in f} == {'unknown'}


@pytest.mark.parametrize(('settings', 'match'), [
    ({'recognizer': 'on'}, 'there is no gallery'),
    ({'enroll': (EnrollWindow('Ada', 0.0, 1.0),)}, 'needs a gallery'),
    ({'recognizer': 'off', 'gallery': Path('x'), 'enroll': (EnrollWindow('Ada', 0.0, 1.0),)},
     'needs a gallery and a recognizer'),
    ({'recognizer': 'maybe'}, 'recognizer is .maybe., expected one of auto, on, off'),
    ({'gallery': Path('x'), 'enroll': (EnrollWindow('Ada', 0.0, 1.0),
                                       EnrollWindow('Bo', 1.0, 3.0))}, 'the same of all')])
def test_settings_that_contradict_each_other(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        ReplaySettings(SAMPLE, Path('out'), **settings)


def test_a_gallery_alone_turns_recognition_on() -> None:
    assert ReplaySettings(SAMPLE, Path('out'), gallery=Path('g')).recognizes
    assert not ReplaySettings(SAMPLE, Path('out')).recognizes
    assert not ReplaySettings(SAMPLE, Path('out'), gallery=Path('g'), recognizer='off').recognizes


@pytest.mark.parametrize('text', ['Ada', 'Ada@', 'Ada@1', '@0-1', 'Ada@0-1.2.3', 'Ada@a-b'])
def test_windows_that_are_none(text: str) -> None:
    with pytest.raises(SettingsError, match='expected NAME@START-END'):
        EnrollWindow.parse(text)


def test_windows() -> None:
    assert EnrollWindow.parse('Ada @ home@0.5-2') == EnrollWindow('Ada @ home', 0.5, 2.0)
    with pytest.raises(SettingsError, match='0 <= START < END'):
        EnrollWindow.parse('Ada@2-2')


def test_a_gallery_that_is_not_there_is_said_before_anything_starts(folder: Path,
                                                                    tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match='there is no gallery'):
        replay(ReplaySettings(SAMPLE, tmp_path / 'out', transport='direct', plain=True,
                              gallery=folder / 'nowhere.db'))
    assert not (tmp_path / 'out').exists()


def test_the_table_by_track() -> None:
    window = EnrollWindow('Ada', 0.0, 1.0)
    found = summarise_identities(
        [(0, {'f1': ('Ada', 0.9), 'f2': ('unknown', 0.5)}), (1, {'f1': ('Ada', 0.8)}), (2, None),
         (3, {})], [EnrollResult(window, 'ok Ada')])
    assert found['tracks'] == {'f1': {'Ada': 2}, 'f2': {'unknown': 1}}
    assert found['frames_with_person'] == {'Ada': 2, 'unknown': 1}
    rows = identity_rows(found)
    assert rows[0] == ('enrolled', 'Ada from 0 to 1 s: ok Ada')
    assert rows[1] == ('recognised', 'Ada in 2 frames, unknown in 1 frames')
    assert identity_rows(summarise_identities([], []))[0][1] == 'nobody was there'
