"""Whether an engine of WebAssembly fuses ``relaxed_madd``, which it may or may not do.

The module of :func:`probe_module` computes ``x * y + z`` for some hundred triples, and traps unless
every result is rounded once only. Where it doesn't even load, the engine has no relaxed SIMD.
"""

from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np

from fastgd.kernel.call_image import LINE, aligned
from fastgd.kernel.language.int_vectors import bits_of
from fastgd.kernel.language.memory import load
from fastgd.kernel.language.structs import Floats, encode, first_byte
from fastgd.kernel.language.targets import TARGETS, emit
from fastgd.kernel.language.tile import anywhere, constant_shape, fma, trap
from fastgd.kernel.language.webassembly import STACK, linked

TRIPLES = 300

_pair = constant_shape(1, 1, 2)


class Triples(NamedTuple):
    """Numbers, and ``x * y + z`` rounded once."""

    x: Floats
    y: Floats
    z: Floats
    fused: Floats


def _probe(_stamp, triples):
    shape = _pair()
    for i in range(0, len(triples.x), 2):
        x, y = load(shape, triples.x, i, 0), load(shape, triples.y, i, 0)
        found = fma(x, y, load(shape, triples.z, i, 0))
        if anywhere(bits_of(found) != bits_of(load(shape, triples.fused, i, 0))):
            trap()


@cache
def probe_module() -> bytes:
    """A module with its own memory and one function: ``probe``, of the address 65,536.

    It traps if a multiply-add isn't fused. Each of the triples has another result if it is rounded
    twice.

    Raises
    ------
    TargetError
        If this machine can't emit it.

    Examples
    --------
    In JavaScript, of these bytes:

    .. code-block:: javascript

        let fused = true;
        try {
          (await WebAssembly.instantiate(bytes)).instance.exports.probe(65536);
        } catch {
          fused = false;
        }
    """
    random = np.random.RandomState(0)
    found: list[tuple[float, float, float, float]] = []
    while len(found) < TRIPLES:
        x, y = random.random_sample(2) + 1
        z = float(-(x * y) * (1 + random.randint(-8, 9) * 2.0 ** -random.randint(20, 53)))
        fused = float(Fraction(x) * Fraction(y) + Fraction(z))
        if fused != x * y + z:
            found.append((x, y, z, fused))
    columns = np.array(found).T
    words = -(-encode(Triples(*columns)).nbytes // LINE) * LINE
    memory = aligned(words + columns.nbytes)
    views = memory[words:].view(np.float64).reshape(columns.shape)
    views[:] = columns
    table = encode(
        Triples(*views), place=lambda array: STACK + first_byte(array) - first_byte(memory)
    )
    memory[: table.nbytes].view(np.int64)[:] = table.ravel()
    target = TARGETS["wasm32-relaxed"]
    made = emit(_probe, (), TRIPLES, Triples, target)
    return linked(made, "probe", memory=memory.tobytes())
