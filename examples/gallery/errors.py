"""Error against iteration: per learning rate the median of the seeds, and quartiles."""

import fastgd
from fastgd import plots

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]
alphas = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
sweep = fastgd.sweep(X, y, alpha=alphas, seed=range(1, 101), record_every=500)
plots.write(plots.errors(sweep).figure, "errors.png")
