"""Search spaces: accepted entries, distributions, branches and errors."""

import json
import math
import time

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_lepton import Categorical, Integer, Real, Space
from sklearn_lepton.space._dimension import Dimension
from sklearn_lepton.space._distribution import Distribution


def dimension(values):
    """Return the only dimension of a space with one parameter."""
    [only] = Space({"x": values}).dimensions
    return only


def grid(only, n_points=2001):
    return [only.from_unit(unit) for unit in np.linspace(0, 1, n_points).tolist()]


# ------------------------------------------------------ forms of an entry


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.01, 0.1, "uniform"), Real(0.01, 0.1)),
        ((1e-4, 1e-1, "log-uniform"), Real(1e-4, 1e-1, log=True)),
        ((32, 256, "int"), Integer(32, 256)),
        ((1, 1000, "log-int"), Integer(1, 1000, log=True)),
        ((1, 10, "uniform"), Integer(1, 10)),
        ((1, 30, "log-uniform"), Integer(1, 30, log=True)),
        ((np.int64(1), np.int8(30), "log-uniform"), Integer(1, 30, log=True)),
        ((1.0, 30.0, "log-uniform"), Real(1.0, 30.0, log=True)),
        ((1, 30.0, "log-uniform"), Real(1.0, 30.0, log=True)),
        ((np.float64(0.5), np.int64(2), "uniform"), Real(0.5, 2.0)),
        (scipy.stats.uniform(2, 3), Real(2, 5)),
        (scipy.stats.uniform(loc=-1, scale=2), Real(-1, 1)),
        (scipy.stats.uniform(), Real(0, 1)),
        (scipy.stats.loguniform(1e-3, 1e2), Real(1e-3, 1e2, log=True)),
        (scipy.stats.reciprocal(1e-3, 1e2), Real(1e-3, 1e2, log=True)),
        (scipy.stats.loguniform(1e-300, 1e12), Real(1e-300, 1e12, log=True)),
        (scipy.stats.randint(3, 9), Integer(3, 8)),
        (scipy.stats.randint(3, 9, loc=10), Integer(13, 18)),
        (scipy.stats.randint(5, 6), Integer(5, 5)),
        ([1, 2, 3], Categorical([1, 2, 3], ordered=True)),
        ([1.5, 2], Categorical([1.5, 2], ordered=True)),
        ([0.1, 0.1], Categorical([0.1])),
        ([3, 1, 2], Categorical([3, 1, 2], ordered=False)),
        (["b", "a"], Categorical(["b", "a"], ordered=False)),
        ([True, False], Categorical([True, False], ordered=False)),
        ([1, 2, None], Categorical([1, 2, None], ordered=False)),
        ([1, 2, math.nan], Categorical([1, 2, math.nan], ordered=False)),
        ([math.inf], Categorical([math.inf], ordered=False)),
        ([7], Categorical([7])),
        (("a", "b", "c"), Categorical(["a", "b", "c"])),
        ((1.0, 0.1), Categorical([1.0, 0.1])),
        ((1, 2), Categorical([1, 2])),
        (((50, 50), (100,)), Categorical([(50, 50), (100,)])),
        ((1, 2, 3), Categorical([1, 2, 3])),
        (range(1, 8, 3), Categorical([1, 4, 7])),
        (np.arange(4), Categorical([0, 1, 2, 3])),
        (np.logspace(-1, 1, 3), Categorical([0.1, 1.0, 10.0])),
        (np.array(["a", "b"]), Categorical(["a", "b"])),
        (np.array([None, "a"], dtype=object), Categorical([None, "a"])),
        (pd.Series([3, 1], index=["p", "q"]), Categorical([3, 1], ordered=True)),
        (pd.Index(["a", "b"]), Categorical(["a", "b"])),
        (Real(0, 1), Real(0, 1)),
        (Integer(1, 3, log=True), Integer(1, 3, log=True)),
        (Categorical([1, 2], ordered=False), Categorical([1, 2], ordered=False)),
    ],
)
def test_entry_becomes_expected_dimension(values, expected):
    assert dimension(values) == expected


def test_dimension_as_entry_is_kept():
    own = Categorical(["a", "b"], ordered=True)
    assert dimension(own) is own


@pytest.mark.parametrize("pair", [[0.1, 1.0], [1, 100], ["l1", "l2"], [None, 5], [[1], [2]]])
def test_two_element_lists_are_choices(pair):
    only = dimension(pair)
    assert only.n_values == 2
    assert [only.from_unit(unit) for unit in (0.0, 0.49, 0.51, 1.0)] == [
        pair[0],
        pair[0],
        pair[1],
        pair[1],
    ]


@pytest.mark.parametrize(
    "values",
    [
        [0.1, 1.0, "log"],
        [0.1, 1.0, np.array([1.0, 2.0])],
        ["a", 1.0, "uniform"],
        ("a", "b", "uniform"),
        (True, False, "int"),
        (0.1, 0.5, "sqrt"),
        (0.1, 0.5, "log2"),
        (0.1, 1.0, "scale"),
        (2, 5, "mle"),
        (1, 2, "balanced"),
        (1, 2, "normal"),
        (1, 2, 3, "int"),
        (2, "int"),
        ((1, 2), (3, 4), "uniform"),
    ],
)
def test_tuples_without_prior_are_choices(values):
    only = dimension(values)
    assert isinstance(only, Categorical)
    assert only.categories == list(values)


