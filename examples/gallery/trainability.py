"""Which pairs of learning rates converge, and the box-counting dimension of their boundary."""

import fastgd
from fastgd import plots

found = fastgd.trainability(192, iterations=200)
plots.write(plots.trainability(found).figure, "trainability.png")
plots.write(plots.box_counts(found.box_counting()).figure, "trainability-boxes.png")
