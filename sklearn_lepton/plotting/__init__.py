"""Displays of searches: created with `from_search`, drawn with ``plot``."""

from sklearn_lepton.plotting._contour import ContourDisplay
from sklearn_lepton.plotting._convergence import ComparisonDisplay, ConvergenceDisplay
from sklearn_lepton.plotting._coordinates import ParallelCoordinatesDisplay
from sklearn_lepton.plotting._front import FrontDisplay
from sklearn_lepton.plotting._importance import ImportanceDisplay
from sklearn_lepton.plotting._lineage import LineageDisplay, SwarmDisplay
from sklearn_lepton.plotting._slice import SliceDisplay
from sklearn_lepton.plotting._timeline import TimelineDisplay

__all__ = [
    "ComparisonDisplay",
    "ContourDisplay",
    "ConvergenceDisplay",
    "FrontDisplay",
    "ImportanceDisplay",
    "LineageDisplay",
    "ParallelCoordinatesDisplay",
    "SliceDisplay",
    "SwarmDisplay",
    "TimelineDisplay",
]
