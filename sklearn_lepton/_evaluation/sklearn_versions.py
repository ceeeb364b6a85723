"""Supported versions of scikit-learn, and the error for other ones."""

import sklearn

SUPPORTED = ("1.6", "1.9")  # the first and the last tested version


def unsupported(what: str) -> RuntimeError:
    """Return the error for a version of scikit-learn whose search lacks an internal name.

    Parameters
    ----------
    what : str
        Description of the missing name.
    """
    return RuntimeError(
        f"sklearn-lepton cannot search with scikit-learn {sklearn.__version__}, whose BaseSearchCV "
        f"has no {what}. Supported are scikit-learn {SUPPORTED[0]} to {SUPPORTED[1]}: install one "
        "of these, or a newer sklearn-lepton."
    )
