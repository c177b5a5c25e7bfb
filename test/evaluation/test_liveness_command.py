# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""`evaluate liveness` as a user runs it, on drawn faces and a drawn detector."""

from __future__ import annotations

from functools import partial
import json
from pathlib import Path
from typing import Any

from drawn_liveness import BENT, BulgeDetector, BulgeNetwork, draw_face, draw_faces, FLAT
from face_depth_ros.core.errors import ModelSpecError
from face_depth_ros.evaluation import evaluate, face_tables, liveness_commands, liveness_rows
from face_depth_ros.evaluation.checkout_data import checkout_data
from face_depth_ros.evaluation.liveness_faces import part_file, save_liveness_faces
from face_depth_ros.evaluation.liveness_rows import (
    BOTH,
    LANDMARKS,
    NETWORK,
    RAW_LANDMARKS,
    ROWS,
    TEMPORAL,
)
import pytest

FEW = ('--enhancers', 'None,Ours')


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a drawn detector in the place of the network, and drawn faces in that of the fixture."""
    class Detector:
        @staticmethod
        def open(model: str, backend: str, precision: str) -> BulgeDetector:
            assert model == 'liveness_detector'
            return BulgeDetector()

    monkeypatch.setattr(liveness_rows, 'LivenessDetector', Detector)
    monkeypatch.setattr(liveness_rows, 'LivenessNetwork', BulgeNetwork)
    monkeypatch.setattr(liveness_rows, 'find_model', lambda name: None)
    monkeypatch.setattr(liveness_rows.LivenessRows, '_describe', lambda *a, **k: None)
    save_liveness_faces(tmp_path / 'liveness_faces.npz', draw_faces(3, 2))
    monkeypatch.setattr(
        liveness_commands, 'checkout_data',
        lambda name: tmp_path / name if name == 'liveness_faces.npz' else checkout_data(name))
    return tmp_path


def run(out: Path, *arguments: str) -> dict[str, Any]:
    assert evaluate.main(['liveness', '--out', str(out), *arguments]) == 0
    content: dict[str, Any] = json.loads((out / 'liveness.json').read_text())
    return content


def test_quick_takes_the_fixtures(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = run(drawn / 'out', '--quick', *FEW)
    assert list(content['rows']) == [RAW_LANDMARKS, LANDMARKS, NETWORK, BOTH, TEMPORAL]
    assert content['people'] == 3 and content['frames'] == {'live': 6, FLAT: 6, BENT: 6}
    assert content['rows'][NETWORK][FLAT] is None  # six faces make no threshold at 1 %
    decided = content['tables']['liveness_decisions']['rows']
    assert decided[NETWORK]['worst APCER'] == 0.0 and decided[NETWORK]['BPCER'] == 0.0
    assert decided[LANDMARKS][BENT] > 50.0
    assert content['tables']['liveness_eer']['rows'][NETWORK] == {FLAT: 0.0, BENT: 0.0}
    errors = content['tables']['pad_error_face_samples']['rows']
    assert errors['Ours']['mean'] < 0.5 * errors['None']['mean']
    assert errors['Ours']['worst_fall'] <= 0.03  # the guard leaves attacks alone
    assert 'our enhancement lowers the landmark error' in content['lead']
    assert 'are too few for a threshold' in content['lead']
    assert len(content['verdict']) == 5
    printed = capsys.readouterr().out
    for table in content['tables'].values():
        assert table['title'] in printed
    report = (drawn / 'out' / 'report.html').read_text()
    assert '<h2>Living faces and attacks</h2>' in report
    assert f'{BENT}: spoof' in report and 'What is said of them: live: live' in report


def test_fewer_rows_and_samples(drawn: Path) -> None:
    content = run(drawn / 'out', '--quick', '--samples', '2', '--rows',
                  f'{RAW_LANDMARKS},{NETWORK}', '--enhancers', 'None,Ours')
    assert list(content['rows']) == [RAW_LANDMARKS, NETWORK]
    assert content['tables']['pad_error_face_samples']['rows']['None']['images'] == 1


def test_what_is_rendered_is_used_and_the_rest_rendered(
        drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Rendering:
        asked: list[tuple[Path, int, str]] = []

        @classmethod
        def fill_bank(cls, folder: Path, rounds: int, assets: str) -> None:
            cls.asked.append((folder, rounds, assets))
            for number in range(rounds):
                save_liveness_faces(part_file(folder, number), [
                    draw_face('live' if i < 50 else FLAT, 99 * number + i, 99 * number + i,
                              distance_m=0.5 + 0.1 * (i % 4)) for i in range(52)])

        @staticmethod
        def rendered_faces(people: int, assets: str) -> list[object]:
            return []

        rendered_attacks = rendered_faces

    monkeypatch.setattr(liveness_commands, '_rendering', lambda what: Rendering)
    bank = drawn / 'bank'
    content = run(drawn / 'out', '--bank', str(bank), '--rounds', '2', '--rows', NETWORK,
                  '--enhancers', 'None')
    assert Rendering.asked == [(bank, 2, '')] and content['people'] == 104
    fewer = run(drawn / 'out2', '--bank', str(bank), '--rounds', '1', '--rows', LANDMARKS,
                '--enhancers', 'None')
    assert len(Rendering.asked) == 1 and fewer['people'] == 52
    row = content['rows'][NETWORK]
    assert row['worst APCER'] == 0.0 and row['BPCER'] <= 1.0 and row['threshold'] > 0.1
    assert '0.6 to 0.9 m: APCER' in content['tables']['liveness_by_distance']['rows'][NETWORK]
    assert not any(key.startswith('pad_') for key in content['tables'])


def test_a_recording_frame_by_frame(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A few frames of the bag show as much as all of them.
    monkeypatch.setattr(liveness_commands, 'judge_capture',
                        partial(liveness_commands.judge_capture, limit=8))
    bag_faces = face_tables.bag_faces
    monkeypatch.setattr(face_tables, 'bag_faces', lambda path, reference, **settings: bag_faces(
        path, reference, **settings | {'limit': 4}))
    content = run(drawn / 'out', '--quick', '--mannequin', str(checkout_data('sample_bag')),
                  *FEW)
    rows = content['tables']['mannequin']['rows']
    frames = content['mannequin_frames']
    assert list(rows) == [RAW_LANDMARKS, LANDMARKS, NETWORK, BOTH, TEMPORAL]
    assert rows[NETWORK]['frames'] == len(frames) > 5
    for row in rows.values():
        assert row['live'] + row['spoof'] + row['unsure'] == len(frames)
    assert frames[0][TEMPORAL]['reason'] == 'few_frames'
    assert {f[NETWORK]['label'] for f in frames} <= {'live', 'spoof', 'unsure'}
    assert any('Depth cannot tell it from one' in sentence for sentence in content['verdict'])
    assert 'pad_error_sample_bag' in content['tables']
    report = (drawn / 'out' / 'report.html').read_text()
    assert 'A mannequin head, frame by frame: data/sample_bag' in report


def test_a_detector_that_is_missing_leaves_its_rows_empty(
        drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        @staticmethod
        def open(model: str, backend: str, precision: str) -> BulgeDetector:
            raise ModelSpecError(f'there is no model {model!r} in the model folders')

    monkeypatch.setattr(liveness_rows, 'LivenessDetector', Missing)
    content = run(drawn / 'out', '--quick', '--model', 'mine', *FEW)
    assert content['absent'] == {row: "there is no model 'mine' in the model folders"
                                 for row in (BOTH, TEMPORAL)}
    decided = content['tables']['liveness_decisions']['rows']
    assert decided[BOTH]['BPCER'] is None and decided[LANDMARKS]['BPCER'] is not None
    assert content['lead'].count('Network: ') == 1  # what is left speaks


def test_quick_with_the_shipped_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Measured: no error of the whole in 72 frames; what ships must not become much worse.
    monkeypatch.delenv('FACE_DEPTH_MODELS', raising=False)
    content = run(tmp_path, '--quick', *FEW)
    assert content['absent'] == {} and list(content['rows']) == list(ROWS)
    assert content['models'][BOTH]['sha256']
    equal = {row: cells['EER'] for row, cells in content['rows'].items()}
    assert equal[TEMPORAL] <= equal[LANDMARKS] and equal[TEMPORAL] < 15.0
    decided = content['tables']['liveness_decisions']['rows'][TEMPORAL]
    flat = [decided[kind] for kind in ('flat print', 'screen', 'box')]
    assert max(flat) == 0.0 and decided['BPCER'] <= 50.0


@pytest.mark.parametrize(('arguments', 'complaint'), [
    (('--rows', 'Heat'), "Heat is no row, expected some of 'Landmark test, raw depth'"),
    (('--rows', 'Network,Heat'), 'Heat is no row'),
    (('--rows', ' '), 'nothing is no row'),
    (('--enhancers', 'DL-Omega'), 'DL-Omega is no row, expected some of None, De-M2'),
    (('--rounds', '0'), '0 is no number of at least 1'),
    (('--samples', 'x'), 'x is no number of at least 1')])
def test_options_are_checked(arguments: tuple[str, ...], complaint: str,
                             capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(['liveness', '--quick', '--out', 'x', *arguments])
    assert complaint in capsys.readouterr().err


def test_what_is_no_recording_or_dataset_is_named(
        drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ('liveness', '--out', str(drawn / 'out'), '--quick', '--rows', LANDMARKS, *FEW)
    assert evaluate.main([*out, '--mannequin', str(drawn / 'nowhere')]) == 1
    assert 'nowhere not found; --faces and --mannequin take recordings' in (
        capsys.readouterr().err)
    assert evaluate.main([*out, '--faces', str(drawn)]) == 1
    assert 'EURECOM Kinect Face Dataset' in capsys.readouterr().err
    save_liveness_faces(drawn / 'liveness_faces.npz', draw_faces(2, 1, ('live',)))
    assert evaluate.main([*out]) == 1
    assert "the errors need living faces (species 'live') and attacks" in capsys.readouterr().err


def test_assets_that_are_missing_are_named(drawn: Path, capsys: pytest.CaptureFixture[str],
                                           ) -> None:
    assert evaluate.main(['liveness', '--out', str(drawn / 'out'), '--bank',
                          str(drawn / 'bank'), '--rounds', '2', '--assets',
                          str(drawn / 'nowhere'), '--rows', LANDMARKS]) == 1
    assert 'nowhere' in capsys.readouterr().err
