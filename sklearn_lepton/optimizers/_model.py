"""What optimizers with a model share: fitting it, asking it, choosing by it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_lepton._dimension import FloatArray
from sklearn_lepton._gp._mixture import Mixture
from sklearn_lepton._gp._regression import MOST_STEPS, fit
from sklearn_lepton.optimizers._base import Optimizer

_TRIALS_PER_FIT = 100
N_ANYWHERE = 32  # points drawn at random that are screened beside an algorithm's own


class ModelOptimizer(Optimizer):
    """An optimizer with a Gaussian process and a forest of what it has been told.

    ``meta["theta"]`` holds the hyperparameters, from which the next fit starts, and
    ``meta["n_fitted"]`` how many trials they were fitted to; that is all the state
    there is. They are fitted anew with each trial up to 100, then whenever a
    hundredth part has come in addition.
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
    ) -> tuple[Mixture, dict[str, Any]]:
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

    def _last_theta(self) -> tuple[FloatArray | None, int]:
        """Return the latest hyperparameters and the number of trials they were fitted to."""
        for trial in reversed(self.trials):
            theta = trial.meta.get("theta", ())
            if len(theta) == self.space.n_dims + 2:
                return np.array(theta, dtype=float), trial.meta.get("n_fitted", 0)
        return None, 0

    def _screen(
        self,
        candidates: FloatArray,
        points: FloatArray,
        scores: FloatArray,
        rng: np.random.Generator,
    ) -> tuple[int, dict[str, Any]]:
        """Choose the candidate of which the model expects the greatest improvement.

        Parameters
        ----------
        candidates : ndarray of shape (n_candidates, n_dims)
            Points of the cube.
        points : ndarray of shape (n_told, n_dims)
            What has been tried.
        scores : ndarray of shape (n_told,)
            What it scored.
        rng : numpy.random.Generator

        Returns
        -------
        row : int
            That of the choice: a point not asked for yet, where there is one.
        meta : dict
            What is to be remembered of the model.

        References
        ----------
        Regis, R. G. (2014). Particle swarm with radial basis function surrogates for
        expensive black-box optimization. Journal of Computational Science 5(1).
        https://doi.org/10.1016/j.jocs.2013.07.004
        """
        snapped = self.space.snap(candidates)
        fresh = [
            row for row, point in enumerate(map(tuple, snapped.tolist())) if point not in self._seen
        ]
        if not fresh:
            return 0, {}
        model, meta = self._fit(points, scores, rng)
        value = model.log_improvement(snapped[fresh], float(model.process.fitted.max()))
        return fresh[int(np.argmax(value))], meta
