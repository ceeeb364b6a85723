r"""
The paths of a swarm
====================

You will see how `SwarmSearchCV` moves its particles through the space, and the effect of the
surrogate.
"""

# %%
# The two parameters of a support vector machine span a plane, which is easy to plot. The same
# search runs twice, the second time with ``surrogate=False``: each particle then makes the first
# move that it draws. With the surrogate it draws many moves, and some random points, and makes
# the one with the greatest expected improvement.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_lepton import SwarmSearchCV

X, y = load_breast_cancer(return_X_y=True)
pipeline = make_pipeline(StandardScaler(), SVC())
space = {"svc__C": (1e-2, 1e3, "log-uniform"), "svc__gamma": (1e-4, 1e2, "log-uniform")}
searches = [
    SwarmSearchCV(
        pipeline,
        space,
        n_iter=40,
        surrogate=surrogate,
        initial_params={},  # the own values, with gamma in the middle of its range
        random_state=0,
    ).fit(X, y)
    for surrogate in (True, False)
]
for search in searches:
    print(search.best_params_, round(search.best_score_, 4))

# %%
# ``proposal["particle"]`` of each trial is the number of its particle. The first eight trials
# have no such key: they are the initial design, and are assigned to the eight particles in turn.
# Trial 0 is the start of particle 0, and 8, 16, 24 and 32 are its moves.

n_particles = 8


def paths(search):
    """Return C and gamma of each particle's trials, in order: (8 particles, 5 trials, 2)."""
    settings = [[] for _ in range(n_particles)]
    for trial in search.trials_:
        particle = trial.proposal.get("particle", trial.number % n_particles)
        settings[particle].append([trial.params["svc__C"], trial.params["svc__gamma"]])
    return np.array(settings)


print(paths(searches[0])[0].round(4))

# %%
# The trials therefore come in groups of eight: the starts, then one move of the whole swarm after
# another. With the surrogate, the first move already takes the particles to good scores from any
# start.

for search in searches:
    scores = np.array([trial.score for trial in search.trials_])
    print("mean accuracy of each eight:", scores.reshape(-1, n_particles).mean(axis=1).round(3))

# %%
# In the figure, the grey background is the score that the surrogate expects after the search. The
# swarm without it has one fitted for the figure alone. Its particles walk to good scores, and
# some cross poor regions for several moves. In the end both swarms have found the optimum. The
# best scores differ little, and may change order with another seed; the paths show more.

C, gamma = np.meshgrid(np.geomspace(1e-2, 1e3, 60), np.geomspace(1e-4, 1e2, 60))
plane = [
    {"svc__C": one, "svc__gamma": other}
    for one, other in zip(C.ravel(), gamma.ravel(), strict=True)
]
levels = [0.7, 0.8, 0.9, 0.94, 0.96, 0.97]
greys = [str(grey) for grey in np.linspace(0.55, 1, len(levels) + 1)]
colors = plt.colormaps["plasma"]([0.0, 0.35, 0.62, 0.85])

figure, axes = plt.subplots(1, 2, figsize=(10, 5.2), sharey=True, layout="constrained")
for axis, search in zip(axes, searches, strict=True):
    mean, _ = search.optimizer_.predict(plane)
    expected = axis.contourf(
        C, gamma, mean.reshape(C.shape), levels=levels, colors=greys, extend="both"
    )
    x_paths, y_paths = paths(search).T
    axis.plot(
        x_paths[0], y_paths[0], "o", color="white", markeredgecolor="black", zorder=3, label="start"
    )
    for move, color in enumerate(colors, start=1):
        axis.plot(x_paths[move - 1 : move + 1], y_paths[move - 1 : move + 1], color=color)
        axis.plot(
            x_paths[move], y_paths[move], "o", color=color, markersize=5, label=f"move {move}"
        )
    best = search.best_params_["svc__C"], search.best_params_["svc__gamma"]
    axis.plot(*best, "*", color="gold", markeredgecolor="black", markersize=17, label="best")
    n_good = sum(trial.score > 0.96 for trial in search.trials_[n_particles:])
    name = "With surrogate" if search.surrogate else "Without surrogate"
    axis.set(xscale="log", yscale="log", xlabel="C")
    axis.set_title(f"{name}: best {search.best_score_:.4f}\n{n_good} of 32 moves above 0.96")
axes[0].set_ylabel("gamma")
figure.legend(
    *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False
)
figure.colorbar(expected, label="expected accuracy")
plt.show()
