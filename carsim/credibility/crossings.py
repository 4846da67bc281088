"""Instants at which the equations of a model jump, and how they move with the parameters.

Where a comparison of a ``where`` changes at time tau and the rates of change jump with it, the
derivative s of the states jumps by ``(f_before - f_after) dtau/de``, with

``dtau/de = -(g_y s + g_p e) / (g_t + g_y f_before)``

for a comparison of g with zero (the saltation matrix of piecewise-smooth systems).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from carsim.engine.plan import SAME_INSTANT
from carsim.symbolic.derivative import derivative
from carsim.symbolic.evaluate import evaluate
from carsim.symbolic.expression import Expression
from carsim.symbolic.sensitivity import switches
from carsim.symbolic.trace import Trace

__all__ = ["Crossing", "find_crossings", "moved_by"]

Array = NDArray[np.float64]

COARSE = 4000
FINE = 64
REFINEMENTS = 4
"""The run is looked at `COARSE` times, and around a crossing `FINE` times, again and again: what is
left is the square of 1e-11 of the run, by straight lines."""
BEFORE = 3.0 * SAME_INSTANT
"""Distance to the time before a dose, as a part of the time itself."""
JUMP = 1e-6
"""Part of a rate of change by which it may differ at a switch and still counts as continuous."""


@dataclass(frozen=True)
class Crossing:
    """One instant at which the equations jump.

    Attributes
    ----------
    time : float
    node : Expression
        The comparison that changes.
    timed : bool
        Whether it compares the time with parameters only, so that no state moves it.
    numbers : mapping of int to float
        Values of all symbols there.
    before, after : float64 arrays, shape (n_states,)
        Rates of change on both sides.
    """

    time: float
    node: Expression
    timed: bool
    numbers: Mapping[int, float]
    before: Array
    after: Array


def find_crossings(
    traced: Trace,
    states_at: Callable[[Array], Array],
    parameters_at: Callable[[float], Array],
    span: tuple[float, float],
    stops: Array,
    atol: Array,
) -> list[Crossing]:
    """Find the instants of a run at which its equations jump, in order of time.

    Parameters
    ----------
    traced : Trace
    states_at : callable
        States at times in ascending order, shape (n_times, n_states).
    parameters_at : callable
        Parameters at a time, shape (n_parameters,).
    span : (float, float)
        Start and stop of the run.
    stops : float64 array
        Times at which something is done to the patient: a comparison that changes there does so
        because of that, and at that time whatever the parameters are.
    atol : float64 array, shape (n_states,)
        Absolute tolerances.
    """
    nodes = switches(traced)
    if not nodes:
        return []
    start, stop = span
    inside = np.unique(stops[(stops > start) & (stops <= stop)])
    # What is given then counts for all of its instant.
    just_before = inside - BEFORE * np.maximum(np.abs(inside), 1.0)
    times = np.unique(np.concatenate([np.linspace(start, stop, COARSE + 1), inside, just_before]))
    times = times[times >= start]
    y = states_at(times)
    values = _numbers(traced, times, y, parameters_at)
    found = []
    for node in nodes:
        a, b = node.arguments
        depends = traced.graph.depends_on(a) | traced.graph.depends_on(b)
        on_states = bool(depends & {symbol.index for symbol in traced.states})
        if not on_states and traced.time.index not in depends:
            continue
        holds = _holds(node, values, len(times))
        for place in np.flatnonzero(holds[1:] != holds[:-1]):
            low, high = float(times[place]), float(times[place + 1])
            if high in inside and low in just_before:
                continue
            at = _locate(traced, node, low, high, states_at, parameters_at)
            sides = [
                np.array(evaluate(traced.derivatives, {**at, node.index: np.bool_(side)}), float)
                for side in (holds[place], not holds[place])
            ]
            size = np.abs(sides[0]) + np.abs(sides[1]) + atol
            when = float(at[traced.time.index])
            if np.any(np.abs(sides[0] - sides[1]) > JUMP * size) and start < when < stop:
                found.append(Crossing(when, node, not on_states, at, *sides))
    return sorted(found, key=lambda crossing: crossing.time)


def moved_by(
    traced: Trace, crossing: Crossing, slopes: Array, directions: Array, varied: Sequence[int]
) -> Array:
    """How the time of a crossing moves in each direction.

    Parameters
    ----------
    traced : Trace
    crossing : Crossing
    slopes : float64 array, shape (n, n_own)
        Derivatives of the model's own states just before.
    directions : float64 array, shape (n, n_varied)
        Components of the directions just before.
    varied : sequence of int
        Columns of the parameters that they belong to.

    Returns
    -------
    float64 array, shape (n,)
    """
    a, b = crossing.node.arguments
    gap = a - b
    own = slopes.shape[1]
    values = evaluate(
        [
            derivative(gap, traced.time),
            *(derivative(gap, symbol) for symbol in traced.states),
            *(derivative(gap, traced.parameters[k]) for k in varied),
        ],
        crossing.numbers,
    )
    by_time = float(values[0])
    by_state = np.array(values[1 : 1 + len(traced.states)], dtype=np.float64)
    by_parameter = np.array(values[1 + len(traced.states) :], dtype=np.float64)
    speed = by_time + float(by_state @ crossing.before)
    found: Array = -(slopes @ by_state[:own] + directions @ by_parameter) / speed
    return found


def _numbers(
    traced: Trace, times: Array, y: Array, parameters_at: Callable[[float], Array]
) -> dict[int, Any]:
    table = np.array([parameters_at(float(time)) for time in times])
    symbols = [s.index for s in (traced.time, *traced.states, *traced.parameters)]
    return dict(zip(symbols, [times, *y.T, *table.T], strict=True))


def _holds(node: Expression, values: Mapping[int, Any], n: int) -> NDArray[np.bool_]:
    return np.asarray(np.broadcast_to(evaluate([node], values)[0], (n,)), dtype=np.bool_)


def _locate(
    traced: Trace,
    node: Expression,
    low: float,
    high: float,
    states_at: Callable[[Array], Array],
    parameters_at: Callable[[float], Array],
) -> dict[int, float]:
    """Values of all symbols where a comparison changes between two times."""
    values: dict[int, Any] = {}
    for _ in range(REFINEMENTS):
        times = np.unique(np.linspace(low, high, FINE + 1))
        values = _numbers(traced, times, states_at(times), parameters_at)
        holds = _holds(node, values, len(times))
        place = int(np.argmax(holds != holds[0]))
        low, high = float(times[place - 1]), float(times[place])
        values = {key: np.asarray(value)[place - 1 : place + 1] for key, value in values.items()}
        if high - low <= 1e-13 * max(abs(high), 1.0):
            break
    a, b = node.arguments
    gap = a - b

    def point(share: float) -> dict[int, float]:
        # Both ends are met exactly.
        return {
            key: float((1.0 - share) * ends[0] + share * ends[1]) for key, ends in values.items()
        }

    def value(share: float) -> float:
        return float(evaluate([gap], point(share))[0])

    ends = value(0.0), value(1.0)
    if ends[0] == 0.0 or ends[0] * ends[1] > 0.0:
        return point(0.0)
    if ends[1] == 0.0:
        return point(1.0)
    return point(float(brentq(value, 0.0, 1.0, xtol=1e-16, rtol=8.9e-16)))
