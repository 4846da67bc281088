"""Reading a result part by part, so that what is asked of it does not have to fit into memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

AT_A_TIME = 2**20  # numbers


def slabs(values: xr.DataArray, dim: str) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Parts of an array along a dimension, read from the disk one after the other.

    Parameters
    ----------
    values : xarray.DataArray
        Perhaps opened lazily.
    dim : str
        One of its dimensions, usually the patients.

    Yields
    ------
    tuple of slice and array
        Part of the dimension, and the numbers there; all other dimensions are whole.
    """
    total = values.sizes[dim]
    others = math.prod(size for name, size in values.sizes.items() if name != dim)
    size = max(1, AT_A_TIME // max(others, 1))
    for first in range(0, total, size):
        part = slice(first, min(first + size, total))
        yield part, np.asarray(values.variable.isel({dim: part}).values)
