"""Kernels for other machines: the same source, emitted by LLVM's other backends.

A kernel for another machine takes a single argument, the address of its data: see
:mod:`fastgd.kernel.image`. LLVM compiles it in a process of its own (:mod:`.emitter`), and the
result is kept with the compiled code of this machine.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import llvmlite
from llvmlite import binding, ir
from numba import typeof
from numba.core import cgutils, config, types

from fastgd.kernel.language.cache import kept
from fastgd.kernel.language.expressions import Value
from fastgd.kernel.language.fused import written_fma
from fastgd.kernel.language.numba_internals import typing_of_code
from fastgd.kernel.language.structs import Struct
from fastgd.kernel.language.tile import Tile, pick
from fastgd.kernel.language.translation import TRANSLATES, emit_body, emit_call

_F64, _I64, _I32 = ir.DoubleType(), ir.IntType(64), ir.IntType(32)
_PAIR, _BITS = ir.VectorType(_F64, 2), ir.VectorType(_I64, 2)

_MADD = "llvm.wasm.relaxed.madd.v2f64"
if binding.llvm_version_info < (16,):  # which has the same instruction by another name
    _MADD = "llvm.wasm.fma.v2f64"


class Target(NamedTuple):
    """A machine that kernels can be emitted for."""

    name: str
    triple: str
    cpu: str
    features: str = ""
    assembly: bool = False
    """Whether assembly is emitted instead of an object file."""
    fma: Literal["native", "written", "relaxed"] = "native"
    """``native``; ``written`` with other operations; ``relaxed``: only some engines fuse it."""


_SIMD = "+simd128,+bulk-memory,+sign-ext,+nontrapping-fptoint,+mutable-globals"

TARGETS = {
    target.name: target
    for target in (
        Target("wasm32", "wasm32-unknown-unknown", "generic", _SIMD, fma="written"),
        Target(
            "wasm32-relaxed",
            "wasm32-unknown-unknown",
            "generic",
            f"{_SIMD},+relaxed-simd",
            fma="relaxed",
        ),
        Target("nvptx64", "nvptx64-nvidia-cuda", "sm_90", assembly=True),
    )
}
"""By name. ``wasm32-relaxed`` has the right bits only in an engine that fuses ``relaxed_madd``."""


class TargetError(RuntimeError):
    """Code can't be emitted for another machine."""


def check_translates() -> None:
    """Raise a TargetError if the kernel's sources are missing."""
    if not TRANSLATES:
        raise TargetError(
            "code for another machine is translated from fastgd's own source files, got an "
            "installation without them, or a Numba that isn't as fastgd expects"
        )


class _Module(ir.Module):  # type: ignore[misc]
    """A module for another machine, which knows how a fused multiply-add is made there."""

    checks_bounds = False  # that needs Numba's way of raising errors

    def __init__(self, target: Target) -> None:
        super().__init__(target.name, context=ir.Context())
        self.target = target
        if target.fma == "written":
            self.fma = _in_pairs(_call_written)
        elif target.fma == "relaxed":
            self.fma = _in_pairs(self._call_relaxed)
            self.select = _in_pairs(self._select_bits)

    def _call_relaxed(self, builder: Any, *operands: Any) -> Any:
        kind = ir.FunctionType(_PAIR, [_PAIR] * 3)
        madd = cgutils.get_or_insert_function(self, kind, _MADD)
        return _as_pair(builder, operands, lambda pairs: builder.call(madd, pairs))

    def _select_bits(self, builder: Any, *operands: Any) -> Any:
        """Select by bits: of a comparison and a selection LLVM makes ``relaxed_min``.

        That may be any of its operands if one is NaN: the exponential of NaN was infinite.
        """
        kind = ir.FunctionType(_BITS, [_BITS] * 3)
        select = cgutils.get_or_insert_function(self, kind, "llvm.wasm.bitselect.v2i64")

        def of_pairs(pairs: Any) -> Any:
            mask, *values = pairs
            bits = [builder.bitcast(value, _BITS) for value in values]
            return builder.bitcast(builder.call(select, [*bits, builder.sext(mask, _BITS)]), _PAIR)

        return _as_pair(builder, operands, of_pairs)


