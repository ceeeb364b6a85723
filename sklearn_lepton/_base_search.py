"""The seam to scikit-learn: the only module that uses its private names.

`BaseSearchCV.fit` stays as it is. Two methods are overridden: `_run_search`
conducts the search, and `_format_results`, which `fit` calls after each batch,
hands the raw rows of the splits to it. The dict that it returned last is the
one `fit` publishes; it is filled once, at the end.
"""

import inspect
import tempfile
import uuid
import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from scipy.stats import rankdata
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_lepton._evaluation import BatchEvaluator
from sklearn_lepton._fits import OTHER_SPLITS, ErrorScore, Fits
from sklearn_lepton._loop import run_trials
from sklearn_lepton._trial import Trial
from sklearn_lepton._typing import Callback
from sklearn_lepton._values import is_real, is_whole, unknown_name
from sklearn_lepton.callbacks import Deadline, NoImprovement, TargetScore
from sklearn_lepton.exceptions import SearchInterruptedWarning, SpaceExhaustedWarning
from sklearn_lepton.optimizers._base import Optimizer, check_count
from sklearn_lepton.space import Categorical, Space

try:
    from sklearn.callback import CallbackContext
except ImportError:  # scikit-learn before 1.9 has no callbacks
    CallbackContext = object


def _inner_has(name: str) -> Callable[[Any], bool]:
    """Make a check that the tuned estimator has a method; AttributeError if not."""

    def check(search: Any) -> bool:
        getattr(getattr(search, "best_estimator_", search.estimator), name)
        return True

    return check


