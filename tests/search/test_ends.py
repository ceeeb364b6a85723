"""Ends of searches: results before errors, consistent state, everything closed."""

import pickle
from pathlib import Path

import pytest
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier

from sklearn_lepton import BayesSearchCV, SwarmSearchCV, tune
from sklearn_lepton._evaluation.step_cache import StepCache
from sklearn_lepton._study.journal import Journal
from sklearn_lepton._workers.local import Caller
from sklearn_lepton.callbacks import Deadline, NoImprovement, TargetScore

DESCRIPTORS = Path("/proc/self/fd")
SPACE = {"x": (0.0, 1.0, "uniform")}


class ParallelInterceptor:
    """Write down its calls; raise where it is told to."""

    def __init__(self, *faults, calls=None):
        self.faults = faults
        self.calls = [] if calls is None else calls

    def _call(self, name):
        self.calls.append(name)
        if name in self.faults:
            raise ConnectionError(f"the tracker is down at {name}")

    def start(self, search):
        self._call("start")

    def __call__(self, search, trial):
        self._call(trial.number)

    def finish(self, search, trial):
        self._call("finish" if trial is not None else "failed")


def make(search_class, probe, **settings):
    return search_class(probe, SPACE, **{"n_iter": 4, "cv": 2, "random_state": 0} | settings)


def fitted_attributes(search):
    return {name: value for name, value in vars(search).items() if name.endswith("_")}


# ------------------------------------------------------------------ errors of callbacks


@pytest.mark.parametrize("fault", ["finish", 3])
def test_error_of_a_callback_is_raised_after_the_results_are_set(
    search_class, probe, numbered, fault
):
    search = make(search_class, probe, callbacks=ParallelInterceptor(fault))
    with pytest.raises(ConnectionError, match=f"down at {fault}"):
        search.fit(*numbered)
    assert len(search.trials_) == len(search.cv_results_["params"]) == 4
    assert search.best_params_ == search.trials_[search.best_index_].params
    assert search.predict(numbered[0]).shape == (30,)
    assert search.scorer_ is not None
    assert pickle.loads(pickle.dumps(search)).best_index_ == search.best_index_


def test_all_callbacks_are_called_if_one_raises(search_class, probe, numbered):
    first, second = ParallelInterceptor(1, "finish"), ParallelInterceptor("finish")
    search = make(search_class, probe, n_points=1, callbacks=[first, second])
    with pytest.raises(ConnectionError, match="down at 1") as caught:
        search.fit(*numbered)
    assert first.calls == ["start", 0, 1, "finish"]
    assert second.calls == ["start", 0, 1, "finish"]
    assert [note.count("down at finish") for note in caught.value.__notes__] == [1, 1]
    assert len(search.trials_) == 2
    assert search.stop_reason_ is None
    assert hasattr(search, "best_estimator_")


def test_error_of_the_search_is_not_replaced_by_later_errors(search_class, probe, numbered):
    recorder = ParallelInterceptor("failed")
    search = make(search_class, probe.set_params(outcome="raise"), callbacks=recorder)
    with pytest.raises(ValueError, match="All the 4 trials failed") as caught:
        search.fit(*numbered)
    assert "down at failed" in caught.value.__notes__[0]
    assert recorder.calls == ["start", 0, 1, 2, 3, "failed"]


def test_error_of_a_callback_before_any_result_is_raised(search_class, probe, numbered):
    recorder = ParallelInterceptor(0)
    search = make(search_class, probe.set_params(outcome="raise"), n_points=1, callbacks=recorder)
    with pytest.raises(ConnectionError, match="down at 0"):
        search.fit(*numbered)
    assert recorder.calls == ["start", 0, "failed"]


def test_error_of_start_comes_before_the_first_fit(search_class, probe, numbered, log):
    recorder, other = ParallelInterceptor("start"), ParallelInterceptor()
    with pytest.raises(ConnectionError, match="down at start"):
        make(search_class, probe, callbacks=[recorder, other]).fit(*numbered)
    assert not log.fits
    assert recorder.calls == ["start", "failed"]
    assert other.calls == []


def test_refused_search_calls_no_callback(search_class, probe, numbered):
    recorder = ParallelInterceptor()
    with pytest.raises(ValueError, match="n_points"):
        make(search_class, probe, n_points=0, callbacks=recorder).fit(*numbered)
    assert recorder.calls == []


@pytest.mark.parametrize("fault", ["finish", 3])
def test_error_of_a_callback_of_tune_has_the_result(fault):
    other = ParallelInterceptor()
    with pytest.raises(ConnectionError, match=f"down at {fault}") as caught:
        tune(
            lambda p: p["x"],
            SPACE,
            n_iter=4,
            random_state=0,
            callbacks=[ParallelInterceptor(fault), other],
        )
    result = caught.value.tune_result
    assert len(result.trials_) == 4
    assert result.best_params_ == result.trials_[result.best_index_].params
    assert "tune_result" in caught.value.__notes__[-1]
    assert other.calls == ["start", 0, 1, 2, 3, "finish"]


