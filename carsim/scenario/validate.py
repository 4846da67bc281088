"""Checks of what a scenario is given, before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.therapy.values import PER_PATIENT_HINT, FloatArray, PerPatient, shown

if TYPE_CHECKING:
    from carsim.model import Model

_SIGNED = "or declare it with state(..., signed=True) if negative values have a meaning"

Values: TypeAlias = Mapping[str, PerPatient]


def checked_values(what: str, values: object) -> dict[str, PerPatient]:
    """Copy a mapping of names to numbers or arrays, shape (n_patients,).

    Parameters
    ----------
    what : str
        Field of the scenario, for messages.
    values : mapping of str to float or array
        What was given.
    """
    if not isinstance(values, Mapping):
        raise ScenarioError(f"{what} = {shown(values)}: give a mapping of names to numbers.")
    return {str(name): _value(f"{what}.{name}", value) for name, value in values.items()}


def _value(where: str, value: object) -> PerPatient:
    if isinstance(value, str | bytes | bool) or value is None:
        raise ScenarioError(f"{where} = {value!r} is not a number. {PER_PATIENT_HINT}")
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list
        array = np.empty(0)
    if array.dtype.kind not in "iuf" or array.ndim > 1 or array.size == 0:
        raise ScenarioError(
            f"{where} = {shown(value)} is neither a number nor one number a patient. "
            f"{PER_PATIENT_HINT}"
        )
    if array.ndim == 0:
        return float(array)
    copy = array.astype(np.float64)
    copy.setflags(write=False)
    return copy


def check_parameters(model: Model, values: Values, variants: Sequence[str]) -> None:
    """Check names, bounds and variants without a table of all patients."""
    extremes = {
        name: np.array([value.min(), value.max()]) if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }
    try:
        model.parameter_values(extremes, variants)
    except ScenarioError as error:
        # Found in the extremes; say it again with the number of the patient.
        for name, value in values.items():
            model.parameter_values({name: value})
        raise error from None


def check_initial(model: Model, values: Values) -> None:
    """Check names of states, that their values are finite, and not negative in a pool."""
    for name, value in values.items():
        if name not in model.state_index:
            raise ScenarioError(
                "initial: " + unknown("state", name, model.state_names, f"model {model.name!r}")
            )
        if not np.isfinite(value).all():
            raise ScenarioError(f"initial.{name} is not finite. Give a finite number.")
        lowest = float(np.min(value))
        if lowest < -_slack(model)[model.state_index[name]]:
            raise ScenarioError(
                f"initial.{name} = {lowest:g} [{model.unit_of(name)}] is negative, and the state "
                f"is a pool. Give 0 or more, {_SIGNED}."
            )


def checked_start_values(
    model: Model, y0: FloatArray, patients: NDArray[np.int64] | None
) -> FloatArray:
    """Check that no pool starts with less than nothing.

    Parameters
    ----------
    model : Model
    y0 : float64 array, shape (n_patients, n_states), model units
        Initial states; not finite for a patient who has none.
    patients : int64 array, shape (n_patients,), optional
        Number of each patient, for the message; counted from 0 by default.

    Returns
    -------
    float64 array, shape (n_patients, n_states)
        With zero for a pool that is empty but for rounding: within its `atol`.

    Raises
    ------
    ScenarioError
        A state that is not signed starts negative.
    """
    slack = _slack(model)
    negative = y0 < -slack
    if negative.any():
        row, column = (int(where[0]) for where in np.nonzero(negative))
        number = row if patients is None else int(patients[row])
        who = f"patient {number}: " if len(y0) > 1 else ""
        field = model.states[column]
        raise ScenarioError(
            f"{who}state {field.name!r} starts at {y0[row, column]:g} [{field.unit}], and the "
            f"state is a pool. Look at the parameters from which it is computed, {_SIGNED}."
        )
    return np.where((y0 < 0.0) & np.isfinite(slack), 0.0, y0)


def _slack(model: Model) -> FloatArray:
    """What a state may start below zero: rounding, or anything if it is signed."""
    return np.array([np.inf if field.signed else field.atol for field in model.states])


def checked_time(name: str, value: object) -> float:
    """Check one time: the start of the simulation, or the infusion."""
    if not _is_time(value):
        raise ScenarioError(f"{name} = {shown(value)} is not a time. Give one finite number.")
    return float(value)  # type: ignore[arg-type]


def checked_ids(value: object) -> tuple[str, ...] | None:
    """Check the labels of the patients."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        raise ScenarioError(f"ids = {shown(value)}: give a list of texts, one a patient.")
    for place, label in enumerate(value):
        if not isinstance(label, str):
            raise ScenarioError(f"ids[{place}] = {label!r} is not a text. Write {str(label)!r}.")
    if not len(value):
        raise ScenarioError("ids is empty: give one label a patient, or leave it out.")
    return tuple(str(label) for label in value)


