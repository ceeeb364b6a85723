"""Quasi-random search: the scrambled Sobol sequence.

Points of the sequence fill the unit cube more evenly than independent draws. The next point
depends on the seed and the number of trials only.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.space._dimension import FloatArray


class RandomOptimizer(Optimizer):
    """Propose the points of a scrambled Sobol sequence, independently of the scores.

    Parameters
    ----------
    space : Space, dict or list of dict
        Search space; see `Space`.
    seed : int, default=0
        Seed of the scrambling, not negative.
    previous_studies : study or list of studies, default=()
        Source studies, whose best configurations run first; see `Optimizer`.
    resources : sequence of float, default=(1.0,)
        Shares of the full resource; see `Optimizer`.

    References
    ----------
    Owen, A. B. (1998). Scrambling Sobol' and Niederreiter-Xing points. Journal
    of Complexity 14(4). https://doi.org/10.1006/jcom.1998.0487

    Examples
    --------
    >>> from sklearn_lepton.optimizers import RandomOptimizer
    >>> optimizer = RandomOptimizer({"x": (-5.0, 5.0, "uniform")}, seed=0)
    >>> for trial in optimizer.ask(8):
    ...     optimizer.tell([trial.complete(-trial.params["x"] ** 2)])
    >>> abs(optimizer.best.params["x"]) < 1
    True
    """

    _centre_first: ClassVar[bool] = False

    def __init__(
        self,
        space: Any,
        *,
        seed: int = 0,
        previous_studies: Any = (),
        resources: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__(
            space,
            seed=seed,
            n_initial_points=1,
            previous_studies=previous_studies,
            resources=resources,
        )

    def _propose(
        self,
        rng: np.random.Generator,  # noqa: ARG002 - the sequence is drawn once, from the seed
    ) -> tuple[FloatArray, Mapping[str, Any]]:
        return self._design_point(), {}
