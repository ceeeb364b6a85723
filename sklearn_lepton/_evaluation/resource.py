"""Resource: what trials have little of first, samples or an integer parameter."""

import math
from abc import ABC, abstractmethod
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier
from sklearn.utils.multiclass import type_of_target

from sklearn_lepton._arrays import as_array
from sklearn_lepton._evaluation.estimators import has_parameter
from sklearn_lepton._evaluation.resume_fit import (
    FittedFolder,
    ResumedFit,
    adds,
    continues,
    is_equivalent_to_cold_start,
)
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import Fit
from sklearn_lepton._validation import is_finite, is_whole, unknown_name
from sklearn_lepton.optimizers._successive_halving import REDUCTION_FACTOR
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space

N_SAMPLES = "n_samples"
_AUTO_SHARE = 9  # the least is one in so many
_MIN_SAMPLES, _MIN_OF_CLASS = 20, 2


class Resource(ABC):
    """What the trials of a search have more or less of.

    Parameters
    ----------
    name : str
    least, most : int
        How much there is on the lowest and on the highest level.

    Attributes
    ----------
    levels : tuple of int
        From the least to the most, some three times as much each.
    shares : tuple of float
        The same as shares of the most.
    constants : list of object
        What fits have in common beside what they share in any search.
    goes_on : bool
        Whether a trial with all of it goes on from the fits of the same setting with less.
    """

    resumes = False

    def __init__(self, name: str, least: int, most: int) -> None:
        self.name = name
        n_steps = max(1, round(math.log(most / least, REDUCTION_FACTOR))) if least < most else 0
        steps = [least * (most / least) ** (k / n_steps) for k in range(n_steps)]
        self.levels: tuple[int, ...] = tuple(sorted({*map(round, steps), most}))
        self.shares = tuple(level / most for level in self.levels)
        self.constants: list[Any] = []

    def amount(self, trial: Trial) -> int:
        """Return how much of the resource a trial has."""
        return max(1, round(self._share(trial) * self.most))

    @property
    def most(self) -> int:
        """How much a trial has at full resource."""
        return self.levels[-1]

    @staticmethod
    def _share(trial: Trial) -> float:
        return 1.0 if trial.fidelity is None else float(trial.fidelity)

    def describe(self) -> dict[str, Any]:
        """Describe it in JSON types, for a journal."""
        return {"name": self.name, "levels": list(self.levels)}

    def setting(self, trial: Trial) -> dict[str, Any]:
        """Return the parameters of a trial as the estimator is to get them."""
        setting: dict[str, Any] = thaw(trial.params)
        return setting

    @abstractmethod
    def apply(self, trial: Trial, fits: Sequence[Fit]) -> list[Fit]:
        """Return the fits of a trial, one a split, with its share of the resource."""

    @abstractmethod
    def close(self) -> None:
        """Leave nothing behind."""


class Parameter(Resource):
    """An integer parameter of the estimator, such as the number of trees or of epochs.

    Where the estimator starts warm, a trial goes on from the fit of the same setting with less. One
    with all of it does only if it would come out so from the start, as the refit does.
    """

    def __init__(
        self,
        name: str,
        least: int,
        most: int,
        estimator: Any,
        *,
        tuned: Container[str],
        n_samples: int,
    ) -> None:
        super().__init__(name, least, most)
        is_warm = continues(estimator, name, tuned)
        is_same = is_warm and is_equivalent_to_cold_start(estimator, name, tuned, n_samples)
        self.resumes = is_same and len(self.levels) > 1
        self._adds = adds(estimator, name)
        self._warm_levels = self.levels if self.resumes else self.levels[:-1]
        self._folder = FittedFolder() if is_warm and len(self._warm_levels) > 1 else None

    def setting(self, trial: Trial) -> dict[str, Any]:
        """Return the parameters of a trial, the resource among them."""
        return {**thaw(trial.params), self.name: self.amount(trial)}

    def apply(self, trial: Trial, fits: Sequence[Fit]) -> list[Fit]:
        """Let fits go on from those of the trial that was promoted, where that can be."""
        folder, amount = self._folder, self.amount(trial)
        if folder is None or amount not in self._warm_levels:
            return list(fits)
        earlier, continued = trial.proposal.get("promoted"), list[Fit]()
        for split, (function, args, kwargs) in enumerate(fits):
            resumes = ResumedFit(
                function,
                self.name,
                self._adds,
                source=folder.path(earlier, split) if isinstance(earlier, int) else None,
                target=folder.path(trial.number, split) if amount < self._warm_levels[-1] else None,
            )
            continued.append((resumes, args, kwargs))
        return continued

    def close(self) -> None:
        """Remove the fitted estimators."""
        if self._folder is not None:
            self._folder.remove()


