"""Trials and results of a search are independent: changes to one do not reach the other."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from sklearn_lepton import tune

SPACE = {"x": (0.0, 1.0, "uniform"), "z": [[0], [1, 1]]}


def make(search_class, probe, **settings):
    probe = probe.set_params(z=[0])
    return search_class(probe, SPACE, n_iter=4, cv=2, random_state=0, **settings)


@pytest.fixture(autouse=True)
def lists_as_levels(monkeypatch, probe):
    """Let the probe take a list as its `z`."""
    monkeypatch.setattr(
        type(probe), "score", lambda self, X, y=None: 1.0 - abs(self.x - 0.7) + 0.0 * len(self.z)
    )


def test_results_and_trials_are_independent(search_class, probe, numbered):
    search = make(search_class, probe).fit(*numbered)
    best, row = search.trials_[search.best_index_], search.cv_results_["params"]
    kept = [trial.to_json() for trial in search.trials_]
    assert type(search.best_params_) is dict
    assert {type(params) for params in row} == {dict}
    assert search.best_params_ == row[search.best_index_] == best.params
    search.best_params_["n_jobs"] = -1
    search.best_params_["z"].append("best")
    assert search.best_params_ != row[search.best_index_] == best.params
    row[search.best_index_]["z"].append("row")
    row[search.best_index_]["x"] = 99
    assert [trial.to_json() for trial in search.trials_] == kept
    assert SPACE["z"] == [[0], [1, 1]]


def test_update_does_not_mind_edited_results(search_class, probe, numbered):
    search = make(search_class, probe).fit(*numbered)
    best = dict(search.trials_[search.best_index_].params)
    search.best_params_["n_jobs"] = -1
    search.cv_results_["params"][search.best_index_]["x"] = 99.0
    search.update(*numbered)
    assert search.trials_[0].params == best
    search.updates_[0]["best_params"]["z"].append(3)
    assert search.trials_[search.best_index_].params["z"] in SPACE["z"]


def test_callback_cannot_change_a_trial(search_class, probe, numbered):
    refused = []

    def change(search, trial):
        for act in (
            lambda: trial.params.update(x=99.0),
            lambda: trial.params["z"].append(9),
            lambda: trial.proposal.update(operator="none"),
            lambda: setattr(trial.split_results[0], "scores", 9.0),
        ):
            with pytest.raises((TypeError, AttributeError), match="cannot (be changed|assign)"):
                act()
            refused.append(trial.number)

    search = make(search_class, probe, callbacks=change).fit(*numbered)
    assert len(refused) == 16
    assert len(set(search.trials_)) == 4
    assert all(0.0 <= params["x"] <= 1.0 for params in search.cv_results_["params"])


def test_callback_cannot_change_an_estimator_that_is_fitted(search_class, blobs):
    choices = [LogisticRegression(C=0.5), LogisticRegression(C=2.0)]

    def change(search, trial):
        trial.params["clf"].set_params(C=99.0)

    change.finish = change
    pipeline = Pipeline([("clf", LogisticRegression())])
    space = {"clf": choices, "clf__fit_intercept": [True, False]}
    search = search_class(pipeline, space, n_iter=5, cv=2, random_state=0, callbacks=change)
    search.fit(*blobs)
    assert search.estimator.named_steps["clf"].C == 1.0
    assert [choice.C for choice in choices] == [0.5, 2.0]
    assert {trial.params["clf"].C for trial in search.trials_} == {0.5, 1.0, 2.0}
    assert search.best_estimator_.named_steps["clf"].C in {0.5, 1.0, 2.0}


def test_tuned_function_cannot_change_a_trial():
    def greedy(params):
        params["z"].append(9)
        params["x"] = 99.0
        return float(len(params["z"]))

    result = tune(greedy, SPACE, n_iter=4, random_state=0)
    assert all(trial.params["z"] in SPACE["z"] for trial in result.trials_)
    result.best_params_["z"].append(3)
    assert result.best_params_["z"] in SPACE["z"] == [[0], [1, 1]]
