"""Content hashes: equal if and only if the contents are, in every process."""

import functools
import json
import os
import subprocess
import sys
import threading
from collections import defaultdict, namedtuple

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from sklearn.compose import make_column_selector
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from sklearn_lepton._study.fingerprint import _own_params
from sklearn_lepton.space import Categorical, Distribution, Space
from sklearn_lepton.space._content import content_hash, content_of, have_same_content
from sklearn_lepton.space._values import (
    Opaque,
    is_equivalent,
    is_identical,
    value_from_json,
    value_to_json,
)

LONG = np.zeros(2000)
OTHER = np.where(np.arange(2000) == 1000, 1.0, 0.0)


def adder(n, m=0):
    return lambda x, k=1: x + n + k + m


def wrapped(n):
    @functools.wraps(adder)
    def wrapper(*args):
        return adder(*args) + n

    return wrapper


class Held:
    """An object with the default ``repr``."""

    def __init__(self, value):
        self.value = value


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


class Terse(Held):
    def __repr__(self):
        return "Terse()"


Float, Str, Tuple, List, Dict = SUBCLASSES = [
    type(base.__name__.title(), (base,), {}) for base in (float, str, tuple, list, dict)
]


def more(base, value, held):
    """Return an instance of a subclass that equals a built-in, with an additional attribute."""
    made = next(kind for kind in SUBCLASSES if issubclass(kind, base))(value)
    made.held = held
    return made


def fitted(shift):
    X = np.arange(20.0).reshape(-1, 1)
    return FrozenEstimator(LogisticRegression().fit(X, X[:, 0] > 9 + shift))


def histogram(counts):
    return stats.rv_histogram((counts, np.arange(len(counts) + 1.0)), density=False)


# Functions of one argument, LONG or OTHER, whose texts are equal.
WRAPPERS = {
    "array": lambda a: a,
    "list": lambda a: [a, 1],
    "tuple": lambda a: (1, a),
    "dict": lambda a: {"weights": a},
    "nested": lambda a: {"a": [({"b": a},)]},
    "objects": lambda a: np.array([a, None], dtype=object),
    "masked": lambda a: np.ma.array(LONG, mask=a > 0),
    "structured": lambda a: np.array([*zip(a, a, strict=True)], dtype=[("x", "f8"), ("y", "i1")]),
    "texts": lambda a: a.astype(str),
    "dates": lambda a: a.astype("M8[D]"),
    "frame": lambda a: pd.DataFrame({"x": a}),
    "series": pd.Series,
    "index": pd.Index,
    "index of a frame": lambda a: pd.DataFrame({"x": LONG}, index=a),
    "zoned": lambda a: pd.Series(pd.to_datetime(a.astype(int), utc=True)),
    "categories": lambda a: pd.Categorical(a, categories=[0.0, 1.0]),
    "nullable": lambda a: pd.Series(a.astype(int)).astype("Int64"),
    "sparse": lambda a: sparse.csr_matrix(a.reshape(1, -1)),
    "sparse coordinates": lambda a: sparse.coo_array(a.reshape(1, -1) + 1.0),
    "set": lambda a: {*range(1999), int(a.sum()) + 5000},
    "frozenset": lambda a: frozenset([*range(1999), int(a.sum()) + 5000]),
    "long list": lambda a: a.tolist(),
    "bytes": lambda a: a.tobytes(),
    "kernel": lambda a: RBF(1.0 + a.sum() / 1e5),
    "estimator": lambda a: SVC(class_weight={0: 1.0, 1: 1.0 + a.sum()}),
    "estimator in a list": lambda a: [SVC(C=1.0 + a.sum())],
    "pipeline": lambda a: make_pipeline(SVC(C=1.0 + a.sum())),
    "frozen estimator": lambda a: fitted(a.sum()),
    "fitted estimator in an object": lambda a: Held(fitted(a.sum()).estimator),
    "closure with a fitted estimator": lambda a: adder(fitted(a.sum()).estimator),
    "partial": lambda a: functools.partial(adder, a),
    "closure": adder,
    "defaults": lambda a: adder(0, a),
    "wrapper": lambda a: wrapped(a.sum()),
    "scorer": lambda a: make_scorer(fbeta_score, beta=1 + a.sum()),
    "selector": lambda a: make_column_selector(pattern=str(a.sum())),
    "object": Held,
    "object with slots": Slotted,
    "object of one text": Terse,
    "subclass of float": lambda a: more(float, 1.0, a),
    "subclass of str": lambda a: more(str, "x", a),
    "subclass of tuple": lambda a: more(tuple, (1,), a),
    "subclass of list": lambda a: more(list, [1], a),
    "subclass of dict": lambda a: more(dict, {"x": 1}, a),
    "factory": lambda a: defaultdict(list if a.any() else set, x=1),
    "large integer": lambda a: 10**5000 + int(a.sum()),
    "set of large integers": lambda a: {10**5000 + int(a.sum())},
    "duration": lambda a: np.timedelta64(int(a.sum()), "ns"),
    "method": lambda a: Terse(a).__repr__,
    "generator of numbers": lambda a: np.random.default_rng(int(a.sum())),
    "frozen distribution": lambda a: stats.norm(loc=a.sum()),
    "own distribution": lambda a: histogram(a + 1.0),
    "frozen own distribution": lambda a: histogram(a + 1.0)(scale=2.0),
}


