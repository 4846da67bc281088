"""Which entries of a matrix can be nonzero, and in which order to eliminate.

The matrix of a Rosenbrock step is ``I / gamma - h J`` with the sparsity of the Jacobian J. Its
factors are computed by straight-line code, so the order of elimination and the fill-in are decided
once, here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Elimination:
    """A static LU factorisation without pivoting.

    Attributes
    ----------
    order : tuple of int
        The pivot rows (and columns: pivots are diagonal entries) in the order of elimination.
    lower : tuple of tuple of int
        For each step of the order, the rows below the pivot that it changes.
    upper : tuple of tuple of int
        For each step of the order, the columns right of the pivot in the pivot row.
    entries : dict
        Position of every structurally nonzero ``(row, column)`` of the factors.
    """

    order: tuple[int, ...]
    lower: tuple[tuple[int, ...], ...]
    upper: tuple[tuple[int, ...], ...]
    entries: dict[tuple[int, int], int]


def eliminate(size: int, nonzeros: set[tuple[int, int]]) -> Elimination:
    """Order the elimination of a matrix by Markowitz counts on the diagonal.

    At each step the diagonal entry with the smallest ``(row entries - 1) * (column entries - 1)``
    is taken, the usual bound on the fill-in it can cause (H. M. Markowitz, Management Science
    3:255, 1957). Ties go to the smaller index, so the result is reproducible.

    Parameters
    ----------
    size : int
        Number of rows.
    nonzeros : set of (row, column)
        Structurally nonzero entries; the diagonal is added.
    """
    rows = {i: {i} for i in range(size)}
    columns = {i: {i} for i in range(size)}
    for i, j in nonzeros:
        rows[i].add(j)
        columns[j].add(i)
    order: list[int] = []
    lower: list[tuple[int, ...]] = []
    upper: list[tuple[int, ...]] = []
    positions = set(nonzeros) | {(i, i) for i in range(size)}
    remaining = set(range(size))
    while remaining:
        pivot = min(remaining, key=lambda i: ((len(rows[i]) - 1) * (len(columns[i]) - 1), i))
        remaining.discard(pivot)
        below = sorted(columns[pivot] - {pivot})
        right = sorted(rows[pivot] - {pivot})
        for i in below:
            for j in right:
                rows[i].add(j)
                columns[j].add(i)
                positions.add((i, j))
        for i in below:
            rows[i].discard(pivot)
        for j in right:
            columns[j].discard(pivot)
        order.append(pivot)
        lower.append(tuple(below))
        upper.append(tuple(right))
    entries = {position: k for k, position in enumerate(sorted(positions))}
    return Elimination(tuple(order), tuple(lower), tuple(upper), entries)
