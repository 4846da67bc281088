"""What a stop or a rule does to one lane."""

from __future__ import annotations

from collections.abc import Callable

from carsim.engine.instants import instant
from carsim.engine.jit import inner
from carsim.engine.layout import (
    COUNTED,
    COURSE_ITEM,
    COURSE_KIND,
    FREE,
    INDEX,
    INPUTS,
    ITEM,
    KIND,
    LINE_EVENT,
    LINE_TIME,
    LINE_VALUE,
    N_STARTED,
    PATIENT,
    SINCE,
    SLOT,
    STARTED_RULE,
    TARGET,
    VALUE,
    T,
    Y,
)
from carsim.engine.plan import Action, CourseKind, FloatArray
from carsim.engine.records import Lanes, Log, Schedule, Therapy
from carsim.engine.samples import evaluate

_ADD_STATE = int(Action.ADD_STATE)
_SET_STATE = int(Action.SET_STATE)
_SCALE_STATE = int(Action.SCALE_STATE)
_SET_PARAMETER = int(Action.SET_PARAMETER)
_SET_RUNNING = int(Action.SET_RUNNING)
_ADD_RUNNING = int(Action.ADD_RUNNING)
_DISCONTINUE = int(Action.DISCONTINUE)
_RESET_STATE = int(Action.RESET_STATE)
_CAPTURE = int(Action.CAPTURE)
_INPUT = int(CourseKind.INPUT)
_VALUE = int(CourseKind.VALUE)
_FACTOR = int(CourseKind.FACTOR)


SCHEDULED = -1
"""In place of a place among what rules have started: the row is a patient's own."""


@inner
def act(
    n: int, lane: int, row: int, place: int, schedule: Schedule, therapy: Therapy, lanes: Lanes
) -> None:
    """Apply one row of a schedule: of a patient, or of what a rule started at a place."""
    index = schedule.table[INDEX, row]
    kind = schedule.table[KIND, row]
    value = schedule.numbers[VALUE, row]
    slot = schedule.table[SLOT, row]
    k = index * n + lane
    if slot >= 0:
        if place == SCHEDULED:
            value *= lanes.captured[slot * n + lane]
        else:
            value *= lanes.started[N_STARTED + slot, place]
    y = lanes.vectors[Y]
    if kind == _ADD_STATE:
        y[k] += value
    elif kind in (_SET_STATE, _RESET_STATE):
        y[k] = value
    elif kind == _SCALE_STATE:
        y[k] *= value
    elif kind == _SET_PARAMETER:
        lanes.base[k] = value
        _set_parameter(n, lane, index, therapy, lanes)
    elif kind == _SET_RUNNING:
        lanes.running[k] = value
        _set_target(n, lane, index, therapy, lanes)
    elif kind == _ADD_RUNNING:
        lanes.running[k] += value
        if slot >= 0:
            # What was added is taken away again but for rounding: nothing running is nothing.
            parts = _parts(n, lane, index, therapy, lanes)
            lanes.captured[parts] += 1.0 if schedule.numbers[VALUE, row] > 0.0 else -1.0
            if lanes.captured[parts] == 0.0:
                lanes.running[k] = 0.0
        _set_target(n, lane, index, therapy, lanes)
    elif kind == _DISCONTINUE:
        _discontinue(n, lane, index, therapy, lanes)


@inner
def _parts(n: int, lane: int, course: int, therapy: Therapy, lanes: Lanes) -> int:
    """Place of the number of captured parts of a course that run."""
    return len(lanes.captured) - (therapy.courses.shape[1] - course) * n + lane


@inner
def capture(
    n: int,
    lane: int,
    row: int,
    place: int,
    schedule: Schedule,
    observe: Callable[..., None],
    derive: Callable[..., None],
    therapy: Therapy,
    lanes: Lanes,
    scratch: FloatArray,
) -> None:
    """Keep what a row reads. A parameter may have changed at this very instant."""
    derive(n, lanes.p)
    evaluate(n, therapy.states, observe, lanes.p, lanes.numbers, lanes.vectors, scratch)
    slot = schedule.table[INDEX, row]
    value = scratch[schedule.table[SLOT, row] * n + lane]
    if place == SCHEDULED:
        lanes.captured[slot * n + lane] = value
    else:
        lanes.started[N_STARTED + slot, place] = value


