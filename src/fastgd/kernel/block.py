"""The kernel's arguments: tile shapes, a recipe, samples, layers, a block of runs, a span.

Letters as in :mod:`fastgd.kernel.training_loop`: N samples, D inputs and H outputs of a layer, K
layers, P parameters, R runs side by side.
"""

from typing import Any, NamedTuple

from fastgd.kernel.language.specialization import Choice, Features, KnownFacts, markers
from fastgd.kernel.language.structs import Bytes, Floats, Integers, table_of
from fastgd.kernel.language.tile import Shape


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
    has all sizes and addresses, a :class:`BlockLayout`, if the code is specialized for them.
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


@markers
class Recipe(NamedTuple):
    """The choices that determine the generated code: part of the type, and free of cost if None.

    Each run has float values of its own, (R,) each, from ``Layer.values`` on, and integers. A
    choice that reads one of them knows its index: ``optimizer.momentum``,
    ``features.dropout.threshold``.
    """

    optimizer: Choice
    schedule: Choice | None  # learning rates change from update to update
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
    features: Features  # what numeric options switch on: see fastgd.engine.lowering


# Integers of each run, in Block.integers: (R,) each; those of options follow.
SEED, SMALLEST_AT, ERROR_COUNT = range(3)
OPTIONS = 3

# What is kept about the errors besides SMALLEST_AT and ERROR_COUNT, from Layer.watch on: (R,) each.
SMALLEST, FIRST, ERROR_SUM, INVERSE_SUM = range(4)
RECENT = 4  # the most recent ones, in a ring buffer

# Parameters of a batch-normalized layer besides its weights: (H, R) each, from Layer.scale on.
SCALE, SHIFT, MEAN, VARIANCE = range(4)

RUNNING, CONVERGED, DIVERGED, STALLED = range(4)
"""Values of ``Block.outcome``."""


class Data(NamedTuple):
    """The samples of a block's runs; N is padded to whole tiles.

    Padding passes through the layers but is left out of all sums over samples. It also has weight 0
    (``importance``), since a run may have fewer samples than others in its block.

    If runs have their own samples or weights, each value is stored R times.
    """

    X: Floats  # (N * D,), D includes the constant input of a bias
    y: Floats  # (N * H,), H outputs of the last layer
    importance: Floats  # (N * H,)
    samples: int  # without padding
    epoch: int  # iterations in an epoch


class Layer(NamedTuple):
    """One row of the layer table: sizes, and addresses as indices of ``Block.numbers``."""

    inputs: int  # including the constant input of a bias
    units_below: int  # inputs without that
    outputs: int
    weights: int  # where its (D, H, R) weights begin
    effective: int  # where the weights used by the passes begin: with dropconnect, masked copies
    transposed: int  # where their transposed copies begin (without biases), if there are any
    gradient: int  # distance from a weight to its gradient
    learning: int  # distance from a weight to its flag: 1 if trainable, 0 if frozen
    states: int  # distance from a weight to its first optimizer state variable
    state: int  # distance from one state variable to the next
    factors: int  # distance from a weight to its dropconnect factor
    alpha: int  # where its (R,) learning rates begin
    base_alpha: int  # where the learning rates begin that a schedule's factor multiplies
    values: int  # where the other float values of each run begin
    watch: int  # where the values about monitored errors begin
    scale: int  # where its batch normalization parameters begin
    units: int  # where its activations begin: (samples of a group, H, R)
    stride: int  # distance from one sample's activations to the next
    deltas: int  # distance from an activation to its delta
    preactivation: int  # distance from an activation to its unit's input, if that is stored
    full_inputs: int  # inputs that fill whole tiles of rows
    wide_inputs: int  # units below that fill wide tiles
    wide_outputs: int  # outputs that fill wide tiles
    number: int  # 0 for the first layer
    is_output: int  # 1 for the last layer


class BlockLayout(NamedTuple):
    """Constants of code that is specialized for one network and one number of samples."""

    layers: tuple[Layer, ...]
    samples: int  # with padding; all in one group
    real: int  # without padding


class Block(NamedTuple):
    """R runs side by side: everything that changes while they train."""

    numbers: Floats  # weights (P * R), monitored errors, values, optimizer state, units: see Layer
    integers: Integers  # integers of each run, (R,) each
    signs: Bytes  # (P * R): 1 if the last update was positive
    recent: Bytes  # (P * R): direction changes since the last flush
    changes: Integers  # (P * R): direction changes before that
    errors: Floats  # (records + 1, R) flat: mean absolute errors; the last is the final one
    losses: Floats  # as errors, with penalties; if monitored, the current loss follows them
    path: Floats  # (records, P * R) flat: the weights at these errors, if they are recorded
    ended: Integers  # (R,): updates of a run that has ended, or -1
    outcome: Integers  # (R,): how it ended
    final: Floats  # (R,): its last error
    kept: Floats  # copy of its weights and monitored errors at its end, in the order of numbers
    kept_integers: Integers  # copy of its integers at its end
    kept_changes: Integers  # (P * R): copy of its direction changes at its end
    scratch: Floats  # (2, R) flat: temporary values
    order: Integers  # (N,): the samples in the order of an epoch
    batch: Data  # the mini-batch of an iteration; a copy for each run if these draw their own
    tau: Floats  # (N, R) flat: logits of the adaptive sampling distribution
    chances: Floats  # (N, R) flat: its probabilities
    draws: Integers  # (samples of a batch, R) flat: indices of the drawn samples
    drawn: Floats  # (N, R) flat: for each sample, squared gradient norms summed over its draws
    total: Floats  # (R,): total sample weight * outputs
    held_total: Floats  # (R,): the same for the validation samples, if there are any
    weight: Floats  # (R,): total sample weight, if the loss is a mean
    scale: Floats  # (R,): the factor of a batch's derivatives, if the loss is a mean
    held: Floats  # (R,): mean absolute validation error when it was last evaluated
    held_errors: Floats  # (records + 1, R) flat: as errors, of the validation samples
    held_final: Floats  # (R,): as final, of the validation samples
    best: Floats  # (P * R): the weights with the smallest monitored error, if they are kept
    best_error: Floats  # (R,): their error on the training samples
    outputs: Floats  # (R, N, H) flat, N without padding: outputs of all samples, if stored


class Span(NamedTuple):
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
    factors: Floats  # of the learning rates, one for each update, if the user gave them
    shuffle: int  # 1 to shuffle the samples in every epoch
    shuffle_seed: int


# Inside a kernel: the structs above, as encoded by structs.encode().
all_data, all_layers, all_blocks, all_spans = map(table_of, (Data, Layer, Block, Span))


class Samples(NamedTuple):
    """The values of one layer for the samples of a group."""

    values: Any  # a buffer
    start: int
    stride: int  # distance from one sample to the next


class WorkerShare(NamedTuple):
    """Samples that pass through the layers together.

    The values of the samples from ``start`` on are stored; a pass processes some of them.
    """

    start: int
    begin: int  # the first sample of a pass, relative to start
    end: int  # the end of the pass, relative to start
    real: int  # number of all samples without padding
    is_first: bool
    is_last: bool


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
