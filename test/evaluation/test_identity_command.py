# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""`evaluate identity` as a user runs it, on drawn people and small recognisers."""

from __future__ import annotations

import json
from pathlib import Path
import shutil
from typing import Any

import cv2
from drawn_identities import draw_people, write_brought, write_recognizer
from estimator_models import write_our_model
from face_depth_ros.core import model_spec
from face_depth_ros.core.identity_calibration import read_calibrations
from face_depth_ros.evaluation import evaluate, identity_commands, identity_datasets
from face_depth_ros.evaluation.identity_faces import save_faces, write_part
import numpy as np
import pytest
from scan_files import write_bosphorus
import yaml

COLUMNS = ['expression', 'pose', 'occlusion', 'time', 'average', 'TAR at 0.001', 'ms']


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / 'models'
    folder.mkdir()
    write_our_model(folder, 'face_estimator', 64)
    write_recognizer(folder)
    # These models alone, whatever lies in the checkout.
    monkeypatch.setattr(model_spec, 'model_folders', lambda: [folder])
    return folder


def run(out: Path, *arguments: str) -> dict[str, Any]:
    assert evaluate.main(['identity', '--out', str(out), *arguments]) == 0
    content: dict[str, Any] = json.loads((out / 'identity.json').read_text())
    return content


def test_rendered_people(tmp_path: Path, models: Path,
                         capsys: pytest.CaptureFixture[str]) -> None:
    bank = tmp_path / 'bank'
    write_part(bank, 0, draw_people(6, 2))
    write_part(bank, 1, draw_people(6, 2, first=6, confused='occlusion'))
    write_recognizer(models, 'mask_guided_recognizer')
    content = run(tmp_path / 'out', '--bank', str(bank), '--people', '12',
                  '--rows', 'Student,Full network,c_Id')
    rows = content['rows']
    assert list(rows) == [
        'Full network', 'Full network, RGB only', 'Full network, depth only', 'Student',
        'Student, RGB only', 'Student, depth only', 'c_Id']
    assert list(rows['Student']) == COLUMNS
    assert (content['people'], content['probes']) == (12, 96)
    # Six of twelve people look like another when covered, to colour alone.
    assert rows['Student, RGB only']['occlusion'] == 50.0
    assert rows['Student, RGB only']['pose'] == 100.0
    assert rows['Student']['ms'] > 0 and rows['Student, RGB only']['ms'] is None
    assert rows['c_Id']['average'] is None
    assert 'training.train_face_shape' in content['absent']['c_Id']
    measured = content['tables']['identity_measured']['rows']
    assert measured['Student, depth only']['occlusion'] == 100.0
    verified = content['tables']['identity_verification']['rows']['Student']
    assert verified['TAR at 0.0001'] is None and verified['TAR at 0.001'] is not None
    yaw = content['tables']['identity_by_yaw']['rows']['Student']
    assert yaw['30 to 45'] == 100.0 and yaw['45 to 60'] is None
    costs = content['tables']['identity_costs']['rows']
    assert costs['Student']['macs'] > 0 and costs['c_Id']['macs'] is None
    found = read_calibrations('here', content['calibrations']['Student'])
    assert set(found) == {'color', 'depth', 'color+depth'}
    assert any('loses 0.00 points' in s for s in content['verdict'])
    assert any('Full network, depth measured' in s for s in content['verdict'])
    printed = capsys.readouterr().out
    for table in content['tables'].values():
        assert table['title'] in printed
    report = (tmp_path / 'out' / 'report.html').read_text()
    assert '<h2>Who is it: rank-1 identification</h2>' in report


