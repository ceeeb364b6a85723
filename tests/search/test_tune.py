"""`tune`: calls of a function, results, errors, resuming."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import nullcontext
from functools import partial

import joblib
import numpy as np
import pytest

from sklearn_lepton import BayesSearchCV, load_trials, tune
from sklearn_lepton.callbacks import TargetScore
from sklearn_lepton.exceptions import (
    JournalMismatchError,
    SearchInterruptedWarning,
    SpaceExhaustedWarning,
)
from sklearn_lepton.optimizers import GridOptimizer, SwarmOptimizer
from sklearn_lepton.optimizers._registry import OPTIMIZERS

SPACE = {"x": (-2.0, 2.0, "uniform"), "n": (1, 9, "int"), "kind": ["a", "b"]}
LINE = {"x": (-2.0, 2.0, "uniform")}


def value(params):
    return -((params["x"] - 0.5) ** 2) - 0.1 * abs(params["n"] - 4) - (params["kind"] == "a")


def value_of_amount(params, amount=9):
    return value(params) / amount


def loss(params):
    return -value(params)


def summary(result):
    return [(t.number, t.params, t.status, t.score, t.fidelity) for t in result.trials_]


class Counted:
    """A function that counts its calls, and may do something at one of them."""

    def __init__(self, at=None, act=None, function=value):
        self.calls, self._at, self._act, self._function = [], at, act, function

    def __call__(self, params):
        self.calls.append(params)
        if len(self.calls) == self._at:
            return self._act()
        return self._function(params)


class Known(Counted):
    """One that a journal knows whatever it has counted: pickle would keep nothing."""

    def __reduce__(self):
        return Known, ()


def raises(error):
    def act():
        raise error

    return act


# ---------------------------------------------------------------------- results


def test_result_has_best_value_and_trials():
    result = tune(value, SPACE, n_iter=7, random_state=0)
    scores = [trial.score for trial in result.trials_]
    assert len(scores) == 7
    assert result.best_index_ == int(np.argmax(scores))
    assert result.best_score_ == result.best_value_ == max(scores)
    assert result.best_value_ == value(result.best_params_)
    assert result.best_params_ == result.trials_[result.best_index_].params
    assert result.space_ == result.optimizer_.space
    assert result.stop_reason_ == "n_iter"
    assert repr(result).startswith(f"TuneResult(best_value_={max(scores)!r}, best_params_=")
    assert all(
        trial.duration > 0 and trial.split_results[0].start_time > 0 for trial in result.trials_
    )


def test_function_gets_its_own_dict_of_plain_values():
    seen = []

    def function(params):
        seen.append(dict(params))
        params.clear()
        return 1.0

    result = tune(function, SPACE, n_iter=4, random_state=0)
    assert [trial.params for trial in result.trials_] == seen
    assert {type(entry) for entry in seen[0].values()} == {float, int, str}


def test_function_cannot_change_the_space():
    lists, arrays = [[1], [2]], [np.zeros(2), np.ones(2)]

    def function(params):
        number = params["list"][0] + params["array"][0] + params["deep"]["a"][0]
        params["list"].append(9)
        params["array"][:] = 7
        params["deep"]["a"].clear()
        return number

    space = {"list": lists, "array": arrays, "deep": [{"a": [3]}]}
    result = tune(function, space, n_iter=4, random_state=0)
    assert lists == [[1], [2]]
    np.testing.assert_array_equal(arrays, [[0, 0], [1, 1]])
    assert result.best_value_ == 2 + 1 + 3
    assert result.best_params_["list"] == [2]
    assert result.best_params_["deep"] == {"a": [3]}


def test_minimize_equals_maximizing_the_negative():
    up = tune(value, SPACE, n_iter=8, random_state=0)
    down = tune(loss, SPACE, n_iter=8, random_state=0, minimize=True)
    assert summary(down) == summary(up)
    assert down.best_score_ == up.best_score_
    assert down.best_value_ == -up.best_value_ == loss(down.best_params_)
    assert str(tune(lambda _: 0.0, LINE, n_iter=2, minimize=True).best_score_) == "0.0"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_tune_accepts_each_optimizer(name):
    result = tune(value, SPACE, n_iter=8, optimizer=name, random_state=1)
    assert type(result.optimizer_) is OPTIMIZERS[name]
    assert len(result.trials_) == 8
    again = tune(value, SPACE, n_iter=8, optimizer=name, random_state=1)
    assert summary(again) == summary(result)


def test_tune_accepts_an_optimizer_object():
    made = tune(value, SPACE, n_iter=5, optimizer=partial(SwarmOptimizer, n_particles=2))
    assert made.optimizer_.n_particles == 2


def test_grid_optimizer_covers_the_grid_without_warning():
    space = {"x": np.linspace(-2, 2, 5), "n": [1, 2, 3]}
    result = tune(lambda p: p["x"] * p["n"], space, n_iter=100, optimizer="grid")
    assert (len(result.trials_), result.stop_reason_) == (15, "exhausted")
    assert result.best_params_ == {"x": 2.0, "n": 3}
    fine = partial(GridOptimizer, n_levels=5)
    assert len(tune(lambda p: p["x"], LINE, n_iter=100, optimizer=fine).trials_) == 5
    assert len(tune(lambda p: p["x"], LINE, n_iter=7, optimizer="grid").trials_) == 7


def test_exhausted_space_warns():
    with pytest.warns(
        SpaceExhaustedWarning, match="holds 2 configurations, fewer than n_iter=5"
    ) as told:
        result = tune(lambda p: p["x"], {"x": [1, 2]}, n_iter=5)
    assert told[0].filename == __file__
    assert (len(result.trials_), result.stop_reason_) == (2, "exhausted")


def test_tune_searches_a_conditional_space():
    space = [{"kind": ["a"], "x": (0.0, 1.0, "uniform")}, {"kind": ["b"], "n": [1, 2]}]
    result = tune(lambda p: p.get("x", -1), space, n_iter=8, random_state=0)
    assert result.best_params_["kind"] == "a"
    assert {tuple(trial.params) for trial in result.trials_} == {("kind", "x"), ("kind", "n")}


def test_a_result_survives_pickling_and_reads_like_a_search():
    result = tune(value, SPACE, n_iter=5, random_state=0)
    twin = pickle.loads(pickle.dumps(result))
    assert summary(twin) == summary(result)
    assert twin.best_params_ == result.best_params_


def test_result_has_a_frame():
    pytest.importorskip("pandas")
    function = Counted(2, raises(RuntimeError("no luck")), loss)
    result = tune(function, SPACE, n_iter=4, random_state=0, minimize=True)
    frame = result.to_frame()
    assert list(frame.columns[:4]) == ["status", "score", "value", "duration"]
    assert frame["status"].tolist() == ["complete", "failed", "complete", "complete"]
    assert frame["value"].tolist()[2] == -frame["score"].tolist()[2] == loss(function.calls[2])
    assert np.isnan(frame["value"].tolist()[1])
    assert "RuntimeError: no luck" in frame["error"].tolist()[1]
    assert frame["param_x"].tolist() == [params["x"] for params in function.calls]


# -------------------------------------------------------------------- in parallel


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_results_do_not_depend_on_n_jobs(backend):
    centre = 0.25  # in a closure, which only cloudpickle can send
    function = lambda params: -abs(params["x"] - centre)  # noqa: E731
    alone = tune(function, LINE, n_iter=7, n_points=2, random_state=0)
    with joblib.parallel_config(backend=backend):
        beside = tune(function, LINE, n_iter=7, n_points=2, n_jobs=2, random_state=0)
    assert summary(beside) == summary(alone)


def test_calls_run_in_parallel_and_asynchronously():
    def function(params):
        time.sleep(0.01)
        return params["x"]

    with joblib.parallel_config(backend="threading"):
        result = tune(function, LINE, n_iter=12, n_jobs=3, asynchronous=True)
    assert len(result.trials_) == 12
    assert {trial.split_results[0].worker for trial in result.trials_} == {0, 1, 2}


# ----------------------------------------------------------------------- failures


def test_error_of_the_function_fails_its_trial():
    result = tune(Counted(3, raises(RuntimeError("no luck"))), SPACE, n_iter=6, random_state=0)
    assert [t.status for t in result.trials_].count("failed") == 1
    failed = result.trials_[2]
    assert failed.score is None
    assert "RuntimeError: no luck" in failed.split_results[0].error
    assert result.best_index_ != 2


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("minimize", [True, False])
def test_non_finite_value_fails_its_trial(number, minimize):
    result = tune(Counted(2, lambda: number), SPACE, n_iter=5, random_state=0, minimize=minimize)
    assert [trial.status for trial in result.trials_].count("failed") == 1
    assert result.trials_[1].status == "failed"
    assert np.isfinite(result.best_value_)


def test_error_score_raise_raises_error_of_the_function():
    function = Counted(3, raises(RuntimeError("no luck")))
    with pytest.raises(RuntimeError, match="no luck"):
        tune(function, SPACE, n_iter=6, error_score="raise")
    assert len(function.calls) == 3


def test_tune_raises_if_all_calls_fail():
    with pytest.raises(ValueError, match=r"All the 4 trials failed.*(?s:.)*ZeroDivisionError"):
        tune(lambda _: 1 / 0, SPACE, n_iter=4)
    with pytest.raises(ValueError, match="The function returned nan, which is not finite"):
        tune(lambda _: np.nan, SPACE, n_iter=4)


@pytest.mark.parametrize("returned", ["0.5", True, [1.0], np.array([1.0]), 1j, (1.0, 2.0)])
def test_first_result_that_is_no_number_raises(returned):
    function = Counted(1, lambda: returned)
    with pytest.raises(TypeError, match="The function must return one number, or .* got .*of type"):
        tune(function, SPACE, n_iter=4)
    assert len(function.calls) == 1


def test_later_result_that_is_no_number_fails_its_trial():
    result = tune(Counted(2, lambda: "0.5"), SPACE, n_iter=4)
    assert [t.status for t in result.trials_].count("failed") == 1
    assert "must return one number" in result.trials_[1].split_results[0].error


def test_a_call_that_returns_none_is_a_failed_trial_unless_all_do():
    result = tune(Counted(1, lambda: None), SPACE, n_iter=4)
    assert [t.status for t in result.trials_] == ["failed"] + ["complete"] * 3
    assert "The function returned None" in result.trials_[0].split_results[0].error
    nothing = Counted(function=lambda params: None)
    with pytest.raises(ValueError, match="The function returned None, as without return"):
        tune(nothing, SPACE, n_iter=50)
    assert len(nothing.calls) < 10


@pytest.mark.parametrize("returned", [1, np.float32(1), np.array(1.0), np.int64(1)])
def test_numbers_of_other_types_are_accepted(returned):
    best = tune(lambda _: returned, SPACE, n_iter=2).best_value_
    assert (type(best), best) == (float, 1.0)


@pytest.mark.thorough
def test_slow_call_is_ended():
    def function(params):
        if params["x"] == "slow":
            time.sleep(60)
        return 1.0

    result = tune(function, {"x": ["fast", "slow"]}, n_iter=2, fit_timeout=0.5)
    of = {trial.params["x"]: trial for trial in result.trials_}
    assert (of["fast"].status, of["slow"].status) == ("complete", "failed")
    assert "longer than fit_timeout=0.5 s" in of["slow"].split_results[0].error


# ----------------------------------------------------------------------- stopping


def test_callbacks_get_the_growing_result_and_can_stop():
    seen = []

    def callback(result, trial):
        seen.append((len(result.trials_), result.best_params_, trial.number))
        return "not an answer" if len(seen) < 4 else np.True_

    result = tune(value, SPACE, n_iter=20, random_state=0, callbacks=callback)
    assert [entry[0] for entry in seen] == [1, 2, 3, 4]
    assert [entry[2] for entry in seen] == [0, 1, 2, 3]
    assert seen[-1][1] == result.best_params_
    assert (len(result.trials_), result.stop_reason_) == (4, "callback")


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_finish_is_called_at_the_end(error):
    class Callback:
        ends = []  # noqa: RUF012

        def __call__(self, result, trial):
            if error is not None:
                raise error

        def finish(self, result, trial):
            self.ends.append((len(result.trials_), trial.params, result.stop_reason_))

    with nullcontext() if error is None else pytest.raises(error):
        tune(value, SPACE, n_iter=4, random_state=0, callbacks=Callback())
    [(n_trials, params, reason)] = Callback.ends
    assert (n_trials, reason) == ((4, "n_iter") if error is None else (1, None))
    assert params.keys() == SPACE.keys()


def test_callback_gives_the_stop_reason():
    result = tune(value, SPACE, n_iter=9, callbacks=[TargetScore(-100.0)])
    assert (len(result.trials_), result.stop_reason_) == (1, "target_score")


@pytest.mark.parametrize(("minimize", "target"), [(False, -0.5), (True, 0.5)])
def test_target_value_ends_tune(minimize, target):
    function = loss if minimize else value
    options = {"n_iter": 50, "random_state": 0, "minimize": minimize}
    result = tune(function, SPACE, target_value=target, **options)
    assert result.stop_reason_ == "target_value"
    assert len(result.trials_) < 50
    assert result.best_value_ <= target if minimize else result.best_value_ >= target
    assert all(trial.score < -0.5 for trial in result.trials_[:-1])


def test_no_improvement_ends_tune():
    result = tune(lambda _: 1.0, LINE, n_iter=50, n_iter_no_change=3)
    assert (len(result.trials_), result.stop_reason_) == (4, "n_iter_no_change")


def test_max_time_ends_tune():
    def function(params):
        time.sleep(0.1)
        return params["x"]

    with joblib.parallel_config("threading"):  # which ends nothing that runs
        result = tune(function, LINE, n_iter=50, max_time=0.25, optimizer="random")
    assert result.stop_reason_ == "max_time"
    assert 1 <= len(result.trials_) <= 3
    with pytest.raises(TimeoutError, match=r"max_time=0.2 s passed before a trial had finished"):
        tune(lambda _: time.sleep(60), LINE, max_time=0.2)


def test_ctrl_c_keeps_finished_calls():
    function = Counted(4, raises(KeyboardInterrupt()))
    with pytest.warns(SearchInterruptedWarning, match="interrupted") as told:
        result = tune(function, SPACE, n_iter=9)
    assert told[0].filename == __file__
    assert (len(result.trials_), result.stop_reason_) == (3, "interrupted")
    with pytest.raises(KeyboardInterrupt):
        tune(Counted(1, raises(KeyboardInterrupt())), SPACE, n_iter=9)


# ------------------------------------------------------------------------ journal


@pytest.mark.parametrize("optimizer", ["bayes", "grid"])
def test_resumed_journal_equals_uninterrupted_run(tmp_path, optimizer):
    options = {"n_iter": 10, "random_state": 0, "n_points": 2, "optimizer": optimizer}
    whole = tune(Known(), SPACE, **options)
    path = tmp_path / "journal.jsonl"
    dying = Known(8, raises(MemoryError()))
    with pytest.raises(MemoryError):
        tune(dying, SPACE, journal=path, error_score="raise", **options)
    rest = Known()
    resumed = tune(rest, SPACE, journal=path, **options)
    assert summary(resumed) == summary(whole)
    assert len(rest.calls) == len(whole.trials_) - 7
    assert [trial.score for trial in load_trials(path)] == [t.score for t in whole.trials_]
    done = Known()
    assert summary(tune(done, SPACE, journal=path, **options)) == summary(whole)
    assert done.calls == []


def test_result_that_is_no_number_fails_its_trial_in_a_resumed_journal(tmp_path):
    def function(params):
        return params["x"] if 0.1 < params["x"] < 0.9 else None

    run = partial(tune, function, LINE, random_state=0, initial_params={"x": 0.5})
    whole = run(n_iter=12)
    assert "failed" in {trial.status for trial in whole.trials_}
    run(n_iter=1, journal=tmp_path / "study.jsonl")
    assert summary(run(n_iter=12, journal=tmp_path / "study.jsonl")) == summary(whole)


def test_journal_path_survives_change_of_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    def function(params):
        os.chdir(tmp_path / "elsewhere")
        return value(params)

    result = tune(function, SPACE, n_iter=4, random_state=0, journal="study.jsonl")
    assert len(load_trials(tmp_path / "study.jsonl")) == len(result.trials_) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "study.jsonl"]


@pytest.mark.parametrize("seconds", [np.inf, 1e11])
def test_infinite_max_time_is_accepted(seconds):
    result = tune(value, SPACE, n_iter=3, max_time=seconds, fit_timeout=seconds)
    assert result.stop_reason_ == "n_iter"


@pytest.mark.thorough
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_process_loses_no_finished_call(tmp_path):
    script = tmp_path / "script.py"
    path = tmp_path / "journal.jsonl"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, sys
            from sklearn_lepton import tune
            calls = []
            def function(params):
                calls.append(params)
                if len(sys.argv) > 2 and len(calls) == 5:
                    os.kill(os.getpid(), signal.SIGKILL)
                return -abs(params["x"])
            space = {"x": (-2.0, 3.0, "uniform")}
            options = {"n_iter": 9, "random_state": 0, "optimizer": "random"}
            result = tune(function, space, journal=sys.argv[1], **options)
            print(len(calls), [trial.score for trial in result.trials_])
            """
        )
    )
    run = partial(subprocess.run, capture_output=True, text=True, timeout=100, env=os.environ)
    killed = run([sys.executable, script, path, "kill"])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = run([sys.executable, script, path])
    options = {"n_iter": 9, "random_state": 0, "optimizer": "random"}
    whole = tune(lambda p: -abs(p["x"]), {"x": (-2.0, 3.0, "uniform")}, **options)
    expected = [trial.score for trial in whole.trials_]
    assert resumed.stdout == f"5 {expected}\n", resumed.stderr


