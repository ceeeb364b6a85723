"""Optimizers with an ask-and-tell interface, independent of scikit-learn estimators."""

from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton._trials.trial import Trial
from sklearn_lepton.optimizers._auto import AutoOptimizer
from sklearn_lepton.optimizers._base import Optimizer
from sklearn_lepton.optimizers._bayes import BayesOptimizer
from sklearn_lepton.optimizers._genetic import GeneticOptimizer
from sklearn_lepton.optimizers._grid import GridOptimizer
from sklearn_lepton.optimizers._random import RandomOptimizer
from sklearn_lepton.optimizers._registry import make_optimizer
from sklearn_lepton.optimizers._swarm import SwarmOptimizer

__all__ = [
    "AutoOptimizer",
    "BayesOptimizer",
    "GeneticOptimizer",
    "GridOptimizer",
    "Optimizer",
    "RandomOptimizer",
    "SplitResult",
    "SwarmOptimizer",
    "Trial",
    "make_optimizer",
]
