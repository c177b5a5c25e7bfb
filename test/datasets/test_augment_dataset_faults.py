# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What goes wrong around augment_dataset: lost mounts, full disks, typing errors, damage."""

from __future__ import annotations

from dataclasses import dataclass, replace
import errno
import json
import os
from pathlib import Path
from typing import Any

from drawn_describer import contents, draw_photos, DrawnDescriber, DrawnSource, FACELESS
from face_depth_ros.core.errors import DatasetError, SettingsError
from face_depth_ros.datasets import augment_dataset as script
from face_depth_ros.datasets.augment_dataset import augment_dataset, AugmentSettings
from face_depth_ros.datasets.augmented_faces import AugmentedFaces
from face_depth_ros.datasets.face_shards import complete_file
import pytest

SMALL = AugmentSettings(shard_size=8)
FACES = sum(n % FACELESS > 0 for n in range(24))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of drawn photos of a few people."""
    draw_photos(tmp_path / 'photos', 4, 6)
    return tmp_path / 'photos'


@pytest.fixture
def single(photos: Path, tmp_path: Path) -> dict[str, bytes]:
    """Return the files of one run that nothing disturbs."""
    assert augment_dataset(photos, tmp_path / 'single', SMALL, DrawnSource()).finished
    return contents(tmp_path / 'single')


@dataclass(frozen=True)
class LosingSource(DrawnSource):
    """
    Opens a describer; as it is opened, photos are gone, as with a mount that is lost.

    :param root: folder whose sub-folders are renamed
    """

    root: str = ''

    def open(self) -> DrawnDescriber:
        for folder in sorted(Path(self.root).iterdir()):
            folder.rename(Path(self.root) / f'.{folder.name}')
        return super().open()


@dataclass(frozen=True)
class NoBackend(DrawnSource):
    """Has a backend that is not there."""

    def open(self) -> DrawnDescriber:
        raise SettingsError('no backend foo')


def test_photos_that_vanish_end_the_run_and_not_the_shard(
        photos: Path, tmp_path: Path, single: dict[str, bytes]) -> None:
    """They were left out as unreadable, for good, and the data set was finished."""
    out = tmp_path / 'out'
    with pytest.raises(DatasetError, match='0000_01.png was listed and is gone; see to the disk '
                                           'or the network and run it again'):
        augment_dataset(photos, out, SMALL, LosingSource(root=str(photos)))
    assert not list((out / 'shards').iterdir())
    for folder in photos.iterdir():
        folder.rename(photos / folder.name[1:])
    assert augment_dataset(photos, out, SMALL, DrawnSource()).made == 3
    assert contents(out) == single


@pytest.mark.parametrize('code', [errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_ends_the_run(photos: Path, tmp_path: Path, code: int,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: Path) -> bytes:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, 'read_bytes', failing)
    with pytest.raises(DatasetError, match='cannot be read: .*; see to the disk or the network'):
        augment_dataset(photos, tmp_path / 'out', SMALL, DrawnSource())


def test_what_is_no_regular_file_is_left_out(photos: Path, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe was waited for without end, a device would be read without end."""
    os.mkfifo(photos / 'n000000' / 'pipe.jpg')
    (photos / 'n000000' / 'device.jpg').symlink_to('/dev/zero')
    read_bytes = Path.read_bytes

    def reading(path: Path) -> bytes:
        assert path.is_file(), f'{path} is read'
        return read_bytes(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'read_bytes', reading)
        report = augment_dataset(photos, tmp_path / 'out', SMALL, DrawnSource())
    assert (report.faces, report.left_out['unreadable']) == (FACES, 2)
    found = [reason for _, cause, reason in AugmentedFaces(tmp_path / 'out').left_out()
             if cause == 'unreadable']
    assert found == ['the file cannot be read: it is no regular file'] * 2


