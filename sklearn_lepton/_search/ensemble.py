"""The ensemble of ``refit="ensemble"``: selected by out-of-fold predictions, then refitted."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import check_scoring
from sklearn.utils import Bunch
from sklearn.utils.parallel import Parallel, delayed

from sklearn_lepton._arrays import shape_of
from sklearn_lepton._evaluation.ensemble_selection import (
    EnsembleScores,
    Part,
    honest_score,
    select,
)
from sklearn_lepton._evaluation.fit_outputs import FitOutput, Prediction, can_predict
from sklearn_lepton._evaluation.out_of_fold import rows_of
from sklearn_lepton._evaluation.sklearn import FitContext, params_of_part, part_of
from sklearn_lepton._evaluation.splits import FrozenSplits
from sklearn_lepton._runtime.errors import describe_error
from sklearn_lepton._runtime.output import warn
from sklearn_lepton._trials.ranking import ENSEMBLE, candidates, is_ensemble, score_of
from sklearn_lepton._trials.statistics import plain_standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.exceptions import PredictionsWarning
from sklearn_lepton.space._frozen import thaw
from sklearn_lepton.space._space import Space

MAX_CANDIDATES = 25
_MIN_CANDIDATES = 10
# Predicted numbers of all candidates. Each is read up to a thousand times by the metric.
_MAX_VALUES = 10_000_000
Outputs = Mapping[int, FitOutput]


class Ensemble(NamedTuple):
    """The selected trials.

    Attributes
    ----------
    trials : list of Trial
        The members, that with the greatest weight first.
    weights : list of float
        They sum up to 1.
    score : float
        The `honest_score`.
    predictions : dict of int to Prediction
        Predictions of the ensemble by split.
    fit_params : dict
        Further arguments of the members' `fit`.
    """

    trials: list[Trial]
    weights: list[float]
    score: float
    predictions: dict[int, Prediction]
    fit_params: dict[str, Any]


def check_ensemble(estimator: Any, space: Space, y: Any) -> None:
    """Raise ValueError if the predictions of trials cannot be averaged.

    Parameters
    ----------
    estimator : estimator object
    space : Space
    y : object
        The target.
    """
    if not (is_classifier(estimator) or is_regressor(estimator)):
        raise ValueError(
            f"refit={ENSEMBLE!r} averages classifiers or regressors, got {estimator!r}: set "
            "refit=True."
        )
    if is_classifier(estimator) and not can_predict(estimator, space, "predict_proba"):
        raise ValueError(
            f"refit={ENSEMBLE!r} averages probabilities, but {estimator!r} has no predict_proba: "
            "give an estimator that has, such as CalibratedClassifierCV around it, or set "
            "refit=True."
        )
    shape = shape_of(y)
    if shape is None or len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise ValueError(
            f"refit={ENSEMBLE!r} takes one target, as VotingClassifier and VotingRegressor do, got "
            f"y of shape {shape}: give one column, or set refit=True."
        )


def choose_ensemble(
    trials: Sequence[Trial],
    read: Callable[[int], Outputs],
    context: FitContext,
    splits: FrozenSplits,
    scoring: Any,
) -> Ensemble:
    """Select the ensemble of a search.

    Parameters
    ----------
    trials : sequence of Trial
        All finished trials.
    read : callable
        Returns the outputs of a trial, given its number.
    context : FitContext
    splits : FrozenSplits
    scoring : str, callable or None
        The metric of the search.

    Returns
    -------
    ensemble : Ensemble

    Raises
    ------
    ValueError
        If no trial has predictions that can be averaged, or the metric needs more than them.
    """
    members, predictions = _with_predictions(trials, read, is_classifier(context.estimator))
    if not members:
        raise ValueError("No trial has predictions that can be averaged.")
    parts = []
    for split, (train, test) in enumerate(splits.split()):
        of_split = [each[split] for each in predictions]
        rows = rows_of(test)
        X, y = part_of(context.estimator, context.X, context.y, rows, rows_of(train))
        params = params_of_part(context.X, context.params.scorer.score, rows)
        values = np.stack([prediction.values for prediction in of_split])
        parts.append(Part(X, y, params, values, of_split[0].classes))
    name = scoring
    if scoring is None:  # the `score` of classifiers and regressors
        name = "accuracy" if is_classifier(context.estimator) else "r2"
    name = name if isinstance(name, str) else None
    scores = EnsembleScores(parts, check_scoring(context.estimator, scoring=scoring), name)
    _check_metric(scores, members)
    # Checks of the same values again and again take most of a metric's time.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        counts, honest = select(scores), honest_score(scores)
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda model: -counts[model])
    return Ensemble(
        [members[model] for model in order],
        [counts[model] / sum(counts) for model in order],
        honest,
        {
            split: predictions[order[0]][split]._replace(values=scores.mean(split, counts))
            for split in range(scores.n_parts)
        },
        dict(context.params.estimator.fit),
    )


def _with_predictions(
    trials: Sequence[Trial], read: Callable[[int], Outputs], is_classes: bool
) -> tuple[list[Trial], list[list[Prediction]]]:
    """Return the best trials with predictions that can be averaged, and these for each split."""
    ranked = candidates(trials)
    members: list[Trial] = []
    found: list[list[Prediction]] = []
    n_values = n_missing = 0
    for trial in ranked[:MAX_CANDIDATES]:
        if len(members) >= _MIN_CANDIDATES and n_values >= _MAX_VALUES:
            break
        outputs = read(trial.number)
        predictions = [o.prediction for _, o in sorted(outputs.items()) if o.prediction is not None]
        if len(predictions) < len(trial.split_results):
            n_missing += 1
            continue
        usable = [_columns(prediction, is_classes) for prediction in predictions]
        kept = [prediction for prediction in usable if prediction is not None]
        if len(kept) < len(usable) or not _agree(kept, found):
            continue
        members.append(trial)
        found.append(kept)
        n_values += sum(prediction.values.size for prediction in kept)
    if n_missing:
        msg = (
            f"The ensemble leaves out {n_missing} of the {min(len(ranked), MAX_CANDIDATES)} best "
            "trials, which have no predictions: a journal, another process or an earlier fit "
            "returned only their scores. For an ensemble of all trials, run the search at once."
        )
        warn(msg, PredictionsWarning, stacklevel=8)
    return members, found


def _columns(prediction: Prediction, is_classes: bool) -> Prediction | None:
    """Return predictions as one column, or one for each class; None if they are others."""
    values = prediction.values
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        return None
    if is_classes:
        is_usable = prediction.method == "predict_proba" and values.ndim == 2
        is_usable &= np.ndim(prediction.classes) == 1
    else:
        prediction = prediction._replace(values=values[:, 0] if values.ndim == 2 else values)
        is_usable = values.ndim == 1 or values.shape[1:] == (1,)
    return prediction if is_usable and np.isfinite(values).all() else None


def _agree(predictions: Sequence[Prediction], found: Sequence[Sequence[Prediction]]) -> bool:
    """Return whether predictions have the same classes as those of the first trial."""
    return not found or all(
        np.array_equal(one.classes, other.classes) and one.values.shape == other.values.shape
        for one, other in zip(predictions, found[0], strict=True)
    )


def _check_metric(scores: EnsembleScores, members: Sequence[Trial]) -> None:
    """Raise ValueError if the metric of the predictions is not that of the fitted estimators.

    Labels may differ slightly from the most probable classes, so that scores may differ slightly.
    """
    alone = tuple(int(model == 0) for model in range(scores.n_models))
    again = [scores.of_part(part, alone) for part in range(scores.n_parts)]
    score = score_of(members[0])
    tolerance = max(plain_standard_error(members[0].split_scores), 1e-6 * abs(score), 1e-12)
    if not abs(np.mean(again) - score) <= tolerance:
        raise ValueError(
            f"Trial {members[0].number} scores {score:.6g}, but its predictions score "
            f"{np.mean(again):.6g}: the metric uses more than predictions or probabilities."
        )


def vote(estimators: Sequence[tuple[str, Any]], weights: Sequence[float], X: Any, y: Any) -> Any:
    """Return a fitted voting ensemble of fitted estimators.

    Parameters
    ----------
    estimators : sequence of (str, estimator object)
        Names, and classifiers or regressors that were fitted on the same data.
    weights : sequence of float
    X, y : object
        Data of the fits.

    Returns
    -------
    ensemble : VotingClassifier or VotingRegressor
        Fitted. A clone of it fits clones of its members.
    """
    from sklearn.ensemble import VotingClassifier, VotingRegressor  # noqa: PLC0415 - loaded when used

    frozen = [(name, FrozenEstimator(each)) for name, each in estimators]
    settings: dict[str, Any] = {"weights": list(weights)}
    if is_classifier(estimators[0][1]):
        ensemble: Any = VotingClassifier(frozen, voting="soft", **settings)
    else:
        ensemble = VotingRegressor(frozen, **settings)
    ensemble.fit(X, y)
    ensemble.estimators = [(name, clone(each)) for name, each in estimators]
    ensemble.estimators_ = [each for _, each in estimators]
    ensemble.named_estimators_ = Bunch(**dict(estimators))
    return ensemble


class EnsembleMixin:
    """The part of a search that refits its ensemble."""

    refit: Any
    n_jobs: int | None
    error_score: Any
    best_index_: int
    best_estimator_: Any
    cv_results_: dict[str, Any]
    ensemble_weights_: dict[int, float]
    refit_time_: float
    trials_: list[Trial]
    _ensemble: Ensemble | None

    def _refine(self, X: Any, y: Any) -> None:
        """Refit the members, and make ``best_estimator_`` their ensemble."""
        ensemble = vars(self).get("_ensemble")
        if not is_ensemble(self.refit) or ensemble is None:
            return
        start = time.perf_counter()
        best, single = self.trials_[self.best_index_].number, self.best_estimator_
        rows = {trial.number: row for row, trial in enumerate(self.trials_)}
        others = [trial.number for trial in ensemble.trials if trial.number != best]
        unfitted = [self._with_params_of(rows[number]) for number in others]
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit)(each, X, y, ensemble.fit_params, is_strict=self.error_score == "raise")
            for each in unfitted
        )
        found = {best: single, **dict(zip(others, fitted, strict=True))}
        weights = dict(
            zip([trial.number for trial in ensemble.trials], ensemble.weights, strict=True)
        )
        failed = {number: found[number] for number in weights if isinstance(found[number], str)}
        total = sum(w for number, w in weights.items() if number not in failed)
        weights = {n: w / total for n, w in weights.items() if n not in failed} or {best: 1.0}
        if failed:
            number, reason = next(iter(failed.items()))
            msg = (
                f"The ensemble leaves out {len(failed)} of its members, trial {number} for this "
                f"reason: {reason}"
            )
            warn(msg, PredictionsWarning, stacklevel=4)
        members = [(f"trial{number}", found[number]) for number in weights]
        self.best_estimator_ = vote(members, list(weights.values()), X, y)
        if failed:
            self.ensemble_weights_ = weights
        self.refit_time_ += time.perf_counter() - start

    def _with_params_of(self, row: int) -> Any:
        """Return an unfitted estimator with the parameters of a trial."""
        params = clone(thaw(self.cv_results_["params"][row]), safe=False)
        return clone(self.estimator).set_params(**params)  # type: ignore[attr-defined]


def _fit(estimator: Any, X: Any, y: Any, params: Mapping[str, Any], *, is_strict: bool) -> Any:
    """Return the fitted estimator, or why it could not be fitted."""
    try:
        return estimator.fit(X, y, **params) if y is not None else estimator.fit(X, **params)
    except Exception as error:
        if is_strict:
            raise
        return describe_error(error)