def test_error_of_a_tuned_function_has_the_result():
    calls = []

    def function(params):
        calls.append(params)
        if len(calls) == 3:
            raise ArithmeticError("no luck")
        return params["x"]

    with pytest.raises(ArithmeticError, match="no luck") as caught:
        tune(function, {"x": [0, 1, 2, 3]}, optimizer="grid", n_iter=4, error_score="raise")
    assert len(caught.value.tune_result.trials_) == 2


# ------------------------------------------------------------------ what others see


def test_concurrent_reads_during_fit_see_a_whole_search(probe, numbered):
    changes = []

    class Watched(BayesSearchCV):
        def __setattr__(self, name, value):
            changes.append((self, name, value))
            super().__setattr__(name, value)

    search = Watched(probe, SPACE, n_iter=4, cv=2, final_cv=3, verbose=1, random_state=0)
    changes.clear()
    search.fit(*numbered)
    assert "mean_final_score" in search.cv_results_
    own = [(name, value) for changed, name, value in changes if changed is search]
    assert not {name for name, _ in own} & search.get_params(deep=False).keys()
    assert {value for name, value in own if name == "n_splits_"} == {2}


# ------------------------------------------------------------------ errors in closing


@pytest.mark.parametrize("owner", [Caller, Journal, StepCache])
def test_error_while_closing_is_raised_after_the_results_are_set(
    search_class, probe, numbered, owner, monkeypatch, tmp_path
):
    close = owner.close

    def stumble(self):
        close(self)
        raise OSError("stale file handle")

    monkeypatch.setattr(owner, "close", stumble)
    if owner is StepCache:
        module = "sklearn_lepton._search.base.reusable_steps"
        monkeypatch.setattr(module, lambda *_: ("scale",))
    search = make(search_class, probe, journal=tmp_path / "study.jsonl")
    with pytest.raises(OSError, match="stale file handle"):
        search.fit(*numbered)
    assert len(search.trials_) == len(search.cv_results_["params"]) == 4
    assert search.best_params_ == search.trials_[search.best_index_].params
    assert search.predict(numbered[0]).shape == (30,)
    assert [path.name for path in tmp_path.iterdir()] == ["study.jsonl"]


def test_error_while_closing_keeps_final_scores(search_class, probe, numbered, monkeypatch):
    def stumble(self):
        raise OSError("stale file handle")

    monkeypatch.setattr(Caller, "close", stumble)
    search = make(search_class, probe, final_cv=3)
    with pytest.raises(OSError, match="stale file handle"):
        search.fit(*numbered)
    assert "mean_final_score" in search.cv_results_


# ------------------------------------------------------------------ what is left open


def descriptors():
    return len(list(DESCRIPTORS.iterdir()))


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="needs a list of descriptors")
def test_refused_search_leaves_no_lock(probe, numbered, tmp_path):
    before = descriptors()
    search = make(SwarmSearchCV, probe, surrogate=False, cost_aware=True)
    with pytest.raises(ValueError, match="cost_aware=True needs"):
        search.set_params(journal=tmp_path / "study.jsonl").fit(*numbered)
    assert [path.name for path in tmp_path.iterdir()] == ["study.jsonl"]
    assert descriptors() == before


@pytest.mark.parametrize("refused", [{"final_cv": [([0], [99])]}, {"journal": "another's"}])
def test_refused_search_leaves_no_folder(blobs, tmp_path, monkeypatch, refused):
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(tmp_path))
    network = MLPClassifier((2,), max_iter=30, warm_start=True, random_state=0)
    search = BayesSearchCV(network, {"alpha": [1e-4, 1e-1]}, n_iter=3, cv=2, resource="max_iter")
    if "journal" in refused:
        journal = tmp_path / "study.jsonl"
        journal.write_text("no journal")
        refused = {"journal": journal}
    with pytest.raises(ValueError, match=r"final_cv|no journal"):
        search.set_params(**refused).fit(*blobs)
    assert not list(tmp_path.glob("*fits-*"))


def test_optimizer_that_cannot_be_made_leaves_no_lock(probe, numbered, tmp_path, monkeypatch):
    made = []

    def make_optimizer(self, *args, **kwargs):
        made.append(original(self, *args, **kwargs))
        if len(made) == 2:  # the one with the seed of the journal
            raise MemoryError
        return made[-1]

    original = BayesSearchCV._make_optimizer
    monkeypatch.setattr(BayesSearchCV, "_make_optimizer", make_optimizer)
    with pytest.raises(MemoryError):
        make(BayesSearchCV, probe, journal=tmp_path / "study.jsonl").fit(*numbered)
    assert [path.name for path in tmp_path.iterdir()] == ["study.jsonl"]


