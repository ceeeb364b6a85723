"""Registry of the optimizers by name."""

from typing import Any

from sklearn_lepton._validation import unknown_name
from sklearn_lepton.optimizers._auto import AutoOptimizer
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.optimizers._bayes import BayesOptimizer
from sklearn_lepton.optimizers._genetic import GeneticOptimizer
from sklearn_lepton.optimizers._grid import GridOptimizer
from sklearn_lepton.optimizers._random import RandomOptimizer
from sklearn_lepton.optimizers._swarm import SwarmOptimizer

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "auto": AutoOptimizer,
    "bayes": BayesOptimizer,
    "swarm": SwarmOptimizer,
    "genetic": GeneticOptimizer,
    "random": RandomOptimizer,
    "grid": GridOptimizer,
}


def make_optimizer(name: str, space: Any, **options: Any) -> Optimizer:
    """Return an optimizer by its name.

    Parameters
    ----------
    name : {"auto", "bayes", "swarm", "genetic", "random", "grid"}
        Name of the optimizer.
    space : Space, dict or list of dict
        Search space; see `Space`.
    **options : object
        Parameters of the optimizer; all have ``seed``, ``previous_studies`` and ``resources``.
        ``objectives`` are given to `Optimizer.configure`.

    Returns
    -------
    optimizer : Optimizer

    Raises
    ------
    ValueError
        If no optimizer has this name, or a parameter is outside its range.

    Examples
    --------
    >>> from sklearn_lepton.optimizers import make_optimizer
    >>> make_optimizer("grid", {"x": [1, 2, 3]}, seed=0).grid_size
    3
    """
    objectives = options.pop("objectives", None)
    made = optimizer_class(name)(space, **options)
    made.configure(objectives=objectives)
    return made


def optimizer_class(name: str) -> type[Optimizer]:
    """Return the class of an optimizer; raise ValueError if no optimizer has this name."""
    if not isinstance(name, str) or name not in OPTIMIZERS:
        message = unknown_name(str(name), list(OPTIMIZERS))
        raise ValueError(message.replace("parameter", "optimizer", 1))
    return OPTIMIZERS[name]


def build_optimizer(optimizer: Any, space: Any, **options: Any) -> Optimizer:
    """Return an optimizer, made by its name or by a callable; ValueError otherwise."""
    if isinstance(optimizer, str):
        return optimizer_class(optimizer)(space, **options)
    if not callable(optimizer):
        raise ValueError(
            f"optimizer must be one of {list(OPTIMIZERS)}, or a class or function that makes an "
            f"Optimizer, got {optimizer!r}."
        )
    made = optimizer(space, **options)
    if not isinstance(made, Optimizer):
        raise ValueError(f"optimizer must make an Optimizer, got {made!r}.")
    return made
