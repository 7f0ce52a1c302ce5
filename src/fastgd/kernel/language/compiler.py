"""How the kernel is compiled: its parts as text only, the whole once.

Numba optimises each compiled function by itself and makes machine code of it, although a part of
the kernel is only ever inlined: a third of the time to compile 3-4-1 (1.3 of 4.1 s). Here a part
stays as it is written, and the whole goes through LLVM's optimiser one time; Numba's other pass
looks for counted references, and there are none.

Tried and not kept: optimising the parts function by function first (0.2 s more, no faster code);
LLVM's level 2 instead of 3 (0.3 s less, but 3-4-1 took 122 ns an iteration instead of 116).
"""

from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering, NopythonRewrites
from numba.core.untyped_passes import GenericRewrites, InlineClosureLikes

_NOT_NEEDED = (InlineClosureLikes, GenericRewrites, NopythonRewrites)
"""Steps for closures and array expressions, of which the kernel has none: 0.2 s for 3-4-1."""


class _Library(JITCodeLibrary):
    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout


class _PartLibrary(_Library):
    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalized = True


class _WholeLibrary(_Library):
    def _optimize_final_module(self):
        made = self._codegen._module_pass_manager(opt=3)
        passes, *options = made if isinstance(made, tuple) else (made,)  # before Numba 0.62
        passes.run(self._final_module, *options)


class _Lowering(NativeLowering):
    library_class = _WholeLibrary

    def run_pass(self, state):
        state.library = self.library_class(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return super().run_pass(state)


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerWhole(_Lowering):
    _name = "lower_whole_kernel"


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerPart(_Lowering):
    _name = "lower_part_of_kernel"
    library_class = _PartLibrary

    def run_pass(self, state):
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        # Nobody calls it, but it stands for the function where others link it in.
        name = lowered.fndesc.qualname
        stand_in = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), name, name, 0, lowered.env, (state.library,)
        )
        state.targetctx.insert_user_function(stand_in, lowered.fndesc, [state.library])
        state["cr"] = lowered._replace(cfunc=stand_in)
        return True


class _Compiler(CompilerBase):
    lowering = _LowerWhole

    def define_pipelines(self):
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.passes = [
            (self.lowering if step is NativeLowering else step, why)
            for step, why in pipeline.passes
            if step not in _NOT_NEEDED
        ]
        pipeline.finalize()
        return [pipeline]


class WholeCompiler(_Compiler):
    """``pipeline_class`` of the function that is called."""


class PartCompiler(_Compiler):
    """``pipeline_class`` of what is inlined into it."""

    lowering = _LowerPart
