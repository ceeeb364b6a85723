"""Update: whether the best settings of before still hold when new data have come."""

import copy
import inspect
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._study.study import Study
from sklearn_lepton._trials.statistics import standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import is_whole
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._values import count_rows

_N_RESCORED = 3
_MIN_STUDY = 5  # scored trials; fewer teach nothing
_MAX_STUDIES = 5


class Update:
    """Conduct one update of a search: score the best anew, and search on if they do not hold.

    The settings hold if, on the new data, the best one scores no worse than before and none
    of the others overtakes it, each by more than a standard error.

    Parameters
    ----------
    trials : sequence of Trial
        Those of before, of which one at least is complete.
    best : Trial
        The one that was chosen.
    ratio : float or None
        The `split_ratio` of the splits of before.
    studies : sequence of sequence of Trial
        What that search had learned from.
    n_more : int
        How many trials may be spent if the settings do not hold.

    Attributes
    ----------
    studies : list of sequence of Trial
        What the search may learn from now.
    settings : list of dict
        What is scored anew, the best first.
    holds : bool or None
        Whether they hold; None before it is known.
    reason : str
        Why.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        best: Trial,
        *,
        ratio: float | None,
        studies: Sequence[Sequence[Trial]],
        n_more: int,
    ) -> None:
        scored = (t for t in trials if t.score is not None and t.is_full)
        ranked = sorted(scored, key=lambda t: -(t.score or 0.0))
        others = [trial for trial in ranked if trial.point != best.point]
        self._before = [best, *others][:_N_RESCORED]
        self._ratio_before = ratio
        self.settings = [thaw(trial.params) for trial in self._before]
        self.holds: bool | None = None
        self.reason = "The search ended before the best settings had been scored anew."
        self.studies = [*studies, *([trials] if len(ranked) >= _MIN_STUDY else [])]
        self.studies = self.studies[-_MAX_STUDIES:]
        self._n_more = n_more

    def follow(self, study: Study, ratio: float | None) -> None:
        """Let a study go on where its first trials show that the settings do not hold.

        Parameters
        ----------
        study : Study
        ratio : float or None
            The `split_ratio` of its splits.
        """
        if self.holds is not None:
            return
        first = study.optimizer.trials[: len(self.settings)]
        if len(first) < len(self.settings) or any(t.status == "pending" for t in first):
            return
        self.holds, self.reason = compare(self._before, first, (self._ratio_before, ratio))
        if not self.holds:
            study.extend(self._n_more)

    def report(self, trials: Sequence[Trial], best: Trial, ratio: float | None) -> dict[str, Any]:
        """Say what was decided and what it cost.

        Parameters
        ----------
        trials : sequence of Trial
            All trials on the new data.
        best : Trial
            The one chosen among them.
        ratio : float or None
            The `split_ratio` of the splits of the new data.

        Returns
        -------
        report : dict
            In JSON types but for the values of ``best_params``.
        """
        again = trials[0] if trials else best
        return {
            "score_before": self._before[0].score,
            "std_error_before": standard_error(self._before[0].split_scores, self._ratio_before),
            "score_after": again.score,
            "std_error_after": standard_error(again.split_scores, ratio),
            "held": bool(self.holds),
            "reason": self.reason,
            "n_trials": len(trials),
            "best_score": best.score,
            "best_params": thaw(best.params),
        }


@ignore_float_errors
def compare(
    before: Sequence[Trial],
    rescored: Sequence[Trial],
    ratios: tuple[float | None, float | None],
) -> tuple[bool, str]:
    """Say whether settings hold on new data, and why.

    Parameters
    ----------
    before : sequence of Trial
        The one that was chosen, then others, on the data of before.
    rescored : sequence of Trial
        The same settings on the new data.
    ratios : tuple of two float or None
        The `split_ratio` of the splits of before and of those of the new data.

    Returns
    -------
    holds : bool
    reason : str
    """
    (chosen, *rivals), (best, *others) = before, rescored
    if best.score is None or chosen.score is None:
        return False, "The best setting failed on the new data."
    drop = chosen.score - best.score
    pairs = zip((chosen, best), ratios, strict=True)
    error = math.hypot(*(standard_error(trial.split_scores, ratio) for trial, ratio in pairs))
    if drop > error:
        return False, f"The best setting scores {drop:.3g} less; the standard error is {error:.3g}."
    for rival, other in zip(rivals, others, strict=True):
        if other.score is None:
            continue
        # It was ahead already where something else than the score chose.
        lead = max(0.0, np.subtract(rival.split_scores, chosen.split_scores).mean())
        gains = np.subtract(other.split_scores, best.split_scores)
        error = standard_error(gains.tolist(), ratios[1])
        if gains.mean() - lead > error:
            return False, (
                f"Another setting scores {gains.mean():.3g} more than the best one; the standard "
                f"error is {error:.3g}."
            )
    return True, "The best setting scores as before, and the others do not overtake it."


def _for_partial_fit(learner: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `partial_fit` is to get of what was passed; groups are for the splits."""
    own = {name: value for name, value in params.items() if name != "groups" and value is not None}
    takes = inspect.signature(learner.partial_fit).parameters.values()
    for name in own:
        if not any(p.name == name or p.kind is p.VAR_KEYWORD for p in takes):
            raise ValueError(
                f"partial=True passes {name} to partial_fit, but that of {learner!r} does not take "
                f"it: leave {name} out, or set partial=False to have the estimator fitted anew."
            )
    return own


