"""Drop-in replacements for RandomizedSearchCV that learn from each trial."""

from sklearn_lepton._auto_search import AutoSearchCV
from sklearn_lepton._bayes_search import BayesSearchCV
from sklearn_lepton._genetic_search import GeneticSearchCV
from sklearn_lepton._nested import nested_score
from sklearn_lepton._replay import load_trials
from sklearn_lepton._swarm_search import SwarmSearchCV
from sklearn_lepton._tune import tune
from sklearn_lepton._tune_result import TuneResult
from sklearn_lepton.default_spaces import default_space
from sklearn_lepton.space import Categorical, Integer, Real, Space

__version__ = "0.1.0"

__all__ = [
    "AutoSearchCV",
    "BayesSearchCV",
    "Categorical",
    "GeneticSearchCV",
    "Integer",
    "Real",
    "Space",
    "SwarmSearchCV",
    "TuneResult",
    "__version__",
    "default_space",
    "load_trials",
    "nested_score",
    "tune",
]
