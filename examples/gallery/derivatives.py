"""An option's price and slope, learned with and without derivatives, and the truth."""

from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np

import fastgd
from fastgd import plots
from fastgd.optimizers import Adam
from fastgd.schedules import Cosine

random = np.random.default_rng(0)
today = random.uniform(0.5, 1.5, (8 * 256, 1))
later = today * np.exp(random.normal(-0.02, 0.2, today.shape))
payoff, slope = np.maximum(later - 1, 0), (later > 1) * later / today
options = fastgd.sweep(
    today - 1,
    payoff,
    gradients=slope,
    gradient_weight=[0, 1],  # without and with the derivatives
    groups=np.repeat(range(8), 256),  # eight networks, each with 256 samples
    hidden_size=(20, 20),
    activation="tanh",
    output="identity",
    bias=True,
    init="glorot",
    optimizer=Adam(),
    schedule=Cosine(2000),
    alpha=0.02,
    iterations=2000,
    reduction="mean",
)

at = np.linspace(0.5, 1.5, 101)[:, None]
cdf, d = np.vectorize(NormalDist().cdf), np.log(at) / 0.2 + 0.1
price = options.predict(at - 1)[..., 0], at * cdf(d) - cdf(d - 0.2)  # Black and Scholes
delta = options.gradient(at - 1)[..., 0, 0], cdf(d)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(
    today[:256], payoff[:256], ".", color="0.75", ms=3, label="samples of one network"
)
labels = [("tab:orange", "payoffs only"), ("tab:blue", "with their derivatives")]
for axes, (learned, exact) in (left, price), (right, delta):
    for k, (color, label) in enumerate(labels):
        axes.plot(at, learned[:, k].T, color=color, linewidth=1)[0].set_label(label)
    axes.plot(at, exact, "k--", label="Black and Scholes")
    axes.set_xlabel("price of the stock today")
left.set(title="price", ylim=(-0.05, 0.7))
right.set(title="slope", ylim=(-0.3, 1.3))
left.legend(loc="upper left")
plots.write(figure, "derivatives.png")
