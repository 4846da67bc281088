"""What looks inside steps: events and reductions. Compiled only when someone asks for either."""

from __future__ import annotations

from collections.abc import Callable

from numba.core import types

from carsim.engine import signatures
from carsim.engine.events import act, beyond, find_events, note, rearm
from carsim.engine.jit import (
    COUNT,
    CUBE,
    INTEGER_MATRIX,
    INTEGERS,
    MATRIX,
    VECTOR,
    inner,
)
from carsim.engine.layout import (
    ACCEPTED,
    AT_ONCE,
    DIRECTION,
    EVENT_PART,
    FRESH,
    INPUTS,
    JUMPED,
    LEFT,
    LIMIT,
    PART,
    PATIENT,
    RIGHT,
    SCRATCH,
    SOURCE,
    STATUS,
    T,
    Y,
)
from carsim.engine.plan import FloatArray, IntArray
from carsim.engine.reduce import finish_reductions, reduce_step, start_reductions
from carsim.engine.samples import evaluate, sample_step
from carsim.engine.status import Status

_EVENT_LIMIT = int(Status.EVENT_LIMIT)
_SUCCESS = int(Status.SUCCESS)
MOST_AT_ONCE = 100

BEGIN, SETTLE, WATCH, FIRE, FINISH = range(5)
"""What `follow` is asked to do."""


@inner
def _fire(
    n: int,
    lane: int,
    event: int,
    value: float,
    events: IntArray,
    action_offsets: IntArray,
    actions: IntArray,
    action_value: FloatArray,
    conditions: IntArray,
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    log_count: IntArray,
    log_event: IntArray,
    log_number: FloatArray,
) -> bool:
    """Let an event of one lane act, unless it is spent."""
    conditions[lane, event] = 1
    if conditions[n + lane, event] >= events[LIMIT, event]:
        return False
    conditions[n + lane, event] += 1
    note(flags[PATIENT, lane], numbers[T, lane], event, value, log_count, log_event, log_number)
    for row in range(action_offsets[event], action_offsets[event + 1]):
        act(
            n, lane, actions[0, row], actions[1, row], action_value[row],
            vectors[Y], p, vectors[INPUTS],
        )  # fmt: skip
    flags[FRESH, lane] = 1
    flags[JUMPED, lane] = 1
    return True


