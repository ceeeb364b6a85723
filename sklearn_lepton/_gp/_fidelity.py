"""Models over points and resource: what a little of it says of all.

The points get one more column, the share of the resource on a logarithmic scale, which is 1
for all of it and 0 for a twenty-seventh. Its length-scale says how much scores with little of
it tell of those with all. Whoever asks the model asks for the full resource.

References
----------
A. Klein, S. Falkner, S. Bartels, P. Hennig, F. Hutter, Fast Bayesian optimization of machine
learning hyperparameters on large datasets, AISTATS 2017, arXiv:1605.07079.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sklearn_lepton._gp._kernel import FloatArray
from sklearn_lepton._gp._mixture import Mixture

_LOG_UNIT = np.log(27.0)


def with_resource(X: FloatArray, shares: Sequence[float]) -> FloatArray:
    """Append the column of the resource.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Points.
    shares : sequence of float of length n
        Shares of the full resource, greater than 0.

    Returns
    -------
    ndarray of shape (n, d + 1)
    """
    column = 1.0 + np.log(np.asarray(shares, dtype=np.float64)) / _LOG_UNIT
    return np.hstack([X, column[:, None]])


def at_full(X: FloatArray) -> FloatArray:
    """Append the column of the full resource."""
    return np.hstack([X, np.ones((len(X), 1))])


class FullMixture(Mixture):
    """A mixture that saw scores at many resources and is asked about the full one.

    Both models have d + 1 columns, the last of which is the resource; what goes in has d.
    """

    @property
    def incumbent(self) -> float:
        """Greatest posterior mean at full resource at a point tried or in flight."""
        X, _ = self.process.observed
        points = np.unique(X[:, :-1], axis=0)
        return float(self.process.predict(at_full(points))[0].max())

    def log_improvement(self, Xs: FloatArray, best: float) -> FloatArray:
        """Logarithm of the expected improvement; see `Mixture.log_improvement`."""
        return super().log_improvement(at_full(Xs), best)

    def process_improvement_with_gradient(
        self, Xs: FloatArray, best: float
    ) -> tuple[FloatArray, FloatArray]:
        """See `Mixture.process_improvement_with_gradient`."""
        value, gradient = super().process_improvement_with_gradient(at_full(Xs), best)
        return value, gradient[:, :-1]

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and deviation of what would be observed; see `Mixture.predict`."""
        return super().predict(at_full(Xs))
