# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""`evaluate` as a user runs it, on the fixture of the checkout and on a small bag."""

from __future__ import annotations

import json
from pathlib import Path
import re
from typing import Any

from face_depth_ros.core.errors import BagError
from face_depth_ros.evaluation import bag_pairs, evaluate
from face_depth_ros.evaluation.bag_pairs import bag_frames, published_rows
from face_depth_ros.evaluation.enhancement_protocol import COLUMNS
from face_depth_ros.evaluation.enhancer_rows import NONE, OURS, ROWS
from face_depth_ros.evaluation.face_tables import FACE_PROTOCOLS
from face_depth_ros.evaluation.reference_depth import ReferenceScore
from face_depth_ros.filters import ENHANCER_FILTERS
import numpy as np
import pytest
import rgbd_bags

FORM = {'command', 'commit', 'machine', 'date', 'protocol', 'tables', 'rows'}
TABLE_FORM = {'title', 'dataset', 'unit', 'rows'}


def run(*arguments: str) -> None:
    assert evaluate.main([*arguments]) == 0


def result(out: Path, protocol: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / f'{protocol}.json').read_text())
    assert set(content) >= FORM
    assert all(set(table) == TABLE_FORM for table in content['tables'].values())
    assert content['rows'] == next(iter(content['tables'].values()))['rows']
    assert content['protocol'] == protocol
    return content


def test_quick_enhancement_makes_all_tables(tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str],
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('FACE_DEPTH_MODELS', raising=False)
    run('enhancement', '--quick', '--pairs', '3', '--out', str(tmp_path / 'out'))
    content = result(tmp_path / 'out', 'enhancement')
    rows = content['rows']
    assert list(rows) == list(ROWS)
    assert all(tuple(row) == COLUMNS for row in rows.values())
    assert content['pairs'] == 3
    assert content['best_filter'] in ENHANCER_FILTERS
    assert rows[OURS]['rmse_mean'] < rows[content['best_filter']]['rmse_mean']
    assert content['lead'].startswith('Ours has the lowest error in the face')
    assert 0.5 < rows[OURS]['support_iou'] <= 1.0
    assert len(content['models'][OURS]['sha256']) == 64
    assert content['rows_left_out'] == []
    assert {'synthetic', 'costs', 'rmse_by_region', 'share_by_region', 'roughness',
            'falsification', 'few_holes', 'holes_68', 'pad_error', 'attacks',
            'panels'} <= set(content['tables'])
    printed = capsys.readouterr().out
    for title in (table['title'] for table in content['tables'].values()):
        assert title in printed
    # A row without its model is listed, empty, with the reason below.
    assert set(rows['DL-Beta'].values()) == {None}
    assert f'DL-Beta is empty: {content["absent"]["DL-Beta"]}' in printed
    assert {p.name for p in (tmp_path / 'out').iterdir()} == {
        'enhancement.json', 'roughness.json', 'falsification.json', 'landmarks.json',
        'panels.json', 'report.html'}


def test_protocols_share_a_report(tmp_path: Path) -> None:
    out, few = str(tmp_path), ('--rows', 'Ours,None,Hf-L')
    run('roughness', '--quick', *few, '--samples', '2', '--out', out)
    run('latency', '--quick', '--out', out)
    run('enhancement', '--quick', *few, '--pairs', '2', '--out', out)
    page = (tmp_path / 'report.html').read_text()
    headings = re.findall('<h2>(.*?)</h2>', page)
    assert headings == ['Face depth enhancement', 'Roughness and holes', 'Falsification',
                        'Landmarks and a face check by them', 'Faces under every enhancer',
                        'Latency of the networks']
    content = result(tmp_path, 'enhancement')
    assert content['rows_left_out'] == [row for row in ROWS if row not in (NONE, 'Hf-L', OURS)]
    assert content['rows']['De-M2']['rmse_mean'] is None
    rows = result(tmp_path, 'latency')['rows']
    assert len(rows) == 16
    for name, row in rows.items():
        assert 0 < row['engine_p50_ms'] <= row['engine_p95_ms']
        assert 0 < row['predictor_p50_ms'] <= row['predictor_p95_ms']
        assert row['ratio_to_fp32'] == 1.0 if name.endswith(', fp32') else True


