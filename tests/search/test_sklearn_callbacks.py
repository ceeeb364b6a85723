"""Callbacks of scikit-learn 1.9: tasks of a search, and ending it."""

import pickle
import sys
from collections import Counter

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")

SPACE = {"x": (0.0, 1.0, "uniform")}
LEAF = "candidate-split-evaluation"
REFIT = "refit-with-best-params"


class ParallelInterceptor:
    """Writes each hook as a line of a file, which every process can append to."""

    def __init__(self, path, stop_at=None):
        self.path = path
        self.stop_at = stop_at

    def _write(self, hook, estimator, context):
        path = "/".join(name for name, _ in _path(context))
        ids = "/".join(str(number) for _, number in _path(context))
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{hook} {path.replace(' ', '_')} {ids} {type(estimator).__name__}\n")

    def setup(self, estimator, context):
        self._write("setup", estimator, context)

    def on_fit_task_begin(self, estimator, context):
        self._write("begin", estimator, context)

    def on_fit_task_end(self, estimator, context):
        self._write("end", estimator, context)
        return self.stop_at is not None and context.task_name == self.stop_at

    def teardown(self, estimator, context):
        self._write("teardown", estimator, context)

    def lines(self):
        return [line.split() for line in self.path.read_text(encoding="utf-8").splitlines()]

    def tasks(self, hook):
        """Count the tasks by the name of the innermost."""
        return Counter(path.split("/")[-1] for found, path, *_ in self.lines() if found == hook)

    def places(self, hook):
        return sorted(line[1:3] for line in self.lines() if line[0] == hook)


class Propagated(ParallelInterceptor):
    """The same, seen by the inner estimators too."""

    max_propagation_depth = None


def _path(context):
    path = []
    while context is not None:
        path.insert(0, (context.task_name, context.task_id))
        context = context.parent
    return path


@pytest.fixture
def recorder(tmp_path):
    return ParallelInterceptor(tmp_path / "hooks")


def check_balanced(recorder, n_leaves, *, refit=True):
    """Check the tasks: the root, the search, one for each trial and split, one refit."""
    begun = recorder.tasks("begin")
    assert begun == recorder.tasks("end")
    assert recorder.places("begin") == recorder.places("end")
    assert begun[LEAF] == n_leaves
    assert begun["search"] == 1
    assert begun[REFIT] == int(refit)
    assert sum(begun.values()) == n_leaves + 2 + refit
    places = [ids for path, ids in recorder.places("begin") if path.endswith(LEAF)]
    assert len(set(places)) == n_leaves
    hooks = Counter(line[0] for line in recorder.lines())
    assert hooks["setup"] == hooks["teardown"] == 1


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("n_points", [1, 3])
def test_each_trial_and_split_has_a_task(search_class, probe, numbered, recorder, refit, n_points):
    search = search_class(probe, SPACE, n_iter=5, cv=3, refit=refit, n_points=n_points)
    assert search.set_callbacks(recorder) is search
    search.fit(*numbered)
    check_balanced(recorder, 15, refit=refit)
    leaves = sorted(int(ids.split("/")[-1]) for path, ids in recorder.places("end") if LEAF in path)
    assert leaves == list(range(15))
    first, last = recorder.lines()[0], recorder.lines()[-1]
    assert (first[0], last[0]) == ("setup", "teardown")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the:UserWarning")
def test_failed_batch_ends_its_tasks(search_class, probe, numbered, recorder):
    search = search_class(
        probe.set_params(outcome="raise"),
        {**SPACE, "outcome": ["raise", "ok"]},
        initial_params=[{"x": 0.1}, {"x": 0.2}, {"outcome": "ok"}],
        n_iter=6,
        cv=3,
        random_state=0,
    ).set_callbacks(recorder)
    search.fit(*numbered)
    check_balanced(recorder, 18)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_failed_search_ends_its_tasks(search_class, probe, numbered, recorder):
    search = search_class(probe.set_params(outcome="raise"), SPACE, n_iter=3, cv=2)
    search.set_callbacks(recorder)
    with pytest.raises(ValueError, match="All the 3 trials failed"):
        search.fit(*numbered)
    begun, ended = recorder.tasks("begin"), recorder.tasks("end")
    assert begun[LEAF] == ended[LEAF] == 6
    assert begun["search"] == ended["search"] == 1


