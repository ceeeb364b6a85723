"""Versions: of scikit-learn, whose internals the searches use."""

import sklearn

SUPPORTED = ("1.6", "1.9")  # the first and the last one that is tested


def unsupported(what: str) -> RuntimeError:
    """Return the error for a scikit-learn whose search is not as expected.

    Parameters
    ----------
    what : str
        What its search lacks.
    """
    return RuntimeError(
        f"sklearn-lepton cannot search with scikit-learn {sklearn.__version__}, whose BaseSearchCV "
        f"has no {what}. Supported are scikit-learn {SUPPORTED[0]} to {SUPPORTED[1]}: install one "
        "of these, or a newer sklearn-lepton."
    )