# ------------------------------------------------------------------ the earlier fit


@pytest.mark.parametrize(
    "refused",
    [
        {"final_cv": [([0, 1], [10_000])]},
        {"final_cv": "three"},
        {"n_iter": 0},
        {"scoring": "no score"},
        {"cv": 1},
        {"n_points": 0},
        {"param_distributions": {"w": [1, 2]}},
        {"initial_params": {"w": 1}},
        {"refit": "1se", "complexity": "w"},
        {"callbacks": ParallelInterceptor("start")},
        {"max_time": 1e-9},
        {"warm_start": True, "cv": 3},
    ],
    ids=",".join,  # their values have other texts in each process
)
def test_refused_fit_leaves_the_earlier_one(search_class, probe, numbered, refused):
    search = make(search_class, probe).fit(*numbered)
    before = fitted_attributes(search)
    predicted = search.predict(numbered[0]).tolist()
    with pytest.raises((ValueError, ConnectionError, TimeoutError)):
        search.set_params(**refused).fit(*numbered)
    after = fitted_attributes(search)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    assert search.predict(numbered[0]).tolist() == predicted


def test_interrupt_before_the_first_trial_leaves_the_earlier_fit(
    search_class, probe, numbered, log
):
    search = make(search_class, probe).fit(*numbered)
    before = fitted_attributes(search)
    log.interrupt_at = len(log.fits) + 1
    with pytest.raises(KeyboardInterrupt):
        search.fit(*numbered)
    assert fitted_attributes(search) == before


def test_failed_fit_leaves_nothing_of_the_earlier_one(search_class, probe, numbered):
    search = make(search_class, probe).fit(*numbered)
    search.set_params(estimator=clone(probe).set_params(outcome="raise"))
    with pytest.raises(ValueError, match="All the 4 trials failed"):
        search.fit(*numbered)
    left = set(fitted_attributes(search))
    assert left >= {"trials_", "space_", "optimizer_", "stop_reason_"}
    assert not left & {"best_estimator_", "best_params_", "best_index_", "cv_results_", "scorer_"}


def test_failed_refit_leaves_no_estimator_of_the_earlier_fit(search_class, blobs):
    space = {"alpha": (1e-4, 1e-1, "log-uniform")}
    search = search_class(SGDClassifier(random_state=0), space, n_iter=2, cv=2).fit(*blobs)
    X, y = blobs
    search.set_params(refit=lambda results: len(results["params"]))  # out of range
    with pytest.raises(IndexError):
        search.fit(X, y)
    assert len(search.trials_) == 2
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "refit_time_")


def test_fit_without_refit_leaves_no_estimator_of_the_earlier_one(search_class, probe, numbered):
    search = make(search_class, probe).fit(*numbered)
    search.set_params(refit=False).fit(*numbered)
    assert not hasattr(search, "best_estimator_")
    assert search.best_params_


# ------------------------------------------------------------------ callbacks are reset


@pytest.mark.parametrize("callback", [NoImprovement(3), Deadline(60.0), TargetScore(0.99)])
def test_every_fit_resets_the_callbacks(search_class, probe, numbered, callback):
    search = make(search_class, probe, n_iter=12, n_points=1, callbacks=callback).fit(*numbered)
    n_trials, reason = len(search.trials_), search.stop_reason_
    again = clone(search)
    for each in (search, search, again):
        each.fit(*numbered)
        assert (len(each.trials_), each.stop_reason_) == (n_trials, reason)


def test_update_and_tune_reset_the_callbacks(probe, numbered):
    stop = NoImprovement(3)
    search = make(BayesSearchCV, probe, n_iter=12, n_points=1, callbacks=stop).fit(*numbered)
    search.update(*numbered)
    assert search.stop_reason_ in {"held", "n_iter_no_change"}
    n_trials = [
        len(tune(lambda p: 0.0, SPACE, n_iter=9, callbacks=stop, n_points=1).trials_)
        for _ in range(2)
    ]
    assert n_trials == [4, 4]


def test_deadline_counts_from_the_start_of_a_search(probe, numbered, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("sklearn_lepton.callbacks._stopping.time.monotonic", lambda: clock[0])
    deadline = Deadline(10.0)
    clock[0] = 11.0
    assert deadline(None, None)
    search = make(BayesSearchCV, probe, callbacks=deadline).fit(*numbered)
    assert search.stop_reason_ == "n_iter"


def test_start_is_called_with_the_search_before_its_first_fit(search_class, probe, numbered, log):
    seen = []

    class Starter(ParallelInterceptor):
        def start(self, search):
            seen.append((type(search), len(log.fits)))

    make(search_class, probe, callbacks=Starter()).fit(*numbered)
    assert seen == [(search_class, 0)]
