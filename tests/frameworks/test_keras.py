"""Keras through scikeras, on PyTorch."""

import cases
import numpy as np
import pytest

from sklearn_lepton import SwarmSearchCV

pytestmark = [
    pytest.mark.frameworks,
    cases.OF_KERAS,
]


def test_epochs_can_be_the_resource():
    case = cases.keras()
    model = case.estimator.set_params(epochs=9, warm_start=True)
    search = SwarmSearchCV(
        model,
        case.space,
        surrogate=False,
        n_iter=12,
        cv=2,
        resource="epochs",
        min_resources=1,
        scoring=lambda fitted, X, y: len(fitted.history_["loss"]),
        random_state=0,
    ).fit(case.X, case.y)
    table = search.cv_results_
    assert set(table["n_resources"]) == {1, 3, 9}
    # scikeras' history is that of the last fit: two epochs more for those that had one. What has
    # all of them starts over, and so does the repetition of the first trial, which has fewer.
    amounts = table["n_resources"]
    earlier = np.array([trial.proposal.get("promoted", trial.number) for trial in search.trials_])
    resumes = (amounts > amounts[earlier]) & (amounts < 9)
    assert resumes.any()
    np.testing.assert_array_equal(table["mean_test_score"], amounts - resumes)
    assert len(search.best_estimator_.history_["loss"]) == 9


@pytest.mark.filterwarnings("ignore:Some fits failed")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite:UserWarning")
@pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning")
@pytest.mark.filterwarnings("ignore:\n")
def test_nan_loss_fails_its_trial():
    case = cases.keras()
    search = SwarmSearchCV(
        case.estimator,
        {"model__rate": [1e-2, 1e38]},
        surrogate=False,
        n_iter=2,
        cv=2,
        scoring="neg_log_loss",
        initial_params=None,
        random_state=0,
    ).fit(case.X, case.y)
    status = {trial.params["model__rate"]: trial.status for trial in search.trials_}
    assert status == {1e-2: "complete", 1e38: "failed"}
