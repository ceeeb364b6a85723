"""Trial: what may become of it, and its JSON."""

import dataclasses
import enum
import json
import math
import pickle

import numpy as np
import pytest

from sklearn_lepton._trial import Trial
from sklearn_lepton._values import value_to_json
from sklearn_lepton.space import Space


class Kernel(enum.StrEnum):
    RBF = "rbf"
    LINEAR = "linear"


def a_function():
    """Stand for a value that JSON cannot hold."""


def trial(**changes):
    return Trial(**{"number": 3, "point": (0.25,), "params": {"x": 1}} | changes)


def through_json(trial, space):
    return Trial.from_json(json.loads(json.dumps(trial.to_json(), allow_nan=False)), space)


def test_a_new_trial_is_pending():
    assert (trial().status, trial().score, trial().resource) == ("pending", None, None)
    assert (trial().meta, trial().split_scores, trial().rows, trial().seconds) == ({}, (), (), 0.0)


def test_complete_returns_another_trial():
    pending = trial(meta={"particle": 2})
    rows = [{"test_scores": 0.5}]
    done = pending.complete(np.float64(0.75), split_scores=np.array([0.5, 1]), rows=rows, seconds=2)
    assert pending.status == "pending"
    assert (done.status, done.score, done.split_scores) == ("complete", 0.75, (0.5, 1.0))
    assert (done.rows, done.seconds) == (tuple(rows), 2)
    assert (done.number, done.point, done.params) == (3, (0.25,), {"x": 1})
    assert done.meta == {"particle": 2}
    assert type(done.score) is float
    assert all(type(score) is float for score in done.split_scores)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_score_that_is_not_finite_fails_the_trial(score):
    failed = trial().complete(score, split_scores=[0.5, score])
    assert (failed.status, failed.score) == ("failed", None)
    assert failed.split_scores[0] == 0.5


@pytest.mark.parametrize("score", [0.0, -0.0, 1e30, -1e-300, 5e-324, 1.7e308])
def test_any_finite_score_completes_the_trial(score):
    assert trial().complete(score).score == score


def test_fail():
    failed = trial().fail(split_scores=[0.5, math.nan], rows=[{"fit_error": "x"}], seconds=1.5)
    assert (failed.status, failed.score, failed.seconds) == ("failed", None, 1.5)
    assert failed.rows == ({"fit_error": "x"},)


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        trial().score = 1.0


@pytest.mark.parametrize("status", ["done", "", "Complete", None])
def test_only_known_statuses(status):
    with pytest.raises(ValueError, match=r"pending.*complete.*failed.*pruned.*got"):
        trial(status=status)


@pytest.mark.parametrize(
    "changes", [{"status": "complete"}, {"score": 1.0}, {"status": "failed", "score": 1.0}]
)
def test_a_score_if_and_only_if_complete(changes):
    with pytest.raises(ValueError, match="if and only if"):
        trial(**changes)


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_complete_trial_has_a_finite_score_however_it_is_made(score):
    with pytest.raises(ValueError, match="finite"):
        trial(status="complete", score=score)


@pytest.mark.parametrize(
    "changes",
    [
        {"estimate": (0.5, 0.1)},
        {"estimate": (0.5, 0.1), "status": "complete", "score": 0.5},
        {"estimate": (0.5, -0.1), "status": "pruned"},
        {"estimate": (math.nan, 0.1), "status": "pruned"},
    ],
)
def test_an_estimate_of_a_pruned_trial_only(changes):
    with pytest.raises(ValueError, match="only a pruned trial has an estimate"):
        trial(**changes)


def test_prune():
    ended = trial().prune((0.5, 0.1), split_scores=[0.4, math.nan], rows=[{"n": 1}, {}], seconds=2)
    assert (ended.status, ended.score, ended.estimate) == ("pruned", None, (0.5, 0.1))
    space = Space({"x": (0.0, 4.0, "uniform")})
    again = through_json(ended, space)
    assert (again.estimate, again.rows) == (ended.estimate, ended.rows)


def test_pickle():
    done = trial().complete(0.5, rows=[{"test_scores": {"accuracy": 0.5}}])
    assert pickle.loads(pickle.dumps(done)) == done


def test_json_of_all_fields():
    space = Space({"x": (0.0, 1.0, "uniform"), "kind": ["a", "b"]})
    full = Trial(
        number=7,
        point=(0.1, 0.75),
        params={"x": 0.1, "kind": "b"},
        meta={"theta": [0.5, -1.0], "parents": [1, 2], "operator": "crossover"},
        status="complete",
        score=0.1 + 0.2,
        split_scores=(0.1, -0.0),
        rows=({"test_scores": {"f1": 0.3}, "fit_error": None, "n": 3, "fit_time": 1e-7},),
        seconds=1.25,
        resource=0.5,
    )
    assert through_json(full, space) == full


def test_json_of_scores_that_are_not_finite():
    rows = [{"test_scores": math.nan, "train_scores": {"a": -math.inf}}]
    failed = trial(params={"x": 0.25}).fail(split_scores=[math.nan, math.inf, 0.5], rows=rows)
    back = through_json(failed, Space({"x": (0.0, 1.0, "uniform")}))
    assert repr(back) == repr(failed)


def test_json_gives_back_the_exact_number_that_was_tried():
    # 0.1 is not what the point of 0.1 maps to, to the last bit.
    space = Space({"C": (1e-3, 7.0, "log-uniform")})
    point = space.to_point({"C": 0.1})
    assert through_json(Trial(0, point, {"C": 0.1}), space).params == {"C": 0.1}


@pytest.mark.parametrize(
    "value",
    [
        a_function,
        object(),
        np.arange(3),
        ("name", a_function),
        [a_function, 1],
        {"func": a_function},
        (("deep", (a_function,)),),
        [1, 2],
        (1, (2, 3)),
        {"a": 1},
        Kernel.RBF,
        1,
        1.0,
        True,
        None,
        math.inf,
        "text",
        b"bytes",
        range(3),
        frozenset({1}),
    ],
)
def test_json_gives_back_the_very_choice(value):
    space = Space({"x": ["another", value]})
    point = space.to_point({"x": value})
    assert through_json(Trial(0, point, {"x": value}), space).params["x"] is value


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(np.int64(3), 3), (np.bool_(True), True), (np.float64(0.5), 0.5), (np.str_("a"), "a")],
)
def test_numpy_scalars_are_plain_in_json(value, encoded):
    assert value_to_json(value) == encoded
    assert type(value_to_json(value)) is type(encoded)
