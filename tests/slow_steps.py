"""Transformers that take their time and count their fits, in whatever process."""

import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


class Slow(TransformerMixin, BaseEstimator):
    """Add a number to the data; each fit leaves a file in a folder."""

    def __init__(self, shift=0.0, seconds=0.06, folder=None, random_state=0, outcome="ok"):
        self.shift = shift
        self.seconds = seconds
        self.folder = folder
        self.random_state = random_state
        self.outcome = outcome

    def fit(self, X, y=None):
        descriptor = Path(self.folder) / f"fit-{time.time_ns()}"
        descriptor.touch(exist_ok=False)
        time.sleep(self.seconds)
        if self.outcome == "raise":
            raise RuntimeError("no luck")
        self.mean_ = np.mean(X, axis=0) + self.shift
        return self

    def transform(self, X):
        if self.outcome == "unpicklable":
            self.lock_ = (x for x in ())
        return np.asarray(X) - self.mean_


def n_fits(folder):
    return len(list(Path(folder).glob("fit-*")))