@pytest.mark.parametrize(
    ("prior", "meant"),
    [
        ("loguniform", "log-uniform"),
        ("log_uniform", "log-uniform"),
        ("Log-Uniform", "log-uniform"),
        ("log uniform", "log-uniform"),
        ("UNIFORM", "uniform"),
        ("Int", "int"),
        ("integer", "int"),
        ("Integer", "int"),
        ("INTEGER", "int"),
        ("logint", "log-int"),
        ("log_int", "log-int"),
        ("log-integer", "log-int"),
        ("Log-Integer", "log-int"),
        ("log", "log-uniform"),
        ("log10", "log-uniform"),
        ("lgo-uniform", "log-uniform"),
        ("uniform_", "uniform"),
        ("float", "uniform"),
        ("linear", "uniform"),
    ],
)
def test_misspelt_prior_raises_with_suggestion(prior, meant):
    with pytest.raises(ValueError, match=rf"'x'.*{prior}.*prior as '{meant}'.*give a list"):
        Space({"x": (1, 10, prior)})
    with pytest.raises(ValueError, match=rf"'x'.*{prior}.*prior as '{meant}'"):
        Space({"x": (0.001, 1.0, prior)})


@pytest.mark.parametrize("bounds", [("auto", 0.5), (None, 2), (True, 10), (1, "10"), (1, None)])
@pytest.mark.parametrize("prior", ["uniform", "log-uniform", "int"])
def test_prior_with_one_number_raises(bounds, prior):
    with pytest.raises(ValueError, match=r"'x'.*its bounds must be two numbers.*give a list"):
        Space({"x": (*bounds, prior)})


@pytest.mark.parametrize("prior", ["uniform", "log-uniform", "int", "log-int"])
def test_list_of_bounds_and_a_prior_raises(prior):
    # As in a file of settings, which has no tuples.
    with pytest.raises(ValueError, match=rf"'x'.*give a tuple, \(1, 10, '{prior}'\)"):
        Space({"x": [1, 10, prior]})
    assert Space({"x": Categorical([1, 10, prior])}).size == 3


# ------------------------------------------------------ identity of values


def a_function():
    """Serve as a callable."""


class Odd:
    """An object whose comparison cannot be trusted."""

    def __eq__(self, other):
        raise RuntimeError("do not compare me")

    __hash__ = None


class Vague:
    """An object whose comparison has no truth value."""

    def __eq__(self, other):
        return np.array([True, False])

    __hash__ = None


SVC_ONE, SVC_SAME = SVC(C=1.0), SVC(C=1.0)
OBJECTS = [
    LogisticRegression(),
    SVC_ONE,
    SVC_SAME,  # equal text, but a different object
    StandardScaler,
    "passthrough",
    "drop",
    None,
    True,
    False,
    (1, 2),
    (),
    ((1, "a"), None),
    [1, 2],
    [1, 2],  # equal, but a different object, and unhashable
    {"a": 1},
    {1, 2},
    a_function,
    lambda x: x,
    lambda x: x + 1,
    np.sin,
    np.arange(3),
    np.arange(4),
    np.zeros((2, 2)),
    pd.Series([1, 2]),
    pd.DataFrame({"a": [1]}),
    pd.Timestamp("2020-01-01"),
    Odd(),
    Vague(),
    b"bytes",
    range(3),
    2.5,
    7,
    math.nan,
    10**30,
]


def test_from_unit_returns_same_object():
    space = Space({"x": list(OBJECTS)})
    [only] = space.dimensions
    assert only.n_values == len(OBJECTS)
    assert not only.ordered
    for position, given in enumerate(OBJECTS):
        unit = (position + 0.5) / len(OBJECTS)
        assert space.from_point((unit,))["x"] is given
        assert space.to_point({"x": given}) == (pytest.approx(unit, abs=1e-12),)
        assert space.complete({"x": given})["x"] is given
        assert only.validate(given) is given


@pytest.mark.parametrize("given", OBJECTS, ids=[f"{k}" for k in range(len(OBJECTS))])
def test_single_object_as_choice(given):
    only = dimension([given])
    assert only.n_values == 1
    assert only.from_unit(0.3) is given


def test_to_unit_accepts_equal_object():
    space = Space({"x": [SVC(C=2.0), [1, 2], np.arange(3), "rbf", (1, None), a_function]})
    choices = space.dimensions[0].categories
    for equal, choice in [
        (SVC(C=2.0), choices[0]),
        ([1, 2], choices[1]),
        (np.array([0, 1, 2]), choices[2]),
        (np.str_("rbf"), choices[3]),
        ((1, None), choices[4]),
    ]:
        assert space.complete({"x": equal})["x"] is choice


@pytest.mark.parametrize(
    "other", [SVC(C=3.0), [1, 3], np.arange(5), "RBF", (1, 0), len, Odd(), None, 0, math.nan]
)
def test_to_unit_raises_for_unknown_object(other):
    space = Space({"x": [SVC(C=2.0), [1, 2], np.arange(3), "rbf", (1, None), a_function]})
    with pytest.raises(ValueError, match=r"'x'.*is not among the choices"):
        space.to_point({"x": other})


def test_true_and_one_and_float_one_are_three_choices():
    only = dimension([True, 1, 1.0])
    assert [type(value) for value in only.categories] == [bool, int, float]
    for given in (True, 1, float("1")):
        assert type(only.validate(given)) is type(given)
        assert type(only.from_unit(only.to_unit(given))) is type(given)


def test_false_and_zero_and_float_zero_are_three_choices():
    only = dimension([0.0, False, 0])
    assert [type(value) for value in only.categories] == [float, bool, int]


