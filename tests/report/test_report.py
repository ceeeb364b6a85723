"""Reports: content of the page, escaping, and rendering in a browser."""

import html.parser
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import subjects
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_lepton import BayesSearchCV, SwarmSearchCV, tune
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton.exceptions import JournalMismatchError
from sklearn_lepton.optimizers import BayesOptimizer, RandomOptimizer
from sklearn_lepton.report import write_report

FIGURES = {"convergence", "slices", "importance", "contour", "coordinates", "timeline"}
NASTY = (
    "</script><script>alert(1)</script><img src=//e.example/x onerror='alert(\"2\")'>"
    "\u2028é\ud800\0"
)
X, y = load_iris(return_X_y=True)


class Page(html.parser.HTMLParser):
    """The parts of a page, as a browser would see them."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.scripts, self.words, self._inside = [], [], [], ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.text = " ".join(" ".join(self.words).split())
        self.data = json.loads(self.scripts[0])

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.words.append(data)


def told(entries=subjects.MIXED, n_trials=24, kind=RandomOptimizer, n_splits=3):
    """Make an optimizer with complete, failed and pruned trials."""
    rng = np.random.default_rng(0)
    optimizer = kind(entries, seed=0)
    while len(optimizer.trials) < n_trials:
        for trial in optimizer.ask(4):
            values = [v for v in trial.params.values() if isinstance(v, float) and v > 0]
            score = -sum(abs(math.log10(v)) for v in values)
            splits = (score + 0.1 * rng.standard_normal(n_splits)).tolist()
            row = SplitResult(start_time=1e9 + trial.number, fit_time=0.5, score_time=0.1)
            rows = [replace(row, worker=k % 2) for k in range(n_splits)]
            done = trial.complete(
                np.mean(splits), split_scores=splits, split_results=rows, duration=1.5
            )
            if trial.number % 8 == 5:
                error = f"Traceback\n  File 'a'\nValueError: no luck, {NASTY}"
                done = trial.fail(
                    split_results=[replace(rows[0], error=error), *[SplitResult()] * 2]
                )
            elif trial.number % 8 == 6:
                done = trial.prune((score, 0.1), split_scores=[score, *[math.nan] * (n_splits - 1)])
            optimizer.tell([done])
    return optimizer


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """A search with a journal, in a space with branches, some of whose trials fail."""
    journal = tmp_path_factory.mktemp("report") / "study.jsonl"
    space = [
        {
            "clf": [SVC()],
            "clf__C": (1e-2, 1e2, "log-uniform"),
            "clf__kernel": ["rbf", "linear", NASTY],
        },
        {"clf": [DecisionTreeClassifier(random_state=0)], "clf__max_depth": (1, 9, "int")},
    ]
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", SVC())])
    search = BayesSearchCV(pipeline, space, n_iter=16, cv=3, random_state=0, journal=journal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that failed
        search.fit(X, y)
    assert {"complete", "failed"} == {trial.status for trial in search.trials_}
    return search


@pytest.fixture(scope="module")
def page(search, tmp_path_factory):
    return Page(search.report(tmp_path_factory.mktemp("report") / "report.html"))


# Content.


def test_page_has_settings_and_results(search, page):
    for text in (
        "BayesSearchCV of Pipeline",
        "150 rows, 4 columns",
        "n_iter=16",
        "3, by cv=3",
        f"{search.optimizer_.seed}",
        "scikit-learn",
        "logarithmic",
        "estimator.set_params(**params)",
        f"{search.best_score_:.5g}",
        f"Trial {search.best_index_};",
        "standard error",
        "Use of the budget",
        "trials failed",
    ):
        assert text in page.text


def test_random_state_is_shown_as_it_was_given(search, page, tmp_path):
    assert f"random_state {search.random_state}" in page.text
    seed = search.optimizer_.seed
    assert f"seed of the optimizer drawn from random_state : {seed}" in page.text
    result = tune(lambda p: p["x"], {"x": (0.0, 1.0, "uniform")}, n_iter=3, random_state=0)
    assert "random_state 0 " in Page(write_report(result, tmp_path / "a.html")).text


def test_duration_spans_first_start_to_last_end(tmp_path):
    optimizer = RandomOptimizer(subjects.NUMERIC)
    for trial, begin in zip(optimizer.ask(3), (1e9, 1e9 + 30, 1e9 + 190), strict=True):
        row = SplitResult(start_time=begin, fit_time=2.0, worker=0)
        optimizer.tell([trial.complete(0.5, split_results=[row], split_scores=[0.5], duration=2.0)])
    text = Page(write_report(optimizer, tmp_path / "a.html")).text
    assert "6 s in fits and scoring, 3 min 12 s from the first start to the last end" in text
    assert "2 min 38 s of it in pauses of more than a minute" in text


def test_all_figures_have_their_data(search, page):
    assert set(page.data["figures"]) == FIGURES
    assert not page.data["missing"]
    [log] = [p for p in page.data["figures"]["slices"] if p["label"] == "clf__C"]
    assert log["log"]
    rows = [t.params.get("clf__C") for t in search.trials_]
    assert log["values"] == [None if v is None else pytest.approx(v, rel=1e-5) for v in rows]
    assert page.data["best"] == search.best_index_


def test_table_has_all_trials_and_their_values(search, page):
    trials = page.data["trials"]
    assert trials["number"] == [t.number for t in search.trials_]
    assert trials["status"] == [t.status for t in search.trials_]
    expected = [
        None if t.score is None else pytest.approx(t.score, rel=1e-5) for t in search.trials_
    ]
    assert trials["score"] == expected
    assert {c["name"] for c in page.data["columns"]} == {
        "clf", "clf__C", "clf__kernel", "clf__max_depth",
    }  # fmt: skip
    for row, trial in enumerate(search.trials_):
        why = trials["why"][row]
        assert (why is None) == (trial.status != "failed")
        if why is not None:
            last, full = page.data["reasons"][why]
            assert "\n" not in last
            assert full.startswith("Traceback")


def test_code_reproduces_the_best_parameters(search, page):
    [code] = re.findall(r"params = \{.*?\n\}", page.source, re.DOTALL)
    names = {"SVC": SVC, "DecisionTreeClassifier": DecisionTreeClassifier}
    exec(html.unescape(code), names)
    assert repr(names["params"]) == repr(dict(search.best_params_))


def test_values_without_code_are_named_in_comments(tmp_path):
    result = tune(
        lambda p: p["x"], {"x": [0.5, math.inf], "f": [print, test_code_section_runs]}, n_iter=3
    )
    page = Page(result.report(tmp_path / "a.html"))
    [code] = re.findall(r"params = \{.*?\n\}", page.source, re.DOTALL)
    compile(html.unescape(code), "report", "exec")


def test_integers_beyond_floats_are_shown(tmp_path):
    journal, space = tmp_path / "a.jsonl", {"x": [1, 10**400, 10**5000], "y": [1, 2]}
    result = tune(lambda p: p["y"], space, n_iter=6, optimizer="random", journal=journal)
    assert len(result.trials_) == 6
    for source in (result, journal):
        write_report(source, tmp_path / "a.html")


class Unwritten(DummyClassifier):
    """An estimator whose text cannot be had."""

    def __repr__(self):
        raise RuntimeError


def test_objects_with_failing_repr_are_shown(tmp_path):
    space = {"clf": [Unwritten(), Unwritten(strategy="most_frequent")], "clf__constant": [0, 1]}
    pipeline, journal = Pipeline([("clf", SVC())]), tmp_path / "a.jsonl"
    search = BayesSearchCV(pipeline, space, n_iter=3, cv=2, journal=journal).fit(X, y)
    for source in (search, journal):
        write_report(source, tmp_path / "a.html")
    write_report(search.set_params(estimator=Unwritten()), tmp_path / "a.html")


def test_code_section_runs():
    """A function to be tuned."""


# That nothing breaks out.


def test_markup_in_values_and_errors_is_escaped(search, page, tmp_path):
    of_optimizer = Page(
        write_report(told({"x": (0.1, 1.0, "uniform"), NASTY: [NASTY, "b"]}), tmp_path / "a.html")
    )
    for held in (page, of_optimizer):
        assert [tag for tag, _ in held.tags].count("script") == 2
        assert not [tag for tag, _ in held.tags if tag == "img"]
        assert not [name for _, attrs in held.tags for name in attrs if name.startswith("on")]
    assert any(
        "alert(1)" in text for c in of_optimizer.data["columns"] for text in c.get("texts", ())
    )
    assert any("alert(1)" in full for _, full in of_optimizer.data["reasons"])
    title = Page(search.report(tmp_path / "b.html", title="<b>&"))
    assert "<title>&lt;b&gt;&amp;</title>" in title.source


def test_page_loads_no_external_resource(page):
    for _, attrs in page.tags:
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            assert (attrs.get(name) or "#").startswith(("#", "data:,"))
    style = re.search(r"<style>(.*?)</style>", page.source, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert "innerHTML" not in page.scripts[1]
    [policy] = [
        a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none';")


def test_report_needs_neither_matplotlib_nor_pandas(monkeypatch, tmp_path):
    for name in ("matplotlib", "matplotlib.pyplot", "pandas"):
        monkeypatch.setitem(sys.modules, name, None)
    page = Page(write_report(told(), tmp_path / "a.html"))
    assert set(page.data["figures"]) == FIGURES


@pytest.mark.thorough
def test_500_trials_of_20_parameters_take_less_than_2_mb(tmp_path):
    entries = {
        f"preprocess__numeric__step_{k}__alpha": (1e-5, 10.0, "log-uniform") for k in range(18)
    }
    entries |= {"kind": [f"a category {k}" for k in range(12)], "flag": [None, True]}
    path = write_report(told(entries, 500, n_splits=5), tmp_path / "a.html")
    assert 100_000 < path.stat().st_size < 2_000_000


# Where the trials come from.


def test_every_search_has_a_report_method(search_class, probe, numbered, tmp_path):
    search = search_class(probe, {"x": (0.0, 1.0, "uniform")}, n_iter=6, cv=2, random_state=0).fit(
        *numbered
    )
    assert search.report(tmp_path / "a.html") == tmp_path / "a.html"
    page = Page(tmp_path / "a.html")
    assert f"{search_class.__name__} of Probe" in page.text
    assert "contour" in page.data["missing"]  # there is one parameter


def test_report_can_be_written_from_a_journal(search, page, tmp_path):
    from_journal = Page(write_report(search.journal, tmp_path / "a.html"))
    assert set(from_journal.data["figures"]) == FIGURES
    assert from_journal.data["trials"] == page.data["trials"]
    for text in ("Search of Pipeline", "150 rows, 4 columns", f"Trial {search.best_index_};"):
        assert text in from_journal.text


def test_report_of_a_minimized_function(tmp_path):
    def loss(params):
        if params["x"] > 0.9:
            raise ValueError("too large")
        return params["x"] + 2.0

    journal = tmp_path / "a.jsonl"
    space = {"x": (0.0, 1.0, "uniform"), "n": (1, 100, "log-int")}
    result = tune(loss, space, n_iter=20, minimize=True, random_state=1, journal=journal)
    for path in (result.report(tmp_path / "a.html"), write_report(journal, tmp_path / "b.html")):
        page = Page(path)
        assert f"lowest value {result.best_value_:.5g}" in page.text
        assert "function(params)" in page.text
        assert "the selection bias of the best score cannot be estimated" in page.text
        assert page.data["minimized"]


def test_report_marks_low_fidelity_and_pruned_trials(tmp_path):
    tree = DecisionTreeClassifier(random_state=0)
    space = {"max_depth": (1, 9, "int"), "min_samples_leaf": (1, 20, "log-int")}
    options = {"n_iter": 20, "cv": 3, "random_state": 0}
    search = SwarmSearchCV(tree, space, resource="n_samples", **options).fit(X, y)
    page = Page(search.report(tmp_path / "a.html"))
    shares = page.data["trials"]["fidelity"]
    assert min(shares) < 1 == max(shares)
    assert "lower fidelity" in page.text
    page = Page(write_report(told(), tmp_path / "b.html", space=None))
    assert {"complete", "failed", "pruned"} == set(page.data["trials"]["status"])
    assert "pruned" in page.text


@pytest.mark.parametrize("n_trials", [1, 3])
def test_few_trials_omit_figures_with_a_reason(n_trials, tmp_path):
    optimizer = RandomOptimizer({"x": (0.0, 1.0, "uniform"), "y": (0.0, 1.0, "uniform")}, seed=0)
    optimizer.tell([t.complete(t.params["x"]) for t in optimizer.ask(n_trials)])
    page = Page(write_report(optimizer, tmp_path / "a.html"))
    assert {"importance", "slices", "contour", "timeline"} == set(page.data["missing"])
    assert set(page.data["figures"]) == {"convergence", "coordinates"}


def test_report_of_a_search_whose_trials_all_failed(probe, numbered, tmp_path):
    search = BayesSearchCV(
        probe.set_params(outcome="raise"), {"x": (0.0, 1.0, "uniform")}, n_iter=3, cv=2
    )
    with pytest.raises(ValueError, match="no luck"):
        search.fit(*numbered)
    page = Page(search.report(tmp_path / "a.html"))
    assert "there is no result" in page.text
    assert "3 of 3 trials failed" in page.text
    assert "convergence" in page.data["missing"]


@pytest.fixture
def short_page(monkeypatch):
    """Leave out what the tests of writing don't need."""
    monkeypatch.setattr("sklearn_lepton.report._write.read_report_data", lambda *_: None)
    monkeypatch.setattr("sklearn_lepton.report._write._page", lambda _, title: f"{title} " * 99)


