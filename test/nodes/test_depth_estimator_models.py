# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Every model of the running node depth_estimator, chosen while it runs; absent ones are said."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticStatus
from drawn_estimators import write_estimators
from estimator_graph import add_estimator, answer, face, NAME, send, set_parameter
from face_depth_ros.core import model_spec
from face_depth_ros.core.errors import BackendUnavailableError
from face_depth_ros.nodes.depth_estimator import DepthEstimatorNode
from face_depth_ros.nodes.headers import stamp_of
from face_depth_ros.predictors.depth_estimator import DepthEstimator
from face_depth_ros.predictors.estimator_methods import NODE_ESTIMATORS
from fake_predictors import color_message, info_message
from hri_msgs.msg import FacialLandmarks
import numpy as np
import pytest
from ros_graph import wait_until

pytestmark = pytest.mark.ros

COMMAND = 'python -m face_depth_ros.training'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where models are looked for; nothing else is found."""
    monkeypatch.setattr(model_spec, 'model_folders', lambda: [tmp_path])
    return tmp_path


def add(graph, **overrides):
    return add_estimator(graph, open_estimator=DepthEstimator, precision='fp32', **overrides)


def bright(stamp):
    """Return what goes with a frame in which the whole face is bright, and no sensor measures."""
    return {'color': color_message(stamp, 200, 200), 'depth': None,
            'color_info': info_message(stamp)}


def direct(model):
    """Return the mask and depth that the predictor alone makes of such a frame."""
    estimator = DepthEstimator(model, precision='fp32')
    color = np.zeros((48, 64, 3), np.uint8)
    color[..., 0] = color[..., 2] = 200
    found = estimator.estimate(color, (face(),), intrinsics=None)
    estimator.close()
    return found


def test_every_model_takes_over_without_losing_a_frame(graph, folder):
    write_estimators(folder, NODE_ESTIMATORS)
    node = add(graph)
    stamp = 0
    for model in (*NODE_ESTIMATORS[1:], NODE_ESTIMATORS[0]):
        assert set_parameter(graph, 'model', model).successful
        running = False
        while not running:
            running = getattr(node._slot.present, 'model', '') == model
            stamp += 1
            send(graph, stamp, **bright(stamp))
            got = answer(graph, stamp)
        np.testing.assert_array_equal(got['mask'], direct(model).mask)
        assert got['mask'].any()
    assert [stamp_of(m.header) for m in graph.received('mask')] == list(range(1, stamp + 1))
    values = graph.wait_status(NAME, lambda _, v: v['frames.processed'] == str(stamp))
    assert values['frames.dropped'] == '0' and values['model'] == 'ours'
    assert values['engine.model'] == 'face_estimator' and values['engine.backend'] == 'openvino'
    assert len(values['engine.sha256']) == 64


def test_the_hash_is_that_of_the_model_that_runs(graph, folder):
    write_estimators(folder, ['cgan'])
    add(graph, model='cgan')
    values = graph.wait_status(NAME, lambda _, v: len(v.get('engine.sha256', '')) == 64)
    path = folder / f'{values["engine.model"]}.yaml'
    path.write_text(path.read_text(encoding='utf-8').replace(
        values['engine.sha256'], '0' * 64), encoding='utf-8')
    graph.probe.statuses.clear()
    again = graph.wait_status(NAME, lambda _, v: 'engine.sha256' in v)
    assert again['engine.sha256'] == values['engine.sha256']


def test_a_model_without_landmarks_gives_none(graph, folder):
    write_estimators(folder, ['cgan'])
    node = add(graph, model='cgan')
    graph.subscribe(FacialLandmarks, 'landmarks/f00001')
    for stamp in (1, 2):
        send(graph, stamp, **bright(stamp))
        got = answer(graph, stamp)
    assert np.isfinite(got['depth_estimated/image_raw'][got['mask'] > 0]).all()
    assert set(np.unique(got['mask'])) == {0, 1}
    assert node._landmarks.tracks == ()


def test_the_path_of_a_spec_is_a_model(graph, folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp('own')
    write_estimators(elsewhere, ['pix2pix'])
    add(graph, model=str(elsewhere / 'pix2pix.yaml'))
    send(graph, 1, **bright(1))
    assert answer(graph, 1)['mask'].any()


def test_absent_at_start_frames_come_out_empty_and_the_node_says_so(graph, folder):
    node = add(graph)
    send(graph, 1, **bright(1))
    got = answer(graph, 1)
    assert np.isnan(got['depth_estimated/image_raw']).all() and not got['mask'].any()
    assert np.isnan(got['depth_estimated/uncertainty']).all()
    values = graph.wait_status(NAME, lambda s, v: s.level == DiagnosticStatus.ERROR
                               and v['frames.processed'] == '1')
    message = graph.probe.statuses[graph.topic(NAME)].message
    assert message.startswith('model ours cannot run, no face is estimated: ')
    assert COMMAND in message and 'face_estimator' in message
    assert values['state'] == 'active' and values['model'] == 'none'
    assert values['count.model_missing'] == '1' and values['engine.backend'] == 'none'
    assert node.get_parameter('model').value == 'ours'
    refused = set_parameter(graph, 'model', 'ours')
    assert not refused.successful and COMMAND in refused.reason
    write_estimators(folder, ['ours'])
    assert set_parameter(graph, 'model', 'ours').successful
    graph.wait_status(NAME, lambda s, v: s.level != DiagnosticStatus.ERROR
                      and v['model'] == 'ours')
    send(graph, 2, **bright(2))
    assert answer(graph, 2)['mask'].any()


@pytest.mark.parametrize('model', ['depthnet', 'cgan', 'nose_counter', '/nowhere/model.yaml', ''])
def test_an_absent_model_is_refused_and_the_old_one_goes_on(graph, folder, model):
    write_estimators(folder, ['ours'])
    node = add(graph)
    refused = set_parameter(graph, 'model', model)
    assert not refused.successful
    assert (COMMAND in refused.reason) == (model in NODE_ESTIMATORS)
    assert node.get_parameter('model').value == 'ours'
    send(graph, 1, **bright(1))
    assert answer(graph, 1)['mask'].any()


def test_a_broken_model_leaves_the_old_one(graph, folder):
    write_estimators(folder, ['ours', 'cgan'])
    (folder / 'cgan.onnx').write_bytes(b'no network')
    node = add(graph)
    assert set_parameter(graph, 'model', 'cgan').successful
    values = graph.wait_status(NAME, lambda _, v: 'count.model_hash' in v)
    assert 'model stays as it was: ' in values['last.model_hash']
    wait_until(lambda: node.get_parameter('model').value == 'ours', 'old parameter')
    send(graph, 1, **bright(1))
    assert answer(graph, 1)['mask'].any()


def test_a_backend_that_is_not_there_fails_the_configuration(graph):
    def open_estimator(**settings):
        raise BackendUnavailableError('no CUDA device')

    graph.add(DepthEstimatorNode, open_estimator=open_estimator)
    values = graph.wait_status(NAME, lambda s, _: s.level == DiagnosticStatus.ERROR)
    assert values['state'] == 'unconfigured' and values['model'] == 'none'
