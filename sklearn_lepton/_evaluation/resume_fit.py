"""ResumedFit: a fit that resumes an earlier one of the same configuration by a warm start."""

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

# With a warm start, these parameters count the iterations of one `fit`; others count all.
_INCREMENTAL = ("max_iter", "max_epochs", "epochs")
_TOTALS = "BaseHistGradientBoosting"  # whose ``max_iter`` counts all iterations
_WITH_STATE = "NeuralNet"  # of skorch, which keeps the state of its optimizer
_AUTO_STOPPING_ABOVE = 10_000  # samples, with ``early_stopping="auto"``


def supports_warm_start(estimator: Any, name: str, tuned: Container[str]) -> bool:
    """Return whether a `fit` with a larger value of a parameter resumes the previous `fit`.

    Parameters
    ----------
    estimator : estimator object
    name : str
        The parameter, of the estimator or of the last step of a pipeline.
    tuned : container of str
        Names of the searched parameters.

    Returns
    -------
    bool
        True if the owner of the parameter has ``warm_start=True``. Other inner estimators
        are cloned in each `fit` and start cold.
    """
    owner, parts = estimator, name.split("__")
    for part in parts[:-1]:
        steps = getattr(owner, "steps", None)
        if not steps or steps[-1][0] != part:
            return False
        owner = steps[-1][1]
    flag = "__".join([*parts[:-1], "warm_start"])
    return flag not in tuned and bool(getattr(owner, "warm_start", False))


def is_incremental(estimator: Any, name: str) -> bool:
    """Return whether each `fit` adds as many iterations as the parameter says."""
    return name.rpartition("__")[2] in _INCREMENTAL and not _is_a(_TOTALS, estimator, name)


def is_equivalent_to_cold_start(
    estimator: Any, name: str, tuned: Container[str], n_samples: int
) -> bool:
    """Return whether a resumed `fit` gives the same model as a single one.

    scikit-learn's networks and SGD models reset optimizer moments, learning rate and sample
    order at each `fit`; early stopping resets its patience counter.

    Parameters
    ----------
    estimator : estimator object
    name : str
    tuned : container of str
        Names of the searched parameters.
    n_samples : int
        Number of samples of a fit.

    Returns
    -------
    bool
    """
    if is_incremental(estimator, name):
        return _is_a(_WITH_STATE, estimator, name)
    prefix = name[: -len(name.rpartition("__")[2])]
    owner = _owner(estimator, name)
    for flag in ("early_stopping", "n_iter_no_change"):  # the second one without the first
        if hasattr(owner, flag):
            value = getattr(owner, flag)
            is_off = value is None or value is False
            is_off |= value == "auto" and n_samples <= _AUTO_STOPPING_ABOVE
            return is_off and f"{prefix}{flag}" not in tuned
    return True


def _owner(estimator: Any, name: str) -> Any:
    """Return the inner estimator that a parameter belongs to."""
    prefix = name.rpartition("__")[0]
    return estimator.get_params(deep=True)[prefix] if prefix else estimator


def _is_a(kind: str, estimator: Any, name: str) -> bool:
    """Return whether the owner of a parameter has a base class of a name."""
    return any(base.__name__ == kind for base in type(_owner(estimator, name)).__mro__)


class FittedFolder:
    """Temporary folder for the fitted estimators of a search."""

    def __init__(self) -> None:
        self._path = make_temporary_folder("fits-")

    def path(self, number: int, split: int) -> str:
        """Return the path of the estimator of a trial and split."""
        return str(self._path / f"{number}-{split}.pkl")

    def remove(self) -> None:
        """Remove the folder."""
        remove_folder(self._path)


@dataclass(frozen=True)
class ResumedFit:
    """Fit that resumes the fitted estimator of a file, and writes its own to another file.

    If the files or the warm start fail, the fit starts cold.

    Attributes
    ----------
    function : callable
        Fits its first argument, an estimator, in place and returns a row.
    name : str
        Parameter that is the resource.
    is_incremental : bool
        Whether each `fit` adds iterations to the earlier ones.
    source, target : str or None
        Path to read from and path to write to.
    """

    function: Callable[..., Any]
    name: str
    is_incremental: bool
    source: str | None
    target: str | None

    def __call__(self, estimator: Any, *args: Any, **kwargs: Any) -> Row:
        """Return the row of the fit; the arguments are those of `function`."""
        amount = kwargs["parameters"][self.name]
        fitted, done, seconds = self._load()
        row: dict[str, Any] | None = None
        if fitted is not None and done < amount:
            rest = amount - done if self.is_incremental else amount
            warm = kwargs | {"parameters": kwargs["parameters"] | {self.name: rest}}
            try:
                _set_only(fitted, self.name)
                row = self.function(fitted, *args, **warm)
            except Exception:  # noqa: BLE001 - the fit can start cold
                logger.debug("A warm start raised an error: the fit starts cold.", exc_info=True)
        if row is not None and row["fit_error"] is not None:
            logger.debug("A warm start failed: the fit starts cold. %s", row["fit_error"])
        if row is None or row["fit_error"] is not None:
            fitted, row = estimator, self.function(estimator, *args, **kwargs)
        else:
            row["saved_time"] = seconds
        if self.target is not None and row["fit_error"] is None:
            self._dump(fitted, amount, row["fit_time"] + row.get("saved_time", 0.0))
        return row

    def _load(self) -> tuple[Any, int, float]:
        """Return the fitted estimator or None, its amount of the resource, and its seconds."""
        if self.source is None:
            return None, 0, 0.0
        try:
            with Path(self.source).open("rb") as file:
                # A worker of this search wrote it, in a private temporary folder.
                fitted, done, seconds = pickle.load(file)  # noqa: S301
            Path(self.source).unlink()  # only one fit resumes it
        except Exception:  # noqa: BLE001 - the fit can start cold
            logger.debug(
                "A fitted estimator could not be read: the fit starts cold.", exc_info=True
            )
            return None, 0, 0.0
        return fitted, int(done), float(seconds)

    def _dump(self, fitted: Any, amount: int, seconds: float) -> None:
        assert self.target is not None  # noqa: S101 - for mypy
        temporary = f"{self.target}.{os.getpid()}"
        try:
            with Path(temporary).open("wb") as file:
                # In a worker, classes of the user's script are pickled by value only.
                pickler = pickler_class()(file, protocol=pickle.HIGHEST_PROTOCOL)
                pickler.dump((fitted, amount, seconds))
            Path(temporary).replace(self.target)
        except Exception:  # noqa: BLE001 - the fit can start cold
            logger.debug(
                "A fitted estimator could not be written: no fit resumes it.", exc_info=True
            )
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


def _set_only(estimator: Any, name: str) -> None:
    """Make the next `set_params` set one parameter only; the others are unchanged.

    skorch's networks start cold if a parameter of a module is set, even to the same value.
    """

    def set_params(**params: Any) -> Any:
        del estimator.set_params
        return estimator.set_params(**{name: params[name]})

    estimator.set_params = set_params
