"""Importance of parameters: the share of the score's variance that each explains."""

from typing import Any

import numpy as np
from scipy.stats import qmc
from sklearn.utils import Bunch

from sklearn_lepton._inspection.history import History, branch_parameter, read_source
from sklearn_lepton._runtime.blas_threads import single_blas_thread
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._surrogate.fanova import decompose, sample_paths
from sklearn_lepton._surrogate.mixture import SurrogateEnsemble
from sklearn_lepton._surrogate.multi_fidelity import FullFidelityEnsemble, at_full_fidelity
from sklearn_lepton._validation import is_real, is_whole
from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._space import Space

__all__ = ["parameter_importance"]

BRANCH = "(branch)"
_MIN_TRIALS = 4
_N_POINTS = 4096
_MIN_POINTS = 1024  # of a branch


@ignore_float_errors
@single_blas_thread
def parameter_importance(
    search: Any,
    *,
    space: Any = None,
    quantile: float = 0.0,
    n_samples: int = 32,
    random_state: int = 0,
) -> Bunch:
    """Return the share of the score's variance that each parameter and each pair explains.

    This is a functional analysis of variance (fANOVA [1]_) of a surrogate fitted to the trials.
    The variance is that over configurations drawn at random from the space. The importance of a
    parameter is the share of this variance that is due to it.

    Parameters
    ----------
    search : search, Optimizer, path of a journal or sequence of Trial
        Source of the trials, proposed by any algorithm.
    space : Space, dict, list of dict or None, default=None
        Space of the trials; required with a sequence of trials.
    quantile : float, default=0.0
        Quantile of the trials' scores, in [0, 1). Lower scores count as equal to it. For example,
        0.5 measures importance among the better half of the configurations.
    n_samples : int, default=32
        Number of posterior samples used to estimate the uncertainty, at least 2.
    random_state : int, default=0
        Seed of the samples.

    Returns
    -------
    result : Bunch
        Object with the attributes

        names : list of str of length n_names
            Names of the parameters, including constant ones. If the space has branches that no
            parameter identifies, ``"(branch)"`` is the first name.
        importances_mean, importances_std : ndarray of shape (n_names,)
            Share of the variance that each parameter explains alone, and its uncertainty.
        interactions_mean, interactions_std : ndarray of shape (n_names, n_names)
            Share of the variance that each pair explains in addition; symmetric, 0 on the
            diagonal.
        importances : ndarray of shape (n_samples, n_names)
            Importances in each posterior sample.
        interactions : ndarray of shape (n_samples, n_names, n_names)
            Interactions in each posterior sample.
        n_trials : int
            Number of trials that the surrogate was fitted to: all except failed ones.

        Shares are not negative, and their sum is at most 1. The remainder is due to interactions
        of three or more parameters.

    Raises
    ------
    ValueError
        If fewer than 4 trials have a score, or a parameter is out of range.
    TypeError
        If `search` has a different type.
    NotFittedError
        If the search has no trials yet.

    Notes
    -----
    In a space with branches, the variance has a part between branches and a part within them. The
    latter is divided among the parameters of each branch, weighted by the branch's probability.

    For a parameter with more than 512 choices (fewer in a space with branches), the estimate
    includes only smooth variation along the list of choices.

    References
    ----------
    .. [1] Hutter, F., Hoos, H. and Leyton-Brown, K. (2014). An efficient approach for assessing
       hyperparameter importance. ICML, PMLR 32.
       https://proceedings.mlr.press/v32/hutter14.html

    Examples
    --------
    >>> from sklearn_lepton.importance import parameter_importance
    >>> from sklearn_lepton.optimizers import RandomOptimizer
    >>> optimizer = RandomOptimizer({"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")})
    >>> trials = optimizer.ask(40)
    >>> optimizer.tell([t.complete(2 * t.params["x"] + t.params["y"]) for t in trials])
    >>> result = parameter_importance(optimizer)
    >>> result.names, [round(float(share), 1) for share in result.importances_mean]
    (['x', 'y'], [0.8, 0.2])
    """
    if not is_real(quantile) or not 0 <= quantile < 1:
        raise ValueError(f"quantile must be a number in [0, 1), got {quantile!r}.")
    if not is_whole(n_samples) or n_samples < 2:
        raise ValueError(f"n_samples must be an integer of at least 2, got {n_samples!r}.")
    source = read_source(search, space)
    source.check_scored(_MIN_TRIALS)
    model = source.new_surrogate_optimizer(with_failed=False).model()
    return _importance(source, model, float(quantile), int(n_samples), int(random_state))


