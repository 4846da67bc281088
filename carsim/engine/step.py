"""One step of all lanes by a tableau, with its error and the wish for the next.

A patient whose equations gave a value that is not finite is *delicate* from then on: a root of an
empty pool has no slope, and none of a negative one. Slopes that are not finite count as zero in the
linear system (the method then treats that dependence explicitly, and its error control sees it),
and pools below zero inside a step are shown to the equations as empty.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba.core import types

from carsim.engine import signatures
from carsim.engine.combine import stage_sums
from carsim.engine.control import add_inputs, error_norm, first_step, growth
from carsim.engine.jit import COUNT, INTEGER_MATRIX, INTEGERS, MATRIX, NUMBER, VECTOR, inner
from carsim.engine.layout import (
    COUPLE,
    DELICATE,
    DELTA,
    INPUTS,
    NEW,
    SMALLEST,
    STAGE,
    STAGE_F,
    STAGE_TIME,
    TIME_DERIVATIVE,
    F,
    H,
    T,
    Y,
)
from carsim.engine.pack import WIDTH, load, store
from carsim.engine.plan import FloatArray, IntArray

_Kernel = Callable[..., None]

# Rows of a packed tableau behind the stages' own: row s holds a_s, row stages + s the coupling of
# stage s.
WEIGHTS, NODES, TIME_WEIGHTS, ERROR_WEIGHTS = range(4)


@inner
def _without_infinite(n: int, flags: IntArray, values: FloatArray) -> None:
    """Set what is not finite to zero in the lanes of delicate patients."""
    for lane in range(n):
        if flags[DELICATE, lane] == 1:
            for k in range(lane, len(values), n):
                if not abs(values[k]) < np.inf:
                    values[k] = 0.0


@inner
def _without_negative(n: int, flags: IntArray, floors: FloatArray, y: FloatArray) -> None:
    """Take pools below zero for empty in the lanes of delicate patients."""
    for lane in range(n):
        if flags[DELICATE, lane] == 1:
            for i in range(len(floors)):
                if floors[i] >= 0.0 and y[i * n + lane] < 0.0:
                    y[i * n + lane] = 0.0


@inner
def _rosenbrock(
    n: int,
    inverse_gamma: float,
    autonomous: bool,
    infused: IntArray,
    delicate: bool,
    a: FloatArray,
    coupling: FloatArray,
    weights: FloatArray,
    rhs: _Kernel,
    jacobian: _Kernel,
    time_derivative: _Kernel,
    factor: _Kernel,
    solve: _Kernel,
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    u: FloatArray,
    entries: FloatArray,
    factors: FloatArray,
    floors: FloatArray,
) -> None:
    """Hairer & Wanner II, section IV.7, in the U form."""
    t, h, stage_time = numbers[T], numbers[H], numbers[STAGE_TIME]
    y, couple, stage, stage_f = vectors[Y], vectors[COUPLE], vectors[STAGE], vectors[STAGE_F]
    size = len(y)
    jacobian(n, t, y, p, entries)
    if delicate:
        _without_infinite(n, flags, entries)
    factor(n, entries, h, inverse_gamma, factors, numbers[SMALLEST])
    by_time = vectors[TIME_DERIVATIVE]
    if not autonomous:
        time_derivative(n, t, y, p, by_time)
        if delicate:
            _without_infinite(n, flags, by_time)
        for first in range(0, size, n):
            for lane in range(0, n, WIDTH):
                step = load(h, lane)
                store(by_time, first + lane, load(by_time, first + lane) * step * step)
    for k in range(0, size, WIDTH):
        store(couple, k, 0.0)
    stages = len(a)
    for s in range(stages):
        f = vectors[F]
        if s > 0:
            stage_sums(s, y, u, a[s], coupling[s], stage, couple)
            if not autonomous:
                node = weights[NODES, s]
                for lane in range(0, n, WIDTH):
                    store(stage_time, lane, load(t, lane) + node * load(h, lane))
            f = stage_f
            if delicate:
                _without_negative(n, flags, floors, stage)
            rhs(n, stage_time, stage, p, f)
            add_inputs(n, infused, vectors[INPUTS], f)
        weight = weights[TIME_WEIGHTS, s]
        if not autonomous and weight != 0.0:
            for k in range(0, size, WIDTH):
                store(couple, k, load(couple, k) + weight * load(by_time, k))
        solve(n, factors, f, couple, h, u[s])
    # All shipped methods are stiffly accurate: the last stage value plus its increment is the step,
    # and the increment is the error estimate.
    last = u[stages - 1]
    new, delta = vectors[NEW], vectors[DELTA]
    for k in range(0, size, WIDTH):
        increment = load(last, k)
        store(new, k, load(stage, k) + increment)
        store(delta, k, increment)


@inner
def _explicit(
    n: int,
    autonomous: bool,
    infused: IntArray,
    delicate: bool,
    a: FloatArray,
    coupling: FloatArray,
    weights: FloatArray,
    rhs: _Kernel,
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    u: FloatArray,
    floors: FloatArray,
) -> None:
    """Hairer, Norsett & Wanner I, section II.1; the last stage value is the step."""
    t, h, stage_time = numbers[T], numbers[H], numbers[STAGE_TIME]
    y, couple, stage, stage_f = vectors[Y], vectors[COUPLE], vectors[STAGE], vectors[STAGE_F]
    size = len(y)
    stages = len(a)
    for s in range(stages):
        f = vectors[F]
        if s > 0:
            stage_sums(s, y, u, a[s], coupling[s], stage, couple)
            if not autonomous:
                node = weights[NODES, s]
                for lane in range(0, n, WIDTH):
                    store(stage_time, lane, load(t, lane) + node * load(h, lane))
            f = stage_f
            if delicate:
                _without_negative(n, flags, floors, stage)
            rhs(n, stage_time, stage, p, f)
            add_inputs(n, infused, vectors[INPUTS], f)
        increment = u[s]
        for first in range(0, size, n):
            for lane in range(0, n, WIDTH):
                store(increment, first + lane, load(h, lane) * load(f, first + lane))
    new, delta = vectors[NEW], vectors[DELTA]
    for k in range(0, size, WIDTH):
        store(new, k, load(stage, k))
        store(delta, k, 0.0)
    for s in range(stages):
        weight = weights[ERROR_WEIGHTS, s]
        increment = u[s]
        for k in range(0, size, WIDTH):
            store(delta, k, load(delta, k) + weight * load(increment, k))
    for lane in range(n):
        numbers[SMALLEST, lane] = 1.0


def start(
    n: int,
    order: int,
    infused: IntArray,
    starting: bool,
    rhs: _Kernel,
    p: FloatArray,
    numbers: FloatArray,
    vectors: FloatArray,
    atol: FloatArray,
    rtol: float,
) -> None:
    """Derivative at the start of the step; if `starting`, also a first step size."""
    rhs(n, numbers[T], vectors[Y], p, vectors[F])
    add_inputs(n, infused, vectors[INPUTS], vectors[F])
    if starting:
        first_step(n, order, infused, rhs, p, numbers, vectors, atol, rtol)


def step(
    n: int,
    order: int,
    implicit: bool,
    autonomous: bool,
    infused: IntArray,
    delicate: bool,
    inverse_gamma: float,
    a: FloatArray,
    coupling: FloatArray,
    weights: FloatArray,
    rhs: _Kernel,
    jacobian: _Kernel,
    time_derivative: _Kernel,
    factor: _Kernel,
    solve: _Kernel,
    p: FloatArray,
    numbers: FloatArray,
    flags: IntArray,
    vectors: FloatArray,
    u: FloatArray,
    entries: FloatArray,
    factors: FloatArray,
    atol: FloatArray,
    rtol: float,
    floors: FloatArray,
) -> None:
    """Advance all lanes by one step of size ``numbers[H]``.

    Sets the stage increments `u`, the rows NEW and DELTA of `vectors` and ERROR, FACTOR and
    ACCEPTED of `numbers`.
    """
    if implicit:
        _rosenbrock(
            n, inverse_gamma, autonomous, infused, delicate, a, coupling, weights,
            rhs, jacobian, time_derivative, factor, solve,
            p, numbers, flags, vectors, u, entries, factors, floors,
        )  # fmt: skip
    else:
        _explicit(
            n, autonomous, infused, delicate, a, coupling, weights,
            rhs, p, numbers, flags, vectors, u, floors,
        )  # fmt: skip
    error_norm(n, vectors, atol, rtol, numbers)
    growth(n, order, numbers)


START = types.void(
    COUNT,
    COUNT,
    INTEGERS,
    types.boolean,
    types.FunctionType(signatures.RHS),
    VECTOR,
    MATRIX,
    MATRIX,
    VECTOR,
    NUMBER,
)

STEP = types.void(
    COUNT,
    COUNT,
    types.boolean,
    types.boolean,
    INTEGERS,
    types.boolean,
    NUMBER,
    MATRIX,
    MATRIX,
    MATRIX,
    types.FunctionType(signatures.RHS),
    types.FunctionType(signatures.JACOBIAN),
    types.FunctionType(signatures.TIME_DERIVATIVE),
    types.FunctionType(signatures.FACTOR),
    types.FunctionType(signatures.SOLVE),
    VECTOR,
    MATRIX,
    INTEGER_MATRIX,
    MATRIX,
    MATRIX,
    VECTOR,
    VECTOR,
    VECTOR,
    NUMBER,
    VECTOR,
)