def checked_stop(value: object, start: float) -> PerPatient:
    """Check the stop, one for all or one a patient, against the start."""
    if not _is_time(value) and not isinstance(value, np.ndarray):
        raise ScenarioError(f"stop = {shown(value)} is not a time. Give one finite number.")
    stop = _value("stop", value)
    if not np.isfinite(stop).all():
        raise ScenarioError(f"stop = {shown(value)} must be finite.")
    if np.min(stop) <= start:
        raise ScenarioError(
            f"stop = {float(np.min(stop)):g} is not after start = {start:g}. Let it stop later."
        )
    return stop


def checked_times(value: object, start: float, stop: float) -> FloatArray | None:
    """Check the times to save: finite, ascending, inside the simulation."""
    if value is None:
        return None
    try:
        times = np.atleast_1d(np.array(value, dtype=np.float64))
    except (TypeError, ValueError):
        raise ScenarioError(
            f"save_at = {shown(value)}: give a list of times, or None for the default grid."
        ) from None
    if times.ndim != 1 or not np.isfinite(times).all():
        raise ScenarioError(f"save_at = {shown(value)}: give a plain list of finite times.")
    ascending = np.diff(times) > 0
    if not ascending.all():
        place = int(np.argmin(ascending))
        raise ScenarioError(
            f"save_at: {times[place + 1]:g} follows {times[place]:g}. The times must ascend, each "
            f"once: numpy.unique sorts them."
        )
    if times.size and (times[0] < start or times[-1] > stop):
        wrong = times[0] if times[0] < start else times[-1]
        raise ScenarioError(
            f"save_at: {wrong:g} lies outside the simulation, which runs from {start:g} to "
            f"{stop:g}. Leave it out, or extend the simulation."
        )
    times.setflags(write=False)
    return times


def checked_outputs(model: Model, outputs: Iterable[str] | None) -> tuple[str, ...] | None:
    """Check the names of observables and states to save."""
    if outputs is None:
        return None
    if isinstance(outputs, str):
        raise ScenarioError(f"outputs is the text {outputs!r}; give a list: [{outputs!r}].")
    names = tuple(outputs)
    known = (*model.observable_names, *model.state_names)
    for name in names:
        if name not in known:
            who = f"outputs: model {model.name!r}"
            raise ScenarioError(unknown("observable or state", str(name), known, who))
        if names.count(name) > 1:
            raise ScenarioError(f"outputs: {name!r} is listed twice. List it once.")
    return names


def check_names(what: str, names: Iterable[object]) -> None:
    """Check the names of therapy items, metrics or endpoints: they become parts of paths."""
    for name in names:
        if not isinstance(name, str) or not name or "." in name or name != name.strip():
            raise ScenarioError(
                f"{what}: {name!r} is not a usable name. Use letters, digits and underscores, "
                f"without dots."
            )


def number_of_patients(lengths: Mapping[str, int], size: int | None) -> int | None:
    """Find the number of patients that all arrays agree on; None without arrays and population.

    Parameters
    ----------
    lengths : mapping of str to int
        Path of every array and its length.
    size : int or None
        Size of the population.
    """
    if size is None and not lengths:
        return None
    reference = "population.size" if size is not None else next(iter(lengths))
    expected = size if size is not None else lengths[reference]
    for path, length in lengths.items():
        if length != expected:
            hint = ""
            if path.startswith("therapy.") and path.endswith((".at", ".amount")):
                hint = " For several doses to everybody give a list instead of an array."
            raise ScenarioError(
                f"{path} has {length} values, but {reference} makes {expected} patients. An "
                f"array is one value a patient.{hint}"
            )
    return expected


def _is_time(value: object) -> bool:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]


def array_lengths(prefix: str, values: Values) -> dict[str, int]:
    """Paths and lengths of the values that are arrays."""
    return {
        f"{prefix}.{name}": len(value)
        for name, value in values.items()
        if isinstance(value, np.ndarray)
    }
