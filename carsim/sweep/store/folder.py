"""The folder of a store: a Zarr v3 group with one chunk a block, a journal, and what made it.

::

    FOLDER/
        zarr.json                 the group: attributes that rebuild the sweep
        hbv_reactivation/ ...     an array each
        carsim/journal.jsonl      what is done
        carsim/model/...          the files that define the model
        carsim/lock               held by the process that writes

Any Zarr reader opens it: ``xarray.open_zarr(FOLDER)``. Until a block is done its numbers are NaN
and its status NOT_RUN.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim.errors import CarsimError
from carsim.sweep.block import BlockResult
from carsim.sweep.layout import RECORDS, Layout, Variable, axis_coordinates, layout_of
from carsim.sweep.plan import Plan, make_plan
from carsim.sweep.provenance import failures, model_files, provenance
from carsim.sweep.store.digest import block_digest
from carsim.sweep.store.journal import Contents, Entry, Journal
from carsim.sweep.sweep import Sweep

if TYPE_CHECKING:
    import zarr

JOURNAL = Path(RECORDS) / "journal.jsonl"
MODEL = Path(RECORDS) / "model"
LOCK = Path(RECORDS) / "lock"
GROUP = "zarr.json"


class Store:
    """A folder that blocks of one sweep are written into.

    Parameters
    ----------
    folder : Path
        The folder; made by `create`.
    sweep : Sweep
        What is simulated.
    plan : Plan
        Its blocks: the chunks of the arrays.
    """

    def __init__(self, folder: Path, sweep: Sweep, plan: Plan) -> None:
        import zarr

        self.folder, self.sweep, self.plan = folder, sweep, plan
        self.layout: Layout = layout_of(sweep)
        # Not through the group: the arrays of a finished layout never change.
        self.arrays: dict[str, zarr.Array[Any]] = {
            each.name: zarr.open_array(folder / each.name, mode="r+", zarr_format=3)
            for each in self.layout.variables
        }

    def write(self, number: int, block: BlockResult) -> str:
        """Write a block's chunks, to the disk and not only to the system's memory.

        Parameters
        ----------
        number : int
            Its number in the plan.
        block : BlockResult
            Result of `carsim.sweep.compute_block`.

        Returns
        -------
        str
            Digest of what was written.

        Raises
        ------
        OSError
            No space left, no permission.
        """
        pieces = list(self.layout.pieces(self.plan, number, block))
        folders = set()
        for variable, region, values in pieces:
            self.arrays[variable.name][region] = values
            file = self.folder / variable.name / _chunk_file(self.arrays[variable.name], region)
            _flush(file)
            folders.add(file.parent)
        for folder in folders:
            _flush(folder)
        return block_digest((variable, values) for variable, _, values in pieces)

    def digest_of(self, number: int) -> str:
        """Digest of what the folder holds of a block; empty if it cannot be read."""
        try:
            return block_digest(list(self._read(number)))
        except (OSError, ValueError, RuntimeError, KeyError):
            return ""

    def _read(self, number: int) -> Iterator[tuple[Variable, NDArray[Any]]]:
        for variable, region in self.layout.regions(self.plan, number):
            array = self.arrays[variable.name]
            if not (self.folder / variable.name / _chunk_file(array, region)).is_file():
                # Zarr would return the fill value.
                raise FileNotFoundError(variable.name)
            yield variable, np.asarray(array[region])

    def finish(self, entries: Mapping[int, Entry]) -> None:
        """Say in the group's attributes how many trajectories failed, and how the first did.

        Parameters
        ----------
        entries : mapping of int to Entry
            Of all blocks.
        """
        statuses: Counter[int] = Counter()
        for entry in entries.values():
            statuses.update({int(code): n for code, n in entry.statuses.items()})
        first = next((each.failure for _, each in sorted(entries.items()) if each.failure), "")
        failed = failures(statuses, first, self.plan.n_trajectories)
        if failed:
            group = json.loads((self.folder / GROUP).read_text())
            group["attributes"]["failures"] = failed
            partial = self.folder / f"{GROUP}.partial"
            partial.write_text(json.dumps(group, indent=2))
            _flush(partial)
            os.replace(partial, self.folder / GROUP)
        _flush(self.folder)


def create(folder: Path, sweep: Sweep, block_size: int | None = None) -> Store:
    """Make a store, empty.

    Parameters
    ----------
    folder : Path
        Where; made if missing.
    sweep : Sweep
        What will be simulated.
    block_size : int, optional
        As for `make_plan`.

    Returns
    -------
    Store

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    import zarr

    if (folder / GROUP).exists():
        # Begun and not made whole; or somebody else's.
        if "carsim_version" not in attributes_of(folder):
            raise CarsimError(f"{folder}: holds a Zarr group that is not carsim's. Choose another.")
        remove(folder)
    plan = make_plan(sweep, block_size)
    layout = layout_of(sweep)
    folder.mkdir(parents=True, exist_ok=True)
    with _quietly():
        group = zarr.create_group(folder, zarr_format=3, attributes=provenance(sweep))
        for each in layout.variables:
            group.create_array(
                each.name,
                shape=layout.of(each, layout.shape),
                chunks=layout.of(each, plan.chunks),
                dtype=str if each.labels else each.dtype,
                fill_value=each.fill,
                dimension_names=each.dims,
                attributes=_plain(each.attributes),
                # A chunk that is all NaN is a file like any other: a file that is missing is lost.
                config={"write_empty_chunks": True},
            )
        for name, (dims, values, attributes) in axis_coordinates(sweep).items():
            values = np.asarray(values)
            text = values.dtype.kind in "OUT"
            array = group.create_array(
                name,
                shape=values.shape,
                chunks=values.shape,
                dtype=str if text else values.dtype,
                dimension_names=dims,
                attributes=_plain(attributes),
            )
            array[:] = values.astype(object) if text else values
        group.create_group(RECORDS)  # a node like any other, so that no reader stumbles
        drawn = [each.name for each in layout.variables if each.coordinate]
        # As xarray itself marks coordinates that are no dimension.
        apart = [name for name in axis_coordinates(sweep) if name not in sweep.dims]
        group.attrs["coordinates"] = " ".join((*drawn, *apart))
        zarr.consolidate_metadata(group.store)
    for name, source in model_files(sweep.scenario.model).items():
        file = folder / MODEL / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(source)
    for file in folder.rglob("*"):
        _flush(file)
    Journal(folder / JOURNAL).begin({"blocks": plan.n_blocks, "chunks": list(plan.chunks)})
    return Store(folder, sweep, plan)


