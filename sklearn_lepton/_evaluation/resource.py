"""Resource: training samples or an integer parameter, of which a trial gets a share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier
from sklearn.utils.multiclass import type_of_target

from sklearn_lepton._arrays import as_array
from sklearn_lepton._evaluation.estimators import has_parameter
from sklearn_lepton._evaluation.resume_fit import (
    FittedFolder,
    ResumedFit,
    is_equivalent_to_cold_start,
    is_incremental,
    supports_warm_start,
)
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitCall
from sklearn_lepton._validation import is_whole, unknown_name
from sklearn_lepton.optimizers._successive_halving import REDUCTION_FACTOR
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space

N_SAMPLES = "n_samples"
_AUTO_RATIO = 9  # of the highest level to the lowest one
_MIN_SAMPLES, _MIN_OF_CLASS = 20, 2


class ResourceBounds(NamedTuple):
    """Bounds of a resource, as the search got them.

    Attributes
    ----------
    min_resources, max_resources : int or "auto"
    """

    min_resources: Any
    max_resources: Any


class Resource(ABC):
    """Resource of which trials get a share, their fidelity.

    Parameters
    ----------
    name : str
    minimum, maximum : int
        Amount on the lowest and on the highest level.

    Attributes
    ----------
    levels : tuple of int
        Amounts from `minimum` to `maximum`, each about three times the one before.
    shares : tuple of float
        Levels as shares of `maximum`.
    shared_objects : list of object
        Objects that all fits share because of the resource.
    resumes : bool
        Whether a trial at full fidelity resumes the fits of the same configuration at a
        lower one.
    """

    resumes = False

    def __init__(self, name: str, minimum: int, maximum: int) -> None:
        self.name = name
        n_steps = max(1, round(math.log(maximum / minimum, REDUCTION_FACTOR)))
        n_steps = n_steps if minimum < maximum else 0
        steps = [minimum * (maximum / minimum) ** (k / n_steps) for k in range(n_steps)]
        self.levels: tuple[int, ...] = tuple(sorted({*map(round, steps), maximum}))
        self.shares = tuple(level / maximum for level in self.levels)
        self.shared_objects: list[Any] = []

    def amount(self, trial: Trial) -> int:
        """Return the amount of the resource that a trial has."""
        return max(1, round(self._share(trial) * self.maximum))

    @property
    def maximum(self) -> int:
        """Amount of a trial at full fidelity."""
        return self.levels[-1]

    @staticmethod
    def _share(trial: Trial) -> float:
        return 1.0 if trial.fidelity is None else float(trial.fidelity)

    def describe(self) -> dict[str, Any]:
        """Return name and levels in JSON types, for a journal."""
        return {"name": self.name, "levels": list(self.levels)}

    def params_of(self, trial: Trial) -> dict[str, Any]:
        """Return the parameters of a trial for ``set_params``."""
        params: dict[str, Any] = thaw(trial.params)
        return params

    @abstractmethod
    def apply(self, trial: Trial, fits: Sequence[FitCall]) -> list[FitCall]:
        """Return the fits of a trial, one per split, with its share of the resource."""

    @abstractmethod
    def close(self) -> None:
        """Remove temporary files."""


class Parameter(Resource):
    """Integer parameter of the estimator, such as the number of trees or of epochs.

    With a warm start, a promoted trial resumes the fits of the trial that it was promoted from.
    A trial at full fidelity does so only if the result equals that of a cold start, since the
    refit starts cold.
    """

    def __init__(
        self,
        name: str,
        minimum: int,
        maximum: int,
        estimator: Any,
        *,
        tuned: Container[str],
        n_samples: int,
    ) -> None:
        super().__init__(name, minimum, maximum)
        is_warm = supports_warm_start(estimator, name, tuned)
        is_exact = is_warm and is_equivalent_to_cold_start(estimator, name, tuned, n_samples)
        self.resumes = is_exact and len(self.levels) > 1
        self._is_incremental = is_incremental(estimator, name)
        self._warm_levels = self.levels if self.resumes else self.levels[:-1]
        self._folder = FittedFolder() if is_warm and len(self._warm_levels) > 1 else None

    def params_of(self, trial: Trial) -> dict[str, Any]:
        """Return the parameters of a trial for ``set_params``, with the resource."""
        return {**thaw(trial.params), self.name: self.amount(trial)}

    def apply(self, trial: Trial, fits: Sequence[FitCall]) -> list[FitCall]:
        """Return fits that resume those of the trial that was promoted, where possible."""
        folder, amount = self._folder, self.amount(trial)
        if folder is None or amount not in self._warm_levels:
            return list(fits)
        earlier, resumed = trial.proposal.get("promoted"), list[FitCall]()
        for split, fit in enumerate(fits):
            function = ResumedFit(
                fit.function,
                self.name,
                self._is_incremental,
                source=folder.path(earlier, split) if isinstance(earlier, int) else None,
                target=folder.path(trial.number, split) if amount < self._warm_levels[-1] else None,
            )
            resumed.append(fit._replace(function=function))
        return resumed

    def close(self) -> None:
        """Remove the fitted estimators."""
        if self._folder is not None:
            self._folder.remove()


class Samples(Resource):
    """Training samples as the resource; validation parts are never cut.

    The smaller training sets of a split are subsets of its larger ones.
    """

    def __init__(
        self,
        minimum: int,
        maximum: int,
        trains: Sequence[Any],
        orders: Sequence[npt.NDArray[np.intp]],
    ) -> None:
        super().__init__(N_SAMPLES, minimum, maximum)
        n_all = max(min(map(len, orders)), 1)
        self._parts: list[list[Any]] = []
        for level, share in zip(self.levels, self.shares, strict=True):
            # Splits may differ in size by a few samples: each is cut to the same share.
            of_split = [
                train
                if level >= n_all
                else np.sort(order[: max(1, round(share * maximum / n_all * len(order)))])
                for train, order in zip(trains, orders, strict=True)
            ]
            self._parts.append(of_split)
        self.shared_objects = [part for parts in self._parts for part in parts]

    def apply(self, trial: Trial, fits: Sequence[FitCall]) -> list[FitCall]:
        """Return the fits with training parts cut to the trial's share."""
        share = self._share(trial)
        level = int(np.argmin(np.abs(np.subtract(self.shares, share))))
        parts = self._parts[level]
        return [
            fit._replace(kwargs={**fit.kwargs, "train": part})
            for fit, part in zip(fits, parts, strict=True)
        ]

    def close(self) -> None:
        """Do nothing: there are no temporary files."""


