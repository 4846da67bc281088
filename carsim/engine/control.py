"""Step size: error norm, acceptance, the next step, the first step."""

from __future__ import annotations

from collections.abc import Callable

from carsim.engine.elementary import exp, log
from carsim.engine.jit import inner
from carsim.engine.layout import (
    ACCEPTED,
    CAP,
    DELTA,
    END,
    ERROR,
    FACTOR,
    INPUTS,
    NEW,
    PREVIOUS,
    RUNNING,
    SMALLEST,
    STAGE,
    STAGE_F,
    STAGE_TIME,
    F,
    T,
    Y,
)
from carsim.engine.pack import WIDTH, load, magnitude, repeat, select, square_root, store
from carsim.engine.plan import FloatArray, IntArray

SAFETY = 0.9
LEAST = 0.2
MOST = 6.0
# Below this an error says nothing about the next step; it also keeps the logarithm finite.
SMALLEST_ERROR = 1e-6
# Proportional and integral gains times the order of the local error
# (K. Gustafsson, ACM Trans. Math. Softw. 17:533, 1991).
INTEGRAL = 0.7
PROPORTIONAL = 0.4
LARGEST_ERROR = 1e300
SHRINK_REJECTED = 0.75
SHRINK_NON_FINITE = 0.25
# For the first step: a norm that says nothing, and what is taken then, as a share of the time that
# is left, so that it does not depend on the unit of time.
NEGLIGIBLE = 1e-5
SMALL_SHARE = 1e-8
# A nearly empty state that begins to fill changes by a hundredth in no time at all.
SMALLEST_SHARE = 1e-12
# Share of the time itself that a sum with it does not lose.
VISIBLE = 1e-14
# A step h has a local error of about this times the term of its order in Taylor's series.
ERROR_CONSTANT = 1e-3
# Pivots are near 1 / gamma; one that small says that the elimination lost all its digits.
SMALLEST_PIVOT = 1e-11


@inner
def error_norm(
    n: int, vectors: FloatArray, atol: FloatArray, rtol: float, numbers: FloatArray
) -> None:
    """Root mean square of the error over states, in units of ``atol + rtol max(|y|, |new|)``.

    NaN where a state at the end of the step is not finite, however loose its tolerance.
    """
    y, new, delta, out = vectors[Y], vectors[NEW], vectors[DELTA], numbers[ERROR]
    n_states = len(atol)
    share = 1.0 / n_states
    for lane in range(0, n, WIDTH):
        total = load(y, lane) * 0.0
        for i in range(n_states):
            k = i * n + lane
            before, after = magnitude(load(y, k)), magnitude(load(new, k))
            largest = select(before < after, after, before)
            error = load(delta, k) / (atol[i] + rtol * largest)
            # Infinity less infinity is NaN; a finite state adds nothing.
            total = total + (error * error + (after - after))
        store(out, lane, square_root(total * share))


@inner
def growth(n: int, order: int, numbers: FloatArray) -> None:
    """Accept or reject, and the factor to the next step size (proportional-integral control)."""
    error, previous, out = numbers[ERROR], numbers[PREVIOUS], numbers[FACTOR]
    accepted, running, cap = numbers[ACCEPTED], numbers[RUNNING], numbers[CAP]
    smallest = numbers[SMALLEST]
    integral = INTEGRAL / order
    proportional = PROPORTIONAL / order
    plain = 1.0 / order
    for lane in range(0, n, WIDTH):
        given = load(error, lane)
        e = select(given < SMALLEST_ERROR, SMALLEST_ERROR, given)
        ok = (e <= 1.0) & (load(smallest, lane) > SMALLEST_PIVOT)
        log_error = log(e)
        smooth = proportional * log(load(previous, lane)) - integral * log_error
        factor = SAFETY * exp(select(ok, smooth, -plain * log_error))
        most = select(ok, load(cap, lane), SHRINK_REJECTED)
        factor = select(most < factor, most, factor)
        factor = select(factor < LEAST, LEAST, factor)
        # NaN and infinity compare false with everything that would have let them through.
        store(out, lane, select(e < LARGEST_ERROR, factor, SHRINK_NON_FINITE))
        store(accepted, lane, select(ok, load(running, lane), 0.0))


