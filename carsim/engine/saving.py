"""Courses on the common grid of saved times, from the dense output.

A saved value is that after all that happens at its instant, so what lies within an instant of the
end of a step is left to the next step, or to the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from carsim.engine.instants import instant
from carsim.engine.jit import inner
from carsim.engine.layout import (
    ACCEPTED,
    DUE,
    K1,
    K2,
    K3,
    NEW,
    NEXT_SAVE,
    PART,
    PATIENT,
    SAVE_TIME,
    THETA,
    H,
    T,
    Y,
)
from carsim.engine.pack import WIDTH, element, load, select, store
from carsim.engine.plan import FloatArray, IntArray
from carsim.engine.samples import evaluate_inside

MANY = 4
"""Saved times of one step for which eight at once cost less than one by one."""


@inner
def save_nothing(
    saved: FloatArray, patient: int, n_sources: int, n_times: int, first: int, last: int
) -> None:
    """Write NaN at saved times that a patient never lived through."""
    for q in range(n_sources):
        row = (patient * n_sources + q) * n_times
        for place in range(row + first, row + last):
            saved[place] = np.nan


@inner
def _save_many(
    n: int,
    save_time: FloatArray,
    sources: IntArray,
    saved: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
) -> None:
    """Write states at the saved times inside steps that have many, eight times at once."""
    n_times, n_sources = len(save_time), len(sources)
    y, new, k1, k2, k3 = vectors[Y], vectors[NEW], vectors[K1], vectors[K2], vectors[K3]
    for lane in range(n):
        position = flags[NEXT_SAVE, lane]
        t, h = numbers[T, lane], numbers[H, lane]
        finish = numbers[PART, lane] * h
        finish -= instant(t + finish)
        if numbers[ACCEPTED, lane] == 0.0 or position + MANY > n_times:
            continue
        if save_time[position + MANY - 1] - t >= finish:
            continue
        last = position
        while last < n_times and save_time[last] - t < finish:
            last += 1
        first = flags[PATIENT, lane] * n_sources * n_times
        inverse = 1.0 / h
        # What eight times write too much belongs to times of this patient that are still to come,
        # and is written again.
        while position + MANY <= last and position + WIDTH <= n_times:
            since = load(save_time, position) - t
            x = select(since < 0.0, 0.0, since) * inverse
            rest = 1.0 - x
            for q in range(n_sources):
                k = sources[q] * n + lane
                bulge = element(k1, k) + x * (element(k2, k) + x * element(k3, k))
                value = rest * element(y, k) + x * (element(new, k) + rest * bulge)
                store(saved, first + q * n_times + position, value)
            position = min(position + WIDTH, last)
        flags[NEXT_SAVE, lane] = position
        numbers[SAVE_TIME, lane] = save_time[position] if position < n_times else np.inf


@inner
def save_inside(
    n: int,
    states: IntArray,
    observing: bool,
    observe: Callable[..., None],
    save_time: FloatArray,
    sources: IntArray,
    saved: FloatArray,
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    out: FloatArray,
) -> None:
    """Write the saved times inside each accepted step, the instant of its end left out.

    A round serves the next saved time of every lane that has one left, all lanes side by side.
    """
    n_times, n_sources = len(save_time), len(sources)
    if not observing:
        _save_many(n, save_time, sources, saved, numbers, flags, vectors)
    while True:
        wanted = False
        for lane in range(n):
            since = numbers[SAVE_TIME, lane] - numbers[T, lane]
            finish = numbers[PART, lane] * numbers[H, lane]
            finish -= instant(numbers[T, lane] + finish)
            inside = since < finish and numbers[ACCEPTED, lane] > 0.0
            inverse = 1.0 / numbers[H, lane]
            numbers[THETA, lane] = max(since, 0.0) * inverse if inside else 0.0
            flags[DUE, lane] = 1 if inside else 0
            wanted = wanted or inside
        if not wanted:
            return
        evaluate_inside(n, states, observe, p, numbers, vectors, out)
        for lane in range(n):
            if flags[DUE, lane] == 1:
                position = flags[NEXT_SAVE, lane]
                place = flags[PATIENT, lane] * n_sources * n_times + position
                for q in range(n_sources):
                    saved[place + q * n_times] = out[sources[q] * n + lane]
                position += 1
                flags[NEXT_SAVE, lane] = position
                numbers[SAVE_TIME, lane] = save_time[position] if position < n_times else np.inf
