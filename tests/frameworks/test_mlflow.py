"""MLflowLogger against a real MLflow with a data base in a file."""

import pytest
from sklearn.datasets import load_iris
from sklearn.neighbors import KNeighborsClassifier

from sklearn_lepton import BayesSearchCV, nested_cross_val_score, tune
from sklearn_lepton.callbacks import MLflowLogger

mlflow = pytest.importorskip("mlflow")

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),
]
SPACE = {"n_neighbors": (1, 20, "int"), "weights": ["uniform", "distance"]}


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return f"sqlite:///{folder / 'runs.db'}"


@pytest.fixture
def client(uri):
    return mlflow.MlflowClient(uri)


def make(uri, name, **params):
    logger = MLflowLogger(name, tracking_uri=uri)
    params = {"n_iter": 4, "cv": 3, "random_state": 0, "callbacks": [logger], **params}
    return logger, BayesSearchCV(KNeighborsClassifier(), SPACE, **params)


def runs_of(client, name):
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    return parents, children


def test_search_has_a_run_and_each_trial_a_nested_one(uri, client):
    logger, search = make(uri, "whole")
    search.fit(*load_iris(return_X_y=True))
    [parent], children = runs_of(client, "whole")
    assert parent.info.run_id == logger.run_id_
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "BayesSearchCV"
    data = parent.data
    assert data.params["space.n_neighbors"] == "(1, 20, 'int')"
    assert data.params["n_iter"] == "4"
    assert data.params["best.n_neighbors"] == str(search.best_params_["n_neighbors"])
    assert data.metrics["best_score"] == pytest.approx(search.best_score_)
    assert data.tags["stop_reason"] == "n_iter"
    assert data.tags["best_trial"] == str(search.best_index_)
    assert "version.scikit-learn" in data.tags
    history = client.get_metric_history(logger.run_id_, "score")
    assert [m.value for m in history] == pytest.approx([t.score for t in search.trials_])
    assert [m.step for m in history] == [0, 1, 2, 3]
    assert len(children) == 4
    for child in children:
        assert child.data.tags["mlflow.parentRunId"] == logger.run_id_
        trial = search.trials_[int(child.data.tags["trial"])]
        assert child.data.params["weights"] == trial.params["weights"]
        assert child.data.metrics["score"] == pytest.approx(trial.score)
        assert child.data.metrics["split2_score"] == pytest.approx(trial.split_scores[2])
        assert child.info.status == "FINISHED"
        assert child.info.end_time >= child.info.start_time


def test_tuned_function_is_logged(uri, client):
    logger = MLflowLogger("function", tracking_uri=uri)
    result = tune(
        lambda params: params["x"],
        {"x": (0.0, 1.0, "uniform")},
        n_iter=3,
        random_state=0,
        callbacks=logger,
    )
    [parent], children = runs_of(client, "function")
    assert (parent.info.status, parent.info.run_name) == ("FINISHED", "TuneResult")
    assert parent.data.params["best.x"] == str(result.best_params_["x"])
    assert "space.x" in parent.data.params
    assert len(children) == 3


def test_model_is_logged_on_request_only(uri, client, tmp_path):
    client.create_experiment("model", artifact_location=tmp_path.as_uri())
    logger, search = make(uri, "model")
    search.fit(*load_iris(return_X_y=True))
    before = mlflow.get_tracking_uri()
    assert not list(tmp_path.rglob("MLmodel"))
    how = {"serialization_format": "cloudpickle", "pip_requirements": ["scikit-learn"]}
    info = logger.log_model(search, **how)
    assert list(tmp_path.rglob("MLmodel"))
    assert info.run_id == logger.run_id_
    assert mlflow.active_run() is None
    assert mlflow.get_tracking_uri() == before


def test_failed_search_ends_its_run(uri, client):
    def fail(search, trial):
        raise RuntimeError("no more")

    logger, search = make(uri, "failed")
    search.set_params(callbacks=[logger, fail])
    with pytest.raises(RuntimeError, match="no more"):
        search.fit(*load_iris(return_X_y=True))
    [parent], [_] = runs_of(client, "failed")
    assert parent.info.status == "FAILED"


def test_nested_score_has_a_run_for_each_search(uri, client):
    _, search = make(uri, "nested", n_iter=2)
    nested_cross_val_score(search, *load_iris(return_X_y=True), cv=2)
    parents, children = runs_of(client, "nested")
    assert len(parents) == 2
    assert len(children) == 4
    assert all(parent.info.status == "FINISHED" for parent in parents)