class BaseOptimizerSearchCV(BaseSearchCV):  # type: ignore[misc]
    """What the searches share: everything but the optimizer."""

    @abstractmethod
    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 50,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        initial_params: Any = "default",
        n_points: int | str = "auto",
        max_time: float | None = None,
        n_iter_no_change: int | None = None,
        tol: float = 0.0,
        target_score: float | None = None,
        warm_start: bool = False,
        callbacks: Any = None,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.random_state = random_state
        self.initial_params = initial_params
        self.n_points = n_points
        self.max_time = max_time
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.target_score = target_score
        self.warm_start = warm_start
        self.callbacks = callbacks

    @abstractmethod
    def _make_optimizer(self, space: Space, seed: int) -> Optimizer:
        """Make the optimizer from the search's own parameters."""

    @available_if(_inner_has("set_output"))  # type: ignore[untyped-decorator]
    def set_output(self, *, transform: str | None = None) -> "BaseOptimizerSearchCV":
        """Choose the container that `transform` returns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            As for the tuned estimator; None changes nothing.

        Returns
        -------
        self : search
        """
        for estimator in {id(e): e for e in self._inner_estimators()}.values():
            estimator.set_output(transform=transform)
        return self

    def _inner_estimators(self) -> list[Any]:
        return [self.estimator, getattr(self, "best_estimator_", self.estimator)]

    @available_if(_inner_has("get_feature_names_out"))  # type: ignore[untyped-decorator]
    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str of shape (n_features,) or None, default=None
            Names of the input's columns.

        Returns
        -------
        names : ndarray of str

        Raises
        ------
        NotFittedError
            If the search has not been fitted with ``refit``.
        """
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_.get_feature_names_out(input_features)

    def _format_results(
        self, candidate_params: Any, n_splits: int, out: list[Any], more_results: Any = None
    ) -> dict[str, Any]:
        """Hand the rows to `_run_search` instead of formatting all of them after each batch."""
        del candidate_params, n_splits, more_results
        return {"rows": out}

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        """Search; `fit` calls this once, with everything else prepared."""
        self._check_parameters()
        _read_fit(self, evaluate_candidates)
        space = Space(self.param_distributions)
        _check_names(space, self.estimator)
        seed, earlier, splits = self._earlier_search(space)
        optimizer = self._make_optimizer(space, seed)
        optimizer.tell(earlier)
        optimizer.enqueue(self._initial_settings(space))
        # What an earlier fit left would travel to the workers with every task.
        for name in ("trials_", "space_", "optimizer_", "stop_reason_", "cv_results_"):
            self.__dict__.pop(name, None)
        n_trials = int(min(self.n_iter, space.size - len(earlier)))
        if n_trials < self.n_iter:
            msg = (
                f"The space holds {n_trials} {'further ' * bool(earlier)}settings, fewer than "
                f"n_iter={self.n_iter}: each of them is tried once."
            )
            warnings.warn(msg, SpaceExhaustedWarning, stacklevel=4)
        task = None
        if callback_ctx is not None:
            task = _SearchTask(callback_ctx, self, n_trials * self.n_splits_)
        fits = Fits(
            self,
            evaluate_candidates,
            check_metrics=self._check_refit_for_multimetric,
            task=task,
            fingerprint=splits,
        )
        reason: str | None = None
        try:
            reason = self._conduct(optimizer, fits, task, n_trials)
        except KeyboardInterrupt:
            if optimizer.best is None:
                raise
            reason = "interrupted"
            msg = "The search was interrupted: it ends with the trials that have finished."
            warnings.warn(msg, SearchInterruptedWarning, stacklevel=4)
        finally:
            self.trials_ = [t for t in optimizer.trials if t.status != "pending"]
            self.space_, self.optimizer_ = space, optimizer
            self._fingerprint = fits.splits.fingerprint
            self.stop_reason_: str | None = reason
            if reason is None and optimizer.best is not None:
                # On its way out with an error: keep what has been paid for.
                self.cv_results_ = self._publish(fits)
            if task is not None:
                task.close()
        if optimizer.best is None:
            raise ValueError(_all_failed(self.trials_))
        fits.published.clear()
        fits.published.update(self._publish(fits))

    def _earlier_search(self, space: Space) -> tuple[int, list[Trial], str | None]:
        """Return the seed, the trials and the splits' fingerprint that the search starts from."""
        if not self.warm_start or not getattr(self, "trials_", None):
            return _draw_seed(self.random_state), [], None
        if space != self.space_:
            raise ValueError(
                "With warm_start=True the space must be that of the fit before, got another one: "
                "set warm_start=False to start over."
            )
        if len(self.trials_[0].rows) != self.n_splits_:
            raise ValueError(OTHER_SPLITS)
        if len(self.trials_) >= space.size:
            raise ValueError(
                f"All {len(self.trials_)} settings of the space have been tried, so that there is "
                "nothing to go on with: widen the space and set warm_start=False."
            )
        return self.optimizer_.seed, self.trials_, self._fingerprint

    def _conduct(
        self, optimizer: Optimizer, fits: Fits, task: "_SearchTask | None", n_trials: int
    ) -> str:
        """Run the loop and return why it ended."""
        if isinstance(self.n_points, str):
            n_points = -(-effective_n_jobs(self.n_jobs) // self.n_splits_)
        else:
            n_points = int(self.n_points)
        metric = self.refit if isinstance(self.refit, str) else None
        evaluator = BatchEvaluator(fits.run, metric=metric, n_points=n_points)
        callbacks = self._make_callbacks()
        reason: str | None = None
        trials = run_trials(
            optimizer, evaluator, n_trials=n_trials, is_stopped=lambda: reason is not None
        )
        with closing(trials):  # type: ignore[type-var]
            for trial in trials:
                for callback in callbacks:
                    answer = callback(self, trial)
                    # Many a callback returns something; only a true or false is an answer.
                    if isinstance(answer, bool | np.bool_) and answer:
                        reason = reason or getattr(callback, "reason", "callback")
                if task is not None and task.is_stopped():
                    reason = reason or "callback"
        if reason is None:
            reason = "n_iter" if n_trials == self.n_iter else "exhausted"
        return reason

    def _check_parameters(self) -> None:
        """Refuse what is out of range before the first fit; scikit-learn checks its own."""
        check_count("n_points", self.n_points, least=1)
        max_time, stop = self.max_time, self.n_iter_no_change
        target, callbacks = self.target_score, self.callbacks
        is_list = isinstance(callbacks, Sequence) and all(map(callable, callbacks))
        legal = {
            "n_iter": (is_whole(self.n_iter) and self.n_iter >= 1, "an integer of at least 1"),
            "max_time": (
                max_time is None or (is_real(max_time) and max_time > 0),
                "None or a number of seconds greater than 0",
            ),
            "n_iter_no_change": (
                stop is None or (is_whole(stop) and stop >= 1),
                "None or an integer of at least 1",
            ),
            "warm_start": (isinstance(self.warm_start, bool | np.bool_), "True or False"),
            "tol": (is_real(self.tol) and self.tol >= 0, "a number of at least 0"),
            "target_score": (
                target is None or (is_real(target) and not np.isnan(target)),
                "None or a number",
            ),
            "callbacks": (
                callbacks is None or callable(callbacks) or is_list,
                "None, a callable (search, trial), or a list of them",
            ),
        }
        for name, (is_legal, allowed) in legal.items():
            if not is_legal:
                msg = f"{name} must be {allowed}, got {getattr(self, name)!r}."
                raise ValueError(msg)

    def _make_callbacks(self) -> list[Callback]:
        callbacks: list[Callback] = []
        if self.target_score is not None:
            callbacks.append(TargetScore(self.target_score))
        if self.n_iter_no_change is not None:
            callbacks.append(NoImprovement(self.n_iter_no_change, self.tol))
        if self.max_time is not None:
            callbacks.append(Deadline(self.max_time))
        if self.callbacks is not None:
            callbacks += [self.callbacks] if callable(self.callbacks) else list(self.callbacks)
        return callbacks

    def _initial_settings(self, space: Space) -> list[dict[str, Any]]:
        """Complete ``initial_params`` by the estimator's own parameters."""
        given = self.initial_params
        if given is None:
            return []
        defaults = self.estimator.get_params(deep=True)
        if isinstance(given, str) and given == "default":
            return [space.complete({}, defaults)]
        if isinstance(given, Mapping):
            given = [given]
        if not isinstance(given, Sequence) or not all(isinstance(s, Mapping) for s in given):
            msg = (
                "initial_params must be 'default', None, a dict of parameters or a list of "
                f"dicts, got {self.initial_params!r}."
            )
            raise ValueError(msg)
        settings = []
        for number, params in enumerate(given):
            try:
                settings.append(space.complete(params, defaults))
            except ValueError as error:
                msg = f"initial_params[{number}] does not lie in the space. {error}"
                raise ValueError(msg) from error
        return settings

    def _publish(self, fits: Fits) -> dict[str, Any]:
        """Format the rows of all trials as ``cv_results_``, failed ones ranked last."""
        trials = self.trials_
        rows = [row for trial in trials for row in trial.rows]
        fits.unify(rows)
        params = [trial.params for trial in trials]
        results: dict[str, Any] = super()._format_results(params, self.n_splits_, rows, None)
        failed = np.array([any(row["fit_error"] for row in trial.rows) for trial in trials])
        for name in [name for name in results if name.startswith("rank_test_")]:
            means = results[name.replace("rank_", "mean_", 1)]
            last = failed | ~np.isfinite(means)
            ranks = np.full(len(trials), np.sum(~last) + 1, dtype=np.int32)
            ranks[~last] = rankdata(-means[~last], method="min")
            results[name] = ranks
        return results


class _SearchTask:
    """The search in scikit-learn 1.9's tree of callback tasks, with one leaf a trial and split."""

    def __init__(self, root: Any, search: Any, n_leaves: int) -> None:
        self._search = search
        self._n_made = 0
        # Leaves end in the workers; a file is what every one of them can leave word in.
        self._flag = str(Path(tempfile.gettempdir()) / f"sklearn_lepton-stop-{uuid.uuid4()}")
        self._context = root.subcontext(
            task_name="search", max_subtasks=n_leaves, sequential_subtasks=False
        ).call_on_fit_task_begin(estimator=search)

    def subcontext(self, task_name: str, task_id: int) -> Any:
        """Make the next leaf; ``evaluate_candidates`` counts from 0 in each batch."""
        if task_id == 0:
            # The finished leaves would travel to the workers with every later one.
            self._context._children_map.clear()  # noqa: SLF001
        leaf = self._context.subcontext(task_name=task_name, task_id=self._n_made)
        leaf.__class__ = _LeafContext
        leaf.flag = self._flag
        self._n_made += 1
        return leaf

    def is_stopped(self) -> bool:
        """Whether a callback returned True at the end of a leaf."""
        return Path(self._flag).exists()

    def close(self) -> None:
        """End the task."""
        Path(self._flag).unlink(missing_ok=True)
        self._context.call_on_fit_task_end(estimator=self._search)


class _LeafContext(CallbackContext):  # type: ignore[misc]
    """A leaf that leaves word where a callback returned True."""

    flag: str

    def call_on_fit_task_end(self, **arguments: Any) -> bool:
        """Call the callbacks and leave word of a stop."""
        stop: bool = super().call_on_fit_task_end(**arguments)
        if stop:
            Path(self.flag).touch()
        return stop


def _read_fit(search: Any, evaluate_candidates: Any) -> None:
    """Take from the running `fit` what it tells no other way.

    Before scikit-learn 1.9 it sets the number of splits only at its end. And a
    scorer that raises leaves no trace but the ``error_score``, which is
    therefore marked for this one fit.
    """
    names = inspect.getclosurevars(evaluate_candidates).nonlocals
    if "n_splits" in names:
        search.n_splits_ = names["n_splits"]
    if is_real(search.error_score):
        names["fit_and_score_kwargs"]["error_score"] = ErrorScore(search.error_score)


def _draw_seed(random_state: Any) -> int:
    """Draw the one seed of a search; without a state from the system, not the global one."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(check_random_state(random_state).randint(2**31 - 1))


def _check_names(space: Space, estimator: Any) -> None:
    """Refuse parameters that neither the estimator nor a choice for one of its steps has."""
    known = estimator.get_params(deep=True)
    for branch in space.branches:
        for name in branch:
            if name in known:
                continue
            for other, column in branch.items():
                dimension = space.dimensions[column]
                if name.startswith(f"{other}__") and isinstance(dimension, Categorical):
                    inner = name[len(other) + 2 :]
                    if any(
                        hasattr(choice, "get_params") and inner in choice.get_params(deep=True)
                        for choice in dimension.categories
                    ):
                        break
            else:
                raise ValueError(unknown_name(name, list(known)))


def _all_failed(trials: list[Trial]) -> str:
    """Word the error of a search without a single result."""
    reasons: dict[str, int] = {}
    for trial in trials:
        errors = {row["fit_error"] for row in trial.rows} - {None}
        scores = f"The scores were {list(trial.split_scores)}, which is no finite mean."
        for reason in errors or {scores}:
            reasons[reason] = reasons.get(reason, 0) + 1
    details = "\n".join(f"{'-' * 80}\n{n} trials:\n{text}" for text, n in reasons.items())
    return (
        f"All the {len(trials)} trials failed.\nIt is very likely that the model is misconfigured. "
        "To see the first error where it happens, set error_score='raise'.\n\n"
        f"Below are more details about the failures:\n{details}"
    )
