# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""
What every node of the package is: parameters, lazy inputs, a mailbox, outputs, diagnostics.

A subclass declares its topics and says how to open its predictor and how to turn one job into the
values of its outputs. Entities change only on the executor's thread, frames are worked on only on
the mailbox's thread, engines are loaded only on the transitions' thread.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields, replace
from typing import Any, Generic, TypeVar

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.nodes import parameters
from face_depth_ros.nodes.diagnostics import (
    Diagnostics,
    idle_problems,
    input_problems,
    PERIOD_S,
    Problem,
    recent_problems,
    topic_values,
    work_values,
)
from face_depth_ros.nodes.engine_report import EngineReport
from face_depth_ros.nodes.frame_work import FrameWork
from face_depth_ros.nodes.handoff import Exchange
from face_depth_ros.nodes.managed_node import ManagedNode
from face_depth_ros.nodes.outcome import Outcome, Substitute
from face_depth_ros.nodes.predictor_slot import PredictorSlot
from face_depth_ros.nodes.qos_events import INCOMPATIBLE_QOS, MATCHED_EVENTS
from face_depth_ros.nodes.topic_adapters import Adapter
from face_depth_ros.nodes.topic_input import Arrival, TopicInput
from face_depth_ros.nodes.topic_output import Output, TopicOutput
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.parameter import Parameter

S = TypeVar('S', bound=parameters.NodeSettings)
P = TypeVar('P')
JobT = TypeVar('JobT')

POLL_PERIOD_S = 0.1
STEADY_CLOCK = Clock(clock_type=ClockType.STEADY_TIME)
"""Of all timers: they must also run where ROS time stands still."""


