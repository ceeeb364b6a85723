r"""
Ensembles of trials
===================

A search fits many models to choose one. A mean of several is often better, and costs only their
refits. ``refit="ensemble"`` selects the members by the predictions that the fits of the search made
anyway.
"""

# %%
# A single tree is a weak model, and trees of other depths make other errors. The metric of the
# search, here the log loss, decides which trees are combined, and with which weights.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import fbeta_score, log_loss, make_scorer
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV, tuned_threshold

X, y = load_breast_cancer(return_X_y=True)
y = (y == 0).astype(int)  # malignant, the positive class
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
search = BayesSearchCV(
    DecisionTreeClassifier(random_state=0),
    {
        "max_depth": (1, 10, "int"),
        "min_samples_leaf": (1, 40, "int"),
        "max_features": (0.1, 1.0, "uniform"),
        "criterion": ["gini", "entropy"],
    },
    n_iter=25,
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
    scoring="neg_log_loss",
    refit="ensemble",
    return_predictions=True,
    random_state=0,
)
search.fit(X, y)
print(f"best trial {search.best_score_:.3f}, ensemble {search.ensemble_score_:.3f}")

# %%
# ``best_estimator_`` is scikit-learn's ``VotingClassifier``. Its members can be scored one by one
# on data that the search has never seen.

ensemble = search.best_estimator_
losses = [log_loss(y_test, tree.predict_proba(X_test)) for tree in ensemble.estimators_]
loss = log_loss(y_test, ensemble.predict_proba(X_test))
for (number, weight), each in zip(search.ensemble_weights_.items(), losses, strict=True):
    print(f"trial {number:2}: weight {weight:.2f}, log loss {each:.3f}")
print(f"ensemble: log loss {loss:.3f}")

# %%
# The threshold for another metric follows from the same predictions, without a further fit. Here
# recall counts for more than precision.

classifier = tuned_threshold(search, y, scoring=make_scorer(fbeta_score, beta=3))
for name, model in (("0.5", ensemble), (f"{classifier.best_threshold_:.2f}", classifier)):
    score = fbeta_score(y_test, model.predict(X_test), beta=3)
    print(f"threshold {name}: F3 score {score:.3f}")

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
names = [f"trial {number}\n{weight:.2f}" for number, weight in search.ensemble_weights_.items()]
places = np.arange(len(losses))
left.bar(places, losses, color="0.75", label="member, with its weight")
left.axhline(loss, color="C0", label=f"ensemble: {loss:.3f}")
left.set_xticks(places, names, fontsize="small")
left.set(ylabel="log loss of unseen rows", ylim=(0, 1.3 * max(losses)))
left.legend()
curve = classifier.cv_results_
right.plot(curve["thresholds"], curve["scores"], color="C0")
best = classifier.best_threshold_, classifier.best_score_
right.plot(*best, "o", color="C3", label=f"best threshold: {best[0]:.2f}")
right.axvline(0.5, color="0.6", linestyle=":", label="0.5")
right.set(xlabel="threshold", ylabel="F3 score, out of fold")
right.legend()
plt.show()
