"""Parameters over time: what items read at their records.

A bioavailability, lag, rate or duration that names a parameter, and a route's fraction that is a
function of parameters, have the value of the time of the record; its repeats keep it. What
covariates and scheduled windows change is known in advance and looked up here. What rules change,
and when rules give, is known only while the simulation runs: the engine then reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import SAME_INSTANT
from carsim.errors import ModelError
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import People, level_names, narrow, timing_names, window_times
from carsim.therapy.rules import Hazard, Rule, SetParameter
from carsim.therapy.values import FloatArray, Item, columns
from carsim.therapy.windows import Covariate, Window

if TYPE_CHECKING:
    from carsim.model import Model

Reading: TypeAlias = tuple[tuple[str, ...], str, str]
"""A product that the engine reads at a record: parameters, and the fraction of a route (or "") into
a state."""


class Entry(NamedTuple):
    """How an item enters one state.

    Attributes
    ----------
    state : int
        Column of the state.
    factor : float64 array, shape (1 or n_patients, 1 or k)
        State units per unit of what is given, by record.
    reading : tuple, optional
        What the engine reads at the record in place of the factor, which then is 1.
    """

    state: int
    factor: FloatArray
    reading: Reading | None = None


class History:
    """Parameters of the patients over time, as far as they are known in advance.

    Parameters
    ----------
    model : Model
        Model that is treated.
    people : People
        Who is treated.
    therapy : mapping of str to items
        Items by name, bundles taken apart; those that change parameters count.
    start : float, model time unit
        Start of the simulation.
    stop : float64 array, shape (1 or n_patients, 1)
        Stop of the simulation.
    live : iterable of str
        Parameters whose values are known only while the simulation runs.
    changing : iterable of str
        Parameters to be taken for changing whether or not an item changes them.

    Attributes
    ----------
    known : frozenset of str
        Parameters that covariates and scheduled windows change.
    """

    def __init__(
        self,
        model: Model,
        people: People,
        therapy: Mapping[str, Item],
        start: float,
        stop: FloatArray,
        live: Iterable[str] = (),
        changing: Iterable[str] = (),
    ) -> None:
        self.model, self.people = model, people
        self.start, self.stop = start, stop
        self.live = frozenset(live)
        self._covariates = {
            item.parameter: item for item in therapy.values() if isinstance(item, Covariate)
        }
        self._windows: dict[str, list[tuple[str, Window]]] = {}
        for name, item in therapy.items():
            if isinstance(item, Window):
                self._windows.setdefault(item.parameter, []).append((name, item))
        self.known = frozenset((*self._covariates, *self._windows, *changing))
        self._times: dict[str, tuple[FloatArray, FloatArray]] = {}
        self._fractions: dict[tuple[str, str], FloatArray] = {}

    def after_firing(self) -> History:
        """The parameters of whom rules treat: what changes is read when they give."""
        return History(self.model, self.people, {}, self.start, self.stop, self.known | self.live)

    def at(self, parameter: str, times: FloatArray) -> FloatArray:
        """Values of a parameter at times of every patient, shape (1 or n_patients, 1 or k).

        What changes at that very instant has changed; of a "nocb" covariate the record of that
        instant holds.

        Parameters
        ----------
        parameter : str
            Name.
        times : float64 array, shape (1 or n_patients, k), model time unit
            Infinite where nothing is asked for.
        """
        value = narrow(self.people.parameters[:, self.model.parameter_index[parameter]])
        if parameter not in self.known:
            return value
        when = np.where(np.isfinite(times), times, self.start)
        if parameter in self._covariates:
            value = covariate_at(self._covariates[parameter], when)
        windows = self._windows.get(parameter, ())
        for scaling in (False, True):
            for name, window in windows:
                if (window.value is None) != scaling:
                    continue
                given = columns(window.scale if scaling else window.value)  # type: ignore[arg-type]
                runs = self._runs(name, window, when)
                value = np.where(runs, value * given if scaling else given, value)
        return value

    def table(self, time: FloatArray) -> FloatArray:
        """All parameters at one time a patient, shape (n_patients, n_parameters).

        Parameters
        ----------
        time : float64 array, shape (1 or n_patients, 1), model time unit
        """
        table = self.people.parameters.copy()
        for name in self.known:
            table[:, self.model.parameter_index[name]] = self.at(name, time)[:, 0]
        return table

    def _runs(self, name: str, window: Window, when: FloatArray) -> NDArray[np.bool_]:
        """Whether a window runs, from its beginning on and before its end."""
        if name not in self._times:
            self._times[name] = window_times(f"therapy.{name}", window, self.start, self.stop)
        late = when + SAME_INSTANT * np.maximum(np.abs(when), 1.0)
        begun, ended = (_count(edges, late) for edges in self._times[name])
        return np.asarray(begun > ended)

    def reads(self, names: Iterable[str]) -> bool:
        """Whether any of these parameters changes at all."""
        return not (self.known | self.live).isdisjoint(names)

    def entries(self, item: Dose | Infusion, times: FloatArray) -> tuple[Entry, ...]:
        """States that an item enters, with what multiplies its amount (or rate) at its records.

        Parameters
        ----------
        item : Dose or Infusion
            The item.
        times : float64 array, shape (1 or n_patients, n_records), model time unit
            Times of its records.

        Returns
        -------
        tuple of Entry
            States with a factor of zero for everybody are left out.
        """
        names = tuple(name for name in level_names(item) if self.reads([name]))
        found = []
        for state, given in fractions_of(self.model, item.into).items():
            column = self.model.state_index[state]
            reading = _reading(self.model, item, state, self.known | self.live, self.live)
            if reading is not None:
                found.append(Entry(column, np.ones((1, 1)), reading))
                continue
            factor = self._fraction(item.into, state, given, times)
            if names:
                product = self.at(names[0], times)
                for name in names[1:]:
                    product = product * self.at(name, times)
                # As the engine multiplies what it reads.
                factor = product * factor
            if factor.any():
                found.append(Entry(column, factor))
        return tuple(found)

    def _fraction(self, into: str, state: str, given: Any, times: FloatArray) -> FloatArray:
        """State units per unit of a route, shape (1 or n_patients, 1 or n_records)."""
        if not callable(given):
            return np.full((1, 1), float(given))
        changing = self.reads(fraction_reads(self.model, into, state))
        if not changing and (into, state) in self._fractions:
            return self._fractions[into, state]
        table, index = self.people.parameters, self.model.parameter_index
        leaves: list[FloatArray] = list(table.T)
        if changing:
            leaves = [column[:, None] for column in leaves]
            for name in self.known:
                leaves[index[name]] = self.at(name, times)
        fraction = np.asarray(given(self.model.parameter_record(leaves)), dtype=np.float64)
        if changing:
            return np.broadcast_to(fraction, (len(table), fraction.shape[1]))
        fraction = narrow(np.broadcast_to(fraction, (len(table),)))
        self._fractions[into, state] = fraction
        return fraction


def _reading(
    model: Model,
    item: Dose | Infusion,
    state: str,
    changing: frozenset[str],
    live: frozenset[str],
) -> Reading | None:
    """What the engine reads when an item is given; None where all is known in advance."""
    given = fractions_of(model, item.into)[state]
    names = tuple(name for name in level_names(item) if name in changing)
    reads = fraction_reads(model, item.into, state).union(names)
    if live.isdisjoint(reads) or not (callable(given) or given != 0.0):
        return None
    return (names, item.into, state) if item.into in model.routes else (names, "", "")


def readings_of(model: Model, therapy: Mapping[str, Item]) -> tuple[Reading, ...]:
    """What the engine reads at the records of a therapy, each once.

    Parameters
    ----------
    model : Model
        Model that is treated.
    therapy : mapping of str to items
        Items by name, bundles taken apart.
    """
    by_rules = changed_by_rules(therapy)
    changing = by_rules | changed_in_advance(therapy)
    found: dict[Reading, None] = {}
    for item in therapy.values() if changing else ():
        parts, live = given_by(item, changing, by_rules)
        for part in parts:
            for state in fractions_of(model, part.into):
                reading = _reading(model, part, state, changing, live)
                if reading is not None:
                    found[reading] = None
    return tuple(found)


def given_by(
    item: Item, changing: frozenset[str], by_rules: frozenset[str]
) -> tuple[list[Dose | Infusion], frozenset[str]]:
    """Doses and infusions of an item, and the parameters not known in advance at their records.

    Parameters
    ----------
    item : Item
        Item of the therapy.
    changing, by_rules : frozenset of str
        Parameters that change at all, and those that rules change.
    """
    if isinstance(item, Rule | Hazard):
        return [part for part in item.actions if isinstance(part, Dose | Infusion)], changing
    return ([item] if isinstance(item, Dose | Infusion) else []), by_rules


def read_by(model: Model, readings: Iterable[Reading]) -> frozenset[str]:
    """Parameters that go into readings.

    Parameters
    ----------
    model : Model
        Model that is treated.
    readings : iterable of tuple
        Result of `readings_of`.
    """
    found: set[str] = set()
    for names, into, state in readings:
        found.update(names)
        if into:
            found |= fraction_reads(model, into, state)
    return frozenset(found)


def changed_by_rules(therapy: Mapping[str, Item]) -> frozenset[str]:
    """Parameters that rules and hazards change.

    Parameters
    ----------
    therapy : mapping of str to items
        Items by name, bundles taken apart.
    """
    return frozenset(
        part.parameter
        for item in therapy.values()
        if isinstance(item, Rule | Hazard)
        for part in item.actions
        if isinstance(part, Window | SetParameter)
    )


def changed_in_advance(therapy: Mapping[str, Item]) -> frozenset[str]:
    """Parameters that covariates and scheduled windows change.

    Parameters
    ----------
    therapy : mapping of str to items
        Items by name, bundles taken apart.
    """
    return frozenset(
        item.parameter for item in therapy.values() if isinstance(item, Covariate | Window)
    )


def named_settings(item: Dose | Infusion) -> frozenset[str]:
    """Parameters that the settings of an item name."""
    return frozenset((*level_names(item), *timing_names(item).values()))


def fractions_of(model: Model, into: str) -> Mapping[str, float | Callable[[Any], float]]:
    """States that a route leads to, with state units per unit of dose or a function of these."""
    return model.routes[into].fractions if into in model.routes else {into: 1.0}


@lru_cache(maxsize=1024)
def fraction_reads(model: Model, into: str, state: str) -> frozenset[str]:
    """Parameters that a route's fraction is a function of.

    A function that cannot be called with a mere list of names reads all of them.

    Parameters
    ----------
    model : Model
        Model that is treated.
    into : str
        Route, or state.
    state : str
        State that it leads to.
    """
    given = fractions_of(model, into)[state]
    if not callable(given):
        return frozenset()
    record = model.parameter_record(_Read(frozenset([name])) for name in model.parameter_names)
    # The function was written for numbers: whatever it does with names, it need not work.
    try:
        return _names_in((given(record),))
    except (ArithmeticError, AttributeError, ModelError, TypeError, ValueError):
        return frozenset(model.parameter_names)


class _Read:
    """Stands in for a number and remembers the parameters that went into it."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def __carsim_function__(self, name: str, args: tuple[Any, ...]) -> _Read:
        return _Read(_names_in(args))

    def _joined(self, *others: object) -> _Read:
        return _Read(_names_in((self, *others)))

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _joined
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __neg__ = __pos__ = __abs__ = _joined
    __lt__ = __le__ = __gt__ = __ge__ = __and__ = __or__ = __invert__ = _joined

    def __bool__(self) -> bool:
        raise TypeError("a name has no truth value")


