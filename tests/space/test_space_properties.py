"""The map between configurations and points, in spaces of every kind."""

import dataclasses
import json
import math

import numpy as np
import pytest
import strategies
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space import Space
from sklearn_lepton.space._dimension import Categorical, Integer, Real


def strictly_through_json(data):
    return json.loads(json.dumps(data, allow_nan=False))


def is_exact(dimension):
    return math.isfinite(dimension.n_values)


def assert_same_setting(space, params, expected):
    """Assert that configurations are equal, up to 1e-9 for continuous values."""
    point = space.to_point(params)
    columns = next(b for b in space.branches if set(b) == set(expected) == set(params))
    active = space.is_active([point])[0]
    for name, value in expected.items():
        shared = [b[name] for b in space.branches if name in b and active[b[name]]]
        dimension = space.dimensions[shared[0] if shared else columns[name]]
        if isinstance(dimension, Categorical):
            assert params[name] is value
        elif is_exact(dimension):
            assert (type(params[name]), params[name]) == (type(value), value)
        else:
            assert type(params[name]) is float
            assert abs(dimension.to_unit(params[name]) - dimension.to_unit(value)) <= 1e-9


@given(st.data(), strategies.dimensions())
def test_from_unit_inverts_to_unit(data, dimension):
    value = data.draw(strategies.values(dimension))
    unit = dimension.to_unit(value)
    assert type(unit) is float
    assert 0.0 <= unit <= 1.0
    back = dimension.from_unit(unit)
    if isinstance(dimension, Categorical):
        assert back is value
    elif is_exact(dimension):
        assert (type(back), back) == (type(value), value)
    else:
        assert type(back) is float
        assert abs(dimension.to_unit(back) - unit) <= 1e-9
    if isinstance(dimension, Real):
        scale = abs(value) if dimension.log else dimension.high - dimension.low
        assert math.isclose(back, value, rel_tol=1e-9, abs_tol=1e-9 * scale)


@given(st.data(), strategies.dimensions())
def test_to_unit_inverts_from_unit_of_snapped_positions(data, dimension):
    unit = data.draw(strategies.units)
    [snapped] = dimension.snap(np.array([unit])).tolist()
    back = dimension.to_unit(dimension.from_unit(unit))
    if is_exact(dimension):
        assert back == snapped
    else:
        assert abs(back - snapped) <= 1e-9


@given(st.data(), strategies.dimensions())
def test_from_unit_returns_allowed_values(data, dimension):
    value = dimension.from_unit(data.draw(strategies.units))
    legal = dimension.validate(value)
    assert legal is value or legal == value
    assert type(legal) is type(value)


@given(st.data(), strategies.dimensions())
def test_dimension_snap_is_idempotent_and_keeps_values(data, dimension):
    units = np.array(data.draw(st.lists(strategies.units, min_size=1, max_size=5)))
    given_units = units.copy()
    once = dimension.snap(units)
    assert_array_equal(units, given_units)
    assert_array_equal(dimension.snap(once), once)
    assert np.all((once >= 0) & (once <= 1))
    for unit, snapped in zip(units.tolist(), once.tolist(), strict=True):
        one, other = dimension.from_unit(unit), dimension.from_unit(snapped)
        assert one is other or one == other


@given(st.data(), strategies.spaces())
def test_from_point_inverts_to_point(data, space):
    params = data.draw(strategies.params(space))
    point = space.to_point(params)
    assert all(type(unit) is float and 0 <= unit <= 1 for unit in point)
    assert len(point) == space.n_dims
    assert_same_setting(space, space.from_point(point), params)


@given(st.data(), strategies.spaces())
def test_to_point_inverts_from_point_of_snapped_points(data, space):
    point = data.draw(strategies.points(space))
    [snapped] = space.snap([point])
    back = space.to_point(space.from_point(point))
    assert_allclose(back, snapped, rtol=0, atol=1e-9)
    exact = np.isfinite(space.n_values)
    assert_array_equal(np.array(back)[exact], snapped[exact])


@given(st.data(), strategies.spaces())
def test_to_point_returns_snapped_points(data, space):
    point = space.to_point(data.draw(strategies.params(space)))
    assert_array_equal(space.snap([point])[0], point)