@pytest.mark.thorough
def test_serialized_task_does_not_grow(search_class, probe, numbered):
    sizes = []

    class Weigher:
        def setup(self, estimator, context):
            pass

        on_fit_task_begin = teardown = setup

        def on_fit_task_end(self, estimator, context):
            if context.task_name == LEAF:
                # both are pickled into every task
                sizes.append(len(pickle.dumps(context)) + len(pickle.dumps(estimator)))

        def __reduce__(self):
            return str, ()

        def __deepcopy__(self, memo):
            return self

    search = search_class(probe.set_params(log=None), SPACE, n_iter=40, cv=3, random_state=0)
    search.set_callbacks(Weigher()).fit(*numbered).fit(*numbered)
    first, last = max(sizes[:3]), max(sizes[-3:])
    assert len(sizes) == 2 * 120
    # An earlier fit leaves scikit-learn's own attributes and the estimator refitted.
    assert last < first + 1500


def test_every_hook_gets_the_search(search_class, probe, numbered):
    seen = []

    class Keeper:
        def setup(self, estimator, context):
            seen.append((estimator, context))

        on_fit_task_begin = on_fit_task_end = teardown = setup

        def __deepcopy__(self, memo):
            return self

    search = search_class(probe, SPACE, n_iter=3, cv=2).set_callbacks(Keeper()).fit(*numbered)
    assert len(seen) == 2 * (1 + 1 + 1 + 6 + 1)
    assert all(estimator is search for estimator, _ in seen)
    [task] = {id(context): context for _, context in seen if context.task_name == "search"}.values()
    assert task.max_subtasks == 6
    assert task.sequential_subtasks is False


def test_hooks_get_sample_weights(search_class, numbered):
    seen = []

    class Keeper:
        def setup(self, estimator, context):
            pass

        teardown = setup

        def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
            seen.append((context.task_name, len(X) if X is not None else None, metadata))

        def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
            pass

    search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=3)
    search.set_callbacks(Keeper()).fit(*numbered, sample_weight=np.ones(30))
    for name, n_rows in ((LEAF, 20), (REFIT, 30)):
        found = [(rows, metadata) for task, rows, metadata in seen if task == name]
        assert found
        for rows, metadata in found:
            assert rows == n_rows
            assert len(metadata["sample_weight"]) == n_rows


# ------------------------------------------------------------------------- stop


@pytest.mark.parametrize(("n_points", "n_trials"), [(1, 1), (3, 3)])
def test_callback_that_returns_true_ends_the_search(
    search_class, probe, numbered, tmp_path, n_points, n_trials
):
    recorder = ParallelInterceptor(tmp_path / "hooks", stop_at=LEAF)
    search = search_class(probe, SPACE, n_iter=9, cv=3, n_points=n_points)
    search.set_callbacks(recorder).fit(*numbered)
    assert len(search.trials_) == n_trials
    assert search.stop_reason_ == "callback"
    assert search.best_estimator_.fitted_
    check_balanced(recorder, 3 * n_trials)


def test_stop_of_one_fit_does_not_stop_the_next(search_class, probe, numbered, tmp_path):
    recorder = ParallelInterceptor(tmp_path / "hooks", stop_at=LEAF)
    search = search_class(probe, SPACE, n_iter=4, cv=2).set_callbacks(recorder)
    assert len(search.fit(*numbered).trials_) == 1
    recorder.stop_at = None
    again = clone(search).set_callbacks(ParallelInterceptor(tmp_path / "others"))
    assert len(again.fit(*numbered).trials_) == 4
    assert again.stop_reason_ == "n_iter"


@pytest.fixture
def by_value():
    """Let workers unpickle the callbacks of this file without importing it."""
    try:
        import cloudpickle
    except ImportError:  # joblib before 1.6 has its own
        from joblib.externals import cloudpickle
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


