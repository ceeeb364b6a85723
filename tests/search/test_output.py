"""Output: no stream, whatever is wrong with it, ends a search or changes its result."""

import contextlib
import io
import os
import re
import sys
import types
import warnings

import pytest
from sklearn.exceptions import FitFailedWarning

from sklearn_lepton import BayesSearchCV, nested_cross_val_score, tune
from sklearn_lepton._inspection.html import describe_search
from sklearn_lepton._runtime.output import is_terminal, text_of, write_line
from sklearn_lepton._workers import joblib as joblib_module
from sklearn_lepton._workers.pool import WorkerProcess
from sklearn_lepton.exceptions import SpaceExhaustedWarning

SPACE = {"x": [0.1, 0.5, 0.9], "outcome": ["ok", "日本"]}


class OnlyWrite:
    """Takes text and has nothing else that a file has."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


class Raising:
    """Raises whatever is done with it."""

    encoding = "utf-8"

    def __init__(self, error):
        self.error = error

    def write(self, text):
        raise self.error

    isatty = flush = lambda self: self.write("")


class Terminal(Raising):
    def isatty(self):
        return True


class Unprintable:
    """A value without a text."""

    def __repr__(self):
        raise RuntimeError("no text")

    def __eq__(self, other):
        return isinstance(other, Unprintable)

    __hash__ = None


def make_closed_file():
    file = io.StringIO()
    file.close()
    return file


def make_closed_descriptor():
    """A file whose descriptor was closed behind its back, as by a daemon."""
    reader, writer = os.pipe()
    os.close(reader)
    file = os.fdopen(os.dup(writer), "w", encoding="utf-8")
    os.close(writer)
    return file


STREAMS = {
    "none": lambda: None,
    "only write": OnlyWrite,
    "cp1252": lambda: io.TextIOWrapper(io.BytesIO(), encoding="cp1252"),
    "closed": make_closed_file,
    "nobody reads": make_closed_descriptor,
    "no file": object,
    "ValueError": lambda: Raising(ValueError("I/O operation on closed file")),
    "OSError": lambda: Raising(OSError(9, "Bad file descriptor")),
    "terminal that is gone": lambda: Terminal(BrokenPipeError(32, "Broken pipe")),
}


@pytest.fixture
def put(monkeypatch):
    """Put a stream in place of standard output or standard error."""
    made = []

    def put(make, name="stdout"):
        made.append(make())
        monkeypatch.setattr(sys, name, made[-1])
        return made[-1]

    yield put
    monkeypatch.undo()
    for stream in made:
        if isinstance(stream, io.TextIOWrapper):
            try:
                stream.close()
            except OSError:
                assert stream.closed


def outline(search):
    return [(dict(trial.params), trial.score) for trial in search.trials_]


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
def test_no_standard_output_ends_a_search(search_class, probe, numbered, put, make):
    def fit(verbose):
        search = search_class(probe, SPACE, n_iter=4, cv=2, random_state=0, verbose=verbose)
        return outline(search.set_params(final_cv=3).fit(*numbered))

    expected = fit(0)
    put(make)
    for verbose in (1, 2, 3):
        assert fit(verbose) == expected


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
def test_no_standard_output_ends_nested_searches(probe, numbered, put, make):
    put(make)
    search = BayesSearchCV(probe, SPACE, n_iter=2, cv=2, random_state=0, verbose=1)
    assert len(nested_cross_val_score(search, *numbered, cv=2).test_scores) == 2


def test_text_that_cannot_be_encoded_is_escaped(put):
    stream = put(STREAMS["cp1252"])
    write_line("日本 ± é")
    assert stream.buffer.getvalue() == b"\\u65e5\\u672c \xb1 \xe9" + os.linesep.encode()
    bare = put(OnlyWrite)
    write_line("日本")
    assert bare.text == "日本\n"


def test_fits_have_lines_with_their_scores(probe, numbered, put):
    stream = put(OnlyWrite)
    search = BayesSearchCV(probe, SPACE, n_iter=2, cv=2, random_state=0, verbose=3)
    search.set_params(return_train_score=True, final_cv=3).fit(*numbered)
    lines = stream.text.splitlines()
    first = next(line for line in lines if line.startswith("[CV 1/2; trial 0] x="))
    assert re.search(r": score=\(train=0\.\d+, test=0\.\d+\)", first)
    assert sum(line.startswith("[CV ") for line in lines) == 4
    assert sum(line.startswith("[final ") for line in lines) in {3, 6}


def test_failed_fits_have_lines(probe, numbered, put):
    stream = put(OnlyWrite)
    search = BayesSearchCV(probe, {"outcome": ["ok", "raise"]}, n_iter=2, cv=2, verbose=3)
    with pytest.warns(FitFailedWarning, match="fits failed"), pytest.warns(match="non-finite"):
        search.fit(*numbered)
    assert stream.text.count("outcome=raise: failed") == 2


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
def test_no_standard_error_ends_a_search(search_class, probe, numbered, put, monkeypatch, make):
    def show(message, category, filename, lineno, file=None, line=None):
        """As Python does: without a standard error nothing, and OSError is caught."""
        if sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(str(message))

    space = {"x": [0.1, 0.5], "outcome": ["ok", "raise", "nan"]}
    stream = put(make, "stderr")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", show)
        search = search_class(probe, space, n_iter=9, cv=2, random_state=0).fit(*numbered)
        tune(lambda params: params["x"], {"x": [1, 2]}, n_iter=3)
        assert sys.stderr is stream
    assert len(search.trials_) == 6
    if isinstance(stream, OnlyWrite):
        assert "The space holds 6 configurations" in stream.text
        assert "fits failed" in stream.text


def test_warnings_are_errors_where_the_user_wants_it(probe, numbered, put):
    put(STREAMS["closed"], "stderr")
    search = BayesSearchCV(probe, {"x": [0.1, 0.5]}, n_iter=3, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SpaceExhaustedWarning):
            search.fit(*numbered)


def test_values_without_a_text_are_named_by_their_class(probe, numbered, put):
    stream = put(OnlyWrite)
    assert text_of(Unprintable(), repr) == text_of(Unprintable()) == "<Unprintable>"
    result = tune(lambda params: 1.0, {"x": [1, 2]}, n_iter=2)
    trial = result.trials_[0]
    search = types.SimpleNamespace(
        space_=None, param_distributions={"x": [1, Unprintable()]}, trials_=[trial]
    )
    assert "&lt;Unprintable&gt;" in describe_search(search)
    assert describe_search(types.SimpleNamespace()) == ""
    assert stream.text == ""


def test_lost_notebook_connection_ends_no_search(probe, numbered, put, monkeypatch):
    def publish(**message):
        raise OSError("the kernel is gone")

    shell = types.SimpleNamespace(kernel=1, display_pub=types.SimpleNamespace(publish=publish))
    put(OnlyWrite)
    for get_ipython in (lambda: shell, lambda: 1 / 0):
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=get_ipython))
        search = BayesSearchCV(probe, SPACE, n_iter=2, cv=2, random_state=0, verbose=1)
        assert len(search.fit(*numbered).trials_) == 2


def test_stream_without_isatty_is_no_terminal(put):
    for name, make in STREAMS.items():
        put(make)
        assert is_terminal() == (name == "terminal that is gone")


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
def test_workers_start_with_any_streams(put, make, monkeypatch):
    """Loky flushes both streams before it starts a process, and fails if they cannot be."""
    started = []

    class Executor:
        def __init__(self, **options):
            pass

        def submit(self, *call):
            sys.stdout.flush()
            sys.stderr.flush()
            started.append(call)

    monkeypatch.setattr(joblib_module, "ProcessPoolExecutor", Executor)
    streams = put(make), put(make, "stderr")
    WorkerProcess({}).submit(os.getpid)
    assert len(started) == 1
    assert (sys.stdout, sys.stderr) == streams
