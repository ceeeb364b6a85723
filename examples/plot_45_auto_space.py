"""
A search without a space
========================

You will know what a search tunes when you give it no space, and how to change that.
"""

# %%
# A table with gaps in it, a pipeline, and no word about parameters: `BayesSearchCV` takes the
# built-in spaces of all steps. The first trial is the pipeline as it is.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV, Real, default_space

X, y = load_breast_cancer(return_X_y=True)
X[np.random.default_rng(0).uniform(size=X.shape) < 0.1] = np.nan
pipeline = make_pipeline(SimpleImputer(), StandardScaler(), SVC())
search = BayesSearchCV(pipeline, n_iter=25, cv=3, random_state=0).fit(X, y)
print(f"as it is {search.trials_[0].score:.4f}, tuned {search.best_score_:.4f}")
print(search.best_params_)

# %%
# `default_space` tells what was searched. Each dict is a branch: a kernel has the parameters that
# it uses, and no others.

branches = default_space(pipeline, X, y)
for branch in branches:
    print(*branch.items(), sep="\n", end="\n\n")

# %%
# ``gamma="scale"`` is a word that stands for a number, here for one over the number of features. In
# the built-in space it has its place among the numbers around it, so that what is learnt about its
# neighbours counts for it.

trials = [t for t in search.trials_ if t.params["svc__kernel"] == "rbf"]
ladder = branches[0]["svc__gamma"].categories
figure, axis = plt.subplots(figsize=(7, 3.5), layout="constrained")
points = axis.scatter(
    [ladder.index(t.params["svc__gamma"]) for t in trials],
    [t.params["svc__C"] for t in trials],
    c=[t.score for t in trials],
    edgecolors="black",
    linewidths=0.5,
)
axis.set(yscale="log", xlabel="gamma", ylabel="C", title="Trials with an RBF kernel")
axis.set_xticks(range(len(ladder)), labels=map(str, ladder), rotation=60)
figure.colorbar(points, label="accuracy")
plt.show()

# %%
# The space is yours to change: here only the first branch, with a narrower range.

space = {**branches[0], "svc__C": Real(1.0, 100.0, log=True)}
narrow = BayesSearchCV(pipeline, space, n_iter=10, cv=3, random_state=0).fit(X, y)
print(f"{narrow.best_score_:.4f}")
