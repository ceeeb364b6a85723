"""From trials asked to trials finished: loop, evaluator, pruning, fidelity, scikit-learn's fits."""
