# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
A lifecycle node whose transitions run off the executor's thread, and report how they fail.

rclpy runs transitions in the service callback, where loading an engine would block the whole
container, swallows their exceptions, and lets an impossible transition end the process.
"""

from __future__ import annotations

from collections.abc import Callable
import traceback
from typing import Any

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.nodes.health import Health
from face_depth_ros.nodes.serial_worker import SerialWorker
from lifecycle_msgs.srv import ChangeState
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future

CLOSE_TIMEOUT_S = 10.0

RCLError: type[Exception] = rclpy_implementation.RCLError


class ManagedNode(LifecycleNode):
    """
    Lifecycle with reported failures.

    Subclasses override `load`, `start_work`, `stop_work` and `release`; an exception of `load` or
    `start_work` fails the transition with its message, and the node can be configured again.

    :param kwargs: of `rclpy.node.Node`
    """

    def __init__(self, node_name: str, **kwargs: Any) -> None:
        super().__init__(node_name, **kwargs)
        self.health = Health(self.get_logger().warning)
        self.failure = ''
        """Why the last transition failed, '' when it did not."""
        self._destroyed = False
        self._transitions = SerialWorker(f'{node_name} transitions')
        self._change_state_service = self._service_change_state.callback
        # rclpy awaits coroutines here, though its annotations do not say so
        self._service_change_state.callback = self._on_change_state  # type: ignore[assignment]

    @property
    def state_label(self) -> str:
        """The lifecycle state: 'unconfigured', 'inactive', 'active', ..."""
        return str(self._state_machine.current_state[1])

    def load(self) -> None:
        """Get ready to work; may take long."""

    def start_work(self) -> None:
        """Begin to work."""

    def stop_work(self) -> None:
        """Stop working; no result of earlier frames may come out afterwards."""

    def release(self) -> None:
        """Undo `load`; also after it failed half way, and twice."""

    def in_background(self, job: Callable[[], None]) -> None:
        """Run a slow job between the transitions; an error that it lets out is counted."""
        def guarded() -> None:
            try:
                job()
            except Exception as error:  # noqa: BLE001  (transitions must still be possible)
                self.get_logger().error(traceback.format_exc(), once=True)
                self.health.count('internal_error', f'a job in the background failed: {error!r}')

        self._transitions.submit(guarded)

    def on_executor(self, callback: Callable[[], None]) -> None:
        """Run a callback on the executor's thread soon, while the node is spun."""
        executor = self.executor
        if executor is not None:
            executor.create_task(lambda: None if self._destroyed else callback())

    def autostart(self) -> None:
        """Configure and activate in the background."""
        self._transitions.submit(self._configure_and_activate)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load; on failure stay unconfigured."""
        return self._attempt('configure', self.load, super().on_configure, state, self.release)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work."""
        return self._attempt('activate', self.start_work, super().on_activate, state,
                             self.stop_work)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working."""
        return self._attempt('deactivate', self.stop_work, super().on_deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release what was loaded."""
        return self._attempt('clean up', self.release, super().on_cleanup, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and release, from any state."""
        def stop_and_release() -> None:
            self.stop_work()
            self.release()
        return self._attempt('shut down', stop_and_release, super().on_shutdown, state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to unconfigured."""
        return self._attempt('recover', self.release, super().on_error, state)

    def close_transitions(self) -> None:
        """Wait for the transition in work, and allow no more."""
        if not self._transitions.close(CLOSE_TIMEOUT_S):
            self.get_logger().warning('a transition is still at work while the node is destroyed')

    def destroy_node(self) -> None:
        """Destroy the state machine too: rclpy keeps it, and with it the node, in the graph."""
        self._destroyed = True
        self.close_transitions()
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    def _attempt(self, name: str, action: Callable[[], None],
                 inherited: Callable[[LifecycleState], TransitionCallbackReturn],
                 state: LifecycleState,
                 undo: Callable[[], None] | None = None) -> TransitionCallbackReturn:
        """Run a transition; report what goes wrong instead of swallowing it."""
        try:
            action()
            result = inherited(state)
        except Exception as error:  # noqa: BLE001  (rclpy would swallow it)
            self._report(name, error)
            if undo is not None:
                undo()
            return TransitionCallbackReturn.FAILURE
        self.failure = ''
        return result

    def _report(self, name: str, error: Exception) -> None:
        self.failure = f'cannot {name}: {error}'
        cause = error.cause if isinstance(error, FaceDepthError) else 'internal_error'
        if not isinstance(error, FaceDepthError):
            self.get_logger().error(traceback.format_exc())
        self.get_logger().error(self.failure)
        self.health.count(cause, str(error), problem=False)

    def _configure_and_activate(self) -> None:
        try:
            if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
                self.trigger_activate()
        except RCLError as error:
            self.get_logger().warning(f'autostart came too late: {error}')

    async def _on_change_state(self, request: ChangeState.Request,
                               response: ChangeState.Response) -> ChangeState.Response:
        """Serve ~/change_state without blocking the executor."""
        done: Future = Future(executor=self.executor)

        def change() -> None:
            try:
                result = self._change_state_service(request, response)
            except RCLError as error:
                self.get_logger().error(f'transition refused in state {self.state_label}: {error}')
                response.success = False
                result = response
            done.set_result(result)
            self.on_executor(lambda: None)  # wakes it, so that it looks at the future

        self._transitions.submit(change)
        return await done
