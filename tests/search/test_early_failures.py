"""Searches end early, with a clear message, if the first trials all fail for one reason."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from doubles import Probe
from sklearn.metrics import make_scorer

from sklearn_lepton import AutoSearchCV, BayesSearchCV, tune
from sklearn_lepton._evaluation.results import EarlyFailures
from sklearn_lepton._runtime.errors import error_line
from sklearn_lepton.optimizers import SplitResult, Trial

X_RANGE = {"x": (0.0, 1.0, "uniform")}
TRACEBACK = "Traceback (most recent call last):\n  File 'a'\n    code\n"


def broken(estimator, X, y):
    raise LookupError("my own scorer broke")


def broken_metric(y_true, y_pred):
    raise LookupError("my own metric broke")


def failed(*errors):
    return Trial(0, (0.5,), {}).fail(
        split_results=[SplitResult(scores=0.5, error=error) for error in errors]
    )


@pytest.mark.parametrize("n_points", [1, 4])
def test_search_ends_after_first_failures_for_one_reason(
    search_class, probe, log, numbered, n_points
):
    search = search_class(
        probe.set_params(outcome="raise"), X_RANGE, n_iter=60, cv=3, n_points=n_points
    )
    with pytest.raises(ValueError, match=r"failed for one reason: RuntimeError: no luck") as caught:
        search.fit(*numbered)
    # The trials that are in flight then are finished.
    n_trials = max(5, search.optimizer_.n_initial_points) + n_points - 1
    assert len(search.trials_) == n_trials
    assert len(log.fits) == 3 * n_trials
    assert search.stop_reason_ is None
    assert "ended early" in str(caught.value)
    assert str(caught.value).splitlines()[-1] == "RuntimeError: no luck with z=0"


def test_search_with_longer_initial_design_ends_after_it(probe, numbered):
    search = BayesSearchCV(
        probe.set_params(outcome="raise"), X_RANGE, n_iter=30, cv=2, n_initial_points=9
    )
    with pytest.raises(ValueError, match="All the 9 trials failed for one reason"):
        search.fit(*numbered)


def test_reasons_that_depend_on_parameters_do_not_end_search(probe, numbered):
    space = {"z": (0, 99, "int")}
    search = BayesSearchCV(probe.set_params(outcome="raise"), space, n_iter=11, cv=2)
    with pytest.raises(ValueError, match=r"All the 11 trials failed\."):
        search.fit(*numbered)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_search_that_has_a_score_goes_on(probe, numbered):
    space = {"x": (0.0, 1.0, "uniform"), "outcome": ["raise", "ok"]}
    first = [{"x": 0.5, "outcome": "ok"}, *[{"x": k / 9, "outcome": "raise"} for k in range(8)]]
    search = BayesSearchCV(probe, space, n_iter=9, cv=2, initial_params=first).fit(*numbered)
    assert [trial.status for trial in search.trials_] == ["complete"] + ["failed"] * 8


def test_resumed_search_tries_the_first_trials_again(probe, numbered, tmp_path):
    probe.set_params(outcome="raise")
    options = {"n_iter": 60, "cv": 2, "journal": tmp_path / "a.jsonl", "random_state": 0}
    for n_trials in (5, 10):
        search = BayesSearchCV(probe, X_RANGE, **options)
        with pytest.raises(ValueError, match=f"All the {n_trials} trials failed"):
            search.fit(*numbered)


def test_tune_ends_after_first_failures_for_one_reason():
    calls = []

    def function(params):
        calls.append(params)
        raise ZeroDivisionError("never")

    with pytest.raises(ValueError, match="for one reason: ZeroDivisionError: never"):
        tune(function, X_RANGE, n_iter=60)
    assert len(calls) == 5


@pytest.mark.parametrize(
    "last",
    [
        failed(TRACEBACK + "ValueError: b", TRACEBACK + "ValueError: b"),  # another reason
        failed(TRACEBACK + "ValueError: a", TRACEBACK + "ValueError: b"),  # on one of the splits
        failed("The fit took longer than fit_timeout=2 s."),  # no error of the estimator
        failed(TRACEBACK + "ValueError: a", None),  # not on all splits
        Trial(0, (0.5,), {}).complete(1.0),
        Trial(0, (0.5,), {}).fail(),
    ],
)
@pytest.mark.parametrize("position", [0, 3, 6])
def test_early_failures_need_one_error_on_all_splits(last, position):
    failures = EarlyFailures(6, [])
    common = failed(TRACEBACK + "ValueError: a", TRACEBACK + "ValueError: a")
    for k in range(7):
        failures.record(last if k == position else common)
        assert failures.are_final == (k == 5 and position == 6)


def test_early_failures_are_at_least_five():
    failures = EarlyFailures(1, [replace(failed("x"), number=9)])
    found = []
    for _ in range(6):
        failures.record(failed(TRACEBACK + "ValueError: a"))
        found.append(failures.are_final)
    assert found == [False] * 4 + [True] * 2


def test_score_of_an_earlier_run_turns_early_failures_off():
    failures = EarlyFailures(1, [Trial(9, (0.5,), {}).complete(1.0)])
    for _ in range(9):
        failures.record(failed(TRACEBACK + "ValueError: a"))
    assert not failures.are_final


@pytest.mark.parametrize(
    ("scoring", "reason"),
    [
        (broken, "my own scorer broke"),
        (make_scorer(broken_metric), "my own metric broke"),
        ({"a": broken, "b": "accuracy"}, "my own scorer broke"),
    ],
)
@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_error_of_a_scorer_is_quoted(numbered, scoring, reason, n_jobs):
    refit = "a" if isinstance(scoring, dict) else True
    search = BayesSearchCV(
        Probe(), X_RANGE, n_iter=20, cv=2, scoring=scoring, refit=refit, n_jobs=n_jobs
    )
    with pytest.raises(ValueError, match=reason) as caught:
        search.fit(*numbered)
    assert f"for one reason: LookupError: {reason}" in str(caught.value)
    assert "scoring does not fit" in str(caught.value)
    assert search.trials_[0].error == f"LookupError: {reason}"
    assert "in broken" in search.trials_[0].split_results[1].error


def test_error_of_a_scorer_is_raised_where_asked_for(numbered):
    search = BayesSearchCV(Probe(), X_RANGE, cv=2, scoring=broken, error_score="raise")
    with pytest.raises(LookupError, match="my own scorer broke"):
        search.fit(*numbered)


def test_errors_of_a_scorer_are_one_warning(probe, numbered):
    space = {"x": [0.1, 0.2, 0.3], "outcome": ["ok", "scoring raises"]}
    search = BayesSearchCV(probe, space, n_iter=6, cv=2, initial_params=None)
    with pytest.warns() as caught:
        search.fit(*numbered)
    texts = [str(warning.message) for warning in caught]
    (text,) = [text for text in texts if text.startswith("Scoring failed")]
    assert "6 of 12 fits" in text
    assert text.endswith("RuntimeError: no score")
    assert len(texts) == 2  # the other one is scikit-learn's, of scores that are not finite


@pytest.mark.slow
def test_wrong_positive_label_is_explained_in_few_lines():
    code = """
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier
from sklearn_lepton import BayesSearchCV
X, y = load_breast_cancer(return_X_y=True)
space = {"max_depth": (1, 20, "int"), "ccp_alpha": (0.0, 0.1, "uniform")}
BayesSearchCV(DecisionTreeClassifier(), space, n_iter=60, scoring="f1", verbose=1).fit(
    X, ["malignant" if label else "benign" for label in y]
)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).splitlines()
    assert lines[-1].startswith("ValueError: pos_label=1 is not a valid label")
    assert len(lines) < 80


