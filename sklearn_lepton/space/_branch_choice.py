"""Choice of the branch that a configuration belongs to."""

from collections.abc import Mapping
from typing import Any

from sklearn_lepton._validation import unknown_name
from sklearn_lepton.space._points import PointSpace


def branch_of(
    space: PointSpace, params: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> int:
    """Return the branch that contains all `params` and, of several, most of the defaults."""
    exact = [k for k, branch in enumerate(space.branches) if _is_exact(space, params, branch)]
    if len(exact) == 1:
        return exact[0]
    best, best_share, errors = -1, -1.0, []
    for number, branch in enumerate(space.branches):
        try:
            _check_params(space, params, branch)
        except ValueError as error:
            # The error of the branch that contains most of the params is the clearest one.
            n_contained = sum(_contains(space, branch, name, params) for name in params)
            errors.append((-n_contained, number, error))
            continue
        contained = [_contains(space, branch, name, defaults or {}) for name in branch]
        share = 1.0 if not contained else sum(contained) / len(contained)
        # A branch without further parameters precedes all others.
        if not set(branch) - set(params):
            share += 1.0
        if share > best_share:
            best, best_share = number, share
    if best < 0:
        raise min(errors)[2]
    return best


def _is_exact(space: PointSpace, params: Mapping[str, Any], branch: Mapping[str, int]) -> bool:
    """Return whether a branch contains all params with identical values."""
    names = branch.keys() >= params.keys()
    return names and all(space.dimensions[branch[k]].contains(v) for k, v in params.items())


def _contains(
    space: PointSpace, branch: Mapping[str, int], name: str, params: Mapping[str, Any]
) -> bool:
    """Return whether a branch contains the value of a parameter."""
    try:
        space.dimensions[branch[name]].to_unit(params[name])
    except (KeyError, ValueError):
        return False
    return True


def _check_params(space: PointSpace, params: Mapping[str, Any], branch: Mapping[str, int]) -> None:
    """Raise unless a branch contains all params."""
    for name, value in params.items():
        if name not in branch:
            raise ValueError(unknown_name(name, list(branch)))
        try:
            space.dimensions[branch[name]].to_unit(value)
        except ValueError as error:
            msg = f"Parameter {name!r}: {error}"
            raise ValueError(msg) from error
