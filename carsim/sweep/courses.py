"""Whole courses of some patients of a cell, simulated again: the sweep kept endpoints only."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim.dataset import assemble
from carsim.population import Cohort, Population
from carsim.scenario import Scenario, prepare
from carsim.sweep.axes import put_vectors, replaced
from carsim.sweep.sweep import Sweep

if TYPE_CHECKING:
    import xarray as xr

MOST_PATIENTS = 200


def courses(sweep: Sweep, cell: int, patients: int = MOST_PATIENTS) -> xr.Dataset:
    """Simulate the first patients of a cell again, with courses and the event log.

    They are the virtual patients of the sweep: same draw, same hazards, same bits.

    Parameters
    ----------
    sweep : Sweep
        What was simulated; its scenario's `outputs` and `save_at` say what is saved.
    cell : int
        Number of the cell, in C order for a grid.
    patients : int, optional
        How many at most.

    Returns
    -------
    xarray.Dataset
        As `carsim.simulate` returns it, with the dimension ``patient``, also for a sweep without a
        population. Metrics and endpoints are in it, unless patients have their own stop.

    Raises
    ------
    IndexError
        No such cell.
    ValueError
        Fewer than one patient.
    """
    if not 0 <= cell < sweep.n_cells:
        raise IndexError(f"cell {cell}: the sweep has the cells 0 to {sweep.n_cells - 1}.")
    if patients < 1:
        raise ValueError(f"patients = {patients}: at least one.")
    first = np.arange(min(patients, sweep.n_patients), dtype=np.int64)
    return simulated(sweep, scenario_of(sweep, cell), first)


def scenario_of(sweep: Sweep, cell: int) -> Scenario:
    """Scenario of one cell, with the values of all axes put in.

    Parameters
    ----------
    sweep : Sweep
        What was simulated.
    cell : int
        Number of the cell.
    """
    scenario = sweep.scenario
    for path, column in sweep.design.columns(np.array([cell])).items():
        scenario = replaced(scenario, path, column[0])
    return scenario


def simulated(sweep: Sweep, scenario: Scenario, patients: NDArray[np.int64]) -> xr.Dataset:
    """Simulate some patients of a cell, as they are in the whole population.

    Parameters
    ----------
    sweep : Sweep
        The sweep that the cell belongs to.
    scenario : Scenario
        Scenario of one cell.
    patients : int64 array, shape (n,)
        Indices in its population.

    Returns
    -------
    xarray.Dataset
        Dimensions ``patient`` and ``time``.
    """
    from carsim.simulation import solve_all  # compiles; reading and planning needs none of it

    population, root = scenario.population, sweep.scenario.population
    parameters, initial, therapy = put_vectors(scenario, {}, patients)
    own_stops: dict[str, Any] = {}
    if isinstance(scenario.stop, np.ndarray):
        # What is kept up to the last stop of all may lie beyond that of these patients.
        stops = scenario.stop[patients]
        own_stops = {"stop": stops, "metrics": {}, "endpoints": {}}
        if scenario.save_at is not None:
            times = np.asarray(scenario.save_at)
            own_stops["save_at"] = times[times <= stops.max()]
    chosen = dataclasses.replace(
        scenario,
        parameters=parameters,
        initial=initial,
        therapy=therapy,
        ids=None if scenario.ids is None else [scenario.ids[patient] for patient in patients],
        **own_stops,
        # Says how many there are, and the root of what the therapy draws, which is the same in all
        # cells; who they are says the cohort.
        population=Population(len(patients), seed=0 if root is None else root.seed),
    )
    cohort = Cohort(patients, {}, {}, ())
    if population is not None:
        cohort = population.sample(scenario.model, parameters, scenario.variants, patients=patients)
    prepared = prepare(chosen, cohort)
    return assemble(prepared, solve_all(prepared))
