"""Coefficients satisfy the order conditions they must, tree by tree, and equal those of others.

A Rosenbrock method is an elimination-free way to write a linearly implicit Runge-Kutta method with
matrices alpha and Gamma. Its order conditions run over rooted trees (Hairer & Wanner II, section
IV.7): where a vertex has one branch, alpha + Gamma stands; where it has several, alpha. With
Gamma = 0 they are those of explicit Runge-Kutta methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations_with_replacement

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import RK45

from carsim.engine.tableaus import DORMAND_PRINCE, METHODS, RODAS4, RODAS5P, Tableau

Array = NDArray[np.float64]
Tree = tuple["Tree", ...]

# The published coefficients have 15 or 16 digits and are up to 150 in size.
ROUNDING = 2e-11

each_method = pytest.mark.parametrize("tableau", METHODS.values(), ids=METHODS.keys())
each_rosenbrock = pytest.mark.parametrize("tableau", [RODAS4, RODAS5P], ids=["rodas4", "rodas5p"])


@cache
def trees(order: int) -> tuple[Tree, ...]:
    """All rooted trees with that many vertices; a tree is the sorted tuple of its branches."""
    return tuple(sorted(set(_trees(order - 1, order - 1))))


def _trees(vertices: int, largest: int) -> Iterator[Tree]:
    """Multisets of trees with `vertices` in all, none larger than `largest`."""
    if vertices == 0:
        yield ()
    for size in range(min(vertices, largest), 0, -1):
        for copies in range(1, vertices // size + 1):
            for chosen in combinations_with_replacement(trees(size), copies):
                for rest in _trees(vertices - copies * size, size - 1):
                    yield tuple(sorted(chosen + rest))


def vertices(tree: Tree) -> int:
    return 1 + sum(map(vertices, tree))


def density(tree: Tree) -> int:
    """The number gamma(t) of Butcher's theory."""
    product = vertices(tree)
    for branch in tree:
        product *= density(branch)
    return product


def matrices(tableau: Tableau) -> tuple[Array, Array, Array]:
    """alpha, Gamma, and the matrix that turns weights of the increments U into weights of k."""
    if not tableau.implicit:
        return tableau.a, np.zeros_like(tableau.a), np.eye(tableau.stages)
    inverse = np.eye(tableau.stages) / tableau.gamma - tableau.coupling
    gamma: Array = np.linalg.inv(inverse).astype(np.float64)
    return tableau.a @ gamma, gamma, gamma


def elementary_weights(tree: Tree, alpha: Array, gamma: Array) -> Array:
    if len(tree) == 1:
        return np.asarray((alpha + gamma) @ elementary_weights(tree[0], alpha, gamma))
    result = np.ones(len(alpha))
    for branch in tree:
        result *= alpha @ elementary_weights(branch, alpha, gamma)
    return result


def residual(tableau: Tableau, weights: Array, order: int, theta: float = 1.0) -> float:
    """Largest violation of the conditions of one order by weights on the increments U."""
    alpha, gamma, to_k = matrices(tableau)
    worst = 0.0
    for tree in trees(order):
        value = float(weights @ to_k @ elementary_weights(tree, alpha, gamma))
        worst = max(worst, abs(value - theta**order / density(tree)))
    return worst


def dense_weights(tableau: Tableau, theta: float) -> Array:
    k1, k2, k3 = tableau.dense
    bulge = k1 + theta * (k2 + theta * k3)
    return np.asarray(theta * (tableau.b + (1.0 - theta) * bulge))


def test_trees_are_all_there() -> None:
    assert [len(trees(n)) for n in range(1, 7)] == [1, 1, 2, 4, 9, 20]
    assert sorted(density(tree) for tree in trees(4)) == [4, 8, 12, 24]


@each_method
def test_the_step_has_its_order(tableau: Tableau) -> None:
    for order in range(1, tableau.order + 1):
        assert residual(tableau, tableau.b, order) < ROUNDING, order
    assert residual(tableau, tableau.b, tableau.order + 1) > 1e-6


