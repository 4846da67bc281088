"""Doses and infusions spread out in time: one column an administration, one row a patient.

A table has one row when all patients agree. A time of plus infinity means "not given". The times
that an item was given are its *records*; the repeats of a record follow it, so that a patient with
many repeats of one record does not widen the others.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import SAME_INSTANT
from carsim.errors import ScenarioError
from carsim.streams import uniforms
from carsim.therapy.doses import MOST_REPEATS, Dose, Infusion, check_length, ratio
from carsim.therapy.values import FloatArray, Series, columns
from carsim.therapy.windows import Window

if TYPE_CHECKING:
    from carsim.therapy.history import Entry, History

CLEAN_DECIMALS = 9

IntArray: TypeAlias = NDArray[np.int64]
Repeated: TypeAlias = Dose | Infusion | Window


@dataclass(frozen=True)
class People:
    """The patients as a therapy sees them.

    Attributes
    ----------
    parameters : float64 array, shape (n_patients, n_parameters), model units
        Outside of all windows.
    initial : float64 array, shape (n_patients, n_states), model units
        States at the start.
    numbers : int64 array, shape (n_patients,)
        Number of each patient, by which chance is drawn.
    seed : int
        Root of all that is drawn.
    """

    parameters: FloatArray
    initial: FloatArray
    numbers: NDArray[np.int64]
    seed: int = 0

    def __len__(self) -> int:
        return len(self.parameters)

    @classmethod
    def alone(cls, parameters: FloatArray, initial: FloatArray) -> People:
        """Patients numbered from 0, drawn from seed 0."""
        return cls(parameters, initial, np.arange(len(parameters)))


@dataclass(frozen=True)
class Administration:
    """What is given of one item.

    Attributes
    ----------
    begins : float64 array, shape (1 or n_patients, k), model time unit
        Nominal times, without lag.
    enters, ends : float64 arrays, same shape
        When it begins to enter, and stops; infinite for a dose, and for an infusion that runs at
        the end of the simulation.
    level : float64 array, shape (1 or n_patients, 1 or k)
        What is given: amount of a dose, rate of an infusion, in units of the route.
    ordered : float64 array, shape (1 or n_patients, 1 or k)
        Times of the records that these are repeats of, which is when they were ordered.
    entries : tuple of Entry
        States that it enters, with factors of shape (1 or n_patients, 1 or k).
    record : int64 array, shape (1 or n_patients, 1 or k)
        Columns of these records among the item's own times.
    length : float64 array, shape (1 or n_patients, 1 or k)
        How long an infusion is, without the rounding of its ends; infinite for what is not to be
        given at once however short it is.
    """

    begins: FloatArray
    enters: FloatArray
    ends: FloatArray
    level: FloatArray
    ordered: FloatArray
    entries: tuple[Entry, ...]
    record: IntArray
    length: FloatArray = field(default_factory=lambda: np.full((1, 1), np.inf))

    def at_once(self, latest: FloatArray | None = None) -> tuple[Administration, Administration]:
        """What of an infusion lasts, and what enters within an instant.

        Parameters
        ----------
        latest : float64 array, shape (1 or n_patients, 1), optional
            Latest time at which times of zero may lie, where times count from a firing.

        Returns
        -------
        lasting, sudden : Administration
            The level of the second are amounts.
        """
        enters, length = np.broadcast_arrays(self.enters, self.length)
        when = np.abs(np.where(np.isfinite(enters), enters, 0.0))
        if latest is not None:
            when = np.maximum(when, latest)
        short = length <= SAME_INSTANT * np.maximum(when, 1.0)
        with np.errstate(invalid="ignore"):
            amounts = self.level * self.length
        lasting = dataclasses.replace(
            self,
            enters=np.where(short, np.inf, self.enters),
            ends=np.where(short, np.inf, self.ends),
        )
        sudden = dataclasses.replace(
            self,
            enters=np.where(short, self.enters, np.inf),
            ends=np.full((1, 1), np.inf),
            level=np.where(short, amounts, 0.0),
        )
        return lasting, sudden


@dataclass(frozen=True)
class Spread:
    """Nominal times of an item, and which of its records each of them belongs to.

    Attributes
    ----------
    begins : float64 array, shape (1 or n_patients, k), model time unit
    record : int64 array, shape (1 or n_patients, k)
        Column of the item's own times.
    repeat : int64 array, shape (1 or n_patients, k)
        How often the record has been repeated before.
    """

    begins: FloatArray
    record: IntArray
    repeat: IntArray

    def of_records(self, values: FloatArray) -> FloatArray:
        """Values of the records at each time, shape (1 or n_patients, 1 or k)."""
        if values.shape[1] == 1:
            return values
        if len(self.record) == 1:
            return values[:, self.record[0]]
        rows = np.broadcast_to(values, (len(self.record), values.shape[1]))
        return np.take_along_axis(rows, self.record, axis=1)


def cleaned(times: FloatArray, size: FloatArray) -> FloatArray:
    """Undo the rounding of sums: 3 x 0.1 means 0.3, not 0.30000000000000004.

    Parameters
    ----------
    times : float64 array
        Computed times.
    size : float64 array, broadcastable
        Largest number that went into each sum.

    Returns
    -------
    float64 array
        The nearest number of nine decimals if it is within the rounding error of the sum (so that a
        dose meets the save time that is written the same way), otherwise the time itself.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        decimal = np.round(times, CLEAN_DECIMALS)
        near = np.abs(decimal - times) <= 4 * np.spacing(np.maximum(np.abs(size), np.abs(times)))
    return np.where(np.isfinite(times) & near, decimal, times)


