"""Conditions that act when they are true: watched all the time, or looked at on visits.

What looks does not change the course. A step in which a rule acts is taken anew, up to that very
time, as if the time had been a stop from the beginning: a run in which the same is scheduled takes
the same steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from carsim.engine.actions import act, count, note
from carsim.engine.jit import inner
from carsim.engine.layout import (
    ACCEPTED,
    AFTER,
    BEFORE,
    BOUNDARY,
    CAP,
    CONSECUTIVE,
    CONTINUOUS,
    COURSE_ITEM,
    CROSSING,
    DETECTION,
    DIRECTION,
    END,
    EXTINCT_PART,
    FIRED,
    FRESH,
    HOLDS,
    IDLE,
    JUMPED,
    LANDING,
    LANDING_SITE,
    LATEST,
    LIMIT,
    LOG_SD,
    LOOKS,
    NEXT_DUE,
    NEXT_VISIT,
    OLD_CAP,
    OLD_PREVIOUS,
    OLD_WISH,
    PART,
    PATIENT,
    PENDING,
    PREVIOUS,
    REJECTED,
    SAMPLES,
    SD,
    SEEN,
    SINCE,
    SOURCE,
    SPACING,
    STARTED_ROW,
    STARTED_RULE,
    STATUS,
    STEPS,
    STREAK,
    STREAM,
    THETA,
    TIME,
    VISIT,
    VISITS,
    WAIT,
    WISH,
    H,
    T,
)
from carsim.engine.patients import set_boundary
from carsim.engine.philox import two_normals
from carsim.engine.plan import FloatArray, IntArray
from carsim.engine.records import Lanes, Log, Therapy
from carsim.engine.samples import evaluate_inside, locate
from carsim.engine.status import Status

_EVENT_LIMIT = int(Status.EVENT_LIMIT)
# Visits come from a grid: a spacing of eight hours is met by visits eight hours apart, whatever the
# last digit of their times.
NEARLY = 1.0 - 1e-9


@inner
def beyond(direction: int, value: float, threshold: float) -> bool:
    """Whether a condition holds."""
    return direction * (value - threshold) >= 0.0


@inner
def actions_of(patient: int, rule: int, offsets: IntArray, n_rules: int) -> int:
    """Owner of a rule's rows: the rule, or the rule of this patient."""
    return rule if len(offsets) == n_rules + 1 else patient * n_rules + rule


@inner
def forget(n: int, lane: int, therapy: Therapy, lanes: Lanes) -> None:
    """Begin a new patient: nothing has fired, the first visit is the first after the start."""
    start = lanes.numbers[T, lane]
    for rule in range(therapy.rules.shape[1] - 1):
        k = rule * n + lane
        lanes.recall[HOLDS, k] = 0
        lanes.recall[FIRED, k] = 0
        lanes.recall[STREAK, k] = 0
        visit = therapy.rules[VISITS, rule]
        while visit < therapy.rules[VISITS, rule + 1] and therapy.visit_time[visit] < start:
            visit += 1
        lanes.recall[VISIT, k] = visit
        lanes.recall[CROSSING, k] = np.inf
        lanes.recall[PENDING, k] = np.inf
        lanes.recall[LATEST, k] = -np.inf
    for place in range(lane, lanes.started.shape[1], n):
        lanes.started[STARTED_RULE, place] = -1
    lanes.numbers[NEXT_DUE, lane] = np.inf
    set_next_visit(n, lane, therapy, lanes)


@inner
def set_next_visit(n: int, lane: int, therapy: Therapy, lanes: Lanes) -> None:
    """Find the next visit of any rule that is not spent."""
    soonest = np.inf
    for rule in range(therapy.rules.shape[1] - 1):
        k = rule * n + lane
        visit = np.int64(lanes.recall[VISIT, k])
        left = visit < therapy.rules[VISITS, rule + 1]
        if left and lanes.recall[FIRED, k] < therapy.rules[LIMIT, rule]:
            soonest = min(soonest, therapy.visit_time[visit])
    lanes.numbers[NEXT_VISIT, lane] = soonest


@inner
def _is_busy(n: int, lane: int, rule: int, therapy: Therapy, lanes: Lanes) -> bool:
    """Whether something that a rule started still runs or is still to come."""
    item = therapy.n_items + rule
    for c in range(therapy.courses.shape[1]):
        if therapy.courses[COURSE_ITEM, c] == item and lanes.running[c * n + lane] > 0.0:
            return True
    for place in range(lane, lanes.started.shape[1], n):
        if lanes.started[STARTED_RULE, place] == rule:
            return True
    return False


