"""
Brute force, and what does better
=================================

You will fit a line by trying every slope and intercept on a grid, see the surface that the grid
draws, and see four other optimizers find the same line with far fewer trials.
"""

# %%
# A line y = a x + b is fitted to noisy points: which a and b leave the least squared error? There
# is a formula for it, of course, and that is the point: here the answer is known. All that is
# asked of the problem is a function of the parameters that returns a number.

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
# Brute force tries 21 levels of each parameter, 441 lines. It needs no luck and no model, misses
# nothing that is wider than a step, and says how the error depends on both parameters. But a third
# parameter would make it 9261 lines, and between two levels it does not look.

grid = tune(error, space, n_iter=441, optimizer="grid", minimize=True)
best = {name: round(number, 3) for name, number in grid.best_params_.items()}
print(f"grid: {len(grid.trials_)} trials, error {grid.best_value_:.5f} at {best}")

# %%
# The others have 40 trials each. A grid that is given no more is one of 6 by 6.

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
# The grid of 441 is the picture behind the trials of the others. Grid and random search look
# everywhere alike. The three others spend a few trials on that, and then gather in the valley,
# where a steeper line makes up for a lower one, and at its deepest point.


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
# Brute force is right where all settings can be afforded: few parameters with few values, or a
# function that costs nothing. It is also the honest way to see a surface. Where a trial costs
# something, let an optimizer choose it.
