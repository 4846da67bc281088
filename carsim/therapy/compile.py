"""A therapy turned into stops, courses and rules for the engine.

Coincident actions are applied in the order of `Order`: resets, steady states that replace,
discontinuations, parameters, windows, steady states that add, edges of infusions, doses; within one
of these in the order in which the therapy lists its items. What rules do comes after what is
scheduled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carsim.engine.plan import SAME_INSTANT, Action, CourseKind, Courses, Rules, Stops
from carsim.errors import ScenarioError
from carsim.therapy.building import Builder
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import (
    Administration,
    People,
    administration,
    narrow,
    window_times,
)
from carsim.therapy.history import covariate_at, read_by
from carsim.therapy.programs import compile_rules
from carsim.therapy.rules import Hazard, Rule, SetParameter
from carsim.therapy.sources import Sources
from carsim.therapy.steady import Solve, SteadyStates, Train, Unsteady, before_record, period, train
from carsim.therapy.timeline import Actions, Order, changed_only, to_stops
from carsim.therapy.values import FloatArray, Item, columns
from carsim.therapy.windows import Covariate, Reset, Window

if TYPE_CHECKING:
    from carsim.model import Model


@dataclass(frozen=True)
class Compiled:
    """A therapy as the engine sees it.

    Attributes
    ----------
    stops : Stops
    courses : Courses
    rules : Rules
    n_items : int
        Items that are not rules.
    unsteady : tuple of Unsteady
        Who has no steady state of which item: their states are set to NaN at its record.
    """

    stops: Stops
    courses: Courses
    rules: Rules
    n_items: int
    unsteady: tuple[Unsteady, ...]


def compile_therapy(
    model: Model,
    therapy: Mapping[str, Item],
    people: People,
    start: float,
    stop: float | FloatArray,
    sources: Sources,
    solve: Solve,
) -> Compiled:
    """Turn therapy items into what the engine walks through.

    The items have been checked with `check_therapy`; their arrays have one entry a patient.

    Parameters
    ----------
    model : Model
        Model that is treated.
    therapy : mapping of str to items
        Items by name, bundles taken apart.
    people : People
        Who is treated.
    start : float, model time unit
        Start of the simulation.
    stop : float or float64 array, shape (n_patients,)
        Stop of the simulation (exclusive for actions).
    sources : Sources
        Columns of what is looked at and driven.
    solve : callable
        Finds steady states.

    Returns
    -------
    Compiled
    """
    return _Compiler(model, therapy, people, start, columns(stop), sources).run(solve)


class _Compiler(Builder):
    """Scheduled items on their way to stops."""

    def run(self, solve: Solve) -> Compiled:
        self.unsteady: list[Unsteady] = []
        trains = {
            name: train(f"therapy.{name}", item, self.history, self.stop)
            for name in self.scheduled
            if isinstance(item := self.therapy[name], Dose | Infusion) and item.steady_state
        }
        states = {name: self._steady_states(name, given, solve) for name, given in trains.items()}
        cuts = self._cuts(trains, states)
        actions: list[Actions] = []
        for name in self.scheduled:
            item = self.therapy[name]
            if isinstance(item, Reset):
                actions += self._reset(item, columns(item.at if item.at is not None else 0.0))
            elif isinstance(item, Covariate):
                actions += self._covariate(name, item)
            elif isinstance(item, Window):
                actions += self._window(name, item)
            elif isinstance(item, Dose | Infusion):
                given = administration(name, item, self.history, self.stop)
                if item.steady_state:
                    actions += states[name]
                    earlier = before_record(f"therapy.{name}", item, trains[name])
                    if earlier.begins.shape[1]:
                        earlier = self._cut(name, earlier, cuts)
                        actions += self.entering(name, item, earlier, counted=False)
                given = self._cut(name, given, cuts)
                actions += self.entering(name, item, given, counted=True)
        stops = to_stops(actions, len(self.people))
        rules = compile_rules(self, stops)
        return Compiled(stops, self.courses(), rules, len(self.scheduled), tuple(self.unsteady))

    # Scheduled items

    def _window(self, name: str, window: Window) -> list[Actions]:
        begins, ends = window_times(f"therapy.{name}", window, self.start, self.stop)
        parameter = self.model.parameter_index[window.parameter]
        kind = CourseKind.FACTOR if window.value is None else CourseKind.VALUE
        given = window.scale if window.value is None else window.value
        assert given is not None
        if window.scale is not None:
            # A factor of 1 changes nothing, and a stop would cost a restart.
            idle = columns(window.scale) == 1.0
            begins, ends = np.where(idle, np.inf, begins), np.where(idle, np.inf, ends)
        course = self.course(kind, parameter, name, columns(given))
        return [self.edges(Order.WINDOW, course, name, begins, ends)]

    def _covariate(self, name: str, covariate: Covariate) -> list[Actions]:
        times, values = np.broadcast_arrays(columns(covariate.at), columns(covariate.value))
        if covariate.interpolation == "linear":
            return self._ramp(name, covariate, times, values)
        parameter = self.model.parameter_index[covariate.parameter]
        # The first value holds before the first record, the last one after the last record.
        shift = 1 if covariate.interpolation == "nocb" else 0
        known = np.isfinite(times)
        begins = np.concatenate(
            [
                np.full((len(times), 1), self.start),
                np.where(known[:, 1:], times[:, 1 - shift : times.shape[1] - shift], np.inf),
            ],
            axis=1,
        )
        begins = np.maximum(begins, self.start)
        # Of several records before the start the last one counts.
        begins = np.where(begins < self.stop, begins, np.inf)
        later = np.zeros_like(known)
        later[:, :-1] = begins[:, 1:] == begins[:, :-1]
        begins = np.where(later, np.inf, begins)
        own = narrow(self.people.parameters[:, parameter])
        item = self.number[name]
        if shift and covariate.parameter in read_by(self.model, self.sources.readings):
            # What is read at a record is that record's own: it goes on behind it.
            first = np.full((len(times), 1), self.start)
            value = covariate_at(covariate, first)
            kind = (Action.SET_PARAMETER, parameter)
            return [
                Actions(Order.PARAMETER, *kind, first, value, item),
                Actions(Order.FOLLOWING, *kind, begins, values, item),
            ]
        time = changed_only(begins, values, own)
        return [Actions(Order.PARAMETER, Action.SET_PARAMETER, parameter, time, values, item)]

    def _ramp(
        self, name: str, covariate: Covariate, times: FloatArray, values: FloatArray
    ) -> list[Actions]:
        """A covariate that is a state: set at each record, with a constant slope to the next."""
        state = self.sources.driven_state(covariate.parameter)
        with np.errstate(invalid="ignore", divide="ignore"):
            slopes = np.diff(values, axis=1) / np.diff(times, axis=1)
        flat = np.zeros((len(times), 1))
        slopes = np.concatenate([slopes, flat], axis=1)
        known = np.isfinite(times)
        following = np.concatenate([times[:, 1:], np.full((len(times), 1), np.inf)], axis=1)
        slopes = np.where(np.isfinite(following), slopes, 0.0)
        # A segment under way at the start begins there, part of the way up.
        past = np.where(known, np.maximum(self.start - times, 0.0), 0.0)
        begun = values + slopes * past
        time = np.where(known & (following > self.start), np.maximum(times, self.start), np.inf)
        time = np.where(time < self.stop, time, np.inf)
        first = np.full((len(times), 1), self.start)
        item = self.number[name]
        course = self.course(CourseKind.INPUT, state, name, np.ones((1, 1)))
        return [
            Actions(
                Order.PARAMETER,
                Action.SET_STATE,
                state,
                np.concatenate([first, time], axis=1),
                np.concatenate([values[:, :1], begun], axis=1),
                item,
            ),
            Actions(Order.PARAMETER, Action.SET_RUNNING, course, time, slopes, item),
        ]

    def _reset(self, reset: Reset, time: FloatArray, item: int = -1) -> list[Actions]:
        """States return to their initial values; what rules give into them ends."""
        time = np.where((time >= self.start) & (time < self.stop), time, np.inf)
        return self.emptied(reset, time, item) + self.ended(reset, time, item, self.rules)

    # Doses and infusions

    def _cut(
        self,
        name: str,
        given: Administration,
        cuts: Sequence[tuple[FloatArray, set[int], str]],
    ) -> Administration:
        """End what was ordered before a reset, or before a steady state that replaces it."""
        reached = self.reached(name)
        times = [time for time, states, owner in cuts if owner != name and reached & states]
        if not times:
            return given
        rows = max(len(time) for time in times)
        wide = [np.broadcast_to(time, (rows, time.shape[1])) for time in times]
        return _cut(given, np.concatenate(wide, axis=1))

    def _steady_states(self, name: str, given: Train, solve: Solve) -> list[Actions]:
        """Set or add the states that an item with a steady state determines."""
        item = self.therapy[name]
        assert isinstance(item, Dose | Infusion)
        if not np.isfinite(given.time).any():
            return []
        where = f"therapy.{name}"
        parameters = self.history.table(given.time)
        steady = solve(period(where, item, given, parameters))
        missing = np.flatnonzero(np.isnan(steady.values).any(axis=1))
        if missing.size:
            time = np.broadcast_to(given.time[:, 0], (len(parameters),))[missing]
            self.unsteady.append(Unsteady(name, missing, time, steady.growing[missing]))
        for entry in given.entries:
            if entry.state not in steady.states:
                state = self.model.states[entry.state].name
                raise ScenarioError(
                    f"{where}: the dose alone does not determine a steady state of {state!r}, "
                    f"which follows from other states too or has no way out. Leave steady_state "
                    f"out, and let a run-up lead there."
                )
        self._check_steady(where, given, steady)
        order, kind = (
            (Order.REPLACE, Action.SET_STATE)
            if item.steady_state == 1
            else (Order.STATE, Action.ADD_STATE)
        )
        return [
            Actions(
                order,
                kind,
                int(state),
                given.time,
                steady.values[:, k : k + 1],
                self.number[name],
            )
            for k, state in enumerate(steady.states)
        ]

    def _check_steady(self, where: str, given: Train, steady: SteadyStates) -> None:
        """Refuse steady states of equations that something changes."""
        advice = "Leave steady_state out, and let a run-up lead there."
        if steady.timed:
            name = self.model.states[steady.timed[0]].name
            raise ScenarioError(
                f"{where}: the equation of {name!r} depends on the time, so no regimen leads to a "
                f"steady state of it. {advice}"
            )
        if not (np.isfinite(given.time) & (given.time > self.start)).any():
            return
        changed = {
            part.parameter
            for rule in self.rules
            if isinstance(item := self.therapy[rule], Rule | Hazard)
            for part in item.actions
            if isinstance(part, SetParameter | Window)
        }
        for name in sorted(steady.reads & changed):
            raise ScenarioError(
                f"{where}: a rule changes {name!r}, which the steady state depends on and which is "
                f"known only while the simulation runs. {advice} Or change it by a Window."
            )

    def _cuts(
        self, trains: Mapping[str, Train], steady: Mapping[str, Sequence[Actions]]
    ) -> list[tuple[FloatArray, set[int], str]]:
        """Times after which nothing of before enters any more, the states, and whose doing."""
        cuts = []
        for name in self.scheduled:
            item = self.therapy[name]
            if isinstance(item, Reset):
                at = columns(item.at if item.at is not None else 0.0)
                at = np.where(at < self.stop, at, np.inf)
                cuts.append((at, self.states_of(item), name))
            elif isinstance(item, Dose | Infusion) and item.steady_state == 1:
                states = {actions.index for actions in steady[name]}
                cuts.append((trains[name].time, states, name))
        return cuts


def _just_before(times: FloatArray) -> FloatArray:
    """The earliest that is the same instant as each time."""
    finite = np.where(np.isfinite(times), times, 0.0)
    return times - SAME_INSTANT * np.maximum(np.abs(finite), 1.0)


def _cut(given: Administration, times: FloatArray) -> Administration:
    """Cancel what was ordered before a time and enters at it or later.

    Parameters
    ----------
    given : Administration
        What is given of an item.
    times : float64 array, shape (1 or n_patients, n_times)
        In any order; infinite where there is none.
    """
    begins, enters, ends, ordered = np.broadcast_arrays(
        given.begins, given.enters, given.ends, given.ordered
    )
    # The first time after each order; what differs by rounding only is one time.
    first = np.full((1, 1), np.inf)
    for column in range(times.shape[1]):
        time = times[:, column : column + 1]
        first = np.where((ordered < _just_before(time)) & (time < first), time, first)
    cancelled = enters >= _just_before(first)
    return dataclasses.replace(
        given,
        begins=np.where(cancelled, np.inf, begins),
        enters=np.where(cancelled, np.inf, enters),
        ends=np.where(cancelled, np.inf, np.where(ends > first, first, ends)),
    )
