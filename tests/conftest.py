"""Settings of hypothesis, the number of test processes, and shared fixtures."""

import os

import numpy as np
import pytest
from doubles import SEARCHES, Log, Probe
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
    """Return 0 for files or single tests, which are faster than the start of workers."""
    if any(".py" in argument for argument in config.args):
        return 0
    # Workers with one BLAS thread per core would compete for the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return None  # one per core


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        params = getattr(item, "callspec", None)
        if params is not None and any(value in REPEATED for value in _types(params)):
            item.add_marker("thorough")


def _types(params):
    return [value for value in params.params.values() if isinstance(value, type)]


@pytest.fixture(params=SEARCHES, ids=lambda search: search.__name__)
def search_class(request):
    """Each exported search class."""
    return request.param


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def probe(log):
    """A fast estimator that writes to `log`."""
    return Probe(log=log)


@pytest.fixture(scope="session")
def numbered():
    """Thirty rows of two classes; the first column is the row number."""
    X = np.column_stack([np.arange(30.0), np.linspace(-1, 1, 30) ** 2])
    return X, np.arange(30) % 2


@pytest.fixture(scope="session")
def blobs():
    """A small classification problem of sixty rows and four features."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 4)) + y[:, np.newaxis] * [1.0, 0.5, 0.0, 0.0]
    return X, y