def follow(
    task: int,
    n: int,
    lane: int,
    observe: Callable[..., None],
    derive: Callable[..., None],
    events: IntArray,
    thresholds: FloatArray,
    action_offsets: IntArray,
    actions: IntArray,
    action_value: FloatArray,
    conditions: IntArray,
    found: FloatArray,
    kinds: IntArray,
    bounds: FloatArray,
    reduced: FloatArray,
    p: FloatArray,
    spare: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    values: FloatArray,
    log_count: IntArray,
    log_event: IntArray,
    log_number: FloatArray,
    metrics: FloatArray,
) -> None:
    """Do one task for events and reductions.

    ``BEGIN``: forget the patient before, in one lane. ``SETTLE``: after jumps, look at the
    conditions of all lanes and let act what has become true. ``WATCH``: sample the step, cut it at
    the first event, take what is left into the reductions. ``FIRE``: let the events act that cut
    the step of one lane, or happened at its end. ``FINISH``: write one patient's numbers.
    """
    n_events = events.shape[1]
    if task == BEGIN:
        for event in range(n_events):
            conditions[lane, event] = 0
            conditions[n + lane, event] = 0
        start_reductions(lane, kinds, reduced)
    elif task == SETTLE:
        acted = True
        while acted:
            acted = False
            evaluate(n, observe, p, numbers, vectors, values[LEFT])
            for j in range(n):
                patient = flags[PATIENT, j]
                if patient < 0 or flags[JUMPED, j] == 0:
                    continue
                flags[JUMPED, j] = 0
                # All are armed again before one acts: its action may make another true once more.
                rearm(n, j, events, thresholds, conditions, flags, values[LEFT])
                for event in range(n_events):
                    value = values[LEFT, events[SOURCE, event] * n + j]
                    holds = beyond(events[DIRECTION, event], value, thresholds[patient, event])
                    if holds and conditions[j, event] == 0 and _fire(
                        n, j, event, value, events, action_offsets, actions, action_value,
                        conditions, p, numbers, flags, vectors, log_count, log_event, log_number,
                    ):  # fmt: skip
                        flags[AT_ONCE, j] += 1
                        acted = True
                        break
                if flags[AT_ONCE, j] > MOST_AT_ONCE:
                    flags[STATUS, j] = _EVENT_LIMIT
                    flags[JUMPED, j] = 0
            if acted:
                derive(n, p)
    elif task == WATCH:
        sample_step(n, observe, p, numbers, vectors, values)
        cut = False
        for j in range(n):
            numbers[EVENT_PART, j] = 2.0
            if n_events > 0 and numbers[ACCEPTED, j] > 0.0:
                was_cut = find_events(
                    n, events, thresholds, conditions, found,
                    observe, p, numbers, flags, vectors, values, spare, j,
                )  # fmt: skip
                cut = cut or was_cut
        if cut:
            # Lanes that were not cut compute the same values again.
            sample_step(n, observe, p, numbers, vectors, values)
        if kinds.shape[1] > 0:
            reduce_step(n, kinds, bounds, reduced, observe, p, numbers, vectors, values, spare)
        left, right, scratch = values[LEFT], values[RIGHT], values[SCRATCH]
        for i in range(len(left) // n):
            for j in range(n):
                k = i * n + j
                scratch[k] = left[k]
                left[k] = right[k] if numbers[ACCEPTED, j] > 0.0 else left[k]
        for j in range(n):
            if numbers[ACCEPTED, j] > 0.0:
                flags[AT_ONCE, j] = 0
                rearm(n, j, events, thresholds, conditions, flags, values[RIGHT])
    elif task == FIRE:
        for event in range(n_events):
            if found[lane, event] <= numbers[PART, lane]:
                _fire(
                    n, lane, event, values[RIGHT, events[SOURCE, event] * n + lane],
                    events, action_offsets, actions, action_value,
                    conditions, p, numbers, flags, vectors, log_count, log_event, log_number,
                )  # fmt: skip
    elif task == FINISH:
        finish_reductions(
            n, lane, flags[PATIENT, lane], flags[STATUS, lane] == _SUCCESS,
            kinds, bounds, reduced, numbers, values[SCRATCH], metrics,
        )  # fmt: skip


def ignore(
    task: int,
    n: int,
    lane: int,
    observe: Callable[..., None],
    derive: Callable[..., None],
    events: IntArray,
    thresholds: FloatArray,
    action_offsets: IntArray,
    actions: IntArray,
    action_value: FloatArray,
    conditions: IntArray,
    found: FloatArray,
    kinds: IntArray,
    bounds: FloatArray,
    reduced: FloatArray,
    p: FloatArray,
    spare: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    values: FloatArray,
    log_count: IntArray,
    log_event: IntArray,
    log_number: FloatArray,
    metrics: FloatArray,
) -> None:
    """Stand in for `follow` where nothing is asked of it, so that it need not be compiled."""


FOLLOW = types.void(
    COUNT,
    COUNT,
    COUNT,
    types.FunctionType(signatures.OBSERVE),
    types.FunctionType(signatures.DERIVE),
    INTEGER_MATRIX,
    MATRIX,
    INTEGERS,
    INTEGER_MATRIX,
    VECTOR,
    INTEGER_MATRIX,
    MATRIX,
    INTEGER_MATRIX,
    MATRIX,
    MATRIX,
    VECTOR,
    VECTOR,
    MATRIX,
    INTEGER_MATRIX,
    MATRIX,
    MATRIX,
    INTEGERS,
    INTEGER_MATRIX,
    CUBE,
    MATRIX,
)
