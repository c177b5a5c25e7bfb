# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""`evaluate identity` on datasets: cameras, files that are damaged or missing, too few people."""

from __future__ import annotations

from collections.abc import Callable
import json
import logging
import math
import os
from pathlib import Path
import re
from typing import Any

import cv2
from drawn_identities import draw_people, write_recognizer
from estimator_models import write_our_model
from face_depth_ros.core import model_spec
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_surface import depth_of_relief
from face_depth_ros.datasets.face_photos_of import face_crop, face_photo_of
from face_depth_ros.datasets.rgbd_faces import (
    FaceDataset,
    first_as_gallery,
    NEUTRAL,
    Recording,
    RgbdFace,
)
from face_depth_ros.evaluation import evaluate, identity_datasets
from face_depth_ros.evaluation.identity_datasets import camera_of, collect_recordings, Cropper
from face_depth_ros.evaluation.identity_faces import load_faces, PHOTO_PX
from face_depth_ros.evaluation.identity_rows import blank_view
from face_depth_ros.evaluation.identity_views import MEASURED, SeenFaces
import numpy as np
import pytest
from scan_files import write_frgc

FIXTURE = Path(__file__).parents[1] / 'data' / 'identity_faces.npz'


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two small models, and a detector that takes every photo for a face."""
    folder = tmp_path / 'models'
    folder.mkdir()
    write_our_model(folder, 'face_estimator', 64)
    write_recognizer(folder)
    monkeypatch.setattr(model_spec, 'model_folders', lambda: [folder])

    class WholePhoto:
        def find(self, photo: np.ndarray) -> Any:
            return type('Found', (), {'color': photo})

        def close(self) -> None:
            pass

    monkeypatch.setattr(Cropper, '_finder', lambda self: WholePhoto())
    return folder


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a photo is read."""
    def read(*_: Any) -> None:
        raise AssertionError('a photo was read')

    monkeypatch.setattr(Cropper, 'read', read)


def arguments(out: Path, data: str) -> list[str]:
    return ['identity', '--out', str(out), '--data', data, '--rows', 'Student']


def result(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / 'identity.json').read_text('utf-8'))
    return content


def write_people(people: int, name: Callable[[int, int], Path]) -> None:
    """Write two photos of each person under the names of (person, number)."""
    photos = draw_people(people)
    for person in range(people):
        for number, photo in enumerate(photos[photos['person'] == person][:2]):
            path = name(person, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), photo['color'][..., ::-1])


def face_of(photo: np.ndarray) -> RgbdFace:
    """Return a rendered crop as the image of a camera, in which the head has its roll."""
    affine = photo['camera'].astype(np.float64)
    depth = depth_of_relief(photo['relief'].astype(np.float32), photo['position'], affine)
    focal, roll = math.hypot(*affine[0, :2]), math.atan2(affine[0, 1], affine[0, 0])
    turn, middle = affine[:, :2] / focal, PHOTO_PX / 2  # from the image to the crop
    cx, cy = turn.T @ (affine[:, 2] - middle) + middle
    shift = np.full(2, middle - 0.5) - turn @ np.full(2, middle - 0.5)
    to_crop = np.column_stack([turn, shift])
    color, depth = (cv2.warpAffine(
        plane, to_crop, (PHOTO_PX, PHOTO_PX), flags=how | cv2.WARP_INVERSE_MAP, borderValue=border)
        for plane, how, border in ((photo['color'], cv2.INTER_LINEAR, 0),
                                   (depth, cv2.INTER_NEAREST, math.nan)))
    return RgbdFace('rendered', str(photo['person']), '', 'face', NEUTRAL, color, depth,
                    CameraIntrinsics(PHOTO_PX, PHOTO_PX, focal, focal, float(cx), float(cy)),
                    head_center=(middle, middle), roll=math.degrees(roll))


