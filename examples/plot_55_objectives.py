"""
Accurate and small at the same time
===================================

A tree with many leaves is more accurate, and harder to read. The search looks for the front: the
trials that no other one beats in both. A second search takes the best tree with four leaves at
most.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV, Limit, Objective
from sklearn_lepton.plotting import FrontDisplay


def leaves(estimator, X, y):  # noqa: ARG001 - a scorer gets the data
    """Return the number of leaves of a fitted tree."""
    return estimator.get_n_leaves()


X, y = load_breast_cancer(return_X_y=True)
space = {"max_depth": (1, 12, "int"), "ccp_alpha": (1e-4, 0.1, "log-uniform")}
scoring = {"accuracy": "accuracy", "leaves": leaves}

front = BayesSearchCV(
    DecisionTreeClassifier(random_state=0),
    space,
    n_iter=30,
    scoring=scoring,
    objectives=["accuracy", Objective("leaves", "minimize")],
    random_state=0,
).fit(X, y)

few = BayesSearchCV(
    DecisionTreeClassifier(random_state=0),
    space,
    n_iter=30,
    scoring=scoring,
    objectives=["accuracy", Limit("leaves", at_most=4)],
    random_state=0,
).fit(X, y)

print("the knee:", front.best_params_, f"{front.best_score_:.3f}")
print("at most four leaves:", few.best_params_, f"{few.best_score_:.3f}")

# %%
# The star is the knee, which is refitted.
FrontDisplay.from_search(front).plot()
plt.show()
