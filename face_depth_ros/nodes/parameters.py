# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
Node parameters from one schema: a frozen dataclass whose fields carry description and range.

The same fields declare the ROS parameters, check every later change, give the node its settings
as one immutable value, and print the table of the README and config/face_depth.yaml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, Field, field, fields
from enum import Enum
import math
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

SettingsT = TypeVar('SettingsT')

_ROS_TYPES = {bool: 'bool', int: 'integer', float: 'double', str: 'string'}


class Change(Enum):
    """When a parameter may change."""

    RUN_TIME = 'at run time'
    UNCONFIGURED = 'while unconfigured'
    START = 'at start only'


@dataclass(frozen=True)
class ParameterInfo:
    """
    What ROS is told about a parameter besides its name, type and default.

    :param minimum: smallest value, None where there is no range
    :param choices: the values that a string may have; empty = any
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    change: Change = Change.RUN_TIME


def parameter(default: Any, description: str, **info: Any) -> Any:
    """
    Return a dataclass field that is a ROS parameter.

    :param info: the fields of `ParameterInfo`
    """
    return field(default=default, metadata={'ros': ParameterInfo(description, **info)})


@dataclass(frozen=True)
class NodeSettings:
    """Parameters that every node of the package has."""

    autostart: bool = parameter(
        True, 'configure and activate by itself once the node is up', change=Change.START)
    silence_timeout: float = parameter(
        2.0, 'seconds without a message after which diagnostics call a needed topic silent',
        minimum=0.1, maximum=60.0)


@dataclass(frozen=True)
class EngineSettings(NodeSettings):
    """Parameters of nodes that run a network."""

    backend: str = parameter(
        'auto', 'inference engine; auto = TensorRT where a GPU and its package are, else OpenVINO',
        choices=('auto', 'tensorrt', 'openvino'), change=Change.UNCONFIGURED)
    precision: str = parameter(
        'auto', 'arithmetic of the engine; auto = the fastest that machine and model allow',
        choices=('auto', 'fp32', 'fp16', 'bf16', 'int8'), change=Change.UNCONFIGURED)


def schema(settings_type: type) -> list[tuple[Field[Any], ParameterInfo]]:
    """Return the parameters of a settings class in the order of its fields."""
    return [(f, f.metadata['ros']) for f in fields(settings_type)]


def declare(node: Node, settings_type: type[SettingsT]) -> None:
    """
    Declare every parameter of a settings class on a node.

    :raises rclpy.exceptions.InvalidParameterValueException: an override leaves its range
    :raises rclpy.exceptions.InvalidParameterTypeException: an override has another type
    """
    for f, info in schema(settings_type):
        value = node.declare_parameter(f.name, f.default, _descriptor(f, info)).value
        reason = problem(f, info, value)
        if reason:
            raise ValueError(f'parameter {reason}')


def read(node: Node, settings_type: type[SettingsT]) -> SettingsT:
    """Return the present values of the declared parameters."""
    return settings_type(**{f.name: node.get_parameter(f.name).value
                            for f in fields(settings_type)})  # type: ignore[arg-type]


def check_change(settings_type: type, parameters: Sequence[Parameter],
                 unconfigured: bool) -> SetParametersResult:
    """
    Judge a change of parameters; names that are not in the schema are somebody else's.

    :param unconfigured: whether the node is in the state `unconfigured`
    """
    known = {f.name: (f, info) for f, info in schema(settings_type)}
    for p in parameters:
        if p.name not in known:
            continue
        f, info = known[p.name]
        reason = problem(f, info, p.value)
        if not reason and info.change is Change.UNCONFIGURED and not unconfigured:
            reason = (f'{p.name} can only change while the node is unconfigured; deactivate and '
                      'clean it up first')
        if reason:
            return SetParametersResult(successful=False, reason=reason)
    return SetParametersResult(successful=True)


def problem(f: Field[Any], info: ParameterInfo, value: Any) -> str:
    """Return why a value is refused, '' when it is not."""
    if info.choices and value not in info.choices:
        return f'{f.name} is {value!r}, expected one of {", ".join(info.choices)}'
    if isinstance(value, float) and not math.isfinite(value):
        return f'{f.name} is {value}, expected a finite number'
    low, high = info.minimum, info.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        return f'{f.name} is {value}, expected {_range_text(info)}'
    return ''


def table(settings_type: type) -> list[tuple[str, str, str, str, str, str]]:
    """Return rows (name, type, default, allowed values, changeable, description)."""
    return [(f.name, _ROS_TYPES[type(f.default)], _value_text(f.default),
             ' '.join(info.choices) or _range_text(info), info.change.value, info.description)
            for f, info in schema(settings_type)]


def _descriptor(f: Field[Any], info: ParameterInfo) -> ParameterDescriptor:
    constraints = f'one of {", ".join(info.choices)}' if info.choices else ''
    descriptor = ParameterDescriptor(
        name=f.name, description=f'{info.description}; may change {info.change.value}',
        additional_constraints=constraints, read_only=info.change is Change.START)
    if info.minimum is not None and info.maximum is not None:
        if isinstance(f.default, int):
            descriptor.integer_range = [IntegerRange(
                from_value=int(info.minimum), to_value=int(info.maximum), step=1)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(
                from_value=float(info.minimum), to_value=float(info.maximum), step=0.0)]
    return descriptor


def _range_text(info: ParameterInfo) -> str:
    return '' if info.minimum is None else f'{info.minimum:g} to {info.maximum:g}'


def _value_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