@pytest.mark.usefixtures("short_page")
@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_failed_write_leaves_the_earlier_report(tmp_path, monkeypatch, error):
    path, link = tmp_path / "report.html", tmp_path / "link.html"
    write_report(None, path)
    link.symlink_to(path)
    earlier = path.read_bytes()
    write_bytes = pathlib.Path.write_bytes

    def fill_disk(self, data):
        write_bytes(self, data[:100])
        raise error

    monkeypatch.setattr(pathlib.Path, "write_bytes", fill_disk)
    for target in (path, link):
        with pytest.raises(type(error)):
            write_report(None, target, title="another")
    assert path.read_bytes() == earlier
    assert set(tmp_path.iterdir()) == {path, link}


@pytest.mark.usefixtures("short_page")
def test_report_replaces_what_a_link_points_to(tmp_path):
    path, link = tmp_path / "report.html", tmp_path / "link.html"
    write_report(None, path)
    path.chmod(0o640)
    link.symlink_to(path)
    write_report(None, link, title="another")
    assert link.is_symlink()
    assert "another" in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o640


def test_invalid_input_is_refused_before_writing(search, tmp_path):
    with pytest.raises(FileNotFoundError, match="make it first"):
        search.report(tmp_path / "no" / "a.html")
    with pytest.raises(NotFittedError, match="fit"):
        write_report(BayesSearchCV(SVC()), tmp_path / "a.html")
    with pytest.raises(TypeError, match="a fitted search"):
        write_report(3, tmp_path / "a.html")
    (tmp_path / "b").write_text("no journal")
    with pytest.raises(JournalMismatchError):
        write_report(tmp_path / "b", tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


# Advice.


def scored(score, n_trials=40, entries=None):
    """Make an optimizer with trials scored on three splits with a little noise."""
    entries = entries or {
        "a": (1e-3, 1e3, "log-uniform"), "b": (0.0, 1.0, "uniform"), "n": (1, 50, "int"),
    }  # fmt: skip
    rng = np.random.default_rng(0)
    optimizer = RandomOptimizer(entries, seed=0)
    for trial in optimizer.ask(n_trials):
        value = score(trial.params, trial.number)
        splits = (value + 0.01 * rng.standard_normal(3)).tolist()
        optimizer.tell([trial.complete(np.mean(splits), split_scores=splits, duration=1.0)])
    return optimizer


def advice_on(search, tmp_path):
    return Page(write_report(search, tmp_path / "a.html")).text


def test_advice_extends_range_of_best_value_at_its_end(tmp_path):
    optimizer = scored(lambda p, _: math.log10(p["a"]))
    optimizer.enqueue([{"a": 1000.0, "b": 0.5, "n": 7}])
    [trial] = optimizer.ask()
    optimizer.tell([trial.complete(4.0, split_scores=[3.9, 4.0, 4.1])])
    assert "a is 1000 in the best trial, at the upper end of its range" in advice_on(
        optimizer, tmp_path
    )


def test_advice_keeps_natural_bounds(tmp_path):
    text = advice_on(scored(lambda p, _: -p["n"] - p["b"], 200), tmp_path)
    assert "end of its range" not in text


def test_advice_fixes_parameter_without_effect(tmp_path):
    text = advice_on(scored(lambda p, _: math.log10(p["a"]) + p["b"] * 3, 80), tmp_path)
    assert "No effect of n was found" in text


def test_advice_does_not_fix_important_parameter(tmp_path):
    text = advice_on(
        scored(lambda p, _: math.log10(p["a"]) / 6 + p["b"] + p["n"] / 50, 60), tmp_path
    )
    assert "No effect of" not in text


def failing(fails, n_trials=60, error="ValueError"):
    entries = {
        "solver": ["lbfgs", "saga", "sag"], "C": (1e-3, 1e3, "log-uniform"), "k": (1, 9, "int"),
    }  # fmt: skip
    optimizer = RandomOptimizer(entries, seed=0)
    for trial in optimizer.ask(n_trials):
        p, scores = trial.params, [math.log10(trial.params["C"]) + d for d in (0.0, 0.01, 0.02)]
        row = SplitResult(error=error.format(**p))
        done = trial.complete(np.mean(scores), split_scores=scores)
        optimizer.tell([trial.fail(split_results=[row]) if fails(p) else done])
    return optimizer


def test_failures_name_the_condition_that_they_share(tmp_path):
    text = advice_on(failing(lambda p: p["solver"] != "saga" and p["k"] > 5), tmp_path)
    assert "All of them have k ≥ 6 and solver other than saga , and no other trial has." in text
    text = advice_on(failing(lambda p: p["solver"] == "sag"), tmp_path)
    assert "All of them have solver = sag , and no other trial has." in text
    text = advice_on(failing(lambda p: p["C"] > 1 and p["k"] % 2), tmp_path)
    assert re.search(r"All of them have C ≥ 1\.\d+ , as do \d+ trials without this failure", text)


def test_most_frequent_error_has_its_own_condition(tmp_path):
    fails = lambda p: hash(p["C"]) % 3 == 0  # noqa: E731
    text = advice_on(failing(fails, 80, "ValueError: no {solver}"), tmp_path)
    assert re.search(r"\d of them have solver = \w+ , as do \d+ trials without this failure", text)
    assert not re.search("No effect of [^:]*solver", text)


def test_unrelated_failures_have_no_condition(tmp_path):
    text = advice_on(failing(lambda p: hash(p["C"]) % 3 == 0), tmp_path)
    assert "trials failed" in text
    assert "of them have" not in text


def test_advice_does_not_fix_cause_of_failures(tmp_path):
    assert "No effect of solver" in advice_on(failing(lambda p: False, 80), tmp_path)
    text = advice_on(failing(lambda p: p["solver"] != "saga" and p["k"] > 5, 80), tmp_path)
    assert not re.search("No effect of [^:]*solver", text)


def test_report_states_whether_score_still_improved(tmp_path):
    assert "more trials are likely to help" in advice_on(scored(lambda _, k: k), tmp_path)
    assert "n_iter_no_change=15" in advice_on(scored(lambda _, k: min(k, 9) - 0.3 * k), tmp_path)


def test_report_names_missing_best_trial(tmp_path):
    text = advice_on(scored(lambda _, k: 5.0 * (k == 7)), tmp_path)
    assert "All other trials are significantly worse than the best one." in text
    text = advice_on(scored(lambda _, k: 0.0), tmp_path)
    assert re.search(r"\d+ of 39 other trials are not significantly worse than the best one", text)
    default_trial = BayesSearchCV(
        SVC(), {"C": (0.5, 2.0, "uniform")}, n_iter=8, cv=3, random_state=0
    )
    assert "untuned estimator" in advice_on(default_trial.fit(X, y), tmp_path)


# Rendering in a browser.

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom",
]  # fmt: skip