class UpdateMixin:
    """The `update` of a search."""

    def update(
        self,
        X: Any,
        y: Any = None,
        *,
        n_iter: int | None = None,
        partial: bool = False,
        **params: Any,
    ) -> Any:
        """Keep a fitted search up with its data.

        The best settings of before, three at most, are scored anew on the data as they
        are now. If they hold, the best one is refitted and that is all. If they do not,
        the search goes on, with all that was found before as prior.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data as they are now, those of before included or not: what the estimator
            is to be fitted on.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            The target.
        n_iter : int or None, default=None
            How many trials, at least 0, may be spent in addition if the best settings do
            not hold; None is a third of the search's own `n_iter`.
        partial : bool, default=False
            Whether, if the settings hold, the best estimator learns on by its
            ``partial_fit`` on `X` and `y`, which are then the new data only, instead of
            being fitted anew.
        **params : dict
            Passed to `fit`, and but for ``groups`` to ``partial_fit``.

        Returns
        -------
        self : search
            Fitted to the new data: ``trials_``, ``cv_results_`` and what is chosen are of
            these alone. ``updates_`` has a dict more: ``n_samples``, ``held``, ``reason``,
            ``n_trials`` that it took, ``score_before`` and ``score_after`` of the setting
            that was the best, each with the standard error of the mean over the splits,
            ``best_score`` and ``best_params``.

        Raises
        ------
        NotFittedError
            If there was no `fit`, or it chose no best setting.
        ValueError
            If a parameter is out of range, or the estimator has no ``partial_fit``, or none that
            takes what is passed.

        Notes
        -----
        Where `fit` raises, the search stays as it was. With `journal` each update has a
        journal of its own beside it: ``study.update1.jsonl`` and so on.
        """
        check_is_fitted(self, "best_index_")
        search: Any = self
        if n_iter is not None and not (is_whole(n_iter) and n_iter >= 0):
            raise ValueError(f"n_iter must be None or an integer of at least 0, got {n_iter!r}.")
        learner = getattr(search, "best_estimator_", None)
        if partial and not hasattr(learner, "partial_fit"):
            raise ValueError(
                "partial=True needs a refitted estimator that has partial_fit, which "
                f"{search.estimator!r} with refit={search.refit!r} does not give: set "
                "partial=False to have it fitted anew."
            )
        more = _for_partial_fit(learner, params) if partial else {}
        earlier = getattr(search, "updates_", [])
        update = Update(
            search.trials_,
            search.trials_[search.best_index_],
            ratio=search._split_layout.ratio,  # noqa: SLF001
            studies=search._studies,  # noqa: SLF001
            n_more=max(1, search.n_iter // 3) if n_iter is None else n_iter,
        )
        own = search.get_params(deep=False)
        probe = copy.copy(search).set_params(
            n_iter=len(update.settings), warm_start=False, initial_params=update.settings
        )
        if search.journal is not None:
            path = Path(search.journal)
            probe.journal = path.with_name(f"{path.stem}.update{len(earlier) + 1}{path.suffix}")
        probe._update = update  # noqa: SLF001
        probe.fit(X, y, **params)
        if partial and update.holds:
            start = time.perf_counter()
            probe.best_estimator_ = learner.partial_fit(X, y, **more)  # type: ignore[union-attr]
            probe.refit_time_ = time.perf_counter() - start
            probe.best_index_ = 0
            probe.best_params_ = thaw(probe.cv_results_["params"][0])
            probe.best_score_ = probe.trials_[0].score
        report = update.report(
            probe.trials_,
            probe.trials_[probe.best_index_],
            probe._split_layout.ratio,  # noqa: SLF001
        )
        probe.updates_ = [*earlier, {"n_samples": count_rows(X), **report}]
        self.__dict__ = vars(probe) | own
        return self
