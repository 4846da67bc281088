"""Conditions that act when they are true: watched all the time, or looked at on visits.

What looks does not change the course. A step in which a rule acts is taken anew, up to that very
time, as if the time had been a stop from the beginning: a run in which the same is scheduled takes
the same steps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from carsim.engine.actions import act, capture, count, note, rank
from carsim.engine.instants import instant
from carsim.engine.jit import inner
from carsim.engine.knots import FOUND, KNOTS, beyond, find_knots, is_quiet, room_at
from carsim.engine.layout import (
    ACCEPTED,
    ACTING,
    AFTER,
    BEFORE,
    BOUNDARY,
    CONSECUTIVE,
    CONTINUOUS,
    COURSE_ITEM,
    CROSSING,
    DECIDED,
    DETECTION,
    DIRECTION,
    DURING,
    END,
    ENTERS,
    EXACT,
    FIRED,
    FREE,
    FRESH,
    HOLDS,
    IDLE,
    INDEX,
    JUMPED,
    KIND,
    LATEST,
    LEFT,
    LIMIT,
    LOG_SD,
    LOOKS,
    N_RULE,
    NEXT_DUE,
    NEXT_VISIT,
    OWED,
    PART,
    PATIENT,
    PENDING,
    SD,
    SEEN,
    SINCE,
    SITE,
    SOURCE,
    SPACING,
    STARTED_ROW,
    STARTED_RULE,
    STATUS,
    STREAK,
    STREAM,
    THETA,
    TIME,
    UNLESS,
    VISIT,
    VISITS,
    WAIT,
    H,
    T,
)
from carsim.engine.patients import set_boundary
from carsim.engine.philox import two_normals
from carsim.engine.plan import Action, FloatArray, IntArray
from carsim.engine.records import Lanes, Log, Therapy
from carsim.engine.samples import evaluate_inside, finish_of, locate
from carsim.engine.status import Status

_CAPTURE = int(Action.CAPTURE)
_EVENT_LIMIT = int(Status.EVENT_LIMIT)
# Visits come from a grid: a spacing of eight hours is met by visits eight hours apart, whatever the
# last digit of their times.
NEARLY = 1.0 - 1e-9
# A value that lies on its threshold may be rounded to either side of it.
ROUNDING = 1e-14


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
        lanes.recall[HOLDS, k] = 0.0
        lanes.recall[FIRED, k] = 0.0
        lanes.recall[STREAK, k] = 0.0
        lanes.recall[DECIDED, k] = 0.0
        visit = therapy.rules[VISITS, rule]
        first = start - instant(start)
        while visit < therapy.rules[VISITS, rule + 1] and therapy.visit_time[visit] < first:
            visit += 1
        lanes.recall[VISIT, k] = visit
        lanes.recall[CROSSING, k] = np.inf
        lanes.recall[PENDING, k] = np.inf
        lanes.recall[LATEST, k] = -np.inf
    for place in range(lane, lanes.started.shape[1], n):
        lanes.started[STARTED_RULE, place] = FREE
    lanes.numbers[NEXT_DUE, lane] = np.inf
    set_next_visit(n, lane, -np.inf, therapy, lanes)


@inner
def is_shut(n: int, lane: int, rule: int, rules: IntArray, recall: FloatArray) -> bool:
    """Whether a rule waits for another that has not fired yet: it need not look."""
    gate = max(rules[AFTER, rule], rules[DURING, rule])
    return gate >= 0 and recall[FIRED, gate * n + lane] == 0.0


@inner
def set_next_visit(n: int, lane: int, time: float, therapy: Therapy, lanes: Lanes) -> None:
    """Find the next visit, behind an instant, of any rule that has something to look for."""
    soonest = np.inf
    time += instant(time) if time > -np.inf else 0.0
    for rule in range(therapy.rules.shape[1] - 1):
        k = rule * n + lane
        if lanes.recall[FIRED, k] >= therapy.rules[LIMIT, rule]:
            continue
        if is_shut(n, lane, rule, therapy.rules, lanes.recall):
            continue
        visit = int(lanes.recall[VISIT, k])
        last = therapy.rules[VISITS, rule + 1]
        # Visits of a rule that was shut have gone by.
        while visit < last and therapy.visit_time[visit] <= time:
            visit += 1
        lanes.recall[VISIT, k] = visit
        if visit < last:
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
def _is_kept_still(
    n: int, lane: int, rule: int, time: float, therapy: Therapy, lanes: Lanes
) -> bool:
    """Whether a rule that another must not meet goes on, or begins at this very visit."""
    for other in range(therapy.rules.shape[1] - 1):
        if therapy.rules[N_RULE + other, rule] == 0:
            continue
        # Rules look in their order: the one before may be about to act.
        if lanes.recall[DECIDED, other * n + lane] != 0.0:
            return True
        if lanes.recall[PENDING, other * n + lane] <= time:
            return True
        if _is_busy(n, lane, other, therapy, lanes):
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
    n: int,
    lane: int,
    rule: int,
    time: float,
    visit: int,
    values: FloatArray,
    therapy: Therapy,
    lanes: Lanes,
) -> bool:
    """Look at a rule's condition on a visit; true if the rule fires."""
    k = rule * n + lane
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
    if holds and therapy.rules[DURING, rule] >= 0:
        holds = _is_busy(n, lane, therapy.rules[DURING, rule], therapy, lanes)
    if holds and therapy.rules[UNLESS, rule] != 0:
        holds = not _is_kept_still(n, lane, rule, time, therapy, lanes)
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
        if lanes.started[STARTED_RULE, place] == FREE:
            lanes.started[STARTED_RULE, place] = rule
            lanes.started[STARTED_ROW, place] = therapy.actions.offsets[owner]
            lanes.started[SINCE, place] = time
            return
    lanes.flags[STATUS, lane] = _EVENT_LIMIT


