"""Optimism and unseen scores of the final choice.

    python benchmarks/choice.py [--tasks held-out] [--seeds 10] [--json benchmarks/choice.json]

On each live task of `problems.py` a third of its rows, another one for each seed, is held out. On
the others `BayesSearchCV` makes a study of 32 trials with ``cv=5`` and keeps it in a journal. All
rules choose from this one journal, and so among the same trials:

plain         ``refit=True``
1se           ``refit="1se"``: the cheapest within one standard error
final         ``final_cv=5``
both          ``refit="1se", final_cv=5``

Unseen is the score of ``best_estimator_`` on the held-out rows, less that of plain; optimism is
``best_score_`` less the unseen score. Both are in units of the task's spread: the root mean square
of two standard deviations, that of plain's score on the held-out rows over the seeds, and that of
its scores on the splits of a search. Time is that of fit and scoring on a split for the chosen
configuration, as a share of plain's; fits are those beyond plain's. The table has means over the
tasks, each the mean over its seeds, with the standard error over tasks.

Constants were chosen on the development tasks (``--tasks development``).
"""

import argparse
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from problems import UNCHECKED, Problem, data, live_tasks
from sklearn import config_context
from sklearn.model_selection import train_test_split

from sklearn_lepton import BayesSearchCV

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "1se": {"refit": "1se"},
    "final": {"final_cv": 5},
    "both": {"refit": "1se", "final_cv": 5},
}


def run(task: Problem, seed: int) -> dict[str, dict[str, Any]]:
    """Make one study, and return what each variant chooses of it."""
    tuning: Any = task.function
    X, y = data(tuning.data)
    stratify = None if tuning.data == "diabetes" else y
    X, X_unseen, y, y_unseen = train_test_split(
        X, y, test_size=1 / 3, random_state=seed, stratify=stratify
    )
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in VARIANTS.items():
            search = BayesSearchCV(
                tuning.estimator,
                task.entries,
                n_iter=32,
                cv=5,
                scoring=tuning.scoring,
                random_state=seed,
                journal=Path(folder, "study.jsonl"),
                **settings,
            ).fit(X, y)
            row, results = search.best_index_, search.cv_results_
            found[name] = {
                "row": int(row),
                "best_score": float(search.best_score_),
                "unseen": float(search.score(X_unseen, y_unseen)),
                "seconds": float(results["mean_fit_time"][row] + results["mean_score_time"][row]),
                "spread": float(np.std(search.trials_[row].split_scores, ddof=1)),
                "fits": int(5 * np.sum(np.isfinite(results.get("mean_final_score", np.nan)))),
            }
    return found


def compare(runs: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return what each variant is on one task, in units of its spread."""
    table = {
        key: {name: np.array([run[name][key] for run in runs]) for name in VARIANTS}
        for key in runs[0]["plain"]
    }
    plain = table["unseen"]["plain"]
    spread = np.sqrt((np.var(plain, ddof=1) + np.mean(table["spread"]["plain"] ** 2)) / 2)
    return {
        name: {
            "unseen": float(np.mean(table["unseen"][name] - plain) / spread),
            "optimism": float(np.mean(table["best_score"][name] - table["unseen"][name]) / spread),
            "time": float(np.mean(np.log(table["seconds"][name] / table["seconds"]["plain"]))),
            "fits": float(np.mean(table["fits"][name])),
            "moved": float(np.mean(table["row"][name] != table["row"]["plain"])),
        }
        for name in VARIANTS
    }


def summarise(tasks: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Return mean and standard error over tasks."""
    compared = [compare(runs) for runs in tasks.values()]
    summary: dict[str, dict[str, list[float]]] = {name: {} for name in VARIANTS}
    for name in VARIANTS:
        for key in compared[0][name]:
            values = np.array([task[name][key] for task in compared])
            error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
            summary[name][key] = [float(np.mean(values)), float(error)]
        cut = [task["plain"]["optimism"] - task[name]["optimism"] for task in compared]
        summary[name]["cut"] = [
            float(np.mean(cut)),
            float(np.std(cut, ddof=1) / np.sqrt(len(cut))) if len(cut) > 1 else 0.0,
        ]
    return summary


def show(summary: dict[str, dict[str, list[float]]]) -> None:
    """Print the table."""
    print(
        f"\n{'':8}{'unseen, less plain':>20}{'optimism':>18}{'less than plain':>18}{'time':>7}"
        f"{'moved':>7}{'fits':>6}"
    )
    for name, row in summary.items():
        unseen, optimism, cut = (
            f"{mean:.3f} ± {error:.3f}"
            for mean, error in (row["unseen"], row["optimism"], row["cut"])
        )
        print(
            f"{name:8}{unseen:>20}{optimism:>18}{cut:>18}{np.exp(row['time'][0]):7.2f}"
            f"{row['moved'][0]:7.2f}{row['fits'][0]:6.1f}"
        )


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", choices=["held-out", "development"], default="held-out")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json", type=Path, help="write all numbers there")
    arguments = parser.parse_args()
    held_out = arguments.tasks == "held-out"
    tasks: dict[str, Any] = {}
    with warnings.catch_warnings(), config_context(**UNCHECKED):
        warnings.simplefilter("ignore")
        for task in live_tasks():
            if task.held_out == held_out:
                tasks[task.name] = [run(task, seed) for seed in range(arguments.seeds)]
                print(task.name, flush=True)
    summary = summarise(tasks)
    show(summary)
    if arguments.json:
        text = json.dumps({"summary": summary, "tasks": tasks})
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
