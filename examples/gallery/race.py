"""All optimizers from the same initial weights: errors, and paths on a surface."""

import fastgd
from fastgd import plots

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]
race = fastgd.race(X, y)
errors, paths = plots.race(race, race.surface())
plots.write(errors.figure, "race.png")