class Samples(Resource):
    """The samples that estimators are fitted on; validation parts are never cut.

    Of each split the smaller training sets are parts of the larger ones.
    """

    def __init__(
        self, least: int, most: int, trains: Sequence[Any], orders: Sequence[npt.NDArray[np.intp]]
    ) -> None:
        super().__init__(N_SAMPLES, least, most)
        n_all = max(min(map(len, orders)), 1)
        self._parts: list[list[Any]] = []
        for level, share in zip(self.levels, self.shares, strict=True):
            # Splits differ in size by a few samples: each gives the same share.
            of_split = [
                train
                if level >= n_all
                else np.sort(order[: max(1, round(share * most / n_all * len(order)))])
                for train, order in zip(trains, orders, strict=True)
            ]
            self._parts.append(of_split)
        self.constants = [part for parts in self._parts for part in parts]

    def apply(self, trial: Trial, fits: Sequence[Fit]) -> list[Fit]:
        """Cut the training parts."""
        share = self._share(trial)
        level = int(np.argmin(np.abs(np.subtract(self.shares, share))))
        parts = self._parts[level]
        return [
            (function, args, {**kwargs, "train": part})
            for (function, args, kwargs), part in zip(fits, parts, strict=True)
        ]

    def close(self) -> None:
        """Leave nothing behind, as nothing was made."""


@ignore_float_errors
def make_resource(
    search: Any, space: Space, running: Any, splits: Sequence[Any]
) -> Resource | None:
    """Make the resource of a search.

    Parameters
    ----------
    search : BaseSearchCV
        Its ``resource``, ``min_resources``, ``max_resources`` and ``estimator`` are read.
    space : Space
    running : RunningFit
    splits : sequence of tuple
        Training and validation part of each split.

    Returns
    -------
    resource : Resource or None
        None without ``resource``.

    Raises
    ------
    ValueError
        If the resource cannot be used, or a bound is out of range.
    """
    name = search.resource
    for bound in ("min_resources", "max_resources"):
        value = getattr(search, bound)
        is_auto = isinstance(value, str) and value == "auto"
        if not is_auto and not (is_whole(value) and is_finite(value) and value >= 1):
            msg = f"{bound} must be 'auto' or an integer of at least 1, got {value!r}."
            raise ValueError(msg)
    if name is None:
        return None
    if not isinstance(name, str):
        raise ValueError(
            "resource must be None, 'n_samples' or the name of an integer parameter of the "
            f"estimator, got {name!r}."
        )
    if name == N_SAMPLES:
        return _samples(search, running, splits)
    if search.eval_set_from_split:
        raise ValueError(
            f"With eval_set_from_split=True boosters find their number of rounds themselves, got "
            f"resource={name!r}: set it to 'n_samples' or None, or eval_set_from_split=False."
        )
    return _parameter(search, space, max(len(_indices(train)) for train, _ in splits))


