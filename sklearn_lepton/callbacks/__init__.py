"""Callbacks: those that end a search, and those that hand its trials on.

A callback is called with the search and each finished trial; one that returns True ends the
search, and its attribute ``reason`` says why. Two methods are optional: ``start(search)`` is
called before the first trial of each search and resets what the callback remembers, and
``finish(search, trial)`` is called after the last one, with the best trial or None.
"""

from sklearn_lepton.callbacks._mlflow import MLflowLogger
from sklearn_lepton.callbacks._stopping import Deadline, NoImprovement, TargetScore

__all__ = ["Deadline", "MLflowLogger", "NoImprovement", "TargetScore"]
