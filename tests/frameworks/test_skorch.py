"""PyTorch through skorch."""

from functools import partial

import cases
import numpy as np
import pytest

from sklearn_lepton import BayesSearchCV, SwarmSearchCV

pytestmark = pytest.mark.frameworks
SPACE = {"module__width": (2, 16, "log-int"), "lr": (1e-3, 1e-1, "log-uniform")}


@pytest.fixture(scope="module")
def network():
    cases.torch()
    pytest.importorskip("skorch")
    from networks import network

    return network


@pytest.fixture(scope="module")
def data():
    return cases.arrays()


def few_epochs_first(network, data, **params):
    """Return a search with scores of fits and epochs, and the fits that trials should have had."""
    from networks import fits_and_epochs_scorer

    net = network(max_epochs=9, warm_start=True, iterator_train__batch_size=100)
    search = SwarmSearchCV(
        net,
        SPACE,
        surrogate=False,
        n_iter=12,
        cv=2,
        resource="max_epochs",
        scoring=fits_and_epochs_scorer,
        random_state=0,
        **params,
    ).fit(*data)
    n_fits, amounts = [], search.cv_results_["n_resources"]
    for trial in search.trials_:
        earlier = trial.proposal.get("promoted", trial.number)
        grows = amounts[trial.number] > amounts[earlier]
        n_fits.append(1 + n_fits[earlier] if grows else 1)
    assert max(n_fits) > 1
    return search, np.array(n_fits)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_network_resumes_with_its_weights(network, data, n_jobs):
    search, n_fits = few_epochs_first(network, data, n_jobs=n_jobs)
    amounts = search.cv_results_["n_resources"]
    assert set(amounts) == {1, 3, 9}
    # One batch an epoch: as many steps of the optimizer as epochs, of the first fit on.
    expected = 100 * n_fits + amounts * 1.001
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected)
    assert len(search.best_estimator_.history) == 9


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_unimportable_module_starts_over_in_processes(network, data, n_jobs):
    from networks import Net

    class Local(Net):
        """As one of a script: its class has to be sent along."""

    search, n_fits = few_epochs_first(partial(network, Local), data, n_jobs=n_jobs)
    amounts = search.cv_results_["n_resources"]
    expected = 100 * np.ones_like(n_fits) + amounts * 1.001
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected)


def test_seeds_in_the_constructor_give_equal_runs(data):
    from networks import Net, network

    class Seeded(Net):
        def __init__(self, width=8):
            torch.manual_seed(0)
            super().__init__(width)

    torch = cases.torch()
    settings = {"n_iter": 3, "n_points": 2, "cv": 2, "scoring": "neg_log_loss", "random_state": 0}
    for module, is_equal in ((Seeded, True), (Net, False)):
        scores = [
            BayesSearchCV(network(module, max_epochs=2), SPACE, n_jobs=n_jobs, **settings)
            .fit(*data)
            .cv_results_["split0_test_score"][0]
            for n_jobs in (1, 2)
        ]
        assert (scores[0] == scores[1]) == is_equal


def test_schedules_restart_from_the_last_learning_rate(network, data):
    from skorch.callbacks import LRScheduler

    halve = LRScheduler("StepLR", step_size=1, gamma=0.5)
    net = network(max_epochs=2, lr=0.08, warm_start=True, callbacks=[("halve", halve)])
    net.fit(*data).fit(*data)
    assert net.history[:, "event_lr"] == [0.08, 0.04, 0.01, 0.005]


def test_early_stopping_works_with_resource(network, data):
    from skorch.callbacks import EarlyStopping
    from skorch.dataset import ValidSplit

    stop = EarlyStopping(patience=2, threshold=1e9, threshold_mode="abs")
    net = network(max_epochs=50, train_split=ValidSplit(3), callbacks=[("stop", stop)])
    space = {"lr": (1e-3, 1e-1, "log-uniform"), "callbacks__stop__patience": [2, 4]}
    search = BayesSearchCV(net, space, n_iter=4, cv=2, random_state=0).fit(*data)
    assert len(search.best_estimator_.history) < 50
    assert {t.params["callbacks__stop__patience"] for t in search.trials_} == {2, 4}


@pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite:UserWarning")
@pytest.mark.filterwarnings("ignore:Some fits failed")
def test_nan_loss_fails_its_trial(network, data):
    import torch

    net = network(max_epochs=3, optimizer=torch.optim.SGD)
    search = BayesSearchCV(
        net,
        {"lr": [1e-2, 1e30]},
        n_iter=2,
        cv=2,
        scoring="neg_log_loss",
        initial_params=None,
        random_state=0,
    ).fit(*data)
    status = {trial.params["lr"]: trial.status for trial in search.trials_}
    assert status == {1e-2: "complete", 1e30: "failed"}
    assert search.best_params_ == {"lr": 1e-2}


def test_unknown_module_argument_fails_each_fit(network, data):
    search = BayesSearchCV(network(), {"module__breadth": [1, 2]}, n_iter=2, cv=2)
    with pytest.raises(ValueError, match="(?s)All the 2 trials failed.*argument 'breadth'"):
        search.fit(*data)


@pytest.mark.parametrize("name", ["nothing__width", "breadth", "callbacks__stop__patience"])
def test_unknown_parameters_are_refused(network, data, name):
    search = BayesSearchCV(network(), {name: [1, 2]}, n_iter=2, cv=2)
    with pytest.raises(ValueError, match="Unknown parameter"):
        search.fit(*data)
