"""PyTorch by way of skorch."""

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


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_network_goes_on_with_its_weights(network, data, n_jobs):
    from networks import epochs_scorer

    net = network(max_epochs=9, warm_start=True, iterator_train__batch_size=100)
    search = SwarmSearchCV(
        net,
        SPACE,
        screening=False,
        n_iter=12,
        cv=2,
        n_jobs=n_jobs,
        resource="max_epochs",
        scoring=epochs_scorer,
        random_state=0,
    ).fit(*data)
    amounts = search.cv_results_["n_resources"]
    assert set(amounts) == {1, 3, 9}
    # One batch an epoch: as many steps of the optimizer as epochs, of the first fit on.
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], amounts * 1.001)
    promoted = [trial for trial in search.trials_ if "promoted" in trial.meta]
    assert promoted
    assert len(search.best_estimator_.history) == 9


def test_early_stopping(network, data):
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
def test_a_loss_that_is_not_a_number_fails_its_trial(network, data):
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


@pytest.mark.parametrize("name", ["nothing__width", "breadth"])
def test_names_that_no_part_has_are_refused(network, data, name):
    search = BayesSearchCV(network(), {name: [1, 2]}, n_iter=2, cv=2)
    with pytest.raises(ValueError, match="Unknown parameter"):
        search.fit(*data)
