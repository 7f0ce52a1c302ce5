"""Kernels for other machines: the same source, emitted by LLVM's other backends.

A kernel for another machine takes a single argument, the address of its data: see
:mod:`fastgd.kernel.call_image`. LLVM compiles it in a process of its own (:mod:`.emitter`), and the
result is kept with the compiled code of this machine.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import llvmlite
from llvmlite import binding, ir
from numba import typeof
from numba.core import cgutils, config, types

from fastgd.kernel.language.cache import kept
from fastgd.kernel.language.cross_compilation import written_fma
from fastgd.kernel.language.numba_internals import compiling, typing_of_code
from fastgd.kernel.language.source_expressions import Value
from fastgd.kernel.language.structs import Struct
from fastgd.kernel.language.tile import Tile, pick
from fastgd.kernel.language.translation import TRANSLATES, emit_body, emit_call, name_of_called
from fastgd.kernel.language.wasm_linking import RELAXED_MADD, with_instruction

_I64, _I32 = ir.IntType(64), ir.IntType(32)
_BITS = ir.VectorType(_I64, 2)

_OPERANDS = [Tile(2)] * 3
_WRITTEN = name_of_called(written_fma.py_func, _OPERANDS)
"""The function of a module that multiplies and adds two lanes."""


class Target(NamedTuple):
    """A machine that kernels can be emitted for."""

    name: str
    triple: str
    cpu: str
    features: str = ""
    assembly: bool = False
    """Whether assembly is emitted instead of an object file."""
    fma: Literal["native", "written", "relaxed"] = "native"
    """``native``; ``written`` with other operations; ``relaxed``: only some engines fuse it.

    The last two are the same code: where that calls a function, ``relaxed`` has an instruction. It
    isn't left to LLVM, which would need a second emission, for code that is no faster, and would
    use the feature elsewhere, too: ``relaxed_min`` made exp(NaN) infinite in Node.js.
    """


_SIMD = "+simd128,+bulk-memory,+sign-ext,+nontrapping-fptoint,+mutable-globals"
_WASM = Target("wasm32", "wasm32-unknown-unknown", "generic", _SIMD, fma="written")

TARGETS = {
    target.name: target
    for target in (
        _WASM,
        _WASM._replace(name="wasm32-relaxed", fma="relaxed"),
        Target("nvptx64", "nvptx64-nvidia-cuda", "sm_70", assembly=True),
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
        self.has_threads = target.assembly
        if target.fma != "native":
            self.fma = partial(_in_pairs, self._of_pair)
            if binding.llvm_version_info < (16,):
                self.select = partial(_in_pairs, self._select_bits)

    def _of_pair(self, builder: Any, operands: Sequence[Any]) -> Any:
        """Emit a call that an instruction can replace: LLVM must leave it all of its operands."""
        kind = operands[0].type
        result = emit_call(builder, written_fma.py_func, _OPERANDS, operands, kind)
        function = self.globals[_WRITTEN]
        function.linkage = "external"  # for all that LLVM knows, others call it, too
        function.attributes.add("nounwind")
        function.attributes.add("readnone")
        return result

    def _select_bits(self, builder: Any, operands: Sequence[Any]) -> Any:
        """Emit a selection of bits: LLVM 15 made ``f64x2.max`` of relu, which turned -0 into 0."""
        mask, *values = operands
        bits = [builder.bitcast(value, _BITS) for value in values]
        kind = ir.FunctionType(_BITS, [_BITS] * 3)
        select = cgutils.get_or_insert_function(self, kind, "llvm.wasm.bitselect.v2i64")
        found = builder.call(select, [*bits, builder.sext(mask, _BITS)])
        return builder.bitcast(found, values[0].type)


def _in_pairs(of_pair: Callable[..., Any], builder: Any, *operands: Any) -> Any:
    """Emit it for two lanes at a time: as many as a register of WebAssembly has."""
    kind = operands[-1].type
    if kind.count == 1:
        pairs = [pick(builder, value, [0, 0]) for value in operands]
        return pick(builder, of_pair(builder, pairs), [0])
    if kind.count == 2:
        return of_pair(builder, operands)
    parts = []
    for begin in range(0, kind.count, 2):
        own = list(range(begin, min(begin + 2, kind.count)))
        parts.append(_in_pairs(of_pair, builder, *(pick(builder, each, own) for each in operands)))
    result = ir.Constant(kind, ir.Undefined)
    for k in range(kind.count):
        value = builder.extract_element(parts[k // 2], _I32(k % 2))
        result = builder.insert_element(result, value, _I32(k))
    return result


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
    if target.fma == "relaxed":
        written = emit(body, markers, stamp, header, _WASM, at)
        return with_instruction(written, _WRITTEN, RELAXED_MADD)
    kinds = [typeof(marker) for marker in markers]
    sources = [(one.__module__, one.__qualname__) for one in (body, header)]
    facts = repr((target, sources, kinds, stamp, at, _level()))

    def made() -> bytes:
        with compiling():  # other threads may translate, too, while LLVM is running
            module = _Module(target)
            _define(module, body, kinds, stamp, header, at)
            text = str(module)
        return _compiled(text, target)

    return kept(f"targets.{target.name.replace('-', '_')}", facts, made)


def _level() -> int:
    """LLVM's level of optimization: NUMBA_OPT."""
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
