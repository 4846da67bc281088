"""What looks inside steps: rules and reductions. Each is compiled only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable

from numba.core import types

from carsim.engine import signatures
from carsim.engine.jit import COUNT, INTEGER_MATRIX, MATRIX, VECTOR, inner
from carsim.engine.layout import (
    ACCEPTED,
    AT_ONCE,
    JUMPED,
    LEFT,
    PATIENT,
    RIGHT,
    SCRATCH,
    SITE,
    STATUS,
)
from carsim.engine.plan import FloatArray, IntArray
from carsim.engine.records import (
    LANES,
    LOG,
    THERAPY,
    WANTED,
    WRITTEN,
    Lanes,
    Log,
    Therapy,
    Wanted,
    Written,
)
from carsim.engine.reduce import finish_reductions, reduce_step, start_reductions
from carsim.engine.rules import (
    attend_first,
    find_crossings,
    forget,
    land,
    look_inside,
    rearm,
    settle,
)
from carsim.engine.samples import evaluate, finish_of
from carsim.engine.status import Status

_EVENT_LIMIT = int(Status.EVENT_LIMIT)
_SUCCESS = int(Status.SUCCESS)
MOST_AT_ONCE = 100

BEGIN, ENTER, SETTLE, WATCH, LAND, FINISH = range(6)
"""What `follow_rules` and `follow_reductions` are asked to do."""


@inner
def _settle_all(
    n: int,
    observe: Callable[..., None],
    derive: Callable[..., None],
    therapy: Therapy,
    lanes: Lanes,
    log: Log,
    left: FloatArray,
    scratch: FloatArray,
) -> None:
    """After jumps, look at the conditions of all lanes and let act what has become true."""
    flags, numbers = lanes.flags, lanes.numbers
    acted = True
    while acted:
        acted = False
        evaluate(n, therapy.states, observe, lanes.p, numbers, lanes.vectors, left)
        for lane in range(n):
            if flags[PATIENT, lane] < 0 or flags[JUMPED, lane] == 0:
                continue
            flags[JUMPED, lane] = 0
            if settle(n, lane, left, therapy, lanes):
                land(n, lane, left, observe, derive, therapy, lanes, log, scratch)
                flags[JUMPED, lane] = 1
                flags[AT_ONCE, lane] += 1
                acted = True
            if flags[AT_ONCE, lane] > MOST_AT_ONCE:
                flags[STATUS, lane] = _EVENT_LIMIT
                flags[JUMPED, lane] = 0
        if acted:
            derive(n, lanes.p)


def follow_rules(
    task: int,
    n: int,
    lane: int,
    watching: bool,
    observe: Callable[..., None],
    derive: Callable[..., None],
    therapy: Therapy,
    lanes: Lanes,
    log: Log,
    values: FloatArray,
    spare: FloatArray,
) -> None:
    """Do one task for the rules; `watching` if any of them is watched continuously.

    ``BEGIN``: forget the patient before, in one lane. ``ENTER``: look at the visits at the start of
    patients that enter. ``SETTLE``: after jumps, look at the conditions of all lanes and let act
    what has become true. ``WATCH``: end the step at the first time at which a rule acts. ``LAND``:
    carry out what is due at the time on which one lane landed.
    """
    numbers = lanes.numbers
    if task == BEGIN:
        forget(n, lane, therapy, lanes)
    elif task == ENTER:
        evaluate(n, therapy.states, observe, lanes.p, numbers, lanes.vectors, values[LEFT])
        attend_first(n, values[LEFT], therapy, lanes)
    elif task == SETTLE:
        if watching:
            _settle_all(n, observe, derive, therapy, lanes, log, values[LEFT], values[SCRATCH])
    elif task == WATCH:
        if watching:
            for j in range(n):
                if numbers[ACCEPTED, j] > 0.0:
                    find_crossings(n, j, observe, therapy, lanes, values, spare)
        look_inside(n, watching, observe, therapy, lanes, log, values[SCRATCH])
        if watching:
            for j in range(n):
                # Not of a step that will be undone.
                if numbers[ACCEPTED, j] > 0.0 and numbers[SITE, j] >= finish_of(j, numbers):
                    rearm(
                        n, j, finish_of(j, numbers), values[RIGHT], values[RIGHT - 1], therapy,
                        lanes,
                    )  # fmt: skip
    elif task == LAND:
        lanes.flags[AT_ONCE, lane] = 0
        land(n, lane, values[LEFT], observe, derive, therapy, lanes, log, values[SCRATCH])


def ignore_rules(
    task: int,
    n: int,
    lane: int,
    watching: bool,
    observe: Callable[..., None],
    derive: Callable[..., None],
    therapy: Therapy,
    lanes: Lanes,
    log: Log,
    values: FloatArray,
    spare: FloatArray,
) -> None:
    """Stand in for `follow_rules` where there are none, so that it need not be compiled."""


def follow_reductions(
    task: int,
    n: int,
    lane: int,
    observe: Callable[..., None],
    wanted: Wanted,
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
    reduced: FloatArray,
    written: Written,
) -> None:
    """Do one task for the reductions.

    ``BEGIN``: begin a new patient in one lane. ``WATCH``: take the step of all lanes into the
    reductions. ``FINISH``: write one patient's numbers.
    """
    if task == BEGIN:
        start_reductions(lane, wanted.kinds, reduced)
    elif task == WATCH:
        reduce_step(
            n,
            wanted.kinds,
            wanted.bounds,
            wanted.leaves,
            wanted.states,
            reduced,
            observe,
            p,
            numbers,
            vectors,
            values,
            spare,
        )
    elif task == FINISH:
        finish_reductions(
            n, lane, flags[PATIENT, lane], flags[STATUS, lane] == _SUCCESS,
            wanted.kinds, wanted.bounds, reduced, numbers, values[SCRATCH], written.metrics,
        )  # fmt: skip


def ignore_reductions(
    task: int,
    n: int,
    lane: int,
    observe: Callable[..., None],
    wanted: Wanted,
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
    reduced: FloatArray,
    written: Written,
) -> None:
    """Stand in for `follow_reductions` where there are none."""


def observe_nothing(n: int, t: FloatArray, y: FloatArray, p: FloatArray, out: FloatArray) -> None:
    """Stand in for a kernel of observables where none is asked for."""


FOLLOW_RULES = types.void(
    COUNT,
    COUNT,
    COUNT,
    types.boolean,
    types.FunctionType(signatures.OBSERVE),
    types.FunctionType(signatures.DERIVE),
    THERAPY,
    LANES,
    LOG,
    MATRIX,
    VECTOR,
)

FOLLOW_REDUCTIONS = types.void(
    COUNT,
    COUNT,
    COUNT,
    types.FunctionType(signatures.OBSERVE),
    WANTED,
    VECTOR,
    MATRIX,
    INTEGER_MATRIX,
    MATRIX,
    MATRIX,
    VECTOR,
    MATRIX,
    WRITTEN,
)
