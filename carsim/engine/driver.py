"""The loop: lanes of patients step side by side until none is left.

Order of one turn, for all lanes together:

1. functions of parameters; conditions that a jump made true fire at once; the derivative at the
start of the
   step; the first step size of fresh lanes;
2. step sizes are cut so that the next stop is landed on exactly;
3. a step, its error, acceptance;
4. an extinction or an event inside an accepted step cuts it short where it happens; reductions;
5. saved times are served from the dense output;
6. accepted lanes advance; stops and events act; finished lanes are written out and refilled.

Only element-wise operations touch a lane, so a patient's bits depend neither on its lane nor on its
neighbours. The driver is compiled once for all models: their kernels come as function values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba.core import types

from carsim.engine import signatures
from carsim.engine.atomic import fetch_and_add
from carsim.engine.combine import three_sums
from carsim.engine.control import MOST
from carsim.engine.events import first_extinction, note
from carsim.engine.follow import BEGIN, FINISH, FIRE, FOLLOW, SETTLE, WATCH
from carsim.engine.jit import (
    COUNT,
    CUBE,
    INTEGER_MATRIX,
    INTEGERS,
    MATRIX,
    NUMBER,
    VECTOR,
    inner,
)
from carsim.engine.layout import (
    ACCEPTED,
    BOUNDARY,
    CANCEL,
    CAP,
    DONE,
    END,
    ERROR,
    EVENT_PART,
    EXTINCT_PART,
    FACTOR,
    FRESH,
    JUMPED,
    K1,
    K2,
    K3,
    LANDING,
    LANE_STEPS,
    N_FLAGS,
    N_NUMBERS,
    N_VALUES,
    N_VECTORS,
    NEW,
    NEXT_SAVE,
    PART,
    PATIENT,
    PREVIOUS,
    REJECTED,
    RUNNING,
    SAVE_TIME,
    SCRATCH,
    STATUS,
    STEPS,
    THETA,
    WISH,
    H,
    T,
    Y,
)
from carsim.engine.pack import WIDTH, load, select, store
from carsim.engine.patients import UNDER_WAY, apply_stops, load_patient
from carsim.engine.plan import FloatArray, IntArray
from carsim.engine.pools import clip_to_zero, refuse_negative
from carsim.engine.samples import evaluate, evaluate_inside
from carsim.engine.saving import save_nothing, save_states, save_values
from carsim.engine.status import Status
from carsim.engine.step import START, STEP

_SUCCESS = int(Status.SUCCESS)
_MAX_STEPS = int(Status.MAX_STEPS)
_STEP_TOO_SMALL = int(Status.STEP_TOO_SMALL)
_NON_FINITE = int(Status.NON_FINITE)
_CANCELLED = int(Status.CANCELLED)

# Steps below this fraction of the time leave it where it is.
RESOLUTION = 4e-16
# A step this close to the next stop goes all the way, so that no sliver of a step is left over.
STRETCH = 1.1

SIZES = (
    "lanes",
    "n_states",
    "n_values",
    "n_jacobian",
    "n_factors",
    "order",
    "max_steps",
    "implicit",
    "autonomous",
    "infusing",
    "dying",
    "following",
    "observing",
    "pools",
)
"""Names of the entries of the driver's first array."""


@inner
def _judge(n: int, max_steps: int, numbers: FloatArray, flags: IntArray) -> None:
    """Count the step, wish for the next one, give up where there is no hope."""
    accepted, running = numbers[ACCEPTED], numbers[RUNNING]
    trouble = 0.0
    for lane in range(n):
        ok = accepted[lane]
        failed = running[lane] - ok
        numbers[WISH, lane] = numbers[H, lane] * numbers[FACTOR, lane]
        error = numbers[ERROR, lane]
        error = error if error > 1e-2 else 1e-2
        numbers[PREVIOUS, lane] = error if ok > 0.0 else numbers[PREVIOUS, lane]
        numbers[CAP, lane] = MOST if ok > 0.0 else 1.0
        numbers[STEPS, lane] += ok
        numbers[REJECTED, lane] += failed
        numbers[PART, lane] = 1.0
        trouble += failed
        taken = numbers[STEPS, lane] + numbers[REJECTED, lane]
        trouble += 1.0 if taken >= max_steps else 0.0
        short = numbers[WISH, lane] <= RESOLUTION * abs(numbers[T, lane])
        trouble += running[lane] if short else 0.0
    if trouble == 0.0:
        return
    for lane in range(n):
        if running[lane] == 0.0:
            continue
        # Near a pole steps are accepted that no longer move the time. A short way to a stop is no
        # such sign.
        if accepted[lane] == 0.0 or numbers[LANDING, lane] == 0.0:
            t = numbers[T, lane]
            if numbers[WISH, lane] <= RESOLUTION * max(abs(t), 1e-290):
                finite = numbers[ERROR, lane] < np.inf
                flags[STATUS, lane] = _STEP_TOO_SMALL if finite else _NON_FINITE
        if numbers[STEPS, lane] + numbers[REJECTED, lane] >= max_steps:
            flags[STATUS, lane] = _MAX_STEPS


