"""Numbers kept of a course while it is computed, so that the course itself need not be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from carsim.engine.instants import instant
from carsim.engine.jit import inner
from carsim.engine.knots import (
    BETWEEN,
    FOUND,
    KNOTS,
    PIECES,
    THREE,
    find_knots,
    is_quiet,
    reaches,
    reaches_near,
    room_at,
    values_at,
)
from carsim.engine.layout import (
    ACCEPTED,
    ASIDE,
    END,
    HIGH,
    LOW,
    PART,
    REDUCED_SOURCE,
    REDUCTION,
    SAMPLES,
    SCRATCH,
    START,
    STOP,
    THETA,
    THRESHOLD,
    WINDOW,
    H,
    T,
)
from carsim.engine.pack import WIDTH, load, magnitude, nowhere, repeat, select, some, store
from carsim.engine.plan import SAME_INSTANT, FloatArray, IntArray, Reduction
from carsim.engine.samples import evaluate_inside, locate, peak

_TIME_OF_MAXIMUM = int(Reduction.TIME_OF_MAXIMUM)
_TIME_OF_MINIMUM = int(Reduction.TIME_OF_MINIMUM)
_AREA = int(Reduction.AREA)
_FIRST_BELOW = int(Reduction.FIRST_BELOW)
_TIME_ABOVE = int(Reduction.TIME_ABOVE)
_VALUE_AT = int(Reduction.VALUE_AT)
_LAST = int(Reduction.LAST)

# An area is taken from five points of a step if Simpson's rule on three of them differs by no more
# than the first, relative to the whole area; else the step is halved until the second is met.
ROUGH = 1e-3
FINE = 1e-7
MOST_HALVES = 400
"""Halvings of one step; then its pieces are taken as they are."""


@inner
def start_reductions(lane: int, kinds: IntArray, reduced: FloatArray) -> None:
    """Begin a new patient; `reduced` holds results and behind them the records they stand for."""
    n = kinds.shape[1]
    for r in range(n):
        summed = kinds[REDUCTION, r] == _AREA or kinds[REDUCTION, r] == _TIME_ABOVE
        reduced[r, lane] = 0.0 if summed else np.nan
        reduced[n + r, lane] = np.nan


@inner
def _moment(kind: int, r: int, bounds: FloatArray, end: float) -> float:
    """Time at which a single value is read."""
    return bounds[START, r] if kind == _VALUE_AT else min(bounds[STOP, r], end)


@inner
def _low(start: float, t: Any, h: Any, part: Any) -> Any:
    """Where a window begins, as a fraction of the step; packs, exact at the ends of the step."""
    low = select(t >= start, 0.0, (start - t) / h)
    return select(part < low, part, low)


@inner
def _high(stop: float, t: Any, h: Any, part: Any) -> Any:
    """The same of its end."""
    high = select(t + part * h <= stop, part, (stop - t) / h)
    return select(high < 0.0, 0.0, high)


@inner
def _since(kind: int, r: int, bounds: FloatArray, lane: int, numbers: FloatArray) -> float:
    """Time from the start of a step to a single value in it; -1 where it is not in the step.

    As of saved times, what lies within an instant of the end belongs to the next step.
    """
    t = numbers[T, lane]
    since = _moment(kind, r, bounds, numbers[END, lane]) - t
    finish = numbers[PART, lane] * numbers[H, lane]
    inside = -instant(t) <= since < finish - instant(t + finish)
    return max(since, 0.0) if inside and numbers[ACCEPTED, lane] > 0.0 else -1.0


@inner
def _may_end(kind: int, r: int, n: int, bounds: FloatArray, numbers: FloatArray) -> bool:
    """Whether a single value may be in the step of any lane; packs, with room to spare."""
    found = nowhere()
    for lane in range(0, n, WIDTH):
        t, h = load(numbers[T], lane), load(numbers[H], lane)
        moment = repeat(bounds[START, r])
        if kind == _LAST:
            end = load(numbers[END], lane)
            moment = select(end < bounds[STOP, r], end, bounds[STOP, r])
        room = 4.0 * SAME_INSTANT * (magnitude(t) + h + 1.0)
        here = (moment >= t - room) & (moment <= t + h + room)
        found = found | (here & (load(numbers[ACCEPTED], lane) > 0.0))
    return some(found)


@inner
def _take_values(
    n: int,
    r: int,
    kind: int,
    source: int,
    bounds: FloatArray,
    states: IntArray,
    reduced: FloatArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
) -> None:
    """Single values in the step of any lane."""
    theta, h = numbers[THETA], numbers[H]
    wanted = False
    for lane in range(n):
        since = _since(kind, r, bounds, lane, numbers)
        theta[lane] = since / h[lane] if since >= 0.0 else 0.0
        wanted = wanted or since >= 0.0
    if wanted:
        evaluate_inside(n, states, observe, p, numbers, vectors, values[SCRATCH])
        for lane in range(n):
            if _since(kind, r, bounds, lane, numbers) >= 0.0:
                reduced[r, lane] = values[SCRATCH, source * n + lane]


@inner
def _sample_window(
    n: int,
    start: float,
    stop: float,
    states: IntArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
) -> int:
    """Row of the samples of a window: those of the steps unless it begins or ends inside one."""
    accepted, t, h, part = numbers[ACCEPTED], numbers[T], numbers[H], numbers[PART]
    theta = numbers[THETA]
    cut = nowhere()
    for lane in range(0, n, WIDTH):
        time = load(t, lane)
        finish = time + load(part, lane) * load(h, lane)
        inside = (load(accepted, lane) > 0.0) & (finish > start) & (time < stop)
        cut = cut | (inside & ((time < start) | (finish > stop)))
    if not some(cut):
        return 0
    for s in range(SAMPLES):
        share = s / (SAMPLES - 1)
        for lane in range(0, n, WIDTH):
            time, size, portion = load(t, lane), load(h, lane), load(part, lane)
            low = _low(start, time, size, portion)
            high = _high(stop, time, size, portion)
            store(theta, lane, low + (high - low) * share)
        evaluate_inside(n, states, observe, p, numbers, vectors, values[WINDOW + s])
    return WINDOW


@inner
def reduce_step(
    n: int,
    kinds: IntArray,
    bounds: FloatArray,
    leaves: IntArray,
    states: IntArray,
    reduced: FloatArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
) -> None:
    """Take the accepted part of the step into every reduction.

    Where a reduction's window ends inside a step, the part inside is sampled anew, once for all
    reductions of that window, which follow each other. Packs of lanes see whether the samples tell
    all, as they do in most steps; the others are looked at one by one.
    """
    accepted, aside = numbers[ACCEPTED], numbers[ASIDE]
    known_start = np.nan
    known_stop = np.nan
    offset = 0
    for r in range(kinds.shape[1]):
        kind = kinds[REDUCTION, r]
        source = kinds[REDUCED_SOURCE, r]
        if kind in (_VALUE_AT, _LAST):
            if _may_end(kind, r, n, bounds, numbers):
                _take_values(
                    n, r, kind, source, bounds, states, reduced, observe, p, numbers, vectors,
                    values,
                )  # fmt: skip
            continue
        start = bounds[START, r]
        stop = bounds[STOP, r]
        threshold = bounds[THRESHOLD, r]
        first = start + instant(start) if start > -np.inf else start
        last = stop - instant(stop) if stop < np.inf else stop
        if not (known_start == start and known_stop == stop):
            known_start = start
            known_stop = stop
            offset = _sample_window(n, start, stop, states, observe, p, numbers, vectors, values)
        for lane in range(0, n, WIDTH):
            t, h, part = load(numbers[T], lane), load(numbers[H], lane), load(numbers[PART], lane)
            finish = t + part * h
            inside = (load(accepted, lane) > 0.0) & (finish > first) & (t < last)
            if not some(inside):
                continue
            low, high = _low(start, t, h, part), _high(stop, t, h, part)
            left = _take_pack(
                n, lane, r, kind, source, threshold, (high - low) * h, offset, leaves, inside,
                reduced, values,
            )  # fmt: skip
            if not some(left):
                continue
            store(aside, lane, select(left, 1.0, 0.0))
            store(numbers[LOW], lane, low)
            store(numbers[HIGH], lane, high)
            for one in range(lane, lane + WIDTH):
                if aside[one] > 0.0:
                    _take(
                        n, one, r, kind, source, threshold, numbers[LOW, one], numbers[HIGH, one],
                        offset, leaves, reduced, observe, p, numbers, vectors, values, spare,
                    )  # fmt: skip


@inner
def _take_pack(
    n: int,
    lane: int,
    r: int,
    kind: int,
    source: int,
    threshold: float,
    length: Any,
    offset: int,
    leaves: IntArray,
    inside: Any,
    reduced: FloatArray,
    values: FloatArray,
) -> Any:
    """Take eight lanes' samples into one reduction; the lanes whose samples do not tell enough.

    Parameters
    ----------
    length : pack
        Time of the step that lies inside the window.
    inside : mask
        Lanes of which anything does.
    """
    k = source * n + lane
    quiet = inside
    for place in range(leaves[source], leaves[source + 1]):
        quiet = quiet & _stay(values, offset, leaves[place] * n + lane, 0.0)
    sum_row = reduced[r]
    f0 = load(values[offset], k)
    if kind == _AREA:
        f1, f2 = load(values[offset + 1], k), load(values[offset + 2], k)
        f3, f4 = load(values[offset + 3], k), load(values[offset + 4], k)
        total = load(sum_row, lane)
        whole = length * (7.0 * (f0 + f4) + 32.0 * (f1 + f3) + 12.0 * f2) / 90.0
        simpson = length * (f0 + 4.0 * f2 + f4) / 6.0
        size = magnitude(total) + length * (magnitude(f0) + magnitude(f2) + magnitude(f4))
        # Written so that NaN does not ask for more.
        told = quiet & ~(magnitude(simpson - whole) > ROUGH * size)
        store(sum_row, lane, select(told, total + whole, total))
        return inside & ~told
    if kind <= _TIME_OF_MINIMUM:
        sign = 1.0 if kind <= _TIME_OF_MAXIMUM else -1.0
        highest = sign * f0
        lowest = highest
        for s in range(1, SAMPLES):
            value = sign * load(values[offset + s], k)
            highest = select(value > highest, value, highest)
            lowest = select(value < lowest, value, lowest)
        record = sign * load(reduced[len(reduced) // 2 + r], lane)
        # Most steps: the record is far above.
        return inside & ~(quiet & (record - highest > highest - lowest))
    quiet = quiet & _stay(values, offset, k, threshold)
    direction = -1.0 if kind == _FIRST_BELOW else 1.0
    above = direction * (f0 - threshold) >= 0.0
    total = load(sum_row, lane)
    if kind == _TIME_ABOVE:
        store(sum_row, lane, select(quiet & above, total + length, total))
        return inside & ~quiet
    # What has been found is no number to be compared with any more.
    return inside & ~(total <= total) & (above | ~quiet)


@inner
def _stay(values: FloatArray, offset: int, k: int, threshold: float) -> Any:
    """Where samples stay so far from a threshold that no summit between them can meet it."""
    low = load(values[offset], k)
    high = low
    for s in range(1, SAMPLES):
        value = load(values[offset + s], k)
        low = select(value < low, value, low)
        high = select(value > high, value, high)
    reach = high - low
    over = (low > threshold) & (low - threshold > reach)
    under = (high < threshold) & (threshold - high > reach)
    return over | under


@inner
def _take(
    n: int,
    lane: int,
    r: int,
    kind: int,
    source: int,
    threshold: float,
    low: float,
    high: float,
    offset: int,
    leaves: IntArray,
    reduced: FloatArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
) -> None:
    """Take one lane's samples into one reduction."""
    if kind == _AREA:
        _take_area(
            n, lane, r, source, low, high, offset, leaves,
            reduced, observe, p, numbers, vectors, values, spare,
        )  # fmt: skip
    elif kind <= _TIME_OF_MINIMUM:
        _take_extreme(
            n, lane, r, kind, source, low, high, offset, leaves,
            reduced, observe, p, numbers, vectors, values, spare,
        )  # fmt: skip
    elif kind == _TIME_ABOVE or reduced[r, lane] != reduced[r, lane]:
        _take_crossings(
            n, lane, r, kind, source, threshold, low, high, offset, leaves,
            reduced, observe, p, numbers, vectors, values, spare,
        )  # fmt: skip


