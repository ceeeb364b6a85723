"""`tune` with several objectives and with limits."""

import pytest

from sklearn_lepton import Limit, Objective, load_trials, tune
from sklearn_lepton.exceptions import JournalMismatchError

SPACE = {"x": (-2.0, 2.0), "y": (-2.0, 2.0)}


def distances(x, y):
    return {"left": x**2 + y**2, "right": (x - 1.0) ** 2 + y**2}


def minimized(**options):
    options = {"n_iter": 24, "random_state": 0} | options
    return tune(distances, SPACE, minimize=True, **options)


def test_front_lies_between_the_two_optima():
    result = minimized(objectives=["left", "right"])
    front = result.pareto_trials_
    assert len(front) >= 6
    assert all(-0.1 < t.params["x"] < 1.1 and abs(t.params["y"]) < 0.3 for t in front)
    assert result.trials_[result.best_index_] in front
    assert 0.2 < result.best_params_["x"] < 0.8
    assert result.hypervolume_ > 0


def test_directions_may_differ():
    def function(x, y):
        return {"gain": -((x - 1.0) ** 2) - y**2, "size": x**2 + y**2}

    found = tune(
        function,
        SPACE,
        n_iter=24,
        random_state=0,
        objectives=["gain", Objective("size", "minimize", reference=4.0)],
    )
    assert all(-0.2 < trial.params["x"] < 1.2 for trial in found.pareto_trials_)


def test_best_value_is_the_best_within_the_limit():
    result = minimized(objectives=["left", Limit("right", at_most=0.25)])
    assert result.best_params_["x"] == pytest.approx(0.5, abs=0.1)
    assert distances(**result.best_params_)["right"] <= 0.25


def test_no_trial_within_the_limits_is_an_error_that_keeps_the_trials():
    with pytest.raises(ValueError, match=r"None of the 8 .* right <= -1, which 0 trials") as error:
        minimized(n_iter=8, objectives=["left", Limit("right", at_most=-1.0)])
    assert len(error.value.tune_result.trials_) == 8


def test_unknown_metric_ends_after_the_first_call():
    calls = []

    def function(x, y):
        calls.append(x)
        return {"a": x, "b": y}

    with pytest.raises(ValueError, match=r"'c', which is neither .* \['a', 'b', 'fit_time'"):
        tune(function, SPACE, n_iter=20, objectives=["a", "c"])
    assert len(calls) == 1


@pytest.mark.parametrize(
    "options", [{"target_value": 1.0}, {"n_iter_no_change": 3}, {"resource": (1, 9)}]
)
def test_options_that_need_one_number_are_refused(options):
    with pytest.raises(ValueError, match="objectives cannot be combined with"):
        minimized(objectives=["left", "right"], **options)


def test_journal_of_a_front_is_resumed(tmp_path):
    path = tmp_path / "front.jsonl"
    minimized(n_iter=12, objectives=["left", "right"], journal=path)
    resumed = minimized(objectives=["left", "right"], journal=path)
    whole = minimized(objectives=["left", "right"])
    assert [t.point for t in resumed.trials_] == [t.point for t in whole.trials_]
    assert len(load_trials(path)) == 24
    with pytest.raises(JournalMismatchError, match="objectives"):
        minimized(objectives=["left"], journal=path)


def test_result_without_objectives_has_no_front():
    result = minimized(n_iter=3)
    assert not hasattr(result, "pareto_trials_")
    assert not hasattr(result, "hypervolume_")
