"""
A search without a space
========================

You will see which parameters a search tunes without a space, and how to change that.
"""

# %%
# The data are a table with missing values, with a pipeline and no space: `BayesSearchCV` uses the
# built-in spaces of all steps. The first trial is the pipeline as given.

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
# `default_space` returns the space. Each dict is a branch: a kernel has only the parameters that
# it uses.

branches = default_space(pipeline, X, y)
for branch in branches:
    print(*branch.items(), sep="\n", end="\n\n")

# %%
# ``gamma="scale"`` stands for a number, here one over the number of features. The built-in space
# orders it among the numbers, so that scores of its neighbours inform it.

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
# You can change the space: here only the first branch is used, with a narrower range.

space = {**branches[0], "svc__C": Real(1.0, 100.0, log=True)}
narrow = BayesSearchCV(pipeline, space, n_iter=10, cv=3, random_state=0).fit(X, y)
print(f"{narrow.best_score_:.4f}")
