"""Whether a therapy fits its model: names, times, contradictions between items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carsim.errors import CarsimError, ScenarioError, unknown
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.expand import (
    first_times,
    level_names,
    nominal_times,
    timing_names,
    window_times,
)
from carsim.therapy.history import (
    changed_by_rules,
    changed_in_advance,
    fraction_reads,
    fractions_of,
    given_by,
)
from carsim.therapy.regimens import SINGLE
from carsim.therapy.rules import Discontinue, Hazard, Rule, SetParameter, SetState
from carsim.therapy.values import FloatArray, Item, columns, shown
from carsim.therapy.visits import visits_of
from carsim.therapy.windows import Covariate, Reset, Window
from carsim.units import convert

if TYPE_CHECKING:
    from carsim.model import Model


def check_therapy(
    model: Model, therapy: Mapping[str, Item], start: float, stop: float | FloatArray
) -> None:
    """Check all that does not depend on the patients' parameters.

    Parameters
    ----------
    model : Model
        Model that is treated.
    therapy : mapping of str to items
        Items by name, bundles taken apart.
    start : float, model time unit
        Start of the simulation.
    stop : float or float64 array, shape (n_patients,)
        Stop of the simulation.

    Raises
    ------
    ScenarioError
        An unknown name, a dose before the start, two values of a parameter at the same time, a rule
        that can never fire.
    """
    last = columns(stop)
    for name, item in therapy.items():
        where = f"therapy.{name}"
        if not isinstance(item, SINGLE):
            kinds = ", ".join(kind.__name__ for kind in SINGLE)
            raise ScenarioError(f"{where} is {shown(item)}. Give one of {kinds}.")
        if isinstance(item, Rule | Hazard):
            _check_answer(where, item, model, therapy, start, last)
        else:
            _check_item(where, item, model, start, last)
    _check_windows(therapy, start, last)
    _check_covariates(therapy)
    _check_records(model, therapy)
    _check_order_of_rules(therapy)


def _check_item(where: str, item: Item, model: Model, start: float, stop: FloatArray) -> None:
    """Check an item that is scheduled."""
    if isinstance(item, Dose | Infusion):
        field = "at" if isinstance(item, Dose) else "start"
        if getattr(item, field) is None:
            raise ScenarioError(f"{where}: {field} is missing. Say when it is given.")
        _check_entering(where, item, model)
        _check_begins(where, field, nominal_times(where, item, stop), start)
    elif isinstance(item, Window):
        if item.start is None:
            raise ScenarioError(f"{where}: start is missing. Say when the window begins.")
        _check_window(where, item, model)
        window_times(where, item, start, stop)
    elif isinstance(item, Covariate):
        _check_parameter(where, item.parameter, model)
        check_bounds(where, model, item.parameter, columns(item.value))
    elif isinstance(item, Reset):
        if item.at is None:
            raise ScenarioError(f"{where}: at is missing. Say when the reset is.")
        for name in item.states:
            _check_state(where, name, model)


def _check_entering(where: str, item: Dose | Infusion, model: Model) -> None:
    if item.into not in model.routes and item.into not in model.state_index:
        known = (*model.routes, *model.state_names)
        raise ScenarioError(_unknown(where, "into", item.into, known, model, "route or state"))
    for field in ("lag", "bioavailability", "rate", "duration"):
        name = getattr(item, field, None)
        if isinstance(name, str) and name not in model.parameter_index:
            known = model.parameter_names
            raise ScenarioError(_unknown(where, field, name, known, model, "parameter"))


def _check_window(where: str, window: Window, model: Model) -> None:
    _check_parameter(where, window.parameter, model)
    if window.value is not None:
        check_bounds(where, model, window.parameter, columns(window.value))


def _check_answer(
    where: str,
    item: Rule | Hazard,
    model: Model,
    therapy: Mapping[str, Item],
    start: float,
    stop: FloatArray,
) -> None:
    """Check a rule or a hazard: what it looks at, when, and what it does."""
    if isinstance(item, Hazard):
        if isinstance(item.rate, str):
            _check_rate(where, item.rate, model)
    else:
        if item.when is not None:
            check_source(model, item.when, where, "when")
        for number, who in enumerate(item.eligibility):
            check_source(model, who.of, f"{where}.for_whom[{number}]", "of")
        _check_visits(where, item, start, float(np.max(stop)))
        rules = [name for name, other in therapy.items() if isinstance(other, Rule | Hazard)]
        named = [("after", item.after), ("while_running", item.while_running)]
        for field, name in (*named, *(("unless", other) for other in item.excluded_by)):
            if name is not None and name not in rules:
                raise ScenarioError(
                    f"{where}: {field}: " + unknown("rule", name, rules, "the therapy")
                )
    for position, action in enumerate(item.actions):
        _check_action(f"{where}.do[{position}]", action, model, therapy, stop - start)


def _check_rate(where: str, name: str, model: Model) -> None:
    check_source(model, name, where, "rate")
    unit = model.unit_of(name)
    try:
        convert(1.0, unit, f"1/{model.time_unit}")
    except CarsimError:
        raise ScenarioError(
            f"{where}: rate = {name!r} is in [{unit}]. A hazard is per time: give an output in "
            f"[1/{model.time_unit}]."
        ) from None


def _check_visits(where: str, rule: Rule, start: float, stop: float) -> None:
    if not rule.has_visits:
        return
    visits = visits_of(rule, start, stop, where)
    needed = rule.consecutive
    if len(visits) < needed:
        plural = "s" if needed > 1 else ""
        span = f"between {start:g} and {stop:g}"
        if rule.needs_baseline:
            span += ", that of the baseline at the start not counted"
        raise ScenarioError(
            f"{where}: it can never fire: it needs {needed} visit{plural}, and has {len(visits)} "
            f"{span}. Look earlier or more often, or leave the rule out."
        )


def _check_action(
    where: str, action: Item, model: Model, therapy: Mapping[str, Item], span: FloatArray
) -> None:
    if isinstance(action, Discontinue):
        if action.item not in therapy:
            raise ScenarioError(
                f"{where}: item: " + unknown("item", action.item, therapy, "the therapy")
            )
        if isinstance(therapy[action.item], Covariate | Reset):
            raise ScenarioError(
                f"{where}: item = {action.item!r} is a {type(therapy[action.item]).__name__}, "
                f"which cannot be discontinued. Name a dose, an infusion, a window or a rule."
            )
    elif isinstance(action, SetState):
        _check_state(where, action.state, model)
        if np.min(action.value) < 0.0 and not model.states[model.state_index[action.state]].signed:
            raise ScenarioError(
                f"{where}: value = {action.value:g} is negative, and the state {action.state!r} is "
                f"a pool. Give 0 or more, or declare the state with signed=True."
            )
    elif isinstance(action, SetParameter):
        _check_parameter(where, action.parameter, model)
        check_bounds(where, model, action.parameter, columns(action.value))
    elif isinstance(action, Reset):
        for name in action.states:
            _check_state(where, name, model)
        _check_after_firing(where, "at", columns(0.0 if action.at is None else action.at))
    elif isinstance(action, Window):
        _check_window(where, action, model)
        window_times(where, action, 0.0, span)
        _check_after_firing(where, "start", columns(first_times(action)))
    elif isinstance(action, Dose | Infusion):
        _check_entering(where, action, model)
        nominal_times(where, action, span)
        field = "at" if isinstance(action, Dose) else "start"
        _check_after_firing(where, field, columns(first_times(action)))
        if action.steady_state:
            raise ScenarioError(
                f"{where}: a rule cannot give a dose at steady state. Schedule it, or give a "
                f"loading dose."
            )


def _check_after_firing(where: str, field: str, times: FloatArray) -> None:
    if (times < 0.0).any():
        raise ScenarioError(
            f"{where}: {field} = {float(times.min()):g} lies before the firing, from which times "
            f"in a rule count. Give 0 or more."
        )


def check_bounds(where: str, model: Model, parameter: str, values: FloatArray) -> None:
    """Refuse values beyond the bounds of a parameter."""
    field = model.parameters[model.parameter_index[parameter]]
    wrong = (values < field.lower) | (values > field.upper)
    if wrong.any():
        raise ScenarioError(
            f"{where}: {parameter} = {float(values[wrong][0]):g} {field.unit} lies outside its "
            f"bounds, {field.lower:g} to {field.upper:g}."
        )


def check_source(model: Model, name: str, where: str, field: str) -> None:
    """Refuse what is no output of the model."""
    sources = (*model.state_names, *model.observable_names)
    if name not in sources:
        raise ScenarioError(_unknown(where, field, name, sources, model, "state or observable"))


def _unknown(
    where: str, field: str, name: str, known: Iterable[str], model: Model, kind: str
) -> str:
    return f"{where}: {field} = {name!r}: {unknown(kind, name, known, f'model {model.name!r}')}"


def _check_state(where: str, name: str, model: Model) -> None:
    if name not in model.state_index:
        raise ScenarioError(_unknown(where, "state", name, model.state_names, model, "state"))


def _check_parameter(where: str, name: str, model: Model) -> None:
    settable = [field.name for field in model.parameters if not field.computed]
    if name in model.parameter_index and name not in settable:
        raise ScenarioError(
            f"{where}: parameter = {name!r} is computed by model {model.name!r} when a patient "
            f"starts, and cannot be set. Choose a parameter that it follows from, or another."
        )
    if name not in settable:
        raise ScenarioError(_unknown(where, "parameter", name, settable, model, "parameter"))


def _check_begins(where: str, field: str, times: FloatArray, start: float) -> None:
    early = times < start
    if early.any():
        earliest = float(times[early].min())
        who = _who(early)
        raise ScenarioError(
            f"{where}: {field} = {earliest:g}{who} lies before the simulation, which starts at "
            f"{start:g}. What is given before the start is never simulated: set start = "
            f"{earliest:g} or earlier, or an amount of 0 for nothing."
        )


def _check_windows(therapy: Mapping[str, Item], start: float, stop: FloatArray) -> None:
    windows = [(name, item) for name, item in therapy.items() if isinstance(item, Window)]
    fixed = [(name, item) for name, item in windows if item.value is not None]
    for (one, first), (other, second) in combinations(fixed, 2):
        if first.parameter != second.parameter:
            continue
        a = window_times(f"therapy.{one}", first, start, stop)
        b = window_times(f"therapy.{other}", second, start, stop)
        begins = np.maximum(a[0][:, :, None], b[0][:, None, :])
        ends = np.minimum(a[1][:, :, None], b[1][:, None, :])
        both = begins < np.minimum(ends, stop[:, :, None])
        if both.any():
            row, k, m = (int(place) for place in np.argwhere(both)[0])
            end = min(float(ends[row, k, m]), float(np.max(stop)))
            raise ScenarioError(
                f"therapy.{one} and therapy.{other} both give {first.parameter} a value from "
                f"{float(begins[row, k, m]):g} to {end:g}{_who(both)}. End "
                f"one before the other begins, or use scale for one of them."
            )


def _check_covariates(therapy: Mapping[str, Item]) -> None:
    """A covariate owns its parameter; one that is interpolated admits nobody else."""
    owners: dict[str, str] = {}
    for name, item in therapy.items():
        if isinstance(item, Covariate):
            other = owners.setdefault(item.parameter, name)
            if other != name:
                raise ScenarioError(
                    f"therapy.{other} and therapy.{name} are both covariates of {item.parameter}. "
                    f"Join their records."
                )
    for name, item in therapy.items():
        parts = item.actions if isinstance(item, Rule | Hazard) else (item,)
        for part in parts:
            if not isinstance(part, Window | SetParameter) or part.parameter not in owners:
                continue
            owner = owners[part.parameter]
            covariate = therapy[owner]
            assert isinstance(covariate, Covariate)
            if covariate.interpolation == "linear" or isinstance(part, SetParameter):
                raise ScenarioError(
                    f"therapy.{name} sets {part.parameter}, which follows therapy.{owner}: its "
                    f"next record would undo it. Let one of them act on another parameter."
                )


def _check_records(model: Model, therapy: Mapping[str, Item]) -> None:
    """Refuse what would have to be known in advance of a record, and is not.

    How much enters is read when the record comes; when it enters, and for how long, has to be known
    before, as do steady states.
    """
    by_rules = changed_by_rules(therapy)
    changing = by_rules | changed_in_advance(therapy)
    if not changing:
        return
    for name, item in therapy.items():
        given, live = given_by(item, changing, by_rules)
        by_rule = isinstance(item, Rule | Hazard)
        for part in given:
            where = f"therapy.{name}"
            if isinstance(item, Rule | Hazard):
                where += f".do[{item.actions.index(part)}]"
            for field, parameter in timing_names(part).items():
                if parameter not in live:
                    continue
                changer = _changer(therapy, parameter)
                advice = f"Give {field} as a number, or let {changer} act on another parameter."
                if by_rule:
                    advice = f"Schedule it, or give {field} as a number."
                if field == "bioavailability":
                    advice += " With bioavailability_scales = 'rate' it can be read then."
                raise ScenarioError(
                    f"{where}: {field} = {parameter!r} counts at the record, and {changer} changes "
                    f"it: its value is known only {'when the rule gives' if by_rule else 'then'}, "
                    f"but says when it enters and for how long. {advice}"
                )
            if part.steady_state:
                read = set(level_names(part)).union(
                    *(
                        fraction_reads(model, part.into, state)
                        for state in fractions_of(model, part.into)
                    )
                )
                for parameter in sorted(read & live):
                    raise ScenarioError(
                        f"{where}: it is at steady state and reads {parameter!r}, which "
                        f"{_changer(therapy, parameter)} changes while the simulation runs: the "
                        f"steady state has to be known before. Leave steady_state out, and let a "
                        f"run-up lead there, or change {parameter!r} by a Window or a Covariate."
                    )


def _changer(therapy: Mapping[str, Item], parameter: str) -> str:
    """What changes a parameter: a rule, if there is one."""
    found = []
    for name, item in therapy.items():
        parts = item.actions if isinstance(item, Rule | Hazard) else (item,)
        for part in parts:
            if not isinstance(part, Window | Covariate | SetParameter):
                continue
            if part.parameter == parameter:
                found.append((not isinstance(item, Rule | Hazard), f"therapy.{name}"))
    return min(found)[1]


def _check_order_of_rules(therapy: Mapping[str, Item]) -> None:
    """Rules that wait for each other in a circle never fire."""
    for name, item in therapy.items():
        seen = [name]
        while isinstance(item, Rule) and item.after is not None:
            if item.after in seen:
                circle = " after ".join((*seen[seen.index(item.after) :], item.after))
                raise ScenarioError(
                    f"therapy.{name}: it can never fire: {circle}. Let one of them begin."
                )
            seen.append(item.after)
            item = therapy[item.after]


def _who(table: NDArray[np.bool_]) -> str:
    """Name the first patient with something true; nobody where the table is that of all."""
    flat = np.reshape(table, (table.shape[0], -1))
    rows = np.asarray(flat.any(axis=1))
    return "" if len(rows) == 1 else f" (patient {int(np.flatnonzero(rows)[0])})"


def check_lengths(therapy: Mapping[str, Item], n_patients: int) -> None:
    """Refuse fields whose array has another length than the number of patients."""
    for name, item in therapy.items():
        for field, length in item.patients().items():
            if length != n_patients:
                series = field.rsplit(".", 1)[-1] in ("at", "amount", "start", "rate", "duration")
                raise ScenarioError(
                    f"therapy.{name}: {field} is an array of {length}, but there are "
                    f"{n_patients} patients. An array is one value a patient"
                    + (": for several doses to everybody give a list." if series else ".")
                )


def check_scaled_windows(model: Model, therapy: Mapping[str, Item], parameters: FloatArray) -> None:
    """Refuse factors that carry a patient's parameter beyond its bounds.

    Parameters
    ----------
    model : Model
        Model that is treated.
    therapy : mapping of str to items
        Items by name, bundles taken apart.
    parameters : float64 array, shape (n_patients, n_parameters)
        Parameters of every patient.
    """
    for name, item in therapy.items():
        if isinstance(item, Window) and item.scale is not None:
            column = model.parameter_index[item.parameter]
            scaled = parameters[:, column, None] * columns(item.scale)
            check_bounds(f"therapy.{name}", model, item.parameter, scaled)
