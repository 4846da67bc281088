"""How a sweep is cut into blocks, and what it will cost.

Trajectories are numbered through: cell by cell in C order, patient by patient within a cell. A
block is a range of these numbers; it knows everything it needs, so blocks can be computed in any
order, by any process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from carsim.errors import ScenarioError
from carsim.sweep.memory import available_memory, spelled
from carsim.sweep.sweep import Sweep

LARGEST_BLOCK = 16_384
SMALLEST_BLOCK = 256
BLOCK_MEMORY = 64 * 1024**2
MOST_TRAJECTORIES = 10**9
SHARE_OF_MEMORY = 0.8
#: Bytes of status, steps and rejected steps of a trajectory.
BOOKKEEPING = 2 + 4 + 4


@dataclass(frozen=True)
class Plan:
    """A sweep in blocks.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    block_size : int
        Trajectories in a block; the last one may be smaller.
    """

    sweep: Sweep
    block_size: int

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return -(-self.sweep.n_trajectories // self.block_size)

    def block(self, number: int) -> range:
        """Trajectories of one block."""
        first = number * self.block_size
        return range(first, min(first + self.block_size, self.sweep.n_trajectories))

    def __iter__(self) -> Iterator[range]:
        return (self.block(number) for number in range(self.n_blocks))


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take.

    Attributes
    ----------
    cells, patients, trajectories : int
        Cells, patients in each, and simulations in all.
    variables : int
        Numbers kept of each trajectory.
    output : int
        Bytes of the result.
    block : int
        Bytes of the largest block beside it.
    available : int
        Bytes that the machine has left.
    """

    cells: int
    patients: int
    trajectories: int
    variables: int
    output: int
    block: int
    available: int

    def lines(self) -> list[str]:
        """Say it in words."""
        return [
            f"{self.cells:,} cells x {self.patients:,} patients = "
            f"{self.trajectories:,} trajectories",
            f"{self.variables} numbers of each: a result of {spelled(self.output)}, computed in "
            f"{spelled(self.output + self.block)} of memory ({spelled(self.available)} available)",
        ]

    def check(self) -> None:
        """Refuse what cannot end well.

        Raises
        ------
        ScenarioError
            With the numbers.
        """
        what = " ".join(self.lines()[:1])
        if self.trajectories > MOST_TRAJECTORIES:
            raise ScenarioError(
                f"sweep: {what} are more than {MOST_TRAJECTORIES:,}. Use fewer patients or "
                f"values, or a latin_hypercube or sobol design in place of a grid."
            )
        if self.output + self.block > SHARE_OF_MEMORY * self.available:
            raise ScenarioError(
                f"sweep: {what}; the result needs {spelled(self.output + self.block)} of memory, "
                f"of which {spelled(self.available)} are available. Use fewer patients or values, "
                f"or keep fewer endpoints."
            )


def make_plan(sweep: Sweep, block_size: int | None = None) -> Plan:
    """Cut a sweep into blocks.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    block_size : int, optional
        Trajectories in a block; by default as many as need about 64 MB. Results do not depend
        on it.
    """
    if block_size is None:
        fitting = int(BLOCK_MEMORY / _bytes_in_flight(sweep))
        block_size = max(SMALLEST_BLOCK, min(LARGEST_BLOCK, fitting))
    if block_size < 1:
        raise ScenarioError(f"sweep: block_size = {block_size} must be 1 or more.")
    return Plan(sweep, block_size)


def estimate(sweep: Sweep, block_size: int | None = None) -> Estimate:
    """Work out what a sweep will take, without running it.

    Parameters
    ----------
    sweep : Sweep
        What would be simulated.
    block_size : int, optional
        As for `make_plan`.

    Returns
    -------
    Estimate
    """
    from carsim.sweep.variables import sampled_dims, variables_of

    variables = len(variables_of(sweep))
    cells, patients, total = sweep.n_cells, sweep.n_patients, sweep.n_trajectories
    coordinates = 16 * patients  # the patients' numbers and labels
    shape = dict(zip(sweep.design.dims, sweep.design.shape, strict=True))
    for dims in sampled_dims(sweep).values():
        coordinates += 8 * patients * int(np.prod([shape[dim] for dim in dims], dtype=np.float64))
    plan = make_plan(sweep, block_size)
    return Estimate(
        cells=cells,
        patients=patients,
        trajectories=total,
        variables=variables,
        output=total * (8 * variables + BOOKKEEPING) + coordinates,
        block=int(min(plan.block_size, total) * _bytes_in_flight(sweep)),
        available=available_memory(),
    )


def _bytes_in_flight(sweep: Sweep) -> float:
    """Memory of one trajectory while it is computed."""
    model = sweep.scenario.model
    needs = sweep.requirements(sweep.scenario).values()
    outputs = {name for need in needs for name in need.outputs}
    times = {float(time) for need in needs for time in need.save_at}
    metrics = sum(len(need.metrics) for need in needs) + len(sweep.scenario.metrics)
    # Parameters and states exist as given, as checked, and as the engine's own copy.
    numbers = 4 * len(model.parameters) + 5 * len(model.states)
    return 8.0 * (numbers + 2 * len(outputs) * len(times) + 2 * metrics + 64)