def test_quick_takes_the_fixture(tmp_path: Path, models: Path,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    save_faces(tmp_path / 'identity_faces.npz', draw_people(4))
    monkeypatch.setattr(identity_commands, 'checkout_data', lambda name: tmp_path / name)
    content = run(tmp_path / 'out', '--quick', '--people', '3')
    assert content['people'] == 3
    assert content['rows']['Student, RGB only']['average'] == 100.0
    assert content['rows']['Full network']['average'] is None
    assert 'training.train_face_recognizer' in content['absent']['Full network']


@pytest.mark.parametrize('crop', ['box', 'five_points'])
def test_a_network_that_somebody_brings_needs_no_calibration(
        tmp_path: Path, models: Path, crop: str, capsys: pytest.CaptureFixture[str]) -> None:
    brought = write_brought(models, crop=crop)
    write_part(tmp_path / 'bank', 0, draw_people(6, 2))
    content = run(tmp_path / 'out', '--bank', str(tmp_path / 'bank'), '--people', '6',
                  '--rows', f'Student,{brought}')
    assert list(content['rows'])[-1] == str(brought)
    assert content['rows'][str(brought)]['average'] > 90.0
    assert content['models'][str(brought)]['sha256']
    assert set(content['calibrations'][str(brought)]) == {'color'}
    assert content['modalities']['estimated'] == {
        'Student': ['color', 'depth'], 'Student, RGB only': ['color'],
        'Student, depth only': ['depth'], str(brought): ['color']}
    # Once, README promised that the calibration is printed, and it stood in the JSON alone.
    printed = capsys.readouterr().out
    _, _, lines = printed.partition(f'The calibration of {brought}, for its spec:\n')
    pasted = yaml.safe_load(lines.partition('\n\n')[0])
    assert pasted == {'limits': {'calibration': content['calibrations'][str(brought)]}}
    assert 'The calibration of Student' not in printed
    brought.write_text(yaml.safe_dump({**yaml.safe_load(brought.read_text()), **pasted}))
    assert 'color' in read_calibrations('here', model_spec.find_model(
        str(brought)).limits['calibration'])


def test_a_brought_network_with_a_shape_model_is_calibrated_for_both(tmp_path: Path) -> None:
    """On the rendered fixture; the shape model is the one that ships."""
    shape = model_spec.find_model('face_recognizer')
    named = {key: shape.normalisation[key] for key in ('shape_model', 'shape_sha256')}
    shutil.copy(shape.path.parent / named['shape_model'], tmp_path)
    brought = write_brought(tmp_path, **named)
    content = run(tmp_path / 'out', '--quick', '--rows', str(brought))
    rows = content['tables']['identity_measured']['rows']
    assert list(rows) == [str(brought), f'{brought}, RGB only', f'{brought}, shape only']
    assert rows[f'{brought}, shape only']['average'] > 85.0
    cost = content['tables']['identity_costs']['rows'][str(brought)]
    assert rows[str(brought)]['ms'] == cost['ms_measured'] > cost['ms']
    assert content['rows'][str(brought)]['ms'] == cost['ms']
    assert rows[str(brought)]['average'] > rows[f'{brought}, RGB only']['average']
    estimated = content['rows']
    assert estimated[str(brought)]['average'] == estimated[f'{brought}, RGB only']['average']
    found = read_calibrations('here', content['calibrations'][str(brought)])
    assert set(found) == {'color', 'shape', 'color+shape'}


def test_too_few_pairs_for_a_calibration_are_said(tmp_path: Path, models: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    brought = write_brought(models)
    write_part(tmp_path / 'bank', 0, draw_people(2))
    run(tmp_path / 'out', '--bank', str(tmp_path / 'bank'), '--people', '2', '--rows',
        str(brought))
    assert f'{brought} has no calibration: it takes 10 pairs of one' in capsys.readouterr().out


def test_no_network_is_an_error_that_keeps_what_is_there(
        tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once, a typing error in --rows put empty tables in place of a result."""
    (tmp_path / 'identity.json').write_text('earlier')
    assert evaluate.main(['identity', '--quick', '--out', str(tmp_path), '--rows',
                          f'{models / "typo.yaml"},Full network']) == 1
    said = capsys.readouterr().err
    assert 'no network is left to compare' in said and 'typo.yaml' in said
    assert 'training.train_face_recognizer' in said
    assert (tmp_path / 'identity.json').read_text() == 'earlier'


def test_a_silent_network_is_absent_with_the_reason(
        tmp_path: Path, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once, a network whose embeddings are all 0 was in no table and in no list."""
    silent = write_brought(models, std=[1e30] * 3)
    write_part(tmp_path / 'bank', 0, draw_people(2))
    people = ('--bank', str(tmp_path / 'bank'), '--people', '2', '--rows')
    content = run(tmp_path / 'out', *people, f'Student,{silent}')
    assert list(content['absent']) == [str(silent)]
    assert 'says nothing of any of 10 faces' in content['absent'][str(silent)]
    assert content['rows'][str(silent)]['average'] is None
    assert content['rows']['Student']['average'] is not None
    assert f'{silent} is empty: the network says nothing' in capsys.readouterr().out
    assert evaluate.main(['identity', '--out', str(tmp_path), *people, str(silent)]) == 1
    assert 'no network is left to compare' in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_said_first(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    """Once, it was a traceback after the whole evaluation."""
    def never(*_: Any) -> None:
        raise AssertionError('it was measured')

    monkeypatch.setattr(identity_commands, 'IdentityRows', never)
    (tmp_path / 'file').touch()
    assert evaluate.main(['identity', '--quick', '--out', str(tmp_path / 'file' / 'out')]) == 1
    assert 'Not a directory' in (said := capsys.readouterr().err) and 'another --out' in said


@pytest.mark.parametrize(('arguments', 'complaint'), [
    (('--quick', '--data', 'lfw:/nonexistent'), 'the fixture of the checkout, got --data lfw:'),
    (('--people', '2', '--data', 'lfw:/nonexistent'), 'lfw compares the pairs of its list, all'),
])
def test_options_that_contradict_each_other(tmp_path: Path, arguments: tuple[str, ...],
                                            complaint: str,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    """Once, one of the two was passed over in silence."""
    assert evaluate.main(['identity', '--out', str(tmp_path), *arguments]) == 1
    assert complaint in capsys.readouterr().err


def test_what_is_rendered_is_used_and_the_rest_rendered(tmp_path: Path, models: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    class Rendering:
        asked: list[tuple[Path, int, str]] = []

        @classmethod
        def fill_bank(cls, folder: Path, people: int, assets: str) -> None:
            cls.asked.append((folder, people, assets))
            write_part(folder, 0, draw_people(4))

    monkeypatch.setattr(identity_commands, '_rendering', lambda: Rendering)
    bank = tmp_path / 'bank'
    for _ in range(2):
        run(tmp_path / 'out', '--bank', str(bank), '--people', '4', '--rows', 'Student')
    assert Rendering.asked == [(bank, 4, '')]


def test_a_dataset_of_scans(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for person in ('bs000', 'bs001'):
        for kind in ('N_N_0', 'E_HAPPY_0', 'YR_R10_0'):
            write_bosphorus(tmp_path / 'data', f'{person}_{kind}')
    content = run(tmp_path / 'out', '--data', f'bosphorus:{tmp_path / "data"}', '--rows',
                  'Student')
    assert content['probes_of'] == {'Bosphorus-1': 2, 'Bosphorus-2': 4}
    assert content['faces_left_out'] == {}
    # Both people are the same head, so that nobody can be told apart.
    assert content['rows']['Student']['average'] == 0.0
    measured = content['tables']['identity_measured']
    assert measured['rows']['Student']['average'] == 0.0
    assert 'no camera is known, so shape models say nothing' in measured['dataset']
    assert content['modalities']['measured']['Student'] == ['color', 'depth']


def test_pairs_in_folds(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, photos = tmp_path / 'lfw', draw_people(8, 1)
    for person in range(8):
        folder = data / f'Person_{person}'
        folder.mkdir(parents=True)
        for number, photo in enumerate(photos[photos['person'] == person][:2], 1):
            cv2.imwrite(str(folder / f'Person_{person}_{number:04d}.jpg'),
                        photo['color'][..., ::-1])
    lines = ['2\t2']
    for fold in range(2):
        lines += [f'Person_{4 * fold + i}\t1\t2' for i in range(2)]
        lines += [f'Person_{4 * fold + i}\t1\tPerson_{4 * fold + i + 1}\t2' for i in range(2)]
    (data / 'pairs.txt').write_text('\n'.join(lines))

    class WholePhoto:
        def find(self, photo: np.ndarray) -> Any:
            return type('Found', (), {'color': photo})

        def close(self) -> None:
            pass

    monkeypatch.setattr(identity_datasets.Cropper, '_finder', lambda self: WholePhoto())
    shape = Path(__file__).parents[2] / 'models' / 'face_recognizer.yaml'
    named = {key: yaml.safe_load(shape.read_text())['normalisation'][key]
             for key in ('shape_model', 'shape_sha256')}
    shutil.copy(shape.parent / named['shape_model'], models)
    brought = write_brought(models, **named)
    content = run(tmp_path / 'out', '--data', f'lfw:{data}', '--rows', f'Student,c_Id,{brought}')
    # Once, rows in which nothing is known of any face (shape, without a camera) had numbers.
    assert list(content['rows']) == [
        'Student', 'Student, RGB only', 'Student, depth only', str(brought),
        f'{brought}, RGB only', 'c_Id']
    assert content['modalities']['estimated'][str(brought)] == ['color']
    report = (tmp_path / 'out' / 'report.html').read_text()
    assert '<th>Student, depth only</th>' in report and 'training.train_face_shape' in report
    assert content['rows']['Student, RGB only']['accuracy'] > 80.0  # of eight pairs
    assert content['rows']['Student, RGB only']['AUC'] == 100.0
    assert content['rows']['c_Id'] == {}


def test_photos_without_a_face_are_left_out(tmp_path: Path, models: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    shipped = Path(__file__).parents[2] / 'models'
    for ending in ('onnx', 'yaml'):
        (models / f'face_detector.{ending}').symlink_to(shipped / f'face_detector.{ending}')
    data = tmp_path / 'vgg'
    for person in ('n000001', 'n000002'):
        (data / 'test' / person).mkdir(parents=True)
        for number in range(2):
            cv2.imwrite(str(data / 'test' / person / f'000{number}_01.jpg'),
                        np.full((80, 80, 3), 90, np.uint8))
    assert evaluate.main(['identity', '--out', str(tmp_path / 'out'), '--data',
                          f'vggface2:{data}', '--rows', 'Student']) == 1
    assert 'there are no faces to tell apart' in capsys.readouterr().err


def test_templates_of_ijb_a(tmp_path: Path, models: Path,
                            monkeypatch: pytest.MonkeyPatch) -> None:
    data, photos = tmp_path / 'ijb', draw_people(6, 1)
    heading = ('TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT')
    lines: dict[str, list[str]] = {'gallery': [heading], 'probe': [heading]}
    for person in range(6):
        for number, photo in enumerate(photos[photos['person'] == person][:4]):
            path = data / 'images' / 'img' / f'{person}_{number}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), photo['color'][..., ::-1])
            kind = 'gallery' if number < 2 else 'probe'
            template = person if number < 2 else 10 + person
            if kind == 'probe' or person < 4:  # two probes are strangers
                lines[kind].append(f'{template},{person},img/{path.name},{number},48,48,96,96')
    verify, search = data / 'IJB-A_11_sets' / 'split1', data / 'IJB-A_1N_sets' / 'split1'
    for folder in (verify, search):
        folder.mkdir(parents=True)
    (verify / 'verify_metadata_1.csv').write_text(
        '\n'.join(lines['gallery'] + lines['probe'][1:]))
    (verify / 'verify_comparisons_1.csv').write_text(
        '\n'.join(f'{i},{10 + j}' for i in range(4) for j in range(6)))
    for kind, rows in lines.items():
        (search / f'search_{kind}_1.csv').write_text('\n'.join(rows))

    class WholePhoto:
        def find(self, photo: np.ndarray) -> Any:
            return type('Found', (), {'color': photo})

        def close(self) -> None:
            pass

    monkeypatch.setattr(identity_datasets.Cropper, '_finder', lambda self: WholePhoto())
    content = run(tmp_path / 'out', '--data', f'ijb_a:{data}', '--rows', 'Student')
    row = content['rows']['Student, RGB only']
    assert row['TAR at 0.1'] == row['rank-1'] == 100.0 and row['TAR at 0.1 std'] == 0.0
    assert row['TPIR at 0.1'] is None  # two strangers cannot tell


def test_quick_with_the_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Measured: 90.6 and 100 % of 64 probes; what ships must not become worse by more than chance.
    monkeypatch.delenv('FACE_DEPTH_MODELS', raising=False)
    content = run(tmp_path, '--quick', '--rows', 'Student')
    row = content['rows']['Student']
    assert row['average'] > 80.0 and row['pose'] > 80.0
    measured = content['tables']['identity_measured']['rows']
    assert measured['Student']['average'] > 95.0
    assert measured['Student']['average'] >= measured['Student, without shape']['average']
    assert measured['Student, shape only']['average'] > 90.0


@pytest.mark.parametrize(('arguments', 'complaint'), [
    (('--rows', 'ArcFace'), 'ArcFace is no row, expected some of Full network, Student, c_Id'),
    (('--rows', ','), 'nothing is no row'),
    (('--people', '1'), '1 is no number of at least 2'),
    (('--data', 'casia:/data'), "'casia:/data' is no data, expected synthetic or NAME:ROOT"),
    (('--data', 'lfw'), "'lfw' is no data"),
])
def test_options_are_checked(arguments: tuple[str, ...], complaint: str,
                             capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        evaluate.main(['identity', '--quick', '--out', 'x', *arguments])
    assert complaint in capsys.readouterr().err


def test_a_folder_that_is_no_dataset_is_named(tmp_path: Path, models: Path,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(['identity', '--out', str(tmp_path / 'out'), '--rows', 'Student',
                          '--data', f'ytf:{tmp_path}']) == 1
    assert 'expected files such as frame_images_DB' in capsys.readouterr().err
