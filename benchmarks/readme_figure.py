"""Draw the figure of the README: the best score so far of BayesSearchCV and RandomizedSearchCV.

There are two live tasks and `N_SEEDS` seeds. Splits and budget are the same for both searches. As
by default, `BayesSearchCV` scores the untuned estimator first, and that trial counts. It takes
about two minutes on two cores.
"""

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
from joblib import Parallel, delayed
from scipy.stats import loguniform
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV

mpl.use("agg")
import matplotlib.pyplot as plt

N_SEEDS = 20
N_ITER = 40
FIGURE = Path(__file__).parents[1] / "docs" / "_static" / "first_search.png"
SPLITS = StratifiedKFold(5, shuffle=True, random_state=0)
NUMBERS = Path(__file__).with_suffix(".json")

digits = load_digits(return_X_y=True)
cancer = load_breast_cancer(return_X_y=True)
TASKS = {
    "support vectors on breast cancer": (
        make_pipeline(StandardScaler(), SVC()),
        {"svc__C": loguniform(1e-3, 1e5), "svc__gamma": loguniform(1e-7, 1e1)},
        *cancer,
    ),
    "kernel approximation on digits": (
        make_pipeline(StandardScaler(), Nystroem(random_state=0), RidgeClassifier()),
        {
            "nystroem__gamma": loguniform(1e-5, 1e1),
            "ridgeclassifier__alpha": loguniform(1e-5, 1e2),
        },
        digits[0][:900],
        digits[1][:900],
    ),
}
SEARCHES = {
    "RandomizedSearchCV": (RandomizedSearchCV, {}),
    "BayesSearchCV": (BayesSearchCV, {}),
}


def best_so_far(task: str, search: str, seed: int) -> list[float]:
    """Return the best score after each trial of one search."""
    estimator, space, X, y = TASKS[task]
    make, options = SEARCHES[search]
    fitted = make(
        estimator, space, n_iter=N_ITER, cv=SPLITS, random_state=seed, refit=False, **options
    ).fit(X, y)
    best: list[float] = np.maximum.accumulate(fitted.cv_results_["mean_test_score"]).tolist()
    return best


def main() -> None:
    """Run all searches, draw them and keep the numbers."""
    runs = [
        (task, search, seed) for task in TASKS for search in SEARCHES for seed in range(N_SEEDS)
    ]
    curves = Parallel(n_jobs=2)(delayed(best_so_far)(*run) for run in runs)
    scores = np.array(curves).reshape(len(TASKS), len(SEARCHES), N_SEEDS, N_ITER)
    figure, axes = plt.subplots(1, len(TASKS), figsize=(9, 3.3), layout="constrained")
    n_trials = np.arange(1, N_ITER + 1)
    for axis, task, of_task in zip(axes, TASKS, scores, strict=True):
        for search, colour, of_search in zip(
            SEARCHES, ("tab:orange", "tab:blue"), of_task, strict=True
        ):
            mean = of_search.mean(axis=0)
            error = of_search.std(axis=0, ddof=1) / np.sqrt(N_SEEDS)
            axis.plot(n_trials, mean, color=colour, lw=2, label=search)
            axis.fill_between(n_trials, mean - error, mean + error, color=colour, alpha=0.25)
            print(f"{task}, {search}: {mean[-1]:.4f} ± {error[-1]:.4f}")
        estimator, _, X, y = TASKS[task]
        default_trial = cross_val_score(estimator, X, y, cv=SPLITS).mean()
        axis.axhline(default_trial, color="grey", ls="--", label="untuned")
        top = of_task.max()
        axis.set(xlabel="trials", title=task, xlim=(1, N_ITER), ylim=(top - 0.04, top + 0.002))
    axes[0].set_ylabel("cross-validated accuracy, best so far")
    axes[0].legend(loc="lower right")
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=120)
    NUMBERS.write_text(
        json.dumps(
            {"tasks": list(TASKS), "searches": list(SEARCHES), "scores": scores.round(5).tolist()}
        )
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
