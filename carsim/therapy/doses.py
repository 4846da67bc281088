"""Doses and infusions: what enters the body through a route of the model, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carsim.errors import ScenarioError
from carsim.therapy.values import FloatArray, Item, PerPatient, Series, columns, number, series

MOST_REPEATS = 100_000
"""More doses than this for one patient are taken for a slip (an interval in the wrong unit)."""

SHORTEST_INFUSION = 1e-9
"""An infusion shorter than this (time units) is a dose; its rate would be absurd."""


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
        (shape (n,)) or several (shape (n, k)).
    every : float or array, optional
        Interval at which the dose (all times of `at` together) is repeated.
    count : int or array, optional
        How often it is given in all, counted from the first; 0 means not given.
    until : float or array, optional
        Repeats stop before this time (exclusive). With neither `count` nor `until` the dose is
        repeated until the simulation stops.

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
    at: Series
    every: PerPatient | None = None
    count: PerPatient | None = None
    until: PerPatient | None = None

    def __post_init__(self) -> None:
        where = f"Dose into {self.into!r}"
        check_name(where, "into", self.into)
        store(self, amount=series(where, "amount", self.amount, at_least=0.0))
        store(self, at=series(where, "at", self.at))
        check_repeats(where, self)
        amounts, times = columns(self.amount).shape[1], columns(self.at).shape[1]
        if amounts not in (1, times):
            raise ScenarioError(
                f"{where}: {amounts} amounts for {times} times. Give one amount, or as many "
                f"amounts as times. For one value a patient give numpy arrays of shape (n,)."
            )


@dataclass(frozen=True, eq=False)
class Infusion(Item):
    """Amounts that enter at a constant rate on ``[start, stop)``.

    Say how long (`stop` or `duration`) and how much (`rate` or `amount`). A rate alone runs until
    the simulation stops; a rate and an amount without a time last ``amount / rate``.

    Parameters
    ----------
    into : str
        Route of the model, or a state.
    start : float or array, model time unit
        Beginning; one value a patient as a numpy array of shape (n,).
    stop : float or array, optional
        End (exclusive). ``stop <= start`` means not given.
    duration : float or array, optional
        Length, in place of `stop`; 0 means not given.
    rate : float or array, optional
        Amount per time; 0 means not given.
    amount : float or array, optional
        Total amount of one infusion, in place of `rate`; 0 means not given.
    every : float or array, optional
        Interval from one beginning to the next. Then give `duration`, not `stop`.
    count : int or array, optional
        How many infusions in all.
    until : float or array, optional
        No infusion begins at this time or later.

    Notes
    -----
    Infusions that overlap add up. The rate is exactly zero where none runs.
    """

    into: str
    start: PerPatient
    stop: PerPatient | None = None
    duration: PerPatient | None = None
    rate: PerPatient | None = None
    amount: PerPatient | None = None
    every: PerPatient | None = None
    count: PerPatient | None = None
    until: PerPatient | None = None

    def __post_init__(self) -> None:
        where = f"Infusion into {self.into!r}"
        check_name(where, "into", self.into)
        store(self, start=number(where, "start", self.start))
        if self.stop is not None:
            store(self, stop=number(where, "stop", self.stop, infinite=True))
        for name in ("duration", "rate", "amount"):
            given = getattr(self, name)
            if given is not None:
                store(self, **{name: number(where, name, given, at_least=0.0)})
        check_repeats(where, self)
        self._check_complete(where)
        lengths = np.asarray(self.length())
        short = (lengths > 0) & (lengths < SHORTEST_INFUSION)
        if short.any():
            raise ScenarioError(
                f"{where}: it lasts {float(lengths[short].min()):g}. Give what enters at once "
                f"with a Dose."
            )

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

    def length(self) -> PerPatient:
        """Length of one infusion, zero where it is not given; infinite if it has no end."""
        if self.duration is not None:
            return self.duration
        if self.stop is not None:
            return np.maximum(np.subtract(self.stop, self.start), 0.0)
        if self.amount is None or self.rate is None:
            return np.inf
        amount, rate = np.broadcast_arrays(self.amount, self.rate)
        length: FloatArray = np.divide(amount, rate, out=np.zeros(np.shape(amount)), where=rate > 0)
        return length

    def speed(self) -> FloatArray:
        """Amount per time while it runs, shape (1 or n_patients, 1); zero where not given."""
        if self.rate is not None:
            return columns(self.rate)
        assert self.amount is not None
        amount, length = np.broadcast_arrays(columns(self.amount), columns(self.length()))
        speed: FloatArray = np.divide(amount, length, out=np.zeros(amount.shape), where=length > 0)
        return speed


def check_name(where: str, field: str, name: object) -> None:
    """Refuse what cannot be the name of a route, state, parameter or observable."""
    if not isinstance(name, str) or not name:
        raise ScenarioError(f"{where}: {field} = {name!r} is not a name.")


def store(item: object, **values: object) -> None:
    """Write checked values into a frozen dataclass while it is built."""
    for name, value in values.items():
        object.__setattr__(item, name, value)


def check_repeats(where: str, item: Dose | Infusion) -> None:
    """Check `every`, `count` and `until`."""
    if item.every is not None:
        every = number(where, "every", item.every)
        if np.min(every) <= 0:
            raise ScenarioError(
                f"{where}: every = {float(np.min(every)):g}. The interval must be above 0; leave "
                f"`every` out to give it once."
            )
        store(item, every=every)
    if item.count is not None:
        count = number(where, "count", item.count, at_least=0.0)
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
