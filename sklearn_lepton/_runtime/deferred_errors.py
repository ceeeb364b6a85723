"""Deferred errors: errors that are raised after the results have been stored."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sklearn_lepton._runtime.output import text_of


class DeferredErrors:
    """Collector of the errors of callbacks and cleanup, which must not lose results.

    Attributes
    ----------
    found : list of Exception
        In the order in which they were raised.
    """

    def __init__(self) -> None:
        self.found: list[Exception] = []

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy it empty: the errors belong to this process."""
        return DeferredErrors, ()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Keep an error instead of raising it; exits and interrupts pass."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - `raise_first` raises it
            self.found.append(error)

    def run(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function, and keep its error."""
        with self.guard():
            function(*args)

    def raise_first(self) -> None:
        """Raise the first error, if there is one, with the others as its notes."""
        if self.found:
            first, self.found = self.found[0], self.found[1:]
            self.annotate(first)
            raise first

    def annotate(self, error: BaseException) -> None:
        """Add the collected errors to the notes of another error that is raised instead."""
        for other in self.found:
            error.add_note(f"Another error was {type(other).__name__}: {text_of(other)}")
        self.found = []
