r"""
Automatic choice of the model for a table
=========================================

You will learn how to get a model for a table with numbers, categories, dates and missing values,
and how to see which models were tried.
"""

# %%
# The data are a synthetic table of rented bicycles: the weather, the day, and a column of names
# without information.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from sklearn_lepton import AutoSearchCV

rng = np.random.default_rng(0)
n_rows = 400
days = pd.Series(pd.date_range("2024-01-01", periods=n_rows))
season = 10 - 12 * np.cos(2 * np.pi * (days.dt.day_of_year - 20) / 365)
X = pd.DataFrame({
    "day": days,
    "temperature": season + rng.normal(scale=4, size=n_rows),
    "sky": rng.choice(["clear", "cloudy", "rain"], p=[0.5, 0.3, 0.2], size=n_rows),
    "clerk": [f"clerk {number}" for number in range(n_rows)],
})  # fmt: skip
weekend = days.dt.day_of_week >= 5
level = 3 + 0.08 * X["temperature"] - 0.9 * (X["sky"] == "rain") + 0.5 * weekend
y = np.round(np.exp(level + rng.normal(scale=0.2, size=n_rows)))
X.loc[rng.random(n_rows) < 0.1, "temperature"] = np.nan
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
# The task replaces the estimator, and seconds replace the number of trials. A minute would try
# more. With a number of trials and without ``max_time``, the result is reproducible.

search = AutoSearchCV("regressor", n_iter=1000, max_time=12, random_state=0)
search.fit(X_train, y_train)
print(search.choice_)
print(f"R2 on rows never seen: {search.score(X_test, y_test):.3f}")

# %%
# The result is a scikit-learn pipeline, or the average of several, which works without the
# search.

print(search.best_estimator_.predict(X_test[:3]), list(y_test[:3]))

# %%
# The figure shows each trial by its model. The first ones are known good configurations, one
# model after another. Pruned trials are omitted.

models = [type(trial.params["model"].regressor).__name__ for trial in search.trials_]
names = sorted(set(models))
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for trial, model in zip(search.trials_, models, strict=True):
    if trial.score is not None:
        ax.scatter(trial.score, names.index(model), color="C0", alpha=0.6)
ax.set(yticks=range(len(names)), yticklabels=names, xlabel="R2, mean over the splits")
plt.show()
