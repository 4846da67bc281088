"""How far a store is, and whether its files are what was written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from carsim.sweep.plan import Plan
from carsim.sweep.store import folder as folders
from carsim.sweep.store.journal import statuses_of


@dataclass(frozen=True)
class StoreStatus:
    """What the journal and the files of a store say.

    Attributes
    ----------
    folder : Path
        The store.
    title : str
        What was simulated.
    blocks, blocks_done : int
        Blocks in all, and finished.
    trajectories, trajectories_done : int
        Trajectories in all, and in finished blocks.
    statuses : Counter
        Finished trajectories by status code.
    steps, rejected : int
        Accepted and rejected steps of these.
    seconds : float
        Time that the finished blocks took, summed over processes.
    workers : int
        Processes that computed them.
    first, last : datetime or None
        When the first and the last block were finished.
    size : int
        Bytes on the disk.
    digest : str
        Digest of the whole result; empty as long as it is not finished.
    damaged : tuple of int
        Lines of the journal that are not whole.
    running : bool
        Whether a process is writing to it.
    """

    folder: Path
    title: str
    blocks: int
    blocks_done: int
    trajectories: int
    trajectories_done: int
    statuses: Counter[int]
    steps: int
    rejected: int
    seconds: float
    workers: int
    first: datetime | None
    last: datetime | None
    size: int
    digest: str
    damaged: tuple[int, ...]
    running: bool


def read_status(folder: Path | str) -> StoreStatus:
    """Read how far a store is; it may be running.

    Parameters
    ----------
    folder : path
        Folder of the store.

    Returns
    -------
    StoreStatus

    Raises
    ------
    CarsimError
        The folder is no store.
    """
    folder = Path(folder)
    journal = folders.read_journal(folder)
    attributes = folders.attributes_of(folder)
    plan = Plan(tuple(journal.head["shape"]), tuple(journal.head["chunks"]))
    entries = journal.entries.values()
    times = sorted(datetime.fromisoformat(entry.at) for entry in entries)
    return StoreStatus(
        folder=folder,
        title=attributes["title"],
        blocks=plan.n_blocks,
        blocks_done=len(entries),
        trajectories=plan.n_trajectories,
        trajectories_done=sum(len(plan.block(number)) for number in journal.entries),
        statuses=statuses_of(journal.entries),
        steps=sum(entry.steps for entry in entries),
        rejected=sum(entry.rejected for entry in entries),
        seconds=sum(entry.seconds for entry in entries),
        workers=len({entry.by for entry in entries}),
        first=times[0] if times else None,
        last=times[-1] if times else None,
        size=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        digest=journal.digest,
        damaged=tuple(journal.damaged),
        running=folders.is_locked(folder),
    )


def damaged_blocks(folder: Path | str) -> list[int]:
    """Read every finished block, and name those that are not what was written.

    Parameters
    ----------
    folder : path
        Folder of the store.
    """
    folder = Path(folder)
    store, journal = folders.Store(folder), folders.read_journal(folder)
    return [
        number
        for number, entry in sorted(journal.entries.items())
        if store.digest_of(number) != entry.sha256
    ]