@pytest.mark.parametrize(("first", "second"), [(1, 1.0), (1, True), (0.0, False), (0, 0.0)])
def test_branches_keep_types_of_equal_numbers(first, second):
    # In scikit-learn max_features=1 is one feature and max_features=1.0 is all of them.
    space = Space([{"x": [first, 5]}, {"x": [second, 5]}])
    assert type(space.from_point(space.snap([[0.2] * space.n_dims])[0])["x"]) is type(first)
    place = [0.9] + [0.2] * (space.n_dims - 1)
    assert type(space.from_point(space.snap([place])[0])["x"]) is type(second)


def test_to_unit_raises_for_bool_as_number():
    for only in (Real(0, 1), Integer(0, 1), dimension([0, 1]), Distribution(scipy.stats.norm())):
        with pytest.raises(ValueError, match="True"):
            only.to_unit(True)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (np.float64(0.5), float),
        (np.float32(0.5), float),
        (np.int64(3), int),
        (np.uint8(3), int),
        (np.bool_(True), bool),
        (np.str_("a"), str),
    ],
)
def test_numpy_scalar_choices_become_python_values(given, kind):
    for values in ([given, None], (None, given), np.array([given]), np.array([given, None])):
        [value] = [v for v in dimension(values).categories if v is not None]
        assert type(value) is kind
        assert value == given
    assert json.dumps(Space({"x": [given]}).from_point((0.5,)))


@pytest.mark.parametrize(
    "values",
    [
        (0.1, 1.0, "uniform"),
        (1, 1000, "log-int"),
        (1, 1000, "int"),
        scipy.stats.norm(),
        scipy.stats.poisson(3),
        scipy.stats.randint(1, 5),
        scipy.stats.loguniform(1e-3, 1),
        scipy.stats.expon(),
        np.arange(5),
        np.linspace(0, 1, 5),
        pd.Series([1, 2]),
        Real(np.float32(0.5), np.float64(2)),
        Integer(np.int8(1), np.int64(3)),
    ],
)
def test_from_unit_returns_python_numbers(values):
    space = Space({"x": values})
    for unit in (0.0, 0.3, 0.5, 1.0):
        value = space.from_point((unit,))["x"]
        assert type(value) in {int, float}
        assert json.loads(json.dumps(value, allow_nan=False)) == value
        numpy_twin = np.asarray(value)[()]
        assert type(space.complete({"x": numpy_twin})["x"]) is type(value)
    assert all(type(unit) is float for unit in space.to_point(space.from_point((0.3,))))


# -------------------------------------------------------------- distributions


@pytest.mark.parametrize(
    "dist",
    [
        scipy.stats.norm(3, 2),
        scipy.stats.expon(scale=5),
        scipy.stats.beta(2, 5),
        scipy.stats.loguniform(1, 10, loc=5),
        scipy.stats.gamma(2.0),
        scipy.stats.truncnorm(-1, 2),
        scipy.stats.cauchy(),
        scipy.stats.uniform(2, 3),
        scipy.stats.loguniform(1e-5, 1e5),
    ],
)
def test_position_is_cumulative_probability(dist):
    only = dimension(dist)
    units = np.linspace(0.01, 0.99, 33)
    assert_allclose(
        [only.from_unit(u) for u in units.tolist()], dist.ppf(units), rtol=1e-3, atol=1e-9
    )
    drawn = [only.from_unit(u) for u in np.random.default_rng(0).random(500).tolist()]
    assert scipy.stats.kstest(drawn, dist.cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    "dist",
    [
        scipy.stats.poisson(4),
        scipy.stats.binom(10, 0.3),
        scipy.stats.geom(0.5),
        scipy.stats.nbinom(5, 0.5),
        scipy.stats.randint(3, 9),
        scipy.stats.poisson(4, loc=-10),
        scipy.stats.rv_discrete(values=([1, 5, 9], [0.2, 0.3, 0.5]))(),
        scipy.stats.rv_discrete(values=([1, 5, 9], [0.2, 0.3, 0.5])),
        scipy.stats.rv_discrete(values=([-3, 0, 1000], [0.5, 0.0, 0.5])),
    ],
)
def test_cell_widths_of_discrete_distribution_are_its_probabilities(dist):
    only = dimension(dist)
    n_units = 20000
    drawn = np.array(grid(only, n_units))
    assert all(type(value) is int for value in drawn.tolist())
    values, counts = np.unique(drawn, return_counts=True)
    assert_allclose(counts / n_units, dist.pmf(values), atol=2e-4)
    assert only.n_values >= len(values)


def test_discrete_distribution_excludes_gaps():
    space = Space({"x": scipy.stats.rv_discrete(values=([1, 5, 9], [0.2, 0.3, 0.5]))()})
    assert space.size == 3
    assert set(grid(space.dimensions[0])) == {1, 5, 9}
    assert_allclose([space.to_point({"x": x})[0] for x in (1, 5, 9)], [0.1, 0.35, 0.75])
    with pytest.raises(ValueError, match=r"'x': 3 is not a value"):
        space.to_point({"x": 3})


def test_norm_has_finite_tails():
    space = Space({"x": scipy.stats.norm(10, 0.1)})
    low, middle, high = (space.from_point((unit,))["x"] for unit in (0.0, 0.5, 1.0))
    assert middle == pytest.approx(10)
    assert 9.4 < low < 9.6 < 10.4 < high < 10.6
    assert space.to_point({"x": low}) == (pytest.approx(0.0, abs=1e-9),)
    with pytest.raises(ValueError, match=r"'x': 12 lies outside.*norm\(10, 0\.1\)"):
        space.to_point({"x": 12})


def test_shifted_loguniform_keeps_its_quantiles():
    only = dimension(scipy.stats.loguniform(1, 100, loc=5))
    assert only.from_unit(0.0) == pytest.approx(6)
    assert only.from_unit(0.5) == pytest.approx(15)
    assert only.from_unit(1.0) == pytest.approx(105)


