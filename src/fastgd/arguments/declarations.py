"""Every option of a training, declared once.

Everything else is derived from these declarations: checks, axes of a sweep, defaults and
documentation, options of the command line, the numbers that are passed to the kernel and what it is
compiled for. See "Worked examples" in CONTRIBUTING.md.
"""

from math import inf
from typing import Annotated, TypedDict, get_type_hints

from numpy.typing import ArrayLike

from fastgd.arguments.initial_network import INITS
from fastgd.arguments.option_types import (
    EVERYTHING,
    AllBut,
    Condition,
    Count,
    Fielded,
    Flag,
    Layers,
    Measures,
    Name,
    NameOrFormula,
    Names,
    Number,
    Option,
    OwnFormula,
    SampleFactors,
    ScheduleKind,
    Slot,
)
from fastgd.checks.numbers import LAST_SEED
from fastgd.formulas.measures import QUANTITIES, Measure
from fastgd.formulas.named import ACTIVATIONS, LOSSES, OUTPUTS, Function, Loss, Penalty
from fastgd.formulas.rules import Rule
from fastgd.optimizers import ALL, GradientDescent, Optimizer
from fastgd.schedules import AnySchedule, Constant


class SurfaceOptions(TypedDict, total=False):
    """Keyword arguments of :func:`fastgd.surface`: those that determine a network's error.

    Of the loss only the number of outputs per target matters.
    """

    activation: Annotated[
        str | Function,
        Option(
            "sigmoid",
            NameOrFormula(tuple(ACTIVATIONS), Function),
            "Activation of the hidden units: a name (see the table of activations in the guide), "
            "or your own :class:`fastgd.Function`. The derivative of relu at 0 is 0 (Nair and "
            "Hinton, ICML 2010).",
            "Activation of the hidden units",
            "Network",
            applies_to=EVERYTHING,
            structure=True,
            lasting=True,
        ),
    ]
    output: Annotated[
        str | Function,
        Option(
            "sigmoid",
            NameOrFormula(tuple(OUTPUTS), Function),
            'Activation of the output units, by name or as a :class:`fastgd.Function`. "softmax" '
            'gives each class a probability (Bridle, 1990); it needs ``loss="cross_entropy"``, '
            "and targets that are class numbers (samples,) or one-hot.",
            "Activation of the output units",
            "Network",
            applies_to=EVERYTHING,
            structure=True,
            lasting=True,
        ),
    ]
    bias: Annotated[
        bool,
        Option(
            False,
            Flag(),
            'Add a bias to every hidden and output unit ("Future Work": Bias Units); biases '
            "start at 0.",
            "Add a bias to every hidden and output unit",
            "Network",
            applies_to=EVERYTHING,
            structure=True,
            lasting=True,
        ),
    ]
    sample_weight: Annotated[
        ArrayLike | None,
        Option(
            None,
            SampleFactors(),
            "Factor of each sample's loss, and of its error in every mean; at least 0, but not "
            "all 0.",
            applies_to=EVERYTHING,
            lasting=True,
        ),
    ]
    loss: Annotated[
        str | Loss,
        Option(
            "squared",
            NameOrFormula(tuple(LOSSES), Loss),
            '"squared" is the article\'s: half the sum of squared errors. "cross_entropy" needs '
            "sigmoid outputs with targets in [0, 1]; tanh outputs v, read as the probability (1 "
            "+ v) / 2, with targets in [-1, 1] (Bishop, *Neural Networks for Pattern "
            "Recognition*, section 6.7, 1995); or softmax outputs. The other names are in the "
            "guide's table of losses; a loss of your own is a :class:`fastgd.Loss`.",
            "Loss (cross_entropy: targets from 0 to 1, or from -1 to 1 with tanh outputs)",
            "Network",
            applies_to=AllBut(second_order="which needs a sum of squares"),
            structure=True,
        ),
    ]


