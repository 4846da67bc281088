"""Weighted sums of stage vectors, written out for each number of terms.

One pass over memory for a whole sum, in a form that LLVM vectorises; a loop over the terms inside the loop
over elements is not, and one outside reads and writes the result once a term.
"""

from __future__ import annotations

from carsim.engine.jit import inner
from carsim.engine.plan import FloatArray


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
    """Set ``stage = y + sum_j a_j u_j`` and ``couple = sum_j c_j u_j`` over the first `terms` rows of u."""
    size = len(y)
    u0 = u[0]
    a0, c0 = a[0], c[0]
    if terms == 1:
        for k in range(size):
            stage[k] = y[k] + a0 * u0[k]
            couple[k] = c0 * u0[k]
        return
    u1 = u[1]
    a1, c1 = a[1], c[1]
    if terms == 2:
        for k in range(size):
            stage[k] = y[k] + a0 * u0[k] + a1 * u1[k]
            couple[k] = c0 * u0[k] + c1 * u1[k]
        return
    u2 = u[2]
    a2, c2 = a[2], c[2]
    if terms == 3:
        for k in range(size):
            stage[k] = y[k] + a0 * u0[k] + a1 * u1[k] + a2 * u2[k]
            couple[k] = c0 * u0[k] + c1 * u1[k] + c2 * u2[k]
        return
    u3 = u[3]
    a3, c3 = a[3], c[3]
    if terms == 4:
        for k in range(size):
            stage[k] = y[k] + a0 * u0[k] + a1 * u1[k] + a2 * u2[k] + a3 * u3[k]
            couple[k] = c0 * u0[k] + c1 * u1[k] + c2 * u2[k] + c3 * u3[k]
        return
    u4 = u[4]
    a4, c4 = a[4], c[4]
    if terms == 5:
        for k in range(size):
            stage[k] = y[k] + a0 * u0[k] + a1 * u1[k] + a2 * u2[k] + a3 * u3[k] + a4 * u4[k]
            couple[k] = c0 * u0[k] + c1 * u1[k] + c2 * u2[k] + c3 * u3[k] + c4 * u4[k]
        return
    u5 = u[5]
    a5, c5 = a[5], c[5]
    if terms == 6:
        for k in range(size):
            stage[k] = (
                y[k] + a0 * u0[k] + a1 * u1[k] + a2 * u2[k] + a3 * u3[k] + a4 * u4[k] + a5 * u5[k]
            )
            couple[k] = (
                c0 * u0[k] + c1 * u1[k] + c2 * u2[k] + c3 * u3[k] + c4 * u4[k] + c5 * u5[k]
            )
        return
    u6 = u[6]
    a6, c6 = a[6], c[6]
    for k in range(size):
        stage[k] = (
            y[k] + a0 * u0[k] + a1 * u1[k] + a2 * u2[k] + a3 * u3[k] + a4 * u4[k] + a5 * u5[k]
            + a6 * u6[k]
        )  # fmt: skip
        couple[k] = (
            c0 * u0[k] + c1 * u1[k] + c2 * u2[k] + c3 * u3[k] + c4 * u4[k] + c5 * u5[k]
            + c6 * u6[k]
        )  # fmt: skip


@inner
def three_sums(
    u: FloatArray, weights: FloatArray, first: FloatArray, second: FloatArray, third: FloatArray
) -> None:
    """Set three vectors to ``sum_j weights[m, j] u_j``, two terms a pass."""
    size = len(first)
    terms = weights.shape[1]
    for k in range(size):
        first[k] = 0.0
        second[k] = 0.0
        third[k] = 0.0
    for j in range(0, terms, 2):
        other = min(j + 1, terms - 1)
        a, b = u[j], u[other]
        # An odd last term is paired with itself at weight zero.
        paired = 1.0 if other > j else 0.0
        a0, b0 = weights[0, j], paired * weights[0, other]
        a1, b1 = weights[1, j], paired * weights[1, other]
        a2, b2 = weights[2, j], paired * weights[2, other]
        for k in range(size):
            first[k] += a0 * a[k] + b0 * b[k]
            second[k] += a1 * a[k] + b1 * b[k]
            third[k] += a2 * a[k] + b2 * b[k]
