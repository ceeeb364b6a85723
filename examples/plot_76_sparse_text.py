r"""
Texts as sparse matrices
========================

You will tune a text vectorizer and a linear model on its sparse output.
"""

# %%
# The data are a small synthetic corpus with the words of two trades that share most of their
# vocabulary. Some texts are mislabelled, so no configuration is perfect.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import Pipeline

from sklearn_lepton import BayesSearchCV

rng = np.random.default_rng(0)
common = [f"word{k}" for k in range(400)]
baking = ["flour", "yeast", "oven", "dough", "crust", "knead", "bake", "proof", "rise", "crumb"]
sailing = ["mast", "keel", "sail", "rope", "deck", "tide", "rise", "knot", "wind", "harbour"]


def write(trade):
    """Return a text of some forty words."""
    words = rng.choice(common, 40).tolist() + rng.choice(trade, rng.integers(0, 4)).tolist()
    return " ".join(rng.permutation(words))


labels = rng.integers(0, 2, 600)
texts = np.array([write(sailing if label else baking) for label in labels], dtype=object)
labels = np.where(rng.random(600) < 0.05, 1 - labels, labels)
print(texts[0][:70], "...")

# %%
# The vectorizer is a step, so that it learns its vocabulary and its weights from the training
# part of each split alone. It has few configurations: their outputs are cached during the search
# and not computed again for each trial. With ``racing=True`` a trial ends after the splits that
# show that it will not be the best.

pipeline = Pipeline([("count", TfidfVectorizer()), ("clf", SGDClassifier(random_state=0))])
space = {
    "count__min_df": [1, 2, 4],
    "count__sublinear_tf": [False, True],
    "count__binary": [False, True],
    "clf__loss": ["hinge", "log_loss", "modified_huber"],
    "clf__penalty": ["l2", "l1", "elasticnet"],
    "clf__alpha": (1e-6, 1e-1, "log-uniform"),
}
search = BayesSearchCV(pipeline, space, n_iter=40, cv=5, racing=True, random_state=0)
search.fit(texts, labels)
print(f"accuracy {search.best_score_:.3f} with {search.best_params_}")
n_fits = np.sum(search.cv_results_["n_splits_run"])
print(f"{n_fits} fits of {40 * 5}")
matrix = search.best_estimator_["count"].transform(texts)
print(f"{matrix.nnz / np.prod(matrix.shape):.1%} of the matrix is stored")

# %%
# The figure shows trials by the strength of the penalty; pruned ones are hollow.

alphas = np.array([trial.params["clf__alpha"] for trial in search.trials_])
scores = np.array([trial.score for trial in search.trials_], dtype=float)
kinds = np.array([trial.params["clf__penalty"] for trial in search.trials_])
is_complete = search.cv_results_["n_splits_run"] == 5
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for kind, color in zip(np.unique(kinds), ("#56B4E9", "#D55E00", "#0072B2"), strict=False):
    rows = (kinds == kind) & is_complete
    axis.scatter(alphas[rows], scores[rows], color=color, label=kind)
    rows = (kinds == kind) & ~is_complete
    axis.scatter(alphas[rows], scores[rows], facecolor="none", edgecolor=color)
axis.set(xlabel="alpha", ylabel="accuracy over the splits that ran", xscale="log")
axis.legend(title="penalty")
plt.show()
