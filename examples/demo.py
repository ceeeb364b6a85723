"""Tune a pipeline on real data and compare it with two baselines.

A kernel approximation and a linear model classify scikit-learn's handwritten digits. Three
results are compared, on the same splits and on held-out digits: the pipeline as given, the best
of random configurations, and the best of as many configurations proposed by `BayesSearchCV`.
"""

import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy.stats import loguniform, randint
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import (
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lepton import BayesSearchCV

mpl.use("agg")
import matplotlib.pyplot as plt

N_ITER = 30
FIGURE = Path("demo_convergence.png")

X, y = load_digits(return_X_y=True)
X, X_unseen, y, y_unseen = train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)
cv = StratifiedKFold(5, shuffle=True, random_state=0)

pipeline = Pipeline(
    [
        ("scale", StandardScaler()),
        ("kernel", Nystroem(random_state=0)),
        ("classify", RidgeClassifier()),
    ]
)
space = {
    "kernel__gamma": loguniform(1e-5, 10),
    "kernel__n_components": randint(20, 201),
    "classify__alpha": loguniform(1e-5, 100),
}


scores = []


def show_progress(search, trial):
    """Rewrite one line after each trial."""
    scores.append(trial.score)
    line = f"trial {trial.number + 1}/{search.n_iter}: {trial.score:.4f}, best {max(scores):.4f}"
    print(f"\r  {line}", end="", flush=True)


print(f"BayesSearchCV, {N_ITER} trials of {cv.get_n_splits()} fits each:")
start = time.perf_counter()
bayes = BayesSearchCV(
    pipeline, space, n_iter=N_ITER, cv=cv, random_state=0, n_jobs=2, callbacks=[show_progress]
).fit(X, y)
print(f"\n  {time.perf_counter() - start:.0f} seconds")

print(f"RandomizedSearchCV, {N_ITER} trials:")
start = time.perf_counter()
random = RandomizedSearchCV(pipeline, space, n_iter=N_ITER, cv=cv, random_state=0, n_jobs=2).fit(
    X, y
)
print(f"  {time.perf_counter() - start:.0f} seconds")

untuned_score = cross_val_score(pipeline, X, y, cv=cv).mean()
pipeline.fit(X, y)

print("\nBest parameters of BayesSearchCV:")
for name, value in bayes.best_params_.items():
    print(f"  {name:22} {value:.6g}")

print(f"\n{'accuracy':22} {'cross-validated':>16} {'unseen digits':>16}")
for name, score, model in [
    ("untuned", untuned_score, pipeline),
    ("RandomizedSearchCV", random.best_score_, random),
    ("BayesSearchCV", bayes.best_score_, bayes),
]:
    print(f"{name:22} {score:16.4f} {model.score(X_unseen, y_unseen):16.4f}")

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
n_trials = np.arange(1, N_ITER + 1)
for name, search, colour in [
    ("BayesSearchCV", bayes, "tab:blue"),
    ("RandomizedSearchCV", random, "tab:orange"),
]:
    scores = search.cv_results_["mean_test_score"]
    axes.step(n_trials, np.maximum.accumulate(scores), where="post", color=colour, label=name, lw=2)
    axes.plot(n_trials, scores, "o", color=colour, ms=4, alpha=0.5)
axes.axhline(untuned_score, color="grey", ls="--", label="untuned")
axes.set(
    xlabel="trials",
    ylabel="cross-validated accuracy",
    title="Best score so far",
    ylim=(untuned_score - 0.05, bayes.best_score_ + 0.01),
)
axes.legend(loc="lower right")
figure.savefig(FIGURE, dpi=150)
print(f"\nThe convergence is drawn in {FIGURE.resolve()}")
