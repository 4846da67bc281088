"""From tables of actions to the stops that the engine walks through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import SAME_INSTANT, Action, Stops
from carsim.therapy.values import FloatArray

MOST_PAIRS = 4_000_000
"""Pairs of an infusion and an instant that are added up at a time."""


class Order(IntEnum):
    """Order of actions at one instant."""

    RESET = 0
    REPLACE = 1
    """States of a steady state that replace what is there."""
    DISCONTINUE = 2
    PARAMETER = 3
    WINDOW = 4
    STATE = 5
    """States that a rule sets, or that a steady state adds."""
    CAPTURE = 6
    """What items read at their records."""
    INFUSION = 7
    DOSE = 8
    FOLLOWING = 9
    """A covariate that goes on from the value of its record to that of the next."""


@dataclass(frozen=True)
class Actions:
    """Actions of one kind on one state, parameter, course or item.

    Attributes
    ----------
    order : Order
        Place among the actions of an instant.
    kind : Action
        What is done.
    index : int
        Column of the state, parameter, course or item.
    time : float64 array, shape (1 or n_patients, k), model time unit
        Infinite where nothing is done. One row stands for all patients.
    value : float64 array, shape (1 or n_patients, 1 or k)
        In the unit of the state or parameter; parts that run of a course.
    item : int
        Item that the actions belong to; -1 for none.
    counted : int64 array, shape (1 or n_patients, 1 or k)
        Doses that each action stands for.
    factor : int64 array, shape (1 or n_patients, 1 or k), optional
        As in `carsim.engine.plan.Stops`; none by default.
    """

    order: Order
    kind: Action
    index: int
    time: FloatArray
    value: FloatArray
    item: int = -1
    counted: NDArray[np.int64] = field(default_factory=lambda: np.zeros((1, 1), dtype=np.int64))
    factor: NDArray[np.int64] | None = None


def running(
    begins: FloatArray, ends: FloatArray, level: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """How much of something runs after each edge.

    Parameters
    ----------
    begins, ends : float64 arrays, shape (1 or n_patients, k)
        Of its parts; infinite where there is none, or no end within the simulation.
    level : float64 array, shape (1 or n_patients, k), optional
        What a part counts; 1 by default.

    Returns
    -------
    time : float64 array, shape (1 or n_patients, n_edges)
        Edges in order; infinite where there is none, and for all but the last of equal times.
    total : float64 array, shape (1 or n_patients, n_edges)
        Sum of the levels of the parts that run. Each is the sum of what runs, in the order of the
        parts, not the last total plus a change: none running is exactly zero.
    begun : int64 array, shape (1 or n_patients, n_edges)
        Parts that begin there.
    """
    begins, ends = np.broadcast_arrays(begins, ends)
    rows, n_parts = begins.shape
    table = np.concatenate([begins, ends], axis=1)
    order = np.argsort(table, axis=1, kind="stable")
    time = np.take_along_axis(table, order, axis=1)
    real = np.isfinite(time)
    change = np.concatenate([np.ones(n_parts), -np.ones(n_parts)])
    moves = np.where(real, change[order], 0.0)
    begun = np.cumsum(moves > 0, axis=1)
    if level is None:
        total = np.cumsum(moves, axis=1)
    else:
        total = _sum_of_running(order, real, level)
    last = np.ones_like(real)
    last[:, :-1] = time[:, 1:] != time[:, :-1]
    time = np.where(last & real, time, np.inf)
    # Parts that begin at earlier ones of equal times count at the last of them.
    kept = np.where(last & real, begun, 0)
    before = np.maximum.accumulate(
        np.concatenate([np.zeros((rows, 1), dtype=np.int64), kept[:, :-1]], axis=1), axis=1
    )
    return time, total, np.where(last & real, begun - before, 0).astype(np.int64)


def _sum_of_running(
    order: NDArray[np.intp], real: NDArray[np.bool_], level: FloatArray
) -> FloatArray:
    """Levels of what runs behind each edge, added in the order of the parts.

    Only pairs of a part and an edge at which it runs are visited: there are about as many as edges
    if the parts hardly overlap.

    Parameters
    ----------
    order : int64 array, shape (n_rows, 2 n_parts)
        Edge at each place: numbers below n_parts are beginnings, the others ends.
    real : bool array, shape (n_rows, 2 n_parts)
        Whether there is an edge at the place; those without are the last.
    level : float64 array, shape (1 or n_rows, n_parts)
    """
    rows, n_edges = order.shape
    n_parts = n_edges // 2
    places = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(places, order, np.broadcast_to(np.arange(n_edges), order.shape), axis=1)
    first, last = places[:, :n_parts], places[:, n_parts:]
    count = real.sum(axis=1, keepdims=True)
    run = np.maximum(np.minimum(last, count) - np.minimum(first, count), 0).ravel()
    total: FloatArray = np.zeros(rows * n_edges)
    if not run.any():
        return total.reshape(rows, n_edges)
    # Pieces of the pairs, to bound the memory of many parts that never end.
    bounds = np.searchsorted(np.cumsum(run), np.arange(0, int(run.sum()), MOST_PAIRS))
    for low, high in zip(bounds, [*bounds[1:], len(run)], strict=True):
        part = np.repeat(np.arange(low, high), run[low:high])
        ahead = np.arange(len(part)) - np.repeat(
            np.cumsum(run[low:high]) - run[low:high], run[low:high]
        )
        row = part // max(n_parts, 1)
        edge = row * n_edges + first.ravel()[part] + ahead
        value = np.broadcast_to(level, (rows, n_parts))[row, part % n_parts]
        np.add.at(total, edge, value)
    return total.reshape(rows, n_edges)


def changed_only(
    time: FloatArray,
    value: FloatArray,
    before: FloatArray,
    kept: NDArray[np.bool_] | None = None,
) -> FloatArray:
    """Blot out the times at which the value stays what it was.

    Parameters
    ----------
    time, value : float64 arrays, shape (1 or n_patients, n_edges)
        In order of time, with infinite times for edges that do not count.
    before : float64 array, shape (1 or n_patients, 1)
        Value before the first edge.
    kept : bool array, shape (1 or n_patients, n_edges), optional
        Edges that count all the same.

    Returns
    -------
    float64 array, shape (1 or n_patients, n_edges)
        Times, infinite where nothing changes: a stop costs the engine a restart.
    """
    time, value = np.broadcast_arrays(time, value)
    real = np.isfinite(time)
    # The last edge that counted before each edge, -1 for none.
    place = np.where(real, np.arange(time.shape[1]), -1)
    last = np.concatenate(
        [np.full((len(time), 1), -1), np.maximum.accumulate(place, axis=1)[:, :-1]], axis=1
    )
    previous = np.where(last >= 0, np.take_along_axis(value, np.maximum(last, 0), axis=1), before)
    changed = value != previous if kept is None else (value != previous) | kept
    return np.where(real & changed, time, np.inf)


def to_stops(actions: Sequence[Actions], n_patients: int) -> Stops:
    """Sort the actions of every patient by time.

    Parameters
    ----------
    actions : sequence of Actions
        Coincident actions of one order are applied as they stand here.
    n_patients : int
        Number of patients.

    Returns
    -------
    Stops
        Of one owner, if all patients have the same.
    """
    if not actions:
        return Stops.none()
    none = np.full((1, 1), -1, dtype=np.int64)
    factors = [none if action.factor is None else action.factor for action in actions]
    tables = [(a.time, a.value, a.counted, f) for a, f in zip(actions, factors, strict=True)]
    rows = max(len(table) for group in tables for table in group)
    time = _joined([action.time for action in actions], actions, rows)
    value = _joined([action.value for action in actions], actions, rows)
    counted = _joined([action.counted for action in actions], actions, rows)
    widths = [action.time.shape[1] for action in actions]
    facts = [
        np.repeat(np.array(numbers, dtype=np.int64), widths)
        for numbers in (
            [int(action.order) for action in actions],
            [int(action.kind) for action in actions],
            [action.index for action in actions],
            [action.item for action in actions],
        )
    ]
    rank, kind, index, item = facts
    ranked = np.argsort(rank, kind="stable")
    order = ranked[np.argsort(time[:, ranked], axis=1, kind="stable")]
    time = np.take_along_axis(time, order, axis=1)
    time, order = _merge_instants(time, order, rank)
    real = np.isfinite(time)
    offsets = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(real.sum(axis=1), out=offsets[1:])
    assert rows in (1, n_patients)
    return Stops(
        offsets,
        time[real],
        kind[order[real]],
        index[order[real]],
        np.take_along_axis(value, order, axis=1)[real],
        item[order[real]],
        np.take_along_axis(counted, order, axis=1)[real],
        (
            np.take_along_axis(_joined(factors, actions, rows), order, axis=1)[real]
            if any(action.factor is not None for action in actions)
            else np.empty(0, dtype=np.int64)
        ),
    )


def _joined(tables: Sequence[Any], actions: Sequence[Actions], rows: int) -> Any:
    return np.concatenate(
        [
            np.broadcast_to(table, (rows, action.time.shape[1]))
            for table, action in zip(tables, actions, strict=True)
        ],
        axis=1,
    )


def _merge_instants(
    time: FloatArray, order: NDArray[np.intp], rank: NDArray[np.int64]
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Give times that differ by rounding only the earliest of them."""
    with np.errstate(invalid="ignore"):
        gap = time[:, 1:] - time[:, :-1]
    near = gap <= SAME_INSTANT * np.maximum(np.abs(time[:, :-1]), 1.0)
    touched = np.flatnonzero((near & (gap > 0)).any(axis=1))
    if touched.size == 0:
        return time, order
    moved, kept = time[touched], order[touched]
    first = moved[:, 0].copy()
    for column in range(1, moved.shape[1]):
        # Of the instant that the first of them begins: a row of times, each near the one before,
        # may be longer than one.
        late = moved[:, column] > first + SAME_INSTANT * np.maximum(np.abs(first), 1.0)
        first = np.where(late, moved[:, column], first)
        moved[:, column] = first
    for key in ("rank", "time"):  # two stable sorts: by time, then by kind
        table = rank[kept] if key == "rank" else moved
        again = np.argsort(table, axis=1, kind="stable")
        moved = np.take_along_axis(moved, again, axis=1)
        kept = np.take_along_axis(kept, again, axis=1)
    time[touched], order[touched] = moved, kept
    return time, order
