r"""
What the model believes
=======================

You will know how to ask a fitted `BayesSearchCV` what it expects of settings that it never tried,
and how sure it is.
"""

# %%
# A decision tree is a hard case: its score jumps where a threshold is crossed and stays where it is
# in between. The search models it with a Gaussian process and a forest at once.

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
# The fitted optimizer is in ``optimizer_``. Its ``predict`` takes a setting, or a list of them, and
# returns the score it expects and a standard deviation, both in units of the score.

mean, std = search.optimizer_.predict(search.best_params_)
print(f"expected of the best setting: {mean:.3f} ± {std:.3f}, seen: {search.best_score_:.3f}")

# %%
# So a curve through the best setting shows what a parameter does, without a single further fit.
# Here the fits are cheap enough to check it.

leaves = sorted({round(leaf) for leaf in np.geomspace(1, 80, 25)})
settings = [search.best_params_ | {"min_samples_leaf": leaf} for leaf in leaves]
mean, std = search.optimizer_.predict(settings)
true = [
    cross_val_score(tree.set_params(**setting), X, y, cv=splits, scoring="neg_log_loss").mean()
    for setting in settings
]

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.fill_between(leaves, mean - 1.645 * std, mean + 1.645 * std, alpha=0.25, label="90 % band")
axes.plot(leaves, mean, label="expected by the model")
axes.plot(leaves, true, "k.", label="cross-validated, never told")
axes.set(xscale="log", xlabel="min_samples_leaf", ylabel="negative log loss")
axes.set_title("The other parameters as in the best setting")
axes.legend(frameon=False, loc="lower right")
plt.show()
