"""Extremely randomised regression trees, for plateaus, cliffs and columns without effect.

All trees grow together, level by level: a level takes the same few numpy calls for any number
of trees. scikit-learn's ``ExtraTreesRegressor`` has no categorical splits, and this package
does not import scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_lepton._surrogate.kernel import BoolArray, FloatArray, IntArray

_N_TREES = 12
_MIN_SPLIT = 3  # observations in a node that may be split
_SHARE_OF_COLUMNS = 5.0 / 6.0  # considered for the split of a node
_PURE = 1e-10  # variance of a node that is not split
_MIN_VARIANCE = 1e-10  # of a prediction


@dataclass(frozen=True, eq=False)
class Forest:
    """A forest of bootstrapped trees with random thresholds.

    Attributes
    ----------
    column : ndarray of shape (n_nodes,), int
        Column by which each node is split; -1 in leaves. The roots come first.
    threshold : ndarray of shape (n_nodes,)
        Values up to the threshold go left; in categorical columns, only values equal to it.
    left : ndarray of shape (n_nodes,), int
        Left child; the right child is the next node.
    mean, variance : ndarray of shape (n_nodes,)
        Mean and variance of the observations in each node.
    categorical : ndarray of shape (d,), bool
        Unordered columns.
    n_trees : int
        Number of trees.
    sample : ndarray of shape (n_trees, n), int
        Observations in the bootstrap sample of each tree.

    References
    ----------
    P. Geurts, D. Ernst, L. Wehenkel, Extremely randomized trees, Machine Learning 63,
    2006, doi:10.1007/s10994-006-6226-1.

    F. Hutter, L. Xu, H. H. Hoos, K. Leyton-Brown, Algorithm runtime prediction, Artificial
    Intelligence 206, 2014, arXiv:1211.0906, section 4.3.2 for the variance.
    """

    column: IntArray
    threshold: FloatArray
    left: IntArray
    mean: FloatArray
    variance: FloatArray
    categorical: BoolArray
    n_trees: int
    sample: IntArray

    @classmethod
    def fit(
        cls,
        X: FloatArray,
        y: FloatArray,
        categorical: BoolArray,
        rng: np.random.Generator,
        n_trees: int = _N_TREES,
    ) -> Forest:
        """Return a forest fitted to observations.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Observed points, n >= 1, d >= 1.
        y : ndarray of shape (n,)
            Standardised scores.
        categorical : ndarray of shape (d,), bool
            Unordered columns.
        rng : numpy.random.Generator
            Generator of the bootstraps and the thresholds.
        n_trees : int, default=12
            Number of trees.

        Returns
        -------
        Forest
        """
        n = len(y)
        # A bootstrap sample for each tree.
        drawn = rng.integers(n, size=n_trees * n)
        # One row for each observation of each tree; the rows of a node are contiguous.
        node = np.repeat(np.arange(n_trees), n)
        points, scores = X[drawn], y[drawn]
        columns, thresholds, lefts, means, variances = [], [], [], [], []
        first, n_nodes = 0, n_trees
        while len(node):
            local = node - first
            (column, threshold, mean, variance), goes_left = _grow(
                points, scores, local, categorical, rng
            )
            is_split = column >= 0
            # The children of a level are numbered in pairs, after all nodes so far.
            left = np.where(is_split, n_nodes + 2 * (np.cumsum(is_split) - 1), -1)
            columns.append(column)
            thresholds.append(threshold)
            lefts.append(left)
            means.append(mean)
            variances.append(variance)

            # Only rows of nodes that were split descend to the next level.
            kept = is_split[local]
            node = left[local][kept] + ~goes_left[kept]
            order = np.argsort(node, kind="stable")
            node, points, scores = node[order], points[kept][order], scores[kept][order]
            first, n_nodes = n_nodes, n_nodes + 2 * int(is_split.sum())
        return cls(
            column=np.concatenate(columns),
            threshold=np.concatenate(thresholds),
            left=np.concatenate(lefts),
            mean=np.concatenate(means),
            variance=np.concatenate(variances),
            categorical=categorical,
            n_trees=n_trees,
            sample=drawn.reshape(n_trees, n),
        )

    def leaves(self, Xs: FloatArray) -> IntArray:
        """Return the leaf of each point in each tree, of shape (m, n_trees)."""
        m = len(Xs)
        node = np.tile(np.arange(self.n_trees), m)
        row = np.repeat(np.arange(m), self.n_trees)
        has_choices = bool(np.any(self.categorical))
        active = np.arange(len(node))  # pairs of point and tree that have not reached a leaf
        while True:
            parent = node[active]
            column = self.column[parent]
            is_split = column >= 0
            active, parent, column = active[is_split], parent[is_split], column[is_split]
            if not len(active):
                return node.reshape(m, self.n_trees)
            x, threshold = Xs[row[active], column], self.threshold[parent]
            goes_right = x > threshold
            if has_choices:
                goes_right = np.where(self.categorical[column], x != threshold, goes_right)
            node[active] = self.left[parent] + goes_right

    def predict(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and deviation over the trees and within their leaves.

        Parameters
        ----------
        Xs : ndarray of shape (m, d)
            Points.

        Returns
        -------
        mean : ndarray of shape (m,)
            Mean of the trees.
        std : ndarray of shape (m,), > 0
            Deviation of a mixture with a normal component for each tree.
        """
        return self._moments(self.leaves(Xs), np.ones((1, self.n_trees)))

    def predict_out_of_bag(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Predict each observation by the trees whose bootstrap sample it is not in.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            The observed points that the forest was fitted to.

        Returns
        -------
        mean, std : ndarray of shape (n,)
            As by `predict`. An observation that is in all samples is predicted by all trees.
        """
        is_out = np.ones((len(X), self.n_trees))
        is_out[self.sample.T, np.arange(self.n_trees)] = 0.0
        is_out[~is_out.any(axis=1)] = 1.0
        return self._moments(self.leaves(X), is_out)

    def _moments(self, leaf: IntArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and deviation of a mixture of trees, with weights (m, n_trees)."""
        weight = weight / weight.sum(axis=1, keepdims=True)
        # Law of total variance: between the trees' means plus within their leaves.
        means = self.mean[leaf]
        mean = (weight * means).sum(axis=1)
        variance = (weight * ((means - mean[:, None]) ** 2 + self.variance[leaf])).sum(axis=1)
        return mean, np.sqrt(variance + _MIN_VARIANCE)


def _grow(
    points: FloatArray,
    scores: FloatArray,
    node: IntArray,
    categorical: BoolArray,
    rng: np.random.Generator,
) -> tuple[tuple[IntArray, FloatArray, FloatArray, FloatArray], BoolArray]:
    """Split each node of a level, at the best of one random threshold for each column.

    Return the column, threshold, mean and variance of each node, and whether each observation
    goes left. ``node`` is ascending, so that ``reduceat`` sums over the rows of a node.
    """
    # Statistics of the nodes.
    count = np.bincount(node)
    start = np.cumsum(count) - count
    total = np.add.reduceat(scores, start)
    mean = total / count
    variance = np.maximum(np.add.reduceat(scores * scores, start) / count - mean * mean, 0.0)

    # One threshold for each node and column: uniform over the node's range, or the category
    # of one of its observations.
    lower, upper = np.minimum.reduceat(points, start), np.maximum.reduceat(points, start)
    threshold = lower + rng.random(lower.shape) * (upper - lower)
    drawn = start + (rng.random(len(count)) * count).astype(np.intp)
    threshold[:, categorical] = points[drawn][:, categorical]
    cut = threshold[node]
    goes_left = np.where(categorical, points == cut, points <= cut)

    # The reduction of squared error is largest where sum_l^2 / n_l + sum_r^2 / n_r is.
    # Counting in integers is four times as fast.
    n_left = np.add.reduceat(goes_left, start, dtype=np.intp).astype(np.float64)
    left = np.add.reduceat(goes_left * scores[:, None], start)
    n_right, right = count[:, None] - n_left, total[:, None] - left
    is_legal = (n_left > 0) & (n_right > 0)
    gain = left**2 / np.maximum(n_left, 1.0) + right**2 / np.maximum(n_right, 1.0)
    gain[~is_legal] = -np.inf
    # A node has a random subset of the columns; the others serve only if none of it can split.
    is_considered = rng.random(gain.shape) < _SHARE_OF_COLUMNS
    column = np.argmax(np.where(is_considered | ~is_legal, gain, -1.0), axis=1)

    rows = np.arange(len(count))
    is_split = is_legal[rows, column] & (count >= _MIN_SPLIT) & (variance > _PURE)
    went_left = goes_left[np.arange(len(node)), column[node]]
    column = np.where(is_split, column, -1)
    return (column, threshold[rows, np.maximum(column, 0)], mean, variance), went_left
