r"""
The ancestors of the best trial
===============================

You will see how `GeneticSearchCV` creates trials from earlier ones, and how to find the ancestors
of the best one.
"""

# %%
# The space of a forest is mixed: choices, integers and real numbers.

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold

from sklearn_lepton import GeneticSearchCV

X, y = load_diabetes(return_X_y=True)
forest = ExtraTreesRegressor(n_estimators=20, random_state=0)
space = {
    "criterion": ["squared_error", "poisson"],
    "bootstrap": [False, True],
    "max_depth": (2, 16, "int"),
    "min_samples_leaf": (1, 40, "log-int"),
    "max_features": (0.1, 1.0, "uniform"),
    "ccp_alpha": (1e-2, 1e2, "log-uniform"),
}
cv = KFold(5, shuffle=True, random_state=0)
search = GeneticSearchCV(forest, space, n_iter=60, cv=cv, random_state=3).fit(X, y)
print(search.best_params_, round(search.best_score_, 4))

# %%
# ``proposal`` of each trial has its operator and the numbers of its parents. *Crossover* blends
# two parents. *Differential* starts at the best trial, adds the difference of two others, and
# keeps some values of its first parent. *Random* is a random point. The first eight trials are
# the initial design and have neither operator nor parents.

scores = np.array([trial.score for trial in search.trials_])
operators = [trial.proposal.get("operator", "first eight") for trial in search.trials_]
parents = [trial.proposal.get("parents", []) for trial in search.trials_]
best = int(search.best_index_)
print(f"trial {best}: {operators[best]} of {parents[best]}")

# %%
# Following the parents of the best trial gives its ancestors.

family, to_visit = set(), [best]
while to_visit:
    child = to_visit.pop()
    if child not in family:
        family.add(child)
        to_visit.extend(parents[child])
print(sorted(family))

# %%
# An offspring competes with its first parent: if it is not worse, it takes that parent's place in
# the population; otherwise it has no offspring. Operators whose offspring often win are drawn
# more often.

used, won = Counter(operators), Counter()
for child, (operator, of_child) in enumerate(zip(operators, parents, strict=True)):
    won[operator] += int(bool(of_child) and scores[child] > scores[of_child[0]])
print("children:", dict(used))
print("better than their first parent:", dict(won))

# %%
# In the figure, a black line leads from each ancestor to its first parent, and thin lines to the
# others. Black lines rise or stay level, since an offspring that loses to its first parent has no
# offspring. Small grey trials are not ancestors of the best one. The worst fifth of all trials is
# drawn at the lower edge, in grey as triangles, to keep the figure readable.

styles = {
    "first eight": ("o", "white"),
    "crossover": ("o", "#0072B2"),
    "differential": ("s", "#E69F00"),
    "random": ("D", "#009E73"),
    "restart": ("P", "#CC79A7"),
}
numbers, floor = np.arange(len(scores)), np.quantile(scores, 0.2)
heights = np.maximum(scores, floor)
is_other, is_low = ~np.isin(numbers, list(family)), scores < floor

figure, (axis, side) = plt.subplots(
    1, 2, figsize=(11, 5), width_ratios=[3.4, 1], layout="constrained"
)
best_so_far = np.maximum.accumulate(heights)
axis.step(numbers, best_so_far, where="post", color="0.85", linewidth=4, label="best so far")
for rows, marker in ((is_other & ~is_low, "o"), (is_other & is_low, "v")):
    axis.plot(numbers[rows], heights[rows], marker, color="0.6", markersize=4)
for child in sorted(family):
    for parent in parents[child][1:]:
        axis.plot([child, parent], heights[[child, parent]], color="0.6", linewidth=0.5)
    for parent in parents[child][:1]:
        axis.plot([child, parent], heights[[child, parent]], color="black", zorder=3)
for operator, (marker, color) in styles.items():
    rows = [number for number in sorted(family) if operators[number] == operator]
    if rows:
        axis.scatter(
            rows, heights[rows], 60, color, marker=marker, ec="black", zorder=4, label=operator
        )
axis.scatter(best, scores[best], 300, "gold", marker="*", ec="black", zorder=5, label="best")
axis.set(xlabel="trial number", ylabel="R² over 5 splits")
axis.set_title(f"Trial {best}, {scores[best]:.4f}, and its {len(family) - 1} ancestors")
figure.legend(loc="outside lower center", ncols=7, frameon=False)

names = [name for name in ("random", "restart", "differential", "crossover") if used[name]]
bars = side.barh(names, [used[name] for name in names], color="0.85")
side.barh(names, [won[name] for name in names], color=[styles[name][1] for name in names])
labels = ["no parents" if name == "random" else f"{won[name]} of {used[name]}" for name in names]
side.bar_label(bars, labels, padding=4)
side.margins(x=0.5)
side.set(xlabel="children", title="How many children\nbeat their first parent")
plt.show()
