"""Types of the arguments of searches and of `tune`, for type checkers."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from sklearn_lepton._trials.objectives import Limit, Objective
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._space import Space


class Splitter(Protocol):
    """A cross-validation generator."""

    def split(self, *args: Any, **kwargs: Any) -> Iterable[Any]:
        """Yield the training and test samples of each split."""

    def get_n_splits(self, *args: Any, **kwargs: Any) -> int:
        """Return the number of splits."""


class _FittedSearch(Protocol):
    """A fitted search, of this package or another one, or the result of `tune`."""

    trials_: Any


class _FittedSklearnSearch(Protocol):
    """A fitted search of scikit-learn."""

    cv_results_: Any


class _OptunaStudy(Protocol):
    """A study of Optuna."""

    @property
    def trials(self) -> Any:
        """The trials."""


class _Frame(Protocol):
    """A data frame of parameters and scores."""

    @property
    def columns(self) -> Any:
        """The names of the columns."""


class _Evaluations(Protocol):
    """A result of scikit-optimize."""

    x_iters: Any
    func_vals: Any


Auto: TypeAlias = Literal["auto"]
SpaceLike: TypeAlias = Space | Mapping[str, Any] | list[Any] | tuple[Any, ...]
Scorer: TypeAlias = str | Callable[..., Any]
Scoring: TypeAlias = Scorer | Sequence[str] | Mapping[str, Scorer] | None
CV: TypeAlias = int | Splitter | Iterable[tuple[Any, Any]] | None
RandomState: TypeAlias = int | np.integer[Any] | np.random.RandomState | None
Refit: TypeAlias = bool | str | Callable[[dict[str, Any]], Any]
CallbackLike: TypeAlias = Callable[[Any, Trial], Any]
UserCallbacks: TypeAlias = CallbackLike | Sequence[CallbackLike] | None
Complexity: TypeAlias = str | Callable[[dict[str, Any]], float] | None
Journal: TypeAlias = str | os.PathLike[str] | None
Params: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
ObjectiveList: TypeAlias = str | Objective | Limit | Sequence[str | Objective | Limit] | None
Optimizers: TypeAlias = str | Callable[..., Any]
ErrorScore: TypeAlias = float | Literal["raise"]
# A study may be a path, trials, or an object of another library with its trials.
PreviousStudies: TypeAlias = (
    str
    | os.PathLike[str]
    | Sequence[Any]
    | _FittedSearch
    | _FittedSklearnSearch
    | _OptunaStudy
    | _Frame
    | _Evaluations
)
