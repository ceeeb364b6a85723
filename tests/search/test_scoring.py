"""Every form of `refit` with single and multiple metrics."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, make_scorer
from sklearn.model_selection import RandomizedSearchCV
from sklearn.tree import DecisionTreeClassifier

TREE = DecisionTreeClassifier(random_state=0)
SPACE = {"max_depth": [1, 2, 3, 4, 5], "min_samples_leaf": [1, 5, 10, 20]}


def two_scores(estimator, X, y):
    predicted = estimator.predict(X)
    return {"accuracy": accuracy_score(y, predicted), "f1": f1_score(y, predicted)}


def one_score(estimator, X, y):
    return accuracy_score(y, estimator.predict(X))


def second_row(cv_results):
    return 1


SINGLE = [None, "f1", one_score, make_scorer(f1_score)]
SEVERAL = [
    ["accuracy", "f1"],
    ("accuracy", "f1"),
    {"accuracy": "accuracy", "f1": make_scorer(f1_score)},
    two_scores,
]


def compare(search_class, data, scoring, refit):
    arguments = {"n_iter": 3, "cv": 2, "random_state": 0, "scoring": scoring, "refit": refit}
    ours = search_class(TREE, SPACE, **arguments).fit(*data)
    stock = RandomizedSearchCV(TREE, SPACE, **arguments).fit(*data)
    for name in (
        "best_index_",
        "best_score_",
        "best_params_",
        "best_estimator_",
        "refit_time_",
        "classes_",
        "n_features_in_",
        "multimetric_",
        "predict",
        "score",
    ):
        assert hasattr(ours, name) == hasattr(stock, name), name
    assert ours.multimetric_ == stock.multimetric_
    assert type(ours.scorer_) is type(stock.scorer_)
    assert set(ours.cv_results_) == set(stock.cv_results_)
    return ours


@pytest.mark.parametrize("refit", [True, False, "f1", second_row])
@pytest.mark.parametrize("scoring", SINGLE)
def test_refit_forms_with_one_metric(search_class, blobs, scoring, refit):
    search = compare(search_class, blobs, scoring, refit)
    scores = search.cv_results_["mean_test_score"]
    assert [trial.score for trial in search.trials_] == pytest.approx(scores.tolist())
    assert search.best_index_ == (1 if refit is second_row else scores.argmax())
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]


@pytest.mark.parametrize("refit", [False, "accuracy", "f1", second_row])
@pytest.mark.parametrize("scoring", SEVERAL, ids=["list", "tuple", "dict", "callable"])
def test_refit_forms_with_several_metrics(search_class, blobs, scoring, refit):
    search = compare(search_class, blobs, scoring, refit)
    driving = refit if isinstance(refit, str) else "accuracy"
    scores = search.cv_results_[f"mean_test_{driving}"]
    assert [trial.score for trial in search.trials_] == pytest.approx(scores.tolist())
    if isinstance(refit, str):
        assert search.best_index_ == scores.argmax()
        assert search.best_score_ == scores.max()
    if refit is second_row:
        assert search.best_index_ == 1


@pytest.mark.parametrize("scoring", SEVERAL[:3], ids=["list", "tuple", "dict"])
@pytest.mark.parametrize("refit", [True, "recall"])
def test_missing_refit_metric_is_refused_before_the_first_fit(
    search_class, probe, log, numbered, scoring, refit
):
    search = search_class(probe, {"x": [0.1, 0.2]}, n_iter=2, scoring=scoring, refit=refit)
    with pytest.raises(ValueError, match="refit"):
        search.fit(*numbered)
    assert log.fits == []


@pytest.mark.parametrize("refit", [True, "recall"])
@pytest.mark.parametrize("n_points", [1, 2])
def test_scorer_that_returns_a_dict_is_detected_after_one_fit(
    search_class, probe, log, numbered, refit, n_points
):
    arguments = {"scoring": two_scores, "refit": refit, "n_points": n_points, "cv": 3}
    search = search_class(probe, {"x": (0.0, 1.0, "uniform")}, n_iter=8, **arguments)
    with pytest.raises(ValueError, match="refit"):
        search.fit(*numbered)
    assert len(log.fits) == 1


def test_callable_refit_gets_results_of_all_trials(search_class, blobs):
    seen = []

    def simplest(cv_results):
        seen.append(cv_results)
        return int(np.argmin(cv_results["param_max_depth"]))

    search = search_class(TREE, SPACE, n_iter=6, cv=2, refit=simplest, random_state=0).fit(*blobs)
    assert len(seen) == 1
    assert len(seen[0]["params"]) == 6
    assert seen[0] is search.cv_results_
    assert search.best_estimator_.max_depth == min(search.cv_results_["param_max_depth"])


@pytest.mark.parametrize(("row", "error"), [(99, IndexError), (-1, IndexError), ("1", TypeError)])
def test_callable_refit_without_a_valid_row_is_refused(search_class, blobs, row, error):
    search = search_class(TREE, SPACE, n_iter=3, cv=2, refit=lambda cv_results: row)
    with pytest.raises(error, match="best_index_"):
        search.fit(*blobs)


def test_several_metrics_with_train_scores_have_every_column(search_class, blobs):
    search = search_class(
        TREE, SPACE, n_iter=4, cv=2, scoring=two_scores, refit="f1", return_train_score=True
    ).fit(*blobs)
    for metric in ("accuracy", "f1"):
        for column in ("mean_test", "std_test", "rank_test", "split1_test", "mean_train"):
            assert len(search.cv_results_[f"{column}_{metric}"]) == 4
