"""Quasi-random search: the scrambled Sobol sequence.

Points of the sequence fill the cube more evenly than independent draws. It
holds no state but the number of trials.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.space._dimension import FloatArray


class RandomOptimizer(Optimizer):
    """Propose the points of a scrambled Sobol sequence, whatever the scores.

    Parameters
    ----------
    space : Space, dict or list of dict
        What to search; see `Space`.
    seed : int, default=0
        Seed of the scrambling, not negative.
    previous_studies : sequence of sequence of Trial, default=()
        Older studies, of which the best settings are tried first; see `Optimizer`.
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
        previous_studies: Sequence[Sequence[Trial]] = (),
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
