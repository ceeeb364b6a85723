"""Racing: which splits of a trial show already that it will not be the best.

A trial is compared with the best one split by split, since what makes a split hard is
hard for both. Of the differences ``d_j = s_j - b_j`` those on splits that have been run
are known. The others are predicted, so that what is judged is the mean over just these
splits, as it will stand in the results; that the training parts of the splits overlap,
which correlates the scores, is then no matter: what all differences have in common has
been seen in the first of them.

    d_j = delta + e_j,  e_j ~ N(0, v r_j)                                            (1)
    delta | d_P ~ t(sum_P w_j d_j / W, v / W),  w_j = 1 / r_j,  W = sum_P w_j        (2)
    D | d_P ~ t((sum_P d_j + |Q| delta) / K, v (|Q|^2 / W + sum_Q r_j) / K^2)        (3)

with ``P`` the splits that have been run, ``Q`` the others and ``K`` all of them. The
variance ``v`` is that of the trial's own differences, shrunk to that of the complete
trials which lie as far from the best one; the relative variance ``r_j`` of each split
comes from these as well. The chance that ``D`` exceeds a tenth of the best mean's
standard error is weighed with how seldom a trial improves on the best:

    P = pi p / (pi p + (1 - pi) (1 - p))                                             (4)

with ``p`` the tail of (3) and ``pi`` the share of improvements so far.

A trial with less than the full resource need not be the best to go on, only among the best
third of those with as much. It is compared with the last of these, and ``pi`` is a third.

References
----------
Birattari, M., Stützle, T., Paquete, L. and Varrentrapp, K. (2002). A racing algorithm for
configuring metaheuristics. GECCO.

Bergman, E., Purucker, L. and Hutter, F. (2024). Don't waste your time: early stopping
cross-validation. AutoML, PMLR 256, https://proceedings.mlr.press/v256/bergman24a.html,
stop a trial whose mean lies below the best one's worst split.
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
_LEAST = 3  # complete trials before anything is judged
_NEAR = 10  # complete trials that lend their variance
_DOF = 4.0  # degrees of freedom that it counts for
_SHRINK = 5.0  # trials that the splits' variances are alike counts for
_MARGIN = 0.1  # of the standard error: less is no improvement worth a fit
_LARGEST_PRIOR = 0.5


class Race:
    """Judge trials by their first splits against the best one, or the last that goes on.

    Parameters
    ----------
    trials : sequence of Trial
        Finished trials with one resource, in the order of their numbers.
    n_splits : int, >= 1
        Number K of splits.
    error_rate : float in (0, 1)
        A trial is ended if the chance that it would be the best is smaller.
    share : float in (0, 1) or None, default=None
        How many go on, where that is what trials are tried for; None is the best only.

    Attributes
    ----------
    order : list of int of length n_splits
        The splits, those first after which the mean over all of them is known best: one
        that is like the mean, then those that differ most from it.
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
        self._can_judge = len(complete) >= _LEAST and n_splits > 1
        self.order = list(range(n_splits))
        if not self._can_judge:
            return
        scores = np.array([trial.split_scores for trial in complete], dtype=float)
        n_tried = sum(trial.status in {"complete", "pruned"} for trial in trials)
        place = 0 if share is None else min(int(share * n_tried), len(complete) - 1)
        best = int(np.argsort(-scores.mean(axis=1), kind="stable")[place])
        self._best = scores[best]
        self._margin = _MARGIN * plain_standard_error(self._best.tolist())
        gaps = np.delete(scores, best, axis=0) - self._best
        self._distance = np.abs(gaps.mean(axis=1))
        self._variance = gaps.var(axis=1, ddof=1)
        self._relative = _relative_variances(gaps, self._variance)
        self._prior = share or _share_of_improvements(trials)
        self.order = _most_telling(self._relative)

    @ignore_float_errors
    def judge(self, splits: Sequence[int], scores: Sequence[float]) -> tuple[float, float] | None:
        """Judge a trial by its first splits.

        Parameters
        ----------
        splits : sequence of int of length k
            Which splits have been run, 1 <= k < n_splits.
        scores : sequence of float of length k
            Finite scores on these.

        Returns
        -------
        estimate : tuple (expected, std) or None
            Of the mean score over all splits, if the trial is to be ended; None if not.
        """
        if not self._can_judge:
            return None
        n_splits, k = len(self._best), len(splits)
        run, rest = np.array(splits), np.setdiff1d(np.arange(n_splits), splits)
        d = np.asarray(scores, dtype=float) - self._best[run]
        w = 1.0 / self._relative[run]
        delta = float(w @ d / w.sum())
        near = np.argsort(np.abs(self._distance - abs(delta)), kind="stable")[:_NEAR]
        dof = _DOF + k - 1.0
        v = (_DOF * self._variance[near].mean() + w @ (d - delta) ** 2) / dof
        gain = (d.sum() + len(rest) * delta) / n_splits
        variance = v * (len(rest) ** 2 / w.sum() + self._relative[rest].sum()) / n_splits**2
        std = float(np.sqrt(variance))
        gain_left = gain - self._margin
        if std > abs(gain_left) * np.finfo(float).eps:
            tail = float(stdtr(dof, gain_left / std))
        else:  # all is known; to be equal is no improvement
            tail = float(gain_left > 0.0)
        chance = self._prior * tail / (self._prior * tail + (1 - self._prior) * (1 - tail))
        if chance >= self._rate:
            return None
        # The deviation of Student's distribution.
        return float(self._best.mean() + gain), std * float(np.sqrt(dof / (dof - 2.0)))


