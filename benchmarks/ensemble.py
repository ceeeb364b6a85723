"""Unseen scores of ``refit="ensemble"`` and of `tuned_threshold`.

    python benchmarks/ensemble.py run [--tasks held-out] [--seeds 3]
    python benchmarks/ensemble.py report [--tasks held-out]

The tasks are the live ones of `problems.py` whose predictions can be averaged, and the tables of
`automl.py`, of which at most 600 rows are fitted. A third of the rows, another one for each seed,
is held out. One search of 32 trials with five splits, `BayesSearchCV` or `AutoSearchCV`, gives the
ensemble and the best trial alone, both refitted. Their difference on the held-out rows is in units
of the best trial's standard deviation over resampled rows. The error of a task is the greater of
two: the standard error over seeds, and that of resampled rows.

On tasks with two classes `tuned_threshold` and `TunedThresholdClassifierCV` choose the threshold of
the ensemble for the balanced accuracy; the second fits it again on each split.

Each result is written to ``benchmarks/ensemble.json`` when it is known, and a second call continues
from there. Constants were chosen on the development tasks (``--tasks development``).
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import automl
import numpy as np
from problems import UNCHECKED, data, live_tasks
from sklearn import config_context
from sklearn.base import clone, is_regressor
from sklearn.metrics import balanced_accuracy_score, get_scorer
from sklearn.model_selection import (
    KFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    train_test_split,
)

from sklearn_lepton import AutoSearchCV, BayesSearchCV, tuned_threshold

PLACE = Path(__file__).with_suffix(".json")
MOST_ROWS, N_RESAMPLED = 600, 200


def tasks(kind: str) -> dict[str, Any]:
    """Return the functions that make the data and the search of each task."""
    found: dict[str, Any] = {}
    for task in live_tasks():
        tuning: Any = task.function
        can_average = is_regressor(tuning.estimator) or hasattr(tuning.estimator, "predict_proba")
        if can_average and task.held_out == (kind == "held-out"):
            found[task.name] = task
    return automl.SETS[kind] | found


def prepare(task: Any, seed: int) -> tuple[Any, Any, Any, str]:
    """Return the data, an unfitted search and its metric."""
    settings: dict[str, Any] = {
        "n_iter": 32,
        "random_state": seed,
        "refit": "ensemble",
        "return_predictions": True,
    }
    if isinstance(task, automl.Task):
        X, y = automl.load(task)
        scoring = "neg_log_loss" if task.is_classifier else "neg_root_mean_squared_error"
        kind = "classifier" if task.is_classifier else "regressor"
        cv = StratifiedKFold if task.is_classifier else KFold
        settings |= {"cv": cv(5, shuffle=True, random_state=0), "scoring": scoring}
        return X, y, AutoSearchCV(kind, **settings), scoring
    tuning: Any = task.function
    X, y = data(tuning.data)
    cv = KFold if tuning.data == "diabetes" else StratifiedKFold
    settings |= {"cv": cv(5, shuffle=True, random_state=0), "scoring": tuning.scoring}
    return X, y, BayesSearchCV(tuning.estimator, task.entries, **settings), tuning.scoring


def run(task: Any, seed: int) -> dict[str, Any]:
    """Search, and score the ensemble and the best trial on the held-out rows."""
    X, y, search, scoring = prepare(task, seed)
    is_classes = not scoring.endswith("error")
    n_fitted = min(MOST_ROWS, 2 * len(y) // 3)
    X, X_unseen, y, y_unseen = train_test_split(
        X,
        y,
        train_size=n_fitted,
        test_size=min(len(y) - n_fitted, 3_000),
        random_state=seed,
        stratify=y if is_classes else None,
    )
    start = time.perf_counter()
    search.fit(X, y)
    seconds = time.perf_counter() - start
    ensemble = search.best_estimator_
    names = {number: f"trial{number}" for number in search.ensemble_weights_}
    best = search.trials_[search.best_index_].number
    single = (
        ensemble.named_estimators_[names[best]]
        if best in names
        else search._with_params_of(search.best_index_).fit(X, y)  # noqa: SLF001
    )
    scorer = get_scorer(scoring)
    rng = np.random.default_rng(seed)
    y_array = np.asarray(y_unseen)
    outputs = {each: predicted(model, X_unseen) for each, model in enumerate((ensemble, single))}
    classes = getattr(ensemble, "classes_", None)
    resampled = []
    for _ in range(N_RESAMPLED):
        rows = rng.integers(len(y_array), size=len(y_array))
        resampled.append([of(scorer, outputs[k][rows], y_array[rows], classes) for k in (0, 1)])
    table = np.array(resampled)
    found = {
        "ensemble": float(scorer(ensemble, X_unseen, y_unseen)),
        "single": float(scorer(single, X_unseen, y_unseen)),
        "row_error": float(np.std(table[:, 0] - table[:, 1], ddof=1)),
        "spread": float(np.std(table[:, 1], ddof=1)),
        "best_score": float(search.best_score_),
        "ensemble_score": float(search.ensemble_score_),
        "weights": list(search.ensemble_weights_.values()),
        "seconds": seconds,
    }
    if classes is not None and len(classes) == 2:
        found["threshold"] = compare_thresholds(search, X, y, X_unseen, y_unseen)
    return found


def predicted(model: Any, X: Any) -> Any:
    """Return probabilities or predictions."""
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def of(scorer: Any, values: Any, y: Any, classes: Any) -> float:
    """Return the score of predictions."""
    if scorer._response_method == "predict_proba":  # noqa: SLF001
        score = scorer._score_func(y, values, labels=classes)  # noqa: SLF001
    else:
        labels = values if classes is None else classes[np.argmax(values, axis=1)]
        score = scorer._score_func(y, labels)  # noqa: SLF001
    return float(scorer._sign * score)  # noqa: SLF001


def compare_thresholds(search: Any, X: Any, y: Any, X_unseen: Any, y_unseen: Any) -> dict[str, Any]:
    """Return the thresholds of both, and the balanced accuracy of held-out rows."""
    start = time.perf_counter()
    ours = tuned_threshold(search, y, pos_label=search.classes_[1])
    middle = time.perf_counter()
    peer = TunedThresholdClassifierCV(clone(search.best_estimator_), cv=search.cv)
    if isinstance(search.classes_[1], str):
        codes = np.searchsorted(search.classes_, y)  # it takes texts with a scorer of labels only
        peer.fit(X, codes)
        unseen = search.classes_[peer.predict(X_unseen)]
    else:
        unseen = peer.fit(X, y).predict(X_unseen)
    end = time.perf_counter()
    rng = np.random.default_rng(0)
    mine, y_array = ours.predict(X_unseen), np.asarray(y_unseen)
    differences = []
    for _ in range(N_RESAMPLED):
        rows = rng.integers(len(y_array), size=len(y_array))
        differences.append(
            balanced_accuracy_score(y_array[rows], mine[rows])
            - balanced_accuracy_score(y_array[rows], unseen[rows])
        )
    return {
        "ours": ours.best_threshold_,
        "peer": float(peer.best_threshold_),
        "ours_unseen": float(balanced_accuracy_score(y_array, mine)),
        "peer_unseen": float(balanced_accuracy_score(y_array, unseen)),
        "half_unseen": float(balanced_accuracy_score(y_array, search.predict(X_unseen))),
        "row_error": float(np.std(differences, ddof=1)),
        "ours_seconds": middle - start,
        "peer_seconds": end - middle,
    }


def read() -> dict[str, Any]:
    """Return the results so far."""
    return dict(json.loads(PLACE.read_text(encoding="utf-8"))) if PLACE.exists() else {}


def run_all(kind: str, seeds: int, only: list[str]) -> None:
    """Run what is not in the file."""
    for seed in range(seeds):
        for name, task in tasks(kind).items():
            if f"{name} {seed}" in read() or (only and name not in only):
                continue
            with warnings.catch_warnings(), config_context(**UNCHECKED):
                warnings.simplefilter("ignore")
                found = run(task, seed)
            text = json.dumps({**read(), f"{name} {seed}": found}, indent=1)
            PLACE.write_text(text + "\n", encoding="utf-8")
            print(f"{name} {seed}: {found}", flush=True)


def over(runs: list[dict[str, Any]], first: str, second: str) -> tuple[float, float]:
    """Return the mean of a difference over seeds, and its error."""
    values = np.array([each[first] - each[second] for each in runs])
    rows = np.sqrt(np.mean([each["row_error"] ** 2 for each in runs]) / len(runs))
    seeds = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return float(values.mean()), float(max(rows, seeds))


def report(kind: str) -> None:
    """Print the tables."""
    results = read()
    by_task = {
        name: [results[key] for key in results if key.rpartition(" ")[0] == name]
        for name in tasks(kind)
    }
    shifts, moves = [], []
    print(
        f"{'':44}{'best trial':>11}{'ensemble':>11}{'difference':>20}{'in spreads':>12}{'seeds':>6}"
    )
    for name, runs in by_task.items():
        if not runs:
            continue
        mean, error = over(runs, "ensemble", "single")
        spread = float(np.sqrt(np.mean([each["spread"] ** 2 for each in runs])))
        shifts.append(mean / spread)
        single, both = (np.mean([each[key] for each in runs]) for key in ("single", "ensemble"))
        mark = " worse" if mean < -error else ""
        print(
            f"{name:44}{single:11.4f}{both:11.4f}{mean:+11.4f} ± {error:.4f}"
            f"{mean / spread:12.2f}{len(runs):6}{mark}"
        )
    error = np.std(shifts, ddof=1) / np.sqrt(len(shifts)) if len(shifts) > 1 else np.nan
    print(f"mean difference of {len(shifts)} tasks: {np.mean(shifts):.2f} ± {error:.2f} spreads")
    print("\nbalanced accuracy, unseen                  threshold 0.5   ours   scikit-learn")
    for name, runs in by_task.items():
        chosen = [each["threshold"] for each in runs if "threshold" in each]
        if not chosen:
            continue
        mean, error = over(chosen, "ours_unseen", "peer_unseen")
        moves.append(mean)
        means = {key: np.mean([each[key] for each in chosen]) for key in chosen[0]}
        print(
            f"{name:44}{means['half_unseen']:.3f}  {means['ours_unseen']:.3f} at "
            f"{means['ours']:.2f}  {means['peer_unseen']:.3f} at {means['peer']:.2f}  "
            f"{mean:+.4f} ± {error:.4f}  {means['ours_seconds']:.2f} s, "
            f"{means['peer_seconds']:.1f} s"
        )
    print(f"mean difference: {np.mean(moves):+.4f}")


def main() -> None:
    """Run, or print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--tasks", choices=["held-out", "development"], default="held-out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], help="names of tasks")
    arguments = parser.parse_args()
    if arguments.action == "run":
        run_all(arguments.tasks, arguments.seeds, arguments.only)
    else:
        report(arguments.tasks)


if __name__ == "__main__":
    main()
