"""The norm of the gradient against iteration: per learning rate, medians of seeds."""

import fastgd
from fastgd import plots

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]
alphas = [0.1, 1, 10, 100]
sweep = fastgd.sweep(
    X,
    y,
    alpha=alphas,
    seed=range(1, 101),
    iterations=2000,
    measure="gradient_norm",
    measure_every=20,
)
plots.write(plots.measured(sweep).figure, "measured.png")