@inner
def _carry_out(
    n: int,
    lane: int,
    time: float,
    observe: Callable[..., None],
    derive: Callable[..., None],
    therapy: Therapy,
    lanes: Lanes,
    log: Log,
    scratch: FloatArray,
) -> bool:
    """Do what is due of all that rules have started; true if anything was."""
    n_rules = therapy.rules.shape[1] - 1
    patient = lanes.flags[PATIENT, lane]
    schedule = therapy.actions
    acted = False
    while True:
        # An action may end what others would do, so look again before each.
        next_place, first, since = -1, 0, np.inf
        for place in range(lane, lanes.started.shape[1], n):
            rule = int(lanes.started[STARTED_RULE, place])
            if rule < 0:
                continue
            row = int(lanes.started[STARTED_ROW, place])
            begun = lanes.started[SINCE, place]
            if begun + schedule.numbers[TIME, row] > time + instant(time):
                continue
            # By kind, then by rule, and of one rule the oldest firing first.
            kind, index = schedule.table[KIND, row], schedule.table[INDEX, row]
            order = rank(kind, index, therapy) * n_rules + rule
            if next_place < 0 or order < first or (order == first and begun < since):
                next_place, first, since = place, order, begun
        if next_place < 0:
            break
        row = int(lanes.started[STARTED_ROW, next_place])
        rule = int(lanes.started[STARTED_RULE, next_place])
        last = schedule.offsets[actions_of(patient, rule, schedule.offsets, n_rules) + 1]
        # What a rule does cannot end this very firing, but those before it.
        lanes.started[STARTED_RULE, next_place] = ACTING
        if schedule.table[KIND, row] == _CAPTURE:
            capture(n, lane, row, next_place, schedule, observe, derive, therapy, lanes, scratch)
        else:
            act(n, lane, row, next_place, schedule, therapy, lanes)
        count(n, lane, row, schedule, lanes, log)
        lanes.started[STARTED_ROW, next_place] = row + 1
        lanes.started[STARTED_RULE, next_place] = rule if row + 1 < last else FREE
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
            row = int(lanes.started[STARTED_ROW, place])
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
        holds = lanes.recall[HOLDS, k]
        decided = _decided(k, lanes.recall)
        if is_quiet(values, LEFT, n, lane, source, threshold, therapy.leaves) and (
            holds != 0.0 or not beyond(direction, values[LEFT, source * n + lane], threshold)
        ):
            continue
        knots = spare[room_at(lanes.p, KNOTS) : room_at(lanes.p, KNOTS + 1)]
        found = spare[room_at(lanes.p, FOUND) : room_at(lanes.p, FOUND + 1)]
        count = find_knots(
            n, lane, source, threshold, 0.0, part, therapy.leaves,
            observe, lanes.p, numbers, lanes.vectors, values, spare, knots, found,
        )  # fmt: skip
        for s in range(1, count):
            if t + knots[s] * h <= decided:
                continue
            now = _goes_on(holds, direction, found[s], found[s - 1], threshold)
            if now == 1.0 and holds == 0.0:
                theta = locate(
                    n, lane, source, threshold, direction, knots[s - 1], knots[s],
                    observe, lanes.p, numbers, lanes.vectors, values, spare,
                )  # fmt: skip
                lanes.recall[CROSSING, k] = t + theta * h
                break
            holds = now


