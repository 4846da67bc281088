"""Doses and infusions: what enters the body through a route of the model, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from carsim.errors import ScenarioError, did_you_mean
from carsim.therapy.values import (
    FloatArray,
    Item,
    PerPatient,
    Series,
    check_name,
    columns,
    number,
    series,
    store,
)

MOST_REPEATS = 100_000
"""More doses than this for one patient are taken for a slip (an interval in the wrong unit)."""

SHORTEST_INFUSION = 1e-9
"""An infusion shorter than this (time units) is a dose; its rate would be absurd."""

SCALES = ("duration", "rate")

Amounts: TypeAlias = Series | str
"""Numbers, or the name of a parameter, whose value each patient has."""


@dataclass(frozen=True, eq=False)
class Dose(Item):
    """Amounts that enter at once.

    Parameters
    ----------
    into : str
        Route of the model, or a state.
    amount : float, list or array
        Amount in the unit of the route; 0 means not given. A list goes with a list of times.
    at : float, list or array, model time unit
        Time; a list or tuple gives several doses to everybody, a numpy array is one time a patient
        (shape (n,)) or several (shape (n, k)); infinite where a patient has fewer. In a rule it
        counts from the firing, 0 by default.
    every : float, list or array, optional
        Interval at which the dose is repeated; several (as many as times) if each time of `at`
        begins a series of its own.
    count : int, list or array, optional
        How often it is given in all, counted from the first; 0 means not given. One, or as many as
        times.
    until : float or array, optional
        Repeats stop before this time (exclusive). With neither `count` nor `until` the dose is
        repeated until the simulation stops.
    lag : float, list, array or str, optional
        Time from `at` until the dose enters, also of its repeats; one, or as many as times. A text
        names a parameter of the model.
    bioavailability : float, list, array or str, optional
        Share of the amount that enters, also of its repeats; one, or as many as times.
    steady_state : {0, 1, 2}
        1: at `at` the compartments that the dose determines are as if it had been given every
        `every` for ever (and what was given before into them is forgotten); 2: that is added to
        what is there. See `carsim.therapy.steady`.
    adherence : float or array, optional
        Probability that each dose is taken; drawn by patient and dose.

    Notes
    -----
    The simulation covers ``[start, stop)``: a dose at `stop` is not given, a dose before `start` is
    an error. In coincidence with other actions a dose comes last.

    Examples
    --------
    >>> Dose("lymphodepletion", amount=1.0, at=[-5, -4, -3]).at
    (-5.0, -4.0, -3.0)
    """

    into: str
    amount: Series
    at: Series | None = None
    every: Series | None = None
    count: Series | None = None
    until: PerPatient | None = None
    lag: Amounts | None = None
    bioavailability: Amounts | None = None
    steady_state: int = 0
    adherence: PerPatient | None = None

    def __post_init__(self) -> None:
        where = f"Dose into {self.into!r}"
        check_name(where, "into", self.into)
        store(self, amount=series(where, "amount", self.amount, at_least=0.0))
        if self.at is not None:
            store(self, at=series(where, "at", self.at, infinite=True))
        _check_shared(where, self)
        check_as_many(where, {"amount": self.amount, **_repeated(self)}, "at", self.at)


@dataclass(frozen=True, eq=False)
class Infusion(Item):
    """Amounts that enter at a constant rate on ``[start, stop)``.

    Say how long (`stop` or `duration`) and how much (`rate` or `amount`). A rate alone runs until
    the simulation stops; a rate and an amount without a time last ``amount / rate``.

    Parameters
    ----------
    into : str
        Route of the model, or a state.
    start : float, list or array, model time unit
        Beginning; a list gives several infusions to everybody, a numpy array is one time a patient
        (shape (n,)) or several (shape (n, k)); infinite where a patient has fewer. In a rule it
        counts from the firing, 0 by default.
    stop : float, list or array, optional
        End (exclusive). ``stop <= start`` means not given.
    duration : float, list, array or str, optional
        Length, in place of `stop`; 0 means not given. A text names a parameter of the model
        (NONMEM's RATE = -2).
    rate : float, list, array or str, optional
        Amount per time; 0 means not given. A text names a parameter (NONMEM's RATE = -1).
    amount : float, list or array, optional
        Total amount of one infusion, in place of `rate`; 0 means not given.
    every : float, list or array, optional
        Interval from one beginning to the next; one, or as many as times. Then give `duration`,
        not `stop`.
    count : int, list or array, optional
        How many infusions in all; one, or as many as times.
    until : float or array, optional
        No infusion begins at this time or later.
    lag : float, list, array or str, optional
        Time from `start` until it begins to enter; one, or as many as times.
    bioavailability : float, list, array or str, optional
        Share of the amount that enters; one, or as many as times.
    bioavailability_scales : {"duration", "rate"}, optional
        What the bioavailability changes. By default what was not given: the duration if the rate
        is given (as in NONMEM: the rate is kept, the infusion ends earlier), the rate if only the
        duration is.
    steady_state : {0, 1, 2}
        As for a `Dose`. A rate alone without `every` means the steady state of that rate; with
        ``duration=0`` the infusion ends there.
    adherence : float or array, optional
        Probability that each infusion is given.

    Notes
    -----
    Infusions that overlap add up. The rate is exactly zero where none runs.
    """

    into: str
    start: Series | None = None
    stop: Series | None = None
    duration: Amounts | None = None
    rate: Amounts | None = None
    amount: Series | None = None
    every: Series | None = None
    count: Series | None = None
    until: PerPatient | None = None
    lag: Amounts | None = None
    bioavailability: Amounts | None = None
    bioavailability_scales: str | None = None
    steady_state: int = 0
    adherence: PerPatient | None = None

    def __post_init__(self) -> None:
        where = f"Infusion into {self.into!r}"
        check_name(where, "into", self.into)
        if self.start is not None:
            store(self, start=series(where, "start", self.start, infinite=True))
        if self.stop is not None:
            store(self, stop=series(where, "stop", self.stop, infinite=True))
        for name in ("duration", "rate", "amount"):
            given = getattr(self, name)
            if isinstance(given, str) and name != "amount":
                check_name(where, name, given)
            elif given is not None:
                store(self, **{name: series(where, name, given, at_least=0.0)})
        _check_shared(where, self)
        self._check_complete(where)
        sizes = {name: getattr(self, name) for name in ("stop", "duration", "rate", "amount")}
        check_as_many(where, {**sizes, **_repeated(self)}, "start", self.start)
        if not isinstance(self.duration, str) and not isinstance(self.rate, str):
            check_length(where, self.length(0.0 if self.start is None else self.start))

    def _check_complete(self, where: str) -> None:
        if self.stop is not None and self.duration is not None:
            raise ScenarioError(f"{where}: stop and duration contradict each other. Give one.")
        timed = self.stop is not None or self.duration is not None
        if self.rate is None and self.amount is None:
            raise ScenarioError(f"{where}: it has neither rate nor amount. Give one of them.")
        if self.rate is not None and self.amount is not None and timed:
            raise ScenarioError(
                f"{where}: rate and amount contradict each other, as the length is given. Give "
                f"one of them, or leave out stop and duration (the length is then amount / rate)."
            )
        if self.amount is not None and self.rate is None:
            if not timed:
                raise ScenarioError(
                    f"{where}: an amount needs a time. Give stop, duration or rate."
                )
            if self.stop is not None and not np.isfinite(self.stop).all():
                raise ScenarioError(
                    f"{where}: an amount cannot be spread over an endless time. Give the rate."
                )
        if self.every is not None and self.stop is not None:
            raise ScenarioError(
                f"{where}: stop is ambiguous for a repeated infusion. Give duration for the "
                f"length of one, and count or until for how many."
            )
        if self.every is not None and self.duration is None and self.amount is None:
            raise ScenarioError(
                f"{where}: every repeats it, so say how long one infusion lasts with duration."
            )
        scales = self.bioavailability_scales
        if scales is not None and scales not in SCALES:
            raise ScenarioError(
                f"{where}: bioavailability_scales = {scales!r}. Give 'duration' or 'rate'."
                + did_you_mean(str(scales), SCALES)
            )
        endless = self.duration is None and self.stop is None and self.amount is None
        if endless and self.bioavailability is not None and scales != "rate":
            raise ScenarioError(
                f"{where}: an endless infusion cannot be shortened by its bioavailability. Give "
                f"bioavailability_scales = 'rate'."
            )

    @property
    def is_endless(self) -> bool:
        """Whether it is a rate alone."""
        return self.duration is None and self.stop is None and self.amount is None

    @property
    def shortens(self) -> bool:
        """Whether its bioavailability changes the duration, not the rate."""
        if self.bioavailability_scales is not None:
            return self.bioavailability_scales == "duration"
        return self.rate is not None

    def length(self, start: Series, rate: Series | None = None) -> FloatArray:
        """Length of each infusion, zero where it is not given; infinite if it has no end.

        Parameters
        ----------
        start : float, tuple or array
            Beginnings.
        rate : float or array, optional
            Rate, where the infusion names a parameter for it.
        """
        if self.duration is not None:
            assert not isinstance(self.duration, str)
            return columns(self.duration)
        if self.stop is not None:
            with np.errstate(invalid="ignore"):
                length = np.subtract(columns(self.stop), columns(start))
            return np.where(length > 0.0, length, 0.0)
        if self.amount is None:
            return np.full((1, 1), np.inf)
        given = self.rate if rate is None else rate
        assert given is not None
        assert not isinstance(given, str)
        return ratio(columns(self.amount), columns(given))


def ratio(amount: FloatArray, other: FloatArray) -> FloatArray:
    """Quotient of two tables, zero where the second is."""
    amount, other = np.broadcast_arrays(amount, other)
    out: FloatArray = np.divide(amount, other, out=np.zeros(amount.shape), where=other > 0)
    return out


def check_length(where: str, lengths: FloatArray) -> None:
    """Refuse infusions so short that their rate would be absurd."""
    short = (lengths > 0) & (lengths < SHORTEST_INFUSION)
    if short.any():
        raise ScenarioError(
            f"{where}: it lasts {float(lengths[short].min()):g}. Give what enters at once "
            f"with a Dose."
        )


def check_repeats(where: str, item: Any, *, several: bool = False) -> None:
    """Check `every`, `count` and `until`; the first two may hold `several` values a patient."""
    kind: Any = series if several else number
    if item.every is not None:
        every = kind(where, "every", item.every)
        if np.min(every) <= 0:
            raise ScenarioError(
                f"{where}: every = {float(np.min(every)):g}. The interval must be above 0; leave "
                f"`every` out to give it once."
            )
        store(item, every=every)
    if item.count is not None:
        count = kind(where, "count", item.count, at_least=0.0)
        if np.any(np.asarray(count) % 1):
            raise ScenarioError(f"{where}: count = {count!r} must be a whole number.")
        store(item, count=count)
    if item.until is not None:
        store(item, until=number(where, "until", item.until, infinite=True))
    if item.count is not None and item.until is not None:
        raise ScenarioError(f"{where}: count and until contradict each other. Give one.")
    if item.every is None and item.count is not None and np.max(item.count) > 1:
        raise ScenarioError(
            f"{where}: count = {int(np.max(item.count))} needs the interval: give every."
        )


def _check_shared(where: str, item: Dose | Infusion) -> None:
    check_repeats(where, item, several=True)
    for name in ("lag", "bioavailability"):
        given = getattr(item, name)
        if isinstance(given, str):
            if not given:
                raise ScenarioError(
                    f"{where}: {name} is empty. Give a number, or a parameter's name."
                )
        elif given is not None:
            store(item, **{name: series(where, name, given, at_least=0.0)})
    if item.adherence is not None:
        adherence = number(where, "adherence", item.adherence, at_least=0.0)
        if np.max(adherence) > 1.0:
            raise ScenarioError(
                f"{where}: adherence = {float(np.max(adherence)):g} is above 1. Give the share of "
                f"doses that are taken."
            )
        store(item, adherence=adherence)
    if item.steady_state not in (0, 1, 2) or isinstance(item.steady_state, bool):
        raise ScenarioError(
            f"{where}: steady_state = {item.steady_state!r}. Give 1 to replace what is there, 2 to "
            f"add to it, 0 for neither."
        )
    endless = isinstance(item, Infusion) and item.every is None and item.amount is None
    if item.steady_state and item.every is None and not endless:
        raise ScenarioError(
            f"{where}: a steady state needs the interval between doses. Give every."
        )
    times = item.at if isinstance(item, Dose) else item.start
    if item.steady_state and times is not None and columns(times).shape[1] > 1:
        raise ScenarioError(
            f"{where}: a steady state begins at one time. Give one item for each of several."
        )


def _repeated(item: Dose | Infusion) -> dict[str, Any]:
    """Fields that may hold one value a time, beside the amounts."""
    return {name: getattr(item, name) for name in ("every", "count", "lag", "bioavailability")}


def check_as_many(where: str, sizes: dict[str, Any], field: str, times: Series | None) -> None:
    """Refuse as many amounts (or rates, or lengths) as fit neither one nor all times."""
    n_times = 1 if times is None else columns(times).shape[1]
    for name, size in sizes.items():
        if size is None or isinstance(size, str):
            continue
        n_given = columns(size).shape[1]
        if n_given not in (1, n_times):
            raise ScenarioError(
                f"{where}: {n_given} values of {name} for {n_times} of {field}. Give one {name}, "
                f"or as many as times. For one value a patient give numpy arrays of shape (n,)."
            )
