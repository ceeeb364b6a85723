"""Constraints of a space: what is allowed, and the nearest allowed configuration."""

import copy
import math
import pickle
import re

import cloudpickle
import numpy as np
import pytest

from sklearn_lepton import Space
from sklearn_lepton.space._constraint import Constraint
from sklearn_lepton.space._content import content_of

SQUARE = {"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")}
PAIRS = {"a": [0, 1, 2, 3], "b": [0, 1, 2, 3]}


def in_simplex(params):
    return params["x"] + params["y"] <= 1.0


def ascends(params):
    return params["a"] < params["b"]


def near_a_corner(params):
    return params["x"] > 0.9 and params["y"] > 0.9


def nothing(params):
    return False


def test_allows_calls_the_constraint():
    space = Space(SQUARE, constraint=in_simplex)
    assert space.allows({"x": 0.2, "y": 0.8})
    assert not space.allows({"x": 0.3, "y": 0.8})
    assert Space(SQUARE).allows({"x": 1.0, "y": 1.0})
    assert space.constraint is in_simplex
    assert Space(SQUARE).constraint is None


def test_numpy_booleans_are_answers():
    assert Space(SQUARE, constraint=lambda p: np.bool_(p["x"] > 0)).allows({"x": 1.0, "y": 0.0})


@pytest.mark.parametrize("answer", [None, 1, 0.5, "yes", np.array([True])])
def test_other_answers_raise(answer):
    space = Space(SQUARE, constraint=lambda params: answer)
    with pytest.raises(TypeError, match=r"must return True or False, got .* for \{'x': 0\.5"):
        space.allows({"x": 0.5, "y": 0.5})


def test_error_of_the_constraint_names_the_params():
    space = Space(SQUARE, constraint=lambda params: 1 / 0)
    message = "constraint raised ZeroDivisionError: division by zero for {'x': 0.5, 'y': 0.25}"
    with pytest.raises(ValueError, match=re.escape(message)):
        space.allows({"x": 0.5, "y": 0.25})


def test_missing_parameter_of_another_branch_is_explained():
    space = Space([{"x": [1]}, {"y": [2]}], constraint=lambda params: params["x"] > 0)
    with pytest.raises(ValueError, match=r"use params\.get\('x'\)"):
        _ = space.size


def test_constraint_of_separate_arguments_is_explained():
    space = Space(SQUARE, constraint=lambda x, y: x < y)
    with pytest.raises(ValueError, match="It is called with one argument, a dict"):
        space.allows({"x": 0.5, "y": 0.25})
    with pytest.raises(ValueError, match="raised TypeError") as caught:
        Space(SQUARE, constraint=lambda params: len(params["x"])).allows({"x": 0.5, "y": 0.25})
    assert "one argument" not in str(caught.value)


@pytest.mark.parametrize("given", [3, "x < y", True, [in_simplex]])
def test_constraints_that_are_not_callable_raise(given):
    with pytest.raises(TypeError, match="constraint must be None, or a callable"):
        Space(SQUARE, constraint=given)


def test_size_counts_allowed_configurations():
    assert Space(PAIRS, constraint=ascends).size == 6
    assert Space(SQUARE, constraint=in_simplex).size == math.inf
    branches = [{"kind": ["p"], **PAIRS}, {"kind": ["q"], "a": [1, 2]}]
    space = Space(branches, constraint=lambda p: p["a"] > 0 and p.get("b", 0) < 2)
    assert space.size == 3 * 2 + 2


def test_size_of_a_large_space_is_not_counted():
    calls = []
    space = Space(
        {"a": range(1000), "b": range(1000)}, constraint=lambda params: calls.append(1) or True
    )
    assert space.size == 10**6
    assert not calls


def test_answers_are_kept_by_point():
    calls = []
    space = Space(PAIRS, constraint=lambda params: calls.append(1) or params["a"] < params["b"])
    point = space.to_point({"a": 0, "b": 3})
    assert [space.allows_point(point) for _ in range(3)] == [True] * 3
    assert len(calls) == 1
    assert space.size == 6
    assert len(calls) == 16


def test_constraint_of_a_space_that_exists():
    space = Space(Space(SQUARE), constraint=in_simplex)
    assert space == Space(SQUARE, constraint=in_simplex)
    assert Space(space).constraint is in_simplex
    assert Space(space, constraint=in_simplex) == space
    with pytest.raises(ValueError, match="give one function that checks both"):
        Space(space, constraint=near_a_corner)


def test_equality_compares_the_constraints():
    bound = 1.0
    space = Space(SQUARE, constraint=lambda p: p["x"] + p["y"] <= bound)
    assert space != Space(SQUARE)
    assert Space(SQUARE) != space
    assert space == Space(SQUARE, constraint=space.constraint)
    assert space != Space(SQUARE, constraint=lambda p: p["x"] + p["y"] <= 1.5)

    def make(bound):
        return Space(SQUARE, constraint=lambda p: p["x"] + p["y"] <= bound)

    assert make(1.0) == make(1.0)
    assert make(1.0) != make(2.0)


