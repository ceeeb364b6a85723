"""Cache of the first steps of a pipeline: contents, keys, errors, removal."""

import errno
import logging
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from slow_steps import Slow, n_fits

from sklearn_lepton import BayesSearchCV
from sklearn_lepton._evaluation import step_cache as step_cache_module
from sklearn_lepton._search.selection import mean_seconds
from sklearn_lepton._typing import FitCall
from sklearn_lepton._workers import temporary_folders as temporary_folders_module
from sklearn_lepton._workers.temporary_folders import make_temporary_folder, remove_folder
from sklearn_lepton.space import Space

C = {"clf__C": (1e-3, 1e3, "log-uniform")}


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Where the steps are kept."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(folder))
    yield folder
    assert list(folder.glob("sklearn_lepton-*")) == []
    assert step_cache_module._states == {}


@pytest.fixture
def folder(tmp_path):
    """Where the fits are counted."""
    path = tmp_path / "fits"
    path.mkdir()
    return path


def pipeline(folder, **params):
    return Pipeline(
        [("slow", Slow(folder=str(folder), **params)), ("clf", LogisticRegression())],
    )


def make(estimator, space=None, **params):
    # With more trials in flight, two workers may fit a step at the same time.
    settings = {"n_iter": 4, "cv": 2, "n_points": 1, "random_state": 0, "initial_params": None}
    settings |= params
    return BayesSearchCV(estimator, C if space is None else space, **settings)


def same_results(search, other):
    for name, column in search.cv_results_.items():
        if "time" not in name:
            np.testing.assert_array_equal(column, other.cv_results_[name])


@pytest.mark.thorough
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_slow_step_is_fitted_once_per_split_with_same_results(folder, tmp_path, blobs, n_jobs):
    kept = make(pipeline(folder), n_jobs=n_jobs).fit(*blobs)
    assert n_fits(folder) == 2 + 1  # and the refit
    plain_folder = tmp_path / "plain"
    plain_folder.mkdir()
    plain = make(pipeline(plain_folder), cache_steps=False)
    same_results(kept, plain.fit(*blobs))
    assert n_fits(plain_folder) == 4 * 2 + 1
    np.testing.assert_array_equal(kept.predict(blobs[0]), plain.predict(blobs[0]))


def test_cost_of_trial_includes_saved_time(folder, blobs):
    search = make(pipeline(folder), refit="1se").fit(*blobs)
    saved = [row.saved_time or 0.0 for trial in search.trials_ for row in trial.split_results]
    assert saved[:2] == [0.0, 0.0]
    assert min(saved[2:]) > 0.02
    seconds = [mean_seconds(trial) for trial in search.trials_]
    assert min(seconds) > 0.05
    assert "saved_time" not in str(sorted(search.cv_results_))


def test_step_cache_in_threads(folder, blobs):
    with joblib.parallel_config(backend="threading", n_jobs=2):
        make(pipeline(folder)).fit(*blobs)
    assert n_fits(folder) == 2 + 1


@pytest.mark.thorough
def test_step_cache_in_processes_that_can_be_ended(folder, blobs):
    make(pipeline(folder), fit_timeout=60).fit(*blobs)
    assert n_fits(folder) == 2 + 1


def test_step_cache_is_off_on_other_machines(folder, blobs):
    with joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        make(pipeline(folder)).fit(*blobs)
    assert n_fits(folder) == 4 * 2 + 1


def test_step_cache_does_not_appear_in_results(folder, blobs):
    estimator = pipeline(folder)
    search = make(estimator).fit(*blobs)
    assert estimator.memory is None
    assert search.best_estimator_.memory is None
    assert search.get_params()["estimator__memory"] is None
    assert "mean_" not in vars(estimator.steps[0][1])


def test_memory_of_user_is_kept(folder, tmp_path, blobs, monkeypatch):
    monkeypatch.setattr(step_cache_module, "TransformerCache", None)
    estimator = pipeline(folder).set_params(memory=str(tmp_path / "mine"))
    search = make(estimator).fit(*blobs)
    assert search.best_estimator_.memory == str(tmp_path / "mine")
    assert (tmp_path / "mine").exists()


