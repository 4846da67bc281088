"""The loop: lanes of patients step side by side until none is left.

Order of one turn, for all lanes together:

1. functions of parameters, and modes of switches; what is due at the start of patients that enter;
   conditions that a jump made true fire at once; the derivative at the start of the step; the first
   step size of fresh lanes;
2. step sizes are cut at the end of the run, and at the largest that is allowed;
3. a step, its error, acceptance;
4. an extinction inside an accepted step cuts it short where it happens; a step that passes a stop,
   or a time at which a rule acts, is undone and taken anew up to there; reductions;
5. saved times are served from the dense output;
6. accepted lanes advance; stops and rules act; finished lanes are written out and refilled.

Times that differ by rounding only are one instant (`carsim.engine.instants`): a visit looks before
what is done at its instant, a saved value is that after it.

Only element-wise operations touch a lane, so a patient's bits depend neither on its lane nor on its
neighbours. What lies ahead touches no step before the one that meets it, to the bit: neither a stop
later on nor a rule that looks and does not act. So the same therapy gives the same course whether
it was scheduled or came from rules. The driver is compiled once for all models: their kernels come
as function values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba.core import types

from carsim.engine import signatures
from carsim.engine.actions import note
from carsim.engine.atomic import fetch_and_add
from carsim.engine.combine import three_sums
from carsim.engine.control import MOST
from carsim.engine.extinction import find_extinctions, first_extinction
from carsim.engine.follow import (
    BEGIN,
    ENTER,
    FINISH,
    FOLLOW_REDUCTIONS,
    FOLLOW_RULES,
    LAND,
    SETTLE,
    WATCH,
)
from carsim.engine.instants import instant
from carsim.engine.jit import INTEGERS, MATRIX, NUMBER, VECTOR, allocating, inner
from carsim.engine.knots import ROOM
from carsim.engine.layout import (
    ACCEPTED,
    ANEW,
    BOUNDARY,
    CANCEL,
    CAP,
    DELICATE,
    DONE,
    END,
    ENTERS,
    ERROR,
    EXTINCT_PART,
    FACTOR,
    FREE,
    FRESH,
    GOAL,
    JUMPED,
    K1,
    K2,
    K3,
    LANDING,
    LANE_STEPS,
    LEFT,
    N_FLAGS,
    N_NUMBERS,
    N_RECALL,
    N_STARTED,
    N_VALUES,
    N_VECTORS,
    NEW,
    NEXT_SAVE,
    NEXT_SWITCH,
    NEXT_VISIT,
    OLD_CAP,
    OLD_PREVIOUS,
    OLD_WISH,
    PART,
    PATIENT,
    PREVIOUS,
    REJECTED,
    RIGHT,
    RUNNING,
    SAVE_TIME,
    SCRATCH,
    SITE,
    SMALLEST,
    STATUS,
    STEPS,
    WISH,
    H,
    T,
    Y,
)
from carsim.engine.pack import WIDTH, load, magnitude, nowhere, select, some, store
from carsim.engine.patients import UNDER_WAY, apply_stops, load_patient, set_boundary
from carsim.engine.plan import FloatArray, IntArray
from carsim.engine.pools import clip_to_zero, refuse_negative
from carsim.engine.records import (
    LOG,
    PATIENTS,
    THERAPY,
    WANTED,
    WRITTEN,
    Lanes,
    Log,
    Patients,
    Therapy,
    Wanted,
    Written,
)
from carsim.engine.samples import evaluate, finish_of, sample_step, shorten
from carsim.engine.saving import save_inside, save_nothing
from carsim.engine.status import Status
from carsim.engine.step import START, STEP
from carsim.engine.subnormals import exchange_flags
from carsim.engine.switches import set_modes

_SUCCESS = int(Status.SUCCESS)
_MAX_STEPS = int(Status.MAX_STEPS)
_STEP_TOO_SMALL = int(Status.STEP_TOO_SMALL)
_NON_FINITE = int(Status.NON_FINITE)
_CANCELLED = int(Status.CANCELLED)

# Steps below this fraction of the time leave it where it is.
RESOLUTION = 4e-16

SIZES = (
    "lanes",
    "n_states",
    "n_values",
    "n_jacobian",
    "n_factors",
    "n_all_parameters",
    "started",
    "order",
    "max_steps",
    "implicit",
    "autonomous",
    "dying",
    "ruling",
    "watching",
    "reducing",
    "observing",
    "pools",
    "capturing",
    "slots",
    "rule_slots",
)
"""Names of the entries of the driver's first array."""
(
    _LANES,
    _N_STATES,
    _N_VALUES,
    _N_JACOBIAN,
    _N_FACTORS,
    _N_ALL_PARAMETERS,
    _STARTED,
    _ORDER,
    _MOST,
    _IMPLICIT,
    _AUTONOMOUS,
    _DYING,
    _RULING,
    _WATCHING,
    _REDUCING,
    _OBSERVING,
    _POOLS,
    _CAPTURING,
    _SLOTS,
    _RULE_SLOTS,
) = range(len(SIZES))


