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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim.errors import CarsimError
from carsim.sweep.layout import RECORDS, Layout, axis_coordinates, layout_of, regions
from carsim.sweep.plan import Plan, make_plan
from carsim.sweep.provenance import model_files, provenance
from carsim.sweep.store.digest import block_digest
from carsim.sweep.store.journal import Contents, Journal
from carsim.sweep.sweep import Sweep

if TYPE_CHECKING:
    import zarr

JOURNAL = Path(RECORDS) / "journal.jsonl"
MODEL = Path(RECORDS) / "model"
LOCK = Path(RECORDS) / "lock"
GROUP = "zarr.json"


class Store:
    """A folder that blocks of one sweep are written into, as it stands on the disk.

    Parameters
    ----------
    folder : Path
        Made by `create`.

    Attributes
    ----------
    plan : Plan
        The blocks: chunks of the arrays.
    arrays : dict of str to zarr.Array
        The arrays that blocks fill.

    Raises
    ------
    CarsimError
        The folder is no store.
    """

    def __init__(self, folder: Path) -> None:
        import zarr

        head = read_journal(folder).head
        self.folder = folder
        self.dims: tuple[str, ...] = tuple(head["dims"])
        self.plan = Plan(tuple(head["shape"]), tuple(head["chunks"]))
        self.arrays: dict[str, zarr.Array[Any]] = {}
        for name in head["arrays"]:
            try:
                array = zarr.open_array(folder / name, mode="r+", zarr_format=3)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise CarsimError(
                    f"{folder}: {name}/{GROUP} is missing or damaged ({error}). Take it from a "
                    f"copy of the folder, or begin anew (--overwrite)."
                ) from None
            # A chunk that is all fill is a file like any other: a file that is missing is lost.
            self.arrays[name] = array.with_config({"write_empty_chunks": True})
        self._dims_of = {
            name: tuple(map(str, array.metadata.dimension_names or ()))  # type: ignore[union-attr]
            for name, array in self.arrays.items()
        }

    def write(self, number: int, pieces: Mapping[str, NDArray[Any]]) -> str:
        """Write a block's chunks, to the disk and not only to the system's memory.

        Parameters
        ----------
        number : int
            Its number in the plan.
        pieces : mapping of str to array
            What it writes, see `carsim.sweep.layout.Layout.pieces`.

        Returns
        -------
        str
            Digest of what was written.

        Raises
        ------
        OSError
            No space left, no permission.
        """
        folders: set[Path] = set()
        for name, region in self._regions(number):
            self.arrays[name][region] = pieces[name]
            file = self._file(name, region)
            _flush(file)
            # Names reach the disk with the folder they stand in, and so do names of folders.
            inside = file.relative_to(self.folder).parents
            folders.update(self.folder / part for part in inside if part.parts)
        for folder in folders:
            _flush(folder)
        return block_digest(pieces)

    def digest_of(self, number: int) -> str:
        """Digest of what the folder holds of a block; empty if it cannot be read."""
        pieces = {}
        try:
            for name, region in self._regions(number):
                if not self._file(name, region).is_file():
                    return ""  # Zarr would read the fill value
                pieces[name] = np.asarray(self.arrays[name][region])
        except (OSError, ValueError, RuntimeError):
            return ""
        return block_digest(pieces)

    def _regions(self, number: int) -> Iterator[tuple[str, tuple[slice, ...]]]:
        return regions(self.dims, self._dims_of, self.plan, number)

    def _file(self, name: str, region: tuple[slice, ...]) -> Path:
        array = self.arrays[name]
        chunk = tuple(part.start // size for part, size in zip(region, array.chunks, strict=True))
        return self.folder / name / array.metadata.encode_chunk_key(chunk)


def describe_failures(folder: Path, failed: str) -> None:
    """Say in the group's attributes how many trajectories failed, and how the first did.

    Parameters
    ----------
    folder : Path
        The store.
    failed : str
        Words about it; nothing is written if there are none.
    """
    if not failed:
        return
    group = json.loads((folder / GROUP).read_text())
    group["attributes"]["failures"] = failed
    partial = folder / "zarr.failures.partial"
    partial.write_text(json.dumps(group, indent=2))
    _flush(partial)
    os.replace(partial, folder / GROUP)
    _flush(folder)


def create(folder: Path, sweep: Sweep, block_size: int | None = None) -> Store:
    """Make a store, empty, in place of one that was not made whole.

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
    CarsimError
        It holds somebody else's Zarr group.
    """
    import zarr

    plan = make_plan(sweep, block_size)
    layout = layout_of(sweep)
    if is_begun(folder):
        _remove(folder)
    sweep_partial_files(folder, (*layout.arrays, *axis_coordinates(sweep)))
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
    Journal(folder / JOURNAL).begin(head_of(folder, layout))
    for made in (folder / RECORDS, folder, folder.absolute().parent):
        _flush(made)
    return Store(folder)


def head_of(folder: Path, layout: Layout) -> dict[str, Any]:
    """First line of the journal of a store whose arrays are made.

    Parameters
    ----------
    folder : Path
        The store.
    layout : Layout
        Its arrays.
    """
    import zarr

    status = zarr.open_array(folder / "status", mode="r", zarr_format=3)
    plan = Plan(layout.shape, status.chunks)
    return {
        "blocks": plan.n_blocks,
        "dims": list(layout.dims),
        "shape": list(plan.shape),
        "chunks": list(plan.chunks),
        "arrays": list(layout.arrays),
    }


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
    try:
        found: dict[str, Any] = json.loads((folder / GROUP).read_text())["attributes"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CarsimError(
            f"{folder}: {GROUP} is missing or damaged ({error}). Take it from a copy of the "
            f"folder, or begin anew (--overwrite)."
        ) from None
    return found


def is_begun(folder: Path) -> bool:
    """Whether a folder holds the group of a sweep, made whole or not.

    Parameters
    ----------
    folder : Path
        Any folder.

    Raises
    ------
    CarsimError
        It holds somebody else's group.
    """
    if not (folder / GROUP).exists():
        return False
    if "carsim_version" not in attributes_of(folder):
        raise CarsimError(f"{folder}: holds a Zarr group that is not carsim's. Choose another.")
    return True


def is_store(folder: Path) -> bool:
    """Whether a folder holds a store, whole or in part."""
    return (folder / JOURNAL).is_file()


def sweep_partial_files(folder: Path, arrays: Iterable[str]) -> int:
    """Remove what a killed process left of files that it was writing; return how many.

    Parameters
    ----------
    folder : Path
        The store.
    arrays : iterable of str
        Names of its arrays; other folders may be stores of their own.
    """
    left = list(folder.glob("zarr.*.partial"))
    for name in arrays:
        left.extend((folder / name).rglob("*.partial"))
    for file in left:
        file.unlink()
    return len(left)


def remove_store(folder: Path) -> None:
    """Remove a store, and nothing else that stands in its folder.

    Parameters
    ----------
    folder : Path
        The store; nothing happens if there is none.

    Raises
    ------
    CarsimError
        A process is writing to it.
    """
    # A journal is carsim's, also beside a damaged group.
    if is_store(folder) or is_begun(folder):
        with locked(folder):
            _remove(folder)


def _remove(folder: Path) -> None:
    # Arrays only: another group in this folder is another store, and perhaps finished.
    arrays = {file.parent for file in folder.glob(f"*/{GROUP}") if _is_array(file)}
    # ... and those that the journal names, whose own metadata may be damaged.
    named = (folder / name for name in Journal(folder / JOURNAL).read().head.get("arrays", ()))
    arrays |= {array for array in named if array.is_dir()}
    # The journal first: what is left of an interrupted removal is no store.
    (folder / JOURNAL).unlink(missing_ok=True)
    for each in arrays:
        shutil.rmtree(each)
    (folder / GROUP).unlink(missing_ok=True)
    (folder / RECORDS / GROUP).unlink(missing_ok=True)
    shutil.rmtree(folder / MODEL, ignore_errors=True)


def _is_array(metadata: Path) -> bool:
    try:
        return bool(json.loads(metadata.read_text())["node_type"] == "array")
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def locked(folder: Path, patience: float = 1.0) -> Iterator[None]:
    """Be the only process that writes to a store; a lock dies with its process.

    Parameters
    ----------
    folder : Path
        The store.
    patience : float
        Seconds to wait: another process may only be looking (`is_locked`).

    Raises
    ------
    CarsimError
        Another process writes to it.
    """
    import filelock

    (folder / RECORDS).mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=patience)
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
        with locked(folder, patience=0.0):
            return False
    except CarsimError:
        return True
    except OSError:  # nobody can write here
        return False


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
