"""Stopping rules: the trial after which each ends a search."""

import math

import pytest

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.callbacks import Deadline, NoImprovement, TargetScore


def finished(*scores):
    """Return a finished trial for each score; None is a failure."""
    pending = [Trial(number, (0.5,), {}) for number in range(len(scores))]
    return [
        trial.fail() if score is None else trial.complete(score)
        for trial, score in zip(pending, scores, strict=True)
    ]


def answers(callback, *scores):
    return [callback(None, trial) for trial in finished(*scores)]


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock by a list whose only item is the time in seconds."""
    now = [100.0]
    monkeypatch.setattr("sklearn_lepton.callbacks._stopping.time.monotonic", lambda: now[0])
    return now


def test_deadline_counts_from_creation(clock):
    deadline = Deadline(10.0)
    [trial] = finished(0.5)
    assert deadline(None, trial) is False
    clock[0] = 109.999
    assert deadline(None, None) is False
    clock[0] = 110.0
    assert deadline(None, trial) is True
    clock[0] = 1e6
    assert deadline(None, None) is True


def test_target_score_stops_at_score():
    assert answers(TargetScore(0.9), 0.5, None, 0.89999, 0.9, 0.95, 0.1) == [
        False,
        False,
        False,
        True,
        True,
        False,
    ]


def test_target_score_below_zero():
    assert answers(TargetScore(-1.0), -2.0, -1.0, 0.0) == [False, True, True]


@pytest.mark.parametrize(
    ("n_trials", "tol", "scores", "expected"),
    [
        (2, 0.0, [0.1, 0.2, 0.2, 0.1], "...S"),
        (1, 0.0, [0.1, 0.2, 0.2], "..S"),
        (2, 0.0, [-5.0, -6.0, -4.0, -4.5, -4.5], "....S"),
        (2, 0.0, [0.5, None, None], "..S"),
        (3, 0.0, [None, None, None], "..S"),
        (2, 0.0, [None, 0.5, None, 0.6, None, None], ".....S"),
        (2, 0.1, [0.5, 0.55, 0.59], "..S"),
        (2, 0.1, [0.5, 0.55, 0.61, 0.62, 0.62], "....S"),
        # Small gains do not accumulate: each is measured from the last score that counted.
        (3, 0.1, [0.5, 0.55, 0.58, 0.62, 0.63], "....."),
        (2, 0.0, [-1e30, 0.0, 1e30, 1e30, 1e30], "....S"),
        (2, 0.0, [1.0, math.nan, math.inf], "..S"),
    ],
)
def test_no_improvement_stops_after_idle_trials(n_trials, tol, scores, expected):
    said = answers(NoImprovement(n_trials, tol), *scores)
    assert "".join(".S"[stop] for stop in said) == expected


def test_no_improvement_continues_to_stop():
    assert answers(NoImprovement(1), 1.0, 0.5, 0.5, 0.5) == [False, True, True, True]


def test_reason_is_name_of_search_parameter():
    reasons = [Deadline.reason, TargetScore.reason, NoImprovement.reason]
    assert reasons == ["max_time", "target_score", "n_iter_no_change"]


def test_callbacks_return_python_bools():
    [trial] = finished(0.5)
    for callback in (Deadline(1.0), TargetScore(0.1), NoImprovement(1)):
        assert type(callback(None, trial)) is bool