@given(st.data(), strategies.spaces())
def test_space_snap_is_idempotent_and_keeps_configurations(data, space):
    points = data.draw(st.lists(strategies.points(space), min_size=1, max_size=4))
    points = np.array(points, dtype=float).reshape(len(points), space.n_dims)
    before = points.copy()
    snapped = space.snap(points)
    assert_array_equal(points, before)
    assert snapped.shape == points.shape
    assert_array_equal(space.snap(snapped), snapped)
    assert_array_equal(space.is_active(points), space.is_active(snapped))
    assert np.all(snapped[~space.is_active(points)] == 0.5)
    for point, place in zip(points.tolist(), snapped.tolist(), strict=True):
        assert_same_setting(space, space.from_point(place), space.from_point(point))
    one_by_one = [space.snap(point[np.newaxis])[0] for point in points]
    assert_array_equal(np.array(one_by_one).reshape(points.shape), snapped)


@given(st.data(), strategies.spaces())
def test_snap_clips_points_outside_the_cube(data, space):
    point = np.array(data.draw(strategies.points(space)))
    far = np.where(point < 0.5, point - 7.0, point + 7.0)
    assert_array_equal(space.snap([far]), space.snap([np.clip(far, 0, 1)]))


@pytest.mark.thorough
@given(st.data(), strategies.spaces())
def test_configuration_has_only_parameters_of_its_branch(data, space):
    point = data.draw(strategies.points(space))
    params = space.from_point(point)
    [active] = space.is_active([point])
    assert set(params) == {n for n, on in zip(space.names, active, strict=True) if on and n}
    assert any(set(params) == set(branch) for branch in space.branches)


@given(st.data(), strategies.spaces())
def test_complete_keeps_given_params_and_adds_missing_ones(data, space):
    params = data.draw(strategies.params(space))
    kept = {name: params[name] for name in params if data.draw(st.booleans()) or name == "kind"}
    complete = space.complete(kept)
    assert set(complete) == set(params)
    assert all(complete[name] is kept[name] or complete[name] == kept[name] for name in kept)
    space.to_point(complete)
    assert space.complete(kept, defaults=params).keys() == params.keys()
    assert_same_setting(space, space.complete(kept, defaults=params), params)


@given(strategies.finite_spaces())
def test_size_is_number_of_configurations(space):
    assume(space.size <= 300)
    axes = [(np.arange(400) + 0.5) / 400 if n > 1 else [0.5] for n in space.n_values]
    grid = [()]
    for axis in axes:
        # Log-integers have narrow cells: 400 steps still reach each of at most four values.
        grid = list({(*p, u) for p in grid for u in axis} if len(grid) * len(axis) < 3e4 else [])
    assume(grid)
    assert len({tuple(row) for row in space.snap(grid).tolist()}) == space.size


@given(st.data(), strategies.spaces())
def test_space_json_round_trip(data, space):
    back = Space.from_json(strictly_through_json(space.to_json()))
    assert back == space
    assert back.names == space.names
    assert_array_equal(back.n_values, space.n_values)
    assert_array_equal(back.is_categorical, space.is_categorical)
    point = data.draw(strategies.points(space))
    assert_array_equal(back.snap([point]), space.snap([point]))
    assert repr(back.from_point(point)) == repr(space.from_point(point))
    assert back.to_json() == space.to_json()


def fields_of(trial):
    return repr([getattr(trial, field.name) for field in dataclasses.fields(trial)])


@given(st.data(), strategies.spaces())
def test_trial_json_round_trip(data, space):
    trial = data.draw(strategies.trials(space))
    back = Trial.from_json(strictly_through_json(trial.to_json()), space)
    assert fields_of(back) == fields_of(
        trial
    )  # split scores may be NaN, which does not equal itself


@given(st.data(), strategies.distributions())
def test_uniform_positions_follow_the_distribution(data, dimension):
    dist = getattr(dimension, "dist", None)
    assume(dist is not None)
    unit = data.draw(st.floats(0.001, 0.999))
    value = dimension.from_unit(unit)
    if math.isinf(dimension.n_values):
        assert_allclose(float(dist.cdf(value)), unit, rtol=0, atol=2e-6)
    else:
        assert dist.cdf(value - 1) - 2e-6 <= unit <= dist.cdf(value) + 2e-6


@given(strategies.integers() | strategies.reals(), strategies.units)
def test_real_and_integer_are_uniform_in_value_or_logarithm(dimension, unit):
    value = dimension.from_unit(unit)
    half = 0.5 if isinstance(dimension, Integer) else 0.0
    low, high = dimension.low - half, dimension.high + half
    assume(low < high)
    edges = [value - half, value + half]
    if dimension.log:
        low, high, *edges = map(math.log, [low, high, *edges])
    places = [(edge / 2 - low / 2) / (high / 2 - low / 2) for edge in edges]
    assert places[0] - 1e-9 <= unit <= places[1] + 1e-9
