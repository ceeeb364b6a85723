"""Trial: one configuration with its number, status and results."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sklearn_lepton._runtime.errors import error_line
from sklearn_lepton._runtime.output import text_of
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._validation import is_finite
from sklearn_lepton.space._frozen import FrozenDict, deep_thaw, freeze, has_estimator, thaw
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import as_float, shorten_text, value_from_json, value_to_json

STATUSES = ("pending", "complete", "failed", "pruned")
_MAX_SHOWN = 60  # characters of a value in the text of a trial


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration with its number, status and results.

    A trial is immutable and hashable, with its nested dicts, lists, sets and arrays. Other
    objects, such as estimators, are those of the space. ``dict(trial.params)`` is a mutable
    copy of the parameters.

    Parameters
    ----------
    number : int
        Number of the trial in its search, from 0.
    point : tuple of float of length n_dims
        Row of the configuration in the unit cube; empty for an untuned estimator outside of the
        space.
    params : dict
        Configuration, for the estimator's ``set_params``.
    proposal : dict
        Data of the optimizer about the proposal, in JSON values.
    status : {"pending", "complete", "failed", "pruned"}, default="pending"
        State of the trial.
    score : float or None, default=None
        Mean score over the splits, greater is better; None unless complete.
    split_scores : tuple of float
        Score on each split; NaN for a split that was not run.
    split_results : tuple of SplitResult
        Scores, times and error of the fit on each split; false for a split that was not run.
    duration : float, default=0.0
        Total duration of the fits and their scoring, in seconds.
    fidelity : float or None, default=None
        Share of the full resource; None is the full resource.
    estimate : tuple (expected, std) or None, default=None
        Estimated mean score of a pruned trial over all splits.

    Attributes
    ----------
    error : str or None
        Line of the traceback that names the error of a failed trial; None for other trials. The
        traceback of each split is ``split_results[k].error``.
    is_full : bool
        Whether the trial has the full resource; only such a trial can be the best.

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
        """Freeze the containers, and check that status, score and estimate are consistent."""
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
        """Hash number and point, since parameter values may not be hashable."""
        return hash((self.number, self.point))

    def __repr__(self) -> str:
        """Return one line: number, status, score or error, and parameters."""
        values = ", ".join(f"{name!r}: {_brief(value)}" for name, value in self.params.items())
        parts = [f"number={self.number}", f"params={{{values}}}", f"status={self.status!r}"]
        if self.score is not None:
            parts.append(f"score={self.score!r}")
        if not self.is_full:
            parts.append(f"fidelity={self.fidelity!r}")
        if self.error is not None:
            parts.append(f"error={shorten_text(self.error, 4 * _MAX_SHOWN)!r}")
        return f"Trial({', '.join(parts)})"

    def for_callback(self) -> "Trial":
        """Return this trial, with copies of the estimators in its parameters."""
        return replace(self, params=deep_thaw(self.params)) if has_estimator(self.params) else self

    @property
    def is_full(self) -> bool:
        """Whether the trial has the full resource; only such a trial can be the best."""
        return self.fidelity is None or self.fidelity >= 1.0

    @property
    def error(self) -> str | None:
        """The line of the traceback that names the error of a failed trial, or None."""
        if self.status != "failed":
            return None
        errors = [result.error for result in self.split_results if result.error]
        if errors:
            return error_line(errors[0])
        scores = f": {list(self.split_scores)}" if self.split_scores else ""
        return f"The score was not finite{scores}."

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
            Greater is better. A score that is not finite, or too large for a float, makes the
            trial fail.
        split_scores : sequence of float, default=()
            Score on each split.
        split_results : sequence of SplitResult, default=()
            Results of the fits.
        duration : float, default=0.0
            Duration of the evaluation, in seconds.

        Returns
        -------
        trial : Trial

        Raises
        ------
        TypeError
            If a score is not a real number.
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
        """Return this trial as pruned, before all of its splits were run.

        Parameters
        ----------
        estimate : tuple (expected, std) or None
            Estimated mean score over all splits.
        split_scores : sequence of float, default=()
            Score on each split; NaN for a split that was not run.
        split_results : sequence of SplitResult, default=()
            Results of the fits; ``SplitResult()`` for a split that was not run.
        duration : float, default=0.0
            Duration of the evaluation, in seconds.

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

    def as_pending(self) -> "Trial":
        """Return this trial as it was before its evaluation."""
        return Trial(self.number, self.point, self.params, self.proposal, fidelity=self.fidelity)

    def to_json(self) -> dict[str, Any]:
        """Encode the trial in JSON types.

        Returns
        -------
        data : dict
            A parameter value that JSON cannot hold is replaced by a description; `from_json`
            finds the value by the point, if the trial has one.
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
        """Return the trial that `to_json` encoded.

        Parameters
        ----------
        data : dict
        space : Space
            Space of the trial.

        Returns
        -------
        trial : Trial
        """
        values = dict(data)
        has_point = len(data["point"]) == space.n_dims
        params = space.from_point(data["point"]) if has_point else {}
        for name, value in data["params"].items():
            decoded = value_from_json(value)
            # The point determines a choice, but may lose the last bits of a number.
            is_lost = isinstance(decoded, float) and name in params and decoded != params[name]
            if is_lost or not has_point:
                params[name] = decoded
        values["point"], values["params"] = tuple(data["point"]), params
        if data.get("estimate") is not None:
            values["estimate"] = tuple(data["estimate"])
        values["split_scores"] = tuple(map(value_from_json, data["split_scores"]))
        values["split_results"] = tuple(map(SplitResult.from_json, data["split_results"]))
        return cls(**values)


def _brief(value: Any) -> str:
    """Return the text of a parameter's value in one line."""
    return shorten_text(" ".join(text_of(value, repr).split()), _MAX_SHOWN)


def _frozen_dict(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a frozen copy of a mapping of any class."""
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
    """Return the argument if it is a `Trial`; raise `TypeError` otherwise."""
    if not isinstance(given, Trial):
        msg = (
            f"tell takes Trial objects, got {given!r} (of type {type(given).__name__}): tell the "
            "trials that ask returned."
        )
        raise TypeError(msg)
    return given


def check_point(trial: Trial, known: Trial | None, n_dims: int) -> None:
    """Raise `ValueError` if a trial's point is not that of the known trial, or not in the cube."""
    if known is not None and known.point == trial.point:
        return
    if known is None and not trial.point and "untuned" in trial.proposal:
        return
    if known is not None:
        fault = "at another point"
    elif len(trial.point) != n_dims:
        fault = f"of another space, with a point of {len(trial.point)} columns instead of {n_dims}"
    elif not _is_in_cube(trial.point):
        fault = f"at the point {trial.point!r}, which is not inside [0, 1]"
    else:
        return
    msg = (
        f"Trial {trial.number} was told {fault}: tell the trials that ask returned, or give points "
        "of the space's to_point and unused numbers."
    )
    raise ValueError(msg)


def _is_in_cube(point: Sequence[float]) -> bool:
    try:
        return all(0.0 <= unit <= 1.0 for unit in point)
    except TypeError:
        return False
