# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The command `gallery enroll`: by images, by a part of a bag, and why not."""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import struct
import zlib

import cv2
from face_depth_ros.core.errors import DatasetError
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.enroll_command import image_files, image_frames, main
from face_depth_ros.gallery.gallery import Gallery
from face_depth_ros.gallery.people import Template
import numpy as np
import pytest
from recognizer_graph import write_recognizer

SAMPLE = Path(__file__).resolve().parents[1] / 'data' / 'sample_bag'


@pytest.fixture
def model(tmp_path):
    return str(write_recognizer(tmp_path))


def enroll(tmp_path, model, *options, name='Ada'):
    return main(['enroll', '--name', name, '--gallery', str(tmp_path / 'g.db'), '--plain',
                 '--allow-temporary', '--model', model, *map(str, options)])


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Return a folder with images of Ada alone, and one with two people."""
    folder = tmp_path_factory.mktemp('photos')
    (folder / 'ada').mkdir()
    with Bag(SAMPLE) as bag:
        for i, messages in enumerate(bag.frames(bag.camera_topics())):
            image = cv2.cvtColor(messages.decode().color, cv2.COLOR_RGB2BGR)
            if i in (2, 6):
                cv2.imwrite(str(folder / 'ada' / f'{i}.png'), image)
            if i == 18:
                cv2.imwrite(str(folder / 'two.jpg'), image)
                break
    cv2.imwrite(str(folder / 'wall.png'), np.full((240, 320, 3), 90, np.uint8))
    (folder / 'ada' / 'notes.txt').write_text('no image')
    return folder


def test_by_images_of_a_folder(tmp_path, model, photos, capsys):
    assert enroll(tmp_path, model, '--images', photos / 'ada') == 0
    assert capsys.readouterr().out == 'ok Ada\n'
    with Gallery.open(tmp_path / 'g.db', plain=True, allow_temporary=True) as gallery:
        templates = gallery.templates_of('Ada')
    assert 1 <= len(templates) <= 2
    assert {t.source for t in templates} == {'image'} and templates[0].quality > 0.35
    assert templates[0].model_name == 'face_recognizer'
    assert main(['list', '--gallery', str(tmp_path / 'g.db'), '--plain',
                 '--allow-temporary']) == 0
    assert 'Ada' in capsys.readouterr().out


def test_by_a_part_of_a_bag(tmp_path, model, capsys):
    assert enroll(tmp_path, model, '--bag', SAMPLE, '--to', '0.9') == 0
    assert capsys.readouterr().out == 'ok Ada\n'
    with Gallery.open(tmp_path / 'g.db', plain=True, allow_temporary=True) as gallery:
        assert gallery.templates_of('Ada')[0].source == 'bag:sample_bag'


@pytest.mark.parametrize(('image', 'reason'), [
    ('two.jpg', '2 faces are in view'), ('wall.png', 'nobody is in view')])
def test_images_that_introduce_nobody(tmp_path, model, photos, capsys, image, reason):
    assert enroll(tmp_path, model, '--images', photos / image) == 1
    assert f'Ada was not enrolled: {reason}' in capsys.readouterr().err
    assert not (tmp_path / 'g.db').exists(), 'no gallery is made for nobody'


def test_what_cannot_be_read(tmp_path, model, photos, capsys):
    text = photos / 'ada' / 'notes.txt'
    for options, reason in ((('--images', tmp_path / 'nowhere'), 'is not there'),
                            (('--images', text), 'is no image that can be read'),
                            (('--bag', SAMPLE, '--from', '99'), 'has no frame from 99 s'),
                            (('--bag', tmp_path), 'error: ')):
        assert enroll(tmp_path, model, *options) == 1
        assert reason in capsys.readouterr().err
    empty = tmp_path / 'empty'
    empty.mkdir()
    assert enroll(tmp_path, model, '--images', empty) == 1
    assert 'no image in' in capsys.readouterr().err


def test_names_and_galleries_are_checked(tmp_path, model, photos, capsys):
    assert enroll(tmp_path, model, '--images', photos / 'ada', name='unknown') == 1
    assert 'cannot be a name' in capsys.readouterr().err
    assert main(['enroll', '--name', 'Ada', '--gallery', str(tmp_path / 'g.db'), '--plain',
                 '--images', str(photos)]) == 1
    assert 'vanish' in capsys.readouterr().err


def test_files_of_folders_come_by_name(photos):
    assert [p.name for p in image_files([photos / 'ada', photos / 'two.jpg'])] == [
        '2.png', '6.png', 'two.jpg']


OLD_MODEL = 'f' * 64


def opened(tmp_path):
    return Gallery.open(tmp_path / 'g.db', plain=True, allow_temporary=True)


def known_by_an_old_model(tmp_path, expires_ns=None):
    with opened(tmp_path) as gallery:
        gallery.enroll('Ada', [Template(np.eye(8)[0], 1.0, OLD_MODEL)])
        gallery.set_expiry('Ada', expires_ns)


def models_of_ada(tmp_path):
    with opened(tmp_path) as gallery:
        return set(gallery.person('Ada').models)


def test_people_known_by_an_old_model_are_enrolled_again(tmp_path, model, photos, capsys):
    known_by_an_old_model(tmp_path)
    images = ('--images', photos / 'ada')
    assert enroll(tmp_path, model, *images) == 1
    assert '`gallery enroll --existing add` or `replace`' in capsys.readouterr().err
    assert models_of_ada(tmp_path) == {OLD_MODEL}
    assert enroll(tmp_path, model, *images, '--existing', 'add') == 0
    both = models_of_ada(tmp_path)
    assert len(both) == 2 and OLD_MODEL in both
    assert enroll(tmp_path, model, '--images', photos / 'wall.png', '--existing', 'replace') == 1
    assert models_of_ada(tmp_path) == both, 'nothing goes before something comes'
    assert enroll(tmp_path, model, *images, '--existing', 'replace') == 0
    assert models_of_ada(tmp_path) == both - {OLD_MODEL}


def test_somebody_is_kept_for_some_days(tmp_path, model, photos, capsys):
    known_by_an_old_model(tmp_path, expires_ns=1)
    assert enroll(tmp_path, model, '--images', photos / 'ada', '--keep-days', '0.5') == 0
    assert 'Ada was forgotten: the time to keep them is over' in capsys.readouterr().err
    with opened(tmp_path) as gallery:
        ada = gallery.person('Ada')
    assert ada.expires_ns - ada.enrolled_ns == 43200 * 10**9 and OLD_MODEL not in ada.models
    with pytest.raises(SystemExit):
        enroll(tmp_path, model, '--images', photos / 'ada', '--keep-days', '0')
    assert 'expected a number of days above 0' in capsys.readouterr().err


def test_names_of_images_need_not_be_unicode(tmp_path, photos):
    file = Path(os.fsdecode(bytes(tmp_path) + b'/\xff.png'))
    shutil.copy(photos / 'wall.png', file)
    frame, = image_frames(image_files([file]))
    assert frame.color.shape == (240, 320, 3) and (frame.color == 90).all()


def test_images_too_large_to_be_decoded(tmp_path):
    def chunk(kind, content):
        checksum = struct.pack('>I', zlib.crc32(kind + content))
        return struct.pack('>I', len(content)) + kind + content + checksum

    file = tmp_path / 'large.png'
    file.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(
        b'IHDR', struct.pack('>IIBBBBB', 40000, 40000, 8, 2, 0, 0, 0))
        + chunk(b'IDAT', zlib.compress(bytes(100))) + chunk(b'IEND', b''))
    with pytest.raises(DatasetError, match='has 40000 x 40000 pixels, expected at most 67108864'):
        list(image_frames([file]))


@pytest.mark.parametrize('content', [b'', b'\x89PNG\r\n\x1a\n', b'II*\x00' + b'\xff' * 60])
def test_files_that_only_begin_as_images(tmp_path, content):
    file = tmp_path / 'broken.png'
    file.write_bytes(content)
    with pytest.raises(DatasetError, match='is no image that can be read'):
        list(image_frames([file]))


def test_paths_of_images_that_cannot_be_looked_at(tmp_path):
    (tmp_path / 'folder.png').mkdir()
    with pytest.raises(DatasetError, match='File name too long'):
        image_files([tmp_path / ('x' * 300)])
    with pytest.raises(DatasetError, match='cannot be read .Is a directory'):
        list(image_frames(image_files([tmp_path])))
