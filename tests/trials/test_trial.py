"""Trial: statuses, JSON, immutability."""

import copy
import dataclasses
import enum
import json
import math
import pickle

import numpy as np
import pytest

from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers import RandomOptimizer
from sklearn_lepton.space import Space
from sklearn_lepton.space._values import value_to_json


class Kernel(enum.StrEnum):
    RBF = "rbf"
    LINEAR = "linear"


def a_function():
    """Stand for a value that JSON cannot hold."""


def trial(**changes):
    return Trial(**{"number": 3, "point": (0.25,), "params": {"x": 1}} | changes)


def through_json(trial, space):
    return Trial.from_json(json.loads(json.dumps(trial.to_json(), allow_nan=False)), space)


def test_new_trial_is_pending():
    assert (trial().status, trial().score, trial().fidelity) == ("pending", None, None)
    assert (trial().proposal, trial().split_scores, trial().split_results, trial().duration) == (
        {},
        (),
        (),
        0.0,
    )


def test_complete_returns_another_trial():
    pending = trial(proposal={"particle": 2})
    rows = [SplitResult(scores=0.5)]
    done = pending.complete(
        np.float64(0.75), split_scores=np.array([0.5, 1]), split_results=rows, duration=2
    )
    assert pending.status == "pending"
    assert (done.status, done.score, done.split_scores) == ("complete", 0.75, (0.5, 1.0))
    assert (done.split_results, done.duration) == (tuple(rows), 2)
    assert (done.number, done.point, done.params) == (3, (0.25,), {"x": 1})
    assert done.proposal == {"particle": 2}
    assert type(done.score) is float
    assert all(type(score) is float for score in done.split_scores)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_non_finite_score_fails_trial(score):
    failed = trial().complete(score, split_scores=[0.5, score])
    assert (failed.status, failed.score) == ("failed", None)
    assert failed.split_scores[0] == 0.5


@pytest.mark.parametrize("score", [0.0, -0.0, 1e30, -1e-300, 5e-324, 1.7e308])
def test_finite_score_completes_trial(score):
    assert trial().complete(score).score == score


def test_fail_returns_failed_trial():
    failed = trial().fail(
        split_scores=[0.5, math.nan], split_results=[SplitResult(error="x")], duration=1.5
    )
    assert (failed.status, failed.score, failed.duration) == ("failed", None, 1.5)
    assert failed.split_results == (SplitResult(error="x"),)


def test_trial_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        trial().score = 1.0


@pytest.mark.parametrize("status", ["done", "", "Complete", None])
def test_unknown_status_is_refused(status):
    with pytest.raises(ValueError, match=r"pending.*complete.*failed.*pruned.*got"):
        trial(status=status)


@pytest.mark.parametrize(
    "changes", [{"status": "complete"}, {"score": 1.0}, {"status": "failed", "score": 1.0}]
)
def test_score_is_refused_unless_complete(changes):
    with pytest.raises(ValueError, match="if and only if"):
        trial(**changes)


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_complete_trial_needs_finite_score(score):
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
def test_estimate_is_refused_unless_pruned(changes):
    with pytest.raises(ValueError, match="only a pruned trial has an estimate"):
        trial(**changes)


def test_prune_returns_pruned_trial():
    ended = trial().prune(
        (0.5, 0.1),
        split_scores=[0.4, math.nan],
        split_results=[SplitResult(scores=0.4), SplitResult()],
        duration=2,
    )
    assert (ended.status, ended.score, ended.estimate) == ("pruned", None, (0.5, 0.1))
    space = Space({"x": (0.0, 4.0, "uniform")})
    again = through_json(ended, space)
    assert (again.estimate, again.split_results) == (ended.estimate, ended.split_results)


def test_trial_survives_pickle():
    done = trial().complete(0.5, split_results=[SplitResult(scores={"accuracy": 0.5})])
    assert pickle.loads(pickle.dumps(done)) == done


def test_trial_survives_json():
    space = Space({"x": (0.0, 1.0, "uniform"), "kind": ["a", "b"]})
    full = Trial(
        number=7,
        point=(0.1, 0.75),
        params={"x": 0.1, "kind": "b"},
        proposal={"theta": [0.5, -1.0], "parents": [1, 2], "operator": "crossover"},
        status="complete",
        score=0.1 + 0.2,
        split_scores=(0.1, -0.0),
        split_results=(SplitResult(scores={"f1": 0.3}, n_rounds=3, fit_time=1e-7, worker=2),),
        duration=1.25,
        fidelity=0.5,
    )
    assert through_json(full, space) == full


def test_non_finite_scores_survive_json():
    rows = [SplitResult(scores=math.nan, train_scores={"a": -math.inf})]
    failed = trial(params={"x": 0.25}).fail(
        split_scores=[math.nan, math.inf, 0.5], split_results=rows
    )
    back = through_json(failed, Space({"x": (0.0, 1.0, "uniform")}))
    assert repr(back) == repr(failed)