@ignore_float_errors
def make_resource(
    name: Any,
    bounds: ResourceBounds,
    estimator: Any,
    *,
    y: Any,
    space: Space,
    splits: Sequence[Any],
    eval_set_from_split: bool = False,
) -> Resource | None:
    """Return the resource of a search.

    Parameters
    ----------
    name : str or None
        ``"n_samples"`` or the name of an integer parameter.
    bounds : ResourceBounds
    estimator : estimator object
    y : object
        The target.
    space : Space
    splits : sequence of tuple
        Training and validation part of each split.
    eval_set_from_split : bool, default=False
        Whether boosters find their number of rounds by early stopping.

    Returns
    -------
    resource : Resource or None
        None if `name` is None.

    Raises
    ------
    ValueError
        If the resource cannot be used, or a bound is out of range.
    """
    if name is None:
        return None
    if name == N_SAMPLES:
        return _make_samples(bounds, _labels(estimator, y), splits)
    if eval_set_from_split:
        raise ValueError(
            f"With eval_set_from_split=True boosters find their number of rounds themselves, got "
            f"resource={name!r}: set it to 'n_samples' or None, or eval_set_from_split=False."
        )
    n_samples = max(len(_indices(train)) for train, _ in splits)
    return _make_parameter(name, bounds, estimator, space, n_samples)