@inner
def _decided(k: int, recall: FloatArray) -> float:
    """Time until which a rule's condition is known to hold no sooner."""
    pending = recall[PENDING, k]
    return max(recall[LATEST, k], pending if pending < np.inf else -np.inf)


@inner
def _goes_on(holds: float, direction: int, value: float, last: float, threshold: float) -> float:
    """What becomes of a condition, HOLDS, when a value follows the last one.

    What was acted upon may still be on its way to the threshold, which the step that was undone,
    with another error, had crossed: it is over when it moves away.
    """
    if beyond(direction, value, threshold):
        return 1.0
    noise = ROUNDING * max(abs(value), abs(threshold))
    if holds == 1.0 and direction * (value - threshold) >= -noise:
        return 1.0
    return OWED if holds == OWED and direction * (value - last) >= -noise else 0.0


@inner
def rearm(
    n: int,
    lane: int,
    time: float,
    values: FloatArray,
    before: FloatArray,
    therapy: Therapy,
    lanes: Lanes,
) -> None:
    """Forget the conditions that hold no longer at the end of a step, so that rules fire again."""
    patient = lanes.flags[PATIENT, lane]
    for rule in range(therapy.rules.shape[1] - 1):
        k = rule * n + lane
        if therapy.rules[CONTINUOUS, rule] == 0 or _decided(k, lanes.recall) > time:
            continue
        j = therapy.rules[SOURCE, rule] * n + lane
        direction, threshold = therapy.rules[DIRECTION, rule], therapy.threshold[patient, rule]
        now = _goes_on(lanes.recall[HOLDS, k], direction, values[j], before[j], threshold)
        if lanes.recall[HOLDS, k] != 0.0:
            lanes.recall[HOLDS, k] = now


@inner
def _rearm_jumped(n: int, lane: int, values: FloatArray, therapy: Therapy, lanes: Lanes) -> None:
    """Forget the conditions that a jump ended."""
    patient = lanes.flags[PATIENT, lane]
    for rule in range(therapy.rules.shape[1] - 1):
        if therapy.rules[CONTINUOUS, rule] == 0:
            continue
        k = rule * n + lane
        value = values[therapy.rules[SOURCE, rule] * n + lane]
        if lanes.recall[HOLDS, k] == OWED and value == lanes.recall[BEFORE, k]:
            continue
        if not beyond(therapy.rules[DIRECTION, rule], value, therapy.threshold[patient, rule]):
            lanes.recall[HOLDS, k] = 0.0


