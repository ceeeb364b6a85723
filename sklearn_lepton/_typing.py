"""The protocols between the loop and what it conducts."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sklearn_lepton._trial import Trial

Rows = Sequence[Mapping[str, Any]]


class Evaluator(Protocol):
    """Run trials; what `collect` returns is finished, whatever became of it."""

    def free(self) -> int:
        """Return how many more trials can be submitted now."""

    def submit(self, trials: Sequence[Trial]) -> None:
        """Take trials to run."""

    def collect(self) -> list[Trial]:
        """Wait for finished trials and return them; none if nothing runs."""

    def close(self) -> list[Trial]:
        """Stop and return what has finished since."""


class Callback(Protocol):
    """Called after each trial."""

    def __call__(self, search: Any, trial: Trial, /) -> bool | None:
        """Return True to stop the search."""
