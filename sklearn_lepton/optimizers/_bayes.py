"""Bayesian optimization: a Gaussian process and the expected improvement.

After an initial design, each proposal fits a Gaussian process to the scores,
takes pending trials to score what the process expects there (kriging
believer), and maximises the logarithm of the expected improvement over the
best posterior mean at a tried point. A failed trial counts as the worst score
seen. ``meta["theta"]`` holds the hyperparameters, from which the next fit
starts; that is all the state there is.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_lepton._dimension import FloatArray
from sklearn_lepton._gp._maximize import maximize
from sklearn_lepton._gp._regression import fit
from sklearn_lepton.optimizers._base import Optimizer

_N_BEST = 5


class BayesOptimizer(Optimizer):
    """Propose where a Gaussian process expects the greatest improvement.

    Parameters
    ----------
    space : Space, dict or list of dict
        What to search; see `Space`.
    seed : int, default=0
        Seed of every proposal, not negative.
    n_initial_points : int or "auto", default="auto"
        Number of trials before the first proposal of the model, at least 1:
        the middle of the space, then scrambled Sobol points. Auto is one more
        than there are dimensions, but from 5 to 12.

    References
    ----------
    Snoek, J., Larochelle, H. and Adams, R. P. (2012). Practical Bayesian
    optimization of machine learning algorithms. NeurIPS 25.

    Ament, S. et al. (2023). Unexpected improvements to expected improvement
    for Bayesian optimization. NeurIPS 36. https://arxiv.org/abs/2310.20708

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
        points, scores = self._observations()
        if not len(points):
            return self._design_point(), {}
        space = self.space
        process = fit(points, scores, categorical=space.is_categorical, theta0=self._last_theta())
        best = float(process.fitted.max())
        for point in self._pending_points():
            process = process.condition(point)
        proposals = maximize(
            process,
            best,
            n_values=space.n_values,
            categorical=space.is_categorical,
            snap=space.snap,
            X_best=points[np.argsort(-scores, kind="stable")[:_N_BEST]],
            rng=rng,
            taken=np.array(list(self._seen)),
        )
        proposed = proposals[0] if len(proposals) else rng.random(space.n_dims)
        return proposed, {"theta": np.round(process.theta, 4).tolist()}

    def _last_theta(self) -> FloatArray | None:
        """Return the hyperparameters of the latest proposal that had any."""
        for trial in reversed(self.trials):
            theta = trial.meta.get("theta", ())
            if len(theta) == self.space.n_dims + 2:
                return np.array(theta, dtype=float)
        return None
