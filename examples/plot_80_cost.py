"""
Reducing the cost of a search
=============================

You will compare the ways to save fits on one problem, alone and combined.
"""

# %%
# Support vectors classify handwritten digits, with five splits. The plain search runs 20 trials
# on all splits and all samples. The others have the same time, so they can run more trials.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV

X, y = load_digits(return_X_y=True)
X, y = X[:400], y[:400]
space = {
    "C": (1e-2, 1e3, "log-uniform"),
    "gamma": (1e-6, 1e0, "log-uniform"),
    "kernel": ["rbf", "poly", "sigmoid"],
    "degree": (2, 5, "int"),
}
devices = {
    "plain": {"n_iter": 20},
    "racing": {"racing": True},
    "resource": {"resource": "n_samples"},
    "cost-aware": {"cost_aware": True},
    "all three": {"racing": True, "resource": "n_samples", "cost_aware": True},
}

# %%
# A callback ends a search after the time of the plain one. There are two seeds each; the guide
# has a figure with more.


class Until:
    """Stop when the fits have taken a number of seconds."""

    reason = "seconds"

    def __init__(self, seconds):
        self.left = seconds

    def __call__(self, _search, trial):
        """Subtract the seconds of a trial."""
        self.left -= trial.duration
        return self.left <= 0


curves, budgets = {}, []
for name, options in devices.items():
    for seed in range(2):
        search = BayesSearchCV(
            SVC(kernel="sigmoid"),  # far from good, as if nobody knew better
            space,
            cv=StratifiedKFold(5, shuffle=True, random_state=seed),
            random_state=seed,
            refit=False,
            callbacks=Until(budgets[seed] if name != "plain" else np.inf),
            **({"n_iter": 60} | options),
        ).fit(X, y)
        seconds = np.cumsum([trial.duration for trial in search.trials_])
        is_full = [t.status == "complete" and t.is_full for t in search.trials_]
        scores = np.where(is_full, [t.score or 0.0 for t in search.trials_], 0.0)
        curves.setdefault(name, []).append((seconds, np.maximum.accumulate(scores)))
        if name == "plain":
            budgets.append(seconds[-1])

# %%
# The figure shows the gap to the best score of all searches on the same splits, against the share
# of the plain search's seconds.

grid = np.linspace(0.01, 1, 100)
best = [max(curves[name][seed][1][-1] for name in devices) for seed in range(2)]
figure, axis = plt.subplots(figsize=(7.5, 4.4), layout="constrained")
colors = ["0.35", "#0072B2", "#D55E00", "#009E73", "#CC79A7"]
for (name, runs), color in zip(curves.items(), colors, strict=True):
    gaps = []
    for seed, (seconds, scores) in enumerate(runs):
        place = np.searchsorted(seconds, grid * budgets[seed], side="right") - 1
        gaps.append(best[seed] - np.where(place < 0, 0.0, scores[place]))
    gap = np.mean(gaps, axis=0)
    axis.plot(grid, 100 * gap, color=color, label=name, lw=2.5 if name == "all three" else 1.5)
    print(
        f"{name:11} {100 * gap[49]:.2f} points left at half of the time, {100 * gap[-1]:.2f} after"
    )
axis.set(xlabel="share of the plain search's fit seconds", ylabel="accuracy left, in points")
axis.set_yscale("symlog", linthresh=0.1)
axis.set(ylim=(0, None), xlim=(0, 1))
axis.legend()
plt.show()
