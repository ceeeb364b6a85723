"""EarlyStopping: boosters that stop by the validation part of each split as ``eval_set``."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.validation import has_fit_parameter

from sklearn_lepton._evaluation.sklearn import FitContext, part_of
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton._typing import FitCall
from sklearn_lepton.space._dimension import Categorical
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space

PATIENCE = 50  # rounds without a gain, if the estimator sets no early stopping


class _Library(NamedTuple):
    """Names of parameters in a boosting library.

    Attributes
    ----------
    stopping : tuple of str
        Parameters that set early stopping; the first one is the default.
    rounds : tuple of str
        Parameters that set the number of rounds; the last one is the default.
    first : int
        Number of the first iteration.
    needs_eval_set : bool
        Whether early stopping without an ``eval_set`` is an error.
    """

    stopping: tuple[str, ...]
    rounds: tuple[str, ...]
    first: int = 0
    needs_eval_set: bool = True


_LIBRARIES = {
    "xgboost": _Library(("early_stopping_rounds",), ("n_estimators",)),
    "lightgbm": _Library(
        ("early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change"),
        (
            "num_iterations",
            "num_iteration",
            "n_iter",
            "num_tree",
            "num_trees",
            "num_round",
            "num_rounds",
            "nrounds",
            "num_boost_round",
            "max_iter",
            "n_estimators",
        ),
        first=1,
    ),
    "catboost": _Library(
        ("early_stopping_rounds", "od_wait", "od_type", "od_pval"),
        ("n_estimators", "num_trees", "num_boost_round", "iterations"),
        needs_eval_set=False,
    ),
}
_OTHER = _Library(("early_stopping_rounds",), ("iterations", "n_estimators"))


def _library(booster: Any) -> _Library:
    """Return the library of a booster, by the modules of its base classes."""
    modules = [kind.__module__.partition(".")[0] for kind in type(booster).__mro__]
    return next((_LIBRARIES[name] for name in modules if name in _LIBRARIES), _OTHER)


def takes_eval_set(estimator: Any) -> bool:
    """Return whether the `fit` of an estimator takes an ``eval_set`` for early stopping."""
    if type(estimator).__name__.startswith("XGBRF"):  # a forest is one round
        return False
    return hasattr(estimator, "fit") and (
        has_fit_parameter(estimator, "eval_set") or has_fit_parameter(estimator, "eval_X")
    )


def _final_step(estimator: Any) -> tuple[list[Pipeline], str, Any]:
    """Return the pipelines around the last step, its path such as ``"clf__"``, and the step."""
    pipelines, path = [], ""
    while isinstance(estimator, Pipeline):
        pipelines.append(estimator)
        name, estimator = estimator.steps[-1]
        path += f"{name}__"
    return pipelines, path, estimator


class FitWithEvalSet:
    """Fit with the validation part of its split as ``eval_set``, and "n_rounds" in its row.

    Parameters
    ----------
    function : callable
        Function of the fit. The estimator that it gets is a clone for this fit.
    """

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, estimator: Any, X: Any, y: Any, **kwargs: Any) -> dict[str, Any]:
        """Run the fit."""
        train, test = kwargs["train"], kwargs["test"]

        def fit(X_train: Any, y_train: Any = None, **params: Any) -> Any:
            # The parameters of the trial, which may replace the last step, are set by now.
            del estimator.fit
            pipelines, _, booster = _final_step(estimator)
            if y_train is None or not takes_eval_set(booster):
                return estimator.fit(X_train, y_train, **params)
            X_val, y_val = part_of(estimator, X, y, test, train)
            _inject_eval_set(booster, pipelines, X_val, y_val)
            return estimator.fit(X_train, y_train, **params)

        estimator.fit = fit
        row: dict[str, Any] = self._function(estimator, X, y, **kwargs)
        booster = _final_step(estimator)[2]
        if row["fit_error"] is None and takes_eval_set(booster):
            n_rounds = _n_rounds(booster)
            if n_rounds is not None:
                row["n_rounds"] = n_rounds
        return row


def _inject_eval_set(booster: Any, pipelines: list[Pipeline], X_val: Any, y_val: Any) -> None:
    """Make the next `fit` of a booster pass an ``eval_set``.

    The ``eval_set`` is transformed when this `fit` begins. The preceding steps are then fitted
    already, on the training part only, and are not fitted again.
    """

    def fit(X: Any, y: Any, **params: Any) -> Any:
        del booster.fit
        X_eval = X_val
        for pipeline in pipelines:
            for _, step in pipeline.steps[:-1]:
                if hasattr(step, "transform"):  # neither "passthrough" nor a sampler
                    X_eval = step.transform(X_eval)
        known = booster.get_params(deep=False)
        names = _library(booster).stopping
        is_set = _stops(known.get("callbacks")) or any(
            values.get(name) is not None for name in names for values in (known, params)
        )
        if not is_set and (_library(booster) is not _OTHER or names[0] in known):
            booster.set_params(**{names[0]: PATIENCE})
        if _library(booster) is _LIBRARIES["xgboost"]:
            params.setdefault("verbose", False)  # otherwise it prints each round
        # scikit-learn slices lists to lists, which LightGBM rejects in an eval_set.
        X_eval, y_eval = (np.asarray(v) if isinstance(v, list) else v for v in (X_eval, y_val))
        if has_fit_parameter(booster, "eval_X"):  # LightGBM from 4.7 on
            if is_classifier(booster):  # it encodes the classes of y, but not those of eval_y
                y_eval = LabelEncoder().fit(y).transform(y_eval)
            return booster.fit(X, y, eval_X=X_eval, eval_y=y_eval, **params)
        return booster.fit(X, y, eval_set=[(X_eval, y_eval)], **params)

    booster.fit = fit


def _stops(callbacks: Any) -> bool:
    """Return whether one of several callbacks is an early-stopping callback."""
    return isinstance(callbacks, Sequence) and any(map(_is_stopping, callbacks))


def _is_stopping(callback: Any) -> bool:
    return any("EarlyStopping" in kind.__name__ for kind in type(callback).__mro__)


def _n_rounds(booster: Any) -> int | None:
    """Return the best number of rounds of a fitted booster, or the number of all rounds."""
    best = getattr(booster, "best_iteration_", None)
    if best is None:
        best = getattr(booster, "best_iteration", None)
    if best is not None and best + 1 - _library(booster).first > 0:
        return int(best) + 1 - _library(booster).first
    if hasattr(booster, "get_booster"):  # XGBoost
        return int(booster.get_booster().num_boosted_rounds())
    known = booster.get_params(deep=False)
    for name in ("n_iter_", "tree_count_"):
        if (value := getattr(booster, name, None)) is not None:
            return int(value)
    value = known.get(_rounds_name(booster, known) or "")
    return None if value is None else int(value)


def _rounds_name(booster: Any, known: Mapping[str, Any]) -> str | None:
    """Return the name of the parameter for the number of rounds, or None."""
    library = _library(booster)
    for name in library.rounds:
        if known.get(name) is not None:
            return name
    return library.rounds[-1] if library is not _OTHER or library.rounds[-1] in known else None


def _refit_params(booster: Any, n_rounds: int) -> dict[str, Any]:
    """Return parameters for a number of rounds without an ``eval_set``."""
    known, library = booster.get_params(deep=False), _library(booster)
    name = _rounds_name(booster, known)
    params: dict[str, Any] = {} if name is None else {name: n_rounds}
    if library.needs_eval_set:
        params |= {name: None for name in library.stopping if known.get(name) is not None}
        if _stops(callbacks := known.get("callbacks")):
            params["callbacks"] = [c for c in callbacks if not _is_stopping(c)] or None
    elif known.get("use_best_model"):
        params["use_best_model"] = False
    return params


class EarlyStopping:
    """Fit aid that gives boosters an ``eval_set`` for early stopping.

    Parameters
    ----------
    context : FitContext
    space : Space

    Raises
    ------
    ValueError
        If no estimator of the space takes an ``eval_set``, or if `fit` got an ``eval_set`` or
        an early-stopping callback, with which the refit would fail.
    """

    def __init__(self, context: FitContext, space: Space) -> None:
        self._estimator = context.estimator
        allowed = _last_steps(context.estimator, space)
        if not any(map(takes_eval_set, allowed)):
            raise ValueError(
                "eval_set_from_split=True needs an estimator, alone or at the end of a pipeline, "
                "whose fit takes eval_set, as those of XGBoost, LightGBM and CatBoost do, got "
                f"{' or '.join(map(repr, allowed))}: give one, or set eval_set_from_split=False."
            )
        for name, value in context.params.estimator.fit.items():
            last = name.rpartition("__")[2]
            if last in {"eval_set", "eval_X", "eval_y"} and value is not None:
                raise ValueError(
                    f"eval_set_from_split=True makes an eval_set of each split, but {name} was "
                    "passed to fit: leave it out, or set eval_set_from_split=False."
                )
            if last == "callbacks" and _stops(value):
                raise ValueError(
                    f"With eval_set_from_split=True early stopping is no callback of fit, got "
                    f"{name}={value!r}: the refit has no eval_set. Set it as a parameter of the "
                    "estimator, for instance early_stopping_round=50."
                )

    def prepare(self, fit: FitCall) -> FitCall:
        """Return a fit that runs with an ``eval_set``."""
        return fit._replace(function=FitWithEvalSet(fit.function))

    def publish(self, results: dict[str, Any], trials: Sequence[Trial]) -> None:
        """Add the numbers of rounds to ``cv_results_``, and set its params to those of the refit.

        Parameters
        ----------
        results : dict
            ``cv_results_``, which gets the columns ``split<k>_n_rounds`` and
            ``mean_n_rounds``, NaN for fits without rounds.
        trials : sequence of Trial
        """
        rounds = [
            [math.nan if r.n_rounds is None else float(r.n_rounds) for r in t.split_results]
            for t in trials
        ]
        for split, column in enumerate(zip(*rounds, strict=True)):
            results[f"split{split}_n_rounds"] = np.array(column)
        known = [[value for value in row if not math.isnan(value)] for row in rounds]
        means = [sum(values) / len(values) if values else math.nan for values in known]
        results["mean_n_rounds"] = np.array(means)
        results["params"] = [
            thaw(trial.params) if math.isnan(mean) else self._params(trial, mean)
            for trial, mean in zip(trials, means, strict=True)
        ]

    def close(self) -> None:
        """Do nothing: there are no open resources."""

    def _params(self, trial: Trial, mean: float) -> dict[str, Any]:
        """Return the parameters of a trial, with the mean number of rounds for the refit."""
        estimator = clone(self._estimator).set_params(**clone(thaw(trial.params), safe=False))
        _, path, booster = _final_step(estimator)
        params = _refit_params(booster, max(1, math.floor(mean + 0.5)))
        return {**thaw(trial.params), **{f"{path}{name}": value for name, value in params.items()}}


def _last_steps(estimator: Any, space: Space, path: str = "") -> list[Any]:
    """Return the possible last steps of an estimator, including replacements by the space."""
    if not isinstance(estimator, Pipeline):
        return [estimator]
    name, step = estimator.steps[-1]
    path += name
    choices: list[Any] = []
    for column, dimension in enumerate(space.dimensions):
        if space.names[column] == path and isinstance(dimension, Categorical):
            choices += dimension.categories
    if not choices or any(path not in branch for branch in space.branches):
        choices.append(step)
    return [last for choice in choices for last in _last_steps(choice, space, f"{path}__")]
