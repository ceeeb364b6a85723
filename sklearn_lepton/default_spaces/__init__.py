"""Built-in spaces: what ``param_distributions="auto"`` searches."""

from sklearn_lepton.default_spaces._lookup import default_space

__all__ = ["default_space"]