@pytest.mark.parametrize(
    ("dist", "expected"),
    [
        (scipy.stats.uniform(1e-300, 1e12), Real(1e-300, 1e12)),
        (scipy.stats.loguniform(1e-3, 1e-3 * (1 + 1e-9)), None),
    ],
)
def test_wide_and_narrow_distributions(dist, expected):
    only = dimension(dist)
    assert expected is None or only == expected
    for unit in (0.0, 0.25, 1.0):
        assert only.to_unit(only.from_unit(unit)) == pytest.approx(unit, abs=1e-6)


class OnlyDraws:
    """An object with only ``rvs``, as RandomizedSearchCV accepts it."""

    def __init__(self, draw):
        self.draw = draw

    def rvs(self, random_state=None):
        return self.draw(random_state)


def test_samples_of_numbers_become_choices():
    state = np.random.get_state()[1].tobytes()
    only = dimension(OnlyDraws(lambda rng: rng.normal()))
    assert np.random.get_state()[1].tobytes() == state
    assert only == dimension(OnlyDraws(lambda rng: rng.normal()))  # the sample is always the same
    values = [only.from_unit(u) for u in np.linspace(0, 1, 101).tolist()]
    assert values == sorted(values)
    assert all(type(value) is float for value in values)
    assert only.ordered
    assert scipy.stats.kstest(only.categories, "norm").pvalue > 1e-3


def test_samples_of_objects_become_choices():
    kinds = ["a", "b", None]
    only = dimension(OnlyDraws(lambda rng: kinds[rng.randint(3)]))
    assert set(only.categories) == set(kinds)
    assert not only.ordered


class OnlyQuantiles:
    """An object with ``rvs`` and ``ppf``, without ``cdf``."""

    def rvs(self, size=None, random_state=None):
        return self.ppf(np.random.default_rng(0).random(size))

    def ppf(self, q):
        return np.asarray(q) ** 3 * 8


def test_distribution_without_cdf():
    only = dimension(OnlyQuantiles())
    assert only.from_unit(0.5) == 1.0
    assert only.n_values == math.inf
    for unit in np.linspace(0, 1, 21).tolist():
        assert only.to_unit(only.from_unit(unit)) == pytest.approx(unit, abs=1e-9)
    with pytest.raises(ValueError, match=r"8\.5 lies outside"):
        only.to_unit(8.5)


@pytest.mark.parametrize(
    "dist",
    [
        scipy.stats.norm(0, 1),
        scipy.stats.norm(loc=2, scale=3),
        scipy.stats.poisson(4),
        scipy.stats.loguniform(1, 10, loc=5),
        scipy.stats.expon(scale=np.float64(2)),
    ],
)
def test_distribution_json_round_trip(dist):
    space = Space({"x": dist})
    assert Space.from_json(json.loads(json.dumps(space.to_json(), allow_nan=False))) == space


class Power(scipy.stats.rv_continuous):
    """A distribution whose values are powers of uniform values."""

    def __init__(self, power, **kwargs):
        super().__init__(a=0.0, b=1.0, **kwargs)
        self.power = power

    def _ppf(self, q):
        return q**self.power


class OtherPower(Power):
    pass


class Square(scipy.stats.rv_continuous):
    def _ppf(self, q):
        return q**2


class Quantiles(OnlyQuantiles):
    def __init__(self, inner):
        self.inner = inner


def own_distributions():
    histogram, finer = ([3, 5, 2], [0.0, 1.0, 2.0, 3.0]), (np.arange(1, 101), np.arange(101.0))
    changed = np.where(np.arange(100) == 50, 7, finer[0])
    discrete = scipy.stats.rv_discrete(values=([1, 2, 3], [0.2, 0.3, 0.5]))
    return [
        discrete,
        discrete(loc=1),
        scipy.stats.rv_discrete(values=([1, 2, 3], [0.5, 0.3, 0.2])),
        scipy.stats.rv_discrete(values=([10, 20], [0.5, 0.5])),
        scipy.stats.rv_discrete(values=(range(100), np.full(100, 0.01)), name="poisson"),
        scipy.stats.rv_histogram(histogram, density=False),
        scipy.stats.rv_histogram(histogram, density=False)(scale=2.0),
        scipy.stats.rv_histogram(finer, density=False),
        scipy.stats.rv_histogram((changed, finer[1]), density=False),
        Power(2.0),
        Power(3.0, name="norm"),
        OtherPower(2.0),
        Square(a=0.0, b=1.0, name="uniform"),
        OnlyQuantiles(),
        Quantiles(scipy.stats.norm(1)),
        Quantiles(scipy.stats.norm(2)),
        scipy.stats.norm(),
    ]


@pytest.mark.parametrize("freeze", [False, True])
def test_custom_distributions_are_equal_if_contents_are(freeze):
    lists = [own_distributions(), own_distributions()]
    if freeze:  # scipy cannot freeze a distribution with a different constructor
        lists = [
            [d() if callable(d) and not isinstance(d, Power) else d for d in dists]
            for dists in lists
        ]
    first, again = ([Distribution(dist) for dist in dists] for dists in lists)
    assert [a.to_json() for a in first] == [b.to_json() for b in again]
    for row, left in enumerate(first):
        assert [left == right for right in again] == [row == k for k in range(len(again))]
        assert " at 0x" not in repr(left)
        assert len(repr(left)) < 300
        space = Space([{"m": ["A"], "p": again[row - 1]}, {"m": ["B"], "p": left}])
        assert space.dimensions[space.branches[1]["p"]] is left


