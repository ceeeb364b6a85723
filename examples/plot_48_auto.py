r"""
Automatic choice of the optimizer
=================================

You will see how `AutoSearchCV` chooses among the optimizers, and where it gives its reasons.
"""

# %%
# The same pipeline is tuned three times: thirty trials of a few parameters, one at a time; the
# same in batches of sixteen, as on a machine with many cores; and a space so small that every
# configuration can be tried.

from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_lepton import AutoSearchCV

X, y = load_breast_cancer(return_X_y=True)
pipeline = make_pipeline(StandardScaler(), SVC())
space = {
    "svc__C": (1e-2, 1e3, "log-uniform"),
    "svc__gamma": (1e-4, 1e2, "log-uniform"),
    "svc__class_weight": [None, "balanced"],
}
searches = {
    "one at a time": AutoSearchCV(pipeline, space, n_iter=30, random_state=0),
    "sixteen at once": AutoSearchCV(pipeline, space, n_iter=32, n_points=16, random_state=0),
    "few settings": AutoSearchCV(pipeline, {"svc__C": [0.1, 1.0, 10.0]}, n_iter=3, random_state=0),
}
for name, search in searches.items():
    search.fit(X, y)
    print(f"{name}: {search.best_score_:.4f}\n    {search.choice_}")

# %%
# Each trial has the optimizer that proposed it. The first trials have none: they are the
# estimator's own parameters and the initial design.

for trial in searches["one at a time"].trials_[:10]:
    print(trial.number, trial.proposal.get("optimizer", "-"), round(trial.score, 4))
