r"""
Keras networks
==============

You will tune the architecture and the training of a Keras network with scikeras.
"""

# %%
# Keras reads its backend from the environment on import: PyTorch, JAX or TensorFlow. Set it
# before, or in the shell: ``KERAS_BACKEND=torch python ...``, which worker processes inherit,
# too.

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import matplotlib.pyplot as plt
import numpy as np
from scikeras.wrappers import KerasClassifier
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_lepton import BayesSearchCV

if keras.backend.backend() == "torch":
    import torch

    torch.set_num_threads(1)

# %%
# A function builds the compiled network. Its parameters are tuned as ``model__width`` and so on,
# those of Keras' own ``fit`` as ``batch_size`` or ``epochs``. Pass the function, not a network:
# each split needs a new one.


def build(width=16, n_layers=1, rate=1e-3):
    """Return a compiled network."""
    network = keras.Sequential([keras.Input((30,))])
    for _ in range(n_layers):
        network.add(keras.layers.Dense(width, activation="relu"))
    network.add(keras.layers.Dense(1, activation="sigmoid"))
    network.compile(keras.optimizers.Adam(rate), loss="binary_crossentropy")
    return network


X, y = load_breast_cancer(return_X_y=True)
X, y = X[:300].astype(np.float32), y[:300]
model = KerasClassifier(build, epochs=9, batch_size=32, verbose=0, random_state=0)
pipeline = Pipeline([("scale", StandardScaler()), ("net", model)])
space = {
    "net__model__width": (4, 64, "log-int"),
    "net__model__n_layers": [1, 2],
    "net__model__rate": (1e-4, 1e-1, "log-uniform"),
}
search = BayesSearchCV(
    pipeline,
    space,
    n_iter=8,
    cv=2,
    scoring="neg_log_loss",
    resource="net__epochs",
    random_state=0,
)
search.fit(X, y)
print(f"log loss {-search.best_score_:.3f} with {search.best_params_}")

# %%
# The learning rate matters most; trials with few epochs show that as well as those with all.

epochs = search.cv_results_["n_resources"]
rates = np.array([trial.params["net__model__rate"] for trial in search.trials_])
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for level in np.unique(epochs):
    rows = epochs == level
    losses = -search.cv_results_["mean_test_score"][rows]
    axis.scatter(rates[rows], losses, label=f"{level} epochs" if level > 1 else "1 epoch")
axis.set(xlabel="learning rate", ylabel="log loss over 2 splits", xscale="log", yscale="log")
axis.legend()
plt.show()
