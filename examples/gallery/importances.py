"""Which columns a model of house prices uses, and how predictions change with one."""

import numpy as np

import fastgd
from fastgd import plots

random = np.random.default_rng(0)
size, built = random.integers(30, 200, 600), random.integers(1900, 2020, 600)
city = random.choice(["Bonn", "Oslo", "Rome"], 600, p=[0.5, 0.3, 0.2])
price = (
    3 * size * (1 + (city == "Rome"))
    + 0.02 * (built - 1960) ** 2
    + random.normal(0, 20, 600)
)
houses = {"size": size, "built": built, "city": city, "noise": random.normal(size=600)}
houses["price"] = price

model = fastgd.fit(
    {name: column[:400] for name, column in houses.items()}, target="price"
)
new = {name: column[400:] for name, column in houses.items()}
plots.write(plots.importances(model, new).figure, "importances.png")
plots.write(plots.partial(model, new, "built").figure, "partial.png")
