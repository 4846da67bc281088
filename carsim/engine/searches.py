"""Reductions as the engine takes them: what several need is searched for once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from carsim.engine.plan import FloatArray, IntArray, Reduction, Reductions

_RECORDS = {
    Reduction.MAXIMUM: Reduction.TIME_OF_MAXIMUM,
    Reduction.MINIMUM: Reduction.TIME_OF_MINIMUM,
}


@dataclass(frozen=True)
class Searches:
    """Reductions without repetition, those of one window side by side.

    Attributes
    ----------
    kind, source : int64 arrays, shape (n_searches,)
    start, stop, threshold : float64 arrays, shape (n_searches,)
        As of `Reductions`.
    rows : int64 array, shape (n_reductions,)
        Where each of the reductions asked for is found among the numbers of the searches and,
        behind these, the records of those that give the time of one.
    """

    kind: IntArray
    source: IntArray
    start: FloatArray
    stop: FloatArray
    threshold: FloatArray
    rows: IntArray


def shared(reductions: Reductions) -> Searches:
    """What is to be searched for; an extreme and its time are one search."""
    keys: list[tuple[float, ...]] = []
    for k in range(len(reductions.kind)):
        kind = Reduction(reductions.kind[k])
        compared = kind in (Reduction.FIRST_ABOVE, Reduction.FIRST_BELOW, Reduction.TIME_ABOVE)
        start, stop = float(reductions.start[k]), float(reductions.stop[k])
        # Single values have a time instead of a window.
        if kind == Reduction.VALUE_AT:
            stop = start
        elif kind == Reduction.LAST:
            start = stop
        window = (start, stop)
        threshold = float(reductions.threshold[k]) if compared else 0.0
        keys.append((*window, _RECORDS.get(kind, kind), int(reductions.source[k]), threshold))
    unique = sorted(set(keys))
    place = {key: number for number, key in enumerate(unique)}
    wants_record = [Reduction(kind) in _RECORDS for kind in reductions.kind]
    rows = [
        place[key] + (len(unique) if record else 0)
        for key, record in zip(keys, wants_record, strict=True)
    ]
    table = np.array(unique, dtype=np.float64).reshape(-1, 5).T
    return Searches(
        kind=table[2].astype(np.int64),
        source=table[3].astype(np.int64),
        start=table[0],
        stop=table[1],
        threshold=table[4],
        rows=np.array(rows, dtype=np.int64),
    )
