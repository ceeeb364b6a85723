"""Weights of choices and branches: repeated entries, draws, journals and errors."""

import json
from collections import Counter

import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.base import BaseEstimator

from sklearn_lepton import AutoSearchCV, Categorical, Space, tune
from sklearn_lepton._study.replay import load_trials
from sklearn_lepton.exceptions import JournalMismatchError
from sklearn_lepton.optimizers import (
    BayesOptimizer,
    GeneticOptimizer,
    RandomOptimizer,
    SwarmOptimizer,
)
from sklearn_lepton.optimizers._boundary import draw_branch

KINDS = ["a", "b", "c"]
OTHERS = {"x": uniform(), "y": uniform()}  # so that no configuration repeats


def shares(values):
    """Return the share of each value."""
    counts = Counter(values)
    return {value: count / counts.total() for value, count in counts.items()}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a", "a", "b"], Categorical(["a", "b"], weights=[2, 1])),
        ([1, 1, 2], Categorical([1, 2], ordered=True, weights=[2, 1])),
        (np.array([1, 1, 2]), Categorical([1, 2], weights=[4, 2])),
        (Categorical(["a", "b", "a"], weights=[1, 2, 3]), Categorical(["a", "b"], weights=[4, 2])),
        (["a", "b", "a", "b"], Categorical(["a", "b"])),
        (["a", "a"], Categorical(["a"])),
        (Categorical(["a", "b"], weights=[0.5, 0.5]), Categorical(["a", "b"])),
        ([1, True, 1.0, 1], Categorical([1, True, 1.0], weights=[2, 1, 1])),
        (Categorical(range(2), weights=(3, 1)), Categorical(range(2), weights=[0.75, 0.25])),
    ],
)
def test_repeated_entries_add_to_the_weight_of_a_choice(given, expected):
    [only] = Space({"x": given}).dimensions
    assert only == expected
    assert only.n_values == len(expected.categories)


def test_unhashable_choices_repeat_if_they_are_one_object():
    one, same = [1, 2], [1, 2]
    only = Categorical([one, same, one])
    assert only.n_values == 2
    assert only.weights == (2, 1)


def test_weights_change_draws_and_not_points():
    plain, weighted = Space({"x": KINDS}), Space({"x": Categorical(KINDS, weights=[8, 1, 1])})
    assert weighted.to_point({"x": "b"}) == plain.to_point({"x": "b"}) == (0.5,)
    assert weighted.from_point((0.5,)) == {"x": "b"}
    drawn = weighted.snap(weighted.draw(np.random.default_rng(0), 4000))
    found = shares(weighted.from_point(point)["x"] for point in drawn)
    assert found == pytest.approx({"a": 0.8, "b": 0.1, "c": 0.1}, abs=0.02)


def test_space_without_weights_returns_uniform_numbers_themselves():
    space = Space([{"kind": KINDS}, {"x": uniform()}])
    numbers = np.random.default_rng(0).random((5, space.n_dims))
    assert space.from_uniform(numbers) is numbers


@pytest.mark.parametrize("optimizer", [RandomOptimizer, BayesOptimizer, GeneticOptimizer])
def test_initial_design_has_the_weights(optimizer):
    given = {"kind": ["a"] * 6 + ["b", "c"], **OTHERS}
    n_initial = {} if optimizer is RandomOptimizer else {"n_initial_points": 64}
    asked = optimizer(given, seed=1, **n_initial).ask(64)
    found = shares(trial.params["kind"] for trial in asked)
    assert found == pytest.approx({"a": 0.75, "b": 0.125, "c": 0.125}, abs=0.05)


def test_allowed_configurations_have_the_weights():
    given = {"kind": ["a"] * 6 + ["b", "c"], **OTHERS}
    space = Space(given, constraint=lambda params: params["x"] + params["y"] < 1)
    found = shares(trial.params["kind"] for trial in RandomOptimizer(space, seed=1).ask(64))
    assert found == pytest.approx({"a": 0.75, "b": 0.125, "c": 0.125}, abs=0.08)


@pytest.mark.parametrize(
    "make",
    [
        lambda space: GeneticOptimizer(space, surrogate=False, n_initial_points=4),
        lambda space: SwarmOptimizer(space, surrogate=False, n_initial_points=4),
    ],
)
def test_fresh_values_of_moves_have_the_weights(make):
    # All scores are equal, so that nothing but fresh values changes the shares.
    given = {**OTHERS, "rare": Categorical(KINDS, weights=[40, 1, 1])}
    n_rare = 0
    optimizer = make(given)
    for _ in range(150):
        [trial] = optimizer.ask()
        n_rare += trial.params["rare"] != "a"
        optimizer.tell([trial.complete(0.0)])
    assert n_rare < 30


def test_weighted_choice_is_found_by_its_score():
    optimizer = BayesOptimizer({**OTHERS, "kind": Categorical(KINDS, weights=[20, 1, 1])}, seed=0)
    for _ in range(25):
        [trial] = optimizer.ask()
        score = float(trial.params["kind"] == "b") - (trial.params["x"] - 0.5) ** 2
        optimizer.tell([trial.complete(score)])
    assert optimizer.best.params["kind"] == "b"


