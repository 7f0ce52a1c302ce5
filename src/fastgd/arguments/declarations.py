"""Every option of a training, declared once.

All else follows from what stands here: checks, axes of a sweep, defaults and documentation, options
of the command line, the numbers that the kernel is handed and what it is compiled for. See "Worked
examples" in CONTRIBUTING.md.
"""

from math import inf
from textwrap import fill
from typing import Annotated, TypedDict, get_type_hints

from numpy.typing import ArrayLike

from fastgd.arguments.initial_network import INITS
from fastgd.arguments.option_types import (
    Count,
    Fielded,
    Flag,
    Layers,
    Name,
    NameOrFormula,
    Names,
    Number,
    Option,
    SampleFactors,
    ScheduleKind,
    Seed,
    Slot,
)
from fastgd.formulas.custom import Function, Loss
from fastgd.formulas.named import ACTIVATIONS, LOSSES, OUTPUTS
from fastgd.optimizers import ALL, GradientDescent, Optimizer
from fastgd.schedules import Constant, Schedule


class SurfaceOptions(TypedDict, total=False):
    """Keyword arguments of :func:`fastgd.surface` that decide what a network's error is.

    They mean what they mean in :func:`fastgd.train`, see
    :class:`fastgd.arguments.options.Options`; of the loss only how many outputs there are to a
    target. All others are about learning, and no part of the error.
    """

    activation: Annotated[
        str | Function,
        Option(
            "sigmoid",
            NameOrFormula(tuple(ACTIVATIONS), Function),
            "Hidden units: a name (see the table of activations in the guide), or a function of "
            "your own. The derivative of relu is 0 at 0 (Nair and Hinton, ICML 2010).",
            "Hidden units",
            "Network",
            structure=True,
        ),
    ]
    output: Annotated[
        str | Function,
        Option(
            "sigmoid",
            NameOrFormula(tuple(OUTPUTS), Function),
            'Output units. "softmax" gives a probability to each class (Bridle, 1990), with '
            '``loss="cross_entropy"`` and targets that are class numbers (samples,) or one-hot.',
            "Output units",
            "Network",
            structure=True,
        ),
    ]
    bias: Annotated[
        bool,
        Option(
            False,
            Flag(),
            'Add a bias to every hidden and output unit ("Future Work": Bias Units); they start at '
            "0.",
            "Biases for all units",
            "Network",
            structure=True,
        ),
    ]
    sample_weight: Annotated[
        ArrayLike | None,
        Option(
            None,
            SampleFactors(),
            "Factor of each sample's loss, and of its error in all means; at least 0, but not all "
            "0.",
        ),
    ]
    loss: Annotated[
        str | Loss,
        Option(
            "squared",
            NameOrFormula(tuple(LOSSES), Loss),
            '"squared" is the article\'s: half the sum of squared errors. "cross_entropy" needs '
            "sigmoid outputs and targets in [0, 1], or tanh outputs v, read as the probability "
            "(1 + v) / 2, and targets in [-1, 1] (Bishop, *Neural Networks for Pattern "
            "Recognition*, section 6.7, 1995), or softmax outputs. The others are in the guide's "
            "table of losses; or a loss of your own.",
            "Loss (cross_entropy: targets within 0 to 1, or -1 to 1 for tanh outputs)",
            "Network",
            structure=True,
        ),
    ]


class LossOptions(SurfaceOptions, total=False):
    """Keyword arguments of :func:`fastgd.objective` and :func:`fastgd.minimize`.

    They mean what they mean in :func:`fastgd.train`, see
    :class:`fastgd.arguments.options.Options`. All others belong to gradient descent's own steps
    (``optimizer``, ``tolerance``, ...), or would make the loss another one at every call
    (``batch_size``, ``dropout``, ...).
    """

    reduction: Annotated[
        str,
        Option(
            "sum",
            Name(("sum", "mean")),
            '"sum" is the article\'s: the loss of a batch is the sum over its samples. "mean" '
            "divides it, and so its derivative, by the sum of their weights, without weights by "
            "their number: then alpha means the same for 100 and for 10,000 samples. Penalties are "
            "not divided, and the outputs of a sample are summed up in both. With "
            'sampling="adaptive" the divisor is the batch size times the mean weight of all '
            "samples, so that the mean over all of them is what is expected.",
            "Loss of a batch, from those of its samples",
            "Network",
            structure=True,
        ),
    ]
    l1: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            '``l1 * sign(w)`` is added to the derivative of every weight ("Future Work": '
            "Regularization); at least 0.",
            "Penalty on the magnitudes of weights",
            "Regularization",
            feature="penalty",
            slots=(Slot("l1"),),
        ),
    ]
    l2: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            "``l2 * w`` is added to the derivative of every weight; at least 0.",
            "Penalty on the squares of weights",
            "Regularization",
            feature="penalty",
            slots=(Slot("l2"),),
        ),
    ]


