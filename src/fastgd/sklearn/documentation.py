"""Shared parts of the docstrings of the classifier and the regressor."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from textwrap import fill
from typing import TypeVar

PARAMETERS = """
hidden_layer_sizes : int or sequence of int
    Units of each hidden layer; ``()`` for no hidden layer.
activation : str or Function
    Activation of hidden units: "relu", "logistic", "tanh", "identity", another of fastgd's names
    (see the table of activations in the guide), or a custom :class:`fastgd.Function`.
solver : {"adam", "sgd", "lbfgs", "lm"} or Optimizer
    "sgd" uses ``momentum`` and ``nesterovs_momentum``; "lbfgs" is SciPy's L-BFGS-B on all samples.
    "lm" is :class:`fastgd.optimizers.LevenbergMarquardt` on all samples, for ``loss``
    "squared_error" and networks of at most 1,000 parameters; it has no learning rate. Or an
    optimizer of :mod:`fastgd.optimizers`, such as ``AdamW(weight_decay=0.1)``.
alpha : float
    L2 penalty: ``alpha / 2 * sum w**2`` is added to the sum of the losses of a batch. (In the rest
    of fastgd ``alpha`` is the learning rate.) Not used if ``regularization`` is "bayesian".
batch_size : int or "auto"
    Samples per mini-batch, at most all of them; "auto" is ``min(200, samples)``, with "lm" all.
learning_rate : {"constant", "invscaling", "adaptive"} or Schedule
    "invscaling" (only for "sgd") divides the learning rate by ``(1 + samples seen) ** power_t``,
    updated after each epoch. "adaptive" (only for "sgd") divides it by 5 whenever a fit would end,
    see ``tol``, and ends it once it is at most 1e-6. A schedule of :mod:`fastgd.schedules` changes
    it after each update.
learning_rate_init : float
    The initial learning rate.
power_t : float
    Exponent of "invscaling", see ``learning_rate``.
max_iter : int
    The most epochs; with "lbfgs" and "lm" the most iterations.
loss : str or Loss
    LOSS
shuffle : bool
    Whether to shuffle the samples in each epoch of mini-batches.
random_state : int, RandomState or None
    Source of the initial weights, the order of samples, dropout masks and the validation set. With
    an int, fits are bit-for-bit reproducible on any machine (except "lbfgs", for which SciPy makes
    no such promise).
tol : float
    A fit ends when ``n_iter_no_change`` epochs together have improved the loss by no more than
    ``n_iter_no_change * tol`` or, with ``early_stopping``, the validation score by no more than
    ``tol``. With "lbfgs" it is SciPy's ``gtol``; with "lm" a fit without ``early_stopping`` ends
    when no derivative of the loss is above it.
verbose : bool
    Print the losses of all epochs when the fit has ended.
warm_start : bool
    Start each further fit from the networks of the previous one, for the same classes; or the first
    one from ``coefs_`` and ``intercepts_``, if you have set them.
momentum : float
    Momentum of "sgd"; at least 0 and below 1.
nesterovs_momentum : bool
    Whether the momentum of "sgd" is Nesterov's.
early_stopping : bool
    Hold out ``validation_fraction`` of the samples as a validation set, stop when its score no
    longer improves, and restore the network with the best score.
validation_fraction : float
    Fraction of the samples in the validation set, see ``early_stopping``.
beta_1, beta_2, epsilon : float
    Hyperparameters of "adam".
n_iter_no_change : int or inf
    Patience in epochs, see ``tol``; inf never stops early.
max_fun : int
    Most evaluations of the loss by "lbfgs".
dropout : float
    Fraction of hidden units dropped in training, at least 0 and below 1.
batch_norm : bool
    Batch normalization of hidden layers.
regularization : {"given", "bayesian"}
    "bayesian" finds the decay of weights and biases from the training samples, in place of
    ``alpha``; only with "lm". ``members_[0].effective_parameters`` tells how many they determine.
init : str or tuple of str
    Initialization of the weights: "glorot", "he", "lecun", each also with "_normal", or a tuple
    with one per layer. Biases start at 0.
n_ensemble : int
    Number of networks, trained in parallel with different seeds; predictions are their mean.
options : dict, optional
    Further keyword arguments of :func:`fastgd.train`, such as ``{"clip_norm": 1.0}``, or parameters
    of the loss and the activation, such as ``{"tau": 0.9}``.
threads : int, optional
    Number of threads that train an ensemble; all by default.
device : str
    Where to train, as in :func:`fastgd.sweep`: "cpu", "cuda", "cuda:0" or "auto"; results are
    bit-identical. A GPU is for many networks: ensembles, searches, groups. With "lbfgs" it must be
    "cpu" or "auto", which is then the CPU.
"""

ATTRIBUTES = """
members_ : list of Run
    The networks of the ensemble; all other attributes are those of the first.
coefs_, intercepts_ : list of arrays
    Weights (inputs, outputs) and biases (outputs,) of each layer. The parameters of ``batch_norm``
    are in ``members_[0].normalization``.
learning_rate_ : float or None
    The learning rate at the end, that a further epoch would have; None with a schedule and with
    "lm". Not with "lbfgs".
loss_ : float
    The loss after the last epoch.
loss_curve_ : list of float
    The objective over all training samples after each epoch: mean loss plus penalty, but without
    the penalty of a "bayesian" ``regularization``. Not with "lbfgs".
best_loss_ : float or None
    The smallest value of ``loss_curve_``; None with ``early_stopping``.
validation_scores_ : list of float or None
    SCORE
best_validation_score_ : float or None
    The largest value of ``validation_scores_``.
n_iter_ : int
    Epochs of the last call; with "lbfgs" its iterations.
t_ : int
    Samples seen in all epochs together.
n_layers_, n_outputs_ : int
    Number of layers, including the input layer, and of outputs.
out_activation_ : str
    The activation of the outputs, by scikit-learn's name.
n_features_in_ : int
    Columns of X.
feature_names_in_ : (features,) array of str
    Names of the columns, if X has string names.
"""

Class = TypeVar("Class", bound=type)


def documented(*, loss: str, score: str) -> Callable[[Class], Class]:
    """Decorator: insert the shared parts into a class docstring, at their placeholders.

    ``loss`` describes the losses, ``score`` the validation score.
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
    """Wrap and indent a description for a docstring."""
    return fill(text, 100, initial_indent="    ", subsequent_indent="    ").strip()