def test_unfrozen_distribution_equals_frozen_one_without_arguments():
    assert dimension(scipy.stats.norm) == dimension(scipy.stats.norm())
    assert dimension(scipy.stats.uniform) == Real(0, 1)
    own = Square(a=0.0, b=1.0, name="uniform")
    assert dimension(own()).from_unit(0.5) == dimension(own).from_unit(0.5) == 0.25


def test_from_json_raises_for_unknown_distribution():
    data = json.loads(json.dumps(Space({"width": OnlyQuantiles()}).to_json()))
    with pytest.raises(ValueError, match=r"'width'.*scipy\.stats"):
        Space.from_json(data)


@pytest.mark.parametrize(
    "values",
    [
        [lambda: 1, lambda: 2],
        [SVC(), SVC()],
        [1, 1.0, True],
        [math.nan, 1.0],
        [(1, 2), [1, 2]],
        [np.arange(3), np.arange(4)],
        [None, "None"],
        [a_function, f"{a_function.__module__}.{a_function.__qualname__}"],
        [{"a": 1}, {"tuple": [1]}, {"opaque": "x"}, (1,)],
        [math.inf, -math.inf, "inf"],
    ],
)
def test_choices_json_round_trip_keeps_number_and_order(values):
    space = Space({"x": values, "y": [1, 2]})
    back = Space.from_json(json.loads(json.dumps(space.to_json(), allow_nan=False)))
    assert_array_equal(back.n_values, space.n_values)
    assert back.to_json() == space.to_json()


# -------------------------------------------------------------------- extremes


@pytest.mark.parametrize("low", [1e-300, 1e-12, 1.0])
@pytest.mark.parametrize("high", [1.0, 1e12])
@pytest.mark.parametrize("log", [True, False])
def test_real_with_wide_bounds(low, high, log):
    only = dimension((low, high, "log-uniform" if log else "uniform"))
    assert low <= only.from_unit(0.0) == pytest.approx(low, rel=1e-9)
    assert high >= only.from_unit(1.0) == pytest.approx(high, rel=1e-9)
    for value in (low, high, low + (high - low) / 3):
        assert only.from_unit(only.to_unit(value)) == pytest.approx(value, rel=1e-9)
    if log:
        assert only.from_unit(0.5) == pytest.approx(math.sqrt(low) * math.sqrt(high))


@pytest.mark.parametrize("log", [True, False])
def test_integer_with_wide_bounds(log):
    only = dimension((1, 10**12, "log-int" if log else "int"))
    assert only.from_unit(0.0) == 1
    assert only.from_unit(1.0) == 10**12
    for value in (1, 2, 3, 10, 999, 10**6 + 1, 10**12 - 1, 10**12):
        assert only.from_unit(only.to_unit(value)) == value


def test_log_integers_are_uniform_in_the_logarithm():
    only = Integer(1, 1000, log=True)
    values = np.array(grid(only, 30001))
    for value in (1, 2, 5, 30, 1000):
        expected = math.log((value + 0.5) / (value - 0.5)) / math.log(1000.5 / 0.5)
        assert np.mean(values == value) == pytest.approx(expected, abs=1e-4)


def test_real_over_whole_range_of_doubles():
    only = Real(-1.7e308, 1.7e308)
    assert only.to_unit(0.0) == 0.5
    assert [only.from_unit(unit) for unit in (0.0, 0.5, 1.0)] == [-1.7e308, 0.0, 1.7e308]


@pytest.mark.parametrize(
    "only",
    [
        Real(0.0, 5e-324),
        Real(-5e-324, 5e-324),
        Real(1000.0, math.nextafter(1000.0, 2000.0), log=True),
        Real(1e300, math.nextafter(1e300, 1e301), log=True),
        Real(1e15, math.nextafter(1e15, 2e15)),
    ],
    ids=repr,
)
def test_real_between_adjacent_doubles(only):
    for value in (only.low, only.high):
        unit = only.to_unit(value)
        assert 0.0 <= unit <= 1.0
        assert only.from_unit(unit) in {only.low, only.high}


@pytest.mark.parametrize("constant", [Real(2.5, 2.5), Real(1e-9, 1e-9, log=True), Integer(3, 3)])
def test_dimension_with_equal_bounds(constant):
    space = Space({"x": constant, "y": [1, 2]})
    assert space.n_values.tolist() == [1, 2]
    assert space.size == 2
    assert space.from_point((0.9, 0.0))["x"] == constant.low
    assert space.to_point({"x": constant.low, "y": 1}) == (0.5, 0.25)
    assert_array_equal(space.snap([[0.0, 1.0]]), [[0.5, 0.75]])


def test_ten_thousand_categories_are_fast():
    start = time.perf_counter()
    names = [f"name {k}" for k in range(10_000)]
    space = Space({"x": names, "y": list(range(10_000))})
    points = space.snap(np.random.default_rng(0).random((200, 2)))
    settings = [space.from_point(point) for point in points.tolist()]
    assert [space.to_point(setting) for setting in settings] == list(map(tuple, points.tolist()))
    assert time.perf_counter() - start < 5.0  # 0.4 s where this was written
    assert space.to_point({"x": "name 9999", "y": 0}) == (0.99995, 0.00005)
    assert len(repr(space)) < 1000
    with pytest.raises(ValueError, match=r"'nobody' is not among.*10000 in all") as caught:
        space.to_point({"x": "nobody", "y": 0})
    assert len(str(caught.value)) < 1000


def test_ten_thousand_unhashable_categories_are_fast():
    start = time.perf_counter()
    assert dimension([[k] for k in range(3000)]).n_values == 3000
    assert time.perf_counter() - start < 5.0


