"""scikit-learn's own checks of an estimator, on every search with several inner estimators."""

import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import RandomizedSearchCV
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._test_common.instance_generator import _get_expected_failed_checks
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import sklearn_lepton

SEARCHES = [
    getattr(sklearn_lepton, name) for name in sklearn_lepton.__all__ if name.endswith("SearchCV")
]

# No transformers, as KMeans and PCA: scikit-learn's checks refuse RandomizedSearchCV with one
# before the first check, because a search has a `transform` without being a TransformerMixin.
INNER = [
    (Ridge(), {"alpha": (0.1, 1.0, "log-uniform")}),
    (
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": [0.1, 1.0]},
    ),
    (KernelDensity(), {"bandwidth": [0.5, 1.0]}),
]
MORE_INNER = [
    (LogisticRegression(), {"C": [0.1, 1.0]}),
    (make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 1.0]}),
]

# What RandomizedSearchCV fails with the same inner estimators: its warning comes from inside of
# the fits, where the check does not see it.
EXPECTED_FAILURES = {"check_supervised_y_2d": "DataConversionWarning not caught"}


def small(search_class, estimator, space):
    return search_class(
        clone(estimator), space, n_iter=2, cv=2, error_score="raise", random_state=0
    )


def expected_failures(search):
    is_ridge = "Ridge" in repr(search.estimator)
    return EXPECTED_FAILURES if is_ridge else {}


def parametrized(inner_estimators):
    """Return the checks in a list; scikit-learn 1.6 gives a generator, which pytest 9 dislikes."""
    mark = parametrize_with_checks(
        [small(search, *inner) for search in SEARCHES for inner in inner_estimators],
        expected_failed_checks=expected_failures,
    ).mark
    names, checks = mark.args
    return pytest.mark.parametrize(names, list(checks), **mark.kwargs)


@parametrized(INNER)
# check_supervised_y_no_nan casts infinite targets to integers.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrized(MORE_INNER)
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_scikit_learn_checks_of_more_estimators(estimator, check):
    check(estimator)


def test_no_more_failures_are_expected_than_of_randomized_search():
    stock = RandomizedSearchCV(Ridge(), {"alpha": [0.1, 1.0]})
    assert set(EXPECTED_FAILURES) <= set(_get_expected_failed_checks(stock))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inner", INNER + MORE_INNER, ids=lambda inner: type(inner[0]).__name__)
def test_randomized_search_fails_what_is_expected_to_fail(inner):
    space = {name: [0.1, 1.0] for name in inner[1]}
    stock = small(RandomizedSearchCV, inner[0], space)
    results = check_estimator(stock, on_skip=None, on_fail=None)
    failed = {result["check_name"] for result in results if result["status"] == "failed"}
    assert failed == set(expected_failures(stock))
