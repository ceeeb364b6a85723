"""Displays of searches: made with `from_search`, drawn with ``plot``."""

from sklearn_lepton.plotting._convergence import ComparisonDisplay, ConvergenceDisplay
from sklearn_lepton.plotting._importance import ImportanceDisplay

__all__ = ["ComparisonDisplay", "ConvergenceDisplay", "ImportanceDisplay"]
