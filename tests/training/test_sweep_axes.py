"""The axes of a sweep: their order, and the index of each run."""

import numpy as np

import fastgd
from fastgd.optimizers import Adam, GradientDescent, Momentum, Nesterov
from fastgd.training.selection import fields_of
from fastgd.training.sweep_axes import SweepAxes

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
Y = [0, 1, 1, 0]
AXES = {
    "weights": ["w"], "momentum": [0.1, 0.2], "alpha": [1, 2, 3], "hidden_size": [(2,), (3,)],
    "seed": [5], "bias": [False, True], "l2": [0, 1],
}  # fmt: skip


def ordered(**axes):
    return SweepAxes.of(axes)


def test_axes_have_one_order():
    sweep_axes = ordered(**AXES)
    assert list(sweep_axes.axes) == [
        "hidden_size",
        "bias",
        "alpha",
        "momentum",
        "l2",
        "seed",
        "weights",
    ]
    assert sweep_axes.shape == (2, 2, 3, 2, 2, 1, 1)
    assert (sweep_axes.networks, sweep_axes.runs) == (4, 12)
    assert (ordered().axes, ordered().shape) == ({}, ())
    assert (ordered().networks, ordered().runs) == (1, 1)


def test_axes_of_samples_come_between_networks_and_alpha():
    """They are axes of the runs of one network: all subsets share the compiled code."""
    parts = {"sample_weight": [0, 1], "group": ["a", "b", "c"], "fold": None}
    others = {"hidden_size": [(2,), (3,)], "bias": [False, True], "seed": [1], "weights": None}
    sweep_axes = SweepAxes.of(parts | others | {"alpha": [1.0, 2.0], "l2": [0.0, 0.1]})
    assert list(sweep_axes.axes) == [
        "hidden_size", "bias", "group", "sample_weight", "alpha", "l2", "seed"
    ]  # fmt: skip
    assert (sweep_axes.networks, sweep_axes.runs) == (4, 24)
    assert sweep_axes.place((1, 0, 2, 1, 0, 1, 0)) == (2, 2 * 8 + 4 + 1)


def test_each_run_has_a_place_of_its_own():
    sweep_axes = ordered(**AXES)
    indices = list(np.ndindex(sweep_axes.shape))
    places = [sweep_axes.place(index) for index in indices]
    assert places == [(network, run) for network in range(4) for run in range(12)]
    parts = [np.arange(12) + 100 * network for network in range(4)]
    joined = fields_of({"final_error": parts}, sweep_axes.shape, None)["final_error"]
    assert joined.shape == sweep_axes.shape
    for index, (network, run) in zip(indices, places, strict=True):
        assert joined[index] == 100 * network + run
    assert sweep_axes.values((1, 0, 2, 1, 0, 0, 0)) == {
        "hidden_size": (3,), "bias": False, "alpha": 3, "momentum": 0.2, "l2": 0, "seed": 5,
        "weights": "w",
    }  # fmt: skip
    assert ordered().place(()) == (0, 0)
    single = fields_of({"final_error": [np.array([7.0])]}, (), None)
    assert single["final_error"].shape == ()


def test_a_table_tells_optimizers_and_their_numbers_apart():
    optimizers = [Momentum(0.5), Nesterov(0.5), GradientDescent(), Adam(), Momentum(0.9)]
    sweep = fastgd.sweep(X, Y, optimizer=optimizers, alpha=[0.1, 1], iterations=3)
    frame = sweep.to_dataframe()
    assert list(frame.columns) == [
        "optimizer", "momentum", "beta1", "beta2", "epsilon", "alpha",
        "final_error", "final_loss", "status", "iterations", "total_changes",
    ]  # fmt: skip
    names = ["Momentum", "Nesterov", "GradientDescent", "Adam", "Momentum"]
    assert frame["optimizer"].tolist()[::2] == names == frame["optimizer"].tolist()[1::2]
    assert frame.groupby("optimizer").size().to_dict() == {
        "Adam": 2, "GradientDescent": 2, "Momentum": 4, "Nesterov": 2
    }  # fmt: skip
    by_mu = frame.groupby(["optimizer", "momentum"]).size().to_dict()
    assert by_mu == {("Momentum", 0.5): 2, ("Momentum", 0.9): 2, ("Nesterov", 0.5): 2}
    np.testing.assert_array_equal(frame["momentum"][::2], [0.5, 0.5, np.nan, np.nan, 0.9])
    np.testing.assert_array_equal(frame["beta1"][::2], [np.nan] * 3 + [0.9, np.nan])
    assert frame["final_error"].tolist() == sweep.final_error.ravel().tolist()