def test_finite_space_with_weights_is_exhausted_without_repetitions():
    result = tune(
        lambda params: len(params["kind"]),
        {"kind": Categorical(KINDS, weights=[9, 1, 1]), "n": [1, 1, 2]},
        n_iter=6,
        optimizer="random",
        random_state=0,
    )
    params = {tuple(trial.params.items()) for trial in result.trials_}
    assert len(params) == len(result.trials_) == 6


# ------------------------------------------------------ branches


BRANCHES = [{"kind": ["a"], "x": uniform()}, {"kind": ["b"], "y": uniform()}]


def test_branches_are_drawn_with_their_weights():
    space = Space(BRANCHES, weights=[1, 3])
    asked = RandomOptimizer(space, seed=0).ask(64)
    assert shares(t.params["kind"] for t in asked) == pytest.approx(
        {"a": 0.25, "b": 0.75}, abs=0.03
    )
    drawn = draw_branch(space, 4000, np.random.default_rng(0))
    assert shares(drawn) == pytest.approx({0.25: 0.25, 0.75: 0.75}, abs=0.03)


def test_repeated_dict_is_one_branch_with_a_larger_weight():
    first, second = BRANCHES
    space = Space([first, second, first])
    assert space == Space(BRANCHES, weights=[2, 1])
    assert space.n_dims == Space(BRANCHES).n_dims
    assert Space([first, second, first, second]) == Space(BRANCHES)
    assert Space([first, first]) == Space(first)
    assert Space([first, second, first], weights=[1, 4, 1]) == Space(BRANCHES, weights=[1, 2])


def test_space_takes_new_weights_and_keeps_old_ones():
    space = Space(Space(BRANCHES), weights=[1, 2])
    assert space == Space(BRANCHES, weights=[1, 2])
    assert Space(space) == space
    assert Space(space, weights=[5, 5]) == Space(BRANCHES)
    assert Space(Space({"kind": KINDS}), weights=[3]) == Space({"kind": KINDS})


@pytest.mark.parametrize(
    "space",
    [
        Space({"x": ["a", "a", "b"]}),
        Space({"x": Categorical([1, 2, 4], weights=[0.2, 0.3, 0.5])}),
        Space(BRANCHES, weights=[2, 1]),
        Space([{"x": [1, 1, 3]}, {"x": [1, 3]}]),
    ],
)
def test_weights_are_in_json_text_and_equality(space):
    data = json.loads(json.dumps(space.to_json()))
    assert Space.from_json(data) == space
    assert "weights=[" in repr(space)


def test_other_weights_are_another_space():
    plain = Space({"x": ["a", "b"]})
    assert Space({"x": ["a", "a", "b"]}) != plain
    assert Space({"x": ["a", "a", "b"]}) != Space({"x": ["a", "b", "b"]})
    assert Space(BRANCHES, weights=[2, 1]) != Space(BRANCHES)
    assert "weights" not in json.dumps(plain.to_json())
    # As two dimensions, because each branch draws its own way.
    assert Space([{"x": ["a", "a", "b"]}, {"x": ["a", "b"], "y": [1]}]).n_dims == 4


def test_journal_has_the_weights(tmp_path):
    path = tmp_path / "study.jsonl"
    given = [{"kind": ["a", "a", "b"]}, {"kind": ["c"], "x": uniform()}]

    def run(space, n_iter):
        return tune(abs_of_x, space, n_iter=n_iter, journal=path, random_state=0)

    first = run(Space(given, weights=[1, 4]), 4)
    again = run(Space(given, weights=[1, 4]), 6)
    assert [t.params for t in again.trials_[:4]] == [t.params for t in first.trials_]
    assert len(load_trials(path)) == 6
    for other in (Space(given), Space(given, weights=[4, 1])):
        with pytest.raises(JournalMismatchError, match="space"):
            run(other, 8)


def abs_of_x(params):
    return abs(params.get("x", 0.0))


class Stub(BaseEstimator):
    """Costs nothing to fit; its score is its parameter."""

    def __init__(self, kind="a", x=0.0):
        self.kind = kind
        self.x = x

    def fit(self, X, y=None):
        return self

    def score(self, X, y=None):
        return self.x + (self.kind == "b")


def test_search_shows_the_weights():
    space = {"kind": Categorical(["a", "b"], weights=[3, 1]), "x": uniform()}
    search = AutoSearchCV(Stub(), space, n_iter=6, cv=2, random_state=0)
    search.fit(np.zeros((8, 1)), [0, 1] * 4)
    assert "(75 %)" in search._repr_html_()


# ------------------------------------------------------ errors


@pytest.mark.parametrize(
    "weights", [[1], [1, 2, 3], [1, 0], [1, -1], [1, np.nan], [1, np.inf], ["1", "2"], "ab", 3]
)
def test_bad_weights_raise_with_the_allowed_ones(weights):
    with pytest.raises(
        ValueError, match=r"weights must be None or one number above 0 .* 2 choices"
    ):
        Categorical(["a", "b"], weights=weights)
    with pytest.raises(ValueError, match=r"weights must be .* 2 branches"):
        Space(BRANCHES, weights=weights)
    with pytest.raises(ValueError, match=r"weights must be .* 2 branches"):
        Space(Space(BRANCHES), weights=weights)
