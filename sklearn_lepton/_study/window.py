"""Window: the trials in flight, which leave in the order of their numbers."""

from bisect import bisect_left, insort
from collections.abc import Iterable

from sklearn_lepton._trials.trial import Trial


class Window:
    """The trials that were proposed, and whose results the optimizer does not know yet.

    A trial leaves the window once it has finished and all earlier ones have left. A new one is
    proposed as soon as there is room. The results that a proposal is based on therefore depend
    on the size of the window alone, and not on the times of fits.

    Parameters
    ----------
    size : int or None
        Most trials in flight. None has no limit, and a trial leaves as soon as it has finished.
    last : int, default=-1
        Number of the last trial whose result is known.

    Attributes
    ----------
    barrier : int
        Number of a trial that leaves before the next proposal.
    results : dict of int to Trial
        The finished trials in the window.
    """

    def __init__(self, size: int | None, last: int = -1) -> None:
        self.size, self.last = size, last
        self.barrier = -1
        self.results: dict[int, Trial] = {}
        self._numbers: list[int] = []  # ascending

    @property
    def is_ordered(self) -> bool:
        """Whether trials leave in the order of their numbers."""
        return self.size is not None

    def room(self, n_wanted: int) -> int:
        """Return how many of `n_wanted` trials may be proposed now."""
        if self.size is None:
            return n_wanted
        if self._numbers and self.last < self.barrier:
            return 0
        return max(0, min(n_wanted, self.size - len(self._numbers)))

    def add(self, numbers: Iterable[int]) -> None:
        """Add trials by their numbers."""
        for number in numbers:
            if number not in self:
                insort(self._numbers, number)

    def __contains__(self, number: int) -> bool:
        place = bisect_left(self._numbers, number)
        return place < len(self._numbers) and self._numbers[place] == number

    def remove(self, number: int) -> None:
        """Remove a trial, if it is in the window."""
        if number in self:
            self._numbers.remove(number)
            self.results.pop(number, None)

    def finish(self, trial: Trial) -> None:
        """Keep the result of a trial, if it is in the window and has none."""
        if trial.number in self:
            self.results.setdefault(trial.number, trial)

    def next(self) -> Trial | None:
        """Return the trial that leaves next, or None if it has not finished."""
        if not self.is_ordered:
            return next(iter(self.results.values()), None)
        return self.results.get(self._numbers[0]) if self._numbers else None

    def leave(self, trial: Trial) -> None:
        """Remove a trial whose result is known from now on."""
        self.remove(trial.number)
        self.last = max(self.last, trial.number)
