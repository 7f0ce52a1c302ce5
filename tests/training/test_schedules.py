"""Schedules: PyTorch's formulas, written out; the factors to the last bits; resuming; errors."""

from math import cos, pi

import numpy as np
import pytest

import fastgd
from cases import X, Y
from fastgd import reference
from fastgd.reference.schedules import factor, factors
from fastgd.schedules import Constant, Cosine, Exponential, Factors, Linear, Step
from thinning import at_a_time, kernels_of


def recursion(schedule, updates):
    """The learning rates that PyTorch's schedulers of this name have one after the other.

    As their get_lr, each from the one before; the base is 1.
    """
    rates = [1.0]
    for epoch in range(1, updates):
        lr = rates[-1]
        match schedule:
            case Step(step_size, gamma):
                lr = lr * gamma if epoch % step_size == 0 else lr
            case Exponential(gamma):
                lr = lr * gamma
            case Linear(total_iters, end):
                if epoch <= total_iters:
                    lr *= 1 + (end - 1) / (total_iters + (epoch - 1) * (end - 1))
            case Cosine(T_max, eta_min, 0):
                lr -= eta_min
                if epoch < T_max:
                    lr *= (1 + cos(pi * epoch / T_max)) / (1 + cos(pi * (epoch - 1) / T_max))
                lr = eta_min + (lr if epoch < T_max else 0.0)
        rates.append(lr)
    return rates


@pytest.mark.parametrize(
    "schedule",
    [Step(7, 0.5), Step(1, 0.9), Exponential(0.97), Exponential(1.01), Linear(40, 0.1),
     Linear(200, 3.0), Cosine(90), Cosine(60, 0.25)],
    ids=str,
)  # fmt: skip
def test_factors_as_in_pytorchs_recursions(schedule):
    """Its own numbers are in test_pytorch_numbers.py."""
    found = factors(schedule, 100)
    np.testing.assert_allclose(found, recursion(schedule, 100), rtol=1e-12, atol=1e-14)


def test_a_warm_up_on_paper():
    found = factors(Cosine(steps=8, final_factor=0.5, warmup_steps=4), 10)
    falling = [0.75 + 0.25 * cos(pi * k / 4) for k in range(4)]
    np.testing.assert_allclose(found, [0.25, 0.5, 0.75, 1, *falling, 0.5, 0.5], rtol=1e-15)


def test_the_ends_of_a_schedule_on_paper():
    assert factors(Linear(4, 0.5), 6).tolist() == [1, 0.875, 0.75, 0.625, 0.5, 0.5]
    assert factors(Step(2, 0.5), 6).tolist() == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert factors(Exponential(0.5), 4).tolist() == [1, 0.5, 0.25, 0.125]
    assert factors(Constant(), 2).tolist() == [1, 1]
    assert factor(Factors([3.0, 2.0]), 1) == 2


SCHEDULES = {
    "step": Step(5, 0.3),
    "exponential": Exponential(0.7),
    "linear": Linear(40, 0.2),
    "cosine": Cosine(50, 0.1, 7),
    "factors": Factors(np.linspace(1, 0, 60)),
}


NETWORK = {"hidden_size": (5, 3), "record_every": 7}
"""As the golden cases have it: their kernels are compiled already."""


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_of_the_kernel(name):
    """With weights that are next to 0 the derivative stays 1 / 8, and they are sums of factors."""
    given = {"X": [[1.0]], "y": np.ones((1, 5)), "weights": [np.zeros((1, 5))]}
    given |= {"alpha": 2.0**-60, "schedule": SCHEDULES[name]}
    sums = np.cumsum(factors(SCHEDULES[name], 60))
    with kernels_of(name):  # which record no weights
        for count in (*range(1, 20), *range(20, 61, 5)):
            [found] = fastgd.train(**given, iterations=count).weights
            np.testing.assert_allclose(2.0**63 * found[0], sums[count - 1], rtol=1e-14)


@pytest.mark.parametrize("name", SCHEDULES)
def test_in_parts_and_through_a_file_it_is_bit_identical_to_one_training(name, tmp_path):
    given = NETWORK | {"alpha": 0.3, "schedule": SCHEDULES[name]}
    with kernels_of(name):
        whole = fastgd.train(X, Y, **given, iterations=60)
        run = fastgd.train(X, Y, **given, iterations=8)
        for more in (1, 33, 18):
            run.save(tmp_path / "run.npz")
            run = fastgd.train(X, Y, resume=fastgd.load(tmp_path / "run.npz"), iterations=more)
    assert run.options == whole.options == {"schedule": SCHEDULES[name]}
    for ours, theirs in zip(run.weights, whole.weights, strict=True):
        assert ours.tobytes() == theirs.tobytes()
    assert run.errors.tobytes() == whole.errors.tobytes()