@pytest.mark.parametrize("make", WRAPPERS.values(), ids=WRAPPERS)
def test_content_differs_if_any_part_differs(make):
    one, equal, other = make(LONG), make(LONG.copy()), make(OTHER)
    assert content_of(one).is_certain
    assert content_hash(one) == content_hash(equal) != content_hash(other)
    assert value_to_json(one) == value_to_json(equal) != value_to_json(other)
    back = value_from_json(json.loads(json.dumps(value_to_json(one))))
    assert is_equivalent(one, equal)
    assert not is_equivalent(one, other)
    if isinstance(back, Opaque):
        assert is_equivalent(equal, back)
        assert not is_equivalent(other, back)


@pytest.mark.parametrize("make", WRAPPERS.values(), ids=WRAPPERS)
def test_spaces_differ_if_choices_have_equal_text_only(make):
    pairs = [make(LONG), make(OTHER)], [make(LONG), make(OTHER)], [make(OTHER), make(LONG)]
    first, equal, swapped = (Space({"x": Categorical(pair)}) for pair in pairs)
    assert first == equal
    assert first != swapped
    assert first.to_json() == equal.to_json() != swapped.to_json()
    # A value is matched to its own choice even if another one has the same text.
    assert swapped.to_point({"x": make(LONG)}) == (0.75,)
    branches = Space([{"a": [1], "x": Categorical(pairs[0])}, {"x": Categorical(pairs[2])}])
    assert branches.from_point([0.75, 0.5, 0.25, 0.25])["x"] is pairs[2][0]


def test_json_of_subclass_instances_is_opaque():
    """As JSON scalars they would lose their type in `load_trials`."""
    pair = namedtuple("pair", "x y")
    for value in (Float(1.0), Str("x"), List([1]), Dict(x=1), pair(1, 2), np.timedelta64(1, "ns")):
        assert isinstance(value_from_json(value_to_json(value)), Opaque), value
    for value in (np.float32(0.5), np.int64(1), np.str_("x")):
        assert value_from_json(value_to_json(value)) == value


def test_content_ignores_order_layout_and_sharing():
    table = np.arange(12.0).reshape(3, 4)
    part = [1, (2,)]
    rows = sparse.csr_matrix(([1.0, 2.0, 3.0], [2, 0, 0], [0, 3]), shape=(1, 3))
    frame = pd.DataFrame({"a": [1.0], "b": [2.0]})
    unsorted = frame[["a"]].copy()
    unsorted["b"] = 2.0
    for left, right in [
        (SVC(), SVC().fit(table, [0, 1, 1])),  # estimators are cloned, without fitted attributes
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([part, part], [[1, (2,)], [1, (2,)]]),
        (table, np.asfortranarray(table)),
        (table[::2], table[::2].copy()),
        (rows, sparse.csr_matrix([[5.0, 0.0, 1.0]])),
        (frame, unsorted),
        (pd.RangeIndex(3), pd.Index([0, 1, 2])),
        (np.float64(0.5), 0.5),
        ([np.int64(1)], [1]),
        (CountVectorizer(vocabulary={"a", "b"}), CountVectorizer(vocabulary={"b", "a"})),
        (stats.norm, stats.norm()),
        (np.nan, float("nan")),
    ]:
        assert content_hash(left) == content_hash(right)
    assert not rows.has_sorted_indices  # the user's matrix is unchanged


def test_content_distinguishes_types():
    values = [1, 1.0, True, "1", b"1", None, (1,), [1], (1.0,), (True,), {1}, frozenset({1})]
    values += [{1: 1}, {"1": 1}, np.array([1]), np.array([1.0]), np.array([[1]]), -0.0, 0.0]
    values += [sparse.csr_matrix([[1]]), sparse.csr_array([[1]]), 10**5000, 10**5000 + 1, ""]
    values += [np.log, np.log1p, str.lower, str.upper, len, SVC, SVC(), np.zeros(2), np.zeros(3)]
    values += [[1, [2]], [[1], 2], [[1, 2]], np.array(["a"]), np.array(["a"], dtype=object)]
    assert len(set(map(content_hash, values))) == len(values)