class WorkerNode(ManagedNode, Generic[S, P, JobT]):
    """
    A node that works only while it is active and somebody wants its outputs.

    :param settings_type: the schema of its parameters
    :param exchange: hand-off of the container that it is loaded in, None when alone
    :param matched_events: whether demand comes as events; False polls it ten times a second
    :param kwargs: of `rclpy.node.Node`
    """

    takes_handoff = True

    def __init__(self, node_name: str, settings_type: type[S], *,
                 exchange: Exchange | None = None, matched_events: bool = MATCHED_EVENTS,
                 **kwargs: Any) -> None:
        super().__init__(node_name, **kwargs)
        self._settings_type = settings_type
        parameters.declare(self, settings_type)
        self.settings: S = parameters.read(self, settings_type)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._exchange, self._matched_events = exchange, matched_events
        self.inputs: list[TopicInput[Any]] = []
        self.outputs: list[Output] = []
        self._active = self._wanted = self._ready = self._closed = False
        self._last_stamp = -1
        self._slot: PredictorSlot[P] = PredictorSlot()
        self._running = self.settings
        self._shortfall = self._effect = ''
        self.work: FrameWork[P, JobT] = FrameWork(
            f'{self.get_name()} worker', self._slot, self.health, self.process,
            lambda trace: self.get_logger().error(trace, once=True))
        self._diagnostics = Diagnostics(self)
        self.engine_report = EngineReport()

    @abstractmethod
    def open_predictor(self, settings: S) -> P:
        """
        Open what works on the frames; may take long.

        :raises FaceDepthError: a model or backend is missing or broken
        """

    def open_substitute(self, settings: S, error: FaceDepthError) -> Substitute[P, S]:
        """
        Open what works in place of a predictor that cannot be opened when the node is configured.

        :raises FaceDepthError: nothing can; the node stays unconfigured
        """
        raise error

    @abstractmethod
    def process(self, predictor: P, job: JobT) -> Outcome:
        """
        Turn one job into the values of the outputs; on the worker's thread.

        :raises FaceDepthError: the frame cannot be worked on; it is counted by its cause
        """

    def report_values(self, predictor: P | None) -> dict[str, object]:
        """Return what diagnostics show of the predictor, None while there is none."""
        return {}

    def lasting_problem(self, predictor: P | None) -> str:
        """Return what keeps the node from being of use though it works, for people; '' = none."""
        return ''

    def refusal(self, wanted: S, names: Collection[str]) -> str:
        """
        Return why parameters cannot be set, '' when they can; quick, on the executor's thread.

        :param names: of those that are set
        """
        return ''

    def apply_settings(self, old: S, new: S) -> None:
        """Follow the parameters, which may be the old ones set again; on the executor's thread."""

    def reset(self) -> None:
        """Forget what was remembered of earlier frames; on activation, while nothing works."""

    @property
    def demanded(self) -> bool:
        """Whether anybody wants the outputs."""
        return any(o.demand for o in self.outputs)

    def wants(self, source: TopicInput[Any]) -> bool:
        """Whether an input is of use now, while somebody wants the outputs."""
        return True

    def add_input(self, topic: str, adapter: Adapter[Any],
                  receive: Callable[[Arrival[Any]], None], required: bool = True,
                  make: type[TopicInput[Any]] = TopicInput) -> TopicInput:
        """Declare an input; `receive` is called only while the node works."""
        def receive_if_active(arrival: Arrival[Any]) -> None:
            if self._active:
                receive(arrival)

        new: TopicInput[Any] = make(
            self, topic, adapter, health=self.health, receive=receive_if_active,
            exchange=self._exchange, on_change=self._reconcile_soon, required=required)
        self.inputs.append(new)
        return new

    def add_output(self, topic: str, adapter: Adapter[Any]) -> TopicOutput[Any]:
        """Declare an output."""
        new: TopicOutput[Any] = TopicOutput(
            self, topic, adapter, health=self.health, exchange=self._exchange,
            on_demand=self._reconcile_soon, matched_events=self._matched_events)
        self.outputs.append(new)
        return new

    def start(self) -> None:
        """Begin; the last thing that a subclass' constructor does."""
        self.create_timer(PERIOD_S, self._on_period, clock=STEADY_CLOCK)
        if not self._matched_events:
            self.create_timer(POLL_PERIOD_S, self._reconcile, clock=STEADY_CLOCK)
        self._first = self.create_timer(0.0, self._on_first_spin, clock=STEADY_CLOCK)
        if self.settings.autostart:
            self.autostart()

    def submit(self, job: JobT, arrived: float) -> None:
        """Leave a job for the worker, in place of the one that waits; nothing while inactive."""
        epoch = self.work.epoch  # read first: the node may be deactivated meanwhile
        if self._active:
            self.work.submit(job, arrived, epoch)

    def in_order(self, stamp_ns: int) -> bool:
        """
        Whether a frame is worked on, by its stamp; what is odd about it is counted.

        A repeated stamp is refused; one that runs back begins anew, as when a bag loops.
        """
        last, self._last_stamp = self._last_stamp, stamp_ns
        if stamp_ns == last:
            self.health.count('stamp_repeated', (
                f'a frame has the stamp {stamp_ns} ns of the one before it and is left out; check '
                "the camera driver's clock"))
            return False
        if stamp_ns < last:
            self.health.count('stamp_backward', (
                f'stamps ran back from {last} to {stamp_ns} ns, as when a bag starts over; '
                'starting anew'), problem=False)
            self.work.begin_epoch()
        return True

    def load(self) -> None:
        """Open the predictor for the parameters as they are now."""
        self.settings = parameters.read(self, self._settings_type)
        self._running, self._shortfall = self.settings, ''
        try:
            self._slot.fill(lambda: self.open_predictor(self.settings))
        except FaceDepthError as error:
            substitute = self.open_substitute(self.settings, error)
            self._slot.fill(lambda: substitute.predictor)
            self._running, self._effect = substitute.settings, substitute.effect
            self._fall_short(error)

    def release(self) -> None:
        """Close the predictor."""
        self._slot.clear()
        self._shortfall = ''

    def between_frames(self, action: Callable[[P], None]) -> None:
        """Do something to the predictor soon, while it works on no frame."""
        def act() -> None:
            with self._slot.use() as predictor:
                if predictor is not None:
                    action(predictor)

        self.in_background(act)

    def beside_frames(self, action: Callable[[P], None]) -> None:
        """Do something slow to the predictor soon, which goes on working meanwhile."""
        def act() -> None:
            predictor = self._slot.present  # only this thread exchanges and closes it
            if predictor is not None:
                action(predictor)

        self.in_background(act)

    def exchange_predictor(self, names: Sequence[str]) -> None:
        """
        Open a predictor for changed parameters in the background; the old one works until then.

        :param names: the parameters that changed; they go back when it cannot be opened
        """
        self.in_background(lambda: self._exchange_predictor(names))

    def start_work(self) -> None:
        """Begin to listen, as soon as somebody wants the outputs."""
        with self._slot.use():
            self.reset()
        self.health.forget_problems((INCOMPATIBLE_QOS,))  # told once, perhaps long before
        self._last_stamp = -1
        self._active = True
        self._reconcile_soon()

    def stop_work(self) -> None:
        """Publish nothing more, and stop listening."""
        self._active = False
        self.work.begin_epoch()
        self.work.mailbox.clear()
        self._reconcile_soon()

    def destroy_node(self) -> None:
        """Stop, release and leave every topic."""
        if not self._closed:
            self._closed = True
            self.stop_work()
            self.close_transitions()
            self.work.mailbox.close()
            for i in self.inputs:
                i.close()
            for o in self.outputs:
                o.close()
            self.release()
            self._slot.close()
        super().destroy_node()

    def _fall_short(self, error: Exception) -> None:
        """Say in diagnostics that a substitute works, until what was asked for does."""
        self._shortfall = f'{self._effect}: {error}'
        cause = error.cause if isinstance(error, FaceDepthError) else 'internal_error'
        self.health.count(cause, self._shortfall)

    def _exchange_predictor(self, names: Sequence[str]) -> None:
        wanted = self.settings

        def differs(other: S) -> bool:
            return any(getattr(wanted, n) != getattr(other, n) for n in names)

        if self._closed or not self._slot.filled:
            return
        try:
            if self._shortfall or differs(self._running):
                self._slot.fill(lambda: self.open_predictor(wanted))
            self._running, self._shortfall = wanted, ''
        except Exception as error:  # noqa: BLE001  (the old predictor must go on)
            if self._shortfall:  # there is nothing better to go back to than the substitute
                self._fall_short(error)
                return
            cause = error.cause if isinstance(error, FaceDepthError) else 'internal_error'
            kept = 'stays as it was' if len(names) == 1 else 'stay as they were'
            self.health.count(cause, f'{", ".join(names)} {kept}: {error}')
            self.set_parameters([Parameter(n, value=getattr(self._running, n)) for n in names])

    def _on_set_parameters(self, changed: Sequence[Any]) -> SetParametersResult:
        result = parameters.check_change(self._settings_type, changed,
                                         self.state_label == 'unconfigured')
        if result.successful:
            known = {f.name for f in fields(self._settings_type)}
            values = {p.name: p.value for p in changed if p.name in known}
            present = parameters.read(self, self._settings_type)  # of one request, those before
            reason = self.refusal(replace(present, **values), values)
            result = SetParametersResult(successful=not reason, reason=reason)
        if result.successful:
            self.on_executor(self._take_settings)
        return result

    def _take_settings(self) -> None:
        """Follow the parameters as they are now."""
        if self._closed:
            return
        old, self.settings = self.settings, parameters.read(self, self._settings_type)
        self.apply_settings(old, self.settings)

    def _reconcile_soon(self) -> None:
        self.on_executor(self._reconcile)

    def _on_first_spin(self) -> None:
        self.destroy_timer(self._first)
        self._reconcile()

    def _reconcile(self) -> None:
        """Open or close the inputs as demand and state ask for."""
        if self._closed:
            return
        wanted = self._active and self.demanded
        needed = [i for i in self.inputs if wanted and self.wants(i)]
        for i in self.inputs:
            if i in needed:
                i.open()
            else:
                i.close()
        if self._wanted and not wanted:
            self.work.mailbox.clear()
        self._wanted = wanted
        ready = wanted and all(i.publishers or not (i.required or i.announced)
                               for i in needed)
        if ready != self._ready:
            self._ready = ready
            self._publish_diagnostics()

    def _on_period(self) -> None:
        self._reconcile()  # nothing tells that a publisher was announced, or left unheard
        self._publish_diagnostics()

    def _publish_diagnostics(self) -> None:
        if self._closed:
            return
        report = self.health.report()
        problems: list[Problem] = []
        if self._wanted:
            problems = input_problems(self.inputs, self.settings.silence_timeout)
            problems += recent_problems(report)
        elif self._active:
            problems = idle_problems(report, lambda: any(
                self.count_subscribers(o.topic) for o in self.outputs))
        values = {'state': self.state_label, 'wanted': self._wanted, 'ready': self._ready,
                  'problems': ' '.join(dict.fromkeys(name for name, _ in problems)),
                  **self.report_values(self._slot.present),
                  **work_values(report, self.work.mailbox.dropped,
                                self._diagnostics.rate(report.frames)),
                  **topic_values(self.inputs, self.outputs)}
        good = self.state_label
        if good == 'active':
            good = 'working' if self._wanted else 'idle: nobody subscribes to its outputs'
        failure = self.failure or self._shortfall or self.lasting_problem(self._slot.present)
        self._diagnostics.publish(failure, problems, good, values)