def test_a_run_resumes_its_own_schedule_only():
    same = np.linspace(1, 0, 60)
    with kernels_of("factors"):
        run = fastgd.train(X, Y, **NETWORK, schedule=SCHEDULES["factors"], iterations=50)
        assert fastgd.train(X, Y, resume=run, schedule=same, iterations=10).iterations == 60
    with pytest.raises(ValueError, match="schedule must be left out with resume, or as it was"):
        fastgd.train(X, Y, resume=run, schedule=same[::-1], iterations=10)
    with pytest.raises(ValueError, match=r"a factor for each of 61 updates, got 60$"):
        fastgd.train(X, Y, resume=run, iterations=11)
    with pytest.raises(ValueError, match=r"a factor for each of 61 updates, got 60$"):
        reference.train(X, Y, schedule=same, iterations=61)
    with pytest.raises(ValueError, match=r"a factor for each of 61 updates, got 60$"):
        fastgd.sweep(X, Y, schedule=[Constant(), same], iterations=61)


def test_a_sweep_over_schedules(tmp_path):
    """An axis of their own, with columns for their fields; and it survives a file."""
    chosen = [Constant(), Step(20, 0.5), Step(30), SCHEDULES["factors"], np.ones(60)]
    sweep = fastgd.sweep(X, Y, **NETWORK, schedule=chosen, alpha=[0.1, 0.3], iterations=60)
    assert sweep.axes["schedule"] == [*chosen[:4], Factors(np.ones(60))]
    for place in np.ndindex(sweep.shape):
        given = {"schedule": chosen[place[0]], "alpha": sweep.axes["alpha"][place[1]]}
        with at_a_time(8):
            run = fastgd.train(X, Y, **NETWORK, **given, iterations=60)
        assert run.weights[0].tobytes() == sweep[place].weights[0].tobytes()
        assert run.options == sweep[place].options
    assert (sweep.errors[0] == sweep.errors[4]).all()  # factors of 1 are no schedule
    sweep.save(tmp_path / "sweep.npz")
    loaded = fastgd.load(tmp_path / "sweep.npz")
    assert loaded.axes == sweep.axes
    table = sweep.to_dataframe()
    assert table["schedule"].tolist()[::2] == ["Constant", "Step", "Step", "Factors", "Factors"]
    assert table["step_size"].fillna(0).tolist()[::2] == [0, 20, 30, 0, 0]


def test_fields_of_both_an_optimizer_and_a_schedule_are_axes(tmp_path):
    optimizer = fastgd.optimizers.Momentum(momentum=[0.0, 0.5])
    given = NETWORK | {"optimizer": optimizer, "schedule": Step(step_size=[10, 20], factor=0.5)}
    sweep = fastgd.sweep(X, Y, **given, iterations=30, keep_state=True)
    assert sweep.axes == {"momentum": [0.0, 0.5], "step_size": [10, 20]}
    assert sweep[1, 0].options == {
        "optimizer": fastgd.optimizers.Momentum(momentum=0.5), "schedule": Step(10, 0.5)
    }  # fmt: skip
    sweep.save(tmp_path / "sweep.npz")
    more = fastgd.sweep(X, Y, resume=fastgd.load(tmp_path / "sweep.npz"), iterations=20)
    whole = fastgd.sweep(X, Y, **given, iterations=50)
    assert more.final_error.tobytes() == whole.final_error.tobytes()


def test_a_race_has_one_schedule_for_all():
    with pytest.raises(ValueError, match=r"schedule must be Constant\(\) with optimizer=Rprop\(\)"):
        fastgd.race(X, Y, schedule=Step(5))


@pytest.mark.slow
def test_the_runs_of_a_race_have_its_schedule():
    kinds = [fastgd.optimizers.GradientDescent()]
    with kernels_of("step"):
        race = fastgd.race(X, Y, kinds, schedule=Step(5), iterations=9)
    assert race.runs["GradientDescent"].options == {"schedule": Step(5)}