def test_faces_without_depth_after_others_with_it_keep_the_measured_rows(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """The gallery has depth and comes first; a batch of videos without any follows."""
    monkeypatch.setattr(identity_datasets, 'BATCH', 2)
    monkeypatch.setattr(identity_datasets, 'camera_of', lambda face: None)
    monkeypatch.setattr(identity_datasets, 'check_networks', lambda rows, faces: None)
    monkeypatch.setattr(identity_datasets, '_check_files', lambda recordings: None)
    flat, none = np.zeros((4, 4), np.float32), np.full((4, 4), np.nan, np.float32)
    given: list[bool] = []

    class Looker:
        def look(self, color: np.ndarray, relief: np.ndarray | None, cameras: Any) -> SeenFaces:
            given.append(relief is not None)
            views = [blank_view()] * len(color)
            return SeenFaces(views, views if relief is not None else None, 0)

    class Crops:
        left_out: dict[str, str] = {}

        def read(self, dataset: Any, recording: Recording) -> RgbdFace:
            return RgbdFace('d', recording.subject, '', recording.name, NEUTRAL, None, flat)

        def crop(self, face: RgbdFace) -> tuple[np.ndarray, np.ndarray]:
            return np.zeros((4, 4, 3), np.uint8), flat if face.name == '2' else none

    class Rows:
        def __init__(self) -> None:
            self.methods: Any = {'Student': Vectors()}

    class Vectors:
        modalities = ('color', 'depth')

        def embed(self, faces: Any) -> dict[str, np.ndarray]:
            return {m: np.ones((len(faces), 3), np.float32) for m in self.modalities}

    recordings = [Recording('d', str(i), '', str(i), NEUTRAL, Path(str(i))) for i in range(2, 8)]
    rows: Any = Rows()
    looker: Any = Looker()
    crops: Any = Crops()
    dataset: Any = None
    faces, _ = collect_recordings(dataset, recordings, rows, looker, crops)
    assert given == [True, True, True]
    assert faces.of('Student', MEASURED, 'depth') is not None


def test_the_camera_of_a_crop_gives_back_its_depth() -> None:
    """Relief of a crop and its camera make the depth that the crop of the depth has."""
    ys, xs = np.mgrid[:240, :320] + 0.5
    depth = (0.8 + 0.2 * np.hypot(xs - 200, ys - 90) / 240).astype(np.float32)
    face = RgbdFace('d', 's', '', 'n', NEUTRAL, np.zeros((240, 320, 3), np.uint8), depth,
                    CameraIntrinsics(320, 240, 300.0, 310.0, 155.0, 125.0),
                    head_center=(200.0, 90.0), roll=25.0)
    known = camera_of(face)
    assert known is not None
    position, affine = known
    crop = face_crop(face, None, upright=True)
    point = np.array([0.12, -0.05])  # slopes
    pixel = point * (300.0, 310.0) + (155.0, 125.0)
    expected = crop.box.crop_from_image(PHOTO_PX) @ [*pixel, 1.0]
    np.testing.assert_allclose(affine @ [*point, 1.0], expected, atol=1e-6)
    np.testing.assert_allclose(affine @ [*(position[:2] / position[2]), 1.0], PHOTO_PX / 2)
    relief = face_photo_of(face, None, upright=True, size=PHOTO_PX).relief
    again = depth_of_relief(relief, position, affine)
    inverse = np.linalg.inv(np.vstack([crop.box.crop_from_image(PHOTO_PX), [0, 0, 1]]))
    for row, column in ((96, 96), (60, 120), (130, 70)):
        x, y, _ = inverse @ [column + 0.5, row + 0.5, 1.0]
        true = 0.8 + 0.2 * math.hypot(x - 200, y - 90) / 240
        assert again[row, column] == pytest.approx(true, abs=1e-3)


def test_no_camera_or_no_depth_is_no_surface() -> None:
    photo = np.zeros((40, 40, 3), np.uint8)
    nothing = np.full((40, 40), np.nan, np.float32)
    camera = CameraIntrinsics(40, 40, 50.0, 50.0, 20.0, 20.0)
    assert camera_of(RgbdFace('d', 's', '', 'n', NEUTRAL, photo, nothing, camera)) is None
    flat = np.ones((40, 40), np.float32)
    assert camera_of(RgbdFace('d', 's', '', 'n', NEUTRAL, photo, flat,
                              metres_per_pixel=0.005)) is None


def test_shape_and_joint_are_measured_where_the_dataset_has_a_camera(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, no face of a dataset had a surface, and twelve of fourteen weights were missing."""
    monkeypatch.delenv('FACE_DEPTH_MODELS', raising=False)
    photos = load_faces(FIXTURE)
    photos = photos[(photos['person'] < 8) & (photos['condition'] < 3)]

    class Rendered(FaceDataset):
        root = tmp_path
        recordings = tuple(Recording('rendered', str(p['person']), '', str(i), NEUTRAL, tmp_path)
                           for i, p in enumerate(photos))

        def read(self, recording: Recording) -> RgbdFace:
            return face_of(photos[int(recording.name)])

    monkeypatch.setitem(identity_datasets._GALLERIES, 'lock3dface', (
        lambda root: Rendered(), lambda r: {'all': first_as_gallery(r)}))
    assert evaluate.main(arguments(tmp_path / 'out', 'lock3dface:x')) == 0
    content = result(tmp_path / 'out')
    assert content['faces_left_out'] == {}
    used = content['modalities']
    assert used['measured']['Student'] == ['color', 'depth', 'shape', 'joint']
    assert used['estimated']['Student'] == ['color', 'depth', 'joint']
    measured = content['tables']['identity_measured']
    assert measured['rows']['Student, shape only']['average'] > 80.0
    assert 'usual calibration of a Kinect v2' in measured['dataset']
    assert 'first frame and every 10th after it' in content['tables']['identity']['dataset']
    report = (tmp_path / 'out' / 'report.html').read_text()
    assert report.count('first frame and every 10th after it') >= 5  # below the first table too


def test_damaged_and_missing_photos_are_left_out_and_named(
        tmp_path: Path, models: Path, caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str]) -> None:
    """Once, one photo of no bytes ended an evaluation half-way and nothing was saved."""
    data = tmp_path / 'vgg'
    write_people(4, lambda p, i: data / 'test' / f'n{p:06d}' / f'000{i}_01.jpg')
    (data / 'test' / 'n000001' / '0009_01.jpg').touch()
    names = sorted(p.relative_to(data / 'test').as_posix() for p in data.glob('test/*/*.jpg'))
    (data / 'test_list.txt').write_text('\n'.join([*names, 'n000002/0007_01.jpg']))
    with caplog.at_level(logging.WARNING, identity_datasets.__name__):
        assert evaluate.main(arguments(tmp_path / 'out', f'vggface2:{data}')) == 0
    assert '1 of 10 files that the dataset lists are not there' in caplog.text
    assert '2 faces are left out, such as n000001/0009_01' in capsys.readouterr().out
    content = result(tmp_path / 'out')
    assert list(content['faces_left_out']) == ['n000001/0009_01', 'n000002/0007_01']
    assert 'cannot be read as an image' in content['faces_left_out']['n000001/0009_01']
    assert content['probes'] == 4 and '2 faces could not be read or cropped' in content['about']
    report = (tmp_path / 'out' / 'report.html').read_text()
    assert 'Faces left out: 2.' in report and '0007_01.jpg is missing' in report


def test_the_reason_is_told_where_all_are_left_out(tmp_path: Path, models: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    for person in range(2):
        for number in range(2):
            path = tmp_path / 'vgg' / 'test' / f'n{person:06d}' / f'000{number}_01.jpg'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    assert evaluate.main(arguments(tmp_path / 'out', f'vggface2:{tmp_path / "vgg"}')) == 1
    said = capsys.readouterr().err
    assert 'all 4 are left out, such as n00000' in said and 'cannot be read as an image' in said


def test_a_list_without_any_file_is_said_before_the_first_inference(tmp_path: Path) -> None:
    recordings = [Recording('d', 's', '', 'n', 'c', tmp_path / 'gone')]
    nothing: Any = None
    with pytest.raises(DatasetError, match='none of 1 files .* is there, such as .*gone'):
        collect_recordings(nothing, recordings, nothing, nothing, Cropper())


@pytest.mark.usefixtures('models', 'unread')
def test_one_person_is_too_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once, it ended after all the work with 'impostor scores are (0,)'."""
    write_people(1, lambda p, i: tmp_path / 'vgg' / 'test' / 'n000001' / f'000{i}_01.jpg')
    assert evaluate.main(arguments(tmp_path / 'out', f'vggface2:{tmp_path / "vgg"}')) == 1
    assert 'shows 1 person (n000001)' in (said := capsys.readouterr().err)
    assert 'needs two people or more' in said
    assert not (tmp_path / 'out').exists()


@pytest.mark.usefixtures('models')
def test_one_person_who_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_people(2, lambda p, i: tmp_path / 'vgg' / 'test' / f'n{p:06d}' / f'000{i}_01.jpg')
    for path in tmp_path.glob('vgg/test/n000001/*'):
        path.write_bytes(b'')
    assert evaluate.main(arguments(tmp_path / 'out', f'vggface2:{tmp_path / "vgg"}')) == 1
    said = capsys.readouterr().err
    assert 'shows 1 person (n000000) in the faces to compare, 2 faces are left out' in said


@pytest.mark.usefixtures('models', 'unread')
def test_pairs_are_checked_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lfw, ytf = tmp_path / 'lfw', tmp_path / 'ytf'
    write_people(2, lambda p, i: lfw / f'P_{p}' / f'P_{p}_{i + 1:04d}.jpg')
    (lfw / 'pairs.txt').write_text('1\nP_0 1 2\nP_0 1 P_1 2')
    assert evaluate.main(arguments(tmp_path / 'out', f'lfw:{lfw}')) == 1
    assert re.search('all 2 pairs of .* are of one fold', capsys.readouterr().err)
    write_people(1, lambda p, i: ytf / 'frame_images_DB' / 'P' / str(i) / f'{i}.1.jpg')
    (ytf / 'splits.txt').write_text('1, P/0, P/1, 1\n2, P/0, P/1, 1\n')
    assert evaluate.main(arguments(tmp_path / 'out', f'ytf:{ytf}')) == 1
    assert 'of both kinds, which needs two people or more' in capsys.readouterr().err


@pytest.mark.usefixtures('models')
def test_a_photo_in_another_encoding_is_named_too(tmp_path: Path) -> None:
    """Once, its name lost the whole evaluation, when it was written."""
    write_people(2, lambda p, i: tmp_path / 'vgg' / 'test' / f'n{p:06d}' / f'000{i}_01.jpg')
    name = os.fsdecode(b'Andr\xe9_01.jpg')
    (tmp_path / 'vgg' / 'test' / 'n000001' / name).touch()
    assert evaluate.main(arguments(tmp_path / 'out', f'vggface2:{tmp_path / "vgg"}')) == 0
    assert list(result(tmp_path / 'out')['faces_left_out']) == [f'n000001/{name[:-4]}']


@pytest.mark.usefixtures('models')
def test_the_captions_say_how_a_protocol_differs(tmp_path: Path) -> None:
    """Every tenth frame of videos, and the first scan of FRGC whatever its expression."""
    ytf = tmp_path / 'ytf'
    write_people(4, lambda p, i: ytf / 'frame_images_DB' / f'P_{p}' / str(i) / f'{i}.1.jpg')
    (ytf / 'splits.txt').write_text('split, first, second, same\n' + ''.join(
        f'{1 + p // 2}, P_{p}/0, P_{p ^ other}/1, {1 - other}\n'
        for p in range(4) for other in (0, 1)))
    assert evaluate.main(arguments(tmp_path / 'out', f'ytf:{ytf}')) == 0
    caption = result(tmp_path / 'out')['tables']['identity']['dataset']
    assert 'ytf, of each video its first frame and every 10th after it' in caption
    assert 'every 10th after it' in (tmp_path / 'out' / 'report.html').read_text()
    for name in ('02463d546', '02463d548', '02464d546', '02464d548'):
        write_frgc(tmp_path / 'frgc', 'Fall2003', name)
    assert evaluate.main(arguments(tmp_path / 'out', f'frgc_v2:{tmp_path / "frgc"}')) == 0
    for table in ('identity', 'identity_measured'):
        caption = result(tmp_path / 'out')['tables'][table]['dataset']
        assert 'the first scan of each person whatever its expression' in caption
