"""Steady-state doses: the state that a regimen given for ever would have led to.

A dose with a steady state stands for the same dose having been given every interval since ever. At
its time the state of the compartments that it determines is the fixed point of one interval:
what the interval makes of it is the same again. Doses of before that lag, and infusions of before
that are longer than the interval, go on.

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
from carsim.therapy.expand import Administration
from carsim.therapy.timeline import Actions, Order, changed_only, running, to_stops
from carsim.therapy.values import FloatArray, columns

MOST_OVERLAPPING = 1000
"""More infusions running at a time than this are taken for a slip."""

CONSTANT_PERIOD = 1.0
"""Interval, in time units, over which a constant infusion must change nothing."""


@dataclass(frozen=True)
class Period:
    """One interval of a regimen given for ever.

    Attributes
    ----------
    length : float64 array, shape (n_patients,), model time unit
    stops : Stops
        Doses and edges of infusions, from 0 to `length`.
    courses : Courses
        Infusions, one a state.
    parameters : float64 array, shape (n_patients, n_parameters)
    states : tuple of int
        Columns of the states that the regimen enters.
    """

    length: FloatArray
    stops: Stops
    courses: Courses
    parameters: FloatArray
    states: tuple[int, ...]


Solve: TypeAlias = Callable[[Period], tuple[NDArray[np.int64], FloatArray]]
"""Finds the columns of the states that a period determines, shape (m,), and their values at its
beginning, shape (n_patients, m); see `carsim.scenario.steady_state`."""


def before_record(
    where: str, item: Dose | Infusion, given: Administration, lag: FloatArray
) -> Administration:
    """What earlier doses of a steady state still have to give at its time.

    Parameters
    ----------
    where : str
        Name of the item, for messages.
    item : Dose or Infusion
        An item with a steady state.
    given : Administration
        What the item itself gives; its first column is the steady state's own.
    lag : float64 array, shape (1 or n_patients, 1)
        Lag of the item.

    Returns
    -------
    Administration
        Of no column where nothing is left.
    """
    begins, enters = given.begins[:, :1], given.enters[:, :1]
    empty = np.full((1, 0), np.inf)
    if item.every is None:
        return Administration(empty, empty, empty, given.level[:, :1])
    every = columns(item.every)
    length = np.zeros((1, 1)) if isinstance(item, Dose) else _length(given)
    number = _overlaps(where, lag + length, every)
    back = np.arange(1, number + 1) * every
    earlier = enters - back
    ends = earlier + length if isinstance(item, Infusion) else np.full_like(earlier, np.inf)
    reach = earlier if isinstance(item, Dose) else ends
    with np.errstate(invalid="ignore"):
        left = np.isfinite(begins) & (reach >= begins if isinstance(item, Dose) else reach > begins)
    return Administration(
        np.where(left, begins, np.inf),
        np.where(left, np.maximum(earlier, begins), np.inf),
        np.where(left, ends, np.inf),
        given.level[:, :1],
    )


def period(
    where: str,
    item: Dose | Infusion,
    given: Administration,
    lag: FloatArray,
    fractions: Sequence[tuple[int, FloatArray]],
    parameters: FloatArray,
) -> Period:
    """One interval of an item's regimen, from the time of the record on.

    Parameters
    ----------
    where : str
        Name of the item, for messages.
    item : Dose or Infusion
        An item with a steady state.
    given : Administration
        What it gives; its first column is the steady state's own.
    lag : float64 array, shape (1 or n_patients, 1)
        Lag of the item.
    fractions : sequence of (int, float64 array)
        States that it enters, with state units per unit of dose.
    parameters : float64 array, shape (n_patients, n_parameters)
        Parameters at the time of the record.
    """
    n_patients = len(parameters)
    level = given.level[:, :1]
    if item.every is None:
        every = np.full((1, 1), CONSTANT_PERIOD)
        begins, ends = np.zeros((1, 1)), np.full((1, 1), np.inf)
    else:
        every = columns(item.every)
        phase = np.mod(lag, every)
        length = np.zeros((1, 1)) if isinstance(item, Dose) else _length(given)
        number = 0 if isinstance(item, Dose) else _overlaps(where, phase + length, every)
        begins = phase - np.arange(number, -1, -1) * every
        ends = begins + length
        begins, ends = np.broadcast_arrays(begins, ends)
        inside = ends > 0.0 if isinstance(item, Infusion) else begins >= 0.0
        begins = np.where(inside, np.maximum(begins, 0.0), np.inf)
        ends = np.where(inside & (ends < every), ends, np.inf)
    actions = []
    courses = []
    for number, (state, fraction) in enumerate(fractions):
        if isinstance(item, Dose):
            actions.append(
                Actions(Order.DOSE, Action.ADD_STATE, state, begins, level * fraction, 0)
            )
            continue
        time, total, _ = running(begins, ends)
        time = changed_only(time, total, np.zeros((1, 1)))
        actions.append(Actions(Order.INFUSION, Action.SET_RUNNING, number, time, total, 0))
        courses.append((state, level * fraction))
    return Period(
        np.broadcast_to(every[:, 0], (n_patients,)),
        to_stops(actions, n_patients),
        inputs(courses),
        parameters,
        tuple(state for state, _ in fractions),
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


def _length(given: Administration) -> FloatArray:
    """Length of the first infusion; zero where none is given."""
    with np.errstate(invalid="ignore"):
        length = given.ends[:, :1] - given.enters[:, :1]
    return np.where(np.isfinite(length), length, 0.0)


def _overlaps(where: str, reach: FloatArray, every: FloatArray) -> int:
    """How many earlier doses can matter."""
    number = float(np.max(np.ceil(reach / every), initial=0.0))
    if number > MOST_OVERLAPPING:
        raise ScenarioError(
            f"{where}: {number:g} infusions would run at a time in steady state. Is every in the "
            f"model's time unit?"
        )
    return int(number)
