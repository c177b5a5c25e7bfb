# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The command `gallery enroll`: by images, by a part of a bag, and why not."""

from __future__ import annotations

from pathlib import Path

import cv2
from face_depth_ros.evaluation.bags import Bag
from face_depth_ros.evaluation.enroll_command import image_files, main
from face_depth_ros.gallery.gallery import Gallery
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
