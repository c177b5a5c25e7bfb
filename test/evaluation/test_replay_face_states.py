# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Replay with stages that say known things of a face: what is recorded, counted and shown."""

from __future__ import annotations

import json
from pathlib import Path
import tempfile
from typing import Any

from face_depth_ros.core.errors import ModelSpecError, SettingsError
from face_depth_ros.core.expression_labels import EXPRESSIONS
from face_depth_ros.evaluation import replay_settings
from face_depth_ros.evaluation.bag_types import DETECTIONS
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.output_messages import (
    EXPRESSIONS_TOPIC,
    LIVENESS_TOPIC,
    OUTPUT_TYPES,
    OutputExpression,
    OutputLiveness,
    read_outputs,
)
from face_depth_ros.evaluation.replay import main, replay, summary_table
from face_depth_ros.evaluation.replay_analysis import FrameScore
from face_depth_ros.evaluation.replay_direct import DirectPlayer
from face_depth_ros.evaluation.replay_face_states import (
    coverage,
    face_state_rows,
    summarise_expressions,
    summarise_liveness,
    warnings_of,
)
from face_depth_ros.evaluation.replay_settings import ReplaySettings, with_models
from face_depth_ros.gallery.gallery import Gallery
import pytest
import rgbd_bags
from rgbd_bags import TellingPipeline

SAID = ('neutral', 'happiness', 'happiness', 'surprise', '')
LIVENESS = ('unsure', 'live', 'live', 'spoof', 'spoof')


def run(folder: Path, pipeline: TellingPipeline, **settings: Any) -> dict[str, Any]:
    bag = rgbd_bags.write_bag(folder / 'bag', [
        e for i in range(len(SAID)) for e in rgbd_bags.frame_entries(i)])
    options = {'estimator': 'off', 'expressions': 'some', 'liveness': 'other'} | settings
    replay(ReplaySettings(bag, folder / 'out', transport='direct', **options),
           open_player=lambda s: DirectPlayer(s, pipeline))
    summary: dict[str, Any] = json.loads((folder / 'out' / 'summary.json').read_text())
    return summary


@pytest.fixture(scope='module')
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp('states')
    return folder, run(folder, TellingPipeline(SAID, LIVENESS))


def test_recorded_bag_holds_what_was_said(replayed: tuple[Path, Any]) -> None:
    with Bag(replayed[0] / 'out' / 'bag') as bag:
        assert bag.types() == OUTPUT_TYPES | {EXPRESSIONS_TOPIC: DETECTIONS,
                                              LIVENESS_TOPIC: DETECTIONS}
        outputs = list(read_outputs(bag))
        messages = [m.message for m in bag.messages({EXPRESSIONS_TOPIC})]
    assert len(outputs) == len(messages) == len(SAID)
    for output, message, said, life in zip(outputs, messages, SAID, LIVENESS, strict=True):
        face, = message.detections
        assert (face.id, face.bbox.size_x) == ('f00001', 24.0)
        results = [(r.hypothesis.class_id, r.hypothesis.score) for r in face.results]
        assert results[0][0] == (said or 'neutral')
        assert [score for _, score in results[1:]] == sorted(
            [score for _, score in results[1:]], reverse=True)
        assert {name for name, _ in results} == set(EXPRESSIONS)
        assert sum(score for _, score in results) == pytest.approx(1.0, abs=1e-6)
        assert output.expressions is not None and output.liveness is not None
        expression = output.expressions['f00001']
        assert tuple(expression.probabilities) == EXPRESSIONS
        assert expression.shown == (said or 'not seen')
        assert output.liveness['f00001'].label == life
        assert output.liveness['f00001'].score == (0.0 if life == 'unsure' else 0.9)


