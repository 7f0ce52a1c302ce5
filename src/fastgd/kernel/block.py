"""What the kernel is handed: tiles, samples, the layer table, a block of runs, a schedule.

Letters as in :mod:`fastgd.kernel.descent`: N samples, D inputs and H outputs of a layer, K layers,
P parameters, R runs side by side.
"""

from typing import NamedTuple

import numpy as np

from fastgd.kernel.tile import Shape


class Shapes(NamedTuple):
    """The tiles of a kernel (:class:`fastgd.kernel.tile.Shape`).

    A layer's units are worked off in wide tiles, then in narrow ones of one unit. ``row`` is the
    same tile with one row, ``piece`` as many rows as can pass through the sigmoid without spilling
    registers, or None if the whole tile can. ``one`` is one number per run; ``shared`` marks arrays
    that hold one number for all runs.
    """

    wide: Shape
    wide_row: Shape
    wide_piece: Shape | None
    narrow: Shape
    narrow_row: Shape
    narrow_piece: Shape | None
    one: Shape
    shared: Shape


class Data(NamedTuple):
    """What all runs learn from; N is padded to whole tiles, padding has importance 0."""

    X: np.ndarray  # (N * D,)
    y: np.ndarray  # (N * H,), H outputs of the last layer
    importance: np.ndarray  # (N * H,)


class Layer(NamedTuple):
    """One row of the layer table: where things are in ``Block.numbers``, and their tiles."""

    inputs: int
    outputs: int
    weights: int  # where its (D, H, R) weights begin
    gradient: int  # from a weight to its gradient
    alpha: int  # where its (R,) learning rates begin
    units: int  # where its (N of a group, H, R) activations begin
    row: int  # from one sample's activations to the next
    deltas: int  # from an activation to its delta
    full_inputs: int  # inputs that fill whole tiles of rows
    wide_inputs: int  # inputs that fill wide tiles
    wide_outputs: int  # outputs that fill wide tiles
    is_output: int  # 1 for the last layer


class Block(NamedTuple):
    """R runs side by side: all that changes while they train."""

    numbers: np.ndarray  # weights (P * R), gradients, alpha, activations, deltas: see Layer
    signs: np.ndarray  # uint8 (P * R): 1 if the last update was positive
    recent: np.ndarray  # uint8 (P * R): direction changes since the last flush
    changes: np.ndarray  # int64 (P * R): direction changes before that
    overflow: np.ndarray  # (R,): room to look at what has just diverged
    diverged: np.ndarray  # int64 (R,): the iteration that made a weight overflow, or -1
    errors: np.ndarray  # (records + 1, R) flat: mean |error|, at last the final one


class Schedule(NamedTuple):
    """What a call runs: iterations first to last; number ``iterations`` only measures the error."""

    first: int
    last: int
    iterations: int
    record_every: int
    group: int  # samples of a group
    values: int  # samples * outputs, without padding


class Samples(NamedTuple):
    """The values of one layer for the samples of a group."""

    values: np.ndarray
    start: int
    row: int  # from one sample to the next


class Group(NamedTuple):
    """Samples that go through the layers together."""

    start: int
    samples: int
    is_first: bool
    is_last: bool
