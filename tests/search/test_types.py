"""Types of the public interface, as a type checker sees the calls of a user."""

import re
import subprocess
import sys

import pytest

pytest.importorskip("mypy")

GOOD = """
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn_lepton import AutoSearchCV, BayesSearchCV, GeneticSearchCV, SwarmSearchCV, Trial, tune

X, y = np.zeros((9, 1)), np.zeros(9)


def stop(search: BayesSearchCV, trial: Trial) -> None:
    print(trial.number)


def loss(params: dict[str, float]) -> float:
    return params["x"]


search = BayesSearchCV(
    Ridge(),
    {"alpha": [1.0, 2.0]},
    scoring=["r2", "max_error"],
    refit="r2",
    cv=KFold(3),
    random_state=np.random.RandomState(0),
    callbacks=[stop],
    journal="study.jsonl",
    initial_params={"alpha": 1.0},
    error_score="raise",
    previous_studies=["study.jsonl"],
)
GeneticSearchCV(Ridge(), param_grid=[{"alpha": [1.0]}], cv=[([0], [1])], random_state=0)
AutoSearchCV("auto", max_time=3.0, optimizer="bayes", scoring={"r2": "r2"})
print(tune(loss, {"x": (0.0, 1.0, "uniform")}, n_iter=9, random_state=0).best_params_)
"""
BAD = """
BayesSearchCV(Ridge(), {}, scoring=3)
BayesSearchCV(Ridge(), {}, cv="x")
SwarmSearchCV(Ridge(), {}, cv="x")
GeneticSearchCV(Ridge(), {}, scoring=3)
AutoSearchCV(Ridge(), {}, random_state="seed")
BayesSearchCV(Ridge(), {}, callbacks=3)
BayesSearchCV(Ridge(), {}, journal=3)
BayesSearchCV(Ridge(), {}, previous_studies=3)
BayesSearchCV(Ridge(), {}, n_points="all")
tune(loss, {}, callbacks=3)
"""


@pytest.mark.thorough
def test_type_checker_finds_wrong_arguments_and_the_type_of_fit(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"{GOOD}{BAD}reveal_type(search.fit(X, y))\n", encoding="utf-8")
    settings = ["--strict", "--ignore-missing-imports", f"--cache-dir={tmp_path / 'cache'}"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *settings, str(script)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    first = GOOD.count("\n") + 2  # the line of the first wrong call
    errors = re.findall(r'script.py:(\d+): error: Argument "(\w+)"', done.stdout)
    wrong = [re.search(r"(\w+)=[^=]*\)$", line)[1] for line in BAD.strip().splitlines()]
    assert errors == [(str(first + k), name) for k, name in enumerate(wrong)], done.stdout
    assert done.stdout.count(": error: ") == len(wrong), done.stdout
    assert 'Revealed type is "sklearn_lepton._search.bayes.BayesSearchCV"' in done.stdout
