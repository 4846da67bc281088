"""Risks with honest intervals: how sure is "12 of 400 virtual patients".

The intervals say how far a finite cohort may be from the risk of an infinite one under the same
model and distributions. They say nothing about whether the model is right.

Failed patients (NaN) are left out of numerator and denominator, and counted.

References
----------
E. B. Wilson (1927). J Am Stat Assoc 22:209, the score interval.
L. D. Brown, T. T. Cai, A. DasGupta (2001). Stat Sci 16:101, Wilson and Jeffreys intervals compared.
J. D. Kalbfleisch, R. L. Prentice. The statistical analysis of failure time data, the log(-log)
interval on Greenwood's variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from carsim.errors import ScenarioError, unknown

if TYPE_CHECKING:
    import xarray as xr

Array: TypeAlias = NDArray[np.float64]
IntervalMethod: TypeAlias = Literal["wilson", "jeffreys"]
BandMethod: TypeAlias = Literal["wilson", "greenwood"]


def _level(level: float) -> float:
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
    z = NormalDist().inv_cdf(0.5 + 0.5 * _level(level))
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
    tail = 0.5 * (1.0 - _level(level))
    a, b = k + 0.5, size - k + 0.5
    lower = np.where(k == 0, 0.0, betaincinv(a, b, tail))
    upper = np.where(k == size, 1.0, betaincinv(a, b, 1.0 - tail))
    empty = size == 0
    return np.where(empty, np.nan, lower), np.where(empty, np.nan, upper)


_INTERVALS = {"wilson": wilson_interval, "jeffreys": jeffreys_interval}


def risk(
    values: xr.DataArray,
    *,
    dim: str = "patient",
    by: str | None = None,
    level: float = 0.95,
    method: IntervalMethod = "wilson",
) -> xr.Dataset:
    """Share of patients with an event, with its interval.

    Parameters
    ----------
    values : xarray.DataArray
        1 (event), 0 (none) or NaN (failed or not at risk) along `dim`.
    dim : str
        Dimension to count over.
    by : str, optional
        Coordinate on `dim` (such as "serostatus"): one risk for each of its labels.
    level : float
        Level of the interval.
    method : {"wilson", "jeffreys"}
        Kind of interval.

    Returns
    -------
    xarray.Dataset
        `risk`, `lower`, `upper` (between 0 and 1), `events`, `n` (counted patients) and `excluded`
        (NaN), over the other dimensions of `values` and, with `by`, one more of that name.

    Raises
    ------
    ScenarioError
        No such dimension, coordinate or method, or values other than 0, 1, NaN.
    """
    import xarray as xr

    if dim not in values.dims:
        raise ScenarioError(unknown("dimension", dim, map(str, values.dims), "risk"))
    if method not in _INTERVALS:
        raise ScenarioError(unknown("interval", method, _INTERVALS, "risk"))
    if by is not None:
        if by not in values.coords or values.coords[by].dims != (dim,):
            on_dim = [str(name) for name, c in values.coords.items() if c.dims == (dim,)]
            raise ScenarioError(unknown(f"coordinate on '{dim}'", by, on_dim, "risk"))
        labels = list(dict.fromkeys(values.coords[by].values.tolist()))
        parts = [
            risk(
                values.isel({dim: np.flatnonzero(values.coords[by].values == label)}),
                dim=dim,
                level=level,
                method=method,
            )
            for label in labels
        ]
        return xr.concat(parts, dim=xr.Variable((by,), labels))

    kept = values.drop_vars([c for c in values.coords if dim in values.coords[c].dims])
    axis = kept.get_axis_num(dim)
    numbers = np.asarray(kept.values, dtype=np.float64)
    valid = np.isfinite(numbers)
    if bool(np.any(valid & (numbers != 0.0) & (numbers != 1.0))):
        raise ScenarioError(
            f"risk: '{values.name}' holds values other than 0, 1 and NaN, so it is not an event. "
            "Compare it with a threshold first."
        )
    n = valid.sum(axis=axis).astype(np.float64)
    events = np.where(valid, numbers, 0.0).sum(axis=axis)
    lower, upper = _INTERVALS[method](events, n, level)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = events / n
    dims = tuple(d for d in kept.dims if d != dim)
    title = str(values.attrs.get("long_name", values.name if values.name is not None else "event"))
    percent = f"{100 * level:g} %"

    def variable(data: Array, words: str) -> xr.Variable:
        return xr.Variable(dims, data, {"units": "1", "long_name": words})

    return xr.Dataset(
        {
            "risk": variable(share, f"risk of {title}"),
            "lower": variable(lower, f"lower end of the {percent} interval"),
            "upper": variable(upper, f"upper end of the {percent} interval"),
            "events": variable(events, "patients with the event"),
            "n": variable(n, "patients counted"),
            "excluded": variable(
                numbers.shape[axis] - n, "patients left out (failed or not at risk)"
            ),
        },
        coords={name: c for name, c in kept.coords.items() if dim not in c.dims},
        attrs={"event": title, "level": level, "method": method},
    )


@dataclass(frozen=True)
class CumulativeIncidence:
    """A step function: the share of patients that had the event by each time.

    Parameters
    ----------
    time : float64 array, shape (m,)
        The origin, the distinct event times, and the last time of follow-up; ascending.
    incidence, lower, upper : float64 array, shape (m,)
        One minus the Kaplan-Meier estimate, and its pointwise band.
    at_risk : float64 array, shape (m,)
        Patients without event and still followed just before the time.
    events : float64 array, shape (m,)
        Events at the time.
    n, excluded : int
        Patients counted, and patients left out (NaN).
    """

    time: Array
    incidence: Array
    lower: Array
    upper: Array
    at_risk: Array
    events: Array
    n: int
    excluded: int

    def at(self, time: ArrayLike) -> Array:
        """Incidence at any times (the step function, continuous from the right)."""
        return self._step(self.incidence, time)

    def number_at_risk(self, time: ArrayLike) -> Array:
        """Patients without event and still followed just before the given times."""
        where = np.searchsorted(self.time, np.asarray(time, dtype=np.float64), side="left")
        padded = np.concatenate([self.at_risk, [0.0]])
        return np.asarray(padded[where], dtype=np.float64)

    def _step(self, values: Array, time: ArrayLike) -> Array:
        where = np.searchsorted(self.time, np.asarray(time, dtype=np.float64), side="right") - 1
        return np.where(where < 0, np.nan, values[np.maximum(where, 0)])


def cumulative_incidence(
    event: ArrayLike,
    time: ArrayLike,
    follow_up: ArrayLike,
    *,
    origin: float = 0.0,
    level: float = 0.95,
    band: BandMethod = "wilson",
) -> CumulativeIncidence:
    """Kaplan-Meier estimate of the time to an event.

    Parameters
    ----------
    event : array_like, shape (n,)
        1 (event), 0 (none) or NaN (failed, left out and counted).
    time : array_like, shape (n,)
        Time of the event; ignored (may be NaN) where there is none.
    follow_up : array_like, shape () or (n,)
        End of follow-up of those without event.
    origin : float
        Time at which all are without event.
    level : float
        Level of the pointwise band.
    band : {"wilson", "greenwood"}
        "wilson": the score interval at the effective sample size S(1-S)/Var of Greenwood's
        variance, which is the plain Wilson interval as long as nobody is censored, and has a
        width also before the first event. "greenwood": the log(-log) interval, which has none.

    Returns
    -------
    CumulativeIncidence

    Raises
    ------
    ScenarioError
        An event without a time or after the end of follow-up, or an unknown band.
    """
    if band not in ("wilson", "greenwood"):
        raise ScenarioError(unknown("band", band, ("wilson", "greenwood"), "incidence"))
    happened = np.asarray(event, dtype=np.float64)
    valid = np.isfinite(happened)
    had = happened[valid] == 1.0
    ends = np.broadcast_to(np.asarray(follow_up, dtype=np.float64), happened.shape)[valid]
    exit_time = np.where(had, np.asarray(time, dtype=np.float64)[valid], ends)
    if not bool(np.all(np.isfinite(exit_time))):
        raise ScenarioError(
            "incidence: an event has no time (NaN), or a patient no end of follow-up. Give the "
            "time variable that belongs to the event."
        )
    if bool(np.any(exit_time > ends)):
        raise ScenarioError(
            f"incidence: an event on day {exit_time[exit_time > ends].max():g} is after the end of "
            "follow-up. Give the end of the simulation as follow_up."
        )
    last = float(ends.max()) if ends.size else origin
    knots = np.unique(np.concatenate([[origin], exit_time[had], [max(origin, last)]]))
    deaths = np.searchsorted(np.sort(exit_time[had]), knots, side="right").astype(np.float64)
    deaths = np.diff(deaths, prepend=0.0)
    gone = np.searchsorted(np.sort(exit_time), knots, side="left")
    at_risk: Array = (exit_time.size - gone).astype(np.float64)

    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(at_risk > 0, deaths / at_risk, 0.0)
        survival: Array = np.cumprod(1.0 - hazard).astype(np.float64)
        # Greenwood's sum; its last term is infinite once nobody is left.
        terms = np.where(deaths > 0, deaths / (at_risk * (at_risk - deaths)), 0.0)
        greenwood: Array = np.cumsum(terms).astype(np.float64)
    if band == "greenwood":
        lower, upper = _log_log(survival, greenwood, _level(level))
    else:
        lower, upper = _effective_wilson(survival, greenwood, at_risk, exit_time.size, level)
    return CumulativeIncidence(
        time=knots,
        incidence=1.0 - survival,
        lower=lower,
        upper=upper,
        at_risk=at_risk,
        events=deaths,
        n=int(exit_time.size),
        excluded=int(happened.size - exit_time.size),
    )


def _log_log(survival: Array, greenwood: Array, level: float) -> tuple[Array, Array]:
    z = NormalDist().inv_cdf(0.5 + 0.5 * level)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        spread = np.exp(z * np.sqrt(greenwood) / np.abs(np.log(survival)))
        lower, upper = 1.0 - survival ** (1.0 / spread), 1.0 - survival**spread
    inside = (survival > 0.0) & (survival < 1.0)
    return np.where(inside, lower, 1.0 - survival), np.where(inside, upper, 1.0 - survival)


def _effective_wilson(
    survival: Array, greenwood: Array, at_risk: Array, n: int, level: float
) -> tuple[Array, Array]:
    # Var(S) = S^2 * greenwood, hence S (1 - S) / Var = (1 - S) / (S * greenwood).
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = (1.0 - survival) / (survival * greenwood)
    # Before the first event nobody knows better than the number still followed; after the last
    # patient had the event the variance is 0/0 and all n carry the information.
    size = np.where(survival >= 1.0, at_risk, np.where(survival <= 0.0, float(n), effective))
    return wilson_interval(np.clip(size * (1.0 - survival), 0.0, size), size, level)
