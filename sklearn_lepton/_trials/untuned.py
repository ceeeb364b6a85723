"""Untuned trials: the parameters of the untuned estimator where they lie outside of the space.

Such a trial has an empty point. Its ``proposal`` has ``"untuned"``, the hash of its parameters. It
takes part in ranking and results only, since optimizers learn from points.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._content import content_hash
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import is_equivalent, is_identical, is_unlimited

UNTUNED = "untuned"  # the key of the proposal


class UntunedParams(dict[str, Any]):
    """Values that an untuned estimator has of the parameters of a space, some outside of it."""

    @property
    def content(self) -> str:
        """Hash of the names and values."""
        return content_hash(dict(self))

    def are_in(self, trials: Iterable[Trial]) -> bool:
        """Return whether one of the trials has these parameters."""
        content = self.content
        return any(is_untuned(t) and t.proposal[UNTUNED] == content for t in trials)

    def trial(self, number: int) -> Trial:
        """Return a pending trial of these parameters."""
        return Trial(number, (), dict(self), {UNTUNED: self.content})


def is_untuned(trial: Trial) -> bool:
    """Return whether a trial is one of `UntunedParams`, without a point in the space."""
    return not trial.point and UNTUNED in trial.proposal


def inside(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that have a point in the space."""
    return [trial for trial in trials if not is_untuned(trial)]


def points_of(trials: Sequence[Trial], space: Space) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the points of trials, and which of their columns are active.

    Parameters
    ----------
    trials : sequence of Trial
    space : Space

    Returns
    -------
    points : ndarray of shape (n_trials, n_dims)
        The middle of the space for untuned trials.
    is_active : ndarray of bool of shape (n_trials, n_dims)
        False for untuned trials.
    """
    middle = (0.5,) * space.n_dims
    points = np.array([middle if is_untuned(trial) else trial.point for trial in trials])
    points = points.reshape(len(trials), space.n_dims)
    is_active = space.is_active(points)
    is_active[[row for row, trial in enumerate(trials) if is_untuned(trial)]] = False
    return points, is_active


def are_own(params: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Return whether parameters are an estimator's own, or a built-in space's limit for them.

    Parameters
    ----------
    params : mapping of str to object
    own : mapping of str to object
        The estimator's own parameters.
    """
    return all(
        name in own
        and (
            is_equivalent(own[name], value)
            or is_identical(own[name], value)
            or is_unlimited(name, own[name])
        )
        for name, value in thaw(params).items()
    )


def default_configurations(own: Mapping[str, Any], space: Space) -> list[dict[str, Any]]:
    """Return the first configurations of a search: the untuned estimator, moved into the space.

    Parameters
    ----------
    own : mapping of str to object
        The estimator's own parameters.
    space : Space

    Returns
    -------
    configurations : list of dict
        One if the space contains the own parameters. Otherwise they come first, as
        `UntunedParams`, unless the constraint of the space does not allow them. The second one
        has them where the space contains them, and the middle of the range elsewhere.
    """
    moved = space.complete({}, own)
    if are_own(moved, own):
        return [moved]
    names = dict.fromkeys(name for branch in space.branches for name in branch)
    untuned = UntunedParams({name: own[name] for name in names if name in own})
    return [untuned, moved] if _is_allowed(untuned, space) else [moved]


def _is_allowed(untuned: UntunedParams, space: Space) -> bool:
    try:
        return space.allows(untuned)
    except (TypeError, ValueError):  # of values that the constraint does not expect
        return True
