"""One block of a sweep: a range of trajectories in, arrays out. Depends on nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carsim.dataset import describe_failure, numbers_of
from carsim.engine.status import Status
from carsim.population import Cohort, Population
from carsim.progress import Progress, counted_from
from carsim.scenario import Keep, Scenario, keep_of, prepare
from carsim.sweep.axes import put_vectors, replaced
from carsim.sweep.sweep import Sweep

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class BlockResult:
    """Everything that is kept of a range of trajectories.

    Attributes
    ----------
    trajectories : range
        Their numbers in the sweep.
    values : dict of str to float64 array, shape (n,)
        Endpoints and metrics; NaN for failed patients.
    status : int16 array, shape (n,)
        How each ended, see `carsim.engine.status`.
    n_steps, n_rejected : int32 arrays, shape (n,)
        Accepted and rejected steps.
    sampled : dict of str to float64 array, shape (n,)
        Drawn parameters.
    component : int16 array, shape (n,)
        Component of the mixture; -1 without one.
    failure : str
        Words about the first failed patient; empty if none failed.
    """

    trajectories: range
    values: dict[str, Array]
    status: NDArray[np.int16]
    n_steps: NDArray[np.int32]
    n_rejected: NDArray[np.int32]
    sampled: dict[str, Array]
    component: NDArray[np.int16]
    failure: str


@dataclass(frozen=True)
class _Part:
    """Trajectories of a block that one engine call can solve."""

    rows: Indices
    scenario: Scenario
    cohort: Cohort
    keep: Keep


def compute_block(
    sweep: Sweep, trajectories: range, progress: Progress | None = None
) -> BlockResult:
    """Simulate a range of trajectories.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    trajectories : range
        Numbers of the trajectories: cell times patients, plus patient.
    progress : callable, optional
        Called with (done, trajectories of the block).

    Returns
    -------
    BlockResult
        The numbers of a trajectory do not depend on the range it is computed in.
    """
    from carsim.simulation import solve  # compiles; reading and planning a sweep needs none of it

    n = len(trajectories)
    status = np.full(n, int(Status.NOT_RUN), dtype=np.int16)
    steps, rejected = np.zeros(n, dtype=np.int32), np.zeros(n, dtype=np.int32)
    component = np.full(n, -1, dtype=np.int16)
    values: dict[str, Array] = {}
    sampled: dict[str, Array] = {}
    failure = ""
    done = 0
    for part in _parts(sweep, trajectories):
        prepared = prepare(part.scenario, part.cohort, part.keep)
        solved = solve(prepared, progress=counted_from(progress, done, n))
        done += len(part.rows)
        status[part.rows] = solved.status
        steps[part.rows] = solved.n_steps
        rejected[part.rows] = solved.n_rejected
        for name, found in numbers_of(prepared, solved).items():
            _column(values, name, n)[part.rows] = found.values
        for name in part.cohort.sampled:
            _column(sampled, name, n)[part.rows] = part.cohort.parameters[name]
        component[part.rows] = _components(sweep, part.cohort)
        failed = np.flatnonzero(solved.status != Status.SUCCESS)
        if failed.size and not failure:
            failure = describe_failure(prepared, solved, int(failed[0]))
    return BlockResult(trajectories, values, status, steps, rejected, sampled, component, failure)


def _parts(sweep: Sweep, trajectories: range) -> Iterator[_Part]:
    """Cut a block where cells differ in more than numbers, and put the numbers side by side."""
    numbers = np.arange(trajectories.start, trajectories.stop, dtype=np.int64)
    cells, patients = np.divmod(numbers, sweep.n_patients)
    # The values of an axis repeat for all patients of a cell: look them up once a cell.
    unique, where = np.unique(cells, return_inverse=True)
    columns = sweep.design.columns(unique)
    structural = [axis.path for axis in sweep.structural]
    for combination, members in _combinations([columns[path] for path in structural], len(unique)):
        scenario = sweep.scenario
        for path, value in zip(structural, combination, strict=True):
            scenario = replaced(scenario, path, value)
        rows = np.flatnonzero(members[where])
        vectors = {axis.path: columns[axis.path][where[rows]] for axis in sweep.vectors}
        membership = None
        if sweep.membership is not None:
            labels = columns[sweep.membership.path][where[rows]]
            membership = _indices(sweep, labels)
        yield _part(sweep, scenario, rows, patients[rows], vectors, membership)


def _combinations(
    columns: list[NDArray[np.generic]], n: int
) -> Iterator[tuple[list[object], NDArray[np.bool_]]]:
    """Distinct rows of some columns, and where they are."""
    codes = np.zeros(n, dtype=np.int64)
    for column in columns:
        levels, code = np.unique(column, return_inverse=True)
        codes = codes * len(levels) + code
    for code in np.unique(codes):
        members = codes == code
        first = int(np.argmax(members))
        yield [column[first] for column in columns], members


def _part(
    sweep: Sweep,
    scenario: Scenario,
    rows: Indices,
    patients: Indices,
    vectors: dict[str, NDArray[np.generic]],
    membership: Indices | None,
) -> _Part:
    model = scenario.model
    parameters, initial, therapy = put_vectors(scenario, vectors, patients)
    cohort = Cohort(patients, {}, {}, ())
    if scenario.population is not None:
        cohort = scenario.population.sample(
            model, parameters, scenario.variants, patients=patients, membership=membership
        )
    stop = scenario.stop
    side_by_side = Scenario(
        model,
        parameters=parameters,
        variants=scenario.variants,
        therapy=therapy,
        # Says how many there are; who they are says the cohort.
        population=Population(len(rows), seed=_seed(sweep.scenario)),
        start=scenario.start,
        stop=stop[patients] if isinstance(stop, np.ndarray) else stop,
        ids=None if scenario.ids is None else [scenario.ids[patient] for patient in patients],
        save_at=[],
        initial=initial,
        solver=scenario.solver,
    )
    # Of the whole scenario: an endpoint must not see where a block ends.
    return _Part(rows, side_by_side, cohort, keep_of(scenario, courses=False))


def _seed(scenario: Scenario) -> int:
    """Root of what the therapy draws; the same in all cells, so that their patients compare."""
    return 0 if scenario.population is None else scenario.population.seed


def _indices(sweep: Sweep, labels: NDArray[np.generic]) -> Indices:
    population = sweep.scenario.population
    assert population is not None
    assert population.mixture is not None
    distinct, code = np.unique(labels, return_inverse=True)
    return np.array([population.mixture.index(str(label)) for label in distinct])[code]


def _components(sweep: Sweep, cohort: Cohort) -> Indices | int:
    population = sweep.scenario.population
    if population is None or population.mixture is None:
        return -1
    return _indices(sweep, cohort.labels[population.mixture.name])


def _column(columns: dict[str, Array], name: str, n: int) -> Array:
    if name not in columns:
        columns[name] = np.full(n, np.nan)
    return columns[name]