def test_journal_of_another_function_is_refused(tmp_path):
    path = tmp_path / "journal.jsonl"
    tune(value_of_amount, SPACE, n_iter=2, journal=path)
    for function, space, options in [
        (loss, SPACE, {}),
        (value_of_amount, SPACE | {"n": [1, 2]}, {}),
        (value_of_amount, SPACE, {"minimize": True}),
        (value_of_amount, SPACE, {"resource": (1, 9)}),
    ]:
        with pytest.raises(JournalMismatchError, match="belongs to another study"):
            tune(function, space, n_iter=2, journal=path, **options)
    assert len(tune(value_of_amount, SPACE, n_iter=4, journal=path).trials_) == 4


# -------------------------------------------------------- what is tried, and with what


def test_initial_params_are_called_first():
    result = tune(value, SPACE, n_iter=3, initial_params=[{"x": 0.5, "kind": "b"}, {"n": 2}])
    assert result.trials_[0].params == {"x": 0.5, "n": 5, "kind": "b"}
    assert result.trials_[1].params["n"] == 2


def test_previous_studies_are_used(tmp_path):
    path = tmp_path / "journal.jsonl"
    older = tune(value, SPACE, n_iter=9, optimizer="random", random_state=0, journal=path)
    first = [
        tune(value, SPACE, n_iter=1, random_state=1, previous_studies=previous_studies).best_params_
        for previous_studies in (older, path, older.trials_, [older])
    ]
    assert first == [older.best_params_] * 4


