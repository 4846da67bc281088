"""exp and log without branches, for floats and for packs.

The library functions are scalar calls; these are arithmetic on bits and polynomials, within about
one unit in the last place. They are written once, as instructions, and serve both types.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir

from carsim.engine.jit import instruction
from carsim.engine.pack import WIDTH

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
# Adding it leaves the integer part of a small number in the low bits of the sum.
_ROUNDER = 6755399441055744.0
_ROUNDER_BITS = 0x4338000000000000
_BIAS = 1023
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_LARGEST = 1.7976931348623157e308
_SMALLEST_NORMAL = 2.2250738585072014e-308
_LIFT = 54
# Beyond these exp is 0 and infinity, which its last multiplication gives by itself.
_LOWEST_ARGUMENT, _HIGHEST_ARGUMENT = -746.0, 710.0
# Taylor series; the argument is at most ln(2)/2, so the first term left out is below 1e-17.
_EXP = tuple(1.0 / math.factorial(k) for k in range(13, -1, -1))
# Coefficients of the minimax polynomial of FreeBSD's msun e_log.c (facts), highest power first.
_LOG = (
    1.479819860511658591e-01,
    1.531383769920937332e-01,
    1.818357216161805012e-01,
    2.222219843214978396e-01,
    2.857142874366239149e-01,
    3.999999999940941908e-01,
    6.666666666666735130e-01,
)


class _Writer:
    """Instructions on a float or a pack, with numbers where it needs constants."""

    def __init__(self, builder: Any, like: Any) -> None:
        self.builder = builder
        self.packed = isinstance(like.type, ir.VectorType)
        self.floats = like.type
        whole = ir.IntType(64)
        self.wholes = ir.VectorType(whole, WIDTH) if self.packed else whole

    def number(self, value: float) -> Any:
        return ir.Constant(self.floats, [value] * WIDTH if self.packed else value)

    def whole(self, value: int) -> Any:
        return ir.Constant(self.wholes, [value] * WIDTH if self.packed else value)

    def bits(self, x: Any) -> Any:
        return self.builder.bitcast(x, self.wholes)

    def from_bits(self, x: Any) -> Any:
        return self.builder.bitcast(x, self.floats)

    def polynomial(self, x: Any, coefficients: tuple[float, ...]) -> Any:
        """In pairs, pairs of pairs and so on (Estrin): sums that need not wait for each other."""
        terms = [self.number(coefficient) for coefficient in reversed(coefficients)]
        while len(terms) > 1:
            pairs = [
                self.builder.fadd(low, self.builder.fmul(high, x))
                for low, high in zip(terms[::2], terms[1::2], strict=False)
            ]
            terms = pairs + terms[2 * len(pairs) :]
            x = self.builder.fmul(x, x)
        return terms[0]

    def select(self, condition: str, x: Any, bound: float, yes: Any, no: Any) -> Any:
        return self.builder.select(
            self.builder.fcmp_ordered(condition, x, self.number(bound)), yes, no
        )


def _write_exp(builder: Any, x: Any) -> Any:
    w = _Writer(builder, x)
    x = w.select("<", x, _LOWEST_ARGUMENT, w.number(_LOWEST_ARGUMENT), x)
    x = w.select(">", x, _HIGHEST_ARGUMENT, w.number(_HIGHEST_ARGUMENT), x)
    # 2^k is applied as two factors: at the ends it is no float itself. With the biases of both
    # exponents in the rounders, the low bits are exponents as they stand.
    both, one = w.number(_ROUNDER + 2 * _BIAS), w.number(_ROUNDER + _BIAS)
    shifted = builder.fadd(builder.fmul(x, w.number(_LOG2_E)), both)
    k = builder.fsub(shifted, both)
    r = builder.fsub(x, builder.fmul(k, w.number(_LN2_HIGH)))
    r = builder.fsub(r, builder.fmul(k, w.number(_LN2_LOW)))
    half = w.bits(builder.fadd(builder.fmul(k, w.number(0.5)), one))
    rest = builder.sub(w.bits(shifted), half)
    first, second = (w.from_bits(builder.shl(part, w.whole(52))) for part in (half, rest))
    # The first product is exact, so that a result below the normal floats is rounded once.
    return builder.fmul(builder.fmul(w.polynomial(r, _EXP), first), second)


def _write_log(builder: Any, x: Any) -> Any:
    w = _Writer(builder, x)
    # Below the normal floats the bits hold no exponent: those are lifted by 2^54, which is taken
    # off the exponent again.
    lifted = builder.fmul(x, w.number(2.0**_LIFT))
    normal = w.select("<", x, _SMALLEST_NORMAL, lifted, x)
    rounder = w.select(
        "<", x, _SMALLEST_NORMAL, w.whole(_ROUNDER_BITS - _LIFT), w.whole(_ROUNDER_BITS)
    )
    bits = w.bits(normal)
    k = builder.ashr(builder.sub(bits, w.whole(_SQRT_HALF_BITS)), w.whole(52))
    mantissa = w.from_bits(builder.sub(bits, builder.shl(k, w.whole(52))))
    f = builder.fsub(mantissa, w.number(1.0))
    # A whole number to float by the same trick as in exp: the instruction for it needs AVX-512.
    e = builder.fsub(w.from_bits(builder.add(k, rounder)), w.number(_ROUNDER))
    s = builder.fdiv(f, builder.fadd(w.number(2.0), f))
    z = builder.fmul(s, s)
    r = builder.fmul(z, w.polynomial(z, _LOG))
    half = builder.fmul(builder.fmul(w.number(0.5), f), f)
    tail = builder.fadd(builder.fmul(s, builder.fadd(half, r)), builder.fmul(e, w.number(_LN2_LOW)))
    tail = builder.fsub(builder.fsub(half, tail), f)
    value = builder.fsub(builder.fmul(e, w.number(_LN2_HIGH)), tail)
    value = w.select(">", x, _LARGEST, x, value)
    below = w.select("==", x, 0.0, w.number(-math.inf), w.number(math.nan))
    return w.select(">", x, 0.0, value, below)


@instruction
def exp(typing_context: Any, x: Any) -> Any:
    """E to the x; 0 and infinity beyond the range of floats, NaN stays NaN."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _write_exp(builder, arguments[0])

    return x(x), generate


@instruction
def log(typing_context: Any, x: Any) -> Any:
    """Natural logarithm; -inf at zero, NaN below."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _write_log(builder, arguments[0])

    return x(x), generate
