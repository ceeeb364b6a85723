"""The branches of a space: dicts of parameters, read as dimensions that branches may share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sklearn_lepton.space._dimension import Categorical, Dimension, can_share_dimension
from sklearn_lepton.space._entries import as_dimension, warn_of_entries
from sklearn_lepton.space._library_spaces import read_space
from sklearn_lepton.space._nested import flatten
from sklearn_lepton.space._weights import add_weights, check_weights

_STACKLEVEL = 4  # from here to the caller of `Space`


class Branches(NamedTuple):
    """The attributes of a `Space` that its branches determine; see there.

    Attributes
    ----------
    names : tuple of str
    dimensions : tuple of Dimension
    branches : tuple of dict
    constraint : callable or None
        The constraint of a space of another library.
    """

    names: tuple[str, ...]
    dimensions: tuple[Dimension, ...]
    branches: tuple[dict[str, int], ...]
    constraint: Callable[[Mapping[str, Any]], bool] | None = None


def read_branches(given: Any, weights: Sequence[float] | None) -> Branches:
    """Return the branches of a search space.

    Parameters
    ----------
    given : dict, list of dict or object
        Parameters and their values, or a search space of another library.
    weights : sequence of float or None
        Weight of each branch.

    Returns
    -------
    branches : Branches

    Raises
    ------
    TypeError
        If `given` is no search space, or the values of a parameter have an unknown type.
    ValueError
        If a parameter has no value, or the weights are not those of the branches.
    """
    library_space = read_space(given)
    if library_space is not None:
        given = library_space.branches
        weights = library_space.weights if weights is None else weights
    dicts: list[Any] = list(given) if isinstance(given, list | tuple) else [given]
    if not dicts or not all(isinstance(branch, Mapping) for branch in dicts):
        msg = (
            "param_distributions must be a dict, or a list of at least one dict, of parameter "
            f"names and their values, got {given!r}."
        )
        raise TypeError(msg)
    dicts, checked = flatten(dicts, check_weights(weights, len(dicts), "branches"))
    warn_of_entries(dicts, _STACKLEVEL)
    read = _merge(dicts, checked)
    return read._replace(constraint=library_space.constraint) if library_space else read


def branch_dimension(weights: Sequence[float]) -> Categorical:
    """Return the dimension of the branches."""
    return Categorical(range(len(weights)), ordered=False, weights=weights)


def _merge(dicts: Sequence[Mapping[Any, Any]], weights: tuple[float, ...] | None) -> Branches:
    """Return branches in which parameters with the same values are one dimension."""
    names: list[str] = []
    dimensions: list[Dimension] = []
    branches: list[dict[str, int]] = []
    columns: dict[str, list[int]] = {}
    if len(dicts) > 1:
        names.append("")
        dimensions.append(branch_dimension(weights or (1,) * len(dicts)))
    for entries in dicts:
        branch: dict[str, int] = {}
        for name, values in entries.items():
            if not isinstance(name, str):
                msg = f"Parameter names must be strings, got {name!r}."
                raise TypeError(msg)
            dimension = as_dimension(name, values)
            same_name = columns.setdefault(name, [])
            shared = [k for k in same_name if can_share_dimension(dimensions[k], dimension)]
            branch[name] = shared[0] if shared else len(dimensions)
            if not shared:
                same_name.append(len(dimensions))
                names.append(name)
                dimensions.append(dimension)
        branches.append(branch)
    known: dict[Any, int] = {}
    positions = [known.setdefault(frozenset(b.items()), len(known)) for b in branches]
    if len(known) < len(branches):  # a repeated dict is one branch with a larger weight
        first = [branches[positions.index(k)] for k in range(len(known))]
        kept = [{n: dimensions[column] for n, column in b.items()} for b in first]
        return _merge(kept, add_weights(weights, positions))
    return Branches(tuple(names), tuple(dimensions), tuple(branches))