class LossOptions(SurfaceOptions, total=False):
    """Keyword arguments of :func:`fastgd.objective` and :func:`fastgd.minimize`.

    All others belong to gradient descent itself (``optimizer``, ``tolerance``, ...), or would make
    the loss a different function at every call (``batch_size``, ``dropout``, ...).
    """

    reduction: Annotated[
        str,
        Option(
            "sum",
            Name(("sum", "mean")),
            '"sum" is the article\'s: the loss of a batch is the sum over its samples. "mean" '
            "divides the loss, and so its derivative, by the sum of the sample weights (without "
            "weights, by the number of samples): then alpha means the same for 100 and for "
            "10,000 samples. Penalties are not divided, and in both cases the outputs of a "
            'sample are summed. With sampling="adaptive" the divisor is the batch size times the '
            "mean weight of all samples, so that the expected value is the mean over all of "
            "them.",
            "How the losses of a batch's samples are combined",
            "Network",
            applies_to=AllBut(bayesian="which weighs errors and parameters itself"),
            structure=True,
        ),
    ]
    l1: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            '``l1 * sign(w)`` is added to the derivative of every weight, not of biases ("Future '
            'Work": Regularization); at least 0.',
            "L1 penalty on the weights",
            "Regularization",
            applies_to=AllBut(second_order="which needs a sum of squares"),
            feature="penalty",
            slots=(Slot("l1"),),
        ),
    ]
    l2: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            "``l2 * w`` is added to the derivative of every weight, not of biases; at least 0.",
            "L2 penalty on the weights",
            "Regularization",
            applies_to=AllBut(bayesian="which weighs errors and parameters itself"),
            feature="penalty",
            slots=(Slot("l2"),),
        ),
    ]
    penalty: Annotated[
        Penalty | None,
        Option(
            None,
            OwnFormula((None,), Penalty),
            "A penalty of your own, as a :class:`fastgd.Penalty`: a formula of a weight that is "
            "added to the loss for every weight, not for biases; next to ``l1`` and ``l2``.",
            "Penalty on the weights, added to the loss for each",
            "Regularization",
            applies_to=AllBut(second_order="which needs a sum of squares"),
            structure=True,
        ),
    ]