def test_fast_step_is_not_cached(folder, temporary, blobs):
    seen = []
    search = make(
        pipeline(folder, seconds=0.0), callbacks=lambda *_: seen.extend(temporary.iterdir())
    )
    search.fit(*blobs)
    assert n_fits(folder) == 4 * 2 + 1
    assert seen == []


def test_slow_step_after_fast_one_is_cached(folder, blobs):
    estimator = Pipeline(
        [
            ("scale", StandardScaler()),
            ("pass", "passthrough"),
            ("slow", Slow(folder=str(folder))),
            ("clf", LogisticRegression()),
        ]
    )
    make(estimator).fit(*blobs)
    assert n_fits(folder) == 2 + 1


@pytest.mark.thorough
def test_configurations_have_different_cache_keys(folder, tmp_path, blobs):
    space = {"slow__shift": [0.0, 100.0], **C}
    kept = make(pipeline(folder), space, n_iter=8).fit(*blobs)
    shifts = {trial.params["slow__shift"] for trial in kept.trials_}
    assert n_fits(folder) == 2 * len(shifts) + 1
    other = tmp_path / "plain"
    other.mkdir()
    same_results(kept, make(pipeline(other), space, n_iter=8, cache_steps=False).fit(*blobs))


@pytest.mark.thorough
@pytest.mark.parametrize("choice", ["passthrough", StandardScaler(), None])
def test_replaced_step_has_its_own_cache_keys(folder, blobs, choice):
    estimator = Pipeline(
        [
            ("first", Slow(folder=str(folder))),
            ("second", Slow(folder=str(folder))),
            ("clf", LogisticRegression()),
        ]
    )
    space = {"first": [choice, Slow(shift=1.0, folder=str(folder))], **C}
    search = make(estimator, space, n_iter=8).fit(*blobs)
    chosen = [trial.params["first"] for trial in search.trials_]
    n_slow = any(isinstance(c, Slow) for c in chosen)
    n_others = any(not isinstance(c, Slow) for c in chosen)
    n_refit = 1 + isinstance(search.best_params_["first"], Slow)
    assert n_fits(folder) == 2 * (2 * n_slow + n_others) + n_refit
    assert all(trial.status == "complete" for trial in search.trials_)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_step_without_seed_is_not_cached(folder, blobs, random_state):
    make(pipeline(folder, random_state=random_state)).fit(*blobs)
    assert n_fits(folder) == 4 * 2 + 1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_errors_of_steps_are_not_cached(folder, blobs, temporary):
    estimator = pipeline(folder)
    space = {"slow__outcome": ["ok", "raise"], **C}
    search = make(estimator, space, n_iter=8).fit(*blobs)
    n_raised = sum(trial.status == "failed" for trial in search.trials_)
    assert n_fits(folder) == 2 + 2 * n_raised + 1
    with pytest.raises(RuntimeError, match="no luck"):
        make(estimator, space, n_iter=8, error_score="raise").fit(*blobs)


@pytest.mark.thorough
def test_cache_is_removed_after_error_of_callback(folder, temporary, blobs):
    def stop(search, trial):
        assert list(temporary.glob("sklearn_lepton-steps-*")) != []
        raise ZeroDivisionError

    for n_jobs in (1, 2):
        with pytest.raises(ZeroDivisionError):
            make(pipeline(folder), callbacks=stop, n_jobs=n_jobs).fit(*blobs)
        assert list(temporary.iterdir()) == []


def test_cache_is_removed_after_early_error(folder, blobs, tmp_path):
    (tmp_path / "journal").write_text("this is not a journal\n")
    with pytest.raises(ValueError, match="journal"):
        make(pipeline(folder), journal=tmp_path / "journal", n_jobs=2).fit(*blobs)


def test_unpicklable_step_is_fitted_each_time(folder, blobs):
    make(pipeline(folder, outcome="unpicklable")).fit(*blobs)
    assert n_fits(folder) == 4 * 2 + 1