def _names_in(values: Iterable[object]) -> frozenset[str]:
    return frozenset().union(*(value.names for value in values if isinstance(value, _Read)))


def _count(edges: FloatArray, when: FloatArray) -> NDArray[np.int64]:
    """How many edges of each row lie at each time or before, shape (1 or n_patients, k)."""
    if len(edges) == 1:
        return np.searchsorted(np.sort(edges[0]), when, side="right")
    total = np.zeros((len(edges), when.shape[1]), dtype=np.int64)
    for column in range(edges.shape[1]):
        total += edges[:, column : column + 1] <= when
    return total


def covariate_at(covariate: Covariate, when: FloatArray) -> FloatArray:
    """Values at times of each patient; of a record at that time its own.

    Parameters
    ----------
    covariate : Covariate
    when : float64 array, shape (1 or n_patients, k), finite

    Returns
    -------
    float64 array, shape (1 or n_patients, k)
    """
    times, values = np.broadcast_arrays(columns(covariate.at), columns(covariate.value))
    nearly = SAME_INSTANT * np.maximum(np.abs(when), 1.0)
    rows = max(len(times), len(when))
    place = np.zeros((rows, when.shape[1]), dtype=np.int64)
    # A record at that instant is not behind it: the next value is its own. Else it is the last.
    shift = 0 if covariate.interpolation == "nocb" else 1
    limit = when - nearly if covariate.interpolation == "nocb" else when + nearly
    for column in range(times.shape[1]):
        time = times[:, column : column + 1]
        place += (time < limit) if covariate.interpolation == "nocb" else (time <= limit)
    place -= shift
    n_known = np.isfinite(times).sum(axis=1, keepdims=True)

    def at(table: FloatArray, column: NDArray[np.int64]) -> FloatArray:
        within = np.clip(column, 0, np.broadcast_to(n_known, column.shape) - 1)
        wide = np.broadcast_to(table, (len(column), table.shape[1]))
        found: FloatArray = np.take_along_axis(wide, within, axis=1)
        return found

    value = at(values, place)
    if covariate.interpolation != "linear":
        return value
    begin, end, last = at(times, place), at(times, place + 1), at(values, place + 1)
    part = np.divide(when - begin, end - begin, out=np.zeros(begin.shape), where=end > begin)
    return value + np.clip(part, 0.0, 1.0) * (last - value)
