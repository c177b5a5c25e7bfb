# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import cv2
from face_depth_ros.core.errors import AssetsError
from face_depth_ros.synthesis.assets import ASSETS_VARIABLE, find_assets, HEAD_FILE
import numpy as np
import pytest


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / HEAD_FILE, neutral=np.zeros((3, 3), np.float32))
    return tmp_path


def test_the_named_folder_wins_over_the_variable(folder, monkeypatch):
    monkeypatch.setenv(ASSETS_VARIABLE, '/nowhere')
    assert find_assets(folder).folder == folder.resolve()
    monkeypatch.setenv(ASSETS_VARIABLE, str(folder))
    assert find_assets().folder == folder.resolve()


def test_a_folder_without_a_head_is_an_error_that_names_its_origin(tmp_path, monkeypatch):
    with pytest.raises(AssetsError, match=r'--assets is .*expected a folder with ict_model.npz'):
        find_assets(tmp_path)
    monkeypatch.setenv(ASSETS_VARIABLE, str(tmp_path))
    with pytest.raises(AssetsError, match=f'{ASSETS_VARIABLE} is'):
        find_assets()


def test_names_of_optional_parts(folder):
    assets = find_assets(folder)
    assert assets.names('hair', 'npz') == [] and assets.skins() == []
    (folder / 'albedo').mkdir()
    for name in ('b', 'b_head', 'a'):
        cv2.imwrite(str(folder / 'albedo' / f'{name}.jpg'), np.zeros((4, 4, 3), np.uint8))
    assert assets.skins() == ['b']


def test_images_come_as_rgb_with_the_asked_channels(folder):
    rgba = np.zeros((2, 3, 4), np.uint8)
    rgba[..., 2], rgba[..., 3] = 200, 90  # OpenCV writes BGR: this is red
    cv2.imwrite(str(folder / 'red.png'), rgba)
    assets = find_assets(folder)
    assert assets.image('red.png', channels=4)[0, 0].tolist() == [200, 0, 0, 90]
    assert assets.image('red.png')[0, 0].tolist() == [200, 0, 0]
    assert assets.image('red.png', channels=1).shape == (2, 3)


def test_damaged_files_are_named(folder):
    assets = find_assets(folder)
    for name in ('broken.npz', 'broken.json', 'broken.png'):
        (folder / name).write_text('not that')
    with pytest.raises(AssetsError, match=r'broken.npz'):
        assets.arrays('broken.npz')
    with pytest.raises(AssetsError, match=r'broken.json'):
        assets.table('broken.json')
    with pytest.raises(AssetsError, match=r'broken.png as an image of 3 channels'):
        assets.image('broken.png')
    cv2.imwrite(str(folder / 'grey.png'), np.zeros((2, 2), np.uint8))
    with pytest.raises(AssetsError, match='4 channels'):
        assets.image('grey.png', channels=4)