def test_a_disk_that_is_full_at_the_manifest_is_named(
        photos: Path, tmp_path: Path, single: dict[str, bytes],
        monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / 'out'
    write_file = script.write_file

    def full(path: Path, content: bytes) -> None:
        if path.name == 'manifest.jsonl':
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_file(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(script, 'write_file', full)
        with pytest.raises(DatasetError, match='out cannot be written: .*No space left on device; '
                                               'see to the disk and run it again'):
            augment_dataset(photos, out, SMALL, DrawnSource())
    (out / 'shards' / '00001.tar').unlink()
    (out / 'manifest.jsonl').mkdir()
    with pytest.raises(DatasetError, match='out cannot be written: .*manifest.jsonl'):
        augment_dataset(photos, out, SMALL, DrawnSource())
    (out / 'manifest.jsonl').rmdir()
    assert augment_dataset(photos, out, SMALL, DrawnSource()).made == 1
    assert contents(out) == single


def test_a_disk_that_is_full_as_a_file_is_closed_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match='No space left on device'):
        with complete_file(tmp_path / 'file') as file:
            file.write(b'some')
            full = os.open('/dev/full', os.O_RDWR)
            os.dup2(full, file.fileno())  # what is written from here on meets a full disk
            os.close(full)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('typo', [
    (SMALL, NoBackend(sha256='b' * 64)), (replace(SMALL, limit=3), NoBackend()),
    (replace(SMALL, shard_size=1), NoBackend())])
def test_what_a_typing_error_left_is_begun_anew(
        photos: Path, tmp_path: Path, single: dict[str, bytes],
        typo: tuple[AugmentSettings, DrawnSource], caplog: pytest.LogCaptureFixture) -> None:
    """The plan of a run that made nothing had the corrected command refused."""
    caplog.set_level('INFO')
    out = tmp_path / 'out'
    with pytest.raises(SettingsError, match='no backend foo'):
        augment_dataset(photos, out, *typo)
    assert (out / 'dataset.json').is_file()
    (out / 'shards' / '00017.tar').touch()  # of a shard that was not finished
    assert augment_dataset(photos, out, SMALL, DrawnSource()).finished
    assert 'dataset.json is of another run that made no shard: it is replaced' in caplog.text
    assert contents(out) == single


@pytest.mark.parametrize('failing', ['images.jsonl', 'dataset.json'])
def test_a_plan_whose_replacement_is_cut_off_is_replaced(
        photos: Path, tmp_path: Path, single: dict[str, bytes], failing: str,
        monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / 'out'
    write_file = script.write_file

    def full(path: Path, content: bytes) -> None:
        if path.name == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_file(path, content)

    with pytest.raises(SettingsError, match='no backend foo'):
        augment_dataset(photos, out, replace(SMALL, limit=3), NoBackend())
    (out / 'shards' / '00017.tar').touch()
    with monkeypatch.context() as patch:
        patch.setattr(script, 'write_file', full)
        with pytest.raises(DatasetError, match='No space left on device'):
            augment_dataset(photos, out, SMALL, DrawnSource())
    assert augment_dataset(photos, out, SMALL, DrawnSource()).finished
    assert contents(out) == single


def test_a_plan_of_another_program_is_kept(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'dataset.json').write_text('{"name": "mine"}')
    with pytest.raises(DatasetError, match='dataset.json is not of this command'):
        augment_dataset(photos, out, SMALL, DrawnSource())
    assert contents(out) == {'dataset.json': b'{"name": "mine"}'}


@pytest.mark.parametrize(('option', 'value'), [('--backend', 'foo'), ('--precision', 'fp8')])
def test_options_have_known_values(photos: Path, tmp_path: Path, option: str, value: str,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        script.main([str(photos), str(tmp_path / 'out'), option, value])
    assert ended.value.code == 2
    assert f"{option}: invalid choice: '{value}'" in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('name', ['photos', 'photos/out', 'photos/n000000/a/b', 'link/out'])
def test_output_among_the_images_is_refused(photos: Path, tmp_path: Path, name: str) -> None:
    """It was taken for a person by the second run, and left a lock file by the first."""
    (tmp_path / 'link').symlink_to(photos)
    before = sorted(photos.rglob('*'))
    with pytest.raises(DatasetError, match='is or lies in the folder of images, .*/photos: .*'
                                           'choose a folder beside it'):
        augment_dataset(photos, tmp_path / name, SMALL, DrawnSource())
    assert sorted(photos.rglob('*')) == before


def damaged(content: bytes, how: str) -> bytes:
    """Return a shard's lines with a fault."""
    head, *lines = content.splitlines(keepends=True)
    about: dict[str, Any] = json.loads(head)
    return {'empty': b'', 'bytes': b'\xff' + content, 'cut': content[:-9],
            'cut_after_a_line': b''.join([head, *lines[:-1]]),
            'no_objects': b'[]\n' * 3, 'no_head': b''.join(lines),
            'another_shard': json.dumps({**about, 'shard': 2}).encode() + b'\n' + b''.join(lines),
            'no_hash': json.dumps({k: v for k, v in about.items() if k != 'sha256'}).encode()
            + b'\n' + b''.join(lines)}[how]


@pytest.mark.parametrize('how', ['empty', 'bytes', 'cut', 'cut_after_a_line', 'no_objects',
                                 'no_head', 'another_shard', 'no_hash'])
def test_a_damaged_shard_list_is_made_again(
        photos: Path, tmp_path: Path, single: dict[str, bytes], how: str,
        caplog: pytest.LogCaptureFixture) -> None:
    """The advice, to run augment_dataset again, ended in the same error."""
    out = tmp_path / 'single'
    path = out / 'shards' / '00001.jsonl'
    path.write_bytes(damaged(path.read_bytes(), how))
    assert augment_dataset(photos, out, SMALL, DrawnSource()).made == 1
    assert '00001.jsonl is damaged (' in caplog.text
    assert contents(out) == single


def test_a_shard_list_that_the_disk_does_not_give_is_kept(
        photos: Path, tmp_path: Path, single: dict[str, bytes],
        monkeypatch: pytest.MonkeyPatch) -> None:
    read_bytes = Path.read_bytes

    def failing(path: Path) -> bytes:
        if path.suffix == '.jsonl':
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read_bytes(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'read_bytes', failing)
        with pytest.raises(DatasetError, match='00000.jsonl cannot be read: .*; see to the disk'):
            augment_dataset(photos, tmp_path / 'single', SMALL, DrawnSource())
    assert contents(tmp_path / 'single') == single
