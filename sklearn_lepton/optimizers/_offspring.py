"""Offspring: children of which one will be proposed, with the ancestry of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton.space._dimension import FloatArray

IntArray = npt.NDArray[np.intp]
TOURNAMENT = 3


@dataclass(frozen=True)
class Offspring:
    """Children with their operators, parents and rates.

    Attributes
    ----------
    operators : list of str of length n_children
    children : ndarray of shape (n_children, n_dims)
    parents : ndarray of shape (4, n_children)
        Rows of the parents, -1 for none; the child competes with the first.
    rates : ndarray of shape (2, n_children)
        Rates that the operator drew, NaN for none.
    """

    operators: list[str]
    children: FloatArray
    parents: IntArray
    rates: FloatArray

    @classmethod
    def of(
        cls,
        operator: str,
        children: FloatArray,
        parents: Sequence[IntArray] | IntArray = (),
        rates: FloatArray | None = None,
    ) -> "Offspring":
        """Return the children of one operator; `rates` has shape (n_children, n_rates)."""
        all_parents = np.full((4, len(children)), -1)
        all_rates = np.full((2, len(children)), np.nan)
        if len(parents):
            all_parents[: len(parents)] = parents
        if rates is not None:
            all_rates[: rates.shape[1]] = rates.T
        return cls([operator] * len(children), children, all_parents, all_rates)

    @classmethod
    def of_all(cls, batches: list["Offspring"]) -> "Offspring":
        """Return the children of all batches, in order."""
        return cls(
            [operator for batch in batches for operator in batch.operators],
            np.vstack([batch.children for batch in batches]),
            np.hstack([batch.parents for batch in batches]),
            np.hstack([batch.rates for batch in batches]),
        )

    def ancestry(self, row: int, numbers: list[int]) -> dict[str, Any]:
        """Return the ``proposal`` of a child, with the trial numbers of its parents."""
        rates = self.rates[:, row]
        return {
            "operator": self.operators[row],
            "parents": [numbers[parent] for parent in self.parents[:, row] if parent >= 0],
            "rates": np.round(rates[~np.isnan(rates)], 3).tolist(),
        }


def tournament(n_members: int, size: Any, rng: np.random.Generator) -> IntArray:
    """Return winners of tournaments: the best of three members drawn at random.

    Members are sorted, so the winner is the least row.
    """
    winners: IntArray = rng.integers(n_members, size=(TOURNAMENT, *np.atleast_1d(size))).min(axis=0)
    return winners