def test_summary_counts_frames_faces_and_labels(replayed: tuple[Path, dict[str, Any]]) -> None:
    summary = replayed[1]
    assert summary['expression_recognizer'] == 'some'
    assert summary['liveness_detector'] == 'other'
    assert summary['require_live'] is False and summary['notes'] == []
    for part in ('expressions', 'liveness'):
        assert [summary[part][k] for k in ('frames_with_face', 'frames_answered', 'faces',
                                           'faces_answered')] == [5] * 4
        assert summary[part]['frames_without'] == []
        assert [f['index'] for f in summary[part]['frames']] == list(range(5))
        assert summary['outputs'][f'/face_depth/{part}'] == {'type': DETECTIONS, 'count': 5}
    assert summary['expressions']['tracks'] == {'f00001': {
        'happiness': 2, 'neutral': 1, 'surprise': 1, 'not seen': 1}}
    assert summary['liveness']['tracks'] == {'f00001': {'live': 2, 'spoof': 2, 'unsure': 1}}
    assert summary['liveness']['named_but_not_live'] == []
    first = summary['expressions']['frames'][1]['faces']['f00001']
    assert first['label'] == 'happiness' and first['probabilities']['happiness'] == 0.7
    table = summary_table(summary)
    assert 'for every face in 5 of 5 frames with a face\n' in table
    assert 'live in 2 frames, spoof in 2 frames, unsure in 1 frame\n' in table


def test_report_shows_time_lines_and_pictures(replayed: tuple[Path, Any]) -> None:
    page = (replayed[0] / 'out' / 'report.html').read_text()
    section = page[page.index('<section id="states">'):]
    section = section[:section.index('</section>')]
    for text in ('Expressions and liveness', 'for every face in 5 of 5 frames', 'happiness 70 %',
                 'not seen', 'spoof 90 %', 'unsure'):
        assert text in section
    assert section.count('<svg') == 1
    # A picture for each state: neutral and unsure, happy and live, surprised, not seen.
    assert section.count('<img') == 4
    assert 'warning' not in section


def test_faces_without_an_answer_are_named(tmp_path: Path) -> None:
    summary = run(tmp_path, TellingPipeline(SAID, LIVENESS, missed=(1, 4)))
    found = summary['expressions']
    assert (found['frames_with_face'], found['frames_answered']) == (5, 3)
    assert found['frames_without'] == [{'index': 1, 'tracks': ['f00001']},
                                       {'index': 4, 'tracks': ['f00001']}]
    words = 'in 3 of 5 frames with a face; without: frame 2 f00001, frame 5 f00001'
    assert words in summary_table(summary)
    assert words in (tmp_path / 'out' / 'report.html').read_text()


def test_a_recognised_spoof_is_said_to_be_one() -> None:
    scores = [FrameScore(i, i, (('f1', 0.9), ('f2', 0.9)),
                         identities={'f1': ('Ada', 0.9), 'f2': ('unknown', 0.5)},
                         liveness={'f1': OutputLiveness(life, 0.9),
                                   'f2': OutputLiveness('spoof', 0.9)})
              for i, life in enumerate(('unsure', 'spoof', 'spoof', 'live'))]
    found = summarise_liveness(scores)
    assert found['named_but_not_live'] == [
        {'track': 'f1', 'person': 'Ada', 'frames': {'unsure': 1, 'spoof': 2}}]
    line = 'f1 is recognised as Ada, but it is a spoof in 2 of these frames'
    assert warnings_of({'liveness': found}) == [line]
    assert face_state_rows({'liveness': found})[-1] == ('  not live', line)
    # Unsure for a moment is no alarm.
    assert warnings_of({'liveness': summarise_liveness(scores[:1] + scores[3:])}) == []


@pytest.mark.parametrize('require_live', [False, True])
def test_report_warns_of_a_recognised_spoof(tmp_path: Path, require_live: bool) -> None:
    with tempfile.TemporaryDirectory(prefix='.face_depth_ros_test_', dir=Path.home()) as own:
        gallery = Path(own) / 'people.db'
        Gallery.open(gallery, plain=True, create=True).close()
        summary = run(tmp_path, TellingPipeline(SAID, LIVENESS, 'Ada'), gallery=gallery,
                      plain=True, require_live=require_live)
    assert summary['liveness']['named_but_not_live'][0]['frames'] == {'unsure': 1, 'spoof': 2}
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'class="warning"' in page
    assert 'f00001 is recognised as Ada, but it is a spoof in 2 of these frames' in page
    assert ('The option require-live leaves it unknown' in page) != require_live


