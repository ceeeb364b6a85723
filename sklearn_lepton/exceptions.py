"""Errors and warnings of their own class, so that they can be caught or filtered by class."""

__all__ = [
    "FinalChoiceWarning",
    "JournalMismatchError",
    "JournalWarning",
    "SearchInterruptedWarning",
    "SpaceExhaustedWarning",
    "WorkersDiedError",
]


class SpaceExhaustedWarning(UserWarning):
    """Warn that a finite space was searched completely before the budget was used up."""


class SearchInterruptedWarning(UserWarning):
    """Warn that Ctrl-C ended a search early and that it goes on with the finished trials."""


class FinalChoiceWarning(UserWarning):
    """Warn that leaders of a search were not scored on its final splits; the search stands."""


class WorkersDiedError(RuntimeError):
    """Raise when workers die again and again for no trial's fault; the search keeps its results."""


class JournalMismatchError(ValueError):
    """Raise when a file is not the journal of this study, or damaged; it is left as it is."""


class JournalWarning(UserWarning):
    """Warn that a journal lost its last line, or cannot be written any more."""
