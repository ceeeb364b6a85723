"""Scores of every type, and errors with a text of any length, fail their trial at the most."""

import decimal
import fractions
import json
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import SGDClassifier

from sklearn_lepton import BayesSearchCV, load_trials, tune
from sklearn_lepton._runtime.errors import MAX_CHARACTERS
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._workers.serialization import run_fit
from sklearn_lepton.callbacks import Deadline, TargetScore
from sklearn_lepton.optimizers import Trial
from sklearn_lepton.report import write_report
from sklearn_lepton.space import Space
from sklearn_lepton.space._values import as_float

X, Y = load_iris(return_X_y=True)
HUGE = 10**400
SPACE = {"alpha": (1e-4, 1e-1, "log-uniform")}
QUICK = {"n_iter": 3, "cv": 2, "random_state": 0}
FAILING = {
    "huge": HUGE,
    "huge negative": -HUGE,
    "too huge to print": 10**5000,
    "fraction": fractions.Fraction(HUGE),
    "decimal": decimal.Decimal("1e999"),
    "signaling": decimal.Decimal("sNaN"),
    "complex": 1 + 2j,
    "complex64": np.complex64(1 + 2j),
    "object": np.array(HUGE, dtype=object),
}


class Talkative(ClassifierMixin, BaseEstimator):
    """Fails with 2 MB of text where alpha is small."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y):
        if self.alpha < 0.5:
            raise ValueError("first words" + "x" * 2_000_000 + f"last words {self.alpha}")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


class NextAnswer:
    """A scorer that returns one value after the other."""

    def __init__(self, answers):
        self.answers = answers

    def __call__(self, estimator, X, y):
        return next(self.answers)

    def __reduce__(self):
        return NextAnswer, ((),)


def scorer(value, *, metric=None):
    """Return a scorer that returns a value in the middle one of three trials."""
    n_calls = 0

    def score(estimator, X, y):
        nonlocal n_calls
        n_calls += 1
        number = value if n_calls in {5, 6, 7, 8} else 0.5
        return number if metric is None else {"other": 0.4, metric: number}

    return score


@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning", "ignore:invalid value")
@pytest.mark.parametrize("metric", [None, "metric"])
@pytest.mark.parametrize("value", FAILING.values(), ids=FAILING)
def test_score_that_no_float_holds_fails_its_trial(value, metric, tmp_path):
    path = tmp_path / "study.jsonl"
    search = BayesSearchCV(
        SGDClassifier(random_state=0),
        SPACE,
        **QUICK,
        scoring=scorer(value, metric=metric),
        refit=True if metric is None else metric,
        return_train_score=True,
        journal=path,
    ).fit(X, Y)
    assert [trial.status for trial in search.trials_] == ["complete", "failed", "complete"]
    assert search.best_score_ == 0.5
    error = search.trials_[1].split_results[0].error
    assert error is None or "no real number" in error
    assert [trial.status for trial in load_trials(path)] == [t.status for t in search.trials_]


OTHER_METRICS = {"missing": {"a": 0.9}, "none": {}, "other": {1: 0.9}, "number": 0.9}


@pytest.mark.filterwarnings(
    "ignore:One or more of the:UserWarning", "ignore::sklearn.exceptions.FitFailedWarning"
)
@pytest.mark.parametrize("odd", OTHER_METRICS.values(), ids=OTHER_METRICS)
def test_fit_that_lacks_a_metric_fails_its_trial(odd, tmp_path):
    """The journal can be continued, also where the odd fit is the first of its process."""
    path, few = tmp_path / "study.jsonl", {"a": 0.5, "b": 0.4}
    answers = iter([few, few, few, odd, few, {**few, "c": 1.0}, odd, few, few, few])

    def make(n_iter):
        return BayesSearchCV(
            SGDClassifier(random_state=0),
            SPACE,
            **{**QUICK, "n_iter": n_iter},
            scoring=NextAnswer(answers),
            refit="a",
            journal=path,
        )

    search = make(3).fit(X, Y)
    assert [trial.status for trial in search.trials_] == ["complete", "failed", "complete"]
    assert "must return the same metrics" in search.trials_[1].split_results[1].error
    assert "mean_test_c" not in search.cv_results_
    statuses = [trial.status for trial in make(5).fit(X, Y).trials_]
    assert statuses == ["complete", "failed", "complete", "failed", "complete"]


def test_fit_that_lacks_a_metric_raises_where_errors_do():
    answers = iter([{"a": 0.5, "b": 0.4}, {"a": 0.5}])
    search = BayesSearchCV(
        SGDClassifier(), SPACE, **QUICK, scoring=NextAnswer(answers), refit="a", error_score="raise"
    )
    with pytest.raises(ValueError, match="must return the same metrics"):
        search.fit(X, Y)


@pytest.mark.parametrize("value", FAILING.values(), ids=FAILING)
@pytest.mark.parametrize("minimize", [False, True])
def test_value_that_no_float_holds_fails_its_trial(value, minimize):
    result = tune(
        lambda params: value if params["x"] == 1 else 0.5,
        {"x": [0, 1, 2]},
        n_iter=3,
        initial_params=[{"x": 0}, {"x": 1}],
        minimize=minimize,
    )
    assert [t.status for t in result.trials_] == ["complete", "failed", "complete"]


@pytest.mark.parametrize(
    "value", ["0.5", True, np.True_, [0.5], np.array([0.5]), np.timedelta64(5, "s"), b"1"]
)
def test_function_that_returns_no_number_is_refused_immediately(value):
    with pytest.raises(TypeError, match="must return one number"):
        tune(lambda _: value, {"x": [0, 1]}, n_iter=2)


def test_first_value_that_is_too_large_is_a_number():
    result = tune(
        lambda params: HUGE if params["x"] == 0 else 1,
        {"x": [0, 1]},
        n_iter=2,
        initial_params={"x": 0},
    )
    assert [t.status for t in result.trials_] == ["failed", "complete"]


@pytest.mark.parametrize("value", [decimal.Decimal("0.5"), np.float16(0.5), np.array(0.5)])
def test_number_of_any_type_is_a_score(value):
    trial = Trial(0, (0.5,), {}).complete(value, split_scores=[value])
    assert (trial.status, trial.score, trial.split_scores) == ("complete", 0.5, (0.5,))
    assert type(trial.score) is float
    assert as_float(fractions.Fraction(1, 4)) == 0.25


def test_trial_fails_with_a_score_that_no_float_holds():
    trial = Trial(0, (0.5,), {})
    told = trial.complete(HUGE, split_scores=[-HUGE])
    assert (told.status, told.score, told.split_scores) == ("failed", None, (-np.inf,))
    for value in (None, "0.5", 1j, np.complex64(1j), [1.0], decimal.Decimal("sNaN"), b"1"):
        with pytest.raises(TypeError, match="expected a real number"):
            trial.complete(value)
    for value in (HUGE, 1j, "0.5", np.array(0.5)):
        with pytest.raises(ValueError, match="finite score"):
            Trial(0, (0.5,), {}, status="complete", score=value)
    with pytest.raises(ValueError, match="estimate"):
        trial.prune((HUGE, 1.0))


@pytest.mark.parametrize("name", ["fit_timeout", "max_time", "target_score", "max_resources"])
def test_number_too_large_for_a_float_is_refused_or_never_reached(name):
    options = QUICK | {name: HUGE} | ({"resource": "max_iter"} if name == "max_resources" else {})
    search = BayesSearchCV(SGDClassifier(), SPACE, **options)
    if name == "target_score":
        assert len(search.fit(X, Y).trials_) == 3
        return
    with pytest.raises(ValueError, match=name):
        search.fit(X, Y)


def test_callbacks_and_functions_take_numbers_too_large_for_a_float():
    for callback in (Deadline(HUGE), TargetScore(HUGE)):
        assert not callback(None, Trial(0, (0.5,), {}).complete(0.5))
    options = {"refit": "1se", "complexity": lambda _: HUGE, "error_score": HUGE}
    assert BayesSearchCV(SGDClassifier(), SPACE, **QUICK, **options).fit(X, Y).best_index_ >= 0
    assert tune(lambda _: 0.5, {"x": [0]}, n_iter=1, target_value=HUGE).stop_reason_ == "n_iter"
    with pytest.raises(ValueError, match="resource"):
        tune(lambda *_: 0.5, {"x": [0]}, n_iter=1, resource=(1, HUGE))


def test_text_of_errors_is_bounded_wherever_it_is_kept(tmp_path):
    path = tmp_path / "study.jsonl"
    search = BayesSearchCV(
        Talkative(),
        {"alpha": [0.1, 0.2, 1.0]},
        n_iter=3,
        cv=2,
        random_state=0,
        journal=path,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, Y)
    errors = [row.error for t in search.trials_ for row in t.split_results if row.error]
    assert len(errors) == 4
    for error in errors:
        assert len(error) <= MAX_CHARACTERS
        assert "first words" in error
        assert "characters left out" in error
        assert error.rstrip().endswith(("last words 0.1", "last words 0.2"))
    assert path.stat().st_size < 20 * MAX_CHARACTERS
    assert sum(len(str(w.message)) for w in caught) < 10 * MAX_CHARACTERS
    assert any(w.category is FitFailedWarning for w in caught)


def test_long_text_of_an_error_is_not_sent_by_a_worker():
    row = run_fit((lambda: {"fit_error": "x" * 2_000_000}, (), {}))
    assert len(row["fit_error"]) <= MAX_CHARACTERS


def test_report_bounds_the_text_of_errors(tmp_path):
    page = tmp_path / "report.html"
    space = Space({"x": [0, 1]})
    trials = [Trial(k, space.to_point({"x": k}), {"x": k}) for k in range(2)]
    rows = [SplitResult(error="x" * 2_000_000, fit_time=0.1, score_time=0.1)]
    told = [trials[0].complete(0.5), trials[1].fail(split_scores=[np.nan], split_results=rows)]
    write_report(told, page, space=space)
    assert "characters left out" in page.read_text(encoding="utf-8")
    assert page.stat().st_size < 1_000_000


def test_error_of_a_search_without_result_is_bounded():
    with pytest.raises(ValueError, match="left out") as caught:
        BayesSearchCV(Talkative(0.1), {"alpha": [k / 100 for k in range(20)]}, n_iter=12, cv=2).fit(
            X, Y
        )
    assert len(str(caught.value)) < 11 * MAX_CHARACTERS
    assert "other reasons" in str(caught.value)


def test_text_of_errors_of_functions_is_bounded(tmp_path):
    path = tmp_path / "study.jsonl"

    def loss(params):
        if params["x"] == 1:
            raise ValueError("x" * 2_000_000)
        return "y" * 2_000_000 if params["x"] == 2 else 0.5

    tune(loss, {"x": [0, 1, 2]}, n_iter=3, journal=path, initial_params=[{"x": 0}])
    assert path.stat().st_size < 3 * MAX_CHARACTERS
    assert all(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