@pytest.mark.parametrize('protocol', FACE_PROTOCOLS)
def test_each_part_alone(protocol: str, tmp_path: Path) -> None:
    run(protocol, '--quick', '--rows', 'None,Hf-L', '--out', str(tmp_path))
    content = result(tmp_path, protocol)
    assert content['rows']
    assert 'De-M2' not in content['rows']


def test_rows_are_checked_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ('DL-Omega', ','):
        with pytest.raises(SystemExit):
            evaluate.main(['enhancement', '--quick', '--out', 'x', '--rows', wrong])
        assert 'is no row, expected some of None, De-M2' in capsys.readouterr().err


@pytest.mark.ros
@pytest.mark.slow
def test_quick_transport(tmp_path: Path) -> None:
    run('transport', '--quick', '--out', str(tmp_path))
    rows = result(tmp_path, 'transport')['rows']
    assert rows['in process']['hops'] == rows['DDS']['hops'] > 0
    assert rows['DDS']['p50'] > rows['in process']['p50'] > 0


@pytest.mark.ros
@pytest.mark.slow
def test_quick_load(tmp_path: Path) -> None:
    run('load', '--quick', '--out', str(tmp_path))
    rows = result(tmp_path, 'load')['rows']
    assert rows.keys() == {'5 Hz'}
    row = rows['5 Hz']
    assert row['sent'] == pytest.approx(5.0, rel=0.1)
    for topic in ('detections', 'identities', 'expressions', 'liveness'):
        assert 0.5 < row[topic] <= row['sent'], topic
    assert 0.0 < row['identities_with_depth'] <= 100.0
    assert 1.0 < row['p50_ms'] <= row['p95_ms'] < 5e3


def test_a_load_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip('rclpy')
    apart = [rgbd_bags.frame_entries(0)[i] for i in (0, 2, 3)] + [rgbd_bags.frame_entries(1)[1]]
    bag = rgbd_bags.write_bag(tmp_path / 'bag', apart)
    assert evaluate.main(['load', '--bag', str(bag), '--out', str(tmp_path / 'out')]) == 1
    assert 'no colour and depth of one stamp' in capsys.readouterr().err
    missing = str(tmp_path / 'none')
    assert evaluate.main(['load', '--bag', missing, '--out', str(tmp_path / 'out')]) == 1
    assert missing in capsys.readouterr().err


def write_bag_with_reference(folder: Path, offset_mm: int = 2) -> Path:
    frames = range(3)
    bag = rgbd_bags.write_bag(folder / 'bag',
                              [e for i in frames for e in rgbd_bags.frame_entries(i)])
    depth = np.stack([np.where(rgbd_bags.color_array(i)[..., 0] > 200,
                               rgbd_bags.FACE_MM + offset_mm, 0) for i in frames])
    (folder / 'reference').mkdir()
    np.savez(folder / 'reference' / 'fused_depth.npz', depth_mm=depth.astype(np.uint16),
             valid=depth > 0, stamp_ns=np.array([rgbd_bags.stamp(i) for i in frames]))
    return bag


@pytest.fixture
def knowing_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bag_pairs.Pipeline, 'open',
                        staticmethod(lambda **_: rgbd_bags.KnowingPipeline()))


@pytest.mark.usefixtures('knowing_pipeline')
def test_bag_with_reference(tmp_path: Path) -> None:
    bag = write_bag_with_reference(tmp_path)
    run('enhancement', '--data', str(bag), '--rows', 'None,Hf-L', '--out', str(tmp_path / 'out'))
    content = result(tmp_path / 'out', 'enhancement')
    assert list(content['tables'])[:2] == ['damaged', 'real']
    real = content['tables']['real']['rows']
    assert real['camera']['rmse_mean'] == pytest.approx(2.0, rel=1e-3)
    assert real['published']['worst_change'] == pytest.approx(0.0, abs=1e-3)
    assert real['published']['frames'] == content['pairs'] == 3
    assert content['rows'][NONE]['rmse_mean'] > 5.0  # mm: holes count as 25 cm
    # The detector sees no face in a red square: said, not hidden, and not the end.
    assert 'shows a frontal face' in content['face_tables_missing']


