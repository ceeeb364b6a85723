"""The number that an optimizer maximises for each trial: its score, or one for a front.

With several objectives each proposal maximises another weighted sum of them, augmented by the
worst one (an augmented Chebyshev function). The weights are drawn from a generator of the
proposal's own, so that they need not be stored.
"""

from collections.abc import Sequence

import numpy as np

from sklearn_lepton._trials.objectives import Objectives
from sklearn_lepton._trials.pareto import crowding, front_ranks, is_on_front
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._dimension import FloatArray

_SUM_SHARE = 0.05  # of the weighted sum; 0 would not tell weakly dominated points apart
_WEIGHTS = 0x5CA1A4  # tells the generator of the weights from that of the proposal


def expected_scores(finished: Sequence[Trial]) -> FloatArray:
    """Return the score of each finished trial.

    A pruned trial counts with its estimate, a failed one with the worst score.
    """
    known = [t.estimate[0] if t.estimate else t.score for t in finished]
    scores = np.array([np.nan if score is None else score for score in known], dtype=float)
    return _filled(scores)


def scores_to_maximize(
    finished: Sequence[Trial], objectives: Objectives, key: Sequence[int]
) -> FloatArray:
    """Return the number to maximise of each finished trial.

    Parameters
    ----------
    finished : sequence of Trial
    objectives : Objectives
    key : sequence of int
        Seed of the weights: that of the search and the number of the proposal.

    Returns
    -------
    scores : ndarray of shape (n_finished,)
        With several objectives it is at most 0, and 0 at a point that is best in all of them.

    References
    ----------
    Knowles, J. (2006). ParEGO: a hybrid algorithm with on-line landscape approximation for
    expensive multiobjective optimization problems. IEEE Transactions on Evolutionary
    Computation 10(1). https://doi.org/10.1109/TEVC.2005.851274
    """
    if not objectives.targets:
        return expected_scores(finished)
    values = objectives.values(finished)
    if not objectives.are_several:
        return _filled(values[:, 0])
    losses = _losses(values)
    weights = np.random.default_rng([*key, _WEIGHTS]).dirichlet(np.ones(values.shape[1]))
    weighted = losses * weights
    return _filled(-(weighted.max(axis=1) + _SUM_SHARE * weighted.sum(axis=1)))


def fitness(
    finished: Sequence[Trial], objectives: Objectives, scores: FloatArray, *, by_front: bool
) -> FloatArray:
    """Return numbers that rank trials as parents: greater is better.

    A trial over a limit ranks after all that are within, by the sum of what it exceeds the limits
    by (constrained domination). Failed trials come last.

    Parameters
    ----------
    finished : sequence of Trial
    objectives : Objectives
    scores : ndarray of shape (n_finished,)
        Those of `scores_to_maximize`.
    by_front : bool
        Whether several objectives rank by their front first, and by the crowding on it second,
        instead of by ``scores``.

    Returns
    -------
    fitness : ndarray of shape (n_finished,)

    References
    ----------
    Deb, K., Pratap, A., Agarwal, S. and Meyarivan, T. (2002). A fast and elitist multiobjective
    genetic algorithm: NSGA-II. IEEE Transactions on Evolutionary Computation 6(2).
    https://doi.org/10.1109/4235.996017
    """
    ranked = scores
    if by_front and objectives.are_several:
        ranked = _crowded_ranks(objectives.values(finished))
    if not objectives.limits:
        return ranked
    excess = objectives.excesses(finished)
    scale = np.nanmax(np.abs(excess), axis=0, initial=0.0)
    violation = (np.maximum(excess, 0.0) / np.where(scale > 0, scale, 1.0)).sum(axis=1)
    violation = np.where(np.isnan(violation), len(objectives.limits) + 1.0, violation)
    worst = float(ranked.min(initial=0.0))
    constrained: FloatArray = np.where(violation > 0.0, worst - 1.0 - violation, ranked)
    return constrained


def _losses(values: FloatArray) -> FloatArray:
    """Return the distance to the best value of each objective, in units of the front's range."""
    front = values[is_on_front(values)]
    if not len(front):
        return values
    best, spread = front.max(axis=0), np.ptp(front, axis=0)
    known = values[~np.isnan(values).any(axis=1)]
    spread = np.where(spread > 0, spread, np.ptp(known, axis=0))
    losses: FloatArray = (best - values) / np.where(spread > 0, spread, 1.0)
    return losses


def _crowded_ranks(values: FloatArray) -> FloatArray:
    """Return minus the rank of each row's front, plus at most a half for its crowding."""
    ranks = front_ranks(values)
    fitness: FloatArray = -ranks.astype(np.float64)
    for rank in np.unique(ranks):
        rows = np.flatnonzero(ranks == rank)
        if not np.isnan(values[rows]).any():
            distance = crowding(values[rows])
            fitness[rows] += np.where(np.isinf(distance), 0.5, distance / (2 * distance + 2))
    return fitness


def _filled(scores: FloatArray) -> FloatArray:
    """Return scores with the worst one in place of NaN."""
    worst = np.nanmin(scores) if np.any(~np.isnan(scores)) else 0.0
    return np.where(np.isnan(scores), worst, scores)
