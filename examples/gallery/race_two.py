"""Two optimizers with values of your own, on another two weights of the network."""

import fastgd
from fastgd import plots
from fastgd.optimizers import Adam, Momentum

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]
race = fastgd.race(X, y, [(Adam(), 0.01), Momentum(momentum=0.5)])
window = race.surface(axes=((0, 0, 0), (1, 0, 0)), span=(-8, 8))
errors, paths = plots.race(race, window)
plots.write(errors.figure, "race-two.png")