def test_json_keeps_exact_number():
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
def test_json_keeps_choice(value):
    space = Space({"x": ["another", value]})
    point = space.to_point({"x": value})
    given_back = through_json(Trial(0, point, {"x": value}), space).params["x"]
    is_container = isinstance(value, dict | list | tuple | np.ndarray)  # given back frozen
    assert np.all(given_back == value) if is_container else given_back is value


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(np.int64(3), 3), (np.bool_(True), True), (np.float64(0.5), 0.5), (np.str_("a"), "a")],
)
def test_numpy_scalars_are_plain_in_json(value, encoded):
    assert value_to_json(value) == encoded
    assert type(value_to_json(value)) is type(encoded)


# ------------------------------------------------------------------------ immutable


def held():
    """Return a finished trial with every kind of container."""
    params = {"x": 1, "shape": [4, {"deep": [1]}], "names": {"a", "b"}, "mask": np.zeros(3)}
    rows = [SplitResult(scores={"auc": 0.5})]
    pending = trial(params=params | {"pair": ([1], 2)}, proposal={"theta": [0.1, [0.2]]})
    return pending.complete(0.5, split_scores=[0.5], split_results=rows)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.params.update(x=2),
        lambda t: t.params.pop("x"),
        lambda t: t.params.__setitem__("n_jobs", -1),
        lambda t: t.params.__delitem__("x"),
        lambda t: t.params.__ior__({"x": 2}),
        lambda t: t.params.setdefault("n_jobs", -1),
        lambda t: t.params["shape"].append(3),
        lambda t: t.params["shape"].__iadd__([3]),
        lambda t: t.params["shape"][1].update(deep=0),
        lambda t: t.params["shape"][1]["deep"].clear(),
        lambda t: t.params["pair"][0].sort(),
        lambda t: t.params["names"].add("c"),
        lambda t: t.params["mask"].__setitem__(0, 1.0),
        lambda t: t.proposal.clear(),
        lambda t: t.proposal["theta"][1].pop(),
        lambda t: setattr(t.split_results[0], "error", "none"),
        lambda t: t.split_results[0].scores.__setitem__("auc", 1.0),
    ],
)
@pytest.mark.parametrize(
    "how", [lambda t: t, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
def test_trial_cannot_be_changed(change, how):
    kept = how(held())
    with pytest.raises((TypeError, AttributeError, ValueError)):
        change(kept)
    assert kept.to_json() == held().to_json()


def test_trial_does_not_follow_changes_of_its_arguments():
    params, meta, scores = {"x": [1]}, {"parents": [1]}, {"auc": 0.5}
    kept = trial(params=params, proposal=meta, split_results=(SplitResult(scores=scores),))
    params["x"].append(2)
    params["y"] = 3
    meta["parents"].append(2)
    scores["auc"] = 1.0
    assert (kept.params, kept.proposal) == ({"x": [1]}, {"parents": [1]})
    assert kept.split_results == (SplitResult(scores={"auc": 0.5}),)


def test_trials_are_hashable():
    plain, other = trial(params={"x": [1]}), dataclasses.replace(held(), number=4)
    assert len({plain, trial(params={"x": [1]}), other}) == 2


def test_params_of_a_trial_behave_as_a_dict():
    params = trial(params={"x": 1, "shape": [4, {"deep": [1]}], "names": {"a"}}).params
    assert repr(params) == str(params) == "{'x': 1, 'shape': [4, {'deep': [1]}], 'names': {'a'}}"
    assert isinstance(params, dict)
    assert dict(**params) == dict(params) == {**params} == params
    for plain in (dict(params), params.copy(), params | {"x": 1}, {} | params):
        assert type(plain) is dict
        plain["x"] = 2
    assert json.loads(json.dumps(trial(params={"x": [{"y": 1}]}).params)) == {"x": [{"y": 1}]}
    assert params["x"] == 1


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [3]],
        [{"a": [1]}, {"a": [2]}],
        [{1, 2}, {3}],
        [np.zeros(3), np.ones(3)],
        [(np.zeros(3), 1), (np.ones(3), 1)],
        [[("step", np.zeros(3))], [("step", np.ones(3))]],
        [{"w": np.zeros(3)}, {"w": np.ones(3)}],
    ],
)
def test_params_of_a_trial_lie_in_the_space(values):
    space = Space({"x": values, "y": (0.0, 1.0, "uniform")})
    for trial in RandomOptimizer(space).ask(4):
        assert space.to_point(trial.params) == trial.point
        copied = pickle.loads(pickle.dumps(trial))
        assert space.to_point(space.complete(copied.params)) == trial.point
