# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Masks by an estimator that is none: resumed, whole, never of two models in one folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
import json
from pathlib import Path
from types import SimpleNamespace

from biwi_files import write_frame
import cv2
from face_depth_ros.core.camera import CameraIntrinsics
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.datasets import pseudo_masks
from face_depth_ros.datasets.biwi import Biwi
from face_depth_ros.datasets.face_photos_of import face_crop, face_photo_of
from face_depth_ros.datasets.pseudo_masks import main, PseudoMasks, write_pseudo_masks
from face_depth_ros.datasets.rgbd_faces import RgbdFace
import numpy as np
import pytest

OURS, OTHER = 'a' * 64, 'b' * 64


@dataclass
class Answer:
    mask: np.ndarray
    confidence: np.ndarray
    has_mask: bool = True


class BrightIsSkin:
    """Calls bright pixels skin and is as sure as the crop's middle is green."""

    size = 48

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.has_mask = True

    def estimate(self, crops: np.ndarray) -> Answer:
        assert crops.shape[1:] == (48, 48, 3) and crops.dtype == np.uint8
        self.batches.append(len(crops))
        return Answer((crops[..., 0] > 128).astype(np.uint8),
                      crops[:, 24, 24, 1].astype(np.float32) / 255, self.has_mask)


def face(name: str, red: int = 200, green: int = 200) -> RgbdFace:
    """Return a wall with a bright square of 11 cm about the head's centre."""
    depth = np.full((120, 160), 0.95, np.float32)
    color = np.zeros((120, 160, 3), np.uint8)
    color[49:71, 69:91] = (red, green, 0)
    return RgbdFace('biwi', 'F01', '01', name, 'free', color, depth, head_center=(80.0, 60.0),
                    intrinsics=CameraIntrinsics(160, 120, 200.0, 200.0, 80.0, 60.0))


def test_masks_are_drawn_in_our_own_box(tmp_path: Path) -> None:
    masks = PseudoMasks(tmp_path / 'masks', OURS, 'face_estimator')
    estimator = BrightIsSkin()
    faces = [face(f'01_{i:05d}') for i in range(5)]
    done = write_pseudo_masks(iter(faces), estimator, masks, batch=2)
    assert (done.written, done.kept, done.no_face, done.not_cropped) == (5, 0, 0, 0)
    assert estimator.batches == [2, 2, 1]
    mask = masks.read('01_00003')
    assert mask is not None and mask.shape == (48, 48) and mask.dtype == np.uint8
    side = face_crop(faces[0], None).box.side
    assert side == pytest.approx(44.0)  # 22 cm at 1 m
    assert (mask > 0).sum() == pytest.approx((22 / side * 48) ** 2, rel=0.1)
    assert mask[24, 24] == 1 and mask[2, 2] == 0
    photo = face_photo_of(faces[0], mask=mask)  # and come back on another crop
    assert (photo.mask > 0).sum() == pytest.approx((photo.color[..., 0] > 128).sum(), rel=0.1)


def test_work_is_taken_up(tmp_path: Path) -> None:
    write_pseudo_masks([face('a'), face('b', green=10)], BrightIsSkin(),
                       PseudoMasks(tmp_path, OURS))
    before = (tmp_path / 'a.png').stat().st_mtime_ns
    estimator = BrightIsSkin()
    masks = PseudoMasks(tmp_path, OURS)
    done = write_pseudo_masks([face('a'), face('b'), face('c')], estimator, masks)
    assert (done.written, done.kept) == (1, 2) and estimator.batches == [1]
    assert (tmp_path / 'a.png').stat().st_mtime_ns == before
    assert not list(tmp_path.glob('*.partial'))


def test_recordings_that_are_done_are_not_read_again(tmp_path: Path) -> None:
    for number in (3, 4):
        write_frame(tmp_path, '01', number)
    dataset, masks = Biwi(tmp_path), PseudoMasks(tmp_path / 'masks', OURS)
    assert masks.missing(dataset.recordings) == dataset.recordings
    masks.write('01_00003', None)
    assert [r.name for r in masks.missing(dataset.recordings)] == ['01_00004']


@pytest.mark.parametrize('red, green', [(200, 100), (20, 250)])
def test_no_face_is_remembered(tmp_path: Path, red: int, green: int) -> None:
    masks = PseudoMasks(tmp_path, OURS)
    done = write_pseudo_masks([face('a', red, green)], BrightIsSkin(), masks)
    assert (done.written, done.no_face) == (0, 1)
    assert 'a' in masks and masks.read('a') is None and not list(tmp_path.glob('*.png'))


def test_faces_without_a_head_are_counted_and_left(tmp_path: Path) -> None:
    blind = replace(face('a'), depth=np.full((120, 160), np.nan, np.float32))
    nowhere = replace(face('b'), head_center=None)
    outside = replace(face('c'), head_center=(900.0, 5.0))
    masks = PseudoMasks(tmp_path, OURS)
    done = write_pseudo_masks([blind, nowhere, outside, face('d')], BrightIsSkin(), masks)
    assert (done.written, done.not_cropped) == (1, 3)
    assert 'a' not in masks and 'd' in masks


