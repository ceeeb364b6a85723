"""Networks of PyTorch for the tests, in a module that worker processes can import."""

import torch
from skorch import NeuralNetClassifier
from torch import nn


class Net(nn.Module):
    """One hidden layer on six features."""

    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, X):
        return self.layers(X)


class Counted(NeuralNetClassifier):
    """Counts its fits: a network that starts over has had one."""

    def fit(self, X, y, **params):
        self.n_fits_ = getattr(self, "n_fits_", 0) + 1
        return super().fit(X, y, **params)


def network(module=Net, **params):
    settings = {"criterion": nn.CrossEntropyLoss, "verbose": 0, "train_split": None}
    return Counted(module, **(settings | {"optimizer": torch.optim.Adam} | params))


def fits_and_epochs_scorer(net, X, y):
    """Score by the fits, by 100, the epochs, and the steps of the optimizer, by thousandths."""
    steps = {int(state["step"]) for state in net.optimizer_.state.values()}
    assert len(steps) == 1
    return 100 * net.n_fits_ + len(net.history) + steps.pop() / 1000
