"""Bayesian optimization: a Gaussian process and the expected improvement.

After an initial design, each proposal fits a Gaussian process to the scores,
takes pending trials to score what the process expects there (kriging
believer), and maximises the logarithm of the expected improvement over the
best posterior mean at a tried point. A forest beside the process sees what is
not smooth. A failed trial counts as the worst score seen. ``meta["theta"]``
holds the hyperparameters, from which the next fit starts, and
``meta["n_fitted"]`` how many trials they were fitted to; that is all the state
there is. They are fitted anew with each trial up to 100, then whenever a
hundredth part has come in addition.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_lepton._dimension import FloatArray
from sklearn_lepton._gp._maximize import maximize
from sklearn_lepton._gp._mixture import Mixture
from sklearn_lepton._gp._regression import MOST_STEPS, fit
from sklearn_lepton.optimizers._base import Optimizer

_N_BEST = 5
_TRIALS_PER_FIT = 100


class BayesOptimizer(Optimizer):
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
        than there are dimensions, but from 5 to 12.

    References
    ----------
    Snoek, J., Larochelle, H. and Adams, R. P. (2012). Practical Bayesian
    optimization of machine learning algorithms. NeurIPS 25.

    Ament, S. et al. (2023). Unexpected improvements to expected improvement
    for Bayesian optimization. NeurIPS 36. https://arxiv.org/abs/2310.20708

    Geurts, P., Ernst, D. and Wehenkel, L. (2006). Extremely randomized trees.
    Machine Learning 63. https://doi.org/10.1007/s10994-006-6226-1

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

    def predict(self, params: Any) -> tuple[Any, Any]:
        """Predict the score of settings from the trials told.

        Parameters
        ----------
        params : dict or list of dict
            Settings, each with a value for every parameter of its branch.

        Returns
        -------
        mean : float or ndarray of shape (n_settings,)
            Expected score; a float where one dict was given.
        std : float or ndarray of shape (n_settings,)
            Standard deviation, in units of the score, of what a trial there would score:
            what the model does not know and the noise of the scores together.

        Raises
        ------
        ValueError
            If no trial is complete, or a setting does not lie in the space.

        Examples
        --------
        >>> from sklearn_lepton.optimizers import BayesOptimizer
        >>> optimizer = BayesOptimizer({"x": (0.0, 1.0, "uniform")}, seed=0)
        >>> trials = optimizer.ask(9)
        >>> optimizer.tell([trial.complete(trial.params["x"]) for trial in trials])
        >>> mean, std = optimizer.predict({"x": 0.7})
        >>> abs(mean - 0.7) < 0.1
        True
        """
        if self.best is None:
            raise ValueError("There is no model yet: tell at least one trial that has a score.")
        settings = [params] if isinstance(params, Mapping) else list(params)
        points = np.array([self.space.to_point(setting) for setting in settings])
        model, _ = self._fit(*self._observations(), np.random.default_rng(self.seed), clip=False)
        mean, std = model.predict(points.reshape(len(settings), self.space.n_dims))
        process = model.process
        mean, std = process.y_mean + process.y_scale * mean, process.y_scale * std
        return (float(mean[0]), float(std[0])) if isinstance(params, Mapping) else (mean, std)

    def _fit(
        self, points: FloatArray, scores: FloatArray, rng: np.random.Generator, *, clip: bool = True
    ) -> tuple[Mixture, Mapping[str, Any]]:
        """Return the model, with what is to be remembered of it."""
        theta, n_fitted = self._last_theta()
        is_due = theta is None or len(points) - n_fitted >= len(points) / _TRIALS_PER_FIT
        process = fit(
            points,
            scores,
            categorical=self.space.is_categorical,
            theta0=theta,
            max_iter=MOST_STEPS if is_due or not clip else 0,
            clip=clip,
        )
        meta = {"theta": np.round(process.theta, 4).tolist(), "n_fitted": len(points)}
        return Mixture.of(process, rng, self._pending_points()), meta if is_due else {}

    def _propose(self, rng: np.random.Generator) -> tuple[FloatArray, Mapping[str, Any]]:
        points, scores = self._observations()
        if not len(points):
            return self._design_point(), {}
        space = self.space
        model, meta = self._fit(points, scores, rng)
        proposals = maximize(
            model,
            float(model.process.fitted.max()),
            n_values=space.n_values,
            categorical=space.is_categorical,
            snap=space.snap,
            X_best=points[np.argsort(-scores, kind="stable")[:_N_BEST]],
            rng=rng,
            taken=np.array(list(self._seen)),
        )
        return proposals[0] if len(proposals) else rng.random(space.n_dims), meta

    def _last_theta(self) -> tuple[FloatArray | None, int]:
        """Return the latest hyperparameters and the number of trials they were fitted to."""
        for trial in reversed(self.trials):
            theta = trial.meta.get("theta", ())
            if len(theta) == self.space.n_dims + 2:
                return np.array(theta, dtype=float), trial.meta.get("n_fitted", 0)
        return None, 0