def test_what_is_wrong_with_all_faces_is_an_error(tmp_path: Path) -> None:
    masks = PseudoMasks(tmp_path, OURS, 'cgan')
    with pytest.raises(DatasetError, match='biwi a has no colour; open the dataset with it'):
        write_pseudo_masks([replace(face('a'), color=None)], BrightIsSkin(), masks)
    with pytest.raises(DatasetError, match='nothing tells how large a pixel is'):
        write_pseudo_masks([replace(face('a'), intrinsics=None)], BrightIsSkin(), masks)
    estimator = BrightIsSkin()
    estimator.has_mask = False
    with pytest.raises(DatasetError, match="cgan knows no classes of the mask.*take 'ours'"):
        write_pseudo_masks([face('a')], estimator, masks)


def test_masks_of_another_model_are_refused(tmp_path: Path) -> None:
    PseudoMasks(tmp_path, OURS, 'face_estimator').write('a', np.ones((8, 8), np.uint8))
    with pytest.raises(DatasetError, match='holds the masks of face_estimator aaaaaaaaaaaa..., '
                                           'those of depthnet bbbbbbbbbbbb... would mix'):
        PseudoMasks(tmp_path, OTHER, 'depthnet')
    reader = PseudoMasks(tmp_path)
    assert (reader.sha256, reader.model) == (OURS, 'face_estimator')
    with pytest.raises(DatasetError, match='is open for reading; give the sha256 of the model'):
        reader.write('b', None)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='model.json is missing: this is no folder of pseudo'):
        PseudoMasks(tmp_path)
    with pytest.raises(DatasetError, match="sha256 is 'abc', expected 64 hex digits"):
        PseudoMasks(tmp_path, 'abc')
    cv2.imwrite(str(tmp_path / 'holiday.png'), np.zeros((4, 4), np.uint8))
    with pytest.raises(DatasetError, match='holds images but no model.json; whose they are'):
        PseudoMasks(tmp_path, OURS)


@pytest.mark.parametrize('change', [
    lambda c: '{', lambda c: '[]', lambda c: json.dumps({**c, 'classes': ['skin']}),
    lambda c: json.dumps({**c, 'box_side_m': 0.3}),
    lambda c: json.dumps({k: v for k, v in c.items() if k != 'sha256'})])
def test_another_model_file_is_an_error(tmp_path: Path, change: Callable[[dict], str]) -> None:
    PseudoMasks(tmp_path, OURS)
    path = tmp_path / 'model.json'
    path.write_text(change(json.loads(path.read_text())))
    with pytest.raises(DatasetError, match='model.json is not what this program writes'):
        PseudoMasks(tmp_path, OURS)


def test_a_missing_or_damaged_mask_is_an_error(tmp_path: Path) -> None:
    masks = PseudoMasks(tmp_path, OURS)
    with pytest.raises(DatasetError, match='a.png is missing; write it with `python -m'):
        masks.read('a')
    for content in (b'', cv2.imencode('.png', np.full((8, 8), 7, np.uint8))[1].tobytes(),
                    cv2.imencode('.png', np.zeros((8, 9), np.uint8))[1].tobytes()):
        (tmp_path / 'a.png').write_bytes(content)
        with pytest.raises(DatasetError, match='a.png is no square of labels below 7; delete it'):
            masks.read('a')
    with pytest.raises(DatasetError, match="'../a' is no name of a recording"):
        masks.write('../a', None)


def test_the_command_writes_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (3, 4, 5):
        write_frame(tmp_path, '01', number)
    closed = []

    class Opened(BrightIsSkin):
        spec = SimpleNamespace(sha256=OURS, name='face_estimator')

        def estimate(self, crops: np.ndarray) -> Answer:
            return Answer(np.ones(crops.shape[:3], np.uint8), np.ones(len(crops)))

        def close(self) -> None:
            closed.append(self)

    monkeypatch.setattr(pseudo_masks, 'open_estimator', lambda name, backend: Opened())
    out = str(tmp_path / 'masks')
    main(['biwi', str(tmp_path), out, '--every', '2'])
    assert '2 recordings, 0 done before: 2 masks written' in capsys.readouterr().out
    main(['biwi', str(tmp_path), out])
    assert '3 recordings, 2 done before: 1 masks written' in capsys.readouterr().out
    assert len(closed) == 2
    with pytest.raises(SystemExit, match='1'):
        main(['biwi', str(tmp_path / 'absent'), out])
    assert 'is not a folder; name the one of the Biwi' in capsys.readouterr().err
    with pytest.raises(SystemExit, match='2'):
        main(['biwi', str(tmp_path), out, '--every', '0'])
    assert '--every must be 1 or more' in capsys.readouterr().err
