"""Random numbers of the engine: the known answers of their authors, and their distribution."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba.core import types
from numpy.typing import NDArray

from carsim.engine.jit import COUNT, MATRIX
from carsim.engine.philox import philox, two_normals

WORDS = types.UniTuple(types.uint64, 4)  # type: ignore[no-untyped-call]


@numba.njit(WORDS(COUNT, COUNT, COUNT, COUNT, COUNT, COUNT))
def words(c0: int, c1: int, c2: int, c3: int, k0: int, k1: int) -> tuple[int, int, int, int]:
    return philox(c0, c1, c2, c3, k0, k1)  # type: ignore[return-value]


@numba.njit(types.void(COUNT, COUNT, MATRIX))
def draw(stream: int, visit: int, out: NDArray[np.float64]) -> None:
    for patient in range(len(out)):
        one, two = two_normals(stream, patient, visit)
        out[patient, 0] = one
        out[patient, 1] = two


# Random123, tests/kat_vectors, philox 4x32 with 10 rounds (facts).
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_known_answers(
    counter: tuple[int, ...], key: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert tuple(int(w) for w in words(*counter, *key)) == expected


def test_normal_numbers_are_normal_and_independent() -> None:
    n = 200_000
    first, other_visit, other_stream = (np.empty((n, 2)) for _ in range(3))
    draw(-5, 0, first)
    draw(-5, 1, other_visit)
    draw(6, 0, other_stream)
    everything = np.concatenate([first, other_visit, other_stream], axis=1)
    error = 1.0 / np.sqrt(n)
    assert np.abs(everything.mean(axis=0)).max() < 4.0 * error
    assert np.abs(everything.var(axis=0) - 1.0).max() < 4.0 * np.sqrt(2.0) * error
    assert np.abs((everything**4).mean(axis=0) - 3.0).max() < 4.0 * np.sqrt(96.0) * error
    correlation = np.corrcoef(everything.T) - np.eye(6)
    assert np.abs(correlation).max() < 4.5 * error
    # Neighbors among the patients too.
    assert abs(np.corrcoef(first[1:, 0], first[:-1, 0])[0, 1]) < 4.0 * error
    assert np.abs(everything).max() > 4.0
