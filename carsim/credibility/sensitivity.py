"""Exact derivatives of courses with respect to parameters and initial values.

The equations of the derivatives are traced from those of the model and solved with them, by the
same engine, one direction a patient. Doses, windows and initial values take part, see
`carsim.credibility.schedule`. Reference: E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary
Differential Equations I, section I.14.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from carsim.credibility.differences import Differences, differentiate
from carsim.credibility.schedule import (
    Augmented,
    Layout,
    Numbers,
    compiled,
    numbers_of,
    parameters_at,
)
from carsim.dataset import describe_failure
from carsim.engine.integrate import integrate
from carsim.engine.plan import Action, CourseKind, Save, Trajectories
from carsim.engine.status import MEANING, Status
from carsim.errors import ScenarioError, SolverError, unknown
from carsim.kernels.compile import compile_sensitivities
from carsim.model import Model
from carsim.playback import replay
from carsim.scenario import Prepared, Scenario, prepare
from carsim.simulation import simulate, solve
from carsim.symbolic.derivative import derivative
from carsim.symbolic.evaluate import evaluate
from carsim.symbolic.expression import Expression
from carsim.symbolic.sensitivity import start_derivatives, switches
from carsim.symbolic.trace import Trace, trace
from carsim.therapy import Covariate, Hazard, Item, Rule
from carsim.units import udunits

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["local_sensitivity"]

Array = NDArray[np.float64]

RTOL = 1e-8
INITIAL = "initial."
FINE = 4001
"""Points at which the switches of the equations are looked at."""
JUMP = 1e-6
"""Part of a rate of change by which it may differ at a switch and still counts as continuous."""


def local_sensitivity(
    scenario: Scenario, parameters: Sequence[str] | None = None, *, rtol: float = RTOL
) -> xr.Dataset:
    """Differentiate the courses of one patient with respect to parameters.

    Parameters
    ----------
    scenario : Scenario
        One patient: no population, no arrays. Its outputs and times are those of the result.
    parameters : sequence of str, optional
        Names of parameters; ``"initial.NAME"`` is the initial value of a state. All parameters that
        can be set by default.
    rtol : float
        Relative tolerance of courses and derivatives, in place of the scenario's.

    Returns
    -------
    xarray.Dataset
        ``value`` (output, time); ``sensitivity`` (output, parameter, time): unit of the output per
        unit of the parameter; ``elasticity``: the same times parameter over value, the percent by
        which the output changes with a percent of the parameter. A parameter in which the patient's
        start or therapy has no derivative is NaN; the coordinate ``why`` says so. The attribute
        ``start`` says how initial values were differentiated: by "symbols", or by "differences",
        as are amounts of doses that depend on parameters; ``start_error`` is the largest error of
        these, relative to the number itself.

    Raises
    ------
    ScenarioError
        Something that has no derivative, or more than one patient.
    SolverError
        The integration did not reach the end.

    Examples
    --------
    >>> patient = Scenario("leon_triana_2021", stop=60.0, outputs=["L"])  # doctest: +SKIP
    >>> local_sensitivity(patient, ["alpha", "rho_L"]).elasticity  # doctest: +SKIP
    """
    _check_one_patient(scenario)
    scenario = scenario.replace("solver.rtol", rtol)
    scheduled, extinct = _scheduled(scenario)
    return _Sensitivity(scheduled, extinct, _chosen(scenario, parameters)).run()


def _check_one_patient(scenario: Scenario) -> None:
    if not isinstance(scenario, Scenario):
        raise ScenarioError(
            f"local_sensitivity: got a {type(scenario).__name__}. Give a carsim.Scenario."
        )
    if scenario.is_ensemble:
        raise ScenarioError(
            f"local_sensitivity: the scenario has {scenario.n_patients} patients. A local "
            "sensitivity is that of one: leave out the population, and give numbers in place of "
            "arrays."
        )


def _chosen(scenario: Scenario, names: Sequence[str] | None) -> tuple[str, ...]:
    model = scenario.model
    settable = [field.name for field in model.parameters if not field.computed]
    driven = {item.parameter for item in scenario.items.values() if isinstance(item, Covariate)}
    if names is None:
        return tuple(name for name in settable if name not in driven)
    if isinstance(names, str):
        raise ScenarioError(f"local_sensitivity: parameters is a text. Give a list: [{names!r}].")
    known = [*settable, *(f"{INITIAL}{name}" for name in model.state_names)]
    for name in names:
        if name in driven:
            raise ScenarioError(
                f"local_sensitivity: parameter {name!r} follows a covariate, so that its own value "
                "plays no part. Leave it out."
            )
        if name not in known:
            raise ScenarioError(
                unknown("parameter or initial value", name, known, f"model {model.name!r}")
            )
    if not names:
        raise ScenarioError("local_sensitivity: no parameter was named. Name at least one.")
    return tuple(dict.fromkeys(names))


def _scheduled(scenario: Scenario) -> tuple[Scenario, list[tuple[float, int]]]:
    """The scenario with what its rules did as schedule, and the extinctions of its pools."""
    prepared = prepare(scenario)
    run = solve(prepared)
    if run.status[0] != Status.SUCCESS:
        raise SolverError(describe_failure(prepared, run, 0))
    events = run.log_event[0, : min(int(run.log_count[0]), run.log_event.shape[1])]
    if run.log_count[0] > len(events):
        raise ScenarioError(
            f"local_sensitivity: {int(run.log_count[0])} events are more than the log holds "
            f"({len(events)}). Shorten the simulation."
        )
    extinct = [
        (float(time), -1 - int(event))
        for time, event in zip(run.log_time[0], events, strict=False)
        if event < 0
    ]
    for event in sorted({int(event) for event in events if event >= 0}):
        name = prepared.rules[event]
        item = scenario.items[name]
        if isinstance(item, Hazard) or (isinstance(item, Rule) and _is_watched(item)):
            raise ScenarioError(
                f"local_sensitivity: therapy.{name} acts at a time that moves with the parameters. "
                "Let it look at visits (every=...), or schedule what it did."
            )
    if not prepared.rules:
        return scenario, extinct
    plain = replay(simulate(scenario), scenario.model)
    items = {name: item for name, item in plain.therapy.items() if not isinstance(item, Hazard)}
    return dataclasses.replace(plain, therapy=items), extinct


def _is_watched(rule: Rule) -> bool:
    return rule.every is None and rule.at is None


@dataclass
class _Start:
    """Derivatives at the start, each times the scale of its variable.

    Attributes
    ----------
    states, parameters : float64 arrays, shape (n_chosen, n_states) and (n_chosen, n_parameters)
    value, time, level : float64 arrays, shape (n_chosen, ...)
        Of the stops and courses of the therapy.
    why : list of str
        Why a variable has no derivative; empty if it has.
    how : str
        "symbols" or "differences".
    error : float
        Largest error of the differences that were used, relative to the value (or its derivative,
        if larger).
    """

    states: Array
    parameters: Array
    value: Array
    time: Array
    level: Array
    why: list[str]
    how: str
    error: float


class _Sensitivity:
    def __init__(
        self, scenario: Scenario, extinct: list[tuple[float, int]], chosen: tuple[str, ...]
    ) -> None:
        self.scenario, self.extinct, self.chosen = scenario, extinct, chosen
        self.model: Model = scenario.model
        self.prepared: Prepared = prepare(scenario)
        self.items: Mapping[str, Item] = scenario.items
        self.start = scenario.start
        self.stop = scenario.last_stop
        self.own = len(self.model.states)
        self.driven = self.prepared.sources.driven
        self.atol = self.prepared.atol
        self.p = self.prepared.p[0]
        self.y0 = self.prepared.y0[0]
        if not self.prepared.outputs:
            raise ScenarioError(
                "local_sensitivity: the scenario saves nothing. Name outputs, and leave save_at "
                "out or give times."
            )
        self.columns = [
            -1 - self.model.state_index[name.removeprefix(INITIAL)]
            if name.startswith(INITIAL)
            else self.model.parameter_index[name]
            for name in chosen
        ]
        self.x = np.array([self.y0[-1 - k] if k < 0 else self.p[k] for k in self.columns])
        self.scale = np.array([self._scale(k) for k in range(len(chosen))])
        self.therapy = compiled(
            self.model,
            self.items,
            self.p[None],
            self.y0[None, : self.own],
            self.start,
            self.stop,
            self.atol[: self.own],
        )

    def _scale(self, k: int) -> float:
        if self.x[k] != 0.0:
            return abs(float(self.x[k]))
        if self.columns[k] < 0:
            return 1.0
        plausible = self.model.parameters[self.columns[k]].plausible
        return 1.0 if plausible is None else plausible[1] - plausible[0]

    # At the start

    def _neighbors(self, points: Array) -> tuple[Array, Array]:
        """Initial states and parameters of patients with other values of what was chosen."""
        p = np.tile(self.p, (len(points), 1))
        p[:, [field.computed for field in self.model.parameters]] = np.nan
        for column, values in zip(self.columns, points.T, strict=True):
            if column >= 0:
                p[:, column] = values
        y0, p = self.model.initial_state(p)
        for name, value in self.scenario.initial.items():
            y0[:, self.model.state_index[name]] = value
        for column, values in zip(self.columns, points.T, strict=True):
            if column < 0:
                y0[:, -1 - column] = values
        return y0, p

    def _all_numbers(self, points: Array) -> Array:
        """Everything that the start and the therapy of patients consist of."""
        y0, p = self._neighbors(points)
        known = np.isfinite(np.concatenate([y0, p], axis=1)).all(axis=1)
        whole_y0 = np.where(known[:, np.newaxis], y0, self.y0[: self.own])
        whole_p = np.where(known[:, np.newaxis], p, self.p)
        numbers = Numbers(*(np.empty((len(points), 0)) for _ in range(3)))
        if self.items:
            neighbors = compiled(
                self.model,
                self.items,
                whole_p,
                whole_y0,
                self.start,
                self.stop,
                self.atol[: self.own],
            )
            numbers = numbers_of(neighbors, self.therapy.stops, len(points))
        table = np.concatenate([y0, p, numbers.value, numbers.time, numbers.level], axis=1)
        table[~known] = np.nan
        return table

    def _at_start(self) -> _Start:
        fields = self.model.parameters
        lower = np.array([fields[k].lower if k >= 0 else -np.inf for k in self.columns])
        upper = np.array([fields[k].upper if k >= 0 else np.inf for k in self.columns])
        found = differentiate(self._all_numbers, self.x, self.scale, lower, upper)
        sizes = [self.own, len(fields)]
        if self.items:
            rows, courses = len(self.therapy.stops.time), len(self.therapy.courses.kind)
            sizes += [rows, rows, courses]
        else:
            sizes += [0, 0, 0]
        cuts = np.cumsum(sizes)[:-1]
        slopes = np.split(found.slope, cuts, axis=1)
        how = "differences"
        replaced = np.zeros(found.slope.shape[1], dtype=np.bool_)
        exact = start_derivatives(self.model, self.p)
        if exact is not None:
            how = "symbols"
            given = [self.model.state_index[name] for name in self.scenario.initial]
            for k, column in enumerate(self.columns):
                if column >= 0:
                    slopes[0][k] = exact.states[column] * self.scale[k]
                    slopes[0][k, given] = 0.0
                    slopes[1][k] = exact.computed[column] * self.scale[k]
                else:
                    slopes[0][k], slopes[1][k] = 0.0, 0.0
            replaced[: cuts[1]] = True
        for k, column in enumerate(self.columns):
            # The variable itself moves by its scale, whatever the differences say.
            if column >= 0:
                slopes[1][k, column] = self.scale[k]
            else:
                slopes[0][k, -1 - column] = self.scale[k]
        used = ~replaced[None] & found.smooth
        size = np.maximum(np.maximum(np.abs(found.slope), found.size), np.finfo(float).tiny)
        error = np.where(used & (found.slope != 0.0), found.error / size, 0.0)
        states, parameters, value, time, level = slopes
        return _Start(
            states=states,
            parameters=parameters,
            value=value,
            time=time,
            level=level,
            why=self._reasons(found, replaced, cuts),
            how=how,
            error=float(error.max(initial=0.0)),
        )

    def _reasons(
        self, found: Differences, replaced: NDArray[np.bool_], cuts: NDArray[np.int64]
    ) -> list[str]:
        reasons = []
        names = [
            *(f"initial {name}" for name in self.model.state_names),
            *self.model.parameter_names,
        ]
        for k in range(len(self.chosen)):
            # Symbols take the derivative of one side of a kink; there is none.
            rough = np.flatnonzero(np.where(replaced, found.kink[k], ~found.smooth[k]))
            if not rough.size:
                reasons.append("")
            elif rough[0] < cuts[1]:
                reasons.append(f"no derivative here: {names[rough[0]]} has a kink or a jump")
            else:
                reasons.append("no derivative here: the therapy changes by jumps")
        return reasons

    # The run

    def run(self) -> xr.Dataset:
        start = self._at_start()
        good = [k for k, reason in enumerate(start.why) if not reason]
        model = self.model
        outputs, times = self.prepared.outputs, self.prepared.save.times
        value = np.full((len(outputs), len(times)), np.nan)
        slopes = np.full((len(outputs), len(self.chosen), len(times)), np.nan)
        if not good:
            raise ScenarioError(
                f"local_sensitivity: no parameter has a derivative here; {self.chosen[0]}: "
                f"{start.why[0]}."
            )
        moved = np.flatnonzero(start.parameters[good].any(axis=0))
        moving = tuple(model.parameter_names[j] for j in moved)
        program = compile_sensitivities(model, moving, outputs, self.driven)
        n_states = self.own + len(self.driven)
        layout = Layout(
            self.own,
            n_states,
            len(model.parameters),
            {int(j): len(model.parameters) + place for place, j in enumerate(moved)},
        )
        schedule = Augmented.of(layout, self.therapy, start.value[good], start.level[good])
        for time, state in self.extinct:
            schedule.set_to_zero(time, state)
        p = np.concatenate(
            [np.tile(self.p, (len(good), 1)), start.parameters[good][:, moved]], axis=1
        )
        y0 = np.concatenate([np.tile(self.y0, (len(good), 1)), start.states[good]], axis=1)
        self._move_times(schedule, p, start.time[good])
        floors = np.where(np.isneginf(self.prepared.floors), -np.inf, 0.0)
        first = n_states + self.own
        result = integrate(
            program,
            y0,
            p,
            self.start,
            self.stop,
            method=self.scenario.solver.method,
            rtol=self.scenario.solver.rtol,
            atol=np.concatenate([self.atol, self.atol[: self.own]]),
            floors=np.concatenate([floors, np.full(self.own, -np.inf)]),
            stops=schedule.stops(),
            courses=schedule.courses,
            n_items=self.therapy.n_items,
            save=Save(times, np.arange(first, first + 2 * len(outputs), dtype=np.int64)),
            max_steps=self.scenario.solver.max_steps,
            threads=self.scenario.solver.threads,
        )
        self._check(result, good)
        value[:] = result.saved[: len(outputs), 0]
        slopes[:, good] = result.saved[len(outputs) :] / self.scale[None, np.array(good), None]
        return self._dataset(value, slopes, start)

    def _check(self, result: Trajectories, good: Sequence[int]) -> None:
        failed = np.flatnonzero(result.status != Status.SUCCESS)
        if failed.size:
            k = int(failed[0])
            raise SolverError(
                f"local_sensitivity of {self.model.name!r} with respect to "
                f"{self.chosen[good[k]]!r}: stopped at t = {result.final_time[k]:g} "
                f"{self.model.time_unit}: {MEANING[Status(int(result.status[k]))]}. Try a larger "
                "rtol."
            )

    # Times that move

    def _move_times(self, schedule: Augmented, p: Array, time: Array) -> None:
        """Shift the derivatives where the time of an action or of a switch moves."""
        traced = trace(self.model, self.driven)
        crossings = self._crossings(traced)
        stops = self.therapy.stops
        moving = np.flatnonzero(time.any(axis=0))
        if not crossings and not moving.size:
            return
        at = np.array([*(crossing.time for crossing in crossings), *stops.time[moving]])
        states = self._states_at(at)
        base = schedule.stops()
        symbols = [traced.time, *traced.states, *traced.parameters]
        for crossing in crossings:
            y = states[crossing.time]
            # Of the sides of a crossing the equations differ, not the parameters.
            now = parameters_at(base, schedule.courses, p, crossing.time, before=False)
            numbers = dict(
                zip(
                    [symbol.index for symbol in symbols],
                    [crossing.time, *y, *now[0, : len(self.p)]],
                    strict=True,
                )
            )
            sides = []
            for holds in (crossing.before, not crossing.before):
                forced = {**numbers, crossing.node.index: np.bool_(holds)}
                sides.append(np.array(evaluate(traced.derivatives[: self.own], forced), float))
            moved = self._moved(traced, crossing.node, numbers, now, schedule.layout)
            schedule.shift(crossing.time, moved[:, None] * (sides[0] - sides[1])[None])
        for row in moving:
            kind, index = int(stops.kind[row]), int(stops.index[row])
            when = float(stops.time[row])
            if kind == Action.ADD_STATE and index < self.own:
                behind = states[when].copy()
                same = np.flatnonzero((stops.time == when) & (stops.kind == Action.ADD_STATE))
                for later in same[same > row]:
                    behind[stops.index[later]] -= stops.value[later]
                ahead = behind.copy()
                ahead[index] -= stops.value[row]
                now = parameters_at(base, schedule.courses, p, when, before=False)
                jump = self._rates(when, ahead, now) - self._rates(when, behind, now)
                schedule.shift(when, time[:, row : row + 1] * jump)
            elif kind in (Action.SET_RUNNING, Action.ADD_RUNNING):
                self._move_edge(schedule, int(row), time[:, row])
            else:
                raise ScenarioError(
                    "local_sensitivity: a parameter moves the time of an action that has no "
                    "derivative with respect to it. Give that time as a number."
                )

    def _move_edge(self, schedule: Augmented, row: int, moved: Array) -> None:
        """An infusion that begins or ends at another time gives more or less by then."""
        stops, courses = self.therapy.stops, self.therapy.courses
        number, when = int(stops.index[row]), float(stops.time[row])
        if courses.kind[number] != CourseKind.INPUT:
            raise ScenarioError(
                "local_sensitivity: a parameter moves the edge of a window. Give it as a number."
            )
        change = float(stops.value[row])
        if stops.kind[row] == Action.SET_RUNNING:
            earlier = (stops.index[:row] == number) & (stops.kind[:row] == Action.SET_RUNNING)
            before = np.flatnonzero(earlier)
            change -= float(stops.value[before[-1]]) if before.size else 0.0
        jump = np.zeros((len(moved), self.own))
        jump[:, int(courses.target[number])] = -change * courses.level[0, number] * moved
        schedule.shift(when, jump)

    def _rates(self, time: float, y: Array, p: Array) -> Array:
        """Rates of change of the model's own states at one point."""
        own_p = p[0, : len(self.p)].copy()
        for place, name in enumerate(self.driven):
            own_p[self.model.parameter_index[name]] = y[self.own + place]
        return np.array(
            self.model.derivatives(time, list(y[: self.own]), list(own_p)), dtype=np.float64
        )

    def _moved(
        self,
        traced: Trace,
        node: Expression,
        numbers: dict[int, float],
        p: Array,
        layout: Layout,
    ) -> Array:
        """How the time of a crossing moves in each direction."""
        gap = node.arguments[0] - node.arguments[1]
        by_time, *by_parameter = evaluate(
            [
                derivative(gap, traced.time),
                *(derivative(gap, traced.parameters[j]) for j in layout.component),
            ],
            numbers,
        )
        directions = p[:, list(layout.component.values())]
        return np.asarray(-(directions @ np.array(by_parameter)) / float(by_time))

    def _crossings(self, traced: Trace) -> list[_Crossing]:
        """Switches of the equations that the run goes through and that change them by a jump."""
        nodes = switches(traced)
        if not nodes:
            return []
        times = np.linspace(self.start, self.stop, FINE)
        states = self._states_at(times)
        stops, courses = self.therapy.stops, self.therapy.courses
        one = Augmented.of(
            Layout(self.own, len(self.y0), len(self.p), {}),
            self.therapy,
            np.zeros((2, len(stops.time))),
            np.zeros((2, len(courses.kind))),
        )
        base = one.stops()
        both = np.tile(self.p, (2, 1))
        edges = np.unique(stops.time)
        inner = np.searchsorted(edges, times, side="right")
        tables = {
            k: parameters_at(base, one.courses, both, times[inner == k][0], before=False)[0]
            for k in np.unique(inner)
        }
        table = np.array([tables[k] for k in inner])
        y = np.array([states[time] for time in times])
        symbols = [s.index for s in (traced.time, *traced.states, *traced.parameters)]
        numbers = dict(zip(symbols, [times, *y.T, *table.T], strict=True))
        found = []
        state_symbols = {symbol.index for symbol in traced.states}
        for node in nodes:
            a, b = node.arguments
            depends = traced.graph.depends_on(a) | traced.graph.depends_on(b)
            timed = traced.time.index in depends and not depends & state_symbols
            gap = np.broadcast_to(evaluate([a - b], numbers)[0], times.shape)
            holds_at = gap < 0.0 if node.operation == "less" else gap <= 0.0
            for place in np.flatnonzero(holds_at[1:] != holds_at[:-1]):
                at = {key: np.asarray(value)[place] for key, value in numbers.items()}
                moves = {traced.time.index} if timed else {traced.time.index, *state_symbols}
                chord = {key: (numbers[key][place], numbers[key][place + 1]) for key in moves}
                # Between two close times the states go straight: near enough to tell a jump.
                at |= _crossed(a - b, at, chord)
                when = float(at[traced.time.index])
                one_side, other = (
                    np.array(evaluate(traced.derivatives, {**at, node.index: np.bool_(holds)}))
                    for holds in (True, False)
                )
                size = np.abs(one_side) + np.abs(other) + self.atol
                if np.all(np.abs(one_side - other) <= JUMP * size):
                    continue
                if not timed:
                    raise ScenarioError(
                        f"local_sensitivity: the equations of {self.model.name!r} jump at about "
                        f"t = {when:g} {self.model.time_unit}, at a time that follows from the "
                        "states. Derivatives behind such a jump are not computed: end the "
                        "simulation before, or use small changes of the parameters instead."
                    )
                if self.start < when < self.stop:
                    found.append(_Crossing(when, node, bool(holds_at[place])))
        return found

    def _states_at(self, times: Array) -> dict[float, Array]:
        """States of the run, those that the therapy adds included, behind what happens then."""
        grid = np.unique(times)
        n_states = len(self.y0)
        wanted = dataclasses.replace(
            self.prepared, save=Save(grid, np.arange(n_states, dtype=np.int64))
        )
        run = solve(wanted)
        return dict(zip(grid.tolist(), run.saved[:, 0].T, strict=True))

    # The result

    def _dataset(self, value: Array, slopes: Array, start: _Start) -> xr.Dataset:
        import xarray as xr

        model, outputs, times = self.model, self.prepared.outputs, self.prepared.save.times
        with np.errstate(all="ignore"):
            # Of what is zero there is no percent.
            base = np.where(value == 0.0, np.nan, value)
            elasticity = slopes * self.x[None, :, None] / base[:, None, :]
        units = [model.unit_of(name) for name in outputs]
        of_parameters = [model.unit_of(name.removeprefix(INITIAL)) for name in self.chosen]
        words = [
            f"initial {model.words_of(name.removeprefix(INITIAL))}"
            if name.startswith(INITIAL)
            else model.words_of(name)
            for name in self.chosen
        ]
        return xr.Dataset(
            {
                "value": (("output", "time"), value, {"long_name": "value of the output"}),
                "sensitivity": (
                    ("output", "parameter", "time"),
                    slopes,
                    {"long_name": "unit of the output per unit of the parameter"},
                ),
                "elasticity": (
                    ("output", "parameter", "time"),
                    elasticity,
                    {"long_name": "percent of the output per percent of the parameter"},
                ),
            },
            {
                "output": ("output", list(outputs)),
                "output_unit": ("output", units),
                "output_words": ("output", [model.words_of(name) for name in outputs]),
                "parameter": ("parameter", list(self.chosen)),
                "parameter_value": ("parameter", self.x),
                "parameter_unit": ("parameter", of_parameters),
                "parameter_words": ("parameter", words),
                "why": ("parameter", start.why, {"long_name": "why there is no derivative"}),
                "time": (
                    "time",
                    np.array(times),
                    {
                        "units": udunits(model.time_unit),
                        "carsim_units": model.time_unit,
                        "long_name": "time",
                    },
                ),
            },
            {
                "title": f"Local sensitivities of {model.name}",
                "model": model.name,
                "model_hash": model.source_hash(),
                "scenario": self.scenario.to_json(),
                "rtol": self.scenario.solver.rtol,
                "start": start.how,
                "start_error": start.error,
            },
        )


@dataclass(frozen=True)
class _Crossing:
    """A time at which a comparison of the equations changes, and what it was before."""

    time: float
    node: Expression
    before: bool


def _crossed(
    gap: Expression, at: Mapping[int, Any], chord: Mapping[int, tuple[float, float]]
) -> dict[int, float]:
    """Where on the straight line between two points the gap of a comparison vanishes.

    Parameters
    ----------
    gap : Expression
    at : mapping of int to float
        Values of the symbols.
    chord : mapping of int to (float, float)
        Those that differ, at both ends.
    """

    def point(share: float) -> dict[int, float]:
        # Both ends are met exactly.
        return {key: (1.0 - share) * low + share * high for key, (low, high) in chord.items()}

    def value(share: float) -> float:
        return float(evaluate([gap], {**at, **point(share)})[0])

    for end in (0.0, 1.0):
        if value(end) == 0.0:
            return point(end)
    return point(float(brentq(value, 0.0, 1.0, xtol=1e-16, rtol=8.9e-16)))