@pytest.mark.parametrize(("name", "value"), [("MAX_BYTES", 100), ("_MIN_FREE", 10**18)])
def test_full_cache_stores_nothing(folder, blobs, monkeypatch, name, value):
    monkeypatch.setattr(step_cache_module, name, value)
    make(pipeline(folder)).fit(*blobs)
    assert n_fits(folder) == 4 * 2 + 1


def test_missing_cache_folder_fails_no_fit(folder, blobs, monkeypatch):
    monkeypatch.setattr(temporary_folders_module, "list_places", lambda *, in_memory: [])
    make(pipeline(folder)).fit(*blobs)
    assert n_fits(folder) == 4 * 2 + 1


def test_damaged_cache_file_fails_no_fit(folder, temporary, blobs):
    def damage(search, trial):
        for path in temporary.glob("sklearn_lepton-steps-*/*"):
            path.write_bytes(b"nonsense")

    search = make(pipeline(folder), callbacks=damage).fit(*blobs)
    assert all(trial.status == "complete" for trial in search.trials_)
    assert n_fits(folder) > 2 + 1


def test_step_cached_by_another_worker_is_used(folder, blobs, monkeypatch):
    """Windows replaces no file that is open."""
    replace = Path.replace

    def refuse(path, target):
        replace(path, target)  # as the other worker did
        raise PermissionError(errno.EACCES, "The file is in use", str(target))

    monkeypatch.setattr(Path, "replace", refuse)
    make(pipeline(folder)).fit(*blobs)
    assert n_fits(folder) == 2 + 1


def test_output_that_is_slow_to_write_is_not_cached(folder, blobs, monkeypatch):
    monkeypatch.setattr(step_cache_module, "_BYTES_PER_SECOND", 1)
    make(pipeline(folder)).fit(*blobs)
    assert n_fits(folder) == 4 * 2 + 1


def test_update_does_not_read_cache_of_other_data(folder, blobs):
    X, y = blobs
    search = make(pipeline(folder)).fit(X, y)
    before = n_fits(folder)
    search.update(X + 1.0, y)
    assert n_fits(folder) >= before + 2 + 1


def test_cache_steps_must_be_true_or_false(folder, blobs):
    with pytest.raises(
        ValueError, match="cache_steps' parameter of .* must be True or False. Got 'yes'"
    ):
        make(pipeline(folder), cache_steps="yes").fit(*blobs)


# ------------------------------------------------------------ reusable steps


@pytest.mark.parametrize(
    ("space", "names"),
    [
        (C, ("scale", "reduce")),
        ({"reduce__n_components": [1, 2, 3], **C}, ("scale", "reduce")),
        ({"reduce__n_components": (1, 30, "int"), **C}, ("scale",)),
        ({"reduce__tol": (0.0, 1.0, "uniform"), **C}, ("scale",)),
        ({"scale__with_mean": [True, False], "reduce__n_components": [1, 2, 3, 4]}, ("scale",)),
        ({"scale": ["passthrough", StandardScaler()]}, ("scale", "reduce")),
        (
            [{"reduce__n_components": [1, 2]}, {"reduce__n_components": [3, 4, 5]}],
            ("scale", "reduce"),
        ),
        ([{"reduce__n_components": [1, 2]}, {"scale__with_std": [True], **C}], ("scale", "reduce")),
        ({"memory": [None, "x"]}, ()),
        ({"steps": [[("clf", LogisticRegression())]]}, ()),
    ],
)
def test_reusable_steps_depend_on_space(space, names):
    estimator = Pipeline(
        [("scale", StandardScaler()), ("reduce", PCA()), ("clf", LogisticRegression())]
    )
    assert step_cache_module.reusable_steps(estimator, Space(space), 10) == names


def test_reusable_steps_are_those_of_pipelines():
    class Mine(Pipeline):
        pass

    steps = [("scale", StandardScaler()), ("clf", LogisticRegression())]
    assert step_cache_module.reusable_steps(Mine(steps), Space(C), 10) == ()
    assert step_cache_module.reusable_steps(LogisticRegression(), Space({"C": [1.0]}), 10) == ()
    assert step_cache_module.reusable_steps(Pipeline(steps[1:]), Space(C), 10) == ()


