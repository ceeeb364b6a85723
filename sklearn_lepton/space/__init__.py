"""Search spaces: parameters and their values, mapped to points of the unit cube and back.

=============== =========================================================
class           purpose
=============== =========================================================
`Space`         all parameters of a search, with branches (a conditional
                space)
`Real`          real numbers between two bounds, uniform or log-uniform
`Integer`       integers between two bounds, uniform or log-uniform
`Categorical`   choices of any type, with or without an order
`Distribution`  values of a ``scipy.stats`` distribution
`Dimension`     base class of these four, for custom dimensions
=============== =========================================================
"""

from sklearn_lepton.space._dimension import Categorical, Dimension, Integer, Real
from sklearn_lepton.space._distribution import Distribution
from sklearn_lepton.space._space import Space

__all__ = ["Categorical", "Dimension", "Distribution", "Integer", "Real", "Space"]
