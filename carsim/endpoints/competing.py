"""Competing events: how often each comes first, and when.

A patient who relapses or dies can no longer be counted as "reactivation in remission", and to treat
him as lost (one minus Kaplan-Meier) pretends that he still could. The Aalen-Johansen estimate
counts what happens; one minus Kaplan-Meier is its special case of a single event.

References
----------
O. O. Aalen, S. Johansen (1978). Scand J Stat 5:141: the estimate.
E. Marubini, M. G. Valsecchi (1995). Analysing survival data from clinical trials and observational
studies: its variance by the delta method. It is Greenwood's variance for a single event, and the
binomial p (1 - p) / n as long as nobody is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from carsim.endpoints.clock import CLOCK, check_clock, clock_of, infusion_of, same_clock
from carsim.endpoints.incidence import BandMethod, CumulativeIncidence, log_log_band, step_at
from carsim.endpoints.intervals import Array, check_level, wilson_interval
from carsim.errors import ScenarioError, unknown

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class CompetingIncidence:
    """Step functions: the share of patients in whom each event came first, by each time.

    Parameters
    ----------
    events : tuple of str
        Names of the K events.
    time : float64 array, shape (m,)
        The origin, the distinct times of events of any kind, and the last time of follow-up;
        ascending.
    incidence, lower, upper : float64 array, shape (K, m)
        Aalen-Johansen estimate of each event, and its pointwise band.
    variance : float64 array, shape (K, m)
        Variance of `incidence` (delta method).
    event_free : float64 array, shape (m,)
        Share without any event: one minus the sum of `incidence`.
    at_risk : float64 array, shape (m,)
        Patients without any event and still followed just before the time.
    counts : float64 array, shape (K, m)
        First events at the time.
    n, excluded : int
        Patients counted, and patients left out (NaN).
    ties : int
        Patients in whom two events or more came first at the same time; see `first_event`.
    """

    events: tuple[str, ...]
    time: Array
    incidence: Array
    lower: Array
    upper: Array
    variance: Array
    event_free: Array
    at_risk: Array
    counts: Array
    n: int
    excluded: int
    ties: int = 0

    def of(self, event: str) -> CumulativeIncidence:
        """Curve of one event, as `cumulative_incidence` returns it.

        Parameters
        ----------
        event : str
            One of `events`.

        Raises
        ------
        ScenarioError
            No such event.
        """
        k = self._index(event)
        return CumulativeIncidence(
            time=self.time,
            incidence=self.incidence[k],
            lower=self.lower[k],
            upper=self.upper[k],
            at_risk=self.at_risk,
            events=self.counts[k],
            n=self.n,
            excluded=self.excluded,
        )

    def at(self, time: ArrayLike, event: str) -> Array:
        """Incidence of an event at any times (the step function, continuous from the right)."""
        return step_at(self.time, self.incidence[self._index(event)], time)

    def number_at_risk(self, time: ArrayLike) -> Array:
        """Patients without any event and still followed just before the given times."""
        return self.of(self.events[0]).number_at_risk(time)

    def _index(self, event: str) -> int:
        if event not in self.events:
            raise ScenarioError(unknown("event", event, self.events, "the incidence"))
        return self.events.index(event)


@dataclass(frozen=True)
class FirstEvent:
    """Which event came first in each patient, and when.

    Parameters
    ----------
    events : tuple of str
        Names of the K events.
    which : float64 array, shape (n,)
        0 for none, k for the k-th event (from 1), NaN for patients left out.
    time : float64 array, shape (n,)
        Time of the first event; NaN without one.
    ties : int
        Patients in whom two events or more came first at the same time.
    clock : str
        Clock of the times.
    """

    events: tuple[str, ...]
    which: Array
    time: Array
    ties: int
    clock: str = CLOCK


def first_event(
    dataset: xr.Dataset,
    events: Sequence[str],
    *,
    conditional: Sequence[str] = (),
    origin: float | None = None,
    dim: str = "patient",
) -> FirstEvent:
    """Find the event that came first in each patient of a result.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result with the variables `<event>` (1, 0, NaN) and `<event>_time` for each event, along
        `dim` only. All times must say that they are on one clock (attribute `clock`).
    events : sequence of str
        Names of the events. **Ties**: when two come first at the same time (they are often seen at
        the same visit), the one that is listed first counts. How many there are is reported.
    conditional : sequence of str
        Those of the events that only some patients can have: NaN then means "cannot have it" and
        counts as none, unless every event is NaN, which is a failed patient. Relapse is one: it is
        NaN for patients who were never in remission.
    origin : float, optional
        Time at which all are without event, on the clock of the times; an earlier event is refused.
        By default the infusion.
    dim : str
        Dimension of the patients.

    Returns
    -------
    FirstEvent
        A patient in whom any event is NaN (save the `conditional` ones) is NaN.

    Raises
    ------
    ScenarioError
        A variable is missing or has other dimensions, holds something else than 0, 1 and NaN, an
        event has no time, one comes before the origin, or the times are not on one clock.
    """
    names = _names(events)
    origin = infusion_of(dataset) if origin is None else origin
    for name in conditional:
        if name not in names:
            raise ScenarioError(unknown("event", name, names, "first_event: conditional"))
    happened, times = [], []
    for name in names:
        for variable in (name, f"{name}_time"):
            if variable not in dataset:
                raise ScenarioError(
                    unknown("variable", variable, map(str, dataset.data_vars), "the result")
                )
            if dataset[variable].dims != (dim,):
                others = ", ".join(str(d) for d in dataset[variable].dims if d != dim)
                raise ScenarioError(
                    f"first_event: '{variable}' must vary along '{dim}' only, but also varies "
                    f"along {others or 'nothing'}. Choose one value first, for example with "
                    "dataset.isel(...)."
                )
        event = np.asarray(dataset[name].values, dtype=np.float64)
        time = np.asarray(dataset[f"{name}_time"].values, dtype=np.float64)
        if bool(np.any(np.isfinite(event) & (event != 0.0) & (event != 1.0))):
            raise ScenarioError(
                f"first_event: '{name}' holds values other than 0, 1 and NaN, so it is not an "
                "event. Compare it with a threshold first."
            )
        if bool(np.any((event == 1.0) & ~np.isfinite(time))):
            raise ScenarioError(
                f"first_event: an event of '{name}' has no time in '{name}_time'. Give the time "
                "variable that belongs to the event."
            )
        happened.append(event)
        times.append(np.where(event == 1.0, time, np.inf))
    clock = check_clock("first_event", dataset, *(f"{name}_time" for name in names))
    table, when = np.array(happened), np.array(times)
    needed = np.array([name not in conditional for name in names])
    unknown_status = np.isnan(table)
    left_out = unknown_status[needed].any(axis=0) | unknown_status.all(axis=0)
    earliest = when.min(axis=0)
    if bool(np.any(~left_out & (earliest < origin))):
        raise ScenarioError(
            f"first_event: an event on day {earliest[~left_out].min():g} is before the origin, day "
            f"{origin:g}. Give the day at which all are without event as origin."
        )
    none = np.isinf(earliest)
    which = np.where(none, 0.0, when.argmin(axis=0) + 1.0)
    tied = ((when == earliest) & ~none).sum(axis=0) > 1
    return FirstEvent(
        events=names,
        which=np.where(left_out, np.nan, which),
        time=np.where(left_out | none, np.nan, earliest),
        ties=int(np.sum(tied & ~left_out)),
        clock=clock,
    )


def competing_incidence(
    first: FirstEvent,
    follow_up: ArrayLike,
    *,
    origin: float = 0.0,
    level: float = 0.95,
    band: BandMethod = "wilson",
) -> CompetingIncidence:
    """Aalen-Johansen estimate of the time to each of several competing events.

    Parameters
    ----------
    first : FirstEvent
        Which event came first, and when: see `first_event`.
    follow_up : array_like, shape () or (n,)
        End of follow-up of those without event, on the clock of the times. An event at this very
        time is seen.
    origin : float
        Time at which all are without event.
    level : float
        Level of the pointwise bands.
    band : {"wilson", "greenwood"}
        "wilson": the score interval at the effective sample size F (1 - F) / Var, which is the
        plain Wilson interval as long as nobody is lost. Before the first event of a kind the size
        is that of the patients not yet lost (also those who had another event, because they are
        known never to have this one first), so that the band has a width. "greenwood": the
        log(-log) interval on the variance, which has none there.

    Returns
    -------
    CompetingIncidence

    Raises
    ------
    ScenarioError
        An event without a time or after the end of follow-up, an unknown band, or a `follow_up`
        that says another clock.
    """
    ends_on = clock_of(follow_up)
    if ends_on is not None:
        same_clock("competing_incidence", {"first": first.clock, "follow_up": ends_on})
    if band not in ("wilson", "greenwood"):
        raise ScenarioError(unknown("band", band, ("wilson", "greenwood"), "incidence"))
    check_level(level)
    valid = np.isfinite(first.which)
    which = first.which[valid].astype(np.int64)
    ends = np.broadcast_to(np.asarray(follow_up, dtype=np.float64), first.which.shape)[valid]
    leaves = np.where(which > 0, first.time[valid], ends)
    if not bool(np.all(np.isfinite(leaves))):
        raise ScenarioError("incidence: a patient has no end of follow-up (NaN). Give one.")
    if bool(np.any(leaves > ends)):
        raise ScenarioError(
            f"incidence: an event on day {leaves[leaves > ends].max():g} is after the end of "
            "follow-up. Give the end of the simulation as follow_up."
        )
    n = leaves.size
    last = float(ends.max()) if n else origin
    knots = np.unique(np.concatenate([[origin], leaves[which > 0], [max(origin, last)]]))
    counts = np.zeros((len(first.events), knots.size))
    had = which > 0
    np.add.at(counts, (which[had] - 1, np.searchsorted(knots, leaves[had])), 1.0)
    gone = np.searchsorted(np.sort(leaves), knots, side="left")
    at_risk: Array = (n - gone).astype(np.float64)
    lost = np.searchsorted(np.sort(leaves[~had]), knots, side="left")

    incidence, event_free, variance = _aalen_johansen(counts, at_risk)
    if n == 0:
        # nobody is no estimate, and above all not an incidence of 0
        incidence, event_free, variance = (x + np.nan for x in (incidence, event_free, variance))
    if band == "greenwood":
        lower, upper = log_log_band(1.0 - incidence, variance, level)
    else:
        size = _effective_size(incidence, variance, np.asarray(n - lost, dtype=np.float64), n)
        lower, upper = wilson_interval(np.clip(size * incidence, 0.0, size), size, level)
    return CompetingIncidence(
        events=first.events,
        time=knots,
        incidence=incidence,
        lower=lower,
        upper=upper,
        variance=variance,
        event_free=event_free,
        at_risk=at_risk,
        counts=counts,
        n=int(n),
        excluded=int(first.which.size - n),
        ties=first.ties,
    )


def _names(events: Sequence[str]) -> tuple[str, ...]:
    names = (events,) if isinstance(events, str) else tuple(events)
    if not names or len(set(names)) != len(names):
        raise ScenarioError(
            f"first_event: events = {names!r}. Give one name or more, each of them once."
        )
    return names


def _aalen_johansen(counts: Array, at_risk: Array) -> tuple[Array, Array, Array]:
    """Incidence (K, m), share without event (m,), and variance of the incidence (K, m)."""
    any_event = counts.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        stay = np.where(at_risk > 0, 1.0 - any_event / at_risk, 1.0)
        hazard = np.where(at_risk > 0, counts / at_risk, 0.0)
        after = np.cumprod(stay)
        before = np.concatenate([[1.0], after[:-1]])
        incidence = np.cumsum(before * hazard, axis=1)
        # Short of 1 by rounding only: 1 - F is 0 or at least 1 / n.
        incidence = np.where(incidence > 1.0 - 1e-12, 1.0, incidence)
        # What a step adds to the variance at a later t depends on F(t) - F(step), whose square is
        # multiplied out so that running sums do. Once nobody is left F no longer changes and the
        # infinite term of Greenwood's sum drops out.
        someone_left = (any_event > 0) & (at_risk > any_event)
        g = np.where(someone_left, any_event / (at_risk * (at_risk - any_event)), 0.0)
        h = np.where(counts > 0, before**2 * counts * (at_risk - counts) / at_risk**3, 0.0)
        c = np.where(counts > 0, before * counts / at_risk**2, 0.0)
    squares = (
        incidence**2 * np.cumsum(g)
        - 2.0 * incidence * np.cumsum(g * incidence, axis=1)
        + np.cumsum(g * incidence**2, axis=1)
    )
    crossed = incidence * np.cumsum(c, axis=1) - np.cumsum(c * incidence, axis=1)
    variance = squares + np.cumsum(h, axis=1) - 2.0 * crossed
    variance = np.where(incidence == 1.0, 0.0, np.maximum(variance, 0.0))
    return incidence, np.asarray(after, dtype=np.float64), variance


def _effective_size(incidence: Array, variance: Array, not_lost: Array, n: int) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        size = incidence * (1.0 - incidence) / variance
    size = np.where(incidence <= 0.0, not_lost, size)
    return np.asarray(np.where((incidence >= 1.0) | ~np.isfinite(size), float(n), size))
