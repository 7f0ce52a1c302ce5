"""The share of 1,000 seeds that solve the task, with Wilson's 95 % intervals."""

import fastgd
from fastgd import plots

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]
sizes, seeds = [1, 2, 3, 4, 6, 8, 16], range(1, 1001)
sweep = fastgd.sweep(
    X, y, hidden_size=sizes, alpha=[1, 10], seed=seeds, iterations=10_000
)
plots.write(plots.solved(sweep).figure, "solved.png")
