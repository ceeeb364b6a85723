"""Searches as drop-in replacements for `RandomizedSearchCV`: results, attributes, methods."""

import importlib.util
import inspect
import json
import pickle
import warnings
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from numpydoc.docscrape import ClassDoc
from scipy.stats import loguniform, randint
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import RandomizedSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

import sklearn_lepton
from sklearn_lepton._search.parameters import SearchOptions, SearchParameters
from sklearn_lepton.exceptions import SpaceExhaustedWarning

TREE = DecisionTreeClassifier(random_state=0)
TREE_SPACE = {
    "max_depth": randint(1, 8),
    "min_samples_leaf": [1, 2, 5],
    "criterion": ["gini", "entropy"],
    "ccp_alpha": loguniform(1e-5, 1e-1),
    "class_weight": [None, "balanced"],
}
OURS = {"trials_", "space_", "optimizer_", "stop_reason_"}


def fitted_names(search):
    return {name for name in vars(search) if name.endswith("_") and not name.startswith("_")}


@pytest.mark.parametrize("return_train_score", [False, True])
@pytest.mark.parametrize("scoring", [None, ["accuracy", "f1"]])
def test_results_and_attributes_are_those_of_randomized_search(
    search_class, blobs, scoring, return_train_score
):
    arguments = {
        "n_iter": 4,
        "cv": 3,
        "random_state": 0,
        "scoring": scoring,
        "refit": "f1" if scoring else True,
        "return_train_score": return_train_score,
    }
    # A tree has max_depth=None, which the space does not contain.
    ours = search_class(TREE, TREE_SPACE, initial_params=None, **arguments).fit(*blobs)
    stock = RandomizedSearchCV(TREE, TREE_SPACE, **arguments).fit(*blobs)
    assert set(ours.cv_results_) == set(stock.cv_results_)
    for name, column in stock.cv_results_.items():
        mine = ours.cv_results_[name]
        assert type(mine) is type(column), name
        assert len(mine) == len(column), name
        assert getattr(mine, "dtype", None) == getattr(column, "dtype", None), name
    assert fitted_names(ours) - OURS == fitted_names(stock)
    assert isinstance(ours.best_index_, int | np.integer)
    assert ours.n_splits_ == 3
    assert ours.multimetric_ is bool(scoring)


def test_each_score_is_that_of_cross_validation(search_class, blobs):
    search = search_class(TREE, TREE_SPACE, n_iter=6, cv=3, random_state=0).fit(*blobs)
    results = search.cv_results_
    for row, params in enumerate(results["params"]):
        scores = cross_val_score(clone(TREE).set_params(**params), *blobs, cv=3)
        assert [results[f"split{split}_test_score"][row] for split in range(3)] == scores.tolist()
        assert results["mean_test_score"][row] == pytest.approx(scores.mean())
        assert results["param_max_depth"][row] == params["max_depth"]
        assert search.trials_[row].params == params
        assert search.trials_[row].split_scores == tuple(scores)
    best = results["mean_test_score"].argmax()
    assert search.best_index_ == best
    assert search.best_score_ == results["mean_test_score"][best]
    assert search.best_params_ == results["params"][best]
    assert search.best_estimator_.get_params()["max_depth"] == search.best_params_["max_depth"]
    json.dumps(search.best_params_)


def test_defaults_are_those_of_randomized_search(search_class):
    ours = inspect.signature(search_class).parameters
    stock = inspect.signature(RandomizedSearchCV).parameters
    assert list(ours)[:2] == ["estimator", "param_distributions"]
    assert all(ours[name].kind is inspect.Parameter.KEYWORD_ONLY for name in list(ours)[2:])
    assert set(stock) <= set(ours)
    for name in set(stock) - {"n_iter", "param_distributions"}:
        assert repr(ours[name].default) == repr(stock[name].default), name
    assert ours["n_iter"].default == "auto"  # 50 without `max_time`
    assert ours["param_distributions"].default == "auto"


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), Ridge(), KMeans(), StandardScaler(), SVC(kernel="precomputed")],
)
def test_tags_are_those_of_randomized_search(search_class, estimator):
    ours = get_tags(search_class(estimator, {}))
    stock = get_tags(RandomizedSearchCV(estimator, {}))
    assert ours == stock
    assert is_classifier(search_class(estimator, {})) == is_classifier(estimator)
    assert is_regressor(search_class(estimator, {})) == is_regressor(estimator)


