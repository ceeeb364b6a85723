r"""
A search on a dask cluster
==========================

You will know how to run the fits of a search on a cluster, here one of two workers on this machine.
It takes the extra: ``pip install "sklearn-lepton[dask]"``.
"""

# %%
# The search is the one of the quick start.

from distributed import Client, LocalCluster
from joblib import parallel_config
from scipy.stats import loguniform
from sklearn.datasets import load_breast_cancer
from sklearn.svm import SVC

from sklearn_lepton import BayesSearchCV

X, y = load_breast_cancer(return_X_y=True)
space = {"C": loguniform(1e-2, 1e4), "gamma": loguniform(1e-8, 1e-1)}
search = BayesSearchCV(SVC(), space, n_iter=30, random_state=0)

# %%
# ``parallel_config`` sends its fits to the cluster of the client: to all of its workers, as long as
# ``n_jobs`` is not given. The data go to each worker once. With up to five workers, one for each
# split, the trials are those of the same search without a cluster. For a cluster that runs
# elsewhere, write ``Client("scheduler-address:8786")`` in place of the two lines that make one.
#
# The workers are processes that import this file, so what must happen only once stands under
# ``if __name__ == "__main__"``, as in every program that starts processes.

if __name__ == "__main__":
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
        parallel_config(backend="dask"),
    ):
        search.fit(X, y)
    print(search.best_params_, round(search.best_score_, 4))

    # Each trial remembers which worker has run each of its splits.
    for worker in (0, 1):
        rows = [
            row for trial in search.trials_ for row in trial.split_results if row.worker == worker
        ]
        print(f"worker {worker}: {len(rows)} fits")
