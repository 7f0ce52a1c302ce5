"""Polynomials over tiles."""

from llvmlite import ir
from numba.extending import intrinsic

from fastgd.kernel.language.tile import emit_fma


def polynomial(*coefficients):
    """Return a function that evaluates the polynomial with these coefficients, constant term first.

    Groups of four terms in Estrin's scheme, then Horner's rule in x**4, all with fused operations:
    a much shorter chain of dependent operations than Horner's rule alone. It is a single intrinsic,
    since Numba takes 2 ms for each.
    """

    @intrinsic
    def evaluate(_typing, x):
        def codegen(_context, builder, _sig, args):
            vector = args[0].type

            def joined(parts, power):
                """Combine neighbors: the first plus the second times the power."""
                pairs = zip(parts[::2], parts[1::2], strict=False)
                made = [emit_fma(builder, [high, power, low]) for low, high in pairs]
                return made + parts[2 * len(made) :]

            square = builder.fmul(args[0], args[0])
            parts = [ir.Constant(vector, [c] * x.lanes) for c in coefficients]
            parts = joined(joined(parts, args[0]), square)
            fourth = builder.fmul(square, square)
            value = parts.pop()
            while parts:
                value = emit_fma(builder, [value, fourth, parts.pop()])
            return value

        return x(x), codegen

    return evaluate
