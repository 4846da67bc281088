"""A result in memory: arrays that blocks are written into, and their names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim.dataset.schema import build
from carsim.sweep.block import BlockResult
from carsim.sweep.layout import axis_coordinates, layout_of, regions
from carsim.sweep.plan import Plan
from carsim.sweep.provenance import failures, provenance
from carsim.sweep.sweep import Sweep

if TYPE_CHECKING:
    import xarray as xr


class Collector:
    """Takes up blocks in any order.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    plan : Plan
        Its blocks.
    """

    def __init__(self, sweep: Sweep, plan: Plan) -> None:
        self.sweep, self.plan = sweep, plan
        self.layout = layout_of(sweep)
        self.arrays: dict[str, NDArray[Any]] = {
            each.name: np.full(self.layout.of(each, self.layout.shape), each.fill, each.dtype)
            for each in self.layout.variables
        }
        self.statuses: Counter[int] = Counter()
        self.first_failure = (sweep.n_trajectories, "")

    def add(self, number: int, block: BlockResult) -> None:
        """Take up one block.

        Parameters
        ----------
        number : int
            Its number.
        block : BlockResult
            Result of `compute_block`.
        """
        pieces = self.layout.pieces(self.plan, number, block)
        for name, region in regions(self.layout.dims, self.layout.arrays, self.plan, number):
            self.arrays[name][region] = pieces[name]
        self.statuses.update(block.status.tolist())
        if block.failure:
            self.first_failure = min(self.first_failure, (block.trajectories.start, block.failure))

    def dataset(self) -> xr.Dataset:
        """Put names and units to the arrays.

        Returns
        -------
        xarray.Dataset
        """
        failed = failures(self.statuses, self.first_failure[1])
        arrays = {
            each.name: (each.dims, self.arrays[each.name], each.attributes)
            for each in self.layout.variables
        }
        patients = [each.name for each in self.layout.variables if each.coordinate]
        coordinates = {
            **axis_coordinates(self.sweep),
            **{name: arrays.pop(name) for name in patients},
        }
        return build(arrays, coordinates, provenance(self.sweep), failed)
