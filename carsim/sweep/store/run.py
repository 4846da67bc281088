"""A sweep into a store: begun, interrupted, resumed, finished."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from carsim.errors import CarsimError, ScenarioError
from carsim.model.identity import few
from carsim.progress import Progress, counted_from
from carsim.sweep.block import compute_block
from carsim.sweep.cost import estimate
from carsim.sweep.layout import layout_of
from carsim.sweep.provenance import failures
from carsim.sweep.store import folder as folders
from carsim.sweep.store.difference import changed_versions, differences
from carsim.sweep.store.digest import digest
from carsim.sweep.store.folder import Store
from carsim.sweep.store.journal import Entry, Journal, statuses_of
from carsim.sweep.store.open import open_result
from carsim.sweep.sweep import Sweep

if TYPE_CHECKING:
    import xarray as xr


class Workers(Protocol):
    """Where blocks are computed, if not in this process."""

    def compute(self, sweep: Sweep, folder: Path, blocks: Sequence[int]) -> Iterator[Entry]:
        """Compute blocks and write them; yield what the journal shall say, in any order."""


def run_to_store(
    sweep: Sweep,
    folder: Path | str,
    *,
    resume: bool = False,
    block_size: int | None = None,
    workers: Workers | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> xr.Dataset:
    """Simulate all cells of a sweep into a folder, block by block.

    Memory holds one block, whatever the number of patients and cells. The folder is a Zarr v3
    store; the process may be killed at any moment, and `resume` finishes to the same bits.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    folder : path
        Where to write; made if missing.
    resume : bool
        Go on with a store of the same sweep; begin one if there is none.
    block_size : int, optional
        Most trajectories in a block, for a new store. Numbers do not depend on it.
    workers : Workers, optional
        Where blocks are computed, such as `carsim.sweep.distributed.DaskWorkers`; in this process
        by default, with the threads of the scenario's solver.
    progress : callable, optional
        Called with (trajectories done, trajectories) now and then.
    say : callable, optional
        Called with a sentence about what was found when resuming.

    Returns
    -------
    xarray.Dataset
        Opened lazily, see `open_result`.

    Raises
    ------
    ScenarioError
        The store is of another sweep; the message says what differs. Or the disk is too small.
    CarsimError
        There is a store already, another process writes to it, or writing fails. What is finished
        stays.
    KeyboardInterrupt
        The running block is lost, nothing else.
    """
    folder = Path(folder)
    folders.is_begun(folder)  # refuses somebody else's group before anything is put into it
    tell = say or (lambda _: None)
    try:
        with folders.locked(folder):
            store, done = _opened(_recorded(sweep), folder, resume, block_size, tell)
            _complete(sweep, store, done, workers, progress)
    except OSError as error:
        raise CarsimError(
            f"{folder}: cannot be written: {error.strerror or error}. Finished blocks are kept: "
            f"make room or give access, then go on with resume (--resume)."
        ) from error
    return open_result(folder)


def complete_block(
    sweep: Sweep, store: Store, number: int, progress: Progress | None = None
) -> Entry:
    """Compute a block and write it.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    store : Store
        Where to.
    number : int
        Its number in the plan.
    progress : callable, optional
        Called with (done, trajectories of the block).

    Returns
    -------
    Entry
        What the journal shall say, once the caller says it.
    """
    begun = time.monotonic()
    block = compute_block(sweep, store.plan.block(number), progress)
    sha256 = store.write(number, layout_of(sweep).pieces(store.plan, number, block))
    statuses = Counter(block.status.tolist())
    return Entry(
        block=number,
        sha256=sha256,
        statuses={str(code): n for code, n in sorted(statuses.items())},
        steps=int(block.n_steps.sum(dtype="int64")),
        rejected=int(block.n_rejected.sum(dtype="int64")),
        seconds=round(time.monotonic() - begun, 3),
        failure=block.failure,
        by=f"{socket.gethostname()}:{os.getpid()}",
        at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def _opened(
    sweep: Sweep,
    folder: Path,
    resume: bool,
    block_size: int | None,
    tell: Callable[[str], None],
) -> tuple[Store, dict[int, Entry]]:
    """A store to go on with, and what is done of it."""
    journal = Journal(folder / folders.JOURNAL)
    found = journal.read()
    if not found.head and not found.entries:
        if folders.is_begun(folder) and not resume:
            raise CarsimError(
                f"{folder}: holds what is left of a sweep, of which no block is known to be done. "
                f"Begin it anew (--resume or --overwrite), or choose another folder."
            )
        # Of a store that goes on nobody knows what it still needs: a full disk will say so.
        estimate(sweep, block_size).check_disk(folder)
        return folders.create(folder, sweep, block_size), {}
    if not resume:
        raise CarsimError(
            f"{folder}: holds a sweep already ({len(found.entries):,} blocks are done). Go on with "
            f"it (--resume), replace it (--overwrite), or choose another folder."
        )
    attributes = folders.attributes_of(folder)
    changed = differences(attributes, sweep)
    if changed:
        raise ScenarioError(
            f"{folder}: was begun with another sweep: {few(changed)}. Restore what was changed, or "
            "choose another folder."
        )
    versions = changed_versions(attributes, sweep)
    if versions:
        tell(f"other versions than at the start ({versions}): the last bits may differ")
    if found.damaged:
        lines = ", ".join(map(str, found.damaged[:5]))
        tell(f"{len(found.damaged)} damaged lines of the journal skipped (line {lines})")
    if not found.head:
        # What is finished shall not be lost for one line: the arrays themselves say the rest.
        journal.begin(folders.head_of(folder, layout_of(sweep)))
        tell("the first line of the journal was damaged, and is written again")
    left = folders.sweep_partial_files(folder, layout_of(sweep).arrays)
    if left:
        tell(f"{left} files that were not finished removed")
    store = Store(folder)
    if block_size is not None and block_size != store.plan.block_size:
        tell(f"the store keeps its blocks of up to {store.plan.block_size:,} trajectories")
    for number, entry in sorted(found.entries.items()):
        if store.digest_of(number) != entry.sha256:
            tell(f"block {number} is not what was written: computed again")
            journal.drop(number)
            del found.entries[number]
    return store, found.entries


def _complete(
    sweep: Sweep,
    store: Store,
    done: dict[int, Entry],
    workers: Workers | None,
    progress: Progress | None,
) -> None:
    """Compute what is missing; each block is written down as soon as it is on the disk."""
    journal = Journal(store.folder / folders.JOURNAL)
    missing = [number for number in range(store.plan.n_blocks) if number not in done]
    finished = sum(len(store.plan.block(number)) for number in done)
    total = store.plan.n_trajectories
    if workers is None:
        entries = _in_this_process(sweep, store, missing, finished, progress)
    else:
        entries = workers.compute(sweep, store.folder, missing)
    for entry in entries:
        journal.add(entry)
        done[entry.block] = entry
        finished += len(store.plan.block(entry.block))
        if progress is not None:
            progress(finished, total)
    if not journal.read().digest:
        first = next((each.failure for _, each in sorted(done.items()) if each.failure), "")
        folders.describe_failures(store.folder, failures(statuses_of(done), first))
        journal.finish(digest(open_result(store.folder)))


def _in_this_process(
    sweep: Sweep,
    store: Store,
    blocks: Sequence[int],
    finished: int,
    progress: Progress | None,
) -> Iterator[Entry]:
    for number in blocks:
        report = counted_from(progress, finished, store.plan.n_trajectories)
        yield complete_block(sweep, store, number, report)
        finished += len(store.plan.block(number))


def _recorded(sweep: Sweep) -> Sweep:
    """The sweep as a store says it: without what does not change a number."""
    return dataclasses.replace(sweep, scenario=sweep.scenario.replace("solver.threads", None))
