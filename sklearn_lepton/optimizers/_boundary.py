"""Repair of moves that leave the unit cube, and exploration of branches.

The swarm and the genetic search share both.
"""

import numpy as np

from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._space import Space

_TRIALS_PER_BRANCH = 4.0
_MAX_EXPLORATION = 0.5


def reflect_and_dither(space: Space, point: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a point reflected into the unit cube, with its discrete columns dithered.

    Columns outside [0, 1] are reflected at the bound. Ordered discrete columns are dithered by up
    to half a cell, so that snapping to the centre rounds up or down in proportion to the
    distance. A move of a tenth of a cell then succeeds one time in ten, and no column gets
    stuck in its cell. Cells of log-integers differ in width; their dither is that of the mean.

    Parameters
    ----------
    space : Space
    point : ndarray of shape (..., n_dims)
        Any finite numbers.
    rng : numpy.random.Generator

    Returns
    -------
    point : ndarray of shape (..., n_dims)
        Numbers in [0, 1].
    """
    folded = 1.0 - np.abs(1.0 - np.mod(np.abs(point), 2.0))
    dither = (rng.random(folded.shape) - 0.5) / space.n_values
    return np.clip(np.where(space.is_categorical, folded, folded + dither), 0.0, 1.0)


def draw_branch(space: Space, n_points: int, rng: np.random.Generator) -> FloatArray:
    """Return the first coordinate of branches drawn at random, by their weights if they have any.

    Parameters
    ----------
    space : Space
        Space with several branches.
    n_points : int
    rng : numpy.random.Generator

    Returns
    -------
    units : ndarray of shape (n_points,)
    """
    n_branches, weights = len(space.branches), space.dimensions[0].weights
    if weights is None:
        return np.asarray((rng.integers(n_branches, size=n_points) + 0.5) / n_branches)
    shares = np.divide(weights, sum(weights))
    return np.asarray((rng.choice(n_branches, size=n_points, p=shares) + 0.5) / n_branches)


def branch_exploration(space: Space, n_trials: int) -> float:
    """Return the probability that a move goes to a branch drawn at random.

    The best score of a branch is not meaningful until its columns have been tuned. So each branch
    gets about four trials whatever its scores, before selection among branches takes over. The
    probability falls as 1 / n_trials.

    Parameters
    ----------
    space : Space
    n_trials : int
        Number of trials known, at least 1.

    Returns
    -------
    probability : float
    """
    return min(_MAX_EXPLORATION, _TRIALS_PER_BRANCH * len(space.branches) / n_trials)