@inner
def _take_extreme(
    n: int,
    lane: int,
    r: int,
    kind: int,
    source: int,
    low: float,
    high: float,
    offset: int,
    leaves: IntArray,
    reduced: FloatArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
) -> None:
    """The largest or smallest value so far, and its time.

    The summit may be the record even if no sample is: look closer where one could reach it.
    """
    k = source * n + lane
    sign = 1.0 if kind <= _TIME_OF_MAXIMUM else -1.0
    winner = 0
    highest = sign * values[offset, k]
    for s in range(1, SAMPLES):
        value = sign * values[offset + s, k]
        if value > highest:
            winner, highest = s, value
    n_reductions = len(reduced) // 2
    record = reduced[n_reductions + r, lane]
    pieces = leaves[source] < leaves[source + 1]
    theta = low + (high - low) * (winner / (SAMPLES - 1))
    best = values[offset + winner, k]
    level = record if sign * best <= sign * record else best
    if not pieces:
        # Without pieces only a summit can lie between the samples, where one can reach so far.
        for s in range(1, SAMPLES - 1):
            if not reaches_near(values, offset, s, k, level, sign):
                continue
            spacing = (high - low) / (SAMPLES - 1)
            where, found_best = peak(
                n, lane, source, sign, low + spacing * (s - 1), low + spacing * (s + 1),
                observe, p, numbers, vectors, values, spare,
            )  # fmt: skip
            if sign * found_best > sign * best:
                theta, best = where, found_best
    elif reaches(values, offset, k, level, sign) or not is_quiet(
        values, offset, n, lane, source, np.inf, leaves
    ):
        knots = spare[room_at(p, KNOTS) : room_at(p, KNOTS + 1)]
        found = spare[room_at(p, FOUND) : room_at(p, FOUND + 1)]
        count = find_knots(
            n, lane, source, level, low, high, leaves,
            observe, p, numbers, vectors, values, spare, knots, found,
        )  # fmt: skip
        for s in range(count):
            if sign * found[s] > sign * best:
                theta, best = knots[s], found[s]
    if not sign * best <= sign * record:
        reduced[n_reductions + r, lane] = best
        timed = kind in (_TIME_OF_MAXIMUM, _TIME_OF_MINIMUM)
        moment = numbers[T, lane] + theta * numbers[H, lane]
        reduced[r, lane] = moment if timed else best


