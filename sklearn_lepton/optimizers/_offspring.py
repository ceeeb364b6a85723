"""Litter: children that wait for a choice, with how each was made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton.space._dimension import FloatArray

IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Offspring:
    """Children with how they were made.

    Attributes
    ----------
    operators : list of str of length n_children
    children : ndarray of shape (n_children, n_dims)
    parents : ndarray of shape (4, n_children)
        Row numbers, -1 for none; the first is the one that the child competes with.
    rates : ndarray of shape (2, n_children)
        What the operator drew, NaN for nothing.
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
        """Make a litter of one operator; `rates` are of shape (n_children, n_rates)."""
        all_parents = np.full((4, len(children)), -1)
        all_rates = np.full((2, len(children)), np.nan)
        if len(parents):
            all_parents[: len(parents)] = parents
        if rates is not None:
            all_rates[: rates.shape[1]] = rates.T
        return cls([operator] * len(children), children, all_parents, all_rates)

    @classmethod
    def of_all(cls, litters: list["Offspring"]) -> "Offspring":
        """Put litters together."""
        return cls(
            [operator for litter in litters for operator in litter.operators],
            np.vstack([litter.children for litter in litters]),
            np.hstack([litter.parents for litter in litters]),
            np.hstack([litter.rates for litter in litters]),
        )

    def lineage(self, row: int, numbers: list[int]) -> dict[str, Any]:
        """Return what is to be remembered of a child, with its parents' trial numbers."""
        rates = self.rates[:, row]
        return {
            "operator": self.operators[row],
            "parents": [numbers[parent] for parent in self.parents[:, row] if parent >= 0],
            "rates": np.round(rates[~np.isnan(rates)], 3).tolist(),
        }
