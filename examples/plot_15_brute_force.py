"""
Grid search compared with other optimizers
==========================================

You will fit a line with a grid over slope and intercept, plot the error surface, and compare four
other optimizers that find the same line with far fewer trials.
"""

# %%
# A line y = a x + b is fitted to noisy points: which a and b minimize the squared error? The
# exact solution is known, so the results can be checked. The problem is a function of the
# parameters that returns a number.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_lepton import tune

rng = np.random.default_rng(0)
x = np.linspace(0.0, 1.0, 40)
y = 1.7 * x + 0.4 + rng.normal(scale=0.2, size=40)


def error(params):
    """Return the mean squared error of a line."""
    return np.mean((params["a"] * x + params["b"] - y) ** 2)


space = {"a": (-5.0, 5.0, "uniform"), "b": (-3.0, 3.0, "uniform")}
slope, intercept = np.polyfit(x, y, 1)
least = error({"a": slope, "b": intercept})
print(f"exact: a = {slope:.3f}, b = {intercept:.3f}, error {least:.5f}")

# %%
# The grid tries 21 levels of each parameter, 441 lines. It needs no model, misses nothing that is
# wider than a step, and shows how the error depends on both parameters. A third parameter would
# need 9261 lines, and values between two levels are never tried.

grid = tune(error, space, n_iter=441, optimizer="grid", minimize=True)
best = {name: round(number, 3) for name, number in grid.best_params_.items()}
print(f"grid: {len(grid.trials_)} trials, error {grid.best_value_:.5f} at {best}")

# %%
# The others have 40 trials each. With this budget, a grid has 6 by 6 points.

n_iter = 40
names = ["grid", "random", "genetic", "swarm", "bayes"]
results = {
    name: tune(error, space, n_iter=n_iter, optimizer=name, minimize=True, random_state=0)
    for name in names
}
for name, result in results.items():
    above = result.best_value_ - least
    print(f"{name:8}{len(result.trials_):4} trials, error above the least: {above:.1e}")

# %%
# The background shows the grid of 441 trials. Grid and random search cover the whole space
# evenly. The three others spend a few trials on that. Then they concentrate in the valley, where
# a steeper line compensates for a lower one, and at its deepest point.


def coordinates(result):
    """Return a and b of each trial: (n_trials, 2)."""
    return np.array([[trial.params["a"], trial.params["b"]] for trial in result.trials_])


at = coordinates(grid)
order = np.lexsort(at.T)
a, b = (np.unique(column) for column in at.T)
heights = np.array([-trial.score for trial in grid.trials_])[order].reshape(len(b), len(a))

fig, axes = plt.subplots(2, 3, figsize=(10, 6.4), layout="constrained")
axes = axes.ravel()
for name, ax in zip(names, axes, strict=False):
    ax.contourf(a, b, np.log10(heights), levels=14, cmap="Blues_r")
    ax.scatter(*coordinates(results[name]).T, s=14, color="tab:orange", edgecolor="black", lw=0.4)
    ax.plot(slope, intercept, "+", color="black", markersize=12)
    ax.set(title=name, xlabel="slope a", ylabel="intercept b")

ax = axes[-1]
for name, color in zip(names, ["gray", "black", "tab:green", "tab:red", "tab:blue"], strict=True):
    values = [-trial.score - least for trial in results[name].trials_]
    ax.plot(np.arange(1, len(values) + 1), np.minimum.accumulate(values), color=color, label=name)
ax.axhline(grid.best_value_ - least, color="gray", ls=":", label="grid of 441")
ax.set(title="best so far", xlabel="number of trials", ylabel="error above the least", yscale="log")
ax.legend(fontsize="small", ncols=2, loc="upper right")
ax.set_ylim(top=200)
plt.show()

# %%
# A grid is the right choice if you can afford all configurations: few parameters with few values,
# or a very cheap function. It also shows the surface without bias. If trials are expensive, let
# an optimizer choose them.
