"""The boundary between learning rates that converge and those that don't, from near."""

import matplotlib.pyplot as plt

import fastgd
from fastgd import plots

# log10 of the learning rates of input and output layer:
window = ((5.375, 6.0), (1.5, 2.125))
found = fastgd.trainability(128, iterations=100, window=window)
figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.5))
figure.set_layout_engine("constrained", wspace=0.1)  # the labels of both stay apart
plots.trainability(found, ax=left)
plots.box_counts(found.box_counting(), ax=right)
plots.write(figure, "trainability-zoom.png")
