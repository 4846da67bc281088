"""Numbers kept of a course while it is computed, so that the course itself need not be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from carsim.engine.jit import inner
from carsim.engine.layout import (
    ACCEPTED,
    END,
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
from carsim.engine.plan import FloatArray, IntArray, Reduction
from carsim.engine.samples import evaluate_inside, locate, peak

_TIME_OF_MAXIMUM = int(Reduction.TIME_OF_MAXIMUM)
_TIME_OF_MINIMUM = int(Reduction.TIME_OF_MINIMUM)
_AREA = int(Reduction.AREA)
_FIRST_BELOW = int(Reduction.FIRST_BELOW)
_TIME_ABOVE = int(Reduction.TIME_ABOVE)
_VALUE_AT = int(Reduction.VALUE_AT)
_LAST = int(Reduction.LAST)


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
def _clipped(start: float, stop: float, t: float, h: float, part: float) -> tuple[float, float]:
    """The window as fractions of the step; exact at the ends of the step."""
    low = 0.0 if t >= start else (start - t) / h
    high = part if t + part * h <= stop else (stop - t) / h
    return min(low, part), max(high, 0.0)


@inner
def reduce_step(
    n: int,
    kinds: IntArray,
    bounds: FloatArray,
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
    reductions of that window that follow each other.
    """
    accepted, t, h, part = numbers[ACCEPTED], numbers[T], numbers[H], numbers[PART]
    theta = numbers[THETA]
    known_start = np.nan
    known_stop = np.nan
    offset = 0
    for r in range(kinds.shape[1]):
        kind = kinds[REDUCTION, r]
        source = kinds[REDUCED_SOURCE, r]
        if kind in (_VALUE_AT, _LAST):
            wanted = False
            for lane in range(n):
                theta[lane] = 0.0
                since = _moment(kind, r, bounds, numbers[END, lane]) - t[lane]
                if accepted[lane] > 0.0 and 0.0 <= since < part[lane] * h[lane]:
                    theta[lane] = since / h[lane]
                    wanted = True
            if wanted:
                evaluate_inside(n, observe, p, numbers, vectors, values[SCRATCH])
                for lane in range(n):
                    since = _moment(kind, r, bounds, numbers[END, lane]) - t[lane]
                    if accepted[lane] > 0.0 and 0.0 <= since < part[lane] * h[lane]:
                        reduced[r, lane] = values[SCRATCH, source * n + lane]
            continue
        start = bounds[START, r]
        stop = bounds[STOP, r]
        if not (known_start == start and known_stop == stop):
            known_start = start
            known_stop = stop
            offset = 0
            for lane in range(n):
                finish = t[lane] + part[lane] * h[lane]
                inside = accepted[lane] > 0.0 and finish > start and t[lane] < stop
                if inside and (t[lane] < start or finish > stop):
                    offset = WINDOW
            if offset > 0:
                for s in range(SAMPLES):
                    for lane in range(n):
                        low, high = _clipped(start, stop, t[lane], h[lane], part[lane])
                        theta[lane] = low + (high - low) * (s / (SAMPLES - 1))
                    evaluate_inside(n, observe, p, numbers, vectors, values[WINDOW + s])
        for lane in range(n):
            if accepted[lane] == 0.0:
                continue
            finish = t[lane] + part[lane] * h[lane]
            if finish <= start or t[lane] >= stop:
                continue
            low, high = _clipped(start, stop, t[lane], h[lane], part[lane])
            _take(
                n, lane, r, kind, source, bounds[THRESHOLD, r], low, high, offset,
                reduced, observe, p, numbers, vectors, values, spare,
            )  # fmt: skip


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
    reduced: FloatArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
) -> None:
    """Take one lane's samples into one reduction."""
    k = source * n + lane
    t, h = numbers[T, lane], numbers[H, lane]
    spacing = (high - low) / (SAMPLES - 1)
    if kind == _AREA:
        boole = (
            7.0 * (values[offset, k] + values[offset + 4, k])
            + 32.0 * (values[offset + 1, k] + values[offset + 3, k])
            + 12.0 * values[offset + 2, k]
        )
        reduced[r, lane] += (high - low) * h * boole / 90.0
        return
    if kind <= _TIME_OF_MINIMUM:
        sign = 1.0 if kind <= _TIME_OF_MAXIMUM else -1.0
        winner = 0
        for s in range(1, SAMPLES):
            if sign * values[offset + s, k] > sign * values[offset + winner, k]:
                winner = s
        theta = low + spacing * winner
        best = values[offset + winner, k]
        # The summit lies within a spacing of the largest sample, and may be the record even if no
        # sample is: look closer when the parabola through three samples could reach it.
        middle = min(max(winner, 1), SAMPLES - 2)
        before = sign * values[offset + middle - 1, k]
        here = sign * values[offset + middle, k]
        after = sign * values[offset + middle + 1, k]
        n_reductions = len(reduced) // 2
        record = sign * reduced[n_reductions + r, lane]
        bend = before - 2.0 * here + after
        if bend < 0.0 and abs(before - after) <= -4.0 * bend:
            summit = here - (before - after) ** 2 / (8.0 * bend)
            if not summit <= record:
                theta, best = peak(
                    n, lane, source, sign,
                    low + spacing * (middle - 1), low + spacing * (middle + 1),
                    observe, p, numbers, vectors, values, spare,
                )  # fmt: skip
        if not sign * best <= record:
            reduced[n_reductions + r, lane] = best
            timed = kind in (_TIME_OF_MAXIMUM, _TIME_OF_MINIMUM)
            reduced[r, lane] = t + theta * h if timed else best
        return
    direction = -1 if kind == _FIRST_BELOW else 1
    if kind != _TIME_ABOVE and reduced[r, lane] == reduced[r, lane]:
        return
    above = direction * (values[offset, k] - threshold) >= 0.0
    if kind != _TIME_ABOVE and above:
        reduced[r, lane] = t + low * h
        return
    for s in range(1, SAMPLES):
        now = direction * (values[offset + s, k] - threshold) >= 0.0
        left = low + spacing * (s - 1)
        right = low + spacing * s
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
    for r in range(kinds.shape[1]):
        kind = kinds[REDUCTION, r]
        single = kind in (_VALUE_AT, _LAST)
        if single and _moment(kind, r, bounds, numbers[END, lane]) == numbers[T, lane]:
            reduced[r, lane] = final[kinds[REDUCED_SOURCE, r] * n + lane]
        metrics[r, patient] = reduced[r, lane] if success else np.nan