class Races:
    """The race of each fidelity, updated when trials have finished.

    Parameters
    ----------
    n_splits : int
    error_rate : float in (0, 1)
    finished : callable
        Returns the finished trials, in the order of their numbers.
    """

    def __init__(
        self, n_splits: int, error_rate: float, finished: Callable[[], Sequence[Trial]]
    ) -> None:
        self._n_splits = n_splits
        self._error_rate = error_rate
        self._finished = finished
        self._races: dict[float | None, tuple[int, Race]] = {}

    def of(self, trial: Trial) -> Race:
        """Return the race of a trial against all finished trials of its fidelity."""
        finished = self._finished()
        fidelity = None if trial.is_full else trial.fidelity
        n_finished, race = self._races.get(fidelity, (-1, None))
        if race is None or n_finished != len(finished):
            rivals = [t for t in finished if fidelity == (None if t.is_full else t.fidelity)]
            share = None if fidelity is None else 1.0 / REDUCTION_FACTOR
            race = Race(rivals, self._n_splits, self._error_rate, share)
            self._races[fidelity] = len(finished), race
        return race


def error_rate(racing: bool | float | str) -> float | None:
    """Return the error rate that a search's ``racing`` stands for, None for no racing."""
    if isinstance(racing, str):  # "auto", of a search that was given an estimator
        return None
    if isinstance(racing, bool | np.bool_):
        return _DEFAULT_RATE if racing else None
    return float(racing)


def _relative_variances(gaps: FloatArray, variance: FloatArray) -> FloatArray:
    """Return how much more than the others each split's differences vary, 1 on average."""
    n_splits = gaps.shape[1]
    varied = variance > 0
    e2 = (gaps[varied] - gaps[varied].mean(axis=1, keepdims=True)) ** 2
    ratio = (e2 / variance[varied, np.newaxis]).sum(axis=0) * n_splits / (n_splits - 1)
    relative: FloatArray = (ratio + _SHRINK) / (varied.sum() + _SHRINK)
    return relative


def _most_telling(relative: FloatArray) -> list[int]:
    """Order the splits so that the variance (3) falls fastest."""
    left, order, weight = np.arange(len(relative)), list[int](), 0.0
    while len(left):
        own = relative[left]
        variance = (len(left) - 1) ** 2 / (weight + 1.0 / own) + own.sum() - own
        # Rounded, since sums in another order may differ in their last digit.
        place = int(np.argmin(np.round(variance, 9)))
        weight += 1.0 / float(own[place])
        order.append(int(left[place]))
        left = np.delete(left, place)
    return order


def _share_of_improvements(trials: Sequence[Trial]) -> float:
    """Return the share of trials that improved on all before, as (improved + 1) / (n + 2)."""
    best, n_complete, n_judged, n_improved = -np.inf, 0, 0, 0
    for trial in trials:
        if trial.status == "complete" and trial.score is not None:
            n_improved += n_complete >= _LEAST and trial.score > best
            best = max(best, trial.score)
        n_judged += n_complete >= _LEAST and trial.status in {"complete", "pruned"}
        n_complete += trial.status == "complete"
    return min((n_improved + 1) / (n_judged + 2), _LARGEST_PRIOR)
