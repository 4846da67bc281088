"""Random numbers that depend on a key and a counter and on nothing else: Philox4x32-10.

A measurement is drawn for (stream, patient, visit), in whatever order and thread it happens.

References
----------
J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw (2011). Parallel random numbers: as easy
as 1, 2, 3. SC '11. doi:10.1145/2063384.2063405
"""

from __future__ import annotations

import math

import numpy as np

from carsim.engine.jit import inner

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_ROUNDS = 10


@inner
def philox(
    c0: int, c1: int, c2: int, c3: int, k0: int, k1: int
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Four random words of 32 bits for a counter of four words and a key of two."""
    x0, x1, x2, x3 = np.uint64(c0), np.uint64(c1), np.uint64(c2), np.uint64(c3)
    key0, key1 = np.uint64(k0), np.uint64(k1)
    for _ in range(_ROUNDS):
        one = _MULTIPLIER[0] * x0
        two = _MULTIPLIER[1] * x2
        x0, x1, x2, x3 = (
            (two >> _HALF) ^ x1 ^ key0,
            two & _LOW,
            (one >> _HALF) ^ x3 ^ key1,
            one & _LOW,
        )
        key0 = (key0 + _WEYL[0]) & _LOW
        key1 = (key1 + _WEYL[1]) & _LOW
    return x0, x1, x2, x3


@inner
def two_normals(stream: int, patient: int, visit: int) -> tuple[float, float]:
    """Two independent standard normal numbers (Box and Muller) for one visit of one patient."""
    low, high = 0xFFFFFFFF, 32
    x0, x1, x2, x3 = philox(
        visit, 0, patient & low, patient >> high, stream & low, (stream >> high) & low
    )
    # 53 bits and a half step: strictly between 0 and 1.
    first = (np.float64(x0 >> np.uint64(6)) * 134217728.0 + np.float64(x1 >> np.uint64(5))) + 0.5
    second = (np.float64(x2 >> np.uint64(6)) * 134217728.0 + np.float64(x3 >> np.uint64(5))) + 0.5
    radius = math.sqrt(-2.0 * math.log(first * 2.0**-53))
    angle = 2.0 * math.pi * (second * 2.0**-53)
    return radius * math.cos(angle), radius * math.sin(angle)
