"""Floating-point errors: the user's numpy error state is for the user's code, not for ours.

Every test runs with warnings as errors, as all tests do.
"""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.metrics import make_scorer
from sklearn.model_selection import KFold

from sklearn_lepton import BayesSearchCV, load_trials, nested_cross_val_score, plotting, tune
from sklearn_lepton.importance import parameter_importance
from sklearn_lepton.report import write_report
from sklearn_lepton.space import Space

SPACE = {"x": (1e-300, 1.0, "log-uniform"), "z": (0, 9, "int"), "m": ["a", "b", "c"]}
OPTIMIZERS = ["bayes", "swarm", "genetic", "auto"]


def check_state():
    """The user's code runs under the user's error state."""
    assert set(np.geterr().values()) == {check_state.expected}


@pytest.fixture(params=["raise"])
def state(request):
    """Set numpy's error state; "warn" is as strict, since warnings are errors here."""
    check_state.expected = request.param
    with np.errstate(all=request.param):
        yield request.param
        check_state()  # and it is left as it was


class Guest(BaseEstimator):
    """Looks at the error state wherever it is called."""

    def __init__(self, x=0.5, z=0, m="a", size=9):
        self.x = x
        self.z = z
        self.m = m
        self.size = size

    def fit(self, X, y=None):
        check_state()
        return self

    def predict(self, X):
        check_state()
        return np.full(len(X), 1.0 - abs(self.x - 0.7) - 0.01 * self.z)


class Splitter(KFold):
    def split(self, X, y=None, groups=None):
        check_state()
        return super().split(X, y, groups)


def score(y, predicted):
    check_state()
    return float(predicted.mean() + 0.01 * np.cos(y.sum()))


def simplest(params):
    check_state()
    return params["z"]


def watch(search, trial):
    check_state()


OPTIONS = {
    "plain": {},
    "racing": {"racing": True, "cv": Splitter(5)},
    "parameter": {"resource": "size", "max_resources": 81},
    "samples": {"resource": "n_samples"},
    "cost": {"cost_aware": True},
    "choice": {"refit": "1se", "complexity": simplest, "final_cv": 5},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_search_runs_under_any_error_state(search_class, numbered, state, options):
    search = search_class(Guest(), SPACE, n_iter=14, cv=Splitter(3), random_state=0)
    search.set_params(scoring=make_scorer(score), callbacks=watch, **options).fit(*numbered)
    assert all(trial.status in {"complete", "pruned"} for trial in search.trials_)
    assert np.isfinite(search.best_score_)


@pytest.mark.thorough
def test_searches_that_follow_run_under_any_error_state(numbered, state, tmp_path):
    def make(**options):
        search = BayesSearchCV(Guest(), SPACE, n_iter=8, cv=2, random_state=0, **options)
        return search.set_params(scoring=make_scorer(score))

    path = tmp_path / "study.jsonl"
    first = make(journal=path).fit(*numbered)
    make(journal=path).fit(*numbered)
    make(previous_studies=first).fit(*numbered)
    make(warm_start=True).fit(*numbered).fit(*numbered)
    assert first.compare_to_default(*numbered).p_value >= 0
    assert np.isfinite(nested_cross_val_score(make(), *numbered, cv=2).std_error)
    make().fit(*numbered).update(*numbered)
    assert "Best" in first._repr_html_()
    for trial in load_trials(path):
        assert Space(SPACE).to_point(trial.params) == pytest.approx(trial.point)


FUNCTIONS = {
    "huge": lambda p: (p["x"] - 0.5) * 1e307 * (p["z"] - 4),
    "subnormal": lambda p: max(p["x"], 0.1) * 1e-309,
    "constant": lambda p: 1.0,
    "infinite": lambda p: -np.inf if p["m"] == "a" else p["x"],
    "both ends": lambda p: {"a": 1e308, "b": -1e308, "c": p["x"]}[p["m"]],
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize(
    ("optimizer", "state"),
    [("bayes", "warn"), *((optimizer, "raise") for optimizer in OPTIMIZERS)],
    indirect=["state"],
)
def test_extreme_scores_neither_raise_nor_warn(optimizer, function, state):
    def guest(params):
        check_state()
        with np.errstate(all="ignore"):
            return function(params)

    result = tune(guest, SPACE, n_iter=14, optimizer=optimizer, random_state=0)
    assert len(result.trials_) == 14
    _, std = result.optimizer_.predict([result.best_params_])
    assert np.all(np.isfinite(std))


@pytest.fixture(scope="module")
def results():
    """A result of each optimizer, some with extreme scores."""
    functions = dict(zip(OPTIMIZERS, FUNCTIONS.values(), strict=False))
    with np.errstate(all="ignore"):
        return {
            name: tune(function, SPACE, n_iter=12, optimizer=name, random_state=0)
            for name, function in functions.items()
        }


DISPLAYS = sorted(set(plotting.__all__) - {"ComparisonDisplay", "FrontDisplay"})


@pytest.mark.parametrize("name", DISPLAYS)
def test_displays_are_made_under_any_error_state(results, state, name):
    import matplotlib.pyplot as plt

    kinds = {"SwarmDisplay": ["swarm"], "LineageDisplay": ["genetic"]}
    for optimizer in kinds.get(name, ["bayes"]):
        getattr(plotting, name).from_search(results[optimizer]).plot()
        plt.close("all")


def test_front_is_drawn_under_any_error_state(state):
    import matplotlib.pyplot as plt

    result = tune(
        lambda x: {"great": x * 1e200, "tiny": -x * 1e-200},
        {"x": (0.0, 1.0, "uniform")},
        n_iter=8,
        objectives=["great", "tiny"],
        random_state=0,
    )
    plotting.FrontDisplay.from_search(result).plot()
    plt.close("all")


def test_comparison_is_drawn_under_any_error_state(results, state):
    import matplotlib.pyplot as plt

    plotting.ComparisonDisplay.from_searches(results).plot()
    plt.close("all")


def test_importance_and_report_are_made_under_any_error_state(results, state, tmp_path):
    for optimizer in ("bayes", "genetic"):
        found = parameter_importance(results[optimizer], n_samples=8)
        assert np.all(np.isfinite(found.importances))
        write_report(results[optimizer], tmp_path / f"{optimizer}.html")