@allocating
def _room(rows: int, columns: int) -> FloatArray:
    """Zeros from the beginning of a line of the cache on, so that no pack lies on two of them."""
    whole = np.zeros(rows * columns + WIDTH)
    skip = (-(whole.ctypes.data >> 3)) & (WIDTH - 1)
    return whole[skip : skip + rows * columns].reshape(rows, columns)


@allocating
def _row(columns: int) -> FloatArray:
    """The same, flat."""
    whole = np.zeros(columns + WIDTH)
    skip = (-(whole.ctypes.data >> 3)) & (WIDTH - 1)
    return whole[skip : skip + columns]


@allocating
def _make_lanes(sizes: IntArray, n_parameters: int, atol_scale: float, therapy: Therapy) -> Lanes:
    """Make room for the patients in the lanes of one thread."""
    n = sizes[_LANES]
    p = _row(sizes[_N_ALL_PARAMETERS] * n)
    p[:] = 1.0
    p[n_parameters * n : (n_parameters + 1) * n] = atol_scale
    return Lanes(
        p,
        np.ones(n_parameters * n),
        _room(N_NUMBERS, n),
        np.zeros((N_FLAGS, n), dtype=np.int64),
        _room(N_VECTORS, sizes[_N_STATES] * n),
        np.zeros((therapy.courses.shape[1] + therapy.n_items) * n),
        np.zeros((N_RECALL, (therapy.rules.shape[1] - 1) * n)),
        np.full((N_STARTED + sizes[_RULE_SLOTS], sizes[_STARTED] * n), FREE),
        np.zeros((sizes[_SLOTS] + therapy.courses.shape[1]) * n if sizes[_CAPTURING] else 0),
    )


