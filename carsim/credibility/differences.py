"""Derivatives by differences, with an estimate of their error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Differences", "differentiate"]

Array = NDArray[np.float64]

LARGEST_STEP = 2e-3
"""First step, relative to the scale of the variable."""
RATIO = 2.0
LEVELS = 9
KINK = 1e-3
"""Derivatives from the two sides that differ by more than this, relative to the larger, are those
of a kink."""
FINEST = 1e-6
"""Largest relative error with which a derivative counts as known."""
ROUNDING = 1e-10
"""What is smaller than this part of the value, over the scale, is zero."""


@dataclass(frozen=True)
class Differences:
    """Derivatives of many values with respect to many variables.

    Attributes
    ----------
    slope, error : float64 arrays, shape (n_variables, n_values)
        Derivatives times the scale of the variable, and the estimate of their error.
    size : float64 array, shape (n_values,)
        Magnitude of the values.
    kink : bool array, shape (n_variables, n_values)
        Where the derivatives from the two sides differ.
    smooth : bool array, shape (n_variables, n_values)
        False where there is no derivative: a kink, a jump, or no value nearby.
    """

    slope: Array
    error: Array
    size: Array
    kink: NDArray[np.bool_]
    smooth: NDArray[np.bool_]


def differentiate(
    function: Callable[[Array], Array], x: Array, scale: Array, lower: Array, upper: Array
) -> Differences:
    """Differentiate by extrapolated differences (Ridders, Adv. Eng. Softw. 4:75, 1982).

    Central differences of decreasing steps are extrapolated to a step of zero, entry by entry to
    the level of the smallest error. Where only one side exists, differences of that side are.
    A kink shows by a different derivative from either side.

    Parameters
    ----------
    function : callable
        Takes points, shape (n, n_variables), and returns values, shape (n, n_values).
    x, scale, lower, upper : float64 arrays, shape (n_variables,)
        Where, how large the variables are, and between which bounds they may move.
    """
    n = len(x)
    steps = LARGEST_STEP * RATIO ** -np.arange(LEVELS)
    points = np.tile(x, (1 + 2 * n * LEVELS, 1))
    moved = np.arange(n)
    inside = np.empty((2, n, LEVELS), dtype=np.bool_)
    for side, sign in enumerate((1.0, -1.0)):
        for level, step in enumerate(steps):
            rows = 1 + (side * LEVELS + level) * n + moved
            at = x + sign * step * scale
            inside[side, :, level] = (at >= lower) & (at <= upper)
            points[rows, moved] = np.where(inside[side, :, level], at, x)
    values = function(points)
    center = values[0]
    table = values[1:].reshape(2, LEVELS, n, -1).transpose(0, 2, 1, 3)
    finite = np.asarray(np.isfinite(table).all(axis=2))
    exists = np.asarray(inside.all(axis=2))[:, :, np.newaxis] & finite
    with np.errstate(all="ignore"):
        width = steps[None, :, None]
        noise = np.finfo(float).eps * np.abs(center) / width
        central, central_error = _extrapolated(
            (table[0] - table[1]) / (2.0 * width), noise, RATIO**2
        )
        above, above_error = _extrapolated((table[0] - center) / width, noise, RATIO)
        below, below_error = _extrapolated((center - table[1]) / width, noise, RATIO)
        both = exists[0] & exists[1]
        slope = np.where(both, central, np.where(exists[0], above, below))
        error = np.where(both, central_error, np.where(exists[0], above_error, below_error))
        larger = np.maximum(np.abs(above), np.abs(below))
        floor = ROUNDING * np.abs(center)
        kink = both & (np.abs(above - below) > KINK * larger + 1e3 * floor)
        known = error <= FINEST * np.abs(slope) + 1e2 * floor
    nothing = both & (table == center).all(axis=2).all(axis=0)
    smooth = nothing | ((exists[0] | exists[1]) & ~kink & known)
    return Differences(
        slope=np.where(nothing, 0.0, slope),
        error=np.where(nothing, 0.0, error),
        size=np.abs(center),
        kink=kink,
        smooth=smooth,
    )


def _extrapolated(coarse: Array, noise: Array, factor: float) -> tuple[Array, Array]:
    """Neville's table over the second axis; the entry of the smallest error, and that error.

    Parameters
    ----------
    coarse : float64 array, shape (n_variables, LEVELS, n_values)
        Differences at steps that shrink by `RATIO`.
    noise : float64 array, shape (1, LEVELS, n_values)
        What rounding makes of them: equal differences may be equally wrong.
    factor : float
        By which the error shrinks from one column to the next: `RATIO` for one-sided differences,
        its square for central ones.
    """
    column = coarse
    best, error = coarse[:, 0], np.full(coarse[:, 0].shape, np.inf)
    power = 1.0
    for order in range(1, LEVELS):
        power *= factor
        finer = (power * column[:, 1:] - column[:, :-1]) / (power - 1.0)
        spread = np.maximum(np.abs(finer - column[:, 1:]), np.abs(finer - column[:, :-1]))
        spread = spread + noise[:, order:]
        for level in range(finer.shape[1]):
            better = spread[:, level] < error
            best = np.where(better, finer[:, level], best)
            error = np.where(better, spread[:, level], error)
        column = finer
    return best, error
