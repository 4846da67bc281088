"""Start threads on an ensemble, watch them, stop them."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from carsim.engine import warm
from carsim.engine.driver import SIZES
from carsim.engine.layout import CANCEL, DONE, LANE_STEPS, NEXT
from carsim.engine.plan import (
    Action,
    Events,
    FloatArray,
    Progress,
    Reductions,
    Save,
    Stops,
    Trajectories,
)
from carsim.engine.program import Program
from carsim.engine.status import Status
from carsim.engine.tableaus import METHODS

LOG_CAPACITY = 64
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
    floors: FloatArray | None = None,
    stops: Stops | None = None,
    events: Events | None = None,
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
    floors : float64 array, shape (n_states,), optional
        A state that falls through a positive floor is set to zero, as an event. A floor of zero
        is a pool that must not turn negative, see `carsim.engine.pools`. -inf for a signed state.
    stops, events, save, reductions : optional
        See `carsim.engine.plan`.
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
    stops = stops or Stops.none(n)
    events = events or Events.none(n)
    save = save or Save.nothing()
    reductions = reductions or Reductions.nothing()
    tableau = METHODS[method]
    lowest = _floats(np.full(program.n_states, -np.inf) if floors is None else floors)
    following = len(events.source) > 0 or len(reductions.kind) > 0
    inputs = np.concatenate([stops.kind, events.action_kind]) == Action.SET_INPUT
    sizes = {
        "lanes": program.lanes,
        "n_states": program.n_states,
        "n_values": program.n_states + program.n_observables,
        "n_jacobian": program.n_jacobian,
        "n_factors": program.n_factors,
        "order": tableau.error_order + 1,
        "max_steps": int(max_steps),
        "implicit": tableau.implicit,
        "autonomous": program.autonomous,
        "infusing": bool(inputs.any()),
        "dying": bool(np.any(lowest > 0.0)),
        "following": following,
        "pools": bool(np.any(lowest == 0.0)),
        "observing": bool(np.any(save.sources >= program.n_states)),
    }
    # Not filled beforehand: for large ensembles that would cost as much as the integration.
    # By patient and time first, so that what is known at one moment goes to one place in memory.
    saved = np.empty((n, len(save.times), len(save.sources)))
    metrics = np.full((len(reductions.kind), n), np.nan)
    ended = np.zeros((3, n), dtype=np.int64)
    ended[0] = Status.NOT_RUN
    final = np.full((n, 1 + program.n_states), np.nan)
    capacity = log_capacity if sizes["dying"] or len(events.source) else 0
    log_count = np.zeros(n, dtype=np.int64)
    log_event = np.zeros((n, capacity), dtype=np.int64)
    log_number = np.full((2, n, capacity), np.nan)
    counters = np.zeros(8, dtype=np.int64)
    follow = _follow() if following else None
    engine = _engine()
    arguments = (
        np.array([sizes[name] for name in SIZES], dtype=np.int64),
        engine.compiled_start,
        engine.compiled_step,
        follow or engine.compiled_ignore,
        program.derive,
        program.rhs,
        program.jacobian,
        program.time_derivative,
        program.observe,
        program.factor,
        program.solve,
        1.0 / tableau.gamma if tableau.implicit else 0.0,
        _own(tableau.a),
        _own(tableau.coupling),
        _own(np.array([tableau.b, tableau.c, tableau.d, tableau.error])),
        _own(np.pad(tableau.dense, ((0, 0), (0, -tableau.stages % 4)))),
        _floats(y0),
        _floats(p),
        program.n_parameters + program.n_derived,
        _floats(np.array([np.broadcast_to(start, (n,)), np.broadcast_to(stop, (n,))])),
        float(rtol),
        _floats(atol),
        lowest,
        _own(stops.offsets),
        _floats(stops.time),
        _own(np.array([stops.kind, stops.index], dtype=np.int64)),
        _floats(stops.value),
        _own(np.array([events.source, events.direction, events.limit], dtype=np.int64)),
        _floats(events.threshold),
        _own(events.action_offsets),
        _own(np.array([events.action_kind, events.action_index], dtype=np.int64)),
        _floats(events.action_value),
        _floats(save.times),
        _own(save.sources),
        _own(np.array([reductions.kind, reductions.source], dtype=np.int64)),
        _floats(np.array([reductions.start, reductions.stop, reductions.threshold])),
        saved.reshape(-1),
        metrics,
        ended,
        final,
        log_count,
        log_event,
        log_number,
        counters,
    )
    lanes_needed = -(-n // program.lanes)
    workers = max(1, min(threads or available_processors(), lanes_needed))
    _run(engine.compiled_drive, workers, arguments, counters, n, progress, cancelled)
    saved[ended[0] == Status.NOT_RUN] = np.nan
    return Trajectories(
        saved=np.moveaxis(saved, 2, 0),
        metrics=metrics,
        status=ended[0],
        n_steps=ended[1],
        n_rejected=ended[2],
        final_time=final[:, 0],
        final_state=final[:, 1:],
        log_count=log_count,
        log_time=log_number[0],
        log_event=log_event,
        log_value=log_number[1],
        lane_steps=int(counters[LANE_STEPS]),
    )


def _engine() -> ModuleType:
    warm.finish()
    return importlib.import_module("carsim.engine.compiled")


def _follow() -> Callable[..., None]:
    from carsim.engine.following import compiled_follow

    return compiled_follow


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
        counters[CANCEL] = 1
        # No lane finds another patient.
        counters[NEXT] = n

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
