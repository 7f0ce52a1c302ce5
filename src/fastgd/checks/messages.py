"""Text for people: values in messages, suggestions, warnings, and options and times in words."""

import reprlib
import sys
import warnings
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from fastgd.optimizers import Hyperparameters

_SHOWN = 60
_repr = reprlib.Repr()
_repr.maxlong = _repr.maxstring = _repr.maxother = _SHOWN


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


_PASSED = ("fastgd", "sklearn", "joblib")
"""Packages whose lines are not the caller's."""


class TrainingWarning(UserWarning):
    """The training can be done, but its result is probably not what was meant."""


def warn(message: str, category: type[UserWarning] = TrainingWarning) -> None:
    """Warn, with the location of the calling line outside this package and scikit-learn."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _PASSED:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def either(words: Iterable[str]) -> str:
    """Return the words, joined by commas and a final "or"."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


# ---------------------------------------------------- suggestions

# Our arguments, each with its names in the literature, in other libraries, and formerly here.
ELSEWHERE = {
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
    "penalty": "regularizer kernel_regularizer",
    "clip_above": "clip clipvalue clip_value clip_grad gradient_clipping max_grad grad_clip",
    "clip_norm": "clip_grad_norm max_grad_norm clipnorm global_clipnorm gradient_clip_val",
    "max_norm": "kernel_constraint weight_constraint max_norm_constraint",
    "gradient_noise": "grad_noise add_noise noise_eta",
    "input_noise": "gaussian_noise noise noise_std noise_stddev",
    "noise_decay": "noise_gamma noise_schedule noise_annealing",
    "tolerance": "tol threshold stop_below",
    "patience": "n_iter_no_change early_stopping",
    "min_delta": "mindelta min_improvement threshold_delta",
    "shuffle_seed": "data_seed",
    "progress": "verbose disp show_progress callback callbacks",
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
_OURS = {word: ours for ours, words in ELSEWHERE.items() for word in words.split()}

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
    >>> called_otherwise("callback", "progress")
    ': progress takes a function, too; record_weights=True keeps the networks'
    """
    if "callback" in word.lower():
        return f": {ours} takes a function, too; record_weights=True keeps the networks"
    if "epoch" in word.lower():
        return f": fastgd counts {ours}, each of them an update"
    return f": fastgd calls it {ours}"


# ---------------------------------------------------- counts, options and times in words

LISTED = 20
"""The maximum number of names that a list shows."""

SHORT = 40
"""The maximum number of characters that are shown of a formula."""

_COUNTED = (
    "hidden_size", "optimizer", "schedule", "activation", "output", "loss", "reduction",
    "batch_size", "group", "fold", "sample_weight", "case", "alpha", "seed",
)  # fmt: skip
NO_VALUE = {"batch_size": "all", "patience": "none", "freeze": "none", "penalty": "none"}
"""What None is called on the command line, by option."""


def first_names(names: list[str]) -> str:
    """Return the names, separated by commas, with their number if not all are shown."""
    rest = f", ... ({len(names)} in all)" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + rest


def many(count: int, noun: str) -> str:
    """Return a count with its noun: 1 run, 2,000 runs, 2 losses, 2 patches."""
    plural = "es" if noun.endswith(("s", "tch")) else "s"
    return f"{count:,} {noun}" + ("" if count == 1 else plural)


def axis_text(name: str, count: int) -> str:
    """Return the length of an axis in words: 2 alphas, 2 values of momentum."""
    if name in _COUNTED:
        return many(count, _spaced(name))
    return f"{many(count, 'value')} of {_spaced(name)}"


def error_text(value: Any) -> str:
    """Return an error with 12 significant digits, as Python 2 printed it; "-" for None."""
    return "-" if value is None else f"{value:.12g}"


def joined(values: Any, separator: str = ", ") -> str:
    """Return one number, or the numbers or names of a tuple, as text."""
    values = values if isinstance(values, tuple) else (values,)
    names = (getattr(value, "name", value) for value in values)  # of measures
    return separator.join(one if isinstance(one, str) else f"{one:g}" for one in names)


def layers_text(hidden_size: tuple[int, ...]) -> str:
    """Return hidden layer sizes as the command line takes them: 4, 8x2 or none."""
    return joined(hidden_size, "x") or "none"


def value_text(name: str, value: Any, *, classes: bool = False) -> str:
    """Return one value of an option or an axis; an optimizer only with its non-default fields.

    With `classes`, optimizers and schedules are shown by class name, else as on the command line.
    """
    if name == "hidden_size":
        return layers_text(value)
    if name == "group":  # whatever the user's labels are
        return str(value)
    if value is None:
        return NO_VALUE[name]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Hyperparameters):
        facts = value.hyperparameters
        fields = [n for n in facts if getattr(value, n) != facts[n].default]
        return _fielded_text(value, fields, classes)
    if name == "init":
        return value if isinstance(value, str) else "/".join(value)
    if name == "freeze":
        return _frozen_text(value)
    if isinstance(value, (int, float, tuple)):
        return joined(value)
    if isinstance(value, dict):  # a combination
        return ", ".join(setting_text(key, number) for key, number in value.items())
    return shortened(str(value), SHORT)  # a name, or a formula


def _frozen_text(frozen: Any) -> str:
    """Return the frozen layers by number, those that are partly frozen as: some of 1."""
    if not any(isinstance(mask, (bool, np.ndarray)) for mask in frozen):
        return joined(frozen)
    some = (
        k if mask is True else f"some of {k}" for k, mask in enumerate(frozen) if mask is not False
    )
    return ", ".join(map(str, some))


def setting_text(name: str, value: Any, *, classes: bool = False) -> str:
    """Return an option with its value: bias, no shuffle, l2 0.01."""
    if isinstance(value, np.ndarray):  # sample_weight, which has no short text
        return f"own {_spaced(name)}s"
    if isinstance(value, bool) and name != "group":
        return _spaced(name) if value else f"no {_spaced(name)}"
    return f"{_spaced(name)} {value_text(name, value, classes=classes)}"


def options_text(options: dict[str, Any], without: Any = (), *, classes: bool = False) -> str:
    """Return all options with their values; of optimizer and schedule all fields but `without`."""
    texts = []
    for name, value in options.items():
        if isinstance(value, Hyperparameters):
            fields = [field for field in value.hyperparameters if field not in without]
            texts.append(f"{name} {_fielded_text(value, fields, classes)}")
        else:
            texts.append(setting_text(name, value))
        for one in (value, *getattr(value, "_asdict", dict)().values()):
            parameters = getattr(one, "parameters", {}).items()  # of a formula
            own = [f"{n} {v:g}" for n, v in parameters if n not in options and n not in without]
            texts[-1] += f" ({', '.join(own)})" if own else ""
    return ", ".join(texts)


def _fielded_text(value: Hyperparameters, fields: list[str], classes: bool) -> str:
    texts = ", ".join(f"{field} {value_text(field, getattr(value, field))}" for field in fields)
    name = value.label if classes else value.command
    return name + (f" ({texts})" if texts else "")


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def seconds_text(seconds: float) -> str:
    """Return a time with its unit."""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"
