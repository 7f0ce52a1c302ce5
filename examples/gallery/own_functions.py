"""An activation (Snake) and a loss (Cauchy) of your own, on a sine with outliers."""

import matplotlib.pyplot as plt
import numpy as np

import fastgd
from fastgd.functions import log, sin
from fastgd.optimizers import Adam

snake = fastgd.Function(lambda a, beta: a + sin(beta * a) ** 2 / beta, beta=2)
cauchy = fastgd.Loss(lambda y, v, c: log(1 + ((y - v) / c) ** 2), c=1)
random, line = np.random.default_rng(0), np.linspace(-5, 5, 400)[:, None]
x, outliers = random.uniform(-3, 3, (80, 1)), random.normal(0, 4, (80, 1))
y = np.sin(3 * x) + random.normal(0, 0.1, (80, 1))
y += outliers * (np.arange(80) % 8 == 0)[:, None]

shared = {
    "hidden_size": 8,
    "bias": True,
    "output": "identity",
    "optimizer": Adam(),
    "alpha": 0.02,
    "reduction": "mean",
    "iterations": 3000,
    "seed": range(10),
    "validation": (line, np.sin(3 * line)),
}
mine = fastgd.sweep(
    x, y, activation=snake, loss=cauchy, beta=[1, 2, 4], c=[0.1, 0.3, 1], **shared
)
usual = fastgd.sweep(x, y, activation="tanh", **shared)

plt.plot(x, y, ".", label="samples")
plt.plot(line, np.sin(3 * line), "k:", label="the truth")
plt.plot(line, mine.best().predict(line), label="snake, Cauchy")
plt.plot(line, usual.best().predict(line), label="tanh, squared")
plt.ylim(-3, 3)
plt.legend()
plt.savefig("own-functions.png")
