"""Objectives of searches and of `tune`: checks, the Pareto front, the error of the limits."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_lepton._search.reporting import ReportMixin
from sklearn_lepton._search.selection import Choice
from sklearn_lepton._study.fingerprint import Scoring
from sklearn_lepton._trials.objectives import Objectives
from sklearn_lepton._trials.pareto import admissible, front_hypervolume, pareto_trials
from sklearn_lepton._trials.ranking import is_ensemble, is_one_se, metric_of
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._base import Optimizer


def check_objectives(owner: Any, objectives: Objectives, target: str) -> None:
    """Raise ValueError if parameters of a run cannot be combined with its objectives.

    Parameters
    ----------
    owner : object
        Has the parameters as attributes.
    objectives : Objectives
    target : str
        Name of the parameter that stops at a score or value.
    """
    if not objectives:
        return
    for name in ("resource", "n_iter_no_change", target):
        value = getattr(owner, name, None)
        if value is not None:
            raise ValueError(
                f"objectives cannot be combined with {name}, got {name}={value!r}: set "
                f"{name}=None, or leave out objectives. A callback can stop a run by any rule."
            )


def check_limits(trials: Sequence[Trial], objectives: Objectives) -> None:
    """Raise ValueError if trials are complete, but none is within all limits."""
    if objectives and any(trial.status == "complete" for trial in trials):
        raise ValueError(_explain_limits(trials, objectives))


def _explain_limits(trials: Sequence[Trial], objectives: Objectives) -> str:
    """Return the error message of a run in which no trial is within all limits."""
    complete = [trial for trial in trials if trial.status == "complete"]
    excess = objectives.excesses(complete)
    closest = complete[int(np.argmin(np.nan_to_num(np.maximum(excess, 0), nan=np.inf).sum(axis=1)))]
    lines = [
        f"{limit}, which {int(np.sum(column <= 0))} trials are; the least is {np.nanmin(column):g} "
        "over it"
        if not np.isnan(column).all()
        else f"{limit}, which is not known of any trial"
        for limit, column in zip(objectives.limits, excess.T, strict=True)
    ]
    return (
        f"None of the {len(complete)} complete trials is within all limits: {'; '.join(lines)}. "
        f"Trial {closest.number} is the closest, with {dict(closest.params)!r}. Widen the limits "
        "or the space, or run more trials."
    )


class FrontMixin:
    """The Pareto front of a result with objectives."""

    optimizer_: Optimizer
    if TYPE_CHECKING:

        @property
        def trials_(self) -> list[Trial]: ...

    def _objectives(self) -> Objectives:
        """Return the objectives; raise AttributeError if there are none."""
        objectives = self.optimizer_.run_settings.objectives
        if not objectives:
            raise AttributeError("There is no front without the parameter objectives.")
        return objectives

    @property
    def pareto_trials_(self) -> list[Trial]:
        """Trials within all limits that no other one dominates, best in the first objective first.

        Of trials with equal values the first is taken.
        """
        return pareto_trials(self.trials_, self._objectives())

    @property
    def hypervolume_(self) -> float:
        """Volume that `pareto_trials_` dominate, in the product of the objectives' units.

        It is measured from the ``reference`` of each objective, or from the worst value of the
        complete trials. It grows with a better or a wider front.
        """
        return front_hypervolume(self.trials_, self._objectives())


class ObjectivesMixin(FrontMixin, ReportMixin):
    """The objectives of a search: checks, the choice of the best trial, columns of the table."""

    objectives: Any
    scoring: Any
    refit: Any
    racing: Any
    final_cv: Any
    return_train_score: Any

    def _scores(self) -> Scoring:
        """Return how trials are scored."""
        described = Objectives.read(self.objectives).describe()
        metric = metric_of(self.refit)
        return Scoring(self.scoring, metric, self.return_train_score, described)

    def _check_objectives(self) -> None:
        """Raise ValueError if the objectives are unknown, or cannot be combined with the rest."""
        objectives = Objectives.read(self.objectives)
        check_objectives(self, objectives, "target_score")
        if not objectives:
            return
        refused = [
            ("refit", is_one_se(self.refit) or is_ensemble(self.refit)),
            ("final_cv", self.final_cv is not None),
        ]
        refused += [("racing", not isinstance(self.racing, str) and bool(self.racing))]
        # Outputs are kept of the trials with the best scores, and the knee need not be one.
        outputs = ("return_predictions", "return_estimators")
        refused += [(name, bool(getattr(self, name))) for name in outputs]
        for name, is_set in refused:
            if is_set:
                raise ValueError(
                    f"objectives cannot be combined with {name}={getattr(self, name)!r}: leave "
                    "out one of the two."
                )
        if not callable(self.scoring):
            is_single = self.scoring is None or isinstance(self.scoring, str)
            objectives.check_names(() if is_single else list(self.scoring))

    def _check_metrics(self, scores: Mapping[str, Any]) -> None:
        """Raise ValueError if the metrics of a fit lack one of ``refit`` or objectives."""
        super()._check_metrics(scores)  # type: ignore[misc]
        Objectives.read(self.objectives).check_names(list(scores))

    def _further_columns(self) -> dict[str, Any]:
        """Return a column of ``cv_results_`` for the front, and one for the limits."""
        objectives = Objectives.read(self.objectives)
        columns = {
            "is_within_limits": (bool(objectives.limits), admissible),
            "is_on_front": (objectives.are_several, pareto_trials),
        }
        results = {}
        for name, (is_shown, select) in columns.items():
            if is_shown:
                numbers = {trial.number for trial in select(self.trials_, objectives)}
                results[name] = np.array([trial.number in numbers for trial in self.trials_])
        return results

    def _best_of_front(self) -> Choice | None:
        """Return the knee, or the best trial in the metric of ``refit``; None to leave it."""
        objectives = Objectives.read(self.objectives)
        if not objectives or callable(self.refit):
            return None
        metric, best = metric_of(self.refit), self.optimizer_.best
        if metric is not None:
            several = objectives.are_several
            allowed = (pareto_trials if several else admissible)(self.trials_, objectives)
            best = max(allowed, key=lambda t: (objectives.value(t, metric), -t.number))
        return None if best is None else Choice(self.trials_.index(best), None)
