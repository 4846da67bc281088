"""A finished sweep once more, from what its store says, to see that it gives the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from carsim.errors import CarsimError
from carsim.model import Model
from carsim.progress import Progress, counted_from
from carsim.sweep.block import compute_block
from carsim.sweep.layout import axis_coordinates, layout_of
from carsim.sweep.plan import Plan
from carsim.sweep.rebuild import rebuild_sweep
from carsim.sweep.store import folder as folders
from carsim.sweep.store.difference import changed_versions
from carsim.sweep.store.digest import ResultDigest, block_digest


@dataclass(frozen=True)
class Rerun:
    """What running a sweep again gave.

    Attributes
    ----------
    digest : str
        Digest of the new numbers.
    stored : str
        Digest that the store's journal holds.
    different : tuple of int
        Blocks whose numbers differ.
    blocks : int
        Blocks in all.
    versions : str
        Packages that are other ones than then; empty if none.
    """

    digest: str
    stored: str
    different: tuple[int, ...]
    blocks: int
    versions: str

    @property
    def same(self) -> bool:
        """Whether every bit is the same."""
        return self.digest == self.stored


def rerun(
    folder: Path | str, *, model: Model | None = None, progress: Progress | None = None
) -> Rerun:
    """Compute a finished sweep again, block by block, and compare with what its journal says.

    Nothing is written, and memory holds one block.

    Parameters
    ----------
    folder : path
        Folder of the store.
    model : Model, optional
        Model to use in place of the stored name, even if it is another one.
    progress : callable, optional
        Called with (trajectories done, trajectories).

    Returns
    -------
    Rerun

    Raises
    ------
    CarsimError
        The folder is no finished store.
    ScenarioError
        The model has changed since.
    """
    folder = Path(folder)
    journal = folders.read_journal(folder)
    if not journal.digest:
        raise CarsimError(
            f"{folder}: is not finished ({len(journal.entries):,} of "
            f"{journal.head['blocks']:,} blocks). Finish it with carsim sweep --resume first."
        )
    attributes = folders.attributes_of(folder)
    sweep = rebuild_sweep(attributes, model)
    layout, plan = layout_of(sweep), Plan(sweep.shape, tuple(journal.head["chunks"]))
    whole = ResultDigest()
    for name, (dims, values, _) in axis_coordinates(sweep).items():
        if "patient" in dims:  # given one a patient, and in the digest like what is drawn
            whole.add(name, np.asarray(values))
    different = []
    for number, trajectories in enumerate(plan):
        report = counted_from(progress, trajectories.start, sweep.n_trajectories)
        block = compute_block(sweep, trajectories, report)
        pieces = layout.pieces(plan, number, block)
        for name, values in pieces.items():
            whole.add(name, values)
        if block_digest(pieces) != journal.entries[number].sha256:
            different.append(number)
        if progress is not None:
            progress(trajectories.stop, sweep.n_trajectories)
    return Rerun(
        digest=whole.hexdigest(),
        stored=journal.digest,
        different=tuple(different),
        blocks=plan.n_blocks,
        versions=changed_versions(attributes, sweep),
    )
