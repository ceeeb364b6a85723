"""The result of `tune`: its trials and the best one."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_lepton._search.function_calls import flipped
from sklearn_lepton._search.objectives import FrontMixin
from sklearn_lepton._search.reporting import ReportMixin
from sklearn_lepton._trials.frame import trials_as_frame
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space


class TuneResult(FrontMixin, ReportMixin):
    """The result of `tune`, which callbacks see while it grows.

    Attributes have the same names as those of a fitted search, so that displays, the report and
    `parameter_importance` take a result as well.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer that proposes the trials, and holds them.
    minimize : bool
        Whether small values are better.

    Attributes
    ----------
    trials_ : list of Trial
        The finished trials, in the order of their numbers. Their ``score`` is greater-is-better:
        with ``minimize=True`` the function's value times -1.
    best_index_ : int or None
        Index of the best trial in ``trials_``, the earliest of equal ones. This and the next
        three attributes are None until a trial is complete.
    best_params_ : dict or None
        Parameters of the best trial.
    best_score_ : float or None
        Score of the best trial.
    best_value_ : float or None
        Value of the function in the best trial.
    pareto_trials_ : list of Trial
        With ``objectives``: the trials within all limits that no other one dominates, by the first
        objective, best first.
    hypervolume_ : float
        With ``objectives``: the volume that they dominate above the reference point.
    space_ : Space
        The search space.
    optimizer_ : Optimizer
        The optimizer that proposed the trials.
    stop_reason_ : str or None
        Why the run ended: "n_iter", "exhausted", "max_time", "n_iter_no_change",
        "target_value", "callback" or "interrupted"; None while it runs.
    random_state : int, RandomState or None
        The parameter of `tune`.

    Examples
    --------
    >>> from sklearn_lepton import tune
    >>> result = tune(
    ...     lambda params: (params["x"] - 1) ** 2, {"x": [0, 1, 2]}, n_iter=3, minimize=True
    ... )
    >>> result.best_params_, result.best_value_, result.stop_reason_
    ({'x': 1}, 0.0, 'n_iter')
    """

    stop_reason_: str | None = None
    random_state: Any = None

    def __init__(self, optimizer: Optimizer, *, minimize: bool) -> None:
        self.optimizer_ = optimizer
        self.minimize = minimize

    @property
    def space_(self) -> Space:
        """The search space."""
        return self.optimizer_.space

    @property
    def trials_(self) -> list[Trial]:
        """The finished trials."""
        return [trial for trial in self.optimizer_.trials if trial.status != "pending"]

    @property
    def best_index_(self) -> int | None:
        """Index of the best trial."""
        best = self.optimizer_.best
        return None if best is None else self.trials_.index(best)

    @property
    def best_params_(self) -> dict[str, Any] | None:
        """Parameters of the best trial."""
        best = self.optimizer_.best
        return None if best is None else thaw(best.params)

    @property
    def best_score_(self) -> float | None:
        """Score of the best trial, greater is better."""
        best = self.optimizer_.best
        return None if best is None else best.score

    @property
    def best_value_(self) -> float | None:
        """Value of the function in the best trial."""
        score = self.best_score_
        return None if score is None else flipped(score, self.minimize)

    def to_frame(self) -> Any:
        """Return the trials as a DataFrame; needs pandas.

        Returns
        -------
        frame : DataFrame
            One row for each trial, with its number as index, and the columns ``status``,
            ``score``, ``value`` of the function, ``duration``, ``fidelity`` if there is a
            resource, ``param_<name>`` for each parameter, NaN where it is not active,
            ``value_<metric>`` if the function returns several, ``start_time`` in seconds since the
            epoch, and ``error``, the line that names the error of a failed call.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        trials = self.trials_
        frame = trials_as_frame(trials)
        values = [np.nan if t.score is None else flipped(t.score, self.minimize) for t in trials]
        frame.insert(frame.columns.get_loc("score") + 1, "value", values)
        for name, numbers in self._metrics(trials).items():
            frame.insert(frame.columns.get_loc("start_time"), f"value_{name}", numbers)
        return frame.drop(
            columns=["split0_score", "mean_fit_time", "mean_score_time"], errors="ignore"
        )

    def _metrics(self, trials: Sequence[Trial]) -> dict[str, list[float]]:
        """Return the values of each of several metrics, NaN in failed trials."""
        scores = [trial.split_results[0].scores for trial in trials]
        known = [each if isinstance(each, Mapping) else {} for each in scores]
        return {
            name: [flipped(each.get(name, np.nan), self.minimize) for each in known]
            for name in dict.fromkeys(name for each in known for name in each)
        }

    def __repr__(self) -> str:
        """Return the best trial and the stop reason as text."""
        return (
            f"TuneResult(best_value_={self.best_value_!r}, best_params_={self.best_params_!r}, "
            f"n_trials={len(self.trials_)}, stop_reason_={self.stop_reason_!r})"
        )
