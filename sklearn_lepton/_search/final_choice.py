"""The final splits: the leaders of a search are scored anew before the best is chosen."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv

from sklearn_lepton._evaluation.evaluator import EvaluationOptions, SplitEvaluator
from sklearn_lepton._evaluation.fits import Fits
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

_MAX_LEADERS = 5
_KEPT_TIME = 0.2  # share of max_time that the search leaves to the final fits


class FinalChoice:
    """Score the leaders of a search anew, and choose.

    Parameters
    ----------
    search : BaseSearchCV
        In the middle of its ``fit``.
    running : RunningFit
    splits : FrozenSplits
        Those of the search.
    study : Study
    aids : sequence of FitAid
        What changes each fit.
    resource : Resource or None
        What trials have little of first; the leaders have all of it.
    errors : DeferredErrors
        Where errors in closing the workers are kept.

    Attributes
    ----------
    search_deadline : float or None, seconds
        When the search itself is to end, on the clock of `time.monotonic`.

    Raises
    ------
    ValueError
        If the final splits cannot be made, or are those of the search.
    """

    def __init__(
        self,
        search: Any,
        running: FitContext,
        splits: FrozenSplits,
        study: Study,
        *,
        aids: Sequence[FitAid],
        resource: Any,
        errors: DeferredErrors,
    ) -> None:
        self._aids, self._resource, self._errors = aids, resource, errors
        self._search, self._running, self._study = search, running, study
        self._metric = metric_of(search.refit)
        self._cost = cost_of(search.complexity, study.optimizer.space)
        self._splits: FrozenSplits | None = None
        self._finals: dict[int, Trial] = {}
        self._is_whole = True
        if search.final_cv is not None:
            try:
                cv = _splitter(search, running, study.optimizer.seed)
                self._splits = FrozenSplits(running._replace(cv=cv), None)
            except ValueError as error:
                raise ValueError(f"final_cv={search.final_cv!r}: {error}") from error
            _check_rows(self._splits, running.X)
            if not self._splits.split():
                raise ValueError(
                    f"final_cv={search.final_cv!r} holds no split; a generator is used up "
                    "by one fit, so give a list, a splitter or a number."
                )
            if self._splits.fingerprint == splits.fingerprint:
                raise ValueError(
                    f"final_cv={search.final_cv!r} makes the same splits as cv, on which "
                    "all trials are scored already: give it another random_state, or a number."
                )
        seconds, now = search.max_time, time.monotonic()
        kept = 0.0 if self._splits is None else _KEPT_TIME
        self._deadline = None if seconds is None else now + seconds
        self.search_deadline = None if seconds is None else now + seconds * (1 - kept)

    def score_finalists(self, make_workers: Callable[[Any], Workers]) -> None:
        """Score the leaders on the final splits; whatever goes wrong, the search stands.

        Parameters
        ----------
        make_workers : callable
            Takes the running fit's `Parallel`.
        """
        finalists = self._leaders()
        if self._splits is None or not finalists:
            return
        try:
            finished = self._run(finalists, make_workers(self._running.parallel))
        except KeyboardInterrupt:
            msg = "The final fits were interrupted: the best is chosen by the search's own scores."
            warn(msg, SearchInterruptedWarning, stacklevel=5)
            return
        except Exception as error:
            if self._search.error_score == "raise":
                raise
            msg = (
                "The leaders could not be scored on final_cv, so that the best is chosen by "
                f"the search's own scores. {describe_error(error)}"
            )
            warn(msg, FinalChoiceWarning, stacklevel=5)
            return
        self._finals = {trial.number: trial for trial in finished}
        self._warn_of_missing(finalists)

    def _leaders(self) -> list[Trial]:
        """Return the trials to score again, the best first."""
        return within_one_se(candidates(self._study.optimizer.trials))[:_MAX_LEADERS]

    def _run(self, finalists: list[Trial], workers: Workers) -> list[Trial]:
        search = self._search
        assert self._splits is not None  # noqa: S101 - for mypy
        fits = _FinalFits(self._running, self._splits, self._aids, finalists)
        evaluator = SplitEvaluator(
            fits,
            workers,
            _FinalLog(
                self._study,
                self._splits.fingerprint,
                fits.n_splits,
                {t.number: t for t in finalists} if search.verbose >= FIT_LINES else {},
            ),
            EvaluationOptions(
                metric=self._metric,
                n_points=len(finalists),
                fit_timeout=search.fit_timeout,
                deadline=self._deadline,
            ),
            errors=self._errors,
        )
        try:
            if self._resource is not None:
                finalists = [replace(t, params=self._resource.params_of(t)) for t in finalists]
            evaluator.submit(finalists)
            return evaluator.collect(more=False)
        finally:
            with uninterrupted:
                evaluator.close()

    def _warn_of_missing(self, finalists: list[Trial]) -> None:
        failed = [t for t in self._finals.values() if t.status != "complete"]
        if failed:
            reasons = [r.error for r in failed[0].split_results if r.error]
            reason = reasons[0] if reasons else f"its scores are {list(failed[0].split_scores)}"
            msg = (
                f"{len(failed)} of {len(finalists)} leaders failed on final_cv and cannot be "
                f"chosen, trial {failed[0].number} for this reason: {reason}"
            )
            warn(msg, FinalChoiceWarning, stacklevel=6)
        n_missing = len(finalists) - len(self._finals)
        if n_missing:
            msg = (
                f"{n_missing} of {len(finalists)} leaders could not be scored on final_cv within "
                f"max_time={self._search.max_time} s and cannot be chosen."
            )
            warn(msg, FinalChoiceWarning, stacklevel=6)
        self._is_whole = finalists[0].number in self._finals

    @ignore_float_errors
    def publish(self, results: dict[str, Any], trials: Sequence[Trial]) -> None:
        """Add the scores on the final splits to ``cv_results_``, NaN for all but the leaders.

        Parameters
        ----------
        results : dict
        trials : sequence of Trial
            Its rows.
        """
        if self._splits is None:
            return
        n_splits = len(self._splits.split())
        for name in [n.removeprefix("mean_test_") for n in results if n.startswith("mean_test_")]:
            table = np.full((len(trials), n_splits), np.nan)
            for place, trial in enumerate(trials):
                final = self._finals.get(trial.number)
                if final is not None:
                    scores = [result.scores for result in final.split_results]
                    table[place] = [s[name] if isinstance(s, Mapping) else s for s in scores]
            results |= {f"final_split{k}_{name}": table[:, k] for k in range(n_splits)}
            results[f"mean_final_{name}"] = table.mean(axis=1)
            results[f"std_final_{name}"] = table.std(axis=1)

    def choose(self, trials: Sequence[Trial]) -> Choice | None:
        """Choose.

        Parameters
        ----------
        trials : sequence of Trial
            The rows of ``cv_results_``.

        Returns
        -------
        choice : Choice or None
            None is the best mean score of the search.
        """
        ranked = candidates(trials)
        finals = {t.number: t for t in candidates(self._finals.values())} if self._is_whole else {}
        is_simple = is_one_se(self._search.refit)
        if not ranked or not (finals or is_simple):
            return None
        ratio = None if self._splits is None else self._splits.layout.ratio
        chosen = choose(ranked, finals, self._cost if is_simple else None, ratio=ratio)
        row = next(k for k, trial in enumerate(trials) if trial.number == chosen.number)
        return Choice(row, finals[chosen.number].score if finals else None)


def _check_rows(splits: FrozenSplits, X: Any) -> None:
    """Refuse rows that the data do not have."""
    n_samples = count_rows(X)
    for number, parts in enumerate(splits.split()):
        for rows in map(np.asarray, parts):
            if rows.dtype.kind in "iu" and len(rows) and rows.max() >= n_samples:
                raise ValueError(
                    f"final_cv: split {number} has row {rows.max()}, but the data have the "
                    f"rows 0 to {n_samples - 1} only: give splits of these data."
                )


def _splitter(search: Any, running: FitContext, seed: int) -> Any:
    """Return what makes the final splits: for a number, shuffled folds of the kind of cv's."""
    final = search.final_cv
    if not is_whole(final):
        return check_cv(final, running.y, classifier=is_classifier(search.estimator))
    return shuffled_splitter(
        search.estimator,
        running.y,
        int(final),
        has_groups=running.params.splitter.split.get("groups") is not None,
        seed=int(np.random.SeedSequence([seed, 1]).generate_state(1)[0]),
    )