def _make_parameter(
    name: str, bounds: ResourceBounds, estimator: Any, space: Space, n_samples: int
) -> Parameter:
    params = estimator.get_params(deep=True)
    if not has_parameter(estimator, name):
        raise ValueError(f"resource: {unknown_name(name, [N_SAMPLES, *params])}")
    for other in space.names:
        if other == name or name.startswith(f"{other}__"):
            raise ValueError(
                f"resource={name!r} must not be searched as well, but the space has {other!r}: "
                "take it out of the space, or choose another resource."
            )
    maximum, own = bounds.max_resources, params.get(name)
    if isinstance(maximum, str):
        maximum = own
        if not (is_whole(maximum) and maximum >= 1):
            raise ValueError(
                f"max_resources='auto' is the estimator's own {name}, which must be an integer of "
                f"at least 1, got {maximum!r}: give max_resources as an integer, or another "
                "resource."
            )
    elif not (own is None or is_whole(own)):
        raise ValueError(
            f"resource must be 'n_samples' or an integer parameter, but {name} is {own!r}: give "
            "another resource."
        )
    minimum = bounds.min_resources
    minimum = -(-maximum // _AUTO_RATIO) if isinstance(minimum, str) else minimum
    _check_order(bounds, minimum, maximum)
    return Parameter(
        name, int(minimum), int(maximum), estimator, tuned=space.names, n_samples=n_samples
    )


def _make_samples(
    bounds: ResourceBounds, labels: npt.NDArray[np.intp] | None, splits: Sequence[Any]
) -> Samples:
    trains = [_indices(train) for train, _ in splits]
    # Independent of the search's seed: a resumed search has the same smaller training sets.
    orders = [
        stratified_order(train, labels, np.random.default_rng(split))
        for split, train in enumerate(trains)
    ]
    n_all, maximum, minimum = min(map(len, trains)), bounds.max_resources, bounds.min_resources
    if isinstance(maximum, str):
        maximum = n_all
    elif maximum > n_all:
        raise ValueError(
            f"max_resources must be at most the {n_all} samples of the smallest training part, got "
            f"{maximum}: give less, or 'auto' for all of them."
        )
    if isinstance(minimum, str):
        n_classes = 0 if labels is None else len(np.unique(labels))
        n_required = max(_MIN_SAMPLES, _MIN_OF_CLASS * n_classes)
        minimum = min(max(-(-maximum // _AUTO_RATIO), n_required), maximum)
    _check_order(bounds, minimum, maximum)
    return Samples(int(minimum), int(maximum), [train for train, _ in splits], orders)


def _check_order(bounds: ResourceBounds, minimum: int, maximum: int) -> None:
    """Raise `ValueError` if the minimum exceeds the maximum."""
    if minimum > maximum:
        raise ValueError(
            "min_resources must be at most max_resources, got "
            f"min_resources={bounds.min_resources!r} and "
            f"max_resources={bounds.max_resources!r}, which is {maximum}."
        )


def _labels(estimator: Any, y: Any) -> npt.NDArray[np.intp] | None:
    """Return the class of each sample as a number; None if `y` has no classes."""
    if y is None or not is_classifier(estimator):
        return None
    if type_of_target(y) not in {"binary", "multiclass"}:
        return None
    return np.unique(as_array(y).ravel(), return_inverse=True)[1]


def _indices(train: Any) -> npt.NDArray[np.intp]:
    rows = np.asarray(train)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else rows


def stratified_order(
    train: npt.NDArray[np.intp],
    labels: npt.NDArray[np.intp] | None,
    rng: np.random.Generator,
    *,
    min_of_class: int = _MIN_OF_CLASS,
) -> npt.NDArray[np.intp]:
    """Shuffle a training part so that each prefix of it has the classes in proportion.

    The first samples hold a few of each class, even of a rare one.
    """
    order: npt.NDArray[np.intp] = train[rng.permutation(len(train))]
    if labels is None:
        return order
    keys = rng.random(len(order))
    classes = labels[order]
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        keys[rows] = (np.arange(len(rows)) + keys[rows]) / len(rows)
        keys[rows[:min_of_class]] -= 1.0
    return order[np.argsort(keys, kind="stable")]


def without_resource(given: Any, name: str | None) -> Any:
    """Return configurations without the resource, which ``best_params_`` of a search contain."""
    if name is None:
        return given
    if isinstance(given, Mapping):
        return {key: value for key, value in given.items() if key != name}
    if isinstance(given, list | tuple):
        return [without_resource(setting, name) for setting in given]
    return given
