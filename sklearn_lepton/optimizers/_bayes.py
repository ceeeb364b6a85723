"""Bayesian optimization with a Gaussian process, a forest and expected improvement.

After an initial design, each proposal fits the surrogate to the scores. Pending trials count with
the score that the process predicts (kriging believer). The proposal maximises the logarithm of
expected improvement over the best posterior mean at a tried point. A forest next to the process
models what is not smooth. A failed trial counts as the worst score.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_lepton._surrogate.maximize import maximize
from sklearn_lepton.optimizers._surrogate_assisted import SurrogateOptimizer
from sklearn_lepton.space._dimension import FloatArray

_N_BEST = 5  # points from which the maximisation starts


class BayesOptimizer(SurrogateOptimizer):
    """Propose where a Gaussian process and a forest expect the greatest improvement.

    Parameters
    ----------
    space : Space, dict or list of dict
        Search space; see `Space`.
    seed : int, default=0
        Seed of every proposal, not negative.
    n_initial_points : int or "auto", default="auto"
        Number of trials of the initial design, at least 1: the middle of the space, then
        scrambled Sobol points. ``"auto"`` is one more than the number of dimensions, but from
        5 to 12. With source studies it is 0 unless the scores contradict them.
    previous_studies : study or list of studies, default=()
        Source studies to learn from; see `Optimizer`.
    cost_aware : bool, default=False
        Whether the seconds of trials are modelled as well, and expected improvement is divided
        by a power of the expected seconds. It changes nothing if all seconds are 0.
    max_seconds : float or None, default=None
        Seconds that all trials together may take, finished ones included, above 0. With
        ``cost_aware`` the aim is the best score when they are spent: the power is the share of
        them that remains. It is 1/2 throughout for None. `configure` changes it.
    resources : sequence of float, default=(1.0,)
        Shares of the full resource; see `Optimizer`.

    References
    ----------
    Swersky, K., Snoek, J. and Adams, R. P. (2013). Multi-task Bayesian
    optimization. NeurIPS 26.

    Snoek, J., Larochelle, H. and Adams, R. P. (2012). Practical Bayesian
    optimization of machine learning algorithms. NeurIPS 25.

    Ament, S. et al. (2023). Unexpected improvements to expected improvement
    for Bayesian optimization. NeurIPS 36. https://arxiv.org/abs/2310.20708

    Geurts, P., Ernst, D. and Wehenkel, L. (2006). Extremely randomized trees.
    Machine Learning 63. https://doi.org/10.1007/s10994-006-6226-1

    Lee, E. H., Perrone, V., Archambeau, C. and Seeger, M. (2020). Cost-aware
    Bayesian optimization. https://arxiv.org/abs/2003.10870

    Ginsbourger, D., Le Riche, R. and Carraro, L. (2010). Kriging is well-suited
    to parallelize optimization. https://doi.org/10.1007/978-3-642-10701-6_6

    Examples
    --------
    >>> from sklearn_lepton.optimizers import BayesOptimizer
    >>> optimizer = BayesOptimizer({"x": (-5.0, 5.0, "uniform")}, seed=0)
    >>> for _ in range(12):
    ...     [trial] = optimizer.ask()
    ...     optimizer.tell([trial.complete(-((trial.params["x"] - 1.0) ** 2))])
    >>> abs(optimizer.best.params["x"] - 1.0) < 0.05
    True
    """

    def _propose(self, rng: np.random.Generator) -> tuple[FloatArray, Mapping[str, Any]]:
        points, scores = self._maximized()
        if not len(points) and not self._sources.studies:
            return self._design_point(), {}
        space = self.space
        model, fitted = self._fit(points, scores, rng)
        acquisition = self._acquisition(model)
        proposals = maximize(
            acquisition,
            acquisition.incumbent,
            n_values=space.n_values,
            categorical=space.is_categorical,
            snap=space.snap,
            X_best=points[np.argsort(-scores, kind="stable")[:_N_BEST]],
            rng=rng,
            taken=np.array(list(self._seen)),
            allows=None if space.allowed is None else space.allows_point,
            extra=None if space.allowed is None else space.allowed.sample,
        )
        if not len(proposals):
            return space.draw(rng), fitted
        rows = np.flatnonzero(self._is_apart(proposals))
        return proposals[rows[0]] if len(rows) else self._design_point(), fitted
