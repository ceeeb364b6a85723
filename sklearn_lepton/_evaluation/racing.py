"""Racing: a test over the splits that prunes trials which will not be the best.

A trial is compared with the best one split by split, since a hard split is hard for both.
The differences ``d_j = s_j - b_j`` are known on the splits that have been run, and predicted
on the others. The test concerns the mean over exactly these splits, which is the published
score. Overlapping training parts correlate the scores, but do not bias this prediction: the
common part of all differences is observed in the first of them.

    d_j = delta + e_j,  e_j ~ N(0, v r_j)                                            (1)
    delta | d_P ~ t(sum_P w_j d_j / W, v / W),  w_j = 1 / r_j,  W = sum_P w_j        (2)
    D | d_P ~ t((sum_P d_j + |Q| delta) / K, v (|Q|^2 / W + sum_Q r_j) / K^2)        (3)

``P`` are the splits that have been run, ``Q`` the others, and ``K`` is the number of all
splits. The variance ``v`` is that of the trial's own differences, shrunk towards the variance
of complete trials at a similar distance from the best one. All complete trials give the
relative variance ``r_j`` of each split. The probability that ``D`` exceeds a tenth of the
standard error of the best mean is combined with the prior probability of an improvement:

    P = pi p / (pi p + (1 - pi) (1 - p))                                             (4)

``p`` is the tail probability of (3), and ``pi`` the share of trials that were improvements.

A trial at a low fidelity is promoted if it is among the best third of its rung. It is
therefore compared with the last trial of this third, and ``pi`` is one third.

References
----------
Birattari, M., Stützle, T., Paquete, L. and Varrentrapp, K. (2002). A racing algorithm for
configuring metaheuristics. GECCO.

Bergman, E., Purucker, L. and Hutter, F. (2024). Don't waste your time: early stopping
cross-validation. AutoML, PMLR 256, https://proceedings.mlr.press/v256/bergman24a.html.
They stop a trial whose mean lies below the worst split of the best one.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import stdtr

from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._trials.statistics import plain_standard_error
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._successive_halving import REDUCTION_FACTOR
from sklearn_lepton.space._dimension import FloatArray

_DEFAULT_RATE = 0.01
_MIN_COMPLETE = 3  # complete trials before the first test
_N_NEIGHBORS = 10  # complete trials whose variance enters `v`
_PRIOR_DOF = 4.0  # degrees of freedom of their variance
_PRIOR_N_TRIALS = 5.0  # weight of equal variances of the splits, in trials
_MARGIN = 0.1  # standard errors; a smaller improvement is not worth a fit
_MAX_PRIOR = 0.5  # of `pi`


class Race:
    """Test of trials against the best one, or against the last one that is promoted.

    Parameters
    ----------
    trials : sequence of Trial
        Finished trials of one fidelity, in the order of their numbers.
    n_splits : int, >= 1
        Number K of splits.
    error_rate : float in (0, 1)
        A trial is pruned if its probability (4) is smaller.
    share : float in (0, 1) or None, default=None
        Share of trials that are promoted; None compares with the best trial.

    Attributes
    ----------
    order : list of int of length n_splits
        Order of the splits that reduces the variance in (3) fastest: first a split that is
        close to the mean, then the splits that differ most from it.
    """

    @ignore_float_errors
    def __init__(
        self,
        trials: Sequence[Trial],
        n_splits: int,
        error_rate: float,
        share: float | None = None,
    ) -> None:
        complete = [trial for trial in trials if trial.status == "complete"]
        self._rate = error_rate
        self._can_judge = len(complete) >= _MIN_COMPLETE and n_splits > 1
        self.order = list(range(n_splits))
        if not self._can_judge:
            return
        scores = np.array([trial.split_scores for trial in complete], dtype=float)
        n_tried = sum(trial.status in {"complete", "pruned"} for trial in trials)
        rank = 0 if share is None else min(int(share * n_tried), len(complete) - 1)
        best = int(np.argsort(-scores.mean(axis=1), kind="stable")[rank])
        self._best = scores[best]
        self._margin = _MARGIN * plain_standard_error(self._best.tolist())
        gaps = np.delete(scores, best, axis=0) - self._best
        self._distance = np.abs(gaps.mean(axis=1))
        self._variance = gaps.var(axis=1, ddof=1)
        self._relative = _relative_variances(gaps, self._variance)
        self._prior = share or _improvement_rate(trials)
        self.order = _most_informative_order(self._relative)

    @ignore_float_errors
    def judge(self, splits: Sequence[int], scores: Sequence[float]) -> tuple[float, float] | None:
        """Return the estimated score of a trial that must be pruned, or None.

        Parameters
        ----------
        splits : sequence of int of length k
            The splits that have been run, 1 <= k < n_splits.
        scores : sequence of float of length k
            Finite scores on these splits.

        Returns
        -------
        estimate : tuple (expected, std) or None
            Estimate of the mean score over all splits; None if the trial must not be pruned.
        """
        if not self._can_judge:
            return None
        n_splits, k = len(self._best), len(splits)
        run, rest = np.array(splits), np.setdiff1d(np.arange(n_splits), splits)
        # Equation (2): the mean of the differences, weighted by precision.
        d = np.asarray(scores, dtype=float) - self._best[run]
        w = 1.0 / self._relative[run]
        delta = float(w @ d / w.sum())
        # The variance, shrunk to that of the trials at a similar distance from the best one.
        neighbors = np.argsort(np.abs(self._distance - abs(delta)), kind="stable")[:_N_NEIGHBORS]
        dof = _PRIOR_DOF + k - 1.0
        v = (_PRIOR_DOF * self._variance[neighbors].mean() + w @ (d - delta) ** 2) / dof
        # Equation (3): the predicted mean difference over all splits.
        gain = (d.sum() + len(rest) * delta) / n_splits
        variance = v * (len(rest) ** 2 / w.sum() + self._relative[rest].sum()) / n_splits**2
        std = float(np.sqrt(variance))
        gain_left = gain - self._margin
        if std > abs(gain_left) * np.finfo(float).eps:
            tail = float(stdtr(dof, gain_left / std))
        else:  # no uncertainty is left, and an equal score is no improvement
            tail = float(gain_left > 0.0)
        # Equation (4).
        probability = self._prior * tail / (self._prior * tail + (1 - self._prior) * (1 - tail))
        if probability >= self._rate:
            return None
        # The standard deviation of Student's t distribution exceeds its scale.
        return float(self._best.mean() + gain), std * float(np.sqrt(dof / (dof - 2.0)))


class Races:
    """The races of trials, each against the finished trials of its fidelity.

    Parameters
    ----------
    n_splits : int
    error_rate : float in (0, 1)
    rivals : callable
        Takes the number of a trial. Returns the finished trials that it competes with, in the
        order of their numbers.
    """

    def __init__(
        self, n_splits: int, error_rate: float, rivals: Callable[[int], Sequence[Trial]]
    ) -> None:
        self._n_splits = n_splits
        self._error_rate = error_rate
        self._rivals = rivals
        self._races: dict[float | None, tuple[int, Race]] = {}

    def of(self, trial: Trial) -> Race:
        """Return the race of a trial against its rivals of the same fidelity."""
        finished = self._rivals(trial.number)
        fidelity = None if trial.is_full else trial.fidelity
        n_finished, race = self._races.get(fidelity, (-1, None))
        if race is None or n_finished != len(finished):
            rivals = [t for t in finished if fidelity == (None if t.is_full else t.fidelity)]
            share = None if fidelity is None else 1.0 / REDUCTION_FACTOR
            race = Race(rivals, self._n_splits, self._error_rate, share)
            self._races[fidelity] = len(finished), race
        return race


def error_rate(racing: bool | float | str) -> float | None:
    """Return the error rate for the parameter ``racing``; None for no racing."""
    if isinstance(racing, str):  # "auto" of a search with an estimator
        return None
    if isinstance(racing, bool | np.bool_):
        return _DEFAULT_RATE if racing else None
    return float(racing)


def _relative_variances(gaps: FloatArray, variance: FloatArray) -> FloatArray:
    """Return the variance of each split's differences relative to the others, 1 on average."""
    n_splits = gaps.shape[1]
    varied = variance > 0
    e2 = (gaps[varied] - gaps[varied].mean(axis=1, keepdims=True)) ** 2
    ratio = (e2 / variance[varied, np.newaxis]).sum(axis=0) * n_splits / (n_splits - 1)
    relative: FloatArray = (ratio + _PRIOR_N_TRIALS) / (varied.sum() + _PRIOR_N_TRIALS)
    return relative


def _most_informative_order(relative: FloatArray) -> list[int]:
    """Return the order of the splits that reduces the variance in (3) fastest."""
    remaining, order, weight = np.arange(len(relative)), list[int](), 0.0
    while len(remaining):
        own = relative[remaining]
        variance = (len(remaining) - 1) ** 2 / (weight + 1.0 / own) + own.sum() - own
        # Rounded, since sums in another order may differ in the last digit.
        place = int(np.argmin(np.round(variance, 9)))
        weight += 1.0 / float(own[place])
        order.append(int(remaining[place]))
        remaining = np.delete(remaining, place)
    return order


def _improvement_rate(trials: Sequence[Trial]) -> float:
    """Return the share of trials that improved on all earlier ones: (improved + 1) / (n + 2)."""
    best, n_complete, n_judged, n_improved = -np.inf, 0, 0, 0
    for trial in trials:
        if trial.status == "complete" and trial.score is not None:
            n_improved += n_complete >= _MIN_COMPLETE and trial.score > best
            best = max(best, trial.score)
        n_judged += n_complete >= _MIN_COMPLETE and trial.status in {"complete", "pruned"}
        n_complete += trial.status == "complete"
    return min((n_improved + 1) / (n_judged + 2), _MAX_PRIOR)
