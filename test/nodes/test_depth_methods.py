# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Every method of the running node, chosen while frames go through; absent ones are said."""

from __future__ import annotations

import itertools
import threading

from diagnostic_msgs.msg import DiagnosticStatus
from enhancer_graph import (
    add_enhancer,
    answer,
    direct_answers,
    face_mm,
    OUTPUTS,
    send,
    set_parameter,
)
from face_depth_ros.core import model_spec
from face_depth_ros.core.errors import BackendUnavailableError
from face_depth_ros.core.frames import Provenance
from face_depth_ros.nodes.depth_enhancer import DepthEnhancerNode
from face_depth_ros.nodes.headers import stamp_of
from face_depth_ros.nodes.image_messages import depth_from_message
from face_depth_ros.predictors.enhancer_methods import METHODS, NETWORK
import numpy as np
from paper_models import write_paper_models
import pytest
from ros_graph import DEADLINE_S, wait_until

pytestmark = pytest.mark.ros

COMMAND = 'python -m face_depth_ros.training.train_paper_enhancer --network dl_beta'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where models are looked for first, and the shipped network; nothing else is found."""
    shipped = model_spec.find_model('depth_enhancer')
    for file in (shipped.path, shipped.onnx):
        (tmp_path / file.name).symlink_to(file.resolve())
    monkeypatch.setattr(model_spec, 'model_folders', lambda: [tmp_path])
    return tmp_path


class Camera:
    """Publishes frames one after the other, each once the one before it has come out."""

    def __init__(self, graph, wire):
        self._graph, self._wire = graph, wire
        self._stop = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        got = self._graph.received('depth_enhanced/image_raw')
        while not self._stop.is_set():
            self.sent += 1
            send(self._graph, self.sent, self._wire)
            wait_until(lambda: len(got) >= self.sent or self._stop.is_set(), 'an answer')

    def stop(self):
        wait_until(lambda: len(self._graph.received('depth_enhanced/image_raw')) >= self.sent,
                   'the last answer')
        self._stop.set()
        self._thread.join(DEADLINE_S)


def test_every_method_takes_over_without_losing_a_frame(graph, folder):
    write_paper_models(folder)
    wire = face_mm()
    expected = {image.tobytes(): method
                for method, image in direct_answers(METHODS, wire).items()}
    assert len(expected) == len(METHODS), 'two methods cannot be told from one another'
    node = add_enhancer(graph)
    camera = Camera(graph, wire)
    wait_until(lambda: camera.sent >= 2, 'the first answer, of the method at the start')
    order = [*METHODS[1:], METHODS[0], METHODS[-2]]
    for method in order:
        assert set_parameter(graph, 'method', method).successful
        wait_until(lambda m=method: node._slot.present.method == m, f'method {method}')
        seen = camera.sent
        wait_until(lambda n=seen: camera.sent >= n + 3, 'frames')
    camera.stop()
    for topic in OUTPUTS:
        wait_until(lambda t=topic: len(graph.received(t)) >= camera.sent, topic)
        stamps = [stamp_of(m.header) for m in graph.received(topic)]
        assert stamps == list(range(1, camera.sent + 1)), topic
    ran = [expected[depth_from_message(m).array.tobytes()]
           for m in graph.received('depth_enhanced/image_raw')]
    assert [method for method, _ in itertools.groupby(ran)] == [NETWORK, *order]
    values = graph.wait_status('depth_enhancer', lambda _, v: v['frames.processed'] == str(
        camera.sent))
    assert values['frames.dropped'] == '0' and values['method'] == order[-1]
    assert values['engine.model'] == 'ddrnet_dn'
    assert not [k for k in values if k.startswith('count.')]


@pytest.mark.parametrize('name', ['method', 'comparison_method'])
def test_an_absent_method_is_refused_with_the_command_that_makes_it(graph, folder, name):
    node = add_enhancer(graph)
    before = node.get_parameter(name).value
    refused = set_parameter(graph, name, 'DL-Beta')
    assert not refused.successful
    assert 'method DL-Beta: there is no model' in refused.reason and COMMAND in refused.reason
    assert node.get_parameter(name).value == before
    wire = face_mm()
    send(graph, 5, wire)
    np.testing.assert_array_equal(answer(graph, 5)['image_raw'],
                                  direct_answers((NETWORK,), wire)[NETWORK])
    values = graph.wait_status('depth_enhancer', lambda _, v: 'count.model_missing' in v)
    assert f'{name} stays as it was: method DL-Beta' in values['last.model_missing']
    assert values['method'] == NETWORK


def test_a_model_that_is_broken_leaves_the_old_method(graph, folder):
    write_paper_models(folder, ['DL-Beta'])
    (folder / 'dl_beta.onnx').write_bytes(b'no network')
    node = add_enhancer(graph, method='Sp-HfU')
    assert set_parameter(graph, 'method', 'DL-Beta').successful
    values = graph.wait_status('depth_enhancer', lambda _, v: 'count.model_hash' in v)
    assert 'method, confidence_threshold stay as they were' in values['last.model_hash']
    wait_until(lambda: node.get_parameter('method').value == 'Sp-HfU', 'old parameter')
    send(graph, 5, face_mm())
    answer(graph, 5)
    graph.wait_status('depth_enhancer', lambda s, v: v['method'] == 'Sp-HfU'
                      and s.level == DiagnosticStatus.OK)


def test_absent_at_start_depth_passes_through_and_the_node_says_so(graph, folder):
    node = add_enhancer(graph, method='DL-Beta')
    for stamp, wire in ((5, face_mm()), (6, face_mm().astype(np.float32) * np.float32(1e-3))):
        send(graph, stamp, wire)
        got = answer(graph, stamp)
        expected = wire if stamp == 5 else np.where(wire > 0, wire, np.float32(np.nan))
        np.testing.assert_array_equal(got['image_raw'], expected)
        assert set(np.unique(got['provenance'])) == {Provenance.LEFT_ALONE}
        assert not got['confidence'].any()
    values = graph.wait_status('depth_enhancer', lambda s, v: s.level == DiagnosticStatus.ERROR
                               and v['frames.processed'] == '2')
    message = graph.probe.statuses[graph.topic('depth_enhancer')].message
    assert message.startswith('method DL-Beta cannot run, depth passes through unchanged: ')
    assert COMMAND in message
    assert values['state'] == 'active' and values['method'] == 'None'
    assert values['count.model_missing'] == '1' and values['engine.backend'] == 'none'
    assert node.get_parameter('method').value == 'DL-Beta'


def test_a_model_made_later_runs_once_it_is_asked_for_again(graph, folder):
    add_enhancer(graph, method='DL-Beta')
    graph.wait_status('depth_enhancer', lambda s, _: s.level == DiagnosticStatus.ERROR)
    assert COMMAND in set_parameter(graph, 'method', 'DL-Beta').reason
    graph.wait_status('depth_enhancer', lambda s, v: s.level == DiagnosticStatus.ERROR
                      and v['count.model_missing'] == '2')
    write_paper_models(folder, ['DL-Beta'])
    assert set_parameter(graph, 'method', 'DL-Beta').successful
    graph.wait_status('depth_enhancer', lambda s, v: s.level != DiagnosticStatus.ERROR
                      and v['method'] == 'DL-Beta')
    wire = face_mm()
    send(graph, 5, wire)
    np.testing.assert_array_equal(answer(graph, 5)['image_raw'],
                                  direct_answers(('DL-Beta',), wire)['DL-Beta'])


def test_the_error_ends_when_nothing_more_is_asked_for(graph, folder):
    add_enhancer(graph, method='DL-Beta')
    graph.wait_status('depth_enhancer', lambda s, _: s.level == DiagnosticStatus.ERROR)
    assert set_parameter(graph, 'silence_timeout', 3.0).successful
    values = graph.wait_status('depth_enhancer', lambda _, v: v['count.model_missing'] == '2')
    assert graph.probe.statuses[graph.topic('depth_enhancer')].level == DiagnosticStatus.ERROR, (
        values)
    assert set_parameter(graph, 'method', 'None').successful
    graph.wait_status('depth_enhancer', lambda s, v: s.level != DiagnosticStatus.ERROR
                      and v['method'] == 'None')


def test_a_backend_that_is_not_there_still_fails_the_configuration(graph):
    def open_enhancer(**settings):
        raise BackendUnavailableError('no CUDA device')

    graph.add(DepthEnhancerNode, open_enhancer=open_enhancer)
    values = graph.wait_status('depth_enhancer', lambda s, _: s.level == DiagnosticStatus.ERROR)
    assert values['state'] == 'unconfigured' and values['method'] == 'none'
