"""A therapy turned into stops, courses and rules for the engine.

Coincident actions are applied in the order of `Order`: resets, steady states that replace,
discontinuations, parameters, windows, steady states that add, edges of infusions, doses; within one
of these in the order in which the therapy lists its items. What rules do comes after what is
scheduled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import Action, CourseKind, Courses, Rules, Stops
from carsim.errors import ScenarioError
from carsim.streams import key, uniforms
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import (
    Administration,
    People,
    administration,
    narrow,
    window_times,
)
from carsim.therapy.routes import given_into, routed, states_of
from carsim.therapy.rules import (
    Assay,
    Discontinue,
    Hazard,
    Rule,
    SetParameter,
    SetState,
)
from carsim.therapy.sources import Sources
from carsim.therapy.steady import Solve, Train, before_record, period, train
from carsim.therapy.timeline import Actions, Order, changed_only, running, to_stops
from carsim.therapy.values import FloatArray, Item, columns
from carsim.therapy.visits import visits_of
from carsim.therapy.windows import Covariate, Reset, Window

if TYPE_CHECKING:
    from carsim.model import Model


AS_A_RULE = Rule(when="hazard", above=0.0)
"""What a hazard is to the engine: a rule, watched, on the integral of the hazard."""


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
    """

    stops: Stops
    courses: Courses
    rules: Rules
    n_items: int


