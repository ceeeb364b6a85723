"""Searches and cases for the tests of real libraries."""

import cases
import pytest

import sklearn_lepton

SEARCHES = [
    getattr(sklearn_lepton, name) for name in ("BayesSearchCV", "SwarmSearchCV", "GeneticSearchCV")
]


@pytest.fixture(scope="session", params=cases.CASES, ids=lambda case: case.__name__)
def case(request):
    """Each library with an estimator, a space and data."""
    return request.param()


@pytest.fixture(params=SEARCHES, ids=lambda search: search.__name__)
def search_class(request):
    return request.param