@pytest.mark.thorough
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_callbacks_work_with_workers(search_class, blobs, by_value, tmp_path, backend):
    if backend == "loky" and search_class.__name__ != "BayesSearchCV":
        pytest.skip("workers take seconds to start, and the searches share this code")
    search = search_class(
        LogisticRegression(), {"C": (0.1, 10.0, "log-uniform")}, cv=2, n_iter=4, n_points=1
    )
    with joblib.parallel_config(backend=backend, n_jobs=2):
        recorder = ParallelInterceptor(tmp_path / "all")
        clone(search).set_callbacks(recorder).fit(*blobs)
        check_balanced(recorder, 8)
        stopping = ParallelInterceptor(tmp_path / "stopped", stop_at=LEAF)
        stopped = clone(search).set_callbacks(stopping).fit(*blobs)
    check_balanced(stopping, 2)
    assert stopped.stop_reason_ == "callback"
    assert stopped.predict(blobs[0]).shape == (60,)


def test_callbacks_leave_no_state_on_the_search(
    search_class, probe, numbered, tmp_path, monkeypatch
):
    import tempfile

    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    search = search_class(probe, SPACE, n_iter=3, cv=2)
    search.set_callbacks(ParallelInterceptor(tmp_path / "hooks", stop_at=LEAF)).fit(*numbered)
    assert list(folder.iterdir()) == []


# ----------------------------------------------------- scikit-learn's own callbacks


class StepCache(callback.CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Learns in two steps and reports both."""

    def __init__(self, x=0.5):
        self.x = x

    @callback.with_callbacks
    def fit(self, X, y):
        context = self._init_callback_context(max_subtasks=2)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self.classes_ = np.unique(y)
        for step in range(2):
            task = context.subcontext(task_name=f"step {step}")
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            stop = task.call_on_fit_task_end(
                estimator=self,
                X=X,
                y=y,
                reconstruction_attributes=lambda: {"classes_": self.classes_},
            )
            if stop:
                break
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_callbacks_are_propagated_to_the_estimator(search_class, numbered, tmp_path):
    recorder = Propagated(tmp_path / "hooks")
    search = search_class(StepCache(), SPACE, n_iter=3, cv=2).set_callbacks(recorder).fit(*numbered)
    begun = recorder.tasks("begin")
    assert begun == recorder.tasks("end")
    assert begun["step_0"] == begun["step_1"] == len(search.trials_) * 2 + 1
    assert sum(begun.values()) == 2 + 1 + 6 + 2 * 7


def test_scoring_monitor_gets_each_score(search_class, numbered):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    search_class(StepCache().set_callbacks(monitor), SPACE, n_iter=3, cv=2).fit(*numbered)
    logs = monitor.get_logs(select="all")
    assert sum(len(log.data) for log in logs) >= 2 * (3 * 2 + 1)


def test_progress_bar_counts_all_fits(search_class, numbered, capsys):
    pytest.importorskip("rich")
    search = search_class(StepCache(), SPACE, n_iter=3, cv=2)
    search.set_callbacks(callback.ProgressBar()).fit(*numbered)
    output = capsys.readouterr().out
    assert search_class.__name__ in output
    assert "100%" in output


def test_progress_bar_and_scoring_monitor_together_on_real_work(search_class, blobs):
    pytest.importorskip("rich")
    search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2, cv=2, n_jobs=2)
    monitor = callback.ScoringMonitor(scoring="accuracy")
    with joblib.parallel_config(backend="threading"):
        search.set_callbacks(callback.ProgressBar(), monitor).fit(*blobs)
    assert search.predict(blobs[0]).shape == (60,)


def test_nested_search_has_nested_tasks(search_class, probe, numbered, recorder):
    inner = search_class(probe, SPACE, n_iter=2, cv=2)
    outer = search_class(inner, {"n_iter": [1, 2]}, n_iter=2, cv=2).set_callbacks(recorder)
    outer.fit(*numbered)
    check_balanced(recorder, 4)
