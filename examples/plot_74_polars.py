r"""
Polars frames
=============

You will tune a pipeline that takes a polars frame and passes it from step to step.
"""

# %%
# The data are a synthetic table of houses, with numbers, a category and missing values. The
# target is a series. Both keep their type: splits, and the smaller training sets of
# ``resource="n_samples"``, are polars frames, in worker processes as well.

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_lepton import BayesSearchCV

rng = np.random.default_rng(0)
n = 1500
houses = pl.DataFrame(
    {
        "area": rng.lognormal(4.5, 0.4, n),
        "year": rng.integers(1900, 2020, n),
        "district": rng.choice(["old town", "harbour", "hills"], n, p=[0.5, 0.3, 0.2]),
    }
).with_columns(pl.when(pl.col("year") > 1910).then(pl.col("year")).alias("year"))
worth = {"old town": 3.0, "harbour": 2.0, "hills": 4.0}
price = houses.select(
    pl.col("area") * pl.col("district").replace_strict(worth)
    + (pl.col("year").fill_null(1905) - 1960).abs()
).to_series() + rng.normal(0, 20, n)
print(houses.head(3))

# %%
# Columns are selected by name. With ``set_output(transform="polars")`` the transformers return
# frames.

columns = ColumnTransformer(
    [
        ("numbers", SimpleImputer(add_indicator=True), ["area", "year"]),
        ("kinds", OneHotEncoder(sparse_output=False), ["district"]),
    ]
).set_output(transform="polars")
model = HistGradientBoostingRegressor(max_iter=40, random_state=0)
pipeline = Pipeline([("columns", columns), ("model", model)])
space = {
    "columns__numbers__strategy": ["mean", "median"],
    "model__learning_rate": (0.02, 0.5, "log-uniform"),
    "model__max_leaf_nodes": (3, 31, "log-int"),
    "model__min_samples_leaf": (2, 60, "log-int"),
}
search = BayesSearchCV(
    pipeline,
    space,
    n_iter=24,
    cv=3,
    scoring="neg_root_mean_squared_error",
    resource="n_samples",
    random_state=0,
)
search.fit(houses, price)
print(f"error {-search.best_score_:.1f} with {search.best_params_}")
print(search.feature_names_in_)
print(search.best_estimator_[0].transform(houses.head(2)))

# %%
# Trials with few samples identify poor configurations at a fraction of the cost.

n_samples = search.cv_results_["n_resources"]
errors = -search.cv_results_["mean_test_score"]
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.scatter(n_samples, errors, alpha=0.7)
axis.scatter(n_samples[search.best_index_], -search.best_score_, 160, fc="none", ec="C3")
axis.set(xlabel="samples of each training part", ylabel="error over 3 splits", xscale="log")
plt.show()
