"""Errors and warnings of their own class, so that they can be caught or filtered by class."""

__all__ = [
    "FinalChoiceWarning",
    "JournalMismatchError",
    "JournalWarning",
    "SearchInterruptedWarning",
    "SlowFitWarning",
    "SpaceExhaustedWarning",
    "WorkersDiedError",
]


class SpaceExhaustedWarning(UserWarning):
    """Warn that a finite space was searched completely before the budget was used up.

    Examples
    --------
    >>> import warnings
    >>> from sklearn_lepton import tune
    >>> from sklearn_lepton.exceptions import SpaceExhaustedWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", SpaceExhaustedWarning)
    ...     result = tune(lambda params: params["n"], {"n": [1, 2, 3]}, n_iter=10)
    >>> len(result.trials_)
    3
    """


class SearchInterruptedWarning(UserWarning):
    """Warn that Ctrl-C ended a search early and that it goes on with the finished trials.

    Examples
    --------
    >>> import warnings
    >>> from sklearn_lepton import tune
    >>> from sklearn_lepton.exceptions import SearchInterruptedWarning
    >>> def impatient(params):
    ...     if params["n"] == 3:
    ...         raise KeyboardInterrupt  # what Ctrl-C does
    ...     return params["n"]
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", SearchInterruptedWarning)
    ...     result = tune(impatient, {"n": [1, 2, 3]}, optimizer="grid")
    >>> result.best_params_, result.stop_reason_
    ({'n': 2}, 'interrupted')
    """


class FinalChoiceWarning(UserWarning):
    """Warn that leaders of a search were not scored on its final splits; the search stands.

    Examples
    --------
    To have an error instead, after which the search still has its results:

    >>> import warnings
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_lepton import BayesSearchCV
    >>> from sklearn_lepton.exceptions import FinalChoiceWarning
    >>> search = BayesSearchCV(
    ...     DecisionTreeClassifier(), {"max_depth": [1, 2, 3]}, n_iter=3, final_cv=2
    ... )
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", FinalChoiceWarning)
    ...     _ = search.fit(*load_iris(return_X_y=True))
    >>> search.best_params_["max_depth"] > 1
    True
    """


class SlowFitWarning(UserWarning):
    """Warn that a fit takes far longer than the others, or was ended because it did.

    Examples
    --------
    To have no such warning, and no fit ended, set ``fit_timeout=None``; to have the warning once:

    >>> import warnings
    >>> from sklearn_lepton import tune
    >>> from sklearn_lepton.exceptions import SlowFitWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("once", SlowFitWarning)
    ...     result = tune(lambda params: params["n"], {"n": [1, 2, 3]}, optimizer="grid")
    >>> result.best_params_
    {'n': 3}
    """


class WorkersDiedError(RuntimeError):
    """Raise when workers die again and again for no trial's fault; the search keeps its results.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_lepton import BayesSearchCV
    >>> from sklearn_lepton.exceptions import WorkersDiedError
    >>> search = BayesSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2, 3]}, n_iter=3)
    >>> try:
    ...     _ = search.fit(*load_iris(return_X_y=True))
    ... except WorkersDiedError:
    ...     print("too little memory? What there was before:", search.cv_results_)
    """


class JournalMismatchError(ValueError):
    """Raise when a file is not the journal of this study, or damaged; it is left as it is.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_lepton import tune
    >>> from sklearn_lepton.exceptions import JournalMismatchError
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = Path(folder, "study.jsonl")
    ...     _ = tune(lambda params: params["n"], {"n": [1, 2]}, n_iter=2, journal=journal)
    ...     try:
    ...         tune(lambda params: params["m"], {"m": [1, 2]}, n_iter=2, journal=journal)
    ...     except JournalMismatchError:
    ...         print("another study's")
    another study's
    """


class JournalWarning(UserWarning):
    """Warn that a journal lost its last line, or cannot be written any more.

    Examples
    --------
    >>> import tempfile, warnings
    >>> from pathlib import Path
    >>> from sklearn_lepton import tune
    >>> from sklearn_lepton.exceptions import JournalWarning
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", JournalWarning)
    ...     journal = Path(folder, "study.jsonl")
    ...     _ = tune(lambda params: params["n"], {"n": [1, 2]}, n_iter=2, journal=journal)
    ...     _ = journal.write_text(journal.read_text()[:-10])  # as a power cut leaves it
    ...     result = tune(lambda params: params["n"], {"n": [1, 2]}, n_iter=2, journal=journal)
    >>> result.best_params_
    {'n': 2}
    """