class Options(LossOptions, total=False):
    """Keyword arguments of a training beside those that :func:`fastgd.train` names itself."""

    optimizer: Annotated[
        Optimizer,
        Option(
            GradientDescent(),
            Fielded("fastgd.optimizers", ALL),
            'How an update follows from the gradient (article, "A Few Optimization Methods"); the '
            "paper stands with each of them.",
            "How an update follows from the gradient",
            "Optimizer",
            structure=True,
        ),
    ]
    schedule: Annotated[
        Schedule | ArrayLike,
        Option(
            Constant(),
            ScheduleKind(),
            "How alpha changes from update to update: a factor for each of them. Not with "
            "``Rprop``, whose steps have sizes of their own.",
            "How alpha changes from update to update",
            "Optimizer",
            structure=True,
        ),
    ]
    freeze: Annotated[
        tuple[int, ...] | list[ArrayLike | None] | None,
        Option(
            None,
            Layers(),
            "What stays as it is: numbers of layers, 0 for the first (weights, biases, scale and "
            "shift of batch normalization; its running mean and variance go on), or for each layer "
            "None, True or a boolean (inputs, outputs) array, True for a weight that stays. Its "
            "derivative counts as 0. PyTorch: ``requires_grad=False``.",
            "Layers that stay as they are, by number from 0",
            "Optimizer",
            feature="frozen",
        ),
    ]
    init: Annotated[
        str | tuple[str, ...],
        Option(
            "article",
            Names(INITS),
            "How the first weights are drawn, or a tuple with one per layer of weights. "
            '"article" is uniform in [-1, 1), whatever the sizes. Of a layer with n inputs and m '
            'outputs "glorot" has the variance 2 / (n + m) (Glorot and Bengio, AISTATS 2010), "he" '
            '2 / n (He and others, ICCV 2015), "lecun" 1 / n (LeCun, Bottou, Orr and Mueller, '
            "*Efficient BackProp*, 1998): uniform distributions, or normal ones. Biases start at "
            "0. Not with ``weights``.",
            "How first weights are drawn, or one for each layer, such as he/glorot",
            "Network",
            structure=True,
        ),
    ]
    batch_norm: Annotated[
        bool,
        Option(
            False,
            Flag(),
            'Normalize over the batch what enters a hidden unit\'s activation ("Future Work": '
            "Batch Normalization; Ioffe and Szegedy, ICML 2015, arXiv 1502.03167). Needs a hidden "
            "layer, and at least two samples in every batch.",
            "Batch normalization of hidden layers",
            "Network",
            structure=True,
        ),
    ]
    batch_size: Annotated[
        int | None,
        Option(
            None,
            Count(none="all", most_is_samples=True),
            'Samples of a mini-batch ("Future Work": Mini-Batches), from 1 to all of them; None '
            "for the full batch. An iteration is one update with the *sum* over its batch, as in "
            "the article, and the last batch of an epoch may be smaller.",
            "Samples per update",
            "Mini-batches",
            structure=True,
        ),
    ]
    shuffle: Annotated[
        bool,
        Option(
            True,
            Flag(),
            "Shuffle the samples once per epoch, before they are cut into mini-batches.",
            "Shuffle in every epoch",
            "Mini-batches",
        ),
    ]
    shuffle_seed: Annotated[
        int,
        Option(
            0,
            Seed(),
            "Seed of the shuffling, in [0, 2**32), shared by all runs of a sweep.",
            "Seed of the shuffling",
            "Mini-batches",
        ),
    ]
    sampling: Annotated[
        str,
        Option(
            "epochs",
            Name(("epochs", "adaptive")),
            '"adaptive" draws each mini-batch from a distribution over the samples that is learned '
            "along the way: AW-SGD, algorithm 1 of Bouchard, Trouillon, Perez and Gaidon, "
            "*Accelerating Stochastic Gradient Descent via Online Learning to Sample*, arXiv "
            "1506.09016 (2015). Needs ``batch_size``, and takes neither ``batch_norm`` nor "
            "``dropconnect``.",
            "How batches are made (adaptive: learn which samples to draw)",
            "Mini-batches",
        ),
    ]
    sampling_rate: Annotated[
        float,
        Option(
            1.0,
            Number("(0, inf)"),
            "Learning rate of that distribution, above 0. It multiplies squared norms of "
            "derivatives: where these are far above 1, the default soon draws one and the same "
            "sample only, and a much smaller rate is needed.",
            "Learning rate of adaptive sampling",
            "Mini-batches",
            feature="batches",
            slots=(Slot("sampling_rate"),),
        ),
    ]
    dropout: Annotated[
        float,
        Option(
            0.0,
            Number("[0, 1)"),
            "Rate in [0, 1) of hidden units that are left out, anew for every sample and iteration;"
            ' the others are multiplied by 1 / (1 - rate) ("Future Work": Dropout; Srivastava and '
            "others, Journal of Machine Learning Research 15, 2014).",
            "Rate of hidden units left out, at least 0 and below 1",
            "Regularization",
            feature="dropout",
            slots=(Slot("threshold", is_whole=True), Slot("factor")),
        ),
    ]
    dropconnect: Annotated[
        float,
        Option(
            0.0,
            Number("[0, 1)"),
            "The same of weights, of every layer, anew for every iteration (Wan and others, "
            "*Regularization of Neural Networks using DropConnect*, ICML 2013).",
            "Rate of weights left out, at least 0 and below 1",
            "Regularization",
            feature="dropconnect",
            slots=(Slot("threshold", is_whole=True), Slot("factor")),
        ),
    ]
    trim_below: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            'Deltas of a smaller magnitude become 0 ("Future Work": Delta Trimming); at least 0.',
            "Deltas of a smaller magnitude become 0",
            "Regularization",
            feature="trimming",
            slots=(Slot("trim_below"),),
        ),
    ]
    clip_above: Annotated[
        float,
        Option(
            inf,
            Number("(0, inf]"),
            "Deltas are limited to this magnitude, after trimming; above 0.",
            "Deltas are limited to this magnitude",
            "Regularization",
            feature="trimming",
            slots=(Slot("clip_above"),),
        ),
    ]
    clip_norm: Annotated[
        float,
        Option(
            inf,
            Number("(0, inf]"),
            "If the Euclidean norm of the whole gradient (of all parameters, with penalties and "
            "``reduction``) is above that, the gradient is multiplied by ``clip_norm / norm`` "
            "(Pascanu, Mikolov and Bengio, *On the difficulty of training recurrent neural "
            "networks*, ICML 2013, algorithm 1); above 0. PyTorch's ``clip_grad_norm_`` adds 1e-6 "
            "to the norm. A norm that is not finite makes the run diverge.",
            "The gradient is limited to this norm",
            "Regularization",
            feature="norm_clipping",
            slots=(Slot("clip_norm"),),
        ),
    ]
    tolerance: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            'A run is over, "converged", when its watched error is below that: the mean error, or '
            'with ``monitor="loss"`` the loss, which is a sum over the samples unless '
            '``reduction="mean"``; at least 0.',
            "Stop when the error (of --monitor loss: the loss) is below this",
            "Early end",
            feature="watch",
            slots=(Slot("tolerance"),),
        ),
    ]
    patience: Annotated[
        int | None,
        Option(
            None,
            Count(none="none"),
            'A run is over, "stalled", when its smallest watched error is that many iterations old '
            "(Prechelt, *Early Stopping - But When?*, 1998); at least 1.",
            "Stop when the smallest watched error is N iterations old",
            "Early end",
            feature="watch",
            slots=(Slot("patience", is_whole=True),),
        ),
    ]
    min_delta: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            "A watched error counts as the smallest one only if it is smaller by more than that "
            "(as in Keras' EarlyStopping); at least 0.",
            "Improvements of the watched error up to that are none",
            "Early end",
            feature="watch",
            slots=(Slot("min_delta"),),
            detail=True,
        ),
    ]
    monitor: Annotated[
        str,
        Option(
            "error",
            Name(("error", "loss")),
            "What is watched, by all of ``tolerance``, ``patience``, ``min_delta``, ``summary`` "
            'and ``restore_best``: "error", the mean ``|y - output|``, of held-out samples where '
            'there are any; or "loss", what is minimized, where none are held out.',
            "What is watched",
            "Early end",
            feature="watch",
            detail=True,
        ),
    ]
    summary: Annotated[
        int | None,
        Option(
            None,
            Count(none="none"),
            "Keep a :class:`fastgd.Summary` of the watched errors along the way, with the mean of "
            "the last N of them; at least 1.",
            "Sum up all errors, with the mean of the last N",
            "Early end",
            feature="watch",
        ),
    ]
    evaluate_every: Annotated[
        int | None,
        Option(
            None,
            Count(none="auto"),
            "Iterations from one look at the watched error to the next; at least 1. By itself it "
            "is looked at as the notes say.",
            "Look at the watched error every N iterations (auto: each one, or each epoch, with "
            "--patience, --tolerance or --summary, else with the records)",
            "Early end",
            feature="watch",
        ),
    ]
    restore_best: Annotated[
        bool,
        Option(
            False,
            Flag(),
            "Give back the network of the smallest watched error instead of the last one. Needs "
            "something to watch: held-out samples, ``patience``, ``tolerance``, ``summary`` or "
            "``evaluate_every``.",
            "Give back the network of the smallest watched error",
            "Early end",
            feature="watch",
        ),
    ]