def test_range_equals_list_of_its_numbers():
    for numbers in (range(1, 9), range(-4, 5, 3), range(9, 0, -2), range(5, 6)):
        only, listed = dimension(numbers), dimension(list(numbers))
        assert only == listed
        assert listed == only
        assert only == dimension(range(numbers.start, numbers.stop, numbers.step))
        assert only.to_json() == listed.to_json()
        assert (repr(only), only.ordered) == (repr(listed), True)
        assert grid(only, 50) == grid(listed, 50)
        for value in [*range(-5, 10), 5.0, 5.5, np.int64(5), True, "5", None, math.nan, 10**400]:
            assert only.contains(value) == listed.contains(value), value
            where = [_place(each, value) for each in (only, listed)]
            assert where[0] == where[1], value
    assert not Categorical(range(3), ordered=False).ordered
    assert dimension(range(1, 4)) != dimension(range(1, 5))
    start = time.perf_counter()
    space = Space([{"m": ["a"], "i": range(10**6)}, {"m": ["b"], "i": range(10**6)}])
    assert space.size == 2 * 10**6
    assert space == Space([{"m": ["a"], "i": range(10**6)}, {"m": ["b"], "i": range(10**6)}])
    assert space.from_point(space.to_point({"m": "b", "i": 123_456})) == {"m": "b", "i": 123_456}
    assert time.perf_counter() - start < 0.5  # 1 ms where this was written


def _place(only, value):
    try:
        return only.to_unit(value), only.validate(value)
    except ValueError as error:
        return str(error)


def test_sizes_beyond_the_largest_double_are_infinite():
    space = Space({f"x{k}": Integer(0, 10**12) for k in range(30)})
    assert space.size == math.inf


def test_huge_integers_as_choices():
    assert dimension([1, 10**400]).from_unit(1.0) == 10**400


# --------------------------------------------------------------- whole spaces


def test_empty_space_has_one_configuration():
    space = Space({})
    assert (space.n_dims, space.size, space.names) == (0, 1, ())
    assert space.from_point(()) == {}
    assert space.to_point({}) == ()
    assert space.snap(np.empty((3, 0))).shape == (3, 0)
    assert Space.from_json(space.to_json()) == space


def test_list_of_one_dict_equals_dict():
    entries = {"x": [1, 2], "y": (0.0, 1.0, "uniform")}
    assert Space([entries]) == Space(entries) == Space((entries,)) == Space(Space(entries))
    assert Space([entries]).names == ("x", "y")


def test_list_of_dicts_is_conditional_space():
    space = Space(
        [
            {"kernel": ["linear"], "C": (1e-3, 1e3, "log-uniform")},
            {"kernel": ["rbf"], "C": (1e-3, 1e3, "log-uniform"), "gamma": [0.1, 1.0]},
            {},
        ]
    )
    assert space.names[0] == ""
    assert sorted(space.names) == ["", "C", "gamma", "kernel", "kernel"]
    assert space.branches[0]["C"] == space.branches[1]["C"]
    assert space.is_categorical[0]
    assert space.from_point([0.5 / 3, *[0.5] * 4]) == {"kernel": "linear", "C": pytest.approx(1)}
    assert set(space.from_point([0.5, *[0.5] * 4])) == {"kernel", "C", "gamma"}
    assert space.from_point([1.0, *[0.5] * 4]) == {}
    for params in ({"kernel": "linear", "C": 1e3}, {"kernel": "rbf", "C": 1e-3, "gamma": 1.0}, {}):
        assert space.from_point(space.to_point(params)) == pytest.approx(params)


def test_size_of_a_conditional_space():
    branches = [{"x": [1, 2], "y": [1, 2, 3]}, {"x": [1, 2]}, {}]
    assert Space(branches).size == 6 + 2 + 1
    assert Space([*branches, {"z": Real(0, 1)}]).size == math.inf


def test_branches_share_dimension_of_identical_values():
    space = Space([{"x": [1, 2], "a": [1]}, {"x": [1, 2], "b": [1]}, {"x": [1, 2, 3]}])
    columns = [branch["x"] for branch in space.branches]
    assert columns[0] == columns[1] != columns[2]


def test_branches_keep_their_own_equal_objects():
    space = Space([{"clf": [SVC_ONE], "k": [0]}, {"clf": [SVC_SAME], "k": [1]}])
    for branch, given in ((0, SVC_ONE), (1, SVC_SAME)):
        point = space.to_point({"clf": given, "k": branch})
        assert space.from_point(point)["clf"] is given


def test_to_point_chooses_branch_with_all_parameters():
    space = Space([{"x": [1, 2], "y": [1, 2]}, {"x": [1, 2]}, {"x": [1, 2], "z": [1, 2]}])
    for params in ({"x": 1}, {"x": 2, "y": 1}, {"x": 2, "z": 1}):
        assert space.from_point(space.to_point(params)) == params


def test_complete_uses_defaults_inside_the_space():
    space = Space({"C": (0.01, 100.0, "log-uniform"), "n": [10, 20, 30], "kind": ["a", "b"]})
    completed = space.complete({"n": 10}, {"C": 5, "n": 20, "kind": "nowhere", "other": 1})
    assert completed == {"C": 5.0, "n": 10, "kind": "b"}
    assert type(completed["C"]) is float


def test_complete_chooses_branch_with_most_defaults():
    space = Space([{"a": [1, 2]}, {"a": [3, 4], "b": ["p", "q"]}])
    assert space.complete({}, {"a": 2, "b": "z"}) == {"a": 2}
    assert space.complete({}, {"a": 3, "b": "q"}) == {"a": 3, "b": "q"}
    assert set(space.complete({"b": "p"}, {"a": 2})) == {"a", "b"}


