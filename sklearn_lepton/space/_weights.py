"""Weights of choices: how often uniform draws take each of them.

Points keep cells of equal width, so that weights change draws only, and never distances.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._validation import is_finite
from sklearn_lepton.space._content import python_scalar

FloatArray = npt.NDArray[np.float64]
Weights = tuple[float, ...] | None
_SAME = 1e-9  # relative difference of equal weights


def check_weights(weights: Any, n_values: int, kind: str) -> Weights:
    """Return weights as a tuple of numbers; None if they are not given.

    Parameters
    ----------
    weights : sequence of float or None
    n_values : int
        Number of choices or branches.
    kind : str
        Their name in the error message.

    Returns
    -------
    weights : tuple of float of length n_values, or None

    Raises
    ------
    ValueError
        If there is not one finite number above 0 for each of them.
    """
    if weights is None:
        return None
    given = () if isinstance(weights, str) or np.ndim(weights) != 1 else weights
    numbers = tuple(python_scalar(weight) for weight in given)
    is_legal = all(is_finite(weight) and weight > 0 for weight in numbers)
    if len(numbers) != n_values or not is_legal or not is_finite(sum(numbers)):
        msg = (
            f"weights must be None or one number above 0 for each of the {n_values} {kind}, "
            f"got {weights!r}."
        )
        raise ValueError(msg)
    return numbers


def add_weights(weights: Weights, positions: Sequence[int]) -> Weights:
    """Return the weight of each distinct choice: the sum over its repetitions.

    Parameters
    ----------
    weights : tuple of float of length n_values, or None
        None gives all values the same weight.
    positions : sequence of int of length n_values
        Position of each value among the distinct ones.

    Returns
    -------
    weights : tuple of float, or None
        None if all distinct choices have the same weight.
    """
    totals: dict[int, float] = {}
    for position, weight in zip(positions, weights or (1,) * len(positions), strict=True):
        totals[position] = totals.get(position, 0) + weight
    found = tuple(totals[position] for position in sorted(totals))
    return None if max(found) - min(found) <= _SAME * max(found) else found


def are_same_weights(left: Weights, right: Weights) -> bool:
    """Return whether two weights of equally many choices mean the same probabilities."""
    if left is None or right is None:
        return left is right
    return np.allclose(np.divide(left, sum(left)), np.divide(right, sum(right)), rtol=_SAME, atol=0)


def to_cells(weights: Weights, uniform: FloatArray) -> FloatArray:
    """Return uniform numbers, stretched so that each cell gets its share of them.

    Parameters
    ----------
    weights : tuple of float, or None
    uniform : ndarray of any shape
        Numbers in [0, 1].

    Returns
    -------
    units : ndarray of the same shape
        Numbers in [0, 1] that lie in the cell of a choice with the probability of its weight.
    """
    if weights is None:
        return uniform
    ends = np.concatenate([[0.0], np.cumsum(weights)])
    edges = np.linspace(0.0, 1.0, len(ends))
    return np.asarray(np.interp(uniform, ends / ends[-1], edges), dtype=float)
