"""Update of a fitted search: score its best configurations on new data, and search on demand."""

import copy
import inspect
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._search.inputs import trial_limit
from sklearn_lepton._study.study import Study
from sklearn_lepton._trials.statistics import standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import is_whole
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._values import count_rows

_N_RESCORED = 3
_MIN_STUDY = 5  # scored trials of a source study; fewer are too few to learn from
_MAX_STUDIES = 5


class Update:
    """One update of a search: score its best configurations again, and search if they fail.

    The configurations hold if the best one scores as before on the new data and no other one
    scores higher than it. Both differences must exceed a standard error to count.

    Parameters
    ----------
    trials : sequence of Trial
        The earlier trials, at least one of them complete.
    best : Trial
        The earlier choice.
    ratio : float or None
        The `split_ratio` of the earlier splits.
    source_studies : sequence of sequence of Trial
        The source studies of the earlier search.
    n_more : int or inf
        Number of further trials if the configurations do not hold.
    partial : bool, default=False
        Whether the earlier choice stays the best one if they hold.

    Attributes
    ----------
    partial : bool
    source_studies : list of sequence of Trial
        The source studies of the search on the new data.
    configurations : list of dict
        The configurations to score again, the best first.
    holds : bool or None
        Whether they hold; None before they are scored.
    reason : str
        The reason for the decision.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        best: Trial,
        *,
        ratio: float | None,
        source_studies: Sequence[Sequence[Trial]],
        n_more: float,
        partial: bool = False,
    ) -> None:
        scored = (t for t in trials if t.score is not None and t.is_full)
        ranked = sorted(scored, key=lambda t: -(t.score or 0.0))
        others = [trial for trial in ranked if trial.point != best.point]
        self._earlier = [best, *others][:_N_RESCORED]
        self._earlier_ratio = ratio
        self.configurations = [thaw(trial.params) for trial in self._earlier]
        self.holds: bool | None = None
        self.reason = "The search ended before the best configurations had been scored again."
        studies = [*source_studies, *([trials] if len(ranked) >= _MIN_STUDY else [])]
        self.source_studies = studies[-_MAX_STUDIES:]
        self._n_more = n_more
        self.partial = partial

    def follow(self, study: Study, ratio: float | None) -> None:
        """Extend the budget of a study if its first trials show that the configurations fail.

        Parameters
        ----------
        study : Study
        ratio : float or None
            The `split_ratio` of its splits.
        """
        if self.holds is not None:
            return
        first = study.optimizer.trials[: len(self.configurations)]
        if len(first) < len(self.configurations) or any(t.status == "pending" for t in first):
            return
        self.holds, self.reason = compare(self._earlier, first, (self._earlier_ratio, ratio))
        if not self.holds:
            study.extend_budget(self._n_more)

    def report(self, trials: Sequence[Trial], best: Trial, ratio: float | None) -> dict[str, Any]:
        """Return the decision and its cost.

        Parameters
        ----------
        trials : sequence of Trial
            The trials on the new data.
        best : Trial
            The choice among them.
        ratio : float or None
            The `split_ratio` of the splits of the new data.

        Returns
        -------
        report : dict
            In JSON types, except the values of ``best_params``.
        """
        rescored = trials[0] if trials else best
        return {
            "score_before": self._earlier[0].score,
            "std_error_before": standard_error(self._earlier[0].split_scores, self._earlier_ratio),
            "score_after": rescored.score,
            "std_error_after": standard_error(rescored.split_scores, ratio),
            "held": bool(self.holds),
            "reason": self.reason,
            "n_trials": len(trials),
            "best_score": best.score,
            "best_params": thaw(best.params),
        }


@ignore_float_errors
def compare(
    earlier: Sequence[Trial],
    rescored: Sequence[Trial],
    ratios: tuple[float | None, float | None],
) -> tuple[bool, str]:
    """Return whether configurations hold on new data, and the reason.

    Parameters
    ----------
    earlier : sequence of Trial
        The earlier choice and its rivals, on the earlier data.
    rescored : sequence of Trial
        The same configurations on the new data.
    ratios : tuple of two float or None
        The `split_ratio` of the earlier splits and of the splits of the new data.

    Returns
    -------
    holds : bool
    reason : str
    """
    (chosen, *rivals), (best, *others) = earlier, rescored
    if best.score is None or chosen.score is None:
        return False, "The best configuration failed on the new data."
    drop = chosen.score - best.score
    pairs = zip((chosen, best), ratios, strict=True)
    error = math.hypot(*(standard_error(trial.split_scores, ratio) for trial, ratio in pairs))
    if drop > error:
        return False, (
            f"The best configuration scores {drop:.3g} less; the standard error is {error:.3g}."
        )
    for rival, other in zip(rivals, others, strict=True):
        if other.score is None:
            continue
        # A rival scored higher before if the choice was not made by the score alone.
        lead = max(0.0, np.subtract(rival.split_scores, chosen.split_scores).mean())
        gains = np.subtract(other.split_scores, best.split_scores)
        error = standard_error(gains.tolist(), ratios[1])
        if gains.mean() - lead > error:
            return False, (
                f"Another configuration scores {gains.mean():.3g} more than the best one; the "
                f"standard error is {error:.3g}."
            )
    return True, "The best configuration scores as before, and no other one scores higher."


def _for_partial_fit(learner: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters for `partial_fit`: all that were passed, except ``groups``."""
    own = {name: value for name, value in params.items() if name != "groups" and value is not None}
    takes = inspect.signature(learner.partial_fit).parameters.values()
    for name in own:
        if not any(p.name == name or p.kind is p.VAR_KEYWORD for p in takes):
            raise ValueError(
                f"partial=True passes {name} to partial_fit, but that of {learner!r} does not take "
                f"it: leave {name} out, or set partial=False to fit the estimator again."
            )
    return own


