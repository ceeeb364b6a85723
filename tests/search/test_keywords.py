"""Keyword arguments as users of other tools write them."""

import inspect
import pickle
import pydoc

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

from sklearn_lepton import AutoSearchCV

GRID = {"alpha": [0.1, 1.0, 10.0], "fit_intercept": [True, False]}


# ---------------------------------------------------- param_grid, a second name


def outline(search):
    return [(trial.number, trial.params, trial.score) for trial in search.trials_]


def test_param_grid_gives_the_results_of_param_distributions(search_class, blobs):
    arguments = {"n_iter": 4, "cv": 2, "random_state": 0}
    by_name = search_class(estimator=Ridge(), param_grid=GRID, **arguments).fit(*blobs)
    by_place = search_class(Ridge(), GRID, **arguments).fit(*blobs)
    assert outline(by_name) == outline(by_place)
    assert by_name.space_ == by_place.space_


def test_param_grid_may_be_a_list_of_dicts(search_class, blobs):
    branches = [{"alpha": [0.1]}, {"fit_intercept": [False]}]
    search = search_class(Ridge(), param_grid=branches, n_iter=2, cv=2).fit(*blobs)
    assert sorted(map(list, (trial.params for trial in search.trials_))) == [
        ["alpha"],
        ["fit_intercept"],
    ]


def test_param_grid_is_a_parameter_like_the_others(search_class, blobs):
    search = search_class(Ridge(), param_grid=GRID, n_iter=2, cv=2, random_state=0)
    assert search.param_grid is GRID
    assert search.get_params(deep=False)["param_grid"] is GRID
    assert search.get_params(deep=False)["param_distributions"] == "auto"
    assert "param_grid={'alpha'" in repr(search)
    assert "param_distributions" not in repr(search)
    assert "alpha" in search._repr_html_()
    assert "param_grid" in pydoc.render_doc(search_class)
    assert "param_grid" in inspect.signature(search_class).parameters
    for copy in (clone(search), pickle.loads(pickle.dumps(search))):
        assert copy.param_grid == GRID
        assert outline(copy.fit(*blobs)) == outline(search.fit(*blobs))
    assert np.isfinite(cross_val_score(search, *blobs, cv=2)).all()


def test_set_params_replaces_the_space_under_each_name(search_class, blobs):
    search = search_class(Ridge(), param_grid=GRID, n_iter=1, cv=2).fit(*blobs)
    search.set_params(param_grid={"tol": [1e-3]}).fit(*blobs)
    assert search.best_params_ == {"tol": 1e-3}
    search.set_params(param_grid=None, param_distributions={"tol": [1e-2]}).fit(*blobs)
    assert search.best_params_ == {"tol": 1e-2}
    search = search_class(Ridge(), GRID, n_iter=1, cv=2)
    search.set_params(param_grid={"tol": [1e-3]}, param_distributions="auto").fit(*blobs)
    assert search.best_params_ == {"tol": 1e-3}


def test_two_spaces_are_refused_by_both_names(search_class, probe, log, numbered):
    search = search_class(probe, {"x": [0.1]}, param_grid={"z": [1]})
    with pytest.raises(ValueError, match=r"param_grid=\{'z'.*param_distributions=\{'x'"):
        search.fit(*numbered)
    assert not log.fits


def test_param_grid_auto_is_the_built_in_space(search_class, blobs):
    search = search_class(Ridge(), param_grid="auto", n_iter=2, cv=2, random_state=0).fit(*blobs)
    assert search.space_ == search_class(Ridge(), n_iter=1, cv=2).fit(*blobs).space_


def test_chosen_models_take_no_space_under_either_name(blobs):
    with pytest.raises(ValueError, match="space comes with the models"):
        AutoSearchCV("classifier", param_grid=GRID).fit(*blobs)
    search = AutoSearchCV("classifier", param_grid="auto", n_iter=1, cv=2).fit(*blobs)
    assert search.param_grid == "auto"
    assert search.param_distributions == "auto"