@inner
def _take_crossings(
    n: int,
    lane: int,
    r: int,
    kind: int,
    source: int,
    threshold: float,
    low: float,
    high: float,
    offset: int,
    leaves: IntArray,
    reduced: FloatArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
) -> None:
    """The first time beyond a threshold, or the time above it."""
    k = source * n + lane
    t, h = numbers[T, lane], numbers[H, lane]
    direction = -1 if kind == _FIRST_BELOW else 1
    above = direction * (values[offset, k] - threshold) >= 0.0
    if kind != _TIME_ABOVE and above:
        reduced[r, lane] = t + low * h
        return
    if is_quiet(values, offset, n, lane, source, threshold, leaves):
        if above:
            reduced[r, lane] += (high - low) * h
        return
    knots = spare[room_at(p, KNOTS) : room_at(p, KNOTS + 1)]
    found = spare[room_at(p, FOUND) : room_at(p, FOUND + 1)]
    count = find_knots(
        n, lane, source, threshold, low, high, leaves,
        observe, p, numbers, vectors, values, spare, knots, found,
    )  # fmt: skip
    for s in range(1, count):
        left, right = knots[s - 1], knots[s]
        now = direction * (found[s] - threshold) >= 0.0
        theta = right
        if now != above:
            theta = locate(
                n, lane, source, threshold, direction if now else -direction, left, right,
                observe, p, numbers, vectors, values, spare,
            )  # fmt: skip
        if kind == _TIME_ABOVE:
            if above:
                reduced[r, lane] += (theta - left) * h
            if now and not above:
                reduced[r, lane] += (right - theta) * h
        elif now:
            reduced[r, lane] = t + theta * h
            return
        above = now


