"""The learning rate of each optimizer in a race: python bench/race_alphas.py [NAME ...]

`Optimizer.race_alpha` is the alpha of 0.001, 0.002, 0.005, 0.01, ..., 500 with the smallest mean
error on the article's 3-4-1 network after 1,000 iterations, over the seeds 1 to 64. This searches
for it; the exit code is 1 if an optimizer has another one.
"""

import sys
import warnings

import numpy as np

import fastgd
from fastgd.optimizers import BY_COMMAND

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
Y = [0, 1, 1, 0]
ALPHAS = [float(f"{digit}e{power}") for power in range(-3, 3) for digit in (1, 2, 5)]


def best_alpha(kind: type[fastgd.optimizers.Optimizer]) -> float:
    """The alpha with the smallest mean final error; an error that is not finite is infinite."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sweep = fastgd.sweep(
            X, Y, alpha=ALPHAS, seed=range(1, 65), iterations=1000, optimizer=kind()
        )
    errors = np.where(np.isfinite(sweep.final_error), sweep.final_error, np.inf).mean(axis=1)
    return ALPHAS[int(errors.argmin())]


def main(names: list[str]) -> int:
    """Print the alphas, and say which differ."""
    differ = 0
    for name in names or BY_COMMAND:
        kind = BY_COMMAND[name]
        found = best_alpha(kind)
        differ += found != kind.race_alpha
        note = "" if found == kind.race_alpha else f"   race_alpha is {kind.race_alpha:g}"
        print(f"{name:18}{found:8g}{note}")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
