"""Each weight over the iterations: colors for hidden units, dashes for inputs."""

import fastgd
from fastgd import plots

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]
run = fastgd.train(
    X, y, alpha=10, iterations=2000, record_every=10, record_weights=True
)
first, second = plots.weight_paths(run)
plots.write(first.figure, "weight-paths.png")
