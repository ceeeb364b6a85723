"""
Did tuning help?
================

The best score of a search is partly luck. Nested cross-validation estimates the score on new
data, and a paired comparison tests whether tuning helped.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV, nested_cross_val_score

X, y = load_breast_cancer(return_X_y=True)
space = {
    "decisiontreeclassifier__max_depth": (1, 12, "int"),
    "decisiontreeclassifier__min_samples_leaf": (1, 60, "log-int"),
}
tree = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
search = BayesSearchCV(tree, space, n_iter=8, cv=3, random_state=0).fit(X, y)
print(search.best_score_, search.best_params_)

# %%
# Nested scores
# -------------
# Each outer split runs the search again and scores it on held-out rows.

nested = nested_cross_val_score(search, X, y, cv=4)
print(nested)

# %%
# Tuned against untuned
# ---------------------
# The comparison uses fresh splits, with a new search in each. The interval contains the true
# difference with a probability of 95 %.

comparison = search.compare_to_default(X, y, cv=4, n_repeats=1)
print(comparison)

# %%
# Each line is a split.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained", sharey=True)
for axis, left, right, names in (
    (axes[0], nested.best_scores, nested.test_scores, ("best_score_", "outer split")),
    (axes[1], comparison.default_scores, comparison.tuned_scores, ("untuned", "tuned")),
):
    axis.plot([0, 1], np.array([left, right]), "o-", color="0.6")
    axis.plot([0, 1], [left.mean(), right.mean()], "o-", color="C0", linewidth=3)
    axis.set_xticks([0, 1], names)
    axis.set_xlim(-0.3, 1.3)
axes[0].set_ylabel("accuracy")
axes[0].set_title(f"optimism {nested.optimism:+.3f}")
axes[1].set_title(f"difference {comparison.difference:+.3f}, p = {comparison.p_value:.2f}")
plt.show()
