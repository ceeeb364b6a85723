r"""
Imbalanced classes
==================

You will tune a pipeline that adds samples of a rare class inside each split, so that scores never
use synthetic samples.
"""

# %%
# SMOTE draws new samples between neighbours of the rare class. Before the search, this would put
# related samples into both parts of each split, and scores would be far too high.
# imbalanced-learn's own ``Pipeline`` draws them in ``fit``, and never in ``predict``. The search
# also decides whether SMOTE helps: one of the two spaces omits the step.

import matplotlib.pyplot as plt
import numpy as np
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline
from sklearn.datasets import make_classification
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV

X, y = make_classification(
    700, 8, n_informative=4, weights=[0.93], class_sep=0.8, flip_y=0.02, random_state=0
)
print(f"{np.mean(y):.0%} of {len(y)} samples are of the rare class")

smote = SMOTE(random_state=0)
pipeline = Pipeline([("scale", StandardScaler()), ("sample", smote), ("clf", SVC())])
model = {"clf__C": (1e-2, 1e3, "log-uniform"), "clf__gamma": (1e-3, 1e0, "log-uniform")}
sampling = {
    "sample": [smote],
    "sample__k_neighbors": (1, 10, "int"),
    "sample__sampling_strategy": (0.2, 1.0, "uniform"),
}
space = [{**model, **sampling}, {**model, "sample": ["passthrough"]}]
search = BayesSearchCV(
    pipeline,
    space,
    n_iter=30,
    cv=StratifiedKFold(4, shuffle=True, random_state=0),
    scoring="balanced_accuracy",
    random_state=0,
)
search.fit(X, y)
print(f"balanced accuracy {search.best_score_:.3f} with {search.best_params_}")

# %%
# The figure shows each trial by the use of SMOTE and its number of neighbours.

shares = [trial.params.get("sample__sampling_strategy", 0.0) for trial in search.trials_]
scores = search.cv_results_["mean_test_score"]
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.scatter(shares, scores, c=np.arange(len(scores)), cmap="viridis")
axis.scatter(shares[search.best_index_], search.best_score_, 160, facecolor="none", edgecolor="C3")
axis.set(
    xlabel="rare samples for each frequent one after sampling; 0: none are drawn",
    ylabel="balanced accuracy over 4 splits",
)
plt.show()
