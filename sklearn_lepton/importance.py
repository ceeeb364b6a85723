"""How much of the scores' variation each parameter explains, alone and together with others."""

from typing import Any

import numpy as np
from scipy.stats import qmc
from sklearn.utils import Bunch

from sklearn_lepton._inspection.history import History, branch_parameter, read_source
from sklearn_lepton._runtime.floating_point import ignore_float_errors
from sklearn_lepton._surrogate.fanova import decompose, paths
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
def parameter_importance(
    search: Any,
    *,
    space: Any = None,
    quantile: float = 0.0,
    n_samples: int = 32,
    random_state: int = 0,
) -> Bunch:
    """Split the variance of the score among parameters and pairs of parameters.

    A functional analysis of variance [1]_ of the model that the search has of its trials,
    over the whole space, each parameter distributed as the space says. It answers how much of
    what the score varies between settings drawn at random is owed to each parameter.

    Parameters
    ----------
    search : search, Optimizer, path of a journal or sequence of Trial
        Where the trials come from; which algorithm proposed them does not matter.
    space : Space, dict, list of dict or None, default=None
        Needed with a sequence of trials.
    quantile : float, default=0.0
        In [0, 1). Scores below this quantile of the trials' count as equal to it: 0.5 asks what
        matters among the better half, where the worst settings no longer do.
    n_samples : int, default=32
        Number of functions, drawn from what the model takes for possible, that give the
        uncertainty; at least 2.
    random_state : int, default=0
        Seed of the samples.

    Returns
    -------
    result : Bunch
        With the attributes

        names : list of str of length n_names
            The parameters, constants included. Where the space has branches and no
            parameter tells them apart, ``"(branch)"`` comes first.
        importances_mean, importances_std : ndarray of shape (n_names,)
            Share of the variance that each explains alone, and its uncertainty.
        interactions_mean, interactions_std : ndarray of shape (n_names, n_names)
            Share that each pair explains beyond both alone; symmetric, 0 on the diagonal.
        importances : ndarray of shape (n_samples, n_names)
            The shares in each function drawn.
        interactions : ndarray of shape (n_samples, n_names, n_names)
            Likewise.
        n_trials : int
            Number of trials that the model has seen: all but those that failed.

        Shares are not negative and add up to at most 1; what is missing to 1 are
        interactions of three or more.

    Raises
    ------
    ValueError
        If fewer than 4 trials have a score, or a parameter is out of range.
    TypeError
        If `search` is none of what is allowed.
    NotFittedError
        If the search has no trials yet.

    Notes
    -----
    In a space with branches the variance is first split between branches and within them, and the
    latter among the parameters of each branch, which count as much as their branch is likely.

    Of a parameter with more than 512 choices, or fewer where there are several branches, only
    what varies smoothly along the list of choices is seen.

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
    model = source.fresh_modeller(with_failed=False).model()
    return _importance(source, model, float(quantile), int(n_samples), int(random_state))


def _importance(
    source: History, model: SurrogateEnsemble, quantile: float, n_samples: int, seed: int
) -> Bunch:
    space, rng = source.space, np.random.default_rng(seed)
    names, rows = _rows_of(space)
    floor = None
    if quantile:
        floor = float(np.quantile(model.process.fitted, quantile))
    halvings = (len(space.branches) - 1).bit_length()  # as Sobol points come in powers of 2
    n_points = max(_MIN_POINTS, _N_POINTS >> halvings)
    samples = [
        _branch_points(space, branch, n_points, seed) for branch in range(len(space.branches))
    ]
    values = _functions(model, np.vstack(samples), n_samples, rng)
    if floor is not None:
        values = np.maximum(values, floor)
    values = values.reshape(len(values), len(samples), n_points)
    means = values.mean(axis=2)
    total = means.var(axis=1)
    alone = np.zeros((len(values), len(names)))
    pairs = np.zeros((len(values), len(names), len(names)))
    if len(space.branches) > 1:
        alone[:, rows[0]] = total
    for number, points in enumerate(samples):
        columns = [c for c in space.branches[number].values() if space.n_values[c] > 1]
        parts = decompose(values[:, number], points[:, columns], space.is_categorical[columns])
        to = np.eye(len(names))[[rows[column] for column in columns]].reshape(-1, len(names))
        total = total + parts[0] / len(samples)
        alone += parts[1] @ to / len(samples)
        pairs += to.T @ parts[2] @ to / len(samples)
    alone, pairs = _shares(total, alone, pairs)
    return Bunch(
        names=names,
        importances=alone[1:],
        importances_mean=alone[0],
        importances_std=_deviation(alone),
        interactions=pairs[1:],
        interactions_mean=pairs[0],
        interactions_std=_deviation(pairs),
        n_trials=sum(trial.status != "failed" for trial in source.trials),
    )


def _deviation(values: FloatArray) -> FloatArray:
    """Return the root mean square distance of the samples from the first row."""
    return np.asarray(np.sqrt(np.mean((values[1:] - values[0]) ** 2, axis=0)))


def _shares(
    total: FloatArray, alone: FloatArray, pairs: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Divide by the variance; shares are not negative and add up to at most 1."""
    alone, pairs = np.maximum(alone, 0.0), np.maximum(pairs, 0.0)
    explained = alone.sum(axis=1) + pairs.sum(axis=(1, 2)) / 2
    whole = np.maximum(np.maximum(total, explained), np.finfo(float).tiny)
    is_flat = total < 1e-12
    alone[is_flat], pairs[is_flat] = 0.0, 0.0
    return alone / whole[:, None], pairs / whole[:, None, None]


def _functions(
    model: SurrogateEnsemble, points: FloatArray, n_samples: int, rng: np.random.Generator
) -> FloatArray:
    """Return the model's mean, then functions that it takes for possible, at points."""
    if not np.any(model.process.y):  # all scores are the same
        return np.zeros((1 + n_samples, len(points)))
    lifted = at_full_fidelity(points) if isinstance(model, FullFidelityEnsemble) else points
    return paths(model.process, lifted, n_samples, rng)


def _branch_points(space: Space, branch: int, n_points: int, seed: int) -> FloatArray:
    """Return points spread evenly over a branch."""
    points = np.full((n_points, space.n_dims), 0.5)
    if len(space.branches) > 1:
        points[:, 0] = space.dimensions[0].to_unit(branch)
    columns = [c for c in space.branches[branch].values() if space.n_values[c] > 1]
    if columns:
        points[:, columns] = qmc.Sobol(len(columns), seed=seed).random(n_points)
    return space.snap(points)


def _rows_of(space: Space) -> tuple[list[str], list[int]]:
    """Return the names of what is reported, and for each column the place of its name."""
    branch = [branch_parameter(space) or BRANCH] if len(space.branches) > 1 else []
    names = list(dict.fromkeys([*branch, *filter(None, space.names)]))
    return names, [names.index(name or branch[0]) for name in space.names]
