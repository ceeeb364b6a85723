r"""
Updating a tuned model on a stream of data
==========================================

You will keep a tuned model up to date on a stream whose distribution changes, for a small part of
the cost of tuning again each time.
"""

# %%
# The stream contains handwritten digits in the order in which they were written, one writer after
# another. The scanner changes its gain twice: all pixels become ten times darker, then brighter
# than ever. A support vector machine that was tuned before then fails, since the width of its
# kernel depends on the scale of the data. At each step the model is fitted on the last 420 images
# and scored on the next 60.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV

X, y = load_digits(return_X_y=True)
SIZE, STEP, N_STEPS = 420, 60, 20
gain = np.repeat([1.0, 0.1, 3.0], [6, 8, 7])


def window(step):
    """Return the data of a step, and the data of the next one."""
    end = SIZE + step * STEP
    now, then = slice(end - SIZE, end), slice(end, end + STEP)
    return gain[step] * X[now], y[now], gain[step] * X[then], y[then]


def make_search():
    """Make a search of 15 trials."""
    space = {"C": (1e-2, 1e3, "log-uniform"), "gamma": (1e-6, 1e0, "log-uniform")}
    return BayesSearchCV(SVC(), space, n_iter=15, cv=3, random_state=0)


# %%
# Three strategies are compared. The first tunes once. The second tunes from scratch at each step.
# The third tunes once and then calls ``update``, which scores the three best configurations on
# the new data. If they hold, the best one is refitted. If not, the search continues, with the
# earlier trials as a previous study.

scores = {"tuned once": [], "tuned anew": [], "updated": []}
n_trials = dict.fromkeys(scores, 0)
X_now, y_now, _, _ = window(0)
once = make_search().fit(X_now, y_now).best_estimator_
updated = make_search().fit(X_now, y_now)
for step in range(1, N_STEPS + 1):
    X_now, y_now, X_next, y_next = window(step)
    models = {
        "tuned once": clone(once).fit(X_now, y_now),
        "tuned anew": make_search().fit(X_now, y_now),
        "updated": updated.update(X_now, y_now),
    }
    n_trials["tuned anew"] += len(models["tuned anew"].trials_)
    n_trials["updated"] += updated.updates_[-1]["n_trials"]
    for name, model in models.items():
        scores[name].append(model.score(X_next, y_next))

for name, values in scores.items():
    print(f"{name:11} mean accuracy {np.mean(values):.3f}, {n_trials[name]:3d} trials")

# %%
# ``updates_`` has the decision of each update and its reason.

for number, update in enumerate(updated.updates_, start=1):
    if not update["held"]:
        print(
            f"step {number}: "
            f"{update['score_before']:.3f} ± {update['std_error_before']:.3f} before, "
            f"{update['score_after']:.3f} ± {update['std_error_after']:.3f} on the new data, "
            f"{update['best_score']:.3f} after {update['n_trials']} trials"
        )
        print(f"        {update['reason']}")

# %%
# The upper plot shows the scores on the next data, the lower one the number of trials.

figure, (above, below) = plt.subplots(
    2, 1, figsize=(8, 5.4), sharex=True, height_ratios=[2, 1], layout="constrained"
)
steps = np.arange(1, N_STEPS + 1)
styles = {"tuned once": ("C7", ":"), "tuned anew": ("C0", "-"), "updated": ("C1", "-")}
for name, (color, line) in styles.items():
    above.plot(steps, scores[name], line, color=color, marker="o", ms=4, label=name)
for change in np.flatnonzero(np.diff(gain)) + 0.5:
    for axis in (above, below):
        axis.axvline(change, color="0.5", lw=1, ls="--")
above.set(ylabel="accuracy on the next images")
above.legend(loc="lower left")
spent = [update["n_trials"] for update in updated.updates_]
below.bar(steps - 0.2, np.full(N_STEPS, 15), width=0.4, color="C0", label="tuned anew")
below.bar(steps + 0.2, spent, width=0.4, color="C1", label="updated")
below.set(xlabel="step", ylabel="trials", xticks=steps)
plt.show()
