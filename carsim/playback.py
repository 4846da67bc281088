"""A run with rules, as a run in which the same is scheduled."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim.dataset import rebuild_scenario
from carsim.engine.plan import SAME_INSTANT
from carsim.errors import ScenarioError
from carsim.model import Model
from carsim.scenario import Scenario, prepare
from carsim.scenario.start_only import read_by_doses, read_by_equations
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
from carsim.therapy.expand import Administration, administration, recorded, window_times
from carsim.therapy.history import (
    Entry,
    History,
    changed_by_rules,
    changed_in_advance,
    read_by,
)
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
        self._know()
        therapy: dict[str, Item] = {}
        for name, item in self.scenario.items.items():
            if isinstance(item, Rule):
                continue
            if isinstance(item, Hazard):
                therapy[_plain(name)] = dataclasses.replace(item, do=())
            elif self._is_read(item, self.history):
                therapy.update(self._cut_as_read(name, item))
            else:
                therapy[_plain(name)] = self._cut(name, item)
        for name in self.rules:
            for number, action in enumerate(self._item(name).actions):
                label = f"{_plain(name)}_do_{number}"
                if isinstance(action, Discontinue):
                    continue
                if self._is_read(action, self.history.after_firing()):
                    therapy.update(self._scheduled_as_read(label, name, action))
                    continue
                scheduled = self._scheduled(name, action)
                if scheduled is not None:
                    therapy[label] = scheduled
        self._leave_out_unread(therapy)
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

    # What was read at records

    def _is_read(self, item: Item, history: History) -> bool:
        """Whether the engine read at its records how much of an item enters."""
        return isinstance(item, Dose | Infusion) and any(
            entry.reading is not None for entry in history.entries(item, recorded(item))
        )

    def _know(self) -> None:
        """Gather what changed parameters, as what items read at their records follows from it."""
        items = self.scenario.items
        own = {
            name: self._cut(name, item)
            for name, item in items.items()
            if isinstance(item, Window | Covariate)
        }
        by_rules: dict[str, Item] = {}
        for name in self.rules:
            for number, action in enumerate(self._item(name).actions):
                if isinstance(action, Window):
                    window = self._scheduled(name, action)
                    if window is not None:
                        by_rules[f"{name}_do_{number}"] = window
        changing = changed_by_rules(items) | changed_in_advance(items)

        def known(therapy: dict[str, Item]) -> History:
            scenario = self.scenario
            span = (scenario.start, self.stop)
            return History(scenario.model, self.people, therapy, *span, changing=changing)

        # What rules do at an instant comes after what is scheduled, and before what they give.
        self.before_rules = known({**own, **{k: _moved_on(w) for k, w in by_rules.items()}})
        self.after_rules = known({**own, **by_rules})

    def _cut_as_read(self, name: str, item: Item) -> dict[str, Item]:
        """A scheduled item whose amounts the engine read, without what came after its end."""
        assert isinstance(item, Dose | Infusion)
        end = self.static_end[name][:, None]
        given = administration(name, item, self.history, self.stop)
        own = recorded(item)
        self._land(np.where(own < end, own, np.inf))
        begins, ends = given.enters, given.ends
        if isinstance(item, Dose):
            begins = np.where(begins <= end, begins, np.inf)
        else:
            begins, ends = _ended(begins, ends, end)
        entries = self.before_rules.entries(item, own)
        return self._as_read(_plain(name), item, begins, ends, given, entries, given.record)

    def _scheduled_as_read(self, label: str, name: str, action: Item) -> dict[str, Item]:
        """What all firings of a rule gave with an action whose amounts the engine read."""
        assert isinstance(action, Dose | Infusion)
        fired = self.firings[name]
        if not np.isfinite(fired).any():
            return {}
        horizon = self.stop - self.scenario.start
        given = administration(name, action, self.history.after_firing(), horizon)
        begins, ends = self._later(name, given.enters, given.ends)
        own = recorded(action)
        times, _ = self._later(name, own, np.full_like(own, np.inf))
        self._land(times)
        # A covariate that goes to its next value at that instant has done so.
        followed = {
            item.parameter
            for item in self.scenario.items.values()
            if isinstance(item, Covariate) and item.interpolation == "nocb"
        }
        reads = read_by(
            self.scenario.model,
            [entry.reading for entry in given.entries if entry.reading is not None],
        )
        entries = self.after_rules.entries(action, _behind(times) if followed & reads else times)
        n_firings = fired.shape[1]
        steps = np.repeat(np.arange(n_firings) * own.shape[1], given.enters.shape[1])
        record = np.tile(given.record, (1, n_firings)) + steps
        level = np.broadcast_to(given.level, (len(given.level), given.enters.shape[1]))
        given = dataclasses.replace(given, level=np.tile(level, (1, n_firings)))
        return self._as_read(label, action, begins, ends, given, entries, record)

    def _as_read(
        self,
        label: str,
        item: Dose | Infusion,
        begins: FloatArray,
        ends: FloatArray,
        given: Administration,
        entries: tuple[Entry, ...],
        record: NDArray[np.int64],
    ) -> dict[str, Item]:
        """What entered each state, given into that state."""
        model = self.scenario.model
        begins, ends = np.broadcast_arrays(begins, ends)
        found: dict[str, Item] = {}
        for entry in entries:
            state = model.state_names[entry.state]
            if state in model.routes and model.routes[state].fractions != {state: 1.0}:
                raise ScenarioError(
                    f"replay: {label} entered the state {state!r} with what parameters were at its "
                    f"records, which cannot be scheduled, as a route has the same name."
                )
            factor = entry.factor
            if factor.shape[1] > 1:
                rows = max(len(factor), len(record), len(begins))
                factor = np.take_along_axis(
                    np.broadcast_to(factor, (rows, factor.shape[1])),
                    np.broadcast_to(record, (rows, record.shape[1])),
                    axis=1,
                )
            shape = np.broadcast_shapes(begins.shape, given.level.shape, factor.shape)
            # As the engine multiplies what it read.
            level = np.broadcast_to(given.level * factor, shape)
            at = np.broadcast_to(begins, shape)
            name = label if len(entries) == 1 else f"{label}_{_plain(state)}"
            if isinstance(item, Dose):
                found[name] = Dose(state, np.array(level), np.array(at))
            else:
                stop = np.where(np.isfinite(at), np.broadcast_to(ends, shape), np.inf)
                found[name] = Infusion(state, np.array(at), stop, rate=np.array(level))
        return found

    def _leave_out_unread(self, therapy: dict[str, Item]) -> None:
        """Leave out changes that only such items read, but land where they were."""
        model = self.scenario.model
        read = read_by_equations(model) | read_by_doses(model, therapy)
        for name, item in list(therapy.items()):
            if not isinstance(item, Window | Covariate) or item.parameter in read:
                continue
            del therapy[name]
            if isinstance(item, Covariate):
                self._land(columns(item.at))
                continue
            for times in window_times(name, item, self.scenario.start, self.stop):
                self._land(times)

    def _land(self, times: FloatArray) -> None:
        """Land where something was read."""
        inside = (times >= self.scenario.start) & (times < self.stop)
        times = np.where(inside, times, np.inf)
        wide = np.broadcast_to(times, (len(self.landed), times.shape[1]))
        self.landed = np.concatenate([self.landed, wide], axis=1)

    def _landings(self) -> Item | None:
        """Land where rules discontinued something, and where items read parameters.

        Windows in which nothing changes.
        """
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


def _moved_on(window: Item) -> Item:
    """A window that begins and ends a little behind its instants."""
    assert isinstance(window, Window)
    start, stop = (_behind(columns(times)) for times in (window.start, window.stop))  # type: ignore[arg-type]
    return dataclasses.replace(window, start=start, stop=stop)


def _behind(times: FloatArray) -> FloatArray:
    """Times that are another instant, and hardly later."""
    size = np.where(np.isfinite(times), np.maximum(np.abs(times), 1.0), 1.0)
    return times + 3.0 * SAME_INSTANT * size


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
