# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
The executable component_container: loads components into one process over three services.

It answers ~/_container/{load_node,unload_node,list_nodes} as rclcpp's containers do, so that
unmodified launch files and `ros2 component` drive it. Components are Python entry points of the
group `face_depth_ros.components`, named `package::Class`. The components of one container hand
frames to each other by reference, and take messages from outside together.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import gc
from importlib.metadata import entry_points
import sys
from typing import Any

from composition_interfaces.srv import ListNodes, LoadNode, UnloadNode
from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.process import EXECUTORS, run
from face_depth_ros.nodes.qos_events import MATCHED_EVENTS
from face_depth_ros.nodes.shared_subscriptions import NO_TYPE_DESCRIPTION, SharedSubscriptions
from face_depth_ros.nodes.worker_node import STEADY_CLOCK
from rclpy.executors import Executor
from rclpy.logging import LoggingSeverity
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.utilities import remove_ros_args

ENTRY_POINT_GROUP = 'face_depth_ros.components'
HANDOFF_ARGUMENT = 'use_intra_process_comms'
GLOBALS_ARGUMENT = 'forward_global_arguments'


class ComponentError(Exception):
    """A component cannot be loaded; the text goes to the caller of the service."""


@dataclass(frozen=True)
class _Loaded:
    """One component in the container."""

    full_name: str
    node: Node


