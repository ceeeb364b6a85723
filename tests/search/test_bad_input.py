"""Errors for bad input, raised before the first fit: given, allowed, what to do."""

import inspect

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import AutoSearchCV, BayesSearchCV, Integer, Real

SPACE = {"x": (0.0, 1.0, "uniform")}
nan, inf = float("nan"), float("inf")


def refused(search, log, data, error, *parts):
    """Check that `fit` raises before the first fit, and that the message has all parts."""
    with pytest.raises(error) as caught:
        search.fit(*data)
    assert log.fits == []
    for part in parts:
        assert part in str(caught.value), part
    assert not hasattr(search, "cv_results_")
    assert not hasattr(search, "trials_") or search.trials_ == []


@pytest.mark.parametrize(
    ("values", "error", "parts"),
    [
        ([], ValueError, ["'x'", "empty", "at least one"]),
        ((), ValueError, ["'x'", "empty"]),
        (np.array([]), ValueError, ["'x'", "empty"]),
        (np.ones((2, 2)), ValueError, ["'x'", "dimension"]),
        (0.5, TypeError, ["'x'", "0.5", "[0.5]"]),
        (True, TypeError, ["'x'", "[True]"]),
        ("abc", TypeError, ["'x'", "['abc']"]),
        (None, TypeError, ["'x'", "[None]"]),
        ({"a": 1}, TypeError, ["'x'"]),
        ({0.1, 0.2}, TypeError, ["'x'"]),
        ((2.0, 1.0, "uniform"), ValueError, ["'x'", "2.0", "1.0", "low <= high"]),
        ((nan, 1.0, "uniform"), ValueError, ["'x'", "finite", "nan"]),
        ((0.0, inf, "uniform"), ValueError, ["'x'", "finite", "inf"]),
        ((-inf, 0.0, "uniform"), ValueError, ["'x'", "finite", "-inf"]),
        ((0.0, 1.0, "log-uniform"), ValueError, ["'x'", "log", "0.0"]),
        ((-1.0, 1.0, "log-uniform"), ValueError, ["'x'", "log", "-1.0"]),
        ((0, 10, "log-int"), ValueError, ["'x'", "log", "0"]),
        ((0.5, 3, "int"), ValueError, ["'x'", "0.5"]),
        ((1.0, 2.0, "loguniform"), ValueError, ["'x'", "'log-uniform'"]),
        (stats.norm(0, nan), ValueError, ["'x'", "norm"]),
        (stats.uniform(nan, 1.0), ValueError, ["'x'", "uniform"]),
        (stats.randint(5, 5), ValueError, ["'x'", "randint"]),
        (stats.uniform(0, -1), ValueError, ["'x'", "uniform"]),
    ],
)
def test_invalid_values_of_a_dimension_are_refused(
    search_class, probe, log, numbered, values, error, parts
):
    refused(search_class(probe, {"z": [1], "x": values}), log, numbered, error, *parts)
    refused(search_class(probe, [{"z": [1]}, {"x": values}]), log, numbered, error, *parts)


@pytest.mark.parametrize("kind", [Real, Integer])
@pytest.mark.parametrize(("low", "high"), [(2, 1), (nan, 1), (1, inf), ("1", 2), (None, 2)])
def test_invalid_bounds_of_a_dimension_are_refused(kind, low, high):
    with pytest.raises((ValueError, TypeError), match=kind.__name__):
        kind(low, high)


@pytest.mark.parametrize(
    "space", [None, 3, "x", [], [3], [{"x": [1]}, None], [[("x", [1])]], {3: [1]}, {None: [1]}]
)
def test_objects_that_are_no_space_are_refused(search_class, probe, log, numbered, space):
    refused(search_class(probe, space), log, numbered, TypeError)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("outcom", "'outcome'"), ("X", "'x'"), ("log_", "'log'"), ("outcome__x", "outcome")],
)
def test_unknown_parameter_is_refused_with_a_suggestion(
    search_class, probe, log, numbered, name, nearest
):
    search = search_class(probe, {"x": [0.1], name: [1, 2]})
    refused(search, log, numbered, ValueError, repr(name), nearest)


