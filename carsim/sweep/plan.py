"""How a sweep is cut into blocks.

A result is a box: the axes of the design, and the patients. A block is a chunk of it: whole
along the last dimensions, a share of one, a single value of those before. So its trajectories,
numbered through cell by cell in C order and patient by patient within a cell, are a range; and
each block is one chunk of every stored array. It knows everything it needs, so blocks can be
computed in any order, by any process.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from carsim.errors import ScenarioError
from carsim.sweep.sweep import Sweep

LARGEST_BLOCK = 16_384
SMALLEST_BLOCK = 256
BLOCK_MEMORY = 64 * 1024**2


@dataclass(frozen=True)
class Plan:
    """A box in blocks.

    Parameters
    ----------
    shape : tuple of int
        Size of each dimension: those of the design and, for a population, the patients.
    chunks : tuple of int
        Size of a block along each; the last along a dimension may be smaller.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of blocks along each dimension."""
        return tuple(-(-n // k) for n, k in zip(self.shape, self.chunks, strict=True))

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return math.prod(self.counts)

    @property
    def n_trajectories(self) -> int:
        """Number of trajectories in all blocks."""
        return math.prod(self.shape)

    @property
    def block_size(self) -> int:
        """Trajectories in a block; some are smaller."""
        return math.prod(self.chunks)

    def index(self, number: int) -> tuple[int, ...]:
        """Where a block stands among the blocks along each dimension."""
        if not 0 <= number < self.n_blocks:
            raise IndexError(f"block {number} of {self.n_blocks}")
        return tuple(int(k) for k in np.unravel_index(number, self.counts)) if self.shape else ()

    def box(self, number: int) -> tuple[slice, ...]:
        """Part of each dimension that a block covers."""
        return tuple(
            slice(k * size, min((k + 1) * size, total))
            for k, size, total in zip(self.index(number), self.chunks, self.shape, strict=True)
        )

    def block(self, number: int) -> range:
        """Trajectories of a block."""
        box = self.box(number)
        first = 0
        for part, total in zip(box, self.shape, strict=True):
            first = first * total + part.start
        return range(first, first + math.prod(part.stop - part.start for part in box))

    def __iter__(self) -> Iterator[range]:
        return (self.block(number) for number in range(self.n_blocks))


def make_plan(sweep: Sweep, block_size: int | None = None) -> Plan:
    """Cut a sweep into blocks.

    Parameters
    ----------
    sweep : Sweep
        What is simulated.
    block_size : int, optional
        Most trajectories in a block; by default as many as need about 64 MB. Results do not
        depend on it.

    Raises
    ------
    ScenarioError
        The block size is not positive.
    """
    if block_size is None:
        fitting = int(BLOCK_MEMORY / bytes_in_flight(sweep))
        block_size = max(SMALLEST_BLOCK, min(LARGEST_BLOCK, fitting))
    if block_size < 1:
        raise ScenarioError(f"sweep: block_size = {block_size} must be 1 or more.")
    return Plan(sweep.shape, even_chunks(sweep.shape, block_size))


def bytes_in_flight(sweep: Sweep) -> float:
    """Memory of one trajectory while it is computed."""
    model = sweep.scenario.model
    keep = sweep.keep
    # Parameters and states exist as given, as checked, and as the engine's own copy.
    numbers = 4 * len(model.parameters) + 5 * len(model.states)
    return 8.0 * (numbers + 2 * len(keep.saved) * len(keep.save_at) + 2 * len(keep.metrics) + 64)


def even_chunks(shape: Sequence[int], block_size: int) -> tuple[int, ...]:
    """Whole dimensions from the last on, then an even share of one, then single values.

    Parameters
    ----------
    shape : sequence of int
        Size of each dimension.
    block_size : int
        Most elements in a block.

    Returns
    -------
    tuple of int
        Size of a block along each dimension.
    """
    chunks = [1] * len(shape)
    room = block_size
    for k in reversed(range(len(shape))):
        # Even shares: 20,000 patients are two blocks of 10,000, not one of 16,384 and a rest.
        parts = -(-shape[k] // room)
        chunks[k] = -(-shape[k] // parts)
        if parts > 1:
            break
        room //= shape[k]
    return tuple(chunks)