@inner
def _find_extinctions(n: int, floors: FloatArray, numbers: FloatArray, vectors: FloatArray) -> bool:
    """Whether a state falls through its floor in an accepted step of any lane."""
    accepted, y, new = numbers[ACCEPTED], vectors[Y], vectors[NEW]
    for i in range(len(floors)):
        floor = floors[i]
        if floor > 0.0:
            for lane in range(n):
                k = i * n + lane
                if y[k] >= floor and new[k] < floor and accepted[lane] > 0.0:
                    return True
    return False


def drive(
    sizes: IntArray,
    start: Callable[..., None],
    step: Callable[..., None],
    follow: Callable[..., None],
    derive: Callable[..., None],
    rhs: Callable[..., None],
    jacobian: Callable[..., None],
    time_derivative: Callable[..., None],
    observe: Callable[..., None],
    factor: Callable[..., None],
    solve: Callable[..., None],
    inverse_gamma: float,
    a: FloatArray,
    coupling: FloatArray,
    weights: FloatArray,
    dense: FloatArray,
    y0: FloatArray,
    parameters: FloatArray,
    n_parameters: int,
    span: FloatArray,
    rtol: float,
    atol: FloatArray,
    floors: FloatArray,
    offsets: IntArray,
    stop_time: FloatArray,
    stop_action: IntArray,
    stop_value: FloatArray,
    events: IntArray,
    thresholds: FloatArray,
    action_offsets: IntArray,
    actions: IntArray,
    action_value: FloatArray,
    save_time: FloatArray,
    sources: IntArray,
    kinds: IntArray,
    bounds: FloatArray,
    saved: FloatArray,
    metrics: FloatArray,
    ended: IntArray,
    final: FloatArray,
    log_count: IntArray,
    log_event: IntArray,
    log_number: FloatArray,
    counters: IntArray,
) -> None:
    """Integrate patients taken one by one from the shared counter until none is left.

    The arrays are those of `carsim.engine.plan`, packed: `span` has rows start and stop; `ended`
    rows status, steps, rejected steps; `final` the last time and behind it the last state of each
    patient.
    """
    n = sizes[0]
    n_states = sizes[1]
    size = n_states * n
    order = sizes[5]
    max_steps = sizes[6]
    implicit = sizes[7] != 0
    autonomous = sizes[8] != 0
    infusing = sizes[9] != 0
    dying = sizes[10] != 0
    following = sizes[11] != 0
    observing = sizes[12] != 0
    pools = sizes[13] != 0
    p = np.ones(n_parameters * n)
    numbers = np.zeros((N_NUMBERS, n))
    flags = np.zeros((N_FLAGS, n), dtype=np.int64)
    vectors = np.zeros((N_VECTORS, size))
    u = np.zeros((dense.shape[1], size))
    entries = np.zeros(sizes[3] * n)
    factors = np.zeros(sizes[4] * n)
    values = np.zeros((N_VALUES, sizes[2] * n))
    spare = np.zeros(len(p))
    before = np.zeros(size)
    conditions = np.zeros((2 * n, events.shape[1]), dtype=np.int64)
    found = np.full((n, events.shape[1]), 2.0)
    reduced = np.zeros((2 * kinds.shape[1], n))

    alive = 0
    for lane in range(n):
        if load_patient(
            n, lane, counters, y0, parameters, span, offsets, stop_time, stop_action, stop_value,
            save_time, len(sources), saved, p, numbers, flags, vectors,
        ):  # fmt: skip
            alive += 1
            follow(
                BEGIN, n, lane, observe, derive, events, thresholds, action_offsets, actions,
                action_value, conditions, found, kinds, bounds, reduced, p, spare, numbers, flags,
                vectors, values, log_count, log_event, log_number, metrics,
            )  # fmt: skip
    stale = True
    turns = 0
    while alive > 0:
        turns += 1
        if stale:
            derive(n, p)
            if following:
                follow(
                    SETTLE, n, 0, observe, derive, events, thresholds, action_offsets, actions,
                    action_value, conditions, found, kinds, bounds, reduced, p, spare, numbers,
                    flags, vectors, values, log_count, log_event, log_number, metrics,
                )  # fmt: skip
        starting = False
        if stale:
            for lane in range(n):
                starting = starting or flags[FRESH, lane] == 1
            stale = False
        start(n, order, infusing, starting, rhs, p, numbers, vectors, atol, rtol)
        if starting:
            for lane in range(n):
                if flags[FRESH, lane] == 1:
                    flags[FRESH, lane] = 0
                    numbers[WISH, lane] = numbers[FACTOR, lane]
                    numbers[PREVIOUS, lane] = 1.0
                    numbers[CAP, lane] = MOST
        for lane in range(n):
            room = numbers[BOUNDARY, lane] - numbers[T, lane]
            wish = numbers[WISH, lane]
            lands = wish * STRETCH >= room
            numbers[LANDING, lane] = 1.0 if lands else 0.0
            h = room if lands else wish
            numbers[H, lane] = h if numbers[RUNNING, lane] > 0.0 else 0.0
        step(
            n, order, implicit, autonomous, infusing, inverse_gamma, a, coupling, weights,
            rhs, jacobian, time_derivative, factor, solve,
            p, numbers, vectors, u, entries, factors, atol, rtol,
        )  # fmt: skip
        if pools:
            refuse_negative(n, floors, atol, numbers, vectors)
        _judge(n, max_steps, numbers, flags)

        due = 0.0
        for lane in range(n):
            since = numbers[SAVE_TIME, lane] - numbers[T, lane]
            due += numbers[ACCEPTED, lane] if since < numbers[H, lane] else 0.0
        dies = dying and _find_extinctions(n, floors, numbers, vectors)
        if due > 0.0 or dies or following:
            three_sums(u, dense, vectors[K1], vectors[K2], vectors[K3])
        if dies:
            for lane in range(n):
                numbers[EXTINCT_PART, lane] = 2.0
                if numbers[ACCEPTED, lane] > 0.0:
                    part = first_extinction(n, lane, floors, vectors)
                    numbers[EXTINCT_PART, lane] = part
                    numbers[PART, lane] = min(part, 1.0)
            for k in range(size):
                before[k] = vectors[Y, k]
        if following:
            follow(
                WATCH, n, 0, observe, derive, events, thresholds, action_offsets, actions,
                action_value, conditions, found, kinds, bounds, reduced, p, spare, numbers, flags,
                vectors, values, log_count, log_event, log_number, metrics,
            )  # fmt: skip
        if due > 0.0:
            if observing:
                save_values(
                    n, observe, save_time, sources, saved, p, numbers, flags, vectors,
                    values[SCRATCH],
                )  # fmt: skip
            else:
                save_states(n, save_time, sources, saved, numbers, flags, vectors)

        noteworthy = 0.0
        for lane in range(n):
            noteworthy += numbers[LANDING, lane] * numbers[ACCEPTED, lane]
            noteworthy += 1.0 - numbers[PART, lane]
            noteworthy += 1.0 if flags[STATUS, lane] != UNDER_WAY else 0.0
        if dies or following:
            noteworthy += 1.0
            shortened = False
            for lane in range(n):
                shortened = shortened or numbers[PART, lane] < 1.0
                numbers[THETA, lane] = numbers[PART, lane]
            if shortened:
                evaluate_inside(n, observe, p, numbers, vectors, values[SCRATCH])
                for i in range(n_states):
                    for lane in range(n):
                        if numbers[PART, lane] < 1.0:
                            k = i * n + lane
                            vectors[NEW, k] = values[SCRATCH, k]
        y, new, accepted = vectors[Y], vectors[NEW], numbers[ACCEPTED]
        for lane in range(0, n, WIDTH):
            taken = load(accepted, lane) > 0.0
            for k in range(lane, size, n):
                store(y, k, select(taken, load(new, k), load(y, k)))
        if pools:
            clip_to_zero(n, floors, atol, y)
        for lane in range(n):
            numbers[T, lane] += accepted[lane] * numbers[PART, lane] * numbers[H, lane]

        if counters[CANCEL] != 0:
            for lane in range(n):
                if flags[PATIENT, lane] >= 0:
                    flags[STATUS, lane] = _CANCELLED
            noteworthy += 1.0
        if noteworthy == 0.0:
            continue
        finishing = False
        for lane in range(n):
            patient = flags[PATIENT, lane]
            if patient < 0:
                continue
            if accepted[lane] > 0.0:
                part = numbers[PART, lane]
                landed = part >= 1.0 and numbers[LANDING, lane] > 0.0
                if landed:
                    numbers[T, lane] = numbers[BOUNDARY, lane]
                if dies and numbers[EXTINCT_PART, lane] <= part:
                    for i in range(n_states):
                        k = i * n + lane
                        if floors[i] > 0.0 and before[k] >= floors[i] and y[k] < floors[i]:
                            note(
                                patient, numbers[T, lane], -1 - i, y[k],
                                log_count, log_event, log_number,
                            )  # fmt: skip
                            y[k] = 0.0
                    flags[JUMPED, lane] = 1
                    stale = True
                if following and numbers[EVENT_PART, lane] <= part:
                    follow(
                        FIRE, n, lane, observe, derive, events, thresholds, action_offsets,
                        actions, action_value, conditions, found, kinds, bounds, reduced, p,
                        spare, numbers, flags, vectors, values, log_count, log_event, log_number,
                        metrics,
                    )  # fmt: skip
                    stale = True
                if landed:
                    if apply_stops(
                        n, lane, offsets, stop_time, stop_action, stop_value,
                        p, numbers, flags, vectors,
                    ):  # fmt: skip
                        flags[FRESH, lane] = 1
                        flags[JUMPED, lane] = 1
                        stale = True
                    if numbers[T, lane] >= numbers[END, lane]:
                        flags[STATUS, lane] = _SUCCESS
            finishing = finishing or flags[STATUS, lane] != UNDER_WAY
        if not finishing:
            continue
        derive(n, p)
        evaluate(n, observe, p, numbers, vectors, values[SCRATCH])
        for lane in range(n):
            patient = flags[PATIENT, lane]
            status = flags[STATUS, lane]
            if patient < 0 or status == UNDER_WAY:
                continue
            row = patient * len(save_time) + flags[NEXT_SAVE, lane]
            if status == _SUCCESS and numbers[SAVE_TIME, lane] == numbers[T, lane]:
                for q in range(len(sources)):
                    saved[row * len(sources) + q] = values[SCRATCH, sources[q] * n + lane]
                row += 1
            save_nothing(saved, row * len(sources), (patient + 1) * len(save_time) * len(sources))
            follow(
                FINISH, n, lane, observe, derive, events, thresholds, action_offsets, actions,
                action_value, conditions, found, kinds, bounds, reduced, p, spare, numbers, flags,
                vectors, values, log_count, log_event, log_number, metrics,
            )  # fmt: skip
            ended[0, patient] = status
            ended[1, patient] = np.int64(numbers[STEPS, lane])
            ended[2, patient] = np.int64(numbers[REJECTED, lane])
            final[patient, 0] = numbers[T, lane]
            for i in range(n_states):
                final[patient, 1 + i] = y[i * n + lane]
            fetch_and_add(counters, DONE, 1)
            alive -= 1
            stale = True
            if load_patient(
                n, lane, counters, y0, parameters, span, offsets, stop_time, stop_action,
                stop_value, save_time, len(sources), saved, p, numbers, flags, vectors,
            ):  # fmt: skip
                alive += 1
                follow(
                    BEGIN, n, lane, observe, derive, events, thresholds, action_offsets, actions,
                    action_value, conditions, found, kinds, bounds, reduced, p, spare, numbers,
                    flags, vectors, values, log_count, log_event, log_number, metrics,
                )  # fmt: skip
    fetch_and_add(counters, LANE_STEPS, turns * n)


