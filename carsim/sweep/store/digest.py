"""Digests: of a block as it was written, and of a whole result whatever its blocks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from carsim.sweep.plan import Plan, even_chunks

if TYPE_CHECKING:
    import xarray as xr

AT_A_TIME = 2**16  # numbers read at a time


def content(values: NDArray[Any]) -> bytes:
    """Bytes of an array in C order, the same on every machine.

    Numbers are little-endian; texts are UTF-8, each with its length before it.
    """
    if values.dtype.kind in "OUT":
        texts = (str(text).encode() for text in values.ravel())
        return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    if values.dtype.kind == "f":
        # All NaN are one: which bits a NaN has is not a result.
        values = np.where(np.isnan(values), np.nan, values)
    return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()


def block_digest(pieces: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of everything that a block writes.

    Parameters
    ----------
    pieces : mapping of str to array
        By name of the array.
    """
    digest = hashlib.sha256()
    for name, values in sorted(pieces.items()):
        digest.update(json.dumps([name, list(values.shape)]).encode())
        digest.update(content(values))
    return digest.hexdigest()


class ResultDigest:
    """SHA-256 of a result, fed with its blocks in order.

    The bytes of every array are hashed in C order, so that the digest does not depend on how the
    result was cut into blocks.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, Any] = {}

    def add(self, name: str, values: NDArray[Any]) -> None:
        """Take up the next piece of an array, in C order."""
        self._arrays.setdefault(name, hashlib.sha256()).update(content(values))

    def hexdigest(self) -> str:
        """Digest of all arrays by name."""
        each = {name: array.hexdigest() for name, array in sorted(self._arrays.items())}
        return hashlib.sha256(json.dumps(each).encode()).hexdigest()


def digest(result: xr.Dataset) -> str:
    """SHA-256 of a sweep's result: equal for equal numbers, wherever they were computed.

    Parameters
    ----------
    result : xarray.Dataset
        Result of `carsim.sweep.run`, or a store as `carsim.sweep.open_result` opens it, which is
        read chunk by chunk.

    Returns
    -------
    str
        64 hexadecimal digits. Covers what blocks write: endpoints, metrics, status, steps and the
        drawn patients; neither attributes nor the values of the axes.
    """
    found = ResultDigest()
    drawn = [name for name, each in result.coords.items() if "patient" in each.dims]
    for name in (*result.data_vars, *drawn):
        variable = result[name].variable
        if name == "patient":
            continue
        pieces = Plan(variable.shape, even_chunks(variable.shape, AT_A_TIME))
        for number in range(pieces.n_blocks):
            found.add(str(name), np.asarray(variable[pieces.box(number)].values))
    return found.hexdigest()