def test_unknown_parameter_of_a_step_is_refused_with_a_suggestion(search_class, blobs):
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", LogisticRegression())])
    for name, nearest in [("C", "clf__C"), ("clf__c", "clf__C"), ("scale__with_mea", "with_mean")]:
        with pytest.raises(ValueError, match=nearest):
            search_class(pipeline, {name: [1.0]}).fit(*blobs)


def test_parameter_of_a_replaced_step_is_accepted(search_class, blobs):
    pipeline = Pipeline([("clf", LogisticRegression())])
    space = {"clf": [DecisionTreeClassifier()], "clf__max_depth": [1, 2]}
    search = search_class(pipeline, space, n_iter=2, cv=2).fit(*blobs)
    assert search.best_params_["clf__max_depth"] in {1, 2}
    with pytest.raises(ValueError, match="clf__max_dept"):
        search_class(pipeline, {"clf": space["clf"], "clf__max_dept": [1]}).fit(*blobs)


class Permissive(LogisticRegression):
    """Takes each name that begins with "C", and lists none of them."""

    def get_params(self, deep=True):
        params = super().get_params(deep)
        return {name: value for name, value in params.items() if not name.startswith("C")}

    def set_params(self, **params):
        for name, value in params.items():
            if not name.startswith("C"):
                raise KeyError(name)
            setattr(self, name, value)
        return self


@pytest.mark.parametrize("is_step", [False, True])
def test_set_params_decides_what_is_a_parameter(search_class, blobs, is_step):
    estimator, prefix = (
        (Pipeline([("clf", Permissive())]), "clf__") if is_step else (Permissive(), "")
    )
    space = {f"{prefix}C": [0.1, 1.0], f"{prefix}Cache": [1, 2]}
    options = {"n_iter": 4, "cv": 2, "initial_params": None}
    search = search_class(estimator, space, error_score="raise", **options).fit(*blobs)
    assert {trial.params[f"{prefix}Cache"] for trial in search.trials_} == {1, 2}
    model = search.best_estimator_[-1] if is_step else search.best_estimator_
    assert model.Cache == search.best_params_[f"{prefix}Cache"]
    with pytest.raises(ValueError, match=f"Unknown parameter '{prefix}tool'. Did you mean .*tol"):
        search_class(estimator, {f"{prefix}tool": [1e-3]}).fit(*blobs)


def test_check_of_names_changes_no_object_of_the_user(blobs):
    choices = [DecisionTreeClassifier(max_depth=9), LogisticRegression(C=7.0)]
    pipeline = Pipeline([("clf", SVC())])
    space = {"clf": choices, "clf__max_depth": [1], "clf__C": [0.1]}
    search = BayesSearchCV(pipeline, space, n_iter=2, cv=2, initial_params=None)
    with pytest.raises(ValueError, match="trials failed"):  # since no choice has both
        search.fit(*blobs)
    assert (choices[0].max_depth, choices[1].C) == (9, 7.0)
    assert isinstance(pipeline[0], SVC)