def test_portfolio_that_fails_as_a_whole_ends_early(numbered):
    X, y = numbered
    search = AutoSearchCV("classifier", n_iter=40, cv=2, scoring=broken)
    with pytest.raises(ValueError, match="for one reason: LookupError: my own scorer broke"):
        search.fit(np.asarray(X), y)
    assert len(search.trials_) < 20


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{TRACEBACK}ValueError: Input X has NaN.\nSee:\nhttps://scikit-learn.org", "Input X"),
        (f"{TRACEBACK}KeyError: 1\n\nDuring it:\n\n{TRACEBACK}ValueError: Input X", "Input X"),
        (f"The scorer raised an error.\n{TRACEBACK}ValueError: Input X", "Input X"),
        ("ValueError: Input X\nand more", "Input X"),
        ("", "no reason"),
    ],
)
def test_line_of_an_error_begins_its_message(text, line):
    assert line in error_line(text)
    assert "\n" not in error_line(text)


def test_text_of_a_trial_is_one_line(numbered):
    class Rude:
        def __repr__(self):
            raise ValueError

    long = Trial(3, (0.5,), {"a": "b" * 999, "c": Rude(), "d": "e\nf"}, fidelity=0.5)
    text = repr(long.fail(split_results=[SplitResult(error=f"{TRACEBACK}ValueError: bad\nx")]))
    assert "\n" not in text
    assert len(text) < 300
    assert text.startswith("Trial(number=3, params={'a': 'bbb")
    assert text.endswith("status='failed', fidelity=0.5, error='ValueError: bad')")
    assert repr(Trial(0, (), {"x": 1}).complete(0.5)) == (
        "Trial(number=0, params={'x': 1}, status='complete', score=0.5)"
    )


def test_error_of_a_trial_without_a_finite_score_has_the_scores():
    trial = Trial(0, (), {}).complete(np.nan, split_scores=[np.nan, 1.0])
    assert trial.error == "The score was not finite: [nan, 1.0]."
    assert Trial(0, (), {}).complete(1.0).error is None
    assert Trial(0, (), {}).error is None