@inner
def _reading(rule: int, patient: int, visit: int, value: float, therapy: Therapy) -> float:
    """What the assay of a rule shows; zero below its limit of detection."""
    log_sd, sd = therapy.rule_numbers[LOG_SD, rule], therapy.rule_numbers[SD, rule]
    if log_sd > 0.0 or sd > 0.0:
        stream = therapy.rules[STREAM, rule]
        number = visit - therapy.rules[VISITS, rule]
        one, two = two_normals(stream, therapy.serial[patient], number)
        value = value * np.exp(log_sd * one) + sd * two
    return value if value >= therapy.rule_numbers[DETECTION, rule] else 0.0


@inner
def _attend(
    n: int, lane: int, rule: int, time: float, values: FloatArray, therapy: Therapy, lanes: Lanes
) -> bool:
    """Look at a rule's condition on a visit; true if the rule fires."""
    k = rule * n + lane
    visit = np.int64(lanes.recall[VISIT, k])
    lanes.recall[VISIT, k] = visit + 1
    fired, latest = lanes.recall[FIRED, k], lanes.recall[LATEST, k]
    after = therapy.rules[AFTER, rule]
    if fired >= therapy.rules[LIMIT, rule]:
        return False
    holds = True
    if after >= 0:
        since = time - lanes.recall[LATEST, after * n + lane]
        wait = therapy.rule_numbers[WAIT, rule] * NEARLY
        holds = lanes.recall[FIRED, after * n + lane] > 0 and since > 0.0 and since >= wait
    if holds and fired > 0:
        holds = time - latest >= therapy.rule_numbers[SPACING, rule] * NEARLY
    if holds and therapy.rules[IDLE, rule] != 0:
        holds = not _is_busy(n, lane, rule, therapy, lanes)
    source = therapy.rules[SOURCE, rule]
    patient = lanes.flags[PATIENT, lane]
    lanes.recall[SEEN, k] = np.nan
    if holds and source >= 0:
        seen = _reading(rule, patient, visit, values[source * n + lane], therapy)
        lanes.recall[SEEN, k] = seen
        holds = beyond(therapy.rules[DIRECTION, rule], seen, therapy.threshold[patient, rule])
    if not holds:
        lanes.recall[STREAK, k] = 0
        return False
    lanes.recall[STREAK, k] += 1
    if lanes.recall[STREAK, k] < therapy.rules[CONSECUTIVE, rule]:
        return False
    lanes.recall[STREAK, k] = 0
    return True


@inner
def _first_due(patient: int, rule: int, therapy: Therapy) -> float:
    """Time from a rule's firing to its first action; infinity for a rule that only notes."""
    owner = actions_of(patient, rule, therapy.actions.offsets, therapy.rules.shape[1] - 1)
    row = therapy.actions.offsets[owner]
    return (
        therapy.actions.numbers[TIME, row] if row < therapy.actions.offsets[owner + 1] else np.inf
    )


@inner
def _fire(
    n: int, lane: int, rule: int, time: float, therapy: Therapy, lanes: Lanes, log: Log
) -> None:
    """Note that a rule fired, and start what it does."""
    k = rule * n + lane
    patient = lanes.flags[PATIENT, lane]
    lanes.recall[FIRED, k] += 1
    lanes.recall[LATEST, k] = time
    note(patient, time, rule, lanes.recall[SEEN, k], log)
    if _first_due(patient, rule, therapy) == np.inf:
        return
    owner = actions_of(patient, rule, therapy.actions.offsets, therapy.rules.shape[1] - 1)
    for place in range(lane, lanes.started.shape[1], n):
        if lanes.started[STARTED_RULE, place] < 0:
            lanes.started[STARTED_RULE, place] = rule
            lanes.started[STARTED_ROW, place] = therapy.actions.offsets[owner]
            lanes.started[SINCE, place] = time
            return
    lanes.flags[STATUS, lane] = _EVENT_LIMIT


@inner
def _carry_out(n: int, lane: int, time: float, therapy: Therapy, lanes: Lanes, log: Log) -> bool:
    """Do what is due of all that rules have started, rule by rule; true if anything was."""
    n_rules = therapy.rules.shape[1] - 1
    patient = lanes.flags[PATIENT, lane]
    schedule = therapy.actions
    acted = False
    for rule in range(n_rules):
        last = schedule.offsets[actions_of(patient, rule, schedule.offsets, n_rules) + 1]
        for place in range(lane, lanes.started.shape[1], n):
            # An action may discontinue what it belongs to: look again before each.
            while (
                lanes.started[STARTED_RULE, place] == rule
                and lanes.started[SINCE, place]
                + schedule.numbers[TIME, np.int64(lanes.started[STARTED_ROW, place])]
                <= time
            ):
                row = np.int64(lanes.started[STARTED_ROW, place])
                lanes.started[STARTED_ROW, place] = row + 1
                if row + 1 >= last:
                    lanes.started[STARTED_RULE, place] = -1
                act(n, lane, row, schedule, therapy, lanes)
                count(n, lane, row, schedule, lanes, log)
                acted = True
    if acted:
        lanes.flags[FRESH, lane] = 1
        lanes.flags[JUMPED, lane] = 1
    return acted