@pytest.mark.usefixtures('knowing_pipeline')
def test_faces_asked_for_by_name_must_be_there(tmp_path: Path,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_bag_with_reference(tmp_path)
    arguments = ['--data', str(bag), '--rows', 'None', '--out', str(tmp_path / 'out')]
    assert evaluate.main(['enhancement', *arguments, '--faces', str(bag)]) == 1
    assert 'shows a frontal face' in capsys.readouterr().err
    # What was made before stands.
    assert result(tmp_path / 'out', 'enhancement')['pairs'] == 3


@pytest.mark.usefixtures('knowing_pipeline')
def test_damage_is_on_the_crop_and_the_truth_from_the_reference(tmp_path: Path) -> None:
    seen: list[tuple[int, np.ndarray]] = []

    def damage(crop: np.ndarray, seed: int) -> np.ndarray:
        seen.append((seed, crop))
        return np.full_like(crop, np.nan)

    frames = list(bag_frames(write_bag_with_reference(tmp_path), None, damage))
    assert [seed for seed, _ in seen] == [0, 1, 2]
    for frame, (_, crop) in zip(frames, seen, strict=True):
        assert crop.shape == (256, 256)
        assert (frame.pair.degraded == 1.0).all()
        # 2 mm behind the nearest surface of the raw crop.
        np.testing.assert_allclose(frame.pair.truth[frame.pair.face], 0.002 / 0.25, atol=1e-5)


@pytest.mark.parametrize('arguments', [
    ('latency', '--runs'), ('load', '--seconds'), ('load', '--rates'), ('transport', '--frames'),
    ('enhancement', '--pairs'), ('roughness', '--samples')])
@pytest.mark.parametrize('number', ['0', '-5'])
def test_counts_that_measure_nothing(arguments: tuple[str, ...], number: str,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    protocol, option = arguments
    with pytest.raises(SystemExit):
        evaluate.main([protocol, '--out', 'x', f'{option}={number}'])
    assert f'argument {option}: {number} is no number of at least 1' in capsys.readouterr().err


@pytest.mark.usefixtures('knowing_pipeline')
def test_bag_without_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = rgbd_bags.write_bag(tmp_path / 'bag', rgbd_bags.frame_entries(0))
    assert evaluate.main(['enhancement', '--data', str(bag), '--out', str(tmp_path / 'o')]) == 1
    assert 'has no reference depth beside it' in capsys.readouterr().err
    assert not (tmp_path / 'o').exists()


@pytest.mark.usefixtures('knowing_pipeline')
def test_reference_of_another_bag(tmp_path: Path) -> None:
    bag = write_bag_with_reference(tmp_path)
    path = tmp_path / 'reference' / 'fused_depth.npz'
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, 'stamp_ns': arrays['stamp_ns'] + 1})
    with pytest.raises(BagError, match='does the reference belong to this bag'):
        list(bag_frames(bag, None, lambda crop, seed: crop))


def test_a_report_that_cannot_be_read_loses_no_result(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'report.html').write_bytes(b'\xff')
    assert evaluate.main(['transport', '--quick', '--out', str(tmp_path)]) == 1
    assert re.search('cannot read .*report.html.*remove it', capsys.readouterr().err)
    assert result(tmp_path, 'transport')


def test_published_rows() -> None:
    scores = [ReferenceScore(2.0, 1.0, 1.5, 1.0, 10, 0.0, True),
              ReferenceScore(4.0, 4.5, 1.5, 1.0, 10, 0.0, True),
              ReferenceScore(9.0, 9.0, 1.5, 1.0, 0, 0.0, True)]
    rows = published_rows(scores)
    assert rows['camera']['rmse_mean'] == 3.0
    assert rows['published']['rmse_max'] == 4.5
    assert rows['published']['worst_change'] == 0.5
    assert rows['camera']['frames'] == 2


def test_missing_training_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    assert evaluate.main(['enhancement', '--out', str(tmp_path)]) == 1
    assert 'need torch and numba, which the run time does not have' in capsys.readouterr().err
