"""Where 30 networks, alike but for the seed, see the border between two classes."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

import fastgd
from fastgd import plots
from fastgd.optimizers import Adam

X, y = make_moons(60, noise=0.25, random_state=0)
sweep = fastgd.sweep(
    X,
    y,
    hidden_size=8,
    seed=range(30),
    activation="tanh",
    bias=True,
    init="glorot",
    loss="cross_entropy",
    reduction="mean",
    optimizer=Adam(),
    alpha=0.02,
    iterations=1000,
)

across, up = np.meshgrid(np.linspace(-2, 3, 150), np.linspace(-1.5, 2, 150))
points = np.column_stack([across.ravel(), up.ravel()])
# A map for each network:
probability = sweep.predict(points)[..., 0].reshape(30, *across.shape)

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
# The samples have the strong colors:
pale = {"cmap": "RdBu_r", "vmin": -0.7, "vmax": 1.7}
mean = ax.contourf(across, up, probability.mean(axis=0), np.linspace(0, 1, 21), **pale)
for each in probability:
    ax.contour(across, up, each, [0.5], colors="black", linewidths=0.4)
ax.scatter(*X.T, c=y, cmap="RdBu_r", vmin=-0.15, vmax=1.15, edgecolors="white")
figure.colorbar(
    mean, label="mean probability of class 1", ticks=[0, 0.25, 0.5, 0.75, 1]
)
ax.set(
    title="Lines: the borders of 30 networks",
    xlabel="first input",
    ylabel="second input",
)
plots.write(figure, "decision-map.png")
