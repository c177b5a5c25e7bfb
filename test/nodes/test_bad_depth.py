# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Depth that no face can be made of: the frame comes out as it was measured, and is named."""

from __future__ import annotations

import re

from diagnostic_msgs.msg import DiagnosticStatus
from enhancer_graph import (
    add_enhancer,
    answer,
    COMPARISON,
    direct_answers,
    face_mm,
    FACES,
    FOCAL,
    send,
    set_parameter,
    SIZE,
)
from face_depth_ros.core.depth import depth_to_metres, metres_to_depth
from face_depth_ros.core.face_box import FaceBox
from face_depth_ros.core.frames import Detection, Provenance, SkippedFace
from face_depth_ros.nodes.camera_info_messages import camera_info_from_message
from face_depth_ros.nodes.depth_checks import depth_warnings, frame_warnings
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from fake_predictors import info_message
import numpy as np
from paper_models import write_paper_models
import pytest
from ros_graph import wait_until
from sensor_msgs.msg import Image


def behind_a_hand():
    """Return a face at 0.7 m, and 400 pixels of a hand 32 cm before it."""
    wire = face_mm()
    wire[200:220, 118:138] = 380
    return wire


def few_pixels():
    """Return 63 valid pixels."""
    wire = np.zeros((SIZE, SIZE), np.uint16)
    wire.ravel()[30000:30063] = 700
    return wire


def millimetres_as_metres():
    """Return metres that hold millimetres."""
    return face_mm().astype(np.float32)


def metres_as_millimetres():
    """Return millimetres that hold whole metres."""
    wire = np.where(face_mm() > 0, 1, 0).astype(np.uint16)
    wire[:90] *= 2
    return wire


def printed_face():
    """Return a sheet of paper at 0.7 m, tilted, with noise of 2 mm."""
    y, x = np.mgrid[:SIZE, :SIZE]
    noise = np.random.default_rng(1).normal(0.0, 2.0, (SIZE, SIZE))
    return np.rint(700.0 + 0.2 * x - 0.1 * y + noise).astype(np.uint16)


CASES = [
    (behind_a_hand, 'depth_range', 'face f00001: most of the middle.*0.25 m or more behind the '
     r'nearest surface at 0\.38 m; something \(a hand\) is held in front'),
    (few_pixels, 'too_few_valid_pixels', 'face f00001: the face has 63 valid depth pixels of '
     '65536, expected at least 64'),
    (millimetres_as_metres, 'depth_unit', r'the median depth of the frame is \d{3}(\.\d)? m, '
     'expected 0.1 to 10 m; faces are left.*32FC1 is metres'),
    (metres_as_millimetres, 'depth_unit', r'the median depth of the frame is 0\.00[12] m, '
     'expected 0.1 to 10 m; faces are left.*16UC1 is millimetres'),
    (printed_face, 'no_face_relief', 'face f00001: the surface has a relief of .* it is left as '
     'it was measured'),
]


@pytest.mark.ros
@pytest.mark.parametrize(('make', 'cause', 'text'), CASES, ids=lambda v: getattr(
    v, '__name__', ''))
def test_the_face_is_left_as_measured_and_the_cause_is_counted(graph, make, cause, text):
    node = add_enhancer(graph)
    wire = make()
    send(graph, 5, wire)
    got = answer(graph, 5)
    expected = np.where(wire > 0, wire, np.nan) if wire.dtype == np.float32 else wire
    np.testing.assert_array_equal(got['image_raw'], expected)
    assert set(np.unique(got['provenance'])) == {Provenance.LEFT_ALONE}
    assert not got['confidence'].any()
    values = graph.wait_status('depth_enhancer', lambda s, v: v['problems'] == cause
                               and s.level == DiagnosticStatus.WARN)
    assert values[f'count.{cause}'] == '1'
    assert [k for k in values if k.startswith('count.')] == [f'count.{cause}']
    assert re.search(text, values[f'last.{cause}']), values[f'last.{cause}']
    message = graph.probe.statuses[graph.topic('depth_enhancer')].message
    assert message == f'{cause}: {values[f"last.{cause}"]}'
    good = face_mm()
    send(graph, 6, good)
    np.testing.assert_array_equal(answer(graph, 6)['image_raw'],
                                  direct_answers(('network',), good)['network'])
    graph.wait_status('depth_enhancer', lambda s, _: s.level == DiagnosticStatus.OK)
    assert node.health.report().frames == 2


@pytest.mark.ros
def test_a_wrong_unit_is_said_once_a_frame_even_when_nobody_is_there(graph):
    add_enhancer(graph)
    for stamp in (5, 6, 7):
        wire = millimetres_as_metres()
        send(graph, stamp, wire, faces=() if stamp != 7 else FACES * 2)
        answer(graph, stamp)
    values = graph.wait_status('depth_enhancer', lambda _, v: v['frames.processed'] == '3')
    assert values['count.depth_unit'] == '3'


