"""Derivatives by extrapolated differences: exact ones, kinks, jumps, bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from carsim.credibility.differences import differentiate

Array = NDArray[np.float64]
FREE = np.array([-np.inf]), np.array([np.inf])


def one(function: object, x: float, scale: float = 1.0, low: float = -np.inf) -> tuple[float, ...]:
    found = differentiate(
        lambda points: function(points),  # type: ignore[operator]
        np.array([x]),
        np.array([scale]),
        np.array([low]),
        np.array([np.inf]),
    )
    return float(found.slope[0, 0]), float(found.error[0, 0]), bool(found.smooth[0, 0])


def test_smooth_functions_to_their_estimated_error() -> None:
    for function, x, scale, expected in (
        (np.exp, 1.0, 1.0, np.e),
        (np.sin, 2.0, 2.0, 2.0 * np.cos(2.0)),
        (lambda y: y**3.7, 1e-6, 1e-6, 3.7 * 1e-6**3.7),
        (lambda y: 1.0 / y, 5e8, 5e8, -1.0 / 5e8),
        (lambda y: y + 1e6, 1.0, 1.0, 1.0),
    ):
        slope, error, smooth = one(function, x, scale)
        assert smooth
        assert abs(slope - expected) <= max(10.0 * error, 1e-9 * abs(expected))
        assert error <= 1e-6 * abs(expected)


def test_what_does_not_change_has_a_derivative_of_exactly_zero() -> None:
    assert one(lambda y: 0.0 * y + 3.0, 1.0) == (0.0, 0.0, True)


def test_kinks_and_jumps_have_none() -> None:
    assert not one(np.abs, 0.0)[2]
    assert not one(lambda y: np.where(y > 2.0, 1.0, 0.0), 2.0, 2.0)[2]
    assert not one(lambda y: np.where(y > 2.0, y, 2.0 * y - 2.0), 2.0, 2.0)[2]
    # Beside the kink there is one.
    slope, _, smooth = one(np.abs, -0.1, 0.1)
    assert smooth
    assert abs(slope + 0.1) < 1e-12


def test_at_a_bound_the_side_that_exists_counts() -> None:
    slope, _, smooth = one(np.exp, 0.0, 1.0, low=0.0)
    assert smooth
    assert abs(slope - 1.0) < 1e-9

    def only_above(points: Array) -> Array:
        with np.errstate(invalid="ignore"):
            return np.where(points >= 4.0, points**2, np.nan)

    slope, _, smooth = one(only_above, 4.0, 4.0)
    assert smooth
    assert abs(slope - 32.0) < 1e-7


def test_many_values_of_many_variables() -> None:
    def function(points: Array) -> Array:
        a, b = points.T
        return np.stack([a * b, a + 2.0 * b, np.abs(b - 3.0)], axis=1)

    unbounded = np.full(2, np.inf)
    found = differentiate(function, np.array([2.0, 3.0]), np.ones(2), -unbounded, unbounded)
    np.testing.assert_allclose(found.slope[:, :2], [[3.0, 1.0], [2.0, 2.0]], rtol=1e-9)
    assert found.smooth.tolist() == [[True, True, True], [True, True, False]]
    assert found.kink.tolist() == [[False, False, False], [False, False, True]]
