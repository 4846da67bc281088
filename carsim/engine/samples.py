"""States and observables at points inside a step."""

from __future__ import annotations

from collections.abc import Callable

from carsim.engine.jit import inner
from carsim.engine.layout import (
    GOAL,
    K1,
    K2,
    K3,
    LANDING,
    MOMENT,
    NEW,
    PART,
    SAMPLES,
    SCRATCH,
    THETA,
    H,
    T,
    Y,
)
from carsim.engine.pack import WIDTH, element, load, select, store
from carsim.engine.plan import FloatArray, IntArray


@inner
def evaluate(
    n: int,
    states: IntArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    out: FloatArray,
) -> None:
    """The value vector at the start of the step: of states those that are looked at."""
    y = vectors[Y]
    size = len(y)
    for q in range(len(states)):
        first = states[q] * n
        for k in range(first, first + n, WIDTH):
            store(out, k, load(y, k))
    if len(out) > size:
        observe(n, numbers[T], y, p, out[size:])


@inner
def finish_of(lane: int, numbers: FloatArray) -> float:
    """Time at which the step of a lane ends, exactly where it lands."""
    if numbers[LANDING, lane] > 0.0 and numbers[PART, lane] >= 1.0:
        return numbers[GOAL, lane]
    return numbers[T, lane] + numbers[PART, lane] * numbers[H, lane]


@inner
def evaluate_inside(
    n: int,
    states: IntArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    out: FloatArray,
) -> None:
    """The value vector at the fraction ``numbers[THETA]`` of each lane's step; exact at 0 and 1.

    Of states those that are looked at.
    """
    y, new, k1, k2, k3 = vectors[Y], vectors[NEW], vectors[K1], vectors[K2], vectors[K3]
    theta, moment, t, h = numbers[THETA], numbers[MOMENT], numbers[T], numbers[H]
    size = len(y)
    for lane in range(0, n, WIDTH):
        x = load(theta, lane)
        rest = 1.0 - x
        for q in range(len(states)):
            k = states[q] * n + lane
            bulge = load(k1, k) + x * (load(k2, k) + x * load(k3, k))
            store(out, k, rest * load(y, k) + x * (load(new, k) + rest * bulge))
    if len(out) > size:
        for lane in range(0, n, WIDTH):
            store(moment, lane, load(t, lane) + load(theta, lane) * load(h, lane))
        observe(n, moment, out[:size], p, out[size:])


@inner
def shorten(n: int, numbers: FloatArray, vectors: FloatArray) -> None:
    """End the steps of which only a part counts there."""
    y, new, k1, k2, k3 = vectors[Y], vectors[NEW], vectors[K1], vectors[K2], vectors[K3]
    for lane in range(0, n, WIDTH):
        x = load(numbers[PART], lane)
        rest = 1.0 - x
        for k in range(lane, len(y), n):
            bulge = load(k1, k) + x * (load(k2, k) + x * load(k3, k))
            there = rest * load(y, k) + x * (load(new, k) + rest * bulge)
            store(new, k, select(x < 1.0, there, load(new, k)))


@inner
def sample_step(
    n: int,
    states: IntArray,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
) -> None:
    """Fill the sampled value vectors but the first, which is known from the step before."""
    for s in range(1, SAMPLES):
        share = s / (SAMPLES - 1)
        for lane in range(0, n, WIDTH):
            store(numbers[THETA], lane, load(numbers[PART], lane) * share)
        evaluate_inside(n, states, observe, p, numbers, vectors, values[s])


@inner
def probe(
    n: int,
    lane: int,
    source: int,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
) -> None:
    """One lane at the n fractions ``numbers[THETA]``, into the scratch row of the values.

    There is nothing of observables unless the source is one.
    """
    y, new, k1, k2, k3 = vectors[Y], vectors[NEW], vectors[K1], vectors[K2], vectors[K3]
    theta, moment = numbers[THETA], numbers[MOMENT]
    out = values[SCRATCH]
    size = len(y)
    observed = source * n >= size
    first, last = (0, size // n) if observed else (source, source + 1)
    for j in range(0, n, WIDTH):
        x = load(theta, j)
        rest = 1.0 - x
        for i in range(first, last):
            k = i * n + lane
            bulge = element(k1, k) + x * (element(k2, k) + x * element(k3, k))
            value = rest * element(y, k) + x * (element(new, k) + rest * bulge)
            store(out, i * n + j, value)
    if observed:
        for i in range(len(p) // n):
            value1 = element(p, i * n + lane)
            for j in range(0, n, WIDTH):
                store(spare, i * n + j, value1)
        for j in range(n):
            moment[j] = numbers[T, lane] + theta[j] * numbers[H, lane]
        observe(n, moment, out[:size], spare, out[size:])


@inner
def locate(
    n: int,
    lane: int,
    source: int,
    threshold: float,
    direction: int,
    low: float,
    high: float,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
) -> float:
    """First fraction of the step in ``(low, high]`` at which a source is beyond a threshold.

    The source is on the near side at `low` and beyond at `high`. Each round evaluates n points at
    once and keeps the interval of the first that is beyond, until the interval is as short as times
    can tell.
    """
    theta = numbers[THETA]
    h = numbers[H, lane]
    shortest = 4e-16 * (abs(numbers[T, lane]) + h)
    for _ in range(60):
        width = high - low
        if width * h <= shortest:
            break
        for j in range(n):
            theta[j] = low + width * ((j + 1) / n)
        theta[n - 1] = high
        probe(n, lane, source, observe, p, numbers, vectors, values, spare)
        for j in range(n):
            found = values[SCRATCH, source * n + j]
            if direction * (found - threshold) >= 0.0 or j == n - 1:
                high = theta[j]
                if j > 0:
                    low = theta[j - 1]
                break
        if high - low >= width:
            break
    return high


@inner
def peak(
    n: int,
    lane: int,
    source: int,
    sign: float,
    low: float,
    high: float,
    observe: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    values: FloatArray,
    spare: FloatArray,
) -> tuple[float, float]:
    """Fraction of the step and value of the largest ``sign * source`` between two fractions."""
    theta = numbers[THETA]
    where = high
    best = 0.0
    for _ in range(4):
        spacing = (high - low) / (n - 1)
        for j in range(n):
            theta[j] = low + spacing * j
        theta[n - 1] = high
        probe(n, lane, source, observe, p, numbers, vectors, values, spare)
        winner, first = 0, source * n
        for j in range(1, n):
            if sign * values[SCRATCH, first + j] > sign * values[SCRATCH, first + winner]:
                winner = j
        where = theta[winner]
        best = values[SCRATCH, first + winner]
        low = theta[max(winner - 1, 0)]
        high = theta[min(winner + 1, n - 1)]
    return where, best