@inner
def _judge(n: int, max_steps: int, numbers: FloatArray, flags: IntArray) -> bool:
    """Count the step, wish for the next one, give up where there is no hope.

    True if the equations of a patient gave a value that is not finite, or infinite slopes.
    """
    accepted, running, wish, h = numbers[ACCEPTED], numbers[RUNNING], numbers[WISH], numbers[H]
    old_wish, old_previous, old_cap = numbers[OLD_WISH], numbers[OLD_PREVIOUS], numbers[OLD_CAP]
    previous, cap, factor, errors = (
        numbers[PREVIOUS],
        numbers[CAP],
        numbers[FACTOR],
        numbers[ERROR],
    )
    steps, rejected, part, t = numbers[STEPS], numbers[REJECTED], numbers[PART], numbers[T]
    most = float(max_steps)
    trouble = nowhere()
    for lane in range(0, n, WIDTH):
        ok, under_way = load(accepted, lane), load(running, lane)
        failed = under_way - ok
        store(old_wish, lane, load(wish, lane))
        store(old_previous, lane, load(previous, lane))
        store(old_cap, lane, load(cap, lane))
        next_wish = load(h, lane) * load(factor, lane)
        store(wish, lane, next_wish)
        error = load(errors, lane)
        error = select(error > 1e-2, error, 1e-2)
        store(previous, lane, select(ok > 0.0, error, load(previous, lane)))
        store(cap, lane, select(ok > 0.0, MOST, 1.0))
        taken, refused = load(steps, lane) + ok, load(rejected, lane) + failed
        store(steps, lane, taken)
        store(rejected, lane, refused)
        store(part, lane, 1.0)
        spent = taken + refused >= most
        short = next_wish <= RESOLUTION * magnitude(load(t, lane))
        trouble = trouble | (failed > 0.0) | ((spent | short) & (under_way > 0.0))
    delicate = False
    if not some(trouble):
        return delicate
    for lane in range(n):
        if running[lane] == 0.0:
            continue
        if not numbers[ERROR, lane] < np.inf or numbers[SMALLEST, lane] == 0.0:
            flags[DELICATE, lane] = 1
            delicate = True
        # Near a pole steps are accepted that no longer move the time. A short way to a stop is no
        # such sign.
        if accepted[lane] == 0.0 or numbers[LANDING, lane] == 0.0:
            t = numbers[T, lane]
            if numbers[WISH, lane] <= RESOLUTION * max(abs(t), 1e-290):
                finite = numbers[ERROR, lane] < np.inf
                flags[STATUS, lane] = _STEP_TOO_SMALL if finite else _NON_FINITE
        if numbers[STEPS, lane] + numbers[REJECTED, lane] >= max_steps:
            flags[STATUS, lane] = _MAX_STEPS
    return delicate


@inner
def _take_anew(n: int, numbers: FloatArray, flags: IntArray) -> None:
    """Undo accepted steps that pass a stop, or a time at which a rule acts."""
    accepted, sites, landing = numbers[ACCEPTED], numbers[SITE], numbers[LANDING]
    part, goal, t, h = numbers[PART], numbers[GOAL], numbers[T], numbers[H]
    passed = nowhere()
    for lane in range(0, n, WIDTH):
        share = load(part, lane)
        whole = (load(landing, lane) > 0.0) & (share >= 1.0)
        finish = select(whole, load(goal, lane), load(t, lane) + share * load(h, lane))
        passed = passed | ((load(accepted, lane) > 0.0) & (load(sites, lane) < finish))
    if not some(passed):
        return
    for lane in range(n):
        site = numbers[SITE, lane]
        if numbers[ACCEPTED, lane] == 0.0 or site >= finish_of(lane, numbers):
            continue
        numbers[ANEW, lane] = 1.0
        numbers[BOUNDARY, lane] = site
        numbers[ACCEPTED, lane] = 0.0
        numbers[PART, lane] = 1.0
        numbers[EXTINCT_PART, lane] = 2.0
        numbers[WISH, lane] = numbers[OLD_WISH, lane]
        numbers[PREVIOUS, lane] = numbers[OLD_PREVIOUS, lane]
        numbers[CAP, lane] = numbers[OLD_CAP, lane]
        numbers[STEPS, lane] -= 1.0
        numbers[REJECTED, lane] += 1.0


@inner
def _step_on(n: int, looked: IntArray, accepted: FloatArray, values: FloatArray) -> None:
    """What is right of this step is left of the next."""
    left, right = values[LEFT], values[RIGHT]
    for lane in range(0, n, WIDTH):
        taken = load(accepted, lane) > 0.0
        for q in range(len(looked)):
            k = looked[q] * n + lane
            store(left, k, select(taken, load(right, k), load(left, k)))


