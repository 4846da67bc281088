"""Steady-state doses: the state that a regimen given for ever would have led to.

A dose with a steady state stands for the same dose having been given every interval since ever. At
its time the state of the compartments that it determines is the fixed point of one interval:
what the interval makes of it is the same again. These are the compartments that it enters, those
that feed them, and those that follow from them alone. Doses of before that lag, and infusions of
before that are longer than the interval, go on.

A constant infusion has the state at which nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import Action, CourseKind, Courses, Stops
from carsim.errors import ScenarioError
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import (
    Administration,
    cleaned,
    lag_of,
    rate_and_length,
    recorded,
    repeats,
    steady_part,
)
from carsim.therapy.history import Entry, History
from carsim.therapy.timeline import Actions, Order, changed_only, running, to_stops
from carsim.therapy.values import FloatArray, columns

MOST_OVERLAPPING = 1000
"""More infusions running at a time than this are taken for a slip."""

WHOLE = 1e-12
"""A lag this close (relative) to a whole number of intervals is one."""


@dataclass(frozen=True)
class Train:
    """What has been given for ever when the record of a steady state comes.

    Attributes
    ----------
    time : float64 array, shape (1 or n_patients, 1), model time unit
        Of the record; infinite for a patient without one.
    every : float64 array, shape (1 or n_patients, 1), or None
        Interval; None for a constant rate.
    waiting : int64 array, shape (1 or n_patients, 1)
        Doses that were ordered before the record and have not entered, because of their lag.
    phase : float64 array, shape (1 or n_patients, 1)
        Time from the record to the entrance of the first of them: the lag without the intervals.
    level, length : float64 arrays, shape (1 or n_patients, 1)
        Amount of a dose, or rate and length of an infusion.
    entries : tuple of Entry
        States that it enters, with the factors of the record.
    """

    time: FloatArray
    every: FloatArray | None
    waiting: NDArray[np.int64]
    phase: FloatArray
    level: FloatArray
    length: FloatArray
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Period:
    """One interval of a regimen given for ever.

    Attributes
    ----------
    length : float64 array, shape (n_patients,), model time unit
        Infinite for a constant rate, which changes nothing over any time.
    stops : Stops
        Doses and edges of infusions, from 0 to `length`.
    courses : Courses
        Infusions, one a state.
    parameters : float64 array, shape (n_patients, n_parameters)
    states : tuple of int
        Columns of the states that the regimen enters.
    patients : int64 array, shape (n,)
        Positions of the patients that have the record.
    """

    length: FloatArray
    stops: Stops
    courses: Courses
    parameters: FloatArray
    states: tuple[int, ...]
    patients: NDArray[np.int64]


@dataclass(frozen=True)
class SteadyStates:
    """Where a regimen given for ever leads.

    Attributes
    ----------
    states : int64 array, shape (m,)
        Columns of the states that the regimen determines.
    values : float64 array, shape (n_patients, m)
        At the beginning of an interval; NaN for a patient without a steady state.
    growing : bool array, shape (n_patients,)
        Whether there is none because no less enters than can leave.
    timed : tuple of int
        Those of the states whose equations depend on the time.
    reads : frozenset of str
        Parameters that the equations of the states read.
    """

    states: NDArray[np.int64]
    values: FloatArray
    growing: NDArray[np.bool_]
    timed: tuple[int, ...]
    reads: frozenset[str]


Solve: TypeAlias = Callable[[Period], SteadyStates]
"""Finds steady states; see `carsim.scenario.steady_state`."""


@dataclass(frozen=True)
class Unsteady:
    """Patients for whom an item has no steady state.

    Attributes
    ----------
    item : str
        Name of the item.
    patients : int64 array, shape (n,)
        Their positions.
    time : float64 array, shape (n,), model time unit
        Of the record.
    growing : bool array, shape (n,)
        Whether no less enters than can leave; else none was found.
    """

    item: str
    patients: NDArray[np.int64]
    time: FloatArray
    growing: NDArray[np.bool_]


def train(where: str, item: Dose | Infusion, history: History, stop: FloatArray) -> Train:
    """Say what a steady state stands for. It is there also if its own dose comes after the stop.

    Parameters
    ----------
    where : str
        Name of the item, for messages.
    item : Dose or Infusion
        An item with a steady state.
    history : History
        Who is treated, with their parameters.
    stop : float64 array, shape (1 or n_patients, 1)
        Stop of the simulation.
    """
    first = recorded(item)
    if isinstance(item, Dose):
        level = columns(item.amount) * steady_part(item.bioavailability, history, first)
        length = np.zeros((1, 1))
    else:
        level, length = rate_and_length(where, item, history)
    if item.every is None:
        # The state of a rate is there whether or not the infusion goes on.
        given = (level > 0.0) & (first < stop)
    else:
        given = repeats(where, item, stop) > 0
    lag = lag_of(item, history)
    waiting, phase = np.zeros((1, 1), dtype=np.int64), lag
    every = None if item.every is None else columns(item.every)
    if every is not None:
        ratio = lag / every
        whole = np.abs(ratio - np.round(ratio)) <= WHOLE * np.maximum(ratio, 1.0)
        count = np.where(whole, np.round(ratio), np.floor(ratio))
        waiting = count.astype(np.int64)
        phase = np.where(whole, 0.0, lag - count * every)
    entries = history.entries(item, first)
    return Train(np.where(given, first, np.inf), every, waiting, phase, level, length, entries)


def before_record(where: str, item: Dose | Infusion, given: Train) -> Administration:
    """What earlier doses of a steady state still have to give at its time.

    Parameters
    ----------
    where : str
        Name of the item, for messages.
    item : Dose or Infusion
        An item with a steady state.
    given : Train
        What it stands for.

    Returns
    -------
    Administration
        Of no column where nothing is left.
    """
    time, every, record = given.time, given.every, np.zeros((1, 1), dtype=np.int64)
    if every is None:
        if isinstance(item, Dose) or not item.is_endless or item.lag is None:
            none = np.full((1, 0), np.inf)
            return Administration(none, none, none, given.level, time, given.entries, record)
        # The rate of before goes on until that of the record enters.
        ends = np.where(given.phase > 0.0, time + given.phase, np.inf)
        begins = np.where(given.phase > 0.0, time, np.inf)
        return Administration(begins, begins, ends, given.level, time, given.entries, record)
    number = _overlaps(where, given)
    # The first of those that wait enters a phase after the record.
    after = given.phase + (given.waiting - np.arange(1, number + 1)) * every
    reach = after if isinstance(item, Dose) else after + given.length
    left = np.isfinite(time) & (reach >= 0.0 if isinstance(item, Dose) else reach > 0.0)
    left = left & (given.level > 0.0)
    with np.errstate(invalid="ignore"):
        enters = cleaned(time + np.maximum(after, 0.0), np.abs(time))
        ends = cleaned(time + reach, np.abs(time))
    begins, enters, ends, left = np.broadcast_arrays(time, enters, ends, left)
    return Administration(
        np.where(left, begins, np.inf),
        np.where(left, enters, np.inf),
        np.where(left & isinstance(item, Infusion), ends, np.inf),
        given.level,
        time,
        given.entries,
        record,
    )


def period(
    where: str,
    item: Dose | Infusion,
    given: Train,
    parameters: FloatArray,
) -> Period:
    """One interval of an item's regimen, from the time of the record on.

    Parameters
    ----------
    where : str
        Name of the item, for messages.
    item : Dose or Infusion
        An item with a steady state.
    given : Train
        What it stands for.
    parameters : float64 array, shape (n_patients, n_parameters)
        Parameters at the time of the record.
    """
    n_patients = len(parameters)
    every = np.full((1, 1), np.inf) if given.every is None else given.every
    if given.every is None:
        begins, ends = np.zeros((1, 1)), np.full((1, 1), np.inf)
    else:
        number = 0 if isinstance(item, Dose) else _overlaps(where, given)
        begins = given.phase - np.arange(number, -1, -1) * every
        ends = begins + given.length
        begins, ends = np.broadcast_arrays(begins, ends)
        inside = ends > 0.0 if isinstance(item, Infusion) else begins >= 0.0
        begins = np.where(inside, np.maximum(begins, 0.0), np.inf)
        ends = np.where(inside & (ends < every), ends, np.inf)
    actions = []
    courses = []
    for number, (state, fraction, _) in enumerate(given.entries):
        if isinstance(item, Dose):
            actions.append(
                Actions(Order.DOSE, Action.ADD_STATE, state, begins, given.level * fraction, 0)
            )
            continue
        time, total, _ = running(begins, ends)
        time = changed_only(time, total, np.zeros((1, 1)))
        actions.append(Actions(Order.INFUSION, Action.SET_RUNNING, number, time, total, 0))
        courses.append((state, given.level * fraction))
    recorded = np.broadcast_to(np.isfinite(given.time), (n_patients, 1))
    return Period(
        np.broadcast_to(every[:, 0], (n_patients,)),
        to_stops(actions, n_patients),
        inputs(courses),
        parameters,
        tuple(entry.state for entry in given.entries),
        np.flatnonzero(recorded[:, 0]),
    )


def inputs(courses: Sequence[tuple[int, FloatArray]]) -> Courses:
    """Infusions of one item into states, with their rates of shape (1 or n_patients, 1)."""
    if not courses:
        return Courses.none()
    levels = np.broadcast_arrays(*(level for _, level in courses))
    return Courses(
        np.full(len(courses), int(CourseKind.INPUT), dtype=np.int64),
        np.array([state for state, _ in courses], dtype=np.int64),
        np.zeros(len(courses), dtype=np.int64),
        np.concatenate(levels, axis=1),
    )


def _overlaps(where: str, given: Train) -> int:
    """How many earlier doses can matter: those that wait, and those that run."""
    assert given.every is not None
    running = np.ceil((given.phase + given.length) / given.every)
    number = float(np.max(np.where(np.isfinite(given.time), given.waiting + running, 0.0)))
    if number > MOST_OVERLAPPING:
        raise ScenarioError(
            f"{where}: {number:g} infusions would run at a time in steady state. Is every in the "
            f"model's time unit?"
        )
    return int(number)
