"""Stops, courses and rules for tests of the engine, from short rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.engine.plan import Action, CourseKind, Courses, Rules, Stops

Array: TypeAlias = NDArray[np.float64]
Row: TypeAlias = tuple[float, Action, int, float]
"""Time, what is done, index, value."""
Watched: TypeAlias = tuple[int, float, int, int, list[tuple[Action, int, float]]]
"""Source, threshold, direction, limit, what is done at once."""


def schedule(*owners: Sequence[Row]) -> Stops:
    """What is scheduled for each patient, of no item; one owner stands for all patients."""
    rows = [row for owner in owners for row in owner]
    return Stops(
        np.cumsum([0, *(len(owner) for owner in owners)]),
        np.array([row[0] for row in rows]),
        np.array([int(row[1]) for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.int64),
        np.array([row[3] for row in rows]),
        np.full(len(rows), -1),
        np.zeros(len(rows), dtype=np.int64),
    )


def courses(*given: tuple[CourseKind, int, float | list[float]]) -> Courses:
    """Courses of no item, each (kind, target, level for everybody or by patient)."""
    levels = np.broadcast_arrays(*(np.atleast_1d(level) for _, _, level in given))
    return Courses(
        np.array([int(kind) for kind, _, _ in given]),
        np.array([target for _, target, _ in given]),
        np.full(len(given), -1),
        np.stack(levels, axis=1).astype(np.float64),
    )


def inputs(n_states: int) -> Courses:
    """One unit per time into each state: as many parts run of course i as the rate of state i."""
    return courses(*((CourseKind.INPUT, state, 1.0) for state in range(n_states)))


def watch(n: int, *rules: Watched, thresholds: Array | None = None) -> Rules:
    """Rules of all patients that are watched all the time and act at once."""
    number = len(rules)
    none, nothing = np.zeros(number, dtype=np.int64), np.zeros(number)
    return Rules(
        source=np.array([rule[0] for rule in rules], dtype=np.int64),
        direction=np.array([rule[2] for rule in rules], dtype=np.int64),
        watched=np.ones(number, dtype=np.int64),
        limit=np.array([rule[3] for rule in rules], dtype=np.int64),
        consecutive=np.ones(number, dtype=np.int64),
        after=np.full(number, -1),
        wait=nothing,
        spacing=nothing,
        idle=none,
        during=np.full(number, -1),
        unless=np.zeros((number, number), dtype=np.int64),
        visits=np.zeros(number + 1, dtype=np.int64),
        visit_time=np.empty(0),
        detection=nothing,
        log_sd=nothing,
        sd=nothing,
        stream=none,
        threshold=(
            np.tile([rule[1] for rule in rules], (n, 1)) if thresholds is None else thresholds
        ),
        actions=schedule(*([(0.0, *action) for action in rule[4]] for rule in rules)),
    )
