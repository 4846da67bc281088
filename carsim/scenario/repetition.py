"""What many repetitions of one interval do to a state, extrapolated from a few.

Near a state x the interval is taken for affine: it adds a change g to x, and its slopes J carry a
difference to J times that difference. N further intervals then move x by (1 + ... + J^(N - 1)) g
and leave the change J^N g. N is a power of two, so that the sums follow by doubling; N = 1 is the
interval itself, and the largest N is Newton's step where the changes fade, but leads away where
they do not.

Products are sums of whole columns, one after the other: no patient's digits depend on the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carsim.therapy.values import FloatArray

MOST_DOUBLINGS = 40
"""After 2^40 intervals whatever fades by 1e-11 an interval or more has faded."""

SHARES = (0.25, 0.5, 0.75)
"""Parts of the way of a leap at which it is looked at, too."""

TOO_FAR = 0.1
"""A change may fall short of what was extrapolated by so much of the first change: those who go
too far could leap over the steady state that the regimen itself would reach."""
NOT_FAR_ENOUGH = 1.0
"""A change may exceed what was extrapolated by so much of the first change."""


@dataclass(frozen=True)
class Repetition:
    """Moves and changes after 1, 2, 4, ... intervals.

    Attributes
    ----------
    moves, changes : float64 arrays, shape (MOST_DOUBLINGS + 1, n, m)
        From the state where the slopes were taken; what the next interval would then add.
    total : float64 array, shape (n, m, m)
        1 + J + J^2 + ...: what all intervals together make of a change.
    """

    moves: FloatArray
    changes: FloatArray
    total: FloatArray


def repetition(change: FloatArray, slopes: FloatArray) -> Repetition:
    """Repeat an affine interval.

    Parameters
    ----------
    change : float64 array, shape (n, m)
        What the interval adds to the state.
    slopes : float64 array, shape (n, m, m)
        Row i, column j: derivative of what becomes of state i, by state j at the beginning.
    """
    m = change.shape[1]
    power = slopes
    total = np.broadcast_to(np.eye(m), slopes.shape)
    moves, changes = [change], [product(power, change[:, :, None])[:, :, 0]]
    with np.errstate(all="ignore"):
        for _ in range(MOST_DOUBLINGS):
            total = total + product(power, total)
            power = product(power, power)
            both = product(np.concatenate([total, power], axis=1), change[:, :, None])[:, :, 0]
            moves.append(both[:, :m])
            changes.append(both[:, m:])
    return Repetition(np.array(moves), np.array(changes), total)


def product(one: FloatArray, other: FloatArray) -> FloatArray:
    """Matrix products; the order of the sums does not depend on the number of matrices.

    Parameters
    ----------
    one : float64 array, shape (n, i, k)
    other : float64 array, shape (n, k, j)
    """
    total: FloatArray = one[:, :, :1] * other[:, :1, :]
    for k in range(1, one.shape[2]):
        total = total + one[:, :, k : k + 1] * other[:, k : k + 1, :]
    return total


def looks(repeated: Repetition, most: NDArray[np.int64], size: FloatArray) -> NDArray[np.int64]:
    """Doublings at which a leap is looked at: none, those at parts of the way, and all of them.

    Parameters
    ----------
    repeated : Repetition
    most : int64 array, shape (n,)
        Doublings of the whole leap.
    size : float64 array, shape (n, m)
        Sizes of the states.

    Returns
    -------
    int64 array, shape (n, n_looks)
        In ascending order.
    """
    with np.errstate(all="ignore"):
        ways = np.where(size > 0.0, np.abs(repeated.moves) / size, 0.0).max(axis=2)
    # A way that is not finite is longer than any part of another.
    ways = np.where(np.isfinite(ways), ways, np.inf)
    whole = np.take_along_axis(ways, most[None, :], axis=0)[0]
    parts = [
        np.minimum((np.maximum.accumulate(ways, axis=0) < share * whole).sum(axis=0), most)
        for share in SHARES
    ]
    return np.stack([np.zeros_like(most), *parts, most], axis=1)


def trusted(
    repeated: Repetition,
    doublings: NDArray[np.int64],
    changes: FloatArray,
    size: FloatArray,
    noise: FloatArray,
) -> NDArray[np.int64]:
    """The last look up to which all looks agree with the extrapolation; the first is the interval.

    Parameters
    ----------
    repeated : Repetition
    doublings : int64 array, shape (n, n_looks)
        From `looks`.
    changes : float64 array, shape (n, n_looks, m)
        What an interval really adds there.
    size : float64 array, shape (n, m)
        Sizes of the states.
    noise : float64 array, shape (n,)
        Changes below this part of the size say nothing.
    """
    rows = np.arange(len(doublings))[:, None]
    moved, expected = repeated.moves[doublings, rows], repeated.changes[doublings, rows]
    with np.errstate(all="ignore"):
        inverse = np.where(size > 0.0, 1.0 / size, 0.0)[:, None, :]
        further = (changes - expected) * np.where(moved < 0.0, -1.0, 1.0) * inverse
        first = (np.abs(repeated.moves[0]) * inverse[:, 0]).max(axis=1)
    slack = noise[:, None, None]
    first = first[:, None, None]
    agrees = (further >= -TOO_FAR * first - slack) & (further <= NOT_FAR_ENOUGH * first + slack)
    agrees = agrees.all(axis=2)
    agrees[:, 0] = True
    last: NDArray[np.int64] = np.logical_and.accumulate(agrees, axis=1).sum(axis=1) - 1
    return last
