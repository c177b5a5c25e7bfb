# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""The work on frames, on a thread of its own: latest frame first, outdated results dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import threading
import time
import traceback
from typing import Generic, TypeVar

from face_depth_ros.core.errors import FaceDepthError
from face_depth_ros.nodes.health import Health
from face_depth_ros.nodes.mailbox import Mailbox
from face_depth_ros.nodes.outcome import Outcome, Values
from face_depth_ros.nodes.predictor_slot import PredictorSlot
from face_depth_ros.nodes.topic_output import publish_together

P = TypeVar('P')
JobT = TypeVar('JobT')


@dataclass(frozen=True)
class _Ticket(Generic[JobT]):
    """A job in the mailbox, and the epoch in which it came."""

    epoch: int
    arrived: float
    job: JobT


class FrameWork(Generic[P, JobT]):
    """
    Turns jobs into published values with the predictor of a slot.

    :param name: of the thread
    :param process: predictor and job -> outcome; its errors are counted by their cause
    :param log: gets the trace of an error that is not one of ours
    """

    def __init__(self, name: str, slot: PredictorSlot[P], health: Health,
                 process: Callable[[P, JobT], Outcome], log: Callable[[str], None]) -> None:
        self._slot, self._health, self._process, self._log = slot, health, process, log
        self._epoch = 0
        self._publishing = threading.Lock()
        self.mailbox: Mailbox[_Ticket[JobT]] = Mailbox(self._work, name)

    @property
    def epoch(self) -> int:
        """Number of the present epoch."""
        return self._epoch

    def submit(self, job: JobT, arrived: float, epoch: int | None = None) -> None:
        """
        Leave a job for the worker; it replaces the one that waits.

        :param epoch: in which it came; None = the present one
        """
        self.mailbox.put(_Ticket(self._epoch if epoch is None else epoch, arrived, job))

    def begin_epoch(self) -> None:
        """Results of jobs that came before this call are dropped from now on."""
        with self._publishing:
            self._epoch += 1

    def _work(self, ticket: _Ticket[JobT]) -> None:
        """Work on one job and publish all that comes of it, or nothing."""
        begin = time.monotonic()
        with self._counting_errors():
            with self._slot.use() as predictor:
                if predictor is None or ticket.epoch != self._epoch:
                    return
                outcome = self._process(predictor, ticket.job)
            if not self._publish(ticket, outcome.values):
                return
            now = time.monotonic()
            self._health.add_time('work', now - begin)
            self._health.add_time('latency', now - ticket.arrived)
            self._health.good_frame()
            for cause, message in outcome.warnings:
                self._health.count(cause, message, published=True)
            if outcome.extra is not None:
                self._publish_extra(ticket, predictor, outcome.extra)

    def _publish_extra(self, ticket: _Ticket[JobT], predictor: P,
                       extra: Callable[[], Values]) -> None:
        with self._slot.use() as present:
            if present is not predictor:  # exchanged meanwhile, and closed
                self._health.count('extra_outdated', (
                    'what is made on demand was left out for a frame: another predictor took '
                    'over'), problem=False)
                return
            values = extra()
        self._publish(ticket, values)

    def _publish(self, ticket: _Ticket[JobT], values: Values) -> bool:
        """Publish, unless the epoch of the ticket is over."""
        with self._publishing:
            if ticket.epoch != self._epoch:
                self._health.count('result_outdated', (
                    'a result was dropped: stamps ran back, or the node was deactivated, while '
                    'it was worked on'), problem=False)
                return False
            with self._health.stage('publish'):
                publish_together(values)
        return True

    @contextmanager
    def _counting_errors(self) -> Iterator[None]:
        """Count an error by its cause: the next frame must still be worked on."""
        try:
            yield
        except FaceDepthError as error:
            self._health.count(error.cause, str(error))
        except Exception as error:  # noqa: BLE001
            self._log(traceback.format_exc())
            self._health.count('internal_error', f'a frame was left out: {error!r}')
