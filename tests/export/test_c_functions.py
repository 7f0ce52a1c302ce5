"""Kernel functions written as C have their bits, also for odd numbers."""

import ctypes
import subprocess

import numpy as np
import pytest
from compiled_c import BUILDS, WARNINGS, missing

from fastgd.engine.formula_values import evaluate
from fastgd.formulas.expressions import FUNCTIONS
from fastgd.kernel.iteration.elementary import FUNCTIONS as BODIES
from fastgd.kernel.language import cross_compilation as targets
from fastgd.kernel.language.c_code import CCode, number_text
from fastgd.kernel.language.source_expressions import UnknownError
from fastgd.kernel.language.tile import bits_of, integer, select, trap

NAMES = [name for name, count in FUNCTIONS.items() if count == 1 and name != "relu"]
BUILD = "gcc -O3 -mfma"


def some_numbers(seed, count=3000):
    """Numbers of all exponents, common ones, and the ends of everything."""
    random = np.random.default_rng(seed)
    words = random.integers(0, 2**64, count, np.uint64, endpoint=False).view(np.float64)
    odd = [0.0, 1.0, np.inf, np.nan, 5e-324, 2.0**-1022, 1.7976931348623157e308, 2.0**27, 708.0]
    return np.concatenate([words, random.normal(0, 3, count), odd, [-x for x in odd]])


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if reason := missing(BUILD):
        pytest.skip(reason)
    code = CCode("my")
    code.add("of_bits", _of_bits, ["a"])
    lines = ["double of_bits(double a) { return my_of_bits(a); }"]
    for name in (*NAMES, "pow"):
        names = ["a", "b"][: 1 + (name == "pow")]
        body = BODIES[name]
        code.add(name, getattr(body, "py_func", None) or _applied(name, len(names)), names)
        operands = ", ".join(f"{each}[k]" for each in names)
        lines.append(
            f"void all_{name}(long n, double *y, const double *a, const double *b)\n"
            f"{{ (void)b; for (long k = 0; k < n; k++) y[k] = my_{name}({operands}); }}"
        )
    folder = tmp_path_factory.mktemp("c")
    head = [f"#include <{name}.h>" for name in ("math", "stdint", "string")]
    (folder / "all.c").write_text("\n".join([*head, code.text, *lines, ""]))
    compiler, *flags = BUILDS[BUILD]
    order = [compiler, *flags, *WARNINGS, "-ffp-contract=off", "-shared", "-fPIC", "all.c"]
    subprocess.run([*order, "-o", "all.so", "-lm"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "all.so"))


def _applied(name, count):
    """A function around an intrinsic."""
    made = {"f": BODIES[name]}
    names = ", ".join("ab"[:count])
    exec(f"def body({names}):\n    return f({names})", made)
    made["body"].__text__ = f"def body({names}):\n    return f({names})"
    return made["body"]


def _of_bits(x):
    n = integer(bits_of(x)) >> 60
    return select(bits_of(x) < 0, -1.0, 1.0) * (x - x + n * 1.0)


def test_integers_have_a_sign(library):
    library.of_bits.restype = ctypes.c_double
    found = [library.of_bits(ctypes.c_double(x)) for x in (1.5, -1.5, 2.0, -2.0)]
    assert found == [3.0, 5.0, 4.0, 4.0]  # 3ff8, bff8, 4000 and c000


@pytest.mark.parametrize("name", [*NAMES, "pow"])
def test_the_bits_of_a_function(library, name):
    a, b = some_numbers(1), some_numbers(2)[::-1].copy()
    y = np.empty(len(a))
    pointers = (ctypes.c_void_p(each.ctypes.data) for each in (y, a, b))
    getattr(library, f"all_{name}")(ctypes.c_long(len(a)), *pointers)
    expected = evaluate(name, *([a, b] if name == "pow" else [a]))
    same = (y.view(np.int64) == expected.view(np.int64)) | (np.isnan(y) & np.isnan(expected))
    assert same.all(), (a[~same][0], b[~same][0], y[~same][0], expected[~same][0])


def test_numbers_keep_their_bits():
    numbers = [*some_numbers(3).tolist(), 0.5, 1 / 3, 1e5, -1234.5, 2.0**60]
    for number in numbers:
        text = number_text(number).replace("INFINITY", "inf").replace("NAN", "nan")
        back = float.fromhex(text) if "0x" in text else float(text)
        assert np.isnan(back) if np.isnan(number) else back.hex() == number.hex()


def _with_a_trap(x):
    trap()
    return x


def test_what_c_lacks_is_refused():
    with pytest.raises(UnknownError, match=r"in C: a call of llvm.trap"):
        CCode("my").add("trapped", _with_a_trap, ["x"])


def test_sources_are_needed(monkeypatch):
    monkeypatch.setattr(targets, "TRANSLATES", False)
    with pytest.raises(targets.TargetError, match=r"^code for another machine is translated from"):
        CCode("my")