@inner
def look_inside(
    n: int,
    watching: bool,
    observe: Callable[..., None],
    therapy: Therapy,
    lanes: Lanes,
    log: Log,
    scratch: FloatArray,
) -> None:
    """Go through what happens inside the step of every lane, in order of time.

    What only starts later is started; at the first time at which a rule acts the step has to end.
    """
    numbers, recall, rules = lanes.numbers, lanes.recall, therapy.rules
    theta, looks = numbers[THETA], numbers[LOOKS]
    n_rules = rules.shape[1] - 1
    while True:
        wanted = False
        for lane in range(n):
            theta[lane] = 0.0
            looks[lane] = np.inf
            if numbers[ACCEPTED, lane] == 0.0:
                continue
            soonest = numbers[NEXT_VISIT, lane]
            if watching:
                for rule in range(n_rules):
                    soonest = min(soonest, recall[CROSSING, rule * n + lane])
            # What is to be looked at on the very stop is looked at when the step lands on it.
            site, finish = numbers[SITE, lane], finish_of(lane, numbers)
            before = soonest < site - instant(site) if site < np.inf else True
            before = before and soonest < numbers[END, lane]
            if before and soonest <= finish + instant(finish):
                share = (soonest - numbers[T, lane]) / numbers[H, lane]
                theta[lane] = min(max(share, 0.0), numbers[PART, lane])
                looks[lane] = soonest
                wanted = True
        if not wanted:
            break
        evaluate_inside(n, therapy.states, observe, lanes.p, numbers, lanes.vectors, scratch)
        for lane in range(n):
            time = looks[lane]
            if time == np.inf:
                continue
            soonest = np.inf
            decided = False
            patient = lanes.flags[PATIENT, lane]
            now = time + instant(time)
            for rule in range(n_rules):
                k = rule * n + lane
                if rules[CONTINUOUS, rule] != 0:
                    if recall[CROSSING, k] <= now:
                        recall[CROSSING, k] = np.inf
                        recall[HOLDS, k] = OWED
                        recall[SEEN, k] = scratch[rules[SOURCE, rule] * n + lane]
                        recall[DECIDED, k] = 1.0
                        decided = True
                    continue
                visit = int(recall[VISIT, k])
                last_visit = rules[VISITS, rule + 1]
                if recall[FIRED, k] >= rules[LIMIT, rule] or visit >= last_visit:
                    continue
                if is_shut(n, lane, rule, rules, recall):
                    continue
                if therapy.visit_time[visit] <= now:
                    # Most visits end here; calls are what costs time.
                    source, after = (
                        rules[SOURCE, rule],
                        max(rules[AFTER, rule], rules[DURING, rule]),
                    )
                    recall[VISIT, k] = visit + 1
                    no = after >= 0 and recall[FIRED, after * n + lane] == 0.0
                    if not no and rules[EXACT, rule] != 0:
                        value = scratch[source * n + lane]
                        no = not beyond(
                            rules[DIRECTION, rule], value, therapy.threshold[patient, rule]
                        )
                    if no:
                        recall[STREAK, k] = 0
                    elif _attend(n, lane, rule, time, visit, scratch, therapy, lanes):
                        recall[DECIDED, k] = 1.0
                        decided = True
                    visit += 1
                if visit < last_visit and recall[FIRED, k] < rules[LIMIT, rule]:
                    soonest = min(soonest, therapy.visit_time[visit])
            numbers[NEXT_VISIT, lane] = soonest
            if decided:
                # All have looked; now they act, or note that they will.
                for rule in range(n_rules):
                    if recall[DECIDED, rule * n + lane] != 0.0:
                        recall[DECIDED, rule * n + lane] = 0.0
                        _decide(n, lane, rule, time, therapy, lanes, log)
                set_next_visit(n, lane, time, therapy, lanes)


