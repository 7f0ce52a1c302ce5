"""All private parts of Numba that fastgd uses, with fallbacks for when one is missing.

Numba guarantees nothing about these names, and no version of it is excluded. So only this module
uses them. It looks up each one at import, and before it compiles the first kernel in its own way it
tries that with a one-line function. If something is not as expected, kernels go through Numba's
standard pipeline: they take longer to compile, each process compiles them anew, and they compute
the same bits. One RuntimeWarning says so.

What tiles, words, structs and choices are built with (``numba.extending``, ``numba.core.types``,
``cgutils``, typing templates, models, ``context.make_array``) is Numba's interface for extensions.
It is not in :data:`PARTS`: without it there would be no tiles.
"""

import gc
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils, config
from numba.extending import intrinsic, register_jitable

PARTS = (
    # define_pipelines decides how a function is compiled: here as in define_nopython_pipeline,
    # whose passes are pairs of a step and a description, but with another step, which register_pass
    # makes known, instead of NativeLowering. That one's run_pass adds LLVM code to state.library
    # and stores the result in state["cr"], whose fndesc has the types.
    "numba.core.compiler:CompilerBase.define_pipelines",
    "numba.core.compiler:DefaultPassBuilder.define_nopython_pipeline",
    "numba.core.compiler_machinery:register_pass",
    "numba.core.typed_passes:NativeLowering.run_pass",
    # Of a CompileResult: conversion to a picklable form and back; the function, without type
    # lookup. dumps pickles Numba's own types, too.
    "numba.core.compiler:CompileResult._reduce",
    "numba.core.compiler:CompileResult._rebuild",
    "numba.core.compiler:CompileResult.entry_point",
    "numba.core.serialize:dumps",
    # Held while compiling, as a context manager, and acquired before the next; held while LLVM is
    # running: the _lock of llvmlite's lib.
    "numba.core.compiler_lock:global_compiler_lock",
    "llvmlite.binding.ffi:_LLVMLock",
    # A library calls _optimize_functions for each module, and at the end _optimize_final_module.
    # enable_object_caching allows writing it to a file, unless it has_dynamic_globals: addresses of
    # this process. Then the address of machine code, and the module for linking with others. The
    # _ee of its _codegen._engine holds modules until their removal. Before Numba 0.62 its _codegen
    # has a _module_pass_manager: LLVM's passes, with opt, loop_vectorize and slp_vectorize; from
    # then on a _tm, what LLVM compiles for.
    "numba.core.codegen:JITCodeLibrary._optimize_functions",
    "numba.core.codegen:JITCodeLibrary._optimize_final_module",
    "numba.core.codegen:JITCodeLibrary.enable_object_caching",
    "numba.core.codegen:JITCodeLibrary.has_dynamic_globals",
    "numba.core.codegen:JITCodeLibrary.get_pointer_to_function",
    "numba.core.codegen:JITCodeLibrary._get_module_for_linking",
    # The context has the codegen() whose magic_tuple() is triple, name and features of the
    # processor that Numba compiles for. initialize makes the runtime's symbols known to loaded
    # code.
    "numba.core.codegen:JITCPUCodegen.magic_tuple",
    "numba.core.registry:cpu_target.target_context",
    "numba.core.runtime:rtsys.initialize",
    # Options: False turns off reference counting; generate no code for calls from Python or C.
    "numba.core.options:DefaultOptions._nrt",
    "numba.core.options:DefaultOptions.no_cpython_wrapper",
    "numba.core.options:DefaultOptions.no_cfunc_wrapper",
    # Sets _cache, whose load_overload, save_overload, flush and cache_path are used.
    "numba.core.dispatcher:Dispatcher.enable_caching",
    "numba.misc.appdirs:AppDirs",  # the directory of a user's caches
    "numba.core.extending:_Intrinsic",  # whose _defn is the decorated function
    # How compiled functions call each other.
    "numba.core.callconv:CPUCallConv.get_function_type",
    "numba.core.callconv:CPUCallConv.call_function",
    "numba.core.callconv:CPUCallConv.return_status_propagate",
)
"""All private parts, by module and name, with what is expected of them."""


class _Missing:
    """Placeholder for missing parts, so that the rest of this module can be executed."""

    def __init__(self, *_args, **_options):
        pass

    def __call__(self, decorated):
        return decorated


def _find(part: str) -> Any:
    module, _, names = part.partition(":")
    found = import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found


def _lacking() -> str | None:
    """The first part that this Numba doesn't have."""
    for part in PARTS:
        try:
            _find(part)
        except (ImportError, AttributeError):
            return part
    return None


