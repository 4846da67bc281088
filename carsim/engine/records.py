"""The arrays that the parts of the engine share, as named tuples: what is given, held and written.

A compiled function takes a named tuple as one argument of one type, so that signatures stay short
and every array has a name on both sides of a call. They are small, and whole numbers lie in arrays
of floats where these are at hand: what a compilation costs grows with the arrays it sees.
"""

from __future__ import annotations

from typing import NamedTuple

from numba.core import types

from carsim.engine.jit import COUNT, CUBE, INTEGER_MATRIX, INTEGERS, MATRIX, VECTOR
from carsim.engine.plan import FloatArray, IntArray


class Patients(NamedTuple):
    """Who is integrated.

    Attributes
    ----------
    y0 : float64 array, shape (n_patients, n_states)
    parameters : float64 array, shape (n_patients, n_parameters)
    span : float64 array, shape (2, n_patients), start and stop
    """

    y0: FloatArray
    parameters: FloatArray
    span: FloatArray


class Wanted(NamedTuple):
    """What is kept of the courses.

    Attributes
    ----------
    save_time : float64 array, shape (n_times,)
    sources : int64 array, shape (n_sources,)
    kinds : int64 array, shape (2, n_reductions)
    bounds : float64 array, shape (3, n_reductions)
    leaves, states : int64 arrays
        As in `Therapy`.
    """

    save_time: FloatArray
    sources: IntArray
    kinds: IntArray
    bounds: FloatArray
    leaves: IntArray
    states: IntArray


class Schedule(NamedTuple):
    """Actions in order of time, owner after owner: see `carsim.engine.plan.Stops`.

    Attributes
    ----------
    offsets : int64 array, shape (n_owners + 1,)
    table : int64 array, shape (5, n_rows), columns KIND, INDEX, ITEM, COUNTED, SLOT
    numbers : float64 array, shape (2, n_rows), time and value
    """

    offsets: IntArray
    table: IntArray
    numbers: FloatArray


class Therapy(NamedTuple):
    """What is done to the patients; nothing in here changes.

    Attributes
    ----------
    n_items : int, number of items that are not rules
    serial : int64 array, shape (n_patients,), number of each patient for random draws
    stops : Schedule, owners are patients; one owner stands for all
    courses : int64 array, shape (3, n_courses)
    level : float64 array, shape (1 or n_patients, n_courses)
    rules : int64 array, shape (N_RULE, n_rules + 1)
    rule_numbers : float64 array, shape (N_RULE_NUMBERS, n_rules)
    threshold : float64 array, shape (n_patients, n_rules)
    visit_time : float64 array, shape (n_visits,)
    actions : Schedule, owners are rules, or rules of patient after patient
    leaves : int64 array
        Sources whose roots are kinks of source s: entries ``leaves[s]`` to ``leaves[s + 1]``.
    states : int64 array
        States that are looked at, or read by an observable that is.
    infused : int64 array
        States that any infusion enters.
    """

    n_items: int
    serial: IntArray
    stops: Schedule
    courses: IntArray
    level: FloatArray
    rules: IntArray
    rule_numbers: FloatArray
    threshold: FloatArray
    visit_time: FloatArray
    actions: Schedule
    leaves: IntArray
    states: IntArray
    infused: IntArray


class Lanes(NamedTuple):
    """What one thread holds of the patients in its lanes; rows are named in `layout`.

    Attributes
    ----------
    p : float64 array, shape (n_all_parameters * lanes,), with the functions of parameters
    base : float64 array, shape (n_parameters * lanes,), parameters outside of all courses
    numbers : float64 array, shape (N_NUMBERS, lanes)
    flags : int64 array, shape (N_FLAGS, lanes)
    vectors : float64 array, shape (N_VECTORS, n_states * lanes)
    running : float64 array, shape ((n_courses + n_items) * lanes,)
        How many parts of each course run; behind them 1 for each item that was discontinued.
    recall : float64 array, shape (N_RECALL, n_rules * lanes)
    started : float64 array, shape (N_STARTED + n_slots, capacity * lanes)
    captured : float64 array, shape ((n_slots + n_courses) * lanes,)
        What was captured for what is scheduled; behind it how many captured parts of each course
        run. Of no length where nothing is captured.
    """

    p: FloatArray
    base: FloatArray
    numbers: FloatArray
    flags: IntArray
    vectors: FloatArray
    running: FloatArray
    recall: FloatArray
    started: FloatArray
    captured: FloatArray


class Log(NamedTuple):
    """What happened to each patient.

    Attributes
    ----------
    doses : int64 array, shape (n_patients, n_items + n_rules)
    n_lines : int64 array, shape (n_patients,)
    lines : float64 array, shape (3, n_patients, capacity), event, time and value
    """

    doses: IntArray
    n_lines: IntArray
    lines: FloatArray


class Written(NamedTuple):
    """What became of each patient; see `carsim.engine.plan.Trajectories`.

    Attributes
    ----------
    saved : float64 array, flat, by patient, source and time
    metrics : float64 array, shape (2 * n_reductions, n_patients)
        Numbers, and behind them the records whose times they are.
    ended : int64 array, shape (3, n_patients), status, steps, rejected steps
    final : float64 array, shape (n_patients, 1 + n_states), last time and state
    counters : int64 array, shared by all threads
    """

    saved: FloatArray
    metrics: FloatArray
    ended: IntArray
    final: FloatArray
    counters: IntArray


PATIENTS = types.NamedUniTuple(MATRIX, 3, Patients)
WANTED = types.NamedTuple([VECTOR, INTEGERS, INTEGER_MATRIX, MATRIX, INTEGERS, INTEGERS], Wanted)
SCHEDULE = types.NamedTuple([INTEGERS, INTEGER_MATRIX, MATRIX], Schedule)
THERAPY = types.NamedTuple(
    [
        *(COUNT, INTEGERS, SCHEDULE, INTEGER_MATRIX, MATRIX),
        *(INTEGER_MATRIX, MATRIX, MATRIX, VECTOR, SCHEDULE),
        *(INTEGERS, INTEGERS, INTEGERS),
    ],
    Therapy,
)
LANES = types.NamedTuple(
    [VECTOR, VECTOR, MATRIX, INTEGER_MATRIX, MATRIX, VECTOR, MATRIX, MATRIX, VECTOR], Lanes
)
LOG = types.NamedTuple([INTEGER_MATRIX, INTEGERS, CUBE], Log)
WRITTEN = types.NamedTuple([VECTOR, MATRIX, INTEGER_MATRIX, MATRIX, INTEGERS], Written)
