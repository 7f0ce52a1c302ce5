"""The accuracies of docs/losses.md: ours to the digit, and none clearly below scikit-learn's."""

import re
import warnings

import numpy as np
import pytest

import fastgd
from document import ROOT
from fastgd.optimizers import Adam

PAGE = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
def test_accuracies_are_those_of_the_page(name):
    from sklearn import datasets
    from sklearn.model_selection import StratifiedShuffleSplit
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import scale

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    X = scale(X)
    folds = list(StratifiedShuffleSplit(10, test_size=0.3, random_state=0).split(X, y))
    sweep = fastgd.sweep(
        X, y, folds=folds, seed=range(5), hidden_size=32, activation="relu", output="softmax",
        loss="cross_entropy", bias=True, reduction="mean", init="glorot", optimizer=Adam(),
        alpha=0.01, iterations=200,
    )  # fmt: skip
    outputs = sweep.predict(X).argmax(axis=-1)  # (folds, seeds, samples)
    ours = np.mean([np.mean(outputs[i][:, test] == y[test]) for i, (_, test) in enumerate(folds)])
    theirs = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 200 iterations are few, it says
        for i, (train, test) in enumerate(folds):
            network = MLPClassifier(
                32, alpha=0, batch_size=len(train), learning_rate_init=0.01, max_iter=200, tol=0,
                n_iter_no_change=200, random_state=i,
            )  # fmt: skip
            theirs.append(network.fit(X[train], y[train]).score(X[test], y[test]))
    assert ours > np.mean(theirs) - 0.005
    shown = re.search(rf"\| {name.replace('_', ' ')} \| ([\d.]+) \|", PAGE)
    assert shown[1] == f"{ours:.3f}"