LACKING = _lacking()

LLVM = ".".join(map(str, llvmlite.binding.llvm_version_info))
"""LLVM's version."""


def _take(part: str) -> Any:
    return _Missing if LACKING else _find(part)


@cache
def _warn(reason: str) -> None:
    """Warn, once, that kernels go through the standard pipeline."""
    warnings.warn(
        f"Numba {numba.__version__} is not as fastgd expects ({reason}): kernels take longer to "
        "compile, and each process compiles them anew; results are the same",
        RuntimeWarning,
        stacklevel=2,
    )


if LACKING:
    _warn(f"there is no {LACKING}")


# ------------------------------------------------------------------ the pipeline

CompilerBase = _take("numba.core.compiler:CompilerBase")
DefaultPassBuilder = _take("numba.core.compiler:DefaultPassBuilder")
JITCodeLibrary = _take("numba.core.codegen:JITCodeLibrary")
NativeLowering = _take("numba.core.typed_passes:NativeLowering")
register_pass = _take("numba.core.compiler_machinery:register_pass")


class _WholeLibrary(JITCodeLibrary):
    """Code that goes through few of LLVM's passes, as a whole.

    Numba would first optimize each function separately, look for reference counts, of which there
    are none, and then run all passes of level 3. Those that simplify a function at level 1 take a
    third of the time, and the code is as fast: everything that should be a vector already is one,
    calls are inlined, and rounds are unrolled where that pays. Seconds of LLVM's passes, and time
    of the code relative to level 3 (AVX-512): a sweep of 3-4-1; one 3-4-1 with mini-batches, where
    level 3 copies the code of both phases of an iteration; a sweep of 16-16-1 with mini-batches,
    dropout and Adam.

    =====================================  ========  =========  =========
    passes                                 sweep     batches    all three
    =====================================  ========  =========  =========
    level 3                                .42 1.00  .55 1.00   .59 1.00
    level 1                                .19 .99   .26 .95    .30 .98
    level 2, of functions                  .25 .99   .26 .88    .33 .99
    level 1, of functions (chosen)         .13 .99   .13 .87    .18 1.00
    sroa, simplifycfg, instcombine, gvn    .05 1.00  .05 .86    .08 1.03
    =====================================  ========  =========  =========

    So nothing is compiled again at level 3 in the background of long work: rejected, as it would
    need a second thread, a switch between two codes and twice the files in the cache.
    """

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self):
        module, binding = self._final_module, llvmlite.binding
        before, after = (binding.create_new_module_pass_manager() for _ in range(2))
        if not hasattr(before, "add_always_inliner_pass"):  # before Numba 0.62
            options = {"opt": 3, "loop_vectorize": False, "slp_vectorize": False}
            self._codegen._module_pass_manager(**options).run(module)
            return
        tuning = binding.create_pipeline_tuning_options(speed_level=1)
        builder = binding.create_pass_builder(self._codegen._tm, tuning)
        before.add_always_inliner_pass()  # parts that Numba has compiled, if there is no source
        before.run(module, builder)
        simplify = builder.getFunctionPassManager()
        for function in module.functions:
            if not function.is_declaration:
                simplify.run(function, builder)
        after.add_global_dead_code_eliminate_pass()  # unused addresses of this process
        after.run(module, builder)

    _bitcode: bytes | None = None

    def _get_module_for_linking(self):
        if self._bitcode is None:
            return super()._get_module_for_linking()
        return llvmlite.binding.parse_bitcode(self._bitcode)

    def keep_machine_code_only(self):
        """Free LLVM's modules: a kernel then takes 1.5 MB, and 4 MB with them."""
        if self._bitcode is not None:
            return
        shared, final = self._get_module_for_linking(), self._final_module
        self._bitcode = shared.as_bitcode()
        self._codegen._engine._ee.remove_module(final)
        self._final_module = llvmlite.binding.parse_assembly("")
        self._disable_inspection = True  # as for code loaded from a file
        for module in (shared, final):
            module.close()


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerWhole(NativeLowering):
    _name = "lower_whole_kernel"

    def run_pass(self, state):
        state.library = _WholeLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        super().run_pass(state)
        # Used by inspect_types only, and not available for code from a file either.
        state.type_annotation = None
        described = state["cr"].fndesc
        described.typemap = described.calltypes = None
        return True


class _LeanCompiler(CompilerBase):
    def define_pipelines(self):
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes = [
            (_LowerWhole if step is NativeLowering else step, why) for step, why in pipeline.passes
        ]
        pipeline.finalize()
        return [pipeline]