def _in_pairs(emit_pair: Callable[..., Any]) -> Callable[..., Any]:
    """Emit it for two lanes at a time: as many as a register of WebAssembly has."""

    def emit_all(builder: Any, *operands: Any) -> Any:
        kind = operands[-1].type
        if kind.count <= 2:
            return emit_pair(builder, *operands)
        parts = []
        for begin in range(0, kind.count, 2):
            own = list(range(begin, min(begin + 2, kind.count)))
            parts.append(emit_pair(builder, *(pick(builder, value, own) for value in operands)))
        result = ir.Constant(kind, ir.Undefined)
        for k in range(kind.count):
            value = builder.extract_element(parts[k // 2], _I32(k % 2))
            result = builder.insert_element(result, value, _I32(k))
        return result

    return emit_all


def _as_pair(builder: Any, operands: Any, emit_pair: Callable[..., Any]) -> Any:
    """Emit it for one lane as for two."""
    if operands[-1].type.count == 2:
        return emit_pair(operands)
    return pick(builder, emit_pair([pick(builder, each, [0, 0]) for each in operands]), [0])


def _call_written(builder: Any, *operands: Any) -> Any:
    kinds = [Tile(operands[0].type.count)] * 3
    return emit_call(builder, written_fma.py_func, kinds, operands, operands[0].type)


def emit(
    body: Callable[..., Any],
    markers: Sequence[Any],
    stamp: int,
    header: type,
    target: Target,
    at: int = 0,
) -> bytes:
    """Emit a function of markers, a known number, and a struct; as an object file or assembly.

    It is called ``train``, and takes the address of the struct's words. With ``at``, that address
    is known, and the function takes the number, 32 bits, and returns another one.

    Raises
    ------
    TargetError
        If this machine's LLVM can't emit it.
    """
    check_translates()
    kinds = [typeof(marker) for marker in markers]
    facts = repr((target, body.__qualname__, kinds, stamp, at, _level()))

    def made() -> bytes:
        module = _Module(target)
        _define(module, body, kinds, stamp, header, at)
        return _compiled(str(module), target)

    return kept(f"targets.{target.name.replace('-', '_')}", facts, made)


def _level() -> int:
    """LLVM's level of optimization: NUMBA_OPT, as for this machine."""
    return int(config.OPT)  # type: ignore[attr-defined]


def _define(
    module: _Module,
    body: Callable[..., Any],
    kinds: Sequence[types.Type],
    stamp: int,
    header: type,
    at: int,
) -> None:
    context = typing_of_code()
    given = [Value(kind, ir.Constant(context.get_value_type(kind), None)) for kind in kinds]
    words = _I64.as_pointer()
    if not at:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [words]), "train")
        if module.target.assembly:
            function.calling_convention = "ptx_kernel"
        emit_body(function, body, [*given, stamp, Value(Struct(header), function.args[0])])
        return
    function = ir.Function(module, ir.FunctionType(_I32, [_I32]), "train")
    whole = ir.Function(module, ir.FunctionType(_I64, [_I64]), "whole")
    whole.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    result = builder.call(whole, [builder.sext(function.args[0], _I64)])
    builder.ret(builder.trunc(result, _I32))
    number, struct = Value(types.int64, whole.args[0]), _I64(at).inttoptr(words)
    emit_body(whole, body, [*given, number, Value(Struct(header), struct)])


def _compiled(text: str, target: Target) -> bytes:
    """Compile LLVM code in another process, which an error in LLVM may abort."""
    program, packages = Path(__file__).with_name("emitter.py"), Path(llvmlite.__file__).parents[1]
    command = [sys.executable, "-P", str(program), str(packages)]
    order = f"{json.dumps(target._asdict() | {'level': _level()})}\n{text}"
    try:
        made = subprocess.run(command, input=order.encode(), capture_output=True, check=False)
    except (OSError, TypeError) as error:  # a program that contains Python may have no executable
        raise TargetError(
            f"code for {target.name} is emitted by a Python of its own, {sys.executable!r}, which "
            f"must be one that can be started, got {error}"
        ) from error
    is_code = (b".version " in made.stdout) if target.assembly else made.stdout[:4] == b"\0asm"
    if made.returncode or not is_code:
        lines = made.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise TargetError(
            f"code for {target.name} must be something that this LLVM can emit, in a process of "
            f"{sys.executable!r}, got {lines[-1]} (exit status {made.returncode})"
        )
    return made.stdout
