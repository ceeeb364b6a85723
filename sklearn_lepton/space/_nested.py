"""Branches within a parameter: choices that have parameters of their own.

A space has one level of branches. Each combination of choices with parameters becomes one of them.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from sklearn_lepton.space._dimension import Categorical
from sklearn_lepton.space._values import text_of

_MAX_BRANCHES = 256

Entries = Mapping[Any, Any]
# A dict of parameters, and how often it is drawn.
_Shares = list[tuple[dict[Any, Any], float]]


@dataclass(frozen=True, eq=False)
class Branch:
    """A choice of a parameter with parameters that only this choice has.

    Use it among the choices of a parameter, which stay as likely as without it. The names of its
    parameters are complete, as for ``set_params``. A branch may contain branches.

    Parameters
    ----------
    value : object
        The choice, such as an estimator.
    param_distributions : dict, list of dict or Space, default={}
        Its parameters and their values; see `Space`. A list has alternatives.

    Raises
    ------
    TypeError
        If `param_distributions` has another type, or `value` is itself a branch.
    ValueError
        If `param_distributions` is an empty list, or has a constraint.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.svm import SVC
    >>> from sklearn_lepton import Branch, Space
    >>> kernels = ["linear", Branch("rbf", {"model__gamma": (1e-4, 1.0, "log-uniform")})]
    >>> models = [
    ...     Branch(SVC(), {"model__C": (0.1, 100.0, "log-uniform"), "model__kernel": kernels}),
    ...     LogisticRegression(),
    ... ]
    >>> for branch in Space({"model": models}).branches:
    ...     print(list(branch))
    ['model']
    ['model', 'model__C', 'model__kernel']
    ['model', 'model__C', 'model__kernel', 'model__gamma']
    """

    value: Any
    param_distributions: Any = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.param_distributions
        if isinstance(self.value, Branch):
            raise TypeError(
                f"the value of a branch must be a choice, got {self.value!r}: put inner branches "
                "among the values of its param_distributions."
            )
        if _is_space(given):
            if given.constraint is not None:
                raise ValueError(
                    "param_distributions of a branch has a constraint, "
                    f"{text_of(given.constraint)}: give it to the whole space."
                )
            return
        dicts = given if isinstance(given, list | tuple) else [given]
        if not all(isinstance(entries, Mapping) for entries in dicts):
            raise TypeError(
                "param_distributions of a branch must be a dict, a list of dicts or a Space, "
                f"got {given!r}."
            )
        if not dicts:
            raise ValueError("param_distributions of a branch is an empty list: give a dict.")

    def alternatives(self) -> list[tuple[Entries, float]]:
        """Return the dicts of parameters, and how often each is drawn."""
        given = self.param_distributions
        if _is_space(given):
            weights = given.dimensions[0].weights if len(given.branches) > 1 else None
            dicts = [
                {name: given.dimensions[column] for name, column in branch.items()}
                for branch in given.branches
            ]
        else:
            dicts = list(given) if isinstance(given, list | tuple) else [given]
            weights = None
        return list(zip(dicts, weights or (1.0,) * len(dicts), strict=True))


def flatten(
    dicts: Sequence[Entries], weights: tuple[float, ...] | None
) -> tuple[list[Entries], tuple[float, ...] | None]:
    """Return dicts of parameters in which no choice has parameters of its own, and their weights.

    Parameters
    ----------
    dicts : sequence of dict
        Parameters and their values.
    weights : tuple of float of length n_dicts, or None

    Returns
    -------
    dicts : list of dict
        One for each combination of choices with parameters.
    weights : tuple of float, or None

    Raises
    ------
    TypeError
        If a `Space` is a choice.
    ValueError
        If a combination has a parameter twice, or there are too many.
    """
    if not any(_choices(values) for entries in dicts for values in entries.values()):
        return list(dicts), weights
    n_branches = sum(map(_count, dicts))
    if n_branches > _MAX_BRANCHES:
        factors = [
            f"{n} of {name!r}"
            for entries in dicts
            for name, values in entries.items()
            if (n := _count_choices(values)) > 1
        ]
        raise ValueError(
            f"Branches within parameters make {n_branches:,} branches in all, by "
            f"{', '.join(factors)}; at most {_MAX_BRANCHES} are allowed. Each combination of "
            "choices with parameters is one: give fewer of them, or their parameters to all."
        )
    flat = [
        (branch, weight * share)
        for entries, weight in zip(dicts, weights or (1.0,) * len(dicts), strict=True)
        for branch, share in _expand(entries)
    ]
    return [branch for branch, _ in flat], tuple(share for _, share in flat)


def convert_nested(values: Any, convert: Callable[[Any], Any]) -> Any:
    """Return the values of a parameter with the dicts of their branches converted."""
    choices = _choices(values)
    if not choices:
        return values
    converted = [
        Branch(choice.value, convert(choice.param_distributions))
        if isinstance(choice, Branch)
        else choice
        for choice, _ in choices
    ]
    return Categorical(converted, weights=[weight for _, weight in choices])


def _is_space(value: Any) -> bool:
    return hasattr(type(value), "from_point")  # this module cannot import it


def _choices(values: Any) -> list[tuple[Any, float]]:
    """Return the choices of a parameter and their weights; empty if none has parameters."""
    is_categorical = isinstance(values, Categorical)
    listed = values.categories if is_categorical else values
    if not isinstance(listed, list | tuple):
        return []
    if any(map(_is_space, listed)):
        raise TypeError(
            "a Space is not a choice of a parameter: write Branch(value, space) with the value "
            "that the parameter gets."
        )
    if not any(isinstance(choice, Branch) for choice in listed):
        return []
    weights = values.weights if is_categorical else None
    return list(zip(listed, weights or (1.0,) * len(listed), strict=True))


def _count(entries: Entries) -> int:
    """Return the number of branches that a dict of parameters becomes."""
    return math.prod(map(_count_choices, entries.values()))


def _count_choices(values: Any) -> int:
    choices = [choice for choice, _ in _choices(values)]
    inner = [choice.alternatives() for choice in choices if isinstance(choice, Branch)]
    counts = [_count(entries) for alternatives in inner for entries, _ in alternatives]
    return max(1, sum(counts) + (len(inner) < len(choices)))


def _expand(entries: Entries) -> Iterator[tuple[dict[Any, Any], float]]:
    """Yield each combination of the choices with parameters in a dict, and its share of draws."""
    options: list[_Shares] = []
    for name, values in entries.items():
        choices = _choices(values)
        options.append(_expand_choices(name, choices) if choices else [({name: values}, 1.0)])
    for parts in product(*options):
        merged: dict[Any, Any] = {}
        for part, _ in parts:
            _add(merged, part)
        yield merged, math.prod(share for _, share in parts)


def _expand_choices(name: Any, choices: list[tuple[Any, float]]) -> _Shares:
    """Return the alternatives of a parameter: its choices without parameters together, first."""
    total = sum(weight for _, weight in choices)
    plain = [(c, weight) for c, weight in choices if not isinstance(c, Branch)]
    expanded: _Shares = []
    if plain:
        share = sum(weight for _, weight in plain) / total
        values = Categorical([c for c, _ in plain], weights=[weight for _, weight in plain])
        expanded.append(({name: values}, share))
    for choice, weight in choices:
        if not isinstance(choice, Branch):
            continue
        alternatives = choice.alternatives()
        part = weight / total / sum(share for _, share in alternatives)
        for entries, share in alternatives:
            for inner, inner_share in _expand(entries):
                branch = {name: Categorical([choice.value])}
                _add(branch, inner)
                expanded.append((branch, part * share * inner_share))
    return expanded


def _add(merged: dict[Any, Any], part: Entries) -> None:
    """Add parameters to a branch; raise ValueError if it has one of them."""
    for name, values in part.items():
        if name in merged:
            raise ValueError(
                f"Parameter {name!r} is given twice for one setting, with {merged[name]!r} and "
                f"with {values!r}: inside a branch and beside it, or in two branches that occur "
                "together. Give it in one of these places, or another name."
            )
        merged[name] = values