class _TriedCompiler(_LeanCompiler):
    """Falls back to Numba's own pipeline if a trial of the lean one fails."""

    def define_pipelines(self):
        if _trial_succeeds():
            return super().define_pipelines()
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


@cache
def _trial_succeeds() -> bool:
    """Whether a function compiled in our way uses our library and computes the right result."""

    @intrinsic
    def doubled(_typing, x):
        return x(x), lambda _context, builder, _sig, args: builder.fadd(args[0], args[0])

    @njit(pipeline_class=_LeanCompiler, _nrt=False, no_cfunc_wrapper=True)
    def whole(x):
        return doubled(x)

    try:
        right = whole(21.0) == 42.0 and definition_of(doubled) is not None
        library = type(next(iter(whole.overloads.values())).library)
        if right and library is _WholeLibrary:
            return True
        reason = f"a trial gave {whole(21.0)} by {library.__name__}"
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    _warn(" ".join(reason.split())[:200])
    return False


NOT_COUNTED: dict[str, Any] = {} if LACKING else {"_nrt": False}
"""Options that turn off reference counting, with which 3-4-1 takes 682 ns instead of 79."""

NOT_FROM_C: dict[str, Any] = {} if LACKING else {"no_cfunc_wrapper": True}
"""Options that omit the code for calls from C: a quarter of the compile time of a prange."""

UNWRAPPED: dict[str, Any] = {}
"""Options that omit the code for calls from Python and C: 0.6 MB per function, never freed."""

WHOLE: dict[str, Any] = {}
"""Options of a kernel."""

if not LACKING:
    UNWRAPPED = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    WHOLE = NOT_COUNTED | NOT_FROM_C | {"pipeline_class": _TriedCompiler}


# ------------------------------------------------------------------ forks

if not LACKING and hasattr(os, "register_at_fork"):
    _COMPILING = _find("numba.core.compiler_lock:global_compiler_lock")
    _IN_LLVM = getattr(_find("llvmlite.binding.ffi:lib"), "_lock", nullcontext())

    def _wait_for_compilers() -> None:
        """Delay a fork until no thread compiles: that thread would not exist in the child.

        There its locks would stay held, and the data of Numba and LLVM would be inconsistent.
        """
        _COMPILING.__enter__()
        _IN_LLVM.__enter__()

    def _let_compilers_continue() -> None:
        _IN_LLVM.__exit__(None, None, None)
        _COMPILING.__exit__(None, None, None)

    os.register_at_fork(
        before=_wait_for_compilers,
        after_in_parent=_let_compilers_continue,
        after_in_child=_let_compilers_continue,
    )


# ------------------------------------------------------------------ processor and cache


def typing_of_code() -> Any:
    """What knows the LLVM types of Numba's types, outside of a compilation by Numba."""
    context = _find("numba.core.registry:cpu_target.target_context")
    context.refresh()  # as Numba does before it compiles: else it may not know constant arrays yet
    return context


def processor(codegen: Any = None) -> tuple[Any, ...]:
    """Triple, name and features of the processor that code is compiled for."""
    if not LACKING:
        codegen = codegen or _find("numba.core.registry:cpu_target.target_context").codegen()
        return tuple(codegen.magic_tuple())
    binding = llvmlite.binding
    name, features = config.CPU_NAME, config.CPU_FEATURES
    if features is None:
        features = "" if name else binding.get_host_cpu_features().flatten()
    return binding.get_process_triple(), name or binding.get_host_cpu_name(), features


def use_cache(dispatcher: Any, made: Callable[[], Any]) -> None:
    """Give a dispatcher the cache that ``made`` returns; no cache if parts are missing.

    Numba's own would reuse the code of an older kernel: it checks one source file only.
    """
    if not LACKING and hasattr(dispatcher, "enable_caching"):  # not if NUMBA_DISABLE_JIT is set
        dispatcher._cache = made()


def keeps_code() -> bool:
    """Whether :func:`use_cache` has any effect."""
    return not (LACKING or config.DISABLE_JIT)


def pickled(result: Any, sig: Any) -> bytes | None:
    """A compile result as bytes; None if it contains addresses of this process.

    The result remains usable, but can no longer be inspected in detail.
    """
    library = result.library
    if library.has_dynamic_globals:
        return None
    found = bytes(_find("numba.core.serialize:dumps")((sig, result._reduce())))
    if isinstance(library, _WholeLibrary):
        with suppress(AttributeError):
            library.keep_machine_code_only()
    return found


