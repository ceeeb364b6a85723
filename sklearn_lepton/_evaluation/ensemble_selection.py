"""Ensemble selection: weights of models from their predictions for the test parts of the splits."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from sklearn_lepton._arrays import as_array
from sklearn_lepton._runtime.floating_point import ignore_float_errors

Array = npt.NDArray[Any]

N_ROUNDS = 20  # weights are multiples of a twentieth, at most
MAX_MEMBERS = 10
_PATIENCE = 4  # rounds without a gain
_MAX_GROUPS = 3  # of test parts that are left out together
_ROUNDING = 1e-10  # smaller relative gains are errors of rounding


class Part(NamedTuple):
    """One test part, and what the models predict for it.

    Attributes
    ----------
    X, y : object
        The test part.
    params : dict
        Further arguments of the scorer, such as ``sample_weight``.
    values : ndarray of shape (n_models, n_samples) or (n_models, n_samples, n_classes)
        Predictions of a regressor, or probabilities of a classifier.
    classes : ndarray of shape (n_classes,) or None
        Class of each column of probabilities; None for a regressor.
    """

    X: Any
    y: Any
    params: dict[str, Any]
    values: Array
    classes: Array | None


def _log_score(values: Array, codes: Array) -> float:
    of_class = values[np.arange(len(codes)), codes]
    eps = np.finfo(values.dtype).eps
    return float(np.mean(np.log(np.clip(of_class, eps, 1 - eps))))


def _r2(values: Array, y: Array) -> float:
    spread = np.sum((y - y.mean()) ** 2)
    return float(1 - np.sum((y - values) ** 2) / spread) if spread > 0 else np.nan


# The metrics by their names for scikit-learn, whose functions take ten times as long for few rows.
QUICK: Mapping[str, Callable[[Array, Array], float]] = {
    "accuracy": lambda values, codes: float(np.mean(np.argmax(values, axis=1) == codes)),
    "neg_log_loss": _log_score,
    "neg_mean_absolute_error": lambda values, y: -float(np.mean(np.abs(y - values))),
    "neg_mean_squared_error": lambda values, y: -float(np.mean((y - values) ** 2)),
    "neg_root_mean_squared_error": lambda values, y: -float(np.sqrt(np.mean((y - values) ** 2))),
    "r2": _r2,
}


class _PredictedClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifier that returns given probabilities, for a scorer."""

    def __init__(self, values: Array, classes: Array) -> None:
        self.values = values
        self.classes = self.classes_ = classes

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, X: Any) -> Array:  # noqa: ARG002
        """Return the probabilities."""
        return self.values

    def predict(self, X: Any) -> Array:  # noqa: ARG002
        """Return the most probable classes."""
        return np.asarray(self.classes_[np.argmax(self.values, axis=1)])


