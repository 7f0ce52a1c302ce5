"""The kernel's arguments: tile shapes, a recipe, samples, layers, a block of runs, a span.

Letters as in :mod:`fastgd.kernel.training_loop`: N samples, G samples of a group, D inputs and H
outputs of a layer, K layers, P parameters, R runs side by side.
"""

from enum import IntEnum
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastgd.kernel.language.loads_and_stores import load_words, store, store_words, units
from fastgd.kernel.language.specialization import Choice, Features, KnownFacts, markers, part
from fastgd.kernel.language.structs import Bytes, Floats, IntArray, table_of
from fastgd.kernel.language.tile import Shape, runs_of


@markers
class Shapes(NamedTuple):
    """The tiles of a kernel (:class:`fastgd.kernel.language.tile.Shape`).

    The units of a layer are processed in ``wide`` tiles; the units left over go into ``rest``
    tiles, which are either narrow (one unit) or wide with only some units in use. ``..._row`` is
    the same tile with a single row. ``..._piece`` has as many rows as can pass through the sigmoid
    without spilling registers; None if the whole tile can. ``transposed`` is a row of units if a
    transposed copy of the weights is kept for the backward pass. ``strips`` is set if the forward
    pass takes the inputs of a layer in strips. ``scalar`` is one value per run. ``data`` has as
    many runs as the stored samples: 1 if all runs of a block share them. ``importance`` is the same
    for the sample weights, which may differ between runs even if they share the samples. ``layout``
    has all sizes and addresses, a :class:`BlockLayout`, if the code is specialized for them. The
    ``square...`` tiles are those of a matrix of second derivatives, if there is one; its columns
    left over are in ``square_rest``.
    """

    wide: Shape
    wide_row: Shape
    wide_piece: Shape | None
    rest: Shape
    rest_row: Shape
    rest_piece: Shape | None
    transposed: Shape | None
    strips: Choice | None
    narrow: Shape
    narrow_row: Shape
    narrow_piece: Shape | None
    scalar: Shape
    data: Shape
    importance: Shape
    layout: KnownFacts | None = None
    square: Shape | None = None
    square_row: Shape | None = None
    square_rest: Shape | None = None
    square_rest_row: Shape | None = None


@markers
class Recipe(NamedTuple):
    """The choices that determine the generated code: part of the type, and free of cost if None.

    Each run has float values of its own, (R,) each, from ``Layer.values`` on, and integers. A
    choice that reads one of them knows its index: ``optimizer.momentum``,
    ``features.dropout.threshold``.
    """

    optimizer: Choice
    schedule: Choice | None  # learning rates or hyperparameters change from update to update
    own_penalty: Choice | None  # a custom penalty is added to the loss for each weight
    activation: Choice
    output: Choice
    loss: Choice
    coupling: Choice | None  # output units depend on each other's inputs (softmax, joint losses)
    mean: Choice | None  # the loss is the mean over a batch, not the sum
    batch_norm: Choice | None
    batches: Choice  # "all" samples, or mini-batches in "epochs" or "adaptive"
    watch: Choice | None  # an error is monitored, also between the recorded ones
    separate: Choice | None  # errors are measured in passes of their own, apart from the training
    path: Choice | None  # weights are recorded with the errors
    held: Choice | None  # there are validation samples, and their error is the monitored one
    best: Choice | None  # the network with the smallest monitored error is kept
    outputs: Choice | None  # the outputs of all samples are stored, and nothing is trained
    inputs: Choice | None  # output units' inputs are stored: the loss is computed from them
    curvature: Choice | None  # the step solves a system of second order: see .extensions
    programs: Choice | None  # the steps of runs are programs: see .extensions.programs
    bayesian: Choice | None  # which also tells how much to regularize
    tangents: Choice | None  # derivatives by the inputs are learned, too
    measure: Choice | None  # quantities of an update are recorded: see .extensions.measuring
    stop: Choice | None  # one of them ends a run "below" or "above" a limit
    features: Features  # what numeric options switch on: see fastgd.engine.recipe


# IntArray of each run, in Block.integers: (R,) each; those of options follow.
SEED, SMALLEST_AT, ERROR_COUNT = range(3)
OPTIONS = 3

# What is kept about the errors besides SMALLEST_AT and ERROR_COUNT, from Layer.watch on: (R,) each.
SMALLEST, FIRST, ERROR_SUM, INVERSE_SUM = range(4)
RECENT = 4  # the most recent ones, in a ring buffer

# Parameters of a batch-normalized layer besides its weights: (H, R) each, from Layer.scale on.
SCALE, SHIFT, MEAN, VARIANCE = range(4)

