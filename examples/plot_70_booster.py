r"""
Early stopping of boosters
==========================

You will tune gradient boosting without tuning its number of rounds: each fit stops on the
validation part of its split, and the best configuration is refitted with the mean number of
rounds.
"""

# %%
# The target is the progression of diabetes in a year. LightGBM is the last step of a pipeline;
# XGBoost and CatBoost work the same way. Its own 1000 rounds are the maximum. The earlier steps,
# fitted on the training part alone, transform the validation part for the booster.

import matplotlib.pyplot as plt
import numpy as np
from lightgbm import LGBMRegressor
from sklearn.datasets import load_diabetes
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PowerTransformer

from sklearn_lepton import BayesSearchCV

X, y = load_diabetes(return_X_y=True)
booster = LGBMRegressor(n_estimators=1000, early_stopping_round=30, verbose=-1, n_jobs=1)
pipeline = Pipeline([("transform", PowerTransformer()), ("model", booster)])
space = {
    "model__learning_rate": (0.01, 0.5, "log-uniform"),
    "model__num_leaves": (2, 20, "log-int"),
    "model__min_child_samples": (2, 60, "log-int"),
}
search = BayesSearchCV(
    pipeline,
    space,
    n_iter=20,
    cv=5,
    scoring="neg_root_mean_squared_error",
    eval_set_from_split=True,
    random_state=0,
)
search.fit(X, y)
print(f"error {-search.best_score_:.2f} with {search.best_params_}")

# %%
# ``cv_results_`` has the best number of rounds of each split. A lower learning rate needs more
# rounds. Any fixed number is therefore wrong for most configurations, and tuning it like any
# other parameter takes trials to find a number that each fit can determine.

results = search.cv_results_
rate = np.array([trial.params["model__learning_rate"] for trial in search.trials_])
splits = np.array([results[f"split{k}_n_rounds"] for k in range(search.n_splits_)])
best = search.best_index_

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.vlines(rate, splits.min(axis=0), splits.max(axis=0), color="0.8", zorder=1)
points = ax.scatter(rate, results["mean_n_rounds"], c=-results["mean_test_score"], zorder=2)
ax.scatter(
    rate[best],
    results["mean_n_rounds"][best],
    s=150,
    facecolor="none",
    edgecolor="C3",
    linewidth=2,
    label=f"best: refitted with {search.best_params_['model__n_estimators']} rounds",
)
ax.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="rounds until the best one")
fig.colorbar(points, label="root mean squared error")
ax.legend()
plt.show()

# %%
# ``best_params_`` has all parameters of the refit: the number of rounds, and early stopping
# disabled, since all data are used for training. An estimator with these parameters is identical
# to the refitted one.

again = pipeline.set_params(**search.best_params_).fit(X, y)
print(np.array_equal(again.predict(X), search.predict(X)))
