"""Intervals of a proportion.

References
----------
E. B. Wilson (1927). J Am Stat Assoc 22:209, the score interval.
L. D. Brown, T. T. Cai, A. DasGupta (2001). Stat Sci 16:101, Wilson and Jeffreys intervals compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import NormalDist
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carsim.errors import ScenarioError

Array: TypeAlias = NDArray[np.float64]
Interval: TypeAlias = Callable[[ArrayLike, ArrayLike, float], tuple[Array, Array]]


def check_level(level: float) -> float:
    """Return a confidence level that lies between 0 and 1.

    Raises
    ------
    ScenarioError
        It does not.
    """
    if not 0.0 < level < 1.0:
        raise ScenarioError(
            f"Confidence level {level!r} must lie between 0 and 1. Give 0.95 for 95 %."
        )
    return float(level)


def _counts(events: ArrayLike, n: ArrayLike) -> tuple[Array, Array]:
    k, size = np.broadcast_arrays(
        np.asarray(events, dtype=np.float64), np.asarray(n, dtype=np.float64)
    )
    if bool(np.any((k < 0) | (size < 0) | (k > size))):
        raise ScenarioError(
            f"Events {events!r} of {n!r} patients: counts are not negative, and there are no more "
            "events than patients."
        )
    return k, size


def wilson_interval(events: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Wilson's score interval of a proportion.

    Parameters
    ----------
    events : array_like
        Number of patients with the event; need not be whole (effective sample sizes are not).
    n : array_like
        Number of patients; broadcasts against `events`.
    level : float
        Confidence level.

    Returns
    -------
    lower, upper : float64 arrays
        NaN where n is 0.
    """
    k, size = _counts(events, n)
    z = NormalDist().inv_cdf(0.5 + 0.5 * check_level(level))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / size
        center = (share + z**2 / (2 * size)) / (1 + z**2 / size)
        half = z * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    # Exact at the ends, where rounding would leave -1e-18 or 1 + 1e-16.
    lower = np.where(k == 0, 0.0, np.maximum(center - half, 0.0))
    upper = np.where(k == size, 1.0, np.minimum(center + half, 1.0))
    empty = size == 0
    return np.where(empty, np.nan, lower), np.where(empty, np.nan, upper)


def jeffreys_interval(events: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Jeffreys interval of a proportion: quantiles of Beta(events + 1/2, n - events + 1/2).

    The lower end is 0 without events and the upper end 1 when all have it (Brown et al. 2001).

    Parameters
    ----------
    events, n : array_like
        As for `wilson_interval`.
    level : float
        Level of the interval.

    Returns
    -------
    lower, upper : float64 arrays
        NaN where n is 0.
    """
    from scipy.special import betaincinv

    k, size = _counts(events, n)
    tail = 0.5 * (1.0 - check_level(level))
    a, b = k + 0.5, size - k + 0.5
    lower = np.where(k == 0, 0.0, betaincinv(a, b, tail))
    upper = np.where(k == size, 1.0, betaincinv(a, b, 1.0 - tail))
    empty = size == 0
    return np.where(empty, np.nan, lower), np.where(empty, np.nan, upper)


INTERVALS: Mapping[str, Interval] = MappingProxyType(
    {"wilson": wilson_interval, "jeffreys": jeffreys_interval}
)
"""Intervals by name."""
