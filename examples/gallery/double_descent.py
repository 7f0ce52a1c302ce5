"""Double descent: the test error falls, rises, and falls again as the network grows.

Its peak is where the network has as many parameters as there are samples, and just
manages to fit their noise; larger networks fit it in smoother ways (Belkin and others,
PNAS 2019; Nakkiran and others, 2020, arXiv 1912.02292). All weights are trained, by
Levenberg-Marquardt, from 30 seeds. With exact targets the peak is small. The second
descent ends above the first minimum here.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastgd
from fastgd import plots
from fastgd.optimizers import LevenbergMarquardt

random = np.random.default_rng(0)
X, X_test = random.normal(size=(60, 4)), random.normal(size=(300, 4))
noise = random.normal(0, 0.3, (60, 1))


def truth(X):
    """What is to be learned; the fourth input does not matter."""
    return np.sin(1.5 * X[:, [0]]) + np.tanh(2 * X[:, [1]] + X[:, [2]])


sizes = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20, 24, 32, 48])
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for color, name, y in ("C0", "exact", truth(X)), ("C1", "noisy", truth(X) + noise):
    sweep = fastgd.sweep(
        X,
        y,
        hidden_size=sizes.tolist(),
        seed=range(1, 31),
        activation="tanh",
        output="identity",
        bias=True,
        init="glorot",
        optimizer=LevenbergMarquardt(),
        reduction="mean",
        iterations=100,
        validation=(X_test, truth(X_test)),
        record_every=100,
        keep_weights=False,
    )
    low, middle, high = np.quantile(
        sweep.final_validation_error, [0.25, 0.5, 0.75], axis=1
    )
    ax.plot(sizes, middle, "o-", color=color, label=f"test error, {name} targets")
    ax.fill_between(sizes, low, high, color=color, alpha=0.2, linewidth=0)
    training = np.median(sweep.final_error, axis=1)
    ax.plot(sizes, training, "--", color=color, label=f"training error, {name} targets")
ax.axvline(
    59 / 6, color="0.6", linestyle=":", label="as many parameters as samples (60)"
)
ax.set(xscale="log", xlabel="hidden units", ylabel="mean absolute error")
ax.set_xticks([1, 2, 4, 8, 16, 32], labels=["1", "2", "4", "8", "16", "32"])
ax.set_title("Double descent: median and quartiles of 30 seeds")
ax.legend(fontsize="small")
plots.write(figure, "double-descent.png")