def test_n_bytes_of_kinds_of_data():
    pd = pytest.importorskip("pandas")
    from scipy.sparse import csr_matrix

    X = np.eye(100)
    assert step_cache_module._n_bytes(X) == 80_000
    assert step_cache_module._n_bytes(csr_matrix(X)) == 100 * 8 + 100 * 4 + 101 * 4
    assert step_cache_module._n_bytes(pd.DataFrame(X)) >= 80_000
    assert step_cache_module._n_bytes([1, 2]) == 0


KILLED = """
import sys
from slow_steps import Slow
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn_lepton import BayesSearchCV, SwarmSearchCV

settings = {"n_iter": 10**6, "n_jobs": int(sys.argv[2])}
if sys.argv[3] == "steps":
    steps = [("slow", Slow(folder=sys.argv[1])), ("clf", LogisticRegression(max_iter=1000))]
    space = {"clf__C": (1e-3, 1e3, "log-uniform")}
    search = BayesSearchCV(Pipeline(steps), space, **settings)
else:
    model = GradientBoostingClassifier(warm_start=True)
    space = {"learning_rate": (1e-3, 1e0, "log-uniform")}
    search = SwarmSearchCV(model, space, resource="n_estimators", **settings)
search.fit(*load_iris(return_X_y=True))
"""


@pytest.mark.faults
@pytest.mark.parametrize("kept", ["steps", "warm starts"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_killed_search_leaves_no_cache(folder, temporary, n_jobs, kept):
    command = [sys.executable, "-c", KILLED, str(folder), str(n_jobs), kept]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    name = "sklearn_lepton-steps-*/*" if kept == "steps" else "sklearn_lepton-*/*.pkl"
    try:
        wait_for(lambda: list(temporary.glob(name)))
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not list(temporary.glob("sklearn_lepton-*")))


def wait_for(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)


class Unhashable(Slow):
    """Cannot be pickled, and so not hashed."""

    def __getstate__(self):
        raise TypeError("no state")

    def __sklearn_clone__(self):
        return Unhashable(**self.get_params())


@pytest.mark.parametrize(
    ("kind", "outcome", "message"),
    [(Slow, "unpicklable", "'slow.*could not be written"), (Unhashable, "ok", "has no hash")],
)
def test_error_that_turns_the_cache_off_is_logged(folder, blobs, caplog, kind, outcome, message):
    caplog.set_level(logging.DEBUG, logger="sklearn_lepton")
    step = kind(folder=str(folder), outcome=outcome)
    make(Pipeline([("slow", step), ("clf", LogisticRegression())]), n_iter=2).fit(*blobs)
    [record] = {record.getMessage(): record for record in caplog.records}.values()
    assert re.search(message, record.getMessage())
    assert record.levelno == logging.DEBUG
    assert record.exc_info


def test_steps_are_fitted_each_time_without_folder(blobs, monkeypatch, caplog):
    def full(**_):
        raise OSError(28, "no space left")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    caplog.set_level(logging.DEBUG, logger="sklearn_lepton")
    steps = step_cache_module.StepCache(("slow",), has_processes=True)
    fit = FitCall(len, (pipeline("."),), {"train": np.arange(3)})
    assert steps.prepare(fit) is fit
    assert steps.prepare(fit) is fit
    steps.close()
    assert "No folder" in caplog.text


def test_existing_folder_is_not_read(temporary, monkeypatch):
    """A folder of a name that can be guessed may be another user's, with pickles of theirs."""
    names = iter(["guessed", "guessed", "other", "another"])
    monkeypatch.setattr(tempfile, "_get_candidate_names", lambda: names)
    made = make_temporary_folder("steps-")
    other = make_temporary_folder("steps-")
    try:
        assert made.name.endswith("guessed")
        assert other != made
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    finally:
        remove_folder(made)
        remove_folder(other)
