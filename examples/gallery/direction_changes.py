"""How often each weight's derivative changed its direction: a map per layer."""

import fastgd
from fastgd import plots

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]
run = fastgd.train(X, y, alpha=10)
first, second = plots.direction_changes(run)
plots.write(first.figure, "direction-changes.png")
