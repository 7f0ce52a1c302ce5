"""A training as an image: a face finds in its memory what it shows, and writes what it sets."""

import numpy as np
import pytest
from fastgd.arguments.samples import TrainingData
from fastgd.arguments.subsets import check_partition
from fastgd.engine.training_image import TrainingImage

import fastgd
from cases import XOR_X, XOR_Y
from fastgd.arguments.options import Method
from fastgd.engine.network import first_rows, network_of
from fastgd.engine.plan import Plan
from fastgd.kernel import vectorization
from fastgd.kernel.launch import train_blocks
from fastgd.kernel.vectorization import WEBASSEMBLY

ITERATIONS, RECORD_EVERY = 60, 20
BASE = 65_536


def image_of(hidden, alphas, seeds, *, groups=None, base=BASE, **options):
    task = TrainingData.check(XOR_X, XOR_Y, ITERATIONS, RECORD_EVERY)
    if groups is not None:
        part = check_partition(XOR_X, XOR_Y, groups=groups, folds=None, sample_weight=None)
        task = task.__class__(**{**vars(task), "partition": part})
    method = Method(**options)
    network = network_of(method, task.X, task.y, hidden)
    alpha = np.repeat(np.array(alphas)[:, None], network.layers, axis=1)
    plan = Plan.make(task, network, method, alpha, {}, len(seeds), 1, machine=WEBASSEMBLY)
    first = network.rows(first_rows(method.init, network.sizes, seeds))
    return TrainingImage.of(plan, first, np.array(seeds), base)


def value(made, name):
    """What a face reads: numbers at a place of the memory, which it knows as bytes."""
    field = made.fields[name]
    memory = made.image.memory
    part = memory[field.offset : field.offset + np.dtype(field.dtype).itemsize]
    return np.lib.stride_tricks.as_strided(part.view(field.dtype), field.shape, field.strides)


@pytest.mark.parametrize(
    ("hidden", "options"),
    [
        ((4,), {}),
        ((5, 3), {"bias": True, "dropout": 0.2}),
        ((3,), {"batch_norm": True}),
        pytest.param((4,), {"tolerance": 1e-9, "monitor": "loss"}, marks=pytest.mark.slow),
    ],
)
def test_a_face_finds_what_a_sweep_returns(hidden, options):
    alphas, seeds = [0.1, 1.0, 10.0], [1, 5, 7]
    made = image_of(hidden, alphas, seeds, **options)
    train_blocks(made.image.call, 1)  # whose arrays are in the image's memory
    sweep = fastgd.sweep(
        XOR_X,
        XOR_Y,
        hidden_size=hidden,
        alpha=alphas,
        seed=seeds,
        iterations=ITERATIONS,
        record_every=RECORD_EVERY,
        **options,
    )
    assert value(made, "span.iterations") == ITERATIONS
    assert value(made, "span.last") == ITERATIONS + 1
    for place in np.ndindex(sweep.shape):
        run = sweep[place]
        b, r = divmod(place[0] * len(seeds) + place[1], made.layout.runs)
        np.testing.assert_array_equal(value(made, "alpha")[b, :, r], run.alpha)
        assert value(made, "seeds")[b, r] == run.seed
        np.testing.assert_array_equal(
            value(made, "errors")[b, :, r], [*run.errors, run.final_error]
        )
        np.testing.assert_array_equal(value(made, "losses")[b, :, r], [*run.losses, run.final_loss])
        for k, weights in enumerate(run.weights):
            inputs = len(weights)
            all_rows = value(made, f"weights.{k}")[b, :, :, r]
            np.testing.assert_array_equal(all_rows[:inputs], weights)
            if run.biases:
                np.testing.assert_array_equal(all_rows[inputs], run.biases[k])
            if run.normalization and k < len(run.normalization):
                np.testing.assert_array_equal(all_rows[-4:], np.array(run.normalization[k]))
            changes = value(made, f"changes.{k}")[b, :inputs, :, r]
            np.testing.assert_array_equal(changes, run.direction_changes[k])


def test_what_a_face_writes_is_what_is_trained():
    made = image_of((4,), [1.0], [1])
    value(made, "alpha")[...] = 10.0
    train_blocks(made.image.call, 1)
    run = fastgd.train(XOR_X, XOR_Y, hidden_size=4, alpha=10, iterations=ITERATIONS)
    assert value(made, "errors")[0, -1, 0] == run.final_error


def test_the_code_is_that_of_two_lanes_whatever_was_trained_before():
    shapes = [image_of((hidden,), [1.0], [1]).image.call.shapes for hidden in (1, 2, 3, 4)]
    assert all(shape.layout is not None for shape in shapes)
    assert image_of((16, 16), [1.0], [1]).image.call.shapes.wide.units == 4


@pytest.mark.parametrize("base", [0, -64, 64, 65_600 + 1])
def test_where_it_can_not_lie(base):
    with pytest.raises(
        ValueError, match=f"base must be a multiple of 64, from 65,536 on, got {base:,}"
    ):
        image_of((4,), [1.0], [1], base=base)


def test_runs_with_samples_of_their_own():
    with pytest.raises(ValueError, match="an image must be of runs with the same samples"):
        image_of((4,), [1.0], [1], groups=[0, 0, 1, 1])


@pytest.mark.parametrize("lanes", [8, 4])
def test_runs_go_side_by_side_as_the_other_machine_likes(monkeypatch, lanes):
    monkeypatch.setattr(vectorization, "native_lanes", lambda: lanes)
    made = image_of((4,), [1.0], range(160))
    assert made.layout.runs == 4 * WEBASSEMBLY.lanes


def test_what_has_no_values_has_no_field():
    made = image_of((4,), [1.0], [1])
    assert "path" not in made.fields
    assert min(field.offset for field in made.fields.values()) > 0
