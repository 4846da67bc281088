"""Shares of the variance of an output that are due to each factor: Sobol indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from carsim.sensitivity.designs import Saltelli, Values, design_hash, evaluated
from carsim.sensitivity.frame import Label, frame, labels_of, versions

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 1000
CONSTANT = "the output is the same at all points"


def sobol(
    design: Saltelli,
    values: Values,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> xr.Dataset:
    """First and total order Sobol indices with bootstrap intervals.

    Computed by `scipy.stats.sobol_indices`. The first-order index is the share of the variance of
    the output that would vanish, on average, if the factor were known; the total index is the
    share that would remain if all others were. Their difference is due to interactions.

    Parameters
    ----------
    design : Saltelli
        The points.
    values : callable, array or mapping of str to array
        The output at the points in the order of the design, shape (n_points,); several outputs by
        name; or a function that takes the factors, shape (n_points, n_factors), and returns it.
    level : float, optional
        Level of the percentile intervals.
    resamples : int, optional
        Number of bootstrap resamples of the rows of the design, seeded by the design's seed.
        The intervals say how far the finite design decides the indices, nothing else.

    Returns
    -------
    xarray.Dataset
        Over ``factor`` and ``output``: ``first_order`` and ``total_order``, each with ``_lower``
        and ``_upper``; ``why`` says why an index is NaN.
    """
    outputs = evaluated(design, values)
    n, d, m = int(design.points), len(design.axes), len(outputs)
    found = {name: np.full((d, m), np.nan) for name in _WORDS}
    why = np.full((d, m), "", dtype=object)
    for k, column in enumerate(outputs.values()):
        if np.ptp(column) == 0.0:
            why[:, k] = CONSTANT
            continue
        parts = column.reshape(d + 2, n)
        first, total = _indices(parts)
        spread = _bootstrap(parts, resamples, int(design.seed))
        low, high = np.quantile(spread, [0.5 - 0.5 * level, 0.5 + 0.5 * level], axis=0)
        for row, (name, index) in enumerate((("first_order", first), ("total_order", total))):
            found[name][:, k] = index
            found[f"{name}_lower"][:, k] = low[row]
            found[f"{name}_upper"][:, k] = high[row]
    attributes = {
        "title": "Sobol indices",
        "method": "sobol",
        "samples": n,
        "simulations": design.size,
        "design_seed": int(design.seed),
        "design_hash": design_hash(design.shares),
        "level": level,
        "resamples": resamples,
        "versions": versions("numpy", "scipy"),
    }
    return frame(
        {name: (found[name], words) for name, words in _WORDS.items()},
        labels_of(design.axes),
        [Label(name) for name in outputs],
        attributes,
        why=why,
    )


_WORDS = {
    "first_order": "first-order Sobol index",
    "first_order_lower": "first-order Sobol index, lower end of the interval",
    "first_order_upper": "first-order Sobol index, upper end of the interval",
    "total_order": "total-order Sobol index",
    "total_order_lower": "total-order Sobol index, lower end of the interval",
    "total_order_upper": "total-order Sobol index, upper end of the interval",
}


def _indices(parts: Array) -> tuple[Array, Array]:
    """First and total order, shape (n_factors,) each, of values of shape (n_factors + 2, n)."""
    from scipy.stats import sobol_indices  # takes seconds to import

    a, b, mixed = parts[:1], parts[1:2], parts[2:, np.newaxis]
    found = sobol_indices(func={"f_A": a, "f_B": b, "f_AB": mixed}, n=parts.shape[1])
    return np.atleast_1d(found.first_order), np.atleast_1d(found.total_order)


def _bootstrap(parts: Array, resamples: int, seed: int) -> Array:
    """Indices of resampled rows, shape (resamples, 2, n_factors).

    The bootstrap of scipy's own result takes no seed.
    """
    random = np.random.Generator(np.random.Philox(seed))
    n = parts.shape[1]
    spread = np.empty((resamples, 2, len(parts) - 2))
    for row in spread:
        row[:] = _indices(parts[:, random.integers(0, n, n)])
    return spread