def test_only_the_methods_of_the_estimator_exist(search_class, blobs):
    X, y = blobs
    search = search_class(LinearSVC(), {"C": [0.1, 1.0]}, n_iter=2, cv=2)
    for stage in (search, search.fit(X, y)):
        assert hasattr(stage, "predict")
        assert hasattr(stage, "decision_function")
        for name in ("predict_proba", "transform", "score_samples", "set_output"):
            assert not hasattr(stage, name), name
            with pytest.raises(AttributeError):
                getattr(stage, name)


def test_predictions_are_those_of_the_best_estimator(search_class, blobs):
    X, y = blobs
    search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=2).fit(X, y)
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_array_equal(
            getattr(search, name)(X), getattr(search.best_estimator_, name)(X)
        )
    assert search.score(X, y) == search.best_estimator_.score(X, y)
    assert search.classes_.tolist() == [0, 1]
    assert search.n_features_in_ == 4
    assert not hasattr(search, "feature_names_in_")
    assert search.refit_time_ > 0.0


def test_score_uses_the_scorer_of_the_search(search_class, blobs):
    X, y = blobs
    search = search_class(TREE, {"max_depth": [1, 2]}, scoring="neg_log_loss", n_iter=2, cv=2)
    search.fit(X, y)
    assert search.score(X, y) < 0.0
    assert callable(search.scorer_)


@pytest.mark.parametrize("estimator", [KMeans(2, n_init=1, random_state=0), PCA(1)])
def test_estimators_without_a_target(search_class, blobs, estimator):
    X = blobs[0]
    space = {"tol": (1e-5, 1e-2, "log-uniform")}
    search = search_class(estimator, space, n_iter=4, cv=2, random_state=0).fit(X)
    assert len(search.trials_) == 4
    assert search.transform(X).shape[0] == len(X)
    if isinstance(estimator, KMeans):
        assert search.predict(X).shape == (len(X),)
    assert not hasattr(search, "classes_")


def test_constructor_stores_and_clone_copies_parameters(search_class):
    space, callbacks, initial = object(), object(), object()
    arguments = {"callbacks": callbacks, "initial_params": initial, "n_iter": "many"}
    search = search_class(None, space, **arguments)
    assert search.param_distributions is space
    assert vars(search) == search.get_params(deep=False)
    for name, value in arguments.items():
        assert getattr(search, name) is value
    made = search_class(Ridge(), {"alpha": [1.0, 2.0]}, n_points=3, tol=0.5, n_iter=7)
    copy = clone(made)
    assert copy is not made
    assert repr(copy) == repr(made)
    assert copy.n_points == 3
    assert copy.tol == 0.5


def test_fit_does_not_change_its_parameters(search_class, blobs):
    estimator, space, initial = Ridge(), {"alpha": [0.1, 1.0, 10.0]}, [{"alpha": 10.0}]
    search = search_class(estimator, space, initial_params=initial, n_iter=3, cv=2)
    before = search.get_params(deep=False)
    assert search.fit(*blobs) is search
    after = search.get_params(deep=False)
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert (space, initial) == ({"alpha": [0.1, 1.0, 10.0]}, [{"alpha": 10.0}])
    assert not hasattr(estimator, "coef_")


def test_set_params_changes_the_next_fit(search_class, blobs):
    search = search_class(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, n_iter=3, cv=2, random_state=0)
    search.fit(*blobs)
    search.set_params(
        estimator__fit_intercept=False, n_iter=2, cv=4, param_distributions={"tol": [1e-3, 1e-2]}
    ).fit(*blobs)
    assert len(search.trials_) == 2
    assert search.n_splits_ == 4
    assert set(search.best_params_) == {"tol"}
    assert search.best_estimator_.fit_intercept is False
    assert "split3_test_score" in search.cv_results_


def outline(search):
    return [(t.number, t.point, t.params, t.score) for t in search.trials_]


