"""`tune`: a run over the trials of a function, with the workers and journals of the searches."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.parallel import Parallel

from sklearn_lepton._evaluation.loop import Callbacks, make_callbacks
from sklearn_lepton._evaluation.results import explain_failures
from sklearn_lepton._evaluation.sklearn import check_parameters
from sklearn_lepton._runtime.deferred_errors import DeferredErrors
from sklearn_lepton._runtime.interrupts import Interrupts
from sklearn_lepton._runtime.output import warn
from sklearn_lepton._search.argument_types import (
    Auto,
    ErrorScore,
    Journal,
    ObjectiveList,
    Optimizers,
    Params,
    PreviousStudies,
    RandomState,
    SpaceLike,
    UserCallbacks,
)
from sklearn_lepton._search.function_calls import FunctionCalls, FunctionResource, flipped
from sklearn_lepton._search.inputs import initial_configurations, read_studies, trial_limit
from sklearn_lepton._search.keywords import explain_keywords
from sklearn_lepton._search.objectives import check_limits, check_objectives
from sklearn_lepton._search.run import CloseStack, RunOptions, SearchRun, draw_seed
from sklearn_lepton._search.signatures import CallStyle, read_signature
from sklearn_lepton._search.tune_result import TuneResult
from sklearn_lepton._search.validation import OF_TUNE
from sklearn_lepton._study.opening import open_journal
from sklearn_lepton._study.study import SharedStudy, Study
from sklearn_lepton._trials.objectives import Objectives
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import Callback
from sklearn_lepton._validation import is_whole
from sklearn_lepton.callbacks._stopping import TargetScore
from sklearn_lepton.exceptions import SearchInterruptedWarning, SpaceExhaustedWarning
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.optimizers._grid import GridOptimizer
from sklearn_lepton.optimizers._registry import build_optimizer, optimizer_class
from sklearn_lepton.space._content import content_hash
from sklearn_lepton.space._entries import with_ranges
from sklearn_lepton.space._space import Space
from sklearn_lepton.space._values import value_to_json


@explain_keywords
def tune(
    function: Callable[..., Any],
    space: SpaceLike,
    *,
    constraint: Callable[[dict[str, Any]], bool] | None = None,
    n_iter: int | Auto = "auto",
    optimizer: Optimizers = "auto",
    n_jobs: int | None = None,
    random_state: RandomState = None,
    minimize: bool = False,
    objectives: ObjectiveList = None,
    error_score: ErrorScore = np.nan,
    initial_params: Params = None,
    n_points: int | Auto = "auto",
    asynchronous: bool = False,
    fit_timeout: float | Auto | None = "auto",
    resource: tuple[int, int] | None = None,
    cost_aware: bool | Auto = "auto",
    max_time: float | None = None,
    n_iter_no_change: int | None = None,
    tol: float = 0.0,
    target_value: float | None = None,
    journal: Journal = None,
    previous_studies: PreviousStudies | None = None,
    callbacks: UserCallbacks = None,
) -> TuneResult:
    """Maximize or minimize a function of parameters.

    Parameters
    ----------
    function : callable
        Function to maximize. If its parameters have names of the space, or are ``**params``,
        it is called by keyword: ``lambda x, z: ...``. Otherwise it gets one dict with a value
        for each parameter. It returns a number, or a dict of metrics, of which the first is
        optimized. In parallel it runs in worker processes; lambdas and closures can be sent
        there, too. A call that raises an error, or returns None, NaN or an infinite number,
        fails its trial, and the search continues.
    space : dict, list of dict or Space
        Search space; see `Space`. A tuple of two numbers in a dict is the range between them, of
        integers if both are.
    constraint : callable or None, default=None
        Whether a configuration is allowed: a function that takes a dict of parameters and
        returns True or False; see `Space`. Others are never proposed.
    n_iter : int or "auto", default="auto"
        Budget: the number of calls, at least 1. Auto is 50 without ``max_time``; with it, the
        time is the only limit.
    optimizer : {"auto", "bayes", "swarm", "genetic", "random", "grid"} or callable, default="auto"
        Optimizer that proposes the trials; see `sklearn_lepton.optimizers`. A callable makes
        one from a `Space` and the keywords ``seed``, ``previous_studies`` and ``resources``,
        such as a class of optimizers or ``partial(GridOptimizer, n_levels=9)``. ``"grid"``
        is as fine as ``n_iter`` allows, and has 1000 points without a limit.
    n_jobs : int or None, default=None
        Number of calls in parallel, as in joblib. `joblib.parallel_config` selects the
        backend: processes, threads, dask or ray.
    random_state : int, RandomState instance or None, default=None
        Seed of the optimizer. The same seed and the same ``n_points`` give the same trials.
        None draws a new seed from the system.
    minimize : bool, default=False
        Minimize the function. Scores are then the negated values, so that a greater score is
        always better; values in the result are those of the function.
    objectives : list of str, Objective or Limit, or None, default=None
        What to optimize if the function returns a dict of metrics. With several objectives,
        the trials spread over the Pareto front, ``pareto_trials_``, and the best trial is its
        knee. A trial over a `Limit` is never the best. It excludes ``resource``,
        ``n_iter_no_change`` and ``target_value``.
    error_score : nan or "raise", default=np.nan
        Result of a call that raises an error: a failed trial, or the error itself.
    initial_params : dict, list of dict or None, default=None
        Configurations to try first. Parameters that a dict leaves out get the middle of their
        range.
    n_points : int or "auto", default="auto"
        Size of the window: the number of trials in flight. A trial is proposed once all but
        the last ``n_points - 1`` before it have finished, from exactly their results. With a
        number, the result is therefore the same for every ``n_jobs`` and backend. Auto is 1
        with one job. With more, it is as many as keep the workers busy, but at most a fifth of
        ``n_iter`` unless workers would have no trial. With ``asynchronous`` it has no limit.
    asynchronous : bool, default=False
        Propose a trial as soon as a worker is free, from all results so far, instead of in
        the window of ``n_points``. Fewer trials are in flight, but they depend on the order in
        which calls finish.
    fit_timeout : float, "auto" or None, default="auto"
        Time limit of one call, in seconds. A call that exceeds it is ended together with its
        process, and its trial fails. A number needs worker processes, so that one is started
        even with ``n_jobs=1``. Auto sets the limit in worker processes once 5 calls with the
        same amount of ``resource`` have finished: 100 times their median time, but at least 5
        minutes. Where calls cannot be ended, a warning names the slow configuration instead.
        None sets no limit.
    resource : tuple (least, most) or None, default=None
        Smallest and largest amount of a resource such as epochs, as integers from 1. The
        function gets the amount for its trial as a second argument. Called by keyword, it gets
        it as its parameter that the space lacks, or as ``resource``. New configurations start
        with little of it, and promising ones are promoted. Only trials with the largest amount
        can be the best.
    cost_aware : bool or "auto", default="auto"
        Weigh the expected improvement of a configuration against the seconds that its call
        will take. Auto is True with ``max_time``.
    max_time : float or None, default=None
        Time limit in seconds. Calls that still run at the limit are ended. If no call has
        returned a value by then, the limit counts from the begin of the first call, without the
        start of the processes.
    n_iter_no_change : int or None, default=None
        Stop after this number of consecutive trials without a better value.
    tol : float, default=0.0
        Gains up to ``tol`` do not count for ``n_iter_no_change``, at least 0.
    target_value : float or None, default=None
        Stop as soon as a trial reaches this value.
    journal : str, path-like or None, default=None
        File that stores every trial. An existing journal of the same function and space is
        resumed: finished calls are not repeated, and ``n_iter`` includes them. Several
        processes may share one journal.
    previous_studies : study, list of studies or None, default=None
        Older studies to learn from (transfer), the latest last: journals, results, and all else
        that the searches take. In a DataFrame, the column ``value`` holds values of the function.
    callbacks : callable, list of callable or None, default=None
        Callables that get the result so far and the trial after each trial. Tuning stops when
        one of them returns True.

    Returns
    -------
    result : TuneResult

    Raises
    ------
    ValueError
        If a parameter is out of range, before the first call; or if all trials failed.
    TypeError
        If ``space`` is no search space, ``constraint`` is not callable or does not return
        True or False, the parameters of the function do not match the space, or the function
        returns no numbers.
    TimeoutError
        If no trial finished within ``max_time``.
    Exception
        An error of a callback, or of the function with ``error_score="raise"``. If trials have
        finished, the result so far is the attribute ``tune_result`` of the error.
    JournalMismatchError
        If the journal belongs to another study, or is damaged.

    Warns
    -----
    SpaceExhaustedWarning
        If the space holds fewer than ``n_iter`` configurations.
    SearchInterruptedWarning
        If Ctrl-C ended it; the finished trials are returned.

    Examples
    --------
    >>> from sklearn_lepton import tune
    >>> def loss(params):
    ...     return (params["x"] - 1.0) ** 2 + (params["kind"] == "a")
    >>> space = {"x": (-5.0, 5.0, "uniform"), "kind": ["a", "b"]}
    >>> result = tune(loss, space, n_iter=20, minimize=True, random_state=0)
    >>> result.best_params_["kind"], abs(result.best_params_["x"] - 1.0) < 0.1
    ('b', True)
    """
    tuning = _Tuning(
        function,
        space,
        constraint,
        n_iter=n_iter,
        optimizer=optimizer,
        random_state=random_state,
        minimize=minimize,
        objectives=objectives,
        error_score=error_score,
        initial_params=initial_params,
        resource=resource,
        n_iter_no_change=n_iter_no_change,
        tol=tol,
        target_value=target_value,
        journal=journal,
        previous_studies=previous_studies,
        callbacks=callbacks,
    )
    options = RunOptions(
        name="tune",
        n_jobs=n_jobs,
        n_iter=n_iter,
        n_points=n_points,
        asynchronous=asynchronous,
        fit_timeout=fit_timeout,
        cost_aware=cost_aware,
        max_time=max_time,
        ends_fits=max_time is not None,
    )
    with Interrupts():
        return tuning.run(options)


@dataclass(frozen=True)
class _Tuning:
    """The parameters of `tune` that are not options of the run."""

    function: Callable[..., Any]
    space: Any
    constraint: Callable[[dict[str, Any]], bool] | None
    n_iter: int | str
    optimizer: Any
    random_state: Any
    minimize: bool
    objectives: Any
    error_score: Any
    initial_params: Any
    resource: Any
    n_iter_no_change: int | None
    tol: float
    target_value: float | None
    journal: Any
    previous_studies: Any
    callbacks: Any

    def run(self, options: RunOptions) -> TuneResult:
        """Run the trials, and return the result."""
        check_parameters(OF_TUNE, vars(options) | vars(self), "tune")
        if isinstance(self.optimizer, str):
            optimizer_class(self.optimizer)  # an unknown name raises
        check_objectives(self, Objectives.read(self.objectives), "target_value")
        resource = None if self.resource is None else FunctionResource.read(self.resource)
        space = Space(with_ranges(self.space), constraint=self.constraint)
        style = read_signature(self.function, space, has_resource=resource is not None)
        errors = DeferredErrors()
        result: TuneResult | None = None
        try:
            with CloseStack(errors) as opened:
                workers = opened.keep(options.make_workers(Parallel(n_jobs=options.n_jobs)))
                n_trials = trial_limit(self.n_iter, options.max_time)
                window = options.window(workers.n_workers, FunctionCalls.n_splits)
                study = self._open_study(space, n_trials, resource, opened, window=window)
                options.configure(study.optimizer, workers.n_workers, FunctionCalls.n_splits)
                result = TuneResult(study.optimizer, minimize=bool(self.minimize))
                result.random_state = self.random_state
                run = SearchRun(
                    options,
                    study,
                    workers,
                    self._make_calls(study, resource, style),
                    errors,
                    None if options.max_time is None else time.monotonic() + options.max_time,
                )
                self._run_calls(run, result)
            errors.raise_first()
        except BaseException as error:
            errors.annotate(error)
            if result is not None and result.trials_:
                _keep_result(error, result)
            raise
        return result

    def _run_calls(self, run: SearchRun, result: TuneResult) -> None:
        """Run the trials, and set the stop reason of the result however they end."""
        callbacks = Callbacks(result, self._make_callbacks(), run.errors)
        try:
            callbacks.start()
            result.stop_reason_ = run.run(callbacks)
        except KeyboardInterrupt:
            if result.best_index_ is None:
                raise
            result.stop_reason_ = "interrupted"
            msg = "Tuning was interrupted: it ends with the trials that have finished."
            warn(msg, SearchInterruptedWarning, stacklevel=5)
        finally:
            row = result.best_index_
            callbacks.finish(None if row is None else result.trials_[row])
        if result.best_index_ is None:
            if callbacks.has_failed:
                run.errors.raise_first()
            check_limits(result.trials_, result.optimizer_.run_settings.objectives)
            raise _no_result(result, run.options.max_time)

    def _read_objectives(self) -> Objectives:
        return Objectives.read(self.objectives, minimize=bool(self.minimize))

    def _make_calls(
        self, study: Study, resource: FunctionResource | None, style: CallStyle
    ) -> FunctionCalls:
        """Return the calls of the function for the trials of a study."""
        return FunctionCalls(
            self.function,
            minimize=bool(self.minimize),
            error=self.error_score,
            resource=resource,
            style=style,
            earlier=study.finished(),
            objectives=self._read_objectives(),
        )

    def _make_callbacks(self) -> list[Callback]:
        """Return the stopping rules and the user's callbacks."""
        rules = make_callbacks(
            self.callbacks,
            target_score=None,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
        )
        if self.target_value is not None:
            target = TargetScore(flipped(self.target_value, self.minimize))
            target.reason = "target_value"
            rules.append(target)
        return rules

    def _make_optimizer(
        self,
        space: Space,
        seed: int,
        source_studies: list[list[Trial]],
        resources: Sequence[float],
    ) -> Optimizer:
        """Return a new optimizer for the study."""
        return build_optimizer(
            self.optimizer,
            space,
            seed=seed,
            previous_studies=source_studies,
            resources=resources,
        )

    def _open_study(
        self,
        space: Space,
        n_trials: float,
        resource: FunctionResource | None,
        opened: CloseStack,
        *,
        window: int | None,
    ) -> Study:
        """Return the study to start from, in memory or in a journal."""
        seed = draw_seed(self.random_state)
        configurations = initial_configurations(self.initial_params, None, space)
        source_studies = read_studies(
            self.previous_studies, None, space, minimize=bool(self.minimize)
        )
        resources = (1.0,) if resource is None else resource.shares
        objectives = self._read_objectives()

        def make(seed: int) -> Optimizer:
            made = self._make_optimizer(space, seed, source_studies, resources)
            made.configure(objectives=objectives)
            made.enqueue(configurations)
            return made

        study = Study(make(seed), n_trials, window=window)
        is_short = study.is_truncated and is_whole(self.n_iter)
        if is_short and not isinstance(study.optimizer, GridOptimizer):
            msg = (
                f"The space holds {study.n_trials} configurations, fewer than "
                f"n_iter={n_trials}: each is tried once."
            )
            warn(msg, SpaceExhaustedWarning, stacklevel=5)
        if self.journal is None:
            return study
        header = {
            "space": space.to_json(),
            "function": value_to_json(self.function),
            "minimize": bool(self.minimize),
            "scoring": None,
            "metric": None,
            "return_train_score": False,
            "splits": {"n": 1, "hash": None},
            "previous_studies": [
                content_hash([(trial.point, trial.score) for trial in source])
                for source in source_studies
            ],
            "resource": None if resource is None else resource.describe(),
            **({"objectives": objectives.describe()} if objectives else {}),
        }
        is_given = is_whole(self.random_state)
        replay = open_journal(self.journal, header, seed=seed, is_seed_given=is_given, space=space)
        opened.keep(replay.journal)
        return SharedStudy(make(replay.seed), n_trials, replay, window=window)


def _no_result(result: TuneResult, max_time: float | None) -> Exception:
    """Return the error of a run in which no trial has a score."""
    trials, cause = result.trials_, "the function does not fit its space"
    if any(trial.is_full for trial in trials):
        ended_early = result.stop_reason_ is None
        return ValueError(explain_failures(trials, cause, ended_early=ended_early))
    return TimeoutError(
        f"max_time={max_time} s passed before a trial had finished, so that there is no "
        "result: give it more time, or make the function faster."
    )


def _keep_result(error: BaseException, result: TuneResult) -> None:
    """Attach the result to an error, so that the finished trials are not lost."""
    with suppress(AttributeError, TypeError):  # of a class that takes no attributes
        error.tune_result = result  # type: ignore[attr-defined]
        error.add_note(
            f"The {len(result.trials_)} trials that had finished are in the attribute "
            "tune_result of this error."
        )
