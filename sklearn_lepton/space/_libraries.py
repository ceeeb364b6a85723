"""Dimensions of other libraries: ranges, steps, priors and weights, read from attributes.

The libraries are not imported. Objects are recognized by the names of their module and class.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import scipy.stats

from sklearn_lepton.space._dimension import Categorical, Dimension, Integer, Real
from sklearn_lepton.space._distribution import Distribution
from sklearn_lepton.space._values import shorten_text, text_of

_LIBRARIES = {"skopt", "optuna", "ConfigSpace", "hyperopt", "flaml", "ray", "sklearn_genetic"}
_MAX_STEPS = 10_000  # values of a range with steps
_MAX_CHARACTERS = 100


def library_of(value: Any) -> str | None:
    """Return the name of the library that defines the class of an object; None if not known."""
    modules = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    return min(modules & _LIBRARIES, default=None)


def from_library(values: Any) -> Dimension | None:
    """Return the dimension of an object of another library; None for other objects.

    Parameters
    ----------
    values : object
        A dimension of scikit-optimize or sklearn-genetic-opt, a distribution of Optuna, a
        hyperparameter of ConfigSpace, an expression of hyperopt, or a domain of Ray Tune or FLAML.

    Returns
    -------
    dimension : Dimension or None

    Raises
    ------
    TypeError
        If an object of these libraries has no counterpart.
    """
    library = library_of(values)
    if library is None:
        return None
    for kind in type(values).__mro__:
        reader = _READERS.get((library, kind.__name__))
        if reader is not None:
            return reader(values)
    raise no_counterpart(values)


def no_counterpart(values: Any, name: str = "") -> TypeError:
    """Return the error for an object of another library that has no counterpart."""
    text = shorten_text(name or text_of(values), _MAX_CHARACTERS)
    return TypeError(
        f"{text} of {library_of(values)} has no counterpart here. Give a list of choices, a "
        "scipy.stats distribution, Real, Integer, Categorical, or a list of dicts for branches."
    )


def _stepped(first: float, last: float, step: float) -> Sequence[float]:
    """Return the values of a range with steps, both ends included."""
    n_steps = math.floor((last - first) / step + 1e-8)
    if n_steps >= _MAX_STEPS:
        msg = f"a range with {n_steps + 1} steps is too long: give a range without steps."
        raise ValueError(msg)
    return [first + k * step for k in range(n_steps + 1)]


def _from_skopt(values: Any) -> Dimension:
    kind = Integer if _is_a(values, "Integer") else Real
    return kind(values.low, values.high, log=values.prior == "log-uniform")


def _from_optuna(values: Any) -> Dimension:
    is_integer = _is_a(values, "IntDistribution")
    if values.step is None or (is_integer and values.step == 1):
        return (Integer if is_integer else Real)(values.low, values.high, log=values.log)
    return Categorical(_stepped(values.low, values.high, values.step))


def _from_genetic(values: Any) -> Dimension:
    kind = Integer if _is_a(values, "Integer") else Real
    return kind(values.lower, values.upper, log=values.distribution == "log-uniform")


def _from_uniform_hyperparameter(values: Any) -> Dimension:
    kind = Integer if _is_a(values, "UniformIntegerHyperparameter") else Real
    return kind(values.lower, values.upper, log=values.log)


def _from_normal_hyperparameter(values: Any) -> Dimension:
    if values.log:
        raise no_counterpart(values)
    low, high = ((end - values.mu) / values.sigma for end in (values.lower, values.upper))
    return Distribution(scipy.stats.truncnorm(low, high, loc=values.mu, scale=values.sigma))


def _from_beta_hyperparameter(values: Any) -> Dimension:
    if values.log:
        raise no_counterpart(values)
    low, width = values.lower, values.upper - values.lower
    return Distribution(scipy.stats.beta(values.alpha, values.beta, loc=low, scale=width))


def _from_domain(values: Any) -> Dimension:
    """Return the dimension of a domain of numbers of Ray Tune or FLAML."""
    kind = Integer if _is_a(values, "Integer") else Real
    low, high, sampler = values.lower, values.upper, values.sampler
    if _is_a(sampler, "Normal"):
        return Distribution(scipy.stats.norm(sampler.mean, sampler.sd))
    if _is_a(sampler, "Quantized") and _is_a(sampler.sampler, "Uniform"):
        step = sampler.q
        first, last = math.ceil(low / step - 1e-8), math.floor(high / step + 1e-8)
        return Categorical(_stepped(first * step, last * step, step))
    if _is_a(sampler, "Uniform") or _is_a(sampler, "LogUniform"):
        top = high - 1 if kind is Integer else high  # the end of a range of integers is excluded
        return kind(low, top, log=_is_a(sampler, "LogUniform"))
    drawn = getattr(sampler, "sampler", sampler)
    raise no_counterpart(values, f"{type(sampler).__name__} with {type(drawn).__name__}")


def _from_expression(values: Any) -> Dimension:
    """Return the dimension of an expression of hyperopt."""
    node, is_integer = values, False
    while node.name in {"float", "int"}:
        is_integer |= node.name == "int"
        node = node.pos_args[0]
    if node.name == "switch":
        drawn = node.pos_args[0].pos_args[1]
        weights = _literal(drawn.pos_args[0]) if drawn.name == "categorical" else None
        return Categorical(map(_literal, node.pos_args[1:]), weights=weights)
    if node.name != "hyperopt_param":
        raise no_counterpart(values, f"the expression {node.name!r}")
    drawn = node.pos_args[1]
    numbers = [_literal(arg) for arg in (*drawn.pos_args, *dict(drawn.named_args).values())]
    if drawn.name == "quniform":
        low, high, step = numbers
        if is_integer and step == 1:
            return Integer(round(low), round(high))
        steps = _stepped(round(low / step) * step, round(high / step) * step, step)
        return Categorical(map(int if is_integer else float, steps))
    if drawn.name == "randint":
        low, end = numbers if len(numbers) > 1 else (0, *numbers)
        return Integer(low, end - 1)
    if drawn.name not in _EXPRESSIONS or is_integer:
        name = f"int of {drawn.name}" if is_integer else drawn.name
        raise no_counterpart(values, f"the expression {name!r}")
    return _EXPRESSIONS[drawn.name](*numbers)


_EXPRESSIONS: Mapping[str, Callable[[float, float], Dimension]] = {
    "uniform": Real,
    "loguniform": lambda low, high: Real(math.exp(low), math.exp(high), log=True),
    "normal": lambda mu, sigma: Distribution(scipy.stats.norm(mu, sigma)),
    "lognormal": lambda mu, sigma: Distribution(scipy.stats.lognorm(sigma, scale=math.exp(mu))),
}


def _literal(node: Any) -> Any:
    """Return the value of a node of hyperopt without parameters; lists become tuples."""
    if node.name == "literal":
        return node.obj
    if node.name == "pos_args":
        return tuple(map(_literal, node.pos_args))
    raise no_counterpart(node, f"a choice with the expression {node.name!r}")


def _is_a(value: Any, name: str) -> bool:
    """Return whether the class of an object, or a base of it, has a name."""
    return any(kind.__name__ == name for kind in type(value).__mro__)


_READERS: Mapping[tuple[str, str], Callable[[Any], Dimension]] = {
    ("skopt", "Real"): _from_skopt,
    ("skopt", "Integer"): _from_skopt,
    ("skopt", "Categorical"): lambda v: Categorical(v.categories, weights=v.prior),
    ("optuna", "FloatDistribution"): _from_optuna,
    ("optuna", "IntDistribution"): _from_optuna,
    ("optuna", "CategoricalDistribution"): lambda v: Categorical(v.choices),
    ("ConfigSpace", "UniformFloatHyperparameter"): _from_uniform_hyperparameter,
    ("ConfigSpace", "UniformIntegerHyperparameter"): _from_uniform_hyperparameter,
    ("ConfigSpace", "NormalFloatHyperparameter"): _from_normal_hyperparameter,
    ("ConfigSpace", "BetaFloatHyperparameter"): _from_beta_hyperparameter,
    ("ConfigSpace", "CategoricalHyperparameter"): (
        lambda v: Categorical(v.choices, ordered=False, weights=v.weights)
    ),
    ("ConfigSpace", "OrdinalHyperparameter"): lambda v: Categorical(v.sequence, ordered=True),
    ("ConfigSpace", "Constant"): lambda v: Categorical([v.value]),
    ("sklearn_genetic", "Continuous"): _from_genetic,
    ("sklearn_genetic", "Integer"): _from_genetic,
    ("sklearn_genetic", "Categorical"): lambda v: Categorical(v.choices, weights=v.priors),
    ("hyperopt", "Apply"): _from_expression,
    **{
        (library, name): reader
        for library in ("ray", "flaml")
        for name, reader in {
            "Float": _from_domain,
            "Integer": _from_domain,
            "Categorical": lambda v: Categorical(v.categories),
        }.items()
    },
}