def read_journal(folder: Path) -> Contents:
    """Read the journal of a store.

    Parameters
    ----------
    folder : Path
        The store.

    Raises
    ------
    CarsimError
        There is none.
    """
    found = Journal(folder / JOURNAL).read()
    if not found.head:
        raise CarsimError(
            f"{folder}: is not the folder of a sweep (no whole {JOURNAL}). Give the folder that "
            f"'carsim sweep --out' wrote."
        )
    return found


def attributes_of(folder: Path) -> dict[str, Any]:
    """Attributes of a store's group, without opening its arrays."""
    found: dict[str, Any] = json.loads((folder / GROUP).read_text())["attributes"]
    return found


def is_store(folder: Path) -> bool:
    """Whether a folder holds a store, whole or in part."""
    return (folder / JOURNAL).is_file()


def plan_of(folder: Path, layout: Layout) -> Plan:
    """Blocks of a store that exists."""
    return Plan(layout.shape, tuple(read_journal(folder).head["chunks"]))


def sweep_partial_files(folder: Path) -> int:
    """Remove what a killed process left of files that it was writing; return how many."""
    left = [file for file in folder.glob("*/c/**/*.partial") if file.is_file()]
    for file in left:
        file.unlink()
    return len(left)


def remove(folder: Path) -> None:
    """Remove a store, and nothing else that stands in its folder."""
    arrays = [file.parent for file in folder.glob(f"*/{GROUP}")]
    # The journal first: what is left of an interrupted removal is no store.
    (folder / JOURNAL).unlink(missing_ok=True)
    for each in arrays:
        shutil.rmtree(each)
    (folder / GROUP).unlink(missing_ok=True)
    shutil.rmtree(folder / MODEL, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only process that writes to a store; a lock dies with its process.

    Parameters
    ----------
    folder : Path
        The store.

    Raises
    ------
    CarsimError
        Another process writes to it.
    """
    import filelock

    (folder / RECORDS).mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise CarsimError(
            f"{folder}: another process is writing to this store. Wait for it, or end it first "
            f"(carsim status {folder} says how far it is)."
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Whether a process is writing to a store."""
    try:
        with locked(folder):
            return False
    except CarsimError:
        return True


def _chunk_file(array: zarr.Array[Any], region: tuple[slice, ...]) -> str:
    chunk = tuple(part.start // size for part, size in zip(region, array.chunks, strict=True))
    return array.metadata.encode_chunk_key(chunk)


def _flush(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in attributes.items()
    }


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        # Consolidated metadata is not in the Zarr v3 text yet; xarray reads and writes it.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        # ... nor are the records, of which the lock is there already.
        warnings.filterwarnings("ignore", message="Object at", category=UserWarning)
        yield
