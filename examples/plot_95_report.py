"""
An HTML report of a search
==========================

One HTML file shows the settings of a search, its result and suggestions, with interactive
figures. It loads nothing and does not need matplotlib.
"""

# %%
# The search keeps a journal, and some of its configurations fail.

import tempfile
import warnings
from pathlib import Path

from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV
from sklearn_lepton.report import write_report

warnings.simplefilter("ignore")  # of the fits that fail
folder = Path(tempfile.mkdtemp())
X, y = load_breast_cancer(return_X_y=True)
space = {
    "svc__C": (1e-2, 1e4, "log-uniform"),
    "svc__gamma": (1e-6, 1e0, "log-uniform"),
    "svc__kernel": ["rbf", "sigmoid", "no such kernel"],
}
search = BayesSearchCV(
    make_pipeline(StandardScaler(), SVC()),
    space,
    n_iter=25,
    cv=3,
    random_state=0,
    journal=folder / "study.jsonl",
)
search.fit(X, y)

# %%
# The report of the search:

path = search.report(folder / "report.html")
print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")

# %%
# A journal is enough for a report: the search may still run, or have been killed.

path = write_report(folder / "study.jsonl", folder / "from_journal.html", title="Support vectors")
print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