@inner
def _decide(
    n: int, lane: int, rule: int, time: float, therapy: Therapy, lanes: Lanes, log: Log
) -> None:
    """Let a rule fire at a time inside the step: there, if it acts at once, else from there on."""
    k = rule * n + lane
    first = _first_due(lanes.flags[PATIENT, lane], rule, therapy)
    if first <= 0.0:
        lanes.recall[PENDING, k] = time
        lanes.numbers[SITE, lane] = time
        lanes.numbers[BOUNDARY, lane] = min(lanes.numbers[BOUNDARY, lane], time)
        return
    _fire(n, lane, rule, time, therapy, lanes, log)
    due = time + first
    lanes.numbers[NEXT_DUE, lane] = min(lanes.numbers[NEXT_DUE, lane], due)
    if due <= finish_of(lane, lanes.numbers):
        lanes.numbers[SITE, lane] = min(lanes.numbers[SITE, lane], due)
    lanes.numbers[BOUNDARY, lane] = min(lanes.numbers[BOUNDARY, lane], due)


@inner
def land(
    n: int,
    lane: int,
    values: FloatArray,
    observe: Callable[..., None],
    derive: Callable[..., None],
    therapy: Therapy,
    lanes: Lanes,
    log: Log,
    scratch: FloatArray,
) -> None:
    """Carry out what is due now, with `values` as they were before any jump."""
    time = lanes.numbers[T, lane]
    for rule in range(therapy.rules.shape[1] - 1):
        k = rule * n + lane
        if therapy.rules[CONTINUOUS, rule] != 0:
            lanes.recall[BEFORE, k] = values[therapy.rules[SOURCE, rule] * n + lane]
        if lanes.recall[PENDING, k] <= time + instant(time):
            lanes.recall[PENDING, k] = np.inf
            _fire(n, lane, rule, time, therapy, lanes, log)
    if time < lanes.numbers[END, lane]:
        # What is due at the very end is not done, nor is what is scheduled for it.
        _carry_out(n, lane, time, observe, derive, therapy, lanes, log, scratch)
    _set_next_due(n, lane, therapy, lanes)
    set_next_visit(n, lane, time, therapy, lanes)


@inner
def attend_first(n: int, values: FloatArray, therapy: Therapy, lanes: Lanes) -> None:
    """Look at the visits at the start of patients that enter, before anything is done to them.

    Rules that fire are left pending for `land`.
    """
    for lane in range(n):
        if lanes.flags[ENTERS, lane] == 0 or lanes.flags[PATIENT, lane] < 0:
            continue
        time = lanes.numbers[T, lane]
        for rule in range(therapy.rules.shape[1] - 1):
            k = rule * n + lane
            visit = int(lanes.recall[VISIT, k])
            last = therapy.rules[VISITS, rule + 1]
            if visit < last and therapy.visit_time[visit] <= time + instant(time):
                lanes.recall[VISIT, k] = visit + 1
                if _attend(n, lane, rule, time, visit, values, therapy, lanes):
                    lanes.recall[DECIDED, k] = 1.0
        for rule in range(therapy.rules.shape[1] - 1):
            k = rule * n + lane
            if lanes.recall[DECIDED, k] != 0.0:
                lanes.recall[DECIDED, k] = 0.0
                lanes.recall[PENDING, k] = time


@inner
def settle(n: int, lane: int, values: FloatArray, therapy: Therapy, lanes: Lanes) -> bool:
    """Find the rules whose condition a jump made true.

    They are left pending for `land`. All are armed again before any acts: its action may make
    another true once more.
    """
    patient, time = lanes.flags[PATIENT, lane], lanes.numbers[T, lane]
    _rearm_jumped(n, lane, values, therapy, lanes)
    found = False
    for rule in range(therapy.rules.shape[1] - 1):
        if therapy.rules[CONTINUOUS, rule] == 0:
            continue
        k = rule * n + lane
        value = values[therapy.rules[SOURCE, rule] * n + lane]
        holds = beyond(therapy.rules[DIRECTION, rule], value, therapy.threshold[patient, rule])
        if not holds or lanes.recall[HOLDS, k] != 0.0:
            continue
        lanes.recall[HOLDS, k] = 1.0
        if lanes.recall[FIRED, k] >= therapy.rules[LIMIT, rule]:
            continue
        lanes.recall[SEEN, k] = value
        lanes.recall[PENDING, k] = time
        found = True
    if not found:
        set_next_visit(n, lane, time, therapy, lanes)
    return found