class Options(LossOptions, total=False):
    """Keyword arguments of a training, in addition to the named ones of :func:`fastgd.train`."""

    optimizer: Annotated[
        Optimizer,
        Option(
            GradientDescent(),
            Fielded("fastgd.optimizers", ALL, Rule),
            'How an update follows from the gradient (article, "A Few Optimization Methods"). '
            "The documentation of each optimizer cites its paper. Or a formula of one's own, a "
            "`Rule`.",
            "How an update follows from the gradient",
            "Optimizer",
            applies_to=EVERYTHING,
            structure=True,
        ),
    ]
    schedule: Annotated[
        AnySchedule | ArrayLike,
        Option(
            Constant(),
            ScheduleKind(),
            "How alpha changes during the training: a factor of alpha for each update. One of your "
            "own is a :class:`fastgd.Schedule`. Not with ``Rprop``, which adapts step sizes of its "
            "own.",
            "How alpha changes during the training",
            "Optimizer",
            applies_to=EVERYTHING,
            structure=True,
        ),
    ]
    regularization: Annotated[
        str,
        Option(
            "given",
            Name(("given", "bayesian")),
            '"given" means the penalties ``l1`` and ``l2``. "bayesian" finds the decay of all '
            "weights and biases that aren't frozen from the training samples in every iteration, "
            "with the number of parameters that they determine (MacKay, *Neural Computation* 4, "
            "1992; Foresee and Hagan, ICNN 1997; MATLAB's ``trainbr``); it needs "
            "``LevenbergMarquardt``.",
            "How the penalty on the parameters is found (bayesian: from the samples)",
            "Regularization",
            applies_to=AllBut(first_order="since it uses the matrix of LevenbergMarquardt()"),
            lasting=True,
        ),
    ]
    freeze: Annotated[
        tuple[int, ...] | list[ArrayLike | None] | None,
        Option(
            None,
            Layers(),
            "What is not trained. Either a tuple of layer numbers, 0 for the first layer: its "
            "weights, biases, and scale and shift of batch normalization (the running mean and "
            "variance are still updated). Or a list with an entry per layer: None, True, or a "
            "boolean (inputs, outputs) array with True for each frozen weight. The derivative of "
            "a frozen parameter counts as 0. PyTorch: ``requires_grad=False``. In a sweep a list "
            "of such tuples, such lists and None is an axis.",
            "Layers that are not trained, by number from 0",
            "Optimizer",
            applies_to=EVERYTHING,
            feature="frozen",
            masks=True,
        ),
    ]
    gradient_weight: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            "Factor of the loss of the derivatives, with ``gradients``; at least 0, by default 1 "
            "then. Half of it times the squared error of each known derivative, times the "
            "sample's weight, is added to the loss.",
            applies_to=EVERYTHING,
            feature="tangents",
            slots=(Slot("gradient_weight"),),
        ),
    ]
    init: Annotated[
        str | tuple[str, ...],
        Option(
            "article",
            Names(INITS),
            "Distribution of the initial weights, or a tuple with one per layer of weights. "
            '"article" is uniform in [-1, 1), whatever the layer sizes. For a layer with n '
            'inputs and m outputs "glorot" has the variance 2 / (n + m) (Glorot and Bengio, '
            'AISTATS 2010), "he" 2 / n (He and others, ICCV 2015), "lecun" 1 / n (LeCun, Bottou, '
            "Orr and Mueller, *Efficient BackProp*, 1998). These are uniform; names that end in "
            '"_normal" are normal distributions. Biases start at 0. Not with ``weights``.',
            "Distribution of the initial weights, or one per layer, such as he/glorot",
            "Network",
            applies_to=EVERYTHING,
            structure=True,
            lasting=True,
        ),
    ]
    batch_norm: Annotated[
        bool,
        Option(
            False,
            Flag(),
            "Normalize the inputs of the hidden units' activation over each batch (\"Future "
            'Work": Batch Normalization; Ioffe and Szegedy, ICML 2015, arXiv 1502.03167). Needs '
            "a hidden layer, and at least two samples in every batch. Hidden units' biases keep "
            "their initial values: normalization subtracts them again, so their derivatives are "
            "0.",
            "Batch normalization of hidden layers",
            "Network",
            applies_to=AllBut(
                second_order="since then an output depends on all samples of a batch",
                gradients="since then outputs depend on other samples",
            ),
            structure=True,
            lasting=True,
        ),
    ]
    batch_size: Annotated[
        int | None,
        Option(
            None,
            Count(none="all", most_is_samples=True),
            'Samples of a mini-batch ("Future Work": Mini-Batches), from 1 to all of them; None '
            "means the full batch. An iteration is one update with the *sum* over its batch, as "
            'in the article, unless ``reduction="mean"``. The last batch of an epoch may be '
            "smaller.",
            "Samples per update",
            "Mini-batches",
            applies_to=AllBut(second_order="which needs all samples in each iteration"),
            structure=True,
        ),
    ]
    shuffle: Annotated[
        bool,
        Option(
            True,
            Flag(),
            "Shuffle the samples in every epoch, before they are split into mini-batches.",
            "Shuffle the samples in every epoch",
            "Mini-batches",
            applies_to=EVERYTHING,
        ),
    ]
    shuffle_seed: Annotated[
        int,
        Option(
            0,
            Count(minimum=0, maximum=LAST_SEED),
            "Seed of the shuffling, in [0, 2**32); all runs of a sweep share it.",
            "Seed of the shuffling",
            "Mini-batches",
            applies_to=EVERYTHING,
        ),
    ]
    sampling: Annotated[
        str,
        Option(
            "epochs",
            Name(("epochs", "adaptive")),
            '"epochs" uses every sample once per epoch. "adaptive" draws each mini-batch from a '
            "distribution over the samples that is learned during the training: AW-SGD, "
            "algorithm 1 of Bouchard, Trouillon, Perez and Gaidon, *Accelerating Stochastic "
            "Gradient Descent via Online Learning to Sample*, arXiv 1506.09016 (2015). It needs "
            "``batch_size``, and works with neither ``batch_norm`` nor ``dropconnect``.",
            "How mini-batches are drawn (adaptive: from a learned distribution)",
            "Mini-batches",
            applies_to=AllBut(gradients="since it follows the derivatives of the loss of values"),
        ),
    ]
    sampling_rate: Annotated[
        float,
        Option(
            1.0,
            Number("(0, inf)"),
            'Learning rate of the distribution of ``sampling="adaptive"``, above 0. It '
            "multiplies squared norms of derivatives: where these are far above 1, the default "
            "soon draws the same sample every time, and a much smaller rate is needed.",
            "Learning rate of adaptive sampling",
            "Mini-batches",
            applies_to=EVERYTHING,
            feature="batches",
            slots=(Slot("sampling_rate"),),
        ),
    ]
    dropout: Annotated[
        float,
        Option(
            0.0,
            Number("[0, 1)"),
            "Probability in [0, 1) that a hidden unit is dropped, drawn anew for every sample "
            "and iteration; the units that are kept are multiplied by ``1 / (1 - dropout)`` "
            '("Future Work": Dropout; Srivastava and others, Journal of Machine Learning '
            "Research 15, 2014).",
            "Probability of dropping a hidden unit, at least 0 and below 1",
            "Regularization",
            applies_to=AllBut(
                second_order="which compares the losses of two networks",
                gradients="since masks have no derivative by the inputs to learn",
            ),
            feature="dropout",
            slots=(Slot("threshold", is_whole=True), Slot("factor")),
        ),
    ]
    dropconnect: Annotated[
        float,
        Option(
            0.0,
            Number("[0, 1)"),
            "Probability in [0, 1) that a weight, of any layer, is dropped, drawn anew for every "
            "iteration; the weights that are kept are multiplied by ``1 / (1 - dropconnect)`` "
            "(Wan and others, *Regularization of Neural Networks using DropConnect*, ICML 2013).",
            "Probability of dropping a weight, at least 0 and below 1",
            "Regularization",
            applies_to=AllBut(
                second_order="which compares the losses of two networks",
                gradients="since masks have no derivative by the inputs to learn",
            ),
            feature="dropconnect",
            slots=(Slot("threshold", is_whole=True), Slot("factor")),
        ),
    ]
    gradient_noise: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            "Standard deviation of the normal noise that is added to the derivative of each "
            "parameter that learns, drawn anew for every iteration, after ``clip_norm`` "
            "(Neelakantan and others, *Adding Gradient Noise Improves Learning for Very Deep "
            "Networks*, arXiv 1511.06807, 2015); at least 0. optax: ``add_noise(eta, gamma)`` is "
            "``gradient_noise=sqrt(eta), noise_decay=gamma``.",
            "Standard deviation of noise in the derivatives",
            "Regularization",
            applies_to=AllBut(second_order="whose step is not along the gradient"),
            feature="gradient_noise",
            slots=(Slot("gradient_noise"),),
        ),
    ]
    input_noise: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            "Standard deviation of the normal noise that is added to every input of every "
            "training sample, drawn anew for every iteration; errors, losses and predictions are "
            "of the inputs without noise (Bishop, *Training with Noise is Equivalent to Tikhonov "
            "Regularization*, Neural Computation 7, 1995; Keras: ``GaussianNoise``); at least 0.",
            "Standard deviation of noise in the inputs of the training samples",
            "Regularization",
            applies_to=AllBut(
                second_order="which compares the losses of two networks",
                gradients="since they are known at the inputs without noise",
            ),
            feature="input_noise",
            slots=(Slot("input_noise"),),
        ),
    ]
    noise_decay: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            "How the variance of ``gradient_noise`` and ``input_noise`` falls: in update t, from "
            "0, it is divided by ``(1 + t)**noise_decay``; at least 0. Neelakantan and others "
            "recommend 0.55.",
            "Divide the variance of noise by (1 + t)**X in update t",
            "Regularization",
            applies_to=AllBut(second_order="which has no noise"),
            feature="noise_decay",
            slots=(Slot("noise_decay"),),
        ),
    ]
    trim_below: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            "Set deltas (derivatives of the loss with respect to a unit's input) of a smaller "
            'magnitude to 0 ("Future Work": Delta Trimming); at least 0.',
            "Set deltas of a smaller magnitude to 0",
            "Regularization",
            applies_to=AllBut(
                second_order="whose deltas are no derivatives of the loss",
                gradients="since it changes deltas of values only",
            ),
            feature="trimming",
            slots=(Slot("trim_below"),),
        ),
    ]
    clip_above: Annotated[
        float,
        Option(
            inf,
            Number("(0, inf]"),
            "Clip deltas to this magnitude, after trimming; above 0.",
            "Clip deltas to this magnitude",
            "Regularization",
            applies_to=AllBut(
                second_order="whose deltas are no derivatives of the loss",
                gradients="since it changes deltas of values only",
            ),
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
            "``reduction``) is above this, multiply the gradient by ``clip_norm / norm`` "
            "(Pascanu, Mikolov and Bengio, *On the difficulty of training recurrent neural "
            "networks*, ICML 2013, algorithm 1); above 0. PyTorch's ``clip_grad_norm_`` adds "
            "1e-6 to the norm. A run whose norm is not finite has diverged.",
            "Clip the norm of the gradient to this",
            "Regularization",
            applies_to=AllBut(second_order="whose step is not along the gradient"),
            feature="norm_clipping",
            slots=(Slot("clip_norm"),),
        ),
    ]
    max_norm: Annotated[
        float,
        Option(
            inf,
            Number("(0, inf]"),
            "After each update, multiply the weights that enter a unit, of any layer, by "
            "``max_norm / norm`` if their Euclidean norm is above this; without the unit's bias "
            "(Srivastava and others, *Dropout*, Journal of Machine Learning Research 15, 2014, "
            "section 5.1); above 0. Keras: ``kernel_constraint=MaxNorm(max_norm)`` in each "
            "``Dense`` layer, which adds 1e-7 to the norm. Frozen weights count in the norm and "
            "keep their value: the norm may stay above this, and the other weights of the unit "
            "then shrink with every update. A run diverges if it multiplies by a norm that is not "
            "finite.",
            "Limit the norm of the weights that enter a unit to this",
            "Regularization",
            applies_to=AllBut(second_order="whose steps make the loss smaller"),
            feature="max_norm",
            slots=(Slot("max_norm"),),
        ),
    ]
    tolerance: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            'Stop a run, as "converged", when its monitored error is below this; at least 0. The '
            'monitored error is the mean absolute error, or with ``monitor="loss"`` the loss, '
            'which is a sum over the samples unless ``reduction="mean"``.',
            "Stop when the monitored error (with --monitor loss: the loss) is below this",
            "Early stopping",
            applies_to=EVERYTHING,
            feature="watch",
            slots=(Slot("tolerance"),),
        ),
    ]
    patience: Annotated[
        int | None,
        Option(
            None,
            Count(none="none"),
            'Stop a run, as "stalled", when its smallest monitored error is this many iterations '
            "old (Prechelt, *Early Stopping - But When?*, 1998); at least 1.",
            "Stop when the smallest monitored error is N iterations old",
            "Early stopping",
            applies_to=EVERYTHING,
            feature="watch",
            slots=(Slot("patience", is_whole=True),),
        ),
    ]
    min_delta: Annotated[
        float,
        Option(
            0.0,
            Number("[0, inf)"),
            "A monitored error counts as an improvement only if it is smaller by more than this "
            "(as in Keras' EarlyStopping); at least 0.",
            "Ignore improvements of the monitored error up to this",
            "Early stopping",
            applies_to=EVERYTHING,
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
            "What ``tolerance``, ``patience``, ``min_delta``, ``summary`` and ``restore_best`` "
            'monitor: "error", the mean absolute error, of the validation set if there is one; '
            'or "loss", that of ``Run.losses``, which needs a training without a validation set.',
            "What is monitored",
            "Early stopping",
            applies_to=EVERYTHING,
            feature="watch",
            detail=True,
        ),
    ]
    summary: Annotated[
        int | None,
        Option(
            None,
            Count(none="none"),
            "Keep a :class:`fastgd.Summary` of all monitored errors, with the mean of the last N "
            "of them; at least 1.",
            "Summarize all monitored errors, with the mean of the last N",
            "Early stopping",
            applies_to=EVERYTHING,
            feature="watch",
        ),
    ]
    evaluate_every: Annotated[
        int | None,
        Option(
            None,
            Count(none="auto"),
            "Evaluate the monitored error every N iterations; at least 1. The notes below "
            "describe the default.",
            "Evaluate the monitored error every N iterations (auto: every iteration, or every "
            "epoch with mini-batches, if --patience, --tolerance or --summary is given, else "
            "with the records)",
            "Early stopping",
            applies_to=EVERYTHING,
            feature="watch",
        ),
    ]
    restore_best: Annotated[
        bool,
        Option(
            False,
            Flag(),
            "Return the network with the smallest monitored error instead of the last one. Needs "
            "an error to monitor: a validation set, ``patience``, ``tolerance``, ``summary`` or "
            "``evaluate_every``.",
            "Return the network with the smallest monitored error",
            "Early stopping",
            applies_to=EVERYTHING,
            feature="watch",
        ),
    ]

    measure: Annotated[
        str | Measure | list[str | Measure] | None,
        Option(
            None,
            Measures(),
            "Quantities to record during the training, in ``run.measured`` by name: of one name, "
            'or of a list. "gradient_norm" is the Euclidean norm of the whole gradient (with '
            'penalties and ``reduction``, before ``clip_norm``), "gradient_cosine" the cosine of '
            "the angle between it and that of the iteration before (NaN in the first one), "
            '"update_norm" the norm of what an update adds to the parameters, "weight_norm" '
            'and "largest_weight" the norm of the parameters before it and the largest magnitude '
            "among them: of weights, biases, and scales and shifts of batch normalization; and "
            '"direction_changes" how often the derivatives of weights and biases have changed '
            'their signs so far. "saturated" is the share of values of hidden and output units '
            "within 1 % of an end of their range (sigmoid, tanh, softmax), over the samples of "
            'weight above 0, and "dead" the share of hidden units whose derivative is 0 for all of '
            "these; both without ``dropout``. A quantity of your own is a "
            ":class:`fastgd.Measure`. With mini-batches gradient and values are those of the "
            'batch. The training keeps its bits. "sharpness" is the largest eigenvalue, not by '
            "magnitude, of the Hessian of the loss that training minimizes (Cohen and others, "
            "arXiv 2103.00065; negative where the loss curves downward in all directions): over "
            "all training samples, with penalties and ``reduction``, without dropout, noise and "
            "limits of derivatives, by the parameters that aren't frozen; with "
            "``measure_layers`` that of the layer's block. It is computed after the training of "
            "the weights before each measured update, which takes memory as ``record_weights`` "
            "does, by Lanczos' method with exact products with the Hessian, until 4 more products "
            "change it by at most 1e-8 of itself, or 128 were made. Where derivatives jump, as "
            "those of relu, the jump is ignored.",
            f"Quantities to record during the training: any of {', '.join(QUANTITIES)}",
            "Measuring",
            applies_to=AllBut(second_order="whose step is not along the gradient"),
            lasting=True,
        ),
    ]
    measure_every: Annotated[
        int | None,
        Option(
            None,
            Count(none="records"),
            "Measure the update of every N-th iteration, from the first on; at least 1. By default "
            "``record_every``.",
            "Measure the update of every N-th iteration (records: those that are recorded)",
            "Measuring",
            applies_to=AllBut(second_order="whose step is not along the gradient"),
            lasting=True,
        ),
    ]
    measure_layers: Annotated[
        bool,
        Option(
            False,
            Flag(),
            "Measure each layer by itself: what is measured has an axis of layers at its end.",
            "Measure each layer by itself",
            "Measuring",
            applies_to=AllBut(second_order="whose step is not along the gradient"),
            lasting=True,
        ),
    ]
    stop: Annotated[
        str | None,
        Option(
            None,
            Condition(),
            'Stop a run, as "converged", when this holds for what the last update measured: '
            '``"gradient_norm < 1e-6"``, a name of ``measure``, < or >, and a number.',
            "Stop when this holds for what is measured, as in 'gradient_norm < 1e-6'",
            "Measuring",
            applies_to=AllBut(second_order="whose step is not along the gradient"),
        ),
    ]


