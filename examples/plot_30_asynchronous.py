r"""
Trials in flight
================

You will see what the workers of a parallel search do over time, and the effects of `n_points`
and `asynchronous=True`.
"""

# %%
# The time of a fit often depends on the tuned parameters. The tree below exaggerates this: it
# sleeps for 30 ms for each allowed level, as if its data were larger.

import time

import matplotlib.pyplot as plt
from joblib import parallel_config
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV

X, y = load_breast_cancer(return_X_y=True)


class SlowTree(DecisionTreeClassifier):
    """A decision tree with slow fits."""

    def fit(self, X, y):
        """Sleep, then fit."""
        time.sleep(0.03 * self.max_depth)
        return super().fit(X, y)


space = {
    "max_depth": (1, 20, "int"),
    "min_samples_leaf": (1, 80, "log-int"),
    "ccp_alpha": (1e-5, 1e-1, "log-uniform"),
}

# %%
# All searches run 15 trials of three splits on four workers. The first has one trial in flight:
# the next one is proposed from all results. The second has three, as ``n_points="auto"`` chooses
# for this number of workers, splits and trials. The third proposes a trial whenever a worker is
# free. ``n_initial_points=15`` disables the surrogate, so that all run the same fits and their
# times are comparable; keep its default in real searches. The workers are threads, which
# suffices for fits that sleep. For fits that compute, omit ``parallel_config``, and the workers
# are processes.

searches = {}
options = {
    "one trial": {"n_points": 1},
    "window": {"n_points": "auto"},
    "asynchronous": {"asynchronous": True},
}
for name, option in options.items():
    search = BayesSearchCV(
        SlowTree(max_depth=5, random_state=0),
        space,
        n_iter=15,
        cv=3,
        n_jobs=4,
        **option,
        n_initial_points=15,
        random_state=0,
    )
    started = time.perf_counter()
    with parallel_config(backend="threading"):
        searches[name] = search.fit(X, y)
    seconds = time.perf_counter() - started
    print(f"{name:12} {seconds:.1f} s, best score {search.best_score_:.4f}")

# %%
# Each trial has ``split_results``, one for each split, with the start time, the worker, and the
# times of fitting and scoring. They show how busy the workers were.


def bars(search):
    """Return (trial, worker, start, length) of each fit, in seconds since the first began."""
    fits = [(trial.number, result) for trial in search.trials_ for result in trial.split_results]
    first = min(result.start_time for _, result in fits)
    return [
        (number, result.worker, result.start_time - first, result.duration)
        for number, result in fits
    ]


def busy_share(search):
    """Return how long the search took, and the share of the workers' time spent in fits."""
    lengths = [length for *_, length in bars(search)]
    end = max(start + length for *_, start, length in bars(search))
    return end, sum(lengths) / (end * search.n_jobs)


for name, search in searches.items():
    end, busy = busy_share(search)
    print(f"{name:12} workers busy for {busy:.0%} of {end:.1f} s")

# %%
# In the figure, each lane is a worker and each bar a fit, with the number and the colour of its
# trial. Hatched areas are idle time. With one trial in flight, workers wait for its last fit.

colors = [color for place, color in enumerate(plt.colormaps["Set3"].colors) if place not in {1, 8}]
figure, axes = plt.subplots(3, 1, figsize=(9, 7.6), sharex=True, layout="constrained")
for axis, (name, search) in zip(axes, searches.items(), strict=True):
    end, busy = busy_share(search)
    axis.barh(range(search.n_jobs), end, height=0.8, color="white", ec="0.7", lw=0, hatch="////")
    for trial, worker, start, length in bars(search):
        color = colors[trial % len(colors)]
        axis.barh(worker, length, left=start, height=0.8, color=color, ec="black", lw=0.6)
        if length > 0.02 * end:
            axis.text(start + length / 2, worker, trial, ha="center", va="center", fontsize=9)
    axis.set_title(f"{name.capitalize()}: workers busy for {busy:.0%} of {end:.1f} s", loc="left")
    axis.set(yticks=range(search.n_jobs), ylabel="worker")
    axis.invert_yaxis()
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(left=False)
axes[-1].set(xlabel="seconds since the first fit began", xlim=(0, None))
plt.show()