@inner
def _boole(width: float, f0: float, f1: float, f2: float, f3: float, f4: float) -> float:
    """Boole's rule on five points."""
    return width * (7.0 * (f0 + f4) + 32.0 * (f1 + f3) + 12.0 * f2) / 90.0


@inner
def _take_area(
    n: int,
    lane: int,
    r: int,
    source: int,
    low: float,
    high: float,
    offset: int,
    leaves: IntArray,
    reduced: FloatArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
) -> None:
    """The area under the samples; the step is halved where they do not tell it."""
    k = source * n + lane
    h = numbers[H, lane]
    f0, f1, f2 = values[offset, k], values[offset + 1, k], values[offset + 2, k]
    f3, f4 = values[offset + 3, k], values[offset + 4, k]
    whole = _boole((high - low) * h, f0, f1, f2, f3, f4)
    simpson = (high - low) * h * (f0 + 4.0 * f2 + f4) / 6.0
    size = abs(reduced[r, lane]) + (high - low) * h * (abs(f0) + abs(f2) + abs(f4))
    pieces = leaves[source] < leaves[source + 1] and not is_quiet(
        values, offset, n, lane, source, np.inf, leaves
    )
    # Written so that NaN does not ask for more.
    if not pieces and not abs(simpson - whole) > ROUGH * size:
        reduced[r, lane] += whole
        return
    left = spare[room_at(p, PIECES) :]
    count = 1
    if pieces:
        knots = spare[room_at(p, KNOTS) : room_at(p, KNOTS + 1)]
        found = spare[room_at(p, FOUND) : room_at(p, FOUND + 1)]
        n_knots = find_knots(
            n, lane, source, np.inf, low, high, leaves,
            observe, p, numbers, vectors, values, spare, knots, found,
        )  # fmt: skip
        count = n_knots - 1
        between = spare[room_at(p, BETWEEN) : room_at(p, BETWEEN + 1)]
        three = spare[room_at(p, THREE) : room_at(p, THREE + 1)]
        for piece in range(count):
            a, b = knots[count - 1 - piece], knots[count - piece]
            for s in range(3):
                between[s] = a + (b - a) * ((s + 1) / 4)
            values_at(
                n, lane, source, between, 3, observe, p, numbers, vectors, values, spare, three
            )
            f0, f4 = found[count - 1 - piece], found[count - piece]
            _note_piece(left, piece, a, b, h, f0, three[0], three[1], three[2], f4)
            size += abs(left[8 * piece + 2])
    else:
        _note_piece(left, 0, low, high, h, f0, f1, f2, f3, f4)
    reduced[r, lane] += _refined(
        n, lane, source, left, count, size, observe, p, numbers, vectors, values, spare
    )


