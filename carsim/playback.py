"""A run with rules, as a run in which the same is scheduled."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from carsim.dataset import rebuild_scenario
from carsim.errors import ScenarioError
from carsim.model import Model
from carsim.scenario import Scenario, prepare
from carsim.scenario.start_only import read_by_equations
from carsim.therapy import (
    Covariate,
    Discontinue,
    Dose,
    Hazard,
    Infusion,
    Item,
    People,
    Reset,
    Rule,
    SetParameter,
    Window,
)
from carsim.therapy.expand import Administration, administration, window_times
from carsim.therapy.history import History, changed_by_rules
from carsim.therapy.routes import given_into, states_of
from carsim.therapy.values import FloatArray, columns

if TYPE_CHECKING:
    import xarray as xr


def replay(result: xr.Dataset, model: Model | None = None) -> Scenario:
    """Turn the event log of a result into scheduled doses.

    Every firing of a rule or hazard becomes what it did, at the time at which it did it; what was
    discontinued is given no longer. Running the scenario gives the courses of the result again, to
    the bit: the log is complete, and rules do nothing but what it says.

    Parameters
    ----------
    result : xarray.Dataset
        Result of `simulate` whose scenario has rules.
    model : Model, optional
        Model to use in place of the stored name.

    Returns
    -------
    Scenario
        Without rules; hazards stay, and do nothing.

    Raises
    ------
    ScenarioError
        The log is not complete, or an action cannot be scheduled.
    """
    scenario = rebuild_scenario(result.attrs, model)
    return _Replay(scenario, result).run()


class _Replay:
    def __init__(self, scenario: Scenario, result: xr.Dataset) -> None:
        if "note" in result["event_name"].attrs:
            raise ScenarioError(
                f"replay: the event log is not complete: {result['event_name'].attrs['note']}."
            )
        self.scenario = scenario
        prepared = prepare(scenario)
        n_states = len(scenario.model.states)
        seed = 0 if scenario.population is None else scenario.population.seed
        self.people = People(prepared.p, prepared.y0[:, :n_states], prepared.patients, seed)
        self.stop = columns(scenario.stop)
        self.history = History(
            *(scenario.model, self.people, scenario.items, scenario.start, self.stop),
            changed_by_rules(scenario.items),
        )
        self.rules = prepared.rules
        self.firings = {name: self._firings(result, name) for name in self.rules}

    def _firings(self, result: xr.Dataset, name: str) -> FloatArray:
        """Times at which a rule fired, shape (n_patients, most firings), infinite behind."""
        mine = np.asarray(result["event_name"].values == name)
        patients = np.asarray(result["event_patient"].values)[mine]
        times = np.asarray(result["event_time"].values, dtype=np.float64)[mine]
        rows = np.searchsorted(self.people.numbers, patients)
        order = np.lexsort((times, rows))
        rows, times = rows[order], times[order]
        counts = np.bincount(rows, minlength=len(self.people))
        place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        table = np.full((len(self.people), max(int(counts.max(initial=0)), 1)), np.inf)
        table[rows, place] = times
        return table

    def run(self) -> Scenario:
        self._walk()
        therapy: dict[str, Item] = {}
        for name, item in self.scenario.items.items():
            if isinstance(item, Rule):
                continue
            if isinstance(item, Hazard):
                therapy[_plain(name)] = dataclasses.replace(item, do=())
            else:
                therapy[_plain(name)] = self._cut(name, item)
        for name in self.rules:
            for number, action in enumerate(self._item(name).actions):
                if isinstance(action, Discontinue):
                    continue
                scheduled = self._scheduled(name, action)
                if scheduled is not None:
                    therapy[f"{_plain(name)}_do_{number}"] = scheduled
        landings = self._landings()
        if landings is not None:
            therapy["landings"] = landings
        return dataclasses.replace(self.scenario, therapy=therapy)

    def _item(self, name: str) -> Rule | Hazard:
        item = self.scenario.items[name]
        assert isinstance(item, Rule | Hazard)
        return item

    def _walk(self) -> None:
        """Go through all that ended something, in order of time, patient by patient.

        What would end others may have been ended itself before it came to that.
        """
        n_patients = len(self.people)
        self.ended = {name: np.full_like(self.firings[name], np.inf) for name in self.rules}
        self.static_end = {
            name: np.full(n_patients, np.inf)
            for name in self.scenario.items
            if name not in self.rules
        }
        done: list[list[float]] = [[] for _ in range(n_patients)]
        enders = [
            (rule, name, order, at, targets)
            for rule, name in enumerate(self.rules)
            for order, at, targets in self._endings(name)
        ]
        for patient in range(n_patients):
            pending = []
            for rule, name, order, at, targets in enders:
                offset = float(at[patient if len(at) > 1 else 0])
                for column, fired in enumerate(self.firings[name][patient]):
                    if np.isfinite(fired + offset):
                        pending.append((fired + offset, order, rule, fired, column, targets))
            for time, order, rule, _, column, targets in sorted(pending, key=lambda p: p[:4]):
                own = self.ended[self.rules[rule]][patient]
                if own[column] <= time:
                    continue
                if order > 0:
                    done[patient].append(time)
                for target in targets:
                    if target in self.static_end:
                        ends = self.static_end[target]
                        ends[patient] = min(ends[patient], time)
                        continue
                    started = self.firings[target][patient] < time
                    if target == self.rules[rule]:
                        started[column] = False
                    ended = self.ended[target][patient]
                    ended[started] = np.minimum(ended[started], time)
        width = max(1, *(len(times) for times in done))
        self.landed = np.full((n_patients, width), np.inf)
        for patient, times in enumerate(done):
            self.landed[patient, : len(times)] = times

    def _endings(self, name: str) -> list[tuple[int, FloatArray, list[str]]]:
        """What a rule ends, and when after its firing: resets before discontinuations."""
        item = self._item(name)
        delay = columns(item.delay)
        endings = []
        for action in item.actions:
            if isinstance(action, Discontinue):
                endings.append((1, delay[:, 0], [action.item]))
            elif isinstance(action, Reset):
                at = columns(0.0 if action.at is None else action.at) + delay
                targets = [each for each in self.scenario.items if self._is_emptied(each, action)]
                endings.extend((0, at[:, k], targets) for k in range(at.shape[1]))
        return endings

    def _is_emptied(self, name: str, reset: Reset) -> bool:
        model = self.scenario.model
        into = given_into(self.scenario.items[name], self.history)
        return bool(into & states_of(model, reset))

    def _cut(self, name: str, item: Item) -> Item:
        """A scheduled item without what came after its end."""
        end = self.static_end[name][:, None]
        if not np.isfinite(end).any():
            return item
        where = f"therapy.{name}"
        if isinstance(item, Window):
            begins, finish = window_times(where, item, self.scenario.start, self.stop)
            return _window(item, *_ended(begins, finish, end))
        assert isinstance(item, Dose | Infusion)
        given = administration(name, item, self.history, self.stop)
        if item.steady_state:
            raise ScenarioError(
                f"replay: {where} is at steady state and was discontinued, which cannot be "
                f"scheduled."
            )
        if isinstance(item, Dose):
            # A dose of that very instant is given before a rule acts.
            return _doses(item, np.where(given.enters <= end, given.enters, np.inf), given.level)
        return _infusions(item, *_ended(given.enters, given.ends, end), given)

    def _landings(self) -> Item | None:
        """Land where rules discontinued something: windows in which nothing changes."""
        items = self.scenario.items.values()
        parts = [
            part
            for item in items
            for part in (item.actions if isinstance(item, Rule | Hazard) else (item,))
        ]
        taken = {
            part.parameter for part in parts if isinstance(part, Covariate | Window | SetParameter)
        }
        model = self.scenario.model
        # Of one that no equation reads a window would be refused.
        read = read_by_equations(model)
        free = [
            k
            for k, field in enumerate(model.parameters)
            if field.name in read and not field.computed and field.name not in taken
        ]
        if not free or not np.isfinite(self.landed).any():
            return None
        own = self.people.parameters[:, free[0]]
        return Window(model.parameters[free[0]].name, self.landed, value=own)

    def _scheduled(self, name: str, action: Item) -> Item | None:
        """What all firings of a rule did with one action; None if it never fired."""
        fired = self.firings[name]
        if not np.isfinite(fired).any():
            return None
        horizon = self.stop - self.scenario.start
        if isinstance(action, Reset):
            at = columns(0.0 if action.at is None else action.at)
            times, _ = self._later(name, at, np.full_like(at, np.inf))
            return Reset(times, action.states)
        if isinstance(action, Window):
            begins, ends = window_times("replay", action, 0.0, horizon)
            return _window(action, *self._later(name, begins, ends))
        if not isinstance(action, Dose | Infusion):
            raise ScenarioError(
                f"replay: therapy.{name} did {action!r}, which cannot be scheduled. Give a Window, "
                f"a Dose or a Reset."
            )
        given = administration(name, action, self.history.after_firing(), horizon)
        begins, ends = self._later(name, given.enters, given.ends)
        if isinstance(action, Dose):
            level = np.tile(
                np.broadcast_to(given.level, (len(given.level), given.enters.shape[1])),
                (1, fired.shape[1]),
            )
            return _doses(action, begins, level)
        return _infusions(action, begins, ends, given)

    def _later(
        self, name: str, begins: FloatArray, ends: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Times counted from every firing, without what was ended before."""
        begins, ends = np.broadcast_arrays(begins, ends)
        delay = columns(self._item(name).delay)
        if delay.any():
            begins, ends = begins + delay, ends + delay
        fired = self.firings[name]
        all_begins, all_ends = _spread(fired, begins), _spread(fired, ends)
        ended = np.repeat(self.ended[name], begins.shape[1], axis=1)
        # At one instant discontinuations come before doses.
        given = (all_begins < self.stop) & (all_begins < ended)
        return np.where(given, all_begins, np.inf), np.minimum(all_ends, ended)


