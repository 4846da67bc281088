"""From a scenario to a result: prepare, solve, assemble."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from carsim.dataset import assemble, describe_failure
from carsim.endpoints import Endpoint
from carsim.engine import warm
from carsim.engine.integrate import LOG_CAPACITY, integrate
from carsim.engine.looked import looked_at
from carsim.engine.plan import SAME_INSTANT, Rules, Trajectories
from carsim.engine.status import Status
from carsim.errors import ScenarioError, SolverError
from carsim.kernels.compile import compile_model
from carsim.metrics import Metric
from carsim.model import Model
from carsim.population import Population
from carsim.progress import Progress, counted_from
from carsim.registry import load_model
from carsim.scenario import Prepared, Scenario, Solver, prepare
from carsim.therapy import Item, most_actions
from carsim.therapy.values import FloatArray, PerPatient

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["prepare", "simulate", "solve"]

MOST_ROWS = 1_000_000
"""Scheduled actions laid out in memory at a time (about 40 bytes each, several times over)."""

FEWEST_PATIENTS = 1024

ATOL_OF_CHECK = 1e-6
LEAST_STEPS = 1000
"""Factor on the absolute tolerances, and least steps, of a run that checks the tolerances."""


class _Given:
    """Marks a keyword that was not given, where None has a meaning."""


_NOT_GIVEN: Any = _Given()


def simulate(
    model: Model | Scenario | str,
    *,
    parameters: Mapping[str, PerPatient] = _NOT_GIVEN,
    variants: Sequence[str] = _NOT_GIVEN,
    therapy: Mapping[str, Item] = _NOT_GIVEN,
    population: Population | None = _NOT_GIVEN,
    start: float = _NOT_GIVEN,
    stop: PerPatient = _NOT_GIVEN,
    infusion: float = _NOT_GIVEN,
    save_at: Sequence[float] | FloatArray | None = _NOT_GIVEN,
    outputs: Sequence[str] | None = _NOT_GIVEN,
    metrics: Mapping[str, Metric] = _NOT_GIVEN,
    endpoints: Mapping[str, Endpoint] = _NOT_GIVEN,
    ids: Sequence[str] | None = _NOT_GIVEN,
    initial: Mapping[str, PerPatient] = _NOT_GIVEN,
    solver: Solver = _NOT_GIVEN,
    check_tolerance: bool = _NOT_GIVEN,
    on_failure: Literal["record", "raise"] = "record",
    progress: Progress | None = None,
) -> xr.Dataset:
    """Simulate one patient or a population.

    Parameters
    ----------
    model : Model, str or Scenario
        Model or its name; or a scenario, in which the other arguments replace whole fields.
    parameters, variants, therapy, population, start, stop, infusion, save_at, outputs, metrics, \
