"""Compiles LLVM code for another machine: a program of its own, since LLVM may abort the process.

It reads a line of JSON and then LLVM code from stdin, and writes the object file or, for targets
without one, the assembly to stdout. It imports nothing of this package.
"""

import json
import sys
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])  # where the caller has llvmlite from

import llvmlite.binding as llvm


def main() -> None:
    """Compile stdin to stdout; what is wrong is the last line of stderr."""
    order = json.loads(sys.stdin.buffer.readline())
    try:
        sys.stdout.buffer.write(_compiled(order, sys.stdin.read()))
    except (RuntimeError, OSError) as error:
        sys.exit(str(error))


def _compiled(order: dict[str, Any], text: str) -> bytes:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple = order["triple"]
    # At level 1 assembly takes a third of the time; WebAssembly takes as long at any level.
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=order["cpu"],
        features=order["features"],
        opt=order["level"] if order["assembly"] else 3,
        reloc="static",
        codemodel="default",
    )
    header = f'target triple = "{triple}"\ntarget datalayout = "{machine.target_data}"\n'
    module = llvm.parse_assembly(header + text)
    module.verify()
    _optimize(module, machine, order["level"])
    if order["assembly"]:
        return str(machine.emit_assembly(module)).encode()
    return bytes(machine.emit_object(module))


def _optimize(module: Any, machine: Any, level: int) -> None:
    """LLVM's passes without its vectorizers: what should be a vector is one.

    At level 1 only those run without which the code is slow.
    """
    again = machine.triple.startswith("wasm")  # an engine optimizes it, too
    options = llvm.create_pipeline_tuning_options(speed_level=1 if again else 3)
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    manager = llvm.create_new_module_pass_manager()
    if level == 1 and hasattr(manager, "add_sroa_pass"):  # from llvmlite 0.45 on
        manager.add_sroa_pass()
        manager.add_simplify_cfg_pass()
        manager.add_instruction_combine_pass()
        manager.add_global_dead_code_eliminate_pass()
        manager.run(module, builder)
    elif again:
        # 0.5 s for a kernel. All passes of level 3 take 1.3 s, and the code is no faster in Node.
        # The few above take 0.2 s, but with them dropout is 20 to 35 % slower, the rest 5 %.
        for function in module.functions:
            if not function.is_declaration:
                builder.getFunctionPassManager().run(function, builder)
    else:
        builder.getModulePassManager().run(module, builder)


if __name__ == "__main__":
    main()
