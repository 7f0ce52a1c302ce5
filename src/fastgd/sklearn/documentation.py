"""What the docstrings of the classifier and the regressor have in common, written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from textwrap import fill
from typing import TypeVar

PARAMETERS = """
hidden_layer_sizes : int or sequence of int
    Units of each hidden layer; ``()`` for none.
activation : str or Function
    Hidden units: "relu", "logistic", "tanh", "identity", any other of fastgd's names (see the table
    of activations in the guide), or a :class:`fastgd.Function` of your own.
solver : {"adam", "sgd", "lbfgs"} or Optimizer
    "sgd" has ``momentum`` and ``nesterovs_momentum``; "lbfgs" is SciPy's L-BFGS-B over all samples;
    or any of :mod:`fastgd.optimizers`, such as ``AdamW(weight_decay=0.1)``.
alpha : float
    L2 penalty: ``alpha / 2 * sum w**2`` is added to the sum of the losses of a batch.
batch_size : int or "auto"
    Samples of a mini-batch, at most all of them; "auto" is ``min(200, samples)``.
learning_rate : {"constant", "invscaling"} or Schedule
    "invscaling" (only for "sgd") divides it by ``(1 + samples seen) ** power_t`` from epoch to
    epoch; a :mod:`fastgd.schedules` changes it from update to update. scikit-learn's "adaptive" is
    refused.
learning_rate_init : float
    The learning rate, at first.
power_t : float
    See ``learning_rate``.
max_iter : int
    Most epochs; with "lbfgs" most iterations.
loss : str or Loss
    LOSS
shuffle : bool
    Shuffle the samples in every epoch of mini-batches.
random_state : int, RandomState or None
    Where first weights, the order of samples, dropout and held-out samples are drawn from. With an
    int the same fit has the same bits, whatever the machine ("lbfgs": SciPy promises none).
tol : float
    A fit is over when ``n_iter_no_change`` epochs have improved the loss by less than ``tol`` each,
    or, with ``early_stopping``, the validation score by less than ``tol`` altogether.
verbose : bool
    Print the losses of all epochs, once the fit is over.
warm_start : bool
    Start a further fit from the networks of the one before.
momentum : float
    Of "sgd"; at least 0 and below 1.
nesterovs_momentum : bool
    Of "sgd".
early_stopping : bool
    Hold out ``validation_fraction`` of the samples, stop when their score gets no better, and keep
    the network of the best score.
validation_fraction : float
    See ``early_stopping``.
beta_1, beta_2, epsilon : float
    Of "adam".
n_iter_no_change : int or inf
    See ``tol``.
max_fun : int
    Most calls of the loss by "lbfgs".
dropout : float
    Rate of hidden units left out in training, at least 0 and below 1.
batch_norm : bool
    Batch normalization of hidden layers.
init : str or tuple of str
    How first weights are drawn: "glorot", "he", "lecun", each also with "_normal", or one for each
    layer. Biases start at 0.
n_ensemble : int
    Networks that differ in their seeds, trained side by side. What is predicted is their mean.
options : dict, optional
    Further keyword arguments of :func:`fastgd.train`, such as ``{"clip_norm": 1.0}``, or numbers
    of the functions, such as ``{"tau": 0.9}``.
threads : int, optional
    How many threads train an ensemble; all by default.
"""

ATTRIBUTES = """
members_ : list of Run
    The networks, one for each member; all other attributes are those of the first.
coefs_, intercepts_ : list of arrays
    Weights (inputs, outputs) and biases (outputs,) of each layer. With ``batch_norm`` the rest of
    the network stands in ``members_[0].normalization``.
loss_ : float
    The loss after the last epoch.
loss_curve_ : list of float
    What is minimized, of all training samples after each epoch: the mean of their losses, and
    the penalty. Not with "lbfgs".
best_loss_ : float or None
    The smallest of them; None with ``early_stopping``.
validation_scores_ : list of float or None
    SCORE
best_validation_score_ : float or None
    The largest of them.
n_iter_ : int
    Epochs of the last call; with "lbfgs" iterations.
t_ : int
    Samples seen, over all epochs.
n_layers_, n_outputs_ : int
    Layers, with that of the inputs; outputs.
out_activation_ : str
    The output units, by scikit-learn's name.
n_features_in_ : int
    Columns of X.
feature_names_in_ : (features,) array of str
    Their names, if X had some.
"""

Class = TypeVar("Class", bound=type)


def documented(*, loss: str, score: str) -> Callable[[Class], Class]:
    """Decorator: put what both have in common where the docstring says so.

    ``loss`` says which losses there are, ``score`` what a validation score is.
    """

    def document(cls: Class) -> Class:
        text = inspect.cleandoc(cls.__doc__ or "")
        for place, both, word, own in (
            ("<those of both>", PARAMETERS, "LOSS", loss),
            ("<attributes of both>", ATTRIBUTES, "SCORE", score),
        ):
            text = text.replace(place, both.strip().replace(word, _inside(own)))
        cls.__doc__ = text
        return cls

    return document


def _inside(text: str) -> str:
    """Text in lines below a name."""
    return fill(text, 100, initial_indent="    ", subsequent_indent="    ").strip()
