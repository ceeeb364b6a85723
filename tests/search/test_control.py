"""Initial configurations, budget, stopping rules and callbacks of a search."""

import math
import time

import joblib
import numpy as np
import pytest
from scipy.stats import randint, uniform
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV, Integer, SwarmSearchCV
from sklearn_lepton._search.run import auto_window
from sklearn_lepton._study.study import Study
from sklearn_lepton.exceptions import SpaceExhaustedWarning

SPACE = {"x": (0.0, 1.0, "uniform")}


def run(search_class, probe, numbered, space=None, **arguments):
    arguments = {"n_iter": 8, "cv": 3, "random_state": 0, **arguments}
    return search_class(probe, SPACE if space is None else space, **arguments).fit(*numbered)


# ------------------------------------------------------------------------ budget


@pytest.mark.parametrize("n_iter", [1, 2, 9, np.int64(3)])
@pytest.mark.parametrize("n_points", [1, 2, 50])
def test_n_iter_is_the_number_of_trials(search_class, probe, log, numbered, n_iter, n_points):
    search = run(search_class, probe, numbered, n_iter=n_iter, n_points=n_points)
    assert len(search.trials_) == len(search.cv_results_["params"]) == n_iter
    assert len(log.fits) == 3 * n_iter + 1
    assert search.stop_reason_ == "n_iter"


@pytest.fixture
def batches(monkeypatch):
    """The numbers of trials that are asked for at a time."""
    sizes, ask = [], Study.ask

    def counted(study, n_trials):
        trials = ask(study, n_trials)
        sizes.extend([len(trials)] * bool(trials))
        return trials

    monkeypatch.setattr(Study, "ask", counted)
    return sizes


@pytest.mark.parametrize(
    ("n_points", "n_jobs", "cv", "expected"),
    [
        ("auto", None, 3, [1, 1, 1, 1, 1]),
        ("auto", 2, 3, [2, 1, 1, 1]),
        ("auto", 3, 3, [2, 1, 1, 1]),
        ("auto", 4, 3, [2, 1, 1, 1]),
        ("auto", 9, 3, [3, 1, 1]),
        (3, None, 3, [3, 1, 1]),
        (3, 2, 3, [3, 1, 1]),
        (9, None, 2, [5]),
    ],
)
def test_n_points_is_the_number_of_trials_in_flight(
    search_class, probe, numbered, batches, n_points, n_jobs, cv, expected
):
    import joblib

    with joblib.parallel_config(backend="threading"):
        run(
            search_class,
            probe,
            numbered,
            n_iter=5,
            n_points=n_points,
            n_jobs=n_jobs,
            cv=cv,
        )
    assert batches == expected


@pytest.mark.parametrize(
    ("n_workers", "n_splits", "n_trials", "window"),
    [
        (1, 1, 1000, 1),
        (1, 5, 1000, 1),
        (2, 3, 20, 2),
        (2, 5, 50, 2),
        (2, 1, 50, 4),
        (4, 1, 1000, 12),
        (8, 3, 80, 11),
        (8, 5, 50, 7),
        (8, 1, 50, 10),  # a fifth of the trials
        (32, 3, 336, 64),
        (32, 5, 50, 10),
        (32, 1, 50, 32),  # one for each worker
        (8, 1, math.inf, 32),
    ],
)
def test_automatic_window_grows_with_workers_and_is_limited_by_the_budget(
    n_workers, n_splits, n_trials, window
):
    assert auto_window(n_workers, n_splits, n_certain=n_splits, n_trials=n_trials) == window


def test_automatic_window_of_a_race_has_a_trial_for_each_worker():
    assert auto_window(8, 5, n_certain=1, n_trials=50) == 8


# -------------------------------------------------------------- the first trials


def test_own_parameters_are_the_first_trial(search_class, probe, numbered):
    search = run(search_class, probe.set_params(x=0.625, z=2), numbered, {**SPACE, "z": [1, 2, 3]})
    assert search.trials_[0].params == {"x": 0.625, "z": 2}
    assert search.best_score_ >= search.trials_[0].score


def test_own_parameters_outside_of_the_space_are_tried_then_replaced_by_the_middle(
    search_class, probe, numbered
):
    space = {"x": (0.0, 1.0, "uniform"), "z": Integer(1, 3)}
    search = run(search_class, probe.set_params(x=7.0, z=1), numbered, space)
    assert search.trials_[0].params == {"x": 7.0, "z": 1}
    assert search.trials_[1].params == {"x": 0.5, "z": 1}


def test_search_is_never_worse_than_the_untuned_estimator(search_class, blobs):
    search = search_class(
        LogisticRegression(C=1.0),
        {"C": (1e-9, 1e9, "log-uniform"), "class_weight": [None, {0: 1e6}, {1: 1e6}]},
        n_iter=4,
        cv=3,
        random_state=1,
    ).fit(*blobs)
    assert search.trials_[0].params == {"C": 1.0, "class_weight": None}
    assert search.best_score_ >= search.trials_[0].score


