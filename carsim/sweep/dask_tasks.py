"""What runs inside a Dask cluster: the companion of a sweep in every worker, and its tasks.

Imports ``distributed``, so it is imported only when a cluster is asked for.
"""

from __future__ import annotations

import contextlib
import pickle
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import distributed

from carsim._version import __version__
from carsim.errors import CarsimError
from carsim.sweep.block import compute_block
from carsim.sweep.store.folder import Store
from carsim.sweep.store.journal import Entry
from carsim.sweep.store.run import complete_block
from carsim.sweep.sweep import Sweep

TASKS_A_THREAD = 2  # one that runs, and the next
RETRIES = 3
SECONDS_FOR_A_WORKER = 60


class Companion(distributed.WorkerPlugin):
    """What a worker keeps of a sweep; set up once in every worker process, also in late ones.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    folder : Path
        The store.
    """

    def __init__(self, sweep: Sweep, folder: Path) -> None:
        self.folder, self.version = folder, __version__
        self.pickled: bytes = cloudpickle.dumps(sweep)

    def setup(self, worker: Any) -> None:
        """Unpack the sweep, open the store and compile."""
        if self.version != __version__:
            raise CarsimError(
                f"worker {worker.address} has carsim {__version__}, the sweep was started with "
                f"{self.version}. Install the same version everywhere."
            )
        self.sweep: Sweep = pickle.loads(self.pickled)
        self.store = Store(self.folder)
        compute_block(self.sweep, range(1))


def compute(client: Any, sweep: Sweep, folder: Path, blocks: Sequence[int]) -> Iterator[Entry]:
    """Compute blocks on the workers of a client; see `DaskWorkers.compute`."""
    try:
        client.wait_for_workers(1, timeout=SECONDS_FOR_A_WORKER)
    except TimeoutError:
        raise CarsimError(
            f"no worker came within {SECONDS_FOR_A_WORKER} s to {client.scheduler.address}. Start "
            f"some, for example: dask worker {client.scheduler.address}"
        ) from None
    name = f"carsim-{uuid.uuid4().hex[:12]}"
    client.register_plugin(Companion(sweep, folder), name=name)
    waiting = iter(blocks)
    running = distributed.as_completed()
    try:
        _refill(client, running, waiting, name)
        for future in running:
            try:
                yield future.result()
            except distributed.KilledWorker as error:
                raise CarsimError(
                    f"a block killed its workers again and again ({error}). They may be short of "
                    f"memory: give a smaller --block-size to a new store."
                ) from None
            future.release()
            _refill(client, running, waiting, name)
    finally:
        client.cancel(list(running.futures))
        with contextlib.suppress(Exception):  # the cluster may be gone, which is no news here
            client.unregister_worker_plugin(name)


def _refill(client: Any, running: Any, waiting: Iterator[int], name: str) -> None:
    """Keep a few tasks a thread in sight of the scheduler, however many workers there are now."""
    wanted = TASKS_A_THREAD * max(1, sum(client.nthreads().values()))
    while running.count() < wanted:
        number = next(waiting, None)
        if number is None:
            return
        running.add(
            client.submit(
                _complete, name, number, key=f"{name}-block-{number}", retries=RETRIES, pure=False
            )
        )


def _complete(name: str, number: int) -> Entry:
    """Compute a block, in a worker."""
    companion = distributed.get_worker().plugins[name]
    assert isinstance(companion, Companion)
    return complete_block(companion.sweep, companion.store, number)
