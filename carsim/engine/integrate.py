"""Start threads on an ensemble, watch them, stop them."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from carsim.engine.driver import SIZES
from carsim.engine.layout import (
    AFTER,
    CANCEL,
    CONSECUTIVE,
    CONTINUOUS,
    DIRECTION,
    DONE,
    DURING,
    EXACT,
    IDLE,
    LANE_STEPS,
    LIMIT,
    LINE_EVENT,
    LINE_TIME,
    LINE_VALUE,
    N_RULE,
    NEXT,
    SOURCE,
    STREAM,
    UNLESS,
    VISITS,
)
from carsim.engine.looked import looked_at
from carsim.engine.plan import (
    CourseKind,
    Courses,
    FloatArray,
    IntArray,
    Reductions,
    Rules,
    Save,
    Stops,
    Trajectories,
)
from carsim.engine.program import Program
from carsim.engine.records import Log, Patients, Schedule, Therapy, Wanted, Written
from carsim.engine.searches import shared
from carsim.engine.status import Status
from carsim.engine.tableaus import METHODS
from carsim.progress import Progress

LOG_CAPACITY = 64
MOST_STARTED = 32
"""Courses that rules have started and that still have something to give, for one patient."""
POLL_SECONDS = 0.05


def integrate(
    program: Program,
    y0: FloatArray,
    p: FloatArray,
    start: ArrayLike,
    stop: ArrayLike,
    *,
    method: str = "rodas5p",
    rtol: float,
    atol: FloatArray,
    atol_scale: float = 1.0,
    floors: FloatArray | None = None,
    max_step: float = np.inf,
    stops: Stops | None = None,
    courses: Courses | None = None,
    rules: Rules | None = None,
    n_items: int = 0,
    serial: IntArray | None = None,
    save: Save | None = None,
    reductions: Reductions | None = None,
    max_steps: int = 100_000,
    threads: int | None = None,
    log_capacity: int = LOG_CAPACITY,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Trajectories:
    """Integrate an ensemble.

    Nothing raises for numerical reasons: every patient ends with a status. The result is the same
    to the bit for any number of threads and any order of patients.

    Parameters
    ----------
    program : Program
    y0 : float64 array, shape (n_patients, n_states)
    p : float64 array, shape (n_patients, n_parameters)
    start, stop : float or float64 array, shape (n_patients,)
    method : str
        A key of `carsim.engine.tableaus.METHODS`.
    rtol : float
        Relative tolerance.
    atol : float64 array, shape (n_states,)
        Absolute tolerance of each state.
    atol_scale : float
        Factor on all of these.
    floors : float64 array, shape (n_states,), optional
        A state that falls through a positive floor is set to zero, as an event. A floor of zero
        is a pool that must not turn negative, see `carsim.engine.pools`. -inf for a signed state.
    max_step : float
        Largest step, in the model's time unit.
    stops, courses, rules, save, reductions : optional
        See `carsim.engine.plan`.
    n_items : int
        Items that stops and courses belong to; rule k is item ``n_items + k``.
    serial : int64 array, shape (n_patients,), optional
        Number of each patient, by which measurement errors are drawn; the position by default.
    max_steps : int
        Accepted and rejected steps a patient may take.
    threads : int, optional
        All processors that this process may use by default.
    log_capacity : int
        Lines of the event log kept a patient.
    progress : callable, optional
        Called in this thread now and then with (patients done, patients).
    cancelled : callable, optional
        Asked now and then; true stops all lanes after their current step.

    Returns
    -------
    Trajectories

    Raises
    ------
    KeyboardInterrupt
        After all threads have stopped.
    """
    n = len(y0)
    stops = stops or Stops.none()
    courses = courses or Courses.none()
    rules = rules or Rules.none(n)
    save = save or Save.nothing()
    reductions = reductions or Reductions.nothing()
    tableau = METHODS[method]
    lowest = _floats(np.full(program.n_states, -np.inf) if floors is None else floors)
    started = min(int(rules.limit.sum()), MOST_STARTED)
    searches = shared(reductions)
    looked = looked_at(program, stops, rules, save, reductions)
    sizes = {
        "lanes": program.lanes,
        "n_states": program.n_states,
        "n_values": looked.n_values,
        "n_jacobian": program.n_jacobian,
        "n_factors": program.n_factors,
        "n_all_parameters": program.n_all_parameters,
        "started": started,
        "order": tableau.error_order + 1,
        "max_steps": int(max_steps),
        "implicit": tableau.implicit,
        "autonomous": program.autonomous,
        "dying": bool(np.any(lowest > 0.0)),
        "ruling": len(rules) > 0,
        "watching": bool(rules.watched.any()),
        "reducing": len(searches.kind) > 0,
        "pools": bool(np.any(lowest == 0.0)),
        "observing": bool(np.any(save.sources >= program.n_states)),
        "capturing": stops.n_slots + rules.actions.n_slots > 0,
        "slots": stops.n_slots,
        "rule_slots": rules.actions.n_slots,
    }
    # Not filled beforehand: for large ensembles that would cost as much as the integration.
    saved = np.empty((n, len(save.sources), len(save.times)))
    capacity = log_capacity if sizes["dying"] or len(rules) else 0
    patients = Patients(
        y0=_floats(y0),
        parameters=_floats(p),
        span=_floats(np.array([np.broadcast_to(start, (n,)), np.broadcast_to(stop, (n,))])),
    )
    therapy = Therapy(
        n_items=n_items,
        serial=_own(np.arange(n) if serial is None else np.asarray(serial, dtype=np.int64)),
        stops=_schedule(stops),
        courses=_own(np.array([courses.kind, courses.target, courses.item], dtype=np.int64)),
        level=_floats(courses.level),
        rules=_rules(rules),
        rule_numbers=_floats(
            np.array([rules.wait, rules.spacing, rules.detection, rules.log_sd, rules.sd])
        ),
        threshold=_floats(rules.threshold),
        visit_time=_floats(rules.visit_time),
        actions=_schedule(rules.actions),
        leaves=looked.leaves,
        states=looked.states,
        infused=np.unique(courses.target[courses.kind == CourseKind.INPUT]).astype(np.int64),
    )
    wanted = Wanted(
        save_time=_floats(save.times),
        sources=_own(save.sources),
        kinds=_own(np.array([searches.kind, searches.source], dtype=np.int64)),
        bounds=_floats(np.array([searches.start, searches.stop, searches.threshold])),
        leaves=looked.leaves,
        states=looked.states,
    )
    log = Log(
        doses=np.zeros((n, n_items + len(rules)), dtype=np.int64),
        n_lines=np.zeros(n, dtype=np.int64),
        lines=np.full((3, n, capacity), np.nan),
    )
    written = Written(
        saved=saved.reshape(-1),
        metrics=np.full((2 * len(searches.kind), n), np.nan),
        ended=np.zeros((3, n), dtype=np.int64),
        final=np.full((n, 1 + program.n_states), np.nan),
        counters=np.zeros(8, dtype=np.int64),
    )
    written.ended[0] = Status.NOT_RUN
    # Compiled by now, or else here; `carsim.engine.warm` does that in several processes.
    engine = importlib.import_module("carsim.engine.compiled")
    observe = program.observing(looked.observables) if looked.observables else None
    reduce = _reductions() if len(searches.kind) else None
    rule = _rules_compiled() if len(rules) else None
    arguments = (
        np.array([sizes[name] for name in SIZES], dtype=np.int64),
        engine.compiled_start,
        engine.compiled_step,
        rule or engine.no_rules,
        reduce or engine.no_reductions,
        program.derive,
        program.rhs,
        program.jacobian,
        program.time_derivative,
        observe or engine.no_observables,
        program.switch,
        program.factor,
        program.solve,
        1.0 / tableau.gamma if tableau.implicit else 0.0,
        _own(tableau.a),
        _own(tableau.coupling),
        _own(np.array([tableau.b, tableau.c, tableau.d, tableau.error])),
        _own(np.pad(tableau.dense, ((0, 0), (0, -tableau.stages % 4)))),
        float(rtol),
        float(max_step),
        float(atol_scale),
        _floats(atol) * float(atol_scale),
        lowest,
        np.array(program.inclusive, dtype=np.int64),
        looked.sources,
        patients,
        therapy,
        wanted,
        log,
        written,
    )
    lanes_needed = -(-n // program.lanes)
    workers = max(1, min(threads or available_processors(), lanes_needed))
    _run(_driver(), workers, arguments, written.counters, n, progress, cancelled)
    saved[written.ended[0] == Status.NOT_RUN] = np.nan
    return Trajectories(
        saved=np.moveaxis(saved, 1, 0),
        metrics=written.metrics[searches.rows],
        status=written.ended[0],
        n_steps=written.ended[1],
        n_rejected=written.ended[2],
        final_time=written.final[:, 0],
        final_state=written.final[:, 1:],
        doses=log.doses,
        log_count=log.n_lines,
        log_time=log.lines[LINE_TIME],
        # A free line is NaN; what it would be as a whole number is nobody's business.
        log_event=np.nan_to_num(log.lines[LINE_EVENT]).astype(np.int64),
        log_value=log.lines[LINE_VALUE],
        lane_steps=int(written.counters[LANE_STEPS]),
    )


def _schedule(stops: Stops) -> Schedule:
    columns = [stops.kind, stops.index, stops.item, stops.counted, stops.factors]
    table = np.array(columns, dtype=np.int64)
    return Schedule(_own(stops.offsets), _own(table), _floats(np.array([stops.time, stops.value])))


def _rules(rules: Rules) -> IntArray:
    """Whole numbers of the rules; a last column holds the end of the last rule's visits."""
    table = np.zeros((N_RULE + len(rules), len(rules) + 1), dtype=np.int64)
    for row, values in (
        (SOURCE, rules.source),
        (DIRECTION, rules.direction),
        (LIMIT, rules.limit),
        (CONSECUTIVE, rules.consecutive),
        (AFTER, rules.after),
        (IDLE, rules.idle),
        (DURING, rules.during),
        (UNLESS, rules.unless.any(axis=1)),
        (CONTINUOUS, rules.watched),
        (STREAM, rules.stream),
        (EXACT, (rules.source >= 0) & (rules.detection + rules.log_sd + rules.sd == 0.0)),
    ):
        table[row, : len(rules)] = values
    table[VISITS] = rules.visits
    table[N_RULE:, : len(rules)] = rules.unless.T
    return table


