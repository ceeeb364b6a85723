"""Built-in search spaces of ``param_distributions="auto"``."""

from sklearn_lepton.default_spaces._lookup import default_space

__all__ = ["default_space"]
