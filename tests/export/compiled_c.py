"""C headers of networks, compiled in many ways and called from here."""

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np

WARNINGS = ("-Wall", "-Wextra", "-pedantic", "-Werror")

BUILDS = {
    # GCC's default contracts: gnu17 with -mfma is where it would fuse products and sums.
    "gcc": ("gcc",),
    "gcc -O3": ("gcc", "-O3"),
    "gcc -O3 -mfma": ("gcc", "-std=gnu17", "-O3", "-mfma"),
    "clang": ("clang", "-std=c99"),
    "clang -O3": ("clang", "-O3"),
    "clang -O3 -mfma": ("clang", "-std=gnu17", "-O3", "-mfma"),
    "gcc -std=c99": ("gcc", "-std=c99", "-O2"),
    "g++": ("g++", "-x", "c++", "-std=c++17"),
    "g++ -O3 -mfma": ("g++", "-x", "c++", "-std=c++17", "-O3", "-mfma"),
    "clang++": ("clang++", "-x", "c++", "-std=c++17"),
    "clang++ -O3 -mfma": ("clang++", "-x", "c++", "-std=c++17", "-O3", "-mfma"),
}


class CompileError(Exception):
    """What a compiler says."""


def missing(build):
    """Why this machine can't build so, or None."""
    compiler, *flags = BUILDS[build]
    if shutil.which(compiler) is None:
        return f"there is no {compiler} here"
    if "-mfma" in flags:
        try:
            has_fma = " fma " in Path("/proc/cpuinfo").read_text()
        except OSError:
            has_fma = False
        if platform.machine() != "x86_64" or not has_fma:
            return "this processor has no instructions called fma"
    return None


_TEXTS = {
    "category": "int category_{0}(int k, const char *text) {{ return {0}_category(k, text); }}",
    "label": "const char *label_{0}(const double *y) {{ return {0}_label(y); }}",
    "interval": "void bounds_{0}(const double *y, double *b) {{ {0}_interval(y, b); }}",
    "COLUMNS": "const char *column_{0}(int k) {{ return {0}_COLUMNS[k]; }}",
}


def compiled(folder, build, headers, flags=(), warnings=WARNINGS):
    """The library of headers by their names, with what runs many rows and asks for strings."""
    source, library = Path(folder, "all.c"), Path(folder, "all.so")
    compiler, *own = BUILDS[build]
    lines = []
    for name, header in headers.items():
        Path(folder, f"{name}.h").write_text(header, encoding="ascii")
        lines.append(f'#include "{name}.h"')
    lines += ["#ifdef __cplusplus", 'extern "C" {', "#endif"]
    for name, header in headers.items():
        for real, suffix in (("double", ""), ("float", "_float")):
            if f"{name}_predict{suffix}(const" in header:
                lines.append(
                    f"void run_{name}{suffix}(const {real} *x, {real} *y, long n)\n"
                    f"{{ for (long k = 0; k < n; k++, x += {name}_INPUTS, y += {name}_OUTPUTS)"
                    f" {name}_predict{suffix}(x, y); }}"
                )
        lines += [each.format(name) for key, each in _TEXTS.items() if f" {name}_{key}" in header]
    source.write_text("\n".join([*lines, "#ifdef __cplusplus", "}", "#endif", ""]))
    order = [compiler, *own, *flags, *warnings, "-shared", "-fPIC", "-o", library, source, "-lm"]
    made = subprocess.run(order, capture_output=True, text=True, check=False)
    if made.returncode:
        raise CompileError(made.stderr[:5000])
    return ctypes.CDLL(str(library))


def run(library, name, rows, outputs, dtype=np.float64):
    """The outputs (rows, outputs) of a network's C code."""
    suffix = "_float" if dtype == np.float32 else ""
    x, y = np.ascontiguousarray(rows, dtype), np.full(len(rows) * outputs + 8, -123.0, dtype)
    function = getattr(library, f"run_{name}{suffix}")
    function(*(ctypes.c_void_p(a.ctypes.data) for a in (x, y)), ctypes.c_long(len(x)))
    assert (y[-8:] == -123.0).all(), f"{name} writes beyond its outputs"
    return y[:-8].reshape(len(rows), outputs)


def text_of(library, function, name, *given):
    """A string that C returns."""
    call = getattr(library, f"{function}_{name}")
    call.restype = ctypes.c_char_p
    return call(*given).decode()
