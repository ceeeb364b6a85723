"""Optimizers with ask and tell; they need no scikit-learn estimator."""

from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.optimizers._random import RandomOptimizer

__all__ = ["Optimizer", "RandomOptimizer"]
