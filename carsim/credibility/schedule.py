"""A therapy, and how it moves with the parameters: stops and courses for derivatives.

The derivative of a state jumps where the state does. A dose adds to it what its amount gains from
the direction; a state that is set has the derivative of the value; a window that multiplies a
parameter multiplies that component of the direction, and one that holds a value takes it away. A
dose whose time moves adds the difference of the rates of change before and behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import Action, CourseKind, Courses, Stops
from carsim.model import Model
from carsim.scenario.steady_state import solver
from carsim.therapy import Compiled, Item, People, Sources, compile_therapy

__all__ = ["Augmented", "Layout", "Numbers", "compiled", "numbers_of", "parameters_between"]

Array = NDArray[np.float64]

_ON_STATES = (Action.ADD_STATE, Action.SET_STATE, Action.RESET_STATE)


@dataclass(frozen=True)
class Layout:
    """Where things stand in the augmented program.

    Attributes
    ----------
    own : int
        States of the model; their derivatives are the last `own` states.
    n_states, n_parameters : int
        States before the derivatives, and parameters before the components of the direction.
    component : mapping of int to int
        Column of a parameter's component in the direction, by column of the parameter.
    """

    own: int
    n_states: int
    n_parameters: int
    component: Mapping[int, int]


@dataclass(frozen=True)
class Numbers:
    """Values and times of a therapy for several patients who differ in their parameters.

    Attributes
    ----------
    value, time : float64 arrays, shape (n, n_rows)
        Of the stops; NaN for a patient whose stops come in another order.
    level : float64 array, shape (n, n_courses)
        Of the courses.
    """

    value: Array
    time: Array
    level: Array


def compiled(
    model: Model,
    items: Mapping[str, Item],
    p: Array,
    y0: Array,
    start: float,
    stop: float,
) -> Compiled:
    """Compile a therapy for patients who all are patient 0, with other parameters.

    Parameters
    ----------
    model : Model
        Model that is treated.
    items : mapping of str to Item
        Therapy without rules and hazards.
    p, y0 : float64 arrays, shape (n, n_parameters) and (n, n_states)
        Parameters and initial states.
    start, stop : float
        Span of the simulation.
    """
    people = People(p, y0, np.zeros(len(p), dtype=np.int64))
    sources = Sources.of(model, items)
    steady = solver(model, y0)
    return compile_therapy(model, items, people, start, stop, sources, steady)


def numbers_of(therapy: Compiled, base: Stops, n: int) -> Numbers:
    """Put the stops of patients side by side, as those of `base` stand.

    Parameters
    ----------
    therapy : Compiled
        Of n patients.
    base : Stops
        Of the one patient whom the others neighbor.
    n : int
        Number of patients.
    """
    stops = therapy.stops
    level = np.broadcast_to(therapy.courses.level, (n, therapy.courses.level.shape[1]))
    rows = len(base.time)
    if stops.n_owners == 1:
        return Numbers(np.tile(stops.value, (n, 1)), np.tile(stops.time, (n, 1)), level)
    value, time = np.full((n, rows), np.nan), np.full((n, rows), np.nan)
    for owner in range(n):
        part = slice(int(stops.offsets[owner]), int(stops.offsets[owner + 1]))
        same = part.stop - part.start == rows and all(
            np.array_equal(getattr(stops, name)[part], getattr(base, name))
            for name in ("kind", "index", "item")
        )
        if same:
            value[owner], time[owner] = stops.value[part], stops.time[part]
    return Numbers(value, time, level)


@dataclass
class Augmented:
    """Stops and courses of the augmented program, one owner a direction.

    Attributes
    ----------
    layout : Layout
    n : int
        Number of directions.
    courses : Courses
    """

    layout: Layout
    n: int
    courses: Courses
    _time: list[float] = field(default_factory=list)
    _rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    _value: list[Array] = field(default_factory=list)

    @classmethod
    def of(cls, layout: Layout, therapy: Compiled, value: Array, level: Array) -> Augmented:
        """Take over a therapy with what it does to the derivatives.

        Parameters
        ----------
        layout : Layout
        therapy : Compiled
            Of one patient.
        value, level : float64 arrays, shape (n, n_rows) and (n, n_courses)
            Derivatives of the values of its stops and of the levels of its courses.
        """
        courses, twins = _with_twins(layout, therapy.courses, level)
        made = cls(layout, len(value), courses)
        stops = therapy.stops
        for row, time in enumerate(stops.time):
            kind, index, item = int(stops.kind[row]), int(stops.index[row]), int(stops.item[row])
            made.add(time, kind, index, stops.value[row], item, int(stops.counted[row]))
            if kind in _ON_STATES and index < layout.own:
                if kind != Action.ADD_STATE or value[:, row].any():
                    made.add(time, kind, layout.n_states + index, value[:, row], item)
            elif kind == Action.SET_PARAMETER and index in layout.component:
                made.add(time, kind, layout.component[index], 0.0, item)
            elif kind in (Action.SET_RUNNING, Action.ADD_RUNNING) and index in twins:
                made.add(time, kind, twins[index], stops.value[row], item)
        return made

    def add(
        self,
        time: float,
        kind: int,
        index: int,
        value: float | Array,
        item: int = -1,
        counted: int = 0,
    ) -> None:
        """Add an action of all directions."""
        self._time.append(float(time))
        self._rows.append((kind, index, item, counted))
        self._value.append(np.broadcast_to(np.asarray(value, dtype=np.float64), (self.n,)))

    def set_to_zero(self, time: float, state: int) -> None:
        """Let a pool go extinct at a time, with its derivative."""
        self.add(time, Action.SET_STATE, state, 0.0)
        self.add(time, Action.SET_STATE, self.layout.n_states + state, 0.0)

    def shift(self, time: float, jump: Array) -> None:
        """Add to the derivatives at a time.

        Parameters
        ----------
        time : float
        jump : float64 array, shape (n, own)
        """
        for state in np.flatnonzero(jump.any(axis=0)):
            index = self.layout.n_states + int(state)
            self.add(time, Action.ADD_STATE, index, jump[:, state])

    def stops(self) -> Stops:
        """All actions in order of time; coincident ones as they were added."""
        if not self._time:
            return Stops.none()
        order = np.argsort(np.array(self._time), kind="stable")
        rows = np.tile(np.array(self._rows, dtype=np.int64)[order].T, self.n)
        return Stops(
            offsets=np.arange(self.n + 1, dtype=np.int64) * len(order),
            time=np.tile(np.array(self._time)[order], self.n),
            kind=rows[0],
            index=rows[1],
            value=np.array(self._value)[order].T.ravel(),
            item=rows[2],
            counted=rows[3],
        )


def _with_twins(layout: Layout, courses: Courses, level: Array) -> tuple[Courses, dict[int, int]]:
    """Courses with those that act on the derivatives, and which belongs to which."""
    kinds: Sequence[int] = courses.kind.tolist()
    n_courses, n = len(kinds), len(level)
    kind: list[int] = []
    target: list[int] = []
    item: list[int] = []
    added: list[Array] = []
    twins: dict[int, int] = {}
    for number in range(n_courses):
        index = int(courses.target[number])
        if kinds[number] == CourseKind.INPUT:
            if index >= layout.own or not level[:, number].any():
                continue
            twin, own_level = layout.n_states + index, level[:, number]
        elif index in layout.component:
            held = 0.0 if kinds[number] == CourseKind.VALUE else courses.level[0, number]
            twin, own_level = layout.component[index], np.full(n, held)
        else:
            continue
        twins[number] = n_courses + len(kind)
        kind.append(kinds[number])
        target.append(twin)
        item.append(int(courses.item[number]))
        added.append(own_level)
    if not kind:
        return courses, twins
    whole = np.concatenate([np.tile(courses.level[:1], (n, 1)), np.array(added).T], axis=1)
    return (
        Courses(
            np.concatenate([courses.kind, np.array(kind, dtype=np.int64)]),
            np.concatenate([courses.target, np.array(target, dtype=np.int64)]),
            np.concatenate([courses.item, np.array(item, dtype=np.int64)]),
            whole,
        ),
        twins,
    )


def parameters_between(stops: Stops, courses: Courses, p: Array) -> Callable[[float], Array]:
    """Make the function that gives the parameters at a time, with the windows of then.

    Parameters
    ----------
    stops : Stops
        Of `Augmented`.
    courses : Courses
        Of `Augmented`.
    p : float64 array, shape (n, n_parameters)
        Parameters without windows.

    Returns
    -------
    callable
        Of a time; float64 array, shape (n, n_parameters), behind what happens at that time.
    """
    rows = len(stops.time) // stops.n_owners
    acting = (Action.SET_PARAMETER, Action.SET_RUNNING, Action.ADD_RUNNING)
    doing = np.flatnonzero(np.isin(stops.kind[:rows], acting))
    moments = stops.time[:rows][doing]
    value = stops.value.reshape(stops.n_owners, rows)
    known: dict[int, Array] = {}

    def table_after(count: int) -> Array:
        table = p.copy()
        running = np.zeros((len(p), len(courses.kind)))
        for row in doing[:count]:
            index = stops.index[row]
            if stops.kind[row] == Action.SET_PARAMETER:
                table[:, index] = value[:, row]
            elif stops.kind[row] == Action.SET_RUNNING:
                running[:, index] = value[:, row]
            else:
                running[:, index] += value[:, row]
        level = np.broadcast_to(courses.level, (len(p), len(courses.kind)))
        for number in np.flatnonzero(courses.kind == CourseKind.VALUE):
            target, held = courses.target[number], running[:, number] > 0.0
            table[:, target] = np.where(held, level[:, number], table[:, target])
        for number in np.flatnonzero(courses.kind == CourseKind.FACTOR):
            table[:, courses.target[number]] *= level[:, number] ** running[:, number]
        return table

    def at(time: float) -> Array:
        count = int(np.searchsorted(moments, time, side="right"))
        if count not in known:
            known[count] = table_after(count)
        return known[count]

    return at