PANELS = (
    *("Optimizer", "Network", "", "Mini-batches"),
    *("Regularization", "Early stopping", "Measuring"),
)
"""The headings in the order of the options; under each they are in the order of declaration."""

OPTION_OF = {
    Options: "an option",
    LossOptions: "an option of an objective",
    SurfaceOptions: "an option of a surface",
}
"""What an error calls the options of a kind of call."""

_HINTS = get_type_hints(Options, include_extras=True)

DECLARED: dict[str, Option] = dict(
    sorted(
        ((name, hint.__metadata__[0]) for name, hint in _HINTS.items()),
        key=lambda item: PANELS.index(item[1].panel),
    )
)
"""All options by name, in order."""

for _name, _option in DECLARED.items():
    if _option.applies_to is None:
        raise TypeError(
            f"the declaration of {_name} must say what it applies to: applies_to=EVERYTHING, or "
            "applies_to=AllBut(second_order=REASON) if LevenbergMarquardt doesn't read it"
        )

STRUCTURES = tuple(name for name, option in DECLARED.items() if option.structure)
"""The options, in order, that change what is compiled. They may be axes of a sweep."""

FIELDED = tuple(name for name, option in DECLARED.items() if isinstance(option.kind, Fielded))
"""Those of them whose values have fields that may be axes, too: optimizer and schedule."""

VALUES = tuple(name for name, option in DECLARED.items() if option.slots)
"""The options that are passed to the compiled code as numbers. They may be axes of a sweep."""

OF_EACH_RUN = tuple(name for name, option in DECLARED.items() if option.slots or option.masks)
"""These and the masks: what compiled code is passed for each run."""
