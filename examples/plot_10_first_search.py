r"""
A first search
==============

You will learn how to replace `RandomizedSearchCV` by `BayesSearchCV`, and see where it spends its
trials.
"""

# %%
# A support vector machine has two important parameters, which interact. Both searches take the
# same estimator, the same distributions and the same budget; only the class name differs.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.model_selection import RandomizedSearchCV
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV

X, y = load_digits(return_X_y=True)
X, y = X[:500], y[:500]
distributions = {"C": loguniform(1e-2, 1e4), "gamma": loguniform(1e-7, 1e1)}

searches = [
    RandomizedSearchCV(SVC(), distributions, n_iter=30, random_state=0).fit(X, y),
    BayesSearchCV(SVC(), distributions, n_iter=30, random_state=0).fit(X, y),
]

# %%
# A fitted search works as in scikit-learn: it predicts, and it has ``best_params_``,
# ``best_score_`` and ``cv_results_``.

for search in searches:
    print(f"{type(search).__name__:20} {search.best_score_:.4f}")
    print(search.best_params_)

# %%
# The trials are in ``trials_``, in the order of proposal. The first one is the untuned estimator,
# although ``gamma="scale"`` is not in the space. The second one has ``C=1.0`` and a ``gamma`` in
# the middle of its range.

bayes = searches[1]
for trial in bayes.trials_[:2]:
    print(dict(trial.params), round(trial.score, 4), f"{trial.duration:.2f} s")

# %%
# Random search spreads its trials over the whole space. `BayesSearchCV` does so only at first,
# and then focuses on regions with good scores. The ring marks the best trial. The untuned
# estimator has no place in the figure.

figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for axis, search in zip(axes, searches, strict=True):
    results = search.cv_results_
    points = axis.scatter(
        np.asarray(results["param_C"], dtype=float),
        pd.to_numeric(results["param_gamma"], errors="coerce"),  # NaN for "scale"
        c=results["mean_test_score"],
        vmin=0.9,
        vmax=0.97,
        edgecolors="black",
        linewidths=0.5,
    )
    axis.scatter(
        search.best_params_["C"],
        search.best_params_["gamma"],
        s=250,
        marker="o",
        facecolors="none",
        edgecolors="red",
        linewidths=2,
    )
    axis.set(
        xscale="log",
        yscale="log",
        xlabel="C",
        title=f"{type(search).__name__}: {search.best_score_:.4f}",
    )
axes[0].set_ylabel("gamma")
figure.colorbar(points, label="accuracy", extend="min")
plt.show()
