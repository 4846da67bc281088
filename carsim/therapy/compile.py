"""A therapy turned into stops and events for the engine.

Coincident actions are applied in this order: parameters of windows, input rates of infusions,
doses; within a kind in the order in which the therapy lists its items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from carsim.engine.plan import Action, Events, Stops
from carsim.errors import ScenarioError
from carsim.therapy.check import TherapyItem, check_bounds, source_index
from carsim.therapy.doses import Dose, Infusion
from carsim.therapy.events import AddTo, Event, EventAction, SetState
from carsim.therapy.expand import dose_amounts, dose_times, infusion_times, repeats
from carsim.therapy.timeline import Actions, Course, changed_only, running, to_stops
from carsim.therapy.values import FloatArray, columns
from carsim.therapy.windows import Window

if TYPE_CHECKING:
    from carsim.model import Model


def compile_therapy(
    model: Model,
    therapy: Mapping[str, TherapyItem],
    parameters: FloatArray,
    start: float,
    stop: float | FloatArray,
) -> tuple[Stops, Events]:
    """Turn therapy items into stops and events.

    The items have been checked with `check_therapy`; their arrays have one entry a patient.

    Parameters
    ----------
    model : Model
        Model that is treated.
    therapy : mapping of str to Dose, Infusion, Window or Event
        Items by name.
    parameters : float64 array, shape (n_patients, n_parameters), model units
        Parameters of every patient outside of all windows.
    start : float, model time unit
        Start of the simulation.
    stop : float or float64 array, shape (n_patients,)
        Stop of the simulation (exclusive for actions).

    Returns
    -------
    tuple of Stops and Events
    """
    last = columns(stop)
    actions = [
        *_window_actions(model, therapy, parameters, start, last),
        *_infusion_actions(model, therapy, parameters, last),
        *_dose_actions(model, therapy, parameters, last),
    ]
    n_patients = len(parameters)
    return to_stops(actions, n_patients), _events(model, therapy, parameters)


def most_actions(model: Model, therapy: Mapping[str, TherapyItem], stop: float | FloatArray) -> int:
    """Upper bound of the actions of one patient, for planning memory.

    Parameters
    ----------
    model : Model
        Model that is treated.
    therapy : mapping of str to Dose, Infusion, Window or Event
        Items by name.
    stop : float or float64 array, shape (n_patients,)
        Stop of the simulation.
    """
    most = 0
    for name, item in therapy.items():
        if isinstance(item, Dose | Infusion):
            reached = len(model.routes[item.into].fractions) if item.into in model.routes else 1
            each = columns(item.at).shape[1] if isinstance(item, Dose) else 2
            most += repeats(f"therapy.{name}", item, columns(stop)).size * each * reached
        elif isinstance(item, Window):
            most += 2
    return most


def check_scaled_windows(
    model: Model, therapy: Mapping[str, TherapyItem], parameters: FloatArray
) -> None:
    """Refuse factors that carry a patient's parameter beyond its bounds.

    Parameters
    ----------
    model : Model
        Model that is treated.
    therapy : mapping of str to items
        Items by name.
    parameters : float64 array, shape (n_patients, n_parameters)
        Parameters of every patient.
    """
    for name, item in therapy.items():
        if isinstance(item, Window) and item.scale is not None:
            column = model.parameter_index[item.parameter]
            scaled = parameters[:, column, None] * columns(item.scale)
            check_bounds(f"therapy.{name}", model, item.parameter, scaled)


def _window_actions(
    model: Model,
    therapy: Mapping[str, TherapyItem],
    parameters: FloatArray,
    start: float,
    stop: FloatArray,
) -> list[Actions]:
    groups: dict[str, list[Window]] = {}
    for item in therapy.values():
        if isinstance(item, Window):
            groups.setdefault(item.parameter, []).append(item)
    actions = []
    for parameter, windows in groups.items():
        index = model.parameter_index[parameter]
        courses = [_window_course(window, start, stop) for window in windows]
        time, counts = running(courses)
        own = _narrow(parameters[:, index])
        total = np.broadcast_to(own, np.broadcast_shapes(own.shape, time.shape))
        for window, course, count in zip(windows, courses, counts, strict=True):
            if window.value is not None:
                total = np.where(count > 0, course.value, total)
        for window, course, count in zip(windows, courses, counts, strict=True):
            if window.scale is not None:
                total = np.where(count > 0, total * course.value, total)
        time = changed_only(np.where(time < stop, time, np.inf), total, own)
        actions.append(Actions(Action.SET_PARAMETER, index, time, total))
    return actions


def _window_course(window: Window, start: float, stop: FloatArray) -> Course:
    given = window.scale if window.value is None else window.value
    assert given is not None
    return Course(*window.span(start, stop), columns(given))


def _infusion_actions(
    model: Model,
    therapy: Mapping[str, TherapyItem],
    parameters: FloatArray,
    stop: FloatArray,
) -> list[Actions]:
    groups: dict[int, list[Course]] = {}
    for name, item in therapy.items():
        if isinstance(item, Infusion):
            times = infusion_times(item, stop, repeats(f"therapy.{name}", item, stop))
            for index, fraction in routed(model, item.into, parameters, f"therapy.{name}"):
                course = Course(*times, item.speed() * fraction)
                groups.setdefault(index, []).append(course)
    actions = []
    for index, courses in groups.items():
        time, counts = running(courses)
        total = np.zeros((1, 1))
        for course, count in zip(courses, counts, strict=True):
            total = total + count * course.value
        time = changed_only(time, total, np.zeros((1, 1)))
        actions.append(Actions(Action.SET_INPUT, index, time, total))
    return actions


def _dose_actions(
    model: Model,
    therapy: Mapping[str, TherapyItem],
    parameters: FloatArray,
    stop: FloatArray,
) -> list[Actions]:
    actions = []
    for name, item in therapy.items():
        if isinstance(item, Dose):
            time = dose_times(item, stop, repeats(f"therapy.{name}", item, stop))
            amount = dose_amounts(item, time.shape[1])
            for index, fraction in routed(model, item.into, parameters, f"therapy.{name}"):
                actions.append(Actions(Action.ADD_STATE, index, time, amount * fraction))
    return actions


def routed(
    model: Model, into: str, parameters: FloatArray, where: str
) -> list[tuple[int, FloatArray]]:
    """States that a route leads to, with the state units per unit of dose.

    Parameters
    ----------
    model : Model
        Model that is treated.
    into : str
        Route, or state.
    parameters : float64 array, shape (n_patients, n_parameters)
        Parameters of every patient.
    where : str
        Name of the item, for messages.

    Returns
    -------
    list of (int, float64 array of shape (1 or n_patients, 1))
        States with a fraction of zero for everybody are left out.
    """
    if into not in model.routes:
        return [(model.state_index[into], np.ones((1, 1)))]
    pairs = []
    for state, given in model.routes[into].fractions.items():
        if callable(given):
            record = model.parameter_record(list(parameters.T))
            fraction = np.asarray(given(record), dtype=np.float64)
            fraction = _narrow(np.broadcast_to(fraction, (len(parameters),)))
        else:
            fraction = np.full((1, 1), float(given))
        if fraction.any():
            pairs.append((model.state_index[state], fraction))
    return pairs


def _narrow(values: FloatArray) -> FloatArray:
    """Shape (1, 1) where all patients agree, (n_patients, 1) otherwise."""
    same = bool((values == values[:1]).all()) if values.size else True
    return values[:1, None] if same else values[:, None]


def _events(model: Model, therapy: Mapping[str, TherapyItem], parameters: FloatArray) -> Events:
    events = {name: item for name, item in therapy.items() if isinstance(item, Event)}
    n_patients = len(parameters)
    if not events:
        return Events.none(n_patients)
    offsets, kinds, indices, values = [0], [], [], []
    for name, event in events.items():
        for action in event.actions:
            for kind, index, value in _steps(model, action, parameters, f"therapy.{name}"):
                kinds.append(int(kind))
                indices.append(index)
                values.append(value)
        offsets.append(len(kinds))
    thresholds = np.empty((n_patients, len(events)))
    for column, event in enumerate(events.values()):
        thresholds[:, column] = event.threshold
    return Events(
        source=_integers(
            source_index(model, event.when, f"therapy.{name}", "when")
            for name, event in events.items()
        ),
        threshold=thresholds,
        direction=_integers(-1 if event.above is None else 1 for event in events.values()),
        limit=_integers(event.limit for event in events.values()),
        action_offsets=_integers(offsets),
        action_kind=_integers(kinds),
        action_index=_integers(indices),
        action_value=np.array(values, dtype=np.float64),
    )


def _steps(
    model: Model, action: EventAction, parameters: FloatArray, where: str
) -> list[tuple[Action, int, float]]:
    if isinstance(action, AddTo):
        steps = []
        for index, fraction in routed(model, action.state, parameters, where):
            if len(fraction) > 1:
                raise ScenarioError(
                    f"{where}: route {action.state!r} delivers another fraction to each patient, "
                    f"which an event cannot. Add to the state itself."
                )
            steps.append((Action.ADD_STATE, index, action.amount * float(fraction[0, 0])))
        return steps
    if isinstance(action, SetState):
        return [(Action.SET_STATE, model.state_index[action.state], action.value)]
    return [(Action.SET_PARAMETER, model.parameter_index[action.parameter], action.value)]


def _integers(values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(list(values), dtype=np.int64)  # type: ignore[call-overload]
