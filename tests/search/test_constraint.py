"""Constraints in searches, `tune` and journals."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import (
    AutoSearchCV,
    BayesSearchCV,
    GeneticSearchCV,
    Space,
    SwarmSearchCV,
    default_space,
    tune,
)
from sklearn_lepton.exceptions import JournalMismatchError, SpaceExhaustedWarning
from sklearn_lepton.importance import parameter_importance

X, y = load_iris(return_X_y=True)
SQUARE = {"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")}
TREE = {"min_samples_leaf": (1, 20, "int"), "min_samples_split": (2, 20, "int")}


def leaf_below_split(params):
    return params["min_samples_leaf"] < params["min_samples_split"]


def in_simplex(params):
    return params["x"] + params["y"] <= 1.0


def near_half(params):
    return -((params["x"] - 0.8) ** 2) - (params["y"] - 0.6) ** 2


def never(params):
    return False


@pytest.mark.parametrize("kind", [AutoSearchCV, BayesSearchCV, GeneticSearchCV, SwarmSearchCV])
@pytest.mark.parametrize("n_points", [1, 5])
def test_searches_fit_only_allowed_configurations(kind, n_points):
    space = Space(TREE, constraint=leaf_below_split)
    search = kind(
        DecisionTreeClassifier(random_state=0),
        space,
        n_iter=20,
        n_points=n_points,
        cv=3,
        random_state=0,
    ).fit(X, y)
    assert search.space_.constraint is leaf_below_split
    assert len(search.trials_) == 20
    assert all(map(leaf_below_split, search.cv_results_["params"]))


def test_constraint_of_a_built_in_space():
    tree = DecisionTreeClassifier(random_state=0)
    space = Space(
        default_space(tree, X, y), constraint=lambda p: p.get("criterion", "gini") != "entropy"
    )
    search = BayesSearchCV(tree, space, n_iter=12, cv=3, random_state=0).fit(X, y)
    assert all(search.space_.allows(trial.params) for trial in search.trials_)


def test_search_with_a_constraint_is_cloned_and_sent_to_workers():
    bound = 1.5
    space = Space(SQUARE_OF_SVC, constraint=lambda p: p["C"] * p["gamma"] < bound)
    search = BayesSearchCV(SVC(), space, n_iter=4, cv=3, random_state=0, n_jobs=2)
    assert clone(search).param_distributions == space
    scores = cross_val_score(search, X, y, cv=2, n_jobs=2)
    assert np.isfinite(scores).all()
    with parallel_config("threading"):
        assert len(search.fit(X, y).trials_) == 4


SQUARE_OF_SVC = {"C": (0.1, 10.0, "log-uniform"), "gamma": (0.1, 10.0, "log-uniform")}


def test_default_configuration_is_moved_to_an_allowed_one():
    svc = SVC(C=5.0, gamma=5.0)
    space = Space(SQUARE_OF_SVC, constraint=lambda p: p["C"] * p["gamma"] <= 1.0)
    search = BayesSearchCV(svc, space, n_iter=5, cv=3, random_state=0).fit(X, y)
    assert all(space.allows(trial.params) for trial in search.trials_)


def test_initial_params_that_are_not_allowed_raise_before_the_first_fit():
    space = Space(TREE, constraint=leaf_below_split)
    search = BayesSearchCV(
        DecisionTreeClassifier(),
        space,
        initial_params=[{"min_samples_leaf": 3}, {"min_samples_leaf": 9, "min_samples_split": 5}],
    )
    with pytest.raises(ValueError, match=r"initial_params\[1\].* does not allow") as caught:
        search.fit(X, y)
    assert "{'min_samples_leaf': 9, 'min_samples_split': 5}" in str(caught.value)
    assert not hasattr(search, "trials_")


def test_partial_initial_params_are_completed_with_allowed_values():
    result = tune(
        near_half,
        SQUARE,
        constraint=in_simplex,
        n_iter=2,
        initial_params={"x": 0.875},
        random_state=0,
    )
    first = result.trials_[0].params
    assert first["x"] == 0.875
    assert first["y"] <= 0.125


def test_nothing_allowed_raises_before_the_first_fit():
    calls = []

    def function(params):
        calls.append(params)
        return 0.0

    with pytest.raises(ValueError, match=r"allows none of 10,000 configurations drawn at random"):
        tune(function, SQUARE, constraint=never, n_iter=5)
    assert not calls
    search = BayesSearchCV(SVC(), Space({"C": [1, 2, 3]}, constraint=never))
    with pytest.raises(ValueError, match="allows none of all 3 configurations of the space"):
        search.fit(X, y)
    assert not hasattr(search, "trials_")


@pytest.mark.parametrize("optimizer", ["auto", "bayes", "swarm", "genetic", "random", "grid"])
def test_tune_with_a_constraint(optimizer):
    result = tune(
        near_half,
        SQUARE,
        constraint=in_simplex,
        n_iter=30,
        optimizer=optimizer,
        n_points=3,
        random_state=0,
    )
    assert len(result.trials_) >= 25
    assert all(in_simplex(trial.params) for trial in result.trials_)
    assert result.best_value_ > -0.15


def test_tune_takes_a_constraint_of_the_space():
    space = Space(SQUARE, constraint=in_simplex)
    result = tune(near_half, space, n_iter=10, random_state=0)
    assert all(in_simplex(trial.params) for trial in result.trials_)
    with pytest.raises(ValueError, match="give one function that checks both"):
        tune(near_half, space, constraint=never)
    with pytest.raises(TypeError, match="constraint must be None, or a callable"):
        tune(near_half, SQUARE, constraint="x < y")


def test_finite_space_with_a_constraint_is_exhausted():
    with pytest.warns(SpaceExhaustedWarning, match="holds 6 configurations"):
        result = tune(
            lambda params: params["a"],
            {"a": range(4), "b": range(4)},
            constraint=lambda params: params["a"] < params["b"],
            n_iter=20,
        )
    assert len(result.trials_) == 6
    assert result.stop_reason_ == "exhausted"


def test_error_of_the_constraint_keeps_finished_trials():
    seen = []

    def fragile(params):
        seen.append(params)
        if len(seen) > 100:
            raise RuntimeError("out of order")
        return True

    with pytest.raises(ValueError, match="constraint raised RuntimeError: out of order") as caught:
        tune(near_half, SQUARE, constraint=fragile, n_iter=50, optimizer="random")
    assert 0 < len(caught.value.tune_result.trials_) < 50


# --------------------------------------------------------------------- journals


def test_journal_of_a_constraint_is_resumed(tmp_path):
    def run(n_iter, constraint=in_simplex):
        return tune(
            near_half,
            SQUARE,
            constraint=constraint,
            n_iter=n_iter,
            random_state=0,
            journal=tmp_path / "study.jsonl",
        )

    first = run(6)
    again = run(10)
    assert [t.point for t in again.trials_[:6]] == [t.point for t in first.trials_]
    straight = tune(near_half, SQUARE, constraint=in_simplex, n_iter=10, random_state=0)
    assert [t.point for t in again.trials_] == [t.point for t in straight.trials_]
    for other in (None, lambda params: params["x"] + params["y"] <= 1.0, never):
        with pytest.raises((JournalMismatchError, ValueError), match="constraint"):
            run(12, other)


def test_journal_with_another_closure_is_refused(tmp_path):
    def run(bound):
        return BayesSearchCV(
            SVC(),
            Space(SQUARE_OF_SVC, constraint=lambda p: p["C"] < bound),
            n_iter=3,
            cv=3,
            random_state=0,
            journal=tmp_path / "study.jsonl",
        ).fit(X, y)

    run(5.0)
    assert len(run(5.0).trials_) == 3
    with pytest.raises(JournalMismatchError, match=r"space\.constraint"):
        run(6.0)


def test_warm_start_needs_the_same_constraint():
    search = BayesSearchCV(
        SVC(),
        Space(SQUARE_OF_SVC, constraint=lambda p: p["C"] < 5),
        n_iter=3,
        cv=3,
        random_state=0,
        warm_start=True,
    ).fit(X, y)
    assert len(search.fit(X, y).trials_) == 6
    search.param_distributions = Space(SQUARE_OF_SVC, constraint=lambda p: p["C"] < 4)
    with pytest.raises(ValueError, match="space must be that of the fit before"):
        search.fit(X, y)


def test_previous_study_with_other_constraints_is_learned_from():
    old = tune(near_half, SQUARE, n_iter=25, random_state=0)
    result = tune(
        near_half, SQUARE, constraint=in_simplex, n_iter=8, random_state=0, previous_studies=old
    )
    assert all(in_simplex(trial.params) for trial in result.trials_)
    assert result.best_value_ > -0.09


# --------------------------------------------------------------------- displays


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    path = tmp_path_factory.mktemp("journal") / "study.jsonl"
    return tune(
        near_half, SQUARE, constraint=in_simplex, n_iter=25, random_state=0, journal=path
    ), path


def test_contours_and_slices_leave_out_what_is_not_allowed(tuned):
    plotting = pytest.importorskip("sklearn_lepton.plotting")
    pytest.importorskip("matplotlib").use("Agg")
    result, _ = tuned
    contour = plotting.ContourDisplay.from_search(result)
    grid = contour.maps[0, 1]
    x_values, y_values = np.meshgrid(grid["x"], grid["y"])
    assert np.isnan(grid["mean"][x_values + y_values > 1.01]).all()
    assert np.isfinite(grid["mean"][x_values + y_values < 0.99]).all()
    contour.plot()
    for kind in ("slice", "marginal"):
        display = plotting.SliceDisplay.from_search(result, kind=kind)
        finite = np.isfinite(display.means[0])
        assert finite.any()
        assert kind == "marginal" or not finite.all()
        display.plot()


def test_displays_of_a_journal_work_without_its_constraint(tuned):
    plotting = pytest.importorskip("sklearn_lepton.plotting")
    pytest.importorskip("matplotlib").use("Agg")
    _, path = tuned
    assert np.isfinite(plotting.ContourDisplay.from_search(path).maps[0, 1]["mean"]).all()
    space = Space(SQUARE, constraint=in_simplex)
    given = plotting.ContourDisplay.from_search(path, space=space)
    assert np.isnan(given.maps[0, 1]["mean"]).any()
    assert parameter_importance(path).importances_mean.sum() > 0


def test_html_names_the_constraint():
    search = BayesSearchCV(DecisionTreeClassifier(), Space(TREE, constraint=leaf_below_split))
    assert "leaf_below_split" in search._repr_html_()
