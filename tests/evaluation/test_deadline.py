"""Deadline: the start of slow workers does not use up the time of a search without a result."""

import math
from concurrent.futures import Future

import pytest

from sklearn_lepton._evaluation import deadline as deadline_module
from sklearn_lepton._evaluation.deadline import Deadline
from sklearn_lepton.optimizers import SplitResult, Trial

SCORED = Trial(0, (0.5,), {}).complete(1.0)


class Workers:
    def __init__(self, *, can_end=True):
        self.can_end = can_end
        self.begun = {}

    def seconds(self, future):
        begin = self.begun.get(future)
        return 0.0 if begin is None else deadline_module.time.monotonic() - begin


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]

    class Time:
        @staticmethod
        def monotonic():
            return now[0]

    monkeypatch.setattr(deadline_module, "time", Time)
    return now


def make(workers, *, max_time=6.0, earlier=(), reserve=float):
    return Deadline(106.0, max_time, reserve, workers, earlier)


def left(deadline, *running, is_idle=False):
    return deadline.seconds_left(running, is_idle=is_idle)


def test_no_deadline_is_never_reached():
    assert left(Deadline(None, None, float, Workers(), [])) == math.inf


def test_deadline_waits_for_a_fit_that_has_not_begun_then_counts_from_its_begin(clock):
    workers, future = Workers(), Future()
    deadline = make(workers)
    deadline.record_submit()
    assert left(deadline, future) == 6.0
    clock[0] = 107.0  # the process still starts
    assert 0.0 < left(deadline, future) <= deadline_module._POLL
    workers.begun[future] = clock[0] = 110.0
    clock[0] = 111.0
    assert left(deadline, future) == pytest.approx(5.0)
    other = Future()  # the next fit of the trial does not move it again
    workers.begun[other] = 115.0
    clock[0] = 116.5
    assert left(deadline, other) == pytest.approx(-0.5)


def test_deadline_does_not_wait_without_end_for_a_begin(clock):
    deadline = make(Workers())
    deadline.record_submit()
    clock[0] += deadline_module._MAX_START + 1.0
    assert left(deadline, Future()) < 0.0


def test_begin_is_known_from_the_first_result(clock):
    deadline = make(Workers())
    deadline.record_submit()
    clock[0] = 104.0
    deadline.record_result(SplitResult(scores=1.0, fit_time=0.75, score_time=0.25))
    clock[0] = 107.0
    assert left(deadline) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "fixed",
    [
        {"earlier": [SCORED]},
        {"max_time": None},
        {"workers": Workers(can_end=False)},
    ],
)
def test_deadline_stays_where_there_is_a_result_or_no_start(clock, fixed):
    deadline = make(**{"workers": Workers(), **fixed})
    deadline.record_submit()
    clock[0] = 107.0
    assert left(deadline, Future()) == -1.0


def test_deadline_stays_after_a_score_but_not_after_a_failure(clock):
    deadline = make(Workers())
    deadline.record_submit()
    clock[0] = 107.0
    deadline.record_trial(Trial(0, (0.5,), {}).fail())
    deadline.record_trial(Trial(0, (0.5,), {}, fidelity=0.1).complete(1.0))
    assert left(deadline, Future()) > 0.0
    deadline.record_trial(SCORED)
    assert left(deadline, Future()) == -1.0


def test_deadline_stays_while_nothing_is_evaluated_and_once_closed(clock):
    deadline = make(Workers(), reserve=lambda: 2.0)
    assert left(deadline, is_idle=True) == 4.0
    clock[0] = 107.0
    assert left(deadline, is_idle=True) == -3.0
    deadline.close()
    assert left(deadline, Future()) == -3.0
