"""The error for every pair of weights of a 2-1 network, with a training's path."""

import fastgd
from fastgd import plots

X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
run = fastgd.train(
    X, y, hidden_size=(), iterations=10_000, record_every=10, record_weights=True
)
plane = fastgd.surface(
    X, y, run, axes=((0, 0, 0), (0, 1, 0)), span=(-10, 10), resolution=201
)
plots.write(plots.surface(plane, paths=run).figure, "surface.png")
