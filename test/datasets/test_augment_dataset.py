# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""augment_dataset: the list, what is left out, resuming after a kill, refusals, the pool."""

from __future__ import annotations

from dataclasses import replace
import multiprocessing
import os
from pathlib import Path
import signal
import threading
import time
from typing import Any

import cv2
from drawn_describer import contents, draw_photos, DrawnSource, FACELESS, read_log
from face_depth_ros.core.errors import DatasetError, SettingsError
from face_depth_ros.datasets import augment_dataset as script
from face_depth_ros.datasets.augment_dataset import augment_dataset, AugmentSettings
from face_depth_ros.datasets.augmented_faces import AugmentedFaces
from face_depth_ros.datasets.face_image_list import list_face_images
from face_depth_ros.datasets.face_shards import complete_file
import numpy as np
import pytest

SMALL = AugmentSettings(shard_size=8)
PEOPLE, EACH = 4, 6
FACES = [n for n in range(PEOPLE * EACH) if n % FACELESS]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of drawn photos of a few people."""
    draw_photos(tmp_path / 'photos', PEOPLE, EACH)
    return tmp_path / 'photos'


@pytest.fixture
def single(photos: Path, tmp_path: Path) -> dict[str, bytes]:
    """Return the files of one run in one process."""
    report = augment_dataset(photos, tmp_path / 'single', SMALL, DrawnSource())
    assert report.finished
    return contents(tmp_path / 'single')


def test_every_image_is_in_one_shard_or_named_with_its_cause(photos: Path, tmp_path: Path) -> None:
    report = augment_dataset(photos, tmp_path / 'out', SMALL, DrawnSource())
    assert (report.shards, report.done, report.made, report.images) == (3, 3, 3, 24)
    assert report.faces == len(FACES) and report.left_out == {'no_face': 24 - len(FACES)}
    faces = AugmentedFaces(tmp_path / 'out')
    seen = sorted(image for shard in faces for image in shard.images)
    listed = list_face_images(photos).images
    assert seen == [listed[n] for n in FACES]
    assert sorted(faces.left_out()) == [
        (listed[n], 'no_face', 'drawn without') for n in range(24) if n % FACELESS == 0]
    again = augment_dataset(photos, tmp_path / 'out', SMALL, DrawnSource())
    assert again == replace(report, made=0)


def test_the_list_is_sorted_and_leaves_out_what_is_no_image(
        tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ('b/2.JPG', 'b/10.webp', 'a/1.png', 'a/notes.txt', 'a/.hidden.jpg', 'stray.jpg',
                 '.cache/3.jpg', 'empty/none.txt', 'b/\u00e9.jpeg'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    listed = list_face_images(tmp_path)
    assert listed.images == ('a/1.png', 'b/10.webp', 'b/2.JPG', 'b/\u00e9.jpeg')
    assert listed.persons == ('a', 'b')
    assert '3 files are no images of a person and left out, such as stray.jpg' in caplog.text
    first = list_face_images(tmp_path, 1)
    assert first.images == ('a/1.png',) and first.persons == ('a',)
    assert first.sha256 != listed.sha256


@pytest.mark.parametrize(('files', 'message'), [
    (None, 'is not there, expected a folder with one sub-folder per person'),
    ([], 'has no sub-folders, expected one sub-folder per person'),
    (['1.jpg'], 'has no sub-folders; its images lie in it themselves'),
    (['a/notes.txt'], 'has 1 sub-folders but no image ending in one of .jpg'),
    (['train/n1/1.jpg'], "train holds the folder 'n1', expected images: give the folder"),
])
def test_a_folder_of_another_layout_is_refused(tmp_path: Path, files: list[str] | None,
                                               message: str) -> None:
    root = tmp_path / 'photos'
    if files is not None:
        root.mkdir()
    for name in files or []:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    with pytest.raises(DatasetError, match=message):
        augment_dataset(root, tmp_path / 'out', SMALL, DrawnSource())
    assert not (tmp_path / 'out').exists()


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(DatasetError, match='file is a file, expected a folder'):
        list_face_images(tmp_path / 'file')


def test_images_that_cannot_be_read_are_named(photos: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    jpeg, png, webp = (cv2.imencode(e, noise)[1].tobytes() for e in ('.jpg', '.png', '.webp'))
    bomb = png[:16] + (50000).to_bytes(4, 'big') * 2 + png[24:]
    damaged = {'cut.jpg': jpeg[:-500], 'cut.png': png[:-500], 'cut.webp': webp[:-50],
               'empty.jpg': b'', 'text.png': b'no image', 'bomb.png': bomb,
               'holes.png': png[:60] + bytes(40) + png[100:]}
    (photos / 'z').mkdir()
    for name, content in damaged.items():
        (photos / 'z' / name).write_bytes(content)
    for name, content in (('jpeg', jpeg), ('png', png), ('webp', webp)):
        (photos / 'z' / f'whole.{name}').write_bytes(content)
    (photos / 'z' / 'gone.jpg').symlink_to(tmp_path / 'nowhere')
    report = augment_dataset(photos, tmp_path / 'out', SMALL, DrawnSource())
    assert report.left_out['unreadable'] == len(damaged) + 1
    found = {Path(image).name: reason for image, cause, reason in
             AugmentedFaces(tmp_path / 'out').left_out() if cause == 'unreadable'}
    assert sorted(found) == sorted([*damaged, 'gone.jpg'])
    assert 'the file is empty' in found['empty.jpg']
    assert '50000 x 50000 pixels' in found['bomb.png']
    assert 'is cut off or no JPEG' in found['cut.jpg'] and 'No such file' in found['gone.jpg']


def test_a_photo_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    photo = np.zeros((16, 32, 3), np.uint8)
    photo[:, :16] = 255  # white on the left
    jpeg = cv2.imencode('.jpg', photo)[1].tobytes()
    exif = (b'Exif\0\0MM\0*\0\0\0\x08\0\x01' + b'\x01\x12\0\x03\0\0\0\x01\0\x06\0\0' + bytes(4))
    turned = jpeg[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + jpeg[2:]
    image = script_photo(turned)
    assert image.shape == (32, 16, 3)
    assert image[:14].mean() > 240 and image[18:].mean() < 15  # a quarter clockwise


def script_photo(raw: bytes) -> np.ndarray:
    from face_depth_ros.datasets.image_faces import decode_photo
    image = decode_photo(raw)
    assert isinstance(image, np.ndarray)
    return image


def test_a_limit_takes_the_first_images(photos: Path, tmp_path: Path) -> None:
    settings = replace(SMALL, limit=7)
    report = augment_dataset(photos, tmp_path / 'out', settings, DrawnSource())
    assert (report.images, report.shards) == (7, 1)
    faces = AugmentedFaces(tmp_path / 'out')
    assert faces.persons == ('n000000', 'n000001')
    assert faces.counts().tolist() == [4, 1]
    with pytest.raises(DatasetError, match='is made with limit 7, this run has 0'):
        augment_dataset(photos, tmp_path / 'out', SMALL, DrawnSource())


@pytest.mark.parametrize(('values', 'message'), [
    ({'shard_size': 0}, 'shard_size is 0, expected 1 or more'),
    ({'limit': -1}, 'limit is -1, expected 0'), ({'workers': -1}, 'workers is -1'),
    ({'max_minutes': float('nan')}, 'max_minutes is nan'),
])
def test_settings_out_of_range_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        AugmentSettings(**values)


def test_another_model_setting_or_image_is_refused(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    augment_dataset(photos, out, SMALL, DrawnSource())
    before = contents(out)
    with pytest.raises(DatasetError, match="made with model_sha256 'aaa.* has 'bbb.*mix"):
        augment_dataset(photos, out, SMALL, DrawnSource(sha256='b' * 64))
    with pytest.raises(DatasetError, match='made with shard_size 8, this run has 9'):
        augment_dataset(photos, out, replace(SMALL, shard_size=9), DrawnSource())
    (photos / 'n000001' / '0000_01.png').rename(photos / 'n000001' / 'new.png')
    with pytest.raises(DatasetError, match='other images: 1 are new, such as n000001/new.png, '
                                           '1 are gone, such as n000001/0000_01.png'):
        augment_dataset(photos, out, SMALL, DrawnSource())
    assert contents(out) == before


def test_a_folder_that_is_something_else_is_refused(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    (out / 'shards').mkdir(parents=True)
    (out / 'shards' / '00000.tar').touch()
    with pytest.raises(DatasetError, match='holds shards but no dataset.json'):
        augment_dataset(photos, out, SMALL, DrawnSource())
    draw_photos(tmp_path / 'others', 1, 1)
    with pytest.raises(DatasetError, match="holds '.*' but no dataset.json"):
        augment_dataset(photos, tmp_path / 'others', SMALL, DrawnSource())
    (tmp_path / 'file').touch()
    with pytest.raises(DatasetError, match='file cannot be written'):
        augment_dataset(photos, tmp_path / 'file', SMALL, DrawnSource())
    (out / 'dataset.json').write_text('{')
    with pytest.raises(DatasetError, match='dataset.json is damaged'):
        augment_dataset(photos, out, SMALL, DrawnSource())


def test_two_runs_at_once_are_refused(photos: Path, tmp_path: Path) -> None:
    log = tmp_path / 'log'
    slow = threading.Thread(target=augment_dataset, args=(
        photos, tmp_path / 'out', SMALL, DrawnSource(str(log), seconds=0.05)))
    slow.start()
    try:
        wait_until(lambda: len(list(read_log(log))) > 2)
        with pytest.raises(DatasetError, match='another run works on') as caught:
            augment_dataset(photos, tmp_path / 'out', SMALL, DrawnSource())
        assert caught.value.cause == 'dataset_busy'
    finally:
        slow.join()
    assert AugmentedFaces(tmp_path / 'out').shard_count == 3


def wait_until(true: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, 'nothing happened'
        time.sleep(0.01)


def killed_at(photos: Path, out: Path, stage: int) -> None:
    """Work until the stage-th chance to kill this process, three for each file, and do."""
    left = stage
    enter, leave = complete_file.__enter__, complete_file.__exit__

    def chance() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def entering(self: complete_file) -> Any:
        chance()  # the hidden file is there, empty
        return enter(self)

    def leaving(self: complete_file, *error: Any) -> None:
        chance()  # it is written, not renamed
        leave(self, *error)
        chance()  # it is renamed

    complete_file.__enter__ = entering  # type: ignore[method-assign]
    complete_file.__exit__ = leaving  # type: ignore[method-assign]
    augment_dataset(photos, out, SMALL, DrawnSource())


def test_a_run_killed_at_any_stage_is_taken_up(photos: Path, tmp_path: Path,
                                               single: dict[str, bytes]) -> None:
    """The files are the list, the plan, two for each of three shards, and the manifest: nine."""
    for stage in range(28):
        out = tmp_path / f'killed_{stage}'
        process = multiprocessing.get_context('fork').Process(
            target=killed_at, args=(photos, out, stage))
        process.start()
        process.join(60)
        assert process.exitcode == (-signal.SIGKILL if stage < 27 else 0)
        if stage < 26:
            with pytest.raises(DatasetError, match='is no data set|is unfinished'):
                AugmentedFaces(out)
        report = augment_dataset(photos, out, SMALL, DrawnSource())
        assert report.finished and report.made == sum(stage < 11 + 6 * n for n in range(3))
        assert contents(out) == single
        assert not [p for p in out.rglob('.*') if p.name != '.lock']


def test_a_pool_gives_the_same_and_replaces_a_worker_that_is_killed(
        photos: Path, tmp_path: Path, single: dict[str, bytes]) -> None:
    log, out = tmp_path / 'log', tmp_path / 'out'
    killed: list[int] = []

    def kill_in_the_middle() -> None:
        wait_until(lambda: len(list(read_log(log))) > 5)
        killed.append(next(read_log(log))[0])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_in_the_middle)
    killer.start()
    report = augment_dataset(photos, out, replace(SMALL, workers=2),
                             DrawnSource(str(log), seconds=0.05))
    killer.join()
    assert report.finished and report.made == 3
    assert contents(out) == single
    assert len({process for process, _ in read_log(log)}) == 3
    assert len(list(read_log(log))) > PEOPLE * EACH  # a part of it was done twice


def test_a_pool_ends_with_the_process_that_started_it(photos: Path, tmp_path: Path,
                                                      single: dict[str, bytes]) -> None:
    log, out = tmp_path / 'log', tmp_path / 'out'
    process = multiprocessing.get_context('fork').Process(target=augment_dataset, args=(
        photos, out, replace(SMALL, workers=2), DrawnSource(str(log), seconds=0.2)))
    process.start()
    wait_until(lambda: len({worker for worker, _ in read_log(log)}) == 2)
    process.kill()
    process.join()
    workers = {worker for worker, _ in read_log(log)}
    wait_until(lambda: not any(Path(f'/proc/{worker}/cmdline').exists() and
                               Path(f'/proc/{worker}/cmdline').read_bytes() for worker in workers))
    assert not (out / 'shards' / '00000.tar').exists()
    assert augment_dataset(photos, out, SMALL, DrawnSource()).made == 3
    assert contents(out) == single
    assert not [p for p in out.rglob('.*') if p.name != '.lock']


def test_a_shard_that_kills_its_workers_is_named(photos: Path, tmp_path: Path) -> None:
    settings = replace(SMALL, workers=2)
    with pytest.raises(DatasetError, match=r'shard 2 killed 3 processes \(the last ended with 9'
                                           r'\).*8 images, n000000/0002_01.png to') as caught:
        augment_dataset(photos, tmp_path / 'out', settings, DrawnSource(kills=11))
    assert caught.value.cause == 'worker_died'


def test_a_worker_with_another_model_is_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match='a worker has model_sha256 .*install the same version'):
        augment_dataset(photos, tmp_path / 'out', replace(SMALL, workers=2),
                        DrawnSource(differs=True))


def test_what_a_worker_cannot_do_ends_the_run(photos: Path, tmp_path: Path,
                                              single: dict[str, bytes]) -> None:
    out = tmp_path / 'out'
    (out / 'shards' / '00001.tar').mkdir(parents=True)  # nothing can be renamed onto it
    (out / 'dataset.json').write_bytes(single['dataset.json'])
    (out / 'images.jsonl').write_bytes(single['images.jsonl'])
    with pytest.raises(DatasetError, match='shard 1 cannot be written to .*; see to the disk'):
        augment_dataset(photos, out, replace(SMALL, workers=2), DrawnSource())
    (out / 'shards' / '00001.tar').rmdir()
    augment_dataset(photos, out, SMALL, DrawnSource())
    assert contents(out) == single


def test_time_that_is_over_begins_no_further_shard(
        photos: Path, tmp_path: Path, single: dict[str, bytes],
        caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level('INFO')
    out = tmp_path / 'out'
    report = augment_dataset(photos, out, replace(SMALL, max_minutes=0.05 / 60),
                             DrawnSource(seconds=0.02))
    assert not report.finished and (report.done, report.made) == (1, 1)
    assert 'minutes are over' in caplog.text
    assert 'of 3 shards' in caplog.text and 'images/s' in caplog.text
    with pytest.raises(DatasetError, match='is unfinished: it has no manifest.jsonl; run'):
        AugmentedFaces(out)
    assert augment_dataset(photos, out, SMALL, DrawnSource()).made == 2
    assert contents(out) == single


def test_a_lost_shard_is_made_again(photos: Path, tmp_path: Path,
                                    single: dict[str, bytes]) -> None:
    out = tmp_path / 'single'
    (out / 'shards' / '00001.tar').unlink()
    assert augment_dataset(photos, out, SMALL, DrawnSource()).made == 1
    assert contents(out) == single


def test_ray_that_is_not_installed_is_named(photos: Path, tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(SettingsError, match='--ray needs the package ray.*pip install ray'):
        augment_dataset(photos, tmp_path / 'out', replace(SMALL, ray='local'), DrawnSource())


def test_the_command_line_says_what_is_wrong(tmp_path: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        script.main([str(tmp_path / 'nothing'), str(tmp_path / 'out')])
    assert ended.value.code == 1 and 'nothing is not there' in capsys.readouterr().err
    draw_photos(tmp_path / 'photos', 1, 1)
    with pytest.raises(SystemExit):
        script.main([str(tmp_path / 'photos'), str(tmp_path / 'out'), '--model', 'unheard_of'])
    assert "no model named 'unheard_of'" in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