def test_initial_params_none_starts_with_the_design(search_class, probe, numbered):
    space = {"x": (0.0, 1.0, "uniform"), "z": [0, 1, 2]}
    search = run(search_class, probe.set_params(x=0.123), numbered, space, initial_params=None)
    assert all(trial.params["x"] != 0.123 for trial in search.trials_)


@pytest.mark.parametrize(
    ("given", "tried"),
    [
        ({"x": 0.25, "z": 1}, [(0.25, 1)]),
        ({"x": 0.25}, [(0.25, 2)]),
        ([{"z": 1}], [(0.375, 1)]),
        ([{}], [(0.375, 2)]),
        ([], []),
        (({"x": 0.25}, {"x": 0.5, "z": 3}, {"z": 3}), [(0.25, 2), (0.5, 3), (0.375, 3)]),
        ([{"x": 0.25}, {"x": 0.25, "z": 2}, {"x": 1}], [(0.25, 2), (1.0, 2)]),
        ([{"x": np.float64(0.25), "z": np.int64(3)}], [(0.25, 3)]),
    ],
)
@pytest.mark.parametrize("n_points", [1, 2])
def test_initial_params_are_tried_first_in_their_order(
    search_class, probe, numbered, given, tried, n_points
):
    space = {"x": (0.0, 1.0, "uniform"), "z": [1, 2, 3]}
    probe.set_params(x=0.375, z=2)
    search = run(
        search_class, probe, numbered, space, initial_params=given, n_points=n_points, n_iter=5
    )
    settings = [(trial.params["x"], trial.params["z"]) for trial in search.trials_]
    assert settings[: len(tried)] == tried
    assert len(set(settings)) == 5


def test_n_iter_limits_initial_params(search_class, probe, numbered):
    given = [{"x": value / 10} for value in range(10)]
    search = run(search_class, probe, numbered, initial_params=given, n_iter=4)
    assert [trial.params["x"] for trial in search.trials_] == [0.0, 0.1, 0.2, 0.3]


def test_initial_params_choose_their_branch(search_class, probe, numbered):
    space = [{"x": (0.0, 1.0, "uniform")}, {"z": [1, 2, 3], "x": [0.9]}]
    search = run(search_class, probe, numbered, space, initial_params={"z": 2})
    assert search.trials_[0].params == {"z": 2, "x": 0.9}


# ----------------------------------------------------------------- finite spaces


@pytest.mark.parametrize("n_points", [1, 3, 10])
def test_small_space_is_searched_completely(search_class, probe, log, numbered, n_points):
    space = {"x": [0.1, 0.2, 0.4], "z": [1, 2]}
    probe.set_params(x=0.1, z=1)
    with pytest.warns(SpaceExhaustedWarning, match="holds 6 configurations.*n_iter=20"):
        search = run(search_class, probe, numbered, space, n_iter=20, n_points=n_points)
    settings = {(trial.params["x"], trial.params["z"]) for trial in search.trials_}
    assert settings == {(x, z) for x in (0.1, 0.2, 0.4) for z in (1, 2)}
    assert len(log.fits) == 3 * 6 + 1
    assert search.stop_reason_ == "exhausted"
    assert search.best_params_ == {"x": 0.4, "z": 1}


def test_space_of_exactly_n_iter_configurations_does_not_warn(search_class, probe, numbered):
    probe.set_params(x=0.1)
    search = run(search_class, probe, numbered, {"x": [0.1, 0.2, 0.4]}, n_iter=3)
    assert sorted(trial.params["x"] for trial in search.trials_) == [0.1, 0.2, 0.4]


def test_empty_space_gives_one_trial(search_class, probe, numbered):
    with pytest.warns(SpaceExhaustedWarning, match="1 configuration"):
        search = run(search_class, probe, numbered, {})
    assert search.best_params_ == {}
    assert len(search.trials_) == 1
    assert run(search_class, probe, numbered, {}, n_iter=1).cv_results_["params"] == [{}]


def test_list_of_dicts_shares_one_budget(search_class, blobs):
    space = [
        {"kernel": ["linear"], "C": (1e-2, 1e1, "log-uniform")},
        {"kernel": ["rbf"], "C": (1e-2, 1e1, "log-uniform"), "gamma": (1e-2, 1e1, "log-uniform")},
        {"kernel": ["poly"], "degree": randint(1, 4), "max_iter": [1000]},
    ]
    search = search_class(SVC(gamma=0.1), space, n_iter=12, cv=2, random_state=0, n_points=4)
    search.fit(*blobs)
    results = search.cv_results_
    assert len(results["params"]) == 12
    active = {"linear": {"C"}, "rbf": {"C", "gamma"}, "poly": {"degree", "max_iter"}}
    assert len({params["kernel"] for params in results["params"]}) > 1
    for row, params in enumerate(results["params"]):
        expected = {"kernel"} | active[params["kernel"]]
        assert set(params) == expected
        for name in ("C", "gamma", "degree", "max_iter"):
            assert np.ma.getmaskarray(results[f"param_{name}"])[row] == (name not in expected)


