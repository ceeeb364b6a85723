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


def network(**params):
    settings = {"criterion": nn.CrossEntropyLoss, "verbose": 0, "train_split": None}
    return NeuralNetClassifier(Net, **(settings | {"optimizer": torch.optim.Adam} | params))


def epochs_scorer(net, X, y):
    """Score by how many epochs the weights have had, which the history tells."""
    steps = {int(state["step"]) for state in net.optimizer_.state.values()}
    assert len(steps) == 1
    return len(net.history) + steps.pop() / 1000