EPSILON = 1e-5
"""Added to a variance before its root is taken, as in PyTorch's BatchNorm1d."""

RUNNING, CONVERGED, DIVERGED, STALLED = range(4)
"""Values of ``Block.outcome``."""

TERMS, RESULTS = "terms", "results"
"""Formulas of what is measured: two factors for each term, or its value twice; the results."""

NEAR_END = "near an end"
"""A formula of a unit's value v and of o, 1 for output units: whether v is near an end of its
range, and whether it has one; 1 or 0."""


class Kind(IntEnum):
    """How a term is combined with what it was so far: the choice's value ``term0`` and so on.

    Of a layer instead of its parameters: direction changes, values near the ends of their range,
    values that have one, hidden units that are dead, and hidden units.
    """

    SUM, PRODUCT, MAXIMUM, CHANGES, SATURATED, BOUNDED, DEAD, HIDDEN = range(8)


def reads(measure: Choice, *names: str) -> bool:
    """Whether a term of what is measured has one of these variables."""
    return any(("variable", name) in measure.formulas[TERMS].nodes for name in names)


STOPPED = -1.0
"""The value of ``Block.stopping`` of a run that has been stopped."""


WEIGHT, DIRECTION, ALPHA, STATES = range(4)
"""Rows of the interpreter's memory for a step; a run's values, results and others follow states."""

WORK_ROWS = 4096
"""Rows of that memory, more than any rule needs; few are ever in use."""


class Space(NamedTuple):
    """The space of an array of a block, declared next to the field by which the kernel finds it.

    Everything else follows from these declarations, in :mod:`fastgd.engine.layout`: how long an
    array is, where it begins, what is allocated, and what is copied when runs are repacked.
    """

    size: str
    """Its length: products of the letters above and the names of ``Layout.sizes``, and their sum.

    P is the parameters of all runs, with gaps between layers; A the activations of a group. The
    name of a choice or feature of the recipe is 1 if it is on, else 0: then it has no values.
    """

    moves: bool = False
    """Whether it is copied when runs are repacked."""

    busy: bool = False
    """Whether a block writes it in nearly every update; blocks never share a cache line of it.

    Otherwise threads stall each other (false sharing): two single 3-4-1 runs took twice as long on
    two threads as on one.
    """

    is_workspace: bool = False
    """Whether its values are needed within an iteration only.

    Then the blocks of a thread take turns with it, so that it stays in the thread's cache: 1,000
    runs of 1-5-1 took twice as long when every block had its own.
    """

    beside: str = ""
    """For an array in ``Block.numbers``: the array with a value for each of its own.

    Then the field is the distance between the two, else the place where the layer's values begin.
    """


Workspace = partial(Space, busy=True, is_workspace=True)


class Data(NamedTuple):
    """The samples of a block's runs; N is padded to whole tiles.

    Padding passes through the layers but is left out of all sums over samples. It also has weight 0
    (``importance``), since a run may have fewer samples than others in its block.

    If runs have their own samples or weights, each value is stored R times. Sizes are declared for
    the mini-batch of a block, with B samples.
    """

    X: Annotated[Floats, Space("B D data", busy=True)]  # D includes the constant input of a bias
    y: Annotated[Floats, Space("B H data", busy=True)]  # H outputs of the last layer
    importance: Annotated[Floats, Space("B H importance", busy=True)]
    samples: int  # without padding
    epoch: int  # iterations in an epoch