@pytest.mark.ros
def test_a_bad_face_does_not_touch_the_one_beside_it(graph):
    add_enhancer(graph)
    wire = np.concatenate([face_mm(), behind_a_hand()], axis=1)
    faces = (*FACES, Detection(FaceBox(SIZE + 128.0, 128.0, 256.0), 0.9, track_id='f00002'))
    send(graph, 5, wire, faces)
    got = answer(graph, 5)
    np.testing.assert_array_equal(got['image_raw'][:, SIZE:], wire[:, SIZE:])
    assert not got['provenance'][:, SIZE:].any() and not got['confidence'][:, SIZE:].any()
    np.testing.assert_array_equal(got['image_raw'][:, :SIZE],
                                  direct_answers(('network',), face_mm())['network'])
    assert got['provenance'][:, :SIZE].any()
    values = graph.wait_status('depth_enhancer', lambda _, v: 'count.depth_range' in v)
    assert values['last.depth_range'].startswith('face f00002: ')


@pytest.mark.ros
def test_guard_and_noise_bound_are_parameters(graph):
    node = add_enhancer(graph, noise_base_mm=0.0, noise_per_m2_mm=0.0)
    wire = face_mm()
    send(graph, 5, wire)
    got = answer(graph, 5)
    np.testing.assert_array_equal(got['image_raw'][wire > 0], wire[wire > 0])
    assert set(np.unique(got['provenance'])) == {
        Provenance.LEFT_ALONE, Provenance.MEASURED, Provenance.FILLED}
    for name, value in (('noise_base_mm', 2.0), ('noise_per_m2_mm', 2.0),
                        ('noise_largest_mm', 2.5)):
        assert set_parameter(graph, name, value).successful
    wait_until(lambda: node._slot.present.noise_bound.largest == 0.0025, 'noise bound')
    send(graph, 6, wire)
    got = answer(graph, 6)
    moved = np.abs(got['image_raw'][wire > 0].astype(int) - wire[wire > 0])
    assert moved.max() == 3  # 2.5 mm, rounded
    assert Provenance.CORRECTED in got['provenance']


@pytest.mark.ros
def test_without_the_guard_paper_is_worked_on(graph, tmp_path, monkeypatch):
    """By a network that knows no better; ours does not find a face on it either."""
    write_paper_models(tmp_path, ['DL-Alpha'])
    monkeypatch.setenv('FACE_DEPTH_MODELS', str(tmp_path))
    node = add_enhancer(graph, method='DL-Alpha', guard=False)
    send(graph, 5, printed_face())
    assert answer(graph, 5)['provenance'].any()
    assert set_parameter(graph, 'guard', True).successful
    wait_until(lambda: node._slot.present.guard, 'guard')
    send(graph, 6, printed_face())
    assert not answer(graph, 6)['provenance'].any()


@pytest.mark.ros
def test_temporal_mode_sees_stamps_tracks_and_calibration(graph):
    """What comes out is what the predictor alone makes of the same stream, A/B or not."""
    add_enhancer(graph, temporal=True, comparison_method='Sp-HfU')
    graph.subscribe(Image, COMPARISON)
    noise = np.random.default_rng(2)
    camera = camera_info_from_message(info_message(0, SIZE, SIZE, FOCAL)).intrinsics()
    alone, single = (DepthEnhancer(precision='fp32', temporal=t) for t in (True, False))
    truth, differing = face_mm(), 0
    for frame in range(1, 9):
        jitter = np.rint(noise.normal(0.0, 3.0, truth.shape))
        wire = np.where(truth > 0, truth + jitter, 0).astype(np.uint16)
        send(graph, frame * 33_000_000, wire)
        depth = depth_to_metres(wire, '16UC1')
        expected, frame_alone = (metres_to_depth(e.enhance(
            depth, FACES, stamp_ns=frame * 33_000_000, intrinsics=camera).depth, '16UC1')
            for e in (alone, single))
        got = answer(graph, frame * 33_000_000)['image_raw']
        np.testing.assert_array_equal(got, expected)
        differing += bool((got != frame_alone).any())
    assert differing >= 6
    assert graph.received(COMPARISON)
    alone.close()
    single.close()


VALID = np.full((4, 4), 0.7, np.float32)


@pytest.mark.parametrize(('median', 'warned'), [
    (0.05, True), (0.0999, True), (0.1, False), (0.7, False), (10.0, False), (10.1, True),
    (700.0, True)])
def test_the_median_of_the_valid_pixels_tells_the_unit(median, warned):
    depth = np.full((6, 6), median, np.float32)
    depth[0], depth[1, :4], depth[2, :4] = np.nan, 0.001, 1e4
    found = depth_warnings(depth, depth)
    assert [cause for cause, _ in found] == ['depth_unit'] * warned


def test_half_of_the_frame_out_of_range_is_no_wrong_unit():
    depth = np.full((4, 4), 0.7, np.float32)
    depth[:2] = 60.0
    depth[0, 0] = 0.7
    assert depth_warnings(depth, depth) == []


def test_of_the_whole_frame_nothing_is_said_again_of_each_face():
    faces = (SkippedFace('f00001', 'depth_unit', 'm'), SkippedFace('f00002', 'depth_range', 'far'))
    wrong = VALID * 1000
    assert [c for c, _ in frame_warnings(wrong, wrong, faces)] == ['depth_unit', 'depth_range']
    assert frame_warnings(VALID, VALID, faces) == [
        ('depth_unit', 'face f00001: m'), ('depth_range', 'face f00002: far')]