@inner
def _note_piece(
    left: FloatArray,
    place: int,
    a: float,
    b: float,
    h: float,
    f0: float,
    f1: float,
    f2: float,
    f3: float,
    f4: float,
) -> None:
    """Write down a piece of a step: its ends, its area by five values, and these."""
    left[8 * place + 0], left[8 * place + 1] = a, b
    left[8 * place + 2] = _boole((b - a) * h, f0, f1, f2, f3, f4)
    left[8 * place + 3], left[8 * place + 4], left[8 * place + 5] = f0, f1, f2
    left[8 * place + 6], left[8 * place + 7] = f3, f4


@inner
def _refined(
    n: int,
    lane: int,
    source: int,
    left: FloatArray,
    count: int,
    size: float,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
) -> float:
    """Area of the first `count` pieces of `left`, halved until halves and whole agree.

    `size` is the area to which errors are compared.
    """
    h = numbers[H, lane]
    knots = spare[room_at(p, BETWEEN) : room_at(p, BETWEEN + 1)]
    found = spare[room_at(p, THREE) : room_at(p, THREE + 1)]
    total = 0.0
    halvings = 0
    while count > 0:
        count -= 1
        a, b, area = left[8 * count + 0], left[8 * count + 1], left[8 * count + 2]
        g0, g1, g2 = left[8 * count + 3], left[8 * count + 4], left[8 * count + 5]
        g3, g4 = left[8 * count + 6], left[8 * count + 7]
        for s in range(4):
            knots[s] = a + (b - a) * ((2 * s + 1) / 8)
        values_at(n, lane, source, knots, 4, observe, p, numbers, vectors, values, spare, found)
        width = 0.5 * (b - a) * h
        first = _boole(width, g0, found[0], g1, found[1], g2)
        second = _boole(width, g2, found[2], g3, found[3], g4)
        if halvings == MOST_HALVES or not abs(first + second - area) > FINE * max(
            size, abs(total) + abs(first) + abs(second)
        ):
            total += first + second
            continue
        halvings += 1
        middle = 0.5 * (a + b)
        _note_piece(left, count, middle, b, h, g2, found[2], g3, found[3], g4)
        _note_piece(left, count + 1, a, middle, h, g0, found[0], g1, found[1], g2)
        count += 2
    return total


@inner
def finish_reductions(
    n: int,
    lane: int,
    patient: int,
    success: bool,
    kinds: IntArray,
    bounds: FloatArray,
    reduced: FloatArray,
    numbers: FloatArray,
    final: FloatArray,
    metrics: FloatArray,
) -> None:
    """Write a patient's numbers; `final` is the value vector at its last time."""
    n_reductions = kinds.shape[1]
    for r in range(kinds.shape[1]):
        kind = kinds[REDUCTION, r]
        single = kind in (_VALUE_AT, _LAST)
        now = numbers[T, lane]
        if single and abs(_moment(kind, r, bounds, numbers[END, lane]) - now) <= instant(now):
            reduced[r, lane] = final[kinds[REDUCED_SOURCE, r] * n + lane]
        metrics[r, patient] = reduced[r, lane] if success else np.nan
        metrics[n_reductions + r, patient] = reduced[n_reductions + r, lane] if success else np.nan
