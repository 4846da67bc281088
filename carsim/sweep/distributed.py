"""Blocks on other processes and machines, through ``dask.distributed``.

Every worker gets the sweep once, compiles once, and writes its own chunks into the store's folder,
which all machines must share. A task is the number of a block; what comes back is one line for the
journal. Nothing is gathered, and only a few tasks a worker are known to the scheduler at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carsim.errors import CarsimError
from carsim.sweep.block import compute_block
from carsim.sweep.store.journal import Entry
from carsim.sweep.sweep import Sweep


@dataclass(frozen=True)
class DaskWorkers:
    """Workers of a Dask cluster.

    Parameters
    ----------
    scheduler : str, optional
        Address of a scheduler that runs, such as ``"tcp://10.0.0.1:8786"``.
    local_processes : int, optional
        Without a scheduler: number of worker processes to start on this machine, and to end
        afterwards.
    client : distributed.Client, optional
        A client that exists, in place of both.

    Raises
    ------
    CarsimError
        The package is not installed, or neither is given.
    """

    scheduler: str | None = None
    local_processes: int | None = None
    client: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.scheduler is None and self.local_processes is None and self.client is None:
            raise CarsimError(
                "DaskWorkers: say who works: scheduler = 'tcp://HOST:PORT', local_processes = 4, "
                "or a client."
            )
        try:
            import distributed  # noqa: F401
        except ImportError:
            raise CarsimError(
                "sweeps over several processes need dask.distributed: pip install 'carsim[dask]'."
            ) from None

    def compute(self, sweep: Sweep, folder: Path, blocks: Sequence[int]) -> Iterator[Entry]:
        """Compute blocks and write them; yield what the journal shall say, in any order.

        Parameters
        ----------
        sweep : Sweep
            What is simulated.
        folder : Path
            The store, under the same path on all machines.
        blocks : sequence of int
            Numbers of the blocks.

        Yields
        ------
        Entry
            As soon as a block is on the disk.

        Raises
        ------
        CarsimError
            No worker, other versions there, a block that fails again and again.
        """
        if not blocks:
            return
        # One task a thread of a worker: the threads of the engine would compete with each other.
        sweep = dataclasses.replace(sweep, scenario=sweep.scenario.replace("solver.threads", 1))
        # The first to compile fills the cache; processes on this machine then load from it.
        compute_block(sweep, range(1))
        from carsim.sweep.dask_tasks import compute

        with self._connected() as client:
            yield from compute(client, sweep, folder.absolute(), blocks)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        import distributed

        if self.client is not None:
            yield self.client
            return
        with contextlib.ExitStack() as stack:
            address: Any = self.scheduler
            if address is None:
                address = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=self.local_processes,
                        threads_per_worker=1,
                        processes=True,
                        dashboard_address=None,
                    )
                )
            try:
                client = distributed.Client(address)
            except (OSError, ValueError) as error:
                raise CarsimError(
                    f"--scheduler {self.scheduler}: no scheduler answers ({error}). Give the "
                    f"address that 'dask scheduler' prints, such as tcp://HOST:8786."
                ) from None
            yield stack.enter_context(client)
