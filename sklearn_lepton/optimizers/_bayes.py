"""Bayesian optimization: a Gaussian process and the expected improvement.

After an initial design, each proposal fits a Gaussian process to the scores,
takes pending trials to score what the process expects there (kriging
believer), and maximises the logarithm of the expected improvement over the
best posterior mean at a tried point. A forest beside the process sees what is
not smooth. A failed trial counts as the worst score seen.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_lepton._surrogate.maximize import maximize
from sklearn_lepton.optimizers._surrogate_assisted import SurrogateOptimizer
from sklearn_lepton.space._dimension import FloatArray

_N_BEST = 5


class BayesOptimizer(SurrogateOptimizer):
    """Propose where a Gaussian process and a forest expect the greatest improvement.

    Parameters
    ----------
    space : Space, dict or list of dict
        What to search; see `Space`.
    seed : int, default=0
        Seed of every proposal, not negative.
    n_initial_points : int or "auto", default="auto"
        Number of trials before the first proposal of the model, at least 1:
        the middle of the space, then scrambled Sobol points. Auto is one more
        than there are dimensions, but from 5 to 12; none with older studies,
        unless what is told contradicts them.
    previous_studies : sequence of sequence of Trial, default=()
        Older studies to learn from; see `Optimizer`.
    cost_aware : bool, default=False
        Whether the seconds that trials took are modelled, too, and improvements are
        divided by a power of the seconds that they are expected to take. Without
        seconds, all 0, it changes nothing.
    max_seconds : float or None, default=None
        Seconds that all trials together may take, those told before included, above 0;
        what counts with ``cost_aware`` is the best score at their end: the power is the
        share of them that is left. None is a power of one half throughout. May be set
        anew at any time.
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
        points, scores = self._observations()
        if not len(points) and not self._sources.studies:
            return self._design_point(), {}
        space = self.space
        model, meta = self._fit(points, scores, rng)
        proposals = maximize(
            self._acquisition(model),
            model.incumbent,
            n_values=space.n_values,
            categorical=space.is_categorical,
            snap=space.snap,
            X_best=points[np.argsort(-scores, kind="stable")[:_N_BEST]],
            rng=rng,
            taken=np.array(list(self._seen)),
        )
        if not len(proposals):
            return rng.random(space.n_dims), meta
        apart = np.flatnonzero(self._is_apart(proposals))
        return proposals[apart[0]] if len(apart) else self._design_point(), meta
