"""Standard error of a score: equal in all outputs, and correct for the splits."""

import json
import re

import numpy as np
import pytest
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from sklearn_lepton import BayesSearchCV, nested_cross_val_score
from sklearn_lepton._trials.selection_bias import optimism
from sklearn_lepton.plotting import ConvergenceDisplay
from sklearn_lepton.report import write_report
from sklearn_lepton.report._report_data import read_report_data

SPACE = {"var_smoothing": (1e-9, 1.0, "log-uniform")}
SPLITTERS = {
    "repeated folds": (RepeatedKFold(n_splits=4, n_repeats=3, random_state=0), 1 / 3),
    "shuffled": (ShuffleSplit(5, test_size=0.1, random_state=0), 1 / 9),
    "folds": (KFold(3, shuffle=True, random_state=0), 1 / 2),
}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 60)
    return rng.normal(size=(120, 2)) + y[:, None], y


def search(cv, **options):
    return BayesSearchCV(
        GaussianNB(), SPACE, n_iter=5, cv=cv, random_state=0, initial_params=None, **options
    )


def expected(trials, ratio):
    """Return Nadeau and Bengio's standard error of each trial."""
    scores = np.array([trial.split_scores for trial in trials])
    return scores.std(axis=1, ddof=1) * np.sqrt(1 / scores.shape[1] + ratio)


def page_data(path):
    page = path.read_text(encoding="utf-8")
    return page, json.loads(re.search(r'id="data">(.*?)</script>', page)[1])


@pytest.mark.parametrize("name", SPLITTERS)
def test_all_outputs_show_the_same_standard_error(rows, tmp_path, capsys, name):
    cv, ratio = SPLITTERS[name]
    journal = tmp_path / "study.jsonl"
    fitted = search(cv, journal=journal, verbose=2).fit(*rows)
    errors = expected(fitted.trials_, ratio)
    printed = re.findall(r"^trial \d+: \S+ ± (\S+)", capsys.readouterr().out, flags=re.MULTILINE)
    assert [float(text) for text in printed] == pytest.approx(errors, rel=0.05)
    for source in (fitted, journal):
        assert ConvergenceDisplay.from_search(source).errors == pytest.approx(errors)
        page, data = page_data(write_report(source, tmp_path / "report.html"))
        assert data["trials"]["error"] == pytest.approx(errors, rel=1e-4)
        best = errors[fitted.best_index_]
        assert f"standard error {best:.2g} over" in page
        assert f"± {best:.2g}<" in page


def test_optimism_of_repeated_folds_is_computed_within_repeats(rows, tmp_path):
    journal = tmp_path / "study.jsonl"
    fitted = BayesSearchCV(
        KNeighborsClassifier(),
        {"n_neighbors": (1, 30, "int")},
        n_iter=8,
        cv=SPLITTERS["repeated folds"][0],
        random_state=0,
        journal=journal,
    ).fit(*rows)
    expected = optimism(fitted.trials_, 4)
    assert expected != optimism(fitted.trials_, None)
    for source in (fitted, journal):
        assert read_report_data(source).optimism == expected


def test_update_uses_split_ratios_of_both_searches(rows):
    fitted = search(SPLITTERS["folds"][0]).fit(*rows)
    before = expected(fitted.trials_, 1 / 2)[fitted.best_index_]
    cv, ratio = SPLITTERS["repeated folds"]
    update = fitted.set_params(cv=cv).update(*rows).updates_[-1]
    assert update["std_error_before"] == pytest.approx(before)
    assert update["std_error_after"] == pytest.approx(expected(fitted.trials_, ratio)[0])
    again = fitted.update(*rows).updates_[-1]
    best_of_second = fitted.updates_[0]["std_error_after"]
    assert again["std_error_before"] == pytest.approx(best_of_second)


def test_nested_score_accepts_masks_as_splits(rows):
    splits = list(KFold(3).split(*rows))
    masks = [tuple(np.isin(np.arange(120), part) for part in split) for split in splits]
    assert nested_cross_val_score(search(2), *rows, cv=masks).ratio == pytest.approx(1 / 2)
