"""One fit of scikit-learn's MLPClassifier, for reference.

It minimises cross-entropy, has biases and counts nothing, so its weights can't be compared.
"""

import warnings
from collections.abc import Callable

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from workload import Work


def prepare(work: Work) -> Callable[[], object]:
    """Return a call that fits full-batch gradient descent without momentum or penalty."""
    classifier = MLPClassifier(
        work.hidden_size,
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        batch_size=len(work.X),
        learning_rate_init=work.alphas[0],
        momentum=0.0,
        nesterovs_momentum=False,
        shuffle=False,
        max_iter=work.iterations,
        tol=0.0,
        n_iter_no_change=work.iterations,
        random_state=1,
    )
    target = work.y.ravel().astype(int)

    def call() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return classifier.fit(work.X, target)

    return call
