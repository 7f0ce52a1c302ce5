"""Every private part of Numba that fastgd uses, and what takes its place where one is missing.

Numba promises nothing about these names, and no version of it is shut out. So this module alone
knows them. It looks for each as it is imported, and before it compiles a kernel its own way it does
so with a function of one line. Where a part is not as expected, kernels go through Numba's stock
pipeline: they take longer to compile, each process compiles them anew, and they compute the same
bits. One RuntimeWarning says so.

==========================  =======================================================================
part                        what for, and what is expected of it
==========================  =======================================================================
CompilerBase                Its ``define_pipelines`` says how a function is compiled: here as
DefaultPassBuilder          ``define_nopython_pipeline`` has it, whose ``passes`` are pairs of a
                            step and a text, but with another step than NativeLowering.
register_pass               Makes a step known, so that it may stand in a pipeline.
NativeLowering              Its ``run_pass`` puts LLVM's text into ``state.library``, the result
                            into ``state["cr"]``, whose ``fndesc`` has what was typed.
JITCodeLibrary              Calls ``_optimize_functions`` on each module, and at the end
                            ``_optimize_final_module``.
                            ``enable_object_caching`` lets it be written to a file, unless it
                            ``has_dynamic_globals``, addresses of this process.
                            ``get_pointer_to_function`` gives the address of machine code,
                            ``_get_module_for_linking`` what others are linked with. The ``_ee`` of
                            its ``_codegen._engine`` has the module until that is removed.
_module_pass_manager        What LLVM's optimiser is asked to do; with ``opt``, ``loop_vectorize``
                            and ``slp_vectorize``.
cpu_target                  Its ``target_context`` has the ``codegen()`` whose ``magic_tuple()`` is
                            triple, name and features of the processor that Numba compiles for.
initialize                  Of ``rtsys``: makes the runtime's symbols known to code that is loaded.
_nrt                        An option: False leaves counting of references out.
no_cpython_wrapper          Options: no code for calls from Python or C.
no_cfunc_wrapper
_reduce, _rebuild           Of CompileResult: to what can be pickled, and back.
entry_point                 Of CompileResult: the function without the lookup of types.
dumps                       Pickles with Numba's own types.
_cache                      What ``enable_caching`` of a dispatcher sets; its ``load_overload``,
                            ``save_overload``, ``flush`` and ``cache_path`` are used.
AppDirs                     Where a user's caches lie.
_Intrinsic                  What ``intrinsic`` makes; its ``_defn`` is what it was made of.
global_compiler_lock        Who compiles holds it, as a context. It is taken before the next one.
_LLVMLock                   Who is in LLVM holds one: the ``_lock`` of llvmlite's ``lib``.
get_function_type           Of CPUCallConv, as are ``call_function`` and
                            ``return_status_propagate``: how compiled functions call each other.
==========================  =======================================================================

What tiles, words, records and choices are made of (``numba.extending``, ``numba.core.types``,
``cgutils``, typing templates, models, ``context.make_array``) is the interface for extensions. It
is no part of this list: there are no tiles without it.
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
    "numba.core.compiler:CompilerBase.define_pipelines",
    "numba.core.compiler:DefaultPassBuilder.define_nopython_pipeline",
    "numba.core.compiler:CompileResult._reduce",
    "numba.core.compiler:CompileResult._rebuild",
    "numba.core.compiler:CompileResult.entry_point",
    "numba.core.compiler_lock:global_compiler_lock",
    "numba.core.compiler_machinery:register_pass",
    "numba.core.typed_passes:NativeLowering.run_pass",
    "numba.core.codegen:JITCodeLibrary._optimize_functions",
    "numba.core.codegen:JITCodeLibrary._optimize_final_module",
    "numba.core.codegen:JITCodeLibrary.enable_object_caching",
    "numba.core.codegen:JITCodeLibrary.has_dynamic_globals",
    "numba.core.codegen:JITCodeLibrary.get_pointer_to_function",
    "numba.core.codegen:JITCodeLibrary._get_module_for_linking",
    "numba.core.codegen:JITCPUCodegen._module_pass_manager",
    "numba.core.codegen:JITCPUCodegen.magic_tuple",
    "numba.core.registry:cpu_target.target_context",
    "numba.core.runtime:rtsys.initialize",
    "numba.core.options:DefaultOptions._nrt",
    "numba.core.options:DefaultOptions.no_cpython_wrapper",
    "numba.core.options:DefaultOptions.no_cfunc_wrapper",
    "numba.core.serialize:dumps",
    "numba.core.dispatcher:Dispatcher.enable_caching",
    "numba.misc.appdirs:AppDirs",
    "numba.core.extending:_Intrinsic",
    "numba.core.callconv:CPUCallConv.get_function_type",
    "numba.core.callconv:CPUCallConv.call_function",
    "numba.core.callconv:CPUCallConv.return_status_propagate",
    "llvmlite.binding.ffi:_LLVMLock",
)
"""All of them, by module and name."""


class _Missing:
    """What stands for a part that is missing, so that this module can be read to its end."""

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
    """The first part that Numba lacks."""
    for part in PARTS:
        try:
            _find(part)
        except (ImportError, AttributeError):
            return part
    return None


LACKING = _lacking()


def _take(part: str) -> Any:
    return _Missing if LACKING else _find(part)


@cache
def _warn(reason: str) -> None:
    """Say once that kernels go through the stock pipeline."""
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
    """Code that goes through LLVM's optimiser once, as a whole.

    Numba optimises each function by itself before, and looks for counted references, of which there
    are none. What is to be a vector is one already: LLVM's search for more took a tenth of the time
    to compile and made loops of a few rounds slower (3-32-1: 398 ns an iteration, now 358).
    """

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self):
        options = {"opt": int(config.OPT), "loop_vectorize": False, "slp_vectorize": False}
        made = self._codegen._module_pass_manager(**options)
        if not isinstance(made, tuple):  # before Numba 0.62, whose LLVM lacks a few passes
            made.run(self._final_module)
            return
        passes, options = made
        if config.OPT == 1:
            passes = _few_passes()
        passes.run(self._final_module, options)

    _bitcode: bytes | None = None

    def _get_module_for_linking(self):
        if self._bitcode is None:
            return super()._get_module_for_linking()
        return llvmlite.binding.parse_bitcode(self._bitcode)

    def keep_machine_code_only(self):
        """Free LLVM's modules: a kernel takes 1.5 MB then, and 4 MB with them."""
        if self._bitcode is not None:
            return
        shared, final = self._get_module_for_linking(), self._final_module
        self._bitcode = shared.as_bitcode()
        self._codegen._engine._ee.remove_module(final)
        self._final_module = llvmlite.binding.parse_assembly("")
        self._disable_inspection = True  # as of code that comes from a file
        for module in (shared, final):
            module.close()


