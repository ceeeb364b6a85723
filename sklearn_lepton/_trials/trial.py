"""Trial: the one record that optimizers, evaluators and searches pass around."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._validation import is_finite
from sklearn_lepton.space._frozen import FrozenDict, deep_thaw, freeze, has_estimator, thaw
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import as_float, value_from_json, value_to_json

STATUSES = ("pending", "complete", "failed", "pruned")


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting of the parameters, with what became of it.

    Nothing in it can be changed, nested dicts, lists, sets and arrays included; only other
    objects, such as estimators, are those of the space. A trial can be hashed, and
    ``dict(trial.params)`` is a dict to change.

    Parameters
    ----------
    number : int
        Counts the trials of a search from 0.
    point : tuple of float of length n_dims
        The setting's place in the unit cube.
    params : dict
        The setting, for the estimator's ``set_params``.
    proposal : dict
        What the optimizer remembers of the proposal, in JSON values.
    status : {"pending", "complete", "failed", "pruned"}, default="pending"
        What became of it.
    score : float or None, default=None
        Mean score over the splits, greater is better; None unless complete.
    split_scores : tuple of float
        Score on each split; NaN where it was not run.
    split_results : tuple of SplitResult
        Scores, times and error of the fit on each split; false for a split that was not run.
    duration : float, default=0.0
        Time that the fits and the scoring took together, in seconds.
    fidelity : float or None, default=None
        Share of the full fidelity; None is all.
    estimate : tuple (expected, std) or None, default=None
        Of a pruned trial, what its mean score over all splits would be.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import Trial
    >>> trial = Trial(number=0, point=(0.5,), params={"x": 0.0})
    >>> trial.complete(0.9).status, trial.status
    ('complete', 'pending')
    """

    number: int
    point: tuple[float, ...]
    params: Mapping[str, Any]
    proposal: Mapping[str, Any] = field(default_factory=dict)
    status: str = "pending"
    score: float | None = None
    split_scores: tuple[float, ...] = ()
    split_results: tuple[SplitResult, ...] = ()
    duration: float = 0.0
    fidelity: float | None = None
    estimate: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Freeze the containers; refuse a status that no optimizer would know what to do with."""
        for name in ("params", "proposal"):
            object.__setattr__(self, name, _frozen_dict(getattr(self, name)))
        for name in ("point", "split_scores", "estimate"):
            object.__setattr__(self, name, freeze(getattr(self, name)))
        object.__setattr__(self, "split_results", _checked_results(self.split_results))
        if self.status not in STATUSES:
            msg = f"status must be one of {STATUSES}, got {self.status!r}."
            raise ValueError(msg)
        has_score = self.score is not None and is_finite(self.score)
        if (self.status == "complete") != has_score or (self.score is not None) != has_score:
            msg = f"a trial has a finite score if and only if it is complete, got {self!r}."
            raise ValueError(msg)
        if self.estimate is not None and (
            self.status != "pruned"
            or not all(map(is_finite, self.estimate))
            or self.estimate[1] < 0
        ):
            msg = f"only a pruned trial has an estimate, finite with a std >= 0, got {self!r}."
            raise ValueError(msg)

    def __hash__(self) -> int:
        """Hash what never changes: parameter values may be of any type."""
        return hash((self.number, self.point))

    def for_callback(self) -> "Trial":
        """Return this trial, with copies of the estimators in its parameters."""
        return replace(self, params=deep_thaw(self.params)) if has_estimator(self.params) else self

    @property
    def is_full(self) -> bool:
        """Whether it has the full resource, so that it can be the best."""
        return self.fidelity is None or self.fidelity >= 1.0

    def complete(
        self,
        score: float,
        *,
        split_scores: Sequence[float] = (),
        split_results: Sequence[SplitResult] = (),
        duration: float = 0.0,
    ) -> "Trial":
        """Return this trial with its score.

        Parameters
        ----------
        score : float
            Greater is better. A score that is not finite, or no float can hold, makes the trial
            fail.
        split_scores : sequence of float, default=()
            Score on each split.
        split_results : sequence of SplitResult, default=()
            Results of the fits.
        duration : float, default=0.0
            Time that the evaluation took.

        Returns
        -------
        trial : Trial

        Raises
        ------
        TypeError
            If a score is no real number.
        """
        score = as_float(score)
        is_finite = math.isfinite(score)
        return replace(
            self,
            status="complete" if is_finite else "failed",
            score=score if is_finite else None,
            split_scores=tuple(map(as_float, split_scores)),
            split_results=tuple(split_results),
            duration=duration,
        )

    def fail(
        self,
        *,
        split_scores: Sequence[float] = (),
        split_results: Sequence[SplitResult] = (),
        duration: float = 0.0,
    ) -> "Trial":
        """Return this trial as failed; the parameters are those of `complete`."""
        return self.complete(
            math.nan, split_scores=split_scores, split_results=split_results, duration=duration
        )

    def prune(
        self,
        estimate: tuple[float, float] | None,
        *,
        split_scores: Sequence[float] = (),
        split_results: Sequence[SplitResult] = (),
        duration: float = 0.0,
    ) -> "Trial":
        """Return this trial as ended before all of its splits were run.

        Parameters
        ----------
        estimate : tuple (expected, std) or None
            Of what the mean score over all splits would be.
        split_scores : sequence of float, default=()
            Score on each split, NaN where it was not run.
        split_results : sequence of SplitResult, default=()
            Results of the fits; ``SplitResult()`` for a split that was not run.
        duration : float, default=0.0
            Time that the evaluation took.

        Returns
        -------
        trial : Trial
        """
        return replace(
            self,
            status="pruned",
            score=None,
            split_scores=tuple(map(as_float, split_scores)),
            split_results=tuple(split_results),
            duration=duration,
            estimate=estimate,
        )

    def to_json(self) -> dict[str, Any]:
        """Encode the trial in JSON types.

        Returns
        -------
        data : dict
            Parameter values that JSON cannot hold are described in words; the point
            tells which ones they were.
        """
        data = {name: getattr(self, name) for name in self.__slots__}
        data["score"] = value_to_json(self.score)
        data["point"], data["proposal"] = list(self.point), thaw(self.proposal)
        data["estimate"] = None if self.estimate is None else list(self.estimate)
        data["params"] = {name: value_to_json(value) for name, value in thaw(self.params).items()}
        data["split_scores"] = list(map(value_to_json, self.split_scores))
        data["split_results"] = [result.to_json() for result in self.split_results]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any], space: Space) -> "Trial":
        """Decode what `to_json` encoded.

        Parameters
        ----------
        data : dict
        space : Space
            The space that the trial was asked from.

        Returns
        -------
        trial : Trial
        """
        values = dict(data)
        params = space.from_point(data["point"])
        for name, value in data["params"].items():
            decoded = value_from_json(value)
            # The point tells a choice; of a number its last bits may be lost there.
            if isinstance(decoded, float) and name in params and decoded != params[name]:
                params[name] = decoded
        values["point"], values["params"] = tuple(data["point"]), params
        if data.get("estimate") is not None:
            values["estimate"] = tuple(data["estimate"])
        values["split_scores"] = tuple(map(value_from_json, data["split_scores"]))
        values["split_results"] = tuple(map(SplitResult.from_json, data["split_results"]))
        return cls(**values)


def _frozen_dict(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Freeze a mapping of whatever class."""
    frozen: Mapping[str, Any] = given if type(given) is FrozenDict else freeze(dict(given))
    return frozen


