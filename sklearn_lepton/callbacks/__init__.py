"""Callbacks of a search: stopping rules and an experiment tracker.

A callback is any callable ``callback(search, trial)``. The search calls it after each finished
trial. If it returns True, the search ends, and its ``stop_reason_`` is the attribute ``reason``
of the callback.

Two methods are optional. ``start(search)`` runs before the first trial of each search and resets
the state of the callback. ``finish(search, trial)`` runs after the last trial, with the best
trial or None.

================ ==================================================
class            purpose
================ ==================================================
`Deadline`       end the search after a time
`TargetScore`    end the search at a score
`NoImprovement`  end the search after trials without improvement
`MLflowLogger`   log the search and its trials to MLflow
================ ==================================================
"""

from sklearn_lepton.callbacks._mlflow import MLflowLogger
from sklearn_lepton.callbacks._stopping import Deadline, NoImprovement, TargetScore

__all__ = ["Deadline", "MLflowLogger", "NoImprovement", "TargetScore"]
