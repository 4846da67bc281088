"""Pools that fall below their floor inside a step."""

from __future__ import annotations

from carsim.engine.jit import inner
from carsim.engine.layout import ACCEPTED, K1, K2, K3, NEW, Y
from carsim.engine.pack import WIDTH, load, some
from carsim.engine.plan import FloatArray


@inner
def find_extinctions(n: int, floors: FloatArray, numbers: FloatArray, vectors: FloatArray) -> bool:
    """Whether a state falls through its floor in an accepted step of any lane."""
    accepted, y, new = numbers[ACCEPTED], vectors[Y], vectors[NEW]
    for i in range(len(floors)):
        floor = floors[i]
        if floor > 0.0:
            for lane in range(0, n, WIDTH):
                k = i * n + lane
                falls = (load(y, k) >= floor) & (load(new, k) < floor)
                if some(falls & (load(accepted, lane) > 0.0)):
                    return True
    return False


@inner
def first_extinction(n: int, lane: int, floors: FloatArray, vectors: FloatArray) -> float:
    """Fraction of the step at which the first state falls through its floor; 2 if none does.

    Only a fall counts: a pool that starts below its floor and grows is left alone.
    """
    first = 2.0
    for i in range(len(floors)):
        k = i * n + lane
        floor = floors[i]
        y0, y1 = vectors[Y, k], vectors[NEW, k]
        if floor <= 0.0 or not (y0 >= floor and y1 < floor):
            continue
        low = 0.0
        high = 1.0
        for _ in range(60):
            x = 0.5 * (low + high)
            bulge = vectors[K1, k] + x * (vectors[K2, k] + x * vectors[K3, k])
            if (1.0 - x) * y0 + x * (y1 + (1.0 - x) * bulge) < floor:
                high = x
            else:
                low = x
        first = min(first, high)
    return first
