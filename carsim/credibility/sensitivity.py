"""Exact derivatives of courses with respect to parameters and initial values.

The equations of the derivatives are traced from those of the model and solved with them, by the
same engine, one direction a patient. Doses, windows and initial values take part, see
`carsim.credibility.schedule`. Reference: E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary
Differential Equations I, section I.14.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carsim.credibility.crossings import find_crossings, moved_by
from carsim.credibility.differences import Differences, differentiate
from carsim.credibility.schedule import (
    Augmented,
    Layout,
    compiled,
    numbers_of,
    parameters_between,
)
from carsim.dataset import describe_failure
from carsim.engine import warm
from carsim.engine.integrate import integrate
from carsim.engine.plan import Action, CourseKind, Save
from carsim.engine.program import Program
from carsim.engine.status import MEANING, Status
from carsim.errors import ScenarioError, SolverError, unknown
from carsim.kernels.compile import compile_sensitivities
from carsim.model import Model
from carsim.playback import replay
from carsim.scenario import Prepared, Scenario, prepare
from carsim.simulation import simulate, solve
from carsim.symbolic.sensitivity import start_derivatives
from carsim.symbolic.trace import trace
from carsim.therapy import Compiled, Covariate, Hazard, Rule
from carsim.units import udunits

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["local_sensitivity"]

Array = NDArray[np.float64]

RTOL = 1e-8
INITIAL = "initial."
MOST_CROSSINGS = 100
"""Jumps of the equations along one run; each that states decide costs one more solution."""


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
    # Endpoints have no derivative, and must not add outputs and times.
    scenario = dataclasses.replace(scenario.replace("solver.rtol", rtol), endpoints={})
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
        self.therapy = self._compiled(self.p[None], self.y0[None, : self.own])

    def _compiled(self, p: Array, y0: Array) -> Compiled:
        """The therapy of patients with these parameters and initial states."""
        return compiled(self.model, self.scenario.items, p, y0, self.start, self.stop)

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
        neighbors = self._compiled(whole_p, whole_y0)
        numbers = numbers_of(neighbors, self.therapy.stops, len(points))
        table = np.concatenate([y0, p, numbers.value, numbers.time, numbers.level], axis=1)
        table[~known] = np.nan
        return table

    def _at_start(self) -> _Start:
        fields = self.model.parameters
        lower = np.array([fields[k].lower if k >= 0 else -np.inf for k in self.columns])
        upper = np.array([fields[k].upper if k >= 0 else np.inf for k in self.columns])
        found = differentiate(self._all_numbers, self.x, self.scale, lower, upper)
        rows, courses = len(self.therapy.stops.time), len(self.therapy.courses.kind)
        cuts = np.cumsum([self.own, len(fields), rows, rows, courses])[:-1]
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
        with warm.compiling():
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
        directions = start.parameters[good][:, moved]
        engine = _Engine(
            self,
            program,
            schedule,
            np.concatenate([np.tile(self.p, (len(good), 1)), directions], axis=1),
            np.concatenate([np.tile(self.y0, (len(good), 1)), start.states[good]], axis=1),
            [self.chosen[k] for k in good],
        )
        self._move_times(engine, start.time[good])
        first = n_states + self.own
        saved = engine.solve(times, np.arange(first, first + 2 * len(outputs), dtype=np.int64))
        value[:] = saved[: len(outputs), 0]
        slopes[:, good] = saved[len(outputs) :] / self.scale[None, np.array(good), None]
        return self._dataset(value, slopes, start)

    # Times that move

    def _move_times(self, engine: _Engine, time: Array) -> None:
        """Shift the derivatives where the time of an action or of a switch moves."""
        traced = trace(self.model, self.driven)
        schedule = engine.schedule
        stops = self.therapy.stops
        base = schedule.stops()
        rows = parameters_between(base, schedule.courses, engine.p)
        crossings = find_crossings(
            traced,
            self._states_at,
            lambda when: rows(when)[0, : len(self.p)],
            (self.start, self.stop),
            np.array([*stops.time, *(when for when, _ in self.extinct)]),
            self.atol,
        )
        if len(crossings) > MOST_CROSSINGS:
            raise ScenarioError(
                f"local_sensitivity: the equations of {self.model.name!r} jump {len(crossings)} "
                f"times, more than {MOST_CROSSINGS}. Shorten the simulation."
            )
        for row in np.flatnonzero(time.any(axis=0)):
            self._move_action(engine, int(row), time[:, row], rows)
        varied = list(schedule.layout.component)
        components = list(schedule.layout.component.values())
        none = np.zeros((schedule.n, self.own))
        for crossing in crossings:
            # Where states decide, their derivatives just before do: those before are done.
            slopes = none if crossing.timed else engine.slopes_before(crossing.time)
            directions = rows(np.nextafter(crossing.time, -np.inf))[:, components]
            moved = moved_by(traced, crossing, slopes, directions, varied)
            jump = (crossing.before - crossing.after)[: self.own]
            schedule.shift(crossing.time, moved[:, None] * jump[None])

    def _move_action(
        self, engine: _Engine, row: int, moved: Array, rows: Callable[[float], Array]
    ) -> None:
        """A dose or an edge of an infusion at a time that moves."""
        stops = self.therapy.stops
        kind, index, when = int(stops.kind[row]), int(stops.index[row]), float(stops.time[row])
        if kind in (Action.SET_RUNNING, Action.ADD_RUNNING):
            self._move_edge(engine.schedule, row, moved)
            return
        if kind != Action.ADD_STATE or index >= self.own:
            raise ScenarioError(
                "local_sensitivity: a parameter moves the time of an action that has no "
                "derivative with respect to it. Give that time as a number."
            )
        behind = self._states_at(np.array([when]))[0]
        same = np.flatnonzero((stops.time == when) & (stops.kind == Action.ADD_STATE))
        for later in same[same > row]:
            behind[stops.index[later]] -= stops.value[later]
        ahead = behind.copy()
        ahead[index] -= stops.value[row]
        now = rows(when)
        jump = self._rates(when, ahead, now) - self._rates(when, behind, now)
        engine.schedule.shift(when, moved[:, None] * jump[None])

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

    def _states_at(self, times: Array) -> Array:
        """States of the run, those that the therapy adds included, behind what happens then.

        Parameters
        ----------
        times : float64 array, strictly ascending

        Returns
        -------
        float64 array, shape (n_times, n_states)
        """
        sources = np.arange(len(self.y0), dtype=np.int64)
        run = solve(dataclasses.replace(self.prepared, save=Save(times, sources)))
        return np.array(run.saved[:, 0].T)

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
                "model_hash": model.hash,
                "scenario": self.scenario.to_json(),
                "rtol": self.scenario.solver.rtol,
                "start": start.how,
                "start_error": start.error,
            },
        )


class _Engine:
    """The augmented equations with their schedule, ready to be solved again and again."""

    def __init__(
        self,
        owner: _Sensitivity,
        program: Program,
        schedule: Augmented,
        p: Array,
        y0: Array,
        names: Sequence[str],
    ) -> None:
        self.owner, self.program, self.schedule = owner, program, schedule
        self.p, self.y0, self.names = p, y0, names

    def slopes_before(self, time: float) -> Array:
        """Derivatives of the states just before a time, shape (n, n_own)."""
        first = self.schedule.layout.n_states
        sources = np.arange(first, first + self.owner.own, dtype=np.int64)
        return np.array(self.solve(np.array([np.nextafter(time, -np.inf)]), sources)[:, :, 0].T)

    def solve(self, times: Array, sources: NDArray[np.int64]) -> Array:
        """Sources at times, shape (n_sources, n, n_times)."""
        owner = self.owner
        solver, prepared = owner.scenario.solver, owner.prepared
        # Pools go extinct by the schedule.
        floors = np.where(np.isneginf(prepared.floors), -np.inf, 0.0)
        result = integrate(
            self.program,
            self.y0,
            self.p,
            owner.start,
            owner.stop,
            method=solver.method,
            rtol=solver.rtol,
            atol=np.concatenate([owner.atol, owner.atol[: owner.own]]),
            floors=np.concatenate([floors, np.full(owner.own, -np.inf)]),
            stops=self.schedule.stops(),
            courses=self.schedule.courses,
            n_items=owner.therapy.n_items,
            save=Save(times, sources),
            max_steps=solver.max_steps,
            threads=solver.threads,
        )
        failed = np.flatnonzero(result.status != Status.SUCCESS)
        if failed.size:
            k = int(failed[0])
            model = owner.model
            raise SolverError(
                f"local_sensitivity of {model.name!r} with respect to {self.names[k]!r}: stopped "
                f"at t = {result.final_time[k]:g} {model.time_unit}: "
                f"{MEANING[Status(int(result.status[k]))]}. Try a larger rtol."
            )
        return result.saved