class _FinalFits(Fits):
    """Fits on the final splits, of which there may be another number than of cv's."""

    def __init__(
        self,
        running: FitContext,
        splits: FrozenSplits,
        aids: Sequence[FitAid],
        finalists: Sequence[Trial],
    ) -> None:
        super().__init__(
            running,
            check_metrics=lambda _: None,
            task=None,
            splits=splits,
            aids=aids,
            earlier=finalists,
        )
        self.n_splits = len(splits.split())

    def make_fits(self, trials: Sequence[Trial]) -> list[list[FitCall] | str]:
        """Return the fits of trials, one a split."""
        recorded = super().make_fits(trials)
        for fits in recorded:
            for split, (_, _, kwargs) in enumerate([] if isinstance(fits, str) else fits):
                kwargs["split_progress"] = (split, self.n_splits)
        return recorded


class _FinalLog:
    """The log of the final fits, kept apart from that of the search's own.

    Parameters
    ----------
    study : Study
    fingerprint : str
        Of the final splits.
    n_splits : int
    shown : dict of int to Trial
        The trials whose fits get a line each.
    """

    def __init__(
        self, study: Study, fingerprint: str, n_splits: int, shown: Mapping[int, Trial]
    ) -> None:
        self._study = study
        self._fingerprint = fingerprint
        self._n_splits = n_splits
        self._shown = shown

    def finished(self) -> list[Trial]:
        """Return none: the leaders are not raced."""
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