@each_method
def test_the_embedded_formula_has_its_order(tableau: Tableau) -> None:
    embedded = tableau.b - tableau.error
    for order in range(1, tableau.error_order + 1):
        assert residual(tableau, embedded, order) < ROUNDING, order
    assert residual(tableau, embedded, tableau.error_order + 1) > 1e-6


@each_method
@pytest.mark.parametrize("theta", [0.1, 0.5, 0.83])
def test_the_dense_output_has_its_order(tableau: Tableau, theta: float) -> None:
    weights = dense_weights(tableau, theta)
    for order in range(1, tableau.dense_order + 1):
        assert residual(tableau, weights, order, theta) < ROUNDING, order
    assert residual(tableau, weights, tableau.dense_order + 1, theta) > 1e-7


@each_method
def test_nodes_are_row_sums(tableau: Tableau) -> None:
    """Then time counts as one more state, and non-autonomous problems have the same order."""
    alpha, gamma, _ = matrices(tableau)
    np.testing.assert_allclose(alpha.sum(axis=1), tableau.c, atol=ROUNDING)
    np.testing.assert_allclose(gamma.sum(axis=1), tableau.d, atol=ROUNDING)
    if tableau.implicit:
        np.testing.assert_allclose(np.diag(gamma), tableau.gamma, atol=ROUNDING)


@each_rosenbrock
def test_stiff_components_vanish(tableau: Tableau) -> None:
    """L-stability: on y' = z y the step goes to zero as z goes to minus infinity."""
    alpha, gamma, to_k = matrices(tableau)
    for z in (-1e8, -1e12):
        stage = np.linalg.solve(
            np.eye(tableau.stages) - z * (alpha + gamma), np.ones(tableau.stages)
        )
        assert abs(1.0 + z * (tableau.b @ to_k @ stage)) < 1e3 / abs(z) + 1e-9


@each_rosenbrock
def test_the_left_half_plane_is_stable(tableau: Tableau) -> None:
    alpha, gamma, to_k = matrices(tableau)
    for y in np.logspace(-2, 4, 60):
        stage = np.linalg.solve(
            np.eye(tableau.stages) - 1j * y * (alpha + gamma), np.ones(tableau.stages)
        )
        assert abs(1.0 + 1j * y * (tableau.b @ to_k @ stage)) <= 1.0 + 1e-9


@each_method
def test_the_last_stage_is_the_step(tableau: Tableau) -> None:
    """The engine takes the last stage value (and, if implicit, its increment) for the step."""
    last = tableau.a[-1].copy()
    if tableau.implicit:
        last[-1] = 1.0
        expected_error = np.zeros(tableau.stages)
        expected_error[-1] = 1.0
        np.testing.assert_array_equal(tableau.error, expected_error)
    np.testing.assert_array_equal(last, tableau.b)


@each_method
def test_matrices_are_strictly_lower(tableau: Tableau) -> None:
    np.testing.assert_array_equal(tableau.a, np.tril(tableau.a, -1))
    np.testing.assert_array_equal(tableau.coupling, np.tril(tableau.coupling, -1))
    assert tableau.dense.shape == (3, tableau.stages)
    assert "doi:" in tableau.reference or "Springer" in tableau.reference


def test_dormand_prince_equals_that_of_scipy() -> None:
    mine = DORMAND_PRINCE
    np.testing.assert_allclose(mine.a[:6, :5], RK45.A, rtol=1e-15, atol=0.0)
    np.testing.assert_allclose(mine.b[:6], RK45.B, rtol=1e-15, atol=0.0)
    np.testing.assert_allclose(mine.c[:6], RK45.C, rtol=1e-15, atol=0.0)
    # SciPy's error is embedded minus step.
    np.testing.assert_allclose(mine.error, -RK45.E, rtol=1e-14, atol=1e-17)
    for theta in np.linspace(0.0, 1.0, 11):
        expected = RK45.P @ theta ** np.arange(1, 5)
        np.testing.assert_allclose(dense_weights(mine, float(theta)), expected, atol=1e-14)
