"""Doses into linear compartments in closed form, to judge the engine by; nothing of carsim is used.

Every response of such a model to a bolus is a sum, with positive weights, of *cascades*

    c(x_0, ..., x_n; t) = (exp(-x_0 .) * ... * exp(-x_n .))(t),

convolutions of exponentials, which are the divided differences of ``exp(-x t)`` up to their sign.
An infusion adds a node, the rate 0; a train of doses that began long ago multiplies
``exp(-x t)`` by ``1 / (1 - exp(-x II))``. By Leibniz's rule the cascades of a product of functions
are a product of triangular matrices, and all numbers in them are positive. So nothing cancels,
whether rates coincide, nearly coincide or differ by orders of magnitude, and every amount is
accurate to some units of the last place of its own value.

Symbols are NONMEM's: AMT, RATE, II, ADDL, SS, EVID. Units are the caller's, written A for amounts,
L for volumes and T for times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Rates = tuple[float, ...]

DOSE, RESET, RESET_AND_DOSE = 1, 3, 4
SPREAD, TERMS = 4.0, 48  # the series is taken up to this exponent, with so many terms


def cascades(rates: Rates, time: Array) -> Array:
    """Convolutions of the exponentials of neighboring rates.

    Parameters
    ----------
    rates : tuple of float
        Rate constants x_0 <= ... <= x_n (1/T); any may coincide.
    time : (n_times,) array
        Times since the start, not negative (T).

    Returns
    -------
    (n_times, n + 1, n + 1) array
        Upper triangular; entry [:, i, j] is c(x_i, ..., x_j; time) (T^(j - i)).
    """
    n = len(rates)
    out = np.zeros((time.size, n, n))
    for i, rate in enumerate(rates):
        out[:, i, i] = np.exp(-rate * time)
    for order in range(1, n):
        for i in range(n - order):
            j = i + order
            spread = rates[j] - rates[i]
            near = spread * time <= SPREAD
            out[near, i, j] = _series(rates[i : j + 1], time[near])
            out[~near, i, j] = (out[~near, i, j - 1] - out[~near, i + 1, j]) / (spread or 1.0)
    return out


@cache
def _factorials(order: int) -> Array:
    return np.array([float(math.factorial(order + k)) for k in range(TERMS)])


def _series(rates: Rates, time: Array) -> Array:
    """The last cascade as a power series about the largest rate: every term is positive."""
    largest, order = rates[-1], len(rates) - 1
    spread = largest - rates[0]
    symmetric = np.zeros(TERMS)  # complete homogeneous polynomials of the distances, scaled
    symmetric[0] = 1.0
    for rate in rates[:-1]:
        distance = (largest - rate) / spread if spread > 0.0 else 0.0
        for k in range(1, TERMS):
            symmetric[k] += distance * symmetric[k - 1]
    total = (spread * time[:, None]) ** np.arange(TERMS) @ (symmetric / _factorials(order))
    return np.asarray(np.exp(-largest * time) * time**order * total)


def _infused(rates: Rates, duration: Array) -> Array:
    """What a unit rate has filled in after `duration`, maybe infinite: (n_durations, n + 1)."""
    out, finite = np.empty((duration.size, len(rates))), np.isfinite(duration)
    for i in range(len(rates)):
        out[finite, i] = cascades((0.0, *rates[i:]), duration[finite])[:, 0, -1]
        out[~finite, i] = 1.0 / math.prod(rates[i:])
    return out


def _train(rates: Rates, every: float | None) -> Array:
    """Cascades of the geometric series ``1 / (1 - exp(-x II))`` of a train of doses, or of 1."""
    n = len(rates)
    if every is None:
        return np.eye(n)
    step = cascades(rates, np.array([every]))[0]
    out = np.diag([-1.0 / math.expm1(-rate * every) for rate in rates])
    for j in range(1, n):
        for i in reversed(range(j)):
            out[i, j] = out[i, i] * (step[i, i + 1 : j + 1] @ out[i + 1 : j + 1, j])
    return out


@dataclass(frozen=True)
class Linear:
    """One or two compartments with first-order elimination, absorption from a depot if `ka`.

    Compartments are numbered from 0: depot if there is one, central, peripheral if there is one.

    Parameters
    ----------
    CL : float
        Clearance from the central compartment (L/T).
    V : float
        Volume of the central compartment (L).
    ka : float, optional
        Rate constant of absorption (1/T).
    Q, V2 : float, optional
        Clearance between the compartments (L/T) and volume of the peripheral one (L).
    """

    CL: float
    V: float
    ka: float | None = None
    Q: float | None = None
    V2: float | None = None

    def __post_init__(self) -> None:
        if (self.Q is None) != (self.V2 is None):
            raise ValueError("a second compartment needs both Q and V2")
        given = [x for x in (self.CL, self.V, self.ka, self.Q, self.V2) if x is not None]
        if not all(0.0 < x < math.inf for x in given):
            raise ValueError("parameters must be positive and finite")

    @property
    def compartments(self) -> tuple[str, ...]:
        """Names, in the order of the rows of every result."""
        first = () if self.ka is None else ("depot",)
        return (*first, "central") if self.Q is None else (*first, "central", "peripheral")

    def _paths(self, source: int) -> dict[str, list[tuple[float, Rates]]]:
        """Weights and rates of the cascades in every compartment after a unit bolus into one."""
        name, k10 = self.compartments[source], self.CL / self.V
        if self.Q is None or self.V2 is None:
            disposition: dict[str, list[tuple[float, Rates]]] = {"central": [(1.0, (k10,))]}
        else:
            k12, k21 = self.Q / self.V, self.Q / self.V2
            excess = k10 + k12 - k21
            root = math.hypot(excess, 2.0 * math.sqrt(k12 * k21))
            # fast - k21 and k21 - slow: their product is k12 k21, and the larger one is a sum
            larger = 0.5 * (abs(excess) + root)
            smaller = k12 * k21 / larger
            above, below = (larger, smaller) if excess >= 0.0 else (smaller, larger)
            fast = k21 + above
            slow = k10 * k21 / fast
            both: Rates = (slow, fast)
            if name == "peripheral":
                own, other = [(1.0, (fast,)), (above, both)], [(k21, both)]
                disposition = {"central": other, "peripheral": own}
            else:
                own, other = [(1.0, (fast,)), (below, both)], [(k12, both)]
                disposition = {"central": own, "peripheral": other}
        if name == "depot" and self.ka is not None:
            for target, paths in disposition.items():
                disposition[target] = [(self.ka * weight, (self.ka, *x)) for weight, x in paths]
            disposition["depot"] = [(1.0, (self.ka,))]
        return disposition

    def _respond(self, source: int, time: Array, left: Callable[[Rates], Array]) -> Array:
        """Free decay for `time` of what is `left`, summed over the cascades; 0 before."""
        out = np.zeros((len(self.compartments), time.size))
        for target, paths in self._paths(source).items():
            row = out[self.compartments.index(target)]
            for weight, unordered in paths:
                rates = tuple(sorted(unordered))
                decay = cascades(rates, np.maximum(time, 0.0))[:, 0]
                row += weight * np.sum(decay * left(rates), axis=1)
        return (time >= 0.0) * out

    def bolus(self, source: int, time: Array, every: float | None = None) -> Array:
        """Amounts after a unit bolus, or after the last one of a train.

        Parameters
        ----------
        source : int
            Compartment that is dosed.
        time : (n_times,) array
            Times since the dose (T); the result is 0 before.
        every : float, optional
            The same doses have been given before, forever, at this interval (T).

        Returns
        -------
        (n_compartments, n_times) array
            Amounts for one unit of amount (A).
        """
        return self._respond(source, time, lambda rates: _train(rates, every)[None, :, -1])

    def infusion(
        self, source: int, duration: float, time: Array, every: float | None = None
    ) -> Array:
        """Amounts after the start of an infusion of unit rate, of `duration` (T); see `bolus`."""
        running = 1 if every is None else math.ceil(duration / every)
        out = np.zeros((len(self.compartments), time.size))
        for k in range(running):  # the latest ones, which may not have ended, one by one
            since = np.maximum(time, 0.0) + k * (every or 0.0)
            filled = partial(_infused, duration=np.minimum(since, duration))
            out += self._respond(source, np.maximum(since - duration, 0.0), filled)
        if every is not None:
            ended = np.maximum(time, 0.0) + max(running * every - duration, 0.0)
            length = np.array([duration])
            out += self._respond(
                source, ended, lambda rates: _infused(rates, length) @ _train(rates, every).T
            )
        return (time >= 0.0) * out

    def washout(self, source: int, time: Array) -> Array:
        """Amounts after the end of an infusion of unit rate that had always run; see `bolus`."""
        return self._respond(source, time, partial(_infused, duration=np.array([np.inf])))


@dataclass(frozen=True)
class Record:
    """One event record of NONMEM, with the values that its PK parameters have there.

    Parameters
    ----------
    time : float
        TIME (T).
    amount : float
        AMT (A); 0 with a rate and a steady state is an infusion that has always run and ends now.
    compartment : int
        Dosed compartment, numbered as in `Linear`: CMT - 1.
    rate : float
        RATE (A/T): 0 is a bolus; -1 and -2 take the modeled rate and the modeled duration.
    interval, additional : float, int
        II (T) and ADDL.
    steady_state : int
        SS: 0; 1 replaces all there was, also doses still to come; 2 adds to it.
    lag, bioavailability : float
        ALAG (T) and F of the dosed compartment.
    event : int
        EVID: 1 dose, 3 reset, 4 reset and dose.
    modeled_rate, modeled_duration : float
        R (A/T) and D (T).
    """

    time: float
    amount: float = 0.0
    compartment: int = 0
    rate: float = 0.0
    interval: float = 0.0
    additional: int = 0
    steady_state: int = 0
    lag: float = 0.0
    bioavailability: float = 1.0
    event: int = DOSE
    modeled_rate: float = 0.0
    modeled_duration: float = 0.0

    def __post_init__(self) -> None:
        sizes = self.amount, self.compartment, self.interval, self.additional, self.lag
        always = self.rate != 0.0 and self.amount == 0.0
        train = self.additional > 0 or (self.steady_state > 0 and not always)
        for sound, message in (
            (self.event in (1, 3, 4) and self.steady_state in (0, 1, 2), "unknown EVID or SS"),
            (min(*sizes, self.bioavailability) >= 0.0, "no item but RATE may be negative"),
            (self.rate >= 0.0 or self.rate in (-1.0, -2.0), "RATE is negative"),
            (self.rate != -1.0 or self.modeled_rate > 0.0, "RATE -1 needs a modeled rate"),
            (self.rate != -2.0 or self.modeled_duration > 0.0, "RATE -2 needs a duration"),
            (not always or self.steady_state > 0, "RATE without AMT needs SS"),
            (not always or (self.rate != -2.0 and not train), "RATE without AMT has no end"),
            (not train or self.interval > 0.0, "ADDL and SS need II"),
        ):
            if not sound:
                raise ValueError(message)

    def response(self, model: Linear, time: Array, every: float | None = None) -> Array:
        """Amounts (A) after the dose entered, or the last of a train; see `Linear.bolus`."""
        total = self.bioavailability * self.amount
        if self.rate == 0.0:
            return total * model.bolus(self.compartment, time, every)
        if self.rate == -2.0:
            duration = self.modeled_duration
            rate = total / duration
        else:
            rate = self.modeled_rate if self.rate == -1.0 else self.rate
            duration = total / rate
        if self.amount == 0.0:
            return rate * model.washout(self.compartment, time)
        return rate * model.infusion(self.compartment, duration, time, every)


@dataclass
class _Entry:
    """A term of the sum: what `record` gave at `start`, seen from `shown` until `end`."""

    record: Record
    start: float
    shown: float
    every: float | None = None
    end: float = math.inf


def _entries(record: Record) -> Iterator[_Entry]:
    """Terms of one dose record: the train before it, itself and its additional doses."""
    if record.rate and not record.amount:
        yield _Entry(record, record.time, record.time)
        return
    before = 0
    if record.steady_state and record.amount:
        # The latest of the earlier doses may still wait for their lag to pass.
        waiting, phase = divmod(record.lag, record.interval)
        before, last = int(waiting), record.time - (record.interval - phase)
        yield _Entry(record, last, record.time, record.interval)
    for k in range(-before, record.additional + 1):
        start = record.time + record.lag + k * record.interval
        yield _Entry(record, start, max(start, record.time))


def amounts(
    model: Linear, records: Iterable[Record], times: ArrayLike, *, after: bool = True
) -> Array:
    """Amounts in all compartments, by superposition of all doses.

    Parameters
    ----------
    model : Linear
        The compartments; empty before the first record.
    records : iterable of Record
        In the order of their times; those of one time act in their order.
    times : (n_times,) array
        Times to show, in any order (T).
    after : bool
        At the time of a record, or at which a lagged or additional dose enters, show the amounts
        after it (as NONMEM prints them) or before. Times are compared exactly.

    Returns
    -------
    (n_compartments, n_times) array
        Amounts (A).

    Notes
    -----
    A steady-state dose with a lag finds the system as if the same dose had been given every II
    forever, each entering a lag later; those given but not yet entered still do. For lags below II
    that is what NONMEM does; for longer ones it is said to show the peak right after a dose.
    """
    t = np.atleast_1d(np.asarray(times, dtype=np.float64))
    past: list[_Entry] = []
    latest = -math.inf
    for record in records:
        if record.time < latest:
            raise ValueError("records must be in the order of their times")
        latest = record.time
        if record.event != DOSE or record.steady_state == 1:
            for entry in past:
                entry.end = min(entry.end, record.time)
        if record.event != RESET:
            past.extend(_entries(record))

    out = np.zeros((len(model.compartments), t.size))
    begun, ongoing = (np.greater_equal, np.less) if after else (np.greater, np.less_equal)
    for entry in past:
        seen = begun(t, entry.shown) & ongoing(t, entry.end)
        out[:, seen] += entry.record.response(model, t[seen] - entry.start, entry.every)
    return out
