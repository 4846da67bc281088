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
from carsim.engine.pack import element
from carsim.engine.plan import FloatArray, IntArray
from carsim.engine.samples import evaluate_inside


@inner
def save_nothing(saved: FloatArray, first: int, last: int) -> None:
    """Write NaN at saved times that a patient never lived through."""
    for place in range(first, last):
        saved[place] = np.nan


@inner
def save_states(
    n: int,
    save_time: FloatArray,
    sources: IntArray,
    saved: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
) -> None:
    """Write the saved times inside each accepted step, the instant of its end left out; states."""
    n_times, n_sources = len(save_time), len(sources)
    y, new, k1, k2, k3 = vectors[Y], vectors[NEW], vectors[K1], vectors[K2], vectors[K3]
    for lane in range(n):
        t, h = numbers[T, lane], numbers[H, lane]
        finish = numbers[PART, lane] * h
        finish -= instant(t + finish)
        if numbers[ACCEPTED, lane] == 0.0 or numbers[SAVE_TIME, lane] - t >= finish:
            continue
        position = flags[NEXT_SAVE, lane]
        place = (flags[PATIENT, lane] * n_times + position) * n_sources
        while position < n_times and save_time[position] - t < finish:
            x = max(save_time[position] - t, 0.0) / h
            rest = 1.0 - x
            for q in range(n_sources):
                k = sources[q] * n + lane
                bulge = element(k1, k) + x * (element(k2, k) + x * element(k3, k))
                inner_value = element(new, k) + rest * bulge
                saved[place + q] = rest * element(y, k) + x * inner_value
            position += 1
            place += n_sources
        flags[NEXT_SAVE, lane] = position
        numbers[SAVE_TIME, lane] = save_time[position] if position < n_times else np.inf


@inner
def save_values(
    n: int,
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
    while True:
        wanted = False
        for lane in range(n):
            since = numbers[SAVE_TIME, lane] - numbers[T, lane]
            finish = numbers[PART, lane] * numbers[H, lane]
            finish -= instant(numbers[T, lane] + finish)
            inside = since < finish and numbers[ACCEPTED, lane] > 0.0
            numbers[THETA, lane] = max(since, 0.0) / numbers[H, lane] if inside else 0.0
            flags[DUE, lane] = 1 if inside else 0
            wanted = wanted or inside
        if not wanted:
            return
        evaluate_inside(n, observe, p, numbers, vectors, out)
        for lane in range(n):
            if flags[DUE, lane] == 1:
                position = flags[NEXT_SAVE, lane]
                place = (flags[PATIENT, lane] * n_times + position) * n_sources
                for q in range(n_sources):
                    saved[place + q] = out[sources[q] * n + lane]
                position += 1
                flags[NEXT_SAVE, lane] = position
                numbers[SAVE_TIME, lane] = save_time[position] if position < n_times else np.inf