def test_parameter_names_may_be_any_string():
    space = Space({"": [1, 2], "a b": [1, 2], "clf__C": [1, 2], "self": [1, 2]})
    params = {"": 1, "a b": 2, "clf__C": 1, "self": 2}
    assert space.from_point(space.to_point(params)) == params


def test_space_does_not_change_its_input():
    values = [3, 1, 2]
    entries = {"x": values}
    space = Space([entries, {"y": values}])
    space.to_point({"x": 1})
    assert entries == {"x": values}
    assert values == [3, 1, 2]


# ------------------------------------------------------------------- bad input


@pytest.mark.parametrize("name", ["C", "clf__alpha"])
@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        # given                                     given type, allowed types or remedy
        ([], ValueError, "empty.*at least one"),
        ((), ValueError, "empty.*at least one"),
        (np.array([]), ValueError, "empty.*at least one"),
        (range(0), ValueError, "empty.*at least one"),
        (5, TypeError, r"5 .*int.*\[5\].*scipy"),
        (0.5, TypeError, r"0\.5 .*float.*\[0\.5\]"),
        (np.float64(0.5), TypeError, r"0\.5.*float"),
        (True, TypeError, r"True .*bool.*\[True\]"),
        (None, TypeError, r"None .*NoneType.*\[None\]"),
        ("rbf", TypeError, r"'rbf' .*str.*\['rbf'\]"),
        (b"rbf", TypeError, "bytes"),
        ({1, 2}, TypeError, "set.*list of choices"),
        ({"low": 1}, TypeError, "dict.*list of choices"),
        (iter([1, 2]), TypeError, "iterator.*list of choices"),
        (SVC(), TypeError, r"SVC.*\[SVC\(\)\]"),
        (Real, TypeError, "Real"),
        (np.array(5.0), ValueError, "array of 0 dimensions.*exactly one"),
        (np.zeros((2, 2)), ValueError, "array of 2 dimensions.*exactly one"),
        (pd.DataFrame({"a": [1, 2]}), ValueError, "2 dimensions.*exactly one"),
        ((2.0, 1.0, "uniform"), ValueError, r"low <= high.*low=2\.0.*high=1\.0.*swap"),
        ((10, 1, "int"), ValueError, "low <= high.*low=10.*high=1.*swap"),
        ((10.0, 1.0, "log-uniform"), ValueError, "low <= high"),
        ((math.nan, 1.0, "uniform"), ValueError, "finite.*low=nan"),
        ((0.0, math.nan, "uniform"), ValueError, "finite.*high=nan"),
        ((0.0, math.inf, "uniform"), ValueError, "finite.*high=inf"),
        ((-math.inf, 1.0, "log-uniform"), ValueError, "finite.*low=-inf"),
        ((1, math.inf, "int"), ValueError, "finite.*high=inf"),
        ((0.0, 1.0, "log-uniform"), ValueError, r"low > 0.*low=0\.0.*log=False"),
        ((-1.0, 1.0, "log-uniform"), ValueError, r"low > 0.*low=-1\.0"),
        ((0, 10, "log-int"), ValueError, "low >= 1.*low=0.*log=False"),
        ((0.5, 3, "int"), ValueError, r"whole numbers.*low=0\.5"),
        ((1, 10**15, "int"), ValueError, "1e13.*high=10+"),
        (scipy.stats.norm(0, -1), ValueError, r"norm\(0, -1\).*no values.*Check"),
        (scipy.stats.norm(math.nan, 1), ValueError, r"norm\(nan, 1\).*no values"),
        (scipy.stats.uniform(5, 0), ValueError, r"uniform\(5, 0\).*no values"),
        (scipy.stats.uniform(loc=5, scale=-1), ValueError, r"loc=5, scale=-1.*no values"),
        (scipy.stats.randint(5, 5), ValueError, r"randint\(5, 5\).*no values"),
        (scipy.stats.randint(9, 5), ValueError, r"randint\(9, 5\).*no values"),
        (scipy.stats.loguniform(10, 1), ValueError, r"loguniform\(10, 1\).*no values"),
        (scipy.stats.poisson(-2), ValueError, r"poisson\(-2\).*no values"),
    ],
)
def test_invalid_values_raise(name, values, error, message):
    with pytest.raises(error, match=f"(?s)^Parameter '{name}'.*{message}"):
        Space([{"fine": [1, 2]}, {"fine": [1], name: values}])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Real(2, 1), "Real.*low <= high.*low=2.*high=1"),
        (lambda: Real(0, 1, log=True), "Real.*log=True.*low > 0.*low=0"),
        (lambda: Real("0", 1), "Real.*finite.*low='0'"),
        (lambda: Real(True, 2), "Real.*finite.*low=True"),
        (lambda: Real(0, None), "Real.*finite.*high=None"),
        (lambda: Real(0, 1j), "Real.*finite.*high=1j"),
        (lambda: Real(0, 10**400), "Real.*finite"),
        (lambda: Integer(2, 1), "Integer.*low <= high.*low=2.*high=1"),
        (lambda: Integer(0, 1, log=True), "Integer.*low >= 1.*low=0"),
        (lambda: Integer(0, 2.5), r"Integer.*whole.*high=2\.5"),
        (lambda: Integer(0, 10**14), "Integer.*1e13.*high=1"),
        (lambda: Integer(0, 10**400), "Integer.*1e13"),
        (lambda: Categorical([]), "at least one"),
        (lambda: Distribution(scipy.stats.norm(0, -1)), "no values"),
    ],
)
def test_invalid_dimensions_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_log_is_keyword_only():
    for kind in (Real, Integer):
        with pytest.raises(TypeError, match="positional"):
            kind(1, 10, True)


