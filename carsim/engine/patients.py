"""A patient enters a lane, and what is scheduled for it happens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from carsim.engine.actions import SCHEDULED, act, capture, count, is_discontinued
from carsim.engine.atomic import fetch_and_add
from carsim.engine.instants import instant
from carsim.engine.jit import inner
from carsim.engine.layout import (
    ACCEPTED,
    ANEW,
    AT_ONCE,
    BOUNDARY,
    DELICATE,
    END,
    ENTERS,
    FRESH,
    INPUTS,
    ITEM,
    JUMPED,
    KIND,
    NEXT,
    NEXT_DUE,
    NEXT_SAVE,
    NEXT_STOP,
    NEXT_SWITCH,
    NEXT_VISIT,
    PATIENT,
    REJECTED,
    RUNNING,
    SAVE_TIME,
    STATUS,
    STEPS,
    TIME,
    T,
    Y,
)
from carsim.engine.plan import Action, FloatArray, IntArray
from carsim.engine.records import Lanes, Log, Patients, Therapy, Wanted, Written
from carsim.engine.saving import save_nothing

_CAPTURE = int(Action.CAPTURE)
UNDER_WAY = -2
"""Status of a lane whose patient has not ended."""


@inner
def _owner(patient: int, offsets: IntArray) -> int:
    """Owner of a patient's stops; one owner stands for all."""
    return patient if len(offsets) > 2 else 0


@inner
def set_boundary(n: int, lane: int, therapy: Therapy, lanes: Lanes) -> None:
    """Set the next time to land on. What is given no longer is no reason to land."""
    stops = therapy.stops
    last = stops.offsets[_owner(lanes.flags[PATIENT, lane], stops.offsets) + 1]
    row = lanes.flags[NEXT_STOP, lane]
    while row < last and is_discontinued(n, lane, stops.table[ITEM, row], therapy, lanes):
        row += 1
    lanes.flags[NEXT_STOP, lane] = row
    end = lanes.numbers[END, lane]
    boundary = min(lanes.numbers[NEXT_DUE, lane], lanes.numbers[NEXT_SWITCH, lane])
    if row < last:
        boundary = min(boundary, stops.numbers[TIME, row])
    # What is due at the very end is not done.
    lanes.numbers[BOUNDARY, lane] = boundary if boundary < end - instant(end) else end


@inner
def apply_stops(
    n: int,
    lane: int,
    observe: Callable[..., None],
    derive: Callable[..., None],
    therapy: Therapy,
    lanes: Lanes,
    log: Log,
    scratch: FloatArray,
) -> bool:
    """Apply all actions that are due and set the next boundary; true if there was one."""
    stops = therapy.stops
    last = stops.offsets[_owner(lanes.flags[PATIENT, lane], stops.offsets) + 1]
    row = lanes.flags[NEXT_STOP, lane]
    acted = False
    now = lanes.numbers[T, lane] + instant(lanes.numbers[T, lane])
    while row < last and stops.numbers[TIME, row] <= now:
        if not is_discontinued(n, lane, stops.table[ITEM, row], therapy, lanes):
            if stops.table[KIND, row] == _CAPTURE:
                capture(n, lane, row, SCHEDULED, stops, observe, derive, therapy, lanes, scratch)
            else:
                act(n, lane, row, SCHEDULED, stops, therapy, lanes)
            count(n, lane, row, stops, lanes, log)
            acted = True
        row += 1
    lanes.flags[NEXT_STOP, lane] = row
    set_boundary(n, lane, therapy, lanes)
    return acted


@inner
def load_patient(
    n: int,
    lane: int,
    patients: Patients,
    therapy: Therapy,
    lanes: Lanes,
    wanted: Wanted,
    written: Written,
) -> bool:
    """Put the next patient into a lane, as before all treatment; false if there is none left."""
    numbers, flags = lanes.numbers, lanes.flags
    patient = fetch_and_add(written.counters, NEXT, 1)
    numbers[ACCEPTED, lane] = 0.0
    if patient >= len(patients.y0):
        flags[PATIENT, lane] = -1
        numbers[RUNNING, lane] = 0.0
        numbers[SAVE_TIME, lane] = np.inf
        numbers[NEXT_VISIT, lane] = np.inf
        return False
    flags[PATIENT, lane] = patient
    for i in range(patients.y0.shape[1]):
        lanes.vectors[Y, i * n + lane] = patients.y0[patient, i]
        lanes.vectors[INPUTS, i * n + lane] = 0.0
    for i in range(patients.parameters.shape[1]):
        lanes.p[i * n + lane] = patients.parameters[patient, i]
        lanes.base[i * n + lane] = patients.parameters[patient, i]
    for i in range(lane, len(lanes.running), n):
        lanes.running[i] = 0.0
    for i in range(lane, len(lanes.captured), n):
        lanes.captured[i] = 0.0
    start = patients.span[0, patient]
    numbers[T, lane] = start
    numbers[END, lane] = patients.span[1, patient]
    numbers[RUNNING, lane] = 1.0
    numbers[STEPS, lane] = 0.0
    numbers[REJECTED, lane] = 0.0
    numbers[NEXT_DUE, lane] = np.inf
    numbers[NEXT_VISIT, lane] = np.inf
    numbers[NEXT_SWITCH, lane] = np.inf
    numbers[BOUNDARY, lane] = start
    flags[STATUS, lane] = UNDER_WAY
    flags[ENTERS, lane] = 1
    flags[DELICATE, lane] = 0
    flags[FRESH, lane] = 1
    flags[JUMPED, lane] = 1
    flags[AT_ONCE, lane] = 0
    numbers[ANEW, lane] = 0.0
    flags[NEXT_STOP, lane] = therapy.stops.offsets[_owner(patient, therapy.stops.offsets)]
    position = 0
    n_times, n_sources = len(wanted.save_time), len(wanted.sources)
    while position < n_times and wanted.save_time[position] < start - instant(start):
        position += 1
    save_nothing(written.saved, patient, n_sources, n_times, 0, position)
    flags[NEXT_SAVE, lane] = position
    numbers[SAVE_TIME, lane] = wanted.save_time[position] if position < n_times else np.inf
    return True
