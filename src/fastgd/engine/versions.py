"""What a report of a bug has to say about the machine and what is installed."""

from __future__ import annotations

import platform
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from fastgd.checks.messages import escaped
from fastgd.engine.devices import CPU, devices, place
from fastgd.kernel.language.numba_internals import LLVM, processor


def versions() -> dict[str, Any]:
    """Return what :func:`show_versions` prints, as values that JSON can hold."""
    found, extras = devices(), {}
    for name in re.findall(r"(?m)^([\w.-]+).*extra ==", "\n".join(requires("fastgd") or ())):
        with suppress(PackageNotFoundError):
            extras[name] = version(name)
    folder, lanes = place(), found[0].lanes or 0
    return {
        "fastgd": version("fastgd"),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "NumPy": version("numpy"),
        "Numba": version("numba"),
        "llvmlite": version("llvmlite"),
        "LLVM": LLVM,
        "processor": f"{found[0].model} ({processor()[0]})",
        "vectors": f"{64 * lanes} bits, {lanes} float64",
        "threads": found[0].threads,
        "cache folder": None if folder is None else str(folder),
        "extras": extras,
        "devices": {one.name: one.model for one in found if one.name != CPU},
        "note": found.note,
    }


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
        text = ", ".join(map(" ".join, fact.items())) if isinstance(fact, dict) else str(fact)
        print(escaped(f"{name:13} {text or 'none'}"))