@inner
def _set_next_due(n: int, lane: int, therapy: Therapy, lanes: Lanes) -> None:
    """Find the next time at which something that rules have started acts."""
    soonest = np.inf
    for place in range(lane, lanes.started.shape[1], n):
        if lanes.started[STARTED_RULE, place] >= 0:
            row = np.int64(lanes.started[STARTED_ROW, place])
            soonest = min(soonest, lanes.started[SINCE, place] + therapy.actions.numbers[TIME, row])
    lanes.numbers[NEXT_DUE, lane] = soonest
    set_boundary(n, lane, therapy, lanes)


@inner
def find_crossings(
    n: int,
    lane: int,
    observe: Callable[..., None],
    therapy: Therapy,
    lanes: Lanes,
    values: FloatArray,
    spare: FloatArray,
) -> None:
    """Find when the conditions of watched rules become true inside the step of one lane.

    A condition that stopped holding inside the step is armed again.
    """
    numbers = lanes.numbers
    t, h, part = numbers[T, lane], numbers[H, lane], numbers[PART, lane]
    patient = lanes.flags[PATIENT, lane]
    for rule in range(therapy.rules.shape[1] - 1):
        if therapy.rules[CONTINUOUS, rule] == 0:
            continue
        k = rule * n + lane
        lanes.recall[CROSSING, k] = np.inf
        if lanes.recall[FIRED, k] >= therapy.rules[LIMIT, rule]:
            continue
        source, direction = therapy.rules[SOURCE, rule], therapy.rules[DIRECTION, rule]
        threshold = therapy.threshold[patient, rule]
        holds = lanes.recall[HOLDS, k] == 1
        for s in range(1, SAMPLES):
            moment = t + part * (s / (SAMPLES - 1)) * h
            # What has been acted upon holds until then, should the step be taken anew.
            now = moment <= lanes.recall[LATEST, k] or beyond(
                direction, values[s, source * n + lane], threshold
            )
            if now and not holds:
                theta = locate(
                    n, lane, source, threshold, direction,
                    part * ((s - 1) / (SAMPLES - 1)), part * (s / (SAMPLES - 1)),
                    observe, lanes.p, numbers, lanes.vectors, values, spare,
                )  # fmt: skip
                lanes.recall[CROSSING, k] = t + theta * h
                break
            holds = now


@inner
def rearm(
    n: int, lane: int, time: float, values: FloatArray, therapy: Therapy, lanes: Lanes
) -> None:
    """Forget the conditions that do not hold at a time, so that their rules may fire again."""
    patient = lanes.flags[PATIENT, lane]
    for rule in range(therapy.rules.shape[1] - 1):
        if therapy.rules[CONTINUOUS, rule] == 0:
            continue
        k = rule * n + lane
        latest = lanes.recall[LATEST, k]
        value = values[therapy.rules[SOURCE, rule] * n + lane]
        # A step taken anew may end before a firing that is known already. The one that lands on it
        # may end a little short of the threshold which the step before it had crossed: then only a
        # jump tells that the condition is over.
        if latest > time or (latest == time and value == lanes.recall[BEFORE, k]):
            continue
        if not beyond(therapy.rules[DIRECTION, rule], value, therapy.threshold[patient, rule]):
            lanes.recall[HOLDS, k] = 0


@inner
def look_inside(
    n: int,
    observe: Callable[..., None],
    therapy: Therapy,
    lanes: Lanes,
    log: Log,
    scratch: FloatArray,
) -> None:
    """Go through what happens inside the step of every lane, in order of time.

    What only starts later is started; at the first time at which a rule acts the step has to end.
    """
    numbers = lanes.numbers
    theta, looks = numbers[THETA], numbers[LOOKS]
    n_rules = therapy.rules.shape[1] - 1
    for lane in range(n):
        numbers[LANDING_SITE, lane] = np.inf
    while True:
        wanted = False
        for lane in range(n):
            theta[lane] = 0.0
            looks[lane] = np.inf
            if numbers[ACCEPTED, lane] == 0.0:
                continue
            soonest = numbers[NEXT_VISIT, lane]
            for rule in range(n_rules):
                soonest = min(soonest, lanes.recall[CROSSING, rule * n + lane])
            if soonest <= finish_of(lane, numbers) and soonest < min(
                numbers[LANDING_SITE, lane], numbers[END, lane]
            ):
                share = (soonest - numbers[T, lane]) / numbers[H, lane]
                theta[lane] = min(max(share, 0.0), numbers[PART, lane])
                looks[lane] = soonest
                wanted = True
        if not wanted:
            break
        evaluate_inside(n, observe, lanes.p, numbers, lanes.vectors, scratch)
        for lane in range(n):
            if looks[lane] < np.inf:
                _decide(n, lane, looks[lane], scratch, therapy, lanes, log)
    for lane in range(n):
        site = numbers[LANDING_SITE, lane]
        whole = numbers[LANDING, lane] > 0.0 and numbers[PART, lane] >= 1.0
        if site < np.inf and not (whole and site == numbers[BOUNDARY, lane]):
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
def finish_of(lane: int, numbers: FloatArray) -> float:
    """Time at which the step ends, exactly where it lands."""
    if numbers[LANDING, lane] > 0.0 and numbers[PART, lane] >= 1.0:
        return numbers[BOUNDARY, lane]
    return numbers[T, lane] + numbers[PART, lane] * numbers[H, lane]