def test_parameter_of_a_choice_within_a_choice_is_accepted(search_class, blobs):
    space = {
        "clf": [BaggingClassifier(n_estimators=2)],
        "clf__estimator": [LogisticRegression(), DecisionTreeClassifier()],
        "clf__estimator__random_state": [0],
    }
    model = Pipeline([("clf", LogisticRegression())])
    search = search_class(model, space, n_iter=2, cv=2, initial_params=None).fit(*blobs)
    assert search.best_estimator_[0].estimator.random_state == 0
    space["clf__estimator__max_dept"] = [3]
    with pytest.raises(ValueError, match="Unknown parameter 'clf__estimator__max_dept'"):
        search_class(Pipeline([("clf", LogisticRegression())]), space, n_iter=2, cv=2).fit(*blobs)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"n_iter": 0}, ["n_iter", "at least 1", "0"]),
        ({"n_iter": -3}, ["n_iter", "-3"]),
        ({"n_iter": 2.5}, ["n_iter", "2.5"]),
        ({"n_iter": True}, ["n_iter", "True"]),
        ({"n_iter": "10"}, ["n_iter", "'10'"]),
        ({"n_iter": None}, ["n_iter", "None"]),
        ({"n_points": 0}, ["n_points", "'auto'", "0"]),
        ({"n_points": 1.5}, ["n_points", "1.5"]),
        ({"n_points": "all"}, ["n_points", "'all'"]),
        ({"n_points": None}, ["n_points", "None"]),
        ({"max_time": 0}, ["max_time", "seconds", "0"]),
        ({"max_time": -1.0}, ["max_time", "-1.0"]),
        ({"max_time": nan}, ["max_time", "nan"]),
        ({"max_time": "1h"}, ["max_time", "'1h'"]),
        ({"n_iter_no_change": 0}, ["n_iter_no_change", "0"]),
        ({"n_iter_no_change": 1.5}, ["n_iter_no_change", "1.5"]),
        ({"tol": -0.1}, ["tol", "-0.1"]),
        ({"tol": nan}, ["tol", "nan"]),
        ({"tol": None}, ["tol", "None"]),
        ({"target_score": "high"}, ["target_score", "'high'"]),
        ({"target_score": nan}, ["target_score", "nan"]),
        ({"warm_start": "yes"}, ["warm_start", "'yes'"]),
        ({"callbacks": 3}, ["callbacks", "3"]),
        ({"callbacks": [print, 3]}, ["callbacks", "3"]),
        ({"callbacks": "print"}, ["callbacks", "'print'"]),
        ({"error_score": "ignore"}, ["error_score"]),
        ({"error_score": None}, ["error_score"]),
        ({"random_state": "seed"}, ["seed"]),
        ({"random_state": -1}, []),
        ({"cv": 1}, ["1"]),
        ({"cv": []}, ["cv", "at least one split", "[]"]),
        ({"cv": [], "racing": True}, ["cv", "at least one split", "[]"]),
        ({"racing": 2}, ["racing", "True, False, 'auto' or an error rate between 0 and 1", "2"]),
        ({"cv": "five"}, ["five"]),
        ({"scoring": "acuracy"}, ["acuracy"]),
        ({"refit": 3}, ["refit"]),
        ({"n_jobs": 0}, ["n_jobs"]),
    ],
)
def test_invalid_arguments_are_refused(search_class, probe, log, numbered, arguments, parts):
    refused(search_class(probe, SPACE, **arguments), log, numbered, ValueError, *parts)


def test_each_argument_has_constraints_that_its_default_meets(search_class):
    parameters = inspect.signature(search_class).parameters
    assert search_class._parameter_constraints.keys() == parameters.keys()
    search_class(LogisticRegression())._validate_params()


@pytest.mark.parametrize(
    "arguments",
    [
        {"random_state": "seed"},
        {"complexity": 3},
        {"resource": 3},
        {"min_resources": "smallest"},
        {"max_resources": 0},
        {"final_cv": 1},
        {"eval_set_from_split": 1},
        {"cache_steps": None},
        {"n_initial_points": 0},
        {"initial_params": [3]},
        {"n_jobs": 1.5},
        {"verbose": "yes"},
    ],
)
def test_error_names_argument_search_and_value(search_class, probe, log, numbered, arguments):
    [(name, value)] = arguments.items()
    head = f"The {name!r} parameter of {search_class.__name__} must be "
    search = search_class(probe, SPACE, **arguments)
    refused(search, log, numbered, ValueError, head, f"Got {value!r} instead.")


def test_search_of_models_checks_its_arguments_before_the_data():
    with pytest.raises(ValueError, match="'max_time' parameter of AutoSearchCV must be None or"):
        AutoSearchCV("classifier", max_time="1h").fit(None, None)
    with pytest.raises(
        ValueError, match="an estimator or one of 'auto', 'classifier'.*'klassifier'"
    ):
        AutoSearchCV("klassifier").fit(None, None)