def _parameter(search: Any, space: Space, n_samples: int) -> Parameter:
    name, estimator = search.resource, search.estimator
    params = estimator.get_params(deep=True)
    if not has_parameter(estimator, name):
        raise ValueError(f"resource: {unknown_name(name, [N_SAMPLES, *params])}")
    for other in space.names:
        if other == name or name.startswith(f"{other}__"):
            raise ValueError(
                f"resource={name!r} must not be searched as well, but the space has {other!r}: "
                "take it out of the space, or choose another resource."
            )
    most, own = search.max_resources, params.get(name)
    if isinstance(most, str):
        most = own
        if not (is_whole(most) and most >= 1):
            raise ValueError(
                f"max_resources='auto' is the estimator's own {name}, which must be an integer of "
                f"at least 1, got {most!r}: give max_resources as an integer, or another resource."
            )
    elif not (own is None or is_whole(own)):
        raise ValueError(
            f"resource must be 'n_samples' or an integer parameter, but {name} is {own!r}: give "
            "another resource."
        )
    least = search.min_resources
    least = -(-most // _AUTO_SHARE) if isinstance(least, str) else least
    _check_order(search, least, most)
    return Parameter(name, int(least), int(most), estimator, tuned=space.names, n_samples=n_samples)


def _samples(search: Any, running: Any, splits: Sequence[Any]) -> Samples:
    labels = _labels(search.estimator, running.y)
    trains = [_indices(train) for train, _ in splits]
    # No seed of the search: journals and later fits have the same smaller training sets.
    orders = [
        _order(train, labels, np.random.default_rng(split)) for split, train in enumerate(trains)
    ]
    n_all, most, least = min(map(len, trains)), search.max_resources, search.min_resources
    if isinstance(most, str):
        most = n_all
    elif most > n_all:
        raise ValueError(
            f"max_resources must be at most the {n_all} samples of the smallest training part, got "
            f"{most}: give less, or 'auto' for all of them."
        )
    if isinstance(least, str):
        n_classes = 0 if labels is None else len(np.unique(labels))
        enough = max(_MIN_SAMPLES, _MIN_OF_CLASS * n_classes)
        least = min(max(-(-most // _AUTO_SHARE), enough), most)
    _check_order(search, least, most)
    return Samples(int(least), int(most), [train for train, _ in splits], orders)


def _check_order(search: Any, least: int, most: int) -> None:
    if least > most:
        raise ValueError(
            "min_resources must be at most max_resources, got "
            f"min_resources={search.min_resources!r} and "
            f"max_resources={search.max_resources!r}, which is {most}."
        )


def _labels(estimator: Any, y: Any) -> npt.NDArray[np.intp] | None:
    """Return the classes of all samples as numbers; None where there are none."""
    if y is None or not is_classifier(estimator):
        return None
    if type_of_target(y) not in {"binary", "multiclass"}:
        return None
    return np.unique(as_array(y).ravel(), return_inverse=True)[1]


def _indices(train: Any) -> npt.NDArray[np.intp]:
    rows = np.asarray(train)
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else rows


def _order(
    train: npt.NDArray[np.intp], labels: npt.NDArray[np.intp] | None, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Shuffle a training part so that each beginning of it has the classes in proportion.

    The first samples are some of each class, however rare it is.
    """
    order: npt.NDArray[np.intp] = train[rng.permutation(len(train))]
    if labels is None:
        return order
    place = rng.random(len(order))
    kinds = labels[order]
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        place[rows] = (np.arange(len(rows)) + place[rows]) / len(rows)
        place[rows[:_MIN_OF_CLASS]] -= 1.0
    return order[np.argsort(place, kind="stable")]


def without_resource(given: Any, name: str | None) -> Any:
    """Take a resource out of settings, where it stands in the best ones of an earlier search."""
    if name is None:
        return given
    if isinstance(given, Mapping):
        return {key: value for key, value in given.items() if key != name}
    if isinstance(given, list | tuple):
        return [without_resource(setting, name) for setting in given]
    return given
