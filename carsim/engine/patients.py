"""A patient enters a lane, and what is scheduled for it happens."""

from __future__ import annotations

import numpy as np

from carsim.engine.atomic import fetch_and_add
from carsim.engine.events import act
from carsim.engine.jit import inner
from carsim.engine.layout import (
    ACCEPTED,
    AT_ONCE,
    BOUNDARY,
    END,
    FRESH,
    INPUTS,
    JUMPED,
    NEXT,
    NEXT_SAVE,
    NEXT_STOP,
    PATIENT,
    REJECTED,
    RUNNING,
    SAVE_TIME,
    STATUS,
    STEPS,
    T,
    Y,
)
from carsim.engine.plan import FloatArray, IntArray
from carsim.engine.saving import save_nothing

UNDER_WAY = -2
"""Status of a lane whose patient has not ended."""


@inner
def apply_stops(
    n: int,
    lane: int,
    offsets: IntArray,
    stop_time: FloatArray,
    stop_action: IntArray,
    stop_value: FloatArray,
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
) -> bool:
    """Apply all actions that are due and set the next boundary; true if there was one."""
    last = offsets[flags[PATIENT, lane] + 1]
    row = flags[NEXT_STOP, lane]
    first = row
    while row < last and stop_time[row] <= numbers[T, lane]:
        act(
            n, lane, stop_action[0, row], stop_action[1, row], stop_value[row],
            vectors[Y], p, vectors[INPUTS],
        )  # fmt: skip
        row += 1
    flags[NEXT_STOP, lane] = row
    numbers[BOUNDARY, lane] = numbers[END, lane]
    if row < last:
        numbers[BOUNDARY, lane] = min(numbers[END, lane], stop_time[row])
    return row > first


@inner
def load_patient(
    n: int,
    lane: int,
    counters: IntArray,
    y0: FloatArray,
    parameters: FloatArray,
    span: FloatArray,
    offsets: IntArray,
    stop_time: FloatArray,
    stop_action: IntArray,
    stop_value: FloatArray,
    save_time: FloatArray,
    n_sources: int,
    saved: FloatArray,
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
) -> bool:
    """Put the next patient into a lane; false if there is none left."""
    patient = fetch_and_add(counters, NEXT, 1)
    numbers[ACCEPTED, lane] = 0.0
    if patient >= len(y0):
        flags[PATIENT, lane] = -1
        numbers[RUNNING, lane] = 0.0
        numbers[SAVE_TIME, lane] = np.inf
        return False
    flags[PATIENT, lane] = patient
    for i in range(y0.shape[1]):
        vectors[Y, i * n + lane] = y0[patient, i]
        vectors[INPUTS, i * n + lane] = 0.0
    for i in range(parameters.shape[1]):
        p[i * n + lane] = parameters[patient, i]
    start = span[0, patient]
    numbers[T, lane] = start
    numbers[END, lane] = span[1, patient]
    numbers[RUNNING, lane] = 1.0
    numbers[STEPS, lane] = 0.0
    numbers[REJECTED, lane] = 0.0
    flags[STATUS, lane] = UNDER_WAY
    flags[FRESH, lane] = 1
    flags[JUMPED, lane] = 1
    flags[AT_ONCE, lane] = 0
    flags[NEXT_STOP, lane] = offsets[patient]
    position = 0
    while position < len(save_time) and save_time[position] < start:
        position += 1
    row = patient * len(save_time)
    save_nothing(saved, row * n_sources, (row + position) * n_sources)
    flags[NEXT_SAVE, lane] = position
    numbers[SAVE_TIME, lane] = save_time[position] if position < len(save_time) else np.inf
    apply_stops(n, lane, offsets, stop_time, stop_action, stop_value, p, numbers, flags, vectors)
    return True
