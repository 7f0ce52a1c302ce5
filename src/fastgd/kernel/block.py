"""What the kernel is handed: tiles, a recipe, samples, layers, a block of runs, a span.

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

    A layer's units are worked off in wide tiles, then the rest of them: in narrow ones of one unit,
    or in wide ones of which a part is in use. ``row`` is the same tile with one row, ``piece`` as
    many rows as can pass through the sigmoid without spilling registers, or None if the whole tile
    can. ``transposed`` is a row of units if weights are there transposed, too, for the pass back.
    ``strips`` is there if the pass forward takes the inputs of a layer in strips.
    ``scalar`` is one number per run. ``data`` has as many runs as the samples have: 1 where all
    runs of a block share them. So has ``importance`` for the samples' weights, which may differ
    where the samples are shared. ``layout`` has all sizes and places, a :class:`BlockLayout`, where
    the code is for these alone.
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
    """What decides the kernel's instructions: each is part of its type, and None costs nothing.

    Each run has numbers of its own, (R,) each, from ``Layer.values`` on, and integers. The choice
    that reads one knows its place among them: ``optimizer.momentum``,
    ``features.dropout.threshold``.
    """

    optimizer: Choice
    schedule: Choice | None  # the learning rates change from update to update
    activation: Choice
    output: Choice
    loss: Choice
    coupling: Choice | None  # output units need each other's inputs
    mean: Choice | None  # derivatives are those of the mean over a batch, not of the sum
    batch_norm: Choice | None
    batches: Choice  # "all" samples, or batches of them in "epochs" or "adaptive"
    watch: Choice | None  # errors between the recorded ones are watched
    separate: Choice | None  # errors are measured apart from the training
    path: Choice | None  # weights are recorded with the errors
    held: Choice | None  # there are held-out samples, and their errors are the watched ones
    best: Choice | None  # the network of the smallest watched error is kept
    outputs: Choice | None  # the outputs of all samples are kept, and nothing is trained
    inputs: Choice | None  # those of output units are kept: the loss is worked out from them
    features: Features  # what the options of numbers switch on: see fastgd.engine.lowering


# Integers that each run has of its own, in Block.integers: (R,) each; those of options follow.
SEED, SMALLEST_AT, ERROR_COUNT = range(3)
OPTIONS = 3

# What is kept of the errors beside SMALLEST_AT and LOOKS, from Layer.watch on: (R,) each.
SMALLEST, FIRST, ERROR_SUM, INVERSE_SUM = range(4)
RECENT = 4  # the last ones, in a ring

# Parameters of a normalised layer, beside its weights: (H, R) each, from Layer.scale on.
SCALE, SHIFT, MEAN, VARIANCE = range(4)

RUNNING, CONVERGED, DIVERGED, STALLED = range(4)
"""``Block.outcome``."""


class Data(NamedTuple):
    """What the runs of a block learn from; N is padded to whole tiles.

    Padding goes through the layers, and into no sum. It has importance 0, as it may be that of one
    run among others that have more samples.

    Where runs have their own samples or importance, each number is there R times.
    """

    X: Floats  # (N * D,), D with the constant input of a bias
    y: Floats  # (N * H,), H outputs of the last layer
    importance: Floats  # (N * H,)
    samples: int  # without padding
    epoch: int  # iterations of an epoch


class Layer(NamedTuple):
    """One row of the layer table: where things are in ``Block.numbers``, and their tiles."""

    inputs: int  # with the constant input of a bias
    units_below: int  # without
    outputs: int
    weights: int  # where its (D, H, R) weights begin
    effective: int  # where the weights begin that the passes use: without the dropped ones
    transposed: int  # where these begin transposed, without those of a bias, if the passes want it
    gradient: int  # from a weight to its gradient
    learning: int  # from a weight to 1 if it learns, 0 if it is frozen
    states: int  # from a weight to the optimizer's first number for it
    state: int  # and from there to the next one
    factors: int  # from a weight to its factor of dropconnect
    alpha: int  # where its (R,) learning rates begin
    base_alpha: int  # and where those that the schedule's factor multiplies
    values: int  # where the other numbers of each run begin
    watch: int  # where the numbers about errors begin
    scale: int  # where its parameters of batch normalisation begin
    units: int  # where its (N of a group, H, R) activations begin
    stride: int  # from one sample's activations to the next
    deltas: int  # from an activation to its delta
    preactivation: int  # from an activation to its unit's input, where that is kept
    full_inputs: int  # inputs that fill whole tiles of rows
    wide_inputs: int  # units below that fill wide tiles
    wide_outputs: int  # outputs that fill wide tiles
    number: int  # 0 for the first layer
    is_output: int  # 1 for the last layer


class BlockLayout(NamedTuple):
    """What code knows that is for one network and as many samples only."""

    layers: tuple[Layer, ...]
    samples: int  # with padding; they are one group
    real: int  # without


class Block(NamedTuple):
    """R runs side by side: all that changes while they train."""

    numbers: Floats  # weights (P * R), errors watched, values, states, units: see Layer
    integers: Integers  # those of each run, (R,) each
    signs: Bytes  # (P * R): 1 if the last update was positive
    recent: Bytes  # (P * R): direction changes since the last flush
    changes: Integers  # (P * R): direction changes before that
    errors: Floats  # (records + 1, R) flat: mean |error|, at last the final one
    losses: Floats  # likewise, with penalties; if these are watched, the one of now behind them
    path: Floats  # (records, P * R) flat: the weights that had these errors, if they are recorded
    ended: Integers  # (R,): the updates of a run that is over, or -1
    outcome: Integers  # (R,): how it ended
    final: Floats  # (R,): its last error
    kept: Floats  # its weights and errors watched, as in numbers
    kept_integers: Integers  # its integers
    kept_changes: Integers  # (P * R): its direction changes
    scratch: Floats  # (2, R) flat: room for what is needed at once, and then no more
    order: Integers  # (N,): the samples in the order of an epoch
    batch: Data  # of an iteration; with a number for each run if these draw their own
    tau: Floats  # (N, R) flat: logarithms of the sampling distribution
    chances: Floats  # (N, R) flat: the distribution
    draws: Integers  # (samples of a batch, R) flat: what was drawn
    drawn: Floats  # (N, R) flat: squared norms of what was drawn of each sample, summed up
    total: Floats  # (R,): weight of all samples * outputs
    held_total: Floats  # (R,): the same of the held-out ones, if there are any
    weight: Floats  # (R,): of all samples, if the loss is a mean over them
    scale: Floats  # (R,): and what the derivatives of a batch are multiplied by
    held: Floats  # (R,): their mean error when it was last looked at
    held_errors: Floats  # (records + 1, R) flat: as errors
    held_final: Floats  # (R,): as final
    best: Floats  # (P * R): the weights of the smallest watched error, if they are kept
    best_error: Floats  # (R,): and their error on the samples that are learned from
    outputs: Floats  # (R, N, H) flat, N without padding: of all samples, if they are kept


class Span(NamedTuple):
    """What a call runs: iterations first to last; number ``iterations`` only measures the error."""

    first: int
    last: int
    iterations: int
    record_every: int
    group: int  # samples of a group
    batch: int  # samples of a batch
    look: int  # iterations from one look at the watched error to the next; 0 for an epoch
    window: int  # recent errors that are kept
    kept: int  # numbers that are put away when a run is over
    factors: Floats  # of the learning rates, one for each update, if they are given
    shuffle: int  # 1 to shuffle the samples once per epoch
    shuffle_seed: int


# Inside a kernel: what encode() made of the above, as structs.
all_data, all_layers, all_blocks, all_spans = map(table_of, (Data, Layer, Block, Span))


class Samples(NamedTuple):
    """The values of one layer for the samples of a group."""

    values: Any  # a buffer
    start: int
    stride: int  # from one sample to the next


class WorkerShare(NamedTuple):
    """Samples that go through the layers together.

    The values of those from ``start`` on are kept; a pass is over some of them.
    """

    start: int
    begin: int  # the first one of a pass, counted from start
    end: int  # and where it ends
    real: int  # all samples without padding
    is_first: bool
    is_last: bool


class Area(NamedTuple):
    """Weights of a layer, a rectangle: those from some inputs to some units.

    Inputs from ``first_input`` to ``full_inputs`` are worked off in tiles, those from there to
    ``inputs`` row by row; likewise units in wide tiles, then in narrow ones.
    """

    first_input: int
    full_inputs: int
    inputs: int
    first_unit: int
    wide_units: int
    units: int
