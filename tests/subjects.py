"""The optimizers under test, and helpers of their tests."""

import inspect

import sklearn_lepton.optimizers as door
from sklearn_lepton.optimizers import Optimizer


def concrete(base):
    for kind in base.__subclasses__():
        if not inspect.isabstract(kind) and kind.__module__.startswith(door.__name__):
            yield kind
        yield from concrete(kind)


OPTIMIZERS = sorted(set(concrete(Optimizer)), key=lambda kind: kind.__name__)

NUMERIC = {"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")}
MIXED = {"x": (0.0, 1.0, "uniform"), "n": (1, 9, "int"), "kind": list("cadb")}
BRANCHES = [
    {"kind": ["svm"], "C": (1e-3, 1e3, "log-uniform"), "kernel": list("rpl")},
    {"kind": ["tree"], "depth": (1, 30, "int"), "share": (0.1, 1.0, "uniform")},
]


def score(params):
    return -sum(v**2 if isinstance(v, int | float) else len(str(v)) for v in params.values())


def run(optimizer, n_trials, function=score, batch=1):
    while len(optimizer.trials) < n_trials:
        asked = optimizer.ask(batch)
        optimizer.tell([trial.complete(function(trial.params)) for trial in asked])
    return optimizer.trials
