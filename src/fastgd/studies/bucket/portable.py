"""The roller for other machines: its modules, and what one must know to write programs for it."""

from functools import cache
from typing import Any

from fastgd.formulas.derivation import Derivation
from fastgd.formulas.expressions import FUNCTIONS
from fastgd.kernel.bytecode import (
    BLOCK,
    CONSTANTS,
    OF_VALUE,
    OPERATIONS,
    RESULT,
    WORDS,
    Evaluator,
    X,
    codes_with,
)
from fastgd.kernel.curve_descent import Balls, RollerHeader, Rules, roller_module
from fastgd.kernel.language.structs import names_and_kinds
from fastgd.kernel.language.wasm_linking import STACK
from fastgd.studies.bucket.rolling import RULES, STATUS


@cache
def _functions() -> tuple[str, ...]:
    """The functions that programs of expressions may use, without what the interpreter has."""
    found: set[str] = set()
    for name, operands in {**FUNCTIONS, "pow": 2}.items():
        if name != "where":
            derivation = Derivation(of_value=OF_VALUE)
            derivation.of((name, *["x"] * operands))
            found |= {node[0] for node in derivation.nodes}
    return tuple(sorted(found - OPERATIONS.keys() - {"variable", "number"}))


def roller_of(target: str) -> bytes:
    """The module for a target, ``wasm32`` or ``wasm32-relaxed``: see :func:`.roller_module`."""
    return roller_module(_functions(), target)


def roller_facts() -> dict[str, Any]:
    """What stands in programs and in the memory of these modules.

    An operation has a code, a struct's fields are whole numbers, numbers or arrays, and the first
    bytes of the memory are the module's own.
    """
    return {
        "codes": codes_with(_functions()),
        "ofValue": sorted(OF_VALUE),
        "block": BLOCK,
        "words": WORDS,
        "rows": {"x": X, "result": RESULT, "constants": CONSTANTS},
        "base": STACK,
        "structs": {
            name: names_and_kinds(struct)
            for name, struct in {
                "header": RollerHeader,
                "evaluator": Evaluator,
                "balls": Balls,
                "rules": Rules,
            }.items()
        },
        "statuses": STATUS.tolist(),
        "rules": list(RULES),
    }
