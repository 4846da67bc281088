"""Where a source has to be looked at inside a step, so that no crossing is missed.

A step is as long as the states allow. What is watched or reduced may rise above a threshold and
fall again between two of the step's samples: because it has a summit there, or because it is made
of pieces (``minimum``, ``maximum``, ``where``) that meet there. So summits that could reach the
threshold are searched for, and the roots at which pieces meet become samples of their own. Rules
and reductions both look here, at the same points: they agree on whether and when.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from carsim.engine.jit import inner
from carsim.engine.layout import SAMPLES, SCRATCH, THETA
from carsim.engine.plan import FloatArray, IntArray
from carsim.engine.samples import locate, peak, probe

MOST_KNOTS = 96
"""Points of one step at which one source is looked at; further ones are left out."""


# Rows of the room behind the parameters in the spare vector of a thread: nothing is allocated while
# patients are under way.
KNOTS, FOUND, KNOWN, SEEN, BETWEEN, THREE = range(6)
PIECES = 6
MOST_PIECES = 512
ROOM = PIECES * MOST_KNOTS + 8 * MOST_PIECES


@inner
def room_at(p: FloatArray, row: int) -> int:
    """Where a row of `MOST_KNOTS` numbers begins in the spare vector."""
    return len(p) + row * MOST_KNOTS


@inner
def beyond(direction: int, value: float, threshold: float) -> bool:
    """Whether a condition holds."""
    return direction * (value - threshold) >= 0.0


@inner
def summit(
    left: float,
    middle: float,
    right: float,
    before: float,
    here: float,
    after: float,
    first: bool,
    last: bool,
) -> float:
    """Upper bound of the summit of a curve near three points; -inf where it has none there.

    The parabola's summit, and half of what it bends by, since the curve is no parabola. It belongs
    to the nearest point; at the first and last three points of a step, also to the point outside.
    """
    rise = (here - before) / (middle - left)
    bend = ((after - here) / (right - middle) - rise) / (right - left)
    if not bend < 0.0:
        return -np.inf
    # Slope of the parabola in the middle, and where it is zero.
    slope = rise + bend * (middle - left)
    apex = -0.5 * slope / bend
    reach = right - left
    if apex < (1.25 if first else 0.75) * (left - middle):
        return -np.inf
    if apex > (1.25 if last else 0.75) * (right - middle):
        return -np.inf
    return here - 0.25 * slope * slope / bend - 0.25 * bend * reach * reach


@inner
def reaches(values: FloatArray, offset: int, k: int, threshold: float, sign: float) -> bool:
    """Whether a summit (sign 1) or valley (-1) between five samples may reach a threshold."""
    near = False
    for s in range(1, SAMPLES - 1):
        near = near or reaches_near(values, offset, s, k, threshold, sign)
    return near


@inner
def reaches_near(
    values: FloatArray, offset: int, s: int, k: int, threshold: float, sign: float
) -> bool:
    """The same near one of the three inner samples; `summit` without its divisions."""
    before = sign * values[offset + s - 1, k]
    here = sign * values[offset + s, k]
    after = sign * values[offset + s + 1, k]
    bend = before - 2.0 * here + after
    if not bend < 0.0:
        return False
    rise = after - before
    # Where the summit is, in distances of samples: -rise / (2 bend).
    if rise < 2.0 * (1.25 if s == 1 else 0.75) * bend:
        return False
    if rise > -2.0 * (1.25 if s == SAMPLES - 2 else 0.75) * bend:
        return False
    # Its height and half the bend: here - rise^2 / (8 bend) - bend / 2.
    return 8.0 * bend * (here - 0.5 * bend - sign * threshold) <= rise * rise


@inner
def is_quiet(
    values: FloatArray,
    offset: int,
    n: int,
    lane: int,
    source: int,
    threshold: float,
    leaves: IntArray,
) -> bool:
    """Whether five samples show that a source stays on one side of a threshold.

    Its pieces must not meet in between, and no summit or valley come near the threshold.

    Parameters
    ----------
    values : float64 array
        Value vectors; the samples are rows `offset` to ``offset + 4``.
    """
    if not _stays(values, offset, source * n + lane, threshold):
        return False
    for place in range(leaves[source], leaves[source + 1]):
        if not _stays(values, offset, leaves[place] * n + lane, 0.0):
            return False
    return True


@inner
def _stays(values: FloatArray, offset: int, k: int, threshold: float) -> bool:
    low = values[offset, k]
    high = low
    for s in range(1, SAMPLES):
        value = values[offset + s, k]
        low, high = min(low, value), max(high, value)
    if low == high:
        return True
    # Written so that NaN does not stay.
    if not (low > threshold or high < threshold):
        return False
    if low - threshold > high - low or threshold - high > high - low:
        return True
    return not reaches(values, offset, k, threshold, 1.0 if high < threshold else -1.0)


@inner
def values_at(
    n: int,
    lane: int,
    source: int,
    knots: FloatArray,
    count: int,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
    out: FloatArray,
) -> None:
    """One source of one lane at `count` fractions of the step."""
    theta = numbers[THETA]
    for first in range(0, count, n):
        for j in range(n):
            theta[j] = knots[min(first + j, count - 1)]
        probe(n, lane, source, observe, p, numbers, vectors, values, spare)
        for j in range(min(n, count - first)):
            out[first + j] = values[SCRATCH, source * n + j]


@inner
def _insert(knots: FloatArray, count: int, theta: float) -> int:
    """Put a fraction into its place, if it is new and there is room; the number of them."""
    place = 0
    while place < count and knots[place] < theta:
        place += 1
    if count == MOST_KNOTS or (place < count and knots[place] == theta):
        return count
    for k in range(count, place, -1):
        knots[k] = knots[k - 1]
    knots[place] = theta
    return count + 1


@inner
def _with_summits(
    n: int,
    lane: int,
    source: int,
    threshold: float,
    knots: FloatArray,
    count: int,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
    out: FloatArray,
) -> int:
    """Add the summits and valleys that lie on the other side of the threshold."""
    known = spare[room_at(p, KNOWN) : room_at(p, KNOWN + 1)]
    seen = spare[room_at(p, SEEN) : room_at(p, SEEN + 1)]
    n_known = count
    for k in range(count):
        known[k], seen[k] = knots[k], out[k]
    for s in range(1, n_known - 1):
        for sign in (1.0, -1.0):
            # A summit counts where the samples around it are below the threshold.
            near = sign * max(sign * seen[s - 1], sign * seen[s], sign * seen[s + 1])
            if sign * (near - threshold) > 0.0:
                continue
            bound = summit(
                known[s - 1], known[s], known[s + 1],
                sign * seen[s - 1], sign * seen[s], sign * seen[s + 1],
                s == 1, s == n_known - 2,
            )  # fmt: skip
            if bound < sign * threshold:
                continue
            theta, best = peak(
                n, lane, source, sign, known[s - 1], known[s + 1],
                observe, p, numbers, vectors, values, spare,
            )  # fmt: skip
            if sign * (best - threshold) >= 0.0:
                count = _insert(knots, count, theta)
    values_at(n, lane, source, knots, count, observe, p, numbers, vectors, values, spare, out)
    return count


@inner
def find_knots(
    n: int,
    lane: int,
    source: int,
    threshold: float,
    low: float,
    high: float,
    leaves: IntArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
    knots: FloatArray,
    out: FloatArray,
) -> int:
    """Fractions between `low` and `high` at which to look at a source, and its values there.

    Parameters
    ----------
    threshold : float
        Level that summits must reach to matter.
    leaves : int64 array
        See `carsim.engine.records.Therapy`.
    knots, out : float64 arrays, shape (MOST_KNOTS,)
        Fractions, ascending, and values.

    Returns
    -------
    int
        How many there are.
    """
    known = spare[room_at(p, KNOWN) : room_at(p, KNOWN + 1)]
    seen = spare[room_at(p, SEEN) : room_at(p, SEEN + 1)]
    count = SAMPLES
    for s in range(SAMPLES):
        knots[s] = low + (high - low) * (s / (SAMPLES - 1))
    for place in range(leaves[source], leaves[source + 1]):
        leaf = leaves[place]
        values_at(n, lane, leaf, knots, count, observe, p, numbers, vectors, values, spare, out)
        count = _with_summits(
            n, lane, leaf, 0.0, knots, count, observe, p, numbers, vectors, values, spare, out
        )
        n_known = count
        for k in range(count):
            known[k], seen[k] = knots[k], out[k]
        for s in range(1, n_known):
            before, after = seen[s - 1] >= 0.0, seen[s] >= 0.0
            if before != after:
                theta = locate(
                    n, lane, leaf, 0.0, 1 if after else -1, known[s - 1], known[s],
                    observe, p, numbers, vectors, values, spare,
                )  # fmt: skip
                count = _insert(knots, count, theta)
    if count > SAMPLES:
        # Pieces may be shorter than the distance of samples, and jump where they meet.
        n_known = count
        for k in range(count):
            known[k] = knots[k]
        for s in range(1, n_known):
            count = _insert(knots, count, 0.5 * (known[s - 1] + known[s]))
    values_at(n, lane, source, knots, count, observe, p, numbers, vectors, values, spare, out)
    return _with_summits(
        n, lane, source, threshold, knots, count, observe, p, numbers, vectors, values, spare, out
    )