class Layer(NamedTuple):
    """One row of the layer table: sizes, and where its arrays are in ``Block.numbers``.

    The arrays are declared in the order in which they lie there.
    """

    inputs: int  # including the constant input of a bias
    units_below: int  # inputs without that
    outputs: int
    full_inputs: int  # inputs that fill whole tiles of rows
    wide_inputs: int  # units below that fill wide tiles
    wide_outputs: int  # outputs that fill wide tiles
    stride: int  # distance from one sample's activations to the next
    number: int  # 0 for the first layer
    is_output: int  # 1 for the last layer
    weights: Annotated[int, Space("P", moves=True)]  # (D, H, R)
    watch: Annotated[int, Space("watched R", moves=True)]  # about monitored errors
    base_alpha: Annotated[int, Space("schedule K R", moves=True)]  # times a schedule's factor
    alpha: Annotated[int, Space("K R", moves=True)]  # its (R,) learning rates
    values: Annotated[int, Space("values R", moves=True)]  # the other float values of each run
    learning: Annotated[int, Space("frozen P", moves=True, beside="weights")]  # 1, 0 if frozen
    states: Annotated[int, Space("states P", moves=True, beside="weights")]  # of the optimizer
    gradient: Annotated[int, Space("P", beside="weights")]
    direction: Annotated[int, Space("programs P", beside="weights")]  # g, as a step gets it
    before: Annotated[int, Space("before P", beside="weights")]  # the update, to measure it
    previous: Annotated[int, Space("previous P", beside="weights")]  # gradient, an iteration before
    effective: Annotated[int, Space("dropconnect P")]  # masked weights; else the weights themselves
    factors: Annotated[int, Space("dropconnect P", beside="weights")]
    noise: Annotated[int, Space("gradient_noise P", beside="weights")]  # of their derivatives
    transposed: Annotated[int, Space("transposed P")]  # copies of the weights, without biases
    units: Annotated[int, Space("A")]  # activations: (samples of a group, H, R)
    deltas: Annotated[int, Space("A", beside="units")]
    counts: Annotated[int, Space("counting A")]  # of units, as rows of samples: SATURATED to HIDDEN
    preactivation: Annotated[int, Space("preactivations", beside="units")]  # inputs of units
    noisy: Annotated[int, Space("input_noise room D R")]  # of all layers: a group's inputs, (D, R)
    state: int  # distance from one optimizer state variable to the next
    scale: int  # where its batch normalization parameters begin


class BlockLayout(NamedTuple):
    """Constants of code that is specialized for one network and one number of samples."""

    layers: tuple[Layer, ...]
    samples: int  # with padding; all in one group
    real: int  # without padding


class Block(NamedTuple):
    """R runs side by side: everything that changes while they train.

    Curves have a value for each of T records, then one for the end. If the loss is monitored, the
    current one follows. What is measured has a value for each of M iterations.
    """

    numbers: Floats  # what Layer declares: weights, monitored errors, values, states, units
    integers: Annotated[IntArray, Space("integers R", moves=True, busy=True)]  # of each run
    signs: Annotated[Bytes, Space("P", moves=True, busy=True)]  # 1 if the last update was positive
    recent: Annotated[Bytes, Space("P", moves=True, busy=True)]  # direction changes since the flush
    changes: Annotated[IntArray, Space("P", moves=True)]  # direction changes before that
    errors: Annotated[Floats, Space("T R + R", moves=True)]  # mean absolute errors
    losses: Annotated[Floats, Space("T R + R + watched_loss R", moves=True)]
    path: Annotated[Floats, Space("path T P", moves=True)]  # the weights at these errors
    measured: Annotated[
        Floats, Space("quantities M R + 8 measure R")
    ]  # (R, M): see Layout.measured
    stopping: Annotated[Floats, Space("stop R", moves=True)]  # CONVERGED if a run ends now
    ended: Annotated[IntArray, Space("R")]  # updates of a run that has ended, or -1
    outcome: Annotated[IntArray, Space("R")]  # how it ended
    final: Annotated[Floats, Space("R")]  # its last error
    kept: Annotated[Floats, Space("P + watched R")]  # as numbers begin, at its end
    kept_integers: Annotated[IntArray, Space("integers R")]  # its integers at its end
    kept_changes: Annotated[IntArray, Space("P")]  # its direction changes at its end
    scratch: Annotated[Floats, Space("2 R", busy=True)]  # temporary values
    order: Annotated[IntArray, Space("epochs N", busy=True)]  # the samples as an epoch has them
    batch: Data  # the mini-batch of an iteration; a copy for each run if these draw their own
    tau: Annotated[Floats, Space("adaptive N R", moves=True, busy=True)]  # logits of sampling
    chances: Annotated[Floats, Space("adaptive N R", busy=True)]  # its probabilities
    draws: Annotated[IntArray, Space("adaptive B R", busy=True)]  # indices of the drawn samples
    drawn: Annotated[Floats, Space("adaptive N R", busy=True)]  # squared gradient norms, summed up
    total: Annotated[Floats, Space("R")]  # total sample weight * outputs
    held_total: Annotated[Floats, Space("held R")]  # the same for the validation samples
    weight: Annotated[Floats, Space("mean R")]  # total sample weight
    scale: Annotated[Floats, Space("mean R")]  # the factor of a batch's derivatives
    held: Annotated[Floats, Space("held R")]  # the validation error when it was last evaluated
    held_errors: Annotated[Floats, Space("held T R + held R", moves=True)]
    held_final: Annotated[Floats, Space("held R")]  # as final, of the validation samples
    best: Annotated[Floats, Space("best P", moves=True)]  # the weights of the smallest error
    best_error: Annotated[Floats, Space("best R", moves=True)]  # their error on training samples
    outputs: Annotated[Floats, Space("0")]  # (R, N, H), N without padding; the caller's memory
    # Of second-order steps; matrices have rows for all parameters, rounded up to whole tiles.
    jacobian: Annotated[Floats, Workspace("curvature G H width R + curvature rows R")]
    products: Annotated[Floats, Workspace("curvature rows columns R")]
    factor: Annotated[Floats, Workspace("curvature rows columns R")]
    inverses: Annotated[Floats, Workspace("curvature rows R")]  # of its diagonal
    diagonal: Annotated[Floats, Workspace("curvature rows R")]  # of the products, undamped
    solution: Annotated[Floats, Workspace("curvature rows R")]  # the step
    work: Annotated[Floats, Workspace("programs work")]  # rows of the interpreter