def test_function_gets_the_resource():
    seen = []

    def function(params, n_epochs):
        seen.append(n_epochs)
        return -((params["x"] - 0.5) ** 2) - 1 / n_epochs

    result = tune(function, LINE, n_iter=20, resource=(1, 9), optimizer="random")
    assert set(seen) == {1, 3, 9}
    assert seen[0] == 9
    best = result.trials_[result.best_index_]
    assert best.is_full
    assert best.score == max(t.score for t in result.trials_ if t.is_full)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"function": 5}, "'function' parameter of tune must be a callable. Got 5"),
        (
            {"n_iter": 0},
            "'n_iter' parameter of tune must be 'auto' or an integer of at least 1. Got 0",
        ),
        ({"optimizer": "bays"}, "Did you mean 'bayes'.*Allowed are"),
        (
            {"optimizer": GridOptimizer(LINE)},
            "'optimizer' parameter of tune must be one of .* or a class",
        ),
        ({"optimizer": lambda *_, **__: 3}, "optimizer must make an Optimizer, got 3"),
        ({"minimize": "yes"}, "'minimize' parameter of tune must be True or False. Got 'yes'"),
        ({"error_score": 0.0}, "'error_score' parameter of tune must be nan or 'raise'. Got 0.0"),
        (
            {"initial_params": "default"},
            "'initial_params' parameter of tune must be None, a dict or a list of dicts",
        ),
        ({"initial_params": {"y": 1}}, r"initial_params\[0\] does not lie.*Unknown parameter 'y'"),
        (
            {"n_points": 0},
            "'n_points' parameter of tune must be 'auto' or an integer of at least 1",
        ),
        (
            {"fit_timeout": -1},
            "'fit_timeout' parameter of tune must be 'auto', None or a number of seconds",
        ),
        ({"max_time": 0}, "'max_time' parameter of tune must be None or a number of seconds"),
        ({"tol": -1}, "'tol' parameter of tune must be a number of at least 0"),
        (
            {"target_value": "high"},
            "'target_value' parameter of tune must be None or a number. Got 'high'",
        ),
        (
            {"n_iter_no_change": 0},
            "'n_iter_no_change' parameter of tune must be None or an integer",
        ),
        ({"journal": 5}, "'journal' parameter of tune must be None or the path of a file"),
        (
            {"previous_studies": 5},
            "previous_studies must be the path of a journal, a fitted search",
        ),
        ({"previous_studies": BayesSearchCV(None, LINE)}, "that is not fitted"),
        ({"callbacks": 5}, "'callbacks' parameter of tune must be None, a callable"),
        ({"resource": 9}, r"resource must be None or a pair \(least, most\)"),
        ({"resource": (3, 1)}, r"resource must be None or a pair.*1 <= least <= most"),
        ({"space": {"x": 5}}, "'x': 5 .*is not a set of values"),
    ],
)
def test_invalid_input_is_refused_before_the_first_call(options, message):
    function = Counted()
    given = {"function": function, "space": LINE} | options
    with pytest.raises((ValueError, TypeError), match=message):
        tune(given.pop("function"), given.pop("space"), **given)
    assert function.calls == []
