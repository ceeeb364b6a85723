"""Strategies of hypothesis: dimensions, spaces, configurations, trials and histories."""

import math
from dataclasses import replace

import scipy.stats
from hypothesis import strategies as st

from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space import Space
from sklearn_lepton.space._dimension import Categorical, Integer, Real
from sklearn_lepton.space._distribution import Distribution, from_distribution

units = st.floats(0.0, 1.0) | st.sampled_from([0.0, 1.0, 0.5, math.nextafter(1.0, 0.0)])


# ------------------------------------------------------------------ dimensions


@st.composite
def reals(draw):
    """Draw a Real of any scale whose bounds are equal or clearly different."""
    if draw(st.booleans()):
        low = 10 ** draw(st.floats(-300, 300))
        high = low * 10 ** draw(st.just(0.0) | st.floats(1e-3, 7))
        return Real(low, high, log=draw(st.booleans()))
    low = draw(st.floats(-1e12, 1e12, allow_subnormal=False))
    step = draw(st.floats(1e-3, 1e3))
    return Real(low, low + step * max(1.0, abs(low)) * draw(st.sampled_from([0, 1])))


@st.composite
def integers(draw):
    """Draw an Integer with few or many values."""
    log = draw(st.booleans())
    low = draw(
        st.integers(1, 100) | st.integers(1, 10**12) if log else st.integers(-(10**12), 10**12)
    )
    return Integer(low, low + draw(st.integers(0, 9) | st.integers(0, 10**12)), log=log)


json_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
)
choices = json_scalars | st.tuples(json_scalars, json_scalars) | st.lists(json_scalars, max_size=2)


def weights(size):
    """Draw None, or weights that may differ by orders of magnitude."""
    return st.none() | st.lists(st.floats(1e-3, 1e3), min_size=size, max_size=size)


@st.composite
def categoricals(draw, max_size=8):
    """Draw a Categorical of values that JSON can represent, and of tuples and lists."""
    values = draw(st.lists(choices, min_size=1, max_size=max_size))
    ordered = draw(st.sampled_from([None, True, False]))
    return Categorical(values, ordered=ordered, weights=draw(weights(len(values))))


@st.composite
def distributions(draw):
    """Draw the dimension of a frozen scipy.stats distribution."""
    shift = draw(st.floats(-100, 100))
    scale = 10 ** draw(st.floats(-3, 3))
    whole = draw(st.integers(-20, 20))
    dist = draw(
        st.sampled_from(
            [
                scipy.stats.uniform(shift, scale),
                scipy.stats.loguniform(scale, 50 * scale),
                scipy.stats.loguniform(scale, 50 * scale, loc=3 * scale),
                scipy.stats.norm(shift, scale),
                scipy.stats.expon(shift, scale=scale),
                scipy.stats.beta(2.0, 3.0, loc=shift, scale=scale),
                scipy.stats.gamma(a=1.5, scale=scale),
                scipy.stats.randint(whole, whole + 7),
                scipy.stats.poisson(3.5, loc=whole),
                scipy.stats.binom(9, 0.3),
                scipy.stats.geom(p=0.4),
            ]
        )
    )
    return from_distribution(dist)


def dimensions():
    """Draw any dimension."""
    return reals() | integers() | categoricals() | distributions()


def finite_dimensions():
    """Draw a dimension with at most four values."""
    return categoricals(4) | st.builds(
        lambda low, n, log: Integer(low, low + n, log=log),
        st.integers(1, 100),
        st.integers(0, 3),
        st.booleans(),
    )


# ---------------------------------------------------------------------- spaces

names = st.sampled_from(["alpha", "clf__C", "clf__kernel", "max_depth", "n", "übung"])


def flat_spaces(of=None):
    """Draw a space without conditions, sometimes an empty one."""
    return st.dictionaries(names, dimensions() if of is None else of, max_size=4).map(Space)


@st.composite
def conditional_spaces(draw, of=None):
    """Draw a space of two or three branches, identified by the parameter "kind"."""
    branches = st.dictionaries(names, dimensions() if of is None else of, max_size=3)
    dicts = draw(st.lists(branches, min_size=2, max_size=3))
    if draw(st.booleans()):  # a column that two branches share
        dicts[1] = dicts[0] | dicts[1]
    kinds = [{"kind": [f"branch {k}"], **branch} for k, branch in enumerate(dicts)]
    return Space(kinds, weights=draw(weights(len(kinds))))


def spaces():
    """Draw any space."""
    return flat_spaces() | conditional_spaces()


def finite_spaces():
    """Draw a space of at most a few hundred configurations."""
    return flat_spaces(finite_dimensions()) | conditional_spaces(finite_dimensions())


# ---------------------------------------------------- configurations and points


def values(dimension):
    """Draw an allowed value of a dimension."""
    if isinstance(dimension, Real):
        return st.floats(dimension.low, dimension.high)
    if isinstance(dimension, Integer):
        return st.integers(dimension.low, dimension.high)
    if isinstance(dimension, Categorical):
        return st.sampled_from(dimension.categories)
    assert isinstance(dimension, Distribution)
    if dimension.values is not None:
        return st.sampled_from(dimension.values)
    return units.map(dimension.from_unit)


@st.composite
def params(draw, space):
    """Draw a configuration of one branch."""
    branch = draw(st.sampled_from(space.branches))
    return {name: draw(values(space.dimensions[column])) for name, column in branch.items()}


def points(space):
    """Draw any point of the unit cube, including its faces and corners."""
    return st.tuples(*[units] * space.n_dims)


# ---------------------------------------------------------- trials and histories

scores = st.floats(-1.0, 1.0) | st.sampled_from([0.0, 1e30, -1e30, 1e-30, math.nan, math.inf])


@st.composite
def trials(draw, space, number=None, meta=None):
    """Draw a trial that no optimizer proposed: pending, failed, pruned or complete."""
    point = tuple(space.snap([draw(points(space))])[0].tolist())
    trial = Trial(
        number=draw(st.integers(0, 1000)) if number is None else number,
        point=point,
        params=space.from_point(point),
        proposal={} if meta is None else draw(meta),
    )
    return draw(outcomes(trial))


@st.composite
def outcomes(draw, trial):
    """Draw a trial with a status and its results."""
    status = draw(st.sampled_from(["pending", "failed", "pruned", "complete", "complete"]))
    if status == "complete":
        score = draw(scores)
        return trial.complete(
            score, split_scores=[score, 0.5], split_results=[SplitResult(scores=score)]
        )
    return replace(trial, status=status)


@st.composite
def histories(draw, space, max_size=12):
    """Draw trials of a search, with failures and pending ones, in the order of their numbers."""
    n_trials = draw(st.integers(0, max_size))
    return [draw(trials(space, number=number)) for number in range(n_trials)]
