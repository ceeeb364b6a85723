"""The search space: parameter values to points of the unit cube and back."""

from sklearn_lepton.space._dimension import Categorical, Dimension, Integer, Real
from sklearn_lepton.space._distribution import Distribution
from sklearn_lepton.space._space import Space

__all__ = ["Categorical", "Dimension", "Distribution", "Integer", "Real", "Space"]
