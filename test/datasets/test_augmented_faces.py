# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The reader of described faces, the choice of a face, the shipped models on rendered faces."""

from __future__ import annotations

import json
from pathlib import Path
import tarfile
from typing import Any

import cv2
from drawn_describer import contents, draw_photos, DrawnSource, FACELESS, SIZE
from estimator_models import write_grey_model
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.core.face_box import crop_color, FaceBox
from face_depth_ros.core.frames import Detection
from face_depth_ros.datasets.augment_dataset import augment_dataset, AugmentSettings, main
from face_depth_ros.datasets.augmented_faces import AugmentedFaces
from face_depth_ros.datasets.image_faces import choose_face, DescriberModels, LeftOut
import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[1] / 'data'
SMALL = AugmentSettings(shard_size=8)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a data set of drawn photos."""
    draw_photos(tmp_path / 'photos', 4, 6)
    augment_dataset(tmp_path / 'photos', tmp_path / 'out', SMALL, DrawnSource())
    return tmp_path / 'out'


def test_faces_are_read_as_they_were_described(out: Path) -> None:
    faces = AugmentedFaces(out)
    assert (faces.model, faces.model_sha256, faces.crop_px) == ('drawn', 'a' * 64, SIZE)
    assert faces.persons == tuple(f'n{i:06d}' for i in range(4))
    numbers = []
    for shard in faces:
        assert shard.color.shape == (len(shard), SIZE, SIZE, 3) and shard.color.dtype == np.uint8
        assert shard.relief.dtype == np.float32 and shard.mask.dtype == np.uint8
        for values, expected, shape in ((shard.landmarks, 3.25, (68, 2)),
                                        (shard.visibility, 0.5, (68,))):
            assert values.shape == (len(shard), *shape) and bool((values == expected).all())
        for row in range(len(shard)):
            person, name = shard.images[row].split('/')
            number = int(person[1:]) * 6 + int(name[:4])
            numbers.append(number)
            assert faces.persons[shard.person[row]] == person
            # JPEG changes flat colour by its rounding alone.
            assert np.abs(shard.color[row].astype(int) - (number, 0, 77)).max() <= 2
            assert bool(np.isnan(shard.relief[row, 0]).all())
            np.testing.assert_allclose(shard.relief[row, 1:], number * 1e-3 - 0.1, atol=5.1e-5)
            assert not shard.mask[row, 0].any() and bool((shard.mask[row, 1:] == 1).all())
    assert sorted(numbers) == [n for n in range(24) if n % FACELESS]
    assert len(faces) == len(numbers) == faces.counts().sum()
    assert faces.counts().tolist() == [4, 5, 5, 5]


def test_a_shard_is_a_tar_that_others_read_too(out: Path) -> None:
    with tarfile.open(out / 'shards' / '00001.tar') as tar:
        names = tar.getnames()
        about = json.load(tar.extractfile('00000001.json'))  # type: ignore[arg-type]
    assert names[:5] == ['00000001.color.jpg', '00000001.relief.png', '00000001.mask.png',
                         '00000001.json', '00000004.color.jpg']
    assert about['image'] == 'n000000/0001_01.png' and about['person'] == 'n000000'
    assert about['box'] == [12.0, 12.0, 16.0, 0.1]
    assert (about['score'], about['confidence']) == (0.9, 0.8)


def test_what_is_missing_or_damaged_is_named(out: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='dataset.json is missing: .* is no data set'):
        AugmentedFaces(tmp_path)
    shard = out / 'shards' / '00002.tar'
    whole = shard.read_bytes()
    faces = AugmentedFaces(out)
    with pytest.raises(DatasetError, match='there is no shard 3, expected 0 to 2'):
        faces.shard(3)
    shard.write_bytes(whole[:2000] + b'\x55' + whole[2001:])
    with pytest.raises(DatasetError, match=r'00002.tar has sha256 .*delete it') as caught:
        faces.shard(2)
    assert caught.value.cause == 'shard_hash'
    shard.write_bytes(whole[:700])
    with pytest.raises(DatasetError, match='00002.tar is no shard of faces or damaged'):
        AugmentedFaces(out, verify=False).shard(2)
    shard.unlink()
    with pytest.raises(DatasetError, match='00002.tar is missing; run augment_dataset again'):
        faces.shard(2)
    with pytest.raises(DatasetError, match='00002.tar is missing; run augment_dataset again'):
        AugmentedFaces(out)
    manifest = out / 'manifest.jsonl'
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text(''.join(lines[:-1]))
    with pytest.raises(DatasetError, match='does not name each of 3 shards once'):
        AugmentedFaces(out)
    manifest.write_text('[1]\n')
    with pytest.raises(DatasetError, match='manifest.jsonl cannot be read: not one JSON object'):
        AugmentedFaces(out)
    manifest.unlink()
    with pytest.raises(DatasetError, match='is unfinished: it has no manifest.jsonl'):
        AugmentedFaces(out)


@pytest.mark.parametrize(('change', 'message'), [
    ({'form': 2}, 'is of form 2, this version reads form 1'),
    ({'crop_px': 17}, "'n00000.*' is of nobody in dataset.json or of another size"),
    ({'persons': ['n000007']}, 'is of nobody in dataset.json'),
    ({'shards': None}, 'dataset.json is damaged'),
])
def test_a_plan_that_does_not_fit_is_named(out: Path, change: dict[str, Any],
                                           message: str) -> None:
    plan = json.loads((out / 'dataset.json').read_text())
    (out / 'dataset.json').write_text(json.dumps({**plan, **change}))
    with pytest.raises(DatasetError, match=message):
        AugmentedFaces(out).shard(0)


def detection(x: float, y: float, side: float) -> Detection:
    return Detection(FaceBox(x, y, side), 0.9)


def test_the_largest_and_most_central_face_is_taken() -> None:
    small, large = detection(50, 50, 20), detection(95, 95, 30)
    assert choose_face([large, small], 100, 100) is small
    large = detection(60, 60, 40)
    assert choose_face([small, large], 100, 100) is large
    assert choose_face([large], 100, 100) is large
    none = choose_face([], 100, 100)
    assert isinstance(none, LeftOut) and none.cause == 'no_face'
    two = choose_face([detection(30, 50, 40), detection(70, 50, 38)], 100, 100)
    assert isinstance(two, LeftOut) and two.cause == 'two_faces'
    assert 'two of 2 faces are equally large and central, of 40 and 38 pixels' in two.reason


@pytest.fixture(scope='module')
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return rendered faces in the layout, and photos with two faces, none, and no face."""
    root = tmp_path_factory.mktemp('rendered')
    with np.load(DATA / 'face_photos.npz') as stored:
        identity = stored['identity']
        for number in range(6):
            folder = root / f'person_{identity[number]}'
            folder.mkdir(exist_ok=True)
            (folder / f'{number}.jpg').write_bytes(stored[f'color_{number:02d}'].tobytes())
        pair = [cv2.imdecode(stored[f'color_{n:02d}'], cv2.IMREAD_COLOR) for n in (0, 5)]
    other = root / 'others'
    other.mkdir()
    cv2.imwrite(str(other / 'two.jpg'), np.concatenate(pair, axis=1))
    cv2.imwrite(str(other / 'none.jpg'), np.full((200, 200, 3), 90, np.uint8))
    return root