def rebuilt(target_context: Any, reduced: tuple[Any, ...]) -> Any:
    """Return the compile result that :func:`pickled` serialized.

    Numba's cache would first refresh the whole context: 0.35 s in a process that compiles nothing.
    The refresh loads implementations that only compilation needs, which then refreshes the context
    itself. Loaded code needs only the symbols of the runtime.
    """
    _find("numba.core.runtime:rtsys").initialize(target_context)
    return _find("numba.core.compiler:CompileResult._rebuild")(target_context, *reduced)


def user_cache(name: str) -> Path:
    """The directory for a user's caches of this program."""
    return Path(_find("numba.misc.appdirs:AppDirs")(name, appauthor=False).user_cache_dir)


# ------------------------------------------------------------------ calls


def definition_of(function: Any) -> Callable[..., Any] | None:
    """The function behind an intrinsic, which returns signature and code generator; or None."""
    made: Any = getattr(function, "_defn", None)
    return made if isinstance(function, _take("numba.core.extending:_Intrinsic")) else None


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Suspend garbage collection.

    A compiler creates so many objects that Python's collector scans all existing ones again and
    again: with pandas and scikit-learn loaded and 8,000 tests collected, that took a third of the
    compile time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def compiling() -> Iterator[None]:
    """Keep other threads from compiling, as Numba does, and suspend garbage collection."""
    with _find("numba.core.compiler_lock:global_compiler_lock"), _garbage_left():
        yield


def entry_point(dispatcher: Any, signature: tuple[Any, ...]) -> Callable[..., None]:
    """The function compiled for these types, callable without looking them up."""
    with _garbage_left():
        dispatcher.compile(signature)
    return dispatcher if LACKING else dispatcher.overloads[signature].entry_point


def handle(dispatcher: Any, signature: tuple[Any, ...], markers: int = 0) -> Any:
    """Compile a function for these types, the first ``markers`` of which are markers.

    Returns a handle for calling it in a kernel: its address or, if that can't be used, a dispatcher
    without the markers.
    """
    dispatcher.compile(signature)
    if LACKING:
        return _without_markers(dispatcher, signature[:markers]) if markers else dispatcher
    result = dispatcher.overloads[signature]
    return result.library.get_pointer_to_function(result.fndesc.llvm_func_name)


def address(dispatcher: Any, signature: tuple[Any, ...], markers: int = 0) -> int:
    """The address of a function of markers and then four integers, for :func:`call_address`."""
    made = handle(dispatcher, signature, markers)
    if not LACKING:
        return int(made)
    integers = types.void(*signature[markers:])
    _KEPT.append(numba.cfunc(integers)(lambda a, b, c, d: made(a, b, c, d)))
    return int(_KEPT[-1].address)


_KEPT: list[Any] = []  # callbacks whose addresses are in use


@cache
def _without_markers(dispatcher, markers):
    def made(kind):
        @intrinsic
        def marker(_typing):
            def codegen(context, _builder, _sig, _args):
                return ir.Constant(context.get_value_type(kind), None)

            return kind(), codegen

        return marker

    first, last = made(markers[0]), made(markers[-1])
    if len(markers) == 1:
        return njit(error_model="numpy", nogil=True)(lambda *given: dispatcher(first(), *given))
    return njit(error_model="numpy", nogil=True)(lambda *given: dispatcher(first(), last(), *given))


@intrinsic
def _call_by_address(_typing, _address, arguments):
    def codegen(context, builder, _sig, args):
        kinds = tuple(arguments)
        function = context.call_conv.get_function_type(types.none, kinds).as_pointer()
        status, _ = context.call_conv.call_function(
            builder,
            builder.inttoptr(args[0], function),
            types.none,
            kinds,
            cgutils.unpack_tuple(builder, args[1], len(kinds)),
        )
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.none(types.int64, arguments), codegen


@intrinsic
def _call_c(_typing, _address, arguments):
    def codegen(context, builder, _sig, args):
        integers = [ir.IntType(64)] * len(arguments)
        function = ir.FunctionType(ir.VoidType(), integers).as_pointer()
        given = cgutils.unpack_tuple(builder, args[1], len(arguments))
        builder.call(builder.inttoptr(args[0], function), given)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), codegen


@register_jitable
def _call_dispatcher(dispatcher, arguments):
    return dispatcher(*arguments)


call_compiled = _call_dispatcher if LACKING else _call_by_address
"""In a kernel: call the function with this :func:`handle`, which returns None, with a tuple.

By its address; otherwise Numba would link its code into each caller and optimize it there again.
"""

call_address = _call_c if LACKING else call_compiled
"""The same for an :func:`address`."""
