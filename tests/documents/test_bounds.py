"""bench/bounds.py counts what the kernel's recipes do, and the largest time is the bound."""

from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

from benches import bench
from fastgd.kernel.iteration import activations
from fastgd.kernel.vectorization import native_lanes

bounds, probes, workload = bench("bounds"), bench("probes"), bench("workload")

EVEN = probes.Machine(**dict.fromkeys((field.name for field in fields(probes.Machine)), 1.0))
"""A machine that takes 1 ns for everything."""

LANES = native_lanes()


class Counted:
    """A number that counts what is done to it."""

    def __init__(self, done):
        self.done = done

    def do(self, name):
        self.done[name] += 1
        return Counted(self.done)

    def __add__(self, other):
        return self.do("sum")

    def __mul__(self, other):
        return self.do("product")

    def __rtruediv__(self, other):
        return self.do("division")

    def __lt__(self, other):
        return self.do("comparison")

    __radd__ = __sub__ = __add__
    __gt__ = __lt__


def done_by(function, monkeypatch):
    """The operations of an activation's recipe, as it stands in the kernel."""
    done = Counter()

    def counting(name):
        return lambda *args: next(a for a in args if isinstance(a, Counted)).do(name)

    for name in ("fma", "select", "add_exponent"):
        monkeypatch.setattr(activations, name, counting(name))
    for name in ("_reduced", "exp_negative"):
        monkeypatch.setattr(activations, name, getattr(activations, name).py_func)
    function.py_func(Counted(done))
    return done


def test_a_sigmoid_is_counted_as_its_recipe_has_it(monkeypatch):
    done = done_by(activations.sigmoid, monkeypatch)
    multiplies, others = map(sum, zip(*bounds.SIGMOID.values(), strict=True))
    assert multiplies == done["fma"] + done["product"]
    # A limit is one instruction, and the division has a mask.
    assert (done["comparison"], done["select"]) == (2, 2)
    assert others == done["sum"] + 2 * done["add_exponent"] + done["division"] + 2


def test_the_article_network_is_counted():
    counts = bounds.arithmetic(4, (3, 4, 1))
    assert [count.numbers for count in counts] == [64, 20, 4, 16, 16, 64, 16]
    assert sum(count.numbers * (count.multiplies + count.others) for count in counts) == 720


def test_products_of_two_hidden_layers():
    # Forward, back without the first layer, gradient.
    assert bounds.products(10, (2, 3, 4, 5)) == [60, 120, 200, 120, 200, 60, 120, 200]


def test_the_article_network_moves_nothing_and_a_large_one_its_weights():
    assert bounds.traffic(4, (3, 4, 1), True, 32) == bounds.Traffic(0, 0)
    moved = bounds.traffic(1, (100, 100), False, 32)
    assert moved.stores == (100 * 100 - 32) / LANES
    assert moved.loads == pytest.approx((100 * 100 - 32) / LANES)
    many = bounds.traffic(1000, (100, 100), False, 64)
    assert many.loads == pytest.approx(2 * (2 * 1e7 / 8 - 128) / LANES)


def test_the_chain_of_the_article_network():
    steps = bounds.chain(4, (3, 4, 1), replace(EVEN, divide=0.0, half_divide=0.0))
    assert sum(step.multiplies for step in steps) == 3 + 9 + 4 + 9 + 2 + 2 + 4 + 1
    assert sum(step.adds for step in steps) == 2 + 2 + 1
    assert sum(step.selects for step in steps) == 2
    assert sum(step.divider for step in steps) == 2


def test_a_slow_divider_makes_the_chain_longer():
    lengths = []
    for divide in (1.0, 100.0):
        machine = replace(EVEN, divide=divide, half_divide=divide)
        lengths.append(sum(step.time(machine) for step in bounds.chain(4, (3, 4, 1), machine)))
    # 16 divisions; of two sums over four, one step each is sure to come after them.
    assert lengths[1] == lengths[0] + 100 * (-(-16 // LANES) - 1) - 6


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"after_multiply": 100.0}, "chain"),
        ({"divide": 1000.0, "half_divide": 0.0}, "divider"),
        ({"multiply": 1000.0}, "products"),
        ({"any": 1000.0}, "ports"),
    ],
)
def test_the_largest_time_is_the_bound(changed, name):
    bound = bounds.bound_of(bounds.CASES["train_4"].work, replace(EVEN, **changed))
    assert bound.which == name
    assert bound.ns == max(bound.times.values()) == bound.times[name]


def test_many_runs_have_no_chain():
    bound = bounds.bound_of(bounds.CASES["sweep_4"].work, EVEN)
    assert (bound.steps, bound.times["chain"]) == ([], 0)
    assert bound.ns == bound.times["ports"] == 720 / LANES


@pytest.mark.parametrize("name", bounds.CASES)
def test_all_counts_are_printed(name):
    case = bounds.CASES[name]
    bound = bounds.bound_of(case.work, EVEN)
    said = bounds.text(case, bound, EVEN, 2 * bound.ns)
    assert case.title in said
    assert said.count("<- the bound") == 1
    assert said.endswith("2.00x of the bound")
    for count in bound.counts:
        assert count.what in said
    for step in bound.steps:
        assert step.what in said
    assert all(len(line) <= 130 for line in said.splitlines())


@pytest.mark.slow
def test_probes_become_a_machine():
    calls = probes.machine_calls()
    for call in calls.values():
        call()
    machine = probes.machine_of(dict.fromkeys(calls, 1.0))
    assert machine.after_multiply == 1e9 / probes.CHAIN
    assert machine.divide == 1e9 / (probes.SIDE_BY_SIDE * probes.DIVISIONS)
    assert machine.after_select == 0  # less the sums that are beside it
    assert machine.any <= machine.multiply
    assert all(np.isfinite(getattr(machine, field.name)) for field in fields(machine))
