"""From tables of actions to the stops that the engine walks through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import Action, Stops
from carsim.therapy.values import FloatArray

SAME_INSTANT = 1e-12
"""Times closer than this (relative, or absolute below 1) are one instant: the engine cannot step
between neighbors in floating point, and nobody means to."""


@dataclass(frozen=True)
class Actions:
    """Actions of one kind on one state or parameter.

    Attributes
    ----------
    kind : Action
        What is done.
    index : int
        Column of the state or parameter.
    time : float64 array, shape (1 or n_patients, k), model time unit
        Infinite where nothing is done. One row stands for all patients.
    value : float64 array, shape (1 or n_patients, 1 or k)
        In the unit of the state or parameter (per time for an input).
    """

    kind: Action
    index: int
    time: FloatArray
    value: FloatArray


@dataclass(frozen=True)
class Course:
    """Something that runs between times: infusions of one item, or one window.

    Attributes
    ----------
    begins, ends : float64 arrays, shape (1 or n_patients, k)
        Infinite where there is none, or no end within the simulation.
    value : float64 array, shape (1 or n_patients, 1)
        Rate into the state, value or factor of the parameter.
    """

    begins: FloatArray
    ends: FloatArray
    value: FloatArray


def running(courses: Sequence[Course]) -> tuple[FloatArray, list[NDArray[np.int64]]]:
    """How many parts of each course run after each edge.

    Parameters
    ----------
    courses : sequence of Course
        Courses that act on one state or parameter.

    Returns
    -------
    time : float64 array, shape (1 or n_patients, n_edges)
        Edges in order; infinite where there is none, and for all but the last of equal times.
    counts : list of int64 arrays, shape (1 or n_patients, n_edges)
        By course. Counting keeps totals free of rounding: none running is exactly none.
    """
    rows = max(len(table) for course in courses for table in (course.begins, course.ends))
    pieces = [
        (np.broadcast_to(table, (rows, table.shape[1])), sign, number)
        for number, course in enumerate(courses)
        for table, sign in ((course.begins, 1), (course.ends, -1))
    ]
    table = np.concatenate([piece for piece, _, _ in pieces], axis=1)
    owner = np.concatenate([np.full(piece.shape[1], number) for piece, _, number in pieces])
    change = np.concatenate([np.full(piece.shape[1], sign) for piece, sign, _ in pieces])
    order = np.argsort(table, axis=1, kind="stable")
    time = np.take_along_axis(table, order, axis=1)
    real = np.isfinite(time)
    counts = [
        np.cumsum(np.where((owner == number)[order] & real, change[order], 0), axis=1)
        for number in range(len(courses))
    ]
    superseded = np.zeros_like(real)
    superseded[:, :-1] = time[:, 1:] == time[:, :-1]
    return np.where(superseded, np.inf, time), counts


def changed_only(time: FloatArray, value: FloatArray, before: FloatArray) -> FloatArray:
    """Blot out the times at which the value stays what it was.

    Parameters
    ----------
    time, value : float64 arrays, shape (1 or n_patients, n_edges)
        In order of time, with infinite times for edges that do not count.
    before : float64 array, shape (1 or n_patients, 1)
        Value before the first edge.

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
    return np.where(real & (value != previous), time, np.inf)


def to_stops(actions: Sequence[Actions], n_patients: int) -> Stops:
    """Sort the actions of every patient by time.

    Parameters
    ----------
    actions : sequence of Actions
        In the order in which coincident actions shall be applied.
    n_patients : int
        Number of patients.

    Returns
    -------
    Stops
    """
    if not actions:
        return Stops.none(n_patients)
    rows = max(len(table) for action in actions for table in (action.time, action.value))
    time = _joined([action.time for action in actions], actions, rows)
    value = _joined([action.value for action in actions], actions, rows)
    widths = [action.time.shape[1] for action in actions]
    kind = np.repeat(np.array([int(action.kind) for action in actions], dtype=np.int64), widths)
    index = np.repeat(np.array([action.index for action in actions], dtype=np.int64), widths)
    order = np.argsort(time, axis=1, kind="stable")
    time = np.take_along_axis(time, order, axis=1)
    rank = np.repeat(_ranks(actions), widths)
    time, order = _merge_instants(time, order, rank)
    real = np.isfinite(time)
    lengths = real.sum(axis=1)
    flat = (
        time[real],
        kind[order[real]],
        index[order[real]],
        np.take_along_axis(value, order, axis=1)[real],
    )
    if rows == 1 and n_patients > 1:
        lengths = np.repeat(lengths, n_patients)
        flat = tuple(np.tile(column, n_patients) for column in flat)  # type: ignore[assignment]
    offsets = np.zeros(n_patients + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return Stops(offsets, *flat)


def _joined(tables: Sequence[FloatArray], actions: Sequence[Actions], rows: int) -> FloatArray:
    return np.concatenate(
        [
            np.broadcast_to(table, (rows, action.time.shape[1]))
            for table, action in zip(tables, actions, strict=True)
        ],
        axis=1,
    )


def _ranks(actions: Sequence[Actions]) -> NDArray[np.int64]:
    """Position of each action's kind in the order in which the kinds were listed."""
    kinds = list(dict.fromkeys(action.kind for action in actions))
    return np.array([kinds.index(action.kind) for action in actions], dtype=np.int64)


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
    leader = np.zeros((touched.size, time.shape[1]), dtype=np.int64)
    leader[:, 1:] = np.where(near[touched], 0, np.arange(1, time.shape[1]))
    np.maximum.accumulate(leader, axis=1, out=leader)
    moved = np.take_along_axis(time[touched], leader, axis=1)
    kept = order[touched]
    for key in ("rank", "time"):  # two stable sorts: by time, then by kind
        table = rank[kept] if key == "rank" else moved
        again = np.argsort(table, axis=1, kind="stable")
        moved = np.take_along_axis(moved, again, axis=1)
        kept = np.take_along_axis(kept, again, axis=1)
    time[touched], order[touched] = moved, kept
    return time, order
