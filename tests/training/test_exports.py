"""Export to pandas and xarray: every value is at its labels."""

import sys
from dataclasses import replace

import numpy as np
import pytest

import fastgd
from fastgd.checks.presentation import dataframe
from fastgd.optimizers import Adam, GradientDescent, Momentum
from fastgd.training.sweep_axes import labels_of

X, Y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]


@pytest.fixture(scope="module")
def stopped():
    """Runs that end at different iterations, with validation errors."""
    return fastgd.sweep(
        X, Y, alpha=[1, 10], seed=[1, 2], iterations=300, record_every=50, tolerance=0.1,
        validation=(X, Y), hidden_size=(3, 2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def methods():
    optimizers = [Adam(), Momentum(0.5), Momentum(0.9)]
    return fastgd.sweep(
        X, Y, hidden_size=[(), 4], optimizer=optimizers, bias=[False, True], iterations=3
    )


@pytest.fixture(scope="module")
def run():
    return fastgd.train(
        X, Y, iterations=30, record_every=10, bias=True, record_weights=True, summary=2, alpha=10
    )


@pytest.fixture(scope="module")
def race():
    return fastgd.race(
        X, Y, [(GradientDescent(), 1), (Momentum(), (1, 2))], iterations=20, record_every=5
    )


def test_a_long_table_has_the_records_of_each_run_until_its_end(stopped):
    table = stopped.to_dataframe(long=True)
    assert list(table) == ["alpha", "seed", "iteration", "error", "loss", "validation_error"]
    for k, run in enumerate(stopped):
        own = table[(table.alpha == run.alpha) & (table.seed == run.seed)]
        count = len(own)
        assert count == -(-run.iterations // 50), k
        assert own.iteration.tolist() == run.recorded[:count].tolist()
        assert own.error.tolist() == run.errors[:count].tolist()
        assert own.loss.tolist() == run.losses[:count].tolist()
        assert own.validation_error.tolist() == run.validation_errors[:count].tolist()
    assert len(set(stopped.iterations.ravel())) > 1, "some run must end before another"
    assert table.notna().all(axis=None)


def test_a_record_that_diverged_stays_in_the_long_table(stopped):
    """Its value is shown, infinite or NaN."""
    errors = stopped.errors.copy()
    errors[0, 0, 1] = np.nan
    table = replace(stopped, errors=errors).to_dataframe(long=True)
    assert table[table.error.isna()].iteration.tolist() == [50]


def test_a_sweep_without_axes_is_one_row(xor):
    sweep = fastgd.sweep(*xor, iterations=30, record_every=10)
    assert len(sweep.to_dataframe()) == 1
    table = sweep.to_dataframe(long=True)
    assert list(table) == ["iteration", "error", "loss"]
    assert table.error.tolist() == sweep.errors.tolist()
    assert sweep.to_xarray().errors.dims == ("iteration",)


def test_long_must_be_a_flag(stopped):
    with pytest.raises(TypeError, match="long must be True or False, got 'yes'"):
        stopped.to_dataframe(long="yes")


def test_the_curve_of_a_run(run, stopped):
    table = run.to_dataframe()
    assert table.to_dict("list") == {
        "iteration": [0, 10, 20], "error": run.errors.tolist(), "loss": run.losses.tolist(),
    }  # fmt: skip
    own = stopped[1, 1].to_dataframe()
    every = stopped.to_dataframe(long=True)
    alone = every[(every.alpha == 10) & (every.seed == 2)].drop(columns=["alpha", "seed"])
    assert own.equals(alone.reset_index(drop=True))


def test_axes_become_dimensions(stopped):
    found = stopped.to_xarray()
    assert dict(found.sizes) == {"alpha": 2, "seed": 2, "iteration": 6}
    assert found.alpha.values.tolist() == [1.0, 10.0]
    assert found.iteration.values.tolist() == stopped.recorded.tolist()
    for name in ("errors", "losses", "validation_errors"):
        assert found[name].dims == ("alpha", "seed", "iteration")
        assert np.array_equal(found[name].values, getattr(stopped, name), equal_nan=True)
    for name in ("final_error", "final_loss", "final_validation_error", "best_iteration",
                 "status", "iterations", "total_changes"):  # fmt: skip
        assert found[name].dims == ("alpha", "seed")
        assert found[name].values.tolist() == getattr(stopped, name).tolist()
    assert found.attrs == {"hidden_size": "(3, 2)", "tolerance": "0.1"}
    run = stopped.sel(alpha=10, seed=2)
    assert float(found.final_error.sel(alpha=10, seed=2)) == run.final_error


def test_methods_are_short_strings_with_coordinates_of_their_numbers(methods):
    found = methods.to_xarray()
    assert found.hidden_size.values.tolist() == ["none", "4"]
    assert found.optimizer.values.tolist() == [
        "Adam",
        "Momentum(momentum=0.5)",
        "Momentum(momentum=0.9)",
    ]
    assert found.bias.values.tolist() == [False, True]
    assert found.momentum.dims == ("optimizer",)
    assert found.momentum.values.tolist()[1:] == [0.5, 0.9]
    assert np.isnan(found.beta1.values.tolist()[1:]).all()
    assert found.attrs == {"alpha": "1.0", "seed": "1"}
    place = {"hidden_size": "4", "optimizer": "Momentum(momentum=0.9)", "bias": True}
    assert float(found.final_error.sel(place)) == methods.final_error[1, 2, 1]


def test_a_field_that_is_an_axis_is_its_own_coordinate():
    sweep = fastgd.sweep(X, Y, optimizer=Momentum([0.1, 0.5]), iterations=3)
    assert sweep.to_xarray().momentum.dims == ("momentum",)


def test_initial_weights_are_numbered_and_groups_keep_their_labels():
    starts = [[np.full((3, 1), v)] for v in (0.1, 0.2)]
    found = fastgd.sweep(
        X, Y, weights=starts, groups=["b", "a", "a", "b"], iterations=1, summary=1
    ).to_xarray()
    assert found.weights.values.tolist() == [0, 1]
    assert found.group.values.tolist() == ["a", "b"]
    assert found.tail_mean.dims == ("group", "weights")


@pytest.mark.parametrize(
    ("name", "axis", "labels"),
    [
        ("hidden_size", [(4,), (32,)], [4, 32]),
        ("hidden_size", [(), (8, 2)], ["none", "8x2"]),
        ("alpha", [1.0, (0.1, 2.0)], ["1", "0.1, 2"]),
        ("bias", [True, False], [True, False]),
        ("activation", ["tanh", fastgd.Function(lambda a: a * 2)], ["tanh", "a * 2"]),
        ("init", ["he", ("he", "glorot")], ["he", "he/glorot"]),
        ("patience", [None, 10], ["none", "10"]),
        ("batch_size", [None, 2], ["all", "2"]),
        ("freeze", [(0,), (0, 1)], ["0", "0, 1"]),
        ("group", [1, 2.5, "x"], [1, 2.5, "x"]),
        ("optimizer", [GradientDescent(), Adam()], ["GradientDescent", "Adam"]),
    ],
    ids=["units", "layers", "alphas", "flags", "functions", "init", "none", "all", "freeze",
         "group", "methods"],
)  # fmt: skip
def test_labels(name, axis, labels):
    assert labels_of(name, axis) == labels


def test_a_run_with_its_weights(run):
    found = run.to_xarray()
    assert found.weights_0.dims == ("layer_0", "layer_1")
    assert found.recorded_biases_1.dims == ("iteration", "layer_2")
    for name in ("weights", "biases", "direction_changes", "bias_direction_changes",
                 "recorded_weights", "recorded_biases"):  # fmt: skip
        for k, layer in enumerate(getattr(run, name)):
            assert (found[f"{name}_{k}"].values == layer).all()
    assert found.errors.values.tolist() == run.errors.tolist()
    assert float(found.tail_mean) == run.summary.tail_mean
    assert str(found.status.values) == run.status
    assert found.attrs["alpha"] == "10.0"
    assert found.attrs["bias"] == "True"
    assert "validation_errors" not in found


def test_a_race(race):
    table = race.to_dataframe()
    assert table.optimizer.tolist() == ["GradientDescent", "Momentum"]
    assert table.alpha.tolist() == [1.0, (1.0, 2.0)]
    assert table.final_error.tolist() == [run.final_error for run in race.runs.values()]
    long = race.to_dataframe(long=True)
    assert list(long) == ["optimizer", "iteration", "error", "loss"]
    own = long[long.optimizer == "Momentum"]
    assert own.error.tolist() == race.runs["Momentum"].errors.tolist()
    found = race.to_xarray()
    assert found.alpha.values.tolist() == ["1", "1, 2"]
    assert float(found.final_error.sel(optimizer="Momentum")) == race.runs["Momentum"].final_error
    assert found.weights_0.dims == ("optimizer", "layer_0", "layer_1")
    assert found.attrs == {"hidden_size": "(4,)", "seed": "1"}, "what all have in common"


def test_a_plane_keeps_each_error_at_its_weights():
    plane = fastgd.surface(X, Y, [np.zeros((3, 1))], span=((-1, 1), (0, 4)), resolution=3)
    found = plane.to_xarray()
    assert float(found.errors.sel(x=1, y=4)) == plane.errors[2, 2]
    assert float(found.errors.sel(x=1, y=0)) == plane.errors[0, 2]
    assert found.attrs == {"x": "weights[0][0, 0]", "y": "weights[0][1, 0]", "samples": "4"}
    table = plane.to_dataframe()
    row = table[(table["weights[0][0, 0]"] == 1) & (table["weights[0][1, 0]"] == 0)]
    assert row.error.tolist() == [plane.errors[0, 2]]


def test_a_map_keeps_each_value_at_its_rates():
    found = fastgd.trainability(8, iterations=20, width=4, window=((-1, 3), (-1, 3)))
    array, table = found.to_xarray(), found.to_dataframe()
    first, second = found.input_rates[5], found.output_rates[2]
    assert float(array["values"].sel(input_rate=first, output_rate=second)) == found.values[2, 5]
    row = table[(table.input_rate == first) & (table.output_rate == second)]
    assert row["values"].tolist() == [found.values[2, 5]]
    assert row.converged.tolist() == [bool(found.converged[2, 5])]
    assert array.attrs["activation"] == "tanh"


def test_a_map_against_the_mean_names_its_axes():
    window = ((-1, 3), (-1, 3))
    found = fastgd.trainability(8, iterations=20, width=4, window=window, against="mean")
    array, table = found.to_xarray(), found.to_dataframe()
    rate, mean = found.input_rates[5], found.rows[2]
    assert array["values"].dims == ("mean", "rate")
    assert float(array["values"].sel(rate=rate, mean=mean)) == found.values[2, 5]
    row = table[(table.rate == rate) & (table["mean"] == mean)]
    assert row["values"].tolist() == [found.values[2, 5]]
    assert array.attrs["against"] == "mean"


@pytest.mark.parametrize(
    ("package", "extra", "method"),
    [("pandas", "dataframe", "to_dataframe"), ("xarray", "xarray", "to_xarray")],
    ids=["pandas", "xarray"],
)
def test_without_the_package_they_say_what_to_install(
    run, stopped, race, monkeypatch, package, extra, method
):
    monkeypatch.setitem(sys.modules, package, None)
    message = rf'{method}\(\) needs {package}: pip install "fastgd\[{extra}\]"'
    for result in (run, stopped, race):
        with pytest.raises(ImportError, match=message):
            getattr(result, method)()


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_tables_of_other_libraries_have_the_same_cells(run, stopped, race, kind):
    long = {"long": True}
    for result, how in ((run, {}), (stopped, {}), (stopped, long), (race, {}), (race, long)):
        table, expected = result.to_dataframe(kind=kind, **how), result.to_dataframe(**how)
        assert type(table).__module__.partition(".")[0] == kind
        assert table.shape == expected.shape
        for name, cells in expected.items():  # an alpha per layer is a string
            own = table[name].to_pylist() if kind == "pyarrow" else table[name].to_list()
            assert list(map(str, own)) == list(map(str, cells))


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_cells_of_several_types_are_numbers_or_strings(kind):
    cells = {"numbers": [1, 2.5, None], "others": [(1,), "a", None], "whole": [1, None, 3]}
    table = dataframe(cells, kind)
    found = table.to_pydict() if kind == "pyarrow" else table.to_dict(as_series=False)
    assert found == cells | {"others": ["(1,)", "a", None]}


def test_other_libraries_are_refused(run):
    with pytest.raises(
        ValueError, match=r"^kind must be 'pandas', 'polars' or 'pyarrow', got 'R'$"
    ):
        run.to_dataframe(kind="R")