PANELS = ("Optimizer", "Network", "", "Mini-batches", "Regularization", "Early end")
"""The order of the options: by these headings, then as they are declared."""

_HINTS = get_type_hints(Options, include_extras=True)

DECLARED: dict[str, Option] = dict(
    sorted(
        ((name, hint.__metadata__[0]) for name, hint in _HINTS.items()),
        key=lambda item: PANELS.index(item[1].panel),
    )
)
"""All options by name, in order."""

STRUCTURES = tuple(name for name, option in DECLARED.items() if option.structure)
"""The options that may be axes of a sweep, in order: these change what is compiled,"""

FIELDED = tuple(name for name, option in DECLARED.items() if isinstance(option.kind, Fielded))
"""and those of them whose values have fields that may be axes, too,"""

VALUES = tuple(name for name, option in DECLARED.items() if option.slots)
"""and these are numbers beside the compiled code."""


def _documentation() -> str:
    """The options as a docstring has them, from the declarations."""
    parts = [
        """Keyword arguments of a training beside those that :func:`fastgd.train` names itself.

In :func:`fastgd.sweep` those marked *axis* may each be a list, range or 1-D array of such
values. So may the fields of an optimizer or schedule, unless there is an axis of these.

"Future Work" is the section of the article that names a method and leaves it to the reader.

Parameters
----------"""
    ]
    for name, option in DECLARED.items():
        text = option.doc + (" Axis." if option.is_axis else "")
        parts.append(f"{name} : {option.kind.documented(option.default)}")
        parts.append(fill(text, 96, initial_indent="    ", subsequent_indent="    "))
    parts.append(
        """
Notes
-----
The watched error, that of ``tolerance``, ``patience``, ``summary`` and ``restore_best``, is the one
of the held-out samples where there are any, else that of all samples, or with ``monitor="loss"``
the loss. It is evaluated every ``evaluate_every`` iterations, by default before every update with
the full batch and before the first update of every epoch with mini-batches (with ``restore_best``
alone: at the recorded iterations), and after the last update."""
    )
    return "\n".join(parts)


Options.__doc__ = _documentation()