def test_frames_without_a_face_do_not_count() -> None:
    shown = OutputExpression('anger', dict.fromkeys(EXPRESSIONS, 0.0) | {'anger': 1.0})
    found = summarise_expressions([FrameScore(0, 0), FrameScore(1, 1, (('f1', 0.9),), expressions={
        'f1': shown}), FrameScore(2, 2, expressions={})])
    assert coverage(found) == 'for every face in 1 of 1 frames with a face'
    assert [f['index'] for f in found['frames']] == [1]


def test_off_records_nothing_of_them(tmp_path: Path) -> None:
    summary = run(tmp_path, rgbd_bags.KnowingPipeline(), expressions='off', liveness='off')
    assert 'expressions' not in summary and 'liveness' not in summary
    assert set(summary['outputs']) == set(OUTPUT_TYPES)
    assert (summary['expression_recognizer'], summary['liveness_detector']) == ('off', 'off')
    assert 'id="states"' not in (tmp_path / 'out' / 'report.html').read_text()
    assert face_state_rows(summary) == []


def absent(name: str) -> None:
    raise ModelSpecError(f'no model named {name}', cause='model_missing')


def test_stages_whose_shipped_model_is_missing_are_off_and_said_to_be(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(replay_settings, 'find_model', absent)
    settings, notes = with_models(ReplaySettings(Path('a'), Path('b')))
    assert (settings.expressions, settings.liveness) == ('off', 'off')
    assert settings.expression_model == settings.liveness_model == ''
    assert [n.partition(':')[0] for n in notes] == ['expressions is off', 'liveness is off']
    assert all('models/README.md' in n for n in notes)
    summary = run(tmp_path, rgbd_bags.KnowingPipeline(), expressions=None, liveness=None)
    assert summary['notes'] == list(notes)
    assert notes[0] in summary_table(summary)
    assert set(summary['outputs']) == set(OUTPUT_TYPES)


def test_models_are_on_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_settings, 'find_model', lambda name: None)
    settings, notes = with_models(ReplaySettings(Path('a'), Path('b')))
    assert settings.expression_model == 'expression_recognizer'
    assert settings.liveness_model == 'liveness_detector' and notes == ()
    asked, notes = with_models(ReplaySettings(Path('a'), Path('b'), expressions='off',
                                              liveness='mine'))
    assert (asked.expression_model, asked.liveness_model, notes) == ('', 'mine', ())


def test_a_broken_model_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ModelSpecError(f'{name}.yaml lacks inputs')

    monkeypatch.setattr(replay_settings, 'find_model', broken)
    with pytest.raises(ModelSpecError, match='lacks inputs'):
        with_models(ReplaySettings(Path('a'), Path('b')))


def test_living_faces_alone_need_liveness(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in ({}, {'gallery': Path('g'), 'liveness': 'off'},
                     {'gallery': Path('g'), 'recognizer': 'off'}):
        with pytest.raises(SettingsError, match='needs liveness, a gallery and a recognizer'):
            ReplaySettings(Path('a'), Path('b'), require_live=True, **settings)
    monkeypatch.setattr(replay_settings, 'find_model', absent)
    with pytest.raises(SettingsError, match='but liveness is off: there is no model'):
        with_models(ReplaySettings(Path('a'), Path('b'), require_live=True, gallery=Path('g')))


@pytest.mark.parametrize('flag', ['--expressions', '--liveness'])
def test_a_model_that_is_asked_for_must_be_there(flag: str, tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    bag = rgbd_bags.write_bag(tmp_path / 'bag', rgbd_bags.frame_entries(0))
    assert main([str(bag), '--out', str(tmp_path / 'out'), '--transport', 'direct', '--method',
                 'None', '--estimator', 'off', flag, 'nowhere']) == 1
    assert "no model named 'nowhere'" in capsys.readouterr().err
    assert main([str(bag), '--out', str(tmp_path / 'out'), flag, '']) == 1
    assert f'{flag[2:]} is empty, expected a model or off' in capsys.readouterr().err
