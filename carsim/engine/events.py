"""Scheduled and state-triggered changes, extinction."""

from __future__ import annotations

from collections.abc import Callable

from carsim.engine.jit import inner
from carsim.engine.layout import (
    DIRECTION,
    EVENT_PART,
    K1,
    K2,
    K3,
    LIMIT,
    NEW,
    PART,
    PATIENT,
    SAMPLES,
    SOURCE,
    Y,
)
from carsim.engine.plan import Action, FloatArray, IntArray
from carsim.engine.samples import locate

_ADD_STATE = int(Action.ADD_STATE)
_SET_STATE = int(Action.SET_STATE)
_SCALE_STATE = int(Action.SCALE_STATE)
_SET_INPUT = int(Action.SET_INPUT)
_SET_PARAMETER = int(Action.SET_PARAMETER)


@inner
def act(
    n: int,
    lane: int,
    kind: int,
    index: int,
    value: float,
    y: FloatArray,
    p: FloatArray,
    inputs: FloatArray,
) -> None:
    """Apply one action to one lane."""
    k = index * n + lane
    if kind == _ADD_STATE:
        y[k] += value
    elif kind == _SET_STATE:
        y[k] = value
    elif kind == _SCALE_STATE:
        y[k] *= value
    elif kind == _SET_INPUT:
        inputs[k] = value
    elif kind == _SET_PARAMETER:
        p[k] = value


@inner
def note(
    patient: int,
    time: float,
    event: int,
    value: float,
    log_count: IntArray,
    log_event: IntArray,
    log_number: FloatArray,
) -> None:
    """Write a line of the event log; lines beyond its capacity are only counted."""
    position = log_count[patient]
    if position < log_event.shape[1]:
        log_event[patient, position] = event
        log_number[0, patient, position] = time
        log_number[1, patient, position] = value
    log_count[patient] = position + 1


@inner
def beyond(direction: int, value: float, threshold: float) -> bool:
    """Whether a condition holds."""
    return direction * (value - threshold) >= 0.0


@inner
def find_events(
    n: int,
    events: IntArray,
    thresholds: FloatArray,
    conditions: IntArray,
    found: FloatArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
    lane: int,
) -> bool:
    """Look for conditions of one lane that become true inside the step; cut the step at the first.

    ``found[lane, event]`` is the fraction of the step of each event that becomes true, else 2. A
    condition that stopped holding inside the step is armed again. Returns whether the step was cut.
    """
    end = numbers[PART, lane]
    first = 2.0
    patient = flags[PATIENT, lane]
    for event in range(events.shape[1]):
        found[lane, event] = 2.0
        if conditions[n + lane, event] >= events[LIMIT, event]:
            continue
        source = events[SOURCE, event]
        direction = events[DIRECTION, event]
        threshold = thresholds[patient, event]
        holds = conditions[lane, event] == 1
        for s in range(1, SAMPLES):
            now = beyond(direction, values[s, source * n + lane], threshold)
            if now and not holds:
                found[lane, event] = locate(
                    n, lane, source, threshold, direction,
                    end * ((s - 1) / (SAMPLES - 1)), end * (s / (SAMPLES - 1)),
                    observe, p, numbers, vectors, values, spare,
                )  # fmt: skip
                first = min(first, found[lane, event])
                break
            holds = now
    numbers[EVENT_PART, lane] = first
    if first < end:
        numbers[PART, lane] = first
        return True
    return False


@inner
def rearm(
    n: int,
    lane: int,
    events: IntArray,
    thresholds: FloatArray,
    conditions: IntArray,
    flags: IntArray,
    values: FloatArray,
) -> None:
    """Forget the conditions that do not hold, so that their events may fire again."""
    patient = flags[PATIENT, lane]
    for event in range(events.shape[1]):
        value = values[events[SOURCE, event] * n + lane]
        if not beyond(events[DIRECTION, event], value, thresholds[patient, event]):
            conditions[lane, event] = 0


@inner
def first_extinction(n: int, lane: int, floors: FloatArray, vectors: FloatArray) -> float:
    """Fraction of the step at which the first state falls through its floor; 2 if none does.

    Only a fall counts: a pool that starts below its floor and grows is left alone.
    """
    first = 2.0
    for i in range(len(floors)):
        k = i * n + lane
        floor = floors[i]
        y0, y1 = vectors[Y, k], vectors[NEW, k]
        if floor <= 0.0 or not (y0 >= floor and y1 < floor):
            continue
        low = 0.0
        high = 1.0
        for _ in range(60):
            x = 0.5 * (low + high)
            bulge = vectors[K1, k] + x * (vectors[K2, k] + x * vectors[K3, k])
            if (1.0 - x) * y0 + x * (y1 + (1.0 - x) * bulge) < floor:
                high = x
            else:
                low = x
        first = min(first, high)
    return first
