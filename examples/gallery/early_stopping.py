"""Training and validation error (dashed); a triangle marks the best iteration."""

from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import fastgd
from fastgd import plots

data = load_diabetes()
X, y = (
    (part - part.mean(axis=0)) / part.std(axis=0) for part in (data.data, data.target)
)
X_train, X_val, y_train, y_val = train_test_split(X, y, random_state=0)
run = fastgd.train(
    X_train,
    y_train,
    hidden_size=16,
    activation="tanh",
    output="identity",
    bias=True,
    alpha=0.0003,
    iterations=3000,
    record_every=10,
    validation=(X_val, y_val),
    evaluate_every=10,
)
plots.write(plots.errors(run).figure, "early-stopping.png")
