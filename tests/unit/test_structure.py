"""The order of elimination: complete, without pivoting, and with little fill-in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from carsim.symbolic.structure import Elimination, eliminate

Positions = set[tuple[int, int]]


@st.composite
def patterns(draw: st.DrawFn) -> tuple[int, Positions]:
    size = draw(st.integers(1, 12))
    index = st.integers(0, size - 1)
    return size, draw(st.sets(st.tuples(index, index), max_size=4 * size))


def fill_in(size: int, nonzeros: Positions) -> int:
    """Entries of the factors that the matrix does not have."""
    diagonal = {(i, i) for i in range(size)}
    return len(eliminate(size, nonzeros).entries) - len(nonzeros | diagonal)


def matrix(size: int, nonzeros: Positions, seed: int) -> NDArray[np.float64]:
    """Random entries, with a diagonal large enough to need no pivoting."""
    generator = np.random.default_rng(seed)
    a = np.zeros((size, size))
    for i, j in nonzeros:
        a[i, j] = generator.standard_normal()
    np.fill_diagonal(a, np.abs(a).sum(axis=1) + 1.0)
    return a


def factorise(a: NDArray[np.float64], elimination: Elimination) -> NDArray[np.float64]:
    """The factors, touching only the entries that the elimination names."""
    factors = a.copy()
    for step, k in enumerate(elimination.order):
        for i in elimination.lower[step]:
            factors[i, k] /= factors[k, k]
            for j in elimination.upper[step]:
                factors[i, j] -= factors[i, k] * factors[k, j]
    return factors


@settings(max_examples=80, deadline=None)
@given(patterns(), st.integers(0, 2**32 - 1))
def test_the_factors_reproduce_the_matrix(pattern: tuple[int, Positions], seed: int) -> None:
    size, nonzeros = pattern
    elimination = eliminate(size, nonzeros)
    a = matrix(size, nonzeros, seed)
    factors = factorise(a, elimination)
    order = np.array(elimination.order)
    permuted = factors[np.ix_(order, order)]
    lower = np.tril(permuted, -1) + np.eye(size)
    np.testing.assert_allclose(
        lower @ np.triu(permuted), a[np.ix_(order, order)], rtol=0.0, atol=1e-12 * np.abs(a).max()
    )


@settings(max_examples=80, deadline=None)
@given(patterns(), st.integers(0, 2**32 - 1))
def test_no_entry_of_the_factors_is_forgotten(pattern: tuple[int, Positions], seed: int) -> None:
    size, nonzeros = pattern
    elimination = eliminate(size, nonzeros)
    factors = factorise(matrix(size, nonzeros, seed), elimination)
    named = np.zeros((size, size), dtype=bool)
    for i, j in elimination.entries:
        named[i, j] = True
    assert np.all(factors[~named] == 0.0)
    assert sorted(elimination.entries.values()) == list(range(len(elimination.entries)))
    assert sorted(elimination.order) == list(range(size))


@settings(max_examples=40, deadline=None)
@given(patterns())
def test_every_pivot_is_the_cheapest_that_is_left(pattern: tuple[int, Positions]) -> None:
    size, nonzeros = pattern
    elimination = eliminate(size, nonzeros)
    rows = {i: {i} | {b for a, b in nonzeros if a == i} for i in range(size)}
    left = set(range(size))
    for step, pivot in enumerate(elimination.order):
        cost = {i: (len(rows[i] & left) - 1) * (sum(i in rows[k] for k in left) - 1) for i in left}
        assert (cost[pivot], pivot) == min((c, i) for i, c in cost.items())
        for i in elimination.lower[step]:
            rows[i] |= rows[pivot]
        left.discard(pivot)


@pytest.mark.parametrize("size", [1, 2, 9])
def test_full_diagonal_and_tridiagonal_matrices_have_no_fill_in(size: int) -> None:
    everywhere = {(i, j) for i in range(size) for j in range(size)}
    neighbors = {(i, j) for i, j in everywhere if abs(i - j) <= 1}
    for nonzeros in (set(), neighbors, everywhere):
        assert fill_in(size, nonzeros) == 0


def test_an_arrow_is_eliminated_from_its_tip() -> None:
    """State 0 acts on all and all act on it: in the order of the states everything would fill."""
    size = 12
    arrow = {(0, i) for i in range(size)} | {(i, 0) for i in range(size)}
    assert fill_in(size, arrow) == 0
    # The hub goes last but one: by then it and the last state are a two by two block, a tie.
    assert 0 in eliminate(size, arrow).order[-2:]


def test_a_ring_fills_as_little_as_it_can() -> None:
    """A cycle of n states needs n - 3 chords, each in both directions."""
    size = 10
    ring = {(i, (i + 1) % size) for i in range(size)}
    both_ways = ring | {(j, i) for i, j in ring}
    assert fill_in(size, both_ways) == 2 * (size - 3)
    # One way round, elimination shortens the cycle and closes it with one new entry a pivot.
    assert fill_in(size, ring) == size - 2


def test_ties_go_to_the_smaller_index() -> None:
    assert eliminate(5, set()).order == (0, 1, 2, 3, 4)
    assert eliminate(4, {(0, 3), (3, 0)}).order == (1, 2, 0, 3)
