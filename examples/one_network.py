"""Two classes, from arrays to a saved network: one network, its curve, then 50 seeds."""

from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

import fastgd
from fastgd import plots
from fastgd.optimizers import Adam

X, y = make_moons(200, noise=0.3, random_state=0)
X = (X - X.mean(axis=0)) / X.std(axis=0)
X_train, X_val, y_train, y_val = train_test_split(X, y, stratify=y, random_state=0)
network = {"hidden_size": 16, "activation": "relu", "bias": True, "init": "glorot"}
training = {"loss": "cross_entropy", "reduction": "mean", "optimizer": Adam(), "alpha": 0.01}
limits = {"iterations": 3000, "record_every": 10, "validation": (X_val, y_val), "patience": 200}
settings = network | training | limits | {"restore_best": True}

run = fastgd.train(X_train, y_train, **settings)
right = (run.predict(X_val)[:, 0] > 0.5) == y_val  # predict: the probability of class 1
print(f"{run.status} after {run.iterations} iterations, the best was {run.best_iteration}")
print(f"Accuracy on the validation set: {right.mean():.2f}")
print(f"Weights of the hidden layer: {run.weights[0].shape}, biases {run.biases[0].shape}")
run.save("one_network.npz")
print(f"Loaded: {(fastgd.load('one_network.npz').predict(X_val) == run.predict(X_val)).all()}")

sweep = fastgd.sweep(X_train, y_train, seed=range(50), **settings)
errors, outputs = sweep.final_validation_error, sweep.predict(X_val)[..., 0]
print(f"50 seeds: validation error {errors.mean():.3f} +- {errors.std():.3f}")
print(f"Standard deviation of a probability over the seeds: {outputs.std(axis=0).mean():.2f}")

plots.write(plots.errors(run).figure, "one_network.png")
print("Drawn to one_network.png")
