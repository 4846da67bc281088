"""exp and log without branches, so that loops over lanes stay vectorised.

The library functions are scalar calls, which stop LLVM's vectoriser; these are arithmetic on bits and
polynomials, within about one unit in the last place.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from carsim.engine.jit import inlined

LOG2_E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
# Adding it leaves the integer part of a small number in the low bits of the sum.
ROUNDER = 6755399441055744.0
ROUNDER_BITS = 0x4338000000000000
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
LARGEST = 1.7976931348623157e308


@intrinsic
def _bits_of(typing_context: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
def _from_bits(typing_context: Any, x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@inlined
def exp(x: float) -> float:
    """e to the x; arguments beyond the range of floats are held at its ends, NaN stays NaN."""
    x = -708.0 if x < -708.0 else x
    x = 709.0 if x > 709.0 else x
    shifted = x * LOG2_E + ROUNDER
    k = shifted - ROUNDER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    # Taylor series; |r| <= ln(2)/2, so the first term left out is below 1e-17.
    s = 1.0 / 6227020800.0
    s = s * r + 1.0 / 479001600.0
    s = s * r + 1.0 / 39916800.0
    s = s * r + 1.0 / 3628800.0
    s = s * r + 1.0 / 362880.0
    s = s * r + 1.0 / 40320.0
    s = s * r + 1.0 / 5040.0
    s = s * r + 1.0 / 720.0
    s = s * r + 1.0 / 120.0
    s = s * r + 1.0 / 24.0
    s = s * r + 1.0 / 6.0
    s = s * r + 0.5
    s = s * r + 1.0
    s = s * r + 1.0
    return s * _from_bits((_bits_of(shifted) + 1023) << 52)


@inlined
def log(x: float) -> float:
    """Natural logarithm; -inf at zero, NaN below."""
    bits = _bits_of(x)
    k = (bits - SQRT_HALF_BITS) >> 52
    f = _from_bits(bits - (k << 52)) - 1.0
    # int64 to float64 by the same trick as in exp: the conversion instruction needs AVX-512.
    e = _from_bits(k + ROUNDER_BITS) - ROUNDER
    # Reduction and coefficients of the minimax polynomial as in FreeBSD's msun e_log.c (facts).
    s = f / (2.0 + f)
    z = s * s
    r = 1.479819860511658591e-01
    r = r * z + 1.531383769920937332e-01
    r = r * z + 1.818357216161805012e-01
    r = r * z + 2.222219843214978396e-01
    r = r * z + 2.857142874366239149e-01
    r = r * z + 3.999999999940941908e-01
    r = r * z + 6.666666666666735130e-01
    r = r * z
    half = 0.5 * f * f
    value = e * LN2_HIGH - ((half - (s * (half + r) + e * LN2_LOW)) - f)
    value = x if x > LARGEST else value
    below = -math.inf if x == 0.0 else math.nan
    return value if x > 0.0 else below