def _driver() -> Callable[..., None]:
    from carsim.engine.driving import compiled_drive

    return compiled_drive


def _reductions() -> Callable[..., None]:
    from carsim.engine.reducing import compiled_reductions

    return compiled_reductions


def _rules_compiled() -> Callable[..., None]:
    from carsim.engine.ruling import compiled_rules

    return compiled_rules


def available_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _run(
    drive: Callable[..., None],
    workers: int,
    arguments: tuple[Any, ...],
    counters: np.ndarray,
    n: int,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Run the driver in threads; the calling thread watches and passes interrupts on."""
    failures: list[BaseException] = []

    def cancel() -> None:
        # First of all no lane finds another patient.
        counters[NEXT] = n
        counters[CANCEL] = 1

    def work() -> None:
        try:
            drive(*arguments)
        except BaseException as failure:
            failures.append(failure)
            cancel()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(POLL_SECONDS)
                if progress is not None:
                    progress(int(counters[DONE]), n)
                if cancelled is not None and cancelled():
                    cancel()
    except BaseException:
        cancel()
        for thread in threads:
            thread.join()
        raise
    if failures:
        raise failures[0]
    if progress is not None:
        progress(int(counters[DONE]), n)


def _floats(values: ArrayLike) -> FloatArray:
    return _own(np.asarray(values, dtype=np.float64))


def _own(array: np.ndarray) -> np.ndarray:
    """Contiguous and writable, as the compiled signature asks; copied only when it is not."""
    array = np.ascontiguousarray(array)
    return array if array.flags.writeable else array.copy()
