"""Final choice: the finalists of a search are scored on fresh splits before one is chosen."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv

from sklearn_lepton._evaluation.evaluator import EvaluationOptions, SplitEvaluator
from sklearn_lepton._evaluation.fits import Fits
from sklearn_lepton._evaluation.resource import Resource
from sklearn_lepton._evaluation.sklearn import FitContext
from sklearn_lepton._evaluation.splits import FrozenSplits
from sklearn_lepton._runtime.deferred_errors import DeferredErrors
from sklearn_lepton._runtime.errors import describe_error
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._runtime.interrupts import uninterrupted
from sklearn_lepton._runtime.output import warn
from sklearn_lepton._search.progress import FIT_LINES, write_fit
from sklearn_lepton._search.selection import Choice, choose, cost_of
from sklearn_lepton._search.splitters import shuffled_splitter
from sklearn_lepton._study.study import Study
from sklearn_lepton._trials.ranking import candidates, is_one_se, metric_of, within_one_se
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitAid, FitCall, Workers
from sklearn_lepton._validation import is_whole
from sklearn_lepton.exceptions import FinalChoiceWarning, SearchInterruptedWarning
from sklearn_lepton.space._values import count_rows

MAX_FINALISTS = 5
_FINAL_SHARE = 0.2  # of max_time, reserved for the final fits


@dataclass(frozen=True)
class ChoiceOptions:
    """The parameters of a search that decide which trial is chosen, and how it is scored.

    Attributes
    ----------
    final_cv, refit, complexity, error_score : object
    fit_timeout : float, "auto" or None
    max_time : float or None
    verbose : int
        As for the searches.
    """

    final_cv: Any
    refit: Any
    complexity: Any
    error_score: Any
    fit_timeout: float | str | None
    max_time: float | None
    verbose: int


class FinalChoice:
    """The scores of the finalists on fresh splits, and the choice among the trials.

    Parameters
    ----------
    options : ChoiceOptions
    context : FitContext
    splits : FrozenSplits
        The splits of the search.
    study : Study
    aids : sequence of FitAid
        The changes to each fit.
    resource : Resource or None
        The resource that trials have a share of; finalists have all of it.
    errors : DeferredErrors
        Collects the errors raised while closing the workers.

    Attributes
    ----------
    search_deadline : float or None, seconds
        When the search itself ends, on the clock of `time.monotonic`.

    Raises
    ------
    ValueError
        If the final splits cannot be made, or equal the splits of the search.
    """

    def __init__(
        self,
        options: ChoiceOptions,
        context: FitContext,
        splits: FrozenSplits,
        study: Study,
        *,
        aids: Sequence[FitAid],
        resource: Resource | None,
        errors: DeferredErrors,
    ) -> None:
        self._options = options
        self._aids, self._resource, self._errors = aids, resource, errors
        self._context, self._study = context, study
        self._cost = cost_of(options.complexity, study.optimizer.space)
        self._splits = _make_splits(options.final_cv, context, splits, study.optimizer.seed)
        self._finals: dict[int, Trial] = {}
        self._has_best = True
        seconds, now = options.max_time, time.monotonic()
        reserved = 0.0 if self._splits is None else _FINAL_SHARE
        self._deadline = None if seconds is None else now + seconds
        self.search_deadline = None if seconds is None else now + seconds * (1 - reserved)

    def score_finalists(self, make_workers: Callable[[Any], Workers]) -> None:
        """Score the finalists on the final splits.

        An error in it warns, and leaves the choice to the scores of the search.

        Parameters
        ----------
        make_workers : callable
            Gets the `Parallel` of the running `fit`.
        """
        ranked = candidates(self._study.optimizer.trials)
        finalists = within_one_se(ranked)[:MAX_FINALISTS]
        if self._splits is None or not finalists:
            return
        try:
            finished = self._run(finalists, make_workers(self._context.parallel))
        except KeyboardInterrupt:
            msg = "The final fits were interrupted: the best is chosen by the search's own scores."
            warn(msg, SearchInterruptedWarning, stacklevel=5)
            return
        except Exception as error:
            if self._options.error_score == "raise":
                raise
            msg = (
                "The finalists could not be scored on final_cv, so that the best is chosen by "
                f"the search's own scores. {describe_error(error)}"
            )
            warn(msg, FinalChoiceWarning, stacklevel=5)
            return
        self._finals = {trial.number: trial for trial in finished}
        self._warn_of_missing(finalists)

    def _run(self, finalists: list[Trial], workers: Workers) -> list[Trial]:
        """Return the finalists with their scores on the final splits."""
        assert self._splits is not None  # noqa: S101 - for mypy
        fits = _FinalFits(self._context, self._splits, self._aids, finalists)
        evaluator = SplitEvaluator(
            fits,
            workers,
            _FinalLog(
                self._study,
                self._splits.fingerprint,
                fits.n_splits,
                {t.number: t for t in finalists} if self._options.verbose >= FIT_LINES else {},
            ),
            EvaluationOptions(
                metric=metric_of(self._options.refit),
                n_points=len(finalists),
                fit_timeout=self._options.fit_timeout,
                deadline=self._deadline,
            ),
            errors=self._errors,
        )
        try:
            if self._resource is not None:
                finalists = [replace(t, params=self._resource.params_of(t)) for t in finalists]
            evaluator.submit(finalists)
            finished: list[Trial] = []
            while some := evaluator.collect(more=False):
                finished += some
            return finished
        finally:
            with uninterrupted:
                evaluator.close()

    def _warn_of_missing(self, finalists: list[Trial]) -> None:
        """Warn of finalists without a score on the final splits."""
        failed = [t for t in self._finals.values() if t.status != "complete"]
        if failed:
            reasons = [r.error for r in failed[0].split_results if r.error]
            reason = reasons[0] if reasons else f"its scores are {list(failed[0].split_scores)}"
            msg = (
                f"{len(failed)} of {len(finalists)} finalists failed on final_cv and cannot be "
                f"chosen, trial {failed[0].number} for this reason: {reason}"
            )
            warn(msg, FinalChoiceWarning, stacklevel=6)
        n_missing = len(finalists) - len(self._finals)
        if n_missing:
            msg = (
                f"{n_missing} of {len(finalists)} finalists could not be scored on final_cv within "
                f"max_time={self._options.max_time} s and cannot be chosen."
            )
            warn(msg, FinalChoiceWarning, stacklevel=6)
        self._has_best = finalists[0].number in self._finals

    @ignore_float_errors
    def publish(self, results: dict[str, Any], trials: Sequence[Trial]) -> None:
        """Add the scores on the final splits to ``cv_results_``, NaN for other trials.

        Parameters
        ----------
        results : dict
            ``cv_results_``; changed in place.
        trials : sequence of Trial
            The trials of its rows.
        """
        if self._splits is None:
            return
        n_splits = len(self._splits.split())
        for name in [n.removeprefix("mean_test_") for n in results if n.startswith("mean_test_")]:
            table = np.full((len(trials), n_splits), np.nan)
            for row, trial in enumerate(trials):
                final = self._finals.get(trial.number)
                if final is not None:
                    scores = [result.scores for result in final.split_results]
                    table[row] = [s[name] if isinstance(s, Mapping) else s for s in scores]
            results |= {f"final_split{k}_{name}": table[:, k] for k in range(n_splits)}
            results[f"mean_final_{name}"] = table.mean(axis=1)
            results[f"std_final_{name}"] = table.std(axis=1)

    def choose(self, trials: Sequence[Trial]) -> Choice | None:
        """Return the chosen trial.

        Parameters
        ----------
        trials : sequence of Trial
            The trials of the rows of ``cv_results_``.

        Returns
        -------
        choice : Choice or None
            None is the trial with the best mean score of the search.
        """
        ranked = candidates(trials)
        finals = {t.number: t for t in candidates(self._finals.values())} if self._has_best else {}
        is_simple = is_one_se(self._options.refit)
        if not ranked or not (finals or is_simple):
            return None
        ratio = None if self._splits is None else self._splits.layout.ratio
        chosen = choose(ranked, finals, self._cost if is_simple else None, ratio=ratio)
        row = next(k for k, trial in enumerate(trials) if trial.number == chosen.number)
        return Choice(row, finals[chosen.number].score if finals else None)


def _check_rows(splits: FrozenSplits, X: Any) -> None:
    """Raise ValueError if a split has row numbers that the data do not have."""
    n_samples = count_rows(X)
    for number, parts in enumerate(splits.split()):
        for rows in map(np.asarray, parts):
            if rows.dtype.kind in "iu" and len(rows) and rows.max() >= n_samples:
                raise ValueError(
                    f"final_cv: split {number} has row {rows.max()}, but the data have the "
                    f"rows 0 to {n_samples - 1} only: give splits of these data."
                )


def _make_splits(
    final_cv: Any, context: FitContext, splits: FrozenSplits, seed: int
) -> FrozenSplits | None:
    """Return the final splits, which must differ from those of the search; None without any."""
    if final_cv is None:
        return None
    try:
        made = FrozenSplits(context._replace(cv=_splitter(final_cv, context, seed)), None)
    except ValueError as error:
        raise ValueError(f"final_cv={final_cv!r}: {error}") from error
    _check_rows(made, context.X)
    if not made.split():
        raise ValueError(
            f"final_cv={final_cv!r} holds no split; a generator is used up by one fit, so give a "
            "list, a splitter or a number."
        )
    if made.fingerprint == splits.fingerprint:
        raise ValueError(
            f"final_cv={final_cv!r} makes the same splits as cv, on which all trials are scored "
            "already: give it another random_state, or a number."
        )
    return made


def _splitter(final_cv: Any, context: FitContext, seed: int) -> Any:
    """Return the splitter; a number becomes shuffled folds of the kind that cv would have."""
    if not is_whole(final_cv):
        return check_cv(final_cv, context.y, classifier=is_classifier(context.estimator))
    return shuffled_splitter(
        context.estimator,
        context.y,
        int(final_cv),
        has_groups=context.params.splitter.split.get("groups") is not None,
        seed=int(np.random.SeedSequence([seed, 1]).generate_state(1)[0]),
    )


class _FinalFits(Fits):
    """Factory of fits on the final splits, whose number may differ from that of the search."""

    def __init__(
        self,
        context: FitContext,
        splits: FrozenSplits,
        aids: Sequence[FitAid],
        finalists: Sequence[Trial],
    ) -> None:
        super().__init__(
            context,
            check_metrics=lambda _: None,
            task=None,
            splits=splits,
            aids=aids,
            earlier=finalists,
        )
        self.n_splits = len(splits.split())

    def make_fits(self, trials: Sequence[Trial]) -> list[list[FitCall] | str]:
        """Return the fits of trials, one per split."""
        made = super().make_fits(trials)
        for fits in made:
            for split, (_, _, kwargs) in enumerate([] if isinstance(fits, str) else fits):
                kwargs["split_progress"] = (split, self.n_splits)
        return made


class _FinalLog:
    """The log of the final fits, separate from the log of the search's fits.

    Parameters
    ----------
    study : Study
    fingerprint : str
        Fingerprint of the final splits.
    n_splits : int
    shown : dict of int to Trial
        The trials whose fits are shown in one line each.
    """

    def __init__(
        self, study: Study, fingerprint: str, n_splits: int, shown: Mapping[int, Trial]
    ) -> None:
        self._study = study
        self._fingerprint = fingerprint
        self._n_splits = n_splits
        self._shown = shown

    def finished(self) -> list[Trial]:
        """Return no trials, since finalists are not pruned."""
        return []

    def rivals(self, number: int) -> list[Trial]:  # noqa: ARG002
        """Return no trials, as `finished`."""
        return []

    def split_results(self, number: int) -> Mapping[int, SplitResult]:
        """Return the known results of a trial, by split."""
        results = self._study.final_results(self._fingerprint, number)
        return {split: result for split, result in results.items() if split < self._n_splits}

    def record_split(self, number: int, split: int, result: SplitResult) -> None:
        """Record the result of a fit."""
        self._study.record_final(self._fingerprint, number, split, result)
        if number in self._shown:
            write_fit("final", self._shown[number], split, self._n_splits, result)
