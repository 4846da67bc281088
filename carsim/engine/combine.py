"""Weighted sums of stage vectors: one pass over memory for each number of terms."""

from __future__ import annotations

from carsim.engine.jit import inner
from carsim.engine.pack import WIDTH, load, store
from carsim.engine.plan import FloatArray, IntArray


@inner
def stage_sums(
    terms: int,
    y: FloatArray,
    u: FloatArray,
    a: FloatArray,
    c: FloatArray,
    stage: FloatArray,
    couple: FloatArray,
) -> None:
    """Set ``stage = y + sum_j a_j u_j`` and ``couple = sum_j c_j u_j`` over `terms` rows of u."""
    size = len(y)
    u0, a0, c0 = u[0], a[0], c[0]
    if terms == 1:
        for k in range(0, size, WIDTH):
            x0 = load(u0, k)
            store(stage, k, load(y, k) + a0 * x0)
            store(couple, k, c0 * x0)
        return
    u1, a1, c1 = u[1], a[1], c[1]
    if terms == 2:
        for k in range(0, size, WIDTH):
            x0 = load(u0, k)
            x1 = load(u1, k)
            store(stage, k, load(y, k) + a0 * x0 + a1 * x1)
            store(couple, k, c0 * x0 + c1 * x1)
        return
    u2, a2, c2 = u[2], a[2], c[2]
    if terms == 3:
        for k in range(0, size, WIDTH):
            x0 = load(u0, k)
            x1 = load(u1, k)
            x2 = load(u2, k)
            store(stage, k, load(y, k) + a0 * x0 + a1 * x1 + a2 * x2)
            store(couple, k, c0 * x0 + c1 * x1 + c2 * x2)
        return
    u3, a3, c3 = u[3], a[3], c[3]
    if terms == 4:
        for k in range(0, size, WIDTH):
            x0 = load(u0, k)
            x1 = load(u1, k)
            x2 = load(u2, k)
            x3 = load(u3, k)
            store(stage, k, load(y, k) + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3)
            store(couple, k, c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3)
        return
    u4, a4, c4 = u[4], a[4], c[4]
    if terms == 5:
        for k in range(0, size, WIDTH):
            x0 = load(u0, k)
            x1 = load(u1, k)
            x2 = load(u2, k)
            x3 = load(u3, k)
            x4 = load(u4, k)
            store(stage, k, load(y, k) + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3 + a4 * x4)
            store(couple, k, c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3 + c4 * x4)
        return
    u5, a5, c5 = u[5], a[5], c[5]
    if terms == 6:
        for k in range(0, size, WIDTH):
            x0 = load(u0, k)
            x1 = load(u1, k)
            x2 = load(u2, k)
            x3 = load(u3, k)
            x4 = load(u4, k)
            x5 = load(u5, k)
            store(stage, k, load(y, k) + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3 + a4 * x4 + a5 * x5)
            store(couple, k, c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3 + c4 * x4 + c5 * x5)
        return
    u6, a6, c6 = u[6], a[6], c[6]
    for k in range(0, size, WIDTH):
        x0 = load(u0, k)
        x1 = load(u1, k)
        x2 = load(u2, k)
        x3 = load(u3, k)
        x4 = load(u4, k)
        x5 = load(u5, k)
        x6 = load(u6, k)
        store(
            stage,
            k,
            load(y, k) + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3 + a4 * x4 + a5 * x5 + a6 * x6,
        )
        store(couple, k, c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3 + c4 * x4 + c5 * x5 + c6 * x6)


@inner
def three_sums(
    n: int,
    states: IntArray,
    u: FloatArray,
    weights: FloatArray,
    first: FloatArray,
    second: FloatArray,
    third: FloatArray,
) -> None:
    """Set three vectors to ``sum_j weights[m, j] u_j``, four terms a pass, in the rows of `states`.

    The number of rows of u is a multiple of four; rows behind the stages are zero, and so are their
    weights.
    """
    for j in range(0, len(u), 4):
        u0, u1, u2, u3 = u[j], u[j + 1], u[j + 2], u[j + 3]
        w = weights[:, j : j + 4]
        for q in range(len(states)):
            row = states[q] * n
            for k in range(row, row + n, WIDTH):
                a, b, c, d = load(u0, k), load(u1, k), load(u2, k), load(u3, k)
                x = w[0, 0] * a + w[0, 1] * b + w[0, 2] * c + w[0, 3] * d
                y = w[1, 0] * a + w[1, 1] * b + w[1, 2] * c + w[1, 3] * d
                z = w[2, 0] * a + w[2, 1] * b + w[2, 2] * c + w[2, 3] * d
                if j > 0:
                    x = load(first, k) + x
                    y = load(second, k) + y
                    z = load(third, k) + z
                store(first, k, x)
                store(second, k, y)
                store(third, k, z)
