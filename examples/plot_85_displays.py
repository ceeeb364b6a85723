r"""
What a search has found, in pictures
====================================

You will see how far a search came, which parameters matter, and where the good settings lie.
It takes the extra: ``pip install "sklearn-lepton[plot]"``.
"""

# %%
# A pipeline whose classifier is a choice, so that each branch has parameters of its own.

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
# How far it came, with the standard error of the best score, and what mattered. A display holds
# arrays, ``plot`` draws them, on axes of yours if you give some.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
ConvergenceDisplay.from_search(search).plot(ax=left)
ImportanceDisplay.from_search(search).plot(ax=right)
plt.show()

# %%
# Most of what the score varies by is owed to a few poor settings. What matters among the better
# half is another question.

better = parameter_importance(search, quantile=0.5)
for name, mean, std in zip(
    better.names, better.importances_mean, better.importances_std, strict=True
):
    print(f"{name:15} {mean:.2f} ± {std:.2f}")

# %%
# What the model expects along each parameter, the others as in the best setting, with a band in
# which it expects nine of ten trials.

SliceDisplay.from_search(search).plot()
plt.show()

# %%
# Two parameters at a time, and all of them at once. Lines have a gap where a trial lies in the
# other branch.

ContourDisplay.from_search(search, parameters=["clf__C", "clf__gamma"]).plot()
ParallelCoordinatesDisplay.from_search(search).plot()
plt.show()