class ComponentContainer(Node):
    """
    The node that serves the three services.

    :param executor: spins this node and all components
    :param components: name -> factory; None = the installed entry points
    :param matched_events: whether components learn of demand by events, or poll
    :param kwargs: of `rclpy.node.Node`
    """

    def __init__(self, executor: Executor, *,
                 components: Mapping[str, Callable[..., Node]] | None = None,
                 matched_events: bool = MATCHED_EVENTS,
                 **kwargs: Any) -> None:
        super().__init__('component_container', **kwargs)
        self._spinner = executor
        self._components = components
        self._matched_events = matched_events
        self._inputs = SharedSubscriptions(self, self._fail)
        self.exchange = Exchange(self._inputs)
        self._loaded: dict[int, _Loaded] = {}
        self._last_id = 0
        # once, and after everything is ready: requests to a service that comes twice are lost
        self.create_service(LoadNode, '~/_container/load_node', self._on_load)
        self.create_service(UnloadNode, '~/_container/unload_node', self._on_unload)
        self.create_service(ListNodes, '~/_container/list_nodes', self._on_list)

    def destroy_node(self) -> None:
        """Unload everything, the last loaded first, and leave."""
        for unique_id in reversed(list(self._loaded)):
            self._unload(unique_id)
        self._inputs.close()
        super().destroy_node()

    def _fail(self, error: BaseException) -> None:
        """End as if the executor of the components had met the error."""
        def meet() -> None:
            raise error

        # by a timer: where a task raises, the events executor (Jazzy 7.1) ends without a word
        self._spinner.create_task(lambda: self.create_timer(0.0, meet, clock=STEADY_CLOCK))

    def _on_load(self, request: LoadNode.Request, response: LoadNode.Response) -> (
            LoadNode.Response):
        what = f'{request.plugin_name!r} of package {request.package_name!r}'
        try:
            factory = self._factory(request.package_name, request.plugin_name)
            node = self._make(factory, request)
        except ComponentError as error:
            response.success, response.error_message = False, str(error)
            self.get_logger().error(f'cannot load {what}: {error}')
            self._spinner.create_task(gc.collect)  # a half-made node would stay in the graph
            return response
        self._last_id += 1
        self._loaded[self._last_id] = _Loaded(node.get_fully_qualified_name(), node)
        self._spinner.add_node(node)
        response.success = True
        response.unique_id = self._last_id
        response.full_node_name = node.get_fully_qualified_name()
        self.get_logger().info(f'loaded {what} as {response.full_node_name}')
        return response

    def _on_unload(self, request: UnloadNode.Request, response: UnloadNode.Response) -> (
            UnloadNode.Response):
        if request.unique_id not in self._loaded:
            response.success = False
            response.error_message = f'No node found with unique_id: {request.unique_id}'
            self.get_logger().warning(response.error_message)
            return response
        self._unload(request.unique_id)
        response.success = True
        return response

    def _on_list(self, _request: ListNodes.Request, response: ListNodes.Response) -> (
            ListNodes.Response):
        response.unique_ids = list(self._loaded)
        response.full_node_names = [c.full_name for c in self._loaded.values()]
        return response

    def _unload(self, unique_id: int) -> None:
        node = self._loaded.pop(unique_id).node
        self._spinner.remove_node(node)
        node.destroy_node()

    def _factory(self, package: str, plugin: str) -> Callable[..., Node]:
        """Return what makes a component; the texts are those of rclcpp's containers."""
        if self._components is not None:
            known: Mapping[str, Any] = self._components
        else:
            known = {e.name: e for e in entry_points(group=ENTRY_POINT_GROUP)}
        if not any(name.startswith(f'{package}::') for name in known):
            raise ComponentError(
                f'Could not find requested resource in ament index: no entry point of the group '
                f'{ENTRY_POINT_GROUP} is named {package}::...')
        if plugin not in known or not plugin.startswith(f'{package}::'):
            raise ComponentError(
                f'Failed to find class with the requested plugin name. Package {package} has '
                f'{", ".join(sorted(n for n in known if n.startswith(f"{package}::")))}')
        found = known[plugin]
        try:
            return found.load() if hasattr(found, 'load') else found
        except Exception as error:
            raise ComponentError(f'Failed to load library: {error!r}') from error

    def _make(self, factory: Callable[..., Node], request: LoadNode.Request) -> Node:
        """Make a node as the request says, or nothing."""
        try:
            extra, log_level = _extra_arguments(request), LoggingSeverity(request.log_level)
            overrides = [Parameter.from_parameter_msg(p) for p in request.parameters]
        except ValueError as error:
            raise ComponentError(f'The request cannot be read: {error}') from error
        arguments = [a for rule in request.remap_rules for a in ('-r', rule)]
        if request.node_name:
            arguments += ['-r', f'__node:={request.node_name}']
        if request.node_namespace:
            arguments += ['-r', f'__ns:={request.node_namespace}']
        options: dict[str, Any] = {
            'cli_args': ['--ros-args', *arguments] if arguments else [],
            'use_global_arguments': extra[GLOBALS_ARGUMENT],
            'parameter_overrides': [NO_TYPE_DESCRIPTION, *overrides],
            'context': self.context}
        if getattr(factory, 'takes_handoff', False):
            options['exchange'] = self.exchange if extra[HANDOFF_ARGUMENT] else None
            options['matched_events'] = self._matched_events
        name = request.node_name or getattr(factory, 'default_name', '')
        if name:
            self._check_new(f'{request.node_namespace.rstrip("/")}/{name}')
        try:
            node = factory(**options)
        except Exception as error:
            raise ComponentError(f'Component constructor threw an exception: {error}') from error
        try:
            self._check_new(node.get_fully_qualified_name())
        except ComponentError:
            node.destroy_node()
            raise
        if request.log_level:
            node.get_logger().set_level(log_level)
        return node

    def _check_new(self, name: str) -> None:
        """Refuse a name that is taken: two nodes of one name cannot be told apart."""
        full_name = name if name.startswith('/') else f'/{name}'
        if full_name in (self.get_fully_qualified_name(), self._inputs.name,
                         *(c.full_name for c in self._loaded.values())):
            raise ComponentError(
                f'A node with the fully qualified name {full_name} is already in this container; '
                'give another name or namespace, or unload it first')


def main() -> int:
    """Run a container until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description='Runs components in one process.')
    parser.add_argument('--executor', choices=EXECUTORS, default=EXECUTORS[0],
                        help='what spins the components (default: %(default)s)')
    choice = parser.parse_args(remove_ros_args(sys.argv)[1:]).executor
    # the events executor may crash when a publisher with matched events goes (rclpy 1644)
    return run(lambda executor: ComponentContainer(executor, matched_events=choice != 'events'),
               choice)


def _extra_arguments(request: LoadNode.Request) -> dict[str, bool]:
    """Return the extra arguments; hand-off is on unless it is switched off."""
    values = {HANDOFF_ARGUMENT: True, GLOBALS_ARGUMENT: False}
    for message in request.extra_arguments:
        p = Parameter.from_parameter_msg(message)
        if p.name not in values:
            continue  # as rclcpp does: launch files may say more than a container knows
        if not isinstance(p.value, bool):
            raise ComponentError(f'Extra component argument {p.name!r} must be a boolean')
        values[p.name] = p.value
    return values
