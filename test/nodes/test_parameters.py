# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from dataclasses import dataclass, FrozenInstanceError

from face_depth_ros.nodes import parameters
from face_depth_ros.nodes.describe import NODES
from face_depth_ros.nodes.parameters import Change, parameter
import pytest
from rcl_interfaces.msg import ParameterType
from rclpy.context import Context
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

pytestmark = pytest.mark.ros


@dataclass(frozen=True)
class Settings:
    flag: bool = parameter(True, 'a switch', change=Change.START)
    share: float = parameter(0.5, 'a share', minimum=0.0, maximum=1.0)
    count: int = parameter(3, 'a number', minimum=1, maximum=9)
    kind: str = parameter('a', 'a kind', choices=('a', 'b'), change=Change.UNCONFIGURED)
    path: str = parameter('', 'anything')


@pytest.fixture
def make_node():
    context = Context()
    context.init()
    made = []

    def make(**overrides):
        node = Node('parameters', context=context, parameter_overrides=[
            Parameter(k, value=v) for k, v in overrides.items()])
        made.append(node)
        parameters.declare(node, Settings)
        return node

    yield make
    for node in made:
        node.destroy_node()
    context.shutdown()


def test_defaults_and_overrides_become_one_frozen_value(make_node):
    assert parameters.read(make_node(), Settings) == Settings()
    got = parameters.read(make_node(share=0.25, kind='b'), Settings)
    assert got == Settings(share=0.25, kind='b')
    with pytest.raises(FrozenInstanceError):
        got.share = 1.0


def test_ros_knows_description_range_choices_and_what_is_read_only(make_node):
    node = make_node()
    share = node.describe_parameter('share')
    assert share.type == ParameterType.PARAMETER_DOUBLE
    assert share.description == 'a share; may change at run time'
    assert (share.floating_point_range[0].from_value,
            share.floating_point_range[0].to_value) == (0.0, 1.0)
    assert node.describe_parameter('count').integer_range[0].to_value == 9
    assert node.describe_parameter('kind').additional_constraints == 'one of a, b'
    assert node.describe_parameter('flag').read_only


@pytest.mark.parametrize('overrides,error,text', [
    ({'share': 1.5}, InvalidParameterValueException, 'share'),
    ({'count': 0}, InvalidParameterValueException, 'count'),
    ({'kind': 'z'}, ValueError, "kind is 'z', expected one of a, b"),
    ({'count': 'many'}, InvalidParameterTypeException, 'count'),
])
def test_a_wrong_override_stops_the_node(make_node, overrides, error, text):
    with pytest.raises(error, match=text):
        make_node(**overrides)


@pytest.mark.parametrize('name,value,unconfigured,reason', [
    ('share', 0.9, False, ''),
    ('share', 1.1, False, 'share is 1.1, expected 0 to 1'),
    ('share', float('nan'), False, 'share is nan, expected a finite number'),
    ('count', 10, False, 'count is 10, expected 1 to 9'),
    ('kind', 'b', True, ''),
    ('kind', 'b', False, 'kind can only change while the node is unconfigured'),
    ('kind', 'c', True, "kind is 'c', expected one of a, b"),
    ('somebody_elses', 5, False, ''),
])
def test_changes_are_judged(name, value, unconfigured, reason):
    result = parameters.check_change(Settings, [Parameter(name, value=value)], unconfigured)
    assert result.successful == (not reason)
    assert result.reason.startswith(reason)


@pytest.mark.parametrize('settings', [n.settings_type for n in NODES])
def test_every_parameter_of_every_node_is_described_and_bounded(settings):
    settings()
    for f, info in parameters.schema(settings):
        assert len(info.description) > 10, f.name
        if isinstance(f.default, (int, float)) and not isinstance(f.default, bool):
            assert info.minimum is not None and info.maximum is not None, f.name
        assert not parameters.problem(f, info, f.default), f.name
