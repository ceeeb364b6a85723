"""What swarm and genetic moves share: how a point that left the cube or its cells comes back."""

import numpy as np

from sklearn_lepton._dimension import FloatArray
from sklearn_lepton.space import Space


def land(space: Space, point: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return a moved point to the cube and round its discrete columns at random.

    Columns outside [0, 1] are reflected at the bound. Ordered discrete columns
    are dithered by up to half a cell, so that snapping to the centre rounds up
    or down in proportion to the distance: a move of a tenth of a cell succeeds
    one time in ten and nothing freezes in its cell. (The cells of
    log-integers differ in width; there the dither is that of the mean cell.)

    Parameters
    ----------
    space : Space
    point : ndarray of shape (n_dims,)
        Any finite numbers.
    rng : numpy.random.Generator

    Returns
    -------
    point : ndarray of shape (n_dims,)
        Numbers in [0, 1].
    """
    folded = 1.0 - np.abs(1.0 - np.mod(np.abs(point), 2.0))
    dither = (rng.random(len(folded)) - 0.5) / space.n_values
    return np.clip(np.where(space.is_categorical, folded, folded + dither), 0.0, 1.0)