@inner
def rank(kind: int, index: int, therapy: Therapy) -> int:
    """Place of an action among those that rules do at one instant."""
    if kind == _RESET_STATE:
        return 0
    if kind == _DISCONTINUE:
        return 1
    if kind == _SET_PARAMETER:
        return 2
    if kind == _ADD_RUNNING and therapy.courses[COURSE_KIND, index] != _INPUT:
        return 3
    if kind in (_SET_STATE, _SCALE_STATE):
        return 4
    if kind == _CAPTURE:
        return 5
    # Infusions and doses: what runs and what is added do not get in each other's way.
    return 6


@inner
def count(n: int, lane: int, row: int, schedule: Schedule, lanes: Lanes, log: Log) -> None:
    """Count the doses that a row stands for."""
    counted = schedule.table[COUNTED, row]
    if counted > 0:
        log.doses[lanes.flags[PATIENT, lane], schedule.table[ITEM, row]] += counted


@inner
def is_discontinued(n: int, lane: int, item: int, therapy: Therapy, lanes: Lanes) -> bool:
    """Whether an item that is not a rule's was discontinued."""
    place = (therapy.courses.shape[1] + item) * n + lane
    return item >= 0 and item < therapy.n_items and lanes.running[place] != 0.0


@inner
def level_of(patient: int, course: int, level: FloatArray) -> float:
    """Level of a course; one row stands for all patients."""
    return level[patient if len(level) > 1 else 0, course]


@inner
def _set_target(n: int, lane: int, course: int, therapy: Therapy, lanes: Lanes) -> None:
    """Renew what a course acts on. Sums of what runs now: nothing running is exactly zero."""
    target = therapy.courses[TARGET, course]
    if therapy.courses[COURSE_KIND, course] != _INPUT:
        _set_parameter(n, lane, target, therapy, lanes)
        return
    patient = lanes.flags[PATIENT, lane]
    total = 0.0
    for c in range(therapy.courses.shape[1]):
        if therapy.courses[COURSE_KIND, c] == _INPUT and therapy.courses[TARGET, c] == target:
            total += lanes.running[c * n + lane] * level_of(patient, c, therapy.level)
    lanes.vectors[INPUTS, target * n + lane] = total


@inner
def _set_parameter(n: int, lane: int, parameter: int, therapy: Therapy, lanes: Lanes) -> None:
    """Renew a parameter: its own value, or the last value that runs, times all factors."""
    patient = lanes.flags[PATIENT, lane]
    value = lanes.base[parameter * n + lane]
    for kind in (_VALUE, _FACTOR):
        for c in range(therapy.courses.shape[1]):
            if (
                therapy.courses[COURSE_KIND, c] == kind
                and therapy.courses[TARGET, c] == parameter
                and lanes.running[c * n + lane] > 0.0
            ):
                level = level_of(patient, c, therapy.level)
                value = level if kind == _VALUE else value * level
    lanes.p[parameter * n + lane] = value


@inner
def _discontinue(n: int, lane: int, item: int, therapy: Therapy, lanes: Lanes) -> None:
    """End what an item runs, and what it would still give.

    What a rule starts at this very instant is not meant, and it may start its own again.
    """
    for c in range(therapy.courses.shape[1]):
        if therapy.courses[COURSE_ITEM, c] != item:
            continue
        if len(lanes.captured) > 0:
            lanes.captured[_parts(n, lane, c, therapy, lanes)] = 0.0
        if lanes.running[c * n + lane] != 0.0:
            lanes.running[c * n + lane] = 0.0
            _set_target(n, lane, c, therapy, lanes)
    rule = item - therapy.n_items
    if rule < 0:
        lanes.running[(therapy.courses.shape[1] + item) * n + lane] = 1.0
        return
    for place in range(lane, lanes.started.shape[1], n):
        now = lanes.numbers[T, lane]
        before = lanes.started[SINCE, place] < now - instant(now)
        if lanes.started[STARTED_RULE, place] == rule and before:
            lanes.started[STARTED_RULE, place] = FREE


@inner
def note(patient: int, time: float, event: int, value: float, log: Log) -> None:
    """Write a line of the event log; lines beyond its capacity are only counted."""
    position = log.n_lines[patient]
    if position < log.lines.shape[2]:
        log.lines[LINE_EVENT, patient, position] = event
        log.lines[LINE_TIME, patient, position] = time
        log.lines[LINE_VALUE, patient, position] = value
    log.n_lines[patient] = position + 1
