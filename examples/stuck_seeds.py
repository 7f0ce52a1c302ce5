"""Which seeds get stuck? Ten thousand networks of three hidden units that learn XOR."""

import numpy as np

import fastgd

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]
sweep = fastgd.sweep(X, y, hidden_size=3, alpha=10, seed=range(10_000), iterations=5000)

stuck = sweep.final_error > 0.1
print(f"{stuck.sum():,} of {stuck.size:,} seeds are stuck after 5,000 iterations")

# A stuck network answers some samples with 0.5 or worse. Which, and how often?
seeds = np.flatnonzero(stuck)
wrong = np.array([np.abs(y - sweep[seed].predict(X).ravel()) > 0.4 for seed in seeds])
patterns, counts = np.unique(wrong, axis=0, return_counts=True)
for at in np.argsort(-counts):
    samples = [X[i][:2] for i in np.flatnonzero(patterns[at])]
    print(f"{counts[at]:>5,} seeds are wrong on {samples}")
