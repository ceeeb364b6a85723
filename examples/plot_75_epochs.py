r"""
Few epochs first
================

You will tune a neural network that starts with few epochs: promising configurations get more of
them, and poor ones cost little.
"""

# %%
# The resource is ``max_iter``, the number of epochs. With ``warm_start=True`` a promoted
# configuration resumes from its network. At full fidelity it starts over, so that the refit can
# reproduce the score. The estimator's own 54 epochs are the maximum; new configurations start
# with a ninth, six.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier

from sklearn_lepton import BayesSearchCV

X, y = load_digits(return_X_y=True)
X, y = X[:450] / 16, y[:450]
network = MLPClassifier((16,), max_iter=54, warm_start=True, random_state=0)
space = {
    "learning_rate_init": (1e-4, 1e-1, "log-uniform"),
    "alpha": (1e-6, 1e0, "log-uniform"),
    "batch_size": (32, 256, "log-int"),
    "activation": ["relu", "tanh", "logistic"],
}
settings = {
    "cv": StratifiedKFold(3, shuffle=True, random_state=0),
    "scoring": "neg_log_loss",
    "random_state": 0,
}

# %%
# The search runs twice: once with all epochs for each of 20 configurations, once with few first.
# Trials with few epochs are cheap, so there are more of them. Networks do not converge within six
# epochs, so the example hides this warning.

searches = {
    "all epochs at once": BayesSearchCV(network, space, n_iter=20, **settings),
    "few epochs first": BayesSearchCV(network, space, n_iter=48, resource="max_iter", **settings),
}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name, search in searches.items():
        search.fit(X, y)
        seconds = sum(trial.duration for trial in search.trials_)
        print(f"{name}: log loss {-search.best_score_:.4f}, {seconds:.1f} s in fits")

# %%
# ``n_resources`` is the total number of epochs of a trial. The best trial had all 54, as only
# full trials can be the best.

search = searches["few epochs first"]
epochs = search.cv_results_["n_resources"]
for level in np.unique(epochs):
    print(f"{np.sum(epochs == level)} trials with {level} epochs")
print(search.best_params_)

# %%
# The figure shows the best full score so far against the seconds of all fits. Dots are trials;
# smaller dots have fewer epochs.

figure, axis = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
for (name, search), color in zip(searches.items(), ("0.45", "#0072B2"), strict=True):
    seconds = np.cumsum([trial.duration for trial in search.trials_])
    losses = np.array([-trial.score for trial in search.trials_])
    is_full = np.array([trial.is_full for trial in search.trials_])
    shares = np.array([trial.fidelity or 1.0 for trial in search.trials_])
    best = np.minimum.accumulate(np.where(is_full, losses, np.inf))
    axis.step(seconds, best, where="post", color=color, label=name)
    axis.scatter(seconds, losses, 40 * shares, color=color, alpha=0.6)
axis.set(xlabel="seconds in fits", ylabel="log loss over 3 splits", yscale="log")
axis.legend(title="best with all epochs")
plt.show()
