"""Entries of ``param_distributions``: the accepted forms of a parameter's values."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_lepton._runtime.output import warn
from sklearn_lepton._validation import is_real, is_whole
from sklearn_lepton.space._content import python_scalar
from sklearn_lepton.space._dimension import Categorical, Dimension, Integer, Real
from sklearn_lepton.space._distribution import from_distribution
from sklearn_lepton.space._libraries import from_library
from sklearn_lepton.space._nested import convert_nested

_PRIORS = ("uniform", "log-uniform", "int", "log-int")
_PAIR, _TRIPLE = 2, 3  # lengths of (low, high) and (low, high, prior)
# Other words for a prior, without their hyphens.
_WORDS = {
    **{prior.replace("-", ""): prior for prior in _PRIORS},
    **dict.fromkeys(("log", "log10", "ln", "logarithmic", "logfloat", "reciprocal"), "log-uniform"),
    **dict.fromkeys(("unif", "float", "real", "linear", "continuous"), "uniform"),
    **dict.fromkeys(("integer", "discrete", "randint", "intuniform", "uniformint"), "int"),
    **dict.fromkeys(("loginteger", "intlog", "lograndint"), "log-int"),
}
_NEAR = 0.75  # similarity of a misspelt word


def as_dimension(name: str, values: Any, *, is_range: bool = False) -> Dimension:
    """Return the dimension of one entry of ``param_distributions``.

    Parameters
    ----------
    name : str
        Name of the parameter, for error messages.
    values : object
        A dimension, here or of another library, a sequence of choices, a distribution, or a triple
        of two bounds and the name of a prior.
    is_range : bool, default=False
        Whether `values` is a pair of bounds.

    Returns
    -------
    dimension : Dimension

    Raises
    ------
    TypeError
        If `values` has a different type, such as a number or a string.
    ValueError
        If `values` contains no value.
    """
    try:
        if isinstance(values, Dimension):
            return values
        foreign = from_library(values)
        if foreign is not None:
            return foreign
        if hasattr(values, "rvs"):
            return from_distribution(values)
        if is_range:
            return _from_bounds(values[0], values[1], "uniform")
        if isinstance(values, tuple) and len(values) == _TRIPLE and isinstance(values[2], str):
            triple = _from_triple(*values)
            if triple is not None:
                return triple
        return Categorical(_as_choices(values))
    except ValueError as error:
        msg = f"Parameter {name!r}: {error}"
        raise ValueError(msg) from error
    except TypeError as error:
        msg = f"Parameter {name!r}: {error}"
        raise TypeError(msg) from error


def _from_triple(low: Any, high: Any, prior: str) -> Dimension | None:
    """Return the dimension of a triple; None if it is a tuple of three choices."""
    n_numbers = sum(map(is_real, (low, high)))
    if prior in _PRIORS and n_numbers == 1:
        msg = (
            f"{(low, high, prior)!r} is not a range: its bounds must be two numbers. For choices, "
            f"give a list, {[low, high, prior]!r}."
        )
        raise ValueError(msg)
    if n_numbers < _PAIR:
        return None
    if prior in _PRIORS:
        return _from_bounds(low, high, prior)
    meant = _meant_prior(prior)
    if meant is None:
        return None
    msg = (
        f"{(low, high, prior)!r} is not a range: write the prior as {meant!r}; known are "
        f"{', '.join(map(repr, _PRIORS))}. For choices, give a list, {[low, high, prior]!r}."
    )
    raise ValueError(msg)


def _from_bounds(low: Any, high: Any, prior: str) -> Dimension:
    """Return a range: of integers if both bounds are, as in scikit-optimize."""
    is_integer = prior.endswith("int") or (is_whole(low) and is_whole(high))
    return (Integer if is_integer else Real)(low, high, log=prior.startswith("log"))


def _meant_prior(word: str) -> str | None:
    """Return the prior that a word probably means; None for other choices, such as "scale"."""
    letters = "".join(filter(str.isalnum, word.lower()))
    if letters in _WORDS:
        return _WORDS[letters]
    near = difflib.get_close_matches(letters, ("uniform", "loguniform"), n=1, cutoff=_NEAR)
    return _WORDS[near[0]] if near else None


def with_ranges(space: Any) -> Any:
    """Return a search space in which a tuple of two numbers is the range between them.

    Parameters
    ----------
    space : dict, list of dict or object
        Anything that is not a dict or a list of dicts is returned unchanged.

    Returns
    -------
    space : dict, list of dict or object
    """
    dicts = space if isinstance(space, list | tuple) else [space]
    if not all(type(branch) is dict for branch in dicts):
        return space
    warn_of_entries(dicts, stacklevel=5, are_ranges=True)
    branches = [
        {
            name: as_dimension(name, values, is_range=True)
            if _is_pair(values)
            else convert_nested(values, with_ranges)
            for name, values in branch.items()
        }
        for branch in dicts
    ]
    return branches if isinstance(space, list | tuple) else branches[0]


def warn_of_entries(
    dicts: Sequence[Mapping[str, Any]], stacklevel: int, *, are_ranges: bool = False
) -> None:
    """Warn of pairs and triples that other libraries read in another way.

    Parameters
    ----------
    dicts : sequence of dict
        Parameters and their values.
    stacklevel : int
        That of `warnings.warn`.
    are_ranges : bool, default=False
        Whether a tuple of two numbers is a range.
    """
    texts = []
    for name, values in (item for entries in dicts for item in entries.items()):
        text = _ambiguity(values, is_range=are_ranges)
        if text and (line := f"Parameter {name!r}: {text}") not in texts:
            texts.append(line)
    if texts:
        warn(" ".join(texts), UserWarning, stacklevel + 1)


def _ambiguity(values: Any, *, is_range: bool) -> str:
    """Return how a pair or triple is read if that may not be what was meant, otherwise ""."""
    is_triple = isinstance(values, tuple) and values[_PAIR:] in {("uniform",), ("log-uniform",)}
    if not _is_pair(values[:_PAIR] if is_triple else values):
        return ""
    low, high = map(python_scalar, values[:_PAIR])
    are_whole = is_whole(low) and is_whole(high)
    are_all = are_whole and high - low == 1  # the range has no value but its bounds
    if is_triple or is_range:
        prior = values[_PAIR] if is_triple else "uniform"
        text = (
            f"{(low, high, *values[_PAIR:])!r} is the integers {low} and {high}, because both "
            f"bounds are integers; for real numbers write {(float(low), float(high), prior)!r}."
        )
        return text if are_all else ""
    text = (
        f"{(low, high)!r} is two choices, as in scikit-learn: write [{low!r}, {high!r}]. For the "
        f"range between them write ({low!r}, {high!r}, {'int' if are_whole else 'uniform'!r})."
    )
    # Numbers in descending order are no bounds.
    return text if low < high and not are_all else ""


def _is_pair(values: Any) -> bool:
    """Return whether an entry is a tuple of two numbers."""
    return isinstance(values, tuple) and len(values) == _PAIR and all(map(is_real, values))


def _as_choices(values: Any) -> Sequence[Any]:
    """Return choices as a sequence, or raise if they are not in a one-dimensional container."""
    sized = hasattr(values, "__len__") and hasattr(values, "__getitem__")
    if not sized or isinstance(values, str | bytes | Mapping) or hasattr(values, "get_params"):
        msg = (
            f"{values!r} (of type {type(values).__name__}) is not a set of values. Give a list "
            f"of choices such as [{values!r}], a scipy.stats distribution, Real, Integer, "
            "Categorical or a triple such as (1e-3, 1.0, 'log-uniform')."
        )
        raise TypeError(msg)
    if getattr(values, "ndim", 1) != 1:
        msg = f"an array of {values.ndim} dimensions was given: choices need exactly one."
        raise ValueError(msg)
    if isinstance(values, range):
        return values
    choices = list(values)
    is_triple = len(choices) == _TRIPLE and all(map(is_real, choices[:_PAIR]))
    if is_triple and isinstance(choices[_PAIR], str) and choices[_PAIR] in _PRIORS:
        # As in a file of settings, which has no tuples.
        msg = f"{choices!r} is a list of choices: for a range give a tuple, {tuple(choices)!r}."
        raise ValueError(msg)
    return choices