def plus(times: FloatArray, length: FloatArray) -> FloatArray:
    """Sum of times and lengths, without the rounding of the sum."""
    times, length = np.broadcast_arrays(times, length)
    return cleaned(times + length, np.maximum(np.abs(times), np.abs(length)))


def first_times(item: Repeated) -> Series:
    """Times of an item before it is repeated; zero where a rule counts from its firing."""
    times = item.at if isinstance(item, Dose) else item.start
    return 0.0 if times is None else times


def spread(where: str, item: Repeated, stop: FloatArray) -> Spread:
    """Spread an item's records and their repeats over the time of the simulation.

    Parameters
    ----------
    where : str
        Name of the item, for messages.
    item : Dose, Infusion or Window
        The item.
    stop : float64 array, shape (1 or n_patients, 1)
        Stop of the simulation.

    Returns
    -------
    Spread
        Times are infinite where the item is not given, also because its amount is zero.

    Raises
    ------
    ScenarioError
        More repeats than anybody means.
    """
    first, limit = columns(first_times(item)), _limit(item, stop)
    number = repeats(where, item, stop)
    most = int(number.max(initial=0))
    if first.shape[1] == 1 or most <= 1:
        return _in_a_row(item, first, limit, number, max(most, 1))
    # Of each patient: the repeats of its first record, of its second, ...
    rows, n_records = number.shape
    owner = np.repeat(np.arange(number.size), number.ravel())
    row, record = np.divmod(owner, n_records)
    own = number.sum(axis=1)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(own) - own, own)
    flat = number.ravel()
    repeat = np.arange(len(owner)) - np.repeat(np.cumsum(flat) - flat, flat)
    shape = (rows, max(int(own.max(initial=0)), 1))
    begins = np.full(shape, np.inf)
    start = np.broadcast_to(first, number.shape)[row, record]
    if item.every is None:
        begins[row, place] = start
    else:
        later = np.broadcast_to(columns(item.every), number.shape)[row, record] * repeat
        begins[row, place] = cleaned(start + later, np.maximum(np.abs(start), later))
    begins = np.where(begins < limit, begins, np.inf)
    records, repeated = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    records[row, place], repeated[row, place] = record, repeat
    return Spread(begins, records, repeated)


def _in_a_row(
    item: Repeated, first: FloatArray, limit: FloatArray, number: IntArray, most: int
) -> Spread:
    """Spread one record and its repeats, or several records without repeats."""
    n_records = first.shape[1]
    repeat = np.repeat(np.arange(most), n_records)[None, :]
    record = np.tile(np.arange(n_records), most)[None, :]
    begins = first
    if most > 1:
        steps = columns(item.every) * repeat  # type: ignore[arg-type]
        begins = cleaned(first + steps, np.maximum(np.abs(first), steps))
    given = (begins < limit) & (repeat < number)
    return Spread(np.where(given, begins, np.inf), record, repeat)