def test_content_of_cyclic_and_shared_objects():
    circle, other = [1], [2]
    circle.append(circle)
    other.append(other)
    assert content_hash(circle) != content_hash(other)
    deep = []
    for _ in range(100):
        deep = [deep, deep]
    assert content_of(deep).is_certain


def test_unknown_content_is_never_equal():
    left, right = (Held(threading.Lock()) for _ in range(2))
    assert not content_of(left).is_certain
    assert not have_same_content(left, right)
    assert not is_equivalent(left, right)
    assert Categorical([left]) != Categorical([right])
    assert Categorical([left]) == Categorical([left])
    # In another process only the type can be compared.
    assert value_to_json(left) == value_to_json(right)
    assert not is_equivalent(left, value_from_json(value_to_json(left)))


def test_text_of_object_without_repr_is_its_type():
    class Mute:
        def __repr__(self):
            raise RuntimeError

    assert value_to_json(Mute())["opaque"].endswith("Mute")
    assert len(value_to_json(set(range(10**4)))["opaque"]) <= 1000


def test_choices_with_different_types_inside_are_distinct():
    only = Categorical([(1,), (True,), (1.0,), ((1,),), ((True,),), (1,)])
    assert only.n_values == 5
    assert not is_identical((1,), (True,))
    for choice in only.categories:
        assert only.from_unit(only.to_unit(choice)) is choice
    assert [type(v[0]) for v in map(only.validate, [(1,), (True,), (1.0,)])] == [int, bool, float]


def test_distributions_are_equal_if_contents_are():
    assert Distribution(histogram([1.0, 2.0])) == Distribution(histogram([1.0, 2.0]))
    first, other = Distribution(histogram(LONG + 1.0)), Distribution(histogram(OTHER + 1.0))
    assert first != other
    assert first.to_json() != other.to_json()


class Meta(SVC):
    """An estimator with nested estimators that are not parameters."""

    def __init__(self, models=None):
        super().__init__()
        self.models = models

    @classmethod
    def _get_param_names(cls):
        return ["models"]


@pytest.mark.parametrize(
    "make",
    [
        lambda a: Meta([SVC(C=1.0 + a.sum())]),
        lambda a: Meta({"a": SVC(C=1.0 + a.sum())}),
        lambda a: Meta({int(a.sum()): 1}),
        lambda a: Meta({"0": 1} if a.sum() else {0: 1}),
        lambda a: Meta((1,) if a.sum() else [1]),
        lambda a: make_pipeline(fitted(a.sum()), SVC()),
        lambda a: make_pipeline(CountVectorizer(vocabulary={"a", str(a.sum())}), SVC()),
        Meta,
        lambda a: Meta([a]),
    ],
)
def test_content_of_estimator_includes_nested_estimators(make):
    one, equal, other = (_own_params(make(each), set()) for each in (LONG, LONG.copy(), OTHER))
    assert one == equal != other
    json.dumps(one)


def test_description_ignores_steps_that_trials_replace():
    left, right = make_pipeline(SVC()), make_pipeline(LogisticRegression())
    left.steps[0] = ("model", left.steps[0][1])
    right.steps[0] = ("model", right.steps[0][1])
    assert _own_params(left, {"model"}) == _own_params(right, {"model"})
    assert _own_params(left, set()) != _own_params(right, set())


SCRIPT = """
import functools, json, sys
import numpy as np
from scipy import stats
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn_lepton._study.fingerprint import _own_params
from sklearn_lepton.space._content import content_hash
from sklearn_lepton.space import Space
words = {"red", "green", "blue", "yellow", "grey", "pink"}
estimator = make_pipeline(CountVectorizer(vocabulary=words))
values = [
    words, frozenset(words), [words], {"a": (frozenset(words), {1: words})},
    {frozenset({"a", "b"}), frozenset({"c", "d"})}, {(1, "a"), (2, "b"), None},
    estimator, functools.partial(print, words), lambda x: x in {"a", "b", "c"}, stats.norm(1),
    np.array([words, None], dtype=object), np.random.RandomState(0), dict.fromkeys(words),
]
hashes = [content_hash(value) for value in values]
space = [[d.get("hash") for d in Space({"x": values}).to_json()["branches"][0]["x"]["categorical"]
          if isinstance(d, dict)]]
found = json.dumps([hashes, space, "".join(sorted(
    json.dumps(value["hash"]) for value in _own_params(estimator, set()).values()
    if isinstance(value, dict) and "hash" in value))])
"""


def test_content_does_not_depend_on_hash_seed():
    here = {"__name__": "script"}
    exec(SCRIPT, here)
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            f"n = {{'__name__': 'script'}}; exec({SCRIPT!r}, n); print(n['found'])",
        ],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == here["found"]
