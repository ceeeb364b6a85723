"""Settings of hypothesis for all tests, which only `make test` runs, and on how many cores."""

import os

import pytest
from hypothesis import HealthCheck, settings

from sklearn_lepton import AutoSearchCV, GeneticSearchCV, SwarmSearchCV
from sklearn_lepton.optimizers import AutoOptimizer, GeneticOptimizer, SwarmOptimizer

# Of these what is parametrized by class is tested of the Bayesian ones, too.
REPEATED = (AutoSearchCV, GeneticSearchCV, SwarmSearchCV)
REPEATED += (AutoOptimizer, GeneticOptimizer, SwarmOptimizer)

settings.register_profile(
    "lepton",
    deadline=None,
    max_examples=50,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("lepton")


def pytest_xdist_auto_num_workers(config):
    """Start no workers for files or single tests: to start them takes longer than these do."""
    if any(".py" in argument for argument in config.args):
        return 0
    # Workers with as many BLAS threads as there are cores compete for these.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return None  # as many as there are cores


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        params = getattr(item, "callspec", None)
        if params is not None and any(value in REPEATED for value in _types(params)):
            item.add_marker("thorough")


def _types(params):
    return [value for value in params.params.values() if isinstance(value, type)]