def repeats(where: str, item: Repeated, stop: FloatArray) -> IntArray:
    """How often each record is given, rather one too many, shape (1 or n_patients, n_records).

    Parameters
    ----------
    where, item, stop
        As for `spread`.
    """
    first, limit = columns(first_times(item)), _limit(item, stop)
    given = first < limit
    for size in _sizes(item):
        given = given & (size > 0)
    if item.count is not None:
        given = given & (columns(item.count) > 0)
    if item.every is None:
        return given.astype(np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        number = np.ceil((limit - first) / columns(item.every)) + 1.0
    if item.count is not None:
        number = np.minimum(number, columns(item.count))
    number = np.where(given, number, 0.0)
    most = float(np.max(number.sum(axis=1), initial=0.0))
    if most > MOST_REPEATS + number.shape[1]:
        raise ScenarioError(
            f"{where}: every = {float(np.min(item.every)):g} makes {most:.3g} repeats for one "
            f"patient, more than {MOST_REPEATS}. Is the interval in the model's time unit? For "
            f"frequent dosing use an Infusion of the same total."
        )
    return number.astype(np.int64)


def nominal_times(where: str, item: Repeated, stop: FloatArray) -> FloatArray:
    """Times of all administrations without lag, shape (1 or n_patients, k); see `spread`."""
    return spread(where, item, stop).begins


def _sizes(item: Repeated) -> list[FloatArray]:
    """What must be above zero for an item to be given at all."""
    names = {Dose: ("amount",), Infusion: ("amount", "rate", "duration")}.get(type(item), ())
    values = [getattr(item, name) for name in names]
    return [columns(value) for value in values if value is not None and not isinstance(value, str)]


def resolved(value: Series | str | None, history: History, times: FloatArray) -> FloatArray:
    """A field as a table, by record; a text is the parameter of that name, None is 1."""
    if isinstance(value, str):
        return history.at(value, times)
    return np.ones((1, 1)) if value is None else columns(value)


def steady_part(value: Series | str | None, history: History, times: FloatArray) -> FloatArray:
    """A field that multiplies what enters; 1 if it changes, as the entries then hold it."""
    changes = isinstance(value, str) and history.reads([value])
    return np.ones((1, 1)) if changes else resolved(value, history, times)


def narrow(values: FloatArray) -> FloatArray:
    """Shape (1, 1) where all patients agree, (n_patients, 1) otherwise."""
    same = bool((values == values[:1]).all()) if values.size else True
    return values[:1, None] if same else values[:, None]


def administration(
    name: str, item: Dose | Infusion, history: History, stop: FloatArray
) -> Administration:
    """Spread an item out in time, with lag, bioavailability and adherence.

    Parameters
    ----------
    name : str
        Name of the item in the therapy.
    item : Dose or Infusion
        The item.
    history : History
        Who is treated, with their parameters.
    stop : float64 array, shape (1 or n_patients, 1)
        Stop of the simulation.
    """
    where = f"therapy.{name}"
    times = spread(where, item, stop)
    begins = times.begins
    if item.adherence is not None:
        begins = np.where(_taken(name, item, times, history.people), begins, np.inf)
    enters = begins if item.lag is None else plus(begins, times.of_records(lag_of(item, history)))
    if isinstance(item, Dose):
        share = steady_part(item.bioavailability, history, recorded(item))
        with np.errstate(over="ignore"):
            level = times.of_records(columns(item.amount)) * times.of_records(share)
        if not np.isfinite(level).all():
            raise ScenarioError(
                f"{where}: amount times bioavailability is larger than any number. Give less."
            )
        ends = np.full((1, 1), np.inf)
    else:
        rate, long = rate_and_length(where, item, history)
        level, length = times.of_records(rate), times.of_records(long)
        ends = plus(enters, length)
        if item.stop is not None and item.lag is None and not _shortened(item):
            # As it was given, not as a sum that rounding may move.
            ends = times.of_records(columns(item.stop))
        enters, length = np.broadcast_arrays(enters, length)
        enters = np.where(length > 0, enters, np.inf)
    given = (enters < stop) & (level > 0)
    for parameter in level_names(item):
        if parameter in history.known and parameter not in history.live:
            given = given & (times.of_records(history.at(parameter, recorded(item))) > 0)
    entries = tuple(
        entry._replace(factor=times.of_records(entry.factor))
        for entry in history.entries(item, recorded(item))
    )
    begins, enters, ends, given, last = np.broadcast_arrays(begins, enters, ends, given, stop)
    return Administration(
        np.where(given, begins, np.inf),
        np.where(given, enters, np.inf),
        np.where(given & (ends < last), ends, np.inf),
        level,
        times.of_records(recorded(item)),
        entries,
        times.record,
        np.full((1, 1), np.inf) if isinstance(item, Dose) else times.of_records(long),
    )


def recorded(item: Repeated) -> FloatArray:
    """Times of an item's records, shape (1 or n_patients, n_records)."""
    return columns(first_times(item))


def level_names(item: Dose | Infusion) -> tuple[str, ...]:
    """Parameters that multiply how much of an item enters."""
    named: tuple[object, ...] = (item.bioavailability,)
    if isinstance(item, Infusion):
        named = (item.rate, None if item.shortens else item.bioavailability)
    return tuple(name for name in named if isinstance(name, str))


def timing_names(item: Dose | Infusion) -> dict[str, str]:
    """Parameters that say when an item enters and for how long, by field."""
    named: dict[str, object] = {"lag": item.lag}
    if isinstance(item, Infusion):
        named["duration"] = item.duration
        if item.shortens:
            named["bioavailability"] = item.bioavailability
        if item.duration is None and item.stop is None and item.amount is not None:
            named["rate"] = item.rate
    return {field: name for field, name in named.items() if isinstance(name, str)}


def lag_of(item: Dose | Infusion, history: History) -> FloatArray:
    """Lag of an item's records, shape (1 or n_patients, 1 or n_records)."""
    return np.zeros((1, 1)) if item.lag is None else resolved(item.lag, history, recorded(item))


def _shortened(item: Infusion) -> bool:
    return item.bioavailability is not None and item.shortens


def rate_and_length(where: str, item: Infusion, history: History) -> tuple[FloatArray, FloatArray]:
    """Rate and length of an item's infusions, with the bioavailability in one of them.

    What changes is not in the rate, but in the item's entries.

    Parameters
    ----------
    where : str
        Name of the item, for messages.
    item : Infusion
        The item.
    history : History
        Who is treated, with their parameters.

    Returns
    -------
    tuple of two float64 arrays, shape (1 or n_patients, 1 or k)
    """
    times = recorded(item)
    if isinstance(item.duration, str):
        length = resolved(item.duration, history, times)
    elif item.duration is None and item.stop is None and item.amount is not None:
        length = ratio(columns(item.amount), resolved(item.rate, history, times))
    else:
        length = item.length(first_times(item))
    if item.rate is not None:
        rate = steady_part(item.rate, history, times)
    else:
        assert item.amount is not None
        rate = ratio(columns(item.amount), length)
    if item.bioavailability is not None and item.shortens:
        length = length * resolved(item.bioavailability, history, times)
    else:
        rate = rate * steady_part(item.bioavailability, history, times)
    if isinstance(item.duration, str) or isinstance(item.rate, str):
        check_length(where, length)
    return rate, length


def _taken(name: str, item: Dose | Infusion, times: Spread, people: People) -> NDArray[np.bool_]:
    """Which doses are taken; drawn by item, patient and dose."""
    assert item.adherence is not None
    n_records = columns(first_times(item)).shape[1]
    numbers = people.numbers[:, None] * MOST_REPEATS + times.repeat * n_records + times.record
    drawn = uniforms(people.seed, f"{name}:adherence", numbers.ravel()).reshape(numbers.shape)
    return np.asarray(drawn < columns(item.adherence), dtype=np.bool_)


def window_times(
    where: str, window: Window, start: float, stop: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Beginning and end of windows inside the simulation, infinite where there is none.

    Parameters
    ----------
    where : str
        Name of the window, for messages.
    window : Window
        The window.
    start : float
        Start of the simulation.
    stop : float64 array, shape (1 or n_patients, 1)
        Stop of the simulation.

    Returns
    -------
    tuple of two float64 arrays, shape (1 or n_patients, k)
    """
    begins = nominal_times(where, window, stop)
    if window.duration is not None:
        ends = plus(begins, columns(window.duration))
    else:
        ends = stop if window.stop is None else columns(window.stop)
    begins, ends, last = np.broadcast_arrays(begins, ends, stop)
    exists = (begins < ends) & (ends > start) & (begins < last)
    return (
        np.where(exists, np.maximum(begins, start), np.inf),
        np.where(exists & (ends < last), ends, np.inf),
    )


def _limit(item: Repeated, stop: FloatArray) -> FloatArray:
    """Time before which the last one begins."""
    return stop if item.until is None else np.minimum(stop, columns(item.until))