def _plain(name: str) -> str:
    return name.replace(".", "_")


def _spread(fired: FloatArray, times: FloatArray) -> FloatArray:
    """Every time counted from every firing, shape (n_patients, firings x times)."""
    table = fired[:, :, None] + times[:, None, :]
    return table.reshape(len(table), -1)


def _ended(begins: FloatArray, ends: FloatArray, end: FloatArray) -> tuple[FloatArray, FloatArray]:
    begins, ends = np.broadcast_arrays(begins, ends)
    return np.where(begins < end, begins, np.inf), np.minimum(ends, end)


def _doses(dose: Dose, at: FloatArray, amount: FloatArray) -> Dose:
    at, amount = np.broadcast_arrays(at, amount)
    return Dose(dose.into, np.array(amount), np.array(at))


def _infusions(
    infusion: Infusion, start: FloatArray, stop: FloatArray, given: Administration
) -> Infusion:
    start, stop = np.broadcast_arrays(start, stop)
    level = np.asarray(given.level)
    rate: Any = (
        level if level.shape[1] == 1 else np.tile(level, (1, start.shape[1] // level.shape[1]))
    )
    if rate.shape == (1, 1):
        rate = float(rate[0, 0])
    elif len(rate) == 1:
        rate = np.broadcast_to(rate, start.shape)
    # An end that lies behind the beginning stands for one that is not given.
    stop = np.where(np.isfinite(start), stop, np.inf)
    return Infusion(infusion.into, np.array(start), np.array(stop), rate=rate)


def _window(window: Window, start: FloatArray, stop: FloatArray) -> Window:
    return dataclasses.replace(
        window,
        start=np.array(start),
        stop=np.array(stop),
        duration=None,
        every=None,
        count=None,
        until=None,
    )