@inner
def _drive(
    sizes: IntArray,
    start: Callable[..., None],
    step: Callable[..., None],
    rule: Callable[..., None],
    reduce: Callable[..., None],
    derive: Callable[..., None],
    rhs: Callable[..., None],
    jacobian: Callable[..., None],
    time_derivative: Callable[..., None],
    observe: Callable[..., None],
    switch: Callable[..., None],
    factor: Callable[..., None],
    solve: Callable[..., None],
    inverse_gamma: float,
    a: FloatArray,
    coupling: FloatArray,
    weights: FloatArray,
    dense: FloatArray,
    rtol: float,
    max_step: float,
    atol_scale: float,
    atol: FloatArray,
    floors: FloatArray,
    inclusive: IntArray,
    looked: IntArray,
    patients: Patients,
    therapy: Therapy,
    wanted: Wanted,
    log: Log,
    written: Written,
    lanes: Lanes,
    values: FloatArray,
    spare: FloatArray,
    reduced: FloatArray,
    u: FloatArray,
    entries: FloatArray,
    factors: FloatArray,
    before: FloatArray,
    slopes: FloatArray,
    every: IntArray,
) -> None:
    n = sizes[_LANES]
    n_states = sizes[_N_STATES]
    size = n_states * n
    order = sizes[_ORDER]
    max_steps = sizes[_MOST]
    implicit = sizes[_IMPLICIT] != 0
    autonomous = sizes[_AUTONOMOUS] != 0
    dying = sizes[_DYING] != 0
    ruling = sizes[_RULING] != 0
    watching = sizes[_WATCHING] != 0
    reducing = sizes[_REDUCING] != 0
    observing = sizes[_OBSERVING] != 0
    pools = sizes[_POOLS] != 0
    p, numbers, flags = lanes.p, lanes.numbers, lanes.flags
    vectors = lanes.vectors
    save_time, sources, saved = wanted.save_time, wanted.sources, written.saved
    states = wanted.states
    first_mode = patients.parameters.shape[1] + 1
    times, steps_now, wishes, goals = numbers[T], numbers[H], numbers[WISH], numbers[GOAL]
    boundaries, ends, landings, anews = (
        numbers[BOUNDARY],
        numbers[END],
        numbers[LANDING],
        numbers[ANEW],
    )
    under_way, accepted, parts = numbers[RUNNING], numbers[ACCEPTED], numbers[PART]
    save_times, visits, sites = numbers[SAVE_TIME], numbers[NEXT_VISIT], numbers[SITE]

    alive = 0
    delicate = False
    for lane in range(n):
        if load_patient(n, lane, patients, therapy, lanes, wanted, written):
            alive += 1
            rule(BEGIN, n, lane, watching, observe, derive, therapy, lanes, log, values, spare)
            reduce(
                BEGIN,
                n,
                lane,
                observe,
                wanted,
                p,
                numbers,
                flags,
                vectors,
                values,
                spare,
                reduced,
                written,
            )
    stale = True
    entering = True
    turns = 0
    while alive > 0:
        turns += 1
        if stale:
            derive(n, p)
            if len(inclusive) > 0:
                set_modes(n, first_mode, inclusive, switch, p, numbers, flags, vectors, slopes)
            if entering:
                entering = False
                if ruling:
                    rule(ENTER, n, 0, watching, observe, derive, therapy, lanes, log, values, spare)
                for lane in range(n):
                    if flags[ENTERS, lane] == 0 or flags[PATIENT, lane] < 0:
                        continue
                    flags[ENTERS, lane] = 0
                    apply_stops(n, lane, observe, derive, therapy, lanes, log, values[SCRATCH])
                    if ruling:
                        rule(
                            LAND, n, lane, watching, observe, derive, therapy, lanes, log, values,
                            spare,
                        )  # fmt: skip
                derive(n, p)
            if ruling:
                rule(SETTLE, n, 0, watching, observe, derive, therapy, lanes, log, values, spare)
            if len(inclusive) > 0:
                # What has been done may have moved them.
                set_modes(n, first_mode, inclusive, switch, p, numbers, flags, vectors, slopes)
                for lane in range(n):
                    if flags[FRESH, lane] == 1 and flags[PATIENT, lane] >= 0:
                        set_boundary(n, lane, therapy, lanes)
            if reducing and not watching:
                # The first sample of the step; where rules are watched, settling has done it.
                evaluate(n, states, observe, p, numbers, vectors, values[LEFT])
        starting = False
        if stale:
            for lane in range(n):
                starting = starting or flags[FRESH, lane] == 1
            stale = False
        start(n, order, therapy.infused, starting, rhs, p, numbers, vectors, atol, rtol)
        if starting:
            for lane in range(n):
                if flags[FRESH, lane] == 1:
                    flags[FRESH, lane] = 0
                    numbers[WISH, lane] = numbers[FACTOR, lane]
                    numbers[PREVIOUS, lane] = 1.0
                    numbers[CAP, lane] = MOST
        # A step does not know what lies ahead, but for the end: if it passes a stop, it is taken
        # anew up to there. So no stop changes a bit of what was before it.
        for lane in range(0, n, WIDTH):
            anew = load(anews, lane) > 0.0
            time, wish = load(times, lane), load(wishes, lane)
            wish = select(wish > max_step, max_step, wish)
            ahead = select(anew, load(boundaries, lane), load(ends, lane))
            room = ahead - time
            lands = anew | (wish >= room)
            store(landings, lane, select(lands, 1.0, 0.0))
            store(goals, lane, select(lands, ahead, time + wish))
            store(anews, lane, 0.0)
            h = select(lands, room, wish)
            store(steps_now, lane, select(load(under_way, lane) > 0.0, h, 0.0))
        step(
            n, order, implicit, autonomous, therapy.infused, delicate, inverse_gamma, a, coupling,
            weights, rhs, jacobian, time_derivative, factor, solve,
            p, numbers, flags, vectors, u, entries, factors, atol, rtol, floors,
        )  # fmt: skip
        if pools:
            refuse_negative(n, floors, atol, numbers, vectors)
        # Once a lane is delicate the others are looked at, too, which changes nothing in them.
        delicate = _judge(n, max_steps, numbers, flags) or delicate

        dies = dying and find_extinctions(n, floors, numbers, vectors)
        saves, visited = nowhere(), nowhere()
        for lane in range(0, n, WIDTH):
            since = load(save_times, lane) - load(times, lane)
            saves = saves | ((since < load(steps_now, lane)) & (load(accepted, lane) > 0.0))
            boundary, goal = load(boundaries, lane), load(goals, lane)
            store(sites, lane, select(boundary < goal, boundary, np.inf))
            visited = visited | (load(visits, lane) <= goal)
        due = some(saves)
        looking = watching or some(visited)
        if due or dies or looking or reducing:
            # Of the states that are looked at, but for a step that may have to end inside.
            rows = every if dies else states
            three_sums(n, rows, u, dense, vectors[K1], vectors[K2], vectors[K3])
        if dies:
            for lane in range(n):
                numbers[EXTINCT_PART, lane] = 2.0
                if numbers[ACCEPTED, lane] > 0.0:
                    part = first_extinction(n, lane, floors, vectors)
                    numbers[EXTINCT_PART, lane] = part
                    numbers[PART, lane] = min(part, 1.0)
            for k in range(size):
                before[k] = vectors[Y, k]
        if watching or reducing:
            sample_step(n, states, observe, p, numbers, vectors, values)
        if looking:
            rule(WATCH, n, 0, watching, observe, derive, therapy, lanes, log, values, spare)
        _take_anew(n, numbers, flags)
        if reducing:
            reduce(
                WATCH, n, 0, observe, wanted, p, numbers, flags, vectors, values, spare, reduced,
                written,
            )  # fmt: skip
        if watching or reducing:
            _step_on(n, looked, accepted, values)
        if due:
            save_inside(
                n, states, observing, observe, save_time, sources, saved, p, numbers, flags,
                vectors, values[SCRATCH],
            )  # fmt: skip

        arrived = nowhere()
        for lane in range(0, n, WIDTH):
            reaches = load(goals, lane) >= load(boundaries, lane)
            arrived = arrived | (reaches & (load(accepted, lane) > 0.0)) | (load(parts, lane) < 1.0)
        ended = 0
        for lane in range(n):
            waits = flags[STATUS, lane] != UNDER_WAY and flags[PATIENT, lane] >= 0
            ended += 1 if waits else 0
        noteworthy = dies or ended > 0 or some(arrived)
        if dies:
            shortened = False
            for lane in range(n):
                shortened = shortened or numbers[PART, lane] < 1.0
            if shortened:
                shorten(n, numbers, vectors)
        y, new = vectors[Y], vectors[NEW]
        for lane in range(0, n, WIDTH):
            taken = load(accepted, lane) > 0.0
            for k in range(lane, size, n):
                store(y, k, select(taken, load(new, k), load(y, k)))
        if pools:
            clip_to_zero(n, floors, atol, y)
        for lane in range(0, n, WIDTH):
            moved = load(accepted, lane) * load(parts, lane) * load(steps_now, lane)
            store(times, lane, load(times, lane) + moved)

        if written.counters[CANCEL] != 0:
            for lane in range(n):
                if flags[PATIENT, lane] >= 0:
                    flags[STATUS, lane] = _CANCELLED
            noteworthy = True
        if not noteworthy:
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
                    numbers[T, lane] = numbers[GOAL, lane]
                if dies and numbers[EXTINCT_PART, lane] <= part:
                    for i in range(n_states):
                        k = i * n + lane
                        if floors[i] > 0.0 and before[k] >= floors[i] and y[k] < floors[i]:
                            note(patient, numbers[T, lane], -1 - i, y[k], log)
                            y[k] = 0.0
                    flags[JUMPED, lane] = 1
                    stale = True
                if numbers[T, lane] >= numbers[BOUNDARY, lane]:
                    switched = numbers[T, lane] >= numbers[NEXT_SWITCH, lane]
                    acted = apply_stops(
                        n, lane, observe, derive, therapy, lanes, log, values[SCRATCH]
                    )
                    switched = switched or acted
                    if switched:
                        flags[FRESH, lane] = 1
                        flags[JUMPED, lane] = 1
                    if ruling:
                        rule(
                            LAND,
                            n,
                            lane,
                            watching,
                            observe,
                            derive,
                            therapy,
                            lanes,
                            log,
                            values,
                            spare,
                        )
                    stale = stale or flags[FRESH, lane] == 1
                    if numbers[T, lane] >= numbers[END, lane]:
                        flags[STATUS, lane] = _SUCCESS
            finishing = finishing or flags[STATUS, lane] != UNDER_WAY
        if not finishing:
            continue
        derive(n, p)
        evaluate(n, states, observe, p, numbers, vectors, values[SCRATCH])
        for lane in range(n):
            patient = flags[PATIENT, lane]
            status = flags[STATUS, lane]
            if patient < 0 or status == UNDER_WAY:
                continue
            n_times, n_sources = len(save_time), len(sources)
            position = flags[NEXT_SAVE, lane]
            now = numbers[T, lane] + instant(numbers[T, lane])
            while status == _SUCCESS and position < n_times and save_time[position] <= now:
                for q in range(n_sources):
                    place = (patient * n_sources + q) * n_times + position
                    saved[place] = values[SCRATCH, sources[q] * n + lane]
                position += 1
            save_nothing(saved, patient, n_sources, n_times, position, n_times)
            reduce(
                FINISH,
                n,
                lane,
                observe,
                wanted,
                p,
                numbers,
                flags,
                vectors,
                values,
                spare,
                reduced,
                written,
            )
            written.ended[0, patient] = status
            written.ended[1, patient] = np.int64(numbers[STEPS, lane])
            written.ended[2, patient] = np.int64(numbers[REJECTED, lane])
            written.final[patient, 0] = numbers[T, lane]
            for i in range(n_states):
                written.final[patient, 1 + i] = y[i * n + lane]
            fetch_and_add(written.counters, DONE, 1)
            alive -= 1
            stale = True
            entering = True
            if load_patient(n, lane, patients, therapy, lanes, wanted, written):
                alive += 1
                rule(BEGIN, n, lane, watching, observe, derive, therapy, lanes, log, values, spare)
                reduce(
                    BEGIN,
                    n,
                    lane,
                    observe,
                    wanted,
                    p,
                    numbers,
                    flags,
                    vectors,
                    values,
                    spare,
                    reduced,
                    written,
                )
    fetch_and_add(written.counters, LANE_STEPS, turns * n)


