"""Whole search spaces of other libraries: named dimensions, conditions and constraints."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sklearn_lepton._validation import is_whole
from sklearn_lepton.space._dimension import Categorical, Dimension
from sklearn_lepton.space._entries import as_dimension
from sklearn_lepton.space._libraries import library_of, no_counterpart
from sklearn_lepton.space._values import text_of

_MAX_BRANCHES = 256
_NAMED = {"skopt", "ConfigSpace"}  # libraries whose dimensions have names
_JOINTS = {"AndConjunction": all, "OrConjunction": any}


class LibrarySpace(NamedTuple):
    """A search space of another library.

    Attributes
    ----------
    branches : list of dict
        Names and dimensions.
    weights : list of float
        How often the library draws each branch.
    constraint : callable or None
        Whether the library allows a configuration.
    """

    branches: list[dict[str, Dimension]]
    weights: list[float]
    constraint: Callable[[Mapping[str, Any]], bool] | None = None


def read_space(space: Any) -> LibrarySpace | None:
    """Return a search space of another library; None for a dict, a list of dicts and others.

    Parameters
    ----------
    space : object
        A space of scikit-optimize or of ConfigSpace, or a list of their dimensions with names.

    Returns
    -------
    read : LibrarySpace or None

    Raises
    ------
    TypeError
        If a space of these libraries has no counterpart.
    ValueError
        If a dimension has no name, or a condition depends on a range.
    """
    library = library_of(space)
    if library == "ConfigSpace" and hasattr(space, "conditions"):
        return _ConfigSpace(space).read()
    if library == "skopt" and hasattr(space, "dimensions"):
        named = _named(space.dimensions)
        function = getattr(space, "constraint", None)  # not in older versions
        return LibrarySpace([named], [1.0], function and _OfValues(function, tuple(named)))
    if library is not None:
        raise no_counterpart(space)
    if not isinstance(space, list | tuple) or not space:
        return None
    if all(library_of(each) in _NAMED for each in space):
        return LibrarySpace([_named(space)], [1.0])
    _check_budgets(space)
    return None


@dataclass(frozen=True)
class _NotForbidden:
    """The constraint that no forbidden clause of a `ConfigurationSpace` is true."""

    clauses: tuple[Any, ...]

    def __call__(self, params: Mapping[str, Any]) -> bool:
        return not any(clause.is_forbidden_value(dict(params)) for clause in self.clauses)

    def __repr__(self) -> str:
        return f"none of {', '.join(map(str, self.clauses))}"


@dataclass(frozen=True)
class _OfValues:
    """The constraint of a `skopt.Space`: a function of the list of values."""

    function: Callable[[list[Any]], Any]
    names: tuple[str, ...]

    def __call__(self, params: Mapping[str, Any]) -> bool:
        return bool(self.function([params[name] for name in self.names]))

    def __repr__(self) -> str:
        return text_of(self.function)


def _named(dimensions: Sequence[Any]) -> dict[str, Dimension]:
    """Return dimensions of another library by their names."""
    named: dict[str, Dimension] = {}
    for dimension in dimensions:
        name = dimension.name
        if not isinstance(name, str) or name in named:
            problem = "has the name of another one" if name in named else "has no name"
            raise ValueError(
                f"{dimension!r} {problem}: give a dict of the parameters' names and dimensions."
            )
        named[name] = as_dimension(name, dimension)
    return named


def _check_budgets(space: Sequence[Any]) -> None:
    """Raise for pairs of a dict and its number of trials, as scikit-optimize has them."""
    pairs = [each for each in space if isinstance(each, tuple) and len(each) == 2]
    if pairs and all(isinstance(entries, Mapping) and is_whole(n) for entries, n in pairs):
        numbers = [n for _, n in pairs]
        raise TypeError(
            "a list of dicts with numbers of trials was given. The branches of a search share one "
            f"budget: give Space([...], weights={numbers}) and n_iter={sum(numbers)}."
        )


class _ConfigSpace:
    """A `ConfigurationSpace` as branches: one for each set of active parameters.

    Values of a parent that make the same conditions true are in one branch.
    """

    def __init__(self, space: Any) -> None:
        self.parameters: dict[str, Any] = dict(space)
        self.conditions: dict[str, list[Any]] = {}  # of each child
        for condition in space.conditions:
            self.conditions.setdefault(condition.child.name, []).append(condition)
        clauses = tuple(space.forbidden_clauses)
        self.constraint = _NotForbidden(clauses) if clauses else None
        self.terms = [
            term
            for listed in self.conditions.values()
            for condition in listed
            for term in _terms(condition)
        ]
        parents = sorted({term.parent.name for term in self.terms})
        self.parents = sorted(parents, key=self._depth)  # after those that they depend on

    def read(self) -> LibrarySpace:
        """Return the branches and their weights."""
        read = LibrarySpace([], [], self.constraint)
        for groups, weight in self._choices({}, 0):
            branch = {
                name: groups[name] if name in groups else as_dimension(name, parameter)
                for name, parameter in self.parameters.items()
                if name in groups or (name not in self.parents and self._is_active(name, groups))
            }
            read.branches.append(branch)
            read.weights.append(weight)
            if len(read.branches) > _MAX_BRANCHES:
                raise ValueError(
                    f"the conditions of the ConfigurationSpace make more than {_MAX_BRANCHES} "
                    "branches: leave some of them out."
                )
        return read

    def _depth(self, name: str) -> int:
        """Return the number of conditions above a parameter."""
        above = [t.parent.name for c in self.conditions.get(name, []) for t in _terms(c)]
        return 1 + max(map(self._depth, above)) if above else 0

    def _choices(
        self, groups: dict[str, Categorical], position: int
    ) -> Iterator[tuple[dict[str, Categorical], float]]:
        """Yield a group of values for each active parent, with the probability of these."""
        if position == len(self.parents):
            yield groups, 1.0
            return
        name = self.parents[position]
        if not self._is_active(name, groups):
            yield from self._choices(groups, position + 1)
            return
        for group, share in self._groups(name):
            for chosen, weight in self._choices({**groups, name: group}, position + 1):
                yield chosen, share * weight

    def _groups(self, name: str) -> list[tuple[Categorical, float]]:
        """Return the values of a parent that make the same conditions true, with their share."""
        parent = as_dimension(name, self.parameters[name])
        if not isinstance(parent, Categorical):
            raise ValueError(
                f"a condition depends on {name!r}, which is a range: conditions on choices are "
                "read. Give a list of dicts, one for each branch."
            )
        values, weights = parent.categories, parent.weights or (1.0,) * len(parent.categories)
        terms = [term for term in self.terms if term.parent.name == name]
        rows: dict[tuple[bool, ...], list[int]] = {}
        for row, value in enumerate(values):
            rows.setdefault(tuple(_is_true(term, value) for term in terms), []).append(row)
        return [
            (
                Categorical(
                    [values[row] for row in group],
                    ordered=parent.ordered,
                    weights=[weights[row] for row in group],
                ),
                sum(weights[row] for row in group) / sum(weights),
            )
            for group in rows.values()
        ]

    def _is_active(self, name: str, groups: Mapping[str, Categorical]) -> bool:
        """Return whether the conditions of a parameter are true for all values of the groups."""
        return all(_holds(condition, groups) for condition in self.conditions.get(name, []))


def _terms(condition: Any) -> list[Any]:
    """Return the comparisons with one parent in a condition."""
    if type(condition).__name__ not in _JOINTS:
        return [condition]
    return [term for each in condition.components for term in _terms(each)]


def _holds(condition: Any, groups: Mapping[str, Categorical]) -> bool:
    """Return whether a condition is true; comparisons with an inactive parent are not."""
    joint = _JOINTS.get(type(condition).__name__)
    if joint is not None:
        return joint(_holds(each, groups) for each in condition.components)
    group = groups.get(condition.parent.name)
    return group is not None and _is_true(condition, group.categories[0])


def _is_true(term: Any, value: Any) -> bool:
    """Return whether a comparison is true for a value of the parent."""
    kind = type(term).__name__
    if kind == "InCondition":
        return value in term.values
    if kind in {"EqualsCondition", "NotEqualsCondition"}:
        return bool(value == term.value) is (kind == "EqualsCondition")
    if kind in {"LessThanCondition", "GreaterThanCondition"}:
        order = list(term.parent.sequence)
        difference = order.index(value) - order.index(term.value)
        return difference < 0 if kind == "LessThanCondition" else difference > 0
    raise no_counterpart(term)
