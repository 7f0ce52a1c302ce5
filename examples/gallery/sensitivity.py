"""Which inputs matter: derivatives of the price, their means and at each house."""

import numpy as np

import fastgd
from fastgd import plots

random = np.random.default_rng(0)
size, built = random.integers(30, 200, 400), random.integers(1900, 2020, 400)
city = random.choice(["Oslo", "Rome"], 400)
houses = {"size": size, "built": built, "city": city}
price = 3 * size * (1 + (city == "Rome")) + 0.5 * (built - 1900)

model = fastgd.fit({**houses, "price": price}, target="price")
bars, *curves = plots.sensitivity(model, houses, standardized=True)
plots.write(bars.figure, "sensitivity.png")
