"""Random numbers by name: patient i of a stream depends on (seed, stream, i) and on nothing else.

A counter-based generator (Philox) is keyed by a hash of the seed and the stream's name, and its
counter is the patient's index. So the first 100 patients of 1,000 are the same 100 as alone, any
block can be drawn by itself, and no thread or block size changes a number.

The same holds for the points of a scrambled Sobol sequence, whose index is the patient's.

References
----------
J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw (2011). Parallel random numbers: as easy
as 1, 2, 3. SC '11. doi:10.1145/2063384.2063405
S. Joe, F. Y. Kuo (2008). Constructing Sobol sequences with better two-dimensional projections.
SIAM J. Sci. Comput. 30, 2635-2654. doi:10.1137/070709359
J. Matousek (1998). On the L2-discrepancy for anchored boxes. J. Complexity 14, 527-556.
doi:10.1006/jcom.1998.0489
"""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from carsim.errors import ScenarioError

WORDS_PER_COUNT = 4  # Philox4x64 yields four 64-bit words for each value of its counter
LARGEST_SEED = 2**64 - 1

SOBOL_BITS = 30  # more patients than a population can have
#: Direction numbers exist for no more dimensions (Joe and Kuo).
MOST_DIMENSIONS = 21_201
MOST_SEQUENCES = 64
#: Sequences of this process, each at the point where the last block ended, the latest last. They
#: spare the way from point 0 on; no number depends on them.
_sequences: dict[tuple[int, str, int], Any] = {}
_turn = threading.Lock()

#: No score is further from 0: the numbers below keep a half step of 2**-52 from 0 and from 1.
LARGEST_SCORE = -float(ndtri(2.0**-53))


def check_seed(seed: object, where: str) -> None:
    """Refuse a seed that is not an integer of 64 bits; 0 is a seed like any other."""
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= int(seed) <= LARGEST_SEED:  # type: ignore[call-overload]
        raise ScenarioError(
            f"{where}: the seed is {seed!r}. It must be a whole number from 0 to 2**64 - 1, "
            f"for example 20261122."
        )


def uniforms(seed: int, stream: str, patients: NDArray[np.int64]) -> NDArray[np.float64]:
    """Numbers strictly between 0 and 1, one for each patient index.

    Parameters
    ----------
    seed : int
        Root seed.
    stream : str
        Name of what is drawn, usually a parameter's.
    patients : int64 array, shape (n,)
        Patient indices, from 0; any order, repeats allowed.

    Returns
    -------
    float64 array, shape (n,)
    """
    patients = np.asarray(patients, dtype=np.int64)
    # 52 bits and a half step: never 0, never 1, and every value is exact in float64.
    steps = (_words(seed, stream, patients) >> np.uint64(12)).astype(np.float64)
    return np.asarray((steps + 0.5) * 2.0**-52, dtype=np.float64)


def normal_scores(seed: int, stream: str, patients: NDArray[np.int64]) -> NDArray[np.float64]:
    """Draw standard normal numbers, one for each patient index (inverse of the distribution)."""
    scores: NDArray[np.float64] = ndtri(uniforms(seed, stream, patients))
    return scores


def sobol_points(
    seed: int, stream: str, dimension: int, points: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Points of a Sobol sequence, scrambled by seed and stream (linear scramble and digital shift).

    Parameters
    ----------
    seed : int
        Root seed.
    stream : str
        Name of the sequence.
    dimension : int
        Numbers of each point, 1 to 21,201. A sequence of another dimension is another sequence.
    points : int64 array, shape (n,)
        Indices of the points, from 0 to 2**30 - 1; any order, repeats allowed.

    Returns
    -------
    float64 array, shape (n, dimension)
        Strictly between 0 and 1.
    """
    wanted, places = np.unique(np.asarray(points, dtype=np.int64), return_inverse=True)
    if wanted.size == 0:
        return np.empty((0, dimension))
    runs = np.split(wanted, np.flatnonzero(np.diff(wanted) != 1) + 1)
    with _turn:
        sequence = _sequence(seed, stream, dimension)
        # A block may end one cell of a sweep and begin the next: go on first, then start anew.
        passed = sum(int(run[0]) < sequence.num_generated for run in runs)
        ahead = [_next_points(sequence, run) for run in runs[passed:]]
        anew = [_next_points(sequence, run) for run in runs[:passed]]
    in_order = np.concatenate(anew + ahead)
    # A half step of the grid: never 0, never 1, and every value is exact in float64.
    return np.asarray(in_order[places] + 2.0 ** -(SOBOL_BITS + 1), dtype=np.float64)


def key(seed: int, stream: str) -> int:
    """64-bit key of a stream, signed, for generators inside the engine."""
    digest = hashlib.blake2b(f"{int(seed)}\n{stream}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _words(seed: int, stream: str, patients: NDArray[np.int64]) -> NDArray[np.uint64]:
    if patients.size == 0:
        return np.empty(0, dtype=np.uint64)
    digest = hashlib.blake2b(f"{int(seed)}\n{stream}".encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype="<u8").astype(np.uint64)
    low, high = int(patients.min()), int(patients.max()) + 1
    if high - low <= 2 * patients.size:
        return _consecutive(key, low, high)[patients - low]
    # A block that ends one cell of a sweep and begins the next jumps back: draw run by run.
    breaks = np.flatnonzero(np.diff(patients) != 1) + 1
    runs = np.split(patients, breaks)
    return np.concatenate([_consecutive(key, int(run[0]), int(run[-1]) + 1) for run in runs])


def _consecutive(key: NDArray[np.uint64], low: int, high: int) -> NDArray[np.uint64]:
    count, skipped = divmod(low, WORDS_PER_COUNT)
    generator = np.random.Philox(key=key, counter=count)
    words: NDArray[np.uint64] = generator.random_raw(high - low + skipped)
    return words[skipped:]


def _sequence(seed: int, stream: str, dimension: int) -> Any:
    from scipy.stats import qmc  # takes seconds to import

    name = int(seed), stream, dimension
    sequence = _sequences.pop(name, None)
    if sequence is None:
        digest = hashlib.blake2b(f"{int(seed)}\n{stream}".encode(), digest_size=16).digest()
        root = int.from_bytes(digest, "little")
        sequence = qmc.Sobol(dimension, bits=SOBOL_BITS, rng=root)
        if len(_sequences) >= MOST_SEQUENCES:
            del _sequences[next(iter(_sequences))]
    _sequences[name] = sequence
    return sequence


def _next_points(sequence: Any, run: NDArray[np.int64]) -> NDArray[np.float64]:
    first, count = int(run[0]), run.size
    if first < sequence.num_generated:
        sequence.reset()
    if first > sequence.num_generated:
        sequence.fast_forward(first - sequence.num_generated)
    if first > 0:
        points: NDArray[np.float64] = sequence.random(count)
        return points
    # scipy warns where the first draw is not of a power of 2 points.
    return np.concatenate([sequence.random(1), sequence.random(count - 1)])