DRIVE = types.void(
    INTEGERS,
    types.FunctionType(START),
    types.FunctionType(STEP),
    types.FunctionType(FOLLOW),
    types.FunctionType(signatures.DERIVE),
    types.FunctionType(signatures.RHS),
    types.FunctionType(signatures.JACOBIAN),
    types.FunctionType(signatures.TIME_DERIVATIVE),
    types.FunctionType(signatures.OBSERVE),
    types.FunctionType(signatures.FACTOR),
    types.FunctionType(signatures.SOLVE),
    NUMBER,
    MATRIX,
    MATRIX,
    MATRIX,
    MATRIX,
    MATRIX,
    MATRIX,
    COUNT,
    MATRIX,
    NUMBER,
    VECTOR,
    VECTOR,
    INTEGERS,
    VECTOR,
    INTEGER_MATRIX,
    VECTOR,
    INTEGER_MATRIX,
    MATRIX,
    INTEGERS,
    INTEGER_MATRIX,
    VECTOR,
    VECTOR,
    INTEGERS,
    INTEGER_MATRIX,
    MATRIX,
    VECTOR,
    MATRIX,
    INTEGER_MATRIX,
    MATRIX,
    INTEGERS,
    INTEGER_MATRIX,
    CUBE,
    INTEGERS,
)
