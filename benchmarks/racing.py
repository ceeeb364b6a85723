"""Fits saved by racing, and whether racing finds the same winner.

    python benchmarks/racing.py [--tasks held-out] [--seeds 10] [--splits 5 10]
        [--n-iter 50] [--json benchmarks/racing.json]

`BayesSearchCV` searches each live task of `problems.py` with ``racing=True`` and without, with the
same seed, splits and number of trials. Saved fits are the splits of all trials that were not run.

The winner is compared in two ways. *Same*: after the search, the skipped splits of each pruned
trial are run, and the best of all trials is compared with the winner of racing. *As plain*: the
best score is compared with that of the search without racing. That search diverges as soon as one
estimate is not exact; so do two plain searches with different seeds. Both comparisons use standard
errors of the better mean over the splits; "at most a tenth" counts as the same.

The rule and its constants were chosen on the development tasks (``--tasks development``), from
recorded scores of plain searches with 64 trials; the held-out tasks were run once.
"""

import argparse
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from problems import Problem, clone_with, data, live_tasks
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold

from sklearn_lepton import BayesSearchCV

SAME = 0.1  # standard errors


def complete(problem: Problem, trial: Any, cuts: list[Any]) -> np.ndarray:
    """Return a trial's scores on all splits, those that were left out included."""
    X, y = data(problem.function.data)
    scores, scorer = np.array(trial.split_scores), get_scorer(problem.function.scoring)
    for split, row in enumerate(trial.split_results):
        if not row:
            train, test = cuts[split]
            model = clone_with(problem.function.estimator, trial.params).fit(X[train], y[train])
            scores[split] = scorer(model, X[test], y[test])
    return scores


def lag(best: np.ndarray, other: np.ndarray) -> float:
    """Return by how many standard errors one trial's mean falls behind another's."""
    gap = best.mean() - other.mean()
    error = best.std(ddof=1) / math.sqrt(len(best))
    return float(gap / error) if gap else 0.0


def run(problem: Problem, n_splits: int, n_iter: int, seed: int) -> dict[str, Any]:
    function = problem.function
    X, y = data(function.data)
    kind = KFold if function.data == "diabetes" else StratifiedKFold
    cuts = list(kind(n_splits, shuffle=True, random_state=seed).split(X, y))
    searches = [
        BayesSearchCV(
            function.estimator,
            problem.entries,
            n_iter=n_iter,
            scoring=function.scoring,
            cv=cuts,
            refit=False,
            random_state=seed,
            racing=racing,
        ).fit(X, y)
        for racing in (True, False)
    ]
    raced, plain = (search.trials_[search.best_index_] for search in searches)
    trials = searches[0].trials_
    whole = {t.number: complete(problem, t, cuts) for t in trials if t.status != "failed"}
    true_best = max(whole.values(), key=lambda scores: scores.mean())
    overtaken = [
        whole[t.number].mean() > max(u.score for u in trials[: t.number] if u.score is not None)
        for t in trials
        if t.status == "pruned"
    ]
    ours, theirs = np.array(raced.split_scores), np.array(plain.split_scores)
    return {
        "saved": 1
        - sum(bool(row) for t in trials for row in t.split_results) / (len(trials) * n_splits),
        "of_these": lag(true_best, ours),
        "beside_plain": lag(theirs, ours) if plain.score >= raced.score else -lag(ours, theirs),
        "n_pruned": len(overtaken),
        "n_wrong": int(sum(overtaken)),
        "seconds": [sum(t.duration for t in search.trials_) for search in searches],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", choices=["held-out", "development"], default="held-out")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--splits", type=int, nargs="*", default=[5, 10])
    parser.add_argument("--n-iter", type=int, default=50)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    tasks = [p for p in live_tasks() if p.held_out == (options.tasks == "held-out")]
    rows: dict[str, Any] = {}
    head = f"{'task':34} {'splits':>6} {'saved':>6} {'same':>5} {'as plain':>8} {'better':>7}"
    print(head, flush=True)
    for n_splits in options.splits:
        of_all: list[dict[str, Any]] = []
        for problem in [*tasks, None]:
            if problem is None:
                name, runs = "all", of_all
            else:
                name = problem.name
                runs = [run(problem, n_splits, options.n_iter, s) for s in range(options.seeds)]
                of_all += runs
                rows[f"{name}, {n_splits} splits"] = runs
            beside = np.array([r["beside_plain"] for r in runs])
            print(
                f"{name:34} {n_splits:6} {np.mean([r['saved'] for r in runs]):6.1%} "
                f"{np.mean([r['of_these'] <= SAME for r in runs]):5.0%} "
                f"{np.mean(beside <= SAME):8.0%} {np.mean(beside < -SAME):7.0%}",
                flush=True,
            )
        pruned, wrong = (sum(r[key] for r in of_all) for key in ("n_pruned", "n_wrong"))
        plain, raced = (sum(r["seconds"][k] for r in of_all) for k in (1, 0))
        print(f"    trials ended early {pruned}, of them better than the best so far {wrong}")
        print(f"    fit seconds {raced:.0f}, without racing {plain:.0f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
