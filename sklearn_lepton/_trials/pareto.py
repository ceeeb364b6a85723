"""Pareto fronts: dominance, crowding, hypervolume and the knee. Greater values are better."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sklearn_lepton._trials.objectives import Objectives
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.space._dimension import FloatArray

BoolArray = npt.NDArray[np.bool_]


def is_on_front(values: FloatArray) -> BoolArray:
    """Return whether no other row dominates each row.

    A row dominates another if it is nowhere worse and somewhere better.

    Parameters
    ----------
    values : ndarray of shape (n, n_objectives)
        A row with NaN is not on the front, and dominates no other.

    Returns
    -------
    is_on_front : ndarray of shape (n,), bool
    """
    known: BoolArray = ~np.any(np.isnan(values), axis=1)
    no_worse = (values[:, np.newaxis] >= values).all(axis=2)
    better = (values[:, np.newaxis] > values).any(axis=2)
    is_dominated: BoolArray = np.any(no_worse & better & known[:, np.newaxis], axis=0)
    on_front: BoolArray = known & ~is_dominated
    return on_front


def front_ranks(values: FloatArray) -> npt.NDArray[np.intp]:
    """Return the rank of each row in the non-dominated sorting, 0 for the front.

    Parameters
    ----------
    values : ndarray of shape (n, n_objectives)
        Rows with NaN have the last rank.

    Returns
    -------
    ranks : ndarray of shape (n,), int

    References
    ----------
    Deb, K., Pratap, A., Agarwal, S. and Meyarivan, T. (2002). A fast and elitist multiobjective
    genetic algorithm: NSGA-II. IEEE Transactions on Evolutionary Computation 6(2).
    https://doi.org/10.1109/4235.996017
    """
    ranks = np.full(len(values), -1, dtype=np.intp)
    left, rank = np.flatnonzero(~np.isnan(values).any(axis=1)), 0
    while len(left):
        is_front = is_on_front(values[left])
        ranks[left[is_front]] = rank
        left, rank = left[~is_front], rank + 1
    return np.where(ranks < 0, rank, ranks)


def crowding(values: FloatArray) -> FloatArray:
    """Return the crowding distance of each row of one front, infinite at its ends.

    Parameters
    ----------
    values : ndarray of shape (n, n_objectives)

    Returns
    -------
    distance : ndarray of shape (n,)
        Sum over the objectives of the gap between the two neighbours, as a share of the range.
    """
    distance = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        ordered, spread = column[order], np.ptp(column)
        distance[order[[0, -1]]] = np.inf
        if spread > 0:
            distance[order[1:-1]] += (ordered[2:] - ordered[:-2]) / spread
    return distance


def hypervolume(values: FloatArray, reference: FloatArray) -> float:
    """Return the volume that the rows dominate above a reference point.

    Parameters
    ----------
    values : ndarray of shape (n, n_objectives)
    reference : ndarray of shape (n_objectives,)

    Returns
    -------
    volume : float
        Rows that do not exceed the reference in each objective, or have NaN, add nothing.

    Notes
    -----
    Exact, by slices along the last objective. The time is of order ``n ** (n_objectives - 1)``.
    """
    above = values[(values > reference).all(axis=1)] - reference
    above = above[is_on_front(above)]
    if not len(above):
        return 0.0
    if above.shape[1] == 1:
        return float(above.max())
    above = above[np.argsort(-above[:, -1], kind="stable")]
    ends = np.append(above[1:, -1], 0.0)
    origin = np.zeros(above.shape[1] - 1)
    return float(
        sum(
            (above[row, -1] - ends[row]) * hypervolume(above[: row + 1, :-1], origin)
            for row in range(len(above))
            if above[row, -1] > ends[row]
        )
    )


def admissible(trials: Sequence[Trial], objectives: Objectives) -> list[Trial]:
    """Return the complete trials with the full resource that are within all limits."""
    full = [trial for trial in trials if trial.status == "complete" and trial.is_full]
    excesses, values = objectives.excesses(full), objectives.values(full)
    return [
        trial
        for trial, excess, value in zip(full, excesses, values, strict=True)
        if np.all(excess <= 0.0) and not np.any(np.isnan(value))
    ]


def pareto_trials(trials: Sequence[Trial], objectives: Objectives) -> list[Trial]:
    """Return the trials of the Pareto front that are within all limits.

    Of trials with equal values the first is taken. The order is that of the first objective, best
    first.
    """
    within = admissible(trials, objectives)
    values = objectives.values(within)
    _, first = np.unique(values, axis=0, return_index=True)
    rows = np.sort(first)
    rows = rows[is_on_front(values[rows])]
    rows = rows[np.argsort(-values[rows, 0], kind="stable")]
    return [within[row] for row in rows.tolist()]


def knee(trials: Sequence[Trial], objectives: Objectives) -> Trial | None:
    """Return the trial of the front that is closest to the best value of each objective.

    Distances are Euclidean, in units of the range of each objective on the front. With one
    objective it is the best trial.

    Parameters
    ----------
    trials : sequence of Trial
    objectives : Objectives

    Returns
    -------
    trial : Trial or None
        The first of equal ones; None if no trial is within the limits.

    References
    ----------
    Zeleny, M. (1973). Compromise programming. In Multiple criteria decision making, University
    of South Carolina Press.
    """
    front = pareto_trials(trials, objectives)
    if not front:
        return None
    values = objectives.values(front)
    spread = np.ptp(values, axis=0)
    loss = (values.max(axis=0) - values) / np.where(spread > 0, spread, 1.0)
    distance = np.round((loss**2).sum(axis=1), 12)
    return min(zip(distance.tolist(), front, strict=True), key=lambda p: (p[0], p[1].number))[1]


def front_hypervolume(trials: Sequence[Trial], objectives: Objectives) -> float:
    """Return the hypervolume of the trials within the limits, in units of the objectives.

    The reference point has the ``reference`` of each objective, or the worst value of the
    complete trials.
    """
    values = objectives.values(admissible(trials, objectives))
    known = objectives.values([trial for trial in trials if trial.is_full])
    known = known[~np.isnan(known).any(axis=1)]
    if not len(known):
        return 0.0
    given = [target.reference for target in objectives.targets]
    worst = known.min(axis=0)
    reference = [
        low if value is None else value * sign
        for value, low, sign in zip(given, worst.tolist(), objectives.signs.tolist(), strict=True)
    ]
    return hypervolume(values, np.array(reference))
