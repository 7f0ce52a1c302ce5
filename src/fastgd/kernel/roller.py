"""Balls that roll on another machine: the roller and the interpreter, in a single function.

Where a function has no address, the interpreter has all functions that a program may use in itself.
"""

from functools import cache
from typing import NamedTuple

from fastgd.kernel.bytecode import Interpreter, codes_with, evaluate_block
from fastgd.kernel.curve_descent import roll_share
from fastgd.kernel.elementwise import known_functions
from fastgd.kernel.language.structs import Integers
from fastgd.kernel.language.targets import TARGETS, emit
from fastgd.kernel.language.tile import Shape
from fastgd.kernel.language.webassembly import linked

_PAIR = Shape(1, 1, 2)
"""As many lanes as a register of WebAssembly has: code for more at a time is larger."""


class RollerHeader(NamedTuple):
    """The first words of the memory of a roller."""

    values: int  # how many to evaluate, in the row X of the working memory; 0: roll
    evaluators: Integers  # the words of an Evaluator
    balls: Integers  # of Balls
    rules: Integers  # of Rules


@cache
def roller_module(functions: tuple[str, ...], target: str) -> bytes:
    """A module of WebAssembly whose function ``roll`` takes the address of a RollerHeader.

    Programs for it have the codes of ``codes_with(functions)``. It imports its memory, whose first
    65,536 bytes are its own.

    Raises
    ------
    TargetError
        If this machine can't emit it.
    """
    known = codes_with(functions)
    interpreter = Interpreter(_PAIR, known_functions({name: known[name] for name in functions}))
    made = emit(_roll_or_evaluate, (interpreter,), len(functions), RollerHeader, TARGETS[target])
    return linked(made, "roll")


def _roll_or_evaluate(interpreter, _stamp, header):
    if header.values > 0:
        evaluate_block(interpreter, header.evaluators, 0, header.values)
    else:
        roll_share(interpreter, header.evaluators, 0, header.balls, header.rules)