def browse(path, folder, width):
    """Return the page after its scripts ran, the console and the addresses asked for."""
    log, drawn = folder / "net.json", folder / "drawn.html"
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}"]
    done = subprocess.run(
        [*command, f"--window-size={width},900", path.as_uri()],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    drawn.write_text(done.stdout, encoding="utf-8")
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    asked = set(re.findall(r'"url":"(http[^"]+)"', log.read_text(encoding="utf-8")))
    # Requests that the browser makes for any page.
    own = re.compile(r"https?://[^/]*\.(google|googleapis)\.com/")
    return Page(drawn), console, {url for url in asked if not own.match(url)}


@pytest.mark.thorough
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.parametrize("width", [400, 1400])
def test_browser_draws_page_without_error_or_request(width, search, tmp_path):
    if width == 400:
        search = told({**subjects.MIXED, NASTY: [NASTY, "b"]}, kind=BayesOptimizer)
    page, console, asked = browse(write_report(search, tmp_path / "a.html"), tmp_path, width)
    assert not console
    assert not asked
    [drawn] = [attrs["data-drawn"] for tag, attrs in page.tags if tag == "body"]
    assert set(drawn.split()) == FIGURES
    tags = [tag for tag, _ in page.tags]
    assert tags.count("svg") > 8
    assert tags.count("tr") > len(page.data["trials"]["number"])
    assert tags.count("script") == 2
    assert "img" not in tags
    for _, attrs in page.tags:
        assert not any(key.startswith("on") for key in attrs)
        assert not any(
            "NaN" in (value or "") or "undefined" in (value or "") for value in attrs.values()
        )
