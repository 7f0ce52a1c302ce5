"""Bits don't depend on which NaN an operation makes: those of GPUs aren't those of processors."""

import numpy as np
import pytest
from test_golden_on_gpu import arrays, assert_same

import cuda_stand_in
import fastgd
import ptx_operations
from cases import XOR_X, XOR_Y
from fastgd.functions import cos, log, tanh
from fastgd.optimizers import Adam, Momentum
from ptx_operations import Operation

MAKES_NAN = ("add", "sub", "mul", "div", "rcp", "sqrt", "fma", "min", "max")
ALL_BITS = np.uint64(0x7FFFFFFFFFFFFFFF)
"""The NaN whose bits are as different as can be from those of a processor, whose low ones are 0."""

WAVY = fastgd.Function(lambda z: cos(z) + log(1.5 + tanh(z)))

KINDS = {
    "sigmoid": {"output": "identity"},
    "tanh, Adam": {"activation": "tanh", "output": "identity", "optimizer": Adam()},
    "softplus, cross entropy": {"activation": "softplus", "loss": "cross_entropy"},
    "gelu, huber": {"activation": "gelu", "output": "identity", "loss": "huber"},
    "silu, momentum": {"activation": "silu", "output": "identity", "optimizer": Momentum(0.9)},
    "elu, batch norm": {"activation": "elu", "output": "identity", "batch_norm": True},
    "a function of one's own": {"activation": WAVY, "output": "identity"},
    "clipped": {"activation": "relu", "output": "identity", "clip_norm": 1e300},
}


class Altered:
    """An operation whose NaNs have all bits."""

    def __init__(self, function):
        self.function = getattr(function, "ufunc", function)

    def __call__(self, *arguments):
        self.function(*arguments)
        out = arguments[-1]
        out.view(np.uint64)[out != out] = ALL_BITS


@pytest.fixture
def other_nans(monkeypatch):
    """The machine for PTX makes them."""
    for name, operation in ptx_operations.OPERATIONS.items():
        if operation.target is np.float64 and name.partition(".")[0] in MAKES_NAN:
            altered = Operation(Altered(operation.function), *operation[1:])
            monkeypatch.setitem(ptx_operations.OPERATIONS, name, altered)
    cuda_stand_in.program_of.cache_clear()
    yield
    cuda_stand_in.program_of.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["identity, cross entropy", "softmax"])
@pytest.mark.usefixtures("gpu", "other_nans")
def test_what_is_no_number_becomes_none(case):
    """Of these golden cases some runs diverge, as infinities have no difference."""
    assert_same(arrays(case, "cuda", 12), arrays(case, "cpu", 12))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("gpu", "other_nans")
@pytest.mark.filterwarnings("ignore:y has values outside")
def test_runs_diverge_as_on_a_processor(kind):
    given = {"hidden_size": 3, "alpha": [10, 1e100, 1e300], "seed": range(4), "iterations": 12}
    given |= {"record_every": 1}
    on_gpu, on_cpu = (
        fastgd.sweep(XOR_X, XOR_Y, **given, **KINDS[kind], device=device)
        for device in ("cuda", "cpu")
    )
    assert 0 < (on_cpu.status == "diverged").sum() < 12
    for name in ("status", "iterations", "errors", "final_error", "losses", "total_changes"):
        np.testing.assert_array_equal(getattr(on_gpu, name), getattr(on_cpu, name), name)
    for one, other in zip(on_gpu.kept_weights, on_cpu.kept_weights, strict=True):
        np.testing.assert_array_equal(one, other)