def _few_passes():
    """Those of level 1 that code is slow without.

    A kernel compiles in 0.6 s; with all passes in 1.25, at level 3 in 1.9. It is as fast as that
    of level 3, but where numbers are drawn (batches, dropout): there it takes 5 to 20 % longer.
    """
    passes = llvmlite.binding.create_new_module_pass_manager()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    passes.add_instruction_combine_pass()
    passes.add_global_dead_code_eliminate_pass()  # addresses of this process that nobody needs
    return passes


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerWhole(NativeLowering):
    _name = "lower_whole_kernel"

    def run_pass(self, state):
        state.library = _WholeLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        super().run_pass(state)
        # To be shown (inspect_types), but not if the code comes from a file.
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
    """Numba's own where a trial of the lean one fails."""

    def define_pipelines(self):
        if _trial_succeeds():
            return super().define_pipelines()
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


@cache
def _trial_succeeds() -> bool:
    """Whether a function compiled our way has our library and is right."""

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
"""Options that leave out counted references: with them 3-4-1 takes 682 ns instead of 79."""

NOT_FROM_C: dict[str, Any] = {} if LACKING else {"no_cfunc_wrapper": True}
"""Options that leave out the code for calls from C: a quarter of the time to compile a prange."""

UNWRAPPED: dict[str, Any] = {}
"""Options that leave out the code for calls from Python and C: 0.6 MB for good, each function."""

WHOLE: dict[str, Any] = {}
"""Options of a kernel."""

if not LACKING:
    UNWRAPPED = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    WHOLE = NOT_COUNTED | {"pipeline_class": _TriedCompiler}


# ------------------------------------------------------------------ forks

