"""Polynomials over tiles."""

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic


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
            kind = ir.FunctionType(vector, [vector] * 3)
            fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{x.lanes}f64")

            def joined(parts, power):
                """Combine neighbors: the first plus the second times the power."""
                pairs = zip(parts[::2], parts[1::2], strict=False)
                made = [builder.call(fma, [high, power, low]) for low, high in pairs]
                return made + parts[2 * len(made) :]

            square = builder.fmul(args[0], args[0])
            parts = [ir.Constant(vector, [c] * x.lanes) for c in coefficients]
            parts = joined(joined(parts, args[0]), square)
            fourth = builder.fmul(square, square)
            value = parts.pop()
            while parts:
                value = builder.call(fma, [value, fourth, parts.pop()])
            return value

        return x(x), codegen

    return evaluate
