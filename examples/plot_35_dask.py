r"""
A search on a dask cluster
==========================

You will learn how to run the fits of a search on a cluster, here one of two workers on this
machine. This needs the extra: ``pip install "sklearn-lepton[dask]"``.
"""

# %%
# The search is that of the quick start.

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
# ``parallel_config`` sends the fits to the cluster of the client, to all of its workers unless
# ``n_jobs`` is given. The data are sent to each worker once. With up to five workers, one for
# each split, the trials are the same as without a cluster. For a remote cluster, write
# ``Client("scheduler-address:8786")`` instead of the two lines that create one.
#
# The workers are processes that import this file. Code that must run only once is therefore under
# ``if __name__ == "__main__"``, as in every program that starts processes.

if __name__ == "__main__":
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
        parallel_config(backend="dask"),
    ):
        search.fit(X, y)
    print(search.best_params_, round(search.best_score_, 4))

    # Each split result has the worker that ran it.
    for worker in (0, 1):
        rows = [
            row for trial in search.trials_ for row in trial.split_results if row.worker == worker
        ]
        print(f"worker {worker}: {len(rows)} fits")
