r"""
PyTorch networks
================

You will tune a PyTorch network, wrapped by skorch: it starts with few epochs, and promoted
configurations resume with their weights.
"""

# %%
# A network is a PyTorch module, and skorch wraps it as a classifier. Parameters of the module
# have names such as ``module__width``, parameters of the optimizer names such as
# ``optimizer__weight_decay``. The network needs features in single precision and labels as 64-bit
# integers. Small networks are slower on several threads than on one.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping

from sklearn_lepton import BayesSearchCV

torch.set_num_threads(1)
torch.manual_seed(0)

X, y = load_digits(return_X_y=True)
X, y = (X[:500] / 16).astype(np.float32), y[:500].astype(np.int64)
X, X_new, y, y_new = train_test_split(X, y, test_size=150, stratify=y, random_state=0)


class Net(torch.nn.Module):
    """One hidden layer."""

    def __init__(self, width=32, dropout=0.0):
        super().__init__()
        self.hidden = torch.nn.Linear(64, width)
        self.dropout = torch.nn.Dropout(dropout)
        self.output = torch.nn.Linear(width, 10)

    def forward(self, X):
        """Return the logits."""
        return self.output(self.dropout(torch.relu(self.hidden(X))))


# %%
# With ``resource="max_epochs"`` new configurations get a ninth of the 18 epochs. With
# ``warm_start=True`` promoted ones resume with their weights and the state of the optimizer.
# ``train_split=None`` leaves validation to the search.

net = NeuralNetClassifier(
    Net,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    max_epochs=18,
    batch_size=64,
    train_split=None,
    warm_start=True,
    verbose=0,
)
space = {
    "lr": (1e-4, 1e-1, "log-uniform"),
    "module__width": (8, 128, "log-int"),
    "module__dropout": (0.0, 0.6, "uniform"),
    "optimizer__weight_decay": (1e-6, 1e-2, "log-uniform"),
}
search = BayesSearchCV(
    net,
    space,
    n_iter=15,
    cv=2,
    scoring="neg_log_loss",
    resource="max_epochs",
    random_state=0,
)
search.fit(X, y)
epochs = search.cv_results_["n_resources"]
for level in np.unique(epochs):
    print(f"{np.sum(epochs == level)} trials with {level} epochs")
print(f"log loss {-search.best_score_:.3f} with {search.best_params_}")

# %%
# The figure shows trials by their number of epochs; only those with all epochs can be the best.

rates = np.array([trial.params["lr"] for trial in search.trials_])
figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
for level, color in zip(np.unique(epochs), ("0.7", "#56B4E9", "#0072B2"), strict=True):
    rows = epochs == level
    losses = -search.cv_results_["mean_test_score"][rows]
    axis.scatter(rates[rows], losses, color=color, label=f"{level} epochs")
axis.set(xlabel="learning rate", ylabel="log loss over 2 splits", xscale="log", yscale="log")
axis.legend()
plt.show()

# %%
# The other way to save epochs is early stopping. skorch's callback watches a part of the training
# data that it holds out, and its parameters can be tuned as well. The final network does the
# same. Use early stopping only without a resource, where the search already allocates the epochs.

stops = NeuralNetClassifier(
    Net,
    criterion=torch.nn.CrossEntropyLoss,
    optimizer=torch.optim.Adam,
    max_epochs=60,
    batch_size=64,
    callbacks=[("stop", EarlyStopping(patience=4, threshold=0.05))],
    verbose=0,
)
space = {"lr": (1e-2, 1e-1, "log-uniform"), "callbacks__stop__patience": (2, 5, "int")}
early = BayesSearchCV(stops, space, n_iter=3, cv=2, random_state=0).fit(X, y)
print(len(early.best_estimator_.history), "of 60 epochs with", early.best_params_)
for name, fitted in (("early stopping", early), ("few epochs first", search)):
    print(f"{name}: accuracy {np.mean(fitted.predict(X_new) == y_new):.3f} on new data")
