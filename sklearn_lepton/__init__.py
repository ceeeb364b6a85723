"""Hyperparameter search for scikit-learn that learns from every trial.

The searches replace ``RandomizedSearchCV``: `BayesSearchCV` (Gaussian process and forest),
`SwarmSearchCV` (particle swarm), `GeneticSearchCV` (genetic algorithm) and `AutoSearchCV`
(chooses the algorithm, and the model if you wish). `tune` searches over the arguments of any
function.
"""

from sklearn_lepton._search.auto import AutoSearchCV
from sklearn_lepton._search.bayes import BayesSearchCV
from sklearn_lepton._search.genetic import GeneticSearchCV
from sklearn_lepton._search.nested import nested_cross_val_score
from sklearn_lepton._search.swarm import SwarmSearchCV
from sklearn_lepton._search.tune import tune
from sklearn_lepton._search.tune_result import TuneResult
from sklearn_lepton._study.replay import load_trials
from sklearn_lepton.default_spaces._lookup import default_space
from sklearn_lepton.space._dimension import Categorical, Integer, Real
from sklearn_lepton.space._space import Space

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
    "nested_cross_val_score",
    "tune",
]