def test_small_grid_gets_no_warning_unless_n_iter_is_given(search_class, blobs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = search_class(Ridge(), param_grid={"alpha": [0.1, 1.0, 10.0]}).fit(*blobs)
    assert len(search.trials_) == 3
    assert search.stop_reason_ == "exhausted"
    with pytest.warns(SpaceExhaustedWarning, match="n_iter=9"):
        search.set_params(n_iter=9).fit(*blobs)


def test_second_fit_is_independent_of_the_first(search_class, blobs):
    X, y = blobs
    space = {"max_depth": [1, 2, 3, 4], "min_samples_leaf": randint(1, 20)}
    first = search_class(TREE, space, n_iter=7, cv=3, random_state=0)
    fresh = clone(first).fit(X[:40, :3], y[:40])
    again = first.fit(X, y).fit(X[:40, :3], y[:40])
    assert outline(again) == outline(fresh)
    assert again.n_features_in_ == 3
    assert len(again.cv_results_["params"]) == 7
    np.testing.assert_array_equal(
        again.cv_results_["mean_test_score"], fresh.cv_results_["mean_test_score"]
    )


def test_pickled_search_gives_the_same_results(search_class, blobs):
    X, y = blobs
    search = search_class(TREE, TREE_SPACE, n_iter=6, cv=2, random_state=0)
    unfitted = pickle.loads(pickle.dumps(search))
    search.fit(X, y)
    copy = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(copy.predict_proba(X), search.predict_proba(X))
    assert outline(copy) == outline(search) == outline(unfitted.fit(X, y))
    assert outline(copy.fit(X, y)) == outline(search)
    assert copy.space_ == search.space_


def test_optimizer_continues_after_the_search(search_class, blobs):
    search = search_class(TREE, TREE_SPACE, n_iter=6, cv=2, random_state=0).fit(*blobs)
    [proposed] = search.optimizer_.ask()
    assert proposed.number == 6
    assert proposed.params.keys() == TREE_SPACE.keys()
    assert [t.number for t in search.trials_] == list(range(6))


def test_html_and_text_representations(search_class, blobs):
    search = search_class(Ridge(), {"alpha": [0.1, 1.0]}, n_iter=2, cv=2)
    for stage in (search, search.fit(*blobs)):
        assert search_class.__name__ in stage._repr_html_()
        assert "Ridge" in repr(stage)


# ---------------------------------------------------- four classes, one signature

TOOL = Path(__file__).parents[2] / "tools" / "docstrings.py"


def test_searches_share_parameters_and_defaults(search_class):
    shared = inspect.signature(SearchParameters).parameters
    ours = inspect.signature(search_class).parameters
    assert list(ours)[: len(shared)] == list(shared)
    # as text: nan, the default of error_score, equals nothing
    assert [str(ours[name]) for name in shared] == [str(shared[name]) for name in shared]
    assert sorted(ours) == sorted(search_class(Ridge()).get_params(deep=False))
    documented = [entry.name for entry in ClassDoc(search_class)["Parameters"]]
    assert documented == list(ours)


def test_type_hints_of_options_are_those_of_the_constructor():
    hints = get_type_hints(SearchParameters.__init__)
    keywords = [
        parameter.name
        for parameter in inspect.signature(SearchParameters).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    assert get_type_hints(SearchOptions) == {name: hints[name] for name in keywords}


@pytest.mark.skipif(not TOOL.exists(), reason="the source distribution has no tools")
def test_docstrings_have_one_source(capsys):
    spec = importlib.util.spec_from_file_location("docstrings", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.main(["--check"]) == 0, capsys.readouterr().out
    # The tool restores a changed word.
    text, _ = tool.raw_docstring(sklearn_lepton.SwarmSearchCV)
    assert tool.complete(sklearn_lepton.SwarmSearchCV, text.replace("Budget", "Limit")) == text


def test_optimizer_parameters_are_checked_before_the_first_fit(search_class, probe, log):
    known = list(inspect.signature(search_class).parameters)
    own = known[known.index("n_initial_points") :]
    assert 1 <= len(own) <= 3
    for name in own:
        is_flag = isinstance(inspect.signature(search_class).parameters[name].default, bool)
        for value in (-1, "some", 0 if is_flag else True, None, np.nan):
            search = search_class(probe, {"x": [0.1, 0.2]}, n_iter=2, **{name: value})
            message = f"The {name!r} parameter of {search_class.__name__} must be"
            if (name, value) == ("optimizer", "some"):
                message = "Unknown optimizer 'some'. Allowed are .*'bayes'"
            with pytest.raises(ValueError, match=message):
                search.fit(np.zeros((9, 1)), np.zeros(9))
    assert not log.fits