def test_finite_list_of_dicts_is_exhausted(search_class, probe, numbered):
    space = [{"x": [0.1, 0.2]}, {"z": [1, 2, 3], "x": [0.5]}]
    probe.set_params(x=0.1)
    with pytest.warns(SpaceExhaustedWarning, match="holds 5 configurations"):
        search = run(search_class, probe, numbered, space)
    assert sorted(map(str, search.cv_results_["params"])) == sorted(
        [*(str({"x": x}) for x in (0.1, 0.2)), *(str({"z": z, "x": 0.5}) for z in (1, 2, 3))]
    )


# ---------------------------------------------------------------- stopping early


@pytest.mark.parametrize("backend", ["sequential", "threading"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_max_time_ends_the_search(search_class, probe, numbered, backend, asynchronous):
    start = time.monotonic()
    with joblib.parallel_config(backend=backend, n_jobs=2):
        search = run(
            search_class,
            probe,
            numbered,
            n_iter=100_000,
            max_time=0.3,
            asynchronous=asynchronous,
            callbacks=lambda search, trial: time.sleep(0.02),
        )
    assert time.monotonic() - start < 10.0
    assert search.stop_reason_ == "max_time"
    assert 1 <= len(search.trials_) <= 16
    assert search.best_estimator_.fitted_


@pytest.mark.parametrize("n_points", [1, 3])
def test_max_time_without_a_finished_trial_raises(search_class, probe, log, numbered, n_points):
    with pytest.raises(TimeoutError, match=r"max_time=1e-09 s passed before a trial"):
        run(search_class, probe, numbered, max_time=1e-9, n_points=n_points)
    assert log.fits == []


def test_n_iter_no_change_ends_the_search(search_class, probe, numbered):
    space = {"x": [0.7, *np.linspace(0, 0.6, 50).tolist()]}
    search = run(
        search_class, probe.set_params(x=0.7), numbered, space, n_iter=40, n_iter_no_change=5
    )
    assert len(search.trials_) == 6
    assert search.stop_reason_ == "n_iter_no_change"
    assert search.best_index_ == 0


@pytest.mark.parametrize(("tol", "n_trials"), [(0.0, 6), (0.15, 6), (0.25, 3)])
def test_tol_ignores_small_improvements(search_class, probe, numbered, tol, n_trials):
    given = [{"x": value} for value in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]
    search = run(
        search_class,
        probe,
        numbered,
        initial_params=given,
        n_iter=6,
        n_iter_no_change=2,
        tol=tol,
    )
    assert len(search.trials_) == n_trials


@pytest.mark.parametrize(("n_points", "n_trials"), [(1, 2), (4, 5)])
def test_target_score_ends_the_search(search_class, probe, numbered, n_points, n_trials):
    search = run(
        search_class,
        probe,
        numbered,
        initial_params=[{"x": 0.0}, {"x": 0.75}, {"x": 0.1}, {"x": 0.2}],
        target_score=0.9,
        n_points=n_points,
    )
    assert len(search.trials_) == n_trials
    assert search.stop_reason_ == "target_score"
    assert search.best_params_ == {"x": 0.75}


def test_unreached_target_score_changes_nothing(search_class, probe, numbered):
    search = run(search_class, probe, numbered, target_score=2.0, n_iter=3)
    assert search.stop_reason_ == "n_iter"


# --------------------------------------------------------------------- callbacks


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize("n_points", [1, 3])
def test_callbacks_get_every_trial_in_order(search_class, probe, numbered, as_list, n_points):
    seen = []

    def callback(search, trial):
        seen.append((search, trial))

    search = run(
        search_class,
        probe,
        numbered,
        callbacks=[callback] if as_list else callback,
        n_points=n_points,
        n_iter=7,
    )
    assert [trial for _, trial in seen] == search.trials_
    assert all(given is search for given, _ in seen)
    assert all(trial.status == "complete" for _, trial in seen)


@pytest.mark.parametrize("stop", [True, np.True_])
@pytest.mark.parametrize(("n_points", "n_trials"), [(1, 3), (2, 4), (5, 7)])
def test_callback_that_returns_true_ends_the_search(
    search_class, probe, numbered, stop, n_points, n_trials
):
    first, second = [], []

    def stopping(search, trial):
        first.append(trial.number)
        return stop if trial.number == 2 else None

    search = run(
        search_class,
        probe,
        numbered,
        callbacks=[stopping, lambda search, trial: second.append(trial.number)],
        n_points=n_points,
        n_iter=20,
    )
    assert first == second == list(range(n_trials))
    assert search.stop_reason_ == "callback"
    assert search.best_estimator_.fitted_
    assert len(search.cv_results_["params"]) == n_trials


@pytest.mark.parametrize("answer", [None, False, np.False_])
def test_other_return_values_do_not_end_the_search(search_class, probe, numbered, answer):
    search = run(search_class, probe, numbered, callbacks=lambda search, trial: answer)
    assert len(search.trials_) == 8


def test_callback_that_stops_at_the_last_trial_sets_the_reason(search_class, probe, numbered):
    search = run(search_class, probe, numbered, callbacks=lambda s, t: t.number == 7)
    assert search.stop_reason_ == "callback"
    assert len(search.trials_) == 8


def test_first_reason_to_stop_is_reported(search_class, probe, numbered):
    search = run(search_class, probe, numbered, callbacks=lambda s, t: True, target_score=-9.0)
    assert search.stop_reason_ == "target_score"


def test_callbacks_can_be_objects_with_state(search_class, probe, numbered):
    class Counter:
        n_calls = 0

        def __call__(self, search, trial):
            self.n_calls += 1

    counter = Counter()
    run(search_class, probe, numbered, callbacks=counter, n_iter=4)
    assert counter.n_calls == 4


# ------------------------------------------------------------------- odd budgets


@pytest.mark.parametrize(
    "values",
    [
        [0.3],
        (0.3, 0.3, "uniform"),
        (0.3, 0.3, "log-uniform"),
        (3, 3, "int"),
        uniform(0.3, 1e-300),
    ],
)
def test_single_value_is_a_constant(search_class, probe, numbered, values):
    space = {"x": values, "z": [1, 2, 3]}
    search = run(search_class, probe, numbered, space, n_iter=3, initial_params=None)
    assert {trial.params["z"] for trial in search.trials_} <= {1, 2, 3}
    assert {float(trial.params["x"]) for trial in search.trials_} <= {0.3, 3.0}


# -------------------------------------------------------------------------- costs


@pytest.mark.parametrize(
    ("max_time", "cost_aware", "expected"),
    [
        (None, "auto", False),
        (60.0, "auto", True),
        (60.0, False, False),
        (None, True, True),
        (None, np.bool_(True), True),
    ],
)
def test_cost_aware_is_on_with_max_time(
    search_class, probe, numbered, max_time, cost_aware, expected
):
    with joblib.parallel_config(backend="threading"):
        search = run(
            search_class, probe, numbered, n_iter=2, max_time=max_time, cost_aware=cost_aware
        )
    assert search.optimizer_.run_settings.cost_aware is expected
    assert search.optimizer_.run_settings.max_seconds == (60.0 if expected and max_time else None)


@pytest.mark.thorough
def test_cost_aware_is_off_without_a_surrogate(probe, numbered):
    search = run(SwarmSearchCV, probe, numbered, n_iter=2, max_time=60.0, surrogate=False)
    assert search.optimizer_.run_settings.cost_aware is False
    with pytest.raises(
        ValueError, match="cost_aware=True needs surrogate=True, got surrogate=False"
    ):
        run(SwarmSearchCV, probe, numbered, cost_aware=True, surrogate=False)


@pytest.mark.thorough
def test_expensive_configurations_come_late():
    class Sleeper(LogisticRegression):
        """As good with any n, which only costs time."""

        def __init__(self, n=0.5, C=1.0):
            super().__init__(C=C)
            self.n = n

        def fit(self, X, y):
            time.sleep(0.08 * self.n)
            return super().fit(X, y)

    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = X[:, 0] + 0.5 * rng.normal(size=60) > 0
    space = {"n": (0.0, 1.0, "uniform"), "C": (1e-4, 1e2, "log-uniform")}
    mean_n = {
        cost_aware: np.mean(
            [
                trial.params["n"]
                for trial in BayesSearchCV(
                    Sleeper(), space, n_iter=24, cv=2, cost_aware=cost_aware, random_state=0
                )
                .fit(X, y)
                .trials_[12:]
            ]
        )
        for cost_aware in (True, False)
    }
    assert mean_n[True] < mean_n[False]


@pytest.mark.parametrize("cost_aware", ["yes", None, 1])
def test_cost_aware_must_be_true_false_or_auto(search_class, probe, numbered, cost_aware):
    with pytest.raises(
        ValueError, match="cost_aware' parameter of .* must be True, False or 'auto'"
    ):
        run(search_class, probe, numbered, cost_aware=cost_aware)