if not LACKING and hasattr(os, "register_at_fork"):
    _COMPILING = _find("numba.core.compiler_lock:global_compiler_lock")
    _IN_LLVM = getattr(_find("llvmlite.binding.ffi:lib"), "_lock", nullcontext())

    def _wait_for_compilers() -> None:
        """Fork when no thread compiles: it would be missing in the child.

        There its locks would stay held, and what Numba and LLVM know half changed.
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


def processor(codegen: Any = None) -> tuple[Any, ...]:
    """Triple, name and features of the processor that code is made for."""
    if not LACKING:
        codegen = codegen or _find("numba.core.registry:cpu_target.target_context").codegen()
        return tuple(codegen.magic_tuple())
    binding = llvmlite.binding
    name, features = config.CPU_NAME, config.CPU_FEATURES
    if features is None:
        features = "" if name else binding.get_host_cpu_features().flatten()
    return binding.get_process_triple(), name or binding.get_host_cpu_name(), features


def use_cache(dispatcher: Any, made: Callable[[], Any]) -> None:
    """Let a dispatcher keep its code in the cache that ``made`` makes; no cache without the parts.

    Numba's own would take the code of an older kernel for this one's: it watches one file only.
    """
    if not LACKING and hasattr(dispatcher, "enable_caching"):  # not if NUMBA_DISABLE_JIT is set
        dispatcher._cache = made()


def keeps_code() -> bool:
    """Whether :func:`use_cache` has any effect."""
    return not (LACKING or config.DISABLE_JIT)


def pickled(result: Any, sig: Any) -> bytes | None:
    """A compile result as bytes; None where it holds addresses of this process.

    The result stays in use, but has less to show of how it was made.
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
    """Return the compile result that :func:`pickled` took apart.

    Numba's cache refreshes the whole context first: 0.35 s in a process that compiles nothing, for
    implementations that compiling needs, and refreshes itself. Code needs the symbols of the
    runtime only.
    """
    _find("numba.core.runtime:rtsys").initialize(target_context)
    return _find("numba.core.compiler:CompileResult._rebuild")(target_context, *reduced)


def user_cache(name: str) -> Path:
    """The folder where a user's programs keep what they can make anew."""
    return Path(_find("numba.misc.appdirs:AppDirs")(name, appauthor=False).user_cache_dir)


# ------------------------------------------------------------------ calls


def definition_of(function: Any) -> Callable[..., Any] | None:
    """What an intrinsic was made of: what gives a signature and what emits code; or None."""
    made: Any = getattr(function, "_defn", None)
    return made if isinstance(function, _take("numba.core.extending:_Intrinsic")) else None


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Have no garbage looked for meanwhile.

    A compiler makes so much that Python looks at all there is again and again: where pandas and
    scikit-learn are loaded and 8,000 tests collected, that took a third of the time to compile.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def entry_point(dispatcher: Any, signature: tuple[Any, ...]) -> Callable[..., None]:
    """What calls the function compiled for these types, without looking them up."""
    with _garbage_left():
        dispatcher.compile(signature)
    return dispatcher if LACKING else dispatcher.overloads[signature].entry_point


def handle(dispatcher: Any, signature: tuple[Any, ...], markers: int = 0) -> Any:
    """Compile a function for these types, the first so many markers; what calls it in a kernel.

    That is its address, or a dispatcher without the markers where an address is of no use.
    """
    dispatcher.compile(signature)
    if LACKING:
        return _without_markers(dispatcher, signature[:markers]) if markers else dispatcher
    result = dispatcher.overloads[signature]
    return result.library.get_pointer_to_function(result.fndesc.llvm_func_name)


def address(dispatcher: Any, signature: tuple[Any, ...], markers: int = 0) -> int:
    """The address of a function of markers, then of four integers: for :func:`call_address`."""
    made = handle(dispatcher, signature, markers)
    if not LACKING:
        return int(made)
    integers = types.void(*signature[markers:])
    _KEPT.append(numba.cfunc(integers)(lambda a, b, c, d: made(a, b, c, d)))
    return int(_KEPT[-1].address)


_KEPT: list[Any] = []  # what must live as long as its address is known


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


def _by_address(result):
    """What calls a function with this result by its address."""

    @intrinsic
    def call(_typing, _address, arguments):
        def codegen(context, builder, _sig, args):
            kinds = tuple(arguments)
            function = context.call_conv.get_function_type(result, kinds).as_pointer()
            status, value = context.call_conv.call_function(
                builder,
                builder.inttoptr(args[0], function),
                result,
                kinds,
                cgutils.unpack_tuple(builder, args[1], len(kinds)),
            )
            with cgutils.if_unlikely(builder, status.is_error):
                context.call_conv.return_status_propagate(builder, status)
            return context.get_dummy_value() if result == types.none else value

        return result(types.int64, arguments), codegen

    return call


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


call_compiled = _call_dispatcher if LACKING else _by_address(types.none)
"""In a kernel: call what has this :func:`handle` and returns None, with a tuple of arguments.

By its address, as Numba would link its code into each caller and optimise it there again.
"""

call_for_two = _call_dispatcher if LACKING else _by_address(types.UniTuple(types.float64, 2))
"""Likewise, what returns two floats."""

call_address = _call_c if LACKING else call_compiled
"""Likewise, what has this :func:`address`."""
