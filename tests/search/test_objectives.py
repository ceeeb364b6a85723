"""Searches with several objectives and with limits."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import (
    AutoSearchCV,
    BayesSearchCV,
    GeneticSearchCV,
    Limit,
    Objective,
    SwarmSearchCV,
)

X, Y = load_breast_cancer(return_X_y=True)
SPACE = {"max_depth": (1, 12, "int"), "min_samples_leaf": (1, 60, "log-int")}
FRONT = ["accuracy", Objective("leaves", "minimize", reference=30.0)]
FEW_LEAVES = ["accuracy", Limit("leaves", at_most=4.0)]


def leaves(estimator, X, y):
    return estimator.get_n_leaves()


def search(kind=BayesSearchCV, **options):
    options = {
        "n_iter": 12,
        "cv": 3,
        "random_state": 0,
        "scoring": {"accuracy": "accuracy", "leaves": leaves},
    } | options
    return kind(DecisionTreeClassifier(random_state=0), SPACE, **options)


def means(fitted):
    results = fitted.cv_results_
    return np.column_stack([results["mean_test_accuracy"], -results["mean_test_leaves"]])


@pytest.mark.parametrize("kind", [AutoSearchCV, BayesSearchCV, GeneticSearchCV, SwarmSearchCV])
def test_no_trial_dominates_one_of_the_front(kind):
    fitted = search(kind, objectives=FRONT).fit(X, Y)
    values, rows = means(fitted), np.flatnonzero(fitted.cv_results_["is_on_front"])
    assert sorted(t.number for t in fitted.pareto_trials_) == rows.tolist()
    assert len(rows) > 1
    for row in rows:
        assert not ((values >= values[row]).all(1) & (values > values[row]).any(1)).any()
    assert fitted.best_index_ in rows
    assert fitted.best_score_ == values[fitted.best_index_, 0]
    assert fitted.best_estimator_.get_params()["max_depth"] == fitted.best_params_["max_depth"]
    assert fitted.hypervolume_ > 0


def test_refit_names_the_metric_of_the_best_trial_of_the_front():
    fitted = search(objectives=FRONT, refit="accuracy").fit(X, Y)
    assert fitted.best_score_ == means(fitted)[:, 0].max()
    assert fitted.cv_results_["is_on_front"][fitted.best_index_]
    fewest = search(objectives=FRONT, refit=lambda r: int(np.argmin(r["mean_test_leaves"])))
    assert -means(fewest.fit(X, Y))[fewest.best_index_, 1] == means(fitted)[:, 1].max() * -1


def test_times_are_objectives_of_a_single_metric():
    fitted = search(scoring="accuracy", objectives=["score", "score_time"]).fit(X, Y)
    times = fitted.cv_results_["mean_score_time"]
    assert fitted.trials_[int(np.argmin(times))] in fitted.pareto_trials_


def test_best_trial_keeps_to_the_limit():
    fitted = search(objectives=FEW_LEAVES).fit(X, Y)
    within = fitted.cv_results_["is_within_limits"]
    values = means(fitted)
    assert within.tolist() == (values[:, 1] >= -4.0).tolist()
    assert fitted.best_score_ == values[within, 0].max() < values[:, 0].max()
    named = search(objectives=FEW_LEAVES, refit="accuracy").fit(X, Y)
    assert named.best_params_ == fitted.best_params_


def test_no_trial_within_the_limits_is_an_error_that_keeps_the_trials():
    strict = search(n_iter=5, objectives=["accuracy", Limit("leaves", at_most=1.0)])
    with pytest.raises(
        ValueError, match=r"leaves <= 1, which 0 trials are; the least is [0-9.]+ over"
    ):
        strict.fit(X, Y)
    assert len(strict.trials_) == 5


@pytest.mark.parametrize(
    "options",
    [
        {"racing": True},
        {"final_cv": 3},
        {"resource": "n_samples"},
        {"return_predictions": True},
        {"scoring": "accuracy", "objectives": ["score", "fit_time"], "refit": "ensemble"},
        {"n_iter_no_change": 3},
        {"target_score": 0.9},
        {"scoring": "accuracy", "objectives": ["score", "fit_time"], "refit": "1se"},
    ],
)
def test_options_that_need_one_number_are_refused_before_the_first_fit(options):
    asked = search(**{"objectives": FRONT} | options)
    with pytest.raises(ValueError, match="objectives cannot be combined with"):
        asked.fit(X, Y)
    assert not hasattr(asked, "trials_")


def test_models_of_a_task_and_updates_are_refused():
    with pytest.raises(ValueError, match="objectives=.* needs an estimator of yours"):
        AutoSearchCV("classifier", objectives=["score", "fit_time"]).fit(X, Y)
    fitted = search(n_iter=4, objectives=FRONT).fit(X, Y)
    with pytest.raises(ValueError, match="update compares one score"):
        fitted.update(X, Y)


@pytest.mark.parametrize("scoring", [["accuracy", "f1"], "accuracy", None])
def test_unknown_metric_is_refused_before_the_first_fit(scoring):
    asked = search(scoring=scoring, objectives=["leaves"])
    with pytest.raises(ValueError, match="objectives name 'leaves', which is neither"):
        asked.fit(X, Y)
    assert not hasattr(asked, "trials_")


def test_scorer_of_several_metrics_names_the_best_one():
    def both(estimator, X, y):
        return {"accuracy": estimator.score(X, y), "leaves": estimator.get_n_leaves()}

    fitted = search(scoring=both, objectives=FRONT, refit="accuracy").fit(X, Y)
    assert len(fitted.pareto_trials_) > 1
    with pytest.raises(ValueError, match="'depth', which is neither"):
        search(scoring=both, objectives=["accuracy", "depth"], refit="accuracy").fit(X, Y)


def test_journal_and_warm_start_continue_the_front(tmp_path):
    path = tmp_path / "front.jsonl"
    whole = search(objectives=FRONT).fit(X, Y)
    search(objectives=FRONT, n_iter=7, journal=path).fit(X, Y)
    resumed = search(objectives=FRONT, journal=path).fit(X, Y)
    warm = search(objectives=FRONT, n_iter=7, warm_start=True).fit(X, Y)
    warm.set_params(n_iter=5).fit(X, Y)
    for other in (resumed, warm):
        assert [t.params for t in other.trials_] == [t.params for t in whole.trials_]
    with pytest.raises(ValueError, match="objectives was"):
        warm.set_params(objectives=FEW_LEAVES).fit(X, Y)


def test_same_front_with_workers():
    options = {"objectives": FRONT, "n_points": 3}
    alone, together = search(**options).fit(X, Y), search(**options, n_jobs=2).fit(X, Y)
    assert [t.params for t in together.trials_] == [t.params for t in alone.trials_]


def test_clone_keeps_the_objectives():
    assert clone(search(objectives=FEW_LEAVES)).objectives == FEW_LEAVES
    assert not hasattr(search(n_iter=3, scoring=None).fit(X, Y), "pareto_trials_")
