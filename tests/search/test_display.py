"""Progress output, and the representation in a notebook."""

import re
from xml.etree import ElementTree as ET

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression

SPACE = {"x": (0.0, 1.0, "uniform")}


def lines_of(search, data, capfd):
    search.fit(*data)
    out, err = capfd.readouterr()
    assert err == ""
    return out.splitlines()


def test_default_verbosity_prints_nothing(search_class, probe, numbered, capfd):
    assert lines_of(search_class(probe, SPACE, n_iter=3, cv=2), numbered, capfd) == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_points": 4},
        {"asynchronous": True},
        {"max_time": 100.0},
        {"racing": True, "cv": 3},
        {"resource": "n_samples", "min_resources": 5},
        {"n_jobs": 2},
    ],
    ids=str,
)
def test_verbose_1_prints_a_few_lines(search_class, probe, numbered, capfd, params):
    search = search_class(probe, SPACE, **{"n_iter": 12, "cv": 2, "verbose": 1, **params})
    with joblib.parallel_config("threading"):  # processes take seconds to start
        lines = lines_of(search.set_params(random_state=0), numbered, capfd)
    name = search_class.__name__
    assert re.fullmatch(rf"{name}: \d+ trials of {params.get('cv', 2)} fits", lines[0])
    assert re.match(rf"{name}: {len(search.trials_)} trials in .* s, best ", lines[-1])
    assert 2 <= len(lines) <= 12
    for line in lines[1:-1]:
        assert re.search(r"\d+/\d+  .*\d s left$", line)


def test_verbose_prints_lines_of_trials_and_of_scikit_learn(search_class, probe, numbered, capfd):
    search = search_class(probe, SPACE, n_iter=3, cv=2, verbose=2)
    lines = lines_of(search, numbered, capfd)
    assert [line.split(":")[0] for line in lines[1:-1]] == ["trial 0", "trial 1", "trial 2"]
    lines = lines_of(search.set_params(verbose=3), numbered, capfd)
    assert sum(line.startswith("[CV ") for line in lines) == 6
    assert sum(line.startswith("trial ") for line in lines) == 3
    assert not any("Fitting 2 folds" in line for line in lines)
    assert search.verbose == 3


def test_progress_counts_trials_of_the_journal(search_class, probe, numbered, tmp_path, capfd):
    def make(n_iter, verbose):
        search = search_class(probe, SPACE, n_iter=n_iter, cv=2, verbose=verbose, random_state=0)
        return search.set_params(journal=tmp_path / "study.jsonl")

    make(6, 0).fit(*numbered)
    lines = lines_of(make(10, 1), numbered, capfd)
    assert "6/10  best" in lines[1]
    assert lines[-1].startswith(f"{search_class.__name__}: 4 trials in ")


# ------------------------------------------------------------------------ callbacks


class Finisher:
    def __init__(self):
        self.told = []

    def __call__(self, search, trial):
        self.told.append(trial.number)

    def finish(self, search, trial):
        self.told.append(trial)


@pytest.mark.parametrize("refit", [True, False, "1se", lambda results: 2])
def test_finish_gets_the_chosen_trial(search_class, probe, numbered, refit):
    finisher = Finisher()
    search = search_class(probe, SPACE, n_iter=4, cv=2, random_state=0, refit=refit)
    search.set_params(callbacks=finisher).fit(*numbered)
    assert finisher.told[:-1] == [0, 1, 2, 3]
    assert finisher.told[-1] is search.trials_[search.best_index_]


def test_finish_gets_none_if_the_search_failed(search_class, probe, numbered):
    finisher = Finisher()
    space = {"x": [0.5], "outcome": ["ok", "raise"]}
    search = search_class(probe, space, n_iter=2, cv=2, callbacks=finisher, error_score="raise")
    with pytest.raises(RuntimeError, match="no luck"):
        search.fit(*numbered)
    assert finisher.told == [0, None]


def test_finish_gets_none_for_callable_refit_of_several_metrics(search_class, blobs):
    finisher = Finisher()
    search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2)
    search.set_params(scoring=["accuracy", "roc_auc"], refit=False, callbacks=finisher)
    search.fit(*blobs)
    assert finisher.told == [0, 1, None]


# ------------------------------------------------------------------------- notebook


def shown(search):
    html = search._repr_mimebundle_()["text/html"]
    assert search._repr_html_() is not None
    return html[html.index('<div class="sklearn-lepton">') :]


def test_html_has_the_space(search_class, probe):
    space = [
        {"x": (1e-3, 1.0, "log-uniform"), "z": (0, 9, "int")},
        {"x": [0.1, 0.5], "outcome": ["ok", "<script>alert(1)</script>", "c" * 99]},
    ]
    html = shown(search_class(probe, space))
    text = re.sub(r"<[^>]+>", "|", html)
    assert "Space of 3 parameters" in text
    for row in (
        "|x||||real|||0.001 to 1|||logarithmic|||0|",
        "|z||||integer|||0 to 9|||linear|||0|",
        "|x||||ordered|||0.1, 0.5|||||||1|",
    ):
        assert row.replace("|", "") in text.replace("|", "")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "c" * 70 not in html
    ET.fromstring(html.replace(" open>", ">"))


def test_html_has_the_result(search_class, probe, numbered):
    search = search_class(probe, SPACE, n_iter=8, cv=2, random_state=0).fit(*numbered)
    html = shown(search)
    root = ET.fromstring(html)
    text = " ".join(root.itertext())
    assert "8 trials, ended by  n_iter" in text.replace("by n_iter", "by  n_iter")
    assert f"Best: trial {search.best_index_}, score {search.best_score_:.5g}" in text
    assert f"{search.best_params_['x']:.6g}" in text
    [svg] = root.iter("svg")
    [marks] = svg.iter("g")
    assert len(marks) == 8
    n_below = sum(mark.tag.endswith("path") for mark in marks)
    assert (f"{n_below} below" in text) == (n_below > 0)
    line = list(svg.iter("path"))[-1].get("d")
    numbers = np.array(re.findall(r"V([\d.]+)", line), dtype=float)
    assert np.all(np.diff(numbers) < 0)  # upwards
    assert "nan" not in html


def test_html_never_raises(search_class, probe, numbered):
    unusable = search_class(probe, {"x": []})
    assert unusable._repr_mimebundle_()["text/html"]
    constant = search_class(probe, {}, n_iter=1, cv=2).fit(*numbered)
    assert "1 trials" in shown(constant)
    equal = search_class(probe, {"outcome": ["ok"], "z": [0, 0.0]}, n_iter=2, cv=2)
    assert shown(equal)


def test_text_display_is_respected(search_class, probe):
    with sklearn.config_context(display="text"):
        search = search_class(probe, SPACE)
        assert list(search._repr_mimebundle_()) == ["text/plain"]
        assert not hasattr(search, "_repr_html_")