def _checked_results(given: Sequence[SplitResult]) -> tuple[SplitResult, ...]:
    """Return the results of splits as a tuple; raise if one is of another class."""
    results = tuple(given)
    for result in results:
        if not isinstance(result, SplitResult):
            raise TypeError(
                f"split_results must hold SplitResult objects, got {result!r} (of type "
                f"{type(result).__name__}): give SplitResult(scores=..., fit_time=...)."
            )
    return results


def check_trial(given: Any) -> Trial:
    """Return a trial; refuse what is none."""
    if not isinstance(given, Trial):
        msg = (
            f"{given!r} (of type {type(given).__name__}) is no Trial: tell those that ask returned."
        )
        raise TypeError(msg)
    return given


def check_point(trial: Trial, known: Trial | None, n_dims: int) -> None:
    """Refuse a trial at another point than the one known, or at none of a space's unit cube."""
    if known is not None and known.point == trial.point:
        return
    if known is not None:
        what = "at another point"
    elif len(trial.point) != n_dims:
        what = f"of another space, with a point of {len(trial.point)} columns instead of {n_dims}"
    elif not _is_in_cube(trial.point):
        what = f"at the point {trial.point!r}, whose numbers do not all lie in [0, 1]"
    else:
        return
    msg = (
        f"Trial {trial.number} was told {what}: tell the trials that ask returned, or give points "
        "of the space's to_point and your own numbers that are not taken."
    )
    raise ValueError(msg)


def _is_in_cube(point: Sequence[float]) -> bool:
    try:
        return all(0.0 <= unit <= 1.0 for unit in point)
    except TypeError:
        return False