class UpdateMixin:
    """The `update` of a search."""

    estimator: Any
    refit: Any
    objectives: Any
    n_iter: int | Literal["auto"]
    max_time: float | None
    journal: Any
    trials_: list[Trial]
    best_index_: int
    get_params: Any
    _plain_params: Any
    _studies: list[list[Trial]]
    _split_layout: Any

    def _n_more(self) -> float:
        """Return the default number of further trials."""
        limit = trial_limit(self.n_iter, self.max_time)
        return max(1, limit // 3) if math.isfinite(limit) else limit

    def update(
        self,
        X: Any,
        y: Any = None,
        *,
        n_iter: int | None = None,
        partial: bool = False,
        **params: Any,
    ) -> Any:
        """Update a fitted search to new data.

        The search scores its best configurations, three at most, on the new data. If they hold,
        it refits the best one. Otherwise it runs further trials, and learns from the earlier
        ones as a source study.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data to fit the estimator on. They may include the earlier data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            The target.
        n_iter : int or None, default=None
            Number of further trials, at least 0, if the best configurations do not hold.
            None is a third of the search's number of trials, without a limit where `max_time`
            is the only limit of the search.
        partial : bool, default=False
            Whether the best estimator learns by ``partial_fit`` instead of a refit, if the
            configurations hold. `X` and `y` should then be the new data only.
        **params : dict
            Passed to `fit`, and to ``partial_fit`` except ``groups``.

        Returns
        -------
        self : search
            Fitted to the new data, with ``trials_``, ``cv_results_`` and the best trial of
            the new data only. ``updates_`` gains a dict with ``n_samples``, ``held``,
            ``reason``, ``n_trials``, ``best_score`` and ``best_params``. ``score_before`` and
            ``score_after`` are the scores of the earlier best configuration;
            ``std_error_before`` and ``std_error_after`` are the standard errors of these means.

        Raises
        ------
        NotFittedError
            If there was no `fit`, or it chose no best configuration.
        ValueError
            If a parameter is out of range, or the estimator has no ``partial_fit`` that takes
            the passed parameters.

        Notes
        -----
        If `fit` raises, the search does not change. With `journal` each update has its own
        journal next to it: ``study.update1.jsonl`` and so on.
        """
        check_is_fitted(self, "best_index_")
        if self.objectives is not None:
            raise ValueError(
                "update compares one score of the best configurations, and cannot be combined with "
                f"objectives={self.objectives!r}: fit a new search, with initial_params."
            )
        if n_iter is not None and not (is_whole(n_iter) and n_iter >= 0):
            raise ValueError(f"n_iter must be None or an integer of at least 0, got {n_iter!r}.")
        learner = getattr(self, "best_estimator_", None)
        if partial and not hasattr(learner, "partial_fit"):
            raise ValueError(
                "partial=True needs a refitted estimator that has partial_fit, which "
                f"{self.estimator!r} with refit={self.refit!r} does not give: set "
                "partial=False to fit it again."
            )
        fit_params = _for_partial_fit(learner, params) if partial else {}
        earlier = getattr(self, "updates_", [])
        update = Update(
            self.trials_,
            self.trials_[self.best_index_],
            ratio=self._split_layout.ratio,
            source_studies=self._studies,
            n_more=self._n_more() if n_iter is None else n_iter,
            partial=partial,
        )
        own_params = self.get_params(deep=False)
        probe: Any = copy.copy(self)
        probe.set_params(
            n_iter=len(update.configurations),
            warm_start=False,
            initial_params=update.configurations,
        )
        if self.journal is not None:
            path = Path(self.journal)
            probe.journal = path.with_name(f"{path.stem}.update{len(earlier) + 1}{path.suffix}")
        probe._update = update  # noqa: SLF001
        probe.fit(X, y, **params)
        if partial and update.holds:
            start = time.perf_counter()
            probe.best_estimator_ = learner.partial_fit(X, y, **fit_params)  # type: ignore[union-attr]
            probe.refit_time_ = time.perf_counter() - start
            probe.best_index_ = 0
            probe.best_params_ = self._plain_params(thaw(probe.cv_results_["params"][0]))
            probe.best_score_ = probe.trials_[0].score
        report = update.report(
            probe.trials_,
            probe.trials_[probe.best_index_],
            probe._split_layout.ratio,  # noqa: SLF001
        )
        report["best_params"] = self._plain_params(report["best_params"])
        probe.updates_ = [*earlier, {"n_samples": count_rows(X), **report}]
        self.__dict__ = vars(probe) | own_params
        return self