def test_repr_names_the_constraint():
    assert repr(Space(PAIRS, constraint=ascends)).endswith(f", constraint={__name__}.ascends)")
    assert "constraint" not in repr(Space(PAIRS))
    assert repr(Constraint(ascends)) == f"{__name__}.ascends"


def test_pickle_keeps_the_constraint_and_drops_the_answers():
    space = Space(PAIRS, constraint=ascends)
    size = len(pickle.dumps(space))
    assert space.size == 6
    assert len(pickle.dumps(space)) == size
    for again in (pickle.loads(pickle.dumps(space)), copy.deepcopy(space)):
        assert again == space
        assert again.size == 6
    sent = cloudpickle.loads(cloudpickle.dumps(Space(PAIRS, constraint=lambda p: p["a"] == 1)))
    assert sent.size == 4


def test_content_of_a_space_is_that_of_its_parts():
    space = Space(PAIRS, constraint=ascends)
    content = content_of(space)
    assert content.is_certain
    assert space.size == 6
    for same in (space, Space(space), Space(PAIRS, constraint=ascends), copy.deepcopy(space)):
        assert content_of(same) == content
    for other in (Space(PAIRS), Space(PAIRS, constraint=lambda params: True)):
        assert content_of(other) != content


def test_json_has_the_content_of_the_constraint():
    def of(space):
        return space.to_json()["constraint"]

    assert "constraint" not in Space(PAIRS).to_json()
    assert of(Space(PAIRS, constraint=ascends)) == {"opaque": f"{__name__}.ascends"}
    first, other = (Space(PAIRS, constraint=lambda p, k=k: p["a"] < k) for k in (1, 2))
    assert of(first)["hash"] != of(other)["hash"]
    assert Space.from_json(first.to_json()) == Space(PAIRS)


# ----------------------------------------------------------------- little allowed


def test_nothing_allowed_raises():
    with pytest.raises(
        ValueError, match=r"allows none of all 16 configurations .*\.nothing returns True"
    ):
        _ = Space(PAIRS, constraint=nothing).allowed.sample
    with pytest.raises(ValueError, match=r"allows none of 10,000 configurations drawn at random"):
        _ = Space(SQUARE, constraint=nothing).allowed.sample


def test_a_hundredth_allowed_is_enough():
    space = Space(SQUARE, constraint=near_a_corner)
    allowed = space.allowed
    assert len(allowed.sample) == 64
    assert all(space.allows(space.from_point(point)) for point in allowed.sample)
    assert 0.005 < allowed.share < 0.02
    assert Space(PAIRS, constraint=ascends).allowed.share == 6 / 16


def test_few_calls_where_much_is_allowed():
    calls = []
    space = Space(SQUARE, constraint=lambda params: calls.append(1) or True)
    assert len(space.allowed.sample) == 64
    assert len(calls) == 64


# ------------------------------------------------------------- complete and enqueue


def test_complete_moves_defaults_to_allowed_values():
    space = Space(SQUARE | {"kind": ["p", "q"]}, constraint=in_simplex)
    params = space.complete({}, {"x": 0.9, "y": 0.9, "kind": "q"})
    assert space.allows(params)
    assert params["kind"] == "q"
    assert params["x"] + params["y"] > 0.99


def test_complete_changes_no_parameter_without_need():
    space = Space({"leaf": (1, 20, "int"), "split": (2, 20, "int")} | SQUARE)
    space = Space(space, constraint=lambda p: p["leaf"] < p["split"])
    params = space.complete({}, {"leaf": 7, "split": 5, "x": 0.25, "y": 0.125})
    assert (params["x"], params["y"]) == (0.25, 0.125)
    assert (params["leaf"], params["split"]) in {(7, 8), (4, 5)}


def test_complete_keeps_given_values():
    space = Space(SQUARE, constraint=in_simplex)
    params = space.complete({"x": 0.7}, {"y": 0.9})
    assert params["x"] == 0.7
    assert 0.29 < params["y"] <= 0.3


def test_complete_takes_another_branch_if_none_is_allowed_in_one():
    branches = [{"kind": ["p"], "n": [1, 2, 3]}, {"kind": ["q"], "n": [1, 2, 3]}]
    space = Space(branches, constraint=lambda params: params["kind"] == "q")
    assert space.complete({}, {"kind": "p", "n": 1})["kind"] == "q"
    with pytest.raises(ValueError, match=r"does not allow \{'kind': 'p'\}"):
        space.complete({"kind": "p"})


def test_configuration_that_is_not_allowed_raises():
    space = Space(SQUARE, constraint=in_simplex)
    message = f"The constraint {__name__}.in_simplex does not allow {{'x': 0.75, 'y': 0.75}}"
    with pytest.raises(ValueError, match=re.escape(message)):
        space.complete({"x": 0.75, "y": 0.75})
    with pytest.raises(ValueError, match="does not allow"):
        Space(PAIRS, constraint=lambda p: p["a"] != 2).complete({"a": 2})


def test_to_point_takes_configurations_that_are_not_allowed():
    space = Space(SQUARE, constraint=in_simplex)
    assert space.to_point({"x": 0.75, "y": 0.75}) == (0.75, 0.75)
    with pytest.raises(ValueError, match="No value is given for"):
        space.to_point({"x": 0.75})
