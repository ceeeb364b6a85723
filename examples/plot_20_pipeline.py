r"""
A pipeline with a choice of models
==================================

You will learn how to search over the steps of a pipeline and their parameters together, where
each model has its own parameters.
"""

# %%
# The data are a table with two categorical columns. A search takes the same DataFrame as its
# estimator.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR

from sklearn_lepton import BayesSearchCV

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X["sex"] = X["sex"].astype("category")
X["age"] = pd.cut(X["age"], [0, 40, 60, 120], labels=["young", "middle", "old"])
X.head()

# %%
# The pipeline encodes the columns by their type, optionally reduces them, and ends in a model,
# initially boosted trees.

pipeline = Pipeline(
    [
        (
            "encode",
            make_column_transformer(
                (OneHotEncoder(), make_column_selector(dtype_include="category")),
                (StandardScaler(), make_column_selector(dtype_include="number")),
            ),
        ),
        ("reduce", "passthrough"),
        ("model", HistGradientBoostingRegressor(max_iter=50, random_state=0)),
    ]
)

# %%
# A list of dicts is one conditional space under one budget. Each dict is a branch: ``model__C``
# exists only for the support vector machine. ``"passthrough"`` skips a step. Whole steps are
# values like any other. A tuple whose last item is a word is a range; the word is its scale.

reduce = ["passthrough", PCA(4), PCA(8)]
space = [
    {
        "reduce": reduce,
        "model": [Ridge()],
        "model__alpha": (1e-3, 1e3, "log-uniform"),
    },
    {
        "reduce": reduce,
        "model": [SVR()],
        "model__C": (1e-1, 1e4, "log-uniform"),
        "model__gamma": (1e-5, 1.0, "log-uniform"),
    },
    {
        "model": [HistGradientBoostingRegressor(random_state=0)],
        "model__learning_rate": (1e-3, 1.0, "log-uniform"),
        "model__max_iter": (10, 80, "log-int"),
        "model__max_leaf_nodes": (2, 32, "log-int"),
    },
]
cv = KFold(5, shuffle=True, random_state=0)
search = BayesSearchCV(pipeline, space, n_iter=30, cv=cv, random_state=0).fit(X, y)

for name, value in search.best_params_.items():
    print(f"{name:24} {value}")

# %%
# The trials show how the budget was divided among the branches.

names = [type(trial.params["model"]).__name__ for trial in search.trials_]
scores = np.array([trial.score for trial in search.trials_])
print(pd.Series(scores).groupby(names).agg(["size", "max"]).round(3))

# %%
# The search begins with the pipeline as given, tries every model, and spends most of its trials
# on the best ones.

figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
numbers = np.arange(len(scores))
for name in dict.fromkeys(names):
    of_model = [other == name for other in names]
    axes.plot(numbers[of_model], scores[of_model], "o", label=name)
axes.step(numbers, np.maximum.accumulate(scores), where="post", color="black", label="best so far")
axes.set(
    xlabel="trial number",
    ylabel="R² over 5 splits",
    ylim=(0, None),
    title="One search, three models",
)
figure.legend(loc="outside lower center", ncols=4)
plt.show()
