"""Keyword arguments as users of other tools write them: accepted, or refused by our name."""

import inspect
import pickle
import pydoc

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

from sklearn_lepton import AutoSearchCV, BayesSearchCV, GeneticSearchCV, SwarmSearchCV, tune
from sklearn_lepton._search import keywords

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
    search = search_class(Ridge(), param_grid=branches, n_iter=2, cv=2, initial_params=None)
    search.fit(*blobs)
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
    search = search_class(Ridge(), param_grid=GRID, n_iter=1, cv=2, initial_params=None)
    search.fit(*blobs)
    search.set_params(param_grid={"tol": [1e-3]}).fit(*blobs)
    assert search.best_params_ == {"tol": 1e-3}
    search.set_params(param_grid=None, param_distributions={"tol": [1e-2]}).fit(*blobs)
    assert search.best_params_ == {"tol": 1e-2}
    search = search_class(Ridge(), GRID, n_iter=1, cv=2, initial_params=None)
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


# ----------------------------------------- words of other libraries, misspelt names

SEARCHES = (AutoSearchCV, BayesSearchCV, SwarmSearchCV, GeneticSearchCV)


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("search_spaces", "use param_distributions."),
        ("n_trials", "use n_iter."),
        ("n_calls", "use n_iter."),
        ("max_evals", "use n_iter."),
        ("n_candidates", "use n_iter, the number of trials"),
        ("generations", "use n_iter, the number of trials, each a configuration on all splits"),
        ("timeout", "use max_time, in seconds"),
        ("time_budget", "use max_time, in seconds"),
        ("max_time_mins", "use max_time, in seconds, not in minutes"),
        ("min_resource", "use min_resources."),
        ("max_resource", "use max_resources."),
        ("factor", "leave it out"),
        ("direction", "use scoring, a scorer for which greater is better"),
        ("fit_params", "pass them to fit."),
        ("n_iters", "Did you mean 'n_iter'?"),
        ("njobs", "Did you mean 'n_jobs'?"),
        ("n_trial", "use n_iter."),
        ("alpha", "a parameter of the estimator: search it by param_distributions={'alpha': ...}"),
        ("objective", "use function of tune."),
        ("qqq", "Allowed are ['asynchronous', "),
    ],
)
def test_unknown_keyword_of_a_search_is_refused_by_our_name(search_class, word, ours):
    with pytest.raises(TypeError) as caught:
        search_class(Ridge(), GRID, **{word: 3})
    assert str(caught.value).startswith(f"{search_class.__name__} has no argument {word!r}")
    assert ours in str(caught.value)


def test_all_unknown_keywords_are_named_at_once():
    with pytest.raises(TypeError, match="'n_trials': use n_iter.*'timeout': use max_time"):
        BayesSearchCV(Ridge(), GRID, n_trials=3, timeout=9)


def test_arguments_of_another_search_are_refused_by_its_name():
    for name, owner in [("n_particles", SwarmSearchCV), ("population_size", GeneticSearchCV)]:
        with pytest.raises(TypeError, match=f"{name}', which is one of {owner.__name__}"):
            BayesSearchCV(Ridge(), GRID, **{name: 9})
        assert owner(Ridge(), GRID, **{name: 9}).get_params()[name] == 9
    with pytest.raises(TypeError, match="use population_size of GeneticSearchCV"):
        BayesSearchCV(Ridge(), GRID, pop_size=9)
    with pytest.raises(TypeError, match="use population_size"):
        GeneticSearchCV(Ridge(), GRID, pop_size=9)


def test_subclass_with_its_own_arguments_gets_the_same_errors():
    class Narrow(BayesSearchCV):
        def __init__(self, estimator, width=1, **options):
            super().__init__(estimator, GRID, **options)
            self.width = width

    assert Narrow(Ridge(), width=2, n_iter=3).n_iter == 3
    with pytest.raises(TypeError, match="Narrow has no argument 'widdth'. Did you mean 'width'"):
        Narrow(Ridge(), widdth=2)


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("n_trials", "use n_iter."),
        ("search_space", "use space."),
        ("param_distributions", "use space."),
        ("param_grid", "use space."),
        ("objective", "use function."),
        ("direction", "use minimize, True or False."),
        ("maximize", "use minimize, True or False."),
        ("target_score", "use target_value."),
        ("population_size", "use optimizer, such as partial(GeneticOptimizer"),
        ("racing", "Allowed are"),
        ("enable_pruning", "Allowed are"),
        ("n_inter", "Did you mean 'n_iter'?"),
    ],
)
def test_unknown_keyword_of_tune_is_refused_by_our_name(word, ours):
    with pytest.raises(TypeError) as caught:
        tune(lambda params: params["x"], {"x": [1, 2]}, **{word: 3})
    assert str(caught.value).startswith(f"tune has no argument {word!r}")
    assert ours in str(caught.value)


def test_names_of_other_libraries_lead_to_arguments_that_exist():
    arguments = {name for search in SEARCHES for name in inspect.signature(search).parameters}
    of_tune = set(inspect.signature(tune).parameters)
    assert {ours for ours, _ in keywords._IN_SEARCHES.values()} <= arguments | {"function"}
    assert {ours for ours, _ in keywords._IN_TUNE.values()} <= arguments | of_tune
    assert not arguments & (keywords._IN_SEARCHES.keys() | keywords._WITHOUT.keys())
    assert not keywords._IN_SEARCHES.keys() & keywords._WITHOUT.keys()
    for name, owners in keywords._OWNERS.items():
        for search in SEARCHES:
            has = name in inspect.signature(search).parameters
            assert has == (search.__name__ in owners)


def test_further_arguments_by_position_are_to_be_named(search_class):
    name = search_class.__name__
    message = rf"{name} takes only estimator and|{name}.__init__\(\) takes from 2 to 3 positional"
    with pytest.raises(TypeError, match=message):
        search_class(Ridge(), GRID, 10)
    with pytest.raises(TypeError, match="tune takes only .* by position, got 3 arguments: give"):
        tune(lambda x: x, {"x": [1, 2]}, 10)
