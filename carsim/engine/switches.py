"""Comparisons of the time inside the equations: which hold, and when the next one changes.

See `carsim.symbolic.switches`. Between two landings no mode changes; at the time at which one does,
the mode is that of the time behind it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from carsim.engine.instants import instant
from carsim.engine.jit import inner
from carsim.engine.layout import FRESH, NEXT_SWITCH, T, Y
from carsim.engine.plan import FloatArray, IntArray


@inner
def set_modes(
    n: int,
    first: int,
    inclusive: IntArray,
    switch: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    found: FloatArray,
) -> None:
    """Set the modes of lanes that begin anew, and the time at which the next of them changes.

    Modes stand in `p` from parameter `first` on; `found` is room for offsets and slopes.
    """
    time = numbers[T]
    for lane in range(n):
        if flags[FRESH, lane] == 1:
            numbers[NEXT_SWITCH, lane] = np.inf
    for k in range(len(inclusive)):
        # Later switches may depend on the modes of earlier ones.
        switch(n, time, vectors[Y], p, found)
        for lane in range(n):
            if flags[FRESH, lane] == 0:
                continue
            t = time[lane]
            offset, slope = found[2 * k * n + lane], found[(2 * k + 1) * n + lane]
            change = -offset / slope
            gap = offset + slope * t
            holds = gap < 0.0 or (inclusive[k] != 0 and gap == 0.0)
            if abs(change - t) <= instant(t):
                holds = slope < 0.0
            elif change > t:
                numbers[NEXT_SWITCH, lane] = min(numbers[NEXT_SWITCH, lane], change)
            p[(first + k) * n + lane] = 1.0 if holds else 0.0
