"""Pools of cells, virions and drugs do not turn negative.

The rounding of a vanished pool, negative by chance, can grow like the pool itself: nothing in the
error control stops it, since every step of that growth is exact. States whose floor is zero are
kept from it.
"""

from __future__ import annotations

from carsim.engine.jit import inner
from carsim.engine.layout import ACCEPTED, FACTOR, NEW, Y
from carsim.engine.pack import WIDTH, load, select, store
from carsim.engine.plan import FloatArray

SHRINK = 0.25


@inner
def refuse_negative(
    n: int, floors: FloatArray, atol: FloatArray, numbers: FloatArray, vectors: FloatArray
) -> None:
    """Reject steps that take a pool below zero by more than its tolerance."""
    y, new, accepted, factor = vectors[Y], vectors[NEW], numbers[ACCEPTED], numbers[FACTOR]
    for i in range(len(floors)):
        if floors[i] == 0.0:
            tolerated = -atol[i]
            for lane in range(0, n, WIDTH):
                k = i * n + lane
                refused = (load(new, k) < tolerated) & (load(y, k) >= tolerated)
                wish = load(factor, lane)
                store(factor, lane, select(refused & (wish > SHRINK), SHRINK, wish))
                store(accepted, lane, select(refused, 0.0, load(accepted, lane)))


@inner
def clip_to_zero(n: int, floors: FloatArray, atol: FloatArray, y: FloatArray) -> None:
    """Take a pool for empty that lies below zero by no more than its tolerance."""
    for i in range(len(floors)):
        if floors[i] == 0.0:
            tolerated = -atol[i]
            for k in range(i * n, (i + 1) * n, WIDTH):
                value = load(y, k)
                store(y, k, select((value < 0.0) & (value >= tolerated), 0.0, value))
