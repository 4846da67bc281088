"""Cumulative incidence: when events happen, with a band.

References
----------
J. D. Kalbfleisch, R. L. Prentice. The statistical analysis of failure time data: the log(-log)
interval on Greenwood's variance.
Effective sample sizes for confidence intervals for survival probabilities (1987). Stat Med 6,
doi:10.1002/sim.4780060605: the one of Cutler and Ederer, which is used here.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from carsim.endpoints.clock import clock_of, same_clock
from carsim.endpoints.intervals import Array, check_level, wilson_interval
from carsim.errors import ScenarioError, unknown

BandMethod: TypeAlias = Literal["wilson", "greenwood"]


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
        return step_at(self.time, self.incidence, time)

    def number_at_risk(self, time: ArrayLike) -> Array:
        """Patients without event and still followed just before the given times."""
        where = np.searchsorted(self.time, np.asarray(time, dtype=np.float64), side="left")
        padded = np.concatenate([self.at_risk, [0.0]])
        return np.asarray(padded[where], dtype=np.float64)


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
        End of follow-up of those without event, on the same clock as `time`.
    origin : float
        Time at which all are without event, on that clock.
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
        An event without a time or after the end of follow-up, an unknown band, or variables of a
        result that are on different clocks.
    """
    said = {"time": clock_of(time), "follow_up": clock_of(follow_up)}
    clocks = {name: clock for name, clock in said.items() if clock is not None}
    if clocks:
        same_clock("cumulative_incidence", clocks)
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
        with np.errstate(invalid="ignore"):
            variance = survival**2 * greenwood
        lower, upper = log_log_band(survival, variance, check_level(level))
    else:
        lower, upper = _effective_wilson(survival, greenwood, at_risk, exit_time.size, level)
    return CumulativeIncidence(
        time=knots,
        incidence=1.0 - survival if exit_time.size else np.full(knots.shape, np.nan),
        lower=lower,
        upper=upper,
        at_risk=at_risk,
        events=deaths,
        n=int(exit_time.size),
        excluded=int(happened.size - exit_time.size),
    )


def step_at(knots: Array, values: Array, time: ArrayLike) -> Array:
    """Values of a step function that is continuous from the right; NaN before its first knot.

    Parameters
    ----------
    knots : float64 array, shape (m,)
        Where it steps, ascending.
    values : float64 array, shape (m,)
        Its values from each knot on.
    time : array_like
        Where it is wanted.
    """
    where = np.searchsorted(knots, np.asarray(time, dtype=np.float64), side="right") - 1
    return np.where(where < 0, np.nan, values[np.maximum(where, 0)])


def log_log_band(survival: Array, variance: Array, level: float) -> tuple[Array, Array]:
    """Band of 1 - survival by the log(-log) transform; of no width where survival is 0 or 1.

    Parameters
    ----------
    survival, variance : float64 array
        Estimate and its variance, of the same shape.
    level : float
        Level of the interval.

    Returns
    -------
    lower, upper : float64 arrays
    """
    z = NormalDist().inv_cdf(0.5 + 0.5 * level)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        spread = np.exp(z * np.sqrt(variance) / (survival * np.abs(np.log(survival))))
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
