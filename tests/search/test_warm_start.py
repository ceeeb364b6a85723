"""A continued search equals one with the larger budget from the start."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton.exceptions import SpaceExhaustedWarning

TREE = DecisionTreeClassifier(random_state=0)
SPACE = {
    "max_depth": (1, 9, "int"),
    "ccp_alpha": (1e-5, 1e-1, "log-uniform"),
    "criterion": ["gini", "entropy", "log_loss"],
}


def outline(search):
    return [(t.number, t.point, t.params, t.split_scores) for t in search.trials_]


@pytest.mark.thorough
@pytest.mark.parametrize("options", [{}, {"surrogate": False}])
@pytest.mark.parametrize(("n_points", "n_first"), [(1, 20), (5, 20), (5, 17), (5, 8)])
def test_two_warm_starts_equal_one_larger_fit(search_class, blobs, n_points, n_first, options):
    if options and not hasattr(search_class(TREE, SPACE), "surrogate"):
        pytest.skip("has no screening")
    shared = {"cv": 2, "random_state": 7, "n_points": n_points, **options}
    whole = search_class(TREE, SPACE, n_iter=30, **shared).fit(*blobs)
    search = search_class(TREE, SPACE, n_iter=n_first, warm_start=True, **shared).fit(*blobs)
    assert outline(search) == outline(whole)[:n_first]
    search.set_params(n_iter=30 - n_first).fit(*blobs)
    assert outline(search) == outline(whole)
    assert search.best_params_ == whole.best_params_
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], whole.cv_results_["mean_test_score"]
    )


def test_warm_start_fits_nothing_twice(search_class, probe, log, numbered):
    search = search_class(probe, {"x": (0.1, 0.9, "uniform")}, n_iter=3, cv=3, warm_start=True)
    search.fit(*numbered)
    n_fits = len(log.fits)
    search.fit(*numbered)
    assert len(log.fits) == 2 * n_fits == 20  # 3 trials of 3 splits and a refit each
    assert len(search.trials_) == len(search.cv_results_["params"]) == 6


def test_fit_without_warm_start_starts_over(search_class, blobs):
    search = search_class(TREE, SPACE, n_iter=4, cv=2, random_state=0)
    first = outline(search.fit(*blobs))
    assert outline(search.fit(*blobs)) == first


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"param_distributions": {"max_depth": (1, 5, "int")}}, "space must be that"),
        ({"cv": KFold(2, shuffle=True)}, "splits must be those"),
        ({"cv": 4}, "splits must be those"),
        ({"scoring": "neg_log_loss"}, "scoring was None, is 'neg_log_loss'"),
        ({"scoring": ["accuracy"], "refit": "accuracy"}, "metric was None, is 'accuracy'"),
    ],
)
def test_incompatible_warm_start_is_refused_and_keeps_results(
    search_class, blobs, changed, message
):
    search = search_class(TREE, SPACE, n_iter=4, cv=2, random_state=0, warm_start=True)
    first = outline(search.fit(*blobs))
    with pytest.raises(ValueError, match=message):
        search.set_params(**changed).fit(*blobs)
    assert outline(search) == first
    assert len(search.cv_results_["params"]) == 4


def test_train_scores_cover_all_trials_or_none(search_class, probe, log, numbered):
    search = search_class(probe, {"x": (0.1, 0.9, "uniform")}, n_iter=2, cv=2, warm_start=True)
    for name, was in [("mean_train_score", True), ("mean_test_score", False)]:
        search.set_params(warm_start=False, return_train_score=was).fit(*numbered)
        search.set_params(warm_start=True).fit(*numbered)
        n_fits = len(log.fits)
        with pytest.raises(ValueError, match=f"return_train_score was {was}, is {not was}"):
            search.set_params(return_train_score=not was).fit(*numbered)
        assert len(log.fits) == n_fits
        assert len(search.cv_results_[name]) == 4


def test_warm_start_on_other_data_is_refused(search_class, blobs):
    X, y = blobs
    search = search_class(TREE, SPACE, n_iter=4, cv=2, random_state=0, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="the data or cv have changed"):
        search.fit(X[:-3], y[:-3])
    assert len(search.trials_) == 4


def test_warm_start_exhausts_a_finite_space(search_class, blobs):
    tree = clone(TREE).set_params(max_depth=3)
    search = search_class(tree, {"max_depth": (1, 6, "int")}, n_iter=4, cv=2, warm_start=True)
    search.fit(*blobs)
    with pytest.warns(SpaceExhaustedWarning, match="2 further configurations"):
        search.fit(*blobs)
    assert search.stop_reason_ == "exhausted"
    assert sorted(t.params["max_depth"] for t in search.trials_) == list(range(1, 7))
    with pytest.raises(ValueError, match="none is left"):
        search.fit(*blobs)
    assert len(search.trials_) == 6
