r"""
Choices with parameters, and a constraint
=========================================

You will learn how to give each model its own parameters within one dict, and how to exclude
configurations that make no sense.
"""

# %%
# Each model is a branch: a choice with the parameters that only it has. A kernel of the support
# vector machine is a branch, too. The names are those of ``set_params``.

from sklearn.datasets import load_wine
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV, Branch, Space

machine = Branch(
    SVC(),
    {
        "model__C": (1e-2, 1e3, "log-uniform"),
        "model__kernel": ["linear", Branch("rbf", {"model__gamma": (1e-4, 1.0, "log-uniform")})],
    },
)
tree = Branch(
    DecisionTreeClassifier(random_state=0),
    {"model__min_samples_leaf": (1, 30, "int"), "model__min_samples_split": (2, 60, "int")},
)

# %%
# A leaf as large as the smallest node that may be divided makes the second parameter useless.
# The constraint gets the parameters of one branch, so it asks for them with ``get``.


def leaf_is_smaller(params):
    """Return whether the parameters of a tree fit together."""
    return params.get("model__min_samples_leaf", 0) < params.get("model__min_samples_split", 1)


space = Space({"model": [machine, tree]}, constraint=leaf_is_smaller)
pipeline = Pipeline([("scale", StandardScaler()), ("model", SVC())])
X, y = load_wine(return_X_y=True)
search = BayesSearchCV(pipeline, space, n_iter=20, random_state=0).fit(X, y)

# %%
# Each trial has the parameters of its branch only.

for trial in search.trials_:
    values = ", ".join(f"{name}={value}" for name, value in trial.params.items())
    print(f"{trial.score:.3f} {values}")
print("All are allowed:", all(space.allows(trial.params) for trial in search.trials_))
