"""Words about solves that did not reach the end. Only here does a status become a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from carsim.engine.plan import Trajectories
from carsim.engine.status import MEANING, Status

if TYPE_CHECKING:
    from carsim.model import Model
    from carsim.scenario import Prepared

MOST_STATES_SHOWN = 40
MOST_SUSPECTS = 5


def summarize_failures(statuses: Mapping[int, int], first: str, what: str = "patients") -> str:
    """Count those that failed, and describe the first; empty if none did.

    Parameters
    ----------
    statuses : mapping of int to int
        How many ended with each status.
    first : str
        Words about the first that failed, see `describe_failure`.
    what : str
        What is counted.
    """
    total = sum(statuses.values())
    failed = {code: n for code, n in sorted(statuses.items()) if code != Status.SUCCESS and n}
    if not failed or total == 1:
        return first if failed else ""
    kinds = ", ".join(f"{n:,} {Status(code).name.lower()}" for code, n in failed.items())
    return f"{sum(failed.values()):,} of {total:,} {what} failed ({kinds}). The first: {first}"


def describe_failure(prepared: Prepared, trajectories: Trajectories, patient: int) -> str:
    """Say where and how one patient's integration ended, and what to try.

    Parameters
    ----------
    prepared : Prepared
        What was simulated.
    trajectories : Trajectories
        What the engine returned.
    patient : int
        Position of the patient among the prepared ones.

    Returns
    -------
    str
        Time, patient, status, last state by name with the first value that is not finite, solver,
        suspicious parameters, and what the equations say in plain Python at that state.
    """
    model, solver = prepared.model, prepared.scenario.solver
    status = int(trajectories.status[patient])
    time = float(trajectories.final_time[patient])
    n_states = len(model.states)
    y = trajectories.final_state[patient, :n_states]
    if not np.isfinite(y).any():
        # Nothing was reached: it is the beginning that is wrong.
        time, y = prepared.scenario.start, prepared.y0[patient, :n_states]
    stop = prepared.scenario.stop
    end = float(stop[patient]) if isinstance(stop, np.ndarray) else stop
    ids = prepared.scenario.ids
    label = "" if ids is None else f"({ids[patient]}) "
    number = int(prepared.patients[patient])
    who = f"patient {number} {label}" if prepared.scenario.is_ensemble else ""
    if status == Status.NO_STEADY_STATE:
        words = [
            f"{model.name}: {who}stopped at t = {time:.6g} {model.time_unit} of {end:g}: "
            f"{_no_steady_state(prepared, patient, time)}.",
            *_suspects(model, prepared.p[patient]),
        ]
        return " ".join(words)
    return " ".join(
        [
            f"{model.name}: {who}stopped at t = {time:.6g} {model.time_unit} of {end:g}: "
            f"{MEANING[status]}.",
            f"Last state: {_state(model, y)}.",
            f"Solver {solver.method}, rtol {solver.rtol:g}, "
            f"{int(trajectories.n_steps[patient])} steps, "
            f"{int(trajectories.n_rejected[patient])} rejected.",
            *_driven_below_zero(model, status, time, y, prepared.p[patient]),
            *_suspects(model, prepared.p[patient]),
            _equations(model, time, y, prepared.p[patient]),
        ]
    )


def _no_steady_state(prepared: Prepared, patient: int, time: float) -> str:
    """Whose steady state there is none of, why, and what to do."""
    unsteady = prepared.block(patient, patient + 1).therapy.unsteady
    missing = next(each for each in unsteady if each.time[0] == time)
    why = "no steady state was found that the regimen leads to from empty states"
    if missing.growing[0]:
        why = (
            "as much enters in an interval as can leave, or more, so that there is no steady state"
        )
    return (
        f"therapy.{missing.item}: {why}. Lower the dose or lengthen the interval; or leave "
        f"steady_state out, and let a run-up of doses lead to the state that is meant"
    )


def _state(model: Model, y: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> str:
    wrong = np.flatnonzero(~np.isfinite(y))
    shown = set(range(MOST_STATES_SHOWN)) | set(wrong[:1].tolist())
    parts = []
    for position, (field, value) in enumerate(zip(model.states, y, strict=True)):
        if position in shown:
            mark = " (first not finite)" if wrong.size and position == wrong[0] else ""
            parts.append(f"{field.name} = {value:.4g} {field.unit}{mark}")
    return ", ".join(parts)


def _suspects(model: Model, p: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[str]:
    """Parameters that are not finite or outside their plausible range."""
    found = []
    for field, value in zip(model.parameters, p, strict=True):
        if not np.isfinite(value):
            found.append(f"{field.name} = {value:g} {field.unit}")
        elif field.plausible is not None and not field.plausible[0] <= value <= field.plausible[1]:
            low, high = field.plausible
            found.append(f"{field.name} = {value:g} {field.unit} (plausible {low:g} to {high:g})")
    if not found:
        return []
    more = f" and {len(found) - MOST_SUSPECTS} more" if len(found) > MOST_SUSPECTS else ""
    return [f"Check {', '.join(found[:MOST_SUSPECTS])}{more}."]


def _driven_below_zero(
    model: Model,
    status: int,
    time: float,
    y: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    p: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> list[str]:
    """Say which empty pools the equations still take from, where that may be why it stopped."""
    if status not in (Status.MAX_STEPS, Status.STEP_TOO_SMALL):
        return []
    try:
        slopes = model.derivatives(time, y.tolist(), p.tolist())
    except Exception:
        # The words about the equations say what is wrong with them.
        return []
    found = [
        f"d({field.name})/dt = {float(slope):.3g} {field.unit}/{model.time_unit}"
        for field, value, slope in zip(model.states, y, slopes, strict=True)
        if not field.signed and value <= field.atol and float(slope) < -field.atol
    ]
    if not found:
        return []
    return [
        f"It is empty, and the equations take more from it: {', '.join(found[:MOST_SUSPECTS])}. "
        f"Declare the state with signed=True if negative values have a meaning; otherwise let the "
        f"loss vanish with the state."
    ]


def _equations(
    model: Model,
    time: float,
    y: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    p: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> str:
    try:
        derivative = np.array(model.derivatives(time, y.tolist(), p.tolist()), dtype=np.float64)
    except Exception as error:
        # Whatever a model file does wrong belongs into the diagnosis, not in its place.
        return f"The equations in plain Python fail there: {type(error).__name__}: {error}."
    wrong = [
        f"d({name})/dt = {value:g}"
        for name, value in zip(model.state_names, derivative, strict=True)
        if not np.isfinite(value)
    ]
    if wrong:
        return f"The equations in plain Python give there {', '.join(wrong[:MOST_SUSPECTS])}."
    finite = np.where(np.isfinite(y), np.abs(y), 0.0) + [field.atol for field in model.states]
    fastest = int(np.argmax(np.abs(derivative) / finite))
    return (
        f"The equations in plain Python are finite there; fastest is {model.state_names[fastest]}, "
        f"d/dt = {derivative[fastest]:.4g} {model.states[fastest].unit}/{model.time_unit}."
    )