class _PredictedValues(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regressor that returns given predictions, for a scorer."""

    def __init__(self, values: Array) -> None:
        self.values = values

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> Array:  # noqa: ARG002
        """Return the predictions."""
        return self.values


class EnsembleScores:
    """Scores of weighted means of the models' predictions on each test part.

    Parameters
    ----------
    parts : sequence of Part
    scorer : callable
        Scorer of scikit-learn, which gets a classifier or a regressor of the predictions.
    name : str or None, default=None
        Name of the metric, for which there may be a quick function.
    """

    def __init__(
        self, parts: Sequence[Part], scorer: Callable[..., float], name: str | None = None
    ) -> None:
        self._parts, self._scorer = parts, scorer
        quick = None if any(part.params for part in parts) else QUICK.get(name or "")
        targets = [_target(part) for part in parts] if quick is not None else []
        known = [target for target in targets if target is not None]
        self._quick = quick if len(known) == len(targets) else None
        self._targets = known
        self._known: dict[tuple[int, tuple[int, ...]], float] = {}
        self.n_parts, self.n_models = len(parts), len(parts[0].values)

    def of_part(self, part: int, counts: tuple[int, ...]) -> float:
        """Return the score on one test part; scores that are no numbers are -inf.

        Parameters
        ----------
        part : int
        counts : tuple of int
            The weight of each model, up to a common factor.
        """
        key = part, counts
        if key not in self._known:
            data = self._parts[part]
            values = self.mean(part, counts)
            if self._quick is not None:
                score = self._quick(values, self._targets[part])
            else:
                predicted = (
                    _PredictedValues(values)
                    if data.classes is None
                    else _PredictedClasses(values, data.classes)
                )
                score = float(self._scorer(predicted, data.X, data.y, **data.params))
            self._known[key] = -np.inf if np.isnan(score) else score
        return self._known[key]

    def of(self, counts: tuple[int, ...], parts: Sequence[int]) -> float:
        """Return the mean score on some test parts."""
        return float(np.mean([self.of_part(part, counts) for part in parts]))

    def mean(self, part: int, counts: tuple[int, ...]) -> Array:
        """Return the weighted mean of the predictions for a test part."""
        used = np.flatnonzero(counts)
        values = self._parts[part].values[used]
        if len(used) == 1:
            return np.asarray(values[0])
        return np.asarray(np.average(values, axis=0, weights=np.take(counts, used)))


def _target(part: Part) -> Array | None:
    """Return the numbers of the classes, or the target of a regressor; None if it is neither."""
    y = as_array(part.y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        return None
    if part.classes is None:
        return y.astype(float) if y.dtype.kind in "fiu" else None
    if not np.isin(y, part.classes).all():
        return None
    return np.asarray(np.searchsorted(part.classes, y))


@ignore_float_errors
def select(
    scores: EnsembleScores,
    parts: Sequence[int] | None = None,
    *,
    n_rounds: int = N_ROUNDS,
    max_members: int = MAX_MEMBERS,
) -> tuple[int, ...]:
    """Select an ensemble greedily, with replacement.

    Each round adds the model with which the mean of the predictions scores best. The best of all
    rounds is returned; of equal ones that of the first round. Of equal models the first is added.
    It ends early after four rounds without a gain.

    Parameters
    ----------
    scores : EnsembleScores
    parts : sequence of int or None, default=None
        The test parts to use; None is all of them.
    n_rounds : int, default=20
    max_members : int, default=10
        Greatest number of different models.

    Returns
    -------
    counts : tuple of int
        How often each model was added.

    References
    ----------
    Caruana, R., Niculescu-Mizil, A., Crew, G. and Ksikes, A. (2004). Ensemble selection from
    libraries of models. ICML.
    """
    used = range(scores.n_parts) if parts is None else parts
    counts = (0,) * scores.n_models
    best, best_score = counts, -np.inf
    for number in range(n_rounds):
        if number - sum(best) > _PATIENCE:
            break
        is_full = np.count_nonzero(counts) >= max_members
        models = [m for m in range(scores.n_models) if counts[m] or not is_full]
        grown = [(*counts[:m], counts[m] + 1, *counts[m + 1 :]) for m in models]
        values = [scores.of(each, used) for each in grown]
        counts = grown[int(np.argmax(values))]
        gained = max(values)
        if gained > best_score + _ROUNDING * abs(gained) or not any(best):
            best, best_score = counts, gained
    return best


@ignore_float_errors
def honest_score(scores: EnsembleScores) -> float:
    """Return the score of ensembles on test parts that played no part in their selection.

    Parameters
    ----------
    scores : EnsembleScores

    Returns
    -------
    score : float
        The mean over the test parts, which are left out in turn, in up to three groups. An ensemble
        is selected on the others. With a single part it is the score of the selected ensemble on
        that part itself.
    """
    every = range(scores.n_parts)
    if scores.n_parts == 1:
        return scores.of_part(0, select(scores))
    found: list[float] = []
    for group in np.array_split(np.arange(scores.n_parts), min(_MAX_GROUPS, scores.n_parts)):
        counts = select(scores, [part for part in every if part not in group])
        found += [scores.of_part(part, counts) for part in group.tolist()]
    return float(np.mean(found))
