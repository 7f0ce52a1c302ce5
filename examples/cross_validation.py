"""Which learning rate and penalty? Five folds, six settings, eight seeds: 240 networks at once."""

import numpy as np
from sklearn.datasets import load_breast_cancer

import fastgd
from fastgd import plots

X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
rows = np.random.default_rng(0).permutation(len(X))
axes = {"alpha": [0.003, 0.01, 0.03], "l2": [0, 0.1], "seed": range(8)}
network = {"hidden_size": 16, "iterations": 300, "record_every": 10}
sweep = fastgd.sweep(X[rows], y[rows], folds=5, **network, **axes)

table = sweep.to_dataframe()
means = table.groupby(["alpha", "l2"]).final_validation_error.agg(["mean", "std"])
print("Held-out error over folds and seeds:")
print(means.to_string(float_format="{:.4f}".format))
alpha, l2 = means["mean"].idxmin()
print(f"Best: alpha {alpha:g}, l2 {l2:g}")

plots.write(plots.errors(sweep).figure, "cross_validation.png")
print("Drawn to cross_validation.png")
