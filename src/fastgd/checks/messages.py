"""How messages show the values that were given, and what they suggest instead."""

import reprlib
import sys
from collections.abc import Collection, Iterable, Sized

import numpy as np

_SHOWN = 60
_repr = reprlib.Repr()
_repr.maxlong = _repr.maxstring = _repr.maxother = _SHOWN


def length(value: Sized) -> int:
    """Return the length, or sys.maxsize if it is larger than that."""
    try:
        return len(value)
    except OverflowError:  # range(10**30)
        return sys.maxsize


def shown(value: object) -> str:
    """Return the value's repr, on one line and cut to 60 characters."""
    plain = value.item() if isinstance(value, np.generic) else value
    try:
        text = " ".join(_repr.repr(plain).split())
    except Exception:  # an object's own __repr__ may raise anything, and a huge int's does
        return f"a value of type {type(value).__name__}"
    return shortened(text)


def shortened(text: str, most: int = _SHOWN) -> str:
    """Return the text, or its beginning and three dots if it has more characters than this."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def escaped(text: object) -> str:
    r"""Return untrusted text (names in a file, paths) in a form that is safe to print.

    Non-printable characters are escaped as Python does: ``\x1b``, which would otherwise move the
    terminal's cursor or color what follows.

    Examples
    --------
    >>> escaped("height\x1b[31m")
    'height\\x1b[31m'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def either(words: Iterable[str]) -> str:
    """Return the words, joined by commas and a final "or"."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


# Our arguments, each with its names in the literature, in other libraries, and formerly here.
_ELSEWHERE = {
    "alpha": "learning_rate learning_rate_init lr eta eta0 step_size stepsize rate",
    "iterations": "max_iter n_iter num_iter steps n_steps num_steps maxiter epochs n_epochs "
    "num_epochs max_epochs",
    "seed": "random_state random_seed rng rng_seed key",
    "hidden_size": "hidden_layer_sizes hidden_layers hidden_units hidden units n_hidden layers "
    "layer_sizes hidden_dim neurons width",
    "record_every": "log_every log_interval print_every eval_every save_every record_interval",
    "weights": "initial_weights coefs coefs_ params init_params",
    "init": "weight_init initializer kernel_initializer initialization init_method",
    "freeze": "frozen trainable requires_grad freeze_layers",
    "biases": "intercepts intercepts_",
    "bias": "use_bias fit_intercept add_bias",
    "optimizer": "solver optim opt updater algorithm",
    "schedule": "scheduler lr_schedule lr_scheduler learning_rate_schedule lr_decay decay_rate",
    "activation": "activation_function hidden_activation nonlinearity act",
    "output": "output_activation out_activation final_activation",
    "loss": "criterion loss_function loss_fn objective cost",
    "batch_size": "batch minibatch mini_batch minibatch_size mini_batch_size bs",
    "batch_norm": "batchnorm batch_normalization use_batch_norm",
    "sample_weight": "sample_weights",
    "dropout": "dropout_rate drop_rate drop_prob p_drop",
    "l1": "l1_penalty lasso",
    "l2": "weight_decay l2_penalty reg reg_lambda lambda_ ridge",
    "clip_above": "clip clipvalue clip_value clip_grad gradient_clipping max_grad grad_clip",
    "clip_norm": "clip_grad_norm max_grad_norm clipnorm global_clipnorm gradient_clip_val",
    "max_norm": "kernel_constraint weight_constraint max_norm_constraint",
    "tolerance": "tol threshold stop_below",
    "patience": "n_iter_no_change early_stopping",
    "min_delta": "mindelta min_improvement threshold_delta",
    "shuffle_seed": "data_seed",
    "progress": "verbose disp show_progress",
    "threads": "n_jobs num_threads n_threads workers num_workers",
    "device": "accelerator gpu use_gpu use_cuda",
    "evaluate_every": "look_every",
    "checkpoint_every": "every",
    "combinations": "cases",
    "max_categories": "most_categories categories",
    "test_fraction": "hold_out",
    "validation_fraction": "held_out",
    "classification": "classes",
    "optimizer=Nesterov()": "nesterov nesterovs_momentum",
    "optimizer=Adam()": "beta_1 beta_2 betas adam",
    "optimizer=RMSProp()": "rmsprop",
    "optimizer=LevenbergMarquardt()": "lm trainlm levenberg_marquardt",
}
_OURS = {word: ours for ours, words in _ELSEWHERE.items() for word in words.split()}

# The same for activations, losses and devices.
_CHOICES_ELSEWHERE = {
    "identity": "linear none",
    "sigmoid": "logistic expit",
    "silu": "swish",
    "exp": "exponential",
    "softmax": "multinomial categorical",
    "squared": "mse l2 squared_error mean_squared_error least_squares",
    "absolute": "mae l1 absolute_error mean_absolute_error",
    "quantile": "pinball",
    "huber": "smooth_l1 smoothl1",
    "cross_entropy": "bce nll log_loss logloss binary_crossentropy categorical_crossentropy",
    "poisson": "poisson_nll poissonnll",
    "gaussian": "normal gaussian_nll gaussiannll",
    "cuda": "gpu nvidia",
    "lm": "levenberg_marquardt levenbergmarquardt levenberg marquardt trainlm",
}
_OUR_CHOICES = {word: ours for ours, words in _CHOICES_ELSEWHERE.items() for word in words.split()}


def did_you_mean_choice(word: str, known: Collection[str]) -> str:
    """Return the end of a message about an unknown choice: a suggestion, or nothing.

    Names that other libraries use for a choice are known.
    """
    ours = _OUR_CHOICES.get(word.lower())
    quoted = map(repr, known)
    return f": did you mean {ours!r}?" if ours in known else did_you_mean(repr(word), quoted)


def did_you_mean(word: str, known: Iterable[object]) -> str:
    """Return the end of a message: the known name most similar to the word, if any is."""
    lower = {name.lower(): name for name in known if isinstance(name, str) and name != word}
    from difflib import get_close_matches  # 7 ms, for a mistake only

    near = get_close_matches(word.lower(), lower, n=1)
    return f": did you mean {lower[near[0]]}?" if near else ""


def did_you_mean_argument(word: str, known: Collection[str]) -> str:
    """Return the same for an argument, also if the word is its name in other libraries."""
    ours = called_here(word)
    if not ours:
        return did_you_mean(word, known)
    return called_otherwise(word, ours) if ours.partition("=")[0] in known else ""


def called_here(word: str) -> str:
    """Return fastgd's name for an argument of other libraries; "" if it has none.

    Examples
    --------
    >>> called_here("learning_rate"), called_here("nesterov"), called_here("color")
    ('alpha', 'optimizer=Nesterov()', '')
    """
    return _OURS.get(word.lower(), "")


def called_otherwise(word: str, ours: str) -> str:
    """Return the end of a message about an argument of other libraries: fastgd's name for it.

    Examples
    --------
    >>> called_otherwise("lr", "alpha"), called_otherwise("epochs", "iterations")
    (': fastgd calls it alpha', ': fastgd counts iterations, each of them an update')
    """
    if "epoch" in word.lower():
        return f": fastgd counts {ours}, each of them an update"
    return f": fastgd calls it {ours}"