@inner
def _decide(
    n: int,
    lane: int,
    time: float,
    values: FloatArray,
    therapy: Therapy,
    lanes: Lanes,
    log: Log,
) -> None:
    """Let all rules look that look at one time, before any of them acts."""
    patient = lanes.flags[PATIENT, lane]
    for rule in range(therapy.rules.shape[1] - 1):
        k = rule * n + lane
        if therapy.rules[CONTINUOUS, rule] != 0:
            fires = lanes.recall[CROSSING, k] == time
            if fires:
                lanes.recall[CROSSING, k] = np.inf
                lanes.recall[HOLDS, k] = 1
                lanes.recall[SEEN, k] = values[therapy.rules[SOURCE, rule] * n + lane]
        else:
            visit = np.int64(lanes.recall[VISIT, k])
            fires = visit < therapy.rules[VISITS, rule + 1] and therapy.visit_time[visit] == time
            fires = fires and _attend(n, lane, rule, time, values, therapy, lanes)
        if not fires:
            continue
        first = _first_due(patient, rule, therapy)
        if first <= 0.0:
            lanes.recall[PENDING, k] = time
            lanes.numbers[LANDING_SITE, lane] = time
            continue
        _fire(n, lane, rule, time, therapy, lanes, log)
        due = time + first
        lanes.numbers[NEXT_DUE, lane] = min(lanes.numbers[NEXT_DUE, lane], due)
        if due <= finish_of(lane, lanes.numbers):
            lanes.numbers[LANDING_SITE, lane] = min(lanes.numbers[LANDING_SITE, lane], due)
        elif lanes.numbers[LANDING, lane] == 0.0:
            lanes.numbers[BOUNDARY, lane] = min(lanes.numbers[BOUNDARY, lane], due)
    set_next_visit(n, lane, therapy, lanes)


@inner
def land(n: int, lane: int, values: FloatArray, therapy: Therapy, lanes: Lanes, log: Log) -> None:
    """Carry out what is due now, with `values` as they were before any jump."""
    time = lanes.numbers[T, lane]
    for rule in range(therapy.rules.shape[1] - 1):
        k = rule * n + lane
        if lanes.recall[PENDING, k] <= time:
            lanes.recall[PENDING, k] = np.inf
            if therapy.rules[CONTINUOUS, rule] != 0:
                lanes.recall[BEFORE, k] = values[therapy.rules[SOURCE, rule] * n + lane]
            _fire(n, lane, rule, time, therapy, lanes, log)
    _carry_out(n, lane, time, therapy, lanes, log)
    _set_next_due(n, lane, therapy, lanes)
    set_next_visit(n, lane, therapy, lanes)


@inner
def settle(n: int, lane: int, values: FloatArray, therapy: Therapy, lanes: Lanes) -> bool:
    """Find one rule whose condition a jump made true, or whose visit is at the start.

    It is left pending for `land`. All are armed again before one acts: its action may make another
    true once more.
    """
    patient, time = lanes.flags[PATIENT, lane], lanes.numbers[T, lane]
    rearm(n, lane, time, values, therapy, lanes)
    for rule in range(therapy.rules.shape[1] - 1):
        k = rule * n + lane
        if therapy.rules[CONTINUOUS, rule] == 0:
            visit = np.int64(lanes.recall[VISIT, k])
            here = visit < therapy.rules[VISITS, rule + 1] and therapy.visit_time[visit] <= time
            if not here or not _attend(n, lane, rule, time, values, therapy, lanes):
                continue
        else:
            value = values[therapy.rules[SOURCE, rule] * n + lane]
            holds = beyond(therapy.rules[DIRECTION, rule], value, therapy.threshold[patient, rule])
            if not holds or lanes.recall[HOLDS, k] == 1:
                continue
            lanes.recall[HOLDS, k] = 1
            if lanes.recall[FIRED, k] >= therapy.rules[LIMIT, rule]:
                continue
            lanes.recall[SEEN, k] = value
        lanes.recall[PENDING, k] = time
        return True
    set_next_visit(n, lane, therapy, lanes)
    return False
