# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The depth enhancer's predictor, on the shipped model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import re

from face_depth_ros.core.errors import InvalidDepthError, ModelSpecError, SettingsError
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, Provenance
from face_depth_ros.filters import ENHANCER_FILTERS
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer, NETWORK
from face_depth_ros.predictors.enhancer_methods import NO_METHOD, PAPER_ENHANCERS
import numpy as np
import pytest

BOX = FaceBox(160.0, 120.0, 130.0, 0.2)


@pytest.fixture(scope='module')
def enhancer() -> Iterator[DepthEnhancer]:
    """The shipped network in the CPU engine."""
    predictor = DepthEnhancer(backend='openvino', precision='fp32')
    yield predictor
    predictor.close()


def head(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy depth with holes of an ellipsoid with a nose at 0.7 m, and the true depth."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[:240, :320] + 0.5
    squared = ((x - 160) / 45) ** 2 + ((y - 120) / 58) ** 2
    truth = np.where(squared < 1, 0.7 - 0.09 * np.sqrt(np.maximum(1 - squared, 0)), np.nan)
    truth -= 0.02 * np.exp(-((x - 160) / 8) ** 2 - ((y - 124) / 13) ** 2)
    for side in (-1, 1):
        truth += 0.009 * np.exp(-((x - 160 - side * 18) / 9) ** 2 - ((y - 108) / 7) ** 2)
    depth = truth + chance.normal(0, 0.003, truth.shape)
    depth[100:112, 150:166] = np.nan
    wall = np.full(truth.shape, 1.5)
    return (np.where(squared < 1, depth, wall).astype(np.float32),
            truth.astype(np.float32))


def detection(box: FaceBox = BOX) -> Detection:
    """Return a detection without landmarks."""
    return Detection(box, 0.9, None, 'f00001')


@pytest.mark.parametrize('method', [NETWORK, *ENHANCER_FILTERS, 'DL-Delta-1', NO_METHOD])
def test_outside_the_box_nothing_changes(enhancer: DepthEnhancer, method: str) -> None:
    """Whatever the method, the frame around the face stays to the bit."""
    depth, _ = head()
    enhancer.set_method(method)
    result = enhancer.enhance(depth, [detection()])
    far = np.ones(depth.shape, bool)
    far[10:230, 50:270] = False
    np.testing.assert_array_equal(result.depth[far], depth[far])
    alone = result.provenance == Provenance.LEFT_ALONE
    np.testing.assert_array_equal(result.depth[alone], depth[alone])
    assert not result.confidence[alone].any()
    assert result.depth[5, 5] == np.float32(1.5)


def test_network_repairs(enhancer: DepthEnhancer) -> None:
    """The hole is filled and the noise falls, measured against the true surface."""
    depth, truth = head()
    enhancer.set_method('network')
    result = enhancer.enhance(depth, [detection()])
    hole = np.s_[100:112, 150:166]
    assert np.isfinite(result.depth[hole]).all()
    assert (result.provenance[hole] == Provenance.FILLED).all()
    inner = np.s_[90:150, 135:185]
    before, after = (np.sqrt(np.nanmean((d[inner] - truth[inner]) ** 2))
                     for d in (depth, result.depth))
    assert after < 0.8 * before
    assert (result.confidence[inner] > 0).all()


def test_doubt_shows_in_the_confidence(enhancer: DepthEnhancer) -> None:
    """The rim of a head is doubtful, its middle is not."""
    depth, truth = head()
    depth[depth > 1.0] = np.nan
    enhancer.set_method('network')
    result = enhancer.enhance(depth, [detection()])
    beyond = np.isnan(truth) & (result.provenance == Provenance.FILLED)
    middle = np.s_[95:145, 140:180]
    assert result.confidence[beyond].mean() < 0.6 * result.confidence[middle].mean()


def test_input_is_not_touched(enhancer: DepthEnhancer) -> None:
    """Frames are handed on by reference: a read-only input works and stays."""
    depth, _ = head()
    before = depth.copy()
    depth.setflags(write=False)
    enhancer.set_method('network')
    enhancer.enhance(depth, [detection()])
    np.testing.assert_array_equal(depth, before)


def test_measured_pixels_move_within_the_noise_bound(enhancer: DepthEnhancer) -> None:
    """Even strange geometry is not pulled to a face by more than the sensor's noise."""
    depth, _ = head()
    depth += np.random.default_rng(3).uniform(-0.04, 0.04, depth.shape).astype(np.float32)
    enhancer.set_method('network')
    result = enhancer.enhance(depth, [detection()])
    assert not result.skipped
    assert (result.provenance == Provenance.CORRECTED).any()
    known = np.isfinite(depth)
    moved = np.abs(result.depth - depth)[known]
    assert (moved <= enhancer.noise_bound.at(depth[known]) + 1e-6).all()
    assert moved.max() > 0.005


def test_no_faces_is_the_input(enhancer: DepthEnhancer) -> None:
    """Nobody there: the frame goes through."""
    depth, _ = head()
    result = enhancer.enhance(depth, [])
    np.testing.assert_array_equal(result.depth, depth)
    assert not result.provenance.any()


def test_hopeless_faces_are_skipped_and_said(enhancer: DepthEnhancer) -> None:
    """Too few valid pixels, or a box outside: passed through with the cause."""
    depth = np.full((240, 320), np.nan, np.float32)
    depth[100:104, 150:154] = 0.7
    away = Detection(FaceBox(900.0, 900.0, 50.0), 0.9, None, 'f00002')
    result = enhancer.enhance(depth, [detection(), away])
    np.testing.assert_array_equal(result.depth, depth)
    causes = {s.track_id: s.cause for s in result.skipped}
    assert causes == {'f00001': 'too_few_valid_pixels', 'f00002': 'face_box_outside'}


def test_the_nearer_face_is_pasted_last(enhancer: DepthEnhancer) -> None:
    """Order of the detections does not matter where boxes overlap."""
    depth, _ = head()
    large, small = detection(), Detection(FaceBox(185.0, 130.0, 90.0), 0.9, None, 'f00002')
    enhancer.set_method('network')
    first = enhancer.enhance(depth, [large, small])
    second = enhancer.enhance(depth, [small, large])
    np.testing.assert_array_equal(first.depth, second.depth)


@pytest.mark.parametrize(('depth', 'message'), [
    (np.zeros((0, 5), np.float32), r'got shape \(0, 5\)'),
    (np.zeros((5, 5, 3), np.float32), r'got shape \(5, 5, 3\)'),
    (np.zeros((5, 5), np.uint16), 'uint16')])
def test_bad_arrays(enhancer: DepthEnhancer, depth: np.ndarray, message: str) -> None:
    """Undecoded or empty images are refused."""
    with pytest.raises(InvalidDepthError, match=message):
        enhancer.enhance(depth, [])


def test_unknown_method_keeps_the_old_one(enhancer: DepthEnhancer) -> None:
    """A typo at run time does not stop the robot."""
    enhancer.set_method('De-M8')
    with pytest.raises(SettingsError, match="'magic' is not known, expected one of network, De"):
        enhancer.set_method('magic')
    assert enhancer.method == 'De-M8'
    enhancer.set_method('network')


def test_missing_model_is_said() -> None:
    """Which models there are stands in the message."""
    with pytest.raises(ModelSpecError, match='no model named .nobody.*known models'):
        DepthEnhancer(model='nobody')


@pytest.mark.parametrize('method', PAPER_ENHANCERS)
def test_method_without_its_model_names_the_command(
        method: str, enhancer: DepthEnhancer, monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path) -> None:
    """What is missing and how to make it; the present method works on."""
    monkeypatch.setattr('face_depth_ros.core.model_spec.model_folders', lambda: [tmp_path])
    fresh = DepthEnhancer(NO_METHOD)
    with pytest.raises(ModelSpecError, match=f'--network {PAPER_ENHANCERS[method]}'):
        fresh.set_method(method)
    assert fresh.method == NO_METHOD


def test_hand_in_front_is_said(enhancer: DepthEnhancer) -> None:
    """The face lies beyond 25 cm behind a hand: nothing can be normalised, nothing is changed."""
    depth, _ = head()
    depth[70:90, 110:150] = 0.3
    enhancer.set_method('network')
    result = enhancer.enhance(depth, [detection()])
    np.testing.assert_array_equal(result.depth, depth)
    assert not result.provenance.any()
    assert result.skipped[0].cause == 'depth_range'
    assert 'behind the nearest surface at 0.30 m' in result.skipped[0].reason


@pytest.mark.parametrize(('factor', 'shown'), [(1000.0, '1500 m'), (0.001, r'0\.0015 m')])
def test_wrong_unit_is_said(enhancer: DepthEnhancer, factor: float, shown: str) -> None:
    """Millimetres in a 32FC1 image, or metres in a 16UC1 one."""
    depth, _ = head()
    enhancer.set_method('network')
    result = enhancer.enhance(depth * np.float32(factor), [detection()])
    np.testing.assert_array_equal(result.depth, depth * np.float32(factor))
    assert result.skipped[0].cause == 'depth_unit'
    assert re.search(f'median depth of the face is {shown}.*expected 0.1 to 10 m',
                     result.skipped[0].reason)


@pytest.mark.parametrize('attack', ['flat', 'ball', 'hollow'])
def test_no_face_is_left_alone(enhancer: DepthEnhancer, attack: str) -> None:
    """A print, a ball and the inside of a mask come out as they went in, with the reason."""
    depth, truth = head()
    y, x = np.mgrid[:240, :320] + 0.5
    squared = ((x - 160) / 50) ** 2 + ((y - 120) / 60) ** 2
    surface = {'flat': np.full(depth.shape, 0.65), 'hollow': 1.3 - truth,
               'ball': 0.7 - 0.08 * np.sqrt(np.maximum(1 - squared, 0))}[attack]
    noise = np.random.default_rng(0).normal(0, 0.002, depth.shape)
    shown = np.where(np.isfinite(truth), surface + noise, 1.5).astype(np.float32)
    shown[118:130, 150:170] = np.nan
    enhancer.set_method('network')
    result = enhancer.enhance(shown, [detection()])
    np.testing.assert_array_equal(result.depth, shown)
    assert [s.cause for s in result.skipped] == ['no_face_relief']


def test_a_method_that_is_not_open_is_named() -> None:
    """Neither one that was never prepared nor any after closing ends in a KeyError."""
    predictor = DepthEnhancer(NO_METHOD)
    depth, _ = head()
    with pytest.raises(SettingsError, match="method 'Hf-L' is not open, expected .*: None; open"):
        predictor.enhance(depth, [detection()], 'Hf-L')
    predictor.close()
    with pytest.raises(SettingsError, match="method 'None' is not open, expected .*: none; open"):
        predictor.enhance(depth, [])


@pytest.mark.parametrize('threshold', [-0.1, 50.0, float('nan')])
def test_a_threshold_out_of_its_range_is_refused(threshold: float) -> None:
    with pytest.raises(SettingsError, match='confidence_threshold is .*, expected 0 to 1'):
        DepthEnhancer(confidence_threshold=threshold)
