"""Experiment tracker: a callback that logs a search and its trials to MLflow."""

import math
import platform
import re
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import sklearn

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._validation import given_space

_ILLEGAL = re.compile(r"[^\w\-. /]")  # characters that MLflow's names may not have
_MAX_CHARACTERS = 500  # of a parameter's value, the limit of MLflow's oldest database schema
# Of the search's parameters: the space is logged by parameter.
_NOT_LOGGED = {"callbacks", "param_distributions", "param_grid"}
_STATUSES = {"complete": "FINISHED", "failed": "FAILED", "pruned": "KILLED"}


class MLflowLogger:
    """Callback that logs a search to MLflow, as one run with a child run for each trial.

    It requires ``pip install sklearn-lepton[mlflow]``. The run of the search records the
    parameters of the search, its space and the versions of the libraries. It also records the
    score and the best score after each trial, and finally the best parameters. The run of a trial
    records its parameters, its score, the scores of its splits and its duration. A pruned trial
    has the status "KILLED". If a run is active, it becomes the parent of the search's run. An
    object can be used for several searches, one after another.

    Parameters
    ----------
    experiment_name : str, default="sklearn-lepton"
        Name of the experiment, which is created if it does not exist.
    run_name : str or None, default=None
        Name of the search's run; None is the name of the search's class.
    tracking_uri : str or None, default=None
        Address of the tracking server or database; None is MLflow's current configuration.
    log_trials : bool, default=True
        Whether to create a run for each trial.

    Attributes
    ----------
    run_id_ : str
        Identifier of the last search's run.

    Raises
    ------
    ImportError
        If MLflow is not installed.

    Examples
    --------
    >>> from sklearn_lepton.callbacks import MLflowLogger
    >>> logger = MLflowLogger("iris", tracking_uri="sqlite:///runs.db")  # doctest: +SKIP
    >>> search = BayesSearchCV(SVC(), space, callbacks=logger).fit(X, y)  # doctest: +SKIP
    >>> logger.log_model(search)  # doctest: +SKIP
    """

    def __init__(
        self,
        experiment_name: str = "sklearn-lepton",
        *,
        run_name: str | None = None,
        tracking_uri: str | None = None,
        log_trials: bool = True,
    ) -> None:
        _mlflow()
        self._experiment_name, self._run_name = experiment_name, run_name
        self._tracking_uri, self._log_trials = tracking_uri, log_trials
        self.start(None)

    def start(self, search: Any) -> None:  # noqa: ARG002
        """Reset the run; the first trial creates a new one."""
        self._client: Any = None
        self._best: float | None = None

    def __deepcopy__(self, memo: Any) -> "MLflowLogger":
        # A clone of a search, as for each outer split of a nested search, logs to a separate run.
        return MLflowLogger(
            self._experiment_name,
            run_name=self._run_name,
            tracking_uri=self._tracking_uri,
            log_trials=self._log_trials,
        )

    def __call__(self, search: Any, trial: Trial) -> None:
        """Log a trial and the best score so far."""
        if self._client is None:
            self._open(search)
        metrics = {"seconds": trial.duration}
        if trial.score is not None:
            metrics["score"] = trial.score
        if self._log_trials:
            splits = {f"split{k}_score": score for k, score in enumerate(trial.split_scores)}
            run_id = self._new_run(f"trial {trial.number}", self.run_id_, start=_start_of(trial))
            tags = {"trial": str(trial.number), "status": trial.status}
            if trial.fidelity is not None:
                metrics["resource"] = trial.fidelity
            self._log(run_id, params=trial.params, metrics=metrics | splits, tags=tags)
            self._client.set_terminated(run_id, _STATUSES.get(trial.status, "FAILED"))
        if trial.score is not None and trial.is_full:
            self._best = trial.score if self._best is None else max(self._best, trial.score)
            metrics["best_score"] = self._best
        self._log(self.run_id_, metrics=metrics, step=trial.number)

    def finish(self, search: Any, trial: Trial | None) -> None:
        """Log the best trial and end the run; None means that the search failed."""
        if self._client is None:
            return
        tags = {"stop_reason": str(getattr(search, "stop_reason_", None))}
        if trial is not None:
            tags["best_trial"] = str(trial.number)
            params = {f"best.{name}": value for name, value in trial.params.items()}
            final = {} if trial.score is None else {"best_score": trial.score}
            n_trials = max(each.number for each in search.trials_) + 1
            self._log(self.run_id_, params=params, metrics=final, tags=tags, step=n_trials)
        else:
            self._log(self.run_id_, tags=tags)
        self._client.set_terminated(self.run_id_, "FAILED" if trial is None else "FINISHED")
        self.start(search)

    def log_model(self, search: Any, **params: Any) -> Any:
        """Log the refitted best estimator to the last search's run.

        Parameters
        ----------
        search : search
            Fitted search with `refit`.
        **params : dict
            Arguments of ``mlflow.sklearn.log_model``.

        Returns
        -------
        info : ModelInfo
            Description of the model by MLflow.

        Notes
        -----
        MLflow logs models to the tracking URI of the process. If `tracking_uri` is a different
        one, this method sets it and restores it at the end. Other threads must not log meanwhile.
        """
        mlflow = _mlflow()
        before = mlflow.get_tracking_uri()
        is_other = self._tracking_uri is not None and self._tracking_uri != before
        if is_other:
            mlflow.set_tracking_uri(self._tracking_uri)
        try:
            with mlflow.start_run(run_id=self.run_id_, nested=mlflow.active_run() is not None):
                return mlflow.sklearn.log_model(search.best_estimator_, name="model", **params)
        finally:
            if is_other:
                mlflow.set_tracking_uri(before)

    def _open(self, search: Any) -> None:
        """Create the run of a search and log the search's parameters."""
        mlflow = _mlflow()
        self._client = mlflow.MlflowClient(self._tracking_uri)
        found = self._client.get_experiment_by_name(self._experiment_name)
        self._experiment_id = (
            self._client.create_experiment(self._experiment_name)
            if found is None
            else found.experiment_id
        )
        active = mlflow.active_run()
        name = self._run_name or type(search).__name__
        self.run_id_ = self._new_run(name, None if active is None else active.info.run_id)
        # `tune` calls callbacks with an object that has no ``get_params``.
        own_params = search.get_params(deep=False) if hasattr(search, "get_params") else {}
        space = given_space(own_params) if own_params else None
        params = {name: value for name, value in own_params.items() if name not in _NOT_LOGGED}
        if space is None:
            space = dict(zip(search.space_.names, search.space_.dimensions, strict=True))
        branches = [space] if isinstance(space, Mapping) else space
        if isinstance(branches, list | tuple):
            many = len(branches) > 1
            for number, branch in enumerate(branches):
                prefix = f"space.{number}." if many else "space."
                params |= {f"{prefix}{name}": values for name, values in branch.items()}
        else:
            params["space"] = space
        tags = {
            "search": type(search).__name__,
            "version.python": platform.python_version(),
            "version.scikit-learn": sklearn.__version__,
            "version.numpy": np.__version__,
        }
        self._log(self.run_id_, params=params, tags=tags)

    def _new_run(self, name: str, parent: str | None, start: int | None = None) -> str:
        """Create a run and return its identifier."""
        tags = {} if parent is None else {"mlflow.parentRunId": parent}
        run = self._client.create_run(
            self._experiment_id, run_name=name, tags=tags, start_time=start
        )
        return str(run.info.run_id)

    def _log(
        self,
        run_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
        step: int = 0,
    ) -> None:
        """Log parameters, finite metrics and tags to a run, in one request."""
        entities, now = _mlflow().entities, int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            params=[
                entities.Param(_ILLEGAL.sub("_", name), str(value)[:_MAX_CHARACTERS])
                for name, value in (params or {}).items()
            ],
            metrics=[
                entities.Metric(name, float(value), now, step)
                for name, value in (metrics or {}).items()
                if math.isfinite(value)
            ],
            tags=[entities.RunTag(name, value) for name, value in (tags or {}).items()],
        )


def _start_of(trial: Trial) -> int | None:
    """Return the start of the first fit of a trial, in milliseconds since the epoch."""
    times = [r.start_time for r in trial.split_results if r.start_time is not None]
    return int(1000 * min(times)) if times else None


def _mlflow() -> Any:
    """Return the module `mlflow`, or raise if it is not installed."""
    try:
        import mlflow  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "MLflowLogger needs MLflow, which is not installed: pip install sklearn-lepton[mlflow]"
        ) from error
    return mlflow