class IterationSpan(NamedTuple):
    """The iterations of a call, first to last; iteration ``iterations`` only measures the error."""

    first: int
    last: int
    iterations: int
    record_every: int
    group: int  # samples of a group
    batch: int  # samples of a mini-batch
    look: int  # iterations between evaluations of the monitored error; 0 means an epoch
    window: int  # recent errors that are kept
    kept: int  # values that are copied when a run ends
    measure_every: int  # iterations between measurements
    limit: float  # of what is measured, at which a run ends
    factors: Floats  # of the learning rates, one for each update, if the user gave them
    programs: IntArray  # of the runs' steps: see .extensions.programs
    interpreter: int  # its address, if there are any
    schedule_start: int  # the update at which the schedule began
    shuffle: int  # 1 to shuffle the samples in every epoch
    shuffle_seed: int
    total: int  # all updates of the training, of which a call may have some


class Program(NamedTuple):
    """A rule; in the working memory each has its states, values, kept values, and results."""

    step: int  # where the instructions of its step begin in span.programs
    once: int  # they end where those begin that are run once per update
    end: int
    states: int
    values: int
    kept: int


NOW = GROUPS, MEASURING, TRAINING, SAMPLES, REAL, OVER = range(6)
"""Facts about the current pass, set at its beginning: indices of ``Split.now``."""


class Split(NamedTuple):
    """How threads share a block's work."""

    threads: int
    together: int  # samples whose values are stored
    rows: int  # samples of a group in the gradient
    areas: IntArray  # (threads, K, 6) flat: the weights of each thread, see Area
    now: IntArray  # see GROUPS
    overflow: Floats  # (threads, R): NaN for each run that diverges
    total: Floats  # (R,): sum of errors so far


# Inside a kernel: the structs above, as encoded by structs.encode().
all_data, all_layers, all_blocks, all_spans = map(table_of, (Data, Layer, Block, IterationSpan))
all_programs = table_of(Program)


class LayerInputs(NamedTuple):
    """The values of one layer for the samples of a group: the inputs of the next layer."""

    values: Any  # a buffer
    start: int
    stride: int  # distance from one sample to the next
    shape: Any  # one value, for each run; or for all of them, if they share the samples


class SampleGroup(NamedTuple):
    """Samples that pass through the layers together.

    The values of the samples from ``start`` on are stored; a pass processes some of them.
    """

    data: Any  # all samples
    start: int
    begin: int  # the first sample of a pass, relative to start
    end: int  # the end of the pass, relative to start
    real: int  # number of all samples without padding
    is_first: bool
    is_last: bool


class System(NamedTuple):
    """Sizes of the equations of a second-order step."""

    parameters: int
    width: int  # columns of the Jacobian, including the residual's
    columns: int  # of the matrices: the width, and maybe an identity


class Area(NamedTuple):
    """A rectangle of a layer's weights: from a range of inputs to a range of units.

    Inputs from ``first_input`` to ``full_inputs`` are processed in tiles, those from there to
    ``inputs`` row by row. Units from ``first_unit`` to ``wide_units`` are processed in wide tiles,
    those from there to ``units`` in narrow ones.
    """

    first_input: int
    full_inputs: int
    inputs: int
    first_unit: int
    wide_units: int
    units: int


# ---------------------------------------------------------------- values of each run


@part
def value(shape, numbers, layer, which):
    """Read a float value, one per run."""
    return units(shape, numbers, layer.values + which * runs_of(shape), 0)


@part
def put_value(scalar, numbers, layer, which, tile):
    """Write such a float value."""
    store(scalar, numbers, layer.values + which * runs_of(scalar), 0, tile)


@part
def integer(scalar, block, which):
    """Read an integer, one per run."""
    return load_words(scalar, block.integers, which * runs_of(scalar))


@part
def put_integer(scalar, block, which, words):
    """Write such an integer."""
    store_words(scalar, block.integers, which * runs_of(scalar), words)
