"""Percentiles of observed and simulated values in bins of time, for a visual predictive check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.plots.trajectories import check_variable
from carsim.streams import uniforms

if TYPE_CHECKING:
    import xarray as xr

Array: TypeAlias = NDArray[np.float64]
Table: TypeAlias = Any
"""Whatever gives columns by name: a mapping of arrays, a data frame, a Dataset."""
Bins: TypeAlias = int | Sequence[float] | None

MOST_TIMES = 12  # distinct observed times up to which each is a bin of its own
EQUAL_BINS = 8


def vpc_statistics(
    simulated: xr.Dataset | Table,
    observed: Table,
    of: str,
    *,
    time: str = "time",
    patient: str = "patient",
    replicate: str = "replicate",
    bins: Bins = None,
    percentiles: Sequence[float] = (5.0, 50.0, 95.0),
    level: float = 0.95,
    limit: float | None = None,
    draws: int = 500,
    seed: int = 0,
) -> xr.Dataset:
    """Percentiles of observed and of simulated values in bins of time.

    A replicate is a trial of the observed size. Its percentiles in each bin scatter as those of
    the observed trial would if the model were right: the band holds the middle `level` of them.

    Parameters
    ----------
    simulated : xarray.Dataset, or table
        Dataset: courses of `of` over "patient" and "time". Each replicate takes one patient at
        random (with replacement) for every observed one, and its value, linear between the saved
        times, at the times of that one's observations. With a dimension `replicate` there is no
        chance: every replicate gives all its patients. Table: columns `time`, `of`, `replicate`.
        Failed patients (NaN) are left out.
    observed : table
        Columns `time` and `of`; with a column `patient`, the values of one patient come from one
        simulated patient, and otherwise every value from another one. Values that are NaN are left
        out, and counted.
    of : str
        Name of the variable on both sides.
    time, patient, replicate : str
        Names of the columns.
    bins : int or sequence of float, optional
        Number of bins with equal counts, or edges (the last one belongs to the last bin). By
        default each observed time is a bin, or there are 8 of equal counts if the times are many.
    percentiles : sequence of float
        Percentiles, between 0 and 100, by linear interpolation of the order statistics.
    level : float
        Share of the replicates in the band.
    limit : float, optional
        Limit of detection: what is below it counts as the limit on both sides. A percentile at the
        limit is not known better.
    draws : int
        Number of replicates, where they are drawn.
    seed : int
        Root of what is drawn.

    Returns
    -------
    xarray.Dataset
        `observed`, `simulated` (median of the replicates), `lower`, `upper` over ``(bin,
        percentile)``; over ``bin``: `time` (median of the observed times), `left`, `right`, `n`
        (observed values), `below_observed` and `below_simulated` (shares below the limit).
        Attributes: `missing`, `below`, `replicates`.

    Raises
    ------
    ScenarioError
        A missing column, observed times outside of the courses, or bins without an observation.
    """
    import xarray as xr

    times, values = column(observed, time, "the observed data"), column(observed, of, "observed")
    here = np.isfinite(times) & np.isfinite(values)
    if not here.any():
        raise ScenarioError(f"vpc: no observed value of '{of}' is finite. Give some.")
    missing = int((~here).sum())
    who = column(observed, patient, "") if has(observed, patient) else np.arange(len(times))
    times, values, who = times[here], values[here], who[here]
    edges = bin_edges(times, bins)
    place = _bin(times, edges)
    n_bins = len(edges) - 1
    counts = np.bincount(place[place >= 0], minlength=n_bins)
    if (counts == 0).any() or (place < 0).any():
        raise ScenarioError(
            f"vpc: the edges {edges.tolist()} leave out {int((place < 0).sum())} observations and "
            f"{int((counts == 0).sum())} bins are empty. Give edges that hold every observed time "
            "(first and last included) and a time in each bin."
        )
    asked = [float(p) for p in percentiles]
    if _is_courses(simulated):
        trials = _trials(simulated, of, times, who, replicate, draws, seed)
    else:
        trials = _tabled(simulated, of, time, replicate)
    found, shares = [], np.zeros(n_bins)
    for when, drawn in trials:
        mine = _bin(when, edges)
        found.append(_percentiles(_raised(drawn, limit), mine, n_bins, asked))
        shares += _share_below(drawn, mine, n_bins, limit)
    every = np.array(found)
    tail = 50.0 * (1.0 - level)
    lower, middle, upper = np.nanpercentile(every, [tail, 50.0, 100.0 - tail], axis=0)
    over = ("bin", "percentile")
    about = dict(getattr(simulated[of], "attrs", {}))
    return xr.Dataset(
        {
            "observed": (over, _percentiles(_raised(values, limit), place, n_bins, asked), about),
            "simulated": (over, middle, about),
            "lower": (over, lower, about),
            "upper": (over, upper, about),
            "n": ("bin", counts),
            "below_observed": ("bin", _share_below(values, place, n_bins, limit)),
            "below_simulated": ("bin", shares / len(every)),
        },
        coords={
            "percentile": ("percentile", asked),
            "time": ("bin", [float(np.median(times[place == k])) for k in range(n_bins)]),
            "left": ("bin", edges[:-1]),
            "right": ("bin", edges[1:]),
        },
        attrs={
            "missing": missing,
            "below": 0 if limit is None else int((values < limit).sum()),
            "replicates": len(every),
            "level": level,
        },
    )


def bin_edges(times: Array, bins: Bins) -> Array:
    """Edges of the bins of time; see `vpc_statistics`."""
    distinct = np.unique(times)
    if bins is None and len(distinct) <= MOST_TIMES:
        middles = (distinct[1:] + distinct[:-1]) / 2.0
        return np.concatenate([distinct[:1] - 0.5, middles, distinct[-1:] + 0.5])
    if bins is None or isinstance(bins, int):
        number = EQUAL_BINS if bins is None else bins
        if number < 1:
            raise ScenarioError(f"vpc: bins = {number}. Give 1 or more, or the edges.")
        edges = np.unique(np.quantile(times, np.linspace(0.0, 1.0, number + 1)))
        return edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ScenarioError(f"vpc: bins = {bins!r}. Give two or more ascending edges.")
    return edges


def column(table: Table, name: str, where: str) -> Array:
    """Give a column of a table as an array of one dimension.

    Raises
    ------
    ScenarioError
        The table does not have it.
    """
    if not has(table, name):
        raise ScenarioError(unknown("column", name, map(str, table), where))
    values = np.asarray(table[name])
    return np.ravel(values.astype(np.float64) if values.dtype.kind in "iufbO" else values)


def has(table: Table, name: str) -> bool:
    """Whether a table has a column of that name."""
    return name in table or name in getattr(table, "coords", ())


def _is_courses(simulated: Table) -> bool:
    return {"patient", "time"} <= set(map(str, getattr(simulated, "dims", ())))


def _bin(times: Array, edges: Array) -> NDArray[np.int64]:
    """Bin of each time; -1 outside."""
    place = np.searchsorted(edges, times, side="right") - 1
    place[times == edges[-1]] = len(edges) - 2
    return np.where((times < edges[0]) | (times > edges[-1]), -1, place)


def _raised(values: Array, limit: float | None) -> Array:
    return values if limit is None else np.maximum(values, limit)


def _percentiles(
    values: Array, place: NDArray[np.int64], bins: int, percentiles: list[float]
) -> Array:
    found = np.full((bins, len(percentiles)), np.nan)
    for number in range(bins):
        mine = values[place == number]
        if mine.size:
            found[number] = np.percentile(mine, percentiles)
    return found


def _share_below(values: Array, place: NDArray[np.int64], bins: int, limit: float | None) -> Array:
    if limit is None:
        return np.zeros(bins)
    inside = place >= 0
    total = np.bincount(place[inside], minlength=bins)
    below = np.bincount(place[inside], weights=(values[inside] < limit) * 1.0, minlength=bins)
    return np.asarray(below / np.maximum(total, 1), dtype=np.float64)


def _tabled(table: Table, of: str, time: str, replicate: str) -> list[tuple[Array, Array]]:
    times, values = column(table, time, "the simulated data"), column(table, of, "simulated")
    number = column(table, replicate, "the simulated data")
    here = np.isfinite(times) & np.isfinite(values)
    return [
        (times[here & (number == each)], values[here & (number == each)])
        for each in np.unique(number)
    ]


def _trials(
    dataset: xr.Dataset,
    of: str,
    times: Array,
    who: NDArray[Any],
    replicate: str,
    draws: int,
    seed: int,
) -> list[tuple[Array, Array]]:
    """Simulated trials of the observed design: times and values."""
    check_variable(dataset, of)
    grid = np.asarray(dataset["time"].values, dtype=np.float64)
    if times.min() < grid[0] or times.max() > grid[-1]:
        raise ScenarioError(
            f"vpc: observed times run from {times.min():g} to {times.max():g}, the simulated ones "
            f"from {grid[0]:g} to {grid[-1]:g}. Simulate the whole time, or leave out the others."
        )
    variable = dataset[of]
    extra = [str(d) for d in variable.dims if d not in ("patient", "time", replicate)]
    if extra:
        raise ScenarioError(
            f"vpc: '{of}' also varies along {', '.join(extra)}. Choose one value first, for "
            "example with dataset.isel(...)."
        )
    if replicate in variable.dims:
        blocks = variable.transpose(replicate, "patient", "time").values
        trials = []
        for block in np.asarray(blocks, dtype=np.float64):
            at = _interpolated(block, grid, times)
            trials.append((np.tile(times, len(at)), at.ravel()))
        return trials
    at = _interpolated(
        np.asarray(variable.transpose("patient", "time").values, dtype=np.float64), grid, times
    )
    _, person = np.unique(who, return_inverse=True)
    n_people = int(person.max()) + 1
    drawn = uniforms(seed, "vpc", np.arange(draws * n_people)).reshape(draws, n_people)
    chosen = np.minimum((drawn * len(at)).astype(np.int64), len(at) - 1)
    rows = np.arange(len(times))
    return [(times, at[row[person], rows]) for row in chosen]


def _interpolated(curves: Array, grid: Array, times: Array) -> Array:
    """Values of all patients that did not fail at the observed times, (patients, observations)."""
    whole = curves[~np.isnan(curves).any(axis=1)]
    if not len(whole):
        raise ScenarioError("vpc: every simulated patient failed. See the result's 'status'.")
    return np.array([np.interp(times, grid, curve) for curve in whole])
