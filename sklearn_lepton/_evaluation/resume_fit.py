"""Continue: a fit that goes on from where the same setting stopped with less of a resource."""

import contextlib
import os
import pickle
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn_lepton._runtime.errors import logger
from sklearn_lepton._typing import Row
from sklearn_lepton._workers.joblib import pickler_class
from sklearn_lepton._workers.temporary_folders import make_temporary_folder, remove_folder

# Parameters that count what one `fit` adds, where an estimator starts warm; others are totals.
_ADDED = ("max_iter", "max_epochs", "epochs")
_TOTALS = "BaseHistGradientBoosting"  # where even ``max_iter`` is a total
_WITH_STATE = "NeuralNet"  # of skorch, whose optimizer goes on as well
_STOPS_ABOVE = 10_000  # samples, with ``early_stopping="auto"``


def continues(estimator: Any, name: str, tuned: Container[str]) -> bool:
    """Say whether a `fit` goes on from the one before with more of a parameter.

    Parameters
    ----------
    estimator : estimator object
    name : str
        The parameter, of the estimator or of the last step of a pipeline.
    tuned : container of str
        Parameters that are searched.

    Returns
    -------
    bool
        True if the owner of the parameter has ``warm_start=True``. Other inner estimators
        are copied in each `fit` and start over.
    """
    owner, parts = estimator, name.split("__")
    for part in parts[:-1]:
        steps = getattr(owner, "steps", None)
        if not steps or steps[-1][0] != part:
            return False
        owner = steps[-1][1]
    flag = "__".join([*parts[:-1], "warm_start"])
    return flag not in tuned and bool(getattr(owner, "warm_start", False))


def adds(estimator: Any, name: str) -> bool:
    """Say whether each `fit` adds as much as the parameter says to what there is."""
    return name.rpartition("__")[2] in _ADDED and not _is_a(_TOTALS, estimator, name)


def is_equivalent_to_cold_start(
    estimator: Any, name: str, tuned: Container[str], n_samples: int
) -> bool:
    """Say whether a `fit` that goes on comes out like one that was not interrupted.

    Networks and linear models of scikit-learn begin with the moments of their optimizer, their
    learning rate and the order of the samples anew; what stops early, with its patience.

    Parameters
    ----------
    estimator : estimator object
    name : str
    tuned : container of str
        As those of `continues`.
    n_samples : int
        Number of samples of a fit.

    Returns
    -------
    bool
    """
    if adds(estimator, name):
        return _is_a(_WITH_STATE, estimator, name)
    prefix = name[: -len(name.rpartition("__")[2])]
    owner = _owner(estimator, name)
    for flag in ("early_stopping", "n_iter_no_change"):  # the other one counts without the first
        if hasattr(owner, flag):
            value = getattr(owner, flag)
            is_off = value is None or value is False
            is_off |= value == "auto" and n_samples <= _STOPS_ABOVE
            return is_off and f"{prefix}{flag}" not in tuned
    return True


def _owner(estimator: Any, name: str) -> Any:
    """Return whose parameter it is."""
    prefix = name.rpartition("__")[0]
    return estimator.get_params(deep=True)[prefix] if prefix else estimator


def _is_a(kind: str, estimator: Any, name: str) -> bool:
    """Say whether the owner of a parameter is of a class of some name."""
    return any(base.__name__ == kind for base in type(_owner(estimator, name)).__mro__)


class FittedFolder:
    """A folder for the fitted estimators of a search, gone when the search is."""

    def __init__(self) -> None:
        self._path = make_temporary_folder("fits-")

    def path(self, number: int, split: int) -> str:
        """Return where the estimator of a trial and split is kept."""
        return str(self._path / f"{number}-{split}.pkl")

    def remove(self) -> None:
        """Remove the folder."""
        remove_folder(self._path)


@dataclass(frozen=True)
class ResumedFit:
    """A fit that takes the fitted estimator of a file, if there is one, and leaves its own.

    Whatever goes wrong with the files or a warm start, the fit starts over.

    Attributes
    ----------
    function : callable
        Fits the estimator that is its first argument, in place, and returns a row.
    name : str
        The parameter that is the resource.
    adds : bool
        Whether each `fit` adds to what there is.
    source, target : str or None
        Path to read from and to write to.
    """

    function: Callable[..., Any]
    name: str
    adds: bool
    source: str | None
    target: str | None

    def __call__(self, estimator: Any, *args: Any, **kwargs: Any) -> Row:
        """Fit and score; the arguments are those of the function."""
        amount = kwargs["parameters"][self.name]
        fitted, done, seconds = self._load()
        row: dict[str, Any] | None = None
        if fitted is not None and done < amount:
            rest = amount - done if self.adds else amount
            warm = kwargs | {"parameters": kwargs["parameters"] | {self.name: rest}}
            try:
                _set_only(fitted, self.name)
                row = self.function(fitted, *args, **warm)
            except Exception:  # noqa: BLE001 - the same fit can be run from the start
                logger.debug("A warm start raised an error: the fit starts over.", exc_info=True)
        if row is not None and row["fit_error"] is not None:
            logger.debug("A warm start failed: the fit starts over. %s", row["fit_error"])
        if row is None or row["fit_error"] is not None:
            fitted, row = estimator, self.function(estimator, *args, **kwargs)
        else:
            row["saved_time"] = seconds
        if self.target is not None and row["fit_error"] is None:
            self._dump(fitted, amount, row["fit_time"] + row.get("saved_time", 0.0))
        return row

    def _load(self) -> tuple[Any, int, float]:
        """Return the fitted estimator, or None, with the amount it had and what that took."""
        if self.source is None:
            return None, 0, 0.0
        try:
            with Path(self.source).open("rb") as file:
                # Written below, by a worker of this search, in a folder of its own.
                fitted, done, seconds = pickle.load(file)  # noqa: S301
            Path(self.source).unlink()  # nobody else goes on from here
        except Exception:  # noqa: BLE001 - what it costs is a fit from the start
            logger.debug(
                "A fitted estimator could not be read: the fit starts over.", exc_info=True
            )
            return None, 0, 0.0
        return fitted, int(done), float(seconds)

    def _dump(self, fitted: Any, amount: int, seconds: float) -> None:
        assert self.target is not None  # noqa: S101 - for mypy
        half = f"{self.target}.{os.getpid()}"
        try:
            with Path(half).open("wb") as file:
                # In a worker, classes of a user's script can be pickled by their code alone.
                pickler = pickler_class()(file, protocol=pickle.HIGHEST_PROTOCOL)
                pickler.dump((fitted, amount, seconds))
            Path(half).replace(self.target)
        except Exception:  # noqa: BLE001 - what it costs is a fit from the start
            logger.debug(
                "A fitted estimator could not be kept: no fit continues from it.", exc_info=True
            )
            with contextlib.suppress(OSError):
                Path(half).unlink()


def _set_only(estimator: Any, name: str) -> None:
    """Have the next `set_params` set one parameter, since the others are as they were.

    Networks begin anew where one of their modules is set up again, be it alike.
    """

    def set_params(**params: Any) -> Any:
        del estimator.set_params
        return estimator.set_params(**{name: params[name]})

    estimator.set_params = set_params
