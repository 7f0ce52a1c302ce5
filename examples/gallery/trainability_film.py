"""A zoom into a linear network's boundary: 24 maps, the last 418 times as narrow."""

import fastgd
from fastgd import plots

maps = fastgd.trainability_zoom(
    frames=24,
    factor=1.3,
    resolution=80,
    iterations=100,
    activation="identity",
    window=((-1, 3), (-1, 3)),
)
plots.zoom_film(maps, "trainability-zoom.gif")