@inner
def add_inputs(n: int, infused: IntArray, inputs: FloatArray, out: FloatArray) -> None:
    """Add what runs in to the derivatives of the states that any infusion enters."""
    for q in range(len(infused)):
        first = infused[q] * n
        for k in range(first, first + n, WIDTH):
            store(out, k, load(out, k) + load(inputs, k))


@inner
def first_step(
    n: int,
    order: int,
    infused: IntArray,
    rhs: Callable[..., None],
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    atol: FloatArray,
    rtol: float,
) -> None:
    """Step size to start with, for every lane.

    After Hairer, Norsett & Wanner I, section II.4, but free of the unit of time: their formula
    compares derivatives with 1. Here the first and second derivative, d1 and d2 in units of the
    tolerance, give the time tau = d1/d2 in which the course bends; higher derivatives are taken to
    follow as d1/tau^k, so that a step h has an error of about C d1 tau (h/tau)^order, which is set
    to the tolerance.

    It goes into the row FACTOR of `numbers`. The row F of `vectors` holds the derivative at the
    start; STAGE and STAGE_F are overwritten.
    """
    t, stage_time, out, end = numbers[T], numbers[STAGE_TIME], numbers[FACTOR], numbers[END]
    y, f, stage, stage_f = vectors[Y], vectors[F], vectors[STAGE], vectors[STAGE_F]
    n_states = len(atol)
    share = 1.0 / n_states
    for lane in range(0, n, WIDTH):
        d0 = repeat(0.0)
        d1 = repeat(0.0)
        for i in range(n_states):
            k = i * n + lane
            weight = 1.0 / (atol[i] + rtol * magnitude(load(y, k)))
            a, b = load(y, k) * weight, load(f, k) * weight
            d0 = d0 + a * a
            d1 = d1 + b * b
        d0, d1 = square_root(d0 * share), square_root(d1 * share)
        left = load(end, lane) - load(t, lane)
        telling = d0 > NEGLIGIBLE
        small = SMALL_SHARE * left
        smallest = SMALLEST_SHARE * left + VISIBLE * magnitude(load(t, lane))
        h = select(telling, 0.01 * d0 / d1, small)
        h = select((h > 0.0) & (h < LARGEST_ERROR), h, small)
        h = select(h < smallest, smallest, h)
        store(out, lane, h)
        store(stage_time, lane, load(t, lane) + h)
        for i in range(n_states):
            k = i * n + lane
            store(stage, k, load(y, k) + h * load(f, k))
    rhs(n, stage_time, stage, p, stage_f)
    add_inputs(n, infused, vectors[INPUTS], stage_f)
    for lane in range(0, n, WIDTH):
        h = load(out, lane)
        d1 = repeat(0.0)
        d2 = repeat(0.0)
        for i in range(n_states):
            k = i * n + lane
            weight = 1.0 / (atol[i] + rtol * magnitude(load(y, k)))
            a, b = load(f, k) * weight, (load(stage_f, k) - load(f, k)) * weight
            d1 = d1 + a * a
            d2 = d2 + b * b
        d1, d2 = square_root(d1 * share), square_root(d2 * share) / h
        log_tau = log(d1) - log(d2)
        goal = log(repeat(1.0 / ERROR_CONSTANT)) - log(d1) - log_tau
        curved = exp(log_tau + goal * (1.0 / order))
        most = 100.0 * h
        # Written so that NaN and infinity, of a course that does not bend or does not move, take
        # the other choice; the step itself will be refused if that is too long.
        store(out, lane, select(curved < most, curved, most))
