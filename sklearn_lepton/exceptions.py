"""Errors and warnings of the package, to be caught or filtered by class."""

__all__ = [
    "FewerRowsWarning",
    "FinalChoiceWarning",
    "IgnoredStudyWarning",
    "JournalMismatchError",
    "JournalWarning",
    "PredictionsWarning",
    "SearchInterruptedWarning",
    "SlowFitWarning",
    "SpaceExhaustedWarning",
    "WorkersDiedError",
]


class SpaceExhaustedWarning(UserWarning):
    """Warning that a search evaluated its whole finite space before it used up its budget.

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
    """Warning that Ctrl-C ended a search early; the search keeps its finished trials.

    Examples
    --------
    >>> import warnings
    >>> from sklearn_lepton import tune
    >>> from sklearn_lepton.exceptions import SearchInterruptedWarning
    >>> def impatient(params):
    ...     if params["n"] == 3:
    ...         raise KeyboardInterrupt  # as Ctrl-C does
    ...     return params["n"]
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", SearchInterruptedWarning)
    ...     result = tune(impatient, {"n": [1, 2, 3]}, optimizer="grid")
    >>> result.best_params_, result.stop_reason_
    ({'n': 2}, 'interrupted')
    """


class IgnoredStudyWarning(UserWarning):
    """Warning that a study in ``previous_studies`` has no trial that fits the space.

    Examples
    --------
    >>> import warnings
    >>> from sklearn_lepton import tune
    >>> from sklearn_lepton.exceptions import IgnoredStudyWarning
    >>> older = tune(lambda params: params["rate"], {"rate": [1, 2, 3]}, n_iter=3)
    >>> space = {"learning_rate": [1, 2, 3]}
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always", IgnoredStudyWarning)
    ...     result = tune(
    ...         lambda params: params["learning_rate"], space, n_iter=3, previous_studies=older
    ...     )
    >>> print(caught[0].message)
    A study in previous_studies has the parameters ['rate'], none of which is in the space, ...
    """


class FewerRowsWarning(UserWarning):
    """Warning that the time of `AutoSearchCV` was over before a trial on all rows had finished.

    Examples
    --------
    Turn the warning into an error, to get no model that was fitted to part of the rows:

    >>> import warnings
    >>> from sklearn_lepton.exceptions import FewerRowsWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", FewerRowsWarning)
    """


class FinalChoiceWarning(UserWarning):
    """Warning that finalists were not scored on the final splits; the search keeps its results.

    Examples
    --------
    Turn the warning into an error, after which the search still has its results:

    >>> import warnings
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_lepton import BayesSearchCV
    >>> from sklearn_lepton.exceptions import FinalChoiceWarning
    >>> search = BayesSearchCV(
    ...     DecisionTreeClassifier(max_depth=1), {"max_depth": [1, 2, 3]}, n_iter=3, final_cv=2
    ... )
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", FinalChoiceWarning)
    ...     _ = search.fit(*load_iris(return_X_y=True))
    >>> search.best_params_["max_depth"] > 1
    True
    """


class PredictionsWarning(UserWarning):
    """Warning that predictions or estimators of trials were fitted again or are missing.

    With ``refit="ensemble"`` it also says which trials an ensemble leaves out.

    Examples
    --------
    A journal has no predictions. A search that is resumed fits the splits of the best trial again:

    >>> import tempfile, warnings
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_lepton import BayesSearchCV
    >>> from sklearn_lepton.exceptions import PredictionsWarning
    >>> X, y = load_iris(return_X_y=True)
    >>> space = {"max_depth": [1, 2, 3]}
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", PredictionsWarning)
    ...     journal = Path(folder, "study.jsonl")
    ...     search = BayesSearchCV(DecisionTreeClassifier(), space, n_iter=3, journal=journal)
    ...     _ = search.fit(X, y)
    ...     _ = search.set_params(return_predictions=True).fit(X, y)
    >>> search.best_predictions_.shape
    (150, 3)
    """


class SlowFitWarning(UserWarning):
    """Warning that a fit takes far longer than the others, or was ended for that reason.

    Examples
    --------
    With ``fit_timeout=None`` no fit is ended and no such warning issued. Show the warning once:

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
    """Error that workers died repeatedly without a trial as the cause; results are kept.

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
    ...     print("Too little memory? Results so far:", search.cv_results_)
    """


class JournalMismatchError(ValueError):
    """Error that a file is not the journal of this study, or is damaged; it is not changed.

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
    ...         print("the journal of another study")
    the journal of another study
    """


class JournalWarning(UserWarning):
    """Warning that a journal lost its last line, or can no longer be written.

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
    ...     _ = journal.write_text(journal.read_text()[:-10])  # as after a power failure
    ...     result = tune(lambda params: params["n"], {"n": [1, 2]}, n_iter=2, journal=journal)
    >>> result.best_params_
    {'n': 2}
    """
