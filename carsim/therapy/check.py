"""Whether a therapy fits its model: names, times, contradictions between items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.events import AddTo, Event, SetParameter, SetState
from carsim.therapy.expand import dose_times, infusion_times, repeats
from carsim.therapy.values import FloatArray, Item, columns
from carsim.therapy.windows import Window

if TYPE_CHECKING:
    from carsim.model import Model

TherapyItem: TypeAlias = Item
"""A Dose, an Infusion, a Window or an Event."""


def check_therapy(
    model: Model, therapy: Mapping[str, TherapyItem], start: float, stop: float | FloatArray
) -> None:
    """Check all that does not depend on the patients' parameters.

    Parameters
    ----------
    model : Model
        Model that is treated.
    therapy : mapping of str to Dose, Infusion, Window or Event
        Items by name.
    start : float, model time unit
        Start of the simulation.
    stop : float or float64 array, shape (n_patients,)
        Stop of the simulation.

    Raises
    ------
    ScenarioError
        An unknown name, a dose before the start, two values of a parameter at the same time.
    """
    last = columns(stop)
    for name, item in therapy.items():
        where = f"therapy.{name}"
        if isinstance(item, Dose):
            _check_into(where, "into", item.into, model)
            repeats(where, item, last)
            _check_begins(where, "at", dose_times(item, last, np.zeros(1)), start)
        elif isinstance(item, Infusion):
            _check_into(where, "into", item.into, model)
            repeats(where, item, last)
            _check_begins(where, "start", infusion_times(item, last, np.zeros(1))[0], start)
        elif isinstance(item, Window):
            _check_parameter(where, item.parameter, model)
            if item.value is not None:
                check_bounds(where, model, item.parameter, columns(item.value))
        elif isinstance(item, Event):
            _check_event(where, item, model)
        else:
            raise ScenarioError(
                f"{where} is {item!r}. Give a Dose, an Infusion, a Window or an Event."
            )
    _check_windows(therapy, start, last)


def check_bounds(where: str, model: Model, parameter: str, values: FloatArray) -> None:
    """Refuse values beyond the bounds of a parameter."""
    field = model.parameters[model.parameter_index[parameter]]
    wrong = (values < field.lower) | (values > field.upper)
    if wrong.any():
        raise ScenarioError(
            f"{where}: {parameter} = {float(values[wrong][0]):g} {field.unit} lies outside its "
            f"bounds, {field.lower:g} to {field.upper:g}."
        )


def source_index(model: Model, name: str, where: str, field: str) -> int:
    """Position of an output in ``[states..., observables...]``."""
    sources = (*model.state_names, *model.observable_names)
    if name not in sources:
        raise ScenarioError(_unknown(where, field, name, sources, model, "state or observable"))
    return sources.index(name)


def _unknown(
    where: str, field: str, name: str, known: Iterable[str], model: Model, kind: str
) -> str:
    return f"{where}: {field} = {name!r}: {unknown(kind, name, known, f'model {model.name!r}')}"


def _check_into(where: str, field: str, name: str, model: Model) -> None:
    if name not in model.routes and name not in model.state_index:
        known = (*model.routes, *model.state_names)
        raise ScenarioError(_unknown(where, field, name, known, model, "route or state"))


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


def _check_event(where: str, event: Event, model: Model) -> None:
    source_index(model, event.when, where, "when")
    for position, action in enumerate(event.actions):
        place = f"{where}.do[{position}]"
        if isinstance(action, AddTo):
            _check_into(place, "state", action.state, model)
        elif isinstance(action, SetState):
            _check_state(place, action.state, model)
        else:
            _check_parameter(place, action.parameter, model)
            check_bounds(place, model, action.parameter, np.array([action.value]))


def _check_begins(where: str, field: str, times: FloatArray, start: float) -> None:
    early = times < start
    if early.any():
        earliest = float(times[early].min())
        who = _who(np.any(early, axis=1))
        raise ScenarioError(
            f"{where}: {field} = {earliest:g}{who} lies before the simulation, which starts at "
            f"{start:g}. What is given before the start is never simulated: set start = "
            f"{earliest:g} or earlier, or an amount of 0 for nothing."
        )


def _check_windows(therapy: Mapping[str, TherapyItem], start: float, stop: FloatArray) -> None:
    windows = [(name, item) for name, item in therapy.items() if isinstance(item, Window)]
    fixed = [(name, item) for name, item in windows if item.value is not None]
    for (one, first), (other, second) in combinations(fixed, 2):
        if first.parameter != second.parameter:
            continue
        a, b = first.span(start, stop), second.span(start, stop)
        with np.errstate(invalid="ignore"):
            begins, ends = np.maximum(a[0], b[0]), np.minimum(a[1], b[1])
        both = begins < ends
        if both.any():
            raise ScenarioError(
                f"therapy.{one} and therapy.{other} both give {first.parameter} a value from "
                f"{float(begins[both][0]):g} to {float(ends[both][0]):g}{_who(both[:, 0])}. End "
                f"one before the other begins, or use scale for one of them."
            )
    held = {item.parameter: name for name, item in windows}
    for name, item in therapy.items():
        for action in item.actions if isinstance(item, Event) else ():
            if isinstance(action, SetParameter) and action.parameter in held:
                raise ScenarioError(
                    f"therapy.{name} sets {action.parameter}, which therapy."
                    f"{held[action.parameter]} also holds for a time: the end of the window "
                    f"would undo the event. Let one of them act on another parameter."
                )


def _who(rows: NDArray[np.bool_]) -> str:
    return "" if len(rows) == 1 else f" (patient {int(np.flatnonzero(rows)[0])})"


def check_lengths(therapy: Mapping[str, Item], n_patients: int) -> None:
    """Refuse fields whose array has another length than the number of patients."""
    for name, item in therapy.items():
        for field, length in item.patients().items():
            if length != n_patients:
                series = field in ("at", "amount")
                raise ScenarioError(
                    f"therapy.{name}: {field} is an array of {length}, but there are "
                    f"{n_patients} patients. An array is one value a patient"
                    + (": for several doses to everybody give a list." if series else ".")
                )
