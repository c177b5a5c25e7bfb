# Copyright 2026 face_depth_ros contributors
# SPDX-License-Identifier: MIT
"""What is published of a frame, in which order, and what is dropped when things change."""

from __future__ import annotations

from face_depth_ros.core.errors import InvalidDepthError
from face_depth_ros.nodes.frame_work import FrameWork
from face_depth_ros.nodes.health import Health
from face_depth_ros.nodes.outcome import Outcome
from face_depth_ros.nodes.predictor_slot import PredictorSlot
import pytest


class Output:
    """Keeps what it is given, in the place of a topic."""

    def __init__(self, log, name):
        self.log, self.name = log, name

    def encode(self, value):
        return value

    def send(self, value, message):
        assert value is message
        self.log.append((self.name, value))


class Predictor:
    """Has nothing but an end."""

    def close(self):
        pass


class Bench:
    """A worker with one main output and one on demand."""

    def __init__(self, extra=None):
        self.sent, self.lines = [], []
        main, side = Output(self.sent, 'main'), Output(self.sent, 'side')
        self.slot, self.health = PredictorSlot(), Health(self.lines.append)
        self.slot.fill(Predictor)
        self.extra = extra or (lambda _: None)

        def process(predictor, job):
            def make():
                self.extra(self)
                return [(side, job)]
            return Outcome([(main, job)], (), make)

        self.work = FrameWork('worker', self.slot, self.health, process, self.lines.append)

    def run(self, *jobs):
        for job in jobs:
            self.work.submit(job, 0.0)
            assert self.work.mailbox.wait_idle(30.0)
        return self.sent


@pytest.fixture
def bench(request):
    made = Bench(getattr(request, 'param', None))
    yield made
    made.work.mailbox.close()


def test_the_main_outputs_come_first(bench):
    assert bench.run(1, 2) == [('main', 1), ('side', 1), ('main', 2), ('side', 2)]
    assert bench.health.report().frames == 2 and not bench.health.report().counts


def test_what_is_made_on_demand_is_left_out_once_another_predictor_is_in(bench):
    sends = bench.sent.append

    class Exchanging(list):
        def append(self, item):
            sends(item)
            if item == ('main', 1):
                bench.slot.fill(Predictor)

    watching = Exchanging()
    bench.sent, kept = watching, bench.sent
    main = Output(watching, 'main')

    def process(predictor, job):
        return Outcome([(main, job)], (), lambda: [(Output(kept, 'side'), job)])

    work = FrameWork('worker', bench.slot, bench.health, process, bench.lines.append)
    for job in (1, 2):
        work.submit(job, 0.0)
        assert work.mailbox.wait_idle(30.0)
    work.mailbox.close()
    assert kept == [('main', 1), ('main', 2), ('side', 2)]
    assert bench.health.report().counts == {'extra_outdated': 1}
    assert not bench.health.report().current


@pytest.mark.parametrize('bench', [lambda b: b.work.begin_epoch()], indirect=True, ids=['epoch'])
def test_what_is_made_on_demand_is_dropped_when_stamps_ran_back_meanwhile(bench):
    assert bench.run(1) == [('main', 1)]
    assert bench.health.report().counts == {'result_outdated': 1}


def fail_as_expected(_):
    raise InvalidDepthError('no picture', cause='no_picture')


def fail_by_mistake(_):
    raise ZeroDivisionError('oh')


@pytest.mark.parametrize(('bench', 'cause', 'text'), [
    (fail_as_expected, 'no_picture', 'no picture'),
    (fail_by_mistake, 'internal_error', "a frame was left out: ZeroDivisionError('oh')")],
    indirect=['bench'])
def test_an_error_on_demand_is_counted_and_the_main_outputs_are_out(bench, cause, text):
    assert bench.run(1, 2) == [('main', 1), ('main', 2)]
    report = bench.health.report()
    assert report.frames == 2 and report.counts == {cause: 2}
    assert report.texts[cause] == text and report.current == (cause,)
