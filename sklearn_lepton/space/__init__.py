"""Search spaces: parameters and their values, mapped to points of the unit cube and back.

=============== =========================================================
class           purpose
=============== =========================================================
`Space`         all parameters of a search, with branches (a conditional
                space)
`Real`          real numbers between two bounds, uniform or log-uniform
`Integer`       integers between two bounds, uniform or log-uniform
`Categorical`   choices of any type, with or without an order
`Branch`        a choice with parameters that only it has
`Distribution`  values of a ``scipy.stats`` distribution
`Dimension`     base class of the dimensions, for custom ones
=============== =========================================================
"""

from sklearn_lepton.space._dimension import Categorical, Dimension, Integer, Real
from sklearn_lepton.space._distribution import Distribution
from sklearn_lepton.space._nested import Branch
from sklearn_lepton.space._space import Space

__all__ = ["Branch", "Categorical", "Dimension", "Distribution", "Integer", "Real", "Space"]
