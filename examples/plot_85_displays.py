r"""
Displays of a search
====================

You will plot the convergence of a search, the importance of parameters, and the region of good
configurations. This needs the extra: ``pip install "sklearn-lepton[plot]"``.
"""

# %%
# The classifier of the pipeline is a choice, so each branch has its own parameters.

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV
from sklearn_lepton.importance import parameter_importance
from sklearn_lepton.plotting import (
    ContourDisplay,
    ConvergenceDisplay,
    ImportanceDisplay,
    ParallelCoordinatesDisplay,
    SliceDisplay,
)

X, y = load_breast_cancer(return_X_y=True)
pipeline = Pipeline([("scale", StandardScaler()), ("clf", SVC())])
space = [
    {
        "clf": [SVC()],
        "clf__C": (1e-2, 1e4, "log-uniform"),
        "clf__gamma": (1e-6, 1e0, "log-uniform"),
    },
    {"clf": [DecisionTreeClassifier(random_state=0)], "clf__max_depth": (1, 12, "int")},
]
search = BayesSearchCV(pipeline, space, n_iter=40, cv=3, scoring="accuracy", random_state=0)
search.fit(X, y)

# %%
# The first figure shows the convergence, with the standard error of the best score, and the
# importance of parameters. A display contains arrays; ``plot`` draws them, optionally on given
# axes.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
ConvergenceDisplay.from_search(search).plot(ax=left)
ImportanceDisplay.from_search(search).plot(ax=right)
plt.show()

# %%
# A few poor configurations cause most of the variance of the score. The importances among the
# better half can differ.

better = parameter_importance(search, quantile=0.5)
for name, mean, std in zip(
    better.names, better.importances_mean, better.importances_std, strict=True
):
    print(f"{name:15} {mean:.2f} ± {std:.2f}")

# %%
# The surrogate predicts the score along each parameter, with the others as in the best
# configuration. The band is expected to contain nine of ten trials.

SliceDisplay.from_search(search).plot()
plt.show()

# %%
# The last figures show pairs of parameters, and all parameters together. Lines have a gap where a
# trial is in the other branch.

ContourDisplay.from_search(search, parameters=["clf__C", "clf__gamma"]).plot()
ParallelCoordinatesDisplay.from_search(search).plot()
plt.show()
