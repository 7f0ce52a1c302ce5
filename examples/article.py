"""The article in ten lines: seven learning rates, errors, direction changes, a picture."""

import fastgd
from fastgd import plots

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]
sweep = fastgd.sweep(X, y, alpha=[0.001, 0.01, 0.1, 1, 10, 100, 1000], record_every=500)

for run in sweep:
    changes = sum(layer.sum() for layer in run.direction_changes)
    print(f"alpha {run.alpha:>7g}: error {run.final_error:.6f}, {changes:>6,} direction changes")

plots.write(plots.errors(sweep).figure, "article.png")
print("Drawn to article.png")
