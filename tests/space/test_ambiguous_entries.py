"""Entries that other libraries read in another way: pairs, triples, draws of lists."""

import warnings

import numpy as np
import pytest
import scipy.stats
from sklearn.base import BaseEstimator

from sklearn_lepton import BayesSearchCV, Categorical, Integer, Real, Space, tune
from sklearn_lepton.space._distribution import Distribution


class Stub(BaseEstimator):
    """Costs nothing to fit; its score is its parameter."""

    def __init__(self, x=0.0, n=1):
        self.x = x
        self.n = n

    def fit(self, X, y=None):
        return self

    def score(self, X, y=None):
        return self.x + self.n


def fit(space, **options):
    search = BayesSearchCV(Stub(), space, n_iter=2, cv=2, random_state=0, **options)
    return search.fit(np.zeros((8, 1)), [0, 1] * 4)


def messages(function):
    """Return the messages of the warnings of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return [str(each.message) for each in caught]


@pytest.mark.parametrize(
    ("pair", "choices", "range_"),
    [
        ((1e-3, 1.0), "[0.001, 1.0]", "(0.001, 1.0, 'uniform')"),
        ((10, 100), "[10, 100]", "(10, 100, 'int')"),
        ((0, 1.0), "[0, 1.0]", "(0, 1.0, 'uniform')"),
        ((np.float64(0.5), np.int64(2)), "[0.5, 2]", "(0.5, 2, 'uniform')"),
    ],
)
def test_pair_is_two_choices_with_a_warning_that_names_both_readings(pair, choices, range_):
    [text] = messages(lambda: Space({"x": pair}))
    assert f"'x': ({choices[1:-1]}) is two choices" in text
    assert f"write {choices}" in text
    assert f"write {range_}" in text
    with pytest.warns(UserWarning, match="two choices"):
        assert Space({"x": pair}) == Space({"x": list(pair)})


@pytest.mark.parametrize(
    "entry",
    [
        [1e-3, 1.0],
        (1.0, 1e-3),  # not in the order of bounds
        (3, 3),
        (1, 2),  # the same as choices and as a range
        (True, False),
        (0.1, 0.5, 1.0),
        (0.1,),
        ("l1", "l2"),
        (None, 1.0),
        [(50, 100), (20, 30)],
        ((1, 1), (1, 2)),
        np.array([1e-3, 1.0]),
        range(10, 100, 90),
        Categorical((1e-3, 1.0)),
    ],
)
def test_other_choices_give_no_warning(entry):
    assert messages(lambda: Space({"x": entry})) == []


def test_search_warns_once_of_all_pairs():
    space = [{"x": (1e-3, 1.0), "n": (10, 100)}, {"x": (1e-3, 1.0), "n": [1]}]
    [text] = messages(lambda: fit(space, return_train_score=True))
    assert text.count("'x'") == text.count("'n'") == 1


def test_repeated_branch_warns_once():
    [text] = messages(lambda: Space([{"x": (1e-3, 1.0)}] * 2))
    assert text.count("two choices") == 1


def test_tune_reads_pairs_as_ranges():
    space = {"x": (1e-3, 1.0), "n": (10, 100), "kind": ("a", "b")}
    result = tune(lambda params: params["x"], space, n_iter=4, random_state=0)
    expected = {"x": Real(1e-3, 1.0), "n": Integer(10, 100), "kind": ["a", "b"]}
    assert result.optimizer_.space == Space(expected)


def test_tune_reads_pairs_of_branches_and_leaves_a_space():
    branches = ({"x": (1e-3, 1.0)}, {"n": (10, 100)})
    result = tune(len, branches, n_iter=2, random_state=0)
    assert result.optimizer_.space == Space([{"x": Real(1e-3, 1.0)}, {"n": Integer(10, 100)}])
    with pytest.warns(UserWarning, match="two choices"):
        space = Space({"x": (1e-3, 1.0)})
    assert tune(len, space, n_iter=2).optimizer_.space == space


def test_tune_raises_for_bounds_in_the_wrong_order():
    with pytest.raises(ValueError, match=r"'x': Real needs low <= high, got low=5.0 .*swap"):
        tune(len, {"x": (5.0, -5.0)}, n_iter=2)


@pytest.mark.parametrize("prior", ["uniform", "log-uniform"])
def test_range_of_two_neighboring_integers_warns(prior):
    [text] = messages(lambda: Space({"x": (1, 2, prior)}))
    assert "the integers 1 and 2" in text
    assert f"(1.0, 2.0, '{prior}')" in text
    assert messages(lambda: Space({"x": (1, 2, "int")})) == []
    assert messages(lambda: Space({"x": (1, 3, prior)})) == []
    assert messages(lambda: Space({"x": (1.0, 2.0, prior)})) == []
    [text] = messages(lambda: tune(len, {"x": (0, 1)}, n_iter=2))
    assert "the integers 0 and 1" in text


def test_integer_bounds_give_integers_to_the_estimator():
    search = fit({"n": (1, 30, "log-uniform"), "x": (1.0, 30.0, "log-uniform")})
    assert {type(trial.params["n"]) for trial in search.trials_} == {int}
    assert {type(trial.params["x"]) for trial in search.trials_} == {float}


# ------------------------------------------------------ distributions


class Draws:
    """An object with nothing but draws."""

    def __init__(self, value):
        self.value = value

    def rvs(self, random_state=None):
        return self.value


@pytest.mark.parametrize("value", [[1.0], [], np.array([1.0]), np.zeros((1, 2))])
def test_draw_of_a_list_raises_before_the_first_fit(value):
    with pytest.raises(TypeError, match=r"'x': one draw from .*Draws.* is not one value"):
        fit({"x": Draws(value)})


@pytest.mark.parametrize("value", [1.0, None, "a", (50, 50), np.float64(2), np.array(3.0), Stub])
def test_draw_of_one_value_is_a_choice(value):
    [only] = Space({"x": Draws(value)}).dimensions
    assert only.n_values == 1


@pytest.mark.parametrize(
    "dist", [scipy.stats.uniform([0, 0], [1, 2]), scipy.stats.dirichlet([1.0, 1.0])]
)
def test_distribution_of_arrays_raises(dist):
    with pytest.raises(TypeError, match=r"'x'.* is not one value"):
        Space({"x": dist})


def test_distribution_that_is_not_frozen_raises_with_its_parameters():
    with pytest.raises(ValueError, match=r"'x'.*give a frozen distribution, loguniform\(a, b\)"):
        Space({"x": scipy.stats.loguniform})
    assert Space({"x": scipy.stats.uniform}) == Space({"x": Real(0, 1)})
    [only] = Space({"x": scipy.stats.norm}).dimensions
    assert isinstance(only, Distribution)