endpoints, ids, initial, solver, check_tolerance
        See `carsim.scenario.Scenario`.
    on_failure : {"record", "raise"}
        What happens if a patient's integration does not reach the end. ``"record"``: the patient
        is NaN with a status, and ``result.attrs["failures"]`` says why. ``"raise"``: SolverError.
    progress : callable, optional
        Called with (patients done, patients) now and then.

    Returns
    -------
    xarray.Dataset
        Outputs with dimensions ``(time,)`` for one patient, ``(patient, time)`` for a population
        or if any value is an array; metrics, endpoints, status, event log. See `carsim.dataset`.
        More than 1000 patients keep courses only if `outputs` or `save_at` are given.

    Raises
    ------
    ScenarioError
        Something that was asked for makes no sense.
    SolverError
        A patient failed, with ``on_failure="raise"``.

    Examples
    --------
    >>> result = simulate("stein_2019", stop=28.0)  # doctest: +SKIP
    >>> float(result.total.max())  # doctest: +SKIP
    """
    if on_failure not in ("record", "raise"):
        raise ScenarioError(f'on_failure = {on_failure!r}. Give "record" or "raise".')
    fields = {
        "parameters": parameters,
        "variants": variants,
        "therapy": therapy,
        "population": population,
        "start": start,
        "stop": stop,
        "infusion": infusion,
        "save_at": save_at,
        "outputs": outputs,
        "metrics": metrics,
        "endpoints": endpoints,
        "ids": ids,
        "initial": initial,
        "solver": solver,
        "check_tolerance": check_tolerance,
    }
    given: dict[str, Any] = {
        name: value for name, value in fields.items() if value is not _NOT_GIVEN
    }
    if isinstance(model, Scenario):
        scenario = dataclasses.replace(model, **given) if given else model
    else:
        found = load_model(model) if isinstance(model, str) else model
        scenario = Scenario(found, **given)
    prepared = prepare(scenario)
    trajectories = solve_all(prepared, progress)
    if on_failure == "raise":
        _raise_first_failure(prepared, trajectories)
    check = None
    if scenario.check_tolerance:
        finer = scenario.replace("solver", _stricter(scenario))
        check = solve_all(dataclasses.replace(prepared, scenario=finer), progress)
    return assemble(prepared, trajectories, check)


def solve(
    prepared: Prepared,
    first: int = 0,
    last: int | None = None,
    *,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Trajectories:
    """Integrate a range of patients; arrays in, arrays out.

    Nothing raises for numerical reasons: look at ``status``. The numbers of a patient do not depend
    on the range.

    Parameters
    ----------
    prepared : Prepared
        Result of `prepare`.
    first, last : int
        Range of patients, `last` exclusive; all by default.
    progress : callable, optional
        Called with (patients done, patients of the range).
    cancel : callable, optional
        Asked now and then; true ends all integrations with status CANCELLED.

    Returns
    -------
    Trajectories
        ``saved`` in the order of ``prepared.outputs``, ``metrics`` in that of ``prepared.metrics``.
    """
    solver = prepared.scenario.solver
    block = prepared.block(first, last)
    with warm.compiling(rules=bool(prepared.rules), reductions=len(prepared.reductions.kind) > 0):
        program = compile_model(
            prepared.model,
            driven=prepared.sources.driven,
            integrals=prepared.sources.integrals,
            readings=prepared.sources.readings,
        )
        looked = looked_at(
            program, block.therapy.stops, block.therapy.rules, prepared.save, prepared.reductions
        )
        if looked.observables:
            program.observing(looked.observables)
    trajectories = integrate(
        program,
        block.y0,
        block.p,
        prepared.scenario.start,
        block.stop,
        method=solver.method,
        rtol=solver.rtol,
        atol=prepared.atol,
        atol_scale=solver.atol_scale,
        floors=prepared.floors,
        max_step=math.inf if solver.max_step is None else solver.max_step,
        stops=block.therapy.stops,
        courses=block.therapy.courses,
        rules=block.therapy.rules,
        n_items=block.therapy.n_items,
        serial=block.serial,
        save=prepared.save,
        reductions=prepared.reductions,
        max_steps=solver.max_steps,
        threads=solver.threads,
        log_capacity=_log_capacity(prepared, block.therapy.rules),
        progress=progress,
        cancelled=cancel,
    )
    for missing in block.therapy.unsteady:
        # Who was given it by name, and not who had stopped before or was spared it by a rule.
        status = trajectories.status[missing.patients]
        apart = np.abs(trajectories.final_time[missing.patients] - missing.time)
        here = apart <= SAME_INSTANT * np.maximum(np.abs(missing.time), 1.0)
        met = missing.patients[here & (status != Status.SUCCESS)]
        trajectories.status[met] = Status.NO_STEADY_STATE
    return trajectories


def solve_all(
    prepared: Prepared,
    progress: Progress | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Trajectories:
    """Integrate all patients, in ranges whose therapy tables fit into memory.

    Parameters
    ----------
    prepared : Prepared
        Result of `prepare`.
    progress : callable, optional
        Called with (patients done, patients).
    cancel : callable, optional
        As for `solve`.

    Returns
    -------
    Trajectories
    """
    total = prepared.n_patients
    size = prepared.scenario.solver.block_size or _patients_at_a_time(prepared)
    if size >= total:
        return solve(prepared, progress=progress, cancel=cancel)
    whole: dict[str, Any] = {}
    lane_steps = 0
    for first in range(0, total, size):
        last = min(first + size, total)
        report = counted_from(progress, first, total)
        part = solve(prepared, first, last, progress=report, cancel=cancel)
        lane_steps += part.lane_steps
        _copy_into(whole, part, first, last, total)
    return Trajectories(**whole, lane_steps=lane_steps)


def _stricter(scenario: Scenario) -> Solver:
    """Tolerances that show what those of a scenario hide.

    A tenth of the relative one, next to nothing of the absolute ones (a state may vanish beside
    these and come back), and steps that pass over nothing that lasts a thousandth of the run.
    """
    solver = scenario.solver
    step = (scenario.last_stop - scenario.start) / LEAST_STEPS
    return dataclasses.replace(
        solver,
        rtol=max(solver.rtol / 10.0, 1e-13),
        atol_scale=max(solver.atol_scale * ATOL_OF_CHECK, 1e-12),
        max_step=min(step, math.inf if solver.max_step is None else 0.5 * solver.max_step),
    )


def _copy_into(
    whole: dict[str, Any], part: Trajectories, first: int, last: int, total: int
) -> None:
    """Put a range of patients into the arrays of all patients, which are made on first use."""
    for field in dataclasses.fields(Trajectories):
        values = getattr(part, field.name)
        if not isinstance(values, np.ndarray):
            continue
        axis = 1 if field.name in ("saved", "metrics") else 0
        shape = (*values.shape[:axis], total, *values.shape[axis + 1 :])
        if field.name not in whole:
            whole[field.name] = np.empty(shape, values.dtype)
        whole[field.name][(slice(None),) * axis + (slice(first, last),)] = values


def _patients_at_a_time(prepared: Prepared) -> int:
    """Patients whose scheduled actions are about `MOST_ROWS` rows."""
    scenario = prepared.scenario
    rows = most_actions(prepared.model, scenario.items, scenario.stop)
    return max(FEWEST_PATIENTS, MOST_ROWS // max(rows, 1))


def _log_capacity(prepared: Prepared, rules: Rules) -> int:
    """Lines of the event log that a patient can need: two extinctions a pool, all firings."""
    extinctions = 2 * int((prepared.floors > 0.0).sum())
    return min(int(rules.limit.sum()) + extinctions, LOG_CAPACITY)


def _raise_first_failure(prepared: Prepared, trajectories: Trajectories) -> None:
    failed = np.flatnonzero(trajectories.status != Status.SUCCESS)
    if failed.size:
        message = describe_failure(prepared, trajectories, int(failed[0]))
        if failed.size > 1:
            message += f" {failed.size - 1} more of {prepared.n_patients} patients failed."
        raise SolverError(message)
