r"""
Out-of-fold predictions
=======================

You will choose the threshold of a classifier by the costs of its errors, and look at the rows that
it gets wrong. Both need predictions of models that have not seen these rows. The fits of the search
make them already.
"""

# %%
# The target is whether a tumour is malignant, the positive class here. A missed one costs ten times
# as much as a false alarm. With ``return_predictions=True`` the search keeps what each fit of the
# best trial predicts for the test part of its split.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lepton import BayesSearchCV

data = load_breast_cancer()
X, y = data.data[:, :10], (data.target == 0).astype(int)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
search = BayesSearchCV(
    make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
    {"logisticregression__C": (1e-3, 1e3, "log-uniform")},
    n_iter=15,
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
    scoring="neg_log_loss",
    return_predictions=True,
    random_state=0,
)
search.fit(X, y)
probability = search.best_predictions_[:, 1]
print(search.best_params_, search.best_predictions_.shape)

# %%
# The cost of each threshold follows from these probabilities, without a further fit. The lowest one
# lies far below 0.5.

MISS, ALARM = 10, 1


def cost(probability, y, threshold):
    """Return the mean cost of a patient."""
    is_alarm = probability >= threshold
    return np.mean(np.where(y == 1, MISS * ~is_alarm, ALARM * is_alarm))


thresholds = np.linspace(0.01, 0.9, 90)
costs = np.array([cost(probability, y, threshold) for threshold in thresholds])
threshold = thresholds[costs.argmin()]
classifier = FixedThresholdClassifier(FrozenEstimator(search.best_estimator_), threshold=threshold)
classifier.fit(X, y)  # nothing is fitted again
for name, model in (("0.5", search), (f"{threshold:.2f}", classifier)):
    is_missed = (y_test == 1) & (model.predict(X_test) == 0)
    is_alarm = (y_test == 0) & (model.predict(X_test) == 1)
    total = MISS * is_missed.sum() + ALARM * is_alarm.sum()
    print(f"threshold {name}: {is_missed.sum()} missed, {is_alarm.sum()} alarms, cost {total}")

# %%
# The same predictions show which rows the model gets wrong, each judged by a model that was fitted
# without it. The five most surprising ones are a place to look for errors in the data.

surprise = np.abs(y - probability)
for row in np.argsort(-surprise)[:5]:
    print(f"row {row}: class {y[row]}, predicted probability {probability[row]:.3f}")

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.plot(thresholds, costs, color="C0")
left.axvline(0.5, color="0.6", linestyle=":", label=f"0.5: cost {cost(probability, y, 0.5):.2f}")
left.plot(threshold, costs.min(), "o", color="C3", label=f"{threshold:.2f}: cost {costs.min():.2f}")
left.set(xlabel="threshold", ylabel="mean cost of a patient", ylim=(0, None))
left.legend()
bins = np.linspace(0, 1, 21)
right.hist([probability[y == 0], probability[y == 1]], bins, label=["benign", "malignant"])
right.axvline(threshold, color="C3", label="threshold")
right.set(xlabel="out-of-fold probability of malignant", ylabel="patients", yscale="log")
right.legend()
plt.show()

# %%
# The best trial was chosen by these predictions, which are therefore a little too good. Judge the
# result on other data, as above, or by nested cross-validation.