def test_invalid_arguments_of_an_optimizer_are_refused(search_class, probe, log, numbered):
    known = search_class(probe, SPACE).get_params(deep=False)
    own = {"n_initial_points", "n_particles", "population_size"} & set(known)
    for name in own:
        for value in (0, -1, "many", 1.5, None):
            search = search_class(probe, SPACE, **{name: value})
            refused(search, log, numbered, ValueError, name, repr(value))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"x": 1.5}, ["initial_params[0]", "'x'", "1.5", "[0.0, 1.0]"]),
        ({"x": "a"}, ["initial_params[0]", "'x'", "'a'"]),
        ({"x": nan}, ["initial_params[0]", "'x'", "nan"]),
        ({"x": None}, ["initial_params[0]", "'x'", "None"]),
        ([{"x": 0.5}, {"x": 2.0}], ["initial_params[1]", "'x'", "2.0"]),
        ({"y": 0.5}, ["initial_params[0]", "'y'", "'x'"]),
        ({"z": 7}, ["initial_params[0]", "'z'", "7", "[1, 2]"]),
        ({"z": True}, ["initial_params[0]", "'z'", "True"]),
        ("defaults", ["initial_params", "'default'", "'defaults'"]),
        (3, ["initial_params", "3"]),
        ([0.5], ["initial_params", "[0.5]"]),
        ([None], ["initial_params", "[None]"]),
    ],
)
def test_invalid_initial_params_are_refused(search_class, probe, log, numbered, given, parts):
    search = search_class(probe, {**SPACE, "z": [1, 2]}, initial_params=given)
    refused(search, log, numbered, ValueError, *parts)


def test_initial_params_that_mix_branches_are_refused(search_class, probe, log, numbered):
    search = search_class(probe, [{"x": [0.1]}, {"z": [1]}], initial_params={"x": 0.1, "z": 1})
    refused(search, log, numbered, ValueError, "initial_params[0]")


def test_objects_that_are_no_estimator_are_refused(search_class, numbered):
    for thing in (None, 3, "Ridge", object()):
        with pytest.raises((ValueError, TypeError, AttributeError)):
            search_class(thing, {}).fit(*numbered)


@pytest.mark.parametrize("name", ["n_iters", "fit_params", "iid"])
def test_unknown_constructor_argument_is_refused(search_class, probe, name):
    with pytest.raises(TypeError, match=name):
        search_class(probe, SPACE, **{name: 1})


def test_unfitted_search_raises_not_fitted_error(search_class, blobs):
    search = search_class(LogisticRegression(), {"C": [1.0]})
    for name in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError, match="fit"):
            getattr(search, name)(blobs[0])
    with pytest.raises(NotFittedError):
        search.score(*blobs)
    with pytest.raises((NotFittedError, AttributeError)):
        _ = search.classes_
    assert not hasattr(search, "n_features_in_")


def test_predict_without_refit_raises(search_class, blobs):
    search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, refit=False)
    search.fit(*blobs)
    with pytest.raises(AttributeError) as caught:
        search.predict(blobs[0])
    assert "refit=False" in str(caught.value.__cause__)


# ------------------------------------------------------- unusual, but legal input


@pytest.mark.thorough
@pytest.mark.parametrize(
    "values",
    [
        stats.norm(0, 1),
        stats.expon(),
        stats.cauchy(),
        stats.poisson(30),
        (1e-300, 1.0, "log-uniform"),
        (1e-300, 1e12, "log-uniform"),
        (-1e12, 1e12, "uniform"),
        (1, 10**12, "log-int"),
        (0, 10**12, "int"),
        range(1, 100),
        np.linspace(0, 1, 50),
        list(range(10_000)),
        [f"choice {number}" for number in range(10_000)],
    ],
    ids=[
        "norm",
        "expon",
        "cauchy",
        "poisson",
        "from 1e-300",
        "from 1e-300 to 1e12",
        "2e12 wide",
        "log-int",
        "int",
        "range",
        "array",
        "10,000 numbers",
        "10,000 strings",
    ],
)
def test_extreme_values_are_searched(search_class, probe, numbered, values):
    name = "outcome" if isinstance(values, list) and isinstance(values[0], str) else "x"
    search = search_class(probe, {name: values}, n_iter=16, cv=2, n_points=4, random_state=0)
    search.fit(*numbered)
    tried = [trial.params[name] for trial in search.trials_]
    assert len(set(tried)) == len(tried) == 16
    assert all(type(value) in {int, float, str} for value in tried)
    assert np.isfinite(search.best_score_)
