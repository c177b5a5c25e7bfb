# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""Two methods side by side: made only while somebody looks, after everything else is out."""

from __future__ import annotations

import itertools
import threading

from diagnostic_msgs.msg import DiagnosticStatus
from enhancer_graph import (
    add_enhancer,
    answer,
    BOX,
    COMPARISON,
    direct_answers,
    face_mm,
    FACES,
    FOCAL,
    OUTPUTS,
    send,
    set_parameter,
    SIZE,
)
from face_depth_ros.core import model_spec
from face_depth_ros.core.depth import depth_to_metres
from face_depth_ros.core.depth_comparison import comparison_picture, LabelledDepth, strip_height
from face_depth_ros.core.errors import ModelSpecError
from face_depth_ros.nodes.depth_enhancer import DepthEnhancerNode
from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.topic_adapters import IMAGE
from face_depth_ros.predictors.depth_enhancer import DepthEnhancer
from fake_predictors import FakeEnhancer, FRAME_ID
import numpy as np
from paper_models import write_paper_models
import pytest
from rclpy.parameter import Parameter
from ros_graph import wait_until
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection2DArray

pytestmark = pytest.mark.ros


class Counting(FakeEnhancer):
    """Counts what is asked of other methods, and can hold it up."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.others, self.prepared = 0, []
        self.gate = threading.Event()
        self.gate.set()

    def prepare(self, method):
        super().prepare(method)
        self.prepared.append(method)

    def enhance(self, depth, detections, method=None, **how):
        if method is not None:
            assert method in self.prepared
            self.others += 1
            assert self.gate.wait(30.0)
        return super().enhance(depth, detections, method, **how)


def add_counting(graph, **options):
    node = graph.add(DepthEnhancerNode, open_enhancer=Counting, **options)
    graph.advertise(depth=Image, depth_info=CameraInfo, detections=Detection2DArray)
    return node


def send_until(graph, arrived, stamps):
    """Send frames until something came; return the stamps sent."""
    sent = []
    for stamp in stamps:
        send(graph, stamp, face_mm())
        graph.wait_stamp('depth_enhanced/provenance', stamp)
        sent.append(stamp)
        if arrived():
            return sent
    raise AssertionError('unreachable')


def picture_of(message):
    assert message.encoding == 'rgb8' and message.header.frame_id == FRAME_ID
    assert len(message.data) == message.step * message.height
    return np.asarray(message.data, np.uint8).reshape(message.height, message.width, 3)


def expected_picture(left, right, labels):
    """Draw what two methods make of the face, straight from the predictor."""
    depth = depth_to_metres(face_mm(), '16UC1')
    enhancer = DepthEnhancer(method=left, precision='fp32')
    enhancer.prepare(right)
    sides = [LabelledDepth(label, enhancer.enhance(depth, FACES, method=method).depth)
             for label, method in zip(labels, (left, right), strict=True)]
    enhancer.close()
    return comparison_picture(sides[0], sides[1], [BOX], FOCAL)


def test_nothing_is_compared_until_somebody_subscribes_and_after_he_left(graph):
    node = add_counting(graph)
    graph.subscribe(Image, 'depth_enhanced/provenance')
    graph.wait_ready('depth_enhancer')
    for stamp in (1, 2, 3):
        send(graph, stamp, face_mm())
        graph.wait_stamp('depth_enhanced/provenance', stamp)
    fake = node._slot.present
    assert fake.others == 0 and fake.prepared == []
    looking = graph.subscribe(Image, COMPARISON)
    wait_until(lambda: node._comparison.demand, 'demand')
    send_until(graph, lambda: graph.received(COMPARISON), itertools.count(4))
    wait_until(lambda: node.work.mailbox.wait_idle(1.0), 'end of work')
    assert fake.others and set(fake.prepared) == {'None'}
    graph.probe.unsubscribe(looking)
    wait_until(lambda: not node._comparison.demand, 'end of demand')
    before = fake.others
    for stamp in (1001, 1002):
        send(graph, stamp, face_mm())
        graph.wait_stamp('depth_enhanced/provenance', stamp)
    wait_until(lambda: node.work.mailbox.wait_idle(1.0), 'end of work')
    assert fake.others == before


def test_the_comparison_alone_makes_the_node_work(graph):
    node = add_counting(graph)
    graph.subscribe(Image, COMPARISON)
    graph.wait_ready('depth_enhancer')
    for stamp in itertools.count(1):
        send(graph, stamp, face_mm())
        wait_until(lambda s=stamp: node.health.report().frames >= s, 'a frame')
        if graph.received(COMPARISON):
            break
    assert all(o.messages_sent == 0 for o in node.outputs if o is not node._comparison)


def test_the_main_outputs_do_not_wait_for_the_comparison(graph):
    node = add_counting(graph)
    graph.subscribe(Image, 'depth_enhanced/provenance')
    graph.subscribe(Image, COMPARISON)
    graph.wait_ready('depth_enhancer')
    sent = send_until(graph, lambda: graph.received(COMPARISON), itertools.count(1))
    wait_until(lambda: node.work.mailbox.wait_idle(1.0), 'end of work')
    fake = node._slot.present
    fake.gate.clear()
    before = fake.others
    send(graph, 5000, face_mm())
    graph.wait_stamp('depth_enhanced/provenance', 5000)
    wait_until(lambda: fake.others == before + 1, 'comparison in work')
    assert 5000 not in {m.header.stamp.nanosec for m in graph.received(COMPARISON)}
    fake.gate.set()
    graph.wait_stamp(COMPARISON, 5000)
    assert len(sent) < 5000


def test_inside_the_process_the_picture_is_handed_on_without_a_message(graph):
    exchange, got = Exchange(), []
    node = add_counting(graph, exchange=exchange)
    subscription = exchange.subscribe(
        graph.topic(COMPARISON), IMAGE.type_name, got.append, lambda: None)
    graph.wait_ready('depth_enhancer')
    for stamp in itertools.count(1):
        send(graph, stamp, face_mm())
        wait_until(lambda s=stamp: node.health.report().frames >= s, 'a frame')
        if got:
            break
    assert got[0].encoding == 'rgb8' and got[0].frame_id == FRAME_ID
    assert got[0].array.shape == (SIZE + strip_height(SIZE), 2 * SIZE, 3)
    assert node._comparison.messages_sent == 0
    subscription.close()
    wait_until(lambda: not node._comparison.demand, 'end of demand')


def test_left_is_the_method_right_the_other_and_both_follow_their_parameters(graph):
    node = add_enhancer(graph)
    graph.subscribe(Image, COMPARISON)
    wait_until(lambda: node._comparison.demand, 'demand')
    stamps = itertools.count(1)

    def picture(method, other):
        def running():
            return (node._slot.present.method == method
                    and node.settings.comparison_method == other)
        wait_until(running, f'{method} beside {other}')
        got = graph.received(COMPARISON)
        got.clear()
        send_until(graph, lambda: got, stamps)
        wait_until(lambda: node.work.mailbox.wait_idle(1.0), 'end of work')
        return picture_of(graph.wait_stamp(COMPARISON, got[-1].header.stamp.nanosec))

    np.testing.assert_array_equal(
        picture('network', 'None'),
        expected_picture('network', 'None', ('network', 'None (as measured)')))
    assert set_parameter(graph, 'comparison_method', 'Sp-HfU').successful
    np.testing.assert_array_equal(picture('network', 'Sp-HfU'), expected_picture(
        'network', 'Sp-HfU', ('network', 'Sp-HfU')))
    assert set_parameter(graph, 'method', 'De-M8').successful
    np.testing.assert_array_equal(picture('De-M8', 'Sp-HfU'), expected_picture(
        'De-M8', 'Sp-HfU', ('De-M8', 'Sp-HfU')))


def test_a_frame_without_a_face_or_a_valid_pixel_is_shown_too(graph):
    node = add_counting(graph)
    graph.subscribe(Image, 'depth_enhanced/provenance')
    graph.subscribe(Image, COMPARISON)
    graph.wait_ready('depth_enhancer')
    for stamp in itertools.count(1):
        send(graph, stamp, np.zeros((48, 64), np.uint16), faces=())
        graph.wait_stamp('depth_enhanced/provenance', stamp)
        wait_until(lambda: node.work.mailbox.wait_idle(1.0), 'end of work')
        if graph.received(COMPARISON):
            break
    assert picture_of(graph.received(COMPARISON)[0]).shape == (48 + strip_height(48), 128, 3)


def test_an_absent_second_method_is_counted_and_costs_the_main_outputs_nothing(
        graph, tmp_path, monkeypatch):
    shipped = model_spec.find_model('depth_enhancer')
    for file in (shipped.path, shipped.onnx):
        (tmp_path / file.name).symlink_to(file.resolve())
    monkeypatch.setattr(model_spec, 'model_folders', lambda: [tmp_path])
    node = add_enhancer(graph, comparison_method='DL-Beta')
    graph.subscribe(Image, COMPARISON)
    wait_until(lambda: node._comparison.demand, 'demand')
    wire = face_mm()
    expected = direct_answers(('network',), wire)['network']

    def counted(_, values):
        return int(values.get('count.model_missing', '0')) >= 2

    for stamp in itertools.count(1):
        send(graph, stamp, wire)
        np.testing.assert_array_equal(answer(graph, stamp)['image_raw'], expected)
        if node.health.report().counts.get('model_missing', 0) >= 2:
            break
    values = graph.wait_status('depth_enhancer', lambda s, v: counted(s, v)
                               and s.level == DiagnosticStatus.WARN)
    assert 'there is no comparison with DL-Beta: method DL-Beta: there is no model' in values[
        'last.model_missing']
    assert 'train_paper_enhancer --network dl_beta' in values['last.model_missing']
    assert values['method'] == 'network' and not graph.received(COMPARISON)
    write_paper_models(tmp_path, ['DL-Beta'])
    assert set_parameter(graph, 'comparison_method', 'DL-Beta').successful
    send_until(graph, lambda: graph.received(COMPARISON), itertools.count(10**6))
    graph.wait_status('depth_enhancer', lambda s, _: s.level == DiagnosticStatus.OK)
    assert all(len(graph.received(topic)) >= stamp for topic in OUTPUTS)


def test_a_predictor_that_takes_over_brings_the_second_method_with_it(graph):
    node = add_counting(graph, parameter_overrides=[
        Parameter('comparison_method', value='De-M8')])
    graph.subscribe(Image, 'depth_enhanced/provenance')
    graph.subscribe(Image, COMPARISON)
    graph.wait_ready('depth_enhancer')
    send_until(graph, lambda: graph.received(COMPARISON), itertools.count(1))
    old = node._slot.present
    assert set_parameter(graph, 'method', 'De-M2').successful
    wait_until(lambda: node._slot.present is not old, 'exchange')
    assert node._slot.present.prepared == ['De-M8'] and old.closed
    send(graph, 10**6, face_mm())
    graph.wait_stamp(COMPARISON, 10**6)


def test_what_goes_wrong_in_the_comparison_is_counted(graph):
    class Failing(Counting):
        def enhance(self, depth, detections, method=None, **how):
            if method is not None:
                raise ModelSpecError('out of order', cause='out_of_order')
            return super().enhance(depth, detections, **how)

    node = graph.add(DepthEnhancerNode, open_enhancer=Failing)
    graph.advertise(depth=Image, depth_info=CameraInfo, detections=Detection2DArray)
    graph.subscribe(Image, 'depth_enhanced/provenance')
    graph.subscribe(Image, COMPARISON)
    graph.wait_ready('depth_enhancer')
    send_until(graph, lambda: node.health.report().counts.get('out_of_order'),
               itertools.count(1))
    values = graph.wait_status('depth_enhancer', lambda s, _: s.level == DiagnosticStatus.WARN)
    assert values['last.out_of_order'] == 'out of order'
    assert not graph.received(COMPARISON)
