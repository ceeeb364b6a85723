"""The initial design: scrambled Sobol points, without those that a constraint does not allow."""

import numpy as np
from scipy.stats import qmc

from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._space import Space

_MAX_SOBOL_DIMS = 21201  # scipy has direction numbers for so many
_MAX_CHECKED = 1 << 16  # points of the sequence that are checked with a constraint


class InitialDesign:
    """The points of the initial design, in order.

    Parameters
    ----------
    space : Space
    seed : int
        Seed of the scrambling.
    centre_first : bool
        Whether the first point is the middle of the space, if it is allowed.
    """

    def __init__(self, space: Space, seed: int, *, centre_first: bool) -> None:
        self._space = space
        self._seed = seed
        self._centre_first = centre_first
        self._forget()

    def _forget(self) -> None:
        self._sobol = np.empty((0, self._space.n_dims))
        self._allowed: list[FloatArray] = []
        self._n_checked = 0

    def __getstate__(self) -> dict[str, object]:
        """Return the state without the points, which follow from the seed."""
        names = ("_space", "_seed", "_centre_first")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Restore the state."""
        self.__dict__.update(state)
        self._forget()

    def point(self, index: int) -> FloatArray:
        """Return the point with an index, from 0."""
        allowed = self._space.allowed
        if allowed is None:
            return self._unconstrained(index)
        while len(self._allowed) <= index and self._n_checked < _MAX_CHECKED:
            point = self._unconstrained(self._n_checked)
            self._n_checked += 1
            if self._space.snap([point])[0].tolist() in allowed:
                self._allowed.append(point)
        if index < len(self._allowed):
            return self._allowed[index]
        return allowed.draw(np.random.default_rng([self._seed, index]))

    def _unconstrained(self, index: int) -> FloatArray:
        """Return a point of the sequence, allowed or not."""
        n_dims = self._space.n_dims
        if index == 0 and self._centre_first:
            return self._space.from_uniform(np.full(n_dims, 0.5))
        if not 0 < n_dims <= _MAX_SOBOL_DIMS:
            return self._space.draw(np.random.default_rng([self._seed, index]))
        if index >= len(self._sobol):
            n_bits = max(6, index.bit_length())
            # Compiled code that reads tables drops an interrupt and returns wrong points.
            with uninterrupted:
                self._sobol = qmc.Sobol(n_dims, seed=self._seed).random_base2(n_bits)
        return self._space.from_uniform(self._sobol[index])