def test_the_shipped_models_describe_rendered_faces(rendered: Path, tmp_path: Path) -> None:
    assert main([str(rendered), str(tmp_path / 'one'), '--workers', '1', '--shard-size', '4']) == 0
    assert main([str(rendered), str(tmp_path / 'two'), '--workers', '2', '--shard-size', '4']) == 0
    assert contents(tmp_path / 'one') == contents(tmp_path / 'two')
    faces = AugmentedFaces(tmp_path / 'one')
    assert faces.crop_px == 192 and len(faces) == 6
    assert {Path(image).name: cause for image, cause, _ in faces.left_out()} == {
        'two.jpg': 'two_faces', 'none.jpg': 'no_face'}
    with np.load(DATA / 'face_photos.npz') as stored:
        for _, face in (pair for n in range(faces.shard_count) for pair in faces.faces(n)):
            number = int(Path(face.about['image']).stem)
            truth = cv2.imdecode(stored[f'mask_{number:02d}'], cv2.IMREAD_UNCHANGED) > 0
            # The detector's box is not the one that the photos are cropped by.
            box = FaceBox(*face.about['box'])
            truth = crop_color(truth.astype(np.uint8) * 255, box, 192) > 127
            seen = face.mask > 0
            assert (seen & truth).sum() / (seen | truth).sum() > 0.85
            assert bool((np.isnan(face.relief) == ~seen).all())
            assert -0.12 < np.nanmin(face.relief) < 0.0
            assert np.isfinite(face.landmarks).all()


def test_an_estimator_without_classes_is_refused(rendered: Path, tmp_path: Path) -> None:
    spec = write_grey_model(tmp_path, 'grey', size=96)
    with pytest.raises(DatasetError, match='grey knows no classes of the mask'):
        augment_dataset(rendered, tmp_path / 'out', SMALL, DescriberModels(str(spec)))


def test_the_time_being_over_is_an_exit_status(rendered: Path, tmp_path: Path) -> None:
    assert main([str(rendered), str(tmp_path / 'out'), '--workers', '1',
                 '--max-minutes', '1e-9']) == 3
