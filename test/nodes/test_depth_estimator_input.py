# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The running node depth_estimator on bad input: each has an outcome, and the next frame works."""

from __future__ import annotations

import math
import re

from diagnostic_msgs.msg import DiagnosticStatus
from drawn_estimators import write_estimators
from estimator_graph import add_estimator, answer, face, faces_message, INPUTS, NAME, send
from face_depth_ros.core import model_spec
from face_depth_ros.nodes.image_messages import image_to_message, ImageFrame
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from fake_predictors import (
    color_message,
    depth_message,
    FakeEstimator,
    FRAME_ID,
    info_message,
)
from hri_msgs.msg import FacialLandmarks
import numpy as np
import pytest
from ros_graph import wait_until
from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros

WIDTH, HEIGHT, FOCAL = 160, 120, 150.0
MIDDLE = (80.0, 60.0)


@pytest.fixture
def estimator(graph, tmp_path, monkeypatch):
    """Return the node with the real predictor around a network that sees bright pixels as skin."""
    write_estimators(tmp_path, ['ours'])
    monkeypatch.setattr(model_spec, 'model_folders', lambda: [tmp_path])
    return add_estimator(graph, open_estimator=DepthEstimator, precision='fp32')


def disc(*centers, radius=16, level=170, background=0):
    """Return bright discs, (120, 160, 3) uint8, and where they are."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    inside = np.zeros((HEIGHT, WIDTH), bool)
    for cx, cy in centers or (MIDDLE,):
        inside |= np.hypot(x - cx, y - cy) < radius
    return np.where(inside[..., None], level, background).astype(np.uint8).repeat(3, 2), inside


def picture(stamp, image, encoding='rgb8'):
    return image_to_message(ImageFrame(stamp, FRAME_ID, encoding, image.copy()))


def big(stamp, *faces, image=None, **changes):
    """Return the messages of a frame of 160 x 120 pixels."""
    return {'color': picture(stamp, disc()[0] if image is None else image),
            'color_info': info_message(stamp, WIDTH, HEIGHT, FOCAL),
            'depth': depth_message(stamp, 700, width=WIDTH, height=HEIGHT),
            'detections': faces_message(stamp, *(faces or (at(*MIDDLE),))), **changes}


def at(x, y, side=48.0, **how):
    return face(x, y, side, **how)


def warned(graph, cause):
    """Wait until diagnostics warn of a cause; return its text."""
    values = graph.wait_status(NAME, lambda s, v: f'count.{cause}' in v
                               and s.level == DiagnosticStatus.WARN)
    return values[f'last.{cause}']


def expect_good(graph, stamp):
    send(graph, stamp, **big(stamp))
    good = answer(graph, stamp)
    seen = good['mask'] > 0
    np.testing.assert_array_equal(np.isfinite(good['depth_estimated/image_raw']), seen)
    assert 0.6 * disc()[1].sum() < seen.sum() < 1.4 * disc()[1].sum()
    return good


def test_a_face_is_placed_by_the_sensor_below_it(graph, estimator):
    good = expect_good(graph, 5)
    depth = good['depth_estimated/image_raw']
    assert abs(np.nanmedian(depth) - 0.7) < 0.02
    sure = good['depth_estimated/uncertainty']
    np.testing.assert_array_equal(np.isfinite(sure), np.isfinite(depth))
    assert np.nanmin(sure) > 0


def test_grey_images_become_colour(graph, estimator):
    send(graph, 5, **big(5, color=picture(5, disc()[0][..., 0], 'mono8')))
    grey = answer(graph, 5)
    for topic, array in expect_good(graph, 6).items():
        if topic != 'depth_estimated/camera_info':
            np.testing.assert_array_equal(grey[topic], array)


def bayer(stamp):
    message = picture(stamp, disc()[0][..., 0], 'mono8')
    message.encoding = 'bayer_rggb8'
    return message


def depth_as_color(stamp):
    return depth_message(stamp, width=WIDTH, height=HEIGHT)


def cut(stamp):
    message = picture(stamp, disc()[0])
    message.data = message.data[:-1]
    return message


def no_number(stamp):
    message = faces_message(stamp, at(*MIDDLE))
    message.detections[0].bbox.center.position.x = float('nan')
    return message


@pytest.mark.parametrize(('changes', 'cause', 'text'), [
    ({'color': bayer}, 'image_encoding', r"'bayer_rggb8'.*expected one of rgb8"),
    ({'color': depth_as_color}, 'image_encoding', 'depth encoding 16UC1'),
    ({'color': cut}, 'image_length', 'bytes, expected step'),
    ({'color': lambda s: Image(header=color_message(s).header, encoding='rgb8')}, 'image_size',
     'no pixels'),
    ({'detections': no_number}, 'invalid_face_box', 'a face box is not usable')])
def test_what_cannot_be_read_is_left_out_by_its_cause(graph, estimator, changes, cause, text):
    send(graph, 5, **big(5, **{k: f(5) for k, f in changes.items()}))
    assert re.search(text, warned(graph, cause))
    assert not graph.received('mask')
    expect_good(graph, 6)
    graph.wait_status(NAME, lambda s, _: s.level == DiagnosticStatus.OK)


def gone(_stamp):
    return None


@pytest.mark.parametrize(('info', 'cause', 'text'), [
    (gone, 'no_intrinsics', 'no camera_info has come for the colour image'),
    (lambda s: info_message(s, WIDTH, HEIGHT, 0.0), 'camera_info_k_zero',
     'no_intrinsics: .*K = 0'),
    (lambda s: info_message(s, WIDTH, HEIGHT, math.nan), 'invalid_camera_info',
     'no_intrinsics: .*not usable'),
    (lambda s: info_message(s, 640, 480), 'camera_info_size',
     'no_intrinsics: colour is 160 x 120, its camera_info says 640 x 480')])
def test_without_intrinsics_there_are_masks_and_landmarks_and_no_depth(
        graph, estimator, info, cause, text):
    graph.subscribe(FacialLandmarks, 'landmarks/f00001')
    send(graph, 4, **big(4, color_info=info(4), depth=None))
    answer(graph, 4)
    wait_until(lambda: 'f00001' in estimator._landmarks.tracks, 'topic of the face')
    wait_until(lambda: estimator._landmarks._outputs['f00001'].demand, 'demand')
    send(graph, 5, **big(5, color_info=info(5), depth=None))
    got = answer(graph, 5)
    assert np.isnan(got['depth_estimated/image_raw']).all()
    assert np.isnan(got['depth_estimated/uncertainty']).all()
    assert got['mask'].any()
    assert graph.wait_stamp('landmarks/f00001', 5).landmarks[0].c > 0
    sent = got['depth_estimated/camera_info']
    given = info(5)
    assert (sent.width, sent.height, sent.k[0]) == pytest.approx(
        (WIDTH, HEIGHT, 0.0) if given is None else (given.width, given.height, given.k[0]),
        nan_ok=True)
    assert re.search(text, warned(graph, cause))
    expect_good(graph, 6)


def test_without_intrinsics_the_sensor_still_places_a_face(graph, estimator):
    send(graph, 5, **big(5, color_info=None))
    depth = answer(graph, 5)['depth_estimated/image_raw']
    assert abs(np.nanmedian(depth) - 0.7) < 0.05
    warned(graph, 'no_intrinsics')


@pytest.mark.parametrize(('x', 'y'), [(4.0, 60.0), (157.0, 118.0)])
def test_a_face_cut_by_the_border_is_estimated_as_far_as_it_is_seen(graph, estimator, x, y):
    image, inside = disc((x, y))
    send(graph, 5, **big(5, at(x, y), image=image))
    got = answer(graph, 5)
    seen = got['mask'] > 0
    assert seen.any() and (seen & ~inside).sum() < 0.25 * inside.sum()
    np.testing.assert_array_equal(np.isfinite(got['depth_estimated/image_raw']), seen)
    expect_good(graph, 6)


def test_a_box_outside_the_image_is_left_out(graph, estimator):
    send(graph, 5, **big(5, at(-200.0, 60.0), at(*MIDDLE, track='f00002')))
    assert answer(graph, 5)['mask'].any()
    assert warned(graph, 'face_box_outside').startswith('face f00001: ')
    expect_good(graph, 6)


def test_of_overlapping_faces_the_larger_one_wins(graph):
    node = add_estimator(graph)
    small, large = face(28.0, 24.0, 12.0), face(36.0, 24.0, 20.0, track='f00002')
    for stamp, faces in ((5, (small, large)), (6, (large, small))):
        send(graph, stamp, *faces)
        answer(graph, stamp)
    assert [[d.track_id for d in call[1]] for call in node._slot.present.calls] == [
        ['f00002', 'f00001']] * 2


def test_of_overlapping_discs_the_depth_of_the_nearer_one_stands(graph, estimator):
    image, _ = disc((70.0, 60.0), (90.0, 60.0))
    near, far = at(90.0, 60.0, 60.0), at(70.0, 60.0, 40.0, track='f00002')
    wire = np.full((HEIGHT, WIDTH), 900, np.uint16)
    wire[:, 80:] = 600
    depth = image_to_message(ImageFrame(5, FRAME_ID, '16UC1', wire))
    send(graph, 5, **big(5, far, near, image=image, depth=depth))
    together = answer(graph, 5)['depth_estimated/image_raw']
    send(graph, 6, **big(6, near, image=image, depth=image_to_message(
        ImageFrame(6, FRAME_ID, '16UC1', wire.copy()))))
    alone = answer(graph, 6)['depth_estimated/image_raw']
    covered = np.isfinite(alone)
    np.testing.assert_array_equal(together[covered], alone[covered])
    assert (np.isfinite(together) & ~covered).any()


@pytest.mark.parametrize('roll', [math.pi, -math.pi / 2, 0.7])
def test_a_rolled_face_comes_out_where_it_is(graph, estimator, roll):
    image, inside = disc((50.0, 60.0), radius=12)
    side = at(50.0, 60.0, 40.0, roll=roll)
    send(graph, 5, **big(5, side, image=image))
    seen = answer(graph, 5)['mask'] > 0
    assert (seen ^ inside).sum() < 0.2 * inside.sum()


@pytest.mark.parametrize('level', [0, 2])
def test_no_face_in_the_dark(graph, estimator, level):
    dark = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    send(graph, 5, **big(5, image=dark))
    got = answer(graph, 5)
    assert not got['mask'].any() and np.isnan(got['depth_estimated/image_raw']).all()
    text = warned(graph, 'no_face')
    assert re.match(r'face f00001: no face is seen in the box of f00001: probability 0\.0', text)
    expect_good(graph, 6)


def test_an_overexposed_face_comes_out_within_the_box(graph, estimator):
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    send(graph, 5, **big(5, image=white))
    got = answer(graph, 5)
    y, x = np.nonzero(got['mask'])
    assert x.size and (np.abs(x + 0.5 - 80) <= 24).all() and (np.abs(y + 0.5 - 60) <= 24).all()


def nothing_measured(stamp):
    return depth_message(stamp, 0, width=WIDTH, height=HEIGHT)


def half_sized(stamp):
    return depth_message(stamp, width=WIDTH // 2, height=HEIGHT // 2)


def colourised(stamp):
    return picture(stamp, disc()[0])


def in_metres(stamp):
    return depth_message(stamp, 700_000, '32FC1', WIDTH, HEIGHT)


@pytest.mark.parametrize(('depth', 'cause', 'text'), [
    (half_sized, 'sizes_differ', 'depth is 80 x 60, colour 160 x 120'),
    (colourised, 'depth_encoding', "depth encoding 'rgb8'"),
    (nothing_measured, 'depth_all_invalid', '19200 zeros'),
    (in_metres, 'depth_unit', 'the median depth of the frame is 700 m'),
    (lambda s: depth_message(s - 1, width=WIDTH, height=HEIGHT), 'depth_missing',
     'no depth of the stamp of a frame has come on .*depth/image_raw; it went on without'),
    (gone, 'depth_missing', 'went on without')])
def test_depth_that_cannot_be_used_is_done_without(graph, estimator, depth, cause, text):
    send(graph, 5, **big(5, depth=depth(5)))
    got = answer(graph, 5)
    placed = got['depth_estimated/image_raw']
    by_size = 0.22 * FOCAL / 48.0
    assert got['mask'].any() and abs(np.nanmedian(placed) - by_size) < 0.1
    assert re.search(text, warned(graph, cause))
    values = graph.wait_status(NAME, lambda _, v: v['frames.processed'] == '1')
    assert values[f'noted.{cause}'] == values[f'count.{cause}'] == '1'
    expect_good(graph, 6)


def test_a_camera_without_depth_is_no_warning_and_not_waited_for(graph):
    inputs = {k: v for k, v in INPUTS.items() if k != 'depth'}
    node = add_estimator(graph, inputs=inputs)
    wait_until(lambda: 'depth' not in node._join.awaited, 'look at the inputs')
    send(graph, 5, depth=None)
    depth = answer(graph, 5)['depth_estimated/image_raw']
    assert np.nanmax(depth) == 0.5
    values = graph.wait_status(NAME, lambda s, v: v.get('count.depth_missing') == '1'
                               and s.level == DiagnosticStatus.OK)
    assert values['sensor_depth'] == (
        f'not waited for: nothing comes on {graph.topic("depth/image_raw")}')
    graph.advertise(depth=Image)
    wait_until(lambda: 'depth' in node._join.awaited, 'look at the inputs')
    send(graph, 6)
    np.testing.assert_allclose(np.nanmax(answer(graph, 6)['depth_estimated/image_raw']), 0.7,
                               rtol=1e-6)


def test_depth_is_not_listened_to_where_it_is_not_used(graph):
    node = add_estimator(graph, use_depth=False,
                         inputs={k: v for k, v in INPUTS.items() if k != 'depth'})
    assert graph.topic('depth/image_raw') not in {i.topic for i in node.inputs}
    send(graph, 5, depth=None)
    assert np.nanmax(answer(graph, 5)['depth_estimated/image_raw']) == 0.5
    values = graph.wait_status(NAME, lambda s, v: v['frames.processed'] == '1'
                               and s.level == DiagnosticStatus.OK)
    assert values['sensor_depth'] == 'not used: use_depth is false'
    assert 'count.depth_missing' not in values


def test_a_detection_without_a_face_does_not_touch_the_one_beside_it(graph):
    add_estimator(graph, open_estimator=FakeEstimator)
    send(graph, 5, face(), face(10.0, 10.0, 8.0, score=0.0, track='f00002'))
    got = answer(graph, 5)
    assert set(np.unique(got['mask'][:16, :16])) == {0} and got['mask'][24, 32] == 1
    assert warned(graph, 'no_face') == 'face f00002: probability 0.00'
