"""Fits: the fits of each trial, as scikit-learn would run them, and ``cv_results_``."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_lepton._evaluation.output_store import OutputStore
from sklearn_lepton._evaluation.results import SCORER_ERROR
from sklearn_lepton._evaluation.sklearn import ErrorScore, FitContext, _Recorded
from sklearn_lepton._evaluation.sklearn_versions import unsupported
from sklearn_lepton._evaluation.splits import FrozenSplits
from sklearn_lepton._runtime.errors import abridge, describe_error, describe_value
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._runtime.output import warn, without_broken_stderr
from sklearn_lepton._trials.split_result import Scores, SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._trials.untuned import is_untuned
from sklearn_lepton._typing import FitAid, FitCall, Row
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._values import as_float, has_float

_MAX_SHOWN = 3  # different errors of a scorer in the warning
_NO_NUMBER = "The scorer returned no real number: "
_ROW_KEYS = {"test_scores", "fit_error", "fit_time", "score_time"}
_NOT_SHARED = {"parameters", "split_progress", "candidate_progress", "callback_ctx"}


class Fits:
    """Factory of the fits of trials, through scikit-learn's ``evaluate_candidates``.

    Parameters
    ----------
    context : FitContext
        The running ``fit`` of the search.
    check_metrics : callable
        Gets the first scores if there are several metrics; raises if ``refit`` does not
        name one of them.
    task : object or None
        Parent task of the fits, if scikit-learn has callbacks.
    splits : FrozenSplits
    aids : sequence of FitAid, default=()
        Change each fit and extend the results.
    resource : Resource or None, default=None
    earlier : sequence of Trial, default=()
        Earlier trials, whose metrics each fit must return.
    outputs : OutputStore or None, default=None
        Gets predictions and estimators of the fits.

    Attributes
    ----------
    n_splits : int
    ratio : float
        The `split_ratio` of the splits.
    is_stopped : bool
        Whether one of scikit-learn's callbacks has asked to stop.
    """

    def __init__(
        self,
        context: FitContext,
        *,
        check_metrics: Callable[[Mapping[str, Any]], None],
        task: Any,
        splits: "FrozenSplits",
        aids: Sequence[FitAid] = (),
        resource: Any = None,
        earlier: Sequence[Trial] = (),
        outputs: OutputStore | None = None,
    ) -> None:
        self._caller, self._estimator = context.caller, context.estimator
        self._error_score = context.stand_in.error_score
        self._returns_train_score = bool(context.stand_in.return_train_score)
        results = (result for trial in earlier for result in trial.split_results if result)
        known = (result.scores for result in results if result.error is None)
        self._known = [_metrics(scores) for scores in itertools.islice(known, 1)]
        self._aids = aids
        self._evaluate = context.evaluate
        self._recorder, self._stand_in = context.recorder, context.stand_in
        self._check_metrics = check_metrics
        self.n_splits: int = context.stand_in.n_splits_
        self.ratio = splits.layout.ratio
        self._splits = splits
        self._resource = resource
        self._outputs = outputs
        self.is_stopped = False
        self._texts: dict[str, str] = {}
        self._is_checked = False
        self._parent_task = task
        self._task: dict[str, Any] = {} if task is None else {"callback_ctx": task}

    def make_fits(self, trials: Sequence[Trial]) -> list[list[FitCall] | str]:
        """Return the fits of trials, one per split.

        Parameters
        ----------
        trials : sequence of Trial of length n_trials

        Returns
        -------
        fits : list of length n_trials
            A list of fits for each trial, or the reason why its parameters are invalid.
        """
        reasons = [self._why_invalid(self._params(trial)) for trial in trials]
        valid = [t for t, reason in zip(trials, reasons, strict=True) if reason is None]
        fits: list[FitCall] = []
        if valid:
            self._recorder.rows = None
            self._stand_in.n_splits_ = self.n_splits
            try:
                candidates = [self._params(trial) for trial in valid]
                self._evaluate(candidates, cv=self._splits, **self._task)
            except _Recorded as recorded:
                fits = recorded.fits
            else:
                raise unsupported("Parallel that all its fits are given to")
            if len(fits) != len(valid) * self.n_splits:  # found by scikit-learn itself from 1.9 on
                raise ValueError(
                    "cv.split and cv.get_n_splits return inconsistent results. Expected "
                    f"{self.n_splits} splits, got {len(fits) // len(valid)}."
                )
        for _, _, kwargs in fits:
            kwargs["verbose"] = 0  # the search writes the lines; a print could raise
            if "caller" in kwargs:
                kwargs["caller"] = self._caller
        remaining = iter(fits)
        return [
            self._of_trial(trial, [next(remaining) for _ in range(self.n_splits)])
            if reason is None
            else reason
            for trial, reason in zip(trials, reasons, strict=True)
        ]

    def _of_trial(self, trial: Trial, plain: list[FitCall]) -> list[FitCall]:
        if is_untuned(trial) and self._error_score == "raise":  # it is not of the user's space
            for _, _, kwargs in plain:
                kwargs["error_score"] = np.nan
        fits = plain if self._resource is None else self._resource.apply(trial, plain)
        for aid in self._aids:
            fits = list(map(aid.prepare, fits))
        if self._outputs is None:
            return fits
        pairs = enumerate(zip(fits, plain, strict=True))
        return [self._outputs.prepare(trial, split, *pair) for split, pair in pairs]

    def _params(self, trial: Trial) -> Mapping[str, Any]:
        params: Mapping[str, Any] = (
            thaw(trial.params) if self._resource is None else self._resource.params_of(trial)
        )
        return params

    def shared_objects(self, fits: Iterable[FitCall]) -> list[Any]:
        """Return the objects that all fits share, given the fits of one trial."""
        of_resource = [] if self._resource is None else self._resource.shared_objects
        of_task = [] if self._parent_task is None else self._parent_task.shared_objects
        of_function = self._recorder.shared_objects
        shared = [*shared_objects_of(fits), *of_function, *of_task, *of_resource]
        return list({id(value): value for value in shared}.values())

    @ignore_float_errors
    def publish(self, trials: Sequence[Trial]) -> dict[str, Any]:
        """Return ``cv_results_``, which scikit-learn builds from the results of all trials.

        Parameters
        ----------
        trials : sequence of Trial

        Returns
        -------
        results : dict
        """
        rows: list[Row] = [
            _row(result) for t in trials for result in _without_gaps(t.split_results)
        ]
        _unify(rows)
        self._recorder.rows = rows
        self._stand_in.trials_, self._stand_in.n_splits_ = trials, self.n_splits
        with without_broken_stderr():  # scikit-learn warns of failed fits
            results: dict[str, Any] = self._evaluate(
                [self._params(trial) for trial in trials],
                cv=_NoSplits(self.n_splits),
                **self._columns(trials),
            )
        for aid in self._aids:
            aid.publish(results, trials)
        return results

    def warn_of_scorer(self, trials: Sequence[Trial]) -> None:
        """Warn once of all scores that a scorer failed to return, as scikit-learn does of fits."""
        errors = [r.error for trial in trials for r in trial.split_results]
        failed = [error for error in errors if error and error.startswith(SCORER_ERROR)]
        if failed:
            details = "\n".join(list(dict.fromkeys(failed))[:_MAX_SHOWN])
            msg = (
                f"Scoring failed for {len(failed)} of {len(errors)} fits. Their scores are set to "
                f"{self._error_score}. Details:\n{details}"
            )
            warn(msg, UserWarning, stacklevel=2)

    def _columns(self, trials: Sequence[Trial]) -> dict[str, Any]:
        """Return additional columns of ``cv_results_``."""
        if self._resource is None:
            return {}
        amounts = [self._resource.amount(trial) for trial in trials]
        return {"more_results": {"n_resources": amounts}}

    def read_row(self, row: Row) -> SplitResult:
        """Return the result of a fit, given the dict that scikit-learn returned for it.

        Equal tracebacks of several results are one object.
        """
        if missing := _ROW_KEYS - row.keys():
            raise unsupported(f"{min(missing)!r} in the result of a fit")
        self.is_stopped |= row.get("stop", False)
        if self._outputs is not None and "output" in row:
            self._outputs.add(row["output"])
        kinds: dict[str, Any] = {"scores": self._plain(row["test_scores"])}
        if row.get("train_scores") is not None:
            kinds["train_scores"] = self._plain(row["train_scores"])
        times: dict[str, Any] = {
            name: self._as_float(row[name])
            for name in ("fit_time", "score_time", "start_time", "saved_time")
            if row.get(name) is not None
        }
        scores, error = row["test_scores"], row["fit_error"]
        if isinstance(scores, dict) and not self._is_checked:
            self._is_checked = True
            known = self._known[0] if self._known else None
            self._check_metrics(scores if known is None else dict.fromkeys(known))
        for score in scores.values() if isinstance(scores, dict) else [scores]:
            if error is None and isinstance(score, ErrorScore):
                error = f"{SCORER_ERROR}.\n{score.traceback}".strip()
            elif error is None and not has_float(score):
                error = f"{_NO_NUMBER}{describe_value(score)}."
        error = self._keep_metrics(kinds) if error is None else error
        error = None if error is None else abridge(error)
        return SplitResult(
            **kinds,
            **times,
            error=None if error is None else self._texts.setdefault(error, error),
            n_rounds=int(row["n_rounds"]) if "n_rounds" in row else None,
        )

    def _plain(self, scores: Any) -> Scores:
        """Return scores as floats."""
        if isinstance(scores, dict):
            return {metric: self._as_float(score) for metric, score in scores.items()}
        return self._as_float(scores)

    def _keep_metrics(self, row: dict[str, Any]) -> str | None:
        """Remove the metrics that not all fits have; return the error if one is missing.

        Parameters
        ----------
        row : dict
            Scores of a fit by kind, such as "train_scores"; changed in place.
        """
        kinds = list(row)
        given = [_metrics(scores) for scores in row.values()]
        if not self._known and given[0] != ():
            self._known = [given[0]]
        known = self._known[0] if self._known else None
        if given == [None] * len(kinds) and known is None:
            return None
        if known and all(set(names or ()) >= set(known) for names in given):
            for kind in kinds:
                row[kind] = {name: row[kind][name] for name in known}
            return None
        error = (
            f"The scorer returned {_describe_metrics(given[0])} where {_describe_metrics(known)} "
            "was expected: it must return the same metrics for all fits."
        )
        if self._error_score == "raise":
            raise ValueError(error)
        row.update(dict.fromkeys(kinds, as_float(self._error_score)))
        return error

    def _as_float(self, value: Any) -> float:
        """Return a score or a time as a float; NaN for a complex score, which fails its trial."""
        if has_float(value):
            return as_float(value)
        if self._error_score == "raise":
            raise ValueError(f"{_NO_NUMBER}{describe_value(value)}.")
        return float("nan")

    def failed_result(self, error: str, seconds: float) -> SplitResult:
        """Return the result of a fit that was ended or not run.

        Parameters
        ----------
        error : str
            The reason.
        seconds : float
            Time that it has taken.

        Returns
        -------
        result : SplitResult

        Raises
        ------
        RuntimeError
            With ``error_score="raise"``.
        """
        if self._error_score == "raise":
            raise RuntimeError(error)
        score = as_float(self._error_score)
        row = {"test_scores": score, "fit_time": seconds, "score_time": 0.0, "fit_error": error}
        if self._returns_train_score:
            row["train_scores"] = score
        return self.read_row(row)

    def _why_invalid(self, params: Mapping[str, Any]) -> str | None:
        """Return the error of setting these parameters together, or None.

        scikit-learn sets parameters outside the guarded part of a fit. One invalid
        combination, such as ``step="passthrough"`` with ``step__param``, would therefore end
        the search. Only parameters of a replaced step can be invalid in this way.
        """
        nested = any(
            name.startswith(f"{other}__") for other in params for name in params if name != other
        )
        if not nested or self._error_score == "raise":
            return None
        try:
            clone(self._estimator).set_params(**clone(params, safe=False))
        except (ValueError, AttributeError, TypeError) as error:
            return describe_error(error)
        return None


def _metrics(scores: Any) -> tuple[str, ...] | None:
    """Return the names of several metrics; None for a single score."""
    return tuple(scores) if isinstance(scores, dict) else None


def _describe_metrics(names: Sequence[str] | None) -> str:
    return "one number" if names is None else f"a dict of {sorted(map(str, names))}"


def _is_of_scorer(error: str | None) -> bool:
    """Return whether the scorer failed; scikit-learn does not count this as a failed fit."""
    return error is not None and error.startswith((SCORER_ERROR, _NO_NUMBER))


def shared_objects_of(fits: Iterable[FitCall]) -> list[Any]:
    """Return the objects that all fits share: function, data, splits, scorers, the search.

    Parameters
    ----------
    fits : iterable of tuple (function, args, kwargs)
        The fits of one trial.

    Returns
    -------
    shared : list of object
    """
    shared: dict[int, Any] = {}
    for function, (_, *args), kwargs in fits:
        for value in [function, *args, *(kwargs[name] for name in kwargs.keys() - _NOT_SHARED)]:
            if not isinstance(value, str | int | float | None):
                shared[id(value)] = value
    return list(shared.values())


def _without_gaps(results: Sequence[SplitResult]) -> list[SplitResult]:
    """Return results with placeholders for splits that were not run.

    scikit-learn builds its table from results of all splits. A placeholder has the mean times
    of the other results; its scores are removed from the table afterwards.
    """
    run = [result for result in results if result]
    if len(run) == len(results):
        return run
    placeholder = replace(
        run[0],
        fit_time=sum(result.fit_time for result in run) / len(run),
        score_time=sum(result.score_time for result in run) / len(run),
        error=None,  # scikit-learn counts the errors
    )
    return [result or placeholder for result in results]


def _row(result: SplitResult) -> dict[str, Any]:
    """Return a result as the dict that scikit-learn builds its table from."""
    row: dict[str, Any] = {
        "test_scores": thaw(result.scores),
        "fit_time": result.fit_time,
        "score_time": result.score_time,
        "fit_error": None if _is_of_scorer(result.error) else result.error,
    }
    if result.train_scores is not None:
        row["train_scores"] = thaw(result.train_scores)
    return row


def _unify(rows: Sequence[Any]) -> None:
    """Give each failed row a score for each metric of the other rows, in place."""
    names = next((r["test_scores"] for r in rows if isinstance(r["test_scores"], dict)), None)
    if names is None:
        return
    for row in rows:
        for kind in {"test_scores", "train_scores"} & set(row):
            if not isinstance(row[kind], dict):
                row[kind] = dict.fromkeys(names, row[kind])


class _NoSplits:
    """Splitter for a call of ``evaluate_candidates`` that fits nothing."""

    def __init__(self, n_splits: int) -> None:
        self._n_splits = n_splits

    def split(self, *_: Any, **__: Any) -> list[Any]:
        return [(None, None)] * self._n_splits
