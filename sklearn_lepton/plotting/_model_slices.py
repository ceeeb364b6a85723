"""What the model says of parameters: curves of one, maps of two."""

from typing import Any

import numpy as np
from scipy.stats import qmc

from sklearn_lepton._inspection.history import History
from sklearn_lepton._surrogate.fanova import paths
from sklearn_lepton._surrogate.mixture import SurrogateEnsemble
from sklearn_lepton._surrogate.multi_fidelity import FullFidelityEnsemble, at_full_fidelity
from sklearn_lepton.plotting._scale import Scale
from sklearn_lepton.space._dimension import FloatArray
from sklearn_lepton.space._space import Space

_N_OTHERS = 32  # settings of the other parameters that a marginal is the mean over
_N_PATHS = 16


def anchors(source: History) -> FloatArray:
    """Return the best point of each branch, the middle of one without any.

    Returns
    -------
    ndarray of shape (n_branches, n_dims)
    """
    space, points = source.space, []
    scored = [t for t in source.trials if t.score is not None and t.is_full]
    for branch in range(len(space.branches)):
        place = _place(space, branch)
        inside = [t for t in scored if len(space.branches) == 1 or t.point[0] == place]
        best = max(inside, key=lambda trial: trial.score or 0.0, default=None)
        middle = np.full(space.n_dims, 0.5)
        if len(space.branches) > 1:
            middle[0] = place
        points.append(middle if best is None else np.array(best.point))
    return space.snap(np.array(points).reshape(len(points), space.n_dims))


def best_branch(source: History, branches: tuple[int, ...]) -> int:
    """Return the branch of the best trial among some."""
    space = source.space
    if len(space.branches) == 1:
        return 0
    places = {_place(space, branch): branch for branch in branches}
    scored = [t for t in source.trials if t.score is not None and t.is_full]
    inside = [t for t in scored if t.point[0] in places]
    best = max(inside, key=lambda trial: trial.score or 0.0, default=None)
    return branches[0] if best is None else places[best.point[0]]


def slice_points(source: History, scale: Scale, units: FloatArray) -> FloatArray:
    """Return points along one parameter through the best setting that has it."""
    at = anchors(source)
    if not scale.name:
        return np.asarray(at[np.clip((units * len(at)).astype(int), 0, len(at) - 1)])
    points = np.tile(at[best_branch(source, scale.branches)], (len(units), 1))
    points[:, scale.column] = units
    return source.space.snap(points)


def slices(
    source: History, scale: Scale, units: FloatArray, model: SurrogateEnsemble
) -> tuple[FloatArray, FloatArray]:
    """Return what the model expects along one parameter, with the deviation of a trial there."""
    process = model.process
    mean, std = model.predict(slice_points(source, scale, units))
    return process.y_mean + process.y_scale * mean, process.y_scale * std


def marginals(
    source: History, scale: Scale, units: FloatArray, model: SurrogateEnsemble
) -> tuple[FloatArray, FloatArray]:
    """Return the mean over all other parameters, with the deviation of that mean."""
    space, n_units = source.space, len(units)
    others = qmc.Sobol(space.n_dims, seed=0).random(_N_OTHERS)
    if len(space.branches) > 1:
        turns = np.resize(np.array(scale.branches), _N_OTHERS)
        others[:, 0] = [_place(space, int(branch)) for branch in turns]
    points = np.tile(others, (n_units, 1))
    points[:, scale.column] = np.repeat(units, _N_OTHERS)
    points = space.snap(points)
    lifted = at_full_fidelity(points) if isinstance(model, FullFidelityEnsemble) else points
    drawn = paths(model.process, lifted, _N_PATHS, np.random.default_rng(0))
    drawn = drawn.reshape(len(drawn), n_units, _N_OTHERS).mean(axis=2)
    mean = model.predict(points)[0].reshape(n_units, _N_OTHERS).mean(axis=1)
    std = np.sqrt(np.mean((drawn[1:] - drawn[0]) ** 2, axis=0))
    process = model.process
    return process.y_mean + process.y_scale * mean, process.y_scale * std


def map_of(
    source: History, x: Scale, y: Scale, size: int, model: SurrogateEnsemble
) -> dict[str, Any]:
    """Return what the model expects over two parameters, the others as in the best setting.

    Returns
    -------
    found : dict
        Places "x" (n_x,) and "y" (n_y,), and "mean" (n_y, n_x), NaN where no branch has both.
    """
    space, units = source.space, (x.grid(size), y.grid(size))
    shared = tuple(b for b in x.branches if b in y.branches)
    shape = (len(units[1]), len(units[0]))
    held = {"x": x.places(units[0]), "y": y.places(units[1]), "mean": np.full(shape, np.nan)}
    if not shared:
        return held
    across, up = np.meshgrid(*units)
    points = np.tile(anchors(source)[best_branch(source, shared)], (across.size, 1))
    for scale, other, values in ((x, y, across), (y, x, up)):
        if not scale.name:  # of each branch its own best setting
            points = slice_points(source, scale, values.ravel())
            points[:, other.column] = (up if other is y else across).ravel()
    for scale, values in ((x, across), (y, up)):
        points[:, scale.column] = values.ravel()
    points = space.snap(points)
    mean, _ = model.predict(points)
    process = model.process
    mean = process.y_mean + process.y_scale * mean
    is_active = space.is_active(points)
    known = is_active[:, x.column] & is_active[:, y.column]
    held["mean"] = np.where(known, mean, np.nan).reshape(shape)
    return held


def _place(space: Space, branch: int) -> float:
    return space.dimensions[0].to_unit(branch) if len(space.branches) > 1 else 0.5