@pytest.mark.parametrize("given", [None, 5, "C", [], (), [None], ["C"], [{"C": [1]}, 3], {1, 2}])
def test_invalid_space_raises(given):
    with pytest.raises(TypeError, match="dict, or a list of at least one dict.*got"):
        Space(given)


@pytest.mark.parametrize("name", [3, None, ("a", "b"), b"C"])
def test_parameter_names_must_be_strings(name):
    with pytest.raises(TypeError, match="names must be strings, got"):
        Space({name: [1, 2]})


SPACE = {
    "C": (0.01, 100.0, "log-uniform"),
    "n_trees": (10, 100, "int"),
    "kernel": ["rbf", "linear"],
    "width": scipy.stats.norm(0, 1),
    "count": scipy.stats.poisson(3),
}
LEGAL = {"C": 1.0, "n_trees": 50, "kernel": "rbf", "width": 0.5, "count": 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"C": 1000.0}, r"'C': 1000\.0 lies outside \[0\.01, 100\.0\]"),
        ({"C": 0.0}, r"'C': 0\.0 lies outside"),
        ({"C": math.nan}, "'C': nan lies outside"),
        ({"C": "1"}, r"'C': '1' is not a number; allowed is Real\(low=0\.01, high=100\.0"),
        ({"C": None}, "'C': None is not a number"),
        ({"n_trees": 9}, r"'n_trees': 9 lies outside \[10, 100\]"),
        ({"n_trees": 50.5}, r"'n_trees': 50\.5 is not an integer; allowed is Integer"),
        ({"n_trees": True}, "'n_trees': True is not an integer"),
        ({"kernel": "poly"}, r"'kernel': 'poly' is not among the choices \['rbf', 'linear'\]"),
        ({"kernel": ["rbf"]}, r"'kernel': \['rbf'\] is not among"),
        ({"width": 40}, r"'width': 40 lies outside.*norm\(0, 1\)"),
        ({"width": math.inf}, "'width': inf lies outside"),
        ({"count": 2.5}, r"'count': 2\.5 is not a value of.*poisson\(3\)"),
        ({"count": "2"}, "'count': '2' is not a number"),
        ({"n_tree": 5}, "Unknown parameter 'n_tree'.*Did you mean 'n_trees'"),
        ({"kernels": "rbf"}, "Unknown parameter 'kernels'.*Did you mean 'kernel'"),
        ({"c": 1.0}, r"Unknown parameter 'c'.*\['C', 'count', 'kernel', 'n_trees', 'width'\]"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["to_point", "complete"])
def test_to_point_raises_outside_the_space(method, changes, message):
    with pytest.raises(ValueError, match=message):
        getattr(Space(SPACE), method)(LEGAL | changes)


def test_to_point_raises_for_missing_parameter():
    params = {name: value for name, value in LEGAL.items() if name not in {"C", "width"}}
    with pytest.raises(ValueError, match=r"\['C', 'width'\].*every parameter"):
        Space(SPACE).to_point(params)


def test_to_point_error_names_most_similar_branch():
    space = Space([{"kind": ["a"], "x": [1, 2]}, {"kind": ["b"], "y": [1, 2]}])
    with pytest.raises(ValueError, match="'x': 7 is not among"):
        space.to_point({"kind": "a", "x": 7})
    with pytest.raises(ValueError, match="'y': 7 is not among"):
        space.to_point({"kind": "b", "y": 7})
    with pytest.raises(ValueError, match="'kind': 'c' is not among"):
        space.complete({"kind": "c"})


def test_most_similar_branch_has_fewest_invalid_values():
    space = Space([{"kind": ["a"], "x": [1, 2]}, {"kind": ["b"], "x": [3, 4]}])
    with pytest.raises(ValueError, match=r"'x': 7 is not among the choices \[3, 4\]"):
        space.to_point({"kind": "b", "x": 7})


# -------------------------------------------------------- equality and text


def test_space_equality():
    assert Space(SPACE) == Space(dict(SPACE))
    assert Space(SPACE) != Space(SPACE | {"C": (0.01, 99.0, "log-uniform")})
    assert Space({"x": [1, 2]}) != Space({"y": [1, 2]})
    assert Space({"x": [1, 2]}) != Space({"x": [True, 2]})
    assert Space({"x": [1, 2]}) != Space({"x": [1.0, 2]})
    assert Space({"x": [1, 2]}) != {"x": [1, 2]}
    assert Real(0, 1) != Integer(0, 1)
    assert Distribution(scipy.stats.norm(0, 1)) != Distribution(scipy.stats.norm(0, 2))


def test_space_repr():
    text = repr(Space(SPACE))
    for part in ("'C': Real(low=0.01, high=100.0, log=True)", "norm(0, 1)", "['rbf', 'linear']"):
        assert part in text
    assert "Space([{" in repr(Space([{"x": [1]}, {"y": [1]}]))


def test_custom_dimension():
    class Even(Dimension):
        """Even numbers from 0 to 8."""

        n_values = 5.0

        def to_unit(self, value):
            return (value / 2 + 0.5) / 5

        def from_unit(self, unit):
            return 2 * min(int(unit * 5), 4)

        def snap(self, units):
            return (np.minimum(np.floor(units * 5), 4) + 0.5) / 5

        def validate(self, value):
            return value

        def to_json(self):
            return {}

    space = Space({"x": Even(), "y": [1, 2]})
    assert space.size == 10
    assert space.from_point(space.to_point({"x": 6, "y": 2})) == {"x": 6, "y": 2}
