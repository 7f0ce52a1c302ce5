"""What a report of a bug has to say about the machine and what is installed."""

from __future__ import annotations

import platform
import re
from contextlib import suppress
from importlib.metadata import requires, version
from typing import Any

from fastgd.checks.messages import escaped
from fastgd.engine.devices import CPU, devices, place
from fastgd.kernel.language.numba_internals import LLVM, processor


def versions() -> dict[str, Any]:
    """Return what :func:`show_versions` prints, as values that JSON can hold."""
    found = devices()
    cpu, lanes, folder = found[0], found[0].lanes or 0, place()
    names = re.findall(r"(?m)^([\w.-]+).*extra ==", "\n".join(requires("fastgd") or ()))
    return {
        "fastgd": _version("fastgd"),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "NumPy": _version("numpy"),
        "Numba": _version("numba"),
        "llvmlite": _version("llvmlite"),
        "LLVM": LLVM,
        "processor": f"{cpu.model} ({processor()[0]})",
        "vectors": f"{64 * lanes} bits, {lanes} float64",
        "threads": cpu.threads,
        "cache folder": None if folder is None else str(folder),
        "extras": {name: own for name in names if (own := _version(name))},
        "devices": {one.name: one.model for one in found if one.name != CPU},
        "note": found.note,
    }


def _version(package: str) -> str | None:
    """Its installed version; None if it is not installed, or if what pip keeps of it is damaged."""
    with suppress(Exception):
        return version(package)
    return None


def show_versions() -> None:
    """Print what a report of a bug has to say about the machine and what is installed.

    That is: the versions of fastgd, Python, NumPy, Numba, llvmlite and LLVM, of the packages of
    extras, the processor with its vector registers, threads, the folder of compiled code, and GPUs,
    or why none can be used. ``fastgd --version --json`` prints the same as JSON.

    Examples
    --------
    >>> import fastgd
    >>> fastgd.show_versions()  # doctest: +ELLIPSIS
    fastgd        ...
    Python        3...
    ...
    """
    for name, fact in versions().items():
        text = ", ".join(map(" ".join, fact.items())) if isinstance(fact, dict) else fact
        print(escaped(f"{name:13} {text or 'none'}"))
