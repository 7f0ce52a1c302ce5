"""Phases of an iteration, on one thread or several: samples, forward passes, errors, the end.

Letters as in :mod:`fastgd.kernel.training_loop`.
"""

from fastgd.kernel.block import Samples, WorkerShare
from fastgd.kernel.extensions.batch_norm import normalize
from fastgd.kernel.extensions.batches import draw_batch, new_order, next_batch
from fastgd.kernel.extensions.coupling import couple
from fastgd.kernel.extensions.norms import limit_norms, update_clipped
from fastgd.kernel.extensions.random_masks import drop_units
from fastgd.kernel.extensions.tangents import add_all_errors, finish_lines, lines_of
from fastgd.kernel.iteration.errors import (
    all_over,
    end_by_overflow,
    hold,
    loss_place_of,
    observe,
)
from fastgd.kernel.iteration.optimizer_steps import prepare, set_rates
from fastgd.kernel.language.specialization import INLINED, dispatch, part
from fastgd.kernel.language.threads import meet, thread_of, threads_of
from fastgd.kernel.training_loop import forward

FLUSH = 255
"""Updates between flushes: direction changes are counted in bytes, then added to ``changes``."""


@part
def _finish_hidden(batch_norm, dropout, activation, scalar, group, block, layer, j, training):
    """What follows the products of a hidden layer: batch normalization, dropout."""
    normalize(batch_norm, scalar, activation, group, block, layer, training)
    if training:
        drop_units(dropout, scalar, activation, group, block, layer, j)


@part
def forward_layers(shapes, recipe, data, layers, group, block, x, j, training):
    """Compute the values of all layers for a group of samples."""
    bottom, choices = layers[0], recipe
    forward(shapes, choices, shapes.data, x, data, group, block, bottom)
    finish_lines(recipe.tangents, shapes, recipe, data, group, block, bottom, bottom)
    for k in range(1, len(layers)):
        below, layer = layers[k - 1], layers[k]
        _finish_hidden(
            recipe.batch_norm, recipe.features.dropout, recipe.activation,
            shapes.scalar, group, block, below, j, training,
        )  # fmt: skip
        inputs = Samples(block.numbers, below.units, below.stride)
        forward(shapes, choices, shapes.scalar, inputs, data, group, block, layer)
        finish_lines(recipe.tangents, shapes, recipe, data, group, block, layer, bottom)
    couple(recipe.coupling, shapes, choices, data, group, block, layers[len(layers) - 1])


@part
def group_of(layout, span, start, N, real):
    """The group of samples from ``start`` on; all samples if there are few."""
    if layout is None:
        samples = min(span.group, N - start)
        return WorkerShare(start, 0, samples, real, start == 0, start + samples == N)
    return WorkerShare(0, 0, layout.samples, layout.real, True, True)


@part
def measure_group(
    shapes, recipe, data, layers, group, block, span, look, j, record, records, holding, total
):
    """Add up the errors of a group; with the last group record them, and act on the result.

    With ``holding`` they are errors of the validation samples, otherwise of the training samples.
    """
    place = -1 if holding else loss_place_of(recipe.watch, record, records)
    total = add_all_errors(
        recipe.tangents, shapes, recipe, data, group, block, layers, place, total
    )
    if group.is_last:
        if holding:
            hold(recipe.held, shapes.scalar, block, record, total)
        else:
            observe(
                recipe.mean, recipe.features.penalty, recipe, shapes.scalar, block,
                layers, span, look, j, record, place, total,
            )  # fmt: skip
    return total


@part
def before_update(shapes, recipe, data, layers, block, span, j):
    """What precedes update j; returns its samples, and their number without padding."""
    set_rates(recipe.schedule, shapes.scalar, layers, block, span, j)
    prepare(recipe.optimizer, shapes.scalar, block.numbers, layers[0])
    lines = lines_of(recipe.tangents, layers[0])
    return _choose_samples(recipe.batches, recipe.mean, shapes, data, layers, block, span, j, lines)


def _choose_samples(batches, mean, shapes, data, layers, block, span, j, lines):
    """The samples that iteration j trains on, and their number without padding."""


def _all_samples(batches, mean, shapes, data, layers, block, span, j, lines):
    return data, data.samples


def _samples_of_epoch(batches, mean, shapes, data, layers, block, span, j, lines):
    meet(shapes.scalar)  # all are done with the batch before
    if j % data.epoch == 0 or j == span.first:
        new_order(shapes.scalar, data, block, span, j, lines)
        meet(shapes.scalar)
    bottom, top = layers[0], layers[len(layers) - 1]
    real = next_batch(mean, shapes, data, block, span, bottom.inputs, top.outputs, j, lines)
    return block.batch, real


def _drawn_samples(batches, mean, shapes, data, layers, block, span, j, lines):
    bottom, top = layers[0], layers[len(layers) - 1]
    draw_batch(shapes.scalar, data, block, span, bottom, top.outputs, j)
    return block.batch, span.batch


dispatch(
    _choose_samples,
    {"all": _all_samples, "epochs": _samples_of_epoch, "adaptive": _drawn_samples},
    INLINED,
)


def padded_of(batches, all_samples, of_batch):
    """Number of samples of an iteration, with padding."""


dispatch(
    padded_of,
    {
        "all": lambda batches, all_samples, of_batch: all_samples,
        "epochs": lambda batches, all_samples, of_batch: of_batch,
        "adaptive": lambda batches, all_samples, of_batch: of_batch,
    },
    INLINED,
)


@part
def flush(scalar, block, keep):
    """Move the recent direction changes to ``changes``, or drop them (after the first update)."""
    for i in range(thread_of(scalar), len(block.changes), threads_of(scalar)):
        if keep:
            block.changes[i] += block.recent[i]
        block.recent[i] = 0


@part
def after_update(shapes, recipe, layers, block, span, overflow, j):
    """What follows update j of all weights; returns whether all runs of the block are over.

    ``overflow`` is NaN for each run that diverged in the update, else 0.
    """
    features = recipe.features
    overflow = overflow + update_clipped(features.norm_clipping, shapes, recipe, layers, block)
    overflow = overflow + limit_norms(features.max_norm, shapes, recipe, layers, block)
    over = False
    if j % FLUSH == 0:
        flush(shapes.scalar, block, j > 0)
        over = all_over(shapes.scalar, block)
    if recipe.curvature is not None:  # an iteration takes so long that it pays to ask
        over = all_over(shapes.scalar, block)
    if not over:
        end_by_overflow(recipe.held, shapes.scalar, block, span, overflow, j + 1)
    return over


@part
def is_on(choice):
    """1 for a choice, 0 for None."""
    return 0 if choice is None else 1
