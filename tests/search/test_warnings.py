"""Warnings of models that the user did not choose: hidden in their fits, nowhere else."""

import pickle
import threading
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.utils.parallel import Parallel, delayed

from sklearn_lepton import AutoSearchCV, BayesSearchCV
from sklearn_lepton._evaluation.convergence_warnings import (
    QuietFit,
    QuietFits,
    hidden_convergence_warnings,
)
from sklearn_lepton._evaluation.sklearn import ParallelInterceptor

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2


def converge(category=ConvergenceWarning):
    warnings.warn("not converged", category, stacklevel=2)


@pytest.fixture
def shown():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def test_convergence_warnings_are_hidden_inside_the_block_only(shown):
    before = list(warnings.filters)
    with hidden_convergence_warnings():
        converge()
        converge(UserWarning)
        with hidden_convergence_warnings():
            converge()
        converge()
    converge()
    assert [warning.category for warning in shown] == [UserWarning, ConvergenceWarning]
    assert warnings.filters == before


def test_other_threads_keep_their_convergence_warnings(shown):
    with hidden_convergence_warnings():
        other = threading.Thread(target=converge)
        other.start()
        other.join()
    assert [warning.category for warning in shown] == [ConvergenceWarning]


def test_searches_in_two_threads_leave_the_filters_as_they_were(shown):
    before = list(warnings.filters)
    first, second = threading.Event(), threading.Event()

    def one():
        with hidden_convergence_warnings():
            first.set()
            second.wait(10)

    thread = threading.Thread(target=one)
    thread.start()
    first.wait(10)
    with hidden_convergence_warnings():
        second.set()
        thread.join()
        converge()
    assert warnings.filters == before
    converge()
    assert len(shown) == 1


def test_filter_that_another_thread_kept_hides_nothing(shown):
    with hidden_convergence_warnings():
        kept = list(warnings.filters)
    warnings.filters[:] = kept
    converge()
    assert [warning.category for warning in shown] == [ConvergenceWarning]


def test_block_survives_filters_that_are_reset(shown):
    with hidden_convergence_warnings():
        warnings.resetwarnings()
    converge()
    assert len(shown) == 1


def test_hidden_warnings_stay_hidden_in_threads_of_scikit_learn(shown):
    fit = QuietFit(
        lambda: Parallel(n_jobs=2, backend="threading")(delayed(len)("ab") for _ in "ab")
    )
    assert fit() == [2, 2]
    with hidden_convergence_warnings():
        Parallel()(delayed(converge)() for _ in "ab")
        pickle.loads(pickle.dumps(list(warnings.filters)))
    assert not shown


def test_fit_stays_quiet_in_another_process(shown):
    with pytest.raises(Exception, match="^$") as recorded:
        ParallelInterceptor()([delayed(converge)()])
    for make, n_shown in ((tuple, 1), (QuietFits().prepare, 0)):
        function, args, kwargs = pickle.loads(pickle.dumps(make(recorded.value.fits[0])))
        function(*args, **kwargs)
        assert len(shown) == n_shown
        shown.clear()


def test_searches_that_overlap_in_two_threads_leave_no_filter_behind(shown):
    entered = threading.Event()

    def search(callback):
        AutoSearchCV("auto", n_iter=1, cv=2, random_state=0, callbacks=callback).fit(X, Y)

    def first(search, trial):
        entered.set()
        other.started.wait(10)

    def second(search, trial):
        other.started.set()
        thread.join(10)

    other = threading.Thread(target=search, args=(second,))
    other.started = threading.Event()
    thread = threading.Thread(target=search, args=(first,))
    thread.start()
    entered.wait(10)
    other.start()
    other.join()
    shown.clear()
    converge()
    assert [warning.category for warning in shown] == [ConvergenceWarning]


@pytest.mark.parametrize("backend", ["threading", None])
def test_fits_and_refit_of_chosen_models_are_quiet(shown, monkeypatch, backend):
    from joblib import parallel_config

    from sklearn_lepton._automl import portfolio as portfolio_module

    make_portfolio = portfolio_module.make_portfolio

    def only_networks(task, **given):
        made = make_portfolio(task, **given)
        place = made.names.index("neural network")
        branch = made.space[place] | {"model__max_iter": [1]}
        start = [s for s in made.starts if isinstance(s["model"], MLPClassifier)][:1]
        return made._replace(
            space=[branch],
            names=["neural network"],
            starts=[s | {"model__max_iter": 1} for s in start],
        )

    monkeypatch.setattr(portfolio_module, "make_portfolio", only_networks)
    with parallel_config(backend=backend or "loky"):
        search = AutoSearchCV("auto", n_iter=2, cv=2, random_state=0, n_jobs=2 if backend else 1)
        search.fit(X, Y)
    assert isinstance(search.best_estimator_[-1], MLPClassifier)
    assert not [w for w in shown if issubclass(w.category, ConvergenceWarning)]
    given = BayesSearchCV(MLPClassifier(max_iter=1), {"alpha": [0.1, 1.0]}, n_iter=1, cv=2)
    given.fit(X, Y)
    assert [w for w in shown if issubclass(w.category, ConvergenceWarning)]
