r"""
Predictions of the surrogate
============================

You will learn how to predict the scores of new configurations with a fitted `BayesSearchCV`, with
their uncertainty.
"""

# %%
# A decision tree is a hard case: its score jumps at thresholds and is constant between them. The
# surrogate combines a Gaussian process and a forest.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV

X, y = load_breast_cancer(return_X_y=True)
tree, splits = DecisionTreeClassifier(random_state=0), StratifiedKFold(5)
space = {
    "max_depth": (1, 12, "int"),
    "min_samples_leaf": (1, 80, "log-int"),
    "ccp_alpha": (1e-5, 1e-1, "log-uniform"),
}
search = BayesSearchCV(
    tree, space, n_iter=40, scoring="neg_log_loss", cv=splits, random_state=0
).fit(X, y)
print(search.best_params_, round(search.best_score_, 3))

# %%
# The fitted optimizer is in ``optimizer_``. Its ``predict`` takes a configuration, or a list of
# them, and returns the expected score and its standard deviation, both in units of the score.

mean, std = search.optimizer_.predict(search.best_params_)
print(f"expected of the best configuration: {mean:.3f} ± {std:.3f}, seen: {search.best_score_:.3f}")

# %%
# A curve through the best configuration shows the effect of one parameter without further fits.
# Here the fits are cheap enough to verify it.

leaves = sorted({round(leaf) for leaf in np.geomspace(1, 80, 25)})
configurations = [search.best_params_ | {"min_samples_leaf": leaf} for leaf in leaves]
mean, std = search.optimizer_.predict(configurations)
true = [
    cross_val_score(tree.set_params(**params), X, y, cv=splits, scoring="neg_log_loss").mean()
    for params in configurations
]

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.fill_between(leaves, mean - 1.645 * std, mean + 1.645 * std, alpha=0.25, label="90 % band")
axes.plot(leaves, mean, label="expected by the surrogate")
axes.plot(leaves, true, "k.", label="cross-validated")
axes.set(xscale="log", xlabel="min_samples_leaf", ylabel="negative log loss")
axes.set_title("The other parameters as in the best configuration")
axes.legend(frameon=False, loc="lower right")
plt.show()