def drive(
    sizes: IntArray,
    start: Callable[..., None],
    step: Callable[..., None],
    rule: Callable[..., None],
    reduce: Callable[..., None],
    derive: Callable[..., None],
    rhs: Callable[..., None],
    jacobian: Callable[..., None],
    time_derivative: Callable[..., None],
    observe: Callable[..., None],
    switch: Callable[..., None],
    factor: Callable[..., None],
    solve: Callable[..., None],
    inverse_gamma: float,
    a: FloatArray,
    coupling: FloatArray,
    weights: FloatArray,
    dense: FloatArray,
    rtol: float,
    max_step: float,
    atol_scale: float,
    atol: FloatArray,
    floors: FloatArray,
    inclusive: IntArray,
    looked: IntArray,
    patients: Patients,
    therapy: Therapy,
    wanted: Wanted,
    log: Log,
    written: Written,
) -> None:
    """Integrate patients taken one by one from the shared counter until none is left."""
    n = sizes[_LANES]
    size = sizes[_N_STATES] * n
    lanes = _make_lanes(sizes, patients.parameters.shape[1], atol_scale, therapy)
    flags_before = exchange_flags(-1)
    _drive(
        sizes,
        start,
        step,
        rule,
        reduce,
        derive,
        rhs,
        jacobian,
        time_derivative,
        observe,
        switch,
        factor,
        solve,
        inverse_gamma,
        a,
        coupling,
        weights,
        dense,
        rtol,
        max_step,
        atol_scale,
        atol,
        floors,
        inclusive,
        looked,
        patients,
        therapy,
        wanted,
        log,
        written,
        lanes,
        _room(N_VALUES, sizes[_N_VALUES] * n),
        _row(len(lanes.p) + ROOM),
        _room(2 * wanted.kinds.shape[1], n),
        _room(dense.shape[1], size),
        _row(sizes[_N_JACOBIAN] * n),
        _row(sizes[_N_FACTORS] * n),
        _row(size),
        _row(2 * len(inclusive) * n),
        np.arange(sizes[_N_STATES]),
    )
    exchange_flags(flags_before)


DRIVE = types.void(
    INTEGERS,
    types.FunctionType(START),
    types.FunctionType(STEP),
    types.FunctionType(FOLLOW_RULES),
    types.FunctionType(FOLLOW_REDUCTIONS),
    types.FunctionType(signatures.DERIVE),
    types.FunctionType(signatures.RHS),
    types.FunctionType(signatures.JACOBIAN),
    types.FunctionType(signatures.TIME_DERIVATIVE),
    types.FunctionType(signatures.OBSERVE),
    types.FunctionType(signatures.SWITCH),
    types.FunctionType(signatures.FACTOR),
    types.FunctionType(signatures.SOLVE),
    NUMBER,
    MATRIX,
    MATRIX,
    MATRIX,
    MATRIX,
    NUMBER,
    NUMBER,
    NUMBER,
    VECTOR,
    VECTOR,
    INTEGERS,
    INTEGERS,
    PATIENTS,
    THERAPY,
    WANTED,
    LOG,
    WRITTEN,
)
