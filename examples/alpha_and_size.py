"""Which alpha suits which hidden size? A sweep over both and 200 seeds: a table and a picture."""

import fastgd
from fastgd import plots

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]
sweep = fastgd.sweep(
    X,
    y,
    hidden_size=[2, 3, 4, 6, 8],
    alpha=[0.1, 1, 10, 100],
    seed=range(200),
    iterations=5000,
    keep_weights=False,
)

table = sweep.to_dataframe()
table["solved"] = table["final_error"] < 0.1
shares = table.pivot_table(index="hidden_size", columns="alpha", values="solved", aggfunc="mean")
print("Share of seeds that solve the task, by hidden size (rows) and alpha (columns):")
print(shares.to_string(float_format="{:.0%}".format))

plots.write(plots.solved(sweep).figure, "alpha_and_size.png")
print("Drawn to alpha_and_size.png")
