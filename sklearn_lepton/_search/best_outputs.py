"""Predictions and estimators of the best trial's splits, for ``return_predictions``."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_lepton._evaluation.evaluator import EvaluationOptions, SplitEvaluator
from sklearn_lepton._evaluation.fit_outputs import METHODS, FitOutput, Prediction, can_predict
from sklearn_lepton._evaluation.fits import Fits
from sklearn_lepton._evaluation.out_of_fold import combine
from sklearn_lepton._evaluation.output_store import OutputStore
from sklearn_lepton._evaluation.resource import Resource
from sklearn_lepton._evaluation.sklearn import FitContext
from sklearn_lepton._evaluation.splits import FrozenSplits
from sklearn_lepton._runtime.deferred_errors import DeferredErrors
from sklearn_lepton._runtime.errors import describe_error
from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._runtime.output import warn
from sklearn_lepton._search.ensemble import (
    MAX_CANDIDATES,
    Ensemble,
    check_ensemble,
    choose_ensemble,
)
from sklearn_lepton._search.final_choice import MAX_FINALISTS
from sklearn_lepton._search.selection import Choice
from sklearn_lepton._search.update import Update
from sklearn_lepton._study.study import Study
from sklearn_lepton._trials.ranking import candidates, is_ensemble, is_one_se
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitAid, Workers
from sklearn_lepton.exceptions import PredictionsWarning
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import count_rows

PREDICTIONS, ESTIMATORS = "best_predictions_", "best_split_estimators_"


@dataclass(frozen=True)
class OutputOptions:
    """The parameters of a search that decide which outputs of fits are kept.

    Attributes
    ----------
    predictions, estimators : bool
        ``return_predictions`` and ``return_estimators``.
    refit, final_cv, scoring, error_score : object
        As for the searches.
    fit_timeout : float, "auto" or None
    n_first : int, default=0
        Number of first trials that may be chosen whatever their scores.
    """

    predictions: bool
    estimators: bool
    refit: Any
    final_cv: Any
    scoring: Any
    error_score: Any
    fit_timeout: Any
    n_first: int = 0

    def check(self, estimator: Any, space: Space, y: Any) -> None:
        """Raise ValueError if there can be no predictions, no ensemble or no best trial."""
        if is_ensemble(self.refit):
            check_ensemble(estimator, space, y)
        names = {"return_predictions": self.predictions, "return_estimators": self.estimators}
        asked = [name for name, is_asked in names.items() if is_asked]
        has_several = isinstance(self.scoring, list | tuple | set | Mapping)
        if asked and self.refit is False and has_several:
            raise ValueError(
                f"With refit=False and several metrics no trial is the best, so that {asked[0]}="
                f"True has nothing to return: set refit to the name of a metric, or {asked[0]}="
                "False."
            )
        if self.predictions and not can_predict(estimator, space):
            raise ValueError(
                f"return_predictions=True needs an estimator with {', '.join(METHODS[:-1])} or "
                f"{METHODS[-1]}, got {estimator!r}: give another one, or set return_predictions="
                "False."
            )

    def chosen_from(self, trials: Sequence[Trial]) -> set[int]:
        """Return the numbers of the finished trials that may become the best.

        Parameters
        ----------
        trials : sequence of Trial
            All finished trials.
        """
        ranked = candidates(trials)
        if not (callable(self.refit) or is_one_se(self.refit)):
            first = {trial.number for trial in ranked if trial.number < self.n_first}
            # scikit-learn's mean may differ in its last digit.
            best = max(ranked, key=lambda t: (np.mean(t.split_scores), -t.number), default=None)
            n_chosen = 1 if self.final_cv is None else MAX_FINALISTS
            ranked = ranked[: MAX_CANDIDATES if is_ensemble(self.refit) else n_chosen]
            return first | {trial.number for trial in [*ranked, *([best] if best else [])]}
        return {trial.number for trial in ranked}


def earlier_outputs(search: Any) -> dict[str, Any]:
    """Return the attributes of this module that the previous `fit` set, and its best trial."""
    # The predictions of an ensemble are not those of the best trial.
    names = (ESTIMATORS,) if hasattr(search, "ensemble_weights_") else (PREDICTIONS, ESTIMATORS)
    kept = {name: vars(search)[name] for name in names if name in vars(search)}
    return {**kept, "number": search.trials_[search.best_index_].number} if kept else {}


class BestOutputs:
    """The predictions and estimators of the splits of the best trial.

    Parameters
    ----------
    options : OutputOptions
    context : FitContext
    splits : FrozenSplits
    finished : callable
        Returns the finished trials of the search.
    aids : sequence of FitAid
        The changes to each fit.
    resource : Resource or None
        The resource that trials have a share of.
    errors : DeferredErrors
        Collects the errors raised while closing.
    earlier : dict
        The `earlier_outputs` that a warm start continues; empty otherwise.

    Attributes
    ----------
    store : OutputStore or None
        Outputs of all trials that may become the best; None if none are asked for.
    """

    def __init__(
        self,
        options: OutputOptions,
        context: FitContext,
        splits: FrozenSplits,
        finished: Callable[[], Sequence[Trial]],
        *,
        aids: Sequence[FitAid],
        resource: Resource | None,
        errors: DeferredErrors,
        earlier: Mapping[str, Any],
    ) -> None:
        self._options, self._context, self._splits = options, context, splits
        self._finished = finished
        self._aids, self._resource, self._errors = aids, resource, errors
        self._earlier = earlier
        asked = {PREDICTIONS: options.predictions, ESTIMATORS: options.estimators}
        self._names = [name for name, is_asked in asked.items() if is_asked]
        self.store: OutputStore | None = None
        self._purposes = self._names
        if is_ensemble(options.refit):
            self._purposes = [*self._names, f"refit={options.refit!r}"]
        if self._purposes:
            self.store = OutputStore(
                self._needed,
                predictions=options.predictions or is_ensemble(options.refit),
                estimators=options.estimators,
            )

    def _needed(self, numbers: Collection[int]) -> set[int]:
        """Return the trials that are pending or may become the best."""
        trials = self._finished()
        finished = {trial.number for trial in trials}
        return set(numbers) - (finished - self._options.chosen_from(trials))

    def close(self) -> None:
        """Remove all outputs."""
        if self.store is not None:
            self.store.close()

    def of_best(
        self, trial: Trial | None, make_workers: Callable[[Any], Workers]
    ) -> dict[str, Any]:
        """Return the attributes of a search.

        Splits whose outputs are missing are fitted again, with a warning. If that fails, another
        warning says so, and the attributes are missing.

        Parameters
        ----------
        trial : Trial or None
            The best trial; None if there is none.
        make_workers : callable
            Gets the `Parallel` of the running `fit`.

        Returns
        -------
        attributes : dict
        """
        if self.store is None:
            return {}
        if trial is None:
            self._warn_of_missing("no trial is the best")
            return {}
        is_earlier = trial.number == self._earlier.get("number")
        if (
            is_earlier
            and not is_ensemble(self._options.refit)
            and self._earlier.keys() >= set(self._names)
        ):
            return {name: self._earlier[name] for name in self._names}
        n_splits = len(trial.split_results)
        outputs = self.store.read(trial.number)
        try:
            if len(outputs) < n_splits:
                self._fit_again(trial, outputs, make_workers(self._context.parallel))
                outputs = self.store.read(trial.number)
            if len(outputs) == n_splits:
                return self._attributes(outputs)
            reason = "fits of the best trial failed when they were run again"
        except KeyboardInterrupt:
            reason = "the search was interrupted"
        except Exception as error:
            if self._options.error_score == "raise":
                raise
            reason = describe_error(error)
        self._warn_of_missing(reason)
        return {}

    def _warn_of_missing(self, reason: str) -> None:
        if self._names:
            msg = f"The search has no {' and no '.join(self._names)}: {reason}."
            warn(msg, PredictionsWarning, stacklevel=6)

    def ensemble(self, trials: Sequence[Trial]) -> tuple[Ensemble | None, dict[str, Any]]:
        """Return the ensemble of a search, and the attributes that it sets.

        If no ensemble is possible, a warning says so.

        Parameters
        ----------
        trials : sequence of Trial
            All finished trials.

        Returns
        -------
        ensemble : Ensemble or None
        attributes : dict
        """
        assert self.store is not None  # noqa: S101 - for mypy
        try:
            chosen = choose_ensemble(
                trials, self.store.read, self._context, self._splits, self._options.scoring
            )
        except Exception as error:
            if self._options.error_score == "raise":
                raise
            msg = (
                "There is no ensemble, so that best_estimator_ is that of the best trial. "
                f"{describe_error(error)}"
            )
            warn(msg, PredictionsWarning, stacklevel=6)
            return None, {}
        weights = zip([t.number for t in chosen.trials], chosen.weights, strict=True)
        attributes = {"ensemble_score_": chosen.score, "ensemble_weights_": dict(weights)}
        if self._options.predictions:
            attributes[PREDICTIONS] = self._combined(chosen.predictions)
        return chosen, attributes

    def _attributes(self, outputs: Mapping[int, FitOutput]) -> dict[str, Any]:
        """Return the attributes, given the outputs of all splits."""
        attributes: dict[str, Any] = {}
        if self._options.predictions:
            attributes[PREDICTIONS] = self._combined(
                {k: o.prediction for k, o in outputs.items() if o.prediction is not None}
            )
        if self._options.estimators:
            attributes[ESTIMATORS] = [output.load_estimator() for output in outputs.values()]
        return attributes

    def _combined(self, predictions: Mapping[int, Prediction]) -> Any:
        """Return the predictions of all splits as one array for all samples."""
        tests = [test for _, test in self._splits.split()]
        result = combine(predictions, tests, count_rows(self._context.X), self._context.y)
        for splits, effect in (
            (set(result.incomplete) - set(result.unknown), "its predictions are filled up"),
            (result.unknown, "its predictions cannot be assigned to classes and are NaN"),
        ):
            if splits:
                msg = (
                    "The training part of a split lacks classes of y, so that in "
                    f"best_predictions_ {effect}: splits {sorted(splits)}. Use stratified "
                    "splits to avoid it."
                )
                warn(msg, PredictionsWarning, stacklevel=8)
        return result.values

    def _fit_again(self, trial: Trial, outputs: Mapping[int, FitOutput], workers: Workers) -> None:
        """Fit the splits without outputs again, into the store."""
        n_splits = len(trial.split_results)
        msg = (
            f"The search has no outputs of {n_splits - len(outputs)} of {n_splits} fits of the "
            f"best trial, number {trial.number}: a journal, another process or an earlier fit "
            f"returned only their scores. They are fitted again for {' and '.join(self._purposes)}."
        )
        warn(msg, PredictionsWarning, stacklevel=6)
        fits = Fits(
            self._context,
            check_metrics=lambda _: None,
            task=None,
            splits=self._splits,
            aids=self._aids,
            resource=self._resource,
            earlier=[trial],
            outputs=self.store,
        )
        options = EvaluationOptions(fit_timeout=self._options.fit_timeout)
        log = _KnownSplits(trial, outputs.keys())
        evaluator = SplitEvaluator(fits, workers, log, options, errors=self._errors)
        try:
            evaluator.submit([trial])
            evaluator.collect(more=False)
        finally:
            with uninterrupted:
                evaluator.close()


class BestOutputsMixin:
    """The part of a search that sets the predictions and the estimators of its best trial."""

    return_predictions: bool
    return_estimators: bool
    refit: Any
    final_cv: Any
    scoring: Any
    error_score: Any
    fit_timeout: Any
    warm_start: bool
    trials_: list[Trial]
    _choice: Choice | None
    _ensemble: Ensemble | None
    _chosen_row: Callable[[], int | None]
    _make_workers: Callable[[Any], Workers]

    def _output_options(self, update: Update | None = None) -> OutputOptions:
        is_partial = update is not None and update.partial
        return OutputOptions(
            predictions=self.return_predictions,
            estimators=self.return_estimators,
            refit=self.refit,
            final_cv=self.final_cv,
            scoring=self.scoring,
            error_score=self.error_score,
            fit_timeout=self.fit_timeout,
            n_first=int(is_partial),
        )

    def _check_outputs(self, context: FitContext, space: Space) -> None:
        """Raise ValueError if there can be no predictions, no ensemble or no best trial."""
        self._output_options().check(context.estimator, space, context.y)

    def _make_outputs(
        self,
        context: FitContext,
        splits: FrozenSplits,
        study: Study,
        update: Update | None,
        **parts: Any,
    ) -> BestOutputs:
        """Return the outputs of a search; ``parts`` are parameters of `BestOutputs`."""
        earlier = earlier_outputs(self) if self.warm_start and study.finished() else {}
        options = self._output_options(update)
        return BestOutputs(options, context, splits, study.finished, earlier=earlier, **parts)

    def _set_outputs(self, outputs: BestOutputs, update: Update | None) -> None:
        """Set the predictions and the estimators of the best trial."""
        if outputs.store is None:
            return
        row: int | None = 0
        if update is None or not (update.partial and update.holds):
            row = self._chosen_row()
            if row is None and self.refit is not False:
                return  # a callable that raised an error, which `fit` calls again
            if row is not None and callable(self.refit):
                self._choice = Choice(row, None)  # a second call could choose another trial
        best = None if row is None else self.trials_[row]
        vars(self).update(outputs.of_best(best, self._make_workers))
        if best is not None and is_ensemble(self.refit):
            self._ensemble, attributes = outputs.ensemble(self.trials_)
            vars(self).update(attributes)


class _KnownSplits:
    """The log of a trial, some of whose splits are fitted again.

    Parameters
    ----------
    trial : Trial
        Finished.
    splits : collection of int
        The splits that are not fitted again.
    """

    def __init__(self, trial: Trial, splits: Collection[int]) -> None:
        self._known = {split: trial.split_results[split] for split in splits}

    def finished(self) -> list[Trial]:
        """Return no trials, since this one is not pruned."""
        return []

    def rivals(self, number: int) -> list[Trial]:  # noqa: ARG002
        """Return no trials, as `finished`."""
        return []

    def split_results(self, number: int) -> Mapping[int, SplitResult]:  # noqa: ARG002
        """Return the results of the splits that are not fitted again."""
        return self._known

    def record_split(self, number: int, split: int, result: SplitResult) -> None:
        """Record nothing: the study has the results."""
