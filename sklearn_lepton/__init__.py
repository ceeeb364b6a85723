"""Hyperparameter search for scikit-learn that learns from every trial.

The searches replace ``RandomizedSearchCV``: `BayesSearchCV` (Gaussian process and forest),
`SwarmSearchCV` (particle swarm), `GeneticSearchCV` (genetic algorithm) and `AutoSearchCV`
(chooses the algorithm, and the model if you wish). `tune` searches over the arguments of any
function.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn_lepton._search.auto import AutoSearchCV
    from sklearn_lepton._search.bayes import BayesSearchCV
    from sklearn_lepton._search.genetic import GeneticSearchCV
    from sklearn_lepton._search.nested import nested_cross_val_score
    from sklearn_lepton._search.swarm import SwarmSearchCV
    from sklearn_lepton._search.threshold import tuned_threshold
    from sklearn_lepton._search.tune import tune
    from sklearn_lepton._search.tune_result import TuneResult
    from sklearn_lepton._study.replay import load_trials
    from sklearn_lepton._trials.objectives import Limit, Objective
    from sklearn_lepton._workers.pool import end_idle_workers
    from sklearn_lepton.default_spaces._lookup import default_space
    from sklearn_lepton.space._dimension import Categorical, Integer, Real
    from sklearn_lepton.space._nested import Branch
    from sklearn_lepton.space._space import Space

__version__ = "0.1.0"

__all__ = [
    "AutoSearchCV",
    "BayesSearchCV",
    "Branch",
    "Categorical",
    "GeneticSearchCV",
    "Integer",
    "Limit",
    "Objective",
    "Real",
    "Space",
    "SwarmSearchCV",
    "TuneResult",
    "__version__",
    "default_space",
    "end_idle_workers",
    "load_trials",
    "nested_cross_val_score",
    "tune",
    "tuned_threshold",
]

# A worker process imports the package, and needs none of these. They are loaded at first use.
_MODULES = {
    "AutoSearchCV": "_search.auto",
    "BayesSearchCV": "_search.bayes",
    "Branch": "space._nested",
    "Categorical": "space._dimension",
    "GeneticSearchCV": "_search.genetic",
    "Integer": "space._dimension",
    "Limit": "_trials.objectives",
    "Objective": "_trials.objectives",
    "Real": "space._dimension",
    "Space": "space._space",
    "SwarmSearchCV": "_search.swarm",
    "TuneResult": "_search.tune_result",
    "default_space": "default_spaces._lookup",
    "end_idle_workers": "_workers.pool",
    "load_trials": "_study.replay",
    "nested_cross_val_score": "_search.nested",
    "tune": "_search.tune",
    "tuned_threshold": "_search.threshold",
}
_PACKAGES = {
    "callbacks",
    "default_spaces",
    "exceptions",
    "importance",
    "optimizers",
    "plotting",
    "report",
    "space",
}


def __getattr__(name: str) -> Any:
    """Return a public name or a public module, which is loaded now."""
    if name in _PACKAGES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*globals(), *__all__, *_PACKAGES})
