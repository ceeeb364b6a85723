r"""
Resuming a search from a journal
================================

You will kill a search while it runs and resume it with the same call, without repeating a fit.
"""

# %%
# The search below keeps a journal, a file to which each trial is written when it is proposed and
# each fit when it ends. It is a separate script, so that it can be killed.

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt

from sklearn_lepton import load_trials

SCRIPT = """
import sys
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn_lepton import BayesSearchCV

X, y = load_breast_cancer(return_X_y=True)
search = BayesSearchCV(
    HistGradientBoostingClassifier(max_iter=30, random_state=0),
    {
        "learning_rate": (0.01, 1.0, "log-uniform"),
        "max_leaf_nodes": (4, 64, "log-int"),
        "l2_regularization": (1e-6, 10.0, "log-uniform"),
    },
    n_iter=20,
    cv=3,
    scoring="roc_auc",
    random_state=0,
    journal=sys.argv[1],
)
search.fit(X, y)
print(f"{len(search.trials_)} trials, best score {search.best_score_:.5f}")
"""

folder = tempfile.TemporaryDirectory()
journal = Path(folder.name) / "study.jsonl"
command = [sys.executable, "-c", SCRIPT, str(journal)]


def n_fits():
    """Count the fits in the journal."""
    return journal.read_text().count('"row"') if journal.exists() else 0


# %%
# The example starts it and kills it once 25 of its 60 fits have ended, with a signal that no
# program can catch.

process = subprocess.Popen(command)
while n_fits() < 25 and process.poll() is None:
    time.sleep(0.01)
process.send_signal(signal.SIGKILL)
process.wait()
n_before = n_fits()
print(f"killed with {n_before} fits in the journal")

# %%
# The same command reads the journal, runs the interrupted split again, and continues. Its result
# equals that of an undisturbed search, which runs for comparison with another journal.

print(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
print(f"fits run after the kill: {n_fits() - n_before}")

undisturbed = journal.with_name("undisturbed.jsonl")
subprocess.run([*command[:-1], str(undisturbed)], capture_output=True, check=True)
trials, reference = load_trials(journal), load_trials(undisturbed)
same = [(t.params, t.split_scores) for t in trials]
same = same == [(t.params, t.split_scores) for t in reference]
print(f"the same as undisturbed: {same}")

# %%
# ``load_trials`` reads a journal without the estimator and the data, also while the search runs:
# as a list of trials, or with ``as_frame=True`` as a DataFrame. Each line is a readable JSON
# object.

print(load_trials(journal, as_frame=True).round(4).tail(4).to_string())
for line in journal.read_text().splitlines()[1:4]:
    print(line[:96], "...")

# %%
# The split results of a trial have the time of each fit, and so show which process ran it.

ends = [max(row.start_time for row in trial.split_results) for trial in trials]
pause = max(range(1, len(ends)), key=lambda k: ends[k] - ends[k - 1])
figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
best = [max(t.score for t in trials[: k + 1]) for k in range(len(trials))]
axis.step(range(len(best)), best, where="post", color="0.6", label="best so far")
for part, color, label in (
    (trials[:pause], "C0", "first process"),
    (trials[pause:], "C1", "second process"),
):
    axis.plot([t.number for t in part], [t.score for t in part], "o", color=color, label=label)
axis.axvline(pause - 0.5, color="black", lw=1, ls="--")
axis.annotate(
    "killed here", (pause - 0.5, min(t.score for t in trials)), (6, 0), textcoords="offset points"
)
axis.set(xlabel="trial number", ylabel="mean ROC AUC", xticks=range(0, len(trials), 2))
axis.legend(loc="lower right")
plt.show()
folder.cleanup()
