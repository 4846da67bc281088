"""What a sweep will take, before it is run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from carsim.errors import ScenarioError
from carsim.sweep.memory import available_memory, spelled
from carsim.sweep.plan import bytes_in_flight, make_plan
from carsim.sweep.sweep import Sweep

SHARE_OF_MEMORY = 0.8
#: Bytes of status, steps and rejected steps of a trajectory.
BOOKKEEPING = 2 + 4 + 4


@dataclass(frozen=True)
class Estimate:
    """What a sweep will take.

    Attributes
    ----------
    cells, patients, trajectories : int
        Cells, patients in each, and simulations in all.
    variables : int
        Numbers kept of each trajectory.
    blocks : int
        Blocks that are computed one after the other.
    output : int
        Bytes of the result.
    block : int
        Bytes of memory while a block is computed.
    """

    cells: int
    patients: int
    trajectories: int
    variables: int
    blocks: int
    output: int
    block: int

    def lines(self) -> list[str]:
        """Say it in words."""
        blocks = "one block" if self.blocks == 1 else f"{self.blocks:,} blocks"
        return [
            f"{self.cells:,} cells x {self.patients:,} patients = "
            f"{self.trajectories:,} trajectories",
            f"{self.variables} numbers of each: a result of {spelled(self.output)}, computed in "
            f"{blocks} of {spelled(self.block)}",
        ]

    def check_memory(self) -> None:
        """Refuse a result that memory cannot hold.

        Raises
        ------
        ScenarioError
            With the numbers.
        """
        needed, available = self.output + self.block, available_memory()
        if needed > SHARE_OF_MEMORY * available:
            raise ScenarioError(
                f"sweep: {self.lines()[0]}; the result needs {spelled(needed)} of memory, of which "
                f"{spelled(available)} are available. Write it to a folder as it is computed "
                f"(carsim sweep --out FOLDER, carsim.sweep.run_to_store), or keep less of it."
            )

    def check_disk(self, folder: Path) -> None:
        """Refuse a result that a disk cannot hold.

        Parameters
        ----------
        folder : Path
            Where it shall be written; need not exist.

        Raises
        ------
        ScenarioError
            With the numbers.
        """
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if self.output > free:
            raise ScenarioError(
                f"sweep: {self.lines()[0]}; the result needs up to {spelled(self.output)} on the "
                f"disk of {folder}, where {spelled(free)} are free. Choose another place, or keep "
                f"fewer patients, values or endpoints."
            )
        if self.block > SHARE_OF_MEMORY * available_memory():
            raise ScenarioError(
                f"sweep: a block needs {spelled(self.block)} of memory, of which "
                f"{spelled(available_memory())} are available. Give a smaller block_size."
            )


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
    from carsim.sweep.variables import sampled_dims

    variables = len(sweep.keep.numbers)
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
        blocks=plan.n_blocks,
        output=total * (8 * variables + BOOKKEEPING) + coordinates,
        block=int(min(plan.block_size, total) * bytes_in_flight(sweep)),
    )