def item_names(therapy: Mapping[str, Item]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the items that are not rules, and of the rules and hazards.

    Parameters
    ----------
    therapy : mapping of str to items
        Items by name, bundles taken apart.
    """
    rules = tuple(name for name, item in therapy.items() if isinstance(item, Rule | Hazard))
    return tuple(name for name in therapy if name not in rules), rules


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
    return _Compiler(model, therapy, people, start, columns(stop), sources, solve).run()


class _Compiler:
    """The tables of one therapy under construction."""

    def __init__(
        self,
        model: Model,
        therapy: Mapping[str, Item],
        people: People,
        start: float,
        stop: FloatArray,
        sources: Sources,
        solve: Solve,
    ) -> None:
        self.model, self.therapy, self.people = model, therapy, people
        self.start, self.stop = start, stop
        self.sources, self.solve = sources, solve
        scheduled, rules = item_names(therapy)
        self.number = {name: k for k, name in enumerate((*scheduled, *rules))}
        self.scheduled, self.rules = scheduled, rules
        self.kinds: list[int] = []
        self.targets: list[int] = []
        self.owners: list[int] = []
        self.levels: list[FloatArray] = []
        self.routes: dict[str, list[tuple[int, FloatArray]]] = {}

    def run(self) -> Compiled:
        trains = {
            name: train(f"therapy.{name}", item, self.model, self.people, self.stop)
            for name in self.scheduled
            if isinstance(item := self.therapy[name], Dose | Infusion) and item.steady_state
        }
        states = {name: self._steady_states(name, given) for name, given in trains.items()}
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
                given = administration(name, item, self.model, self.people, self.stop)
                if item.steady_state:
                    actions += states[name]
                    earlier = before_record(f"therapy.{name}", item, trains[name])
                    if earlier.begins.shape[1]:
                        earlier = self._cut(name, earlier, cuts)
                        actions += self._entering(name, item, earlier, counted=False)
                given = self._cut(name, given, cuts)
                actions += self._entering(name, item, given, counted=True)
        rules = self._rules()
        return Compiled(
            to_stops(actions, len(self.people)), self._courses(), rules, len(self.scheduled)
        )

    # What runs for a time

    def _course(self, kind: CourseKind, target: int, name: str, level: FloatArray) -> int:
        """A new course, by number."""
        self.kinds.append(int(kind))
        self.targets.append(target)
        self.owners.append(self.number[name])
        self.levels.append(level)
        return len(self.kinds) - 1

    def _courses(self) -> Courses:
        if not self.kinds:
            return Courses.none()
        return Courses(
            np.array(self.kinds, dtype=np.int64),
            np.array(self.targets, dtype=np.int64),
            np.array(self.owners, dtype=np.int64),
            np.concatenate(np.broadcast_arrays(*self.levels), axis=1),
        )

    def _edges(
        self,
        order: Order,
        course: int,
        name: str,
        begins: FloatArray,
        ends: FloatArray,
        level: FloatArray | None = None,
        *,
        counted: bool = False,
    ) -> Actions:
        """Edges of a scheduled course: how much of it runs from then on."""
        if level is not None:
            begins, ends, level = np.broadcast_arrays(begins, ends, level)
        time, total, begun = running(begins, ends, level)
        time = np.where(time < self.stop, time, np.inf)
        kept = begun > 0 if counted else None
        time = changed_only(time, total, np.zeros((1, 1)), kept)
        return Actions(
            order,
            Action.SET_RUNNING,
            course,
            time,
            total,
            self.number[name],
            begun if counted else np.zeros((1, 1), dtype=np.int64),
        )

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
        course = self._course(kind, parameter, name, columns(given))
        return [self._edges(Order.WINDOW, course, name, begins, ends)]

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
        time = changed_only(begins, values, own)
        return [
            Actions(
                Order.PARAMETER, Action.SET_PARAMETER, parameter, time, values, self.number[name]
            )
        ]

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
        course = self._course(CourseKind.INPUT, state, name, np.ones((1, 1)))
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
        return self._emptied(reset, time, item) + self._ended(reset, time, item, self.rules)

    def _emptied(self, reset: Reset, time: FloatArray, item: int) -> list[Actions]:
        return [
            Actions(
                Order.RESET,
                Action.RESET_STATE,
                state,
                time,
                narrow(self.people.initial[:, state]),
                item,
            )
            for state in sorted(self._states_of(reset))
        ]

    def _ended(
        self, reset: Reset, time: FloatArray, item: int, names: Sequence[str]
    ) -> list[Actions]:
        """Discontinue the items among `names` that give into a reset's states."""
        states = self._states_of(reset)
        return [
            Actions(
                Order.DISCONTINUE,
                Action.DISCONTINUE,
                self.number[name],
                time,
                np.zeros((1, 1)),
                item,
            )
            for name in names
            if self._reached(name) & states
        ]

    def _states_of(self, reset: Reset) -> set[int]:
        return states_of(self.model, reset)

    def _reached(self, name: str) -> set[int]:
        return given_into(self.model, self.therapy[name], self.people.parameters)

    # Doses and infusions

    def _routed(self, into: str) -> list[tuple[int, FloatArray]]:
        if into not in self.routes:
            self.routes[into] = routed(self.model, into, self.people.parameters)
        return self.routes[into]

    def _cut(
        self,
        name: str,
        given: Administration,
        cuts: Sequence[tuple[FloatArray, set[int], str]],
    ) -> Administration:
        """End what was ordered before a reset, or before a steady state that replaces it."""
        reached = self._reached(name)
        times = [time for time, states, owner in cuts if owner != name and reached & states]
        if not times:
            return given
        rows = max(len(time) for time in times)
        wide = [np.broadcast_to(time, (rows, time.shape[1])) for time in times]
        return _cut(given, np.concatenate(wide, axis=1))

    def _entering(
        self, name: str, item: Dose | Infusion, given: Administration, *, counted: bool
    ) -> list[Actions]:
        actions = []
        for state, fraction in self._routed(item.into):
            if isinstance(item, Dose):
                ones = np.full((1, 1), int(counted), dtype=np.int64)
                amount = given.level * fraction
                actions.append(
                    Actions(
                        Order.DOSE,
                        Action.ADD_STATE,
                        state,
                        given.enters,
                        amount,
                        self.number[name],
                        ones,
                    )
                )
            elif given.level.shape[1] == 1:
                course = self._course(CourseKind.INPUT, state, name, given.level * fraction)
                actions.append(
                    self._edges(
                        Order.INFUSION, course, name, given.enters, given.ends, counted=counted
                    )
                )
            else:
                course = self._course(CourseKind.INPUT, state, name, fraction)
                actions.append(
                    self._edges(
                        *(Order.INFUSION, course, name, given.enters, given.ends, given.level),
                        counted=counted,
                    )
                )
            # A dose through a route of several states is one dose.
            counted = False
        return actions

    def _steady_states(self, name: str, given: Train) -> list[Actions]:
        """Set or add the states that an item with a steady state determines."""
        item = self.therapy[name]
        assert isinstance(item, Dose | Infusion)
        fractions = self._routed(item.into)
        parameters = self._parameters_at(given.time)
        if not np.isfinite(given.time).any():
            return []
        where = f"therapy.{name}"
        found, values = self.solve(period(where, item, given, fractions, parameters))
        for state, _ in fractions:
            if state not in found:
                raise ScenarioError(
                    f"{where}: the dose alone does not determine a steady state of "
                    f"{self.model.states[state].name!r}, which follows from other states too or "
                    f"has no way out. Leave steady_state out, and let a run-up lead there."
                )
        order, kind = (
            (Order.REPLACE, Action.SET_STATE)
            if item.steady_state == 1
            else (Order.STATE, Action.ADD_STATE)
        )
        return [
            Actions(order, kind, int(state), given.time, values[:, k : k + 1], self.number[name])
            for k, state in enumerate(found)
        ]

    def _parameters_at(self, time: FloatArray) -> FloatArray:
        """Parameters of every patient at a time, with the windows and covariates of then."""
        table = self.people.parameters.copy()
        when = np.broadcast_to(np.where(np.isfinite(time), time, self.start), (len(table), 1))
        for name in self.scheduled:
            item = self.therapy[name]
            if isinstance(item, Covariate):
                table[:, self.model.parameter_index[item.parameter]] = _covariate_at(item, when)
        for scaling in (False, True):
            for name in self.scheduled:
                item = self.therapy[name]
                if not isinstance(item, Window) or (item.value is None) != scaling:
                    continue
                begins, ends = window_times(f"therapy.{name}", item, self.start, self.stop)
                runs = ((begins <= when) & (when < ends)).any(axis=1)
                column = self.model.parameter_index[item.parameter]
                given = columns(item.scale if scaling else item.value)[:, 0]  # type: ignore[arg-type]
                changed = table[:, column] * given if scaling else given
                table[:, column] = np.where(runs, changed, table[:, column])
        return table

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
                cuts.append((at, self._states_of(item), name))
            elif isinstance(item, Dose | Infusion) and item.steady_state == 1:
                states = {actions.index for actions in steady[name]}
                cuts.append((trains[name].time, states, name))
        return cuts

    # Rules

    def _rules(self) -> Rules:
        n_patients = len(self.people)
        if not self.rules:
            return Rules.none(n_patients)
        items = [self.therapy[name] for name in self.rules]
        rules = [item if isinstance(item, Rule) else AS_A_RULE for item in items]
        assays = [rule.assay or Assay() for rule in rules]
        last = float(np.max(self.stop))
        visits = [visits_of(rule, self.start, last) for rule in rules]
        thresholds = np.empty((n_patients, len(items)))
        for column, (name, item) in enumerate(zip(self.rules, items, strict=True)):
            if isinstance(item, Hazard):
                thresholds[:, column] = self._due(name, item)
            else:
                thresholds[:, column] = rules[column].threshold
        watched = [not rule.has_visits for rule in rules]

        def number_of(name: str | None) -> int:
            return -1 if name is None else self.rules.index(name)

        return Rules(
            source=_integers(self._source(item) for item in items),
            direction=_integers(-1 if rule.above is None else 1 for rule in rules),
            watched=_integers(watched),
            limit=_integers(
                rule.most_firings(len(times)) for rule, times in zip(rules, visits, strict=True)
            ),
            consecutive=_integers(rule.consecutive for rule in rules),
            after=_integers(number_of(rule.after) for rule in rules),
            wait=np.array([rule.wait for rule in rules]),
            spacing=np.array([rule.spacing for rule in rules]),
            idle=_integers(rule.unless_running for rule in rules),
            during=_integers(number_of(rule.while_running) for rule in rules),
            unless=_integers(number_of(rule.unless) for rule in rules),
            visits=_integers(np.cumsum([0, *(len(times) for times in visits)])),
            visit_time=np.concatenate(visits),
            detection=np.array([assay.detection_limit for assay in assays]),
            log_sd=np.array([assay.log_sd for assay in assays]),
            sd=np.array([assay.sd for assay in assays]),
            stream=_integers(key(self.people.seed, f"{name}:assay") for name in self.rules),
            threshold=thresholds,
            actions=self._programs(items),
        )

    def _source(self, item: Item) -> int:
        if isinstance(item, Hazard):
            rate = item.rate if isinstance(item.rate, str) else ""
            return self.sources.integral_state(rate)
        assert isinstance(item, Rule)
        return -1 if item.when is None else self.sources.column(item.when)

    def _due(self, name: str, hazard: Hazard) -> FloatArray:
        """Integral of the hazard, without the factors, at which each patient's event happens."""
        drawn = -np.log(uniforms(self.people.seed, f"{name}:hazard", self.people.numbers))
        factor = hazard.scale if isinstance(hazard.rate, str) else hazard.rate * hazard.scale
        factor = np.broadcast_to(np.asarray(factor, dtype=np.float64), drawn.shape)
        due: FloatArray = np.divide(
            drawn, factor, out=np.full(drawn.shape, np.inf), where=factor > 0
        )
        return due

    def _programs(self, items: Sequence[Item]) -> Stops:
        """What each rule does, in time since its firing."""
        programs = [self._program(name, item) for name, item in zip(self.rules, items, strict=True)]
        if all(program.n_owners == 1 for program in programs):
            return Stops.joined(programs)
        n_patients = len(self.people)
        whole = [
            program if program.n_owners > 1 else Stops.joined([program] * n_patients)
            for program in programs
        ]
        return _by_patient(whole)

    def _program(self, name: str, item: Item) -> Stops:
        assert isinstance(item, Rule | Hazard)
        owner = self.number[name]
        horizon = self.stop - self.start
        actions: list[Actions] = []
        now = np.zeros((1, 1))
        for part in item.actions:
            if isinstance(part, Dose | Infusion):
                given = administration(name, part, self.model, self.people, horizon)
                actions += self._entering_later(name, part, given)
            elif isinstance(part, Window):
                actions += self._window_later(name, part, horizon)
            elif isinstance(part, Reset):
                at = columns(part.at) if part.at is not None else now
                everything = (*self.scheduled, *self.rules)
                actions += self._emptied(part, at, owner)
                actions += self._ended(part, at, owner, everything)
            elif isinstance(part, Discontinue):
                index = self.number[part.item]
                actions.append(
                    Actions(Order.DISCONTINUE, Action.DISCONTINUE, index, now, now, owner)
                )
            elif isinstance(part, SetParameter):
                index = self.model.parameter_index[part.parameter]
                value = columns(part.value)
                actions.append(
                    Actions(Order.PARAMETER, Action.SET_PARAMETER, index, now, value, owner)
                )
            elif isinstance(part, SetState):
                index = self.model.state_index[part.state]
                value = columns(part.value)
                actions.append(Actions(Order.STATE, Action.SET_STATE, index, now, value, owner))
        delay = columns(item.delay)
        delayed = [
            Actions(
                *(a.order, a.kind, a.index, a.time + delay if delay.any() else a.time),
                *(a.value, a.item, a.counted),
            )
            for a in actions
        ]
        return to_stops(delayed, len(self.people))

    def _entering_later(
        self, name: str, item: Dose | Infusion, given: Administration
    ) -> list[Actions]:
        """Doses and infusions of a rule: each firing adds its own to what runs."""
        if isinstance(item, Dose):
            return self._entering(name, item, given, counted=True)
        actions: list[Actions] = []
        counted = 1
        for state, fraction in self._routed(item.into):
            for column in range(given.level.shape[1]):
                part = slice(column, None, given.level.shape[1])
                level = given.level[:, column : column + 1] * fraction
                course = self._course(CourseKind.INPUT, state, name, level)
                actions += self._shifts(
                    *(Order.INFUSION, course, name),
                    *(given.enters[:, part], given.ends[:, part], counted),
                )
            counted = 0
        return actions

    def _window_later(self, name: str, window: Window, horizon: FloatArray) -> list[Actions]:
        begins, ends = window_times(f"therapy.{name}", window, 0.0, horizon)
        if window.scale is not None:
            idle = columns(window.scale) == 1.0
            begins, ends = np.where(idle, np.inf, begins), np.where(idle, np.inf, ends)
        parameter = self.model.parameter_index[window.parameter]
        kind = CourseKind.FACTOR if window.value is None else CourseKind.VALUE
        given = window.scale if window.value is None else window.value
        assert given is not None
        course = self._course(kind, parameter, name, columns(given))
        return self._shifts(Order.WINDOW, course, name, begins, ends, 0)

    def _shifts(
        self,
        order: Order,
        course: int,
        name: str,
        begins: FloatArray,
        ends: FloatArray,
        counted: int,
    ) -> list[Actions]:
        item = self.number[name]
        one, none = np.full((1, 1), counted, dtype=np.int64), np.zeros((1, 1), dtype=np.int64)
        more, less = np.ones((1, 1)), -np.ones((1, 1))
        return [
            # What ends at an instant ends before what begins then.
            Actions(order, Action.ADD_RUNNING, course, ends, less, item, none),
            Actions(order, Action.ADD_RUNNING, course, begins, more, item, one),
        ]


def _covariate_at(covariate: Covariate, when: FloatArray) -> FloatArray:
    """Value at one time a patient; of a record at that time its own, shape (n_patients,)."""
    times, values = np.broadcast_arrays(columns(covariate.at), columns(covariate.value))
    n_known = np.isfinite(times).sum(axis=1, keepdims=True)
    side = times < when if covariate.interpolation == "nocb" else times <= when
    place = side.sum(axis=1, keepdims=True) - (covariate.interpolation != "nocb")

    def at(table: FloatArray, column: NDArray[np.int64]) -> FloatArray:
        within = np.clip(column, 0, np.broadcast_to(n_known, column.shape) - 1)
        found: FloatArray = np.take_along_axis(
            np.broadcast_to(table, (len(column), table.shape[1])), within, axis=1
        )
        return found[:, 0]

    value = at(values, place)
    if covariate.interpolation != "linear":
        return value
    begin, end, last = at(times, place), at(times, place + 1), at(values, place + 1)
    part = np.divide(when[:, 0] - begin, end - begin, out=np.zeros(len(begin)), where=end > begin)
    return value + np.clip(part, 0.0, 1.0) * (last - value)


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
    # The first time after each order.
    first = np.full((1, 1), np.inf)
    for column in range(times.shape[1]):
        time = times[:, column : column + 1]
        first = np.where((ordered < time) & (time < first), time, first)
    cancelled = enters >= first
    return Administration(
        np.where(cancelled, np.inf, begins),
        np.where(cancelled, np.inf, enters),
        np.where(cancelled, np.inf, np.where(ends > first, first, ends)),
        given.level,
        given.ordered,
    )


def _by_patient(programs: Sequence[Stops]) -> Stops:
    """Owners of several tables side by side: all of the first patient, all of the second, ..."""
    joined = Stops.joined(programs)
    n_rules, n_patients = len(programs), programs[0].n_owners
    lengths = np.diff(joined.offsets)
    rows = np.arange(n_rules * n_patients).reshape(n_rules, n_patients).T.ravel()
    offsets = np.concatenate([[0], np.cumsum(lengths[rows])]).astype(np.int64)
    moved = joined.offsets[rows] - offsets[:-1]
    order = np.arange(offsets[-1]) + np.repeat(moved, lengths[rows])
    return Stops(
        offsets,
        *(
            getattr(joined, name)[order]
            for name in ("time", "kind", "index", "value", "item", "counted")
        ),
    )


def _integers(values: object) -> NDArray[np.int64]:
    return np.array(list(values), dtype=np.int64)  # type: ignore[call-overload]
