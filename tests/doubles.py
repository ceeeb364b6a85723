"""A fast estimator, its log, and the list of search classes."""

import numpy as np
from sklearn.base import BaseEstimator

import sklearn_lepton

SEARCHES = [
    getattr(sklearn_lepton, name) for name in sklearn_lepton.__all__ if name.endswith("SearchCV")
]


class Log:
    """Log of the fits and scores of an estimator and its clones, which share it."""

    def __init__(self):
        self.fits = []
        self.scores = []
        self.interrupt_at = None

    def __sklearn_clone__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        return "Log()"

    def __reduce__(self):  # the content is no part of a study's identity
        return Log, ()


class Probe(BaseEstimator):
    """Fast estimator whose score depends on its parameters alone.

    The first column of X is the number of the row. `outcome` names the failure.
    """

    def __init__(self, x=0.5, z=0, outcome="ok", log=None):
        self.x = x
        self.z = z
        self.outcome = outcome
        self.log = log

    def fit(self, X, y=None, sample_weight=None):
        rows = np.asarray(X)[:, 0].astype(int).tolist()
        if self.log is not None:
            weight = None if sample_weight is None else np.asarray(sample_weight).tolist()
            self.log.fits.append({"rows": rows, "weight": weight, "x": self.x})
            if len(self.log.fits) == self.log.interrupt_at:
                raise KeyboardInterrupt
        if self.outcome == "raise" or (self.outcome == "raise on a split" and 0 not in rows):
            raise RuntimeError(f"no luck with z={self.z}")
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)

    def score(self, X, y=None):
        rows = np.asarray(X)[:, 0].astype(int).tolist()
        if self.log is not None:
            self.log.scores.append(rows)
        if self.outcome == "scoring raises" or (
            self.outcome == "scoring raises on a split" and 0 in rows
        ):
            raise RuntimeError("no score")
        if self.outcome == "nan on a split" and 0 in rows:
            return np.nan
        strange = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
        return strange.get(self.outcome, 1.0 - abs(self.x - 0.7) - 0.01 * self.z)