def _importance(
    source: History, model: SurrogateEnsemble, quantile: float, n_samples: int, seed: int
) -> Bunch:
    """Return the result of `parameter_importance` for a surrogate."""
    space, rng = source.space, np.random.default_rng(seed)
    names, rows = _rows_of(space)
    floor = None
    if quantile:
        floor = float(np.quantile(model.process.fitted, quantile))
    # Sobol points are balanced in powers of 2: many branches halve the points of each.
    halvings = (len(space.branches) - 1).bit_length()
    n_points = max(_MIN_POINTS, _N_POINTS >> halvings)
    samples = [
        _branch_points(space, branch, n_points, seed) for branch in range(len(space.branches))
    ]
    values = _functions(model, np.vstack(samples), n_samples, rng)
    if floor is not None:
        values = np.maximum(values, floor)
    values = values.reshape(len(values), len(samples), n_points)
    # Variance between branches, which is due to the branch.
    means = values.mean(axis=2)
    total = means.var(axis=1)
    main = np.zeros((len(values), len(names)))
    interactions = np.zeros((len(values), len(names), len(names)))
    if len(space.branches) > 1:
        main[:, rows[0]] = total
    # Variance within branches, which are equally likely; columns add up by name.
    for number, points in enumerate(samples):
        columns = [c for c in space.branches[number].values() if space.n_values[c] > 1]
        parts = decompose(values[:, number], points[:, columns], space.is_categorical[columns])
        to_names = np.eye(len(names))[[rows[column] for column in columns]].reshape(-1, len(names))
        total = total + parts[0] / len(samples)
        main += parts[1] @ to_names / len(samples)
        interactions += to_names.T @ parts[2] @ to_names / len(samples)
    main, interactions = _shares(total, main, interactions)
    return Bunch(
        names=names,
        importances=main[1:],
        importances_mean=main[0],
        importances_std=_deviation(main),
        interactions=interactions[1:],
        interactions_mean=interactions[0],
        interactions_std=_deviation(interactions),
        n_trials=sum(trial.status != "failed" for trial in source.trials),
    )


def _deviation(values: FloatArray) -> FloatArray:
    """Return the root mean square difference between the samples and the first row."""
    return np.asarray(np.sqrt(np.mean((values[1:] - values[0]) ** 2, axis=0)))


def _shares(
    total: FloatArray, main: FloatArray, interactions: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the shares of the variance: not negative, with a sum of at most 1."""
    main, interactions = np.maximum(main, 0.0), np.maximum(interactions, 0.0)
    # Estimates are noisy: their sum can exceed the total.
    explained = main.sum(axis=1) + interactions.sum(axis=(1, 2)) / 2
    whole = np.maximum(np.maximum(total, explained), np.finfo(float).tiny)
    is_flat = total < 1e-12
    main[is_flat], interactions[is_flat] = 0.0, 0.0
    return main / whole[:, None], interactions / whole[:, None, None]


def _functions(
    model: SurrogateEnsemble, points: FloatArray, n_samples: int, rng: np.random.Generator
) -> FloatArray:
    """Return the posterior mean at points, then posterior samples."""
    if not np.any(model.process.y):  # all scores are the same
        return np.zeros((1 + n_samples, len(points)))
    if isinstance(model, FullFidelityEnsemble):
        points = at_full_fidelity(points)
    return sample_paths(model.process, points, n_samples, rng)


def _branch_points(space: Space, branch: int, n_points: int, seed: int) -> FloatArray:
    """Return low-discrepancy points of a branch."""
    points = np.full((n_points, space.n_dims), 0.5)
    if len(space.branches) > 1:
        points[:, 0] = space.dimensions[0].to_unit(branch)
    columns = [c for c in space.branches[branch].values() if space.n_values[c] > 1]
    if columns:
        points[:, columns] = qmc.Sobol(len(columns), seed=seed).random(n_points)
    return space.snap(points)


def _rows_of(space: Space) -> tuple[list[str], list[int]]:
    """Return the names in the result, and the index of each column's name."""
    branch = [branch_parameter(space) or BRANCH] if len(space.branches) > 1 else []
    names = list(dict.fromkeys([*branch, *filter(None, space.names)]))
    return names, [names.index(name or branch[0]) for name in space.names]
