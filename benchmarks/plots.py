"""Seconds to create and draw each display of 500 trials and 20 parameters; figures of the guide."""

import argparse
import json
import math
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np

from sklearn_lepton import plotting
from sklearn_lepton._trials.split_result import SplitResult
from sklearn_lepton.optimizers import BayesOptimizer, GeneticOptimizer, SwarmOptimizer

N_TRIALS = 500
OF_SWARM, OF_GENETIC = "SwarmDisplay", "LineageDisplay"


def wide_space():
    return {
        **{f"preprocess__numeric__step_{k}__alpha": (1e-5, 10.0, "log-uniform") for k in range(8)},
        **{f"clf__fraction_{k}": (0.0, 1.0, "uniform") for k in range(6)},
        **{f"clf__n_{k}": (1, 512, "log-int") for k in range(3)},
        "clf__kind": [f"choice {k}" for k in range(12)],
        "clf__flag": [None, True],
        "clf__batch": [16, 32, 64, 128],
    }


def score(params, rng):
    values = list(params.values())
    wanted = 0.05 * (math.log10(values[0]) + 2) ** 2 + (values[8] - 0.7) ** 2
    return 0.1 * (params["clf__kind"] == "choice 3") - wanted + 0.02 * rng.standard_normal()


def search_of(kind):
    """Return an optimizer told 500 trials with rows of five fits, as run by four workers."""
    rng = np.random.default_rng(0)
    optimizer = kind(wide_space(), seed=0, surrogate=False)
    free = np.full(4, 1e9)
    for _ in range(N_TRIALS):
        [trial] = optimizer.ask()
        worker = int(np.argmin(free))
        rows = []
        for _ in range(5):
            times = {"fit_time": rng.exponential(), "score_time": 0.01}
            rows.append(SplitResult(start_time=free[worker], worker=worker, **times))
            free[worker] += times["fit_time"] + 0.02
        told = score(trial.params, rng)
        splits = told + 0.02 * rng.standard_normal(5)
        seconds = sum(row.fit_time for row in rows)
        optimizer.tell(
            [trial.complete(told, split_scores=splits, split_results=rows, duration=seconds)]
        )
    return optimizer


def measure():
    swarm, genetic = search_of(SwarmOptimizer), search_of(GeneticOptimizer)
    model = BayesOptimizer(wide_space(), seed=0)
    model.tell(swarm.trials)
    rows = []
    for name in plotting.__all__:
        search = {OF_GENETIC: genetic, OF_SWARM: swarm}.get(name, model)
        kinds = ({"kind": "slice"}, {"kind": "marginal"}) if name == "SliceDisplay" else ({},)
        for options in kinds:
            begin, begin_cpu = time.perf_counter(), time.process_time()
            if name == "ComparisonDisplay":
                display = plotting.ComparisonDisplay.from_searches({"a": swarm, "b": genetic})
            else:
                display = getattr(plotting, name).from_search(search, **options)
            made = time.process_time() - begin_cpu
            display.plot().figure_.canvas.draw()
            rows.append(
                {
                    "display": " ".join([name, *options.values()]),
                    "cpu_to_make": round(made, 3),
                    "cpu": round(time.process_time() - begin_cpu, 3),
                    "wall": round(time.perf_counter() - begin, 3),
                }
            )
    return rows


def pictures(folder: Path):
    """Draw the pictures of the guide."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    from sklearn_lepton import BayesSearchCV, GeneticSearchCV, SwarmSearchCV

    X, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), SVC())
    space = {
        "svc__C": (1e-2, 1e4, "log-uniform"),
        "svc__gamma": (1e-6, 1e0, "log-uniform"),
        "svc__kernel": ["rbf", "poly", "sigmoid"],
        "svc__shrinking": [True, False],
    }
    searches = {
        kind.__name__: kind(
            pipeline, space, n_iter=50, cv=3, scoring="accuracy", random_state=0, n_jobs=2,
        ).fit(X, y)
        for kind in (BayesSearchCV, SwarmSearchCV, GeneticSearchCV)
    }  # fmt: skip
    of = {"Swarm": searches["SwarmSearchCV"], "Lineage": searches["GeneticSearchCV"]}
    for name in plotting.__all__:
        short = name.removesuffix("Display")
        if short == "Comparison":
            display = plotting.ComparisonDisplay.from_searches(searches)
        else:
            search = of.get(short, searches["BayesSearchCV"])
            options = {"parameters": ["svc__C", "svc__gamma"]} if short == "Swarm" else {}
            display = getattr(plotting, name).from_search(search, **options)
        display.plot().figure_.savefig(folder / f"display_{short.lower()}.png", dpi=75)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pictures", type=Path, help="a folder; nothing is measured then")
    options = parser.parse_args()
    mpl.use("agg")
    if options.pictures:
        pictures(options.pictures)
    else:
        found = measure()
        for row in found:
            numbers = [row[key] for key in ("cpu_to_make", "cpu", "wall")]
            print(f"{row['display']:32}", *(f"{number:6.2f}" for number in numbers))
        if options.json:
            text = json.dumps(found, indent=1)
            options.json.write_text(text + "\n", encoding="utf-8")
